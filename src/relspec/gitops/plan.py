"""What a change does to every environment, and how fast it could be undone: known before the merge.

compile(base) against compile(head), for the releases that the change can reach. Nothing is checked out or written.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from relspec.compiler import CompiledRelease, Compiler
from relspec.diagnostics import Diagnostic, Finding, RelspecError
from relspec.discovery import Place
from relspec.gitops.changes import Change, describe, describe_environment, headline
from relspec.gitops.declared import declare
from relspec.gitops.impact import Effect, impact
from relspec.gitops.obstacles import Context
from relspec.gitops.prediction import SOMEBODY, Prediction, merged, predict
from relspec.gitops.prediction import Kind as RevertKind
from relspec.gitops.readiness import Readiness, readiness
from relspec.gitops.repository import Commit, Repository
from relspec.gitops.restoration import Restored
from relspec.gitops.review import Review
from relspec.gitops.revision import Revision
from relspec.gitops.states import History, renamed
from relspec.positions import locate
from relspec.reporters import json as diagnostics_json
from relspec.resolve import ResolvedRelease
from relspec.tree import Tree

SCHEMA = "relspec/plan/v1"
LATER = 3600
"""Seconds after the base at which a change that nobody has committed is taken to be deployed."""

ChangeKind = Literal["added", "changed", "removed", "renamed"]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """An output that differs: how many lines come and go, and the unified diff."""

    path: str
    added: int
    removed: int
    diff: str


@dataclass(frozen=True, slots=True)
class Revert:
    """A change that goes back. `kind`: whether the committed outputs are those of the state restored."""

    kind: RevertKind
    restores: Commit | None
    services: tuple[str, ...]

    def as_json(self) -> Mapping[str, Any]:
        """The revert as JSON data."""
        return {
            "kind": self.kind.replace(" ", "-"),
            "restores": self.restores.id if self.restores is not None else None,
            "services": list(self.services),
        }


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """What a change does to one release. `former` is its id before a rename; `readiness` None where it is removed."""

    id: str
    environment: str
    kind: ChangeKind
    former: str
    changes: tuple[Change, ...]
    effects: tuple[Effect, ...]
    files: tuple[FileDiff, ...]
    readiness: Readiness | None
    revert: Revert | None

    @property
    def headline(self) -> str:
        """What changes, in one line."""
        return headline(self.changes) or ("outputs alone" if self.files else "nothing that runs")

    def as_json(self) -> Mapping[str, Any]:
        """The release as JSON data."""
        return {
            "id": self.id,
            "environment": self.environment,
            "change": self.kind,
            "former": self.former or None,
            "changes": [_change(change) for change in self.changes],
            "effects": [_effect(effect) for effect in self.effects],
            "outputs": [
                {"path": each.path, "added": each.added, "removed": each.removed, "diff": each.diff}
                for each in self.files
            ],
            "readiness": self.readiness.as_json() if self.readiness is not None else None,
            "revert": self.revert.as_json() if self.revert is not None else None,
        }


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """What changes in an environment itself."""

    id: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A change as a whole. `head` is None for a work tree; `undo` predicts the plain revert of the change once merged."""

    base: Commit
    head: Commit | None
    releases: tuple[ReleasePlan, ...]
    environments: tuple[EnvironmentPlan, ...]
    diagnostics: tuple[Diagnostic, ...]
    undo: Prediction | None
    toolchain: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def failing(self, limits: Sequence[str]) -> tuple[ReleasePlan, ...]:
        """The releases that a gate refuses: going back is blocked, stepped (or worse), or misses the objective."""
        return tuple(each for each in self.releases if each.readiness and _fails(each.readiness, limits))

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
            "undo": self.undo.as_json() if self.undo is not None else None,
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


def _fails(found: Readiness, limits: Sequence[str]) -> bool:
    slow = found.verdict in ("stepped", "blocked")
    return (
        ("blocked" in limits and found.verdict == "blocked")
        or ("stepped" in limits and slow)
        or ("objective" in limits and found.meets_objective is False)
    )


def main_branch(repository: Repository, name: str) -> str:
    """The ref of the branch that is deployed: as last fetched, else the local one. Raises RelspecError RS606 for neither."""
    for ref in (f"refs/remotes/origin/{name}", f"refs/heads/{name}"):
        if ref in repository.refs:
            return ref
    upstream = [ref for ref in sorted(repository.refs) if ref.startswith("refs/remotes/") and ref.endswith(f"/{name}")]
    if upstream:
        return upstream[0]
    repository.resolve(name)  # says what there is no such thing as
    return name


def plan(
    repository: Repository, tree: Tree, base: str, head: str | None, releases: Sequence[str] | None = None
) -> Plan:
    """The plan of the change from the commit `base` to `head` (None: the work tree), whose files are `tree`.

    `releases` narrows it to some ids. Raises RelspecError for a base that is not there; what is wrong in either tree is
    in the diagnostics.
    """
    return _Planning(Review(repository, tree, base, head), frozenset(releases) if releases is not None else None).plan()


@dataclass(frozen=True)
class _Planning:
    review: Review
    wanted: frozenset[str] | None
    _made: dict[str, tuple[CompiledRelease | None, CompiledRelease | None]] = field(default_factory=dict)

    @property
    def repository(self) -> Repository:
        return self.review.repository

    @cached_property
    def history(self) -> History:
        return History(self.repository, self.review.base)

    @cached_property
    def base(self) -> Commit:
        return self.repository.commit(self.review.base)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The releases that are looked at."""
        return tuple(name for name in self.review.releases if self.wanted is None or name in self.wanted)

    def plan(self) -> Plan:
        made = [found for name in self.names if (found := self._release(name)) is not None]
        head = self.repository.commit(self.review.head) if self.review.head is not None else None
        undo, notes = self._undo()
        return Plan(
            base=self.base,
            head=head,
            releases=tuple(made),
            environments=tuple(self._environments()),
            diagnostics=self._diagnostics(undo),
            undo=undo,
            toolchain=tuple(self._toolchain()),
            notes=notes,
        )

    # --- one release

    def _sides(self, name: str) -> tuple[CompiledRelease | None, CompiledRelease | None]:
        """A release as both sides compile it, under its former name before a rename."""
        if name not in self._made:
            before, after = self.review.before.places.get(name), self.review.after.places.get(name)
            if before is None and after is not None:
                former = self._former(after)
                before = self.review.before.places.get(former) if former else None
            self._made[name] = (
                self.review.before.compiler.release(before) if before is not None else None,
                self.review.compiler.release(after) if after is not None else None,
            )
        return self._made[name]

    @cached_property
    def _renames(self) -> Mapping[str, str]:
        """The former id by the new one, of the releases that the change renames."""
        found: dict[str, str] = {}
        before, after = self.review.before, self.review.after
        gone = [name for name in self.names if name in before.places and name not in after.places]
        for name in self.names if gone else ():
            if name in before.places or name not in after.places:
                continue
            current = declare(self.review.tree, name, self.history.memory, after.places[name].file)
            files = [before.places[each].file for each in gone]
            tree = self.repository.tree(self.review.base)
            former = renamed(current, tree, self.review.tree, files, self.history.memory)
            if former is not None:
                found[name] = former.place.id
        return found

    def _former(self, place: Place) -> str:
        return self._renames.get(place.id, "")

    def _release(self, name: str) -> ReleasePlan | None:
        if name in self._renames.values() and name not in self.review.after.places:
            return None
        old, new = self._sides(name)
        then, now = _resolved(old), _resolved(new)
        changes = describe(then, now)
        files = tuple(self._files(old, new))
        former = self._renames.get(name, "")
        if not changes and not files and not former and (old is None) == (new is None) and not _broken(old, new):
            return None
        place = new.place if new is not None else old.place if old is not None else None
        kind: ChangeKind = "renamed" if former else "added" if old is None else "removed" if new is None else "changed"
        return ReleasePlan(
            id=name,
            environment=place.environment if place is not None else "",
            kind=kind,
            former=former,
            changes=changes,
            effects=impact(old, new),
            files=files,
            readiness=self._readiness(former or name, new) if new is not None else None,
            revert=self._revert(name, new),
        )

    def _files(self, old: CompiledRelease | None, new: CompiledRelease | None) -> Iterator[FileDiff]:
        before = _outputs(self.review.before.compiler, old)
        after = _outputs(self.review.compiler, new)
        if (old is not None and old.stopped) or (new is not None and new.stopped):
            return
        for path in sorted({*before, *after}):
            if before.get(path) != after.get(path):
                yield _diff(path, before.get(path, b""), after.get(path, b""))

    def _readiness(self, name: str, new: CompiledRelease) -> Readiness | None:
        """How fast the release could go back to what the base has."""
        place = self.review.before.places.get(name)
        try:
            limit = 2 + (new.release.environment.rollback.history if new.release is not None else 8)
            known = self.history.revisions(name, limit, place.file) if place is not None else []
        except RelspecError:
            known = []  # a shallow clone: as much as there is
        if place is not None and not known:
            old, _ = self._sides(name)
            known = [Revision(self.base.id, self.base.committed, old)] if old is not None else []
        return readiness([*known, Revision("", self._deployed(known), new)], later=self._context(new))

    def _deployed(self, known: Sequence[Revision]) -> int:
        """When the change is taken to be deployed."""
        last = known[-1].time if known else self.base.committed
        head = self.repository.commit(self.review.head).committed if self.review.head is not None else 0
        return max(head, last + LATER) if self.review.head is None else max(head, last)

    def _context(self, new: CompiledRelease) -> Context:
        """Which releases call this one, and what today's registry says of its models."""
        if new.release is None:
            return Context()
        callers = tuple(self._callers.get(new.place.id, ()))
        return Context(dependents=dict.fromkeys(new.release.services, callers))

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

    def _revert(self, name: str, new: CompiledRelease | None) -> Revert | None:
        """What the change says of itself where it goes back: whether its committed outputs are those of its specs."""
        restored: Mapping[str, Restored] = self.review.restorations.of(name)
        states = {service: found for service, found in restored.items() if found.reason == "state"}
        if not states or not self.review.restorations.whole(name):
            return None
        commit = max((found.commit for found in states.values() if found.commit is not None), key=lambda c: c.committed)
        kind: RevertKind = "exact"
        if new is not None and self._is_stale(new):
            kind = "clean but stale"
        return Revert(kind, commit, tuple(sorted(states)))

    def _is_stale(self, new: CompiledRelease) -> bool:
        """Whether the outputs that lie beside the specs are not what these compile to."""
        tree = self.review.tree
        output = self.review.compiler.output
        if tree.kind(output) != "folder":
            return False
        for path, data in new.files.items():
            try:
                if tree.read(f"{output}/{new.place.id}/{path}") != data:
                    return True
            except RelspecError:
                return True
        return False

    # --- what is beside the releases

    def _environments(self) -> Iterator[EnvironmentPlan]:
        before, after = self.review.before, self.review.after
        paths = sorted({*before.compiler.found.environments, *after.compiler.found.environments})
        touched = [path for path in self.review.changed if path.endswith("/environment.yaml")]
        for path in paths:
            inside = any(f"environments/{path}/".startswith(file.removesuffix("environment.yaml")) for file in touched)
            if not inside:
                continue
            sides = []
            for side in (before, after):
                try:
                    known = path in side.compiler.found.environments
                    sides.append(side.compiler.resolver.environment(path) if known else None)
                except RelspecError:
                    sides.append(None)
            changes = describe_environment(sides[0], sides[1])
            if changes:
                yield EnvironmentPlan(path, changes)

    def _toolchain(self) -> Iterator[str]:
        """What changes in the lock: another compiler, another default Kubernetes."""
        old, new = (_lock(side.compiler) for side in (self.review.before, self.review.after))
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield f"{key} {old.get(key, 'none')} -> {new.get(key, 'none')}"

    def _undo(self) -> tuple[Prediction | None, tuple[str, ...]]:
        """What a plain revert of the change would give right after its merge; None where that can't be told."""
        commit = self.review.head
        if commit is None or not self.names:
            return None, ()
        try:
            result = merged(self.repository, self.review.base, commit)
            if result.tree is None:
                return None, (f"the change conflicts with its base: {', '.join(result.conflicts[:5])}",)
            merge = self.repository.git(
                "commit-tree", result.tree, "-p", self.review.base, data=b"", extra=SOMEBODY
            ).decode()
            return predict(self.repository, merge.strip(), merge.strip()), ()
        except RelspecError as error:
            return None, tuple(finding.message for finding in error.findings)

    def _diagnostics(self, undo: Prediction | None) -> tuple[Diagnostic, ...]:
        """What is wrong with the change and with the releases that it reaches."""
        places = [self.review.after.places[name] for name in self.names if name in self.review.after.places]
        compiled = self.review.compiled(places)
        more: list[Finding] = [*self.review.findings(), *(undo.findings() if undo is not None else ())]
        read = self.review.compiler.loader.text
        known = {(each.code, each.file, each.range, each.message) for each in compiled.diagnostics}
        found = locate(more, read)
        return tuple(
            sorted(
                (*compiled.diagnostics, *(d for d in found if (d.code, d.file, d.range, d.message) not in known)),
                key=lambda diagnostic: diagnostic.sort_key,
            )
        )


def _resolved(side: CompiledRelease | None) -> ResolvedRelease | None:
    return side.release if side is not None else None


def _broken(*sides: CompiledRelease | None) -> bool:
    return any(side is not None and side.stopped for side in sides)


def _outputs(compiler: Compiler, side: CompiledRelease | None) -> dict[str, bytes]:
    if side is None:
        return {}
    return {f"{compiler.output}/{side.place.id}/{path}": data for path, data in side.files.items()}


def _diff(path: str, before: bytes, after: bytes) -> FileDiff:
    old, new = before.decode("utf-8", "replace").splitlines(), after.decode("utf-8", "replace").splitlines()
    lines = list(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm=""))
    added = sum(line.startswith("+") for line in lines[2:])
    removed = sum(line.startswith("-") for line in lines[2:])
    return FileDiff(path, added, removed, "\n".join(lines) + "\n")


def _lock(compiler: Compiler) -> Mapping[str, Any]:
    try:
        lock = compiler.lock
    except RelspecError:
        return {}
    return lock.model_dump(by_alias=True, exclude={"api_version", "kind"}) if lock is not None else {}
