"""How the files of a work tree differ from a commit's, told without Git: its index and filters are not asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from relspec.diagnostics import RelspecError
from relspec.gitops.commit_tree import CommitTree, Entry
from relspec.resolve import ENVIRONMENTS
from relspec.tree import DirectoryTree

SOURCES = (ENVIRONMENTS, "registry", "templates")
"""Folders in which a file counts before Git knows it."""


def differing_files(commit: CommitTree, folder: DirectoryTree, output: str) -> tuple[str, ...]:
    """The sources of a work tree that differ from a commit's, sorted: edited, new (among the specs) or gone.

    Files that Git tracks anywhere count, but for those below `output`; files of specs count before they are tracked.
    """
    found = {path for path, entry in _tracked(commit, output) if differs(entry, folder, path)}
    for top in SOURCES:
        found.update(path for path in _files(folder, top) if commit.kind(path) == "missing")
    for name in ("relspec.yaml", "relspec.lock", ".gitattributes"):
        if folder.kind(name) == "file" and commit.kind(name) == "missing":
            found.add(name)
    return tuple(sorted(found))


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


def _tracked(commit: CommitTree, output: str) -> Iterator[tuple[str, Entry]]:
    """The files of a commit but for its outputs, whose folders are not even read."""
    for name, kind in commit.entries(""):
        if kind == "folder" and name != output:
            commit.load(name)
            yield from ((path, entry) for path, entry in commit.files(name) if not path.startswith(f"{output}/"))
        elif kind != "folder" and (entry := commit.entry(name)) is not None:
            yield name, entry


def _same_lines(data: bytes, name: str, algorithm: str) -> bool:
    """Whether a file differs in nothing but the line endings that `core.autocrlf` writes into a work tree."""
    return b"\r\n" in data and _blob(data.replace(b"\r\n", b"\n"), algorithm) == name


def _blob(data: bytes, algorithm: str) -> str:
    """The name that Git gives a file of this content (gitformat-pack)."""
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _files(folder: DirectoryTree, path: str) -> Iterator[str]:
    for name, kind in folder.entries(path):
        inner = f"{path}/{name}"
        if kind == "folder":
            yield from _files(folder, inner)
        else:
            yield inner
