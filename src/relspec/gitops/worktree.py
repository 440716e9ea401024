"""How the files of a work tree differ from a commit's, told without Git: its index and filters are not asked."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from relspec.diagnostics import RelspecError
from relspec.gitops.commit_tree import CommitTree, Entry
from relspec.resolve import ENVIRONMENTS
from relspec.tree import DirectoryTree, EntryKind

SOURCES = (ENVIRONMENTS, "registry", "templates")
"""Folders in which a file counts before Git knows it."""


class Differences(Struct, frozen=True):
    """How the sources of a work tree differ from a commit's: `paths` are edited, new (among the specs) or gone, sorted;
    `folders` are there among the specs and not in the commit, empty ones too."""

    paths: tuple[str, ...]
    folders: tuple[str, ...]


def differences(commit: CommitTree, folder: DirectoryTree, output: str) -> Differences:
    """What differs. Files that Git tracks anywhere count, but for those below `output`; files of specs count before they
    are tracked."""
    walk = _Walk(commit, folder)
    for name, kind in commit.entries(""):
        if kind == "folder" and name not in (*SOURCES, output):
            commit.load(name)
            walk.paths.update(path for path, entry in commit.files(name) if differs(entry, folder, path))
        elif kind != "folder" and differs(commit.entry(name), folder, name):
            walk.paths.add(name)
    for name in SOURCES:
        commit.load(name)
        walk.beside(name, folder.kind(name))
    for name in ("relspec.yaml", "relspec.lock", ".gitattributes"):
        if folder.kind(name) == "file" and commit.kind(name) == "missing":
            walk.paths.add(name)
    sources = (path for path in walk.paths if not path.startswith(f"{output}/"))
    return Differences(tuple(sorted(sources)), tuple(sorted(walk.folders)))


class _Walk:
    """Folders of specs in a work tree beside those of a commit, each listed once."""

    def __init__(self, commit: CommitTree, folder: DirectoryTree) -> None:
        self._commit = commit
        self._tree = folder
        self.paths: set[str] = set()
        self.folders: set[str] = set()

    def beside(self, path: str, kind: EntryKind) -> None:
        """Looks at what the commit and the work tree have at a path; `kind` is what it is in the work tree."""
        entry = self._commit.entry(path)
        if entry is None or entry.kind != "folder":
            if entry is not None and differs(entry, self._tree, path):
                self.paths.add(path)
            if kind == "folder":
                self._new(path)
            elif entry is None and kind != "missing":
                self.paths.add(path)
        elif kind == "folder":
            there = dict(self._tree.entries(path))
            for name in {**(self._commit.folder(path) or {}), **there}:
                self.beside(f"{path}/{name}", there.get(name, "missing"))
        else:
            self.paths.update(inner for inner, _ in self._commit.files(path))

    def _new(self, path: str) -> None:
        self.folders.add(path)
        for name, kind in self._tree.entries(path):
            if kind == "folder":
                self._new(f"{path}/{name}")
            else:
                self.paths.add(f"{path}/{name}")


def differs(entry: Entry | None, folder: DirectoryTree, path: str) -> bool:
    """Whether a file of a work tree is not what a commit has at its path (None: nothing); the commit's bytes aren't read."""
    if entry is None or entry.kind != "file":
        return folder.kind(path) != (entry.kind if entry is not None else "missing")
    try:
        data = folder.read(path)
    except RelspecError:
        # Too large or an LFS pointer: no spec reads it, so only its presence matters.
        return folder.kind(path) != "file"
    algorithm = "sha256" if len(entry.id) == 64 else "sha1"
    return entry.id != _blob(data, algorithm) and not _same_lines(data, entry.id, algorithm)


def _same_lines(data: bytes, name: str, algorithm: str) -> bool:
    """Whether a file differs in nothing but the line endings that `core.autocrlf` writes into a work tree."""
    return b"\r\n" in data and _blob(data.replace(b"\r\n", b"\n"), algorithm) == name


def _blob(data: bytes, algorithm: str) -> str:
    """The name that Git gives a file of this content (gitformat-pack)."""
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
