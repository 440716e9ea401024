"""The registry as a whole, the versions that nobody runs included: `check` alone looks at it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.discovery import not_said
from relspec.registry.records import Registry, record_file

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


def check_registry(registry: Registry) -> Iterator[Finding]:
    """What is wrong with any model or record, links among them, and RS217 for interfaces that are no JSON Schema."""
    links = tuple(registry.links())
    yield from links
    for name in registry.models():
        try:
            registry.model(name)
        except RelspecError as error:
            yield from not_said(error.findings, links)
            continue
        for version in registry.versions(name):
            yield from check_record(registry, name, version)


def check_record(registry: Registry, model: str, version: str) -> Iterator[Finding]:
    """The same for one record."""
    try:
        record = registry.record(model, version)
    except RelspecError as error:
        yield from error.findings
        return
    if record.interface is not None:
        for side, schema in record.interface.model_dump(exclude_none=True).items():
            yield from _interface(schema, side, record_file(model, version))


def _interface(schema: Mapping[str, Any], side: str, file: str) -> Iterator[Finding]:
    """RS217, by the metaschema of the draft that the schema names (default: 2020-12)."""
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - 80 ms that only this check needs
    from jsonschema.validators import Draft202012Validator, validator_for  # noqa: PLC0415

    kind = validator_for(schema, default=Draft202012Validator)
    problem = best_match(kind(kind.META_SCHEMA).iter_errors(schema))
    if problem is not None:
        path = ("interface", side, *problem.absolute_path)
        message = f"interface.{side} is no JSON Schema: {_why(problem)}"
        yield Finding("RS217", message, Where(file, path), "correct it in the next version: a record is never edited")


def _why(problem: ValidationError) -> str:
    """What a metaschema refuses, in words: it names its own keyword, and what people write is another one."""
    keyword = next((str(step) for step in reversed(problem.absolute_path) if isinstance(step, str)), "")
    if keyword == "type":
        return f"{json.dumps(problem.instance)} is no type of JSON Schema"
    return f"{keyword or 'this'} can't be {json.dumps(problem.instance)[:60]}"
