"""Findings about a change: they need two trees, so `compile` and a plain `check` never give them."""

from __future__ import annotations

from collections.abc import Iterator

from relspec.diagnostics import Finding, Where
from relspec.registry.records import FOLDER
from relspec.tree import Tree, walk


def check_change(base: Tree, head: Tree) -> Iterator[Finding]:
    """What is wrong with going from `base` to `head`, whatever is right about `head` alone."""
    yield from edited_records(base, head)


def edited_records(base: Tree, head: Tree) -> Iterator[Finding]:
    """RS430: a ModelVersion record is add-only; what it says was true of what ran."""
    for path in walk(base, FOLDER):
        if not path.endswith(".yaml") or path.endswith("/model.yaml"):
            continue
        version = path.removesuffix(".yaml").rpartition("/")[2]
        if head.kind(path) != "file":
            message = f"the record of version {version} was removed"
            yield Finding("RS430", message, Where(path), "put it back; archive the version in model.yaml instead")
        elif head.read(path) != base.read(path):
            message = f"the record of version {version} was edited"
            yield Finding("RS430", message, Where(path, (), "key"), "put it back, and register a new version instead")
