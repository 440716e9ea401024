"""How much work a JSON Schema can make: references to references may double at each step, and no engine bounds that."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any, Literal

MAX_SUBSCHEMAS = 100_000
"""Subschemas that a schema may unfold to. The largest that relspec ships, of a Rollout, stays far below."""

TOO_MUCH = f"unfolds to more than {MAX_SUBSCHEMAS:,} subschemas by its references"
TOO_MUCH_HINT = "refer to each definition once: it takes more time with every further reference"

_Position = Literal["schema", "schemas", "other"]
"""A schema, a map or list of schemas, or anything else."""

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_MAPS = ("properties", "patternProperties", "dependentSchemas", "dependencies")
_SCHEMAS = (
    "additionalItems", "additionalProperties", "allOf", "anyOf", "contains", "contentSchema", "else", "if", "items",
    "not", "oneOf", "prefixItems", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip

_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
_ESCAPE = re.compile(b"%([0-9a-fA-F]{2})")


def unfolds_to_too_much(schema: Any) -> bool:
    """Whether a schema (parsed JSON) has more than `MAX_SUBSCHEMAS` once each reference is replaced by what it means.

    A reference back to a schema that it lies in counts once, one that leads nowhere or out of the schema not at all.
    """
    return _unfolded(schema, _Targets(schema)) > MAX_SUBSCHEMAS


class _Targets:
    """What the references of one schema mean: by `$id`, by anchor, and by JSON pointer from either."""

    def __init__(self, root: Any) -> None:
        old = isinstance(root, dict) and "draft-04" in str(root.get("$schema"))
        self._id = "id" if old else "$id"
        self._bases: dict[int, str] = {}
        self._named: dict[str, Any] = {"": root}
        waiting: list[tuple[Any, str, _Position]] = [(root, "", "schema")]
        while waiting:
            node, base, position = waiting.pop()
            if isinstance(node, dict):
                base = self._base(node, base) if position == "schema" else base
                self._bases[id(node)] = base
                waiting.extend((item, base, _position(position, key, item)) for key, item in node.items())
            elif isinstance(node, list):
                below: _Position = "schema" if position == "schemas" else "other"
                waiting.extend((item, base, below) for item in node)

    def _base(self, node: dict[str, Any], base: str) -> str:
        """What the references of a schema are relative to; its own names are noted."""
        if isinstance(node.get(self._id), str):
            base = _joined(base, node[self._id])
            self._named.setdefault(base.partition("#")[0], node)
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(node.get(keyword), str):
                self._named.setdefault(_joined(base, f"#{node[keyword]}"), node)
        return base

    def of(self, node: dict[str, Any]) -> Iterator[Any]:
        """The schemas that a schema's references mean, from the nearest `$id`, or else from the top."""
        for keyword in _REFERENCES:
            if isinstance(node.get(keyword), str):
                near = self._found(_joined(self._bases[id(node)], node[keyword]))
                yield self._found(_joined("", node[keyword])) if near is None else near

    def _found(self, reference: str) -> Any:
        resource, _, fragment = reference.partition("#")
        if fragment and not fragment.startswith("/"):
            return self._named.get(reference)
        found = self._named.get(resource)
        for step in _decoded(fragment).split("/")[1:]:
            found = _stepped(found, step.replace("~1", "/").replace("~0", "~"))
        return found


def _position(above: _Position, key: str, node: Any) -> _Position:
    """What lies under a key: only where schemas are looked for does `$id` mean anything."""
    if above == "schemas":
        return "schema"
    if above == "schema" and key in _SCHEMAS:
        return "schemas" if isinstance(node, list) else "schema"
    return "schemas" if above == "schema" and key in (*_MAPS, "$defs", "definitions") else "other"


def _joined(base: str, reference: str) -> str:
    """The resource that a reference in `base` means, normalised so that every spelling of it is one, with `#fragment`."""
    resource, mark, fragment = reference.partition("#")
    if not resource:
        resource = base.partition("#")[0]
    elif _SCHEME.match(resource):
        resource = posixpath.normpath(resource).lower()
    elif resource.startswith("/"):
        resource = "/".join(base.split("/")[:2]) + posixpath.normpath(resource).lower()
    else:
        resource = posixpath.normpath(posixpath.join(posixpath.dirname(base), resource)).lower()
    return f"{resource}{mark}{fragment}" if fragment else resource


def _decoded(fragment: str) -> str:
    """A fragment without its %-escapes."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), fragment.encode()).decode("utf-8", "replace")


def _stepped(node: Any, step: str) -> Any:
    if isinstance(node, dict):
        return node.get(step)
    if isinstance(node, list) and step.isascii() and step.isdecimal() and len(step) < 10 and int(step) < len(node):
        return node[int(step)]
    return None


def _below(node: dict[str, Any], targets: _Targets) -> Iterator[dict[str, Any]]:
    """The schemas that applying a schema applies; definitions only where something refers to them."""
    found: list[Any] = list(targets.of(node))
    for keyword in _SCHEMAS:
        value = node.get(keyword)
        found += value if isinstance(value, list) else [value]
    for keyword in _MAPS:
        value = node.get(keyword)
        found += value.values() if isinstance(value, dict) else ()
    return (schema for schema in found if isinstance(schema, dict))


def _unfolded(root: Any, targets: _Targets) -> int:
    """The count of subschemas, each computed once; without recursion, for charts may nest them very deep."""
    if not isinstance(root, dict):
        return 1
    counts: dict[int, int] = {}
    entered: set[int] = set()
    waiting: list[tuple[dict[str, Any], bool]] = [(root, False)]
    while waiting:
        node, is_counted = waiting.pop()
        if is_counted:
            total = 1 + sum(counts.get(id(below), 1) for below in _below(node, targets))
            counts[id(node)] = min(total, MAX_SUBSCHEMAS + 1)
        elif id(node) not in entered:
            entered.add(id(node))
            waiting.append((node, True))
            waiting.extend((below, False) for below in _below(node, targets) if id(below) not in entered)
    return counts[id(root)]
