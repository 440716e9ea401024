"""What lay at a path, commit by commit, told by the id of its object.

Git answers `<tree>:<name>` out of one folder, so nobody compares whole trees: beside ten thousand releases in one folder
that is a fraction of what a log of all paths takes. A folder that stayed the same is asked once for all its commits. Modes
are not asked for: a file that only became executable is the same file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field

from relspec.gitops.commit_tree import missing
from relspec.gitops.objects import Objects
from relspec.tree import folders_above


class _Runs(Struct):
    """Ids in runs: `starts[n]` is the first index of `ids[n]` (empty: nothing there). Known below `end`."""

    starts: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    end: int = 0

    def append(self, start: int, name: str) -> None:
        if not self.ids or self.ids[-1] != name:
            self.starts.append(start)
            self.ids.append(name)

    def at(self, index: int) -> str:
        return self.ids[bisect_right(self.starts, index) - 1]

    def between(self, start: int, end: int) -> Iterator[tuple[int, str]]:
        """The runs that reach into a range, the first of them cut to it."""
        if start >= end:
            return
        first = bisect_right(self.starts, start) - 1
        for position in range(max(first, 0), len(self.starts)):
            if self.starts[position] >= end:
                return
            yield max(self.starts[position], start), self.ids[position]


class PathIds:
    """Ids by path and index, where `trees` are the tree objects of commits by index."""

    def __init__(self, objects: Objects, trees: Sequence[str]) -> None:
        self._objects = objects
        self._trees = trees
        self._runs: dict[str, _Runs] = {"": _Runs()}
        for index, tree in enumerate(trees):
            self._runs[""].append(index, tree)
        self._runs[""].end = len(trees)
        self._inner: dict[tuple[str, str], str] = {}
        """By a folder's id and a name in it, what lies there; empty for nothing."""

    def read(self, paths: Iterable[str], end: int) -> None:
        """Learns the ids of some paths in the commits below an index. Raises RelspecError RS631 where a folder is not in
        this clone."""
        end = min(end, len(self._trees))
        wanted = {path for path in paths if not self.knows(path, end - 1)}
        wanted.update(folder for path in tuple(wanted) for folder in folders_above(path))
        for depth in range(1 + max((path.count("/") for path in wanted), default=-1)):
            level = sorted(path for path in wanted if path.count("/") == depth)
            self._ask(level, end)
            for path in level:
                self._extend(path, end)

    def knows(self, path: str, index: int) -> bool:
        """Whether the id of a path at an index was read."""
        runs = self._runs.get(path)
        return runs is not None and index < runs.end

    def at(self, path: str, index: int) -> str:
        """The id of what lies at a path that was read; empty for nothing."""
        return self._runs[path].at(index)

    def next_change(self, path: str, index: int) -> int | None:
        """The first index, from one on, whose successor has something else at the path; None as far as it was read."""
        runs = self._runs[path]
        position = bisect_right(runs.starts, index)
        return runs.starts[position] - 1 if position < len(runs.starts) else None

    def from_here(self, path: str, index: int, most: int) -> Iterator[tuple[int, str]]:
        """The runs of ids of a path that was read, from the one at an index on: where each begins, and what lies there."""
        runs = self._runs[path]
        first = bisect_right(runs.starts, index) - 1
        for position in range(first, min(first + most, len(runs.starts))):
            yield runs.starts[position], runs.ids[position]

    def _ask(self, paths: Sequence[str], end: int) -> None:
        """Asks Git for what is not known yet below the folders of some paths, those of one folder one after the other."""
        names: dict[str, list[str]] = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            names.setdefault(folder, []).append(name)
        asked: dict[tuple[str, str], None] = {}
        for folder, inside in names.items():
            start = min(self._start(folder, name) for name in inside)
            for _, tree in self._runs[folder].between(start, end):
                asked.update(dict.fromkeys((tree, name) for name in inside if tree))
        unknown = [each for each in asked if each not in self._inner]
        answers = dict(zip(unknown, self._objects.inside(unknown), strict=True))
        absent = list(dict.fromkeys(tree for (tree, _), answer in answers.items() if not answer))
        for tree, there in zip(absent, self._objects.inside((tree, None) for tree in absent), strict=True):
            if not there:
                raise missing(f"folder {tree[:9]}")
        self._inner |= answers

    def _start(self, folder: str, name: str) -> int:
        runs = self._runs.get(f"{folder}/{name}" if folder else name)
        return runs.end if runs is not None else 0

    def _extend(self, path: str, end: int) -> None:
        folder, _, name = path.rpartition("/")
        runs = self._runs.setdefault(path, _Runs())
        for start, tree in self._runs[folder].between(runs.end, end):
            runs.append(start, self._inner[tree, name] if tree else "")
        runs.end = max(runs.end, end)
