"""A rollback: one commit, prepared in memory and proven, that takes releases back to an earlier state.

    words -> destinations -> files of the restored states -> outputs -> proof -> tree and message

Nothing is written here: `commit` does that, or nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from relspec import edits
from relspec.compiler import CompiledRelease, Compiler
from relspec.diagnostics import Diagnostic, Finding, RelspecError, Where
from relspec.discovery import Place
from relspec.gitops.changes import Change, describe
from relspec.gitops.commit import Proposal
from relspec.gitops.commit_tree import CommitTree
from relspec.gitops.destination import Destination, Wish, destinations
from relspec.gitops.journal import identity
from relspec.gitops.objects import GitFailedError
from relspec.gitops.obstacles import Context
from relspec.gitops.overlay import OverlayTree
from relspec.gitops.prediction import Prediction, predict
from relspec.gitops.proof import (
    Case,
    Proof,
    ProofKind,
    changed_since,
    committed_outputs,
    compiled,
    keeps_outputs,
    names,
    prove,
    worst,
)
from relspec.gitops.quarantined import brought_back, versions_of
from relspec.gitops.readiness import Readiness, readiness
from relspec.gitops.repository import Commit, Repository
from relspec.gitops.restoring import Files, Goal, Restored, references, restore
from relspec.gitops.revision import Revision
from relspec.gitops.rollback_message import flat, message
from relspec.gitops.rollback_review import Reviewed
from relspec.gitops.states import History
from relspec.gitops.tree_identity import tree_with_files
from relspec.loader import Loader
from relspec.registry.records import Registry, model_file, record_file
from relspec.rules.changes import Loss
from relspec.rules.changes.interfaces import together
from relspec.tree import Tree

T = TypeVar("T")


class Quarantined(Struct, frozen=True):
    """A version that the rollback leaves and puts into quarantine."""

    model: str
    version: str
    reason: str


class Taken(Struct, frozen=True):
    """A commit and the paths that are as they were before it."""

    commit: Commit
    paths: tuple[str, ...]


class Step(Struct, frozen=True):
    """One release on its way back.

    `allowed` are findings of policy and safety that don't hold it up; `prediction` is what a plain revert of the one
    change that goes would give (None where that is not one commit, or Git can't say: `unpredicted`). `expected` is how
    fast it comes into force; `compose` the folder of its compose file.
    """

    destination: Destination
    restored: Restored
    proof: Proof
    changes: tuple[Change, ...]
    allowed: tuple[Finding, ...] = ()
    prediction: Prediction | None = None
    unpredicted: str = ""
    expected: Readiness | None = None
    compose: str | None = None
    drops: tuple[Loss, ...] = ()
    """What that plain revert would take out of the registry."""
    also: tuple[Taken, ...] = ()
    """Changes that are no state of the release and go all the same: a comment, a note in its folder."""

    @property
    def release(self) -> str:
        """The id."""
        return self.destination.release


class Rollback(Struct, frozen=True):
    """A proposed commit. `files` and what `tree` names are as seen from the top of the repository.

    `there` are releases that are already what they would go back to. Without `steps` there is nothing to do.
    `ahead` is how many commits HEAD's branch is behind `upstream`, as last fetched.
    """

    head: Commit
    steps: tuple[Step, ...]
    there: tuple[Destination, ...]
    files: Files
    tree: str
    message: str
    times: Mapping[str, int]
    quarantined: tuple[Quarantined, ...] = ()
    branch: str | None = None
    upstream: str | None = None
    behind: int = 0
    warnings: tuple[str, ...] = ()
    outputs_kept: bool = True
    modes: Mapping[str, str] = field(default_factory=dict)
    edited_records: tuple[str, ...] = ()
    """Registry records that the releases ran with and that hold something else now: they stay."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """What is wrong with the change itself, and with what it leads to: warnings and notes."""

    @property
    def proof(self) -> ProofKind:
        """What can be said of all releases."""
        return worst([step.proof for step in self.steps])

    @property
    def proposal(self) -> Proposal:
        """What `commit` makes."""
        return Proposal(self.head.id, self.files, self.message, self.tree, self.modes)


class Orders(Struct, frozen=True):
    """What was typed beside the releases. `now` is the time in unix seconds; `predict`: also say what a plain revert
    would give, which takes longer than all the rest."""

    to: str | None = None
    service: str | None = None
    reason: str = ""
    quarantine: bool = False
    predict: bool = False
    now: int = 0
    accept: bool = False
    """Whether it is to be committed without a proof, too."""
    moves_head: bool = True
    """Whether HEAD itself goes back: then it can't be told to go back together with others any more."""


def roll_back(repository: Repository, words: Sequence[str], orders: Orders, prefix: str = "") -> Rollback:
    """The commit that takes releases back, proven or not; nothing is written.

    `prefix` is the folder where the words were typed. Raises RelspecError: RS606 without a commit, RS411 where it would
    bring back a quarantined version, and what `destinations` and `restore` may.
    """
    head = repository.head()
    if head is None:
        raise RelspecError(Finding("RS606", "there is no commit yet", Where("HEAD"), "commit something first"))
    return _Preparation(repository, History(repository, head), orders).rollback(words, prefix)


class _Preparation:
    """One rollback in the making."""

    def __init__(self, repository: Repository, history: History, orders: Orders) -> None:
        self.repository = repository
        self.history = history
        self.orders = orders
        self.head = repository.commit(history.head)
        self.tree = repository.tree_of(self.head.tree)
        self.unknown: dict[str, None] = {}
        """What could not be told, as sentences."""

    @cached_property
    def output(self) -> str:
        """The folder of the outputs."""
        return Compiler(self.tree, any_edition=True).output

    def rollback(self, words: Sequence[str], prefix: str) -> Rollback:
        orders = self.orders
        wish = Wish(orders.to, orders.service, orders.now)
        found = destinations(self.history, words, wish, prefix)
        going = [each for each in found if not each.is_there]
        for each in going:
            self._refuse_quarantined(each)
        restored = {each.release: self._restored(each) for each in going}
        files: dict[str, bytes | None] = {path: data for one in restored.values() for path, data in one.files.items()}
        quarantined = tuple(self._quarantined(going)) if orders.quarantine else ()
        files |= self._with_quarantine(quarantined)
        steps = []
        outputs: dict[str, bytes | None] = {}
        for each in going:
            proof = self._proof(self._case(each, restored[each.release], files))
            outputs |= self._outputs(each, proof)
            steps.append(Step(each, restored[each.release], proof, ()))
        files |= outputs
        top = {f"{self.repository.prefix}{path}": data for path, data in sorted(files.items())}
        modes = {
            f"{self.repository.prefix}{path}": mode for one in restored.values() for path, mode in one.modes.items()
        }
        tree = tree_with_files(self.repository.store, self.head.tree, top, modes)
        review = self._review(going, files)
        after = {step.release: self._after(step, files) for step in steps}
        steps = [self._told(step, after[step.release], review) for step in steps]
        diagnostics = self._diagnostics(review, [each for each in after.values() if each is not None])
        still = tuple(self._still_running(review, quarantined))
        upstream, behind = self._behind()
        rollback = Rollback(
            head=self.head,
            steps=tuple(steps),
            there=tuple(each for each in found if each.is_there),
            files=top,
            tree=tree,
            message="",
            times={commit.id: self._time(commit) for step in steps for commit in _commits(step)},
            quarantined=quarantined,
            branch=self.repository.branch(),
            upstream=upstream,
            behind=behind,
            warnings=(
                *(warning for each in going for warning in each.warnings),
                *self._no_quarantine(quarantined),
                *still,
                *(warning for step in steps for warning in self._alone(step, going)),
                *self.unknown,
            ),
            diagnostics=diagnostics,
            outputs_kept=any(self._keeps(each) for each in going),
            modes=modes,
            edited_records=tuple(sorted({path for each in going for path in self._edited_records(each)})),
        )
        return replace(rollback, message=message(rollback, orders.reason, self._whole_change_goes(rollback)))

    # --- files

    def _restored(self, each: Destination) -> Restored:
        before = self.history.tree(each.commit.id)
        goal = Goal(each.place, each.then, self.tree, before, each.services, each.commit.short)
        return restore(goal, self.repository.store.blob, self.history.memory)

    def _proof(self, case: Case) -> Proof:
        """The proof; somebody who accepts less gets the committed outputs where nothing can be compiled."""
        proof = prove(case)
        if not self.orders.accept or not committed_bytes_would_do(proof, case.place_then, case.place_now):
            return proof
        said = f"the outputs are put back as they were committed in {case.then.short}"
        return replace(proof, outputs=proof.before, reasons=(*proof.reasons, said))

    def _case(self, each: Destination, restored: Restored, files: Files) -> Case:
        return Case(
            repository=self.repository,
            head=self.head,
            then=each.commit,
            place_then=each.then.place,
            place_now=each.place,
            restored=restored,
            files=files,
            whole=self._restored(replace(each, services=None)).files if each.services is not None else None,
            memory=self.history.memory,
        )

    def _keeps(self, each: Destination) -> bool:
        """Whether outputs are committed here."""
        then = self.history.tree(each.commit.id)
        return keeps_outputs(self.tree, then, each.then.place, self.history.memory)

    def _outputs(self, each: Destination, proof: Proof) -> Iterator[tuple[str, bytes | None]]:
        """What changes in the folder of the release's outputs: they are compiled anew, never merged."""
        if proof.outputs is None or not self._keeps(each):
            return
        folder = f"{self.output}/{each.place.id}"
        for path, data in proof.outputs.items():
            entry = self.tree.entry(f"{folder}/{path}")
            if entry is None or entry.kind != "file" or self.repository.store.blob(entry.id, path) != data:
                yield f"{folder}/{path}", data
        for path in committed_outputs(self.tree, each.place):
            if path not in proof.outputs:
                yield f"{folder}/{path}", None

    def _edited_records(self, each: Destination) -> Iterator[str]:
        before = self.history.tree(each.commit.id)
        for reference in references(each.then):
            model, _, version = reference.partition("@")
            path = record_file(model, version)
            now = self.tree.entry(path)
            if now is not None and now != before.entry(path):
                yield path

    # --- quarantine

    def _refuse_quarantined(self, each: Destination) -> None:
        """RS411: a version in quarantine comes back only when that is lifted."""
        registry = Registry(Loader(self.tree, self.history.memory))
        for finding in brought_back(registry, each.release, each.now, each.then, each.changed):
            raise RelspecError(finding)

    def _quarantined(self, going: Sequence[Destination]) -> Iterator[Quarantined]:
        """The versions that are left by all, in order."""
        kept = {
            reference
            for each in going
            for service in each.then.services
            for reference in versions_of(each.then, service)
        }
        releases = ", ".join(each.release for each in going)
        left: dict[str, None] = {}
        for each in going:
            if each.now is not None:
                left |= dict.fromkeys(name for service in each.changed for name in versions_of(each.now, service))
        for reference in left:
            model, _, version = reference.partition("@")
            if reference not in kept:
                yield Quarantined(model, version, flat(self.orders.reason) or f"rolled back in {releases}")

    def _no_quarantine(self, quarantined: Sequence[Quarantined]) -> Iterator[str]:
        if self.orders.quarantine and not quarantined:
            yield "no version is left: nothing to quarantine"

    def _with_quarantine(self, quarantined: Iterable[Quarantined]) -> dict[str, bytes | None]:
        """model.yaml with the versions left; one that is in quarantine already keeps its entry."""
        files: dict[str, bytes | None] = {}
        day = datetime.fromtimestamp(self.orders.now, UTC).date().isoformat()
        registry = Registry(Loader(self.tree, self.history.memory))
        for each in quarantined:
            file = model_file(each.model)
            entry = (registry.model(each.model).quarantine or {}).get(each.version)
            if entry is not None and entry.lifted is None:
                continue
            data = files.get(file) or self.tree.read(file)
            value = {"reason": each.reason, "since": day}
            files[file] = edits.put(data, ("quarantine", each.version), value, file=file)
        return files

    # --- what there is to say

    def _review(self, going: Sequence[Destination], files: Files) -> Reviewed:
        sources = {path: data for path, data in files.items() if not path.startswith(f"{self.output}/")}
        places = {each.release: each.place for each in going}
        return Reviewed(self.history, self.tree, OverlayTree(self.tree, sources), sources, places, self.output)

    def _after(self, step: Step, files: Files) -> CompiledRelease | None:
        """What the release compiles to after it."""
        sources = {path: data for path, data in files.items() if not path.startswith(f"{self.output}/")}
        alone = step.restored.compiled if sources == step.restored.files else None
        return alone or compiled(OverlayTree(self.tree, files), step.destination.place, self.history.memory)

    def _diagnostics(self, review: Reviewed, after: Sequence[CompiledRelease]) -> tuple[Diagnostic, ...]:
        """What is wrong, as far as this clone has what tells: a rollback is not held up by that."""
        return self._as_far_as_known(lambda: review.diagnostics(after), ())

    def _as_far_as_known(self, ask: Callable[[], T], otherwise: T) -> T:
        """What there is to say of a rollback, which is not held up where a file of others is not in this clone."""
        try:
            return ask()
        except RelspecError as error:
            for finding in error.findings:
                self.unknown[f"what it does to others is not known: {finding.message}"] = None
            return otherwise

    def _still_running(self, review: Reviewed, quarantined: Sequence[Quarantined]) -> Iterator[str]:
        """Where the versions that are left run on."""
        versions = [(each.model, each.version) for each in quarantined]
        nothing: tuple[str, ...] = ()
        yield from self._as_far_as_known(lambda: tuple(review.still(versions, flat(self.orders.reason))), nothing)

    def _alone(self, step: Step, going: Sequence[Destination]) -> Iterator[str]:
        """That others have to go back, too, and what to type for that."""
        if step.expected is None or not step.expected.needed:
            return
        every = together([*(each.release for each in going), *step.expected.needed])
        now = (
            f"; this one alone is what is committed here, so now: {step.expected.action}"
            if self.orders.moves_head
            else ""
        )
        yield f"{step.release} is {step.expected.verdict}: {step.expected.why}; in one commit they go back with: {every}{now}"

    def _told(self, step: Step, after: CompiledRelease | None, review: Reviewed) -> Step:
        each = step.destination
        before, _ = self.history.compiled(self.head.id, each.release, each.place.file)
        old = before.release if before is not None else None
        new = after.release if after is not None else None
        prediction, unpredicted = self._prediction(each)
        nothing: tuple[Finding, ...] = ()
        return replace(
            step,
            changes=describe(old, new),
            allowed=self._as_far_as_known(lambda: review.allowed(after), nothing),
            prediction=prediction,
            unpredicted=unpredicted,
            drops=self._drops(review, prediction),
            expected=self._expected(each, before, after, review),
            compose=_compose_folder(self.output, each, step.proof),
            also=tuple(self._also(step)),
        )

    def _drops(self, review: Reviewed, prediction: Prediction | None) -> tuple[Loss, ...]:
        return self._as_far_as_known(lambda: review.dropped_by(prediction), ()) if prediction is not None else ()

    def _also(self, step: Step) -> Iterator[Taken]:
        """The commits since whose changes to the release's own files go although they changed no state of it."""
        each = step.destination
        own = {path for path in step.restored.files if path not in step.restored.records}
        if each.services is not None:
            own.discard(each.place.file)
        states = {state.first.id for state in each.left}
        for commit in changed_since(self.repository, each.commit.id, self.head.id, own):
            paths = tuple(path for path in sorted(own) if self._touches(commit, path))
            if commit.id not in states and paths and not names(self.repository, commit, each.place.file):
                yield Taken(commit, paths)

    def _touches(self, commit: Commit, path: str) -> bool:
        parent = self.repository.parent(commit)
        before = self.repository.tree_of(parent.tree).entry(path) if parent is not None else None
        return self.repository.tree_of(commit.tree).entry(path) != before

    def _prediction(self, each: Destination) -> tuple[Prediction | None, str]:
        if each.undone is None or not self.orders.predict:
            return None, ""
        try:
            return predict(self.repository, each.undone.id, self.head.id), ""
        except (RelspecError, GitFailedError) as error:
            return None, error.findings[0].message if isinstance(error, RelspecError) else str(error)

    def _expected(
        self, each: Destination, before: CompiledRelease | None, after: CompiledRelease | None, review: Reviewed
    ) -> Readiness | None:
        """How fast it comes into force: the way from what HEAD runs, which may be nothing, to what will run.

        That is what ran then, but in the environment of today and beside the services that stay: a pod template that
        never was has no ReplicaSet to go back to.
        """
        wanted = after if each.now is not None and after is not None and not after.stopped else None
        if wanted is None:
            wanted, _ = self.history.compiled(each.commit.id, each.then.place.id, each.then.place.file)
        if wanted is None:
            return None
        if each.now is None:
            return _cold_start(each.commit, self._time(each.commit), wanted)
        ends = (wanted, before) if before is not None else (wanted,)
        revisions = self.history.revisions(each.release, each.place.file, ends)
        if not revisions:
            return None
        if before is not None:
            # The newest revision may be older than HEAD: another version of a model that no output names is none.
            revisions = [*revisions[:-1], replace(revisions[-1], compiled=before)]
        later = self._as_far_as_known(lambda: review.context(wanted, before), Context())
        found = readiness(revisions, wanted=wanted, later=later)
        if not found.needed or not self.orders.moves_head:
            return found
        # What is committed has gone back: it would not go back again, and only the others are left to.
        return replace(found, action=together(found.needed))

    def _time(self, commit: Commit) -> int:
        """When a commit came into force; of one beside the first-parent chain, when it was made."""
        try:
            return self.history.time(commit.id)
        except KeyError:
            return commit.committed

    def _behind(self) -> tuple[str | None, int]:
        upstream = self.repository.upstream()
        target = self.repository.refs.get(upstream) if upstream else None
        if upstream is None or target is None:
            return None, 0
        count = self.repository.git("rev-list", "--count", f"{self.head.id}..{target}", check=False).decode().strip()
        return upstream.removeprefix("refs/remotes/"), int(count or 0)

    def _whole_change_goes(self, rollback: Rollback) -> Commit | None:
        """The one commit whose whole diff goes, and nothing else."""
        undone = {step.destination.undone for step in rollback.steps}
        commit = next(iter(undone)) if len(undone) == 1 else None
        if commit is None or not commit.parents or any(step.also for step in rollback.steps):
            return None
        arguments = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", commit.parents[0], commit.id)
        listing = self.repository.git(*arguments).decode("utf-8", "surrogateescape")
        touched = {path for path in listing.split("\0") if path}
        before = self.repository.commit(commit.parents[0]).tree
        went = all(self._blob(rollback, path) == self._entry(before, path) for path in touched)
        return commit if went and rollback.files.keys() <= touched else None

    def _blob(self, rollback: Rollback, path: str) -> tuple[str, str] | None:
        """The mode and the id of a file after the rollback; None where there is none."""
        now = self._entry(self.head.tree, path)
        if path not in rollback.files:
            return now
        data = rollback.files[path]
        mode = rollback.modes.get(path) or (now[0] if now is not None else "100644")
        return None if data is None else (mode, identity(data, self.head.id))

    def _entry(self, tree: str, path: str) -> tuple[str, str] | None:
        entry = CommitTree(self.repository.store, tree).entry(path)
        return None if entry is None else (entry.mode, entry.id)


def committed_bytes_would_do(proof: Proof, then: Place, now: Place) -> bool:
    """Whether the outputs that were committed could be put back where nothing can be compiled."""
    return proof.outputs is None and proof.against == "committed" and then.id == now.id


def _cold_start(commit: Commit, time: int, then: CompiledRelease) -> Readiness | None:
    """How fast a release comes back of which nothing runs."""
    if then.release is None or then.stopped:
        return None
    nothing = replace(then, release=replace(then.release, services={}), drafts=(), files={})
    return readiness([Revision(commit.id, time, then), Revision("", time, nothing)])


def _compose_folder(output: str, each: Destination, proof: Proof) -> str | None:
    names = proof.outputs or {}
    return f"{output}/{each.place.id}/compose" if "compose/compose.yaml" in names else None


def _commits(step: Step) -> Iterator[Commit]:
    yield step.destination.commit
    for state in step.destination.left:
        yield state.first
    for cause in step.proof.causes:
        yield from cause.commits
    for taken in step.also:
        yield taken.commit


# --- the work tree


def uncommitted(repository: Repository, tree: Tree, files: Iterable[str]) -> tuple[str, ...]:
    """The paths, as seen from the top, whose work tree is not what HEAD has; none in a bare repository."""
    if repository.top is None:
        return ()
    found = []
    for path in sorted(files):
        inside = path.removeprefix(repository.prefix)
        try:
            there: bytes | None = tree.read(inside)
        except RelspecError:
            there = None
        disk = repository.top / path
        now = disk.read_bytes() if disk.is_file() and not disk.is_symlink() else None
        if now != there:
            found.append(path)
    return tuple(found)
