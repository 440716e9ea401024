"""Diagnostics as JSON, schema relspec/diagnostics/v1."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from relspec.diagnostics import Diagnostic, Fix, Position, Range

SCHEMA = "relspec/diagnostics/v1"


def report(diagnostics: Sequence[Diagnostic], releases: int) -> str:
    """The document, with a final newline. `releases` is how many were looked at."""
    return dumped(document(diagnostics, releases))


NOT_ASCII = re.compile("[^\x00-\x7e]")


def dumped(value: Any) -> str:
    """A document as text with a final newline: readable, and without a character that would steer a terminal or end a line.

    Control, direction and line separator characters are escaped, which JSON reads back as they were. Half a surrogate pair
    (a byte of a file name that is no UTF-8) is no character, and parsers disagree on it: it becomes the text `\\udcXX`.
    """
    return NOT_ASCII.sub(_escaped, json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    if char.isprintable():
        return char
    return f"\\\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else json.dumps(char)[1:-1]


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
        "fix": _fix(diagnostic.fix),
        "release": diagnostic.releases[0] if diagnostic.releases else None,
        "releases": list(diagnostic.releases),
    }


def _fix(fix: Fix | None) -> dict[str, Any] | None:
    """The edit that mends it: the text of the range becomes `text`."""
    return None if fix is None else {"title": fix.title, "file": fix.file, **_span(fix.range), "text": fix.text}


def _related(position: Position) -> dict[str, Any]:
    return {"message": position.message, "file": position.file, **_span(position.range)}


def _span(span: Range | None) -> dict[str, int | None]:
    if span is None:
        return {"line": None, "column": None, "endLine": None, "endColumn": None}
    return {"line": span.line, "column": span.column, "endLine": span.end_line, "endColumn": span.end_column}
