"""Diagnostics as markdown, for a comment on a pull request or a job's summary: a table, and the excerpts folded below it."""

from __future__ import annotations

from relspec.diagnostics import Diagnostic, Severity
from relspec.reporters import markdown as md
from relspec.reporters import text
from relspec.reporters.results import Results, reached

HEADER = ("", "Place", "What", "Help")
SIGNS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.NOTE: "ℹ️"}
ROWS = 100
"""Findings in the table: more would be read by nobody, and a comment has its limit."""


def report(results: Results) -> str:
    """The page, at most as long as a comment may be."""
    found = results.diagnostics
    title = f"**relspec {results.verb}**: {text.summary(found, len(results.releases))}\n"
    if not found:
        return title
    shown = sorted(found, key=lambda diagnostic: list(Severity).index(diagnostic.severity))[:ROWS]
    rows = [_row(diagnostic) for diagnostic in shown]
    page = title
    while rows:
        left = len(found) - len(rows)
        more = f"\n{text.counted(left, 'finding')} more: `relspec {results.verb}` shows them.\n" if left else ""
        page = f"{title}\n{md.table(HEADER, rows)}{more}"
        if len(page) <= md.LIMIT:
            break
        rows = rows[: len(rows) // 2]
    excerpts = md.block(text.report(shown[: len(rows)], results.source, among=found))
    folded = "\n" + md.folded("As a terminal shows it", excerpts).removesuffix("\n")
    return page + folded if len(page) + len(folded) <= md.LIMIT else page


def _row(diagnostic: Diagnostic) -> tuple[str, ...]:
    where = diagnostic.file if diagnostic.range is None else f"{diagnostic.file}:{diagnostic.range.line}"
    what = f"{diagnostic.code}: {md.cell(diagnostic.message)}"
    for related in diagnostic.related:
        what += f"<br>{md.cell(related.message)}: {md.code_cell(f'{related.file}:{related.range.line}')}"
    if releases := reached(diagnostic):
        what += f"<br>reaches {md.cell(text.some(releases))}"
    return (SIGNS[diagnostic.severity], md.code_cell(where), what, md.cell(diagnostic.hint))
