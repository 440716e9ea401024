"""A restoration is never blocked by policy: which changes of a pull request go back to what ran, and what that waives.

Going back must not be held up by a rule that came later, and "this only goes back" must not be a way around the rules.
So a service is restored only if, merged with the base, it declares exactly what an earlier state of the base's own
history declared; and a finding is waived only if the environment, templates, lock and policies of the base say it too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import Literal, cast

from msgspec import Struct
from msgspec.structs import replace

from relspec.catalogue import CATALOGUE
from relspec.compiler import CompiledRelease, Compiler
from relspec.diagnostics import Finding, Kind, RelspecError, Severity
from relspec.discovery import ENVIRONMENT_FILE, Place, place_of
from relspec.gitops.declared import RELEASE, Absent, Declared, Levers, declare
from relspec.gitops.prediction import merged
from relspec.gitops.repository import Commit, Repository
from relspec.gitops.states import History, State, removed_releases, renamed
from relspec.spec.environment import Policies, Restorable
from relspec.tree import EntryKind, Tree

DAY = 24 * 60 * 60
WAIVABLE = (Kind.POLICY, Kind.SAFETY)

MOST_LOOKED_AT = 200
"""States in which the reason is looked for why a change that goes back does not count."""

Reason = Literal["state", "active", "weight"]


class Restored(Struct, frozen=True):
    """A service that a change takes back. `commit` is the newest one of the state that it goes back to.

    `reason`: to an earlier state, or by one of the emergency levers (`active`, a candidate's weight), which need none.
    """

    release: str
    service: str
    reason: Reason
    commit: Commit | None = None

    @property
    def words(self) -> str:
        """`restores 1a2b3c4d5 (2026-03-04)`."""
        if self.commit is not None:
            return f"restores {self.commit.short} ({self.commit.day})"
        return "switches the active variant" if self.reason == "active" else "lowers the candidate's weight"


class Restorations:
    """What a change from the commit `base` to `head` takes back.

    `head` is a commit, or the commit below a work tree; `tree` are its files, `output` is the folder of its outputs, `dirty`
    says whether the files differ from the commit. `files` are the release.yaml of its releases by id, `changed` the ids of
    those that the change reaches. `history` is that of the base, where somebody has it.
    """

    def __init__(
        self,
        repository: Repository,
        base: str,
        head: str | None,
        tree: Tree,
        *,
        output: str,
        dirty: bool,
        files: Mapping[str, str],
        changed: Collection[str],
        history: History | None = None,
    ) -> None:
        self.files = files
        self.changed = changed
        self.history = history if history is not None else History(repository, base)
        self.base = repository.commit(base)
        self.before = repository.tree(base)
        self._after = _merge(repository, base, head, tree, output, dirty=dirty)
        self._of: dict[str, Mapping[str, Restored]] = {}
        self._declared: dict[str, tuple[Declared, Declared] | None] = {}
        self._compiled: dict[tuple[str, str], CompiledRelease | None] = {}
        self._too_old: dict[tuple[str, frozenset[str]], str] = {}

    # --- services

    def of(self, release: str) -> Mapping[str, Restored]:
        """The services of a release that go back, `*` for what the release says of itself."""
        if release not in self._of:
            self._of[release] = {found.service: found for found in self._find(release)}
        return self._of[release]

    def _sides(self, release: str) -> tuple[Declared, Declared] | None:
        """What a release declares at the base and after the merge; None where it is gone, or they conflict.

        Of a release that the change brings back, the base declares nothing; of one that it renames, what it had before.
        """
        if release not in self._declared:
            file = self.files.get(release)
            now = declare(self._after, release, self.history.memory, file) if self._after is not None else None
            before = declare(self.before, release, self.history.memory, file)
            if isinstance(now, Declared) and isinstance(before, Absent):
                before = self._renamed(now) or replace(now, services={}, models={}, levers={}, key="")
            known = isinstance(before, Declared) and isinstance(now, Declared)
            self._declared[release] = (cast("Declared", before), cast("Declared", now)) if known else None
        return self._declared[release]

    def former(self, release: str) -> str:
        """The id of a release at the base: another one where the change renames it."""
        sides = self._sides(release)
        return sides[0].place.id if sides is not None else release

    def _renamed(self, now: Declared) -> Declared | None:
        """The release of the base that the change took away and that declared the same."""
        return renamed(now, self.before, self._gone, self.history.memory)

    @cached_property
    def _gone(self) -> tuple[Place, ...]:
        """The releases of the base that the change took away."""
        if self._after is None:
            return ()
        files = [file for file in self.files.values() if self._after.kind(file) != "file"]
        return removed_releases(self.before, self._after, files, self.history.memory)

    def _find(self, release: str) -> Iterator[Restored]:
        sides = self._sides(release)
        if sides is None or sides[1].broken:
            return
        before, now = sides
        changed = now.changed(before)
        if not changed:
            return
        earlier = self._earlier(before)
        for service in changed:
            state = next((each for each in earlier if _same(each, now, service)), None)
            if state is not None:
                yield Restored(release, service, "state", state.last)
            else:
                lever = _lever(before.levers.get(service), now.levers.get(service))
                if lever is not None:
                    yield Restored(release, service, lever)

    def _earlier(self, before: Declared) -> Sequence[State]:
        """The states before the base's own that are still restorable: as many and as young as the base's environment says.

        A state's age is counted from its end: what ran for a year until yesterday is a day old.
        """
        limits = self._restorable(before)
        oldest = self.base.committed - limits.days * DAY
        found: list[State] = []
        end = self.base.committed
        states = islice(self.history.states(before.place.id, before.place.file), limits.states)
        try:
            # The end of a state is known before its beginning, which may lie thousands of commits further back.
            while end >= oldest and (state := next(states, None)) is not None:
                found.append(state)
                end = self.history.time(state.first.id)
        except RelspecError:
            pass  # a shallow clone: what is beyond its boundary can't count
        return [state for state in found[1:] if state.declared is not None and not state.declared.broken]

    @cached_property
    def _base(self) -> Compiler:
        """The compiler of the base: what several releases share is resolved once."""
        return Compiler(self.before, any_edition=True, memory=self.history.memory)

    def _restorable(self, before: Declared) -> Restorable:
        try:
            return (
                Compiler(self.before, any_edition=True)
                .resolver.environment(before.place.environment)
                .rollback.restorable
            )
        except RelspecError:
            return Restorable()

    def whole(self, release: str) -> bool:
        """Whether everything that changes in a release goes back."""
        changed = self._changed(release)
        return bool(changed) and changed <= set(self.of(release))

    @cached_property
    def goes_back(self) -> bool:
        """Whether the change takes releases back, and none anywhere else."""
        moved = [release for release in self.changed if self._sides(release) is None or self._changed(release)]
        return bool(moved) and all(self.whole(release) for release in moved)

    def _changed(self, release: str) -> frozenset[str]:
        sides = self._sides(release)
        return frozenset(sides[1].changed(sides[0])) if sides is not None else frozenset()

    def _unchanged(self, release: str) -> frozenset[str]:
        """The services of a release that declare what they declared at the base."""
        sides = self._sides(release)
        return frozenset(sides[1].services) - self._changed(release) if sides is not None else frozenset()

    # --- findings

    def judged(self, finding: Finding) -> Finding:
        """A finding about a release, as weighty as it is on the way back.

        A note where a restoration is owed it ("allowed: restores …"), a warning where an unchanged service has it at the
        base already, else as it was. Structure stays as it is; quarantine has its own rule.
        """
        if not _is_waivable(finding):
            return finding
        services = self._services(finding)
        allowed = self._allowed(finding.release, services)
        if allowed is not None and self._said(finding, "restored"):
            return replace(finding, message=f"{finding.message} ({allowed})", severity=Severity.NOTE)
        if services and services <= self._unchanged(finding.release) and self._said(finding, "base"):
            return replace(finding, message=f"{finding.message} (already so)", severity=Severity.WARNING)
        beyond = self._beyond(finding.release, services) if allowed is None else ""
        return replace(finding, hint="; ".join(filter(None, (finding.hint, beyond)))) if beyond else finding

    def _beyond(self, release: str, services: frozenset[str]) -> str:
        """Why a change that does go back is none that counts; empty where it does not go back."""
        if (release, services) not in self._too_old:
            self._too_old[release, services] = next(self._too_far_back(release, services), "")
        return self._too_old[release, services]

    def _too_far_back(self, release: str, services: frozenset[str]) -> Iterator[str]:
        sides = self._sides(release)
        if sides is None or not services or not services <= self._changed(release):
            return
        before, now = sides
        limits = self._restorable(before)
        with suppress(RelspecError):  # beyond a shallow boundary there is nothing to say
            for state in islice(self.history.states(before.place.id, before.place.file), 1, MOST_LOOKED_AT):
                known = state.declared is not None and not state.declared.broken
                if known and all(_same(state, now, service) for service in services):
                    yield (
                        f"it goes back to {state.last.short} ({state.last.day}), which is not restorable any more: "
                        f"rollback.restorable is {limits.states} states and {limits.days} days"
                    )

    def judged_change(self, finding: Finding) -> Finding:
        """A finding about the change itself, as weighty as it is on the way back: never an error of policy or safety.

        A registry record that a revert drops is said, and not in the way either: nothing runs without its record.
        """
        if not _is_waivable(finding):
            return finding
        if finding.code == "RS430":
            dropped = self.goes_back and self._came_since(finding.where.file)
            return replace(finding, severity=Severity.WARNING) if dropped else finding
        services = self._services(finding) if finding.release else frozenset()
        allowed = self._allowed(finding.release, services)
        if allowed is None:
            beyond = self._beyond(finding.release, services) if services else ""
            return replace(finding, hint="; ".join(filter(None, (finding.hint, beyond))))
        return replace(finding, message=f"{finding.message} ({allowed})", severity=Severity.WARNING)

    def _came_since(self, record: str) -> bool:
        """Whether a record that is gone came only after a state that is restored: then a plain revert drops it."""
        if self._after is None or self._after.kind(record) != "missing":
            return False
        restored = [found for release in self.changed for found in self.of(release).values()]
        commits = {found.commit.id for found in restored if found.commit is not None}
        return any(self.history.tree(commit).kind(record) == "missing" for commit in commits)

    def _allowed(self, release: str, services: frozenset[str]) -> str | None:
        """Why findings about some services of a release are waived; None where they are not."""
        restored = self.of(release)
        if services and all(service in restored for service in services):
            return f"allowed: {restored[min(services)].words}"
        return None

    def _services(self, finding: Finding) -> frozenset[str]:
        """The services that a finding concerns: the one whose node it points at, else all that changed, else all."""
        path = finding.where.path
        if finding.where.file == self.files.get(finding.release) and len(path) > 1 and path[0] == "services":
            return frozenset({str(path[1])})
        sides = self._sides(finding.release)
        if sides is None:
            return frozenset()
        return self._changed(finding.release) or frozenset(sides[1].services) - {RELEASE}

    def _said(self, finding: Finding, where: Literal["restored", "base"]) -> bool:
        """Whether the finding also appears with the base's environment, templates, charts, lock and policies."""
        compiled = self._made(finding.release, where)
        if compiled is None:
            return False
        same = ((each.code, each.where.path, each.where.part, each.message) for each in compiled.findings)
        return (finding.code, finding.where.path, finding.where.part, finding.message) in same

    def _made(self, release: str, where: Literal["restored", "base"]) -> CompiledRelease | None:
        if (release, where) not in self._compiled:
            file = self.files.get(release)
            tree: Tree = self.before
            if where == "restored" and self._after is not None:
                now = declare(self._after, release, self.history.memory, file)
                tree = Overlaid(self.before, self._after, now.asked)
            if tree is self.before:
                compiler = self._base
            else:
                compiler = Compiler(tree, any_edition=True, memory=self.history.memory)
            name = release if where == "restored" else self.former(release)
            place = place_of(tree, compiler.loader, name, self.files.get(name, file))
            self._compiled[release, where] = compiler.release(place) if place is not None else None
        return self._compiled[release, where]

    # --- the date

    def today(self, head: str | None) -> str:
        """The day by which allowances end: the latest committer date of the base's chain and of HEAD, never the clock."""
        latest = max(self.history.time(self.base.id), self.base.committed)
        commit = self.base
        if head is not None:
            other = self.history.repository.commit(head)
            latest, commit = max(latest, other.committed), other
        return replace(commit, committed=latest).day


class Overlaid(Struct, frozen=True, dict=True):
    """A tree whose `paths`, and what lies below them, are another tree's; its environments stay its own."""

    below: Tree
    above: Tree
    paths: frozenset[str]

    def _of(self, path: str) -> Tree:
        name = "" if path.rpartition("/")[2] == ENVIRONMENT_FILE else path
        while name:
            if name in self.paths:
                return self.above
            name = name.rpartition("/")[0]
        return self.below

    def kind(self, path: str) -> EntryKind:
        return self._of(path).kind(path)

    def read(self, path: str) -> bytes:
        return self._of(path).read(path)

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        return self._of(folder).entries(folder)


def _is_waivable(finding: Finding) -> bool:
    rule = CATALOGUE[finding.code]
    return rule.kind in WAIVABLE and (finding.severity or rule.severity) is Severity.ERROR


def _merge(repository: Repository, base: str, head: str | None, tree: Tree, output: str, *, dirty: bool) -> Tree | None:
    """The files of the merge of a change with its base; None where sources conflict, for that is no restoration.

    A branch that is up to date with its base merges to itself, edits that nobody committed included. Of another branch
    only its commits count.
    """
    if head is None or repository.is_ancestor(base, head):
        return tree
    if dirty:
        return None
    sources = merged(repository, base, head).sources(output)
    return repository.tree_of(sources) if sources is not None else None


def _same(state: State, now: Declared, service: str) -> bool:
    return state.declared is not None and state.declared.services.get(service) == now.services.get(service)


def _lever(before: Levers | None, now: Levers | None) -> Reason | None:
    """Which emergency lever was pulled, if nothing else changed: `active` to a variant that was there unchanged, or off;
    or a candidate's weight lowered."""
    if before is None or now is None or before.rest != now.rest:
        return None
    if before.active != now.active and before.weight == now.weight:
        return "active"
    lowered = before.weight is not None and now.weight is not None and now.weight < before.weight
    return "weight" if lowered and before.active == now.active else None


def stricter(one: Policies, other: Policies) -> Policies:
    """The stricter of two sets of policies, field by field; an allowance counts where both have it."""
    known: Collection[object] = other.allow
    return one.model_copy(
        update={
            "require_digest": one.require_digest or other.require_digest,
            "require_lineage": one.require_lineage or other.require_lineage,
            "pinned": one.pinned or other.pinned,
            "min_replicas": max(one.min_replicas, other.min_replicas),
            "templates": "environment" if "environment" in (one.templates, other.templates) else "release",
            "allow": [allowance for allowance in one.allow if allowance in known],
        }
    )
