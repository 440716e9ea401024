"""The paths that a release writes relative to the file that says them: found in one place, wherever they have to move."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any, Literal

from relspec.diagnostics import Where
from relspec.layers import Data
from relspec.tree import relative

PathKind = Literal["base", "file", "folder", "helm"]
"""What a path leads to: a base, a file of a service, a folder of the host or of a build, a chart or its values."""

Move = Callable[[str, PathKind], str]


def moved_document(document: Data, move: Move) -> Data:
    """A release or base with every relative path in it changed by `move`."""
    changed = moved_service(document, move)
    if isinstance(document.get("extends"), str):
        changed["extends"] = move(document["extends"], "base")
    services = document.get("services")
    if isinstance(services, dict):
        changed["services"] = {name: moved_service(each, move) if each else each for name, each in services.items()}
    return changed


def moved_service(service: Data, move: Move) -> Data:
    """A service, a patch of one, or the release's own fields, with every relative path changed by `move`."""
    changed = dict(service)
    if isinstance(service.get("candidate"), dict):
        changed["candidate"] = moved_service(service["candidate"], move)
    variants = service.get("variants")
    if isinstance(variants, dict):
        changed["variants"] = {key: moved_service(patch, move) if patch else patch for key, patch in variants.items()}
    for name in ("init", "sidecars"):
        if isinstance(service.get(name), list):
            changed[name] = [moved_service(each, move) if isinstance(each, dict) else each for each in service[name]]
    for name, key, kind in ENTRIES:
        if isinstance(service.get(name), dict):
            changed[name] = {at: _moved(entry, key, kind, move) for at, entry in service[name].items()}
    for name, key, kind in FIELDS:
        if isinstance(changed.get(name), dict):
            changed[name] = _moved(changed[name], key, kind, move)
    return changed


ENTRIES: tuple[tuple[str, str, PathKind], ...] = (("files", "from", "file"), ("volumes", "host", "folder"))
"""Maps whose entries hold a path, and under which key."""

FIELDS: tuple[tuple[str, str, PathKind], ...] = (
    ("build", "context", "folder"),
    ("helm", "chart", "helm"),
    ("helm", "values", "helm"),
)
"""Maps that hold a path themselves."""

SCAFFOLD = "scaffold"
"""The one word among the values of a chart that is no path."""


def _moved(entry: Any, key: str, kind: PathKind, move: Move) -> Any:
    path = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(path, str) or path.startswith("/") or path == SCAFFOLD:
        return entry
    return {**entry, key: move(path, kind)}


def rooted(file: str, *, own: bool) -> Move:
    """The change from paths as `file` writes them to paths as the repository knows them.

    With `own` a folder inside the file's own folder stays relative to that (`./data`): it goes where the release goes.
    """
    here = posixpath.dirname(file)

    def move(path: str, kind: PathKind) -> str:
        found = relative(file, path, origin=Where(file))
        if own and kind == "folder" and (found == here or found.startswith(f"{here}/")):
            return f"./{found[len(here) + 1 :]}"
        return found

    return move


def written_in(file: str) -> Move:
    """The change from paths as the repository knows them to how `file` writes them."""
    here = posixpath.dirname(file)

    def move(path: str, _kind: PathKind) -> str:
        return posixpath.normpath(path) if path.startswith("./") else posixpath.relpath(path or ".", here or ".")

    return move


def from_file_to_file(old: str, new: str) -> Move:
    """The change for text that moves from one file to another: what lies in the folder of `old` moves with it."""
    there, here = posixpath.dirname(old), posixpath.dirname(new)

    def move(path: str, _kind: PathKind) -> str:
        found = relative(old, path, origin=Where(old))
        if there in (here, found) or found.startswith(f"{there}/"):
            return path
        return posixpath.relpath(found or ".", here)

    return move
