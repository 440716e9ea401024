"""Charts as Helm sees them: what is loaded, coalesced, refused; the packaged chart and the scaffold."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from relspec.diagnostics import RelspecError, Severity, Where
from relspec.documents import MAX_NODES, needs_careful
from relspec.render import TemplateSet
from relspec.schema_checks import UnusableSchemaError, check_against, compose_schema, object_schema
from relspec.schema_cost import unfolds_to_too_much
from relspec.targets.helm.chart import (
    Chart,
    load_chart,
    missing_dependencies,
    reference_chart,
    reference_chart_folder,
)
from relspec.targets.helm.coalescing import NotATableError
from relspec.targets.helm.context import context_schema
from relspec.targets.helm.helm_yaml import HelmYamlError, read, read_carefully
from relspec.targets.helm.values import coalesce, inexact_numbers, unread_values, validate
from relspec.targets.helm.version_range import accepts
from relspec.tree import DirectoryTree, MemoryTree

ROOT = Path(__file__).parents[1]
CHARTS = Path(__file__).parent / "fixtures" / "charts"
Files = dict[str, str]


def fixture(name: str) -> Chart:
    return load_chart(DirectoryTree(CHARTS), name)


def in_memory(files: Mapping[str, str | bytes], path: str = "chart") -> Chart:
    """The chart made of `files`, whose names are relative to its folder."""
    contents = {f"{path}/{name}": text if isinstance(text, bytes) else text.encode() for name, text in files.items()}
    return load_chart(MemoryTree(contents), path)


def simple(values: str = "", schema: str = "", **more: str) -> Files:
    files = {"Chart.yaml": "apiVersion: v2\nname: simple\nversion: 0.1.0\n", "values.yaml": values, **more}
    return {**files, "values.schema.json": schema} if schema else files


# -- loading


def test_a_chart_is_loaded_with_its_subcharts() -> None:
    chart = fixture("family")
    assert (chart.name, chart.version) == ("family", "1.2.3")
    assert [subchart.name for subchart in chart.subcharts] == ["cache", "spare", "web"]
    assert [subchart.name for subchart in chart.subcharts[2].subcharts] == ["leaf"]
    assert [dependency.label for dependency in chart.dependencies] == ["hot", "cold", "web", "spare"]
    assert chart.schema is not None
    assert chart.reads is None


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"README.md": "no chart"}, "there is no chart in chart"),
        ({"Chart.yaml": "name: [a"}, "Helm can't read chart/Chart.yaml:1"),
        ({"Chart.yaml": "version: 0.1.0"}, "no valid name"),
        ({"Chart.yaml": "name: a\nversion: one"}, "no valid version"),
        ({"Chart.yaml": "name: a\nversion: 1.0.0\ntype: plugin"}, "neither application nor library"),
        (simple("- a list"), "values.yaml is not a map"),
        (simple("a: &x [*x]"), "anchor 'x' contains itself"),
        (simple("a: .nan"), "NaN"),
        (simple('a: 1\nb: "\\U00110000"'), "values.yaml:2: an escape that stands for no character"),
        (simple('a: "\\UFFFFFFFF"'), "values.yaml:1: an escape that stands for no character"),
        (simple('a: "\\ud800"'), "values.yaml:1: an escape that stands for no character"),
        (simple("a: !!binary é"), "values.yaml:1: !!binary is not base64"),
        (simple("a: 1\nb: \x01"), "values.yaml:2: a character that YAML does not allow"),
        (simple(f"a: [{'~,' * MAX_NODES}]"), "values.yaml:1: it has more than 40,000 maps"),
        ({"Chart.yaml": 'name: "\\U00110000"'}, "Chart.yaml:1: an escape that stands for no character"),
        (simple("a: 1", "[" * 100_000), "values.schema.json is not JSON: it is nested too deep"),
        (simple("a: 1", "9" * 10_000), "values.schema.json is not JSON: a number has too many digits"),
        (simple("a: 1", "{"), "values.schema.json is not JSON"),
        (simple(**{"charts/notes.txt": "hello"}), "Helm takes chart/charts/notes.txt for a chart"),
        (simple(**{"charts/a/values.yaml": "a: 1"}), "there is no chart in chart/charts/a"),
        (simple(**{"charts/a-1.tgz": "not gzip"}), "can't be unpacked"),
        ({"Chart.yaml": "name: a\nversion: 1.0.0\ndependencies: [{name: b}, {name: b}]"}, "two dependencies called b"),
        ({"Chart.yaml": "name: a\nversion: 1.0.0\ndependencies: [{name: b, alias: b/c}]"}, "is not valid"),
    ],
)
def test_what_helm_would_not_load_is_refused(files: Files, says: str) -> None:
    with pytest.raises(RelspecError) as caught:
        in_memory(files)
    finding = caught.value.findings[0]
    assert finding.code == "RS530"
    assert says in finding.message
    assert finding.hint


def test_a_missing_chart_is_reported_where_the_spec_names_it() -> None:
    where = Where("environments/production/environment.yaml", ("targets", "helm", "chart"))
    with pytest.raises(RelspecError) as caught:
        load_chart(MemoryTree({}), "charts/gone", origin=where)
    assert caught.value.findings[0].where == where


def test_a_packaged_subchart_is_read() -> None:
    inner = {"sub/Chart.yaml": "name: sub\nversion: 1.0.0\n", "sub/values.yaml": "size: 3\n"}
    chart = in_memory({**simple(), "charts/sub-1.0.0.tgz": archive(inner)})
    assert coalesce(chart, {}) == {"sub": {"size": 3, "global": {}}}


def test_a_packaged_subchart_is_bounded() -> None:
    bomb = gzip.compress(b"\0" * (17 * 1024 * 1024))
    with pytest.raises(RelspecError, match="more than 16 MiB"):
        in_memory({**simple(), "charts/sub-1.0.0.tgz": bomb})


def archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            packed.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_a_dependency_that_is_not_vendored_is_a_note() -> None:
    chart = in_memory({"Chart.yaml": "name: a\nversion: 1.0.0\ndependencies: [{name: redis, version: 1.x, alias: db}]"})
    (note,) = missing_dependencies(chart, Where("environment.yaml"))
    assert (note.code, note.severity) == ("RS532", Severity.NOTE)
    assert "values for db are not checked" in note.message
    assert validate(chart, {"db": {"size": 1}}) == ()
    assert missing_dependencies(fixture("family"), Where("environment.yaml")) == ()


# -- YAML as Helm reads it


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("y", True),
        ("~", None),
        ("", None),
        ("010", 8),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b11", -3),
        ("08", 8),
        ("1_000", 1000),
        ("1.50", 1.5),
        ("1.0", 1),
        (".5e1", 5),
        ("1e999", "1e999"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("'yes'", "yes"),
        ("!!str 12", "12"),
        ("!!float 3", 3),
        ("!custom 12", "12"),
        ("9007199254740993", 9007199254740992),
        ("{1: a, 1.5: b, on: c}", {"1": "a", "1.5": "b", "true": "c"}),
        ("{a: 1, a: 2}", {"a": 2}),
        ("9" * 5000, "9" * 5000),
        ("{1e300: a, -1e39: b, 3.4e38: c}", {".inf": "a", "-.inf": "b", "3.4e+38": "c"}),
        ("[1, ~]\n---\nsecond", [1, None]),
    ],
)
def test_yaml_is_read_as_helm_reads_it(text: str, value: object) -> None:
    found = read(text.encode())
    assert found == value
    assert type(found) is type(value)


FAST = [
    "a: 1\nb: [1, 2.50, text]\nc:\n  d: hello world\n  e: 'it''s'\n",
    "a: 1.0\nb: 100000000000000000\nc: -0.5\n",
    "a: true\nb: null\nc: {d: e}\n# end\n",
    "a: 1\na: 2\n",
    *(path.read_text() for path in sorted(CHARTS.rglob("*.yaml")) if "templates" not in path.parts),
    (ROOT / "templates/helm/reference/values.yaml").read_text(),
]


@pytest.mark.parametrize("text", FAST)
def test_the_fast_parser_reads_the_same(text: str) -> None:
    found = read(text.encode())
    assert found == read_carefully(text)
    assert json.dumps(found) == json.dumps(read_carefully(text))


def test_the_fast_parser_is_used() -> None:
    assert not needs_careful(FAST[0].encode())


def test_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(HelmYamlError, match="too many aliases"):
        read("\n".join(lines).encode())


def test_depth_is_bounded() -> None:
    with pytest.raises(HelmYamlError, match="nested more than"):
        read(b"[" * 200)


@pytest.mark.parametrize(
    ("version_range", "version", "inside"),
    [
        ("1.2.3", "1.2.3", True),
        ("1.2.3", "1.2.4", False),
        ("1.x", "1.9.0", True),
        ("~1.2", "1.3.0", False),
        ("^0.2", "0.2.9", True),
        ("^0.2", "0.3.0", False),
        (">=1.0.0, <2", "1.5.0", True),
        (">=1.0.0 <2", "2.0.0", False),
        ("1.0 - 1.4", "1.4.9", True),
        ("<1 || >2", "3.0.0", True),
        ("!=1.2.x", "1.2.5", False),
        (">1.1", "1.1.5", False),
        ("*", "1.0.0-rc.1", False),
        (">=1.0.0-0", "1.0.0-rc.1", True),
        ("", "1.0.0", False),
        ("nonsense", "1.0.0", False),
        ("*", "v1.2", True),
    ],
)
def test_version_ranges(version_range: str, version: str, inside: bool) -> None:
    assert accepts(version_range, version) is inside


# -- coalescing and validation


def test_null_removes_a_default_and_lists_replace() -> None:
    chart = in_memory(simple("probe: {httpGet: {path: /}}\nargs: [a, b]\nkeep: 1\n"))
    assert coalesce(chart, {"probe": {"httpGet": None, "exec": {}}, "args": []}) == {
        "probe": {"exec": {}},
        "args": [],
        "keep": 1,
    }


def test_nothing_given_is_changed() -> None:
    chart = fixture("family")
    given = {"web": {"leaf": {"depth": None}}, "global": {"tier": {"size": 9}}, "hot": {"size": 1}}
    before = json.dumps(given)
    defaults = json.dumps(chart.values)
    coalesce(chart, given)
    validate(chart, given)
    assert json.dumps(given) == before
    assert json.dumps(chart.values) == defaults


@pytest.mark.parametrize(
    "schema",
    [
        '{"properties": {"apiKey": {"maxLength": 3}}}',
        '{"type": "array"}',
        '{"properties": {"url": {"maxLength": 3}}}',
    ],
)
def test_a_refused_secret_is_not_repeated(schema: str) -> None:
    chart = in_memory({"Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "values.schema.json": schema})
    (problem,) = validate(chart, {"apiKey": "hunter2-S3cr3t", "url": "postgres://user:hunter2-S3cr3t@db/x"})
    assert "hunter2" not in problem.message
    assert "the schema's rule" in problem.message


def test_a_value_in_the_place_of_a_subcharts_values() -> None:
    chart = fixture("family")
    with pytest.raises(NotATableError):
        coalesce(chart, {"web": 3})
    (problem,) = validate(chart, {"web": 3})
    assert problem.path == ("web",)


def test_problems_point_into_the_given_values() -> None:
    values = {"hot": {"size": 0}, "global": {"region": "mars"}, "limits": {"cpu": 10}, "tags": {"extra": True}}
    problems = validate(fixture("family"), values)
    assert [(problem.chart, problem.path) for problem in problems] == [
        ("family", ("limits", "cpu")),
        ("hot", ("global", "region")),
        ("hot", ("hot", "size")),
        ("cold", ("global", "region")),
    ]
    assert "10" in problems[0].message


def test_an_unknown_value_is_named_itself() -> None:
    (problem,) = validate(fixture("grown"), {"image": {"tag": "1", "registry": "ghcr.io"}})
    assert problem.path == ("image", "registry")
    assert problem.message == "registry is not a value of this chart"


def test_of_alternatives_the_closest_is_reported() -> None:
    (problem,) = validate(fixture("grown"), {"env": [{"name": "PORT", "value": 8080}]})
    assert problem.path == ("env", 0, "value")
    assert "string" in problem.message


@pytest.mark.parametrize(
    "schema",
    [
        '{"$ref": "https://schemas.invalid/x.json"}',
        '{"$ref": "other.json"}',
        '{"properties": {"a": {"pattern": "(?=x)"}}}',
        '{"type": 12}',
        '{"$schema": "https://schemas.invalid/draft"}',
    ],
)
def test_a_schema_that_cannot_be_used_is_the_charts_problem(schema: str) -> None:
    (problem,) = validate(in_memory(simple("a: x", schema)), {})
    assert problem.in_chart
    assert "values.schema.json" in problem.message
    assert "Error" not in problem.message


def test_whatever_else_a_chart_holds_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relspec.targets.helm.helm_yaml._scalar", lambda *_: 1 // 0)
    with pytest.raises(HelmYamlError, match="can't be read as YAML") as error:
        read_carefully("# c\na: b\n")
    assert error.value.line == 2


def doubling(first: str = "#/definitions/", **top: Any) -> str:
    """A schema that applies `a40` 2**40 times."""
    steps = {f"a{n}": {"allOf": [{"$ref": f"{first}a{n + 1}"}] * 2} for n in range(40)}
    return json.dumps({"$ref": f"{first}a0", "definitions": {**steps, "a40": {}}, **top})


@pytest.mark.parametrize(
    "schema",
    [
        doubling(),
        doubling("x/../s.json#/definitions/", **{"$id": "http://e.invalid/s.json"}),
        doubling("#/%64efinitions/"),
    ],
)
def test_a_schema_that_doubles_is_not_applied(schema: str) -> None:
    with pytest.raises(RelspecError) as caught:
        in_memory(simple("a: x", schema))
    (finding,) = caught.value.findings
    assert (finding.code, "100,000" in finding.message) == ("RS530", True)
    with pytest.raises(UnusableSchemaError, match="100,000"):
        check_against(json.loads(schema), {})


def test_a_schema_that_refers_to_itself_is_applied() -> None:
    schema = '{"properties": {"a": {"$ref": "#"}, "b": {"type": "string"}}}'
    (problem,) = validate(in_memory(simple("c: x", schema)), {"a": {"a": {"b": 1}}})
    assert problem.path == ("a", "a", "b")


def test_the_largest_schemas_in_use_are_far_from_the_bound() -> None:
    assert not unfolds_to_too_much(compose_schema())
    assert not unfolds_to_too_much(object_schema("argoproj.io/v1alpha1/Rollout", "1.34"))


@pytest.mark.parametrize("name", ["values.yaml", "values.schema.json", "requirements.yaml"])
def test_a_link_in_a_chart_is_not_passed_over(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"chart/Chart.yaml": "name: a\nversion: 1.0.0\n", "elsewhere": "{}"})
    (tmp_path / "chart" / name).symlink_to("../elsewhere")
    with pytest.raises(RelspecError) as caught:
        load_chart(DirectoryTree(tmp_path), "chart", origin=Where("environment.yaml"))
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file) == ("RS241", f"chart/{name}")


def test_a_costly_pattern_costs_little() -> None:
    chart = in_memory(simple("a: x", '{"properties": {"a": {"pattern": "^(a+)+$"}}}'))
    (problem,) = validate(chart, {"a": "a" * 5000 + "!"})
    assert problem.path == ("a",)
    assert len(problem.message) <= 300


def test_values_that_no_template_reads() -> None:
    chart = fixture("created")
    assert unread_values(chart, {"replicaCount": 2, "env": [{"name": "A"}], "args": [], "podLabels": {}}) == ("env",)
    assert unread_values(fixture("grown"), {"env": [{"name": "A"}], "model": {"name": "als"}}) == ()
    assert unread_values(fixture("family"), {"anything": 1}) == ()
    library = {
        "charts/lib/Chart.yaml": "name: lib\nversion: 1.0.0",
        "charts/lib/templates/_a.tpl": "{{ .Values.fromLib }}",
    }
    assert unread_values(in_memory({**simple("a: 1"), **library}), {"a": 1, "fromLib": 1, "lib": {}, "b": 1}) == ("b",)
    absent = {"Chart.yaml": "name: a\nversion: 1.0.0\ndependencies: [{name: lib}]"}
    assert unread_values(in_memory(absent), {"b": 1}) == ()


def test_numbers_that_helm_would_change() -> None:
    values = {"a": [2**53, 2**53 + 1], "b": {"c": -(2**63) - 1}, "d": 10**22, "e": True, "f": 1.5}
    assert inexact_numbers(values) == (("a", 1), ("b", "c"))


# -- the same by the real Helm


@cache
def helm_program() -> str | None:
    own = ROOT / ".tools" / "bin" / "helm"
    return str(own) if own.exists() else shutil.which("helm")


@pytest.fixture
def helm(tmp_path: Path) -> Any:
    """Runs Helm on a chart folder with values, in a home of its own; gives the finished process."""
    program = helm_program()
    if program is None:
        pytest.fail("helm is not installed: run tools/judges")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}

    def run(verb: str, chart: Path, values: Any = None, *more: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "given.yaml"
        file.write_text(values if isinstance(values, str) else json.dumps(values or {}, ensure_ascii=False))
        name = ["release"] if verb == "template" else []
        command = [program, verb, *name, str(chart), "-f", str(file), *more]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)

    return run


def printed(process: subprocess.CompletedProcess[str]) -> Any:
    """`.Values` as the debugging template printed them."""
    return json.loads(process.stdout.split("values: ", 1)[1].splitlines()[0])


FAMILY_VALUES: list[Any] = [
    {},
    {"hot": {"enabled": False}},
    {"hot": {"enabled": "no"}, "family": {"hot": False}},
    {"tags": {"extra": True}},
    {"tags": {"slow": True}},
    {"tags": {"slow": 1}},
    {"tags": None},
    {"spare": {"enabled": True, "size": None}},
    {"web": {"leaf": {"enabled": False}}},
    {"web": {"leaf": None}},
    {"web": None},
    {"web": {"exports": None, "replicas": 5}},
    {"limits": None},
    {"limits": {"memory": None, "cpu": 9}},
    {"limits": {"cpu": 10}},
    {"limits": {"cpu": "5"}},
    {"limits": {"cpu": 5.0}},
    {"when": "10.0.0.1"},
    {"when": "tomorrow"},
    {"octal": 9},
    {"global": None},
    {"global": 5},
    {"global": {"region": "mars"}},
    {"global": {"tier": None}},
    {"global": {"tier": {"colour": "red", "name": None}}},
    {"hot": {"global": {"region": "us", "own": 1}}},
    {"hot": {"policy": None}},
    {"hot": {"policy": {"evict": None}}},
    {"hot": {"size": 0}},
    {"cold": {"size": "big"}, "tags": {"slow": True}},
    {"cache": {"size": "big"}},
    {"base": {"b": None}, "copy": {"b": {"c": None}}, "nothing": 1},
    {"base": 3, "octal": {"a": 1}},
    {"deep": {"null": None, "list": [None, {"a": None}]}},
    {"big": 2**60 + 1, "float": 1e22, "small": 1e-9, "minus": -0.0},
]


@pytest.mark.judge
@pytest.mark.parametrize("values", FAMILY_VALUES, ids=json.dumps)
def test_helm_agrees_on_a_family_of_charts(helm: Any, values: Any) -> None:
    agree(helm, CHARTS / "family", fixture("family"), values)


def agree(helm: Any, folder: Path, chart: Chart, values: Any) -> None:
    """Helm fails iff there is a problem; else its templates see what `coalesce` says."""
    process = helm("template", folder, values)
    problems = validate(chart, values)
    assert (process.returncode != 0) == bool(problems), (problems, process.stderr)
    if not problems:
        assert printed(process) == coalesce(chart, values)


GROWN_VALUES: list[tuple[Any, bool]] = [
    ({}, True),
    ({"replicaCount": 0}, True),
    ({"replicaCount": 2.0}, True),
    ({"replicaCount": -1}, False),
    ({"replicaCount": None}, False),
    ({"image": {"tag": "a b"}}, False),
    ({"image": {"tag": None}}, False),
    ({"image": {"registry": "ghcr.io"}}, False),
    ({"service": {"port": 65536}}, False),
    ({"env": [{"name": "A", "value": 1}]}, False),
    ({"env": [{"name": "A", "value": "1"}]}, True),
    ({"env": [{"name": "A", "value": "1", "valueFrom": {}}]}, False),
    ({"unknown": 1}, False),
    ({"unknown": None}, False),
    ({"startupProbe": None}, True),
    ({"podLabels": {"a": True}}, False),
    ({"global": {"a": 1}}, True),
]


@pytest.mark.judge
@pytest.mark.parametrize(("values", "fits"), GROWN_VALUES, ids=json.dumps)
def test_helm_agrees_on_a_strict_schema(helm: Any, values: Any, fits: bool) -> None:
    assert (helm("template", CHARTS / "grown", values).returncode == 0) is fits
    assert (validate(fixture("grown"), values) == ()) is fits


SCHEMAS: list[tuple[str, Any, bool]] = [
    ('{"properties": {"a": {"pattern": "^\\\\d+$"}}}', {"a": "12"}, True),
    ('{"properties": {"a": {"pattern": "^\\\\d+$"}}}', {"a": "١٢"}, False),
    ('{"properties": {"a": {"pattern": "^x$"}}}', {"a": "x\n"}, False),
    ('{"properties": {"a": {"pattern": "(?=x)"}}}', {"a": "x"}, False),
    ('{"properties": {"a": {"format": "ipv4"}}}', {"a": "x"}, True),
    (
        '{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"format": "email"}}}',
        {"a": "x"},
        False,
    ),
    (
        '{"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"type": "integer"}}}',
        {"a": 1.0},
        True,
    ),
    (
        '{"$schema": "http://json-schema.org/draft-04/schema#",'
        ' "properties": {"a": {"minimum": 1, "exclusiveMinimum": true}}}',
        {"a": 1},
        False,
    ),
    ('{"$schema": "https://json-schema.org/draft/2019-09/schema", "unevaluatedProperties": false}', {"a": 1}, False),
    ('{"$defs": {"n": {"type": "number"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}', {"a": "1"}, False),
    ('{"$ref": "missing.json"}', {}, False),
    ('{"if": {"required": ["a"]}, "then": {"required": ["b"]}}', {"a": 1}, False),
    ('{"properties": {"a": {"multipleOf": 0.1}}}', {"a": 0.3}, True),
    ('{"properties": {"a": {"maxLength": 1}}}', {"a": "é"}, True),
    ('{"properties": {"a": {"uniqueItems": true}}}', {"a": [1, 1.0]}, False),
    ('{"properties": {"a": {"const": 1}}}', {"a": 1.0}, True),
    ("true", {"a": 1}, True),
    ("false", {}, False),
]


@pytest.mark.judge
@pytest.mark.parametrize(("schema", "values", "fits"), SCHEMAS)
def test_helm_agrees_on_what_a_schema_means(helm: Any, tmp_path: Path, schema: str, values: Any, fits: bool) -> None:
    files = simple("b0: 1", schema)
    write(tmp_path / "simple", files)
    process = helm("template", tmp_path / "simple", values)
    assert (process.returncode == 0) is fits, process.stderr
    assert (validate(in_memory(files), values) == ()) is fits


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


PIECES = [
    "0",
    "1",
    "7",
    "8",
    "12",
    "_",
    ".",
    "e",
    "E",
    "+",
    "-",
    "x",
    "o",
    "b",
    "F",
    "inf",
    "n",
    "y",
    "~",
    ":",
    "T",
    "Z",
]


@pytest.mark.judge
def test_helm_agrees_on_what_a_scalar_means(helm: Any, tmp_path: Path) -> None:
    source = random.Random(7)
    plain = {"".join(source.choices(PIECES, k=source.randint(1, 6))) for _ in range(3000)}
    scalars = sorted(
        text for text in plain if not text.startswith(("-:", ":")) and not text.endswith(":") and text != "-"
    )
    dates = ["2024-1-2", "2024-01-02T10:11:12Z", "2024-01-02 10:11:12", "24-01-02", "2024-13-99"]
    words = [
        "yes",
        "No",
        "ON",
        "tRue",
        "False",
        "null",
        "NULL",
        "Null",
        "~",
        "''",
        '"1"',
        "!!str 1",
        "!!float 1",
        "! 1",
    ]
    long = ["123456789012345678", "18446744073709551615", "18446744073709551616", "-9223372036854775809", "1" * 30]
    lines = [f"k{index}: {text}" for index, text in enumerate([*scalars, *dates, *words, *long])]
    text = "\n".join(line for line in lines if "inf" not in line)
    files = {**simple(text), "templates/values.yaml": "values: {{ .Values | toJson }}\n"}
    write(tmp_path / "simple", files)
    theirs = printed(helm("template", tmp_path / "simple"))
    ours = coalesce(in_memory(files), {})
    wrong = {
        line: theirs[line.split(":")[0]]
        for line in text.splitlines()
        if ours.get(k := line.split(":")[0], k) != theirs.get(k, k)
    }
    assert wrong == {}
    assert len(theirs) > 1500


@pytest.mark.judge
@pytest.mark.slow
def test_helm_agrees_on_random_families(helm: Any, tmp_path: Path) -> None:
    for seed in range(40):
        source = random.Random(seed)
        files = random_chart(source, "root", 2)
        files["templates/values.yaml"] = "values: {{ .Values | toJson }}\n"
        folder = tmp_path / str(seed)
        write(folder, files)
        agree(helm, folder, in_memory(files), random_values(source, 3))


WORDS = ["a", "b", "c", "sub", "x", "y1", "global", "tags"]


def random_values(source: random.Random, depth: int) -> dict[str, Any]:
    def value(left: int) -> Any:
        if left and source.random() < 0.6:
            return {word: value(left - 1) for word in source.sample(WORDS, source.randint(0, 4))}
        return source.choice([None, True, False, 1, 2.5, "text", [], [1, {"a": None}], {}])

    return {word: value(depth - 1) for word in source.sample(WORDS, source.randint(0, 6))}


def random_chart(source: random.Random, name: str, levels: int) -> Files:
    subcharts = source.sample(["a", "sub", "x"], source.randint(0, 3)) if levels else []
    dependencies = []
    for subchart in subcharts:
        for alias in source.choice([[], [""], [""], ["y1"], ["b", "c"] if levels == 1 else ["b"]]):
            dependency: dict[str, Any] = {
                "name": subchart,
                "version": source.choice(["*", "~1.0", ">2"]),
                "repository": "",
            }
            if alias:
                dependency["alias"] = alias
            if source.random() < 0.4:
                dependency["condition"] = source.choice([f"{alias or subchart}.a", "b", "x.y1,c"])
            if source.random() < 0.3:
                dependency["tags"] = source.sample(WORDS, 2)
            if source.random() < 0.4:
                dependency["import-values"] = [
                    source.choice(["a", {"child": "b", "parent": "c"}, {"child": "a", "parent": "."}])
                ]
            dependencies.append(dependency)
    labels: set[str] = set()
    unique = [
        d for d in dependencies if not (d.get("alias", d["name"]) in labels or labels.add(d.get("alias", d["name"])))
    ]
    files = {
        "Chart.yaml": json.dumps({"apiVersion": "v2", "name": name, "version": "1.0.1", "dependencies": unique}),
        "values.yaml": json.dumps(random_values(source, 3)),
    }
    for subchart in subcharts:
        for file, text in random_chart(source, subchart, levels - 1).items():
            files[f"charts/{subchart}/{file}"] = text
    return files


# -- the packaged chart


NASTY: list[Any] = [
    "{{ .Release.Name }}",
    "{{- fail \"no\" -}}",
    "$(POD) ${HOME} $$",
    "yes", "on", "n", "null", "~", "", " ", "1.10", "010", "0x1F", "1e3", "12:30", "2024-01-01", ".inf", "-", "- a", "a: b",
    "# no comment", "a #b", "'single'", '"double"', "back\\slash", "tab\there", "line\nbreak", "trailing\n", "\nleading",
    "---\n", "a\n---\nb", "...", "%TAG", "@at", "`tick`", "&a *a !a", "<<", "=", "|", ">", "?", "[", "{", "]", "}",
    " padded ", "x" * 500, "word " * 60, "é ü 漢字 🙂", "\u2028\u2029", "\ufeffbom", "\u00a0", "{\"json\": true}",
    0, -1, 1000000, 123456789, 2**31, 2**53, -(2**53), 0.1, 1.5, 1e-7, 1e21, 1.7976931348623157e308,
    True, False, None, [], {}, [[]], [{}], [None], {"": 1}, {"yes": 1, "1": 2, "a.b/c": 3, "{{": 4},
]  # fmt: skip


def config_map(name: str, value: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value, "after": "x"}}


@pytest.mark.judge
def test_the_packaged_chart_prints_objects_as_they_are(helm: Any) -> None:
    objects = [config_map(f"c{index:03}", value) for index, value in enumerate(NASTY)]
    process = helm("template", reference_chart_folder(), {"objects": objects})
    assert process.returncode == 0, process.stderr
    assert validate(reference_chart(), {"objects": objects}) == ()
    printed_objects = [document for document in parsed_by_helm(process.stdout) if document is not None]
    assert sorted(printed_objects, key=lambda found: found["metadata"]["name"]) == objects


def parsed_by_helm(text: str) -> list[Any]:
    """Documents that Helm printed, as Kubernetes' clients read them (the same YAML library)."""
    return [read(f"{part}\n".encode()) for part in text.split("\n---\n") if part.strip()]


@pytest.mark.judge
def test_the_packaged_chart_prints_what_other_parsers_read(helm: Any) -> None:
    objects = [config_map("numbers", [1000000, 5000000000, 2**53]), config_map("words", ["yes", "1e3", "010", "12:30"])]
    process = helm("template", reference_chart_folder(), {"objects": objects})
    assert list(yaml.safe_load_all(process.stdout)) == objects


@pytest.mark.judge
@pytest.mark.parametrize("character", ["\\x7f", "\\x01", "\\x85", "\\u2028", "\\ufeff", "\\ufffe"])
def test_a_character_that_yaml_lacks_is_refused_not_dropped(helm: Any, character: str) -> None:
    object_ = json.dumps(config_map("a", "here:")).replace("here:", f"here:{character}")
    process = helm("template", reference_chart_folder(), f'{{"objects": [{object_}]}}')
    if process.returncode == 0:
        assert parsed_by_helm(process.stdout) == [read(object_.encode())]
    else:
        assert "character that YAML does not have" in process.stderr


@pytest.mark.judge
def test_the_packaged_chart_passes_the_strict_lint(helm: Any) -> None:
    for values in ({}, {"objects": [config_map("a", "{{ b }}")]}):
        process = helm("lint", reference_chart_folder(), values, "--strict")
        assert process.returncode == 0, process.stdout


OBJECTS: list[tuple[Any, bool]] = [
    ([], True),
    ([config_map("a", 1)], True),
    ({}, False),
    ([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}], False),
    ([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}], False),
    ([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "A"}}], False),
    ([{"kind": "ConfigMap", "metadata": {"name": "a"}}], False),
    (["text"], False),
]


@pytest.mark.judge
@pytest.mark.parametrize(("objects", "fits"), OBJECTS)
def test_the_packaged_chart_takes_only_what_relspec_emits(helm: Any, objects: Any, fits: bool) -> None:
    assert (validate(reference_chart(), {"objects": objects}) == ()) is fits
    assert (helm("template", reference_chart_folder(), {"objects": objects}).returncode == 0) is fits


def test_the_packaged_chart_refuses_other_values() -> None:
    (problem,) = validate(reference_chart(), {"objects": [], "replicas": 3})
    assert problem.path == ("replicas",)
    assert validate(reference_chart(), {"objects": [], "global": {"region": "eu"}}) == ()


# -- the scaffold


def workload(**more: Any) -> dict[str, Any]:
    probe = {"httpGet": None, "exec": {"command": ["check"]}, "grpc": None, "tcpSocket": None}
    times = {"periodSeconds": 10, "timeoutSeconds": 3, "failureThreshold": 6}
    ports = [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    metrics = [{"name": "metrics", "containerPort": 9100, "protocol": "TCP"}]
    digest = "sha256:" + "ab" * 32
    return {
        "name": "api",
        "image": {
            "repository": "ghcr.io/acme/recs",
            "tag": "1.8.2",
            "digest": digest,
            "ref": f"ghcr.io/acme/recs:1.8.2@{digest}",
        },
        "model": {
            "name": "als",
            "version": "v0.3",
            "reference": "s3://models/als/v0.3",
            "uri": "s3://models/als/v0.3",
            "digest": None,
            "dataSnapshot": None,
            "codeCommit": None,
        },
        "env": [{"name": "LOG_LEVEL", "value": "1.10", "secret": None}],
        "files": [{"path": "/etc/app/config.yaml", "content": "a: {{ b }}\n", "digest": "0123456789"}],
        "ports": [{"name": "http", "port": 8080, "protocol": "http"}],
        "route": {"name": "http", "port": 8080, "protocol": "http"},
        "resources": {"requests": {"cpu": "500m"}, "limits": {}},
        "replicas": {"min": 2, "max": 10, "cpu": 70, "memory": None},
        "pod": {
            "labels": {"team": "recs"},
            "annotations": {"note": "yes"},
            "serviceAccount": None,
            "imagePullSecrets": [{"name": "ghcr"}],
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000650000},
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "runtimeClassName": None,
            "terminationGracePeriodSeconds": 30,
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "initContainers": [],
            "sidecars": [],
        },
        "container": {
            "command": ["python"],
            "args": ["--port", "8080"],
            "env": [{"name": "LOG_LEVEL", "value": "1.10"}],
            "ports": ports + metrics,
            "extraPorts": metrics,
            "resources": {"requests": {"cpu": "500m"}},
            "startupProbe": {**probe, **times},
            "readinessProbe": {**probe, **times},
            "livenessProbe": None,
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            "securityContext": {"readOnlyRootFilesystem": True},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        },
        **more,
    }


def context(**more: Any) -> dict[str, Any]:
    fixed = {"name": "fixed", "weight": 0, "stickyBy": None, "steps": [], "promote": None, "routing": "router"}
    gateway = {"name": "main", "namespace": "gateways"}
    service = {
        **workload(),
        "strategy": fixed,
        "candidate": None,
        "active": None,
        "expose": {"host": "recs.acme.example", "path": "/", "tls": None, "gateway": gateway},
        **more,
    }
    release = {"name": "recs", "environment": "production", "namespace": "ml-prod", "labels": {}}
    return {"release": release, "services": {"api": service}, "service": service}


def scaffolded(**more: Any) -> Any:
    """The scaffold's values for a service."""
    templates = TemplateSet(lambda name: (ROOT / "templates" / name).read_text())
    (values,) = templates.render("helm/scaffold.yaml.j2", context(**more), prune=False).documents
    return values


def test_the_context_of_this_test_is_the_published_one() -> None:
    import jsonschema

    jsonschema.validate(context(candidate=workload()), context_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**context(), "now": 1}, context_schema())


def test_every_key_of_the_context_is_always_there() -> None:
    schema = context_schema()
    for definition in [schema, *schema["$defs"].values()]:
        assert set(definition["required"]) == set(definition["properties"])
        assert definition["description"]
        assert all("description" in field for field in definition["properties"].values())


@pytest.mark.judge
def test_the_scaffold_fits_a_created_chart(helm: Any) -> None:
    values = scaffolded()
    assert validate(fixture("created"), values) == ()
    process = helm("template", CHARTS / "created", values)
    assert process.returncode == 0, process.stderr
    objects = {found["kind"]: found for found in parsed_by_helm(process.stdout) if found}
    pod = objects["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    assert container["image"] == values["image"]["repository"] + ":1.8.2@sha256:" + "ab" * 32
    assert "httpGet" not in container["readinessProbe"]
    assert container["readinessProbe"]["exec"] == {"command": ["check"]}
    assert "livenessProbe" not in container
    assert pod["spec"]["securityContext"]["runAsUser"] == 1000650000
    assert objects["HorizontalPodAutoscaler"]["spec"]["maxReplicas"] == 10
    assert objects["HTTPRoute"]["spec"]["hostnames"] == ["recs.acme.example"]
    assert objects["HTTPRoute"]["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert objects["Service"]["spec"]["ports"][0]["port"] == 8080
    assert set(unread_values(fixture("created"), values)) == {
        "startupProbe", "command", "args", "env", "extraPorts", "lifecycle", "terminationGracePeriodSeconds", "files", "model",
    }  # fmt: skip


@pytest.mark.judge
def test_the_scaffold_fits_a_chart_that_reads_all_of_it(helm: Any) -> None:
    values = scaffolded()
    assert validate(fixture("grown"), values) == ()
    assert unread_values(fixture("grown"), values) == ()
    process = helm("template", CHARTS / "grown", values)
    assert process.returncode == 0, process.stderr
    objects = {found["kind"]: found for found in parsed_by_helm(process.stdout) if found}
    container = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [
        {"name": "MODEL_REFERENCE", "value": "s3://models/als/v0.3"},
        {"name": "LOG_LEVEL", "value": "1.10"},
    ]
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert container["startupProbe"]["failureThreshold"] == 6
    assert [port["name"] for port in container["ports"]] == ["http", "metrics"]
    assert objects["ConfigMap"]["data"] == {"etc.app.config.yaml": "a: {{ b }}\n"}


def test_the_scaffold_of_a_plain_worker() -> None:
    values = scaffolded(
        model=None,
        route=None,
        expose=None,
        replicas={"min": 3, "max": 3, "cpu": None, "memory": None},
        image={"repository": "acme/worker", "tag": "", "digest": "sha256:00", "ref": "acme/worker@sha256:00"},
    )
    assert values["replicaCount"] == 3
    assert values["autoscaling"] == {"enabled": False}
    assert values["image"] == {"repository": "acme/worker@sha256", "tag": "00"}
    assert not {"service", "httpRoute", "model"} & values.keys()
    assert validate(fixture("grown"), values) == ()
