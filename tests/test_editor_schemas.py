"""The editor schemas: up to date, complete, and of one mind with the models that they were made from."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from click.testing import CliRunner
from hypothesis import example as with_example
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from relspec import documents, editor_schemas
from relspec.cli import relspec
from relspec.cli import schema as verb
from relspec.compiler import compile_tree
from relspec.diagnostics import RelspecError
from relspec.editor_schemas import CROSS_FIELD_CODES, KINDS
from relspec.reporters import json as json_report
from relspec.spec.environment import EnvironmentSpec
from relspec.spec.registry import Model, ModelVersion
from relspec.spec.release import Release
from relspec.spec.repository import Lock, Repository
from relspec.spec.validation import validate
from relspec.starter import example
from relspec.tree import MemoryTree

ROOT = Path(__file__).parent.parent
Node = dict[str, Any]
MODELS: Mapping[str, tuple[str, type[BaseModel]]] = {
    "Release": ("release", Release),
    "Environment": ("environment", EnvironmentSpec),
    "ModelVersion": ("model-version", ModelVersion),
    "Model": ("model", Model),
    "Repository": ("repository", Repository),
    "Lock": ("lock", Lock),
}


@cache
def python_validator(kind: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(editor_schemas.schema(kind))


@cache
def rust_validator(kind: str) -> jsonschema_rs.Draft7Validator:
    """The one whose regular expressions are ECMAScript's, as an editor's are."""
    return jsonschema_rs.Draft7Validator(editor_schemas.schema(kind))


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every map of a schema, with where it is."""
    if isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            if key not in ("examples", "default", "enum", "const"):
                yield from nodes(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from nodes(value, f"{path}/{index}")


def properties(kind: str) -> Iterator[tuple[str, Node]]:
    for path, node in nodes(editor_schemas.schema(kind)):
        if isinstance(node.get("properties"), dict) and not path.endswith("/properties"):
            for name, value in node["properties"].items():
                yield f"{kind}{path}/{name}", value


# --- the files -------------------------------------------------------------------------------------------------------


def test_the_files_are_up_to_date() -> None:
    for name, data in editor_schemas.files().items():
        assert (ROOT / "schemas" / name).read_bytes() == data, f"run: relspec schema  ({name})"


def test_the_verb_knows_every_schema() -> None:
    assert verb.KINDS == KINDS


def test_check_names_what_is_out_of_date(tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(relspec, ["-C", str(tmp_path), "schema", *words], standalone_mode=False)
        assert result.exception is None
        return result.return_value, result.stdout

    assert run("--out", "editor")[0] == 0
    assert run("--out", "editor", "--check") == (0, f"{len(KINDS)} schemas up to date\n")
    (tmp_path / "editor/lock.json").write_text("{}")
    assert run("--out", "editor", "--check") == (1, "out of date: editor/lock.json\n")
    assert run("--out", "editor", "--check", "release")[0] == 0
    assert run("--out", "editor")[1].startswith(f"wrote editor/lock.json\n{len(KINDS)} schemas: 1 written")
    assert json.loads(run("lock")[1])["title"] == "Lock (relspec.lock)"


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one(kind: str) -> None:
    schema = editor_schemas.schema(kind)
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["title"]
    assert schema["description"]
    for path, node in nodes(schema):
        reference = node.get("$ref")
        if isinstance(reference, str):
            assert reference.removeprefix("#/definitions/") in schema["definitions"], path


@pytest.mark.parametrize("kind", KINDS)
def test_every_property_is_described(kind: str) -> None:
    for path, node in properties(kind):
        assert node.get("description"), path
        assert node.get("title"), path


@pytest.mark.parametrize("kind", ["release", "environment", "model-version", "model", "repository", "lock"])
def test_every_property_that_is_typed_in_has_an_example(kind: str) -> None:
    """But for those whose values are listed, which have a default, or which are maps with fields of their own."""
    for path, node in properties(kind):
        branches = [node, *node.get("anyOf", ()), *node.get("oneOf", ())]
        told = any(key in branch for branch in branches for key in ("$ref", "enum", "const", "default"))
        told = told or "boolean" in str(node.get("type"))
        assert told or "examples" in node or node.get("items", {}).get("$ref"), path


@pytest.mark.parametrize("kind", ["release", "environment", "model-version", "model", "repository", "lock"])
def test_examples_and_defaults_are_valid_themselves(kind: str) -> None:
    definitions = editor_schemas.schema(kind)["definitions"]
    for path, node in properties(kind):
        validator = jsonschema.Draft7Validator({**node, "definitions": definitions})
        for value in [*node.get("examples", ()), *([node["default"]] if "default" in node else ())]:
            assert validator.is_valid(value), (path, value)


@pytest.mark.parametrize("kind", KINDS)
def test_maps_of_the_language_are_closed(kind: str) -> None:
    for path, node in nodes(editor_schemas.schema(kind)):
        if "properties" in node and not path.endswith("/properties"):
            assert node.get("additionalProperties") is False, path
        if "patternProperties" in node:
            assert node.get("additionalProperties") is False, path


@pytest.mark.parametrize("kind", KINDS)
def test_null_is_said_once_and_plainly(kind: str) -> None:
    for path, node in nodes(editor_schemas.schema(kind)):
        assert "default" not in node or node["default"] is not None or path.endswith("/properties"), path
        branches = node.get("anyOf")
        if isinstance(branches, list) and {"type": "null"} in branches:
            assert len(branches) > 2 or any("$ref" in b or "const" in b for b in branches), path


@pytest.mark.parametrize("kind", KINDS)
def test_patterns_are_ecmascript_with_flag_u(kind: str) -> None:
    """Only syntax characters may be escaped, and no inline flags, possessive or atomic groups are there."""
    for path, node in nodes(editor_schemas.schema(kind)):
        patterns = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
        patterns += list(node["patternProperties"]) if isinstance(node.get("patternProperties"), dict) else []
        for pattern in patterns:
            assert re.search(r"\\[^\^$\\.*+?()\[\]{}|/dDsSwWbBtnrvf0xu]", pattern) is None, (path, pattern)
            assert re.search(r"\(\?[^:=!<]|\(\?<[^=!]|[*+?}]\+|\\[AZz]", pattern) is None, (path, pattern)
            assert not re.search(r"(?<!\\)[{}](?![0-9,]*\}|[^\[]*\])", re.sub(r"\{[0-9,]+\}", "", pattern)), (
                path,
                pattern,
            )


def test_titles_are_words() -> None:
    assert [editor_schemas.title_of(name) for name in ("cpuLimit", "apiVersion", "http_route", "HTTPRoute")][:3] == [
        "CPU limit",
        "API version",
        "HTTP route",
    ]


# --- documents -------------------------------------------------------------------------------------------------------


def company() -> dict[str, bytes]:
    """The sample company's documents."""
    found = {}
    for folder in ("environments", "registry", "bases"):
        for path in sorted((ROOT / folder).rglob("*.yaml")):
            found[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    for name in ("relspec.yaml", "relspec.lock"):
        if (ROOT / name).is_file():
            found[name] = (ROOT / name).read_bytes()
    return found


def specs() -> dict[str, Node]:
    """Every document of the company and of the starter that is one of ours."""
    texts = {**company(), **{f"starter/{path}": data for path, data in example().items()}}
    found = {}
    for path, data in texts.items():
        if path.endswith((".yaml", ".lock")):
            try:
                document = documents.parse(data, path)
            except RelspecError:
                continue  # a values template or another file that is no document of ours
            if document.get("apiVersion") == "relspec/v1":
                found[path] = document
    return found


SPECS = specs()


def test_there_is_a_document_of_each_kind() -> None:
    assert {document["kind"] for document in SPECS.values()} == set(MODELS)
    assert sum(not path.startswith("starter/") for path in SPECS) >= 20


@pytest.mark.parametrize("path", SPECS)
def test_good_documents_are_accepted(path: str) -> None:
    kind, model = MODELS[SPECS[path]["kind"]]
    assert validate(model, SPECS[path], path) == ()
    python_validator(kind).validate(SPECS[path])
    rust_validator(kind).validate(SPECS[path])


SERVICE: Node = {"image": "acme/recs:1"}


def service(**fields: Any) -> Node:
    release = {"apiVersion": "relspec/v1", "kind": "Release", "name": "recs"}
    return {**release, "services": {"api": {**SERVICE, **fields}}}


def environment(**fields: Any) -> Node:
    return {"apiVersion": "relspec/v1", "kind": "Environment", "name": "dev", **fields}


def record(**fields: Any) -> Node:
    return {"apiVersion": "relspec/v1", "kind": "ModelVersion", "model": "als", "version": "v1", **fields}


WRONG: Mapping[str, Node] = {
    "another kind": {**service(), "kind": "Model"},
    "another language": {**service(), "apiVersion": "relspec/v2"},
    "no kind": {"apiVersion": "relspec/v1"},
    "unknown field": service(imgae="x"),
    "unknown field at the top": {**service(), "service": {}},
    "name that is no label": {**service(), "name": "Recs_1"},
    "service that is no label": {**service(), "services": {"Api": SERVICE}},
    "image with a space": service(image="acme/recs: 1"),
    "port as text": service(ports={"http": "8080"}),
    "port out of range": service(ports={"http": 70000}),
    "unknown protocol": service(ports={"http": {"port": 80, "protocol": "https"}}),
    "boolean for text": service(env={"DEBUG": True}),
    "float for text": service(env={"RATE": 0.5}),
    "variable with two sources": service(env={"A": {"model": "version", "secret": "a/b"}}),
    "variable without a source": service(env={"A": {}}),
    "variable's name": service(env={"A B": "x"}),
    "literal in place of a secret": service(env={"A": {"secret": "hunter2"}}),
    "unknown field of a model": service(env={"A": {"model": "versoin"}}),
    "file with two sources": service(files={"/a": {"from": "a", "content": "b"}}),
    "file at a relative path": service(files={"a": {"from": "a"}}),
    "volume with two kinds": service(volumes={"/a": {"empty": "1Gi", "name": "a"}}),
    "volume of false": service(volumes={"/a": {"empty": False}}),
    "volume without a kind": service(volumes={"/a": {"readOnly": True}}),
    "size without sense": service(resources={"memory": "4 gigs"}),
    "cpu without sense": service(resources={"cpu": "half"}),
    "duration without a unit": service(health={"path": "/", "period": "10"}),
    "health path": service(health={"path": "/a b"}),
    "weight above 100": service(strategy={"canary": {"weight": 101}}),
    "unknown strategy": service(strategy={"rolling": {}}),
    "autoPromotionEnabled under canary": service(strategy={"canary": {"steps": [{"pause": {}}], "autoPromotionEnabled": True}}),
    "unknown bucket": service(strategy={"abTest": {"stickyBy": {"header": "x", "bucket": "mod10"}}}),
    "no steps": service(strategy={"canary": {"steps": []}}),
    "empty targets": service(targets=[]),
    "unknown target": service(targets=["kubernetes"]),
    "kind that is not ours": service(overrides={"rollouts": {"StatefulSet": {}}}),
    "label's value": service(labels={"team": "a b"}),
    "label's key": service(labels={"a b": "x"}),
    "null in a list": service(writable=[None]),
    "text for a list": service(command="python app.py"),
    "model without a version": service(model="als"),
    "variant inside a variant": service(variants={"a": {"variants": {}}}),
    "retired router": environment(router={"nginx": {}}),
    "expose with a host and a service": environment(expose={"host": "a.example", "dev/recs": {"host": "b.example"}}),
    "expose with a host of null": environment(expose={"host": None}),
    "analysis with metrics and a query": environment(analyses={"a": {"metrics": {}, "query": "up"}}),
    "code of an allowance": environment(policies={"allow": [{"code": "420", "release": "a", "reason": "b", "until": "2026-01-01"}]}),
    "bind": environment(targets={"compose": {"bind": "localhost"}}),
    "variable of an environment": environment(variables={"A-B": "x"}),
    "version as a number": record(version=1.10),
    "digest": record(artifact={"uri": "s3://x", "digest": "sha256:abc"}),
    "commit": record(code={"commit": "HEAD"}),
    "snapshot missing": record(data={}),
    "architecture": record(hardware={"arch": ["x86"]}),
    "alias": {"apiVersion": "relspec/v1", "kind": "Model", "name": "als", "aliases": {"Prod": "v1"}},
    "lifecycle": {"apiVersion": "relspec/v1", "kind": "Model", "name": "als", "lifecycle": {"v1": "active"}},
    "output folder": {"apiVersion": "relspec/v1", "kind": "Repository", "output": "/rendered"},
    "edition": {**SPECS["starter/relspec.lock"], "edition": 0},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_documents_are_refused(name: str) -> None:
    document = WRONG[name]
    kind = "release" if name in ("another kind", "no kind") else MODELS[document["kind"]][0]
    model = next(model for schema, model in MODELS.values() if schema == kind)
    assert validate(model, document, "x.yaml"), "the model takes it"
    assert not python_validator(kind).is_valid(document)
    assert not rust_validator(kind).is_valid(document)


# --- models and schemas agree ----------------------------------------------------------------------------------------

REPLACEMENTS = [
    None, True, False, 0, 1, -1, 50, 101, 70000, 0.5, "", "x", "X", "a b", "10s", "1Gi", "500m", "yes", "/a", "a/b", "a@b", "é",
    "10%", "v1", "sha256:" + "a" * 64, "2026-01-01", [], ["x"], [1], [None], {}, {"x": "y"}, {"host": "a.example"}, {"host": {"host": "a.b"}},
    {"path": "/"}, {"path": None}, {"port": 80}, {"empty": "1Gi"}, {"empty": True}, {"empty": 1}, {"name": "a"}, {"from": "a"}, {"model": "version"},
    {"secret": "a/b"}, {"variable": "A", "default": None}, {"variable": "A"}, {"canary": {"weight": 1}}, {"canary": None}, {"min": 1, "max": 2},
    {"min": 1, "max": 2, "cpu": 50}, {"metrics": {}}, {"query": "up", "success": "x"}, {"count": 1}, [{"pause": {}}], {"redis": "healthy"}, "a" * 64, "a" * 5000,
]  # fmt: skip
KEYS = [
    "x",
    "host",
    "path",
    "port",
    "name",
    "services",
    "api",
    "canary",
    "empty",
    "image",
    "",
    "A",
    "a b",
    "metrics",
    "weight",
    "targets",
    "class",
]


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        found += places(child, (*path, key))
    return found


def replaced(document: Node, path: tuple[Any, ...], change: tuple[str, Any]) -> Node:
    """The document with one node replaced, removed, or with one entry more."""
    result = copy.deepcopy(document)
    what, value = change
    parent: Any = result
    for step in path[:-1]:
        parent = parent[step]
    if what == "replace" and path:
        parent[path[-1]] = value
    elif what == "remove" and path:
        del parent[path[-1]]
    elif what == "add":
        node = parent[path[-1]] if path else result
        if isinstance(node, dict):
            node[value[0]] = value[1]
        elif isinstance(node, list):
            node.append(value[1])
    return result


def full() -> list[Node]:
    """Documents in which every field stands, made of the schemas' own examples."""
    return [filled(kind) for kind, _ in MODELS.values()]


def filled(kind: str) -> Node:
    schema = editor_schemas.schema(kind)
    definitions = schema["definitions"]
    made: Node = {}
    for name, node in schema["properties"].items():
        made[name] = node["examples"][0] if "examples" in node else value_of(node, definitions, 0)
    if kind == "release":
        made["services"] = {"api": value_of({"$ref": "#/definitions/ServicePatch"}, definitions, 0)}
    return {name: value for name, value in made.items() if value is not None}


def value_of(node: Node, definitions: Node, depth: int) -> Any:
    if "const" in node:
        return node["const"]
    if "examples" in node:
        return node["examples"][0]
    if "enum" in node:
        return node["enum"][0]
    if "$ref" in node:
        inner = definitions[node["$ref"].rpartition("/")[2]]
        if depth > 3:
            return None
        return {
            name: value
            for name, field in inner["properties"].items()
            if (value := value_of(field, definitions, depth + 1)) is not None
        }
    for branch in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        return value_of(branch, definitions, depth)
    return node.get("default")


CORPUS = [*SPECS.values(), *full()]
CHANGES = st.one_of(
    st.tuples(st.just("replace"), st.sampled_from(REPLACEMENTS)),
    st.tuples(st.just("remove"), st.none()),
    st.tuples(st.just("add"), st.tuples(st.sampled_from(KEYS), st.sampled_from(REPLACEMENTS))),
)


def test_one_is_not_true() -> None:
    assert validate(Release, service(volumes={"/data": {"empty": 1}}), "x.yaml")


def agree(document: Node, kind: str, model: type[BaseModel]) -> None:
    codes = {finding.code for finding in validate(model, document, "x.yaml")}
    fits = codes <= set(CROSS_FIELD_CODES)
    assert rust_validator(kind).is_valid(document) == fits, (codes, document)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(st.data())
def test_models_and_schemas_agree_on_changed_documents(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(CORPUS))
    kind, model = MODELS[document["kind"]]
    for _ in range(data.draw(st.integers(1, 3))):
        path, change = data.draw(st.sampled_from(places(document))), data.draw(CHANGES)
        document = replaced(document, path, change)
    agree(document, kind, model)
    assert python_validator(kind).is_valid(document) == rust_validator(kind).is_valid(document)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind, _ in MODELS.values()])
def test_models_and_schemas_agree_on_every_field(kind: str) -> None:
    """Each place of the full document, with each replacement. An environment's `defaults` are a release's service."""
    document = filled(kind)
    model = next(model for schema, model in MODELS.values() if schema == kind)
    document.pop("defaults", None)
    for path in places(document):
        for value in REPLACEMENTS:
            if path:
                agree(replaced(document, path, ("replace", value)), kind, model)


@with_example("x-user-id\n")
@given(st.text(max_size=20))
def test_text_is_read_alike(text: str) -> None:
    """ECMAScript's `$` is the end of the text, Rust's too; Python's also stands before a last line end."""
    for document in (
        service(image=text),
        service(health={"path": text}),
        service(labels={"a": text}),
        service(labels={text: "a"}),
    ):
        fits = validate(Release, document, "x.yaml") == ()
        assert rust_validator("release").is_valid(document) == fits, text


def test_known_differences_are_only_these() -> None:
    """Each code that a schema can't see, with a document that shows it."""
    seen = {
        "RS125": service(strategy={"canary": {}}),
        "RS129": service(replicas={"min": 2, "max": 1}),
        "RS301": service(strategy={"canary": {"weight": 1}, "shadow": {}}),
        "RS304": service(strategy={"canary": {"steps": [{"pause": {}}], "maxSurge": 0, "maxUnavailable": 0}}),
        "RS305": environment(analyses={"a": {"query": "up"}}),
        "RS444": environment(rollback={"window": 8}),
    }
    assert tuple(seen) == CROSS_FIELD_CODES
    for code, document in seen.items():
        kind, model = MODELS[document["kind"]]
        assert [finding.code for finding in validate(model, document, "x.yaml")] == [code]
        assert rust_validator(kind).is_valid(document)


def test_a_whole_number_with_a_point_is_the_one_value_that_differs() -> None:
    """JSON has one kind of number: 1.0 is an integer to a schema, and a number with a point to the language."""
    document = service(replicas=1.0)
    assert validate(Release, document, "x.yaml")
    assert rust_validator("release").is_valid(document)


# --- what programs read ----------------------------------------------------------------------------------------------


def test_json_output_fits_its_schema() -> None:
    broken = {**example(), "environments/dev/scoring/release.yaml": b"kind: Release\nservices: {a: {imgae: x}}\n"}
    for files in (example(), broken, {**broken, "environments/dev/environment.yaml": b"a: [\n"}):
        compiled = compile_tree(MemoryTree(files))
        document = json.loads(json_report.report(compiled.diagnostics, len(compiled.releases)))
        python_validator("diagnostics").validate(document)
        rust_validator("diagnostics").validate(document)
    assert document["diagnostics"]
    wrong = {**document, "summary": {**document["summary"], "errors": -1}}
    assert not python_validator("diagnostics").is_valid(wrong)
