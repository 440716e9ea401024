"""Possessive repeats of groups, written so that every supported Python reads them alike."""

from __future__ import annotations

import re

import pytest

from relspec import patterns


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        (rb"(?:a|b)*+", rb"(?>(?:a|b)*)"),
        (rb"(?:(?:a)++b)?+c", rb"(?>(?:(?>(?:a)+)b)?)c"),
        (rb"[)(]*+\)*+\(", rb"[)(]*+\)*+\("),
        (rb"a*+(?:b)*", rb"a*+(?:b)*"),
    ],
)
def test_only_repeats_of_groups_are_rewritten(pattern: bytes, written: bytes) -> None:
    assert patterns.atomic(pattern) == written


def test_a_branch_that_fails_inside_leaves_nothing_behind() -> None:
    # What CPython 3.11.0 to 3.11.4 gets wrong: after `ab` failed to go on, the repeat has to stop before it.
    assert patterns.compiled(rb"(?:ab?c)*+x").fullmatch(b"acabcx")
    assert patterns.compiled("(?:ab?c)*+").match("acab").end() == 2  # type: ignore[union-attr]
    assert patterns.compiled(r"(?:a|ab)*+c").fullmatch("abc") is None


def test_it_means_the_same_as_the_possessive_form_where_that_is_right() -> None:
    for text in ("", "a", "ab", "aab", "ba", "abab"):
        assert bool(patterns.compiled(r"(?:a+b)*+a?").fullmatch(text)) == bool(re.fullmatch(r"(?>(?:a+b)*)a?", text))
