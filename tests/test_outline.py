"""Positions read from indents are those of the careful parser, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from random import Random
from typing import Any

import pytest

from relspec import documents
from relspec.diagnostics import Part, Path

ROOT = FilePath(__file__).parent.parent
FILES = sorted(file for folder in ("environments", "registry", "bases") for file in (ROOT / folder).rglob("*.yaml"))
PARTS: tuple[Part, Part] = ("key", "value")
PIECES = [
    b"- ", b"  ", b" ", b"# c", b": ", b"a: 1", b"|", b">-", b"{", b"}", b"[", b"]", b",", b"\n", b"x", b"-", b"''", b'"',
    b"\n\n", b"  # n\n", b" # t", b"k:\n", b"- k: v\n", b"null", b"\xc3\xa9", b"  - [1, 2]\n", b"a: {b: 1,\n c: 2}\n",
    b"k: | # t\n", b"k: >\n  x\n",
]  # fmt: skip


def paths_in(node: Any, at: Path = ()) -> Iterator[Path]:
    """Every path of a document, and below each node one that leads nowhere."""
    yield at
    if isinstance(node, dict):
        for key, value in node.items():
            yield from paths_in(value, (*at, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from paths_in(value, (*at, index))
        yield (*at, len(node))
    yield (*at, "missing")


def answers(data: bytes) -> Iterator[tuple[Path, Part, Any, Any]]:
    """What the outline and the careful parser say of every path; nothing where there is no outline."""
    outline = documents._outline(data)
    if outline is None:
        return
    root = documents._read(data).documents[0]
    for path in paths_in(root.value):
        for part in PARTS:
            yield path, part, outline.range(path, part), documents._located(root, path, part)


def mutated(data: bytes, random: Random) -> bytes:
    """The text with one to six small accidents: pieces put in or taken out, lines moved, indented or repeated."""
    for _ in range(random.randint(1, 6)):
        lines = data.split(b"\n")
        line = random.randrange(len(lines))
        at = random.randrange(len(data) + 1)
        match random.randrange(6):
            case 0 | 1:
                data = data[:at] + random.choice(PIECES) + data[at:]
                continue
            case 2:
                data = data[:at] + data[at + random.randint(1, 4) :]
                continue
            case 3:
                lines[line] = random.choice([b" ", b"  ", b"    "]) + lines[line]
            case 4:
                lines.insert(line, random.choice(lines))
            case _:
                lines[line] += random.choice([b" # note", b" ", b" |", b" >", b" x"])
        data = b"\n".join(lines)
    return data


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_position_in_the_sample_company_is_that_of_the_careful_parser(file: FilePath) -> None:
    for path, part, quick, careful in answers(file.read_bytes()):
        assert quick in (None, careful), (path, part)


def test_most_positions_need_no_careful_parser() -> None:
    found = [quick for file in FILES for _, _, quick, _ in answers(file.read_bytes())]
    assert sum(quick is not None for quick in found) > 0.6 * len(found)


@pytest.mark.parametrize("seed", range(40))
def test_what_the_lines_do_not_show_has_no_position(seed: int) -> None:
    random = Random(seed)
    data = random.choice(FILES).read_bytes()
    for _ in range(4):
        text = mutated(data, random)
        for path, part, quick, careful in answers(text):
            assert quick in (None, careful), (path, part, text.decode(errors="replace"))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: # why\n  b: 1\n", ("a",)),
        ("a:\n  b: | # why\n    text \n", ("a",)),
        ("a: {b: 1,\n  c: 2}\nd: 3\n", ("a", "c")),
        ("a: one\n  two\n", ("a",)),
        ('"a": 1\nb: 2\n', ("b",)),
        ("- # why\n  a: 1\n", (0,)),
    ],
)
def test_what_is_not_plain_in_the_lines_is_left_to_the_careful_parser(text: str, path: Path) -> None:
    outline = documents._outline(text.encode())
    assert outline is None or outline.range(path, "value") is None
    assert documents.locate(text.encode(), path, "value") is not None
