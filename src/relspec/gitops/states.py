"""The states of a release: runs of first-parent commits in which it declared the same.

Going back means going from one state to an earlier one. The last change of a release is the newest first-parent commit
whose declared state differs from its first parent's: neither commits that touch its folder nor changed outputs say that
(the first change comments too, the second follow the environment).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from relspec.compiler import CompiledRelease, Compiler
from relspec.diagnostics import RelspecError
from relspec.discovery import RELEASE_FILE, Place, place_of, release_at
from relspec.gitops.chain import Chain
from relspec.gitops.commit_tree import CommitTree
from relspec.gitops.declared import Absent, Declared, declare
from relspec.gitops.recording import RecordingTree
from relspec.gitops.repository import Commit, Repository, boundary
from relspec.gitops.revision import Older, Revision
from relspec.gitops.rollout_states import Rollouts, all_counted, rollout_states
from relspec.loader import Loader, Memory
from relspec.tree import Tree

MOST_COMMITS = 256
"""Commits that touched what a release is made from, of which its ReplicaSets are counted at most: each is compiled."""


class State(Struct, frozen=True):
    """What a release declared from the commit `first` to the commit `last` of the first-parent chain.

    `release` is its id at `last`: a rename belongs to the run. `declared` is what it said there, None where there was no
    such release. `born` is its id at `first`.
    """

    release: str
    first: Commit
    last: Commit
    declared: Declared | None
    born: str = ""

    @property
    def key(self) -> str:
        """What makes two states the same; empty where there was no such release."""
        return self.declared.key if self.declared is not None else ""


class History:
    """The first-parent chain from a commit, and what releases were along it.

    What was read once is kept for all releases: the log, folders, files and parsed documents. `many`: whether many
    releases will be asked for.
    """

    def __init__(self, repository: Repository, head: str, *, many: bool = False) -> None:
        self.repository = repository
        self.head = head
        self.memory: Memory = {}
        self.chain = Chain(repository, head, many=many)
        self._removed_in: dict[int, tuple[Place, ...]] = {}

    def tree(self, commit: str) -> CommitTree:
        """The files of a commit on the chain."""
        distance = self.chain.distance(commit)
        return self.repository.tree(commit) if distance is None else self.chain.at(distance)

    # --- states

    def states(self, release: str, file: str | None = None, within: int | None = None) -> Iterator[State]:
        """The states of a release, newest first; where it was renamed, they go on under the former name.

        `file` is its release.yaml, where the id alone does not lead to it. Those that began `within` so many commits of
        the head (None: all). Raises RelspecError RS630 when a state is
        asked for that lies beyond a shallow boundary.
        """
        last = self.repository.commit(self.head)
        current = newest = declare(self.chain.newest, release, self.memory, file)
        name = release
        index = 0
        while True:
            index = self.chain.next_change(index, current.asked, within)
            if within is not None and index > within:
                return
            if not self.chain.has(index):  # no commit ever touched where it would lie
                return
            changing = self.chain.commit(index)
            state = State(name, changing, last, newest if isinstance(newest, Declared) else None, release)
            if self.chain.is_boundary(index):
                yield state
                raise boundary(f"the history of {release} before {changing.short} was not fetched")
            if not changing.parents:
                yield state
                return
            tree = self.chain.before(index)
            below = declare(tree, release, self.memory, _file(current) or file)
            if isinstance(below, Absent):
                before = renamed(current, tree, self.removed(index), self.memory)
                if before is not None:
                    release, below = before.place.id, before
            if _key(below) != _key(current):
                yield state
                name, last, newest = release, self.chain.commit(index + 1), below
            current = below
            index += 1

    def removed(self, index: int) -> tuple[Place, ...]:
        """The releases that the commit at a distance removed, looked for once."""
        known = self._removed_in.get(index)
        if known is None:
            trees = self.chain.before(index), self.chain.at(index)
            known = self._removed_in[index] = removed_releases(*trees, self.chain.changed(index), self.memory)
        return known

    # --- times

    def time(self, commit: str) -> int:
        """When a commit of the chain came to be what is declared, unix seconds (see `Chain.times`)."""
        return self.chain.times[commit]

    # --- revisions

    def compiled(
        self, commit: str, release: str, file: str | None = None
    ) -> tuple[CompiledRelease | None, frozenset[str]]:
        """A release as this compiler makes it from a commit, and the paths that this depends on; None where absent."""
        recording = RecordingTree(self.tree(commit))
        return compile_release(recording, release, self.memory, file), frozenset(recording.asked)

    def revisions(self, release: str, file: str | None = None, ends: Sequence[CompiledRelease] = ()) -> list[Revision]:
        """The newest commits in which the release compiled to something else than before, oldest first.

        Other than states these follow the environment, templates, charts and the lock: each may be a new ReplicaSet. As
        many as say how the release gets from one of `ends` to another (`all_counted`), or since it was last created; fewer
        where that was not fetched, or where more than MOST_COMMITS touch what it is made from: the oldest one says so.
        """
        found: list[Revision] = []
        applied: list[Rollouts] = []
        between = [rollout_states(each) for each in ends]
        compiled, asked = self.compiled(self.head, release, file)
        index = looked = 0
        while compiled is not None and not all_counted(applied, between):
            index = self.chain.next_change(index, asked)
            if not self.chain.has(index):
                break
            looked += 1
            older: Older = "counted"
            try:
                below, asked, release = self._before(index, compiled, release)
                if below is not None and looked >= MOST_COMMITS:
                    older = "not looked at"
            except RelspecError:  # an object of the history is not in this clone: what is there says something
                below, older = None, "not fetched"
            if self.chain.is_boundary(index):
                older = "not fetched"
            if below is None or older != "counted" or _is_another(below, compiled):
                name = self.chain.name(index)
                found.append(Revision(name, self.time(name), compiled, older))
                applied += [rollout_states(compiled)] if not compiled.stopped else []
            compiled = below if older == "counted" else None
            index += 1
        return found[::-1]

    def _before(
        self, index: int, compiled: CompiledRelease, release: str
    ) -> tuple[CompiledRelease | None, frozenset[str], str]:
        """A release before the commit at a distance, which may have renamed it; None where it began or nothing is known."""
        commit = self.chain.commit(index)
        if self.chain.is_boundary(index) or not commit.parents:
            return None, frozenset(), release
        below, asked = self.compiled(commit.parents[0], release, compiled.place.file)
        if below is not None:
            return below, asked, release
        current = declare(self.chain.at(index), release, self.memory, compiled.place.file)
        before = renamed(current, self.chain.before(index), self.removed(index), self.memory)
        if before is None:
            return None, asked, release
        return *self.compiled(commit.parents[0], before.place.id, before.place.file), before.place.id


def _is_another(before: CompiledRelease, after: CompiledRelease) -> bool:
    return before.files != after.files or before.stopped != after.stopped


def compile_release(
    tree: RecordingTree | CommitTree, release: str, memory: Memory, file: str | None = None
) -> CompiledRelease | None:
    """One release of a tree, whatever edition the tree is locked to; None where there is no such release."""
    compiler = Compiler(tree, any_edition=True, memory=memory)
    place = place_of(tree, compiler.loader, release, file)
    return compiler.release(place) if place is not None else None


def renamed(current: Declared | Absent, before: Tree, removed: Iterable[Place], memory: Memory) -> Declared | None:
    """The release among those that were `removed` from a tree that declared the same as `current`, which was added.

    Of several the one in the same environment, then the first by id. None where no release was renamed.
    """
    if isinstance(current, Absent):
        return None
    declared = (declare(before, place.id, memory, place.file) for place in removed)
    found = [each for each in declared if isinstance(each, Declared) and each.key == current.key]
    elsewhere = current.place.environment
    return min(found, key=lambda each: (each.place.environment != elsewhere, each.place.id), default=None)


def removed_releases(before: Tree, after: Tree, changed: Iterable[str], memory: Memory) -> tuple[Place, ...]:
    """The releases that one tree has and a later one has not, of those whose release.yaml is among the changed paths.

    One beside environment.yaml is removed where its file has another free name now.
    """
    earlier, later = Loader(before, memory), Loader(after, memory)
    found: list[Place] = []
    for path in changed:
        place = release_at(before, earlier, path) if path.rpartition("/")[2] == RELEASE_FILE else None
        if place is not None:
            now = release_at(after, later, path)
            if now is None or now.id != place.id:
                found.append(place)
    return tuple(found)


def former_place(history: History, word: str) -> Place | None:
    """Where a release of the history lay when it was last removed or renamed; None for one that never was.

    `word` is its id, or the path of its folder or its release.yaml: in a folder between its environment's and its own the
    id alone does not lead to it. Looks through the log once, as far as it was fetched.
    """
    path = word.strip("/")
    paths = (path, f"{path}/{RELEASE_FILE}")
    ending = f"/{path.rpartition('/')[2]}/{RELEASE_FILE}"
    for index, (_, records) in enumerate(history.repository.records(history.head)):
        for file, record in (records or {}).items():
            if file.endswith(ending) or file in paths:
                place = _removed(history, index, file, record)
                if place is not None and (file in paths or place.id == path):
                    return place
    return None


def _removed(history: History, index: int, file: str, record: bytes) -> Place | None:
    """The release that a file held until the commit at a distance took it away, or gave it another free name."""
    before = history.chain.before(index)
    place = release_at(before, Loader(before, history.memory), file)
    if place is None or record.endswith(b"D"):
        return place
    after = history.chain.at(index)
    now = release_at(after, Loader(after, history.memory), file)
    return place if now is None or now.id != place.id else None


def _key(state: Declared | Absent) -> str:
    return state.key if isinstance(state, Declared) else ""


def _file(state: Declared | Absent) -> str | None:
    return state.place.file if isinstance(state, Declared) else None
