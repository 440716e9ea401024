"""Interfaces: what breaks callers and consumers, what does not, and what can't be told.

Every breaking rule of the table comes with a witness, a value that the one end sends and the other refuses: jsonschema
is the judge of that. The properties run the other way: where nothing breaks, jsonschema must find no such value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from relspec.diagnostics import Path
from relspec.registry.interface import MAX_DEPTH, MAX_NODES, Change, Comparison, Side, compare

Schema = Any


def of(**properties: Schema) -> dict[str, Any]:
    """An object with these optional properties."""
    return {"type": "object", "properties": properties}


def closed(**properties: Schema) -> dict[str, Any]:
    """The same, without others."""
    return {**of(**properties), "additionalProperties": False}


def valid(value: Any, schema: Schema) -> bool:
    return Draft202012Validator(schema).is_valid(value)


def on(side: Side, sent: Schema, accepted: Schema) -> Comparison:
    """The comparison in which one end sends what `sent` allows and the other takes what `accepted` allows."""
    old, new = (sent, accepted) if side == "input" else (accepted, sent)
    return compare({side: old}, {side: new})


INTEGER, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}

# name: (sent, accepted, the keyword that decides, a value that is sent and refused)
REFUSED: dict[str, tuple[Schema, Schema, str, Any]] = {
    "type": (TEXT, INTEGER, "type", "a"),
    "type from number to integer": (NUMBER, INTEGER, "type", 0.5),
    "type list": ({"type": ["string", "null"]}, TEXT, "type", None),
    "type where there was none": ({}, TEXT, "type", 1),
    "type against an enum": ({"enum": ["a", 1]}, TEXT, "type", 1),
    "enum shorter": ({"enum": ["a", "b"]}, {"enum": ["a"]}, "enum", "b"),
    "enum new": (TEXT, {"type": "string", "enum": ["a"]}, "enum", "b"),
    "enum, true is not 1": ({"enum": [True]}, {"enum": [1]}, "enum", True),
    "enum within a type list": ({"enum": ["a", None]}, {"enum": ["a", 1]}, "enum", None),
    "const": ({"const": 1}, {"const": 2}, "const", 1),
    "const against enum": ({"enum": [1, 2]}, {"const": 2}, "const", 1),
    "const beside enum": ({"enum": [1, 2]}, {"enum": [1, 2], "const": 2}, "enum", 1),
    "boolean": ({"type": "boolean"}, {"const": True}, "const", False),
    "minimum": ({"type": "integer", "minimum": 0}, {"type": "integer", "minimum": 1}, "minimum", 0),
    "minimum new": (NUMBER, {"type": "number", "minimum": 0}, "minimum", -1),
    "minimum, untyped": ({}, {"minimum": 0}, "minimum", -1),
    "exclusiveMinimum": ({"minimum": 0}, {"exclusiveMinimum": 0}, "exclusiveMinimum", 0),
    "maximum": ({"type": "number", "maximum": 1}, {"type": "number", "maximum": 0.5}, "maximum", 1),
    "exclusiveMaximum": ({"maximum": 1}, {"exclusiveMaximum": 1}, "exclusiveMaximum", 1),
    "exclusiveMaximum, integers": ({"type": "integer"}, {"exclusiveMaximum": 1.5}, "exclusiveMaximum", 2),
    "multipleOf": ({"multipleOf": 2}, {"multipleOf": 4}, "multipleOf", 2),
    "multipleOf new": (INTEGER, {"type": "integer", "multipleOf": 2}, "multipleOf", 1),
    "multipleOf of numbers": (NUMBER, {"type": "number", "multipleOf": 1}, "multipleOf", 0.5),
    "minLength": (TEXT, {"type": "string", "minLength": 1}, "minLength", ""),
    "maxLength": ({"type": "string", "maxLength": 3}, {"type": "string", "maxLength": 2}, "maxLength", "abc"),
    "minItems": ({"type": "array"}, {"type": "array", "minItems": 1}, "minItems", []),
    "maxItems": ({"type": "array"}, {"type": "array", "maxItems": 1}, "maxItems", [1, 2]),
    "uniqueItems": ({"type": "array"}, {"type": "array", "uniqueItems": True}, "uniqueItems", [1, 1]),
    "items": ({"type": "array", "items": NUMBER}, {"type": "array", "items": INTEGER}, "type", [0.5]),
    "items new": ({"type": "array"}, {"type": "array", "items": INTEGER}, "type", ["a"]),
    "items false": ({"type": "array"}, {"type": "array", "items": False}, "false", [1]),
    "minProperties": ({"type": "object"}, {"type": "object", "minProperties": 1}, "minProperties", {}),
    "maxProperties": ({"type": "object"}, {"type": "object", "maxProperties": 0}, "maxProperties", {"a": 1}),
    "required": (of(a=INTEGER), {**of(a=INTEGER), "required": ["a"]}, "required", {}),
    "required and nowhere declared": ({"type": "object"}, {"type": "object", "required": ["a"]}, "required", {}),
    "property gone, closed": (closed(a=INTEGER, b=TEXT), closed(a=INTEGER), "properties", {"b": "x"}),
    "property gone and never taken": (of(a=INTEGER), of(a=False), "false", {"a": 1}),
    "property gone, others typed": (of(a=TEXT), {**of(), "additionalProperties": INTEGER}, "type", {"a": "x"}),
    "closed": (of(a=INTEGER), closed(a=INTEGER), "additionalProperties", {"z": 1}),
    "others typed": (of(), {**of(), "additionalProperties": INTEGER}, "type", {"z": "x"}),
    "deep": (of(a=of(b={"type": "array", "items": TEXT})), of(a=of(b={"type": "array", "items": {"maxLength": 1}})),
             "maxLength", {"a": {"b": ["xy"]}}),
    "true to false": (True, False, "false", 1),
}  # fmt: skip

TAKEN: dict[str, tuple[Schema, Schema]] = {
    "type wider": (TEXT, {"type": ["string", "null"]}),
    "integer to number": (INTEGER, NUMBER),
    "all types": (True, {"type": ["null", "boolean", "number", "string", "array", "object"]}),
    "type where values say it": ({"enum": ["a", "b"]}, TEXT),
    "1.0 is an integer": ({"const": 1.0}, INTEGER),
    "enum longer": ({"enum": ["a"]}, {"enum": ["b", "a"]}),
    "enum gone": ({"type": "string", "enum": ["a"]}, TEXT),
    "1 is 1.0": ({"enum": [1]}, {"enum": [1.0]}),
    "const to enum": ({"const": "a"}, {"enum": ["a", "b"]}),
    "boolean in full": ({"type": "boolean"}, {"enum": [True, False]}),
    "enum of another type than sent": ({"type": "string", "enum": ["a", 1]}, {"enum": ["a"]}),
    "minimum lower": ({"minimum": 1}, {"minimum": 0}),
    "minimum gone": ({"minimum": 1}, {}),
    "exclusiveMinimum to minimum": ({"exclusiveMinimum": 0}, {"minimum": 0}),
    "integers above 0": ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
    "integers below 1.5": ({"type": "integer", "exclusiveMaximum": 1.5}, {"type": "integer", "maximum": 1}),
    "a bound that texts don't have": (TEXT, {"type": "string", "minimum": 3, "minItems": 3, "required": ["a"]}),
    "multipleOf coarser": ({"multipleOf": 4}, {"multipleOf": 2}),
    "multipleOf in decimals": ({"multipleOf": 0.3}, {"multipleOf": 0.1}),
    "multipleOf 1 of integers": (INTEGER, {"type": "integer", "multipleOf": 0.5}),
    "minLength 0": (TEXT, {"type": "string", "minLength": 0}),
    "maxLength gone": ({"maxLength": 3}, {}),
    "uniqueItems gone": ({"type": "array", "uniqueItems": True}, {"type": "array", "uniqueItems": False}),
    "items wider": ({"type": "array", "items": INTEGER}, {"type": "array", "items": NUMBER}),
    "items true": ({"type": "array"}, {"type": "array", "items": True}),
    "required no more": ({**of(a=INTEGER), "required": ["a"]}, of(a=INTEGER)),
    "opened": (closed(a=INTEGER), of(a=INTEGER)),
    "property gone, open": (of(a=INTEGER, b=TEXT), of(a=INTEGER)),
    "property gone that nobody could send": (closed(a=INTEGER, b=False), closed(a=INTEGER)),
    "property ruled out by false": (closed(a=INTEGER), {**of(a=INTEGER), "additionalProperties": TEXT}),
    "false to true": (False, True),
    "false to anything": (False, {"type": "string", "pattern": "^a"}),
    "the order of keys": (of(a=INTEGER, b=TEXT), of(b=TEXT, a=INTEGER)),
}  # fmt: skip

ANNOTATIONS = {
    "title": "T", "description": "D", "examples": [1], "example": 1, "default": 1, "$comment": "c", "$id": "urn:x",
    "deprecated": True, "readOnly": True, "writeOnly": True, "$defs": {"a": TEXT}, "x-unit": "ms",
}  # fmt: skip

OPAQUE = {
    "$ref": "#/$defs/a", "$dynamicRef": "#a", "anyOf": [TEXT], "oneOf": [TEXT], "allOf": [TEXT], "not": TEXT, "if": TEXT,
    "then": TEXT, "else": TEXT, "pattern": "^a", "format": "date", "patternProperties": {"^a": TEXT},
    "propertyNames": TEXT, "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": {}}, "prefixItems": [TEXT],
    "contains": TEXT, "minContains": 2, "unevaluatedProperties": False, "unevaluatedItems": False, "nullable": True,
    "$schema": "http://json-schema.org/draft-07/schema#", "minimun": 3,
}  # fmt: skip

MALFORMED = {
    "type": "float", "enum": "a", "minimum": "3", "exclusiveMinimum": True, "maximum": [], "multipleOf": 0,
    "minLength": -1, "maxLength": 1.5, "maxItems": True, "uniqueItems": "yes", "items": [TEXT], "required": True,
    "properties": {"a": 5}, "additionalProperties": "no", "patternProperties": [], "exclusiveMaximum": float("inf"),
}  # fmt: skip


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks(name: str, side: Side) -> None:
    sent, accepted, kind, witness = REFUSED[name]
    assert valid(witness, sent)
    assert not valid(witness, accepted)
    comparison = on(side, sent, accepted)
    assert comparison.verdict == "breaking"
    assert kind in {change.kind for change in comparison.changes if change.effect == "breaking"}
    assert all(change.side == side and change.message.startswith(f"{side}: ") for change in comparison.changes)


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_compatible_for_a_request(name: str) -> None:
    assert on("input", *TAKEN[name]) == Comparison(())


@pytest.mark.parametrize("name", [name for name in TAKEN if not name.startswith("property")])
def test_what_is_compatible_for_an_answer(name: str) -> None:
    assert on("output", *TAKEN[name]) == Comparison(())


def test_a_new_optional_property_of_an_open_request_breaks_nothing() -> None:
    assert on("input", of(a=INTEGER), of(a=INTEGER, b=TEXT)).verdict == "compatible"
    described = {**of(a=INTEGER), "additionalProperties": {"description": "anything"}}
    assert on("input", described, of(a=INTEGER, b=TEXT)).verdict == "compatible"


def test_a_new_property_of_a_free_form_request_breaks() -> None:
    for old in ({"type": "object"}, of(), {"type": "object", "additionalProperties": True}):
        comparison = compare({"input": old}, {"input": of(a=INTEGER)})
        assert [change.message for change in comparison.changes] == ["input: the type of `a` went from any to integer"]


def test_a_removed_property_of_an_answer_breaks_even_if_it_was_optional() -> None:
    for old, new in ((of(a=INTEGER, b=TEXT), of(a=INTEGER)), (closed(a=INTEGER, b=TEXT), closed(a=INTEGER))):
        comparison = compare({"output": old}, {"output": new})
        assert [change.message for change in comparison.changes] == ["output: `b` was removed"]


def test_a_property_that_is_taken_out_of_a_map() -> None:
    sent, accepted = {"type": "object", "additionalProperties": TEXT}, of(a=INTEGER)
    assert [change.kind for change in on("input", sent, accepted).changes] == ["type"]
    assert on("input", sent, of(a=TEXT)).verdict == "compatible"
    beside = {**of(b=TEXT), "additionalProperties": TEXT}
    assert [change.kind for change in on("input", beside, of(a=INTEGER, b=TEXT)).changes] == ["type"]


def test_a_removed_property_of_an_answer_is_said_once() -> None:
    old = {**of(score=NUMBER), "required": ["score"]}
    assert [change.kind for change in compare({"output": old}, {"output": of()}).changes] == ["properties"]


def test_a_new_property_of_an_open_answer_breaks_nothing() -> None:
    assert compare({"output": of(a=INTEGER)}, {"output": of(a=INTEGER, b=TEXT)}).verdict == "compatible"


@pytest.mark.parametrize("keyword", ANNOTATIONS)
def test_annotations_are_nothing(keyword: str) -> None:
    assert compare({"input": of(a=TEXT)}, {"input": of(a={**TEXT, keyword: ANNOTATIONS[keyword]})}) == Comparison(())


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize("keyword", OPAQUE)
def test_other_keywords_are_unknown_where_they_change(keyword: str, side: Side) -> None:
    plain = {"type": ["null", "boolean", "number", "string", "array", "object"]}
    with_it, with_another = ({**plain, keyword: value} for value in (OPAQUE[keyword], {"^b": {}}))
    for sent, accepted in ((plain, with_it), (with_it, plain), (with_another, with_it)):
        comparison = on(side, of(p=sent), of(p=accepted))
        assert comparison.verdict == "unknown"
        assert [change.kind for change in comparison.changes] == [keyword]
        assert keyword in comparison.changes[0].message


@pytest.mark.parametrize(
    "keyword", sorted(OPAQUE.keys() - {"$ref", "$dynamicRef", "unevaluatedProperties", "unevaluatedItems"})
)
def test_other_keywords_are_nothing_where_they_stay(keyword: str) -> None:
    old, new = ({keyword: OPAQUE[keyword], "description": text} for text in "ab")
    assert compare({"input": of(p=old)}, {"input": of(p=new)}).verdict == "compatible"


@pytest.mark.parametrize("keyword", MALFORMED)
def test_a_value_that_cannot_be_read_is_unknown(keyword: str) -> None:
    well_formed = {"type": "number", "enum": [1], "uniqueItems": True, "required": ["a"], "items": TEXT}.get(keyword, 3)
    if "ropert" in keyword and not keyword.startswith(("min", "max")):
        well_formed = {"b": TEXT}
    for old, new in ((MALFORMED[keyword], well_formed), (well_formed, MALFORMED[keyword])):
        comparison = compare({"input": of(p={keyword: old})}, {"input": of(p={keyword: new})})
        assert [(change.kind, change.effect) for change in comparison.changes] == [(keyword, "unknown")]
    same = [{keyword: MALFORMED[keyword], "description": text} for text in "ab"]
    assert compare({"input": same[0]}, {"input": same[1]}).verdict == "compatible"


def test_breaking_outweighs_unknown() -> None:
    comparison = compare({"input": of(a=INTEGER)}, {"input": of(a={"type": "string", "pattern": "^a"})})
    assert {change.effect for change in comparison.changes} == {"breaking", "unknown"}
    assert comparison.verdict == "breaking"


def test_references_to_equal_definitions_stay() -> None:
    item = {"$ref": "#/$defs/item"}
    old = {**of(a=item), "$defs": {"item": {**of(b=TEXT), "required": ["b"]}}}
    assert compare({"input": old}, {"input": {**old, **of(a=item, c=TEXT)}}).verdict == "compatible"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"$defs": {"item": TEXT}}, {"$defs": {"item": INTEGER}}),
        ({}, {"$defs": {"item": TEXT}}),
        (
            {"$defs": {"item": {"$ref": "#/properties/b"}}, **of(b=TEXT)},
            {"$defs": {"item": {"$ref": "#/properties/b"}}},
        ),
    ],
)
@pytest.mark.parametrize("user", [{"$ref": "#/$defs/item"}, {"anyOf": [{"$ref": "#/$defs/item"}]}])
def test_a_reference_to_something_that_changed_is_unknown(old: Schema, new: Schema, user: Schema) -> None:
    sides = [{**schema, "properties": {**schema.get("properties", {}), "a": user}} for schema in (old, new)]
    comparison = compare({"input": sides[0]}, {"input": sides[1]})
    assert comparison.verdict == "unknown"
    assert [change.path[:3] for change in comparison.changes] == [("input", "properties", "a")]


def test_a_reference_with_another_base_is_unknown() -> None:
    inner = {"$id": "urn:inner", "$ref": "#/$defs/a", "$defs": {"a": TEXT}}
    old, new = (of(p={**inner, "$defs": {"a": schema}}) for schema in (TEXT, INTEGER))
    assert compare({"input": old}, {"input": new}).verdict == "unknown"


def test_pattern_properties_make_their_neighbours_unknown() -> None:
    old = {**closed(a=TEXT), "patternProperties": {"^x": TEXT}}
    comparison = compare({"input": old}, {"input": {**old, "properties": {"a": TEXT, "xb": INTEGER}}})
    assert "patternProperties" in {change.kind for change in comparison.changes}
    assert comparison.verdict != "compatible"
    assert compare({"input": old}, {"input": {**old, "title": "T"}}).verdict == "compatible"
    assert compare({"input": old}, {"input": {**old, "additionalProperties": TEXT}}).verdict == "compatible"


def test_unevaluated_properties_depend_on_everything_beside_them() -> None:
    old = {**of(a=TEXT), "unevaluatedProperties": False}
    assert compare({"input": old}, {"input": {**old, "title": "T"}}).verdict == "unknown"
    assert compare({"input": of(p=old)}, {"input": of(p=old, q=TEXT)}).verdict == "compatible"


@pytest.mark.parametrize("nothing", [None, {}, {"input": None, "output": None}])
def test_versions_that_declare_nothing(nothing: Mapping[str, Any] | None) -> None:
    comparison = compare(nothing, None)
    assert (comparison.verdict, comparison.declared, comparison.changes) == ("unknown", False, ())


def test_a_side_that_one_version_declares_is_unknown() -> None:
    comparison = compare({"input": TEXT, "output": TEXT}, {"input": TEXT})
    assert (comparison.verdict, comparison.declared) == ("unknown", True)
    assert comparison.changes == (
        Change("output", (), "interface", "output: the new version does not declare it", "unknown"),
    )
    assert compare(None, {"input": {}}).changes[0].message == "input: the old version does not declare it"


def test_a_side_that_neither_declares_is_left_out() -> None:
    assert compare({"input": TEXT}, {"input": TEXT, "output": None}) == Comparison(())


def test_an_empty_schema_is_declared() -> None:
    assert compare({"input": {}}, {"input": {}}) == Comparison(())
    assert compare({"input": {}}, {"input": TEXT}).verdict == "breaking"


def test_what_is_no_schema_is_unknown() -> None:
    assert [c.kind for c in compare({"input": "text"}, {"input": TEXT}).changes] == ["interface"]


def nested(levels: int, leaf: Schema) -> Schema:
    for _ in range(levels):
        leaf = {"items": leaf}
    return leaf


def test_depth_is_bounded() -> None:
    fits, too_deep = MAX_DEPTH - 2, 100_000
    assert compare({"input": nested(fits, TEXT)}, {"input": nested(fits, INTEGER)}).changes[0].kind == "type"
    assert [c.kind for c in compare({"input": nested(too_deep, TEXT)}, {"input": TEXT}).changes] == ["size"]
    assert compare({"input": nested(fits + 1, TEXT)}, {"input": TEXT}).changes[0].kind == "size"


def test_size_is_bounded() -> None:
    many = of(**{f"p{n}": INTEGER for n in range(MAX_NODES // 2)})
    assert [c.kind for c in compare({"input": TEXT}, {"input": many}).changes] == ["size"]


@pytest.mark.slow
def test_work_is_bounded() -> None:
    inner = of(**{f"p{n}": INTEGER for n in range(2000)})
    old = of(**{f"q{n}": inner for n in range(2)})
    assert compare({"input": old}, {"input": {**old, "required": ["q0"]}}).changes[-1].kind == "required"
    old = of(**{f"q{n}": {"type": "object"} for n in range(500)})
    new = {"type": "object", "additionalProperties": inner}
    assert compare({"input": old}, {"input": new}).changes[-1].kind == "size"


MESSAGES: list[tuple[Side, Schema, Schema, Path, str]] = [
    ("input", of(user_id=INTEGER), {**of(user_id=INTEGER), "required": ["user_id"]}, ("input", "required"),
     "input: `user_id` became required"),
    ("output", {**of(score=NUMBER), "required": ["score"]}, of(score=NUMBER), ("output",),
     "output: `score` is no longer always there"),
    ("input", of(age={"minimum": 0}), of(age={"exclusiveMinimum": 18}), ("input", "properties", "age", "exclusiveMinimum"),
     "input: lower bound of `age` went from at least 0 to above 18"),
    ("output", of(p={"maximum": 1}), of(p={}), ("output", "properties", "p"),
     "output: upper bound of `p` went from at most 1 to none"),
    ("input", of(u=of(tags={"items": TEXT})), of(u=of(tags={"items": {"type": "string", "maxLength": 9}})),
     ("input", "properties", "u", "properties", "tags", "items", "maxLength"),
     "input: maxLength of `u.tags[]` went from none to 9"),
    ("input", of(c={"enum": ["red", "blue"]}), of(c={"enum": ["blue"]}), ("input", "properties", "c", "enum"),
     'input: `c` no longer takes "red"'),
    ("output", of(c={"enum": ["blue"]}), of(c={"enum": ["red", "blue"]}), ("output", "properties", "c", "enum"),
     'output: `c` can now be "red"'),
    ("input", of(c=TEXT), of(c={"enum": list("abcdefg")}), ("input", "properties", "c", "enum"),
     'input: `c` takes only "a", "b", "c", "d", "e" and 2 more now'),
    ("input", of(**{"odd name": TEXT}), of(**{"odd name": INTEGER}), ("input", "properties", "odd name", "type"),
     'input: the type of `["odd name"]` went from string to integer'),
    ("input", {"type": ["integer", "string"]}, INTEGER, ("input", "type"),
     "input: the type of the request went from integer or string to integer"),
    ("output", closed(), of(), ("output",), "output: the answer may have undeclared properties now"),
    ("input", of(), closed(), ("input", "additionalProperties"), "input: the request takes no undeclared properties any more"),
    ("input", {"additionalProperties": NUMBER}, {"additionalProperties": INTEGER}, ("input", "additionalProperties", "type"),
     "input: the type of `*` went from number to integer"),
    ("output", TEXT, {"type": "string", "pattern": "^a"}, ("output", "pattern"),
     "output: `pattern` of the answer changed, and is not compared"),
]  # fmt: skip


@pytest.mark.parametrize(("side", "old", "new", "path", "message"), MESSAGES)
def test_messages_and_paths(side: Side, old: Schema, new: Schema, path: Path, message: str) -> None:
    old, new = ({"type": "object", **s} if "additionalProperties" in s else s for s in (old, new))
    (change,) = compare({side: old}, {side: new}).changes
    assert (change.message, change.path) == (message, path)


def test_changes_come_in_the_order_of_the_schemas() -> None:
    old = {"input": of(b=TEXT, a=of(d=TEXT, c=TEXT)), "output": TEXT}
    new = {"input": {**of(a=of(c=INTEGER, d=INTEGER), b=INTEGER), "required": ["b"]}, "output": INTEGER}
    assert [change.message.split("`")[1] for change in compare(old, new).changes[:4]] == ["b", "b", "a.d", "a.c"]
    assert [change.side for change in compare(old, new).changes] == ["input"] * 4 + ["output"]


def test_inputs_are_not_changed() -> None:
    old, new = {"input": of(a={"minimum": "3"})}, {"input": closed(a={"enum": [1]})}
    before = repr((old, new))
    compare(old, new)
    assert repr((old, new)) == before


# ------------------------------------------------------------------------------------------------------- properties

SCALARS = [None, False, True, -1, 0, 1, 2, 3, 4, 6, -0.5, 0.5, 1.0, 1.5, "", "a", "b", "ab", "abc"]
NAMES = ["a", "b", "c"]
COUNT = st.integers(0, 3)
BOUND = st.sampled_from([-1, 0, 0.5, 1, 1.5, 2, 3])
TYPE = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
VALUE = st.sampled_from([None, True, 0, 1, 1.0, 0.5, 2, "", "a", "ab", [], [1], {}, {"a": 1}])

KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.one_of(TYPE, st.lists(TYPE, min_size=1, max_size=4, unique=True)),
    "enum": st.lists(VALUE, min_size=1, max_size=4),
    "const": VALUE,
    "multipleOf": st.sampled_from([0.5, 1, 2, 3, 4]),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), BOUND),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), COUNT),
    "uniqueItems": st.booleans(),
    "pattern": st.sampled_from(["^a", "b$"]),
    "not": st.sampled_from([TEXT, INTEGER]),
    "required": st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
}


def with_parts(parts: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    """Schemas with up to five keywords, whose parts are drawn from `parts`."""
    more = {
        "items": parts,
        "additionalProperties": parts,
        "properties": st.dictionaries(st.sampled_from(NAMES), parts, max_size=3),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "^b", "c"]), parts, min_size=1, max_size=1),
    }
    drawn = {keyword: values.map(lambda v, k=keyword: (k, v)) for keyword, values in {**KEYWORDS, **more}.items()}  # type: ignore[misc]
    objects = st.one_of(*(drawn[keyword] for keyword in ("properties", "required", "additionalProperties", "type")))
    return st.one_of(
        st.lists(st.one_of(*drawn.values()), max_size=4).map(dict),
        st.lists(objects, max_size=4).map(dict),
    )


SCHEMA = st.recursive(
    st.one_of(
        st.booleans(),
        st.lists(st.one_of(*(v.map(lambda x, k=k: (k, x)) for k, v in KEYWORDS.items())), max_size=3).map(dict),
    ),  # type: ignore[misc]
    with_parts,
    max_leaves=6,
)


@st.composite
def edited(draw: st.DrawFn, schema: Schema) -> Schema:
    """The schema with one keyword added, dropped or replaced, here or in one of its parts."""
    if not isinstance(schema, dict) or draw(st.integers(0, 5)) == 0:
        return draw(SCHEMA)
    parts = [key for key in ("items", "additionalProperties") if key in schema]
    parts += [("properties", name) for name in schema.get("properties", {})]  # type: ignore[misc]
    if parts and draw(st.booleans()):
        part = draw(st.sampled_from(parts))
        if isinstance(part, str):
            return {**schema, part: draw(edited(schema[part]))}
        keyword, name = part
        return {**schema, keyword: {**schema[keyword], name: draw(edited(schema[keyword][name]))}}
    if schema and draw(st.booleans()):
        dropped = draw(st.sampled_from(list(schema)))
        return {key: value for key, value in schema.items() if key != dropped}
    addition = draw(with_parts(SCHEMA))
    return {**schema, **(addition if isinstance(addition, dict) else {})}


PAIRS = SCHEMA.flatmap(lambda old: st.tuples(st.just(old), st.one_of(edited(old), SCHEMA)))

LISTS = [[], [1], [0.5], ["a"], [1, 1], [1, "a"], ["a", "b"], [[1]], [{"a": 1}], [1, 2, 3], [None]]
FLAT = [dict(zip(names, values, strict=True)) for names in (["a"], ["b"], ["z"], ["a", "b"], ["a", "z"], ["a", "b", "c"])
        for values in product([None, 1, 0.5, "a", "ab"], repeat=len(names))]  # fmt: skip
NESTED = [{"a": value} for value in (*LISTS, {}, {"a": 1}, {"b": "a"}, {"z": 0.5}, {"a": {"a": 1}})]
UNIVERSE: list[Any] = [*SCALARS, *LISTS, {}, *FLAT, *NESTED, *({"z": value} for value in LISTS)]


def only_declared(value: Any, sent: Schema, accepted: Schema) -> bool:
    """Whether a value keeps to what callers do: no undeclared property of an open schema that the other end declares."""
    if not isinstance(sent, dict) or not isinstance(accepted, dict):
        return True
    if isinstance(value, list):
        return all(only_declared(item, sent.get("items", {}), accepted.get("items", {})) for item in value)
    if not isinstance(value, dict):
        return True
    return all(_declared(name, item, sent, accepted) for name, item in value.items())


def _declared(name: str, value: Any, sent: dict[str, Any], accepted: dict[str, Any]) -> bool:
    known, taken = sent.get("properties", {}), accepted.get("properties", {})
    rest = sent.get("additionalProperties", True)
    if known and name not in known and name in taken and rest in (True, {}):
        return False
    other = taken.get(name, accepted.get("additionalProperties", True))
    return only_declared(value, known.get(name, rest), other)


def refused(sent: Schema, accepted: Schema) -> Iterator[Any]:
    """The values of the universe that one end sends and the other refuses."""
    sender, receiver = Draft202012Validator(sent), Draft202012Validator(accepted)
    return (v for v in UNIVERSE if sender.is_valid(v) and not receiver.is_valid(v))


@given(PAIRS)
@settings(deadline=None, max_examples=150)
def test_a_compatible_input_refuses_nothing_that_was_accepted(pair: tuple[Schema, Schema]) -> None:
    old, new = pair
    verdict = compare({"input": old}, {"input": new}).verdict
    event(verdict)
    if verdict == "compatible":
        assert [value for value in refused(old, new) if only_declared(value, old, new)] == []


@given(PAIRS)
@settings(deadline=None, max_examples=150)
def test_a_compatible_output_sends_nothing_new(pair: tuple[Schema, Schema]) -> None:
    old, new = pair
    verdict = compare({"output": old}, {"output": new}).verdict
    event(verdict)
    if verdict == "compatible":
        assert list(refused(new, old)) == []


@given(SCHEMA)
def test_a_schema_is_compatible_with_itself(schema: Schema) -> None:
    described = {**schema, "description": "same"} if isinstance(schema, dict) else schema
    for other in (schema, described):
        assert compare({"input": schema, "output": schema}, {"input": other, "output": other}) == Comparison(())


@given(PAIRS)
def test_verdicts_have_reasons(pair: tuple[Schema, Schema]) -> None:
    old, new = pair
    comparison = compare({"input": old, "output": old}, {"input": new, "output": new})
    effects = {change.effect for change in comparison.changes}
    expected = "breaking" if "breaking" in effects else "unknown" if "unknown" in effects else "compatible"
    assert comparison.verdict == expected
    for change in comparison.changes:
        found: Any = {"input": new, "output": new}
        for step in change.path:
            found = found[step]
