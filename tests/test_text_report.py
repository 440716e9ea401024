"""How a terminal sees diagnostics: the place, the caret, the hint; nothing that steers the terminal, no secret."""

from __future__ import annotations

import pytest

from relspec.diagnostics import Diagnostic, Kind, Position, Range, Severity
from relspec.reporters import text


def diagnostic(code: str = "RS120", line: int = 2, column: int = 3, end: int = 7, **fields: object) -> Diagnostic:
    values: dict[str, object] = {
        "code": code,
        "severity": Severity.ERROR,
        "kind": Kind.STRUCTURE,
        "file": "a.yaml",
        "range": Range(line, column, line, end),
        "message": "it is wrong",
        "hint": "make it right",
        **fields,
    }
    return Diagnostic(**values)  # type: ignore[arg-type]


def test_a_diagnostic_is_a_place_a_sentence_a_caret_and_a_hint() -> None:
    shown = text.report([diagnostic()], lambda _: "first\n  imag: x\n")
    assert shown == "a.yaml:2:3: error RS120: it is wrong\n      imag: x\n      ^^^^\n    help: make it right\n"


def test_the_caret_stands_under_wide_and_combined_characters() -> None:
    shown = text.report([diagnostic(line=1, column=4, end=6)], lambda _: "日本:é́x\n")
    assert shown.splitlines()[2] == "    " + " " * 5 + "^"


@pytest.mark.parametrize("code", ["RS231", "RS440"])
def test_a_line_that_may_hold_a_secret_is_not_shown(code: str) -> None:
    shown = text.report([diagnostic(code)], lambda _: "x\n  hunter2\n")
    assert "hunter2" not in shown


def test_nothing_reaches_the_terminal_as_a_command() -> None:
    nasty = diagnostic(message="a\x1b[31m\r\nb", file="c\x07.yaml", range=None, hint="\u202e")
    shown = text.report([nasty], lambda _: None)
    assert shown == "c\\x07.yaml: error RS120: a\\x1b[31m\\x0d\\x0ab\n    help: \\u202e\n"


def test_colour_is_only_where_it_is_asked_for() -> None:
    assert "\x1b[31merror RS120\x1b[0m" in text.report([diagnostic()], lambda _: None, colour=True)


def test_related_places_and_every_release_are_named() -> None:
    found = diagnostic(
        related=(Position("the base sets it here", "b.yaml", Range(4, 5, 4, 6)),), releases=("p/a", "p/b")
    )
    shown = text.report([found], lambda _: None)
    assert "note: the base sets it here (b.yaml:4:5)" in shown
    assert "reaches: p/a, p/b" in shown


def test_the_summary_counts() -> None:
    assert text.summary([], 1) == "no problems in 1 release"
    warning = diagnostic(severity=Severity.WARNING)
    assert text.summary([diagnostic(), diagnostic(), warning], 12) == "2 errors, 1 warning in 12 releases"
