"""The first-parent chain of a commit, and what each of its commits changed.

Near the head one `git log` says it for every path, with the blobs before and after. So the next commit that concerns a
release is found in an index, and the files of a commit are those of the head with what came later taken back: no folder
is read again, which matters where one of them holds ten thousand releases. Further back, where few paths are asked for,
only their ids are followed (`path_ids`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from itertools import islice

from relspec.gitops.commit_tree import KINDS, CommitTree, Entry, Folder
from relspec.gitops.path_ids import PathIds
from relspec.gitops.repository import Commit, Repository
from relspec.tree import EntryKind, folders_above

READ_AT_ONCE = 512
"""Commits, or contents of one file, that are read ahead at most: the walk may end before it comes to them."""

NEAR = 8
"""Commits that are read from the log first, and then as many again: the last change is mostly a young one. With large
folders these alone: there a log of all paths takes milliseconds a commit."""

FAR = 2048
"""The same where all folders are small."""

WIDE = 256
"""Names that make a folder a large one."""

FIRST = 16
STEP = 4
"""How many times as many commits the ids of paths are read for, when a walk goes on past those that are known."""

MANY = 128
"""Paths from which on the log is the cheaper way to all of them."""

ABSENT = b"000000"
"""The mode of what was not there."""

Records = Mapping[str, bytes]
"""What one commit changed: by path the record of `git log --raw`, `:<mode> <mode> <blob> <blob> <status>`."""


class Chain:
    """Commits by their distance from the head. The log is read as far as somebody asks, and once.

    `many`: whether many releases will be asked for, so that the log pays all the way. `near`: the commits for which it
    pays anyway; None to find out.
    """

    def __init__(self, repository: Repository, head: str, *, many: bool = False, near: int | None = None) -> None:
        self.repository = repository
        self.head = head
        self._links: list[tuple[str, Records | None]] = []
        self._touched: dict[str, list[int]] = {}
        """By file, and by each folder above it, the distances of the commits that changed it."""
        self._changed: dict[int, dict[str, set[str]]] = {}
        self._log = repository.records(head)
        self._asked: set[str] = set()
        self._many = many
        self._near = near
        self._horizon = 0
        """How far the ids of paths were read."""
        self.entries: dict[tuple[str, str], Entry] = {}
        """By path and id what was found there: a mode stands in the folder alone, and that may be large."""

    # --- the commits

    @cached_property
    def _names(self) -> tuple[list[str], list[str], list[int]]:
        """Ids, trees and committer times."""
        lines = [line.split() for line in self.repository.first_parent_lines(self.head)]
        return [line[0] for line in lines], [line[1] for line in lines], [int(line[2]) for line in lines]

    @cached_property
    def _distances(self) -> Mapping[str, int]:
        return {name: distance for distance, name in enumerate(self._names[0])}

    @cached_property
    def times(self) -> Mapping[str, int]:
        """When each commit came to be what is declared, unix seconds: the running maximum of committer times.

        Committer times go backwards after a rebase or on a machine whose clock was wrong.
        """
        times: dict[str, int] = {}
        latest = 0
        for name, seconds in zip(reversed(self._names[0]), reversed(self._names[2]), strict=True):
            latest = max(latest, seconds)
            times[name] = latest
        return times

    def distance(self, commit: str) -> int | None:
        """How far a commit of the chain lies from the head; None for one that is not on it."""
        return self._distances.get(commit)

    def has(self, index: int) -> bool:
        """Whether there is a commit at a distance from the head."""
        return index < len(self._links) or index < len(self._names[0])

    def name(self, index: int) -> str:
        """The id of the commit at a distance from the head. Raises IndexError past the end."""
        return self._links[index][0] if index < len(self._links) else self._names[0][index]

    def commit(self, index: int) -> Commit:
        """The commit at a distance from the head. Raises IndexError past the end."""
        name = self.name(index)
        if not self.repository.has_read(name):
            self.repository.read_commits([name, *map(self.name, self._ahead(index))])
        return self.repository.commit(name)

    def _ahead(self, index: int) -> Collection[int]:
        """The distances at which a walk that came so far will probably ask for commits: what changed, and its parents."""
        most = min(READ_AT_ONCE, index)
        if index < len(self._links):
            return range(index, min(index + most, len(self._links)))
        paths = [path for path in self._asked if self.ids.knows(path, index)]
        starts = {start for path in paths for start, _ in islice(self.ids.from_here(path, index, most), 1, None)}
        return {each for start in sorted(starts)[:most] for each in (start - 1, start)}

    def is_boundary(self, index: int) -> bool:
        """Whether nobody fetched what the commit at a distance changed."""
        return self.name(index) in self.repository.shallow

    @property
    def logged(self) -> list[str]:
        """The ids of the commits that the log was read up to, newest first."""
        return [name for name, _ in self._links]

    # --- what they changed

    def changed(self, index: int) -> tuple[str, ...]:
        """The paths that the commit at a distance changed; nothing at a shallow boundary."""
        if index < len(self._links):
            return tuple(self._links[index][1] or ())
        if self.is_boundary(index):
            return ()
        if not self.has(index + 1):
            return tuple(path for path, _ in self.tree(index).files())
        return self.repository.changed(self.name(index + 1), self.name(index))

    def touched(self, index: int, path: str) -> bool:
        """Whether the commit at a distance changed a path that was asked for, or something below it."""
        if index < len(self._links):
            return self._next_logged(path, index) == index
        self.ids.read((path,), index + 2)
        return self._next_id(path, index) == index

    def next_change(self, index: int, asked: Collection[str], most: int | None = None) -> int:
        """The distance, from `index` on, of the newest commit that changed one of the paths, or something below one.

        A shallow boundary counts: nobody knows what it changed. Past the end where there is none; past `most` where nobody
        has to look further.
        """
        self._asked.update(asked)
        self._many = self._many or len(self._asked) > MANY
        while True:
            found = min((at for path in asked if (at := self._next_logged(path, index)) is not None), default=None)
            if found is not None:
                return found
            before = len(self._links)
            if most is not None and before > most:
                return before
            if not self._many and before >= self._enough(asked):
                return self._next_by_ids(max(index, before), asked, most)
            for _ in range(max(READ_AT_ONCE, before) if self._many else max(NEAR, before)):
                if not self._grow():
                    break
            if len(self._links) == before:
                open_end = before > index and self._links[-1][1] is None
                return before - 1 if open_end else max(before, index)

    def _enough(self, asked: Collection[str]) -> int:
        """How many commits are read from the log."""
        if self._near is not None:
            return self._near
        folders = {folder for path in asked for folder in folders_above(path)}
        return NEAR if any(len(self.newest.folder(each) or ()) >= WIDE for each in folders) else FAR

    def _grow(self) -> bool:
        """Reads one commit more of the log; False where there is none."""
        link = next(self._log, None)
        if link is None:
            return False
        index = len(self._links)
        self._links.append(link)
        for path in link[1] or ():
            for name in (path, *folders_above(path), ""):
                known = self._touched.setdefault(name, [])
                if known and known[-1] == index:
                    break
                known.append(index)
        return True

    def _next_logged(self, path: str, index: int) -> int | None:
        touched = self._touched.get(path)
        if touched is None or touched[-1] < index:
            return None
        return touched[bisect_left(touched, index)]

    # --- by the ids of paths

    @cached_property
    def ids(self) -> PathIds:
        """The objects at paths, by the distance of the commit."""
        return self.repository.path_ids(self._names[1])

    def _next_by_ids(self, index: int, asked: Collection[str], most: int | None) -> int:
        count = len(self._names[0])
        while True:
            if self._horizon > index:
                self.ids.read(asked, self._horizon)
                found = min((at for path in asked if (at := self._next_id(path, index)) is not None), default=None)
                if found is not None:
                    return found
                if most is not None and self._horizon > most:
                    return self._horizon
            if self._horizon == count:
                break
            self._horizon = min(count, STEP * max(FIRST, self._horizon))
        open_end = count > index and self.is_boundary(count - 1)
        return count - 1 if open_end else max(count, index)

    def _next_id(self, path: str, index: int) -> int | None:
        """The same of one path, as far as its ids were read. A root changes all that it has."""
        found = self.ids.next_change(path, index)
        last = len(self._names[0]) - 1
        if found is None and index <= last and self.ids.knows(path, last) and not self.is_boundary(last):
            return last if self.ids.at(path, last) else None
        return found

    # --- trees

    def tree(self, index: int) -> CommitTree:
        """The files of the commit at a distance, read from its folders."""
        return self.repository.tree_of(self.commit(index).tree, kept=False)

    @cached_property
    def newest(self) -> CommitTree:
        """The files of the head."""
        return self.repository.tree_of(self.repository.commit(self.head).tree)

    def before(self, index: int) -> CommitTree:
        """The files of the first parent of the commit at a distance, without reading any large folder that changed since.

        Before a root there are none.
        """
        if index < len(self._links):
            return EarlierTree(self, index + 1)
        return TreeOfIds(self, index + 1) if self.has(index + 1) else CommitTree(self.repository.store, "")

    def at(self, index: int) -> CommitTree:
        """The files of the commit at a distance, in the same way."""
        return self.before(index - 1) if index else self.newest

    def record(self, index: int, path: str) -> bytes | None:
        """What the log says of a path in the commit at a distance; None where that did not change it."""
        return (self._links[index][1] or {}).get(path)

    def blobs_before(self, index: int) -> list[str]:
        """The ids of the files that a commit of the log changed or removed, as they were before; of a root none."""
        records = ((self._links[index][1] if index < len(self._links) else None) or {}).values()
        return [_blob(record) for record in records if KINDS.get(_mode(record)) == "file"]

    def changed_below(self, folder: str, index: int) -> set[str]:
        """The names in a folder that the commits up to a distance changed, or changed something below."""
        names: set[str] = set()
        for at in self._touched.get(folder, ()):
            if at > index:
                break
            names |= self._changed_in(at).get(folder, set())
        return names

    def _changed_in(self, index: int) -> Mapping[str, set[str]]:
        """By each folder the names in it that a commit of the log changed, or changed something below."""
        known = self._changed.get(index)
        if known is None:
            known = self._changed[index] = {}
            for path in self._links[index][1] or ():
                inner = path
                for folder in (*folders_above(path), ""):
                    known.setdefault(folder, set()).add(inner[len(folder) + 1 if folder else 0 :])
                    inner = folder
        return known

    def latest_touch(self, path: str, index: int) -> tuple[int, list[int]] | None:
        """Where in the distances of a path's changes the last one up to `index` stands; None where nothing changed."""
        touched = self._touched.get(path)
        if touched is None:
            return None
        position = bisect_right(touched, index) - 1
        return (position, touched) if position >= 0 else None


class _TreeOfChain(CommitTree):
    """The files of the commit at a distance, most of which are known without its folders."""

    def __init__(self, chain: Chain, index: int) -> None:
        self._chain = chain
        self._index = index
        self._store = chain.repository.store
        self._known = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._index})"

    @cached_property
    def _real(self) -> CommitTree:
        """The same, read from its folders: only these have their ids."""
        return self._chain.tree(self._index)

    @cached_property
    def id(self) -> str:  # type: ignore[override]  # of a commit it is known at once, here when somebody asks
        """The tree object."""
        return self._real.id

    def load(self, *folders: str, files: Callable[[str], bool] = lambda _: False) -> None:
        self._real.load(*folders, files=files)


class TreeOfIds(_TreeOfChain):
    """What the ids of paths lead to, and the folders of the commit for the rest."""

    def _folder(self, path: str) -> Folder | None:
        if path not in self._known:
            self._known[path] = self._read(path)
        return self._known[path]

    def _read(self, path: str) -> Folder | None:
        ids = self._chain.ids
        if path and ids.knows(path, self._index):
            name = ids.at(path, self._index)
            return self._object(path, name) if name else None
        if any(ids.knows(each, self._index) for each in folders_above(path)):
            return self._below(path)
        return self._real.folder(path)

    def _object(self, path: str, name: str) -> Folder | None:
        """The folder with an id, None for a file: with it is read what lies there in the commits that the walk comes to."""
        if not self._store.has_read(name):
            ahead = self._chain.ids.from_here(path, self._index, min(READ_AT_ONCE, self._index))
            self._store.read_any((name, *(each for _, each in ahead if each)))
        return self._store.known(name)

    def _below(self, path: str) -> Folder | None:
        folder, _, name = path.rpartition("/")
        entry = (self._folder(folder) or {}).get(name)
        return self._store.folder(entry.id, path) if entry is not None and entry.kind == "folder" else None

    def entry(self, path: str) -> Entry | None:
        ids = self._chain.ids
        if not path or not ids.knows(path, self._index):
            return super().entry(path)
        name = ids.at(path, self._index)
        if not name:
            return None
        known = self._chain.entries.get((path, name))
        if known is None:
            folder = self._object(path, name)
            known = Entry("folder", name, "40000") if folder is not None else super().entry(path)
            if known is not None:
                self._chain.entries[path, name] = known
        return known


class EarlierTree(_TreeOfChain):
    """The files of the head, where no commit since then changed them."""

    @property
    def _newer(self) -> int:
        """The distance of the first commit that came after."""
        return self._index - 1

    def _record(self, path: str) -> bytes | None:
        """The record of the oldest change of a file since then: what was there before it."""
        found = self._chain.latest_touch(path, self._newer)
        return self._chain.record(found[1][found[0]], path) if found is not None else None

    def _file(self, path: str) -> Entry | None:
        """What lay at a path that is in a record, if it was no folder."""
        record = self._record(path)
        mode = _mode(record) if record is not None else ABSENT
        if record is None or mode == ABSENT:
            return None
        return Entry(KINDS.get(mode, "other"), _blob(record), mode.decode("ascii"))

    def _folder(self, path: str) -> Folder | None:
        if path in self._known:
            return self._known[path]
        chain = self._chain
        now = chain.newest.folder(path)
        if chain.latest_touch(path, self._newer) is not None:
            found = dict(now or {})
            for name in chain.changed_below(path, self._newer):
                inner = f"{path}/{name}" if path else name
                entry = self._file(inner)
                if entry is None and self._folder(inner):
                    entry = Entry("folder", "", "40000")
                if entry is not None:
                    found[name] = entry
                else:
                    found.pop(name, None)
            now = dict(sorted(found.items())) or None
        self._known[path] = now
        return now

    def entry(self, path: str) -> Entry | None:
        if self._chain.latest_touch(path, self._newer) is None:
            return self._chain.newest.entry(path)
        found = self._file(path)
        if found is None and self._folder(path):
            return self._real.entry(path)
        return found

    def kind(self, path: str) -> EntryKind:
        if self._chain.latest_touch(path, self._newer) is None:
            return self._chain.newest.kind(path)
        found = self._file(path)
        if found is not None:
            return found.kind
        return "folder" if not path or self._folder(path) else "missing"

    def read(self, path: str) -> bytes:
        record = self._record(path)
        if record is not None and KINDS.get(_mode(record)) == "file" and not self._store.has_read(_blob(record)):
            self._store.read_blobs(self._ahead(path))
        return super().read(path)

    def _ahead(self, path: str) -> list[str]:
        """The blobs that the file had before: the further a walk has come, the more of them at once."""
        found = self._chain.latest_touch(path, self._newer)
        if found is None:
            return []
        position, touched = found
        names = []
        for index in touched[position : position + min(READ_AT_ONCE, position + 1)]:
            record = self._chain.record(index, path)
            if record is not None and KINDS.get(_mode(record)) == "file":
                names.append(_blob(record))
        return names


def _mode(record: bytes) -> bytes:
    return record[1:7]


def _blob(record: bytes) -> str:
    return record.split(b" ", 3)[2].decode("ascii")
