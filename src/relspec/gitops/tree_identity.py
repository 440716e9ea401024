"""The id of a tree that nobody has written yet, as Git would name it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from relspec.gitops.commit_tree import Entry, ObjectStore
from relspec.gitops.journal import identity

NO_MODES: Mapping[str, str] = {}


def tree_with_files(
    store: ObjectStore, tree: str, files: Mapping[str, bytes | None], modes: Mapping[str, str] = NO_MODES
) -> str:
    """The id of a tree with other files, None where one goes. Nothing is written.

    Modes stay where `modes` doesn't say otherwise; new files get 100644.
    """
    changes: dict[str, Any] = {}
    for path, data in sorted(files.items()):
        *folders, name = path.split("/")
        inner = changes
        for folder in folders:
            if inner.get(folder) is None:  # also where a file goes and a folder takes its name
                inner[folder] = {}
            inner = inner[folder]
            if isinstance(inner, tuple):  # a file takes the folder's name: what was in there goes with it
                break
        else:
            inner[name] = None if data is None else (data, modes.get(path))
    return _changed(store, tree, changes, tree) or _named(b"", tree)


def _changed(store: ObjectStore, tree: str | None, changes: Mapping[str, Any], like: str) -> str | None:
    """The id of a folder with changes below it; None where nothing is left in it, for Git has no empty folders."""
    entries = dict(store.folder(tree)) if tree is not None else {}
    for name, change in changes.items():
        old = entries.pop(name, None)
        if isinstance(change, Mapping):
            below = _changed(store, old.id if old is not None and old.kind == "folder" else None, change, like)
            if below is not None:
                entries[name] = Entry("folder", below, "40000")
        elif change is not None:
            data, wanted = change
            mode = old.mode if old is not None and old.kind == "file" and old.mode != "100664" else "100644"
            entries[name] = Entry("file", identity(data, like), wanted or mode)
    # Names are sorted as if those of folders ended with a slash (tree.c, base_name_compare).
    lines = [
        (
            raw + (b"/" if entry.kind == "folder" else b""),
            entry.mode.encode() + b" " + raw + b"\0" + bytes.fromhex(entry.id),
        )
        for raw, entry in ((os.fsencode(name), entry) for name, entry in entries.items())
    ]
    return _named(b"".join(line for _, line in sorted(lines)), like) if lines else None


def _named(data: bytes, like: str) -> str:
    algorithm = "sha256" if len(like) == 64 else "sha1"
    return hashlib.new(algorithm, b"tree %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
