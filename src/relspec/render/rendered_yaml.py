"""Rendered text as YAML 1.2: its documents, and where each node lies.

The fast parser reads text on which all parsers agree, which a scan of the starts of scalars tells. Everything else goes
through the careful one. It reads scalars by the core schema of YAML 1.2 and refuses what has no place in an output:
anchors, aliases, tags, and numbers that look different to different readers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from math import isfinite
from typing import Any

from msgspec import Struct

from relspec.diagnostics import Path
from relspec.documents import syntax_problem
from relspec.render.session import CLOSE, OPEN

MAX_DEPTH = 100
"""How deep a rendered document may be nested."""

ESCAPED = re.compile(r"\\(?:u|U0000)[eE]00[01]")
"""A character of a placeholder as an escape of YAML: no text of a template may make one up."""

LONG_ESCAPE = re.compile(r"\\U([0-9a-fA-F]{8})")

MERGE = "<<"
"""The merge key. In quotes it is none, but too few readers know that."""

DOCUMENT_START = re.compile(r"^---[ ]*(?:#.*)?$", re.MULTILINE)

BLOCK_SCALAR = re.compile(
    r"(?P<key>[ ]*(?:-[ ]+)*)[^ #\[{\"'|>-].*:[ ]+[|>][-+]?|(?P<item>[ ]*(?:-[ ]+)*)-[ ]+[|>][-+]?"
)
"""A line that begins a block scalar in a form that all parsers read alike; its groups end where its parent begins."""

BLOCK_HEADER = re.compile(r"(?:^|[ \[{,:?-])[|>][-+0-9]*[ ]*(?:#.*)?$")
"""The end of a line that may begin a block scalar, in whatever form."""

SUSPECT = re.compile(r"[&*!%@`<?+._\t\r\x85\u2028\u2029\ufeff]|0[0-9_box]|[0-9][_eE]|[0-9]{19}")
"""What can make parsers disagree, wherever it stands; lines without any of these need no closer look."""

DISPUTED = re.compile(
    r"""
      [\t\r\x85\u2028\u2029\ufeff]                  # white space that not all parsers take for the same
    | ^(?:%|\.\.\.)                                # directives, ends of documents
    | (?:^[ ]*|[\[{,][ ]*|[:?-][ ]+|["'][ ]*:)      # where a node starts ...
      (?: [&*!%@`]                                  # ... with an anchor, an alias, a tag, something reserved,
        | <<
        | \?(?:[ ]|$)                               # a key of more than one line,
        | [-+]?\.(?:inf|nan)
        | [-+]?0[0-9_box]                           # or a number in a form that YAML 1.1 and 1.2 read differently
        | \+\.?[0-9] | -?\.[0-9] | [-+]?_
        | -?[0-9][0-9.]*[_e]
        | -?[0-9]{19}
      )
    """,
    re.VERBOSE | re.IGNORECASE,
)

Parser = Callable[[str], Any]


class NotYamlError(Exception):
    """The text is no YAML, or YAML that no output may have; `line` counts from 1 in the rendered text."""

    def __init__(self, message: str, line: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.hint = hint or "look at the template's text around this line: indents, colons, quotes"


class Spot(Struct, frozen=True):
    """A node of a rendered document: its value, its offset in the text, and its children."""

    value: Any
    offset: int
    line: int
    pairs: tuple[tuple[Spot, Spot], ...] = ()
    elements: tuple[Spot, ...] = ()

    def at(self, path: Path) -> Spot:
        """The node at a path; where the path ends early, the last node on it."""
        spot = self
        for step in path:
            found = next(spot.children(step), None)
            if found is None:
                break
            spot = found
        return spot

    def children(self, step: str | int) -> Iterator[Spot]:
        if isinstance(step, int) and step < len(self.elements):
            yield self.elements[step]
        for key, value in self.pairs:
            if str(key.value) == step:
                # An empty value lies nowhere: its key is what a reader finds.
                yield value if value.offset > key.offset else Spot(value.value, key.offset, key.line)


def documents(text: str) -> list[Any]:
    """The documents of a rendered text, as maps with text or numbers as keys, lists and scalars; empty ones left out.

    The text is read as if its last line had an end: whether a block scalar ends it makes no difference then.

    Raises NotYamlError.
    """
    text = with_line_end(text)
    escaped = ESCAPED.search(text)
    if escaped is not None:
        line = text.count("\n", 0, escaped.start()) + 1
        raise NotYamlError("the characters U+E000 and U+E001 are reserved", line, "leave them out")
    parse = _fast_parser()
    if parse is not None and not _is_disputed(text):
        try:
            found = [parse(part) for part in DOCUMENT_START.split(text)]
            if all(_is_plain(document) for document in found):
                return [document for document in found if document is not None]
        except ValueError:
            pass  # the careful parser says what is wrong, and where
    return [spot.value for spot in spots(text)]


def with_line_end(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _is_disputed(text: str) -> bool:
    """Whether a line outside block scalars has something that parsers could read in two ways."""
    block_indent = None
    begins = False
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        if block_indent is not None:
            blank = indent == len(line)
            if begins and (blank or indent <= block_indent):
                return True  # what an empty block scalar gives, and which blank lines belong to it
            begins = False
            if blank or indent > block_indent:
                if line[indent : indent + 1] == "\t":
                    return True
                continue
            block_indent = None
        if SUSPECT.search(line) is not None and DISPUTED.search(line) is not None:
            return True
        if line.startswith("---") and DOCUMENT_START.fullmatch(line) is None:
            return True
        if BLOCK_HEADER.search(line) is not None:
            header = BLOCK_SCALAR.fullmatch(line)
            if header is None or " #" in line:
                return True
            block_indent, begins = len(header["key"] or header["item"] or ""), True
    return begins


@lru_cache(maxsize=1)
def _fast_parser() -> Parser | None:
    """The parser in Rust, where it is installed."""
    try:
        import yaml_rs  # noqa: PLC0415
    except ImportError:
        return None
    return lambda text: yaml_rs.loads(text, parse_datetime=False)


def _is_plain(node: Any, depth: int = 0) -> bool:
    """Whether a document is made of what an output can have; anything else is for the careful parser to refuse."""
    if isinstance(node, dict):
        return depth < MAX_DEPTH and all(
            (type(key) is int or (type(key) is str and key != MERGE and _is_whole(key))) and _is_plain(value, depth + 1)
            for key, value in node.items()
        )
    if isinstance(node, list):
        return depth < MAX_DEPTH and all(_is_plain(element, depth + 1) for element in node)
    if isinstance(node, str):
        return _is_whole(node)
    return node is None or type(node) in (int, bool) or (type(node) is float and isfinite(node))


def _is_whole(text: str) -> bool:
    """Whether each placeholder in a scalar is whole (folding, escapes and quotes could take one apart)."""
    return (OPEN not in text and CLOSE not in text) or not {OPEN, CLOSE} & set(PLACEHOLDER.sub("", text))


PLACEHOLDER = re.compile("\ue000[0-9]{1,7}\ue001")

# -- the careful parser


def spots(text: str) -> list[Spot]:
    """The documents of a text with the place of each node; empty documents are left out.

    Raises NotYamlError.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    found = []
    try:
        events = iter(YAML(typ="safe", pure=True).parse(with_line_end(text)))
        for event in events:
            if type(event).__name__ == "DocumentStartEvent":
                spot = _spot(next(events), events, 0)
                if spot.value is not None:
                    found.append(spot)
    except (ValueError, OverflowError) as error:
        raise NotYamlError(
            "the rendered text is not YAML: an escape names no character", _line_of_escape(text)
        ) from error
    except MarkedYAMLError as error:
        problem = syntax_problem(error, text.split("\n"))
        raise NotYamlError(f"the rendered text is not YAML: {problem.message}", problem.range.line) from error
    except YAMLError as error:
        position = getattr(error, "position", 0)
        reason = getattr(error, "reason", "it can't be read")
        line = text.count("\n", 0, position) + 1
        raise NotYamlError(f"the rendered text is not YAML: {reason}", line) from error
    return found


def _line_of_escape(text: str) -> int:
    """The first line with an escape beyond the last character of Unicode."""
    escape = next((each for each in LONG_ESCAPE.finditer(text) if int(each[1], 16) > sys.maxunicode), None)
    return text.count("\n", 0, escape.start()) + 1 if escape is not None else 1


def _spot(event: Any, events: Iterator[Any], depth: int) -> Spot:
    line, offset = event.start_mark.line + 1, event.start_mark.index
    kind = type(event).__name__
    if depth > MAX_DEPTH:
        raise NotYamlError(f"the rendered text is nested deeper than {MAX_DEPTH} levels", line)
    if kind == "AliasEvent" or event.anchor is not None:
        raise NotYamlError("anchors and aliases are not allowed in a template", line, "use a macro or {% set %}")
    if event.tag is not None:
        raise NotYamlError("a YAML tag is not allowed in a template", line, "leave the tag out")
    if kind == "ScalarEvent":
        return Spot(_scalar(event, line), offset, line)
    if kind == "SequenceStartEvent":
        elements = []
        while type(following := next(events)).__name__ != "SequenceEndEvent":
            elements.append(_spot(following, events, depth + 1))
        return Spot([element.value for element in elements], offset, line, elements=tuple(elements))
    pairs: list[tuple[Spot, Spot]] = []
    value: dict[Any, Any] = {}
    while type(following := next(events)).__name__ != "MappingEndEvent":
        key = _key(following, events, depth)
        if key.value in value:
            raise NotYamlError(f'the key "{key.value}" is there twice', key.line, "remove one of the two")
        pairs.append((key, _spot(next(events), events, depth + 1)))
        value[key.value] = pairs[-1][1].value
    return Spot(value, offset, line, pairs=tuple(pairs))


def _key(event: Any, events: Iterator[Any], depth: int) -> Spot:
    key = _spot(event, events, depth + 1)
    if type(key.value) not in (str, int):
        raise NotYamlError(f"the key {key.value!r:.40} is not text", key.line, "write the key in quotes")
    if key.value == MERGE:
        raise NotYamlError("merge keys are not allowed in a template", key.line, "use a macro or {% set %}")
    return key


NULL = re.compile(r"~|null|Null|NULL|")
TRUE = re.compile(r"true|True|TRUE")
FALSE = re.compile(r"false|False|FALSE")
INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,4})?")
DISPUTED_NUMBER = re.compile(
    r"[-+]?(?:0[0-9_]+|\.[0-9]+|[0-9][0-9_]*)(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?0[box][0-9a-fA-F_]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


def _scalar(event: Any, line: int) -> Any:
    """The value of a scalar by the core schema (YAML 1.2.2, section 10.3.2), without what other readers see otherwise."""
    text = event.value
    if not _is_whole(text):
        raise NotYamlError("the characters U+E000 and U+E001 are reserved", line, "leave them out")
    if not event.implicit[0]:
        return text
    if NULL.fullmatch(text):
        return None
    if TRUE.fullmatch(text) or FALSE.fullmatch(text):
        return text[0] in "tT"
    if INTEGER.fullmatch(text) and len(text) <= 40:
        return int(text)
    if FLOAT.fullmatch(text) and isfinite(float(text)):
        return float(text)
    if DISPUTED_NUMBER.fullmatch(text):
        hint = (
            f'write it as a plain decimal number, or in quotes: "{text}"' if len(text) <= 40 else "write it in quotes"
        )
        raise NotYamlError(f"{text[:40]} is not the same number to all readers of YAML", line, hint)
    return text
