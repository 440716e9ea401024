"""YAML out: one canonical text, which every parser reads back as the same value."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
import yaml
import yaml_rs
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from relspec.emit import MAX_KEY, PLAIN, emit, emit_documents, unwritable

RUAMEL = YAML(typ="safe", pure=True)


def same(left: Any, right: Any) -> bool:
    """Equal in value, type and order, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return repr(left) == repr(right)


def assert_read_back(value: Any) -> None:
    text = emit(value)
    assert same(yaml.load(text, Loader=yaml.CSafeLoader), value), ("PyYAML", text)
    # With parse_datetime, its default, yaml-rs makes dates even of text in quotes.
    assert same(yaml_rs.loads(text, parse_datetime=False), value), ("yaml-rs", text)
    assert same(RUAMEL.load(text), value), ("ruamel.yaml", text)


def test_the_layout() -> None:
    value = {
        "kind": "Rollout",
        "spec": {
            "replicas": 3,
            "paused": False,
            "none": None,
            "ratio": 0.5,
            "empty": {},
            "list": [],
            "steps": [{"setWeight": 10}, {"pause": {}}, {"analysis": {"args": [{"name": "a", "value": "b"}]}}],
            "nested": [["a", ["b"]], [], [{"c": [1]}]],
            "text": "one\n\ntwo\n",
            "items": ["a\nb", "x"],
        },
    }
    assert emit(value) == (
        """\
kind: Rollout
spec:
  replicas: 3
  paused: false
  none: null
  ratio: 0.5
  empty: {}
  list: []
  steps:
    - setWeight: 10
    - pause: {}
    - analysis:
        args:
          - name: a
            value: b
  nested:
    - - a
      - - b
    - []
    - - c:
          - 1
  text: |
    one

    two
  items:
    - |-
      a
      b
    - x
"""
    )
    assert_read_back(value)


@pytest.mark.parametrize(
    "text",
    ["api", "ghcr.io/acme/x:1.8.2@sha256:3f9c", "LOG_LEVEL", "500m", "1Gi", "30s", "0.5s", "25%", "a b", "a, b", "a:b",
     "/data", "./x", "../x", "--port", "$X", "http://x:80/y", "yes sir", "it's", "x-user-id", "RuntimeDefault", "e3"],
)  # fmt: skip
def test_ordinary_text_stays_plain(text: str) -> None:
    assert emit({"k": text}) == f"k: {text}\n"
    assert_read_back({"k": text, text: [text]})


@pytest.mark.parametrize(
    "text",
    ["", "~", "null", "Null", "true", "False", "y", "n", "N", "yes", "no", "on", "OFF", "0", "8080", "-1", "+1", "010", "1.5",
     "1.10", "1e3", "1e22", ".5", "1.", "0o17", "0x1F", "0b1", "1_000", "_1", "1:30", "12:30:45", "2024-01-01",
     "2024-01-01T10:00:00Z", ".inf", "-.inf", ".NaN", "nan", "inf", "1.8.2", "=", "<<", "-", "--", "---", "...", "- x",
     "?", "? x", ":", ": x", "a: b", "a:", "#", "a #b", "#a", "@a", "`a", "%a", "!a", "&a", "*a", "{{ x }}", "{a}", "[a]",
     "a]", "|", ">", "|-", "'a'", '"a"', " x", "x ", "x  y", "\u00e9", "\U0001f600", "\u212a", "a,", ",a", "a,b]", "-1x"],
)  # fmt: skip
def test_what_somebody_could_misread_is_quoted(text: str) -> None:
    assert emit({"k": text}) == 'k: "{}"\n'.format(text.replace('"', '\\"'))
    assert_read_back({"k": text, text: [text]})


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\t", r'"\t"'),
        ("a\tb\n", r'"a\tb\n"'),
        ("a\r\n", r'"a\r\n"'),
        ("\x00\x1b\x7f", r'"\u0000\u001b\u007f"'),
        ("\x85\u2028\ufeff\u00a0\ue000", r'"\u0085\u2028\ufeff\u00a0\ue000"'),
        ("\U000e0001", r'"\U000e0001"'),
        ("\\", r'"\\"'),
        ("\n", r'"\n"'),
        ("\na", r'"\na"'),
        (" a\nb", r'" a\nb"'),
        ("a \nb", r'"a \nb"'),
        ("a\nb ", r'"a\nb "'),
        ("a\n  \nb", r'"a\n  \nb"'),
    ],
)
def test_awkward_text_is_escaped(text: str, written: str) -> None:
    assert emit({"k": text}) == f"k: {written}\n"
    assert_read_back({"k": text, text: [text]})


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\nb", "|-\n  a\n  b\n"),
        ("a\n", "|\n  a\n"),
        ("a\n\n", "|+\n  a\n\n"),
        ("# a\n---\n  b: 'c'\n", "|\n  # a\n  ---\n    b: 'c'\n"),
        ("é\n\n\nb", "|-\n  é\n\n\n  b\n"),
    ],
)
def test_text_of_several_lines_is_a_literal_block(text: str, written: str) -> None:
    assert emit({"k": text}) == f"k: {written}"
    assert emit(text) == written
    for value in ({"k": text, "l": [text, [text], {"m": text}]}, [text], text):
        assert_read_back(value)


def test_long_lines_are_not_folded() -> None:
    for text in ("x" * 5000, "word " * 1000 + "end", "é " * 2000 + "é", "line\n" * 3):
        assert max(map(len, emit({"k": text}).splitlines())) >= len(text.split("\n")[0])
        assert_read_back({"k": text})


@pytest.mark.parametrize(
    ("number", "written"),
    [(1e22, "1.0e+22"), (1.5e300, "1.5e+300"), (1e-5, "1.0e-05"), (-1e16, "-1.0e+16"), (1.0, "1.0"), (-0.0, "-0.0"),
     (0.1, "0.1"), (2**63 - 1, "9223372036854775807"), (-1, "-1"), (True, "true")],
)  # fmt: skip
def test_numbers(number: Any, written: str) -> None:
    assert emit({"k": number}) == f"k: {written}\n"
    assert_read_back({"k": number})


def test_documents_are_joined_with_markers() -> None:
    assert emit_documents([{"a": 1}, {"b": "x\n\n"}, []]) == "a: 1\n---\nb: |+\n  x\n\n---\n[]\n"
    assert emit_documents([]) == ""


def test_subclasses_and_tuples_are_written_as_what_they_are() -> None:
    class Colour(StrEnum):
        RED = "red"

    class Ordered(dict[str, Any]):
        pass

    assert (
        emit({Colour.RED: Colour.RED, "t": (1, ()), "o": Ordered(a=1)}) == "red: red\nt:\n  - 1\n  - []\no:\n  a: 1\n"
    )


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf"), {"x" * (MAX_KEY + 1): 1}, {"\udfff": 1}])
def test_what_yaml_cannot_hold_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        emit({"k": [value]})


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, {True: 1}, {"a": {1, 2}}, {"a": b"x"}, object()])
def test_what_is_no_plain_data_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        emit(value)


characters = st.characters(exclude_categories=("Cs",))
indicators = st.sampled_from(
    " \n\t:#-?,[]{}&*!|>'\"%@`~<=+._0123456789eExXoObBaAfFnNyY\r\x85\u2028\ufeff\x00\u00a0\U0001f600"
)
texts = st.one_of(
    st.text(st.one_of(indicators, characters), max_size=12),
    st.text("ab \n#-:", max_size=15),
    st.from_regex(PLAIN, fullmatch=True),
    st.from_regex(r"[-+.]?[0-9_]*[.:eExo_-]?[0-9a-f_]*[a-zA-Z]{0,2}", fullmatch=True),
    st.from_regex(r"[_a-z]?(y|n|yes|no|on|off|t_?rue|f_?alse|nu_?ll|na_n|i_?nf)_?", fullmatch=True),
)
leaves = st.one_of(
    texts,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(texts.filter(lambda t: len(t) < 99), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(values)
@example({"\ufeff": "\ufeff"})
@example(["\n", "a\n\n\n", [["x\ny"]]])
def test_every_value_is_read_back_by_every_parser(value: Any) -> None:
    assert_read_back(value)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(values, min_size=2, max_size=3))
def test_every_stream_is_read_back(documents: list[Any]) -> None:
    text = emit_documents(documents)
    assert same(list(yaml.load_all(text, Loader=yaml.CSafeLoader)), documents)
    assert same(list(RUAMEL.load_all(text)), documents)


def test_each_node_that_cannot_be_written_is_named() -> None:
    long = "k" * (MAX_KEY + 1)
    value = {"a": ["ok", "\ud800"], "b": {long: 1, "c": float("nan"), "d": "two\nlines\udfff"}, "\ud800": {}, "e": ()}
    found = [(path, part) for path, part, _ in unwritable(value)]
    assert found == [
        (("a", 1), "value"),
        (("b", long), "key"),
        (("b", "c"), "value"),
        (("b", "d"), "value"),
        (("\ud800",), "key"),
    ]
    assert all(reason.isprintable() for *_, reason in unwritable(value))
    assert not list(unwritable({"a": [1, "é", None, {}]}))
