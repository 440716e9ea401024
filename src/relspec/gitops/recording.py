"""Which paths an answer depends on: what was asked of a tree, so that nothing is asked again until one of them changes."""

from __future__ import annotations

from collections.abc import Iterable

from relspec.tree import EntryKind, Tree


class RecordingTree:
    """A tree that remembers every path that it was asked for, also those where nothing lies."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.asked: set[str] = set()

    def kind(self, path: str) -> EntryKind:
        self.asked.add(path)
        return self.tree.kind(path)

    def read(self, path: str) -> bytes:
        self.asked.add(path)
        return self.tree.read(path)

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        self.asked.add(folder)
        return self.tree.entries(folder)


def touches(changed: Iterable[str], asked: frozenset[str]) -> bool:
    """Whether one of the changed paths is, or lies below, a path that was asked for: then the answer may be another."""
    for path in changed:
        name = path
        while name not in asked:
            if not name:
                break
            name = name.rpartition("/")[0]
        else:
            return True
    return False
