"""A tree with some files that nobody has committed yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.tree import DirectoryTree, EntryKind, Tree, checked


class OverlayTree:
    """A tree with other bytes at some paths; None: no file there. A folder goes with its last file."""

    def __init__(self, tree: Tree, files: Mapping[str, bytes | None]) -> None:
        self.tree = tree
        self.files = files
        self._touched: dict[str, set[str]] = {}
        for path in files:
            inner = path
            while inner:
                parent, _, name = inner.rpartition("/")
                self._touched.setdefault(parent, set()).add(name)
                inner = parent

    def kind(self, path: str) -> EntryKind:
        if path in self.files and self.files[path] is not None:
            return "file"
        if path not in self._touched or not path:
            return "missing" if path in self.files else self.tree.kind(path)
        return "folder" if self.entries(path) else "missing"

    def read(self, path: str) -> bytes:
        if path not in self.files:
            return self.tree.read(path)
        data = self.files[path]
        if data is None:
            raise RelspecError(
                Finding("RS240", f"there is no file {path}", Where(path), "create it, or correct the path")
            )
        return checked(path, data)

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        found = dict(self.tree.entries(folder))
        for name in self._touched.get(folder, ()):
            kind = self.kind(f"{folder}/{name}" if folder else name)
            if kind == "missing":
                found.pop(name, None)
            else:
                found[name] = kind
        return sorted(found.items())


class EditedDirectory(DirectoryTree):
    """A folder on disk with some files that nobody has written yet: a work tree, to all who ask what a change does."""

    def __init__(self, root: Path, files: Mapping[str, bytes | None]) -> None:
        super().__init__(root)
        self._edited = OverlayTree(DirectoryTree(root), files)

    def kind(self, path: str) -> EntryKind:
        return self._edited.kind(path)

    def read(self, path: str) -> bytes:
        return self._edited.read(path)

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        return self._edited.entries(folder)
