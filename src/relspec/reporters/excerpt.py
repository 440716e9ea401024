"""Lines of a source file with carets under a range, for a terminal: nothing in them steers it, and columns are those seen.

A character takes the columns that a terminal gives it: none for a combining mark, two for a wide one, four at most for a
tab, and as many as its escape has where it is shown as one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from relspec.diagnostics import Range

LINE_END = re.compile(r"\r\n|\r|\n")
TAB = 4
ROOM = 120
"""Columns for code where no width is given."""

COMMAND = re.compile(r"(##(?:vso)?)\[")
AT_MOST = 4
"""Lines that are shown of a range; of a longer one the first two and the last."""

Paint = Callable[[str], str]


def lines_of(text: str) -> list[str]:
    """The lines of a text as YAML and editors count them: U+2028 and form feeds end none."""
    lines = LINE_END.split(text)
    return lines[:-1] if lines[-1] == "" else lines


def printable(text: str) -> str:
    """`text` with control characters, escapes and direction marks made visible: nothing steers the terminal.

    `##[` and `##vso[` neither: CI runners that read the terminal's text take them for commands wherever they stand.
    """
    if text.isprintable() and not COMMAND.search(text):
        return text
    return COMMAND.sub(r"\1\\x5b", "".join(_shown(char) for char in text))


def columns(text: str) -> int:
    """Columns that printable text takes on a terminal."""
    return len(text) if text.isascii() else sum(_columns(char) for char in text)


def excerpt(lines: Sequence[str], span: Range, *, width: int | None = None, paint: Paint = str) -> list[str]:
    """The lines of a range, each with its number and carets below; nothing where there is no such line.

    `lines` are the file's. `width` is the terminal's, in columns: longer lines are cut around the range. `paint` colours carets.
    """
    last = last_line(span)
    if not span.line <= last <= len(lines):
        return []
    shown: list[str] = []
    room = max((width or ROOM) - 8, 16)
    for number in _numbers(span.line, last):
        if number is None:
            shown.append("  ... |")
            continue
        line = lines[number - 1]
        start = span.column - 1 if number == span.line else len(line) - len(line.lstrip())
        end = span.end_column - 1 if number == span.end_line else len(line)
        code, before, marked = _cut(line, min(start, len(line)), end, room)
        shown.append(numbered(number, code))
        shown.append(f"      | {' ' * before}{paint('^' * marked)}")
    return shown


def numbered(number: int, code: str, sign: str = "|") -> str:
    """A line behind its number."""
    return f"{number:>5} {sign} {code}".rstrip()


def cut(line: str, start: int, width: int | None) -> str:
    """A line as `excerpt` shows it, cut around the character at index `start` where it is too long."""
    return _cut(line, min(start, len(line)), start, max((width or ROOM) - 8, 16))[0]


def last_line(span: Range) -> int:
    """The last line that has a character of a range: the end of a range may stand before the first of the next line."""
    return span.end_line - 1 if span.end_column == 1 and span.end_line > span.line else span.end_line


def _numbers(first: int, last: int) -> Sequence[int | None]:
    if last - first < AT_MOST:
        return range(first, last + 1)
    return (first, first + 1, None, last)


def _cut(line: str, start: int, end: int, room: int) -> tuple[str, int, int]:
    """A line in at most `room` columns with the characters from `start` to `end` in it; how many columns stand before
    those, and how many they take."""
    first = max(start - room, 0)
    last = min(start + room + 1, len(line))
    cells = list(_cells(line[first:last]))
    widths = [columns(cell) for cell in cells]
    start, end = start - first, max(min(end, last) - first, start - first)
    whole = first == 0 and last == len(line) and sum(widths) <= room
    left, right = (0, len(cells)) if whole else _window(widths, start, room - 2)
    before = "…" if left + first > 0 else ""
    after = "…" if right + first < len(line) else ""
    code = before + "".join(cells[left:right]) + after
    marked = sum(widths[start : min(end, right)]) + (1 if end > right else 0)
    return code, len(before) + sum(widths[left:start]), max(marked, 1)


def _window(widths: Sequence[int], start: int, room: int) -> tuple[int, int]:
    """Which cells are shown in `room` columns: a third of them before `start`, more where nothing is left behind it."""
    left = right = start
    used = 0
    while left > 0 and used + widths[left - 1] <= room // 3:
        left -= 1
        used += widths[left]
    while right < len(widths) and used + widths[right] <= room:
        used += widths[right]
        right += 1
    while left > 0 and used + widths[left - 1] <= room:
        left -= 1
        used += widths[left]
    return left, right


def _cells(line: str) -> Iterator[str]:
    """What is shown for each character of a line."""
    column = 0
    for index, char in enumerate(line):
        if char == "\t":
            cell = "→".ljust(TAB - column % TAB)
        elif char == "[" and line[:index].endswith(("##", "##vso")):
            cell = "\\x5b"
        else:
            cell = _shown(char)
        column += columns(cell)
        yield cell


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":  # the latter join a Hangul syllable
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
