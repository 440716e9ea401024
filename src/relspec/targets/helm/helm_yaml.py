"""YAML as Helm reads it: YAML 1.1 by go-yaml v2, then through JSON, where every number is a float64.

Charts belong to their teams and are full of anchors, `yes` and octal numbers, so relspec's own strict parser is not for
them. The rules follow go.yaml.in/yaml/v2 (`resolve.go`, `decode.go`) as sigs.k8s.io/yaml calls it. Differences to what
one might expect: a duplicate key silently wins, `<<` overwrites the keys before it, only the first document is read.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from relspec.diagnostics import RelspecError
from relspec.documents import MAX_NODES, UNREADABLE, events, needs_careful, parse, syntax_problem

MAX_DEPTH = 100
"""Deepest nesting that is read; charts in the wild stay below 20."""

EXACT = 2**53
"""Integers beyond this lose digits in a float64."""

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_NO_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"([Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LARGEST_FLOAT32 = float.fromhex("0x1.fffffefffffffp+127")
"""The largest number that is not rounded to infinity by a 32-bit float."""
_TAG = "tag:yaml.org,2002:"


class HelmYamlError(ValueError):
    """Helm could not read this YAML; `line` counts from 1, 0 where it is not known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@lru_cache(maxsize=256)
def read(data: bytes) -> Any:
    """The first document of `data` as the JSON value that Helm makes of it; None where there is none.

    The result is shared between callers and must not be changed. Raises HelmYamlError.
    """
    if not needs_careful(data):
        try:
            return as_number_of_json(parse(data, ""))
        except RelspecError:
            pass  # a duplicate key, no map: here nothing is wrong with that
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HelmYamlError("it is not UTF-8") from error
    return read_carefully(text)


def read_carefully(text: str) -> Any:
    """`read` without the fast parser: the same result for every text. Raises HelmYamlError."""
    from ruamel.yaml.error import MarkedYAMLError  # noqa: PLC0415  (30 ms, and most charts don't need it)

    construction = _Construction(events(text))
    try:
        return construction.document()
    except MarkedYAMLError as error:
        problem = syntax_problem(error, text.split("\n"))
        raise HelmYamlError(problem.message, problem.range.line) from error
    except HelmYamlError:
        raise
    except Exception as error:  # what nobody thought of is an error of the chart's file, too, and has a line
        raise HelmYamlError(UNREADABLE, construction.line) from error


class _Construction:
    """Builds values from ruamel.yaml's events, told by their class's name so that nothing is imported for it.

    An alias shares the value of its anchor, and counts as if it were written out.
    """

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._nodes = 0
        self._aliased = 0
        self._written = 0
        self.line = 0

    def document(self) -> Any:
        for event in self._events:
            if _kind(event) == "DocumentStartEvent":
                return as_number_of_json(self._value(next(self._events), 0))
        return None

    def _value(self, event: Any, depth: int) -> Any:
        line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise HelmYamlError(f"it is nested more than {MAX_DEPTH} deep", line)
        self._nodes += 1
        self._written += 1
        self.line = line
        if self._written > MAX_NODES:
            raise HelmYamlError(f"it has more than {MAX_NODES:,} maps, lists, keys and values", line)
        if _kind(event) == "AliasEvent":
            return self._alias(str(event.anchor), line)
        before = self._nodes - 1
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if _kind(event) == "ScalarEvent":
            value = _scalar(event, line)
        elif _kind(event) == "SequenceStartEvent":
            value = self._sequence(depth)
        else:
            value = self._mapping(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _alias(self, name: str, line: int) -> Any:
        if name not in self._anchors:
            raise HelmYamlError(f"there is no anchor {name!r}", line)
        anchored = self._anchors[name]
        if anchored is None:
            raise HelmYamlError(f"anchor {name!r} contains itself", line)
        value, nodes = anchored
        self._nodes += nodes
        self._aliased += nodes
        if self._aliased > 100 and self._nodes > 1000 and self._aliased / self._nodes > _allowed(self._nodes):
            raise HelmYamlError("it contains too many aliases", line)
        return value

    def _sequence(self, depth: int) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if _kind(event) == "SequenceEndEvent":
                break
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for event in self._events:
            if _kind(event) == "MappingEndEvent":
                break
            line = event.start_mark.line + 1
            merging = _is_merge(event)
            key = self._value(event, depth + 1)
            value = self._value(next(self._events), depth + 1)
            if merging:
                _merge(entries, value, line)
            else:
                entries[_key(key, line)] = value
        return entries


def _kind(event: Any) -> str:
    return type(event).__name__


def _allowed(nodes: int) -> float:
    """The share of nodes that may come from aliases: go-yaml's `allowedAliasRatio`."""
    low, high = 400_000, 4_000_000
    return 0.99 - 0.89 * (min(max(nodes, low), high) - low) / (high - low)


def _is_merge(event: Any) -> bool:
    return (
        _kind(event) == "ScalarEvent"
        and event.value == "<<"
        and (event.tag == _TAG + "merge" or (event.style is None and event.tag is None))
    )


def _merge(entries: dict[str, Any], value: Any, line: int) -> None:
    for source in reversed(value) if isinstance(value, list) else [value]:
        if not isinstance(source, dict):
            raise HelmYamlError("`<<` needs a map or a list of maps", line)
        entries.update(source)


def _scalar(event: Any, line: int) -> Any:
    """A scalar with Python's exact number; whether JSON can hold it is decided for values only."""
    tag = "" if event.tag is None else str(event.tag)
    if not tag.startswith(_TAG):
        return event.value if tag or event.style is not None else resolve(event.value)
    kind = tag[len(_TAG) :]
    if kind == "binary":
        try:
            return base64.b64decode(event.value).decode("utf-8", "replace")
        except ValueError as error:
            raise HelmYamlError("!!binary is not base64", line) from error
    if kind not in _TYPES:
        return event.value
    value = event.value if kind in ("str", "timestamp") else resolve(event.value)
    if isinstance(value, int) and not isinstance(value, bool) and kind == "float":
        value = float(value)
    if type(value) is not _TYPES[kind]:
        raise HelmYamlError(f"{event.value!r} is not !!{kind}", line)
    return value


_TYPES = {"str": str, "bool": bool, "int": int, "float": float, "null": type(None), "timestamp": str}


def resolve(text: str) -> str | int | float | bool | None:
    """What a plain scalar means: go-yaml's `resolve`, with dates left as text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _NO_JSON.fullmatch(text):
        return math.nan if text[-1] in "nN" else math.inf
    if text[0] != "." and _TIMESTAMP.fullmatch(text):
        return text
    plain = text if text[0] == "." else text.replace("_", "")
    if text[0] != "." and (integer := _integer(plain)) is not None:
        return integer
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        return number if math.isfinite(number) else text
    return text


def _integer(plain: str) -> int | None:
    match = _INTEGER.fullmatch(plain)
    if match is None:
        return None
    sign, *digits = match.groups()
    base, text = next((base, text) for base, text in zip((16, 2, 8, 10), digits, strict=True) if text is not None)
    if base == 10 and len(text) > 20:  # beyond 64 bits, and in time beyond what Python converts
        return None
    number = int(sign + text, base)
    return number if -(2**63) <= number < 2**64 else None


def _key(key: Any, line: int) -> str:
    """A map key as the text that it becomes in JSON."""
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return str(key)
    if isinstance(key, float):
        return text_of_float(key)
    raise HelmYamlError("a key must be text, a number or a boolean", line)


def text_of_float(number: float) -> str:
    """The shortest text that reads back as the same 32-bit float: Go's `FormatFloat(x, 'g', -1, 32)`."""
    if abs(number) > _LARGEST_FLOAT32:
        number = math.copysign(math.inf, number)
    if not math.isfinite(number):
        return ".nan" if math.isnan(number) else (".inf" if number > 0 else "-.inf")
    for digits in range(1, 18):
        text = f"{number:.{digits}g}"
        if struct.pack("f", float(text)) == struct.pack("f", number):
            break
    return text


def as_number_of_json(value: Any) -> Any:
    """A copy of `value` as it comes out of Helm's JSON decoder: every number a float64, and a whole one an integer.

    Large ones have the digits that Go prints: the shortest that read back as the same float, then zeros.

    Raises HelmYamlError for NaN and infinities, which JSON does not have.
    """
    if isinstance(value, dict):
        return {key: item if type(item) is str else as_number_of_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if type(item) is str else as_number_of_json(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not math.isfinite(value):
        raise HelmYamlError("NaN and infinities can't be values")
    if isinstance(value, int) and -EXACT <= value <= EXACT:
        return value
    number = float(value)
    return int(Decimal(repr(number))) if number.is_integer() and abs(number) < 1e21 else number
