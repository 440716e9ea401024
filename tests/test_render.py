"""Templates with typed holes: what comes out, where it came from, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.facet import Facet
from relspec.render import Hole, Raw, TemplateSet
from relspec.render import rendered_yaml as yaml_text
from relspec.render.parse_back import plan_of

NAME = "rollouts/pod.yaml.j2"


def template_set(source: str, **others: str) -> TemplateSet:
    return TemplateSet({NAME: source, **{name.replace("_", "."): text for name, text in others.items()}}.get)


def documents(source: str, context: Mapping[str, Any] | None = None, **others: str) -> list[Any]:
    return template_set(source, **others).render(NAME, context or {}).documents


def document(source: str, **context: Any) -> Any:
    (only,) = documents(source, context)
    return only


def refused(source: str, context: Mapping[str, Any] | None = None, **others: str) -> Finding:
    with pytest.raises(RelspecError) as caught:
        documents(source, context, **others)
    (finding,) = caught.value.findings
    assert finding.hint
    assert "Traceback" not in finding.message
    return finding


def line_of(finding: Finding) -> int:
    assert finding.where.range is not None
    return finding.where.range.line


# -- the table of pitfalls: a template, its context, what it gives

PITFALLS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "text": ("a: {{ v }}", {"v": "x"}, {"a": "x"}),
    "a whole number": ("a: {{ v }}", {"v": 8080}, {"a": 8080}),
    "a number": ("a: {{ v }}", {"v": 1.5}, {"a": 1.5}),
    "a boolean": ("a: {{ v }}", {"v": False}, {"a": False}),
    "a list": ("a: {{ v }}", {"v": ["x", 1]}, {"a": ["x", 1]}),
    "a tuple is a list": ("a: {{ v }}", {"v": ("x", 1)}, {"a": ["x", 1]}),
    "a map": ("a: {{ v }}", {"v": {"k": {"l": None}}}, {"a": {"k": {"l": None}}}),
    "a facet is a map": ("a: {{ v }}", {"v": Facet({"k": Facet({"l": 1})})}, {"a": {"k": {"l": 1}}}),
    "Markup is text": ("a: {{ v }}", {"v": Markup("<b>")}, {"a": "<b>"}),
    "Markup inside a text": ("a: x{{ v }}", {"v": Markup("<b>")}, {"a": "x<b>"}),
    "a version": ("a: {{ v }}", {"v": "1.10"}, {"a": "1.10"}),
    "a word of YAML 1.1": ("a: {{ v }}", {"v": "no"}, {"a": "no"}),
    "an octal": ("a: {{ v }}", {"v": "0o17"}, {"a": "0o17"}),
    "digits with a leading zero": ("a: {{ v }}", {"v": "010"}, {"a": "010"}),
    "an exponent": ("a: {{ v }}", {"v": "1e22"}, {"a": "1e22"}),
    "a date": ("a: {{ v }}", {"v": "2024-01-01"}, {"a": "2024-01-01"}),
    "the word null": ("a: {{ v }}", {"v": "null"}, {"a": "null"}),
    "a tilde": ("a: {{ v }}", {"v": "~"}, {"a": "~"}),
    "empty text": ("a: {{ v }}", {"v": ""}, {"a": ""}),
    "a line break": ("a: {{ v }}", {"v": "x\ny: z\n"}, {"a": "x\ny: z\n"}),
    "quotes": ("a: {{ v }}", {"v": "'\"\\"}, {"a": "'\"\\"}),
    "what looks like a comment": ("a: {{ v }}", {"v": "x # y"}, {"a": "x # y"}),
    "what looks like an anchor": ("a: {{ v }}", {"v": "&x"}, {"a": "&x"}),
    "what looks like a document": ("a: {{ v }}", {"v": "\n---\nb: 1"}, {"a": "\n---\nb: 1"}),
    "unicode": ("a: {{ v }}", {"v": "é漢🎈\u200b"}, {"a": "é漢🎈\u200b"}),
    "braces are not rendered again": ("a: {{ v }}", {"v": "{{ 1 + 1 }}"}, {"a": "{{ 1 + 1 }}"}),
    "a dollar": ("a: {{ v }}", {"v": "${HOME} $$"}, {"a": "${HOME} $$"}),
    "a URL": ("a: http://{{ h }}:{{ p }}/x", {"h": "db", "p": 80}, {"a": "http://db:80/x"}),
    "only holes make text": ("a: {{ v }}{{ w }}", {"v": "1", "w": 0}, {"a": "10"}),
    "in quotes, a part": ("a: \"x-{{ v }}\"", {"v": '"'}, {"a": 'x-"'}),
    "in quotes, the whole": ("a: '{{ v }}'", {"v": 8080}, {"a": 8080}),
    "in quotes, text of digits": ('a: "{{ v }}"', {"v": "8080"}, {"a": "8080"}),
    "in a flow list": ("a: [{{ v }}, x{{ v }}]", {"v": "b, c"}, {"a": ["b, c", "xb, c"]}),
    "in a flow map": ("a: {k: {{ v }}}", {"v": "}"}, {"a": {"k": "}"}}),
    "a text over two lines": ("a: x {{ v }}\n  y", {"v": "\n"}, {"a": "x \n y"}),
    "a key": ("{{ v }}: 1", {"v": "a: b"}, {"a: b": 1}),
    "a part of a key": ("x-{{ v }}: 1", {"v": "y"}, {"x-y": 1}),
    "a number as a key": ("{{ v }}: 1", {"v": 80}, {"80": 1}),
    "a key and its value": ("{{ v }}: {{ w }}", {"v": "k", "w": [1]}, {"k": [1]}),
    "a key whose value is None": ("a: {{{ '{k}' }}: {{ v }}}\n".replace("{{{ '{k}' }}", "{\"x{{ k }}\""), {"k": "y", "v": None}, {"a": {}}),
    "literal block": ("a: |\n  x {{ v }}\n  z\n", {"v": "1\n2"}, {"a": "x 1\n2\nz\n"}),
    "literal block, only a hole": ("a: |-\n  {{ v }}\n", {"v": "1\n\n  2\n"}, {"a": "1\n\n  2\n"}),
    "literal block, its own line end": ("a: |\n  {{ v }}\n", {"v": "1\n2"}, {"a": "1\n2\n"}),
    "folded block": ("a: >-\n  x\n  {{ v }}\n", {"v": "1\n2"}, {"a": "x 1\n2"}),
    "a loop": ("a:\n{% for x in v %}\n- {{ x }}\n{% endfor %}\n", {"v": ["1.10", 2]}, {"a": ["1.10", 2]}),
    "a loop over nothing": ("a:\n{% for x in v %}\n- {{ x }}\n{% endfor %}\n", {"v": []}, {"a": None}),
    "a loop in a flow list": ("a: [{% for x in v %}{{ x }}, {% endfor %}]", {"v": ["b", "c"]}, {"a": ["b", "c"]}),
    "a loop over a map": ("{% for k in v %}\n{{ k }}: {{ v[k] }}\n{% endfor %}", {"v": {"b": 1, "a": 2}}, {"b": 1, "a": 2}),
    "items in their own order": ("{% for k, x in v | items %}\n{{ k }}: {{ x }}\n{% endfor %}", {"v": {"b": 1, "a": 2}}, {"b": 1, "a": 2}),
    "the loop's variable": ("a: [{% for x in v %}{{ loop.index }}, {{ loop.last }}, {% endfor %}]", {"v": ["a", ""]}, {"a": [1, False, 2, True]}),
    "a condition": ("a: {% if v %}1{% else %}2{% endif %}\nb: 3", {"v": True}, {"a": 1, "b": 3}),
    "a condition alone on its lines": ("a: |\n  x\n  {% if v %}\n  y\n  {% endif %}\n  z\n", {"v": True}, {"a": "x\ny\nz\n"}),
    "a comment alone on its line": ("a: |\n  x\n  {# why #}\n  z\n", {}, {"a": "x\nz\n"}),
    "a macro": ("{% macro m(x) %}k: {{ x }}\nl: 2{% endmacro %}\n{{ m(v) }}", {"v": "1.10"}, {"k": "1.10", "l": 2}),
    "a macro without holes is template text": ("{% macro m() %}k: 1.5{% endmacro %}\n{{ m() }}", {}, {"k": 1.5}),
    "a macro in a scalar": ("{% macro m(x) %}{{ x }}{% endmacro %}\na: {{ m(v) }}", {"v": False}, {"a": False}),
    "a macro with a default": ("{% macro m(x, y=7) %}{{ y }}{% endmacro %}\na: {{ m(v) }}", {"v": 1}, {"a": 7}),
    "a macro that calls itself": ("{% macro m(n) %}{% if n %}x{{ m(n - 1) }}{% endif %}{% endmacro %}\na: {{ m(3) }}", {}, {"a": "xxx"}),
    "a set": ("{% set x = v %}\na: {{ x }}", {"v": "1.10"}, {"a": "1.10"}),
    "a set block": ("{% set x %}{{ v }}:{{ w }}{% endset %}\na: {{ x }}", {"v": "h", "w": 1}, {"a": "h:1"}),
    "a set block that is a hole": ("{% set x %}{{ v }}{% endset %}\na: {{ x }}", {"v": "1.10"}, {"a": "1.10"}),
    "a set block without holes": ("{% set x %}1.10{% endset %}\na: {{ x }}", {}, {"a": "1.10"}),
    "a set block twice": ("{% set x %}{{ v }}{% endset %}\na: {{ x }}\nb: {{ x }}", {"v": [1]}, {"a": [1], "b": [1]}),
    "a set block is compared as text": ("{% set x %}y{% endset %}\na: {{ x == 'y' }}", {}, {"a": True}),
    "joined": ("a: {{ v ~ ':' ~ w }}", {"v": "x\n", "w": 5}, {"a": "x\n:5"}),
    "joined digits stay text": ("a: {{ v ~ w }}", {"v": 1, "w": 5}, {"a": "15"}),
    "joined with a set block": ("{% set x %}<{{ v }}>{% endset %}\na: {{ x ~ w }}", {"v": "1", "w": ": #"}, {"a": "<1>: #"}),
    "a hole that is None": ("a: {{ v }}\nb: 1", {"v": None}, {"b": 1}),
    "a hole in a list that is None": ("a: [1, {{ v }}, 2, {{ v }}]", {"v": None}, {"a": [1, 2]}),
    "literal null stays": ("a: null\nb: ~\nc:", {}, {"a": None, "b": None, "c": None}),
    "empty things stay": ("a: {}\nb: []\nc: {{ v }}\nd: {{ w }}", {"v": {}, "w": []}, {"a": {}, "b": [], "c": {}, "d": []}),
    "a map that loses its entries stays": ("a:\n  b: {{ v }}", {"v": None}, {"a": {}}),
    "None inside a value stays": ("a: {{ v }}", {"v": [None, {"k": None}]}, {"a": [None, {"k": None}]}),
    "keys win over methods": ("a: {{ v.items }}\nb: {{ v.keys }}", {"v": {"items": 1, "keys": "x"}}, {"a": 1, "b": "x"}),
    "a key with a dash": ("a: {{ v['x-y'] }}", {"v": {"x-y": 1}}, {"a": 1}),
    "an element": ("a: {{ v[0] }}\nb: {{ v[-1] }}\nc: {{ v[1:] }}", {"v": [1, 2, 3]}, {"a": 1, "b": 3, "c": [2, 3]}),
    "a default": ("a: {{ v.x | default('y') }}", {"v": {}}, {"a": "y"}),
    "a choice": ("a: {{ 'x' if v else 1 }}", {"v": False}, {"a": 1}),
    "arithmetic": ("a: {{ (v + 1) * 2 // 3 }}", {"v": 4}, {"a": 3}),
    "raw": ("a: '{% raw %}{{args.service}}{% endraw %}'", {}, {"a": "{{args.service}}"}),
    "no escaping": ("a: {{ v }}", {"v": "<&>'"}, {"a": "<&>'"}),
    "words of the template": ("a: no\nb: on\nc: y", {}, {"a": "no", "b": "on", "c": "y"}),
    "a date in the template": ("a: 2024-01-01", {}, {"a": "2024-01-01"}),
    "a port mapping in the template": ("a: 22:22", {}, {"a": "22:22"}),
    "a colour in the template": ("a: '#fff'\nb: 1_x", {}, {"a": "#fff", "b": "1_x"}),
    "a hole in a comment": ("a: 1 # {{ v }}", {"v": "\nb: 2"}, {"a": 1}),
    "windows line ends": ("a: {{ v }}\r\nb: 1\r\n", {"v": "x"}, {"a": "x", "b": 1}),
}  # fmt: skip


@pytest.mark.parametrize("pitfall", PITFALLS)
def test_pitfall(pitfall: str) -> None:
    source, context, expected = PITFALLS[pitfall]
    result = document(source, **context)
    assert result == expected
    assert json.dumps(result) == json.dumps(expected), "kinds differ (True == 1)"


def test_documents_of_a_stream_and_empty_ones_left_out() -> None:
    source = (
        "---\na: {{ v }}\n---\n{% if false %}\nb: 1\n{% endif %}\n---\n- {{ v }}\n---\n{{ n }}\n---  # last\n{{ v }}\n"
    )
    assert documents(source, {"v": "x", "n": None}) == [{"a": "x"}, ["x"], "x"]
    assert documents("") == []


def test_without_pruning_a_none_stays() -> None:
    rendered = template_set("a: {{ v }}\nb: [{{ v }}]\n'{{ k }}': {{ v }}").render(
        NAME, {"v": None, "k": "c"}, prune=False
    )
    assert rendered.documents == [{"a": None, "b": [None], "c": None}]


def test_include_import_and_extends() -> None:
    base = "kind: {{ kind }}\n{% block spec %}{% endblock %}"
    child = (
        '{% extends "base.j2" %}{% block spec %}{% from "m.j2" import port %}{% import "m.j2" as m %}\n'
        'a: {{ port(1) }}\nb: {{ m.port(2) }}\n{% include "part.j2" %}{% endblock %}'
    )
    macros = "{% macro port(n) %}{{ base + n }}{% endmacro %}"
    result = documents(child, {"kind": "X", "base": 80}, base_j2=base, m_j2=macros, part_j2="c: {{ kind }}")
    assert result == [{"kind": "X", "a": 81, "b": 82, "c": "X"}]


def test_super_gives_the_block_above() -> None:
    base = "{% block b %}\na: {{ v }}\n{% endblock %}"
    child = '{% extends "base.j2" %}{% block b %}{{ super() }}\nb: 1\n{% endblock %}'
    assert documents(child, {"v": "1.10"}, base_j2=base) == [{"a": "1.10", "b": 1}]


def test_nothing_is_shared_between_two_results() -> None:
    templates = template_set(
        "a: {k: [1]}\nb: {{ v }}\nc: {{ v }}\n{% set x %}{{ v }}{% endset %}\nd: {{ x }}\ne: {{ x }}"
    )
    value = {"l": [1]}
    first, second = (templates.render(NAME, {"v": value}).documents[0] for _ in range(2))
    first["a"]["k"].append(2)
    for key in "bcde":
        first[key]["l"].append(key)
    assert second == {"a": {"k": [1]}, **{key: {"l": [1]} for key in "bcde"}}
    assert value == {"l": [1]}


def test_what_the_repository_says_of_a_template_stays_as_it_is() -> None:
    def sources(name: str) -> str:
        raise RelspecError(Finding("RS241", "a symbolic link", Where(name), "replace it"))

    with pytest.raises(RelspecError, match="RS241"):
        TemplateSet(sources).render(NAME, {})


# -- properties: what goes in comes out

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)

WHOLE = template_set("a: {{ v }}\nb: [{{ v }}]\nc: |-\n  {{ v }}\nd: '{{ v }}'\n")
PART = template_set(
    "a: <{{ v }}>\nb: |\n  x{{ v }}\n  y\nc: \"{{ v }}-{{ v }}\"\nd: {{ v ~ '!' }}\n{{ v }}: e\nk-{{ v }}: f\n"
)


@settings(deadline=None)
@given(values)
def test_any_value_comes_out_of_a_whole_hole_as_it_was(value: Any) -> None:
    rendered = WHOLE.render(NAME, {"v": value}, prune=False)
    assert json.dumps(rendered.documents) == json.dumps([{"a": value, "b": [value], "c": value, "d": value}])


@settings(deadline=None)
@given(texts)
def test_any_text_comes_out_of_a_part_and_a_key_as_it_was(text: str) -> None:
    if text in ("a", "b", "c", "d") or f"k-{text}" == text:
        return
    (result,) = PART.render(NAME, {"v": text}).documents
    expected = {
        "a": f"<{text}>",
        "b": f"x{text}\ny\n",
        "c": f"{text}-{text}",
        "d": f"{text}!",
        text: "e",
        f"k-{text}": "f",
    }
    assert result == expected


@settings(deadline=None)
@given(st.lists(values, max_size=5))
def test_pruning_drops_whole_holes_only(elements: list[Any]) -> None:
    source = "".join(f"- {{{{ v[{index}] }}}}\n" for index in range(len(elements))) or "[]"
    (result,) = documents(source, {"v": elements})
    assert json.dumps(result) == json.dumps([element for element in elements if element is not None])


@settings(deadline=None)
@given(values, values)
def test_inline_maps_keep_every_value(one: Any, two: Any) -> None:
    inline = {"a": "{{ one }}", "b": ["{{ two }}", "x", None, 1.5], "c": {}}
    rendered = TemplateSet(lambda _: None).render_inline(inline, {"one": one, "two": two}, "environment.yaml")
    assert json.dumps(rendered.documents) == json.dumps([{"a": one, "b": [two, "x", None, 1.5], "c": {}}])


# -- text of YAML: two parsers, one result

pieces = st.sampled_from(
    ["a", "k: ", "- ", "\n", "  ", "1", "0", ".", "5", "_", "e", "1e3", "0x1F", "017", "no", "~", "null", "True", ": ", "'", '"',
     "[", "]", "{", "}", ", ", "#", " #", "&x ", "*x", "!t ", "|\n", ">-\n", "\ue0000\ue001", "---\n", "x y", "\t", "?", "<<: ",
     "a: |\n  ", "- |\n  ", "\n  ", "\n    ", "|+\n", "k:\n", "2024-01-01", "1:30", "-", "+", ".inf", "é", "\\n", "...\n", "%", "@", "=", "1_000", "12"]
)  # fmt: skip


def parsed(read: Any, text: str) -> str | None:
    try:
        return json.dumps(read(text))
    except yaml_text.NotYamlError:
        return None


@settings(deadline=None, max_examples=300)
@given(st.lists(pieces, max_size=12).map("".join))
def test_the_fast_and_the_careful_parser_agree(text: str) -> None:
    careful = parsed(lambda source: [spot.value for spot in yaml_text.spots(source)], text)
    assert parsed(yaml_text.documents, text) == careful


def test_without_the_fast_parser_the_result_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "a: {{ v }}\nb: [1, 1.5, x: y, no]\nc: |\n  x\n"
    with_fast = documents(source, {"v": "1.10"})
    plan_of.cache_clear()
    monkeypatch.setattr(yaml_text, "_fast_parser", lambda: None)
    assert documents(source, {"v": "1.10"}) == with_fast
    plan_of.cache_clear()


@pytest.mark.parametrize(
    "number", ["0644", "0x1F", "0o17", "0b1", "1_000", "+1", ".5", ".inf", "-.INF", ".nan", "1e999", "017"]
)
def test_numbers_that_readers_disagree_on_are_refused_in_a_template(number: str) -> None:
    finding = refused(f"a: 1\nmode: {number}\n")
    assert (finding.code, line_of(finding)) == ("RS504", 2)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("a: &x 1\nb: *x", 1),
        ("a: 1\nb: *x", 2),
        ("a: !!python/object:os.system 1", 1),
        ("a: 1\nb: !t 1", 2),
        ("a: 1\n<<: {b: 1}", 2),
        ("a: 1\n'<<': {b: 1}", 2),
        ('a: 1\nb: "\\U00110000"', 2),
        ('a: 1\n"\\UFFFFFFFF": 1', 2),
        ("a: 1\nb: 2\na: 3", 3),
        ("a: 1\n? [x]\n: 1", 2),
        ("a: 1\ntrue: 1", 2),
        ("a: 1\n b: 2", 2),
        ("a: [1,\n  2", 2),
        ("a: 1\n\tb: 2", 2),
        ("{% if true %}\na: 1\n{% endif %}\nb: }", 4),
        ('a: "\\uE000"', 1),
        ('a: "\\uE0000\\uE0012"\nb: "\\uE001"', 2),
        ("a: " + "[" * 150 + "]" * 150, 1),
    ],
)
def test_text_that_is_no_yaml_for_an_output(source: str, line: int) -> None:
    finding = refused(source)
    assert (finding.code, finding.where.file) == ("RS504", NAME)
    assert abs(line_of(finding) - line) <= 1, "a parser may notice an open bracket one line late"


def test_a_long_number_is_not_repeated_in_the_hint() -> None:
    assert len(refused("a: 0" + "1" * 5000).hint) < 100


def test_a_place_in_a_text_that_only_one_parser_takes_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str) -> list[Any]:
        raise yaml_text.NotYamlError("no", 1)

    monkeypatch.setattr("relspec.render.template.spots", nothing)
    assert template_set("a: 1").render(NAME, {}).site_at(0, ("a",)) == (NAME, 1)


def test_a_value_that_is_read_from_what_is_not_there_leads_to_its_line() -> None:
    rendered = template_set("a: 1\n{{ (s.x) | default('k') }}: 1").render(NAME, {"s": {}})
    assert rendered.site_at(0, ("k",)).line == 2


def test_a_placeholder_written_as_an_escape_reaches_no_hole_that_is_not_there() -> None:
    assert refused('a: "\\uE0007\\uE001"').code == "RS504"


# -- back to the spec and to the template

SERVICE = Facet(
    {
        "name": "api",
        "port": 8080,
        "command": ["serve", "--fast"],
        "labels": {"team": "recs"},
        "image": Facet(
            {"repository": "ghcr.io/a", "tag": "1"}, ("services", "api"), {"tag": ("services", "api", "image")}
        ),
        "env": [
            Facet({"name": "A", "value": "1"}, ("services", "api", "env"), {"value": ("services", "api", "env", "A")})
        ],
        "candidate": None,
    },
    ("services", "api"),
)

TRACED = """\
{# a comment #}
{% macro ports(number) %}
ports: [{containerPort: {{ number }}}]
{% endmacro %}
kind: Pod
name: {{ service.name }}
image: {{ service.image.repository }}:{{ service.image.tag }}
tag: {{ service.image.tag }}
args:
  {% for word in service.command %}
  - {{ word }}
  {% endfor %}
env:
  {% for entry in service.env %}
  - name: {{ entry.name }}
    value: {{ entry.value }}
    fixed: true
  {% endfor %}
labels: {{ service.labels }}
{{ ports(service.port) }}
{% set host %}{{ service.name }}.local{% endset %}
host: {{ host }}
fallback: {{ service.name | default(service.port) }}
gone: [{{ service.candidate }}, {{ service.port }}]
{{ service.name }}: here
computed: {{ 1 + 1 }}
whole: {{ service }}
first: {{ service.command[0] }}
loop: [{% for k, v in service.labels | items %}{{ v }}{% endfor %}]
"""

NOWHERE = None

PLACES: list[tuple[tuple[str | int, ...], tuple[str | int, ...] | None, int]] = [
    (("kind",), NOWHERE, 5),
    (("name",), ("services", "api", "name"), 6),
    (("image",), ("services", "api", "repository"), 7),
    (("tag",), ("services", "api", "image"), 8),
    (("args", 1), ("services", "api", "command", 1), 11),
    (("env", 0, "value"), ("services", "api", "env", "A"), 16),
    (("env", 0, "fixed"), NOWHERE, 17),
    (("env", 0), NOWHERE, 15),
    (("labels",), ("services", "api", "labels"), 19),
    (("labels", "team"), ("services", "api", "labels", "team"), 19),
    (("labels", "team", "deeper"), ("services", "api", "labels", "team", "deeper"), 19),
    (("ports", 0, "containerPort"), ("services", "api", "port"), 3),
    (("ports", 0), NOWHERE, 3),
    (("host",), ("services", "api", "name"), 21),
    (("fallback",), ("services", "api", "name"), 23),
    (("gone", 0), ("services", "api", "port"), 24),
    (("api",), ("services", "api", "name"), 25),
    (("computed",), NOWHERE, 26),
    (("whole", "image", "tag"), ("services", "api", "image"), 27),
    (("first",), ("services", "api", "command", 0), 28),
    (("loop", 0), ("services", "api", "labels", "team"), 29),
    (("kind", "nothing", 3), NOWHERE, 5),
    ((), NOWHERE, 5),
]


@pytest.mark.parametrize(("path", "origin", "line"), PLACES)
def test_a_node_of_the_output_leads_to_its_hole(
    path: tuple[str | int, ...], origin: tuple[str | int, ...] | None, line: int
) -> None:
    rendered = template_set(TRACED).render(NAME, {"service": SERVICE})
    hole, rest, found_line = rendered.hole_at(0, path)
    assert found_line == line
    if origin is None:
        assert hole is None
    else:
        assert isinstance(hole, Hole)
        assert isinstance(hole.container, Facet)
        assert (*hole.container.source(hole.key), *rest) == origin
        assert hole.line == line


def test_places_hold_in_later_documents_and_other_templates() -> None:
    templates = template_set(
        '---\n{% if false %}\nx: 1\n{% endif %}\n---\na: 1\n{% include "p.j2" %}', p_j2="\nb:\n  c: 2\n  d: {{ v.k }}"
    )
    rendered = templates.render(NAME, {"v": Facet({"k": 1}, ("o",))})
    assert rendered.documents == [{"a": 1, "b": {"c": 2, "d": 1}}]
    assert rendered.site_at(0, ("a",)) == (NAME, 6)
    assert rendered.site_at(0, ("b", "c")) == ("p.j2", 3)
    assert rendered.site_at(0, ("b", "d")) == ("p.j2", 4)
    assert rendered.hole_at(0, ("b", "d"))[0] == Hole(1, {"k": 1}, "k", 4, "p.j2")


def test_what_a_template_read_is_known() -> None:
    source = "{% if s.candidate %}\na: 1\n{% endif %}\nb: {{ s.image.tag }}\nc: {{ other }}\n{% for k in m %}\n{% endfor %}\n"
    facets = {
        "s": Facet({"candidate": None, "strategy": "canary", "image": Facet({"tag": 1, "digest": 2}, ("i",))}, ("s",)),
        "other": Facet({"x": Facet({"y": 1}, ("x",))}, ("other",)),
        "m": Facet({"p": 1}, ("m",)),
    }
    read = template_set(source).render(NAME, facets).holes_read
    assert read == {
        (("s",), "candidate"),
        (("s",), "image"),
        (("i",), "tag"),
        (("other",), "x"),
        (("x",), "y"),
        (("m",), "p"),
    }


# -- wrong templates: each with its code and line


class Stranger:
    secret = "x"


WRONG: dict[str, tuple[str, dict[str, Any], str, int, str]] = {
    "an open block": ("a: 1\n{% if x %}\n", {}, "RS500", 2, "endif"),
    "an open hole": ("a: 1\nb: {{ x\n", {}, "RS500", 2, ""),
    "an unknown statement": ("a: 1\n{% fro x in y %}", {}, "RS500", 2, "fro"),
    "an unknown name": ("a: 1\nb: {{ servise }}", {"service": 1}, "RS501", 2, 'did you mean "service"'),
    "an unknown key": ("a: 1\nb: {{ s.imagee }}", {"s": Facet({"image": 1}, ("services", "api"))}, "RS501", 2, '"services.api" has no "imagee"; did you mean "image"?'),
    "an unknown key in a condition": ("a: 1\n\n{% if s.x %}\n{% endif %}", {"s": {}}, "RS501", 3, "x"),
    "an unknown name in a macro": ("{% macro m() %}\na: {{ nope }}\n{% endmacro %}\n{{ m() }}", {}, "RS501", 2, "nope"),
    "below an unknown key": ("a: {{ s.x.y }}", {"s": {}}, "RS501", 1, '"x"'),
    "an unknown element": ("a: {{ s[3] }}", {"s": [1]}, "RS501", 1, "no element 3"),
    "an unknown macro": ("a: {{ nope() }}", {}, "RS501", 1, "nope"),
    "an else that is missing": ("a: {{ 'x' if false }}", {}, "RS501", 1, "else"),
    "an unknown name in a comment": ("a: 1 # {{ nope }}", {}, "RS501", 1, "nope"),
    "an unknown filter": ("a: 1\nb: {{ x | lowerr }}", {"x": "y"}, "RS502", 2, 'did you mean "lower"'),
    "an unknown test": ("a: 1\nb: {{ x is mappingg }}", {"x": "y"}, "RS502", 2, "mapping"),
    "a method": ("a: 1\nb: {{ x.upper() }}", {"x": "y"}, "RS502", 2, "upper"),
    "the items method": ("{% for k, v in x.items() %}\n{% endfor %}", {"x": {}}, "RS502", 1, "items"),
    "a macro with ~": ("{% macro m() %}{% endmacro %}\na: {{ m() ~ 'x' }}", {}, "RS502", 2, "whole hole"),
    "a macro in a set": ("{% macro m() %}{% endmacro %}\n{% set x = m() %}", {}, "RS502", 2, "whole hole"),
    "a macro as an argument": ("{% macro m(x) %}{% endmacro %}\n{{ m(m(1)) }}", {}, "RS502", 2, "whole hole"),
    "a macro through a filter": ("{% macro m() %}{% endmacro %}\na: {{ m() | upper }}", {}, "RS502", 2, "whole hole"),
    "a filtered set block with holes": ("{% set x %}{{ v }}{% endset %}\na: {{ x | upper }}", {"v": "x"}, "RS502", 2, "upper"),
    "a compared set block with holes": ("{% set x %}{{ v }}{% endset %}\na: {{ x == 'x' }}", {"v": "x"}, "RS502", 2, "holes"),
    "a set block compared with a name": ("{% set x %}{{ v }}{% endset %}\na: {{ v != x }}", {"v": "x"}, "RS502", 2, "holes"),
    "a set block with holes in a list": ("{% set x %}{{ v }}{% endset %}\na: {{ x in ['x'] }}", {"v": "x"}, "RS502", 2, "holes"),
    "a list with such a set block": ("{% set x %}{{ v }}{% endset %}\na: {{ 'x' in [x] }}", {"v": "x"}, "RS502", 2, "holes"),
    "a searched set block with holes": ("{% set x %}{{ v }}{% endset %}\na: {{ 'x' in x }}", {"v": "x"}, "RS502", 2, "holes"),
    "a macro that is not called": ("{% macro m() %}{% endmacro %}\na: {{ m }}", {}, "RS510", 2, "a macro"),
    "a macro with too many arguments": ("{% macro m() %}{% endmacro %}\n\n{{ m(1) }}", {}, "RS510", 3, "takes not more than"),
    "the loop itself": ("{% for x in [1] %}\na: {{ loop }}\n{% endfor %}", {}, "RS510", 2, "LoopContext"),
    "a stranger": ("a: 1\nb: {{ x }}", {"x": Stranger()}, "RS510", 2, "Stranger"),
    "a stranger in a list": ("a: 1\nb: {{ x }}", {"x": [{"y": Stranger()}]}, "RS510", 2, "Stranger"),
    "bytes": ("a: {{ x }}", {"x": b"y"}, "RS510", 1, "bytes"),
    "a set of Python": ("a: {{ x }}", {"x": {"y"}}, "RS510", 1, "set"),
    "not a number": ("a: {{ x }}", {"x": float("nan")}, "RS510", 1, "nan"),
    "infinity, deep": ("a: {{ x }}", {"x": [float("inf")]}, "RS510", 1, "inf"),
    "a map whose keys are no text": ("a: {{ x }}", {"x": {1: 2}}, "RS510", 1, "key"),
    "template text in a list": ("{% set x %}{{ v }}{% endset %}\na: {{ [x] }}", {"v": "x"}, "RS510", 2, "Text"),
    "a loop over text": ("a: 1\n{% for c in x %}\n{% endfor %}", {"x": "abc"}, "RS510", 2, "a loop can't go over text"),
    "a loop over None": ("{% for c in x %}\n{% endfor %}", {"x": None}, "RS510", 1, "null"),
    "text and a number": ("a: {{ x + 1 }}", {"x": "1"}, "RS510", 1, "text + a whole number"),
    "a division by nothing": ("a: 1\nb: {{ x // 0 }}", {"x": 1}, "RS510", 2, "no result"),
    "a comparison that has no meaning": ("a: 1\nb: {{ x < 'y' }}", {"x": 1}, "RS510", 2, "have no order"),
    "kinds that can't be sorted": ("a: {{ x | sort }}", {"x": [1, "y"]}, "RS510", 1, "a whole number and text have no"),
    "kinds without a least": ("a: {{ x | min }}", {"x": [1, "y"]}, "RS510", 1, "a whole number and text have no order"),
    "a range without end": ("a: 1\nb: {{ range(1, 2, 0) | list }}", {}, "RS510", 2, "the step of a range can't be 0"),
    "a map as a key": ("a: {{ x[x] }}", {"x": {"y": 1}}, "RS510", 1, "a map or a list can't be a key"),
    "a cut by text": ("a: {{ x[:'y'] }}", {"x": "y"}, "RS510", 1, "cut at whole numbers"),
    "a cut without a step": ("a: {{ x[::0] }}", {"x": "y"}, "RS510", 1, "the step of a cut can't be 0"),
    "too few values": ("{% for a, b in x %}\n{% endfor %}", {"x": [[1]]}, "RS510", 1, "as many values as names"),
    "one value for two names": ("{% set a, b = x %}", {"x": 1}, "RS510", 1, "as many values as names"),
    "an endless number": ("a: 1\nb: {{ " + "9" * 5000 + " }}", {}, "RS503", 2, "this number has too many digits"),
    "a number beyond all": ("a: 1\nb: {{ 1e400 }}", {}, "RS503", 2, "this number is larger than an output can hold"),
    "a large whole number": ("a: {{ 99999999999999999999 }}", {}, "RS503", 1, "larger than an output can hold"),
    "an unfinished hole": ("a: 1\nb: {{ x", {}, "RS500", 2, "expected '}}'"),
    "an unfinished statement": ("a: 1\n{% if %}", {}, "RS500", 2, "got '%}'"),
    "a parameter twice": ("{% macro m(a, a) %}{% endmacro %}", {}, "RS500", 1, 'm has two parameters "a"'),
    "a namespace": ("a: 1\n{% set x = namespace(y=1) %}", {}, "RS502", 2, '"namespace" is not allowed'),
    "a namespace in an expression": ("a: {{ namespace(y=1).y }}", {}, "RS502", 1, '"namespace" is not allowed'),
    "an escaped part": ("a: 1\n{% autoescape true %}b: 2{% endautoescape %}", {}, "RS502", 2, "{% autoescape %}"),
    "a method of a constant": ("a: {{ 'x'.format(1) }}", {}, "RS502", 1, 'the method "format" can\'t be called'),
    "a word as a number": ("a: {{ x | int }}", {"x": "12a"}, "RS510", 1, "whole number"),
    "a filter without its arguments": ("a: {{ x | replace('y') }}", {"x": "y"}, "RS510", 1, "replace"),
    "a boolean inside text": ("a: 1\nb: x{{ x }}", {"x": True}, "RS511", 2, "a boolean inside a text"),
    "a number inside text": ("a: 1\nb: x{{ x }}", {"x": 1.1}, "RS511", 2, "a number inside a text"),
    "null inside text": ("a: 1\n\nb: '{{ y }}-{{ x }}'", {"x": None, "y": "y"}, "RS511", 3, "null inside a text"),
    "a list inside text": ("a: 1\nb: |\n  {{ x }}\n", {"x": []}, "RS511", 3, "a list inside a text"),
    "a map inside a key": ("k{{ x }}: 1", {"x": {}}, "RS511", 1, "a map inside a text"),
    "a boolean joined": ("a: {{ 'x' ~ x }}", {"x": True}, "RS511", 1, "a boolean"),
    "null as a key": ("a: 1\n{{ x }}: 1", {"x": None}, "RS512", 2, "null can't be a key"),
    "a list as a key": ("a: 1\n{{ x }}: 1", {"x": [1]}, "RS512", 2, "can't be a key"),
    "a boolean as a key": ("a: 1\n{{ x }}: 1", {"x": True}, "RS512", 2, "can't be a key"),
    "a key twice": ("b: 1\n{{ x }}: 1", {"x": "b"}, "RS512", 2, '"b" is there twice'),
    "a number and its text as keys": ("{{ x }}: 1\n{{ y }}: 1", {"x": "80", "y": 80}, "RS512", 2, '"80" is there twice'),
    "a part of a key twice": ("ab: 1\na{{ x }}: 1", {"x": "b"}, "RS512", 2, '"ab" is there twice'),
    "a missing template": ('a: 1\n{% include "nope.j2" %}', {}, "RS505", 2, "nope.j2"),
    "reserved characters": ("a: 1\nb: \ue0001\ue001", {}, "RS112", 2, "U+E000"),
    "reserved characters as an escape": ("a: 1\nb: {{ '\\ue0001\\ue001' }}", {}, "RS112", 2, "U+E000"),
    "a control character": ("a: 1\nb: \x1b[31m", {}, "RS112", 2, "U+001B"),
    "parentheses without end": ("a: 1\nb: {{ " + "(" * 300 + "1" + ")" * 300 + " }}", {}, "RS503", 2, "nested too deeply"),
    "a sum without end": ("a: 1\nb: {{ 1" + "+1" * 3000 + " }}", {}, "RS503", 2, "nested too deeply"),
    "a word without end": ("a: 1\nb: {{ " + "not " * 3000 + "1 }}", {}, "RS503", 2, "nested too deeply"),
    "loops without end": ("{% for a in [1] %}\n" * 30 + "{% endfor %}\n" * 30, {}, "RS503", 21, "nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_template_gives_its_code_and_line(wrong: str) -> None:
    source, context, code, line, words = WRONG[wrong]
    finding = refused(source, context)
    assert (finding.code, finding.where.file, line_of(finding)) == (code, NAME, line)
    assert words in finding.message


def test_the_range_of_a_finding_is_its_line_without_the_indent() -> None:
    where = refused("a: 1\nb:\n  c: {{ 1 ~ [] }}  \n").where
    assert where.range is not None
    assert (where.range.line, where.range.column, where.range.end_line, where.range.end_column) == (3, 3, 3, 18)


def test_a_finding_in_an_included_template_names_that_one() -> None:
    finding = refused('a: 1\n{% include "p.j2" %}', p_j2="b: 1\n{{ nope }}: 1")
    assert (finding.where.file, line_of(finding)) == ("p.j2", 2)
    finding = refused('a: 1\n{% include "p.j2" %}', p_j2="b: 1\n{% endif %}")
    assert (finding.code, finding.where.file, line_of(finding)) == ("RS500", "p.j2", 2)


def test_a_template_that_is_not_there() -> None:
    with pytest.raises(RelspecError) as caught:
        TemplateSet(lambda _: None).render("helm/values.yaml.j2", {})
    assert (caught.value.findings[0].code, caught.value.findings[0].where.file) == ("RS505", "helm/values.yaml.j2")


# -- attacks: refused with a code, in less than a second

ATTACKS: dict[str, tuple[str, str]] = {
    "__class__": ("a: {{ x.__class__ }}", "RS502"),
    "__class__ as a key": ("a: {{ x['__class__'] }}", "RS502"),
    "__class__ as a computed key": ("a: {{ x['__cla' ~ 'ss__'] }}", "RS501"),
    "__class__ of text": ("a: {{ ''['__cla' ~ 'ss__'] }}", "RS502"),
    "__globals__": ("a: {{ range.__globals__ }}", "RS502"),
    "__globals__ of a macro": ("{% macro m() %}{% endmacro %}{{ m['__glo' ~ 'bals__'] }}", "RS502"),
    "_func of a macro": ("{% macro m() %}{% endmacro %}{{ m._func }}", "RS502"),
    "name of a macro": ("{% macro m() %}{% endmacro %}{{ m.name }}", "RS502"),
    "mro": ("a: {{ ().__class__.__mro__ }}", "RS502"),
    "self": ("a: {{ self }}", "RS502"),
    "self's context": ("a: {{ self._TemplateReference__context }}", "RS502"),
    "cycler": ("a: {{ cycler.__init__.__globals__ }}", "RS502"),
    "cycler called": ("a: {{ cycler('a') }}", "RS502"),
    "joiner": ("a: {{ joiner() }}", "RS502"),
    "lipsum": ("a: {{ lipsum(n=1000000) }}", "RS502"),
    "namespace": ("{% set ns = namespace(x=1) %}a: {{ ns.x }}", "RS502"),
    "assignment to an attribute": ("{% set x.y = 1 %}", "RS502"),
    "dict": ("a: {{ dict(x=1) }}", "RS502"),
    "loop.__class__": ("{% for i in [1] %}{{ loop.__class__ }}{% endfor %}", "RS502"),
    "the iterator of a loop": ("{% for i in [1] %}{{ loop['_iter' ~ 'able'] }}{% endfor %}", "RS502"),
    "loop.changed": ("{% for i in [1] %}{{ loop.changed(1) }}{% endfor %}", "RS502"),
    "attributes of a stranger": ("a: {{ stranger.secret }}", "RS502"),
    "a call of a stranger": ("a: {{ x.stranger() }}", "RS502"),
    "format": ("a: {{ '{0.__class__}'.format(x) }}", "RS502"),
    "format as a filter": ("a: {{ '%999999999s' | format(x) }}", "RS502"),
    "attr": ("a: {{ x | attr('__class__') }}", "RS502"),
    "map to an attribute": ("a: {{ [''] | map(attribute='__class__') }}", "RS502"),
    "map through attr": ("a: {{ [''] | map('attr', '__class__') }}", "RS502"),
    "select by an attribute": ("a: {{ [''] | selectattr('__class__') }}", "RS502"),
    "sort by an attribute": ("a: {{ [''] | sort(attribute='__class__') }}", "RS502"),
    "groupby": ("a: {{ [''] | groupby('__class__') }}", "RS502"),
    "xmlattr": ("a: {{ x | xmlattr }}", "RS502"),
    "pprint": ("a: {{ x | pprint }}", "RS502"),
    "safe": ("a: {{ x | safe }}", "RS502"),
    "e": ("a: {{ x | e }}", "RS502"),
    "tojson": ("a: {{ x | tojson }}", "RS502"),
    "center": ("a: {{ 'x' | center(100000000) }}", "RS502"),
    "center as a method": ("a: {{ 'x'.center(100000000) }}", "RS502"),
    "indent": ("a: {{ 'x' | indent(100000000) }}", "RS502"),
    "filter block": ("{% filter upper %}a: {{ x.y }}{% endfilter %}", "RS502"),
    "call block": ("{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% endcall %}", "RS502"),
    "caller": ("{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "RS502"),
    "varargs": ("{% macro m() %}{{ varargs }}{% endmacro %}{{ m(1) }}", "RS502"),
    "spread arguments": ("{% macro m() %}{% endmacro %}{{ m(*[1]) }}", "RS502"),
    "autoescape": ("{% autoescape true %}a: 1{% endautoescape %}", "RS502"),
    "a filter on a set block": ("{% set x | upper %}a{% endset %}", "RS502"),
    "an include of a file": ("{% include '/etc/passwd' %}", "RS502"),
    "an include above": ("{% include '../../etc/passwd' %}", "RS502"),
    "an include of a computed name": ("{% include 'a' ~ 'b' %}", "RS502"),
    "an include of several names": ("{% include ['a', 'b'] %}", "RS502"),
    "an include that may be missing": ("{% include 'a' ignore missing %}", "RS502"),
    "an import of a file": ("{% import '/etc/passwd' as p %}", "RS502"),
    "an extension of a file": ("{% extends '/etc/passwd' %}", "RS502"),
    "a recursive loop": ("{% for i in [[1]] recursive %}{{ loop(i) }}{% endfor %}", "RS502"),
    "do": ("{% do x.clear() %}", "RS500"),
    "repeated text": ("a: {{ 'a' * 10**9 }}", "RS510"),
    "a repeated list": ("a: {{ [0] * 10**9 }}", "RS510"),
    "a large power": ("a: {{ 10 ** 10 ** 9 }}", "RS503"),
    "a large product": ("a: {{ (10 ** 19) * (10 ** 19) }}", "RS503"),
    "format by %": ("a: {{ '%999999999d' % 1 }}", "RS510"),
    "a large range": ("{% for i in range(10**9) %}{% endfor %}", "RS503"),
    "a range beyond every number": ("a: {{ range(10**18) | list }}", "RS503"),
    "nested ranges": ("{% for i in range(1000) %}{% for j in range(1000) %}{% for k in range(1000) %}{% endfor %}{% endfor %}{% endfor %}", "RS503"),
    "much text in nested ranges": ("{% for i in range(1000) %}{% for j in range(1000) %}" + "x" * 1000 + "{% endfor %}{% endfor %}", "RS503"),
    "many holes in nested ranges": ("{% for i in range(1000) %}{% for j in range(1000) %}{{ i }}{% endfor %}{% endfor %}", "RS503"),
    "a macro that calls itself twice": ("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", "RS503"),
    "a deep macro": ("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", "RS503"),
    "exponential macros": ("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}", "RS503"),
    "an include of itself": (f"{{% include '{NAME}' %}}", "RS503"),
    "doubling by ~": ("{% set a = 'x' * 1 %}" .replace(" * 1", "") + "".join(f"{{% set a{i + 1} = a{i or ''} ~ a{i or ''} %}}" for i in range(40)), "RS503"),
    "doubling by +": ("{% set a = 'x' %}" + "".join(f"{{% set a{i + 1} = a{i or ''} + a{i or ''} %}}" for i in range(40)), "RS503"),
    "doubling by set blocks": ("{% set a %}x{{ x }}{% endset %}" + "".join(f"{{% set a{i + 1} %}}{{{{ a{i or ''} }}}}{{{{ a{i or ''} }}}}{{% endset %}}" for i in range(40)), "RS503"),
    "doubling by join": ("{% set a = 'x' %}" + "".join(f"{{% set a{i + 1} = [a{i or ''}, a{i or ''}] | join %}}" for i in range(40)), "RS503"),
    "doubling by replace": ("{% set a = 'xx' %}" + "".join(f"{{% set a{i + 1} = a{i or ''} | replace('x', 'xx') %}}" for i in range(40)), "RS503"),
    "doubling of lists": ("{% set a = [1] %}" + "".join(f"{{% set a{i + 1} = a{i or ''} + a{i or ''} %}}" for i in range(40)), "RS503"),
    "nested lists, doubled": ("{% set a = [1] %}" + "".join(f"{{% set a{i + 1} = [a{i or ''}, a{i or ''}] %}}" for i in range(40)) + "a: {{ a40 }}", "RS503"),
    "long texts compared again and again": ("{% for i in range(1000) %}{% for j in range(90) %}{% if big in big2 %}{% endif %}{% endfor %}{% endfor %}", "RS503"),
    "a long text put out again and again": ("{% for i in range(1000) %}\n- {{ big }}\n{% endfor %}", "RS503"),
    "a long text inside a text again and again": ("a: '{% for i in range(1000) %}{{ big }}{% endfor %}'", "RS503"),
    "a large source": ("# " + "x" * 70_000, "RS503"),
    "a source of many characters beyond ASCII": ("# " + "漢" * 30_000, "RS503"),
    "deep brackets": ("a: {{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "RS503"),
    "a long sum": ("a: {{ " + "1+" * 20_000 + "1 }}", "RS503"),
    "a deep if": ("{% if x %}" * 150 + "{% endif %}" * 150, "RS503"),
    "many parts": ("{{ x.y }}" * 6000, "RS503"),
    "a long number": ("a: {{ " + "9" * 5000 + " }}", "RS503"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_at_once(attack: str) -> None:
    source, code = ATTACKS[attack]
    big = "x" * 500_000
    context = {"x": {"y": "z"}, "stranger": Stranger(), "big": big + "y", "big2": big}
    start = time.process_time()
    finding = refused(source, context)
    assert time.process_time() - start < 10  # the budgets stop it; unbounded, each would run for minutes
    assert finding.code == code
    assert "object at 0x" not in finding.message


def test_only_reachable_templates_can_be_included() -> None:
    sources = {NAME: '{% include "rollouts/labels.j2" %}', "other.j2": '{% include "secret.j2" %}'}
    sources |= {"rollouts/labels.j2": "a: 1", "secret.j2": "password: 1"}
    templates = TemplateSet(sources.get, lambda name: name.startswith("rollouts/"))
    assert templates.render(NAME, {}).documents == [{"a": 1}]
    with pytest.raises(RelspecError, match=r"secret\.j2 can't be reached"):
        templates.render("other.j2", {})


@pytest.mark.parametrize(
    "text", ["\ue0000\ue001", "\ue0001\ue001", "x\ue0000\ue001y", "\ue000", "\ue001", "\ue00099\ue001"]
)
def test_a_text_with_the_placeholders_characters_is_never_another_hole(text: str) -> None:
    source = "a: {{ secret }}\nb: {{ evil }}\nc: <{{ evil }}>\nd: {{ evil ~ '' }}\n{% macro m(x) %}{{ x }}{% endmacro %}\ne: {{ m(evil) }}\n"
    result = document(source, secret="hidden", evil=text)
    assert result == {"a": "hidden", "b": text, "c": f"<{text}>", "d": text, "e": text}


def test_a_context_cannot_replace_the_session() -> None:
    assert document("a: {{ v }}", v=1, **{"\ue000": Stranger()}) == {"a": 1}


# -- filters and tests of the language

EXPRESSIONS: dict[str, Any] = {
    "t | upper": "A B", "t | lower": "a b", "t | replace('B', 'c')": "a c", "' x ' | trim": "x", "t | length": 3,
    "t | first": "a", "l | first": 3, "l | last": 2, "l | sort": [1, 2, 3], "l | sort(reverse=true)": [3, 2, 1],
    "l | join('-')": "3-1-2", "l | reverse": [2, 1, 3], "l | max": 3, "l | min": 1, "l | sum": 6, "[1, 1] | unique": [1],
    "m | list": ["b", "a"], "m | dictsort": [["a", 2], ["b", 1]], "m | items": [["b", 1], ["a", 2]], "m | length": 2,
    "o | map(attribute='n')": ["x", "Y"], "o | selectattr('p', 'eq', 2) | map(attribute='n')": ["Y"],
    "o | rejectattr('p', 'eq', 2) | map(attribute='n') | first": "x", "['b', 'A'] | sort": ["A", "b"],
    "['b', 'A'] | map('upper')": ["B", "A"], "l | select('gt', 1)": [3, 2], "l | reject('gt', 1)": [1],
    "o | sum(attribute='p')": 3, "o | map(attribute='q', default=0)": [0, 0], "o | sort(attribute='n') | length": 2,
    "'12' | int": 12, "'x' | int(5)": 5, "'1.5' | float": 1.5, "5 | string": "5", "(0 - 5) | abs": 5, "-n": -5,
    "none | default('x')": None, "none | default('x', true)": "x", "nope | default('x')": "x", "nope is defined": False,
    "n is odd": True, "n is even": False, "n is divisibleby 5": True, "m is mapping": True, "t is string": True,
    "l is sequence": True, "t is sequence": False, "none is none": True, "true is boolean": True, "n in [5]": True,
    "'a' in t": True, "'c' not in t": True, "'b' in m": True, "n == 5 and t != 'x'": True, "1 < n <= 5": True,
    "n == l[0]": False, "n != l[0]": True, "range(3) | list": [0, 1, 2], "t[1:]": " B", "[n, [n]]": [5, [5]], "{'k': n}": {"k": 5},
    "7 / 2": 3.5, "7 % 4": 3, "2 ** 10": 1024, "l + [4]": [3, 1, 2, 4], "t + 'x'": "a Bx", "n is integer": True,
}  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression(expression: str) -> None:
    context = {
        "t": "a B",
        "l": [3, 1, 2],
        "m": {"b": 1, "a": 2},
        "o": [Facet({"n": "x", "p": 1}), Facet({"n": "Y", "p": 2})],
    }
    rendered = template_set("v: {{ " + expression + " }}").render(NAME, {**context, "n": 5, "nope_": 1}, prune=False)
    expected = EXPRESSIONS[expression]
    assert json.dumps(rendered.documents[0]["v"]) == json.dumps(expected)


# -- plain text


def test_a_text_template() -> None:
    source = "server {\n  {% for p in ports %}\n  listen {{ p }};\n  {% endfor %}\n  name {{ host }};\n{{ split }}}\n"
    text = TemplateSet({"router.conf.j2": source}.get).render_text(
        "router.conf.j2", {"ports": [80, 81], "host": "a.b", "split": Raw("  # two\n  # lines\n")}
    )
    assert text == "server {\n  listen 80;\n  listen 81;\n  name a.b;\n  # two\n  # lines\n}\n"
    assert type(text) is str


@pytest.mark.parametrize(
    ("value", "code"),
    [("a\nb", "RS112"), ("a\x00", "RS112"), ("\ud800", "RS112"), ("\u2028", "RS112"), ("\ue000", "RS112"), (True, "RS511"), (1.5, "RS511"),
     (None, "RS511"), ([], "RS511"), (Stranger(), "RS510")],
)  # fmt: skip
def test_a_hole_of_a_text_holds_one_line(value: Any, code: str) -> None:
    templates = TemplateSet({"router.conf.j2": "a\n{% set x %}b {{ v }}{% endset %}\n{{ x }}"}.get)
    with pytest.raises(RelspecError) as caught:
        templates.render_text("router.conf.j2", {"v": value})
    assert caught.value.findings[0].code == code
    assert line_of(caught.value.findings[0]) == 2


def test_raw_text_has_no_place_in_yaml() -> None:
    assert refused("a: {{ v }}", {"v": Raw("x")}).code == "RS510"


# -- maps with holes


def inline(value: Any, **context: Any) -> Any:
    (result,) = TemplateSet(lambda _: None).render_inline(value, context, "environments/p/environment.yaml").documents
    return result


def test_an_inline_map_with_holes() -> None:
    value = {
        "replicas": "{{ n }}", "host": "x-{{ t }}.y", "{{ t }}": "k", "none": "{{ none }}", "list": ["{{ n }}", None, "{{ none }}"],
        "plain": "1.10", "text": "{% if n > 1 %}many{% endif %}", "sub": {"a": 1.5, "b": True}, "block": "x\n{{ t }}\n",
    }  # fmt: skip
    assert inline(value, n=3, t="no") == {
        "replicas": 3, "host": "x-no.y", "no": "k", "none": None, "list": [3, None, None],
        "plain": "1.10", "text": "many", "sub": {"a": 1.5, "b": True}, "block": "x\nno\n",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "path", "code"),
    [
        ({"a": 1, "b": ["x", "{{ nope }}"]}, ("b", 1), "RS501"),
        ({"a": {"b": "{{ s.__class__ }}"}, "c": "{{ s }}"}, ("a", "b"), "RS502"),
        ({"a": "{{ s }}", "b": "x{{ f }}", "c": "{{ s }}"}, ("b",), "RS511"),
        ({"a": "{{ s }}", "b": "{{ s"}, ("b",), "RS500"),
        ({"a": 1, "x": {"{{ s }}": 1, "y": 2}}, ("x", "{{ s }}"), "RS512"),
        ({"a": "\ue0000\ue001"}, ("a",), "RS112"),
    ],
)
def test_a_wrong_string_of_an_inline_map_is_found(value: Any, path: tuple[Any, ...], code: str) -> None:
    with pytest.raises(RelspecError) as caught:
        TemplateSet(lambda _: None).render_inline(value, {"s": "y", "f": 1.5}, "environment.yaml", ("targets", "helm"))
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file, finding.where.path) == (
        code,
        "environment.yaml",
        ("targets", "helm", *path),
    )


def test_an_inline_map_leads_to_its_holes() -> None:
    rendered = TemplateSet(lambda _: None).render_inline(
        {"a": {"b": "{{ s.name }}"}, "c": "x"}, {"s": SERVICE}, "e.yaml"
    )
    hole, rest, _ = rendered.hole_at(0, ("a", "b"))
    assert hole is not None
    assert (hole.container.source(hole.key), rest) == (("services", "api", "name"), ())
    assert rendered.hole_at(0, ("c",))[0] is None
    assert rendered.holes_read == {(("services", "api"), "name")}


# -- facets


def test_a_facet_knows_the_source_of_each_key() -> None:
    facet = Facet({"ref": 1, "cpu": 2}, ("services", "api", "resources"), {"ref": ("services", "api", "image")})
    assert facet.source("cpu") == ("services", "api", "resources", "cpu")
    assert facet.source("ref") == ("services", "api", "image")
    assert facet == {"ref": 1, "cpu": 2}
    assert Facet([("a", 1)]).source("a") == ("a",)
    with pytest.raises(AttributeError):
        facet.other = 1  # type: ignore[attr-defined]
