"""Schemas that make an engine work without end, and those that only look like it."""

from __future__ import annotations

import json
from time import process_time
from typing import Any

import pytest

from company import company, compiled, kubernetes, release
from relspec.schema_checks import UnusableSchemaError, check_against
from relspec.schema_cost import MAX_STEPS, Work, pattern_states, unfolds_to_too_much
from relspec.targets.helm.chart import Chart
from relspec.targets.helm.values import validate

SECONDS = 10
"""Far more than any case takes, and far less than it took."""


def nested(levels: int, leaf: Any = 1) -> Any:
    """Maps under the key `a`, one in the other."""
    for _ in range(levels):
        leaf = {"a": leaf}
    return leaf


def inside(levels: int, keyword: str) -> Any:
    """A schema under one keyword of another, each of which looks at what the inner ones have left over."""
    schema: Any = {"properties": {"a": {"type": "integer"}}}
    for _ in range(levels):
        schema = {keyword: schema if keyword == "if" else [schema], "unevaluatedProperties": False}
    return schema


def below(levels: int, keyword: str) -> Any:
    """The same level by level of the value."""
    schema: Any = {"type": "object"}
    for _ in range(levels):
        schema = {keyword: [{"properties": {"a": schema}}], "unevaluatedProperties": False}
    return schema


def tree_of(levels: int, width: int = 2) -> Any:
    return {"name": "x", "children": [tree_of(levels - 1, width)] * width if levels else []}


HERE = {"$ref": "#"}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "children": {"items": {"$ref": "#/$defs/node"}}},
            "additionalProperties": False,
        }
    },
}
DYNAMIC = {
    "$id": "https://trees.invalid/strict",
    "$dynamicAnchor": "node",
    "$ref": "open",
    "unevaluatedProperties": False,
    "$defs": {"open": {"$id": "open", "$dynamicAnchor": "node", "properties": {"a": {"$dynamicRef": "#node"}}}},
}

WITHOUT_END: dict[str, tuple[Any, Any]] = {
    "all of itself twice": ({"properties": {"a": {"allOf": [HERE, HERE]}}}, nested(40, {"b": 1})),
    "if and then": ({"properties": {"a": {"if": HERE, "then": HERE, "else": HERE}}}, nested(40)),
    "dependent schemas": ({"properties": {"a": {"dependentSchemas": {"a": HERE}, "$ref": "#"}}}, nested(40)),
    "pattern properties": ({"patternProperties": {"^a": HERE, "a$": HERE}}, nested(40)),
    "elements": ({"items": {"oneOf": [HERE, {"not": HERE}]}}, json.loads("[" * 40 + "]" * 40)),
    "a dynamic reference": (
        {"$dynamicAnchor": "n", "properties": {"a": {"allOf": [{"$dynamicRef": "#n"}, {"$dynamicRef": "#n"}]}}},
        nested(40),
    ),
    "what all of leaves over": (inside(30, "allOf"), {"a": 1}),
    "what any of leaves over": (inside(30, "anyOf"), {"a": 1}),
    "what if leaves over": (inside(30, "if"), {"a": 1}),
    "what any of leaves over, level by level": (below(30, "anyOf"), nested(30, {})),
    "a pattern of many states": ({"pattern": "((((a|b)*a(a|b){100}){10}){10})c"}, "ab" * 50_000),
    "patterns for many keys": (
        {"patternProperties": {f"^x{n}.*y$": {"type": "null"} for n in range(1000)}},
        {f"x{n}": 1 for n in range(3000)},
    ),
    "a long list of values": (
        {"items": {"enum": [{"a": n} for n in range(8000)]}},
        [{"a": n} for n in range(8000)],
    ),
    "many schemas for many elements": ({"items": {"allOf": [{}] * 4_000}}, [0] * 20_000),
}

"""A schema and a value, neither of which is large."""


@pytest.mark.parametrize("case", WITHOUT_END)
def test_a_schema_that_would_not_end_is_refused(case: str) -> None:
    schema, value = WITHOUT_END[case]
    started = process_time()
    assert not unfolds_to_too_much(schema)
    with pytest.raises(UnusableSchemaError, match="20,000,000 steps"):
        check_against(schema, value)
    if isinstance(value, dict):
        (problem,) = validate(chart(schema), value)
        assert problem.in_chart
        assert "20,000,000 steps" in problem.message
    assert process_time() - started < SECONDS


def chart(schema: Any) -> Chart:
    return Chart("charts/own", "own", "1.0.0", {}, json.dumps(schema).encode())


@pytest.mark.parametrize("count", [2, 8])
def test_ways_round_on_one_value_are_refused_before_anything_is_applied(count: int) -> None:
    ways = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{k}"} for k in range(count)]} for n in range(count)}
    schema = {"$ref": "#/$defs/d0", "$defs": ways}
    assert unfolds_to_too_much(schema)
    with pytest.raises(UnusableSchemaError, match="unfolds to"):
        check_against(schema, {})


def test_one_way_round_is_harmless() -> None:
    assert not unfolds_to_too_much({"$ref": "#"})
    assert not unfolds_to_too_much({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"anyOf": [{"$ref": "#"}]}}})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (TREE, tree_of(9)),
        (TREE, tree_of(2, width=60)),
        (DYNAMIC, nested(40, {})),
        ({"properties": {"a": HERE}}, nested(60)),
        ({"properties": {"a": {"anyOf": [{"type": "null"}, HERE]}}}, nested(60)),
        (inside(4, "allOf"), {"a": 1}),
        (below(40, "allOf"), nested(40, {})),
        ({"additionalProperties": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}},
         {f"k{n}": "a" * 60 for n in range(2000)}),
        ({"items": {"enum": [f"zone-{n}" for n in range(500)]}, "uniqueItems": True}, [f"zone-{n}" for n in range(500)]),
        ({"items": {"pattern": "^(?!latest$)"}}, [f"v{n}" for n in range(400)]),
    ],
)  # fmt: skip
def test_a_schema_that_only_looks_like_it_is_applied(schema: Any, value: Any) -> None:
    assert check_against(schema, value) == ()


def test_what_a_tree_of_nodes_refuses_is_said_at_its_place() -> None:
    value = tree_of(8)
    value["children"].append({"name": 7})
    (problem,) = check_against(TREE, value)
    assert problem.path == ("children", 2, "name")
    (refused,) = validate(chart(TREE), value)
    assert refused.path == ("children", 2, "name")


def test_errors_that_would_fill_the_memory_are_not_said() -> None:
    schema = {"allOf": [{"required": [f"x{n}"]} for n in range(3000)]}
    value = {f"k{n}": "v" * 100 for n in range(1000)}
    with pytest.raises(UnusableSchemaError, match="more places than can be said"):
        check_against(schema, value)
    (problem,) = validate(chart(schema), value)
    assert problem.in_chart


def test_of_many_problems_some_are_said() -> None:
    schema = {"additionalProperties": {"type": "string"}}
    problems = validate(chart(schema), {f"k{n:04}": n for n in range(2000)})
    assert len(problems) == 101
    assert (problems[0].path, problems[-1].path) == (("k0000",), ())
    assert "more values" in problems[-1].message


@pytest.mark.parametrize(
    ("pattern", "states"),
    [("", 0), ("abc", 3), (r"[^\]a-z]\d", 2), ("a{3}", 3), ("a{2,7}b", 8), ("(ab|c){10}", 40), ("((a{10}){10}){10}", 1000),
     ("a{0}", 1), (")(", 1), ("(" * 5000, 0)],
)  # fmt: skip
def test_the_states_of_a_pattern(pattern: str, states: int) -> None:
    assert pattern_states(pattern) == states


def test_the_bound_holds_by_itself_for_a_schema_without_references() -> None:
    few = Work({"items": {"allOf": [{"type": "integer"}] * 100}})
    assert not few.takes_too_long([0] * 1000)
    assert few.takes_too_long([0] * (MAX_STEPS // 150))


def test_a_hostile_schema_is_one_answer_at_the_place_that_names_it() -> None:
    schema, values = WITHOUT_END["all of itself twice"]
    files = company(helm={"chart": "charts/own", "values": values}, where=kubernetes(router=None))
    where = files["environments/production/environment.yaml"]
    assert isinstance(where, dict)
    where["targets"] = {"helm": {"namespace": "ml"}}
    files |= {
        "environments/production/recs/release.yaml": release(helm={"chart": "../../../charts/own", "values": values}),
        "charts/own/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n",
        "charts/own/values.schema.json": json.dumps(schema),
    }
    result = compiled(files)
    (found,) = [diagnostic for diagnostic in result.diagnostics if diagnostic.code == "RS530"]
    assert (found.file, found.range is None) == ("environments/production/recs/release.yaml", False)
    assert found.hint == "correct the chart's schema"
    assert not result.files
