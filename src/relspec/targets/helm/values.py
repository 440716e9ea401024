"""What Helm would say to values for a chart: coalesced with every default, then checked against every schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

import jsonschema_rs
from msgspec import Struct

from relspec.credentials import has_login, literal_secrets, looks_secret, masked, names_secret
from relspec.diagnostics import Path
from relspec.schema_cost import TOO_LONG, TOO_LONG_TO_SAY, Work
from relspec.targets.helm.chart import Chart
from relspec.targets.helm.coalescing import NotATableError, Values, coalesce_chart
from relspec.targets.helm.dependencies import with_dependencies
from relspec.targets.helm.helm_yaml import EXACT

EMPTY: tuple[Any, ...] = (None, "", [], {})

MAX_MESSAGE = 300
"""Characters of a schema's message that are passed on."""

MAX_ERRORS = 1000
"""Errors of the engine that are looked at."""

MAX_PROBLEMS = 100
"""Problems of one chart's values that are said: each costs a walk through the render."""

MAX_VALUE = 60
"""Characters of a map or a list that a message shows, as JSON."""


class Problem(Struct, frozen=True):
    """Something that makes Helm refuse the values.

    `path` leads into the values that were given; the node itself may be missing there, where a default of the chart is
    at fault: then its nearest existing parent is meant. `chart` is the chart (or alias) whose schema says so.
    `in_chart` tells a chart that no values could satisfy, because its schema is broken.
    """

    chart: str
    path: Path
    message: str
    in_chart: bool = False


def coalesce(chart: Chart, values: Mapping[str, Any]) -> Values:
    """What templates would see as `.Values`: Helm v3.19's `ProcessDependenciesWithMerge` and `CoalesceValues`.

    Whole floats come back as integers and integers beyond 2**53 rounded, as in Helm. Raises
    coalescing.NotATableError where a value stands in the place of a subchart's values.
    """
    return coalesce_chart(with_dependencies(chart, values), values)


def validate(chart: Chart, values: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Every reason for which `helm template` refuses `values` before it renders anything; empty where it does not.

    Follows `pkg/chartutil/jsonschema.go`, with one difference: a schema that refers to another file or the network is
    a problem, Helm would fetch it.
    """
    try:
        complete = with_dependencies(chart, values)
        coalesced = coalesce_chart(complete, values)
    except NotATableError as error:
        return (Problem(chart.name, error.path, str(error)),)
    return tuple(
        Problem(problem.chart, _in_given(values, problem.path), problem.message, problem.in_chart)
        for problem in _schema_problems(complete, coalesced, ())
    )


def unread_values(chart: Chart, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Top-level keys of `values` that nothing in the chart mentions: no default, no schema, no template, no subchart.

    Helm ignores such keys without a word, so a declared thing would be lost. Empty values don't count: nothing is lost.
    Nor does anything where it can't be told: a template takes `.Values` whole, or a dependency is not there to be read.
    """
    read = _names_read(chart)
    if read is None:
        return ()
    schema = json.loads(chart.schema) if chart.schema is not None else {}
    properties = schema.get("properties") if isinstance(schema, dict) else None
    subcharts = {dependency.label for dependency in chart.dependencies} | {sub.name for sub in chart.subcharts}
    switches = {path.split(".")[0] for item in chart.dependencies for path in item.condition.strip().split(",")}
    known = {*read, *chart.values, *(properties or {}), *subcharts, *switches, "global", "tags"}
    return tuple(key for key, value in values.items() if value not in EMPTY and key not in known)


def _names_read(chart: Chart) -> frozenset[str] | None:
    """What the chart's templates read, and those of its subcharts: a library chart's run with its parent's values."""
    present = {subchart.name for subchart in chart.subcharts}
    if chart.reads is None or any(dependency.name not in present for dependency in chart.dependencies):
        return None
    names = chart.reads
    for subchart in chart.subcharts:
        nested = _names_read(subchart)
        if nested is None:
            return None
        names |= nested
    return names


def inexact_numbers(values: Any, path: Path = ()) -> tuple[Path, ...]:
    """Paths of integers that Helm would change, because it keeps every number as a 64-bit float."""
    if isinstance(values, dict):
        return tuple(found for key, item in values.items() for found in inexact_numbers(item, (*path, key)))
    if isinstance(values, list):
        return tuple(found for index, item in enumerate(values) for found in inexact_numbers(item, (*path, index)))
    is_integer = isinstance(values, int) and not isinstance(values, bool)
    return (path,) if is_integer and abs(values) > EXACT and int(float(values)) != values else ()


def _schema_problems(chart: Chart, values: Values, path: Path) -> Iterator[Problem]:
    if chart.schema is not None:
        for where, message, in_chart in _check(chart.schema, values):
            yield Problem(chart.name, (*path, *where), message, in_chart)
    for subchart in chart.subcharts:
        yield from _schema_problems(subchart, values[subchart.name], (*path, subchart.name))


def _in_given(values: Mapping[str, Any], path: Path) -> Path:
    """The place where a value was given that a subchart sees: a global may have been given to any chart above it."""
    if "global" not in path:
        return path
    level = path.index("global")
    candidates = [(*path[:above], *path[level:]) for above in range(level, -1, -1)]
    return next((candidate for candidate in candidates if _exists(values, candidate)), path)


def _exists(values: Any, path: Path) -> bool:
    for part in path:
        is_index = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if not is_index and not (isinstance(values, Mapping) and part in values):
            return False
        values = values[part]
    return True


def _check(schema: bytes, values: Values) -> list[tuple[Path, str, bool]]:
    """Path, message and whether the schema itself is at fault, for each violation, in a stable order."""
    try:
        validator = _validator(schema)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return [((), f"Helm can't use values.schema.json: {_shortened(_unusable(error))}", True)]
    work = _work(schema)
    if work.takes_too_long(values):
        return [((), f"values.schema.json {TOO_LONG}", True)]
    try:
        if validator.is_valid(values):
            return []
        if work.says_too_much(values):
            return [((), f"values.schema.json {TOO_LONG_TO_SAY}", True)]
        hidden = frozenset(path for path, _ in literal_secrets(values))
        found = {said for error in islice(validator.iter_errors(values), MAX_ERRORS) for said in _said(error, hidden)}
    except ValueError as error:
        return [((), f"values.schema.json can't be applied: {_shortened(str(error))}", True)]
    problems = sorted(found, key=lambda said: ([str(part) for part in said[0]], said[1]))
    if len(problems) <= MAX_PROBLEMS:
        return problems
    return [*problems[:MAX_PROBLEMS], ((), "more values break the schema than are said here", False)]


@lru_cache(maxsize=128)
def _validator(schema: bytes) -> Any:
    """A validator as Helm's library makes one: draft 2020-12 unless `$schema` says another, formats before 2019 only.

    Its regular expressions take linear time and refuse look-around, as Go's do.
    """
    parsed = json.loads(schema)
    draft = str(parsed.get("$schema", "")) if isinstance(parsed, dict) else ""
    return jsonschema_rs.validator_for(
        parsed,
        validate_formats=any(f"draft-0{number}" in draft for number in (4, 6, 7)),
        retriever=_refuse,
        base_uri="file:///values.schema.json",
        pattern_options=jsonschema_rs.RegexOptions(),
    )


@lru_cache(maxsize=128)
def _work(schema: bytes) -> Work:
    return Work(json.loads(schema))


def _unusable(error: Exception) -> str:
    """Why a schema can't be used, from the engine's words (their first line)."""
    reason = str(getattr(error, "message", error)).partition("\n")[0]
    outside = re.match("Resource '(.*?)' is not present", reason)
    if outside is not None:
        return f"it refers to {outside[1].removeprefix('file:///')}, which is outside it; copy what is meant into `definitions`"
    return reason


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} lies outside the schema")


def _said(error: Any, hidden: frozenset[Path]) -> list[tuple[Path, str, bool]]:
    error = _closest(error)
    path: Path = tuple(error.instance_path)
    unexpected = getattr(error.kind, "unexpected", None)
    if isinstance(unexpected, list) and isinstance(error.instance, dict):
        return [((*path, key), f"{key} is not a value of this chart", False) for key in unexpected]
    return [(path, _shortened(_without_value(error, path, hidden)), False)]


def _without_value(error: Any, path: Path, hidden: frozenset[Path]) -> str:
    """The engine's words; without the value where that may be a secret, or is more than a few words."""
    text = error.instance if isinstance(error.instance, str) else json.dumps(error.instance, default=str)
    secret = path in hidden or any(isinstance(step, str) and names_secret(step) for step in path)
    nested = isinstance(error.instance, dict | list) and bool(error.instance)
    if secret or looks_secret(text) or has_login(text) or (nested and (len(text) > MAX_VALUE or _holds_secret(text))):
        missing = getattr(error.kind, "property", None)
        if isinstance(missing, str):  # a name of the schema, not of the values
            return f"{missing} is missing"
        return f"the value breaks the schema's rule {error.schema_path[-1] if error.schema_path else 'false'}"
    return str(error.message)


def _holds_secret(text: str) -> bool:
    return masked([text]) != [text]


def _closest(error: Any) -> Any:
    """Of several ways to be valid (anyOf, oneOf), the error of the one that got furthest."""
    while branches := [branch for branch in getattr(error.kind, "context", None) or () if branch]:
        deepest = max(branches, key=lambda branch: len(branch[0].instance_path))[0]
        if len(deepest.instance_path) <= len(error.instance_path):
            break
        error = deepest
    return error


def _shortened(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
