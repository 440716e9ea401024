"""What there is to say of a rollback before anybody pushes it: what `check --since` and `plan` will say of its commit.

The same rules judge both, on the tree that the commit will have. Nothing here holds a rollback up (DESIGN 6): an error of
theirs is a warning, which says that the check will refuse it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from relspec.catalogue import CATALOGUE
from relspec.compiler import CompiledRelease, Compiler
from relspec.diagnostics import Diagnostic, Finding, Kind, Severity
from relspec.discovery import ENVIRONMENT_FILE, Found, Place
from relspec.gitops.commit_tree import CommitTree
from relspec.gitops.former_versions import still_running
from relspec.gitops.obstacles import Context, context
from relspec.gitops.prediction import Prediction
from relspec.gitops.restoration import Restorations
from relspec.gitops.restoring import Files
from relspec.gitops.states import History
from relspec.positions import locate, sorted_diagnostics
from relspec.resolve import ENVIRONMENTS
from relspec.rules.allowances import allowed
from relspec.rules.changes import Loss, Side, callers, check_change, graded, lost_by_restoring
from relspec.rules.pinned import pinned_values
from relspec.tree import Tree


class Reviewed(Struct, frozen=True, dict=True):
    """A rollback from the tree `now`, HEAD's, to `then`, whose `files` differ; `places` are the releases that go, by id.

    `output` is the folder of the outputs.
    """

    history: History
    now: Tree
    then: Tree
    files: Files
    places: Mapping[str, Place]
    output: str

    @cached_property
    def before(self) -> Side:
        """HEAD."""
        if isinstance(self.now, CommitTree):
            self.now.load(ENVIRONMENTS)  # all folders at once: one by one they take three times as long
        return Side(Compiler(self.now, any_edition=True, memory=self.history.memory))

    @cached_property
    def after(self) -> Side:
        """What is to be committed."""
        compiler = Compiler(self.then, any_edition=True, memory=self.history.memory)
        if all(self.now.kind(place.file) == "file" for place in self.places.values()):
            compiler.found = self.before.compiler.found  # the same releases lie in the same places
        return Side(compiler)

    @cached_property
    def _sides(self) -> tuple[Side, Side]:
        """Both, told of the releases that go alone where nothing else can be concerned: among thousands nobody looks for
        the rest."""
        folders = (f"{ENVIRONMENTS}/", f"{self.output}/")
        stays = all(self.now.kind(place.file) == "file" for place in self.places.values())
        if not stays or not all(path.startswith(folders) for path in self.files):
            return self.before, self.after
        return self._alone(self.now, lambda: self.before), self._alone(self.then, lambda: self.after)

    def _alone(self, tree: Tree, whole: Callable[[], Side]) -> Side:
        compiler = Compiler(tree, any_edition=True, memory=self.history.memory)
        folders = {folder for place in self.places.values() for folder in _with_outer(posixpath.dirname(place.file))}
        environments = sorted(
            each for each in folders if tree.kind(f"{ENVIRONMENTS}/{each}/{ENVIRONMENT_FILE}") == "file"
        )
        compiler.found = Found(tuple(environments), tuple(self.places[name] for name in sorted(self.places)))
        return Side(compiler, whole)

    @cached_property
    def _restorations(self) -> Restorations:
        head = self.history.head
        files = {name: place.file for name, place in self.places.items()}
        return Restorations(
            self.history.repository,
            head,
            head,
            self.then,
            output=self.output,
            dirty=False,
            files=files,
            changed=tuple(files),
            history=self.history,
        )

    # --- findings

    def allowed(self, compiled: CompiledRelease | None) -> tuple[Finding, ...]:
        """The errors of policy and safety of a release that are waived because it goes back; without the words that say so."""
        found = self._judged(compiled)
        return tuple(was for finding, was in found if finding.severity is Severity.NOTE)

    def diagnostics(self, compiled: Sequence[CompiledRelease]) -> tuple[Diagnostic, ...]:
        """What is wrong with the change, and with the releases where that is not waived; never an error."""
        found = [*self._of_the_change(), *pinned_values(self.then.read, self.places.values())]
        for each in compiled:
            found += (finding for finding, _ in self._judged(each) if finding.severity is not Severity.NOTE)
        return sorted_diagnostics(locate(map(_as_warning, found), self._sides[1].compiler.loader.text))

    def _of_the_change(self) -> Iterator[Finding]:
        for finding in check_change(*self._sides, tuple(self.files)):
            if finding.code == "RS434":
                finding = replace(finding, hint="")  # who has to go back too, the readiness says  # noqa: PLW2901
            yield self._restorations.judged_change(finding) if _is_error(finding) else finding

    def _judged(self, compiled: CompiledRelease | None) -> Iterator[tuple[Finding, Finding]]:
        """The errors of a release, as weighty as they are on the way back, each with what it was; structure left out.

        A version in quarantine that comes back was refused before: what is left of RS411 runs already.
        """
        if compiled is None or compiled.release is None:
            return
        for was in compiled.findings:
            if CATALOGUE[was.code].kind is Kind.STRUCTURE or not _is_error(was):
                continue
            found = allowed(was.of(compiled.place.id), compiled.release, self._restorations.today(self.history.head))
            if _is_error(found):
                yield next(graded((self._restorations.judged(found),), ())), was

    # --- who else is concerned

    def context(self, old: CompiledRelease | None, new: CompiledRelease | None) -> Context:
        """What lies outside of a release: who calls it and does not go back with it, and what the registry says."""
        return context(self.before, old, new, lambda name: callers(self.before, name), tuple(self.places))

    def still(self, quarantined: Sequence[tuple[str, str]], reason: str) -> Iterator[str]:
        """What runs versions on that are put into quarantine, or means them, as sentences."""
        for model, version in quarantined:
            found = still_running(self.after, self.history, model, version, reason)
            for alias in found.aliases:
                yield f"the alias {alias} of {model} means {version}, which is in quarantine now"
            if found.users:
                ways = f"; to leave it: {'; '.join(found.ways_out)}" if found.ways_out else ""
                yield f"{model} {version} still runs in {', '.join(map(str, found.users))}{ways}"
            for name in found.unknown:
                yield f"{name} can't be resolved: whether it runs {model} {version} is not known"

    def dropped_by(self, prediction: Prediction) -> tuple[Loss, ...]:
        """What a plain revert would take out of the registry, and the rollback does not."""
        if prediction.tree is None:
            return ()
        repository = self.history.repository
        changed = repository.changed(repository.commit(prediction.head).tree, prediction.tree)
        reverted = Side(Compiler(repository.tree_of(prediction.tree), any_edition=True, memory=self.history.memory))
        return lost_by_restoring(self.before, reverted, changed)


def _with_outer(folder: str) -> Iterator[str]:
    """A folder and those around it, as paths below environments/."""
    while folder not in ("", ENVIRONMENTS):
        yield folder.removeprefix(f"{ENVIRONMENTS}/")
        folder = posixpath.dirname(folder)


def _is_error(finding: Finding) -> bool:
    return (finding.severity or CATALOGUE[finding.code].severity) is Severity.ERROR


def _as_warning(finding: Finding) -> Finding:
    """An error as a warning that says what will become of it."""
    if not _is_error(finding):
        return finding
    way = "; allow it in the environment first (policies.allow)" if CATALOGUE[finding.code].kind is Kind.POLICY else ""
    said = f"check --since will refuse it{way}"
    return replace(finding, severity=Severity.WARNING, hint="; ".join(filter(None, (finding.hint, said))))
