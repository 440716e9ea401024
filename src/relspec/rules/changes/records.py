"""The registry is add-only: a record is never edited or removed, and a quarantine is lifted, never dropped.

What these findings say of a change is also what a plain `git revert` would lose (`lost_by_restoring`).
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

from relspec import documents
from relspec.diagnostics import Finding, Part, Path, RelspecError, Where
from relspec.registry.records import FOLDER, model_file, record_file
from relspec.rules.changes.reach import MODEL_FILE, changed_models
from relspec.rules.changes.side import Side

MOST_FIELDS = 3
"""Edited fields that a message names."""


def edited_records(
    base: Side, head: Side, changed: Collection[str] | None = None, *, revision: str = ""
) -> Iterator[Finding]:
    """RS430: a ModelVersion record says what was true of what ran."""
    for model, version in _records(base, changed):
        path = record_file(model, version)
        name = f"{model} {version}"
        if head.tree.kind(path) != "file":
            message = f"the record of version {version} of {model} was removed"
            hint = f"{_put_back(path, revision)}; archive the version in {model_file(model)} instead"
            yield Finding("RS430", message, Where(path), hint)
        elif head.text(path) != base.text(path):
            fields = list(_differences(base.text(path), head.text(path), path))
            named = ", ".join(".".join(map(str, field)) for field, _ in islice(fields, MOST_FIELDS) if field)
            message = f"the record of {name} was edited" + (f": {named}" if named else "")
            more = len(fields) - MOST_FIELDS
            message += f" and {more} more" if more > 0 else ""
            where, part = fields[0] if fields else ((), "key")
            hint = f"{_put_back(path, revision)}; then register a new version"
            yield Finding("RS430", message, Where(path, where, part), hint)


def removed_quarantines(
    base: Side, head: Side, changed: Collection[str] | None = None, *, revision: str = ""
) -> Iterator[Finding]:
    """RS431: an entry that is gone lets its version come back, and nobody said why."""
    for model in changed_models(base, head, changed):
        before, after = base.model(model), head.model(model)
        path = model_file(model)
        if before is None or (after is None and head.tree.kind(path) == "file"):
            continue
        kept = (after.quarantine or {}) if after is not None else {}
        for version in before.quarantine or {}:
            if version not in kept:
                message = f"the quarantine of {model} {version} was removed"
                hint = f"{_put_back(path, revision)}; to let {version} come back, add to its entry: lifted: REASON"
                yield Finding("RS431", message, Where(path, ("quarantine",) if kept else (), "key"), hint)


def lost_by_restoring(
    base: Side, head: Side, changed: Collection[str] | None = None, *, revision: str = ""
) -> Iterator[Finding]:
    """What a revert from `base` to `head` takes from the registry: RS430 for records, RS431 for quarantines.

    `revision` names the base: the hints then say how to keep what it has.
    """
    yield from edited_records(base, head, changed, revision=revision)
    yield from removed_quarantines(base, head, changed, revision=revision)


def _put_back(path: str, revision: str) -> str:
    """How to get a file of the base again; for somebody who has no name for the base, in words."""
    return f"git checkout {shlex.quote(revision)} -- {shlex.quote(path)}" if revision else f"put back {path}"


def _records(side: Side, changed: Collection[str] | None) -> list[tuple[str, str]]:
    """The records of the base that may differ, by model and version, sorted."""
    if changed is None:
        return [(model, version) for model in side.registry.models() for version in side.registry.versions(model)]
    parts = [path.split("/") for path in changed]
    names = [part for part in parts if len(part) == 3 and part[0] == FOLDER and part[2] != MODEL_FILE]
    found = [(model, file.removesuffix(".yaml")) for _, model, file in names if file.endswith(".yaml")]
    return sorted(pair for pair in found if side.tree.kind(record_file(*pair)) == "file")


def _differences(old: bytes, new: bytes, path: str) -> Iterator[tuple[Path, Part]]:
    """The nodes of `new` that differ; of what is gone, the key of the map that held it. None for comments alone."""
    try:
        yield from _unlike(documents.parse(old, path), documents.parse(new, path), ())
    except RelspecError:
        return


def _unlike(old: Any, new: Any, at: Path) -> Iterator[tuple[Path, Part]]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if type(old) is not type(new) or old != new:
            yield at, "value"
        return
    for key in new:
        if key not in old:
            yield (*at, key), "key"
        else:
            yield from _unlike(old[key], new[key], (*at, key))
    if any(key not in new for key in old):
        yield at, "key"
