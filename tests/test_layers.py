"""Layers: which one wins, what null removes, what is replaced whole, and where every value says it came from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from company import (
    SERVICE,
    Content,
    Map,
    base,
    compiled,
    compose,
    environment,
    objects,
    outputs,
    project,
    registry,
    release,
    said,
    tree,
    with_service,
    written,
)
from relspec.compiler import Compiler
from relspec.diagnostics import Path
from relspec.explain import field
from relspec.layers import ATOMS, WHOLE, Layer, Layers, deepest, long_form, merge

LEVELS = (
    "environments/outer/environment.yaml",
    "environments/outer/inner/environment.yaml",
    "bases/deep.yaml",
    "bases/near.yaml",
    "environments/outer/inner/recs/release.yaml",
    "variant",
)
"""The layers of a service, from the lowest to the highest."""

RELEASE = LEVELS[4]


def repository(*fields: Map | None) -> dict[str, Content]:
    """A release whose service `api` has one set of fields for each of LEVELS (None: nothing)."""
    outer, inner, deep, near, own, variant = (*fields, *([None] * (6 - len(fields))))
    service: Map = dict(own or {})
    if variant is not None:
        service |= {"variants": {"on": variant}, "active": "on"}
    return {
        ".gitignore": ".env\n",
        LEVELS[0]: compose("outer", defaults=outer or {}),
        LEVELS[1]: environment("inner", defaults=inner or {}),
        LEVELS[2]: base({"api": {"image": "a:1", **(deep or {})}}),
        LEVELS[3]: base({"api": near or {}}, extends="deep.yaml"),
        LEVELS[4]: release("recs", {"api": service}, extends="../../../../bases/near.yaml"),
        **registry("v1"),
    }


def api(*fields: Map | None) -> Map:
    """The compose service that these layers give."""
    found: Map = project(repository(*fields))["services"]["api"]
    return found


def codes(*fields: Map | None) -> list[str]:
    """What is said of these layers, but for the missing lock."""
    return [f"{d.code} {d.file}" for d in compiled(repository(*fields)).diagnostics if d.code not in ("RS619", "RS350")]


# --- precedence


@pytest.mark.parametrize("highest", range(6))
def test_the_highest_layer_wins(highest: int) -> None:
    fields = [{"env": {"LAYER": LEVELS[index]}} for index in range(highest + 1)]
    assert api(*fields)["environment"] == {"LAYER": LEVELS[highest]}


@pytest.mark.parametrize("skipped", range(6))
def test_a_layer_that_says_nothing_hides_nothing(skipped: int) -> None:
    fields = [None if index == skipped else {"env": {f"V{index}": "x", "ALL": str(index)}} for index in range(6)]
    assert api(*fields)["environment"] == {
        **{f"V{index}": "x" for index in range(6) if index != skipped},
        "ALL": "4" if skipped == 5 else "5",
    }


def test_maps_keep_the_order_of_first_appearance() -> None:
    names = list(
        api({"env": {"B": "1", "A": "1"}}, None, {"env": {"C": "2", "A": "2"}}, None, {"env": {"D": "3"}})[
            "environment"
        ]
    )
    assert names == ["B", "A", "C", "D"]


def test_the_candidate_is_a_patch_on_the_service_with_one_replica() -> None:
    patch = {"image": "a:2", "env": {"A": None, "B": "candidate"}, "labels": {"track": "candidate"}}
    own = {"replicas": 3, "env": {"A": "1", "B": "stable", "C": "1"}, "ports": {"http": 80}, "labels": {"team": "x"}}
    services = project(
        repository(None, None, None, None, {**own, "candidate": patch, "strategy": {"canary": {"weight": 5}}})
    )
    candidate, stable = services["services"]["api-candidate"], services["services"]["api"]
    assert candidate["environment"] == {"B": "candidate", "C": "1"}
    assert stable["environment"] == {"A": "1", "B": "stable", "C": "1"}
    assert candidate["labels"] == {"team": "x", "track": "candidate"}
    assert (stable["deploy"]["replicas"], "deploy" in candidate) == (3, False)


def test_overrides_come_after_everything() -> None:
    patch = {"overrides": {"compose": {"service": {"environment": {"A": "override", "B": None}}}}}
    assert api(None, None, None, None, {"env": {"A": "1", "B": "1"}, **patch})["environment"] == {"A": "override"}


def test_a_services_override_comes_after_the_releases() -> None:
    files = with_service({"overrides": {"rollouts": {"pod": {"priorityClassName": "own"}}}})
    document = files["environments/production/recs/release.yaml"]
    assert isinstance(document, dict)
    document["overrides"] = {"rollouts": {"pod": {"priorityClassName": "all", "hostNetwork": False}}}
    pod = objects(files)["Rollout", "recs-api"]["spec"]["template"]["spec"]
    assert (pod["priorityClassName"], pod["hostNetwork"]) == ("own", False)


# --- null


@pytest.mark.parametrize(("lower", "upper"), list(combinations(range(6), 2)))
def test_null_removes_what_a_lower_layer_set(lower: int, upper: int) -> None:
    fields: list[Map | None] = [None] * 6
    fields[lower] = {"env": {"GONE": "1", "KEPT": "1"}, "labels": {"gone": "1"}, "writable": ["/tmp"]}
    fields[upper] = {"env": {"GONE": None}, "labels": {"gone": None}, "writable": None}
    found = api(*fields)
    assert found["environment"] == {"KEPT": "1"}
    assert "labels" not in found
    assert "tmpfs" not in found


@pytest.mark.parametrize("layer", range(6))
@pytest.mark.parametrize("patch", [{"env": {"A": None}}, {"writable": None}, {"labels": {"a": None}}, {"health": None}])
def test_null_that_removes_nothing_is_an_error_where_it_stands(layer: int, patch: Map) -> None:
    fields: list[Map | None] = [None] * 6
    fields[layer] = patch
    assert codes(*fields) == [f"RS211 {LEVELS[layer] if layer < 5 else RELEASE}"]


@pytest.mark.parametrize("where", ["service", "environment"])
def test_a_whole_service_or_a_target_can_be_removed(where: str) -> None:
    files = repository()
    document = files[RELEASE if where == "service" else LEVELS[1]]
    assert isinstance(document, dict)
    if where == "service":
        document["services"] = {"api": None, "web": {"image": "w:1"}}
        assert set(project(files)["services"]) == {"web"}
    else:
        document["targets"] = {"compose": None}
        assert not compiled(files).files


def test_a_null_in_a_list_is_an_error() -> None:
    assert codes(None, None, None, None, {"args": ["a", None]}) == [f"RS104 {RELEASE}"]


# --- kinds


@pytest.mark.parametrize(("lower", "upper"), [("text", {"environment": "name"}), ({"environment": "name"}, "text")])
def test_a_values_kind_does_not_change_between_layers(lower: Any, upper: Any) -> None:
    assert codes(None, None, {"env": {"A": lower}}, None, {"env": {"A": upper}}) == [f"RS210 {RELEASE}"]


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ({"ports": {"http": 80}}, {"ports": {"http": {"port": 81}}}),
        ({"ports": {"http": {"port": 80}}}, {"ports": {"http": 81}}),
        ({"resources": {"gpu": 1}}, {"resources": {"gpu": {"count": 2}}}),
        ({"resources": {"gpu": {"count": 2}}}, {"resources": {"gpu": 1}}),
        ({"dependsOn": ["api2"]}, {"dependsOn": {"api2": "started"}}),
        ({"dependsOn": {"api2": "started"}}, {"dependsOn": ["api2"]}),
        ({"replicas": 2}, {"replicas": {"min": 1, "max": 2, "cpu": 70}}),
        ({"replicas": {"min": 1, "max": 2, "cpu": 70}}, {"replicas": 2}),
    ],
)
def test_short_forms_count_as_their_long_form_and_whole_fields_are_free(lower: Map, upper: Map) -> None:
    files = repository(None, None, lower, None, upper)
    document = files[RELEASE]
    assert isinstance(document, dict)
    document["services"]["api2"] = {"image": "b:1"}
    assert [line for line in said(compiled(files)) if not line.startswith("RS619")] == []


def test_short_forms_merge_field_by_field() -> None:
    lower = {"ports": {"http": {"port": 80, "publish": 8000}}}
    assert api(None, None, lower, None, {"ports": {"http": 81}})["ports"][0] == {
        "target": 81,
        "published": "8000",
        "host_ip": "127.0.0.1",
        "protocol": "tcp",
    }


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ({"health": {"path": "/a", "period": "7s"}, "ports": {"http": 80}}, {"health": {"tcp": 80}}),
        ({"strategy": {"canary": {"weight": 5}}}, {"strategy": {"shadow": {"writes": "allowed"}}}),
    ],
)
def test_whole_fields_are_replaced_whole(lower: Map, upper: Map) -> None:
    more = {"ports": {"http": 80}, "candidate": {"image": "a:2"}} if "strategy" in lower else {}
    mixed = outputs(repository(None, None, lower, None, {**more, **upper}))
    alone = outputs(repository(None, None, {k: v for k, v in lower.items() if k not in WHOLE}, None, {**more, **upper}))
    assert mixed == alone


def test_a_list_is_replaced_whole() -> None:
    assert api({"writable": ["/a", "/b"]}, None, None, None, {"writable": ["/c"]})["tmpfs"] == ["/c"]


def test_the_variants_of_a_base_are_patches_with_their_nulls() -> None:
    lower = {"env": {"A": "1", "B": "1"}, "variants": {"on": {"env": {"A": None}}}}
    upper = {"variants": {"on": {"env": {"B": "variant"}}}, "active": "on"}
    assert api(None, None, lower, None, upper)["environment"] == {"B": "variant"}


# --- properties


NAMES = st.sampled_from(["a", "b", "c", "d"])
LEAVES = st.one_of(st.integers(0, 3), st.text("xyz", max_size=2), st.lists(st.integers(0, 3), max_size=2))
MAPS = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=3),
    lambda inner: st.dictionaries(NAMES, st.one_of(LEAVES, inner), max_size=3),
    max_leaves=8,
)


def layered(*datas: Map) -> tuple[Layers, list[str]]:
    """The maps over each other, and the codes of what is wrong."""
    problems: list[Any] = []
    merged = merge([Layer(str(number), f"{number}.yaml", (), data) for number, data in enumerate(datas)], problems)
    return merged, [problem.code for problem in problems]


def leaves(node: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of everything that is no map."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


@settings(max_examples=60, deadline=None)
@given(MAPS)
def test_a_layer_over_itself_changes_nothing(data: Map) -> None:
    assert layered(data, data)[0].merged == data
    assert layered(data, {})[0].merged == data
    assert layered({}, data)[0].merged == data


@settings(max_examples=100, deadline=None)
@given(MAPS, MAPS, MAPS)
def test_merging_is_associative_where_kinds_agree(one: Map, two: Map, three: Map) -> None:
    whole, problems = layered(one, two, three)
    left = layered(layered(one, two)[0].merged, three)[0].merged
    assert whole.merged == left
    right, wrong = layered(two, three)
    if not problems and not wrong:
        assert layered(one, right.merged)[0].merged == whole.merged


@settings(max_examples=100, deadline=None)
@given(MAPS, MAPS)
def test_every_value_comes_from_the_layer_that_wrote_it(lower: Map, upper: Map) -> None:
    merged, problems = layered(lower, upper)
    for path in leaves(merged.merged):
        origin = merged.origin(path)
        if origin is None or problems:
            continue
        node: Any = origin.data
        for step in path:
            node = node[step]
        result: Any = merged.merged
        for step in path:
            result = result[step]
        assert node == result or isinstance(node, dict)
        assert origin.name == ("1" if deepest(upper, path) == len(path) else "0")


@settings(max_examples=60, deadline=None)
@given(MAPS, MAPS)
def test_merging_changes_none_of_its_inputs(lower: Map, upper: Map) -> None:
    before = repr((lower, upper))
    layered(lower, upper)
    assert repr((lower, upper)) == before


PORTS = st.dictionaries(
    NAMES, st.one_of(st.integers(1, 9), st.fixed_dictionaries({"port": st.integers(1, 9)})), max_size=3
)


@settings(max_examples=40, deadline=None)
@given(PORTS, st.lists(NAMES, unique=True, max_size=3))
def test_the_long_form_of_a_long_form_is_itself(ports: Map, depends_on: list[str]) -> None:
    once = long_form({"ports": ports, "dependsOn": depends_on, "resources": {"gpu": 1}})
    assert long_form(once) == once


def test_whole_and_atomic_fields_are_fields_of_a_service() -> None:
    from relspec.spec.service import ServicePatch

    known = {info.alias or name for name, info in ServicePatch.model_fields.items()}
    assert known >= WHOLE | ATOMS


# --- explain


def test_explain_names_the_layer_that_wrote_each_value_and_those_it_overrides() -> None:
    fields: list[Map | None] = [{"env": {"A": str(number)}, "labels": {f"l{number}": "x"}} for number in range(5)]
    files = repository(*fields)
    compiler = Compiler(tree(files))
    resolved = compiler.release(compiler.found.releases[0]).release
    assert resolved is not None
    explained = field(resolved, "api.env.A")
    assert explained.value == "4"
    assert [source.where.file for source in explained.sources] == list(reversed(LEVELS[:5]))
    assert [source.value for source in explained.sources] == ["4", "3", "2", "1", "0"]
    line_and_column = compiler.positions()
    for number in range(5):
        (source,) = field(resolved, f"api.labels.l{number}").sources
        assert source.where.file == LEVELS[number]
        line, _ = line_and_column(source.where)
        assert f"l{number}: x" in files_text(files, LEVELS[number]).splitlines()[line - 1]


def files_text(files: dict[str, Content], path: str) -> str:
    """A file's text."""
    return written(files[path]).decode()


def test_every_leaf_of_a_service_is_explained_by_a_line_that_says_it() -> None:
    """Not only the examples: whatever is in the merged service, the position found shows its key or value."""
    fields: list[Map | None] = [
        {"env": {"A": "one"}, "replicas": 2},
        {"env": {"B": "two"}, "resources": {"cpu": "100m"}},
        {"ports": {"http": 8080}, "resources": {"memory": "1Gi"}},
        {"health": {"path": "/ready", "period": "7s"}},
        {
            "env": {"A": "five"},
            "labels": {"team": "x"},
            "files": {"/etc/a": {"content": "b"}},
            "writable": ["/tmp", "/var"],
        },
    ]
    files = repository(*fields)
    compiler = Compiler(tree(files))
    resolved = compiler.release(compiler.found.releases[0]).release
    assert resolved is not None
    service = resolved.services["api"]
    line_and_column = compiler.positions()
    seen = 0
    for path in leaves(service.layers.merged):
        place = service.where(path)
        line, column = line_and_column(place)
        text = files_text(files, place.file).splitlines()[line - 1][column - 1 :]
        value: Any = service.layers.merged
        for step in path:
            value = value[step]
        expected = str(value[0]) if isinstance(value, list) else str(value)
        assert expected in text, (path, place, text)
        seen += 1
    assert seen >= 12


def test_the_good_service_has_nothing_wrong() -> None:
    assert not compiled(with_service(SERVICE)).diagnostics
