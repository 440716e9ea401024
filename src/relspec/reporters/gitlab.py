"""Diagnostics as a GitLab code quality report: the part of the Code Climate format that GitLab reads."""

from __future__ import annotations

from typing import Any

from relspec.diagnostics import Diagnostic, Severity
from relspec.reporters.excerpt import printable
from relspec.reporters.json import dumped
from relspec.reporters.results import Results, fingerprints, reached
from relspec.reporters.text import some

SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.NOTE: "info"}


def report(results: Results) -> str:
    """The list, with a final newline."""
    names = fingerprints(results)
    return dumped([_entry(*found, results) for found in zip(results.diagnostics, names, strict=True)])


def _entry(diagnostic: Diagnostic, fingerprint: str, results: Results) -> dict[str, Any]:
    description = diagnostic.message
    if diagnostic.hint:
        description += f" (help: {diagnostic.hint})"
    if releases := reached(diagnostic):
        description += f" (reaches: {some(releases)})"
    lines = {"begin": diagnostic.range.line if diagnostic.range is not None else 1}
    return {
        "description": printable(description),
        "check_name": diagnostic.code,
        "fingerprint": fingerprint,
        "severity": SEVERITIES[diagnostic.severity],
        "location": {"path": results.path(diagnostic.file) or ".", "lines": lines},
    }
