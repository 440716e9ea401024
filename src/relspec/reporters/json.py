"""Diagnostics as JSON, schema relspec/diagnostics/v1."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from relspec.diagnostics import Diagnostic, Position, Range

SCHEMA = "relspec/diagnostics/v1"


def report(diagnostics: Sequence[Diagnostic], releases: int) -> str:
    """The document, with a final newline. `releases` is how many were looked at."""
    return json.dumps(document(diagnostics, releases), indent=2, ensure_ascii=False) + "\n"


def document(diagnostics: Sequence[Diagnostic], releases: int) -> dict[str, Any]:
    """The same as data."""
    severities = [diagnostic.severity.value for diagnostic in diagnostics]
    return {
        "schema": SCHEMA,
        "diagnostics": [_entry(diagnostic) for diagnostic in diagnostics],
        "summary": {
            "errors": severities.count("error"),
            "warnings": severities.count("warning"),
            "notes": severities.count("note"),
            "releases": releases,
        },
    }


def _entry(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "class": diagnostic.kind.value,
        "file": diagnostic.file,
        **_span(diagnostic.range),
        "message": diagnostic.message,
        "hint": diagnostic.hint or None,
        "related": [_related(position) for position in diagnostic.related],
        "fix": None,
        "release": diagnostic.releases[0] if diagnostic.releases else None,
        "releases": list(diagnostic.releases),
    }


def _related(position: Position) -> dict[str, Any]:
    return {"message": position.message, "file": position.file, **_span(position.range)}


def _span(span: Range | None) -> dict[str, int | None]:
    if span is None:
        return {"line": None, "column": None, "endLine": None, "endColumn": None}
    return {"line": span.line, "column": span.column, "endLine": span.end_line, "endColumn": span.end_column}
