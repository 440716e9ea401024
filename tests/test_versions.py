"""Versions: what is one, their order, and what lies before one."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relspec.registry.versions import (
    Direction,
    Scheme,
    Size,
    Version,
    change,
    direction,
    latest,
    parse_version,
    previous,
    rollback_candidates,
    valid_version_text,
)

NUMBER = st.integers(0, 12).map(str)
V = st.sampled_from(["", "v"])
SEMVER = st.builds(lambda v, numbers: v + ".".join(numbers), V, st.lists(NUMBER, min_size=2, max_size=3))
SEQUENTIAL = st.builds("{}{}".format, V, NUMBER)


def version(text: str, scheme: Scheme = "semver") -> Version:
    """A version that the test knows to be one."""
    parsed = parse_version(text, scheme)
    assert parsed is not None, text
    return parsed


def versions(*texts: str, scheme: Scheme = "semver") -> list[Version]:
    return [version(text, scheme) for text in texts]


@pytest.mark.parametrize(
    ("text", "scheme", "numbers"),
    [
        ("1.2.3", "semver", (1, 2, 3)),
        ("v0.3", "semver", (0, 3, 0)),
        ("v0.10.0", "semver", (0, 10, 0)),
        ("0.0", "semver", (0, 0, 0)),
        ("2026.11.21", "semver", (2026, 11, 21)),
        ("v0", "sequential", (0,)),
        ("12", "sequential", (12,)),
    ],
)
def test_what_is_a_version(text: str, scheme: Scheme, numbers: tuple[int, ...]) -> None:
    assert version(text, scheme).numbers == numbers
    assert str(version(text, scheme)) == text


@pytest.mark.parametrize(
    "text",
    ["", "v", "1", "1.", ".1", "1.2.3.4", "V1.2", "vv1.2", "01.2", "1.02", "1.2.00", "1.2-rc1", "1.2.3+build", "1.2\n",
     " 1.2", "-1.2", "1.x", "latest", "1.٣", "1." + "2" * 63],
)  # fmt: skip
def test_what_is_no_semver_version(text: str) -> None:
    assert parse_version(text, "semver") is None


@pytest.mark.parametrize("text", ["", "v", "V1", "01", "v00", "1.0", "-1", "1_0", "v1\n", "٣", "²", "v1-rc1", "9" * 65])
def test_what_is_no_sequential_version(text: str) -> None:
    assert parse_version(text, "sequential") is None


def test_the_longest_version() -> None:
    assert version("9" * 64, "sequential").numbers == (10**64 - 1,)


def test_numbers_decide_not_letters() -> None:
    assert version("v0.10") > version("v0.9")
    assert [str(v) for v in sorted(versions("v0.10", "0.9.9", "v0.2.11", "1.0", "v0.9"))] == [
        "v0.2.11", "v0.9", "0.9.9", "v0.10", "1.0"
    ]  # fmt: skip
    assert version("v11", "sequential") < version("v12", "sequential")
    assert version("9", "sequential") < version("v10", "sequential")


def test_equal_numbers_are_ordered_by_text() -> None:
    assert version("1.2") != version("1.2.0")
    assert version("1.2") < version("1.2.0") < version("v1.2")


def test_schemes_do_not_mix() -> None:
    semver, sequential = version("1.2"), version("1", "sequential")
    with pytest.raises(TypeError):
        assert semver < sequential
    with pytest.raises(TypeError, match="can't be compared"):
        change(semver, sequential)
    with pytest.raises(TypeError):
        direction(semver, sequential)
    assert semver != sequential


@pytest.mark.parametrize(
    ("old", "new", "scheme", "size", "way"),
    [
        ("1.2.0", "2.0.0", "semver", "major", "upgrade"),
        ("2.0", "1.9", "semver", "major", "downgrade"),
        ("v0.3", "v0.4", "semver", "minor", "upgrade"),
        ("v0.10", "v0.9.9", "semver", "minor", "downgrade"),
        ("1.2", "1.2.1", "semver", "patch", "upgrade"),
        ("1.2.1", "1.2.0", "semver", "patch", "downgrade"),
        ("1.2", "1.2.0", "semver", "none", "upgrade"),
        ("1.2", "1.2", "semver", "none", "same"),
        ("v12", "v11", "sequential", "step", "downgrade"),
        ("v1", "v3", "sequential", "step", "upgrade"),
        ("v1", "v1", "sequential", "none", "same"),
    ],
)
def test_size_and_direction(old: str, new: str, scheme: Scheme, size: Size, way: Direction) -> None:
    assert change(version(old, scheme), version(new, scheme)) == size
    assert direction(version(old, scheme), version(new, scheme)) == way


def test_what_a_rollback_can_go_to() -> None:
    known = versions("1.2.0", "1.10.0", "1.3.0", "1.9.1", "1.3.0")
    assert [str(v) for v in rollback_candidates(known, version("1.9.1"))] == ["1.3.0", "1.2.0"]
    assert str(previous(known, version("1.9.1"))) == "1.3.0"
    assert str(latest(known)) == "1.10.0"


def test_the_current_version_may_be_unknown() -> None:
    assert str(previous(versions("1.0", "1.2"), version("1.1"))) == "1.0"


def test_nothing_before_the_first() -> None:
    known = versions("v0", "v1", scheme="sequential")
    assert rollback_candidates(known, known[0]) == ()
    assert previous(known, known[0]) is None
    assert latest([]) is None


@pytest.mark.parametrize("text", ["v0.3", "1.2.0", "a", "baseline-1_x", "a" * 64, "v1..2", "models"])
def test_text_that_is_safe_as_a_file_name(text: str) -> None:
    assert valid_version_text(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", ".hidden", "-x", "a/b", "a\\b", "a b", "a\n", "a\0", "é", "a" * 65, "model", "Model", "a:b"],
)
def test_text_that_is_not(text: str) -> None:
    assert not valid_version_text(text)


@given(st.lists(SEMVER, min_size=3, max_size=3))
def test_the_order_is_total(texts: list[str]) -> None:
    a, b, c = versions(*texts)
    assert (a < b) + (a == b) + (a > b) == 1
    if a <= b <= c:
        assert a <= c
    assert (a == b) == (a.text == b.text)


@given(st.lists(SEMVER, max_size=8), SEMVER)
def test_candidates_are_all_that_is_earlier(texts: list[str], current: str) -> None:
    candidates = rollback_candidates(versions(*texts), version(current))
    assert list(candidates) == sorted(candidates, reverse=True)
    assert set(candidates) == {v for v in versions(*texts) if v < version(current)}
    assert previous(versions(*texts), version(current)) == (candidates[0] if candidates else None)


@given(SEMVER, SEMVER)
def test_size_does_not_depend_on_the_direction(old: str, new: str) -> None:
    forth, back = (version(old), version(new)), (version(new), version(old))
    assert change(*forth) == change(*back)
    assert {direction(*forth), direction(*back)} == ({"same"} if old == new else {"upgrade", "downgrade"})


@given(st.one_of(SEMVER, SEQUENTIAL, st.text(string.printable, max_size=6)))
def test_every_version_is_safe_as_a_file_name(text: str) -> None:
    if parse_version(text, "semver") or parse_version(text, "sequential"):
        assert valid_version_text(text)
    assert not (parse_version(text, "semver") and parse_version(text, "sequential"))
