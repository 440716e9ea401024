"""Diagnostics for a terminal: the place, the sentence, the line with a caret, and what to type next."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Diagnostic, Range, Severity

COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
Source = Callable[[str], str | None]


def report(diagnostics: Sequence[Diagnostic], source: Source, *, colour: bool = False) -> str:
    """All diagnostics, each as a paragraph. `source` gives a file's text, or None where it can't be shown."""
    return "".join(_paragraph(diagnostic, source, colour) for diagnostic in diagnostics)


def summary(diagnostics: Sequence[Diagnostic], releases: int) -> str:
    """One line: `2 errors, 1 warning in 12 releases`."""
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    parts = [counted(counts[severity], severity.value) for severity in Severity if counts[severity]]
    return f"{', '.join(parts) or 'no problems'} in {counted(releases, 'release')}"


def counted(number: int, noun: str) -> str:
    """`1 release`, `2 releases`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _paragraph(diagnostic: Diagnostic, source: Source, colour: bool) -> str:
    place = diagnostic.file
    if diagnostic.range is not None:
        place += f":{diagnostic.range.line}:{diagnostic.range.column}"
    head = _painted(f"{diagnostic.severity.value} {diagnostic.code}", COLOURS[diagnostic.severity], colour)
    lines = [f"{printable(place)}: {head}: {printable(diagnostic.message)}"]
    if not CATALOGUE[diagnostic.code].secret:
        lines += _excerpt(diagnostic.file, diagnostic.range, source)
    if diagnostic.hint:
        lines.append(f"    help: {printable(diagnostic.hint)}")
    for position in diagnostic.related:
        at = f"{position.file}:{position.range.line}:{position.range.column}"
        lines.append(f"    note: {printable(position.message)} ({printable(at)})")
    if len(diagnostic.releases) > 1:
        lines.append(f"    reaches: {', '.join(diagnostic.releases)}")
    return "\n".join(lines) + "\n"


def _excerpt(file: str, span: Range | None, source: Source) -> list[str]:
    text = source(file) if span is not None else None
    if text is None or span is None:
        return []
    lines = text.splitlines()
    if span.line > len(lines):
        return []
    line = lines[span.line - 1]
    end = span.end_column if span.end_line == span.line else len(line) + 1
    before = printable(line[: span.column - 1])
    marked = printable(line[span.column - 1 : max(end - 1, span.column)])
    after = printable(line[max(end - 1, span.column) :])
    if _width(before) + _width(marked) > 160:
        return []
    carets = "^" * max(_width(marked), 1)
    return [f"    {before}{marked}{after}".rstrip()[:200], f"    {' ' * _width(before)}{carets}"]


def printable(text: str) -> str:
    """`text` with control characters, escapes and direction marks made visible: nothing steers the terminal."""
    return "".join(
        char if char.isprintable() else f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"
        for char in text
    )


def _width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _painted(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
