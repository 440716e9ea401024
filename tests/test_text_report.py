"""How a terminal sees diagnostics: the place, the caret, the hint, the fix; nothing that steers the terminal, no secret."""

from __future__ import annotations

import re
from time import perf_counter

import pytest

from relspec.credentials import masked
from relspec.diagnostics import Diagnostic, Fix, Kind, Position, Range, Severity
from relspec.reporters import text
from relspec.reporters.excerpt import columns


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


def shown(found: Diagnostic, source: str, width: int | None = None) -> list[str]:
    """The lines of a report about one file."""
    return text.report([found], lambda _: source, width=width).splitlines()


def excerpt(source: str, span: Range, width: int | None = None) -> list[str]:
    """The lines of the source and the carets."""
    lines = shown(diagnostic(range=span, hint=""), source, width)
    return lines[next(index for index, line in enumerate(lines) if "|" in line) :]


def test_a_diagnostic_is_a_place_a_sentence_a_caret_and_a_hint() -> None:
    assert shown(diagnostic(), "first\n  imag: x\n") == [
        "a.yaml:2:3: error RS120: it is wrong",
        "    2 |   imag: x",
        "      |   ^^^^",
        "      = help: make it right",
    ]


def test_a_diagnostic_about_no_file_begins_with_what_it_is() -> None:
    found = diagnostic("RS630", file="", range=None)
    assert shown(found, "") == ["error RS630: it is wrong", "      = help: make it right"]
    assert text.headline(found) == "error RS630: it is wrong"


# --- excerpts


def test_the_caret_stands_under_wide_and_combined_characters() -> None:
    assert excerpt("日本:e\u0301x\n", Range(1, 4, 1, 6)) == ["    1 | 日本:e\u0301x", "      |      ^"]


def test_a_tab_is_seen_and_takes_its_columns() -> None:
    assert excerpt("a\tb: x\n", Range(1, 3, 1, 4)) == ["    1 | a→  b: x", "      |     ^"]


def test_a_short_range_of_several_lines_is_shown_whole() -> None:
    assert excerpt("a:\n  - b\n    c\nd\n", Range(2, 3, 3, 6)) == [
        "    2 |   - b",
        "      |   ^^^",
        "    3 |     c",
        "      |     ^",
    ]


def test_of_a_long_range_the_ends_are_shown() -> None:
    lines = excerpt("".join(f"k{number}: 1\n" for number in range(20)), Range(3, 1, 12, 3))
    assert [line.split("|")[0].strip() for line in lines] == ["3", "", "4", "", "...", "12", ""]


def test_a_range_that_ends_before_the_next_line_has_no_part_of_it() -> None:
    assert excerpt("a: |\n  b\nc: 1\n", Range(2, 3, 3, 1)) == ["    2 |   b", "      |   ^"]


def test_an_empty_range_has_a_caret_too() -> None:
    assert excerpt("a:\n", Range(1, 3, 1, 3)) == ["    1 | a:", "      |   ^"]


@pytest.mark.parametrize("line", [9, 3])
def test_a_place_behind_the_end_has_no_excerpt(line: int) -> None:
    assert shown(diagnostic(line=line, hint=""), "a\nb\n") == [f"a.yaml:{line}:3: error RS120: it is wrong"]


def test_a_line_separator_ends_no_line() -> None:
    assert excerpt("a: \u2028\x0c\nb: 1\n", Range(2, 1, 2, 2)) == ["    2 | b: 1", "      | ^"]


@pytest.mark.parametrize("width", [None, 40, 80, 200])
@pytest.mark.parametrize("start", [0, 5, 60, 300, 590])
@pytest.mark.parametrize("letter", ["x", "日"])
def test_a_long_line_is_cut_around_its_range(width: int | None, start: int, letter: str) -> None:
    line = letter * start + "here" + letter * (596 - start)
    code, carets = excerpt(line + "\n", Range(1, start + 1, 1, start + 5), width)
    assert columns(code) <= (width or 128)
    assert columns(code) > (width or 128) * 0.6
    before = carets.index("^")
    assert columns(code[: code.index("here")]) == before
    assert carets.count("^") == 4
    assert ("| …" in code) is (code.count(letter) < 596 and not code.startswith(f"    1 | {letter * start}here"))


def test_a_range_longer_than_the_terminal_is_cut() -> None:
    code, carets = excerpt("a" * 500 + "\n", Range(1, 1, 1, 501), 40)
    assert columns(code) == columns(carets) == 39
    assert code.endswith("…")


def test_a_line_of_a_mebibyte_takes_no_time() -> None:
    source = "a: [" + "1, " * 350_000 + "]\n"
    found = [diagnostic(line=1, column=3 * number + 5, end=3 * number + 6) for number in range(300)]
    start = perf_counter()
    assert text.report(found, lambda _: source).count("^") == 300
    assert perf_counter() - start < 3


# --- what explains, and what mends


def test_related_places_have_their_own_excerpt_and_every_release_is_named() -> None:
    found = diagnostic(
        range=None, related=(Position("the base sets it here", "b.yaml", Range(1, 1, 1, 2)),), releases=("p/a", "p/b")
    )
    assert shown(found, "b: 1\n")[1:] == [
        "      = help: make it right",
        "      = note: b.yaml:1:1: the base sets it here",
        "    1 | b: 1",
        "      | ^",
        "      = reaches: p/a, p/b",
    ]


@pytest.mark.parametrize(("file", "named"), [("environments/p/a/release.yaml", False), ("bases/a.yaml", True)])
def test_one_release_is_named_where_the_file_does_not_say_it(file: str, named: bool) -> None:
    assert ("reaches: p/a" in shown(diagnostic(file=file, releases=("p/a",)), "")[-1]) is named


def test_of_many_releases_some_are_named() -> None:
    releases = tuple(f"p/r{number:03}" for number in range(300))
    assert shown(diagnostic(releases=releases), "")[-1].endswith("p/r007 and 292 more")


@pytest.mark.parametrize(
    ("span", "new", "lines"),
    [
        (Range(2, 3, 2, 7), "image", ["    2 +   image: x"]),
        (Range(2, 10, 2, 10), "\n  more: 1", ["    2 +   imag: x", "    3 +   more: 1"]),
        (Range(2, 1, 2, 1), "  more: 1\n", ["    2 +   more: 1"]),
        (Range(1, 1, 2, 3), "", ["    1 + imag: x"]),
    ],
)
def test_a_fix_is_shown_as_the_lines_that_it_writes(span: Range, new: str, lines: list[str]) -> None:
    found = diagnostic(hint="", fix=Fix("rename it", "a.yaml", span, new))
    assert shown(found, "first\n  imag: x\n")[3:] == ["      = fix: rename it, with: relspec check --fix", *lines]


# --- secrets


@pytest.mark.parametrize("code", ["RS231", "RS440"])
def test_a_line_that_may_hold_a_secret_is_not_shown(code: str) -> None:
    fix = Fix("remove it", "a.yaml", Range(2, 3, 2, 4), "H")
    found = diagnostic(code, fix=fix, related=(Position("here", "a.yaml", Range(2, 3, 2, 4)),))
    assert "unter2" not in "\n".join(shown(found, "x\n  hunter2\n"))


def test_a_secret_is_not_shown_for_another_finding_either() -> None:
    fix = Fix("rename it", "a.yaml", Range(2, 3, 2, 6), "password")
    nearby = diagnostic("RS120", line=2, fix=fix, related=(Position("and here", "a.yaml", Range(3, 1, 3, 2)),))
    secret = diagnostic("RS231", range=Range(2, 8, 3, 3))
    report = text.report([nearby, secret], lambda _: "x\n  pas: hunter2\n  correct-horse\n")
    assert "hunter2" not in report
    assert "correct-horse" not in report


# --- nothing steers what reads it


HUNTER = "hunter2-S3cr3t"


@pytest.mark.parametrize(
    "source",
    [
        f"env: {{API_KEY: {HUNTER}, B: 1.10}}",
        f"env: {{API_KEY: {{secret: '{HUNTER}'}}, B: 1.10}}",
        f"env: {{B: 1.10, api-key: [{HUNTER}]}}",
        f"env: {{B: 1.10, apiKey: {{value: {HUNTER}}}}}",
        f"env: ['DB_PASSWORD={HUNTER}', x]",
        f"args: ['--password={HUNTER}', x]",
        f"args: [--api-key, {HUNTER}, x]",
        f"env: [{{name: API_KEY, value: {HUNTER}}}]",
        f"  x-api-key: !x {HUNTER}, and more",
        f'  API_KEY: "{HUNTER}',
        f"\tAPI_KEY: {HUNTER}",
        f"image: user:{HUNTER}@ghcr.io/a/b:1",
        f"url: postgres://user:{HUNTER}@db/x",
    ],
)
def test_a_secret_is_not_shown_whatever_else_is_wrong_in_its_line(source: str) -> None:
    lines = shown(diagnostic("RS104", line=1, column=1, end=len(source) + 1), source)
    assert HUNTER not in "\n".join(lines)
    assert "*" * len(HUNTER) in lines[1]


def test_a_hidden_value_keeps_the_columns() -> None:
    (line,) = masked([f"env: {{API_KEY: {HUNTER}, B: 1.10}}"])
    assert line == f"env: {{API_KEY: {'*' * len(HUNTER)}, B: 1.10}}"


def test_what_belongs_to_a_secret_is_hidden_with_it_line_by_line() -> None:
    key = ["k: |", "  -----BEGIN RSA PRIVATE KEY-----", "  MIIE", "  -----END RSA PRIVATE KEY-----", "b: 1"]
    assert masked(key) == ["k: |", f"  {'*' * 31}", "  ****", f"  {'*' * 29}", "b: 1"]
    assert masked(["- API_KEY: |", "    ab", "", "  b: 1"]) == ["- API_KEY: *", "    **", "", "  b: 1"]
    assert masked(["- name: API_KEY", "  value: ab"]) == ["- name: API_KEY", "  value: **"]
    assert masked(["- --token", "- ab"]) == ["- --token", "- **"]


@pytest.mark.parametrize(
    "line",
    [
        "env: {API_KEY: {secret: shop/api-key}, B: 1.10}",
        "env: {API_KEY: {environment: V}, B: 1.10}",
        "  TOKEN_FILE: /run/token",
        "  DB_PASSWORD: /run/secrets/db",
        "  MAX_TOKENS: 4096",
        "  automountServiceAccountToken: false",
        "  imagePullSecret: registry",
        "image: ghcr.io/a/b:1@sha256:0123",
        "url: http://p:9090/x",
    ],
)
def test_what_only_sounds_like_a_secret_is_shown(line: str) -> None:
    assert masked([line]) == [line]


def test_nothing_reaches_the_terminal_as_a_command() -> None:
    nasty = diagnostic(message="a\x1b[31m\r\nb", file="c\x07.yaml", range=None, hint="\u202e")
    assert text.report([nasty], lambda _: None) == (
        "c\\x07.yaml: error RS120: a\\x1b[31m\\x0d\\x0ab\n      = help: \\u202e\n"
    )


def test_nothing_reaches_a_ci_runner_as_a_command() -> None:
    nasty = diagnostic(
        message="a b ::set-output name=x::y c",
        file="::add-mask::x",
        hint="a ##[add-mask]b ##vso[task.x]b ::stop-commands::x",
    )
    for width in range(40, 80):
        lines = shown(nasty, "\n  ##[error]x ##vso[x]\n", width)
        assert not [line for line in lines if line.lstrip().startswith("::") or "##[" in line or "##vso[" in line]
    assert "    2 |   ##\\x5berror]x ##vso\\x5bx]" in lines


def test_a_character_shown_as_its_escape_moves_the_caret() -> None:
    assert excerpt("\x1b\U000e0001ab\n", Range(1, 3, 1, 4)) == [
        "    1 | \\x1b\\U000e0001ab",
        "      |               ^",
    ]


# --- the terminal


def test_colour_is_only_where_it_is_asked_for() -> None:
    coloured = text.report([diagnostic()], lambda _: "x\n  imag: x\n", colour=True)
    assert "\x1b[1;31merror RS120\x1b[0m" in coloured
    assert "\x1b[1;31m^^^^\x1b[0m" in coloured
    plain = text.report([diagnostic()], lambda _: "x\n  imag: x\n")
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert "\x1b" not in plain


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_sentences_are_wrapped(width: int) -> None:
    words = "the quick brown fox jumps over the lazy dog and " * 5
    lines = shown(diagnostic(message=words.strip(), hint=words.strip()), "", width)
    assert max(map(columns, lines)) <= width
    assert " ".join(" ".join(lines).split()).count("lazy dog and") == 10


@pytest.mark.parametrize(
    "code",
    [
        "run: relspec compile && git add -A rendered && git commit --amend --no-edit",
        "{secret: NAME/KEY, optional: false, and: more, and more: still}",
        '"a text in quotes that is much longer than the terminal is wide"',
    ],
)
def test_code_in_a_sentence_is_never_broken(code: str) -> None:
    lines = shown(diagnostic(hint=f"this is what has to be written instead {code}"), "", 40)
    assert any(code.removeprefix("run: ") in line for line in lines)


def test_without_a_terminal_a_sentence_is_one_line() -> None:
    assert len(shown(diagnostic(message="word " * 100, hint=""), "")) == 1


def test_findings_stand_by_file_with_a_line_between() -> None:
    found = [diagnostic(hint=""), diagnostic(line=4, hint=""), diagnostic(file="b.yaml", hint="")]
    assert text.report(found, lambda _: None).splitlines() == [
        "a.yaml:2:3: error RS120: it is wrong",
        "a.yaml:4:3: error RS120: it is wrong",
        "",
        "b.yaml:2:3: error RS120: it is wrong",
    ]
    assert text.report([], lambda _: None) == ""


def test_the_summary_counts() -> None:
    assert text.summary([], 1) == "no problems in 1 release"
    warning = diagnostic(severity=Severity.WARNING)
    assert text.summary([diagnostic(), diagnostic(), warning], 12) == "2 errors, 1 warning in 12 releases"
