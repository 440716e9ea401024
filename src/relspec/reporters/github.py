"""Diagnostics as commands of GitHub Actions, which become annotations on the lines of a pull request.

GitHub keeps the first ten of each level from a step; what is beyond them stands in the log as plain lines. The escapes are
those that the runner undoes (actions/runner, src/Runner.Common/ActionCommand.cs): nobody's text ends a command or begins
another.
"""

from __future__ import annotations

from collections.abc import Iterator

from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Diagnostic, Severity
from relspec.reporters.excerpt import printable
from relspec.reporters.results import Results, reached
from relspec.reporters.text import counted, headline, place, some

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
EACH = 10
"""Annotations of one level that GitHub keeps from a step."""


def report(results: Results) -> str:
    """One command a line, errors first; nothing where there is nothing to say."""
    return "".join(f"{line}\n" for line in _lines(results))


def _lines(results: Results) -> Iterator[str]:
    rest: list[Diagnostic] = []
    for severity in Severity:
        found = [diagnostic for diagnostic in results.diagnostics if diagnostic.severity is severity]
        rest += found[EACH:]
        for diagnostic in found[:EACH]:
            yield _command(diagnostic, results)
    if rest:
        yield f"{counted(len(rest), 'finding')} more, beyond the {EACH} of a level that GitHub annotates:"
        for diagnostic in rest:
            yield headline(diagnostic)


def _command(diagnostic: Diagnostic, results: Results) -> str:
    properties: dict[str, str] = {}
    if diagnostic.file:
        properties["file"] = results.path(diagnostic.file)
    span = diagnostic.range
    if span is not None:
        properties |= {"line": str(span.line), "endLine": str(span.end_line)}
        if span.line == span.end_line:  # GitHub refuses columns of several lines
            properties |= {"col": str(span.column), "endColumn": str(max(span.end_column - 1, span.column))}
    properties["title"] = f"{diagnostic.code} {CATALOGUE[diagnostic.code].title}"
    written = ",".join(f"{key}={in_property(value)}" for key, value in properties.items())
    return f"::{LEVELS[diagnostic.severity]} {written}::{in_message(_message(diagnostic))}"


def _message(diagnostic: Diagnostic) -> str:
    """The sentence, and below it what to type, what explains it and what it reaches: each on one line."""
    lines = [diagnostic.message]
    if diagnostic.hint:
        lines.append(f"help: {diagnostic.hint}")
    lines += [f"note: {place(each.file, each.range)}: {each.message}" for each in diagnostic.related]
    if releases := reached(diagnostic):
        lines.append(f"reaches: {some(releases)}")
    return "\n".join(printable(line) for line in lines)


def in_message(text: str) -> str:
    """Text behind the second `::`; its line ends are kept."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def in_property(text: str) -> str:
    """Text of a property."""
    return in_message(printable(text)).replace(":", "%3A").replace(",", "%2C")
