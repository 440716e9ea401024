"""From findings to diagnostics: the one place that turns a path into line and column.

It looks at each file concerned once more: at its lines where those say enough (`outline`), else with the careful parser.
A run without findings never comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from relspec import documents
from relspec.catalogue import CATALOGUE
from relspec.credentials import hidden
from relspec.diagnostics import Diagnostic, Finding, Path, Position, Range, RelspecError, Where

Read = Callable[[str], bytes]
START = Range(1, 1, 1, 1)


def locate(findings: Iterable[Finding], read: Read) -> tuple[Diagnostic, ...]:
    """The findings with their positions, sorted by file, line, column and code.

    The same finding said of several releases (an error in a base) becomes one diagnostic that names them all. `read`
    gives a file's bytes and raises RelspecError where there is none.
    """
    lines = Lines(read)
    merged: dict[tuple[str, str, Range | None, str], list[Finding]] = {}
    for finding in findings:
        key = (finding.code, finding.where.file, lines.range(finding.where), finding.message)
        merged.setdefault(key, []).append(finding)
    return sorted_diagnostics(_diagnostic(same, span, lines) for (_, _, span, _), same in merged.items())


def sorted_diagnostics(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """By file, line, column and code."""
    return tuple(sorted(diagnostics, key=lambda diagnostic: diagnostic.sort_key))


def _diagnostic(same: list[Finding], span: Range | None, lines: Lines) -> Diagnostic:
    first = same[0]
    rule = CATALOGUE[first.code]
    hint = first.hint
    if "{source}" in hint:
        hint = hint.replace("{source}", f'"{lines.text(first.where.file, span)}"')
    return Diagnostic(
        code=first.code,
        severity=first.severity or rule.severity,
        kind=rule.kind,
        file=first.where.file,
        range=span,
        message=hidden(first.message),
        hint=hidden(hint),
        related=tuple(Position(hidden(r.message), r.where.file, lines.range(r.where) or START) for r in first.related),
        releases=tuple(sorted({finding.release for finding in same if finding.release})),
        path=first.where.path,
        remedy=first.remedy,
    )


class Lines:
    """Positions in files, each file read and composed once."""

    def __init__(self, read: Read) -> None:
        self._data = cache(lambda file: _read(read, file))
        self._locator = cache(lambda file: documents.locator(self._data(file)))

    def range(self, where: Where) -> Range | None:
        """The range of a place; None where the file can't be read."""
        if where.range is not None:
            return where.range
        if not where.file.endswith((".yaml", ".yml", ".lock")) or not self._data(where.file):
            return START if self._data(where.file) else None
        return self._range_in(where.file, where)

    def _range_in(self, file: str, where: Where) -> Range:
        path: Path = where.path
        locator: Callable[..., Range] = self._locator(file)
        return locator(path, where.part)

    def text(self, file: str, span: Range | None) -> str:
        """The source text of a range on one line."""
        if span is None:
            return ""
        text = self._data(file).decode("utf-8-sig", "replace").splitlines()
        line = text[span.line - 1] if span.line <= len(text) else ""
        end = span.end_column - 1 if span.end_line == span.line else len(line)
        return line[span.column - 1 : end].strip()


def _read(read: Read, file: str) -> bytes:
    try:
        return read(file)
    except RelspecError:
        return b""
