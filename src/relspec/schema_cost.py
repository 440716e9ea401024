"""How much work a JSON Schema can make: references to references may double at each step, and no engine bounds that.

Two questions: what a schema unfolds to by itself, and what applying it to one value takes. A schema that refers to
itself is harmless in the first, and may double with each level of the value in the second.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import astuple, replace

MAX_SUBSCHEMAS = 100_000
"""Subschemas that a schema may unfold to. The largest that relspec ships, of a Rollout, stays far below."""

MAX_STEPS = 20_000_000
"""Steps that applying a schema to a value may take, of some 25 ns each: half a second, where a chart takes some 1,000."""

MAX_PAIRS = 100_000
"""Pairs of a subschema and a value that are counted before it is too much: the count takes some 10 µs for each."""

MAX_SAID = 50_000_000
"""Characters of values that the engine may copy into what it says, and into memory: each error repeats its own."""

TOO_MUCH = f"unfolds to more than {MAX_SUBSCHEMAS:,} subschemas by its references"
TOO_MUCH_HINT = "refer to each definition once, and never back to where it is used: the time grows with each reference"
TOO_LONG = f"takes more than {MAX_STEPS:,} steps on these values"
TOO_LONG_TO_SAY = "does not fit these values, in more places than can be said"

_Position = Literal["schema", "schemas", "other"]
"""A schema, a map or list of schemas, or anything else."""

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_IN_PLACE = ("allOf", "anyOf", "dependencies", "dependentSchemas", "else", "if", "not", "oneOf", "then")
_OF_ELEMENTS = ("additionalItems", "contains", "items", "unevaluatedItems")
_OF_FIELDS = ("additionalProperties", "unevaluatedProperties")
_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
_PLAIN = ("const", "dependentRequired", "enum", "required")
"""Keywords that take as long as what they hold is large."""

_NO_ERROR = frozenset({
    "$anchor", "$comment", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$ref", "$schema", "allOf", "default",
    "definitions", "deprecated", "description", "else", "examples", "id", "if", "properties", "patternProperties",
    "readOnly", "then", "title", "writeOnly",
})  # fmt: skip
"""Keywords that refuse nothing by themselves, or that don't say so but leave it to the schemas below."""

_TRIED = ("anyOf", "dependencies", "dependentSchemas", "if", "oneOf")
"""Keywords whose schemas are applied again to find out what they leave over for `unevaluated…`."""

_AGAIN = 3
"""How often one `unevaluated…` makes the engine look at another beside it: measured, 2.6 times a level."""

_PER_STEP = 4
"""Characters that one state of a pattern reads in a step."""

_LOOKS_AROUND = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9]")
LOOKS = 40_000
"""What a pattern that looks around counts for, whatever the text: it may step back so often before it gives up."""

_ATOM = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\{(\d{1,9})(?:,(\d{0,9}))?\}|.", re.DOTALL)
_MAPS = ("properties", "patternProperties", "dependentSchemas", "dependencies")
_SCHEMAS = (
    "additionalItems", "additionalProperties", "allOf", "anyOf", "contains", "contentSchema", "else", "if", "items",
    "not", "oneOf", "prefixItems", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip

_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
_ESCAPE = re.compile(b"%([0-9a-fA-F]{2})")


def unfolds_to_too_much(schema: Any) -> bool:
    """Whether a schema (parsed JSON) has more than `MAX_SUBSCHEMAS` once each reference is replaced by what it means.

    A reference back to a schema that it lies in counts once where it is about a part of the value; where it is about
    the same value it never ends. One that leads nowhere or out of the schema does not count at all.
    """
    targets = _Targets(schema)
    return _unfolded(schema, targets) > MAX_SUBSCHEMAS or _turns_in_place(schema, targets)


def pattern_states(pattern: str) -> int:
    """How many states a regular expression has at most, with all that it repeats written out; bounded by 10**9."""
    sizes, last = [0], [1]
    for atom in _ATOM.finditer(pattern):
        text = atom[0]
        if text == "(":
            sizes.append(0)
            last.append(1)
        elif text == ")" and len(sizes) > 1:
            last.pop()
            last[-1] = sizes.pop()
            sizes[-1] += last[-1]
        elif atom[1] is not None:
            times = max(int(atom[2] or atom[1]), 1)
            sizes[-1] = min(sizes[-1] + last[-1] * (times - 1), 10**9)
            last[-1] *= times
        else:
            last[-1] = 1
            sizes[-1] += 1
    return min(sum(sizes), 10**9)


class Work(Struct, frozen=True, dict=True):
    """What applying a schema (parsed JSON) to values takes: an upper bound, the same on every machine."""

    schema: Any

    @cached_property
    def _targets(self) -> _Targets:
        return _Targets(self.schema)

    @cached_property
    def _once(self) -> tuple[int, int] | None:
        """Steps for each node and for each character of any value; None where that depends on its levels."""
        return _flat(self.schema, self._targets)

    def takes_too_long(self, value: Any) -> bool:
        """Whether a value (JSON data) could take the schema more than `MAX_STEPS`."""
        if self._once is not None:
            size = len(str(value))
            # Of a map or list, each node takes two characters at least, and every one is in the text.
            if self._once[0] * (size // 2 + 1) + self._once[1] * size <= MAX_STEPS:
                return False
        return _Count(self._targets).of(self.schema, value).steps > MAX_STEPS

    def says_too_much(self, value: Any) -> bool:
        """Whether the errors of a value that does not fit could repeat more than `MAX_SAID` characters of it."""
        if self._once is not None and (self._once[0] + self._once[1]) * len(str(value)) <= MAX_SAID:
            return False
        return _Count(self._targets).of(self.schema, value).said > MAX_SAID


class _Targets:
    """What the references of one schema mean: by `$id`, by anchor, and by JSON pointer from either."""

    def __init__(self, root: Any) -> None:
        old = isinstance(root, dict) and "draft-04" in str(root.get("$schema"))
        self._id = "id" if old else "$id"
        self._bases: dict[int, str] = {}
        self._dynamic: dict[str, list[Any]] = {}
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
        if isinstance(node.get("$dynamicAnchor"), str):
            self._dynamic.setdefault(node["$dynamicAnchor"], []).append(node)
        if node.get("$recursiveAnchor") is True:
            self._dynamic.setdefault("", []).append(node)
        return base

    def of(self, node: dict[str, Any], keywords: tuple[str, ...] = _REFERENCES) -> Iterator[Any]:
        """The schemas that a schema's references mean, from the nearest `$id`, or else from the top."""
        for keyword in keywords:
            if isinstance(node.get(keyword), str):
                near = self._found(_joined(self._bases[id(node)], node[keyword]))
                yield self._found(_joined("", node[keyword])) if near is None else near

    def late(self, node: dict[str, Any]) -> Iterator[Any]:
        """The schemas of which a schema's dynamic references mean one, which is decided by the way that led to it."""
        for keyword in _REFERENCES[1:]:
            if isinstance(node.get(keyword), str):
                yield from self.of(node, (keyword,))
                yield from self._dynamic.get(node[keyword].rpartition("#")[2], ())

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
    for keyword, value in node.items():
        if keyword in _SCHEMAS:
            found += value if isinstance(value, list) else [value]
        elif keyword in _MAPS and isinstance(value, dict):
            found += value.values()
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


# What lies in the way of a value: schemas about the value itself, and schemas about its parts.


def _in_place(node: dict[str, Any], targets: _Targets) -> Iterator[Any]:
    """The schemas that are applied to the very value that a schema is applied to, apart from `_Targets.late`."""
    yield from targets.of(node, _REFERENCES[:1])
    yield from _under(node, _IN_PLACE)


def _under(node: dict[str, Any], keywords: tuple[str, ...]) -> Iterator[Any]:
    """The schemas under some of a schema's keywords that hold one, a list or a map of them."""
    for keyword, value in node.items():
        if keyword in keywords:
            is_map = keyword in _MAPS and isinstance(value, dict)
            yield from value.values() if is_map else value if isinstance(value, list) else [value]


def _turns_in_place(root: Any, targets: _Targets) -> bool:
    """Whether a schema leads back to itself about the same value by two ways: an engine tries every order of them.

    A single way round is harmless: each engine notices that it was there.
    """
    below: dict[int, list[int]] = {}
    for node in _schemas(root, targets):
        late = {id(schema): schema for schema in targets.late(node)}
        below[id(node)] = [id(schema) for schema in (*_in_place(node, targets), *late.values())]
    turning = _without_ends(_without_ends(below), reverse=True)
    return any(len(nodes) > 1 for nodes in turning.values())


def _without_ends(below: Mapping[int, list[int]], *, reverse: bool = False) -> dict[int, list[int]]:
    """A graph without the nodes from which no cycle is reached; `reverse`: without those that no cycle reaches."""
    above: dict[int, list[int]] = {node: [] for node in below}
    for node, nodes in below.items():
        for other in nodes:
            if other in above:
                above[other].append(node)
    onwards, back = (above, below) if reverse else (below, above)
    left = {node: sum(other in below for other in nodes) for node, nodes in onwards.items()}
    ends = [node for node, count in left.items() if count == 0]
    for node in ends:
        for other in back[node]:
            if other in left:
                left[other] -= 1
                if left[other] == 0:
                    ends.append(other)
    gone = set(ends)
    return {
        node: [other for other in nodes if other in below and other not in gone]
        for node, nodes in below.items()
        if node not in gone
    }


def _schemas(root: Any, targets: _Targets) -> Iterator[dict[str, Any]]:
    """Each schema that applying the root can reach, once."""
    waiting = [root] if isinstance(root, dict) else []
    seen = {id(root)}
    while waiting:
        node = waiting.pop()
        yield node
        for below in (*_below(node, targets), *targets.late(node)):
            if isinstance(below, dict) and id(below) not in seen:
                seen.add(id(below))
                waiting.append(below)


def _flat(root: Any, targets: _Targets) -> tuple[int, int] | None:
    """Steps for each node and each character of any value, with all references written out.

    None where a schema refers to itself or looks at anything again: then it depends on the value's levels.
    """
    if not isinstance(root, dict):
        return 1, 0
    found: dict[int, tuple[int, int] | None] = {}
    waiting: list[tuple[dict[str, Any], bool]] = [(root, False)]
    while waiting:
        node, is_counted = waiting.pop()
        if is_counted:
            parts = [found[id(below)] for below in _below(node, targets)]
            if None in parts:
                return None
            steps, characters = _own(node)
            found[id(node)] = (
                min(steps + sum(part[0] for part in parts if part), MAX_STEPS + 1),
                min(characters + sum(part[1] for part in parts if part), MAX_STEPS + 1),
            )
        elif id(node) not in found:
            if any(keyword in node for keyword in (*_UNEVALUATED, *_REFERENCES[1:])):
                return None
            found[id(node)] = None
            waiting.append((node, True))
            for below in _below(node, targets):
                if id(below) in found and found[id(below)] is None:
                    return None
                waiting.append((below, False))
    return found[id(root)]


def _own(node: dict[str, Any]) -> tuple[int, int]:
    """The steps of a schema's own keywords for one value, and for each character of it."""
    steps = 1 + len(node) + sum(_size(node[keyword]) for keyword in _PLAIN if keyword in node)
    steps += sum(len(node[keyword]) for keyword in _MAPS if isinstance(node.get(keyword), dict))
    patterns = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
    of_keys = node.get("patternProperties")
    patterns += list(of_keys) if isinstance(of_keys, dict) else []
    looks = sum(LOOKS for pattern in patterns if _LOOKS_AROUND.search(pattern))
    return steps + looks, 1 + sum(map(pattern_states, patterns)) // _PER_STEP


def _size(value: Any) -> int:
    """How many values a JSON value holds, itself among them."""
    size, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        size += 1
        waiting.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
    return size


class _Applied(Struct, frozen=True):
    """What applying a schema to one value comes to: steps, and characters that its errors may repeat.

    `marks` are the further steps to find out which parts of the value it has looked at.
    """

    steps: int = 0
    said: int = 0
    marks: int = 0

    def plus(self, other: _Applied, times: int = 1) -> _Applied:
        """The sum, with `other` beside this one, its marks `times` over; bounded: numbers must not grow for ever."""
        return _Applied(
            min(self.steps + other.steps, MAX_STEPS + 1),
            min(self.said + other.said, MAX_SAID + 1),
            min(self.marks + times * other.marks, MAX_STEPS + 1),
        )


_Pair = tuple[int, int]
_FAR_TOO_MUCH = _Applied(MAX_STEPS + 1, MAX_SAID + 1)


class _Count:
    """Counts what applying a schema to a value comes to: each pair of a subschema and a value once, without recursion.

    Python's ids name both, for all of them live as long as the two roots do.
    """

    def __init__(self, targets: _Targets) -> None:
        self._targets = targets
        self._found: dict[_Pair, _Applied] = {}
        self._owns: dict[int, tuple[int, int, int, int]] = {}
        self._lengths: dict[int, int] = {}

    def of(self, schema: Any, value: Any) -> _Applied:
        """The count; far too much where there are too many pairs to count them."""
        if not isinstance(schema, dict):
            return _Applied(1, len(str(value)))
        left: set[_Pair] = set()
        waiting: list[tuple[dict[str, Any], Any, bool]] = [(schema, value, False)]
        while waiting:
            node, item, is_left = waiting.pop()
            pair = id(node), id(item)
            if is_left:
                left.discard(pair)
                self._found[pair] = self._sum(node, item)
            elif len(self._found) + len(waiting) > MAX_PAIRS:
                return _FAR_TOO_MUCH
            elif pair not in self._found and pair not in left:
                left.add(pair)
                waiting.append((node, item, True))
                for below, part in chain(self._beside(node, item), self._dynamic(node, item), _inside(node, item)):
                    if (id(below), id(part)) not in self._found:
                        waiting.append((below, part, False))
                    if len(waiting) > MAX_PAIRS:
                        return _FAR_TOO_MUCH
        return self._found[id(schema), id(value)]

    def _sum(self, node: dict[str, Any], item: Any) -> _Applied:
        """The count of a pair whose inner pairs are counted."""
        steps, each, errors, words = self._own(node)
        length = self._length(item)
        read = length if isinstance(item, str) or "uniqueItems" in node else 0
        if isinstance(item, dict) and "patternProperties" in node:
            steps, read = steps * (len(item) + 1), sum(map(len, item))
        total = _Applied(min(steps + each * read, MAX_STEPS + 1), min(errors * (length + words), MAX_SAID + 1), steps)
        leaves_over = any(keyword in node for keyword in _UNEVALUATED)
        times = _AGAIN if leaves_over else 1
        for below, part in self._beside(node, item):
            total = total.plus(self._of(below, part), times)
        late = [self._of(below, part) for below, part in self._dynamic(node, item)]
        if late:
            worst = _Applied(*(max(number) for number in zip(*map(astuple, late), strict=True)))
            total = total.plus(worst, times)
        tried = sum(self._of(below, item).steps for below in _under(node, _TRIED) if isinstance(below, dict))
        total = total.plus(_Applied(total.marks + tried if leaves_over else 0, 0, tried))
        for below, part in _inside(node, item):
            total = total.plus(replace(self._of(below, part), marks=0))
        return total

    def _of(self, node: dict[str, Any], item: Any) -> _Applied:
        """The count of a pair; nothing for one that lies around this one, where engines turn back."""
        return self._found.get((id(node), id(item)), _Applied())

    def _beside(self, node: dict[str, Any], item: Any) -> Iterator[tuple[dict[str, Any], Any]]:
        return ((below, item) for below in _in_place(node, self._targets) if isinstance(below, dict))

    def _dynamic(self, node: dict[str, Any], item: Any) -> Iterator[tuple[dict[str, Any], Any]]:
        return ((below, item) for below in self._targets.late(node) if isinstance(below, dict))

    def _own(self, node: dict[str, Any]) -> tuple[int, int, int, int]:
        """A schema's own steps, those for each character, its errors at most, and what each says beside the value."""
        found = self._owns.get(id(node))
        if found is None:
            errors = 1 + sum(keyword not in _NO_ERROR for keyword in node) + _size(node.get("required"))
            words = len(str(node.get("enum", ""))) + len(str(node.get("const", "")))
            found = self._owns[id(node)] = (*_own(node), errors + _size(node.get("dependentRequired")), words)
        return found

    def _length(self, value: Any) -> int:
        found = self._lengths.get(id(value))
        if found is None:
            found = self._lengths[id(value)] = len(str(value))
        return found


def _inside(node: dict[str, Any], value: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """The schemas that are applied to the parts of a value, with the parts; of patterns each, as if all keys fitted."""
    if isinstance(value, dict):
        yield from _inside_map(node, value)
    elif isinstance(value, list):
        yield from _inside_list(node, value)


def _inside_map(node: dict[str, Any], value: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    declared = _dict(node.get("properties"))
    few, many = (declared, value) if len(declared) < len(value) else (value, declared)
    yield from ((declared[key], value[key]) for key in few if key in many and isinstance(declared[key], dict))
    for below in _dict(node.get("patternProperties")).values():
        yield from ((below, part) for part in value.values() if isinstance(below, dict))
    for keyword in _OF_FIELDS:
        rest = node.get(keyword)
        if isinstance(rest, dict):
            yield from ((rest, part) for key, part in value.items() if key not in declared)
    names = node.get("propertyNames")
    if isinstance(names, dict):
        yield from ((names, key) for key in value)


def _inside_list(node: dict[str, Any], value: list[Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    for keyword in ("prefixItems", "items"):
        first = node.get(keyword)
        if isinstance(first, list):
            yield from ((below, part) for below, part in zip(first, value, strict=False) if isinstance(below, dict))
    for keyword in _OF_ELEMENTS:
        below = node.get(keyword)
        if isinstance(below, dict):
            yield from ((below, part) for part in value)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
