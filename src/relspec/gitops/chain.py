"""The first-parent chain of a commit, and what each of its commits changed.

One `git log` says it for every path, with the blobs before and after. So the next commit that concerns a release is
found in an index, and the files of a commit are those of the head with what came later taken back: no folder is read
again, which matters where one of them holds ten thousand releases.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping
from functools import cached_property

from relspec.gitops.commit_tree import KINDS, CommitTree, Entry, Folder
from relspec.gitops.repository import Commit, Repository
from relspec.tree import EntryKind

READ_AT_ONCE = 512
"""Commits, or contents of one file, that are read ahead at most: the walk may end before it comes to them."""

ABSENT = b"000000"
"""The mode of what was not there."""

Records = Mapping[str, bytes]
"""What one commit changed: by path the record of `git log --raw`, `:<mode> <mode> <blob> <blob> <status>`."""


class Chain:
    """Commits by their distance from the head. The log is read as far as somebody asks, and once."""

    def __init__(self, repository: Repository, head: str) -> None:
        self.repository = repository
        self.head = head
        self._links: list[tuple[str, Records | None]] = []
        self._distances: dict[str, int] = {}
        self._touched: dict[str, list[int]] = {}
        """By file, and by each folder above it, the distances of the commits that changed it."""
        self._log = repository.records(head)

    def link(self, index: int) -> tuple[str, Records | None] | None:
        """The commit at a distance from the head and what it changed (None at a shallow boundary); None past the end."""
        while len(self._links) <= index and self._grow():
            pass
        return self._links[index] if index < len(self._links) else None

    def distance(self, commit: str) -> int | None:
        """How far a commit of the chain lies from the head; None for one that is not on it."""
        while commit not in self._distances and self._grow():
            pass
        return self._distances.get(commit)

    @property
    def known(self) -> list[str]:
        """The ids of the commits that the log was read up to, newest first."""
        return list(self._distances)

    def known_distance(self, commit: str) -> int | None:
        """The same, as far as the log was read."""
        return self._distances.get(commit)

    def _grow(self) -> bool:
        """Reads one commit more; False where there is none."""
        link = next(self._log, None)
        if link is None:
            return False
        index = len(self._links)
        self._links.append(link)
        self._distances[link[0]] = index
        for path in link[1] or ():
            name = path
            while True:
                known = self._touched.setdefault(name, [])
                if known and known[-1] == index:
                    break
                known.append(index)
                if not name:
                    break
                name = name.rpartition("/")[0]
        return True

    def next_change(self, index: int, asked: Collection[str], most: int | None = None) -> int:
        """The distance, from `index` on, of the newest commit that changed one of the paths, or something below one.

        A shallow boundary counts: nobody knows what it changed. Past the end where there is none; past `most` where nobody
        has to look further.
        """
        while True:
            found = min((at for path in asked if (at := self._next(path, index)) is not None), default=None)
            if found is not None:
                return found
            before = len(self._links)
            if most is not None and before > most:
                return before
            for _ in range(max(READ_AT_ONCE, before)):
                if not self._grow():
                    break
            if len(self._links) == before:
                open_end = before > index and self._links[-1][1] is None
                return before - 1 if open_end else max(before, index)

    def _next(self, path: str, index: int) -> int | None:
        touched = self._touched.get(path)
        if touched is None or touched[-1] < index:
            return None
        return touched[bisect_left(touched, index)]

    def commit(self, index: int) -> Commit:
        """The commit at a distance from the head. Raises IndexError past the end."""
        if self.link(index) is None:
            raise IndexError(index)
        name = self._links[index][0]
        if not self.repository.has_read(name):
            ahead = self._links[index : index + min(READ_AT_ONCE, index + 1)]
            self.repository.read_commits([each for each, _ in ahead])
        return self.repository.commit(name)

    def tree(self, index: int) -> CommitTree:
        """The files of the commit at a distance."""
        return self.repository.tree_of(self.commit(index).tree)

    @cached_property
    def newest(self) -> CommitTree:
        """The files of the head."""
        return self.repository.tree_of(self.repository.commit(self.head).tree)

    def before(self, index: int) -> CommitTree:
        """The files of the first parent of the commit at a distance, without reading any folder that changed since."""
        return EarlierTree(self, index)

    def at(self, index: int) -> CommitTree:
        """The files of the commit at a distance, in the same way."""
        return EarlierTree(self, index - 1) if index else self.newest

    def blobs_before(self, index: int) -> list[str]:
        """The ids of the files that the commit at a distance changed or removed, as they were before; of a root none."""
        link = self.link(index)
        records = ((link[1] if link is not None else None) or {}).values()
        return [_blob(record) for record in records if KINDS.get(_mode(record)) == "file"]

    def changed_below(self, folder: str, index: int) -> set[str]:
        """The names in a folder that the commits up to a distance changed, or changed something below."""
        start = len(folder) + 1 if folder else 0
        names: set[str] = set()
        for at in self._touched.get(folder, ()):
            if at > index:
                break
            records = self._links[at][1] or {}
            names.update(path[start:].partition("/")[0] for path in records if _lies_in(path, folder))
        return names

    def latest_touch(self, path: str, index: int) -> tuple[int, list[int]] | None:
        """Where in the distances of a path's changes the last one up to `index` stands; None where nothing changed."""
        touched = self._touched.get(path)
        if touched is None:
            return None
        position = bisect_right(touched, index) - 1
        return (position, touched) if position >= 0 else None


class EarlierTree(CommitTree):
    """The files before a commit of a chain: those of the head, where no commit since then changed them."""

    def __init__(self, chain: Chain, index: int) -> None:
        self._chain = chain
        self._index = index
        self._store = chain.repository.store
        self._known = {}

    def __repr__(self) -> str:
        return f"EarlierTree({self._index})"

    @cached_property
    def _real(self) -> CommitTree:
        """The same, read from its folders: only these have their ids."""
        return self._chain.tree(self._index + 1)

    @cached_property
    def id(self) -> str:  # type: ignore[override]  # of a commit it is known at once, here when somebody asks
        """The tree object."""
        return self._real.id

    def _record(self, path: str) -> bytes | None:
        """The record of the oldest change of a file since then: what was there before it."""
        found = self._chain.latest_touch(path, self._index)
        if found is None:
            return None
        link = self._chain.link(found[1][found[0]])
        return ((link[1] if link is not None else None) or {}).get(path)

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
        if chain.latest_touch(path, self._index) is not None:
            found = dict(now or {})
            for name in chain.changed_below(path, self._index):
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
        if self._chain.latest_touch(path, self._index) is None:
            return self._chain.newest.entry(path)
        found = self._file(path)
        if found is None and self._folder(path):
            return self._real.entry(path)
        return found

    def kind(self, path: str) -> EntryKind:
        if self._chain.latest_touch(path, self._index) is None:
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
        found = self._chain.latest_touch(path, self._index)
        if found is None:
            return []
        position, touched = found
        names = []
        for index in touched[position : position + min(READ_AT_ONCE, position + 1)]:
            link = self._chain.link(index)
            record = ((link[1] if link is not None else None) or {}).get(path)
            if record is not None and KINDS.get(_mode(record)) == "file":
                names.append(_blob(record))
        return names

    def load(self, *folders: str, files: Callable[[str], bool] = lambda _: False) -> None:
        self._real.load(*folders, files=files)


def _lies_in(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _mode(record: bytes) -> bytes:
    return record[1:7]


def _blob(record: bytes) -> str:
    return record.split(b" ", 3)[2].decode("ascii")
