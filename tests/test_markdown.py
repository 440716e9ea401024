"""Markdown for a pull request, read by a real parser of GitHub's flavour: nothing that comes from a name becomes markup."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from relspec.diagnostics import Diagnostic, Kind, Severity
from relspec.gitops.changes import Change
from relspec.gitops.impact import Effect
from relspec.gitops.plan import EnvironmentPlan, FileDiff, Plan, ReleasePlan
from relspec.gitops.readiness import Estimate, Phase, Readiness
from relspec.gitops.repository import Commit
from relspec.gitops.schedule import VERDICTS
from relspec.reporters import markdown as md
from relspec.reporters.plan import markdown

OWN_HTML = re.compile(r"</?details>|</?summary>|</?code>|<br>")
BASE = Commit("a" * 40, "b" * 40, (), "Ann", "ann@acme.example", 0, 0, "+0000", "first")

EVIL = (
    "</details>",
    "<script>alert(1)</script>",
    "@mention",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "http://evil.example",
    "www.evil.example",
    "ann@evil.example",
    "mailto:ann@evil.example",
    "a | b",
    "`code`",
    "```\n</details>",
    "``a` `",
    "**bold** __x__ ~~y~~ *z*",
    "# heading",
    "- item",
    "1. one",
    "> quote",
    "    code",
    "| a | b |\n|---|---|",
    "\\",
    "a\\|b",
    "&lt;script&gt;",
    "&#64;mention",
    "<!-- x",
    "<http://evil.example>",
    "[x]: http://evil.example",
    "[^1]",
    "line\nbreak",
    "\x1b[31mred\x1b[0m",
    "\u202eright to left",
    "$\\alpha$",
    "#12",
    "GH-12",
    "---",
    "===",
    "  \n\n<div>",
    "]]><![CDATA[",
    "é 漢字 😀",
    "-x --y",
)
TEXT = st.one_of(
    st.sampled_from(EVIL),
    st.lists(st.sampled_from(EVIL), min_size=2, max_size=4).map(" ".join),
    st.lists(st.sampled_from(EVIL), min_size=2, max_size=3).map("".join),
    st.text(alphabet=st.sampled_from("ab|`\\<>[]()!*_~#@&:/.-+= \t\n\r\x1b\u202e\u2028$1w"), max_size=40),
    st.text(max_size=30),
)


@cache
def parser() -> MarkdownIt:
    """GitHub's flavour: tables, strikethrough, links without markup, raw HTML."""
    return MarkdownIt("gfm-like", {"html": True, "linkify": True})


def tokens(text: str) -> Iterator[Token]:
    for token in parser().parse(text):
        yield token
        yield from token.children or ()


def html_of(text: str) -> str:
    """Everything that the parser takes for raw HTML."""
    return "".join(token.content for token in tokens(text) if token.type in ("html_block", "html_inline"))


def assert_harmless(text: str) -> None:
    """No link, no image, no HTML but ours, all of it closed; nothing steers a terminal; nobody is mentioned."""
    kinds = {token.type for token in tokens(text)}
    assert not kinds & {"link_open", "image"}, text
    raw = html_of(text)
    inside = re.sub(r"<code>[^<]*</code>", "", raw)
    assert "<" not in OWN_HTML.sub("", raw), raw
    for tag in ("details", "summary", "code"):
        assert raw.count(f"<{tag}>") == raw.count(f"</{tag}>"), text
    spoken = "\n".join([*(token.content for token in tokens(text) if token.type == "text"), OWN_HTML.sub("", inside)])
    assert not re.search(r"@\w", spoken), spoken
    assert all(char.isprintable() or char in "\n\u200b" for char in text), repr(text)


def shown(text: str) -> str:
    """What a reader sees of a piece of one line."""
    parts = (token.content for token in tokens(text) if token.type in ("text", "code_inline", "text_special"))
    return "".join(parts).replace("\u200b", "")


def plain(text: str) -> str:
    from relspec.reporters.text import printable

    return " ".join(printable(part) for part in text.split())


# --- pieces


@given(TEXT)
@example("1. x")
@example("a\\|b|c\\")
@example("``")
@settings(max_examples=150, deadline=None)
def test_a_cell_shows_its_text_and_nothing_else(text: str) -> None:
    table = md.table(("a", "b"), [(md.cell(text), "end")])
    assert_harmless(table)
    kinds = Counter(token.type for token in tokens(table))
    assert (kinds["tr_open"], kinds["td_open"]) == (2, 2), table
    assert_harmless(f"- {md.cell(text)}\n")
    marks = {"strong_open", "em_open", "s_open", "code_inline", "heading_open", "blockquote_open", "ordered_list_open"}
    assert not {token.type for token in tokens(f"- {md.cell(text)}\n")} & marks
    assert shown(f"x {md.cell(text)}").strip() == f"x {plain(text)}".strip()


@given(TEXT)
@example("a`b")
@example("`")
@settings(max_examples=150, deadline=None)
def test_code_shows_its_text_and_nothing_else(text: str) -> None:
    line = f"- {md.code(text)} end\n"
    assert_harmless(line)
    assert shown(line) == f"{plain(text)} end".lstrip()
    table = md.table(("a", "b"), [(md.code_cell(text), "end")])
    assert_harmless(table)
    assert Counter(token.type for token in tokens(table))["td_open"] == 2


@given(TEXT, TEXT)
@settings(max_examples=150, deadline=None)
def test_a_folded_section_stays_closed(name: str, rest: str) -> None:
    text = md.folded(md.summary(name, rest), f"- {md.cell(rest)}\n\n{md.block(rest, 'diff')}") + "\nafter\n"
    assert_harmless(text)
    fences = [token for token in tokens(text) if token.type == "fence"]
    assert len(fences) == 1
    assert [token.content for token in tokens(text) if token.type == "text"][-1] == "after"


@pytest.mark.parametrize("most", [md.cell, md.code, md.code_cell, md.summary])
def test_what_is_endless_is_shortened(most: object) -> None:
    assert callable(most)
    assert len(most("x" * 100_000)) < 1_000


# --- a whole plan


def readiness(verdict: str, words: str) -> Readiness:
    estimate = Estimate(30, 90)
    phase = Phase(None, None, verdict, words, estimate, ("A1", "A3"), "")  # type: ignore[arg-type]
    return Readiness(verdict, (phase,), estimate, ("A1", "A3"), "", objective=60)  # type: ignore[arg-type]


def release(number: int, name: str, words: str, diff: str) -> ReleasePlan:
    lines = diff.count("\n")
    return ReleasePlan(
        id=f"env-{number % 7}/{name}-{number}",
        environment=f"env-{number % 7}",
        kind="changed",
        former="",
        changes=(Change("api", "api.image", "1", "2", words, words),),
        effects=(Effect("compose", "api", "recreate", words, restarts=True),),
        files=(FileDiff(f"rendered/{name}-{number}/x.yaml", lines, 0, f"--- a\n+++ b\n{diff}"),),
        readiness=readiness(VERDICTS[number % len(VERDICTS)], words),
        revert=None,
        through=(name,),
    )


def plan(releases: int, name: str, words: str, lines: int, findings: int = 0) -> Plan:
    diff = "".join(f"+{words[:500].replace(chr(10), ' ')} {line}\n" for line in range(lines))
    diagnostic = Diagnostic("RS333", Severity.WARNING, Kind.STRUCTURE, name, None, words, words)
    return Plan(
        base=BASE,
        head=None,
        releases=tuple(release(number, name, words, diff) for number in range(releases)),
        environments=tuple(
            EnvironmentPlan(f"{name}-{n}", (Change("", "x", 1, 2, words, words),)) for n in range(releases // 3)
        ),
        diagnostics=(diagnostic,) * findings,
        undo=None,
        notes=(words,),
        toolchain=(words,),
    )


def assert_whole(found: Plan, text: str) -> None:
    """Within the limit, well-formed, and every count is that of the plan."""
    assert len(text) < md.LIMIT
    assert len(text.encode("utf-8", "replace")) < md.LIMIT
    assert_harmless(text)
    count, environments = len(found.releases), len({each.environment for each in found.releases})
    releases = f"{count} release{'s' * (count != 1)} change{'s' * (count == 1)}"
    assert f"{releases} in {environments} environment{'s' * (environments != 1)}" in text
    verdicts = Counter(each.readiness.verdict for each in found.releases if each.readiness)
    for verdict, number in verdicts.items():
        assert f"{number} {verdict}" in text
    # What a table shows and what it says it leaves out is all there is.
    more = re.search(r"^(\d+) releases? more \(", text, re.MULTILINE)
    left = int(more[1]) if more else 0
    rows = [line for line in text.splitlines() if line.startswith(("| `env-", "| ``env-"))]
    assert len(rows) + left == count
    details = re.search(r"^details of (\d+) releases? left out", text, re.MULTILINE)
    without = int(details[1]) if details else 0
    sections = len(re.findall(r"^<details><summary><code>env-\d/", text, re.MULTILINE))
    assert sections + without == count
    assert all(line.count(" | ") == rows[0].count(" | ") for line in rows) or "|" in found.releases[0].id


@pytest.mark.slow
@given(
    releases=st.integers(1, 2_000),
    name=st.sampled_from(("recs", "x" * 250, "a|b`c", "漢" * 200)),
    words=st.one_of(st.sampled_from(("image 1 -> 2", "w" * 5_000)), TEXT),
    lines=st.sampled_from((0, 3, 400)),
    findings=st.sampled_from((0, 1, 500)),
)
@example(releases=2_000, name="x" * 250, words="w" * 5_000, lines=3, findings=500)
@example(releases=1, name="recs", words="image 1 -> 2", lines=20_000, findings=0)
@example(releases=1, name="漢" * 1_000, words="|" * 5_000, lines=1, findings=500)
@settings(max_examples=12, deadline=None)
def test_a_plan_of_any_size_is_a_comment(releases: int, name: str, words: str, lines: int, findings: int) -> None:
    found = plan(releases, name, words, lines, findings)
    assert_whole(found, markdown(found))


def test_a_small_plan_has_everything() -> None:
    found = plan(2, "recs", "image 1 -> 2", 3, 1)
    text = markdown(found)
    assert_whole(found, text)
    assert text.count("```diff") == 2
    assert "left out" not in text
    assert "more" not in text


@pytest.mark.parametrize("releases", [400, 2_000])
def test_rows_that_are_left_out_are_counted(releases: int) -> None:
    found = plan(releases, "recs", "image 1 -> 2; env LOG_LEVEL info -> debug", 5)
    text = markdown(found)
    assert_whole(found, text)
    more = re.search(r"^(\d+) releases more \((.*)\)$", text, re.MULTILINE)
    assert more is not None
    assert sum(int(number) for number in re.findall(r": (\d+)", more[2])) == int(more[1])


def test_the_worst_comes_first() -> None:
    text = markdown(plan(5, "recs", "image 1 -> 2", 0))
    rows = [line.rpartition(" | ")[2] for line in text.splitlines() if line.startswith("| `env-")]
    assert [row.split(":")[0].split(" ")[0] for row in rows] == ["blocked", "unknown", "stepped", "warm", "instant"]


def test_diffs_go_first_then_details_then_rows() -> None:
    few, many = markdown(plan(40, "recs", "image 1 -> 2", 100)), markdown(plan(2_000, "recs", "image 1 -> 2", 100))
    assert 0 < few.count("```diff") < 40
    assert few.count("<details><summary><code>env-") == 40
    assert "left out" not in few
    assert "releases more (env-0: " in many
