"""What a change does to every environment, and how fast it could be undone: known before the merge.

compile(base) against compile(head), for the releases that the change can reach. Nothing is checked out or written.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from relspec.compiler import Compiled, CompiledRelease, Compiler
from relspec.diagnostics import Diagnostic, Finding, RelspecError, Where
from relspec.discovery import Place, enclosing
from relspec.gitops.changes import Change, describe, describe_environment, headline
from relspec.gitops.declared import Declared, declare
from relspec.gitops.impact import Effect, impact
from relspec.gitops.obstacles import Context, context
from relspec.gitops.prediction import Merged, Prediction, in_memory, merged, predict
from relspec.gitops.readiness import Readiness, readiness
from relspec.gitops.repository import Commit, Repository
from relspec.gitops.reverts import Revert, Reverts, WholeRevert
from relspec.gitops.review import Review
from relspec.gitops.revision import Revision
from relspec.gitops.states import History
from relspec.lock import EDITION, LOCK
from relspec.positions import locate, sorted_diagnostics
from relspec.reporters import json as diagnostics_json
from relspec.resolve import ResolvedEnvironment, ResolvedRelease
from relspec.rules.changes import Loss, keeping
from relspec.rules.changes.reach import environment_of
from relspec.tree import Tree

SCHEMA = "relspec/plan/v1"
LATER = 3600
"""Seconds after the base at which a change that nobody has committed is taken to be deployed."""

AFTER_THE_REVERT = "HEAD~1"
"""Where the change is, seen from a revert that was just made."""

NAMED = 5
"""Paths or releases that a note names."""

ChangeKind = Literal["added", "changed", "removed", "renamed"]


class FileDiff(Struct, frozen=True):
    """An output that differs: how many lines come and go, and the unified diff."""

    path: str
    added: int
    removed: int
    diff: str


class ReleasePlan(Struct, frozen=True):
    """What a change does to one release.

    `former` is its id before a rename; `readiness` is None where it is removed. `through` are the changed files outside
    of its folder that lead to it.
    """

    id: str
    environment: str
    kind: ChangeKind
    former: str
    changes: tuple[Change, ...]
    effects: tuple[Effect, ...]
    files: tuple[FileDiff, ...]
    readiness: Readiness | None
    revert: Revert | None
    through: tuple[str, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether a side of it does not compile: what happens is not known then."""
        return any(effect.kind == "unknown" for effect in self.effects)

    @property
    def headline(self) -> str:
        """What changes, in one line."""
        if self.changes:
            return headline(self.changes)
        if self.files:
            return f"outputs, through {self.through[0]}" if self.through else "outputs alone"
        return "does not compile" if self.broken else "nothing that runs"

    def as_json(self) -> Mapping[str, Any]:
        """The release as JSON data."""
        return {
            "id": self.id,
            "environment": self.environment,
            "change": self.kind,
            "former": self.former or None,
            "through": list(self.through),
            "changes": [_change(change) for change in self.changes],
            "effects": [_effect(effect) for effect in self.effects],
            "outputs": [
                {"path": each.path, "added": each.added, "removed": each.removed, "diff": each.diff}
                for each in self.files
            ],
            "readiness": self.readiness.as_json() if self.readiness is not None else None,
            "revert": self.revert.as_json() if self.revert is not None else None,
        }


class EnvironmentPlan(Struct, frozen=True):
    """What changes in an environment itself."""

    id: str
    changes: tuple[Change, ...]


class Plan(Struct, frozen=True):
    """A change as a whole.

    `head` is None for a work tree; `undo` predicts the plain revert of the change once merged, `revert` says what the
    change itself takes back, `toolchain` is what it changes in relspec.lock, `drops` what a plain revert of it would take
    out of the registry.
    """

    base: Commit
    head: Commit | None
    releases: tuple[ReleasePlan, ...]
    environments: tuple[EnvironmentPlan, ...]
    diagnostics: tuple[Diagnostic, ...]
    undo: Prediction | None
    revert: WholeRevert | None = None
    toolchain: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    drops: tuple[Loss, ...] = ()

    @property
    def keeping(self) -> str:
        """The line to type right after a plain revert that keeps what it would drop."""
        return keeping(self.drops, AFTER_THE_REVERT) if self.drops else ""

    def failing(self, limits: Sequence[str]) -> tuple[tuple[ReleasePlan, tuple[str, ...]], ...]:
        """The releases that a gate refuses, each with the limits that it breaks.

        `blocked`: there is no way back; `stepped`: it takes every step again, or is blocked; `objective`: it is not
        surely as short as the environment asks for.
        """
        found = ((each, _broken_limits(each.readiness, limits)) for each in self.releases if each.readiness is not None)
        return tuple((each, broken) for each, broken in found if broken)

    def as_json(self) -> Mapping[str, Any]:
        """The plan as JSON data, schema relspec/plan/v1."""
        found = diagnostics_json.document(self.diagnostics, len(self.releases))
        return {
            "schema": SCHEMA,
            "base": self.base.id,
            "head": self.head.id if self.head is not None else None,
            "releases": [each.as_json() for each in self.releases],
            "environments": [
                {"id": each.id, "changes": [_change(change) for change in each.changes]} for each in self.environments
            ],
            "toolchain": list(self.toolchain),
            "revert": self.revert.as_json() if self.revert is not None else None,
            "undo": self.undo.as_json() if self.undo is not None else None,
            "drops": {"what": [each.as_json() for each in self.drops], "keep": self.keeping} if self.drops else None,
            "notes": list(self.notes),
            "diagnostics": found["diagnostics"],
            "summary": {**found["summary"], "environments": len({each.environment for each in self.releases})},
        }


def _change(change: Change) -> Mapping[str, Any]:
    return {
        "service": change.service or None,
        "field": change.field,
        "before": change.before,
        "after": change.after,
        "words": change.words,
    }


def _effect(effect: Effect) -> Mapping[str, Any]:
    return {
        "target": effect.target,
        "service": effect.service,
        "kind": effect.kind,
        "words": effect.words,
        "leastSeconds": effect.least_seconds,
        "extraPods": effect.extra_pods,
        "extraGpus": effect.extra_gpus,
        "restarts": effect.restarts,
    }


def _broken_limits(found: Readiness, limits: Sequence[str]) -> tuple[str, ...]:
    breaks = {
        "blocked": found.verdict == "blocked",
        "stepped": found.verdict in ("stepped", "blocked"),
        "objective": found.meets_objective is False,
    }
    return tuple(limit for limit in dict.fromkeys(limits) if breaks[limit])


def main_branch(repository: Repository, name: str) -> str:
    """The ref of the branch that is deployed: as last fetched, else the local one. Raises RelspecError RS606 for neither."""
    for ref in (f"refs/remotes/origin/{name}", f"refs/heads/{name}"):
        if ref in repository.refs:
            return ref
    upstream = [ref for ref in sorted(repository.refs) if ref.startswith("refs/remotes/") and ref.endswith(f"/{name}")]
    if upstream:
        return upstream[0]
    hint = f"name the base: relspec plan BASE..HEAD; or run: git fetch origin {name}; or set `main` in relspec.yaml"
    raise RelspecError(Finding("RS606", f"there is no branch {name} to compare with", Where(name), hint))


def plan(
    repository: Repository,
    tree: Tree,
    base: str,
    head: str | None,
    releases: Sequence[str] | None = None,
    *,
    onto: str | None = None,
) -> Plan:
    """The plan of the change from the commit `base` to `head` (None: the work tree), whose files are `tree`.

    `releases` narrows it to some ids. `onto` is the commit that the change will be merged into, where that is another one
    than `base`. Raises RelspecError for a base that is not there; what is wrong in either tree is in the diagnostics.
    """
    wanted = frozenset(releases) if releases is not None else None
    return _Planning(Review(repository, tree, base, head), wanted, onto or base).plan()


class _Planning(Struct, frozen=True, dict=True):
    review: Review
    wanted: frozenset[str] | None
    onto: str

    @property
    def repository(self) -> Repository:
        return self.review.repository

    @cached_property
    def history(self) -> History:
        """The history before the change; restorations are looked for in the same one."""
        return self.review.restorations.history

    @cached_property
    def base(self) -> Commit:
        return self.repository.commit(self.review.base)

    @cached_property
    def head(self) -> Commit | None:
        return self.repository.commit(self.review.head) if self.review.head is not None else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The releases that are looked at."""
        return tuple(name for name in self.review.releases if self.wanted is None or name in self.wanted)

    def plan(self) -> Plan:
        releases = tuple(found for name in self.names if (found := self._release(name)) is not None)
        undo, undo_notes = self._undo()
        return Plan(
            base=self.base,
            head=self.head,
            releases=releases,
            environments=tuple(self._environments()),
            diagnostics=self._diagnostics(undo),
            undo=undo,
            revert=self._reverts.whole({each.id: each.revert for each in releases}),
            toolchain=tuple(self._toolchain()),
            notes=(*undo_notes, *self._notes({each.id for each in releases})),
            drops=self.review.losses,
        )

    # --- one release

    @cached_property
    def _compiled(self) -> Compiled:
        """The head's releases that are looked at, and what is wrong with them."""
        places = self.review.after.places
        return self.review.compiled([places[name] for name in self.names if name in places])

    @cached_property
    def _heads(self) -> Mapping[str, CompiledRelease]:
        return {release.place.id: release for release in self._compiled.releases}

    def _old(self, name: str) -> CompiledRelease | None:
        """A release as the base compiles it, under its former name before a rename."""
        place = self.review.before.places.get(self._renames.get(name, name))
        return self.review.before.compiler.release(place) if place is not None else None

    @cached_property
    def _renames(self) -> Mapping[str, str]:
        """The former id by the new one, of the releases that the change renames: removed and added with equal states.

        Of several the one in the same environment, then the first by id (as `states.renamed` chooses).
        """
        before, after = self.review.before.places, self.review.after.places
        gone = [before[name] for name in self.names if name in before and name not in after]
        came = [after[name] for name in self.names if name in after and name not in before]
        if not gone or not came:
            return {}
        tree = self.repository.tree(self.review.base)
        states: dict[str, list[Place]] = {}
        for place in gone:
            declared = declare(tree, place.id, self.history.memory, place.file)
            if isinstance(declared, Declared):
                states.setdefault(declared.key, []).append(place)
        found: dict[str, str] = {}
        for place in came:
            declared = declare(self.review.tree, place.id, self.history.memory, place.file)
            former = states.get(declared.key) if isinstance(declared, Declared) else None
            if former:
                nearest = min(former, key=lambda each: (each.environment != place.environment, each.id))
                former.remove(nearest)
                found[place.id] = nearest.id
        return found

    def _release(self, name: str) -> ReleasePlan | None:
        if name in self._formers:
            return None
        old, new = self._old(name), self._heads.get(name)
        # A side that can't even be read is not one that is absent.
        changes = () if _unread(old, new) else describe(_resolved(old), _resolved(new))
        files = tuple(self._files(old, new))
        former = self._renames.get(name, "")
        revert = self._revert(name, new)
        one_sided = (old is None) != (new is None)
        differs = bool(changes or files or former or one_sided or _broken(old, new))
        if not differs and (revert is None or revert.kind == "exact"):
            return None
        readiness = self._readiness(former or name, old, new) if new is not None else None
        kind: ChangeKind = "renamed" if former else "added" if old is None else "removed" if new is None else "changed"
        return ReleasePlan(
            id=name,
            environment=self._place(name).environment,
            kind=kind,
            former=former,
            changes=changes,
            effects=impact(old, new, readiness.skipping if readiness is not None else {}),
            files=files,
            readiness=readiness,
            revert=revert,
            through=self.review.through.to(name),
        )

    def _place(self, name: str) -> Place:
        """Where a release lies now, or lay."""
        return self.review.after.places.get(name) or self.review.before.places[name]

    @cached_property
    def _formers(self) -> frozenset[str]:
        return frozenset(self._renames.values())

    def _files(self, old: CompiledRelease | None, new: CompiledRelease | None) -> Iterator[FileDiff]:
        if (old is not None and old.stopped) or (new is not None and new.stopped):
            return
        before = _outputs(self.review.before.compiler, old)
        after = _outputs(self.review.compiler, new)
        for path in sorted({*before, *after}):
            if before.get(path) != after.get(path):
                yield _diff(path, before.get(path, b""), after.get(path, b""))

    def _readiness(self, former: str, old: CompiledRelease | None, new: CompiledRelease) -> Readiness:
        """How fast the release could go back to what the base has, under the name that it has there."""
        known: list[Revision] = []
        if old is not None:
            try:
                known = self.history.revisions(former, old.place.file, (old, new))
            except RelspecError:
                known = []  # an object of the history is not in this clone
            known = known or [Revision(self.base.id, self.base.committed, old, "not fetched")]
        found = readiness([*known, Revision("", self._deployed(known), new)], later=self._context(old, new))
        if known and known[0].older == "not fetched" and self.history.repository.shallow:
            return replace(
                found, notes=(*found.notes, "this clone is shallow: only the revisions that it has are counted")
            )
        return found

    def _deployed(self, known: Sequence[Revision]) -> int:
        """When the change is taken to be deployed: never before what it takes the place of."""
        last = known[-1].time if known else self.base.committed
        return max(self.head.committed, last) if self.head is not None else last + LATER

    def _context(self, old: CompiledRelease | None, new: CompiledRelease) -> Context:
        """Which releases call this one, and what today's registry says of the models on both sides."""
        return context(self.review.after, old, new, lambda name: tuple(self._callers.get(name, ())))

    @cached_property
    def _callers(self) -> Mapping[str, Sequence[str]]:
        """By release the others whose `uses` name it: found by a byte scan before anything is parsed."""
        found: dict[str, list[str]] = {}
        side = self.review.after
        for name, place in side.places.items():
            if not side.mentions(place, b"uses"):
                continue
            release = side.release(name)
            for service in release.services.values() if release is not None else ():
                for used in service.spec.uses or ():
                    found.setdefault(used, []).append(name)
        return found

    @cached_property
    def _reverts(self) -> Reverts:
        return Reverts(self.review, self._merged.conflicts)

    def _revert(self, name: str, new: CompiledRelease | None) -> Revert | None:
        """What the change takes back in a release."""
        stopped = new is not None and new.stopped
        return self._reverts.of(name, new.files if new is not None else {}, stopped=stopped)

    # --- what is beside the releases

    def _environments(self) -> Iterator[EnvironmentPlan]:
        """The environments that change: their own document, or one around them."""
        sides = (self.review.before, self.review.after)
        touched = {f"{path}/" for path in map(environment_of, self.review.changed) if path is not None}
        for path in sorted({path for side in sides for path in side.compiler.found.environments}):
            if any(f"{path}/".startswith(outer) for outer in touched):
                changes = describe_environment(*(_environment(side.compiler, path) for side in sides))
                if changes:
                    yield EnvironmentPlan(path, changes)

    def _toolchain(self) -> Iterator[str]:
        """What changes in the lock (another compiler, another default Kubernetes), and sides that this compiler did not make."""
        old, new = (_lock(side.compiler) for side in (self.review.before, self.review.after))
        foreign = sorted({lock.get("edition", EDITION) for lock in (old, new)} - {EDITION})
        if foreign:
            editions = " and ".join(str(edition) for edition in foreign)
            yield (
                f"{LOCK} says edition {editions}, and this relspec is edition {EDITION}: "
                f"outputs and ways back are shown as edition {EDITION} makes them"
            )
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield f"{key} {old.get(key, 'none')} -> {new.get(key, 'none')}"

    def _notes(self, shown: Collection[str]) -> Iterator[str]:
        """What else differs: outputs of releases whose specs do not."""
        if self.review.head is None:
            return
        inside = f"{self.review.compiler.output}/"
        outputs = [path for path in self.review.changed if path.startswith(inside)]
        known = {*self.review.after.places, *self.review.before.places}
        folders = (path.removeprefix(inside).rpartition("/")[0] for path in outputs)
        owners = {owner for folder in folders if (owner := enclosing(folder, known)) is not None}
        alone = sorted(owners - {*shown, *self._formers})
        if self.wanted is None and alone:
            more = f" and {len(alone) - NAMED} more" if len(alone) > NAMED else ""
            yield (
                f"committed outputs of {', '.join(alone[:NAMED])}{more} change, and their specs do not: "
                "relspec compile --check tells whether they are right"
            )

    # --- the merge, and its revert

    @cached_property
    def _commit(self) -> str | None:
        """The commit that would be merged: of a work tree, its own where it has nothing more."""
        if self.review.head is not None:
            return self.review.head
        return self.review.commit if self.review.commit is not None and not self.review.dirty else None

    @cached_property
    def _merged(self) -> Merged:
        """The change merged into what it will be merged into; no tree where it conflicts, or where that can't be told."""
        commit = self._commit
        if commit is None:
            return Merged(None)
        if self.repository.is_ancestor(self.onto, commit):
            return Merged(self.repository.commit(commit).tree)
        return merged(self.repository, self.onto, commit)

    @property
    def _is_behind(self) -> bool:
        """Whether the change only leads back along the history, so that merging it brings nothing."""
        commit = self._commit
        return commit not in (None, self.review.base) and self.repository.is_ancestor(commit or "", self.onto)

    @property
    def _merge_notes(self) -> tuple[str, ...]:
        conflicts = self._merged.conflicts
        if not conflicts:
            return ()
        more = f" and {len(conflicts) - NAMED} more" if len(conflicts) > NAMED else ""
        return (f"merging it into {self.onto[:9]} conflicts: {', '.join(conflicts[:NAMED])}{more}",)

    def _undo(self) -> tuple[Prediction | None, tuple[str, ...]]:
        """What a plain revert of the change would give right after its merge, and why that can't be told."""
        if self._is_behind:
            short = self.repository.commit(self._commit or self.onto).short
            return None, (f"{short} is in the history of {self.onto[:9]}: there is nothing to merge or to revert",)
        try:
            tree = self._merged.tree
            if tree is None:
                return None, self._merge_notes
            made = in_memory(self.repository, tree, self.onto)
            return predict(self.repository, made, made), ()
        except RelspecError as error:
            return None, tuple(
                f"what a plain revert would give is not known: {each.message}" for each in error.findings
            )

    def _diagnostics(self, undo: Prediction | None) -> tuple[Diagnostic, ...]:
        """What is wrong with the change and with the releases that it reaches."""
        more: list[Finding] = [*self.review.findings(), *(undo.findings() if undo is not None else ())]
        said = self._compiled.diagnostics
        known = {(each.code, each.file, each.range, each.message) for each in said}
        found = locate(more, self.review.compiler.loader.text)
        new = (each for each in found if (each.code, each.file, each.range, each.message) not in known)
        return sorted_diagnostics((*said, *new))


def _environment(compiler: Compiler, path: str) -> ResolvedEnvironment | None:
    """An environment; None where there is none, or where it is wrong."""
    if path not in compiler.found.environments:
        return None
    try:
        return compiler.resolver.environment(path)
    except RelspecError:
        return None


def _resolved(side: CompiledRelease | None) -> ResolvedRelease | None:
    return side.release if side is not None else None


def _unread(*sides: CompiledRelease | None) -> bool:
    return any(side is not None and side.release is None for side in sides)


def _broken(*sides: CompiledRelease | None) -> bool:
    return any(side is not None and side.stopped for side in sides)


def _outputs(compiler: Compiler, side: CompiledRelease | None) -> dict[str, bytes]:
    if side is None:
        return {}
    return {f"{compiler.output}/{side.place.id}/{path}": data for path, data in side.files.items()}


HUNK = re.compile(r"^@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")
CONTEXT = 3
"""Lines around a difference that a diff shows."""


def _diff(path: str, before: bytes, after: bytes) -> FileDiff:
    old, new = _lines(before), _lines(after)
    # A difference is sought between the first and the last line that differ: the rest only costs time.
    first = next(
        (n for n, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new))
    )
    rest = min(len(old), len(new)) - first
    pairs = enumerate(zip(reversed(old), reversed(new), strict=False))
    last = min(rest, next((n for n, (one, other) in pairs if one != other), rest))
    start, end = max(first - CONTEXT, 0), max(last - CONTEXT, 0)
    inner = (old[start : len(old) - end], new[start : len(new) - end])
    lines = list(difflib.unified_diff(*inner, f"a/{path}", f"b/{path}", lineterm="", n=CONTEXT))
    added = sum(line.startswith("+") for line in lines[2:])
    removed = sum(line.startswith("-") for line in lines[2:])
    return FileDiff(path, added, removed, "".join(f"{_moved(line, start)}\n" for line in lines))


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").removesuffix("\n").split("\n") if data else []


def _moved(line: str, by: int) -> str:
    """A line of a diff, with the numbers of a hunk as those of the whole file."""
    found = HUNK.match(line)
    if found is None:
        return line
    return f"@@ -{int(found[1]) + by}{found[2] or ''} +{int(found[3]) + by}{found[4] or ''} @@"


def _lock(compiler: Compiler) -> Mapping[str, Any]:
    try:
        lock = compiler.lock
    except RelspecError:
        return {}
    return lock.model_dump(by_alias=True, exclude={"api_version", "kind"}) if lock is not None else {}
