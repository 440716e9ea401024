"""The sides of a split: monotone, the same by rule and by regular expression, and nginx's own hash."""

from __future__ import annotations

import random
import re
import subprocess
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import judges
from relspec.targets.split import (
    Bucket,
    cookie_value,
    istio_cookie_regex,
    istio_regex,
    murmur2,
    readable,
    side,
)

KEY = "movie-recs/api"
BUCKETS: tuple[Bucket, ...] = ("hash", "mod100", "parity", "hex256")
HEADER_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
IDS = st.one_of(
    HEADER_TEXT,
    st.integers(0, 10**30).map(str),
    st.uuids().map(str),
    st.sampled_from(["", "7", "07", "f", "0F", "²", "٣"]),
)


def weights(bucket: Bucket) -> tuple[int, ...]:
    """The weights that a bucket has."""
    return (0, 50, 100) if bucket == "parity" else tuple(range(101))


def many_ids(count: int) -> list[str]:
    """Numbers of every length, UUIDs in both cases, and text that no bucket reads: always the same."""
    random_ = random.Random(7)
    numbers = [str(random_.randrange(10 ** random_.randrange(1, 20))) for _ in range(count // 2)]
    uuids = [str(uuid.UUID(int=random_.getrandbits(128))) for _ in range(count // 3)]
    uuids = [text.upper() if at % 2 else text for at, text in enumerate(uuids)]
    rest = [
        "",
        "0",
        "00",
        "7",
        "-7",
        "+7",
        "7.0",
        "1e2",
        " 42",
        "4 2",
        "anonymous",
        "null",
        "f",
        "fg",
        "gf",
        "x-0a",
        "٣٤",
        "²",
    ]
    return numbers + uuids + rest + [f"user-{n}" for n in range(count - len(numbers) - len(uuids) - len(rest))]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_more_weight_only_moves_users_to_the_candidate(bucket: Bucket) -> None:
    for value in many_ids(300):
        sides = [side(bucket, weight, value, KEY) for weight in weights(bucket)]
        assert sides == sorted(sides, reverse=True), value  # "stable" sorts after "candidate"


@given(value=IDS, bucket=st.sampled_from(BUCKETS))
def test_the_ends_of_the_scale(value: str, bucket: Bucket) -> None:
    assert side(bucket, 0, value, KEY) == "stable"
    assert side(bucket, 100, value, KEY) == ("candidate" if readable(bucket, value) else "stable")


@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("value", [None, ""])
def test_no_id_means_stable_at_every_weight(bucket: Bucket, value: str | None) -> None:
    assert {side(bucket, weight, value, KEY) for weight in weights(bucket)} == {"stable"}


@pytest.mark.slow
@pytest.mark.parametrize("bucket", ["mod100", "parity", "hex256"])
def test_the_regular_expression_is_the_rule(bucket: Bucket) -> None:
    ids = many_ids(12_000)
    for weight in weights(bucket):
        expression = istio_regex(bucket, weight)
        matches = re.compile(expression).fullmatch if expression else lambda _: None
        for value in ids:
            assert (matches(value) is not None) == (side(bucket, weight, value, KEY) == "candidate"), (value, weight)


@pytest.mark.parametrize("name", ["uid", "u-id", "_u", "a"])
@pytest.mark.parametrize("bucket", ["mod100", "parity", "hex256"])
def test_the_cookie_expression_reads_the_first_cookie_of_that_name(bucket: Bucket, name: str) -> None:
    others = ["", "a=b", f"x{name}=1", f"{name}x=1", f"{name[:-1]}=1", name, f"{name.upper()}=1", "=1", f"x={name}=1"]
    values = ["1", "12", "77", "ff", "x", "", "1 ", " 1", "0a=b"]
    headers = [
        between.join([*before, f"{name}={value}", *after])
        for between in (";", "; ", ";  ")
        for before in ([], *([other] for other in others), others)
        for value in values
        for after in ([], ["b=2"], [f"{name}=0"], [f"{name}=1"])
    ]
    headers += ["", ";", name, "b=2; c=1", f"x{name}=1"]
    for weight in weights(bucket)[:: 7 if bucket != "parity" else 1]:
        expression = istio_cookie_regex(name, bucket, weight)
        for header in headers:
            expected = side(bucket, weight, cookie_value(header, name), KEY)
            matched = expression is not None and re.fullmatch(expression, header) is not None
            assert matched == (expected == "candidate"), (header, weight, expression)


@given(value=st.integers(0, 10**40), weight=st.integers(0, 100))
def test_mod100_is_the_remainder(value: int, weight: int) -> None:
    assert (side("mod100", weight, str(value), KEY) == "candidate") == (value % 100 < weight)


@given(value=st.uuids(), weight=st.integers(0, 100))
def test_hex256_ignores_case(value: uuid.UUID, weight: int) -> None:
    assert side("hex256", weight, str(value), KEY) == side("hex256", weight, str(value).upper(), KEY)


def test_hex256_gives_each_percent_its_share_of_256() -> None:
    for weight in range(101):
        candidates = sum(side("hex256", weight, f"{value:02x}", KEY) == "candidate" for value in range(256))
        assert candidates == -(-weight * 256 // 100)


@given(value=HEADER_TEXT.filter(bool), weight=st.integers(1, 99))
def test_hash_depends_on_the_service_and_not_on_versions(value: str, weight: int) -> None:
    hashed = murmur2(f"{KEY}:{value}".encode())
    assert (side("hash", weight, value, KEY) == "candidate") == (hashed < weight * 100 * 0xFFFFFFFF // 10000)


@pytest.mark.parametrize("weight", [1, 10, 37, 50, 99])
def test_hash_splits_evenly(weight: int) -> None:
    users = 5_000
    candidates = sum(side("hash", weight, f"user-{n}", KEY) == "candidate" for n in range(users))
    assert abs(candidates / users * 100 - weight) < 2


def test_two_services_split_their_users_differently() -> None:
    users = [f"user-{n}" for n in range(500)]
    first, second = ([side("hash", 50, user, key) for user in users] for key in (KEY, "movie-recs/web"))
    assert first != second


@pytest.mark.parametrize(
    ("text", "hashed"),
    [(b"", 0), (b"a", 0x92685F5E), (b"ab", 0x1AA14063), (b"abc", 0x13577C9B), (b"abcd", 0x26873021)],
)
def test_murmur2_of_every_tail_length(text: bytes, hashed: int) -> None:
    """The numbers come from the published C code of MurmurHash2."""
    assert murmur2(text) == hashed


@pytest.mark.parametrize(("bucket", "weight"), [("hash", 101), ("mod100", -1), ("parity", 49), ("parity", 10)])
def test_a_weight_that_the_bucket_lacks_is_refused(bucket: Bucket, weight: int) -> None:
    with pytest.raises(ValueError, match="weight"):
        side(bucket, weight, "1", KEY)
    with pytest.raises(ValueError, match=r"weight|hash"):
        istio_regex(bucket, weight)


def test_hash_has_no_regular_expression() -> None:
    with pytest.raises(ValueError, match="mod100"):
        istio_regex("hash", 10)


def test_expressions_keep_to_re2() -> None:
    for bucket in ("mod100", "parity", "hex256"):
        for weight in weights(bucket)[1:]:
            for expression in (istio_regex(bucket, weight), istio_cookie_regex("u-id", bucket, weight)):
                assert expression
                assert not re.search(r"\(\?[^:]|\\[^-]|[*+?]\+|[*+]\?", expression), expression


RE2_PROGRAM = """package main
import ("bufio"; "fmt"; "os"; "regexp"; "strings")
func main() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	for input.Scan() {
		expression, value, _ := strings.Cut(input.Text(), "\\t")
		fmt.Println(regexp.MustCompile("^(?:" + expression + ")$").MatchString(value))
	}
}
"""


@pytest.mark.judge
@pytest.mark.slow
def test_re2_agrees(tmp_path: Path) -> None:
    program = tmp_path / "main.go"
    program.write_text(RE2_PROGRAM)
    values = many_ids(60)
    lines, expected = [], []
    for bucket in ("mod100", "parity", "hex256"):
        for weight in weights(bucket)[1:]:
            plain, cookie = istio_regex(bucket, weight), istio_cookie_regex("u-id", bucket, weight)
            for value in values:
                candidate = str(side(bucket, weight, value, KEY) == "candidate").lower()
                lines += [f"{plain}\t{value}", f"{cookie}\ta=1; u-id={value}; u-id=1"]
                expected += [candidate, candidate]
    answer = subprocess.run(
        [str(judges.program("go")), "run", str(program)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == expected
