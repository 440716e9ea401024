"""Where ordinary specs say what: positions read from indents alone.

Positions come from the careful parser, in milliseconds a file: too long where each release of a fleet has a warning.
Nearly every such position is that of a key or of a plain value in block style, which its lines show. Whatever they do not
show beyond doubt has no position here, and the careful parser is asked.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from msgspec import Struct

from relspec.diagnostics import Part, Path, Range

Found = TypeVar("Found")

KEY = re.compile(r"([A-Za-z0-9_./-]+):(?: +|\Z)")
NOTHING = -1
"""In place of an indent: a blank line or a comment."""

BLOCK_SCALAR = re.compile(r"[|>][-+]?[ ]*(?:#|\Z)")


class _UnclearError(Exception):
    """The lines alone don't say it."""


class _Node(Struct, frozen=True):
    """A value, where its text begins, and the lines that hold it: indexes into the text, the last one excluded."""

    value: Any
    line: int
    column: int
    end: int


class Outline:
    """The lines of a spec on which all parsers agree (`documents.needs_careful`), and the data that it holds."""

    def __init__(self, text: str, data: dict[str, Any]) -> None:
        self._lines = text.split("\n")
        self._indents = [_indent(line) for line in self._lines]
        self._data = data

    def range(self, path: Path, part: Part) -> Range | None:
        """What `documents.locator` says of this path, or None: exact, or nothing."""
        try:
            return self._range(path, part)
        except _UnclearError:
            return None

    def _range(self, path: Path, part: Part) -> Range:
        first = self._next_content(0, len(self._lines))
        node = _Node(self._data, first, self._indents[first], len(self._lines))
        key: Range | None = None
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                key, node = self._entry(node, step)
            elif isinstance(node.value, list) and isinstance(step, int) and 0 <= step < len(node.value):
                key, node = None, self._item(node, step)
            elif part == "value" and not isinstance(node.value, dict | list | None):
                return self._span(node)
            elif key is None and isinstance(node.value, dict):
                return self._entry(node, next(iter(node.value)))[0]
            else:
                return _sure(key)
        if not path and part == "key" and isinstance(node.value, dict):
            return self._entry(node, next(iter(node.value)))[0]
        return key if part == "key" and key is not None else self._span(node)

    def _entry(self, node: _Node, wanted: str | int) -> tuple[Range, _Node]:
        """The key and the value of an entry of a block map."""
        found: list[tuple[str, int, int]] = []
        for line in self._beginnings(node):
            text = self._lines[line][node.column :]
            if text.startswith("-") and line != node.line:
                continue  # of a list as far to the left as its key
            match = _sure(KEY.match(text))
            found.append((match[1], line, node.column + match.end()))
        if [name for name, _, _ in found] != list(node.value):
            raise _UnclearError
        index = list(node.value).index(wanted)
        name, line, column = found[index]
        end = found[index + 1][1] if index + 1 < len(found) else node.end
        key = Range(line + 1, node.column + 1, line + 1, node.column + 1 + len(name))
        value = node.value[wanted]
        if column < len(self._lines[line]):
            self._not_a_comment(line, column)
            return key, _Node(value, line, column, end)
        below = self._next_content(line + 1, end)
        return key, _Node(value, below, self._indents[below], end)

    def _item(self, node: _Node, wanted: int) -> _Node:
        """An item of a block list."""
        lines = self._beginnings(node)
        if len(lines) != len(node.value) or any(self._lines[n][node.column : node.column + 2] != "- " for n in lines):
            raise _UnclearError
        line = lines[wanted]
        end = lines[wanted + 1] if wanted + 1 < len(lines) else node.end
        text = self._lines[line]
        column = len(text) - len(text[node.column + 1 :].lstrip(" "))
        self._not_a_comment(line, column)
        return _Node(node.value[wanted], line, column, end)

    def _beginnings(self, node: _Node) -> list[int]:
        """The lines on which something begins as far to the left as the node does."""
        found = [node.line]
        for line in range(node.line + 1, node.end):
            indent = self._indents[line]
            if indent == node.column:
                found.append(line)
            elif indent < node.column and indent != NOTHING:
                raise _UnclearError
        return found

    def _span(self, node: _Node) -> Range:
        """From the first character of a value to after its last one."""
        last = max(line for line in range(node.line, node.end) if self._indents[line] != NOTHING)
        lines = self._lines[node.line : last + 1]
        block = isinstance(node.value, dict | list) and self._lines[node.line][node.column] not in "{["
        if (last > node.line and not block) or "#" in lines[-1] or any(map(BLOCK_SCALAR.search, lines)):
            raise _UnclearError
        return Range(node.line + 1, node.column + 1, last + 1, len(lines[-1].rstrip(" ")) + 1)

    def _next_content(self, line: int, end: int) -> int:
        for number in range(line, end):
            if self._indents[number] != NOTHING:
                return number
        raise _UnclearError

    def _not_a_comment(self, line: int, column: int) -> None:
        if self._lines[line][column : column + 1] in ("", "#"):
            raise _UnclearError


def _indent(line: str) -> int:
    """The blanks before a line's text; NOTHING where it has none but a comment."""
    text = line.lstrip(" ")
    return NOTHING if text[:1] in ("", "#") else len(line) - len(text)


def _sure(found: Found | None) -> Found:
    if found is None:
        raise _UnclearError
    return found
