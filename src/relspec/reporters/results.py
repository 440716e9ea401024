"""What a verb has found, as every report takes it, and what the reports for other programs share."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Diagnostic, Range
from relspec.reporters.excerpt import last_line, lines_of

Source = Callable[[str], str | None]
"""Gives a file's text, or None where it can't be shown."""


class Results(Struct, frozen=True):
    """Everything that is said in one run, in its order, and the ids of the releases that were looked at.

    `prefix` is the folder of the repository of releases below the root of Git's, which paths in a pull request are
    relative to; `version` is relspec's. `ended` says that the verb could not do its work: nothing was looked at.
    """

    verb: str
    diagnostics: tuple[Diagnostic, ...]
    releases: tuple[str, ...]
    source: Source
    prefix: str = ""
    version: str = ""
    ended: bool = False

    def path(self, file: str) -> str:
        """A file's path as Git sees it."""
        return f"{self.prefix}/{file}" if self.prefix and file else file


def reached(diagnostic: Diagnostic) -> tuple[str, ...]:
    """The releases that a finding has to name: all of them, unless it is one whose own folder the file lies in."""
    releases = diagnostic.releases
    own = len(releases) == 1 and diagnostic.file.startswith(f"environments/{releases[0]}/")
    return () if own else releases


def secret_lines(diagnostics: Iterable[Diagnostic]) -> frozenset[tuple[str, int]]:
    """The lines that may hold a secret: no finding shows them, not even one that is about something else there."""
    return frozenset(_secret_lines(diagnostics))


def _secret_lines(diagnostics: Iterable[Diagnostic]) -> Iterator[tuple[str, int]]:
    for diagnostic in diagnostics:
        if CATALOGUE[diagnostic.code].secret:
            places = [(related.file, related.range) for related in diagnostic.related]
            for file, span in (*places, (diagnostic.file, diagnostic.range)):
                if span is not None:
                    yield from ((file, number) for number in range(span.line, last_line(span) + 1))


def fingerprints(results: Results) -> tuple[str, ...]:
    """A name for each diagnostic that stays the same when its line moves, and is like no other's of this run.

    It is made from the code, the file and the text that is pointed at; equal ones are numbered in their order. Text that
    may be a secret is left out: short ones could be guessed from a digest.
    """
    hidden = secret_lines(results.diagnostics)
    texts: dict[str, list[str]] = {}
    seen: Counter[str] = Counter()
    found: list[str] = []
    for diagnostic in results.diagnostics:
        file, span = diagnostic.file, diagnostic.range
        if file not in texts:
            texts[file] = lines_of(results.source(file) or "")
        shown = span is not None and (file, span.line) not in hidden and not CATALOGUE[diagnostic.code].secret
        parts = (diagnostic.code, file, *(_text(texts[file], span) if shown else ("", diagnostic.message)))
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
        seen[digest] += 1
        found.append(f"{digest}:{seen[digest]}")
    return tuple(found)


def _text(lines: list[str], span: Range | None) -> tuple[str, str]:
    """The line where a range begins, without its indent, and what the range takes of it."""
    if span is None or span.line > len(lines):
        return ("", "")
    line = lines[span.line - 1]
    return line.strip(), line[span.column - 1 : span.end_column - 1 if span.end_line == span.line else None]
