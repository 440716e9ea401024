"""YAML in: what is accepted, what is refused and where, and that the two parsers can't be told apart."""

from __future__ import annotations

from typing import Any

import pytest
import yaml_rs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relspec.diagnostics import Part, Path, Range, RelspecError
from relspec.documents import (
    CODES,
    MAX_LINES,
    MAX_NODES,
    UNREADABLE,
    _Composer,
    locate,
    locator,
    needs_careful,
    parse,
    parse_carefully,
    path_at_line,
    tabbed_lines,
)

DIGEST = "3f9c1e0d7a6b5c4d" * 4
SPEC = f"""\
# The release of movie-recs: on, off, 010 and 'quotes' in a comment.
apiVersion: relspec/v1
kind: Release
name: movie-recs                        # DNS label
targets: [rollouts]
services:
  api:
    model: als@v0.3
    image: ghcr.io/acme/x:1.8.2@sha256:{DIGEST}
    command: ["python", "-m", "recs.server"]
    ports: {{http: {{port: 8080, publish: 8000, protocol: http}}}}
    health: {{path: /healthz, startup: 60s, retries: 3, live: false}}
    resources: {{cpu: 500m, memory: 2 gigs}}
    env:
      LOG_LEVEL: info
      DIGEST: sha256:{DIGEST}
      GREETING: "it's: yes # no"
    strategy:
      canary:
        steps: [{{setWeight: 10}}, {{pause: 5m}}, {{pause: {{}}}}, {{analyze: [success-rate, latency]}}]
    files:
      /etc/app.conf:
        content: |
          listen 80

          root /srv
    args:
      - --verbose
      - "yes"
      -
        x: |-
          last
    wrapped: [
      one,
      {{two: 2}},
    ]
""".encode().replace(b"      {two: 2},\n    ]", b"      {two: 2}\n      ]")


def codes(data: bytes) -> list[str]:
    with pytest.raises(RelspecError) as error:
        parse(data, "release.yaml")
    return [finding.code for finding in error.value.findings]


def same(left: Any, right: Any) -> bool:
    """Equal in value, type and order, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return repr(left) == repr(right)


# --- scalars ---------------------------------------------------------------------------------------------------------

SCALARS: list[tuple[str, Any]] = [
    ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None),
    ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
    ("0", 0), ("-7", -7), ("+7", 7), ("8080", 8080), ("-0", 0),
    ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
    ("1.5", 1.5), ("-0.5", -0.5), (".5", 0.5), ("1.", 1.0), ("1e3", "1e3"), ("207521e0", "207521e0"), ("1.0e+22", 1e22), ("1.10", 1.1),
    ("0e5", "0e5"), ("-0.0", -0.0),
    *((word, word) for word in ("yes", "no", "on", "off", "y", "n", "Yes", "NO", "oN", "Y", "tRUE", "nULL")),
    *((word, word) for word in ("010", "-010", "00.5", "00", "0o17", "0O17", "0x1F", "-0x1F", "0b11")),
    *((word, word) for word in ("1_000", "_1", "1_0.5", "12:30:45", "1:30", "2024-01-01", "2024-01-01T10:00:00Z")),
    *((word, word) for word in (".inf", "-.inf", ".nan", "inf", "=", "1e", "e3", "1.8.2", "2 gigs", "tr_ue", "0_x1")),
    *((word, word) for word in ("12e", "5432:5432", "--flag", "a#b", "a, b", "٣", "it's", "$X")),
]  # fmt: skip


@pytest.mark.parametrize(("written", "value"), SCALARS)
def test_plain_scalars_are_read_as_documented(written: str, value: Any) -> None:
    for text in (f"k: {written}\n", f"k: {written} # c", f"a:\n  - b\nk: {written}"):
        assert same(parse(text.encode(), "f")["k"], value), text
        assert same(parse_carefully(text.encode(), "f")["k"], value), text
    if ", " not in written:
        assert same(parse(f"k: [{written or '~'}, {written or '~'}]\n".encode(), "f")["k"], [value, value])


@pytest.mark.parametrize("written", ["yes", "010", "0o17", "1_000", "12:30", "2024-01-01", "null", "8080", "1.5", "y"])
def test_quotes_make_text(written: str) -> None:
    assert parse(f"a: '{written}'\nb: \"{written}\"\n\"{written}\": c\n".encode(), "f") == {
        "a": written, "b": written, written: "c"
    }  # fmt: skip


# --- the scan --------------------------------------------------------------------------------------------------------


def test_an_ordinary_spec_is_read_fast() -> None:
    assert not needs_careful(SPEC)
    assert same(yaml_rs.loads(SPEC.decode(), parse_datetime=False), parse_carefully(SPEC, "f"))


@pytest.mark.parametrize(
    "line",
    ["a: sha256:" + DIGEST, "a: LOG_LEVEL", f"a: ghcr.io/acme/x:1.8.2@sha256:{DIGEST}", "a: 2 gigs", "a: 500m",
     "a: information # yes: 010", "a: 'yes'", 'a: "010: 0x1F"', "a: on call", "a: never say no", "a: nope",
     "a: [b, c]", "a: {b: 1, c: true}", "no_proxy: x", "a: x&y", "a: x*y!z%", "a: caf\u00e9", "a: b\r\nc: d", "a: 9f8e7d6",
     "a: b # --- c", "a: {b: {c: [1, 2]}, d: []}", "- - a"],
)  # fmt: skip
def test_what_is_inside_words_quotes_and_comments_stays_fast(line: str) -> None:
    assert not needs_careful(f"{line}\n".encode())


@pytest.mark.parametrize(
    "text",
    ["a: yes", "- no", "a: [b, on]", "a: {b: off}", "a: y", "n: a", "a: Yes", "a: 010", "a: [00]", "a: 1_000",
     "a: 12:30:45", "a: 1:30", "a: 2024-01-01", "a: 2024-01-01T10:00:00Z", "a: 0x1F", "a: 0o17", "a: .inf", "a: -.inf",
     "a: 1e400", "a: 12e4567", "a: &x b", "a: *x", "a: !x b", "a: %x", "<<: a", "? a", "a:\tb", "---\na: b",
     "a: b\n---\nc: d", "a: b\n...", "\ufeffa: b", "1: a", "true: a", "a: {1: b}", "a: {1}", "a: {b: c, 1}",
     "a: {{ b }}", "a: {b: c, [d]}", "a: {b: {c: d}, {e: f}}", "a: x\u2028y", "a: x\x85y", "a: \ue000", "a: x\x07",
     "a: _1", "a: 0_x1", "a: 99999999999999999999", "a: ~", "a: True", "a: |", "a: |\n  b", 'a: "\\u00e9"', "a: b\rc: d",
     "x" * 1100 + ": a", "a: 'b\n  c'", "a: [[[[[b]]]]]"],
)  # fmt: skip
def test_what_parsers_disagree_on_is_read_carefully(text: str) -> None:
    assert needs_careful(text.encode())


PIECES = [
    "a", "b", "key", "10", "0", "-1", "1.5", "1.8.2", "x y", "'q'", '"d"', '"a: b #"', "'x: 010 #'", "'it''s'", '"\\n"',
    ": ", ":", ": ", ": ", "- ", "-", "- ", "\n", "\n", "\n", "\n  ", "\n  ", "\n    ", "\n ", "\n   ", "\n\n",
    "[", "]", "{", "}", ", ", ",", "[a, b]", "{a: b}", "{a: [b, c], d: {e: 1}}", "[{a: 1}, {b: {}}]", "[a,\n  b]",
    "# c", " # c", "#", " ", "  ", "|", ">", "|-", ">-", "|+", "true", "null", "a_1", "sha256:abc", "\u00e9", "\u00a0",
    "$X", "(z)", "/p", "./d", "--f", "500m", "2 gigs", "\r\n", "a,b", "it's", 'x"y', "a#b", "http://x:80/y", "a :b",
]  # fmt: skip
AWKWARD = [
    "010", "yes", "no", "~", "1_0", "_1", "0x1", "1e5", "12e3", "+1", ".5", ".inf", "1.", "12:30", "2024-01-01", "t_rue",
    "&a", "*a", "!t", "@", "`", "%", "? ", "=", "<<", "\\", "\r", "\t", "---", "...", "\ufeff", "\u2028", "\x85", "'", '"',
]  # fmt: skip

soup = st.lists(st.sampled_from(PIECES + AWKWARD), max_size=9).map("".join)
lines = st.lists(
    st.builds(
        lambda indent, dash, key, value, tail, end: " " * indent + dash + key + value + tail + end,
        st.integers(0, 5),
        st.sampled_from(["", "", "", "- ", "- - ", "-"]),
        st.sampled_from(["a: ", "b: ", "c: ", "d:", "e: ", ""]),
        st.sampled_from(["", *PIECES]),
        st.one_of(st.just(""), st.sampled_from(PIECES)),
        st.sampled_from(["\n", "\n", "\n", "\n\n", " # c\n", "\r\n", ""]),
    ),
    max_size=7,
).map("".join)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The real spec with a few pieces put in or cut out, which breaks it in realistic ways."""
    text = SPEC.decode()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + draw(st.sampled_from(["", *PIECES, *AWKWARD]))
            + text[at + draw(st.sampled_from([0, 0, 1, 5])) :]
        )
    return text


def outcome(read: Any, data: bytes) -> Any:
    try:
        return read(data)
    except (RelspecError, ValueError):
        return None


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.one_of(soup, soup.map("k: ".__add__), lines, mutated()))
@example("a: |+\n")
@example("a: >\n b")
@example("a: {{ x }}\n")
@example("a: {b\n  c: d}\n")
@example(" a: |\n     x: [b,\n d, 'x: 010 #']\n")
def test_a_file_the_fast_parser_may_read_means_the_same_to_the_careful_one(text: str) -> None:
    data = text.encode()
    careful = outcome(lambda d: parse_carefully(d, "f"), data)
    assert same(outcome(lambda d: parse(d, "f"), data), careful)
    if not needs_careful(data):
        fast = outcome(lambda d: yaml_rs.loads(d.decode(), parse_datetime=False), data)
        assert not isinstance(fast, dict) or fast == {} or same(fast, careful)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_make_it_fail_in_any_other_way(data: bytes) -> None:
    outcome(lambda d: parse(d, "f"), data)
    locate(data, ("a", 0), "key")
    path_at_line(data, 1)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a: b: c\n", ["RS100"]),
        (b"a: [b\n", ["RS100"]),
        (b"a: 'b\n", ["RS100"]),
        (b"a: @b\n", ["RS100"]),
        (b"a: 1\nb: 2\na: 3\n", ["RS101"]),
        (b"a: 1\n---\nb: 1\n", ["RS102"]),
        (b"a: 1\n...\n", ["RS102"]),
        (b"", ["RS103"]),
        (b"# nothing\n", ["RS103"]),
        (b"---\n", ["RS103"]),
        (b"- a\n", ["RS103"]),
        (b"text\n", ["RS103"]),
        (b"a: \xff\n", ["RS105"]),
        (b"a: " + b"x" * 1024 * 1024, ["RS106"]),
        (b"a: !!str 1\nb: !x y\n", ["RS107", "RS107"]),
        (b"%YAML 1.2\n---\na: 1\n", ["RS107"]),
        (b"%OTHER x\n---\na: 1\n", ["RS107"]),
        (b"a: &x 1\nb: *x\n<<: *x\n", ["RS108"]),
        (b"a:\n\tb: 1\n", ["RS109"]),
        (b"1: a\ntrue: b\n~: c\n? [d]\n: e\n", ["RS110"] * 4),
        (b"a: 9223372036854775808\nb: 1.0e400\nc: 1.0e-400\n", ["RS111"] * 3),
        (b"a: " + b"[" * 64 + b"]" * 64 + b"\n", ["RS111"]),
        (b"a: " + b"[" * 20_000, ["RS111"]),
        (b"a: b\x07\n", ["RS112"]),
        (b"a: b\rc\n", ["RS112"]),
        (b'a: "\\0"\n', ["RS112"]),
        (b'a: "\\ud800"\n', ["RS100"]),
        ("a: \ue000\n".encode(), ["RS112"]),
        (b'a: "\\ue001"\n', ["RS112"]),
        ("a: 1\n\ufeffb: 2\n".encode(), ["RS112"]),
    ],
)
def test_what_is_refused(data: bytes, expected: list[str]) -> None:
    assert codes(data) == expected
    assert set(expected) <= set(CODES)


def test_an_anchor_and_what_refers_to_it_have_one_answer_with_a_count() -> None:
    with pytest.raises(RelspecError) as error:
        parse(b"a: &x [b]\n" + b"".join(b"k%d: [*x, *x]\n" % n for n in range(50)), "release.yaml")
    (found,) = error.value.findings
    assert found.message == "`&x` is a YAML anchor, the first of 101 anchors, aliases and merge keys in this file"
    assert (found.where.range or Range(0, 0, 0, 0)).line == 1


def test_all_independent_problems_are_reported_in_the_order_of_the_file() -> None:
    data = b"a: !t 1\nb: &x 2\n3: c\nd: \x01\na: 99999999999999999999\n\te: f\n"
    assert codes(data) == ["RS107", "RS108", "RS110", "RS112", "RS101", "RS111", "RS109"]


def test_a_tab_inside_a_scalar_is_text() -> None:
    assert parse(b"a: |\n  \tb\nc: 'd\te'\n", "f") == {"a": "\tb\n", "c": "d\te"}
    assert codes(b"c: d\te\n") == ["RS100"]


@pytest.mark.parametrize(
    "text",
    [
        "  a: |\n    all:\n    \tcc x\n{}b: 1\n",
        "{}b: 1\n  a: |\n    all:\n    \tcc x\n",
        "{}b: 1\n  a:\n    - |-  # make\n      all:\n    \n      \tcc x\n",
        "{}b: 1\n  a:\n    - c: >+2\n        all:\n        \tcc x\n",
        '{}b: 1\n  a: |\n    all:\n    \tcc x\n  "k: |": |\n    \tx\n  # d: |\n',
    ],
)
def test_a_tab_in_a_block_scalar_is_no_indent_even_beside_one_that_is(text: str) -> None:
    data = ("s:\n" + text.format("\t")).encode()
    wrong = data.split(b"\n").index(b"\tb: 1") + 1
    assert tabbed_lines(data) == (wrong,)
    assert codes(data) == ["RS109"]
    right = ("s:\n" + text.format("  ")).encode()
    assert tabbed_lines(right) == ()
    assert parse(right, "f")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('a: "\\U00110000"\n', (1, 5)),
        ('a: 1\nb: "x y \\UFFFFFFFF"\n', (2, 9)),
        ('"\\U00110000": 1\n', (1, 2)),
        ('a: "\\n\\ud800"\n', (1, 7)),
        ('a: "x \\\n  y \\ud83d\\ude00"\n', (2, 5)),
        ('a: "\\\\U00110000 \\U7FFFFFFF"\n', (1, 17)),
        ('a: "\\x"\n', (1, 7)),
        ('a: "\\uzzzz"\n', (1, 7)),
    ],
)
def test_an_escape_that_is_no_character_is_refused_where_it_stands(text: str, place: tuple[int, int]) -> None:
    with pytest.raises(RelspecError) as error:
        parse(text.encode(), "f")
    (finding,) = error.value.findings
    assert finding.code == "RS100"
    assert finding.where.range is not None
    assert (finding.where.range.line, finding.where.range.column) == place
    assert "escape" in finding.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n«foo»\nb: 2\n", "neither"),
        ("a: 1\n«foo»\n", "neither"),
        ("a: 1\n«foo»   # why\n\n\n", "neither"),
        ("«foo»\na: 1\n", "neither"),
        ("s:\n  «foo»\n  # why\n\n  a: 1\n", "neither"),
        ("s:\n  «foo»\n  a:\n    - x\n", "neither"),
        ("s:\n  «image x.io/a:1.0»\n  a: 1\n", "neither"),
        ("s:\n  «image:x.io/a:1.0»\n  a: 1\n", "neither"),
        ("s:\n  - a\n  «-b»\n  - c\n", "neither"),
        ("s:\n  a: some text\n    «goes on»\n    b: 1\n", "neither"),
        ("a: 1\n  «b»: 2\n", "too far"),
        ("a: b«:» c\n", "second `: `"),
        ("s:\n  'foo'\n  «b»: 1\n", "unlike"),
        ("s:\n    a: 1\n  «b»: 1\n", "unlike"),
    ],
)
def test_the_line_that_is_wrong_is_the_one_that_is_shown(text: str, message: str) -> None:
    start, end = text.index("«"), text.index("»") - 1
    data = text.replace("«", "").replace("»", "").encode()
    with pytest.raises(RelspecError) as error:
        parse(data, "f")
    (finding,) = error.value.findings
    place = finding.where.range
    assert place is not None
    assert finding.code == "RS100"
    assert message in finding.message
    column = start - text.rfind("\n", 0, start)
    assert (place.line, place.column, place.end_column) == (
        text.count("\n", 0, start) + 1,
        column,
        column + end - start,
    )


def test_whatever_else_a_parser_stumbles_over_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from ruamel.yaml.parser import Parser
    from ruamel.yaml.scanner import Scanner

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    for owner, method in ((Scanner, "scan_plain"), (Parser, "parse_block_mapping_value"), (_Composer, "_plain")):
        with monkeypatch.context() as patched:
            patched.setattr(owner, method, fails)
            with pytest.raises(RelspecError) as error:
                parse_carefully(b"# c\n\na: b\n", "f")
        (finding,) = error.value.findings
        assert (finding.code, finding.message) == ("RS100", UNREADABLE)
        assert finding.where.range is not None
        assert finding.where.range.line == 3


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("env: {A: b: c}\n", "a value between brackets can't hold a second `: `", 11),
        ("env: {A: b\nc: d\n", "a `{` is opened and not closed", 6),
        ("a: [\n", "the text ends where a value should follow", 1),
        ("a: [,]\n", "a value is missing here", 5),
        ("a: |x\n", "after `|` or `>` the text begins on the next line", 5),
        ("a: & b\n", "`&` and `*` begin an anchor or an alias in YAML, and this is neither", 5),
    ],
)
def test_a_syntax_error_is_said_in_our_words(text: str, message: str, column: int) -> None:
    with pytest.raises(RelspecError) as error:
        parse(text.encode(), "f")
    (finding,) = error.value.findings
    assert finding.where.range is not None
    assert (finding.message, finding.where.range.column) == (message, column)


def test_how_much_a_document_may_hold() -> None:
    # Four nodes around the items: the map, its two keys and the list; `b` has a value.
    items = MAX_NODES - 5
    for quote in ("", "''"):  # the fast parser reads the first, the careful one both
        text = f"a: [{quote or 'x'}{f', {quote}' * (items - 1) if quote else ',x' * (items - 1)}]\nb: 1\n"
        assert len(parse(text.encode(), "f")["a"]) == items
        with pytest.raises(RelspecError) as error:
            parse(text.encode() + b"c: 1\n", "f")
        (finding,) = error.value.findings
        assert (finding.code, finding.where.range) == ("RS111", Range(3, 1, 3, 2))
    assert codes(b"a: 1\n" + b"\n" * MAX_LINES) == ["RS111"]


def test_a_marker_at_the_start_and_a_byte_order_mark_are_allowed() -> None:
    assert parse(b"\xef\xbb\xbf# c\n---\na: 1\n", "f") == {"a": 1}


def test_64_levels_are_allowed() -> None:
    assert parse(b"a: " + b"[" * 63 + b"]" * 63 + b"\n", "f")
    assert parse(b"".join(b" " * i + b"a:\n" for i in range(64)), "f")
    assert codes(b"".join(b" " * i + b"a:\n" for i in range(65)) + b" " * 65 + b"b: c\n") == ["RS111"]


def test_a_finding_says_where_and_what_to_do() -> None:
    with pytest.raises(RelspecError) as error:
        parse(b"a: 1\nsome: {b: 2, b: 3}\n8080: x\n", "release.yaml")
    duplicate, key = error.value.findings
    assert duplicate.where.file == "release.yaml"
    assert duplicate.where.range == Range(2, 14, 2, 15)
    assert duplicate.related[0].where.range == Range(2, 8, 2, 9)
    assert key.where.range == Range(3, 1, 3, 5)
    assert key.hint == 'write "8080" in quotes'


# --- positions -------------------------------------------------------------------------------------------------------


def cut(data: bytes, span: Range) -> str:
    """The text of a range."""
    rows = data.decode().split("\n")[span.line - 1 : span.end_line]
    rows[-1] = rows[-1][: span.end_column - 1]
    rows[0] = rows[0][span.column - 1 :]
    return "\n".join(rows)


DOCUMENT = """\
a: é1  # comment
b:
  c: [x, {d: y}]

  # comment
  e: |
    one

    two

f:
  - g: 'it''s'
    h:
  - "two
    lines"
""".encode()


@pytest.mark.parametrize(
    ("path", "part", "text"),
    [
        (("a",), "key", "a"),
        (("a",), "value", "é1"),
        (("b", "c"), "value", "[x, {d: y}]"),
        (("b", "c", 0), "value", "x"),
        (("b", "c", 1, "d"), "key", "d"),
        (("b", "c", 1, "d"), "value", "y"),
        (("b", "e"), "value", "|\n    one\n\n    two"),
        (("b",), "value", "c: [x, {d: y}]\n\n  # comment\n  e: |\n    one\n\n    two"),
        (("f", 0), "value", "g: 'it''s'\n    h:"),
        (("f", 0, "g"), "value", "'it''s'"),
        (("f", 0, "h"), "value", ""),
        (("f", 1), "value", '"two\n    lines"'),
        (("missing",), "value", "a"),
        (("b", "missing", "deeper"), "value", "b"),
        (("f", 0, "missing"), "key", "g"),
        (("f", 7), "key", "f"),
        (("a", "no map"), "key", "a"),
    ],
)
def test_a_path_is_located(path: Path, part: Part, text: str) -> None:
    assert cut(DOCUMENT, locate(DOCUMENT, path, part)) == text


def test_a_locator_gives_lines_and_columns_from_1_in_characters() -> None:
    located = locator("é: {ü: x}\n".encode())
    assert located(("é", "ü"), "value") == Range(1, 8, 1, 9)
    assert located(("é",), "key") == Range(1, 1, 1, 2)


def test_broken_files_are_located_as_far_as_they_can_be_read() -> None:
    data = b"a: 1\nb:\n  c: 2\n  d: [3\nx: 'y\n"
    assert cut(data, locate(data, ("b", "c"), "value")) == "2"
    assert locate(b"", ("a",), "key") == Range(1, 1, 1, 1)
    assert locate(b"\xff", ("a",), "key") == Range(1, 1, 1, 1)
    assert cut(b"a: 1\na: 2\n", locate(b"a: 1\na: 2\n", ("a",), "value")) == "1"


def test_the_path_at_a_line_of_a_stream() -> None:
    data = b"# header\na:\n  - b: 1\n    c: {d: 2, e: {f: 3}}\n---\ng: |\n  h\n\n# end\n- broken\n"
    expected: dict[int, tuple[int, Path] | None] = {
        1: None, 2: (0, ("a",)), 3: (0, ("a", 0, "b")), 4: (0, ("a", 0, "c", "e", "f")), 5: None,
        6: (1, ("g",)), 7: None, 8: None, 9: None, 99: None,
    }  # fmt: skip
    assert {line: path_at_line(data, line) for line in expected} == expected


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(lines)
def test_every_scalar_can_be_found_again_at_its_range(text: str) -> None:
    """A plain or quoted scalar's range, parsed alone, is the scalar."""
    data = text.encode()
    document = outcome(lambda d: parse_carefully(d, "f"), data)
    located = locator(data)
    for key, value in (document or {}).items():
        if isinstance(value, str | int | float) and "\n" not in cut(data, located((key,), "value")):
            assert same(parse_carefully(f"k: {cut(data, located((key,), 'value'))}\n".encode(), "f")["k"], value)
