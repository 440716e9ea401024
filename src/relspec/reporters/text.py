"""Diagnostics for a terminal: the place, the sentence, the line with a caret, and what to type next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import groupby

from msgspec import Struct

from relspec.catalogue import CATALOGUE
from relspec.credentials import masked
from relspec.diagnostics import Diagnostic, Fix, Range, Severity
from relspec.reporters.excerpt import columns, cut, excerpt, last_line, lines_of, numbered, printable
from relspec.reporters.results import Source, reached, secret_lines

__all__ = ["counted", "headline", "place", "printable", "report", "some", "summary"]

COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
BOLD, GREEN = "1", "32"
RELEASES = 8
"""Releases that a finding names; of more it says how many."""

CHUNK = re.compile(
    r"\s*(?:(?<=: )(?:docker|git|helm|kubectl|relspec|uvx) .*$|\{[^{}]*\}|\"[^\"]*\"|`[^`]*`|\S)+", re.DOTALL
)
"""What stands on one line: a word, or code (a command to its end, a map, a text in quotes)."""


def report(
    diagnostics: Sequence[Diagnostic],
    source: Source,
    *,
    colour: bool = False,
    width: int | None = None,
    among: Sequence[Diagnostic] = (),
) -> str:
    """All diagnostics, each as a paragraph, and an empty line between those of two files.

    `source` gives a file's text, or None where it can't be shown. `width` is the terminal's, in columns; None, where there
    is none, leaves sentences on one line. `among` are all of the run, where `diagnostics` are only some: a line that one of
    them calls a secret is not shown for another.
    """
    hidden = secret_lines(among or diagnostics)
    lines = cache(lambda file: lines_of(source(file) or ""))
    page = _Page(lines, cache(lambda file: masked(lines(file))), hidden, colour, width)
    files = ("\n".join(map(inert, lines)) for lines in page.files(diagnostics))
    return "\n\n".join(files) + "\n" if diagnostics else ""


def summary(diagnostics: Sequence[Diagnostic], releases: int) -> str:
    """One line: `2 errors, 1 warning in 12 releases`."""
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    parts = [counted(counts[severity], severity.value) for severity in Severity if counts[severity]]
    return f"{', '.join(parts) or 'no problems'} in {counted(releases, 'release')}"


def counted(number: int, noun: str) -> str:
    """`1 release`, `2 releases`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def headline(diagnostic: Diagnostic) -> str:
    """The first line of a diagnostic alone."""
    level = f"{diagnostic.severity.value} {diagnostic.code}"
    return inert(f"{_before(diagnostic)}{level}: {printable(diagnostic.message)}")


def _before(diagnostic: Diagnostic) -> str:
    """The place that a diagnostic begins with; nothing where it is about no file."""
    return f"{place(diagnostic.file, diagnostic.range)}: " if diagnostic.file else ""


def place(file: str, span: Range | None) -> str:
    """`file:line:column`, printable."""
    return printable(file if span is None else f"{file}:{span.line}:{span.column}")


class _Page(Struct, frozen=True):
    """How paragraphs are set."""

    lines: Callable[[str], Sequence[str]]
    """The lines of a file; none where it can't be shown."""
    masked: Callable[[str], Sequence[str]]
    """The same with what may be a secret hidden: whatever is shown of a file comes from here."""
    hidden: frozenset[tuple[str, int]]
    colour: bool
    width: int | None

    def files(self, diagnostics: Sequence[Diagnostic]) -> Iterator[list[str]]:
        """The lines about each file, the findings of one after the other."""
        for _, found in groupby(diagnostics, key=lambda diagnostic: diagnostic.file):
            yield [line for diagnostic in found for line in self.paragraph(diagnostic)]

    def paragraph(self, diagnostic: Diagnostic) -> Iterator[str]:
        colour = COLOURS[diagnostic.severity]
        level = self._painted(f"{diagnostic.severity.value} {diagnostic.code}", f"{BOLD};{colour}")
        yield from self._wrapped(f"{_before(diagnostic)}{level}:", diagnostic.message, "    ")
        secret = CATALOGUE[diagnostic.code].secret
        if not secret:
            yield from self._excerpt(diagnostic.file, diagnostic.range, colour)
        if diagnostic.hint:
            yield from self._wrapped("      = help:", diagnostic.hint, " " * 14)
        if diagnostic.fix is not None and not secret:
            yield from self._fix(diagnostic.fix)
        for position in diagnostic.related:
            head = f"      = note: {place(position.file, position.range)}:"
            yield from self._wrapped(head, position.message, " " * 14)
            if not secret:
                yield from self._excerpt(position.file, position.range, COLOURS[Severity.NOTE])
        if releases := reached(diagnostic):
            yield from self._wrapped("      = reaches:", some(releases), " " * 17)

    def _excerpt(self, file: str, span: Range | None, colour: str) -> list[str]:
        if span is None or any((file, number) in self.hidden for number in range(span.line, last_line(span) + 1)):
            return []
        paint = partial(self._painted, code=f"{BOLD};{colour}")
        return excerpt(self.masked(file), span, width=self.width, paint=paint)

    def _fix(self, fix: Fix) -> Iterator[str]:
        """The lines as they would read, which `--fix` writes."""
        concerned = range(fix.range.line, last_line(fix.range) + 1)
        lines = self.lines(fix.file)
        if not lines or any((fix.file, number) in self.hidden for number in concerned):
            return
        yield from self._wrapped("      = fix:", f"{fix.title}, with: relspec check --fix", " " * 13)
        for number, line in _fixed(self.masked(fix.file), fix):
            start = fix.range.column - 1 if number == fix.range.line else 0
            yield self._painted(numbered(number, cut(line, start, self.width), "+"), GREEN)

    def _wrapped(self, head: str, text: str, indent: str) -> Iterator[str]:
        """A sentence behind its head, in the terminal's width; code in it is never broken."""
        line, shown = head, printable(text)
        if self.width is None:
            yield f"{head} {shown}"
            return
        used = columns(_plain(head))
        for chunk in CHUNK.findall(" " + shown):
            if used + columns(chunk) > self.width and line.strip():
                yield line
                line = indent + chunk.lstrip()
                used = columns(line)
            else:
                line += chunk
                used += columns(chunk)
        yield line

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


def _fixed(lines: Sequence[str], fix: Fix) -> list[tuple[int, str]]:
    """The lines that a fix changes or adds, each with its number."""
    if not fix.range.line <= fix.range.end_line <= len(lines) + 1:
        return []
    first = lines[fix.range.line - 1 : fix.range.line]
    last = lines[fix.range.end_line - 1 : fix.range.end_line]
    before = first[0][: fix.range.column - 1] if first else ""
    after = last[0][fix.range.end_column - 1 :] if last else ""
    changed = (before + fix.text + after).split("\n")
    if changed[-1] == after and fix.text.endswith("\n"):
        changed.pop()  # the line below, which only moved
    return list(enumerate(changed, fix.range.line))


def some(releases: Sequence[str]) -> str:
    """The first releases by name, and how many more."""
    more = len(releases) - RELEASES
    named = ", ".join(releases[:RELEASES])
    return f"{named} and {more} more" if more > 0 else named


def inert(line: str) -> str:
    """A line that a CI runner takes for no command of its own: those begin with `::`, after spaces, too."""
    stripped = line.lstrip()
    return line.replace("::", "\\x3a:", 1) if stripped.startswith("::") else line


def _plain(text: str) -> str:
    """`text` without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
