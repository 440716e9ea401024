"""Whether one version of a model can take the place of another: their interfaces, compared as JSON Schema (2020-12).

One question is asked of each side: *is everything that is sent also accepted?*

    input    callers send what the old version declares; the new version must accept it
    output   the new version sends; consumers accept what the old version declared

So the rules exist once, and the output's are the mirror image of the input's. A rule compares a keyword or two of a
pair of schemas and yields changes and further pairs; `RULES` is the table. `SHAPES` says what a rule can read; any
other keyword (`$ref`, `anyOf`, `pattern`, `format` …) that differs is *unknown*, and said so.

One assumption beyond JSON Schema: callers send the properties that are declared to them. So an optional property
that is new breaks nothing, although an open schema (no `additionalProperties`) allowed any value under its name before.
A schema that declares no property at all is free-form: there a new one breaks. A property that an answer no longer declares breaks, even if it was optional: whoever reads it finds nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence, Set
from fractions import Fraction
from functools import partial, reduce
from typing import Any, Literal

from msgspec import Struct

from relspec.diagnostics import Path

Side = Literal["input", "output"]
Verdict = Literal["compatible", "breaking", "unknown"]
Effect = Literal["breaking", "unknown"]
Schema = Mapping[str, Any]

SIDES: tuple[Side, ...] = ("input", "output")
MAX_DEPTH = 64
"""Levels of lists and maps that a schema may have; deeper ones are *unknown*."""
MAX_NODES = 20_000
"""Values that a schema may hold, lists and maps included; larger ones are *unknown*."""
MAX_WORK = 200_000
"""Keywords, names and values that are looked at for one side; beyond, it is *unknown*. A schema of MAX_NODES is looked
at once, unless it stands against every property of the other (`additionalProperties`)."""


class Change(Struct, frozen=True):
    """One difference that breaks, or may break, the other end.

    `path` leads into the *new* version's interface (("input", "properties", "age", "minimum")), to the nearest thing
    that is still there. `kind` is the keyword that decided, `interface` where a side is not declared, and `size` where
    it is too large to compare. `message` is one sentence without a full stop.
    """

    side: Side
    path: Path
    kind: str
    message: str
    effect: Effect = "breaking"


class Comparison(Struct, frozen=True):
    """What replacing one version by another means. `declared` is False where neither version declares an interface."""

    changes: tuple[Change, ...]
    declared: bool = True

    @property
    def verdict(self) -> Verdict:
        """`breaking` if any change breaks, else `unknown` if any is or if nothing is declared, else `compatible`."""
        effects = {change.effect for change in self.changes}
        if "breaking" in effects:
            return "breaking"
        return "unknown" if effects or not self.declared else "compatible"


def compare(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Comparison:
    """What breaks when `new` takes the place of `old`: two mappings {input: schema, output: schema}, either may lack.

    For a rollback, `old` is the version that runs and `new` the earlier one that comes back.

    A side that only one version declares is *unknown*. A side that neither declares is left out: the verdict is about
    what is declared. Where nothing is, the verdict is `unknown`, `declared` is False and there are no changes.
    Changes come in the order of the schemas, input first. Schemas are JSON data: the keys of every mapping are text.
    """
    changes: list[Change] = []
    declared = False
    for side in SIDES:
        before, after = (old or {}).get(side), (new or {}).get(side)
        declared = declared or before is not None or after is not None
        changes += _side(side, before, after)
    return Comparison(tuple(changes), declared)


def _side(side: Side, old: Any, new: Any) -> list[Change]:
    """The changes of one side, whose schemas may be missing, malformed or too large."""
    if old is None and new is None:
        return []
    for schema, age in ((old, "old"), (new, "new")):
        if schema is None:
            return [Change(side, (), "interface", f"{side}: the {age} version does not declare it", "unknown")]
        if not _is_schema(schema):
            return [Change(side, (side,), "interface", f"{side}: the {age} version's is not a schema", "unknown")]
        if _too_large(schema):
            return [_too_large_to_compare(side)]
    if _written_alike(old, new) or _identity(old) == _identity(new):
        return []
    before, after = _node(old, (side,)), _node(new, (side,))
    sent, accepted = (before, after) if side == "input" else (after, before)
    return _walk(Pair(side, "", sent, accepted, _references_agree(old, new)))


def _walk(root: Pair) -> list[Change]:
    """All changes below a pair, depth first: a list of what is left to compare, so that nothing recurses."""
    changes: list[Change] = []
    left = [root]
    work = 0
    while left:
        pair = left.pop()
        work += pair.sent.work + pair.accepted.work
        if work > MAX_WORK:
            return [*changes, _too_large_to_compare(root.side)]
        found = list(_differences(pair))
        changes += [item for item in found if isinstance(item, Change)]
        left += reversed([item for item in found if isinstance(item, Pair)])
    return changes


def _too_large_to_compare(side: Side) -> Change:
    return Change(side, (side,), "size", f"{side}: the schema is too large to compare", "unknown")


# ------------------------------------------------------------------------------------------------- schemas, in pairs

Atom = Literal["null", "boolean", "integer", "fraction", "string", "array", "object"]
"""A type of JSON, with `number` cut in two: `integer`, and `fraction` for the rest."""

ATOMS: Mapping[str, frozenset[Atom]] = {
    "null": frozenset({"null"}),
    "boolean": frozenset({"boolean"}),
    "integer": frozenset({"integer"}),
    "number": frozenset({"integer", "fraction"}),
    "string": frozenset({"string"}),
    "array": frozenset({"array"}),
    "object": frozenset({"object"}),
}
ANYTHING: frozenset[Atom] = frozenset().union(*ATOMS.values())
NUMBERS = ATOMS["number"]
FEW_VALUES: Mapping[Atom, tuple[Any, ...]] = {"null": (None,), "boolean": (False, True)}

OPEN: Schema = {}
CLOSED: Schema = {"enum": []}
"""`false` as a mapping: no value is allowed."""


class Node(Struct, frozen=True):
    """A schema, and where it lies in its version's interface."""

    schema: Schema
    path: Path

    def get(self, keyword: str, default: Any = None) -> Any:
        """A keyword's value; `default` where it is absent or can't be read (which is reported elsewhere)."""
        value = self.schema.get(keyword, default)
        return value if keyword in self.schema and SHAPES[keyword](value) else default

    def child(self, keyword: str) -> Node | None:
        """The schema under a keyword; None where there is none."""
        value = self.get(keyword)
        return None if value is None else _node(value, (*self.path, keyword))

    @property
    def properties(self) -> dict[str, Node]:
        """The schemas of the declared properties."""
        declared = self.get("properties", {})
        return {name: _node(schema, (*self.path, "properties", name)) for name, schema in declared.items()}

    def without(self, keywords: Set[str]) -> Node:
        """The schema without some keywords."""
        return Node({key: value for key, value in self.schema.items() if key not in keywords}, self.path)

    @property
    def rest(self) -> Node:
        """What holds for properties that are not declared."""
        return self.child("additionalProperties") or Node(OPEN, self.path)

    @property
    def work(self) -> int:
        """How much there is to look at, without the parts that are compared by themselves."""
        if self.schema.keys() & NEIGHBOURLY:
            return sum(1 for _ in _parts(self.schema))
        parts = (
            [value] if keyword in IGNORED else _children(value) if keyword in NESTING else _parts(value)
            for keyword, value in self.schema.items()
        )
        return 1 + sum(1 for part in parts for _ in part)

    @property
    def takes_anything(self) -> bool:
        """Whether no keyword refuses anything."""
        return self.schema.keys() <= IGNORED

    @property
    def types(self) -> frozenset[Atom]:
        """The types that `type` allows."""
        named = self.get("type")
        if named is None:
            return ANYTHING
        return frozenset().union(*(ATOMS[name] for name in ([named] if isinstance(named, str) else named)))

    @property
    def values(self) -> list[Any] | None:
        """The values it allows, where `type`, `enum` and `const` leave only a few; else None."""
        listed: list[Any] | None = self.get("enum")
        if "const" in self.schema:
            const = self.schema["const"]
            listed = [const] if listed is None or _identity(const) in map(_identity, listed) else []
        types = self.types
        if listed is not None:
            return [value for value in listed if _atom(value) in types]
        if types <= FEW_VALUES.keys():
            return [value for atom, values in FEW_VALUES.items() if atom in types for value in values]
        return None

    @property
    def atoms(self) -> frozenset[Atom]:
        """The types that a value of this schema can have."""
        values = self.values
        return self.types if values is None else frozenset(map(_atom, values))


class Pair(Struct, frozen=True):
    """The schemas of the same value in two versions: what is sent, and what is accepted.

    `name` is how people call the value (`user.tags[]`, empty for the whole). `references_agree` says whether a `$ref`
    means the same in both.
    """

    side: Side
    name: str
    sent: Node
    accepted: Node
    references_agree: bool

    @property
    def old(self) -> Node:
        """The old version's schema."""
        return self.sent if self.side == "input" else self.accepted

    @property
    def new(self) -> Node:
        """The new version's schema."""
        return self.accepted if self.side == "input" else self.sent

    @property
    def subject(self) -> str:
        """The value, as the subject of a sentence."""
        return f"`{self.name}`" if self.name else ("the request" if self.side == "input" else "the answer")

    def below(self, name: str, sent: Node, accepted: Node) -> Pair:
        """The pair of a part of this value."""
        return Pair(self.side, name, sent, accepted, self.references_agree)

    def readable(self) -> Pair:
        """The pair without keywords that can't be read in one of the two: no rule may take them for absent there."""
        schemas = (self.sent.schema, self.accepted.schema)
        odd = {key for schema in schemas for key, value in schema.items() if key in SHAPES and not SHAPES[key](value)}
        return self.below(self.name, self.sent.without(odd), self.accepted.without(odd)) if odd else self

    def change(self, keyword: str, sentence: str, effect: Effect = "breaking") -> Change:
        """A change that `keyword` makes, said as `<side>: <sentence>`."""
        path = self.new.path
        if keyword in self.new.schema:
            path = (*path, keyword)
        return Change(self.side, path, keyword, f"{self.side}: {sentence}", effect)

    def by_side(self, request: str, answer: str) -> str:
        """The wording for this side."""
        return request if self.side == "input" else answer


def _node(schema: Any, path: Path) -> Node:
    """A schema with `true` and `false` as mappings."""
    if isinstance(schema, bool):
        return Node(OPEN if schema else CLOSED, path)
    return Node(schema, path)


def _differences(pair: Pair) -> Iterator[Change | Pair]:
    """What the keywords of a pair say; a keyword counts only for the types that can be sent and are accepted."""
    if not pair.sent.atoms or pair.accepted.takes_anything:
        return
    yield from _unreadable(pair)
    readable = pair.readable()
    shared = readable.sent.atoms & readable.accepted.types
    for atoms, rule in RULES:
        if atoms & shared or atoms == ANYTHING:
            yield from rule(readable)


# ------------------------------------------------------------------------------------------------------------ rules

Rule = Callable[[Pair], "Iterator[Change | Pair]"]


def _type(pair: Pair) -> Iterator[Change | Pair]:
    if pair.sent.atoms - pair.accepted.types:
        before, after = _type_words(pair.old), _type_words(pair.new)
        yield pair.change("type", f"the type of {pair.subject} went from {before} to {after}")


def _type_words(node: Node) -> str:
    """`integer or null`, in the schema's words; the types of its values where it names none."""
    named = node.get("type")
    if named is None:
        return "any" if node.values is None else _list_of(node.values)
    return named if isinstance(named, str) else " or ".join(named)


def _values(pair: Pair) -> Iterator[Change | Pair]:
    """`enum` and `const`: the values sent must be among those accepted. Other types are `_type`'s to report."""
    accepted = pair.accepted.values
    listed = [keyword for keyword in ("enum", "const") if keyword in pair.accepted.schema]
    if accepted is None or not listed or not pair.sent.atoms & pair.accepted.types:
        return
    keyword, known, sent = listed[0], set(map(_identity, accepted)), pair.sent.values
    if pair.accepted.schema is CLOSED:
        taken = f"{pair.subject} takes no value any more"
        yield pair.change("false", pair.by_side(taken, f"{pair.subject} can be there now, and was ruled out before"))
    elif sent is None:
        limited = f"{pair.subject} takes only {_list_of(accepted)} now"
        yield pair.change(
            keyword, pair.by_side(limited, f"{pair.subject} is no longer limited to {_list_of(accepted)}")
        )
    else:
        extra = [v for v in sent if _identity(v) not in known and _atom(v) in pair.accepted.types]
        if extra:
            lost = f"{pair.subject} no longer takes {_list_of(extra)}"
            yield pair.change(keyword, pair.by_side(lost, f"{pair.subject} can now be {_list_of(extra)}"))


def _lower(pair: Pair) -> Iterator[Change | Pair]:
    if _floor(pair.sent, pair) < _floor(pair.accepted, pair):
        keyword = _decisive(pair.accepted, "minimum", "exclusiveMinimum", max)
        yield _moved(pair, keyword, "lower bound", _floor_words(pair.old), _floor_words(pair.new))


def _upper(pair: Pair) -> Iterator[Change | Pair]:
    if _ceiling(pair.sent, pair) > _ceiling(pair.accepted, pair):
        keyword = _decisive(pair.accepted, "maximum", "exclusiveMaximum", min)
        yield _moved(pair, keyword, "upper bound", _ceiling_words(pair.old), _ceiling_words(pair.new))


def _floor(node: Node, pair: Pair) -> tuple[float, bool]:
    """The lower bound and whether it is itself excluded, ordered by how much it refuses.

    Among integers, `exclusiveMinimum: 0` is `minimum: 1`.
    """
    bound = max((node.get("minimum", -math.inf), False), (node.get("exclusiveMinimum", -math.inf), True))
    if _only_integers(pair) and math.isfinite(bound[0]):
        return (math.floor(bound[0]) + 1 if bound[1] else math.ceil(bound[0]), False)
    return bound


def _ceiling(node: Node, pair: Pair) -> tuple[float, bool]:
    """The upper bound and whether it is included, ordered by how much it allows."""
    bound = min((node.get("maximum", math.inf), True), (node.get("exclusiveMaximum", math.inf), False))
    if _only_integers(pair) and math.isfinite(bound[0]):
        return (math.floor(bound[0]) if bound[1] else math.ceil(bound[0]) - 1, True)
    return bound


def _decisive(node: Node, inclusive: str, exclusive: str, tighter: Callable[[float, float], float]) -> str:
    """Which of two bounds refuses more, where there is at least one."""
    bounds = {keyword: node.get(keyword) for keyword in (exclusive, inclusive) if node.get(keyword) is not None}
    return next(keyword for keyword, bound in bounds.items() if bound == reduce(tighter, bounds.values()))


def _only_integers(pair: Pair) -> bool:
    return "fraction" not in pair.sent.atoms & pair.accepted.types


def _floor_words(node: Node) -> str:
    words = [f"at least {node.get('minimum')}"] if node.get("minimum") is not None else []
    words += [f"above {node.get('exclusiveMinimum')}"] if node.get("exclusiveMinimum") is not None else []
    return " and ".join(words) or "none"


def _ceiling_words(node: Node) -> str:
    words = [f"at most {node.get('maximum')}"] if node.get("maximum") is not None else []
    words += [f"below {node.get('exclusiveMaximum')}"] if node.get("exclusiveMaximum") is not None else []
    return " and ".join(words) or "none"


def _multiple(pair: Pair) -> Iterator[Change | Pair]:
    wanted, given = pair.accepted.get("multipleOf"), pair.sent.get("multipleOf")
    steps = [given] if given is not None else []
    steps += [1] if _only_integers(pair) else []
    if wanted is not None and not any(_divides(wanted, step) for step in steps):
        yield _moved(pair, "multipleOf", "multipleOf", pair.old.get("multipleOf"), pair.new.get("multipleOf"))


def _divides(divisor: float, number: float) -> bool:
    """Exactly, in the decimal notation that people wrote: 0.1 divides 0.3."""
    return (Fraction(str(number)) / Fraction(str(divisor))).denominator == 1


def _at_least(keyword: str, pair: Pair) -> Iterator[Change | Pair]:
    if pair.sent.get(keyword, 0) < pair.accepted.get(keyword, 0):
        yield _moved(pair, keyword, keyword, pair.old.get(keyword), pair.new.get(keyword))


def _at_most(keyword: str, pair: Pair) -> Iterator[Change | Pair]:
    if pair.sent.get(keyword, math.inf) > pair.accepted.get(keyword, math.inf):
        yield _moved(pair, keyword, keyword, pair.old.get(keyword), pair.new.get(keyword))


def _unique(pair: Pair) -> Iterator[Change | Pair]:
    if pair.accepted.get("uniqueItems", False) and not pair.sent.get("uniqueItems", False):
        repeats = pair.by_side("must not repeat any more", "may repeat now")
        yield pair.change("uniqueItems", f"the items of {pair.subject} {repeats}")


def _items(pair: Pair) -> Iterator[Change | Pair]:
    sent, accepted = pair.sent.child("items"), pair.accepted.child("items")
    if accepted is not None:
        yield pair.below(f"{pair.name}[]", sent or Node(OPEN, pair.sent.path), accepted)


def _required(pair: Pair) -> Iterator[Change | Pair]:
    given, declared = frozenset(pair.sent.get("required", [])), pair.sent.get("properties", {})
    for name in pair.accepted.get("required", []):
        if name in given:
            continue
        if pair.side == "input":
            yield pair.change("required", f"`{_below(pair.name, name)}` became required")
        elif name in declared or name not in pair.accepted.get("properties", {}):  # else removed, which is said once
            yield pair.change("required", f"`{_below(pair.name, name)}` is no longer always there")


def _properties(pair: Pair) -> Iterator[Change | Pair]:
    old, new = pair.old.properties, pair.new.properties
    sent, accepted = (old, new) if pair.side == "input" else (new, old)
    for name in {**old, **new}:
        yield from _property(pair, _below(pair.name, name), sent.get(name), accepted.get(name))


def _property(pair: Pair, title: str, sent: Node | None, accepted: Node | None) -> Iterator[Change | Pair]:
    """One property that at least one version declares; where the other doesn't, its `additionalProperties` hold."""
    if sent and accepted and pair.references_agree and _written_alike(sent.schema, accepted.schema):
        return
    if sent is None and pair.side == "output":
        yield pair.change("properties", f"`{title}` was removed")
    elif sent is None and pair.sent.schema.get("properties") and pair.sent.rest.takes_anything:
        return  # callers send what was declared to them
    elif accepted is None and pair.accepted.rest.schema is CLOSED and sent is not None and sent.atoms:
        new = f"`{title}` was added, and consumers were told of no other properties"
        yield pair.change("properties", pair.by_side(f"`{title}` was removed, and other properties are refused", new))
    else:
        yield pair.below(title, sent or pair.sent.rest, accepted or pair.accepted.rest)


def _rest(pair: Pair) -> Iterator[Change | Pair]:
    """`additionalProperties`, for the names that neither version declares."""
    sent, accepted = pair.sent.rest, pair.accepted.rest
    if accepted.schema is CLOSED and sent.atoms:
        refused = f"{pair.subject} takes no undeclared properties any more"
        allowed = f"{pair.subject} may have undeclared properties now"
        yield pair.change("additionalProperties", pair.by_side(refused, allowed))
    elif not accepted.takes_anything:
        yield pair.below(_below(pair.name, None), sent, accepted)


def _patterns(pair: Pair) -> Iterator[Change | Pair]:
    """With `patternProperties`, which schema holds for a name can't be told without matching it: then the patterns and
    the declared names must stay as they are."""
    if all("patternProperties" not in node.schema for node in (pair.old, pair.new)):
        return
    old, new = (node.get("properties", {}).keys() for node in (pair.old, pair.new))
    if old != new or not _unchanged("patternProperties", pair):
        text = f"the patternProperties of {pair.subject} changed, or the properties beside them"
        yield pair.change("patternProperties", text, "unknown")


def _unreadable(pair: Pair) -> Iterator[Change | Pair]:
    """Keywords that differ and that no rule reads: other keywords, and values of a kind that a rule can't read."""
    old, new = pair.old.schema, pair.new.schema
    for keyword in {**old, **new}:
        if keyword in IGNORED or keyword.startswith("x-"):
            continue
        shape = SHAPES.get(keyword)
        if shape is not None and all(shape(schema[keyword]) for schema in (old, new) if keyword in schema):
            continue
        if not _unchanged(keyword, pair):
            problem = "changed, and is not compared" if shape is None else "changed, and can't be read"
            yield pair.change(keyword, f"`{keyword}` of {pair.subject} {problem}", "unknown")


def _unchanged(keyword: str, pair: Pair) -> bool:
    """Whether a keyword says the same in both: written alike, with references and neighbours that are alike."""
    old, new = pair.old.schema, pair.new.schema
    if keyword in WHOLE:  # what it means depends on everything beside it
        return pair.references_agree and _identity(old) == _identity(new)
    if (keyword in old) != (keyword in new) or _identity(old.get(keyword)) != _identity(new.get(keyword)):
        return False
    return pair.references_agree or not any(_references({keyword: old[keyword]}))


RULES: tuple[tuple[frozenset[Atom], Rule], ...] = (
    (ANYTHING, _type),
    (ANYTHING, _values),
    (NUMBERS, _lower),
    (NUMBERS, _upper),
    (NUMBERS, _multiple),
    (ATOMS["string"], partial(_at_least, "minLength")),
    (ATOMS["string"], partial(_at_most, "maxLength")),
    (ATOMS["array"], partial(_at_least, "minItems")),
    (ATOMS["array"], partial(_at_most, "maxItems")),
    (ATOMS["array"], _unique),
    (ATOMS["array"], _items),
    (ATOMS["object"], partial(_at_least, "minProperties")),
    (ATOMS["object"], partial(_at_most, "maxProperties")),
    (ATOMS["object"], _required),
    (ATOMS["object"], _properties),
    (ATOMS["object"], _rest),
    (ATOMS["object"], _patterns),
)
"""Which types a rule is about, and the rule. The order is that of the changes."""


# -------------------------------------------------------------------------------------------------- what can be read


def _is_schema(value: Any) -> bool:
    return isinstance(value, bool | Mapping)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_type(value: Any) -> bool:
    names = [value] if isinstance(value, str) else value
    return isinstance(names, list) and bool(names) and all(isinstance(n, str) and n in ATOMS for n in names)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_schemas(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_schema(schema) for schema in value.values())


SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "type": _is_type,
    "enum": lambda value: isinstance(value, list),
    "const": lambda _: True,
    "minimum": _is_number,
    "exclusiveMinimum": _is_number,
    "maximum": _is_number,
    "exclusiveMaximum": _is_number,
    "multipleOf": _is_positive,
    "minLength": _is_count,
    "maxLength": _is_count,
    "minItems": _is_count,
    "maxItems": _is_count,
    "uniqueItems": lambda value: isinstance(value, bool),
    "items": _is_schema,
    "minProperties": _is_count,
    "maxProperties": _is_count,
    "required": _is_names,
    "properties": _is_schemas,
    "additionalProperties": _is_schema,
    "patternProperties": _is_schemas,
}
"""The keywords that the rules read, and whether a value is of the kind they read."""

IGNORED = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "example",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$comment",
        "$id",
        "$defs",
        "definitions",
    }
)
"""Keywords that allow and refuse nothing themselves. What refers to a definition is compared by `_references_agree`."""

WHOLE = frozenset({"unevaluatedProperties", "unevaluatedItems"})
NEIGHBOURLY = WHOLE | {"patternProperties"}
"""Keywords that are compared together with what stands beside them."""
NESTING = frozenset({"properties", "additionalProperties", "items"})
DEFINITIONS = ("$defs", "definitions")
REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
LOCAL = re.compile(r"#/(?:\$defs|definitions)/.*", re.DOTALL)


def _references_agree(old: Any, new: Any) -> bool:
    """Whether every reference means the same in two schemas: each points at a definition, and those are equal.

    A `$id` below the root gives references another base: then they don't count as agreeing.
    """
    roots = [schema if isinstance(schema, Mapping) else OPEN for schema in (old, new)]
    kept = [{name: root[name] for name in DEFINITIONS if name in root} for root in roots]
    found = [list(_references(root)) for root in roots]
    if not any(found):
        return True
    local = all(LOCAL.fullmatch(reference) for references in found for reference in references)
    inner = [part for root in roots for part in _parts(root) if isinstance(part, Mapping) and part is not root]
    return local and not any("$id" in part for part in inner) and _identity(kept[0]) == _identity(kept[1])


def _references(schema: Any) -> Iterator[str]:
    """Every reference in a schema. `$dynamicRef` depends on where it is reached from, so it never counts as local."""
    for part in _parts(schema):
        if isinstance(part, Mapping):
            for keyword in REFERENCES & part.keys():
                if isinstance(part[keyword], str):
                    yield part[keyword] if keyword == "$ref" else keyword


def _parts(value: Any) -> Iterator[Any]:
    """A value and everything in it."""
    left = [value]
    while left:
        part = left.pop()
        yield part
        left += _children(part)


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _too_large(schema: Any) -> bool:
    level, seen = [schema], 0
    for _ in range(MAX_DEPTH):
        seen += len(level)
        if not level or seen > MAX_NODES:
            break
        level = [child for part in level for child in _children(part)]
    return bool(level)


# ------------------------------------------------------------------------------------------------------ JSON values


def _atom(value: Any) -> Atom:
    """The type of a value; 1.0 is an integer (JSON Schema, section 4.2.1)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) or value.is_integer() else "fraction"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _written_alike(old: Any, new: Any) -> bool:
    """Whether two values are the same, spelling and order of keys included: much faster than `_identity`, and between
    two versions most of an interface is. Not `==`, for which 1 is true."""
    return repr(old) == repr(new)


def _identity(value: Any) -> Hashable:
    """Equal for values that JSON takes as equal: 1 and 1.0 are, 1 and true are not, the order of keys is nothing."""
    if isinstance(value, Mapping):
        return ("object", frozenset((key, _identity(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(_identity, value)))
    atom = _atom(value)
    if atom in NUMBERS:
        return ("number", "nan" if math.isnan(value) else value)
    return (atom, value)


# ------------------------------------------------------------------------------------------------------------- words

PLAIN = re.compile(r"[\w$@-]{1,60}")
MAX_SHOWN = 5


def _below(name: str, key: str | None) -> str:
    """How people call a property: `user.age`, `user["odd name"]`, `user.*` for the undeclared ones."""
    if key is None or PLAIN.fullmatch(key):
        word = "*" if key is None else key
        return f"{name}.{word}" if name else word
    return f"{name}[{_shown(key)}]"


def _shown(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = json.dumps(value, default=str, ensure_ascii=False).replace("`", "'")
    return text if len(text) <= 60 else text[:57] + "..."


def _list_of(values: Sequence[Any]) -> str:
    """`"a", "b" and 3 more`."""
    shown = ", ".join(map(_shown, values[:MAX_SHOWN])) or "nothing"
    return f"{shown} and {len(values) - MAX_SHOWN} more" if len(values) > MAX_SHOWN else shown


def _moved(pair: Pair, keyword: str, what: str, old: Any, new: Any) -> Change:
    before, after = ("none" if value is None else value for value in (old, new))
    return pair.change(keyword, f"{what} of {pair.subject} went from {before} to {after}")
