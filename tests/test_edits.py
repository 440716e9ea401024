"""Edits of YAML: the value that is meant changes, in every layout that people write, and not a byte beside it."""

from __future__ import annotations

import json
from pathlib import Path as Folder
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relspec import documents
from relspec.diagnostics import Path, Range, RelspecError
from relspec.edits import Edit, dotted, put, remove, rename_key, rewrite, splice
from relspec.emit import emit

ROOT = Folder(__file__).resolve().parents[1]
FILE = "release.yaml"
MODEL = ("services", "api", "model")
KEY = ("services", "api", "env", "LEVEL")

HEAD = "kind: Release\n"
PLAIN = """\
kind: Release
name: recs
services:
  api:
    model: als@prod
    env:
      LEVEL: info
      MODE: fast
    ports: {http: 8080}
"""

LAYOUTS: dict[str, str | bytes] = {
    "two columns": PLAIN,
    "four columns": PLAIN.replace("  ", "    "),
    "one column": PLAIN.replace("  ", " "),
    "mixed indents": HEAD + "services:\n   api:\n     model: als@prod\n     env:\n            LEVEL: info\n            MODE: fast\n",
    "no line end at the end": PLAIN.rstrip("\n"),
    "several line ends at the end": PLAIN + "\n\n",
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "CRLF without the last": PLAIN.rstrip("\n").replace("\n", "\r\n"),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "byte order mark and CRLF": b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode(),
    "start of a document": "---\n" + PLAIN,
    "comments between entries": PLAIN.replace("    env:", "    # about env\n\n    env:   # the variables\n      # first"),
    "comments at the ends of lines": PLAIN.replace("als@prod", "als@prod   # the one").replace("fast", "fast # er"),
    "ends in a comment": PLAIN + "# vim: ts=2\n",
    "ends in a comment without line end": PLAIN + "# vim: ts=2",
    "ends in deeper comments": PLAIN + "    # queue: next\n      # more\n\n# last\n",
    "comment in the middle of a map": PLAIN.replace("      MODE", "      # OFF: 1\n\n      # OLD: 2\n      MODE"),
    "aligned values": HEAD + "services:\n  api:\n    model:      als@prod   # c\n    image:      recs:1\n    env:\n      LEVEL:   info\n      MODE:    fast\n",
    "keys in quotes": PLAIN.replace("env:", '"env":').replace("LEVEL:", "'LEVEL':").replace("model:", '"model" :'),
    "values in double quotes": PLAIN.replace("als@prod", '"als@prod"').replace("info", '"in\\tfo"'),
    "values in single quotes": PLAIN.replace("als@prod", "'als@prod'").replace("info", "'it''s'"),
    "flow maps": HEAD + "services:\n  api: {model: als@prod, env: {LEVEL: info, MODE: fast}}\n",
    "flow maps with spaces": HEAD + "services: { api: { model: als@prod, env: { LEVEL: info, MODE: fast } } }\n",
    "flow map over lines": HEAD + "services:\n  api: {\n    model: als@prod,\n    env: {LEVEL: info,\n      MODE: fast}\n  }\n",
    "flow map with a last comma": HEAD + "services:\n  api: {\n    model: als@prod,   # c\n    env: {LEVEL: info, MODE: fast,},\n  }\n",
    "flow map with comments": HEAD + "services:\n  api: {\n    model: als@prod,   # c, d\n    env: {LEVEL: 'a # b', MODE: fast}  # e\n  }  # f\n",
    "JSON": '{"kind":"Release","services":{"api":{"model":"als@prod","env":{"LEVEL":"info","MODE":"fast"}}}}\n',
    "JSON over lines": json.dumps({"kind": "Release", "services": {"api": {"model": "als@prod", "env": {"LEVEL": "info", "MODE": "fast"}}}}, indent=2),
    "literal blocks": PLAIN.replace("info", "|\n        one\n\n        two").replace("fast", "|-\n        three"),
    "literal block at the end": HEAD + "services:\n  api:\n    model: als@prod\n    env:\n      LEVEL: info\n      MODE: |\n        text\n          deeper\n",
    "literal block that ends the file": HEAD + "services:\n  api:\n    model: als@prod\n    env:\n      LEVEL: info\n      MODE: |\n        text",
    "literal block that keeps its lines": PLAIN.replace("info", "|+\n        one\n\n").replace("fast", "|+\n        two\n\n"),
    "literal block with an indent": PLAIN.replace("info", "|2-\n          one\n        two").replace("fast", ">2 # c\n          x"),
    "folded blocks": PLAIN.replace("info", ">-\n        one\n        two\n\n        three").replace("fast", ">\n        four"),
    "folded text": PLAIN.replace("info", "one\n        two\n        three").replace("fast", '"four\n\n        five"'),
    "values on lines of their own": PLAIN.replace("model: als@prod", "model:\n      als@prod").replace("LEVEL: info", "LEVEL:\n        info"),
    "lists as deep as their key": PLAIN.replace("    env:", "    init:\n    - name: a\n      image: b\n    - name: c\n    env:"),
    "lists in lists": PLAIN.replace("    env:", "    args:\n      - - a\n        - b\n      - [c, d]\n      -\n        - e\n    env:"),
    "the last entry is a list": PLAIN + "    args:\n    - a   # first\n    - b   # second\n",
    "blank lines between all": PLAIN.replace("\n", "\n\n"),
    "spaces at the ends of lines": PLAIN.replace("\n", "  \n"),
    "characters of four bytes": PLAIN.replace("info", '"🎉 𝔘"   # 🎉🎉').replace("name: recs", "name: recs   # 🚀"),
    "an entry without a value": PLAIN.replace("LEVEL: info", "EMPTY:\n      LEVEL: info\n      NOTHING:   # here"),
    "services side by side": PLAIN + "  web:\n    model: als@prod\n    env: {}\n",
}  # fmt: skip
"""Documents that all say `services.api.model: als@prod` and `services.api.env` with LEVEL and MODE."""

layouts = pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS.keys())


def encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def read(data: bytes) -> dict[str, Any]:
    return documents.parse_carefully(data, FILE)


def at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def value_span(data: bytes, path: Path) -> tuple[int, int]:
    """Where a value is written, in characters after a byte order mark."""
    found = documents.locate(data, path, "value")
    starts = [0]
    for line in data.decode("utf-8-sig").split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts[found.line - 1] + found.column - 1, starts[found.end_line - 1] + found.end_column - 1


def changed(old: bytes, new: bytes) -> tuple[bytes, bytes]:
    """What differs between two texts: the old bytes and the new ones between the longest common beginning and end."""
    size = min(len(old), len(new))
    first = next((n for n in range(size) if old[n] != new[n]), size)
    last = next((n for n in range(size - first) if old[-1 - n] != new[-1 - n]), size - first)
    return old[first : len(old) - last], new[first : len(new) - last]


@layouts
def test_a_value_is_replaced_and_nothing_else(text: str | bytes) -> None:
    data = encoded(text)
    start, end = value_span(data, MODEL)
    source = data.decode("utf-8-sig")
    result = put(data, MODEL, "als@v0.4", file=FILE)
    quote = source[start] if source[start] in "'\"" else ""
    wanted = source[:start] + f"{quote}als@v0.4{quote}" + source[end:]
    mark = documents.BYTE_ORDER_MARK if data.startswith(documents.BYTE_ORDER_MARK) else b""
    assert result == mark + wanted.encode()


@layouts
def test_a_pin_says_what_it_was_and_keeps_the_comment(text: str | bytes) -> None:
    data = encoded(text)
    result = put(data, MODEL, "als@v0.3", file=FILE, comment="was als@prod")
    assert at(read(result), MODEL) == "als@v0.3"
    before, after = (each.decode("utf-8-sig").splitlines() for each in (data, result))
    pinned = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(pinned) == 1
    old, new = pinned[0]
    old_head, _, old_comment = old.partition("   #")
    new_head, _, new_comment = new.partition("# was als@prod")
    assert new_head.rstrip() == old_head.rstrip().replace("als@prod", "als@v0.3")
    assert new_comment == (f";{old_comment}" if old_comment else "")


@layouts
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("services", "api", "replicas"), 3),
        (("services", "api", "env", "NEW"), "yes"),
        (("services", "api", "health"), {"path": "/healthz", "period": "10s"}),
        (("services", "api", "candidate", "env", "X"), "y"),
        (("services", "worker"), {"image": "a:1", "args": ["a", "b: c"]}),
        (("targets",), ["compose"]),
        (("services", "api", "command"), ["sh", "-c", "one\ntwo\n"]),
        (("services", "api", "text"), "one\n  two\n"),
    ],
    ids=lambda value: dotted(value) if isinstance(value, tuple) else "",
)
def test_what_is_new_is_added_in_one_piece(text: str | bytes, path: Path, value: Any) -> None:
    data = encoded(text)
    result = put(data, path, value, file=FILE)
    assert at(read(result), path) == value
    assert remove(result, path, file=FILE)
    gone, added = changed(data, result)
    if b"MODE: |\n        text" in data and not data.endswith(b"\n"):
        return  # `|` has become `|-` as well: its text has no line end
    comment = (
        b"# e" if b"# e" in data and b"# e\n  }" in data else b""
    )  # it stays before the new line, after a new comma
    assert gone.replace(comment, b"").strip(b" ,\r\n") == b""
    assert len(added) < 120
    newline = b"\r\n" if b"\r\n" in data else b"\n"
    assert result.count(b"\n") - result.count(newline) == 0


@layouts
@pytest.mark.parametrize(
    "path", [MODEL, KEY, ("services", "api", "env", "MODE"), ("services", "api", "env"), ("kind",)], ids=dotted
)
def test_an_entry_is_removed_in_one_piece(text: str | bytes, path: Path) -> None:
    data = encoded(text)
    result = remove(data, path, file=FILE)
    left, whole = read(result), read(data)
    del at(whole, path[:-1])[path[-1]]
    assert json.dumps(left) == json.dumps(whole)
    gone, added = changed(data, result)
    comment = b"# c, d" if b"# c, d" in added else b""  # of the entry before, which loses its comma
    assert added.replace(comment, b"").strip(b" ,\r\n") == b""
    assert str(path[-1]).encode() in gone
    assert not any(
        name in gone for name in (b"kind", b"model", b"LEVEL", b"services") if name not in str(path[-1]).encode()
    ) or (path[-1] == "env" and b"model" not in gone)


@layouts
def test_what_was_added_can_be_removed_without_a_trace(text: str | bytes) -> None:
    data = encoded(text)
    if not data.endswith(b"\n"):
        data += b"\r\n" if b"\r\n" in data else b"\n"
    path = ("services", "api", "env", "ZZZ")
    assert remove(put(data, path, "new", file=FILE), path, file=FILE) == data


@layouts
def test_the_last_entry_leaves_an_empty_map(text: str | bytes) -> None:
    data = encoded(text)
    for key in list(at(read(data), ("services", "api", "env"))):
        data = remove(data, ("services", "api", "env", key), file=FILE)
    assert at(read(data), ("services", "api", "env")) == {}
    assert at(read(put(data, KEY, "x", file=FILE)), KEY) == "x"


@layouts
def test_a_key_is_renamed(text: str | bytes) -> None:
    data = encoded(text)
    result = rename_key(data, KEY, "VERBOSITY", file=FILE)
    assert changed(data, result) == (b"LEVEL", b"VERBOSITY")
    assert list(at(read(result), KEY[:-1])) == [key.replace("LEVEL", "VERBOSITY") for key in at(read(data), KEY[:-1])]


@layouts
@pytest.mark.parametrize(
    "value",
    [{"A": "1"}, {"LEVEL": {"secret": "a/b"}, "Z": "z"}, ["a"], "text", "two\nlines", None, {}, [], 7],
    ids=repr,
)
def test_a_map_becomes_anything(text: str | bytes, value: Any) -> None:
    data = encoded(text)
    result = put(data, KEY[:-1], value, file=FILE)
    assert at(read(result), KEY[:-1]) == value
    assert result.startswith(data[: value_span(data, MODEL)[1]])


ANYTHING: tuple[Any, ...] = (
    *("yes", "1.10", "a: b # c", "", "🎉", "two\nlines\n", "\ttab", "it's", 'a"b'),
    *(1, True, None, 1.5, {}, ["a"], {"a": {"b": []}}),
)


@pytest.mark.parametrize("number", range(len(LAYOUTS)), ids=LAYOUTS.keys())
def test_text_becomes_anything(number: int) -> None:
    data = encoded(list(LAYOUTS.values())[number])
    for value in ANYTHING[number % 4 :: 4]:
        result = put(data, KEY, value, file=FILE)
        assert json.dumps(at(read(result), KEY)) == json.dumps(value)
        other = ("services", "api", "env", "MODE")
        assert at(read(result), other) == at(read(data), other)


# --- how it looks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "value", "wanted"),
    [
        ("a: 1   # c\n", ("a",), "x: y", 'a: "x: y"   # c\n'),
        ("a: 1   # c\n", ("a",), "x\ny\n", "a: |   # c\n  x\n  y\n"),
        ("a: 1   # c\n", ("a",), {"b": 2}, "a:   # c\n  b: 2\n"),
        ("a: 1\nb: 2\n", ("a",), {"b": 2}, "a:\n  b: 2\nb: 2\n"),
        ("a: 1\n  # deeper\nb: 2\n", ("a",), "x\ny", 'a: "x\\ny"\n  # deeper\nb: 2\n'),
        ("a:   # c\n  b: 1\n  # d\n  c: 2  # e\nz: 1\n", ("a",), 5, "a: 5   # c\nz: 1\n"),
        ("a:   # c\n  b: 1\n  # d\n  c: 2  # e\nz: 1\n", ("a",), {"b": 3, "c": 2}, "a:   # c\n  b: 3\n  # d\n  c: 2  # e\nz: 1\n"),
        ("a:\n  b: 1  # e\n  c: 2\n", ("a",), {"x": 0, "b": 1, "d": 1, "c": 2}, "a:\n  x: 0\n  b: 1  # e\n  d: 1\n  c: 2\n"),
        ("a: {b: 1, c: 2}\n", ("a",), {"x": 0, "b": 1, "d": 1, "c": 2}, "a: {x: 0, b: 1, d: 1, c: 2}\n"),
        ("a: {}\n", ("a", "b", "c"), 1, "a:\n  b:\n    c: 1\n"),
        ("a:\n", ("a", "b"), [1, {"c": 2, "d": 3}], "a:\n  b:\n    - 1\n    - c: 2\n      d: 3\n"),
        ("a: ~\nb:\n- 1\n", ("a", "b"), [1], "a:\n  b:\n  - 1\nb:\n- 1\n"),
        ("a:\n    b: 1\n", ("c", "d"), {"e": 1}, "a:\n    b: 1\nc:\n    d:\n        e: 1\n"),
        ("a: [x, y]\n", ("a", 1), "p, q", 'a: [x, "p, q"]\n'),
        ("a: [x, y]\n", ("a",), ["x"], "a: [x]\n"),
        ("a:\n  - x\n  - y  # c\n", ("a", 1), {"k": 1, "l": 2}, "a:\n  - x\n  - k: 1  # c\n    l: 2\n"),
        ("a:\n  - x: 1  # c\n    y: 2\n  - z\n", ("a", 0), "w", "a:\n  - w\n  - z\n"),
        ("a:\n  - x: 1  # c\n    y: 2\n", ("a", 0, "z"), 3, "a:\n  - x: 1  # c\n    y: 2\n    z: 3\n"),
        ("a: {b, c: 1}\n", ("a", "b"), 2, "a: {b: 2, c: 1}\n"),
        ("a: {b: , c: 1}\n", ("a", "b"), 2, "a: {b: 2 , c: 1}\n"),
        ("a: [b: 1]\n", ("a", 0, "c"), 2, "a: [{b: 1, c: 2}]\n"),
        ("a: {\n  b: 1  # c\n}\n", ("a", "d"), 2, "a: {\n  b: 1,  # c\n  d: 2\n}\n"),
        ("a: {\n  b: 1,  # c\n}\n", ("a", "d"), 2, "a: {\n  b: 1,  # c\n  d: 2,\n}\n"),
        ("aa:   1\nbbbb: 2\n", ("c",), 3, "aa:   1\nbbbb: 2\nc:    3\n"),
        ("a: 1\nbb: 2\n", ("c",), 3, "a: 1\nbb: 2\nc: 3\n"),
        ("a: |\n  x", ("b",), 1, "a: |-\n  x\nb: 1"),
        ("a: |+\n  x\n\nz: 1\n", ("z",), None, "a: |+\n  x\n\nz: null\n"),
        ('a: "x\\ny"\n', ("a",), "p\nq", 'a: "p\\nq"\n'),
        ("a: 'x'\n", ("a",), "it's", "a: 'it''s'\n"),
        ("a: 'x'\n", ("a",), "p\nq", "a: |-\n  p\n  q\n"),
        ("a: 'x'\n", ("a",), 3, "a: 3\n"),
        ("a: [x, y]  # c\n", ("a", 2), "p, q", 'a: [x, y, "p, q"]  # c\n'),
        ("a: [x, y]\n", ("a",), ["x", "y", 1, 2], "a: [x, y, 1, 2]\n"),
        ("a: [x, y,]\n", ("a", 2), "z", "a: [x, y, z,]\n"),
        ("a: [\n  x,  # p\n  y  # q\n]\n", ("a", 2), "z", "a: [\n  x,  # p\n  y,  # q\n  z\n]\n"),
        ("a: [\n  x,\n  y,  # q\n]\n", ("a", 2), "z", "a: [\n  x,\n  y,  # q\n  z,\n]\n"),
        ("a: [b: 1]\n", ("a", 1), 2, "a: [b: 1, 2]\n"),
        ("a: []\n", ("a", 0), "x", "a:\n  - x\n"),
        ("a:\n- x  # p\n- y  # q\nb: 1\n", ("a", 2), "z", "a:\n- x  # p\n- y  # q\n- z\nb: 1\n"),
        ("a:\n    - x\n    # last\nb: 1\n", ("a", 1), "z", "a:\n    - x\n    - z\n    # last\nb: 1\n"),
        ("a:\r\n  - x\r\nb: 1\r\n", ("a", 1), "z", "a:\r\n  - x\r\n  - z\r\nb: 1\r\n"),
        ("a:\n  - x", ("a", 1), "z", "a:\n  - x\n  - z"),
        ("a:\n  - |\n    x", ("a", 1), "z", "a:\n  - |-\n    x\n  - z"),
        ("a:\n  - >-\n    x\n    y\nb: 1\n", ("a", 1), "p\nq\n", "a:\n  - >-\n    x\n    y\n  - |\n    p\n    q\nb: 1\n"),
        ("a:\n  - k: 1\n    m: 2\n", ("a", 1, "k"), 3, "a:\n  - k: 1\n    m: 2\n  - k: 3\n"),
        ("a:\n  - - x\n    - y\n  - z\n", ("a", 0, 2), "w", "a:\n  - - x\n    - y\n    - w\n  - z\n"),
        ("a:\n  - - x\n    - y\n", ("a", 1), [1], "a:\n  - - x\n    - y\n  - - 1\n"),
    ],
)  # fmt: skip
def test_a_put_looks_as_a_person_would_write_it(text: str, path: Path, value: Any, wanted: str) -> None:
    assert put(text.encode(), path, value, file=FILE).decode() == wanted


@pytest.mark.parametrize(
    ("text", "path", "wanted"),
    [
        ("a: 1  # c\nb: 2\n", ("a",), "b: 2\n"),
        ("# about a\na: 1\n# about b\nb: 2\n", ("a",), "# about a\n# about b\nb: 2\n"),
        ("a:\n  x: 1\n  # more\nb: 2\n", ("a",), "b: 2\n"),
        ("a:\n  x: 1  # c\n", ("a", "x"), "a: {}\n"),
        ("a:  # c\n  x: 1\nb: 2\n", ("a", "x"), "a: {}  # c\nb: 2\n"),
        ("a: {x: 1}\n", ("a", "x"), "a: {}\n"),
        ("a: {x: 1, y: 2,}\n", ("a", "y"), "a: {x: 1,}\n"),
        ("a: {x: 1, y: 2}\n", ("a", "x"), "a: {y: 2}\n"),
        ("a: {\n  x: 1,  # p\n  y: 2,  # q\n}\n", ("a", "x"), "a: {\n  y: 2,  # q\n}\n"),
        ("a: {\n  x: 1,  # p\n  y: 2  # q\n}\n", ("a", "y"), "a: {\n  x: 1  # p\n}\n"),
        ("a: {\n  x: 1,  # p\n  y: 2}\n", ("a", "y"), "a: {\n  x: 1  # p\n  }\n"),
        ("a: {x: 1,  # p\n  # q\n  y: 2}\n", ("a", "x"), "a: {  # p\n  # q\n  y: 2}\n"),
        ("a: {\n  x: 1,\n  y: 2\n}\n", ("a", "y"), "a: {\n  x: 1\n}\n"),
        ("a: [x, y]\n", ("a", 0), "a: [y]\n"),
        ("a: [x]\n", ("a", 0), "a: []\n"),
        ("a:\n- x  # p\n- y\n", ("a", 0), "a:\n- y\n"),
        ("a:\n- x\nb: 1\n", ("a", 0), "a: []\nb: 1\n"),
        ("a:\n  - x: 1  # p\n    # about y\n    y: 2\n", ("a", 0, "x"), "a:\n  - # about y\n    y: 2\n"),
        ("a:\n  - - x\n    - y\n", ("a", 0, 0), "a:\n  - - y\n"),
        ("a: |+\n  x\nb: 1\n\nc: 2\n", ("b",), "a: |+\n  x\nc: 2\n"),
        ("a: |\n  x\nb: 1\n  # deep\nc: 2\n", ("b",), "a: |\n  x\nc: 2\n"),
        ("a: {x: 1, y: 2,\n    z: 3}  # c\n", ("a", "y"), "a: {x: 1,\n    z: 3}  # c\n"),
        ("a: {x: 1, y: 2,  # p\n    z: 3}\n", ("a", "y"), "a: {x: 1,  # p\n    z: 3}\n"),
        ("a: {x: 1, y: 2\n    , z: 3}\n", ("a", "y"), "a: {x: 1\n    , z: 3}\n"),
        ("a: {x: 1,\n    y: 2, z: 3}\n", ("a", "x"), "a: {\n    y: 2, z: 3}\n"),
        ("a: {x: 1,\n    y: 2, z: 3}\n", ("a", "y"), "a: {x: 1,\n    z: 3}\n"),
        ("a: {x: 1, y: {p: 1,\n  q: 2},\n    z: 3}\n", ("a", "y"), "a: {x: 1,\n    z: 3}\n"),
        ("a: [x, y,\n    z]\n", ("a", 1), "a: [x,\n    z]\n"),
        ("a: {x: 1, y: 2,\r\n    z: 3}\r\n", ("a", "y"), "a: {x: 1,\r\n    z: 3}\r\n"),
        ("a: 1\n", ("a",), "{}\n"),
        ("a: 1\nb: |+\n  x\n\n\nc: 2", ("b",), "a: 1\nc: 2"),
    ],
)
def test_a_removal_looks_as_a_person_would_write_it(text: str, path: Path, wanted: str) -> None:
    assert remove(text.encode(), path, file=FILE).decode() == wanted


@pytest.mark.parametrize(
    ("text", "path", "value", "wanted"),
    [
        ("a: x\n", ("a",), "v", "a: v  # was x\n"),
        ("a: x    # old\n", ("a",), "v", "a: v    # was x; old\n"),
        ("a: x  # was x; old\n", ("a",), "v", "a: v  # was x; old\n"),
        ("a: x  #\n", ("a",), "v", "a: v  # was x\n"),
        ("a: {b: x, c: 'p # q'}  # old\n", ("a", "b"), "v", "a: {b: v, c: 'p # q'}  # was x; old\n"),
        ("a: {b: x, c: 'p # q'}\n", ("a", "b"), "v", "a: {b: v, c: 'p # q'}  # was x\n"),
        ("a: |  # old\n  x\n", ("a",), "v", "a: v  # was x\n"),
        ("a: 1\n", ("b", "c"), "v", "a: 1\nb:\n  c: v  # was x\n"),
        ("a: 1\n", ("b",), "v\nw\n", "a: 1\nb: |  # was x\n  v\n  w\n"),
        ("a: 1\n", ("b",), {"c": 1}, "a: 1\nb:  # was x\n  c: 1\n"),
    ],
)
def test_a_comment_stands_at_the_end_of_the_line(text: str, path: Path, value: Any, wanted: str) -> None:
    assert put(text.encode(), path, value, file=FILE, comment="was x").decode() == wanted


@layouts
@pytest.mark.parametrize("value", ["x", "p, q # r", "a\nb\n", {"k": 1, "l": [2]}, [1], None], ids=str)
def test_an_item_is_added_in_one_piece(text: str | bytes, value: Any) -> None:
    """To a list that was put there, and to those that the layout has."""
    data = put(encoded(text), ("services", "api", "list"), ["one", "two"], file=FILE)
    service = at(read(data), ("services", "api"))
    for name in [name for name, held in service.items() if isinstance(held, list)]:
        path: Path = ("services", "api", name)
        result = put(data, (*path, len(service[name])), value, file=FILE)
        assert at(read(result), path) == [*service[name], value]
        removed, added = changed(data, result)
        assert removed == b""
        assert added != b""
        assert put(data, path, [*service[name], value], file=FILE) == result


def test_a_comment_can_not_break_out_of_its_line() -> None:
    result = put(b"a: 1\n", ("a",), 2, file=FILE, comment="one\nb: 3\r\x1b[31m\u2028x")
    assert read(result) == {"a": 2}
    assert len(result.splitlines()) == 1


def test_nothing_to_do_changes_nothing() -> None:
    data = b"a:   1 # x\nb: {c:   'd'}\n"
    assert put(data, ("b", "c"), "d", file=FILE) == data
    assert put(data, ("b",), {"c": "d"}, file=FILE) == data


def test_one_is_not_true_and_not_a_float() -> None:
    assert put(b"a: 1\n", ("a",), True, file=FILE) == b"a: true\n"
    assert put(b"a: 1\n", ("a",), 1.0, file=FILE) == b"a: 1.0\n"


def test_the_order_of_keys_is_what_was_asked_for() -> None:
    result = put(b"a:\n  x: 1\n  y: 2\n", ("a",), {"y": 2, "x": 1}, file=FILE)
    assert list(read(result)["a"]) == ["y", "x"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("a", "b"), "a is a single value, so it has no b"),
        (("l", 3), r"l has 2 items, so no \[3\]"),
        (("l", -1), r"l has 2 items, so no \[-1\]"),
        (("l", "x"), "l is a list, so it has no x"),
        (("m", 0), "m is no list"),
        (("new", 0), "new is no list"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: Path, words: str) -> None:
    with pytest.raises(RelspecError, match=f"RS122 {FILE}: {words}"):
        put(b"a: 1\nl: [1, 2]\nm: {x: 1}\n", path, 1, file=FILE)


@pytest.mark.parametrize("path", [("b",), ("a", "b"), (), ("l", 2)])
def test_what_is_not_there_is_not_removed(path: Path) -> None:
    with pytest.raises(RelspecError, match="RS122"):
        remove(b"a: 1\nl: [1, 2]\n", path, file=FILE)


def test_a_key_does_not_become_one_that_is_there() -> None:
    with pytest.raises(RelspecError, match="there is a key b already"):
        rename_key(b"a: 1\nb: 2\n", ("a",), "b", file=FILE)
    with pytest.raises(RelspecError, match="RS122"):
        rename_key(b"a: 1\nb: 2\n", ("c",), "d", file=FILE)


def test_what_can_not_be_edited_is_refused_rather_than_written_wrong() -> None:
    with pytest.raises(RelspecError, match="RS900"):
        remove(b"? a\n: 1\n? b\n: 2\n", ("a",), file=FILE)


@pytest.mark.parametrize("data", [b"a: [1\n", b"a: \xff\n", b"- 1\n", b"a: &x 1\n"])
def test_a_broken_file_is_not_edited(data: bytes) -> None:
    with pytest.raises(RelspecError, match="RS1"):
        put(data, ("a",), 1, file=FILE)


def test_ranges_are_spliced_in_characters() -> None:
    data = b"\xef\xbb\xbf" + "🎉: 1\r\nb: 2\r\n".encode()
    edits = [Edit(Range(2, 4, 2, 5), "x"), Edit(Range(1, 4, 1, 5), "7"), Edit(Range(1, 1, 1, 1), "z")]
    assert splice(data, edits) == b"\xef\xbb\xbf" + "z🎉: 7\r\nb: x\r\n".encode()
    with pytest.raises(ValueError, match="overlap"):
        splice(b"abc\n", [Edit(Range(1, 1, 1, 3), ""), Edit(Range(1, 2, 1, 4), "")])


def test_a_rewrite_touches_what_differs() -> None:
    data = b"a: 1  # one\nb:\n  c: 2   # two\n  d: [x,   y]\ne: 3\n"
    wanted = {"a": 1, "b": {"c": 4, "d": ["x", "z"]}, "f": 5}
    assert rewrite(data, wanted, file=FILE) == b"a: 1  # one\nb:\n  c: 4   # two\n  d: [x,   z]\nf: 5\n"
    assert read(rewrite(data, {"z": {"y": 1}}, file=FILE)) == {"z": {"y": 1}}


def test_a_path_is_written_as_it_is_typed() -> None:
    assert dotted(("services", "api", "files", "/etc/a.yaml", "from")) == "services.api.files[/etc/a.yaml].from"
    assert dotted(("a", 0, "b")) == "a[0].b"


# --- any document ------------------------------------------------------------------------------------------------------

words = st.text(st.sampled_from("ab1:-#,{}[]'\"|> \n\t.é🎉yn0"), max_size=8) | st.sampled_from(
    ["yes", "1.10", "null", "~", "a b", "one\ntwo\n", "x\n\n", "als@v0.3"]
)
keys = st.sampled_from(["a", "b", "c", "d", "key", "a b", "yes", "1", "x.y", "/p/q", "é", "a,b", "{", "#", ""])
scalars = words | st.integers(-9, 9999) | st.booleans() | st.none() | st.sampled_from([0.5, 1.0])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
)
roots = st.dictionaries(keys, values, min_size=1, max_size=4)
styles = st.lists(st.integers(0, 9), min_size=12, max_size=12)


def styled(data: Any, style: list[int]) -> bytes:
    """A document written in one of many hands: the emitter's text with comments, blank lines, other line ends."""
    if style[0] == 0:
        text = json.dumps(data, ensure_ascii=False, indent=style[1] or None)
        text = text.replace("\x7f", "\\x7f")
        lines = [text]
    else:
        lines = emit(data).split("\n")[:-1]
    made: list[str] = []
    in_block = False
    indent = 0
    for number, line in enumerate(lines):
        sign = style[(number + 1) % len(style)]
        if in_block and (not line or len(line) - len(line.lstrip(" ")) > indent):
            made.append(line)
            continue
        in_block = line.endswith(("|", "|-", "|+"))
        indent = len(line) - len(line.lstrip(" "))
        if sign == 1 and not (made and "|+" in made[-1]) and style[0]:
            made.append(" " * indent + "# a comment: of its own")
        made.append(line + ("   # beside it" if sign == 2 and not in_block and style[0] else ""))
    newline = "\r\n" if style[2] == 1 else "\n"
    text = newline.join(made) + (newline if style[3] or in_block else "")
    return (documents.BYTE_ORDER_MARK if style[4] == 0 else b"") + text.encode()


def paths(data: Any, path: Path = ()) -> list[Path]:
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [each for step, value in entries for each in ((*path, step), *paths(value, (*path, step)))]


def replaced(data: Any, path: Path, value: Any) -> Any:
    """An independent copy with another value at a path."""
    copy = json.loads(json.dumps(data))
    at(copy, path[:-1])[path[-1]] = value
    return copy


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(roots, styles, st.data())
def test_any_value_can_be_put_anywhere(root: dict[str, Any], style: list[int], draw: st.DataObject) -> None:
    data = styled(root, style)
    held = read(data)
    path = draw.draw(st.sampled_from(paths(held)))
    value = draw.draw(values)
    result = put(data, path, value, file=FILE)
    assert json.dumps(read(result)) == json.dumps(replaced(held, path, value))
    start, end = value_span(data, path)
    source, after = data.decode("utf-8-sig"), result.decode("utf-8-sig")
    line = source.rfind("\n", 0, start) + 1
    if not isinstance(at(held, path), dict | list):
        assert after.startswith(source[:line])
        rest = source[end:]
        assert after.endswith(rest[rest.find("\n") :] if "\n" in rest else "")


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(roots, styles, st.data())
def test_anything_new_can_be_put_anywhere(root: dict[str, Any], style: list[int], draw: st.DataObject) -> None:
    data = styled(root, style)
    held = read(data)
    maps = [(), *(path for path in paths(held) if isinstance(at(held, path), dict | None))]
    path = (
        *draw.draw(st.sampled_from(maps)),
        draw.draw(st.sampled_from(["new", "a: b", "no"])),
        *draw.draw(st.sampled_from([(), ("x",), ("x", "y")])),
    )
    value = draw.draw(values)
    result = put(data, path, value, file=FILE)
    assert at(read(result), path) == value
    wanted = json.loads(json.dumps(read(result)))
    del at(wanted, path[:-1])[path[-1]]
    assert json.dumps(read(remove(result, path, file=FILE))) == json.dumps(wanted)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(roots, styles, st.data())
def test_anything_can_be_removed(root: dict[str, Any], style: list[int], draw: st.DataObject) -> None:
    data = styled(root, style)
    held = read(data)
    path = draw.draw(st.sampled_from(paths(held)))
    wanted = json.loads(json.dumps(held))
    del at(wanted, path[:-1])[path[-1]]
    assert json.dumps(read(remove(data, path, file=FILE))) == json.dumps(wanted)


def unchanged_lines(data: bytes, path: Path, result: bytes) -> None:
    """What stands in lines before and after an entry is in the result as it was."""
    start, end = value_span(data, path)
    key = documents.locate(data, path, "key")
    source, after = data.decode("utf-8-sig"), result.decode("utf-8-sig")
    lines = source.split("\n")
    first = key.line - 1
    while first and lines[first - 1].strip() == "-":  # an item's dash on a line of its own
        first -= 1
    before = "".join(line + "\n" for line in lines[:first])
    rest = source[max(end, start) :]
    # The entry before the last one of a flow map loses its comma.
    assert after.replace(",", "").startswith(before.replace(",", "").removesuffix("\n"))
    # A comment that is indented deeper than an entry belongs to it and may go with it; what follows the first entry
    # after a dash or a brace takes its place there.
    kept = [line.strip(" \r").removeprefix("- ") for line in rest.split("\n")[1:]]
    kept = [line for line in kept if line and not line.startswith("#")]
    position = 0
    for line in kept:
        position = after.index(line, position) + len(line)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.sampled_from(list(LAYOUTS.values())), st.data())
def test_any_value_in_any_layout(text: str | bytes, draw: st.DataObject) -> None:
    data = encoded(text)
    held = read(data)
    path = draw.draw(st.sampled_from(paths(held)))
    value = draw.draw(values)
    result = put(data, path, value, file=FILE)
    assert json.dumps(read(result)) == json.dumps(replaced(held, path, value))
    unchanged_lines(data, path, result)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.sampled_from(list(LAYOUTS.values())), st.data())
def test_two_edits_in_any_layout(text: str | bytes, draw: st.DataObject) -> None:
    data = encoded(text)
    first = draw.draw(st.sampled_from(paths(read(data))))
    added = (
        *draw.draw(st.sampled_from([p for p in [(), *paths(read(data))] if isinstance(at(read(data), p), dict)])),
        "x y",
    )
    value = draw.draw(values)
    more = put(data, added, value, file=FILE, comment="why")
    assert at(read(more), added) == value
    less = remove(more, first, file=FILE)
    wanted = json.loads(json.dumps(read(more)))
    del at(wanted, first[:-1])[first[-1]]
    assert json.dumps(read(less)) == json.dumps(wanted)
    unchanged_lines(more, first if len(at(read(more), first[:-1])) > 1 else first[:-1], less)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(roots, styles, roots)
def test_any_document_becomes_any_other(root: dict[str, Any], style: list[int], wanted: dict[str, Any]) -> None:
    assert json.dumps(read(rewrite(styled(root, style), wanted, file=FILE))) == json.dumps(wanted)


# --- the repository's own files ------------------------------------------------------------------------------------------

REAL = sorted(path for folder in ("environments", "registry", "bases") for path in (ROOT / folder).rglob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_value_of_real_files_can_be_edited_in_place(path: Folder) -> None:
    data = path.read_bytes()
    held = read(data)
    for place in paths(held):
        value = at(held, place)
        if isinstance(value, dict | list):
            continue
        start, end = value_span(data, place)
        source = data.decode()
        assert put(data, place, 12345, file=FILE).decode() == source[:start] + "12345" + source[end:]
        gone, added = changed(data, remove(data, place, file=FILE))
        assert len(added) <= len(" {}")
        assert len(gone) <= (end - start) + 120
