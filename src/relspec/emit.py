"""YAML out: plain data to the one canonical text for it.

The same value gives the same bytes, and every parser reads the same value back: PyYAML (YAML 1.1), ruamel.yaml and
yaml-rs (1.2), the Go libraries of kubectl, Helm and Compose. So a string is plain only if it has one of the few shapes
that nobody reads as anything else; everything else is in double quotes, text of several lines is a literal block.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from relspec.diagnostics import Part, Path

MAX_KEY: Final = 1000
"""Characters of a key as written, quotes included. Parsers stop looking for its `:` after 1024."""

MAX_CACHED: Final = 256
"""Characters of a string worth remembering: the cache holds names and images, not files."""

PLAIN: Final = re.compile(
    # Words that no parser takes for a boolean, null or number.
    r"(?!(?i:y|n|yes|no|on|off|true|false|null|nan|inf|infinity)\Z)(?:[A-Za-z/$]|\.{1,2}/|--[a-z])"
    # Atomic (`patterns` says why not possessive): no two of the alternatives begin alike, so there is nothing to go back to.
    r"(?>(?:[A-Za-z0-9_./@+=$(){}%&*;<>!?^|~'\\-]++|,(?=[ A-Za-z])|:(?=[^ ])|[ ](?=[A-Za-z0-9_./@+=$(){}<>-]))*)"
    # Quantities and durations: 500m, 1Gi, 30s, 25%. Not `1e`, `0x`, `1_0`, `1:30`, a date or a version.
    r"|(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:ms|[smhd%kMGT]|[KMGT]i)",
    re.ASCII,
)
"""Strings that every parser reads as this very text without quotes."""

UNPRINTABLE: Final = (
    "\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\ue000-\uf8ff\ufeff\ufff0-\uffff\U000e0000-\U0010ffff"
)
"""Controls, what a reader can't see, what YAML 1.1 doesn't call printable; the line feed aside.

Spelt out, because what Python calls printable changes with its version, and with it the bytes would.
"""

ESCAPED: Final = re.compile(f'["\\\\\n{UNPRINTABLE}]')
SHORT_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}

SURROGATE: Final = re.compile("[\ud800-\udfff]")

NOT_LITERAL: Final = re.compile(f"\\A[ \n]|[ ](?:\n|\\Z)|[{UNPRINTABLE}]")
"""Text a literal block can't hold or shows badly: a leading space or empty line, spaces at the end of a line."""


def emit(value: Any) -> str:
    """One YAML document for maps with string keys, lists, strings, numbers, booleans and null; ends with a newline.

    Block style, two columns a level, lists one level deeper than their key, maps in the order given, `{}` and `[]` for
    empty ones, no line folded. Raises TypeError for any other type, ValueError for what YAML can't hold safely: NaN,
    infinity, lone surrogates, keys over MAX_KEY.
    """
    lines: list[str] = []
    if isinstance(value, dict | list | tuple) and value:
        _collection(value, "", "", lines.append)
    else:
        lines.append(_leaf(value, "  "))
    lines.append("")
    return "\n".join(lines)


def emit_documents(documents: Sequence[Any]) -> str:
    """Several documents in one stream, `---` between them."""
    return "---\n".join([emit(document) for document in documents])


def unwritable(value: Any, path: Path = ()) -> Iterator[tuple[Path, Part, str]]:
    """What `emit` can't write in a value: the path of each such node, whether it is its key, and why."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else None
    if items is None:
        reason = _reason(_text_of, value)
        if reason:
            yield path, "value", reason
        return
    for key, item in items:
        reason = _reason(_key, key) if isinstance(value, dict) else ""
        if reason:
            yield (*path, key), "key", reason
        else:
            yield from unwritable(item, (*path, key))


def _reason(write: Callable[[Any], str], part: Any) -> str:
    try:
        write(part).encode()
    except UnicodeEncodeError:
        return f"the text {part[:40]!r} holds half a surrogate pair, which is no character"
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


def _text_of(value: Any) -> str:
    return _leaf(value, "")


# Below, `indent` is the white space before a map's or list's lines, `first` what its first line begins with: after the
# dash of a list that is not the indent. Most nodes are strings, maps and numbers of exactly these types, so those are
# asked first: a third of the time of an output.

Append = Callable[[str], None]


def _map(value: dict[Any, Any], indent: str, first: str, append: Append) -> None:
    """Append the lines of a map that isn't empty."""
    inner = indent + "  "
    for key, item in value.items():
        kind = type(item)
        if kind is str and len(item) <= MAX_CACHED:
            entry = _entry(key, item)
            append(first + entry if entry else f"{first}{_key(key)} {_literal(item, inner)}")
        elif kind is dict and item:
            append(first + _key(key))
            _map(item, inner, inner, append)
        elif kind is int:
            append(f"{first}{_key(key)} {item}")
        elif kind is list and item:
            append(first + _key(key))
            _list(item, inner, inner, append)
        elif isinstance(item, (dict, list, tuple)) and item:
            append(first + _key(key))
            _collection(item, inner, inner, append)
        else:
            append(f"{first}{_key(key)} {_leaf(item, inner)}")
        first = indent


def _list(value: Sequence[Any], indent: str, first: str, append: Append) -> None:
    """Append the lines of a list that isn't empty."""
    inner = indent + "  "
    for item in value:
        if type(item) is dict and item:
            _map(item, inner, first + "- ", append)
        elif isinstance(item, (dict, list, tuple)) and item:
            _collection(item, inner, first + "- ", append)
        else:
            append(f"{first}- {_leaf(item, inner)}")
        first = indent


def _collection(value: Any, indent: str, first: str, append: Append) -> None:
    """Append the lines of a map or list that isn't empty."""
    if isinstance(value, dict):
        _map(value, indent, first, append)
    else:
        _list(value, indent, first, append)


def _leaf(value: Any, inner: str) -> str:
    """A scalar or an empty collection; `inner` is the indent for the lines of a literal block."""
    if isinstance(value, str):
        text = str(value)
        return (_string if len(text) <= MAX_CACHED else _styled)(text) or _literal(text, inner)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "null"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, (dict, list, tuple)):
        return "{}" if isinstance(value, dict) else "[]"
    raise TypeError(f"YAML output can't hold a {type(value).__name__}")


def _float(value: float) -> str:
    """The shortest text that gives this float back, with the dot that YAML 1.1 wants: `1.0e+22`, not `1e+22`."""
    if not math.isfinite(value):
        raise ValueError(f"YAML output can't hold the number {value}")
    text = float.__repr__(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _styled(value: str) -> str:
    """A string plain or in double quotes; empty where a literal block shows it better."""
    if PLAIN.fullmatch(value):
        return value
    if "\n" in value and not NOT_LITERAL.search(value):
        return ""
    return _quoted(value)


_string = functools.lru_cache(maxsize=8192)(_styled)
"""Words repeat from object to object and from release to release."""


@functools.lru_cache(maxsize=8192)
def _entry(key: Any, value: str) -> str:
    """`key: value` on one line; empty where a literal block shows the value better.

    Most entries repeat too: kinds, labels, an image. To remember them whole is a third faster than the parts.
    """
    text = _styled(value)
    return f"{_key(key)} {text}" if text else ""


@functools.lru_cache(maxsize=4096)
def _key(key: Any) -> str:
    """A key with its colon."""
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is a {type(key).__name__}, not a string")
    text = str(key) if PLAIN.fullmatch(key) else _quoted(key)
    if len(text) > MAX_KEY:
        raise ValueError(f"the key {key[:40]!r}… is longer than {MAX_KEY} characters")
    return text + ":"


def _literal(value: str, inner: str) -> str:
    """A literal block: `|-` without a line end after the last line, `|` with one, `|+` with more."""
    chomping = "-" if not value.endswith("\n") else "+" if value.endswith("\n\n") else ""
    body = value.removesuffix("\n")
    lines = [inner + line if line else "" for line in body.split("\n")]
    return f"|{chomping}\n" + "\n".join(lines)


def _quoted(value: str) -> str:
    if SURROGATE.search(value):
        raise ValueError(f"the text {value[:40]!r} holds half a surrogate pair, which is no character")
    return f'"{ESCAPED.sub(_escape, value)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    short = SHORT_ESCAPES.get(character)
    if short is not None:
        return short
    # JSON would write a surrogate pair beyond U+FFFF; YAML has \U for it.
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
