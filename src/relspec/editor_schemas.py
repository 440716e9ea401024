"""JSON Schemas for editors and for programs that read our JSON: made from the models, never written by hand.

They are draft-07, the newest draft that YAML language servers support in full, and need no network: references stay
inside a file. What only two fields together can break (CROSS_FIELD_CODES) is beyond them; `relspec check` says it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, TypeAdapter

from relspec.report_schemas import (
    DiagnosticsDocument,
    DrillDocument,
    HistoryDocument,
    LiveDocument,
    PlanDocument,
    PromoteDocument,
    RollbackReportDocument,
)
from relspec.spec.environment import EnvironmentSpec, Exposure
from relspec.spec.registry import Model, ModelVersion
from relspec.spec.release import Release
from relspec.spec.repository import Lock, Repository
from relspec.targets.helm.context import context_schema

DRAFT = "http://json-schema.org/draft-07/schema#"
JsonSchema = dict[str, Any]

CROSS_FIELD_CODES = ("RS125", "RS129", "RS301", "RS304", "RS305", "RS444")
"""What the models refuse and a schema can't: rules about several fields of one map, in which null counts as absent."""

ABBREVIATIONS = MappingProxyType({"api": "API", "cpu": "CPU", "gpu": "GPU", "http": "HTTP", "tls": "TLS", "uri": "URI"})
"""Words of a title that are not written in lower case."""

NOT_ECMA = re.compile(r"\\([\"'`:@#%&=<>,;~ ])")
"""Escapes that Rust and Python read as the character itself, and that a regular expression with flag `u` may not have."""


def _of_model(model: type[BaseModel]) -> Callable[[], JsonSchema]:
    return lambda: model.model_json_schema(by_alias=True)


def _of_report(document: type[Any]) -> Callable[[], JsonSchema]:
    return lambda: TypeAdapter(document).json_schema(by_alias=True)


SOURCES: Mapping[str, tuple[str, Callable[[], JsonSchema]]] = MappingProxyType(
    {
        "release": ("Release (release.yaml)", _of_model(Release)),
        "environment": ("Environment (environment.yaml)", _of_model(EnvironmentSpec)),
        "model-version": ("Model version (registry/<model>/<version>.yaml)", _of_model(ModelVersion)),
        "model": ("Model (registry/<model>/model.yaml)", _of_model(Model)),
        "repository": ("Repository settings (relspec.yaml)", _of_model(Repository)),
        "lock": ("Lock (relspec.lock)", _of_model(Lock)),
        "context": ("Context of a Helm values template", context_schema),
        "diagnostics": ("Diagnostics (relspec/diagnostics/v1)", _of_report(DiagnosticsDocument)),
        "plan": ("Plan (relspec/plan/v1)", _of_report(PlanDocument)),
        "history": ("History (relspec/history/v1)", _of_report(HistoryDocument)),
        "drill": ("Drill (relspec/drill/v1)", _of_report(DrillDocument)),
        "rollback": ("Rollback (relspec/rollback/v1)", _of_report(RollbackReportDocument)),
        "promote": ("Promotion (relspec/promote/v1)", _of_report(PromoteDocument)),
        "live": ("What was live (relspec/live/v1)", _of_report(LiveDocument)),
    }
)
"""Each schema's title, and what makes it."""

KINDS = tuple(SOURCES)


def schema(kind: str) -> JsonSchema:
    """The schema of one of KINDS."""
    title, source = SOURCES[kind]
    raw = source()
    definitions = {name: _presented(node, name) for name, node in sorted(raw.pop("$defs", {}).items())}
    root = raw.pop("$ref", None)
    if root is not None:
        raw = {**definitions.pop(root.rpartition("/")[2]), **raw}
    found = {**_presented(raw, None), "title": title}
    if kind == "environment":
        found["properties"]["expose"] = _told_apart(found["properties"]["expose"])
    head = {"$schema": DRAFT, "title": title, "description": found.pop("description")}
    return {**head, **found, "definitions": definitions}


@cache
def text(kind: str) -> bytes:
    """The file of a schema."""
    return (json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n").encode()


def files() -> dict[str, bytes]:
    """Every schema by its file name."""
    return {f"{kind}.json": text(kind) for kind in KINDS}


def _presented(node: Any, name: str | None) -> Any:
    """A node of pydantic's schema as an editor should show it; `name` is the key or class that it describes."""
    if isinstance(node, list):
        return [_presented(item, None) for item in node]
    if not isinstance(node, dict):
        return node
    found: JsonSchema = {} if name is None else {"title": title_of(name)}
    for key, value in node.items():
        if key in ("title", "$schema") or (key == "default" and value is None):
            continue
        if key in ("properties", "$defs"):
            found[key] = {field: _presented(inner, field) for field, inner in value.items()}
        elif key == "patternProperties":
            found[key] = {_ecma(pattern): _presented(inner, None) for pattern, inner in value.items()}
            found["additionalProperties"] = False  # pydantic leaves it out, and so lets any other key pass
        elif key == "pattern":
            found[key] = _ecma(value)
        elif key == "$ref":
            found[key] = value.replace("#/$defs/", "#/definitions/")
        elif key in ("default", "examples", "enum", "const"):
            found[key] = value
        else:
            found[key] = _presented(value, None)
    return _nullable(found) if "anyOf" in found else found


def _nullable(node: JsonSchema) -> JsonSchema:
    """`anyOf: [X, null]` as X that may be null: an editor shows X's own type, values and form."""
    rest = [branch for branch in node["anyOf"] if branch != {"type": "null"}]
    if len(rest) != 1 or len(rest) == len(node["anyOf"]) or "$ref" in rest[0]:
        return node
    outer = {key: value for key, value in node.items() if key != "anyOf"}
    inner = rest[0]
    if "oneOf" in inner:
        return {**outer, **inner, "oneOf": [*inner["oneOf"], {"type": "null"}]}
    if not isinstance(inner.get("type"), str) or "const" in inner:
        return node
    widened = {**outer, **inner, "type": [inner["type"], "null"]}
    return {**widened, "enum": [*inner["enum"], None]} if "enum" in inner else widened


def _told_apart(expose: JsonSchema) -> JsonSchema:
    """`expose`, whose branches the model tells apart by `host`: a map with that key is never the one of services."""
    branches = [
        branch
        if "$ref" in branch or branch.get("type") == "null"
        else {**branch, "not": {"anyOf": [{"required": [field]} for field in Exposure.model_fields]}}
        for branch in expose["oneOf"]
    ]
    return {**expose, "oneOf": branches}


def _ecma(pattern: str) -> str:
    """A pattern without escapes that ECMAScript refuses under flag `u`, which language servers set."""
    return NOT_ECMA.sub(r"\1", pattern)


def title_of(name: str) -> str:
    """A name of the language as a title: `cpuLimit` is "CPU limit"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]", " ", name).lower().split()
    spelled = [ABBREVIATIONS.get(word, word) for word in words]
    return " ".join([spelled[0][:1].upper() + spelled[0][1:], *spelled[1:]])
