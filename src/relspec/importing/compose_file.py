"""A Compose file as plain data. Compose allows anchors and merge keys, and whoever wrote the file may be nobody we trust.

So its size is counted as it would be with every alias written out, before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, ScalarEvent

from relspec.diagnostics import Finding, Range, RelspecError, Where
from relspec.tree import checked

MAX_NODES = 100_000
"""Nodes of a file, with every alias written out."""

MAX_DEPTH = 64
"""Maps and lists inside one another."""


class _Constructor(SafeConstructor):
    """Builds plain data; a date stays the text that Compose takes it for."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _Constructor.construct_yaml_str)


def read(data: bytes, file: str) -> dict[str, Any]:
    """The file's map. Raises RelspecError: RS100 (not YAML), RS103 (not a map), RS105, RS106, RS111 (too much)."""
    checked(file, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RelspecError(Finding("RS105", f"{file} is not UTF-8", Where(file), "save it as UTF-8")) from error
    try:
        _count(YAML(typ="safe", pure=True).parse(text), file)
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        loaded = yaml.load(text)
    except MarkedYAMLError as error:
        raise RelspecError(_syntax(error, file)) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise RelspecError(Finding("RS100", f"{file} is not YAML that can be read", Where(file), CHECK)) from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get("services"), dict) or not loaded["services"]:
        raise RelspecError(Finding("RS103", f"{file} has no services", Where(file), "name a Compose file"))
    return loaded


CHECK = "check it with: docker compose config"


def _syntax(error: MarkedYAMLError, file: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    span = Range(mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else None
    return Finding("RS100", f"not valid YAML: {error.problem or 'unreadable'}", Where(file, range=span), CHECK)


def _count(events: Iterator[Event], file: str) -> None:
    """Refuses a file whose aliases, written out, make it larger or deeper than a Compose file is."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        size = 0
        if isinstance(event, AliasEvent):
            size = sizes.get(event.anchor, MAX_NODES)  # inside itself: endless
        elif isinstance(event, ScalarEvent):
            size = 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            size = 1
        elif isinstance(event, CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before
        total += size
        if total > MAX_NODES or len(open_nodes) > MAX_DEPTH:
            message = f"{file} is larger or deeper than a Compose file is, with its aliases written out"
            raise RelspecError(Finding("RS111", message, Where(file), "write out what you need of it by hand"))
