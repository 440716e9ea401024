"""Edits of the YAML that people write: a value is changed, everything around it stays as it was, byte for byte.

A round trip through a YAML library reformats every second file. So an edit cuts out the characters of one value, key or
entry, at the positions that `documents.locator` gives, and puts others in. Values in, bytes out: nothing is read or
written here. Each result is parsed once more by the careful parser and has to hold exactly the data that was wanted,
in the same order of keys; where it does not, the edit is refused, so that no wrong bytes ever leave this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from relspec import documents
from relspec.diagnostics import Finding, Part, Path, Range, RelspecError, Where
from relspec.emit import UNPRINTABLE, emit

NOT_THERE: Final = "RS122"
NOT_EDITED: Final = "RS900"

BY_HAND: Final = "edit the file by hand"


class Edit(Struct, frozen=True):
    """The text of a range, as `documents.locate` gives it, becomes `text`; an empty range is an insertion."""

    range: Range
    text: str


def splice(data: bytes, edits: Sequence[Edit]) -> bytes:
    """`data` with several ranges replaced; what they hold is not looked at. Raises ValueError where two overlap."""
    mark, text = _without_mark(data)
    starts = _line_starts(text)

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + column - 1

    cuts = [
        _Cut(offset(e.range.line, e.range.column), offset(e.range.end_line, e.range.end_column), e.text) for e in edits
    ]
    return mark + _spliced(text, cuts).encode()


def put(data: bytes, path: Path, value: Any, *, file: str, comment: str = "") -> bytes:
    """`data` with `value` (maps, lists, text, numbers, booleans, null) at `path`.

    A value that is there is replaced: a map entry by entry, so that what stays keeps its comments; a list item by item
    where it keeps its length, or gets more at its end; text in the quotes that it had. What is missing is added at the
    end of the innermost map that exists, and the index after a list's last one at its end, in the indents, alignment and
    line ends of its neighbours. `comment` is written at the end of the value's line, before a comment that is there:
    `# new; old`. Raises RelspecError: RS122 where the path leads through a scalar or further out of a list, RS900 where
    the file is written in a way that can't be edited, and what `documents.parse` does.
    """
    mark, text = _without_mark(data)
    held = documents.parse(data, file)
    wanted = _with(held, path, value, Where(file))
    steps: list[_Step] = list(_steps(held, wanted, ()))
    attempts = [steps]
    if _is_at(held, path):
        attempts.append([_Replace(path, value)])
    elif _is_at(held, path[:-1]) and isinstance(path[-1], int):
        attempts.append([_Replace(path[:-1], _at(wanted, path[:-1]))])
    words = " ".join(documents.FORBIDDEN.sub("\ufffd", comment).split())
    if words:
        attempts = [[*attempt, _Comment(path, words)] for attempt in attempts]
    return mark + _edited(text, attempts, wanted, Where(file, path)).encode()


def remove(data: bytes, path: Path, *, file: str) -> bytes:
    """`data` without the entry of a map, or the item of a list, at `path`, and without the comments on its lines.

    What is left without entries becomes `{}` or `[]`, for nothing at all would be null. Raises RelspecError: RS122
    where there is nothing at `path`, RS900 as `put` does.
    """
    mark, text = _without_mark(data)
    wanted = _without(documents.parse(data, file), path, Where(file))
    return mark + _edited(text, [[_Remove(path)]], wanted, Where(file, path)).encode()


def rewrite(data: bytes, wanted: dict[str, Any], *, file: str) -> bytes:
    """`data` edited, entry by entry, until it holds exactly `wanted`; what is the same in both stays untouched.

    Raises RelspecError RS900 as `put` does.
    """
    mark, text = _without_mark(data)
    steps = list(_steps(documents.parse(data, file), wanted, ()))
    return mark + _edited(text, [steps, [_Replace((), wanted)]], wanted, Where(file)).encode()


def rename_key(data: bytes, path: Path, new_key: str, *, file: str) -> bytes:
    """`data` with another name for the key at `path`, in the quotes that it had. Raises RelspecError: RS122 where there is
    no such key, or one of the new name beside it; RS900 as `put` does."""
    mark, text = _without_mark(data)
    held = documents.parse(data, file)
    if not path or not isinstance(path[-1], str) or not _is_at(held, path):
        raise _nothing_there(path, Where(file))
    owner = _at(held, path[:-1])
    if new_key in owner and new_key != path[-1]:
        raise RelspecError(
            Finding(NOT_THERE, f"there is a key {new_key} already", Where(file, (*path[:-1], new_key), "key"), BY_HAND)
        )
    renamed = {new_key if key == path[-1] else key: value for key, value in owner.items()}
    wanted = _with(held, path[:-1], renamed, Where(file)) if path[:-1] else renamed
    return mark + _edited(text, [[_Rename(path, new_key)]], wanted, Where(file, path)).encode()


# --- data ------------------------------------------------------------------------------------------------------------


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _is_at(data: Any, path: Path) -> bool:
    for step in path:
        known: Any = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
        if step not in known:
            return False
        data = data[step]
    return True


def _with(node: Any, path: Path, value: Any, where: Where) -> Any:
    """A copy of `node` with `value` at `path`."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    inner = Where(where.file, (*where.path, step))
    if isinstance(step, str) and (node is None or isinstance(node, dict)):
        owner = node or {}
        return {**owner, step: _with(owner.get(step), rest, value, inner)}
    if isinstance(step, int) and isinstance(node, list) and step == len(node):
        return [*node, _with(None, rest, value, inner)]
    if isinstance(step, int) and isinstance(node, list) and 0 <= step < len(node):
        return [*node[:step], _with(node[step], rest, value, inner), *node[step + 1 :]]
    raise RelspecError(Finding(NOT_THERE, _in_the_way(node, step, where.path), where, BY_HAND))


def _in_the_way(node: Any, step: str | int, path: Path) -> str:
    name = dotted(path) or "the document"
    if isinstance(step, int):
        return f"{name} has {len(node)} items, so no [{step}]" if isinstance(node, list) else f"{name} is no list"
    return f"{name} is {'a list' if isinstance(node, list) else 'a single value'}, so it has no {step}"


def _without(data: Any, path: Path, where: Where) -> Any:
    """A copy of `data` without what is at `path`."""
    if not path or not _is_at(data, path):
        raise _nothing_there(path, where)
    owner, step = _at(data, path[:-1]), path[-1]
    if isinstance(owner, dict):
        left: Any = {key: value for key, value in owner.items() if key != step}
    else:
        left = [item for index, item in enumerate(owner) if index != step]
    return _with(data, path[:-1], left, where)


def _nothing_there(path: Path, where: Where) -> RelspecError:
    return RelspecError(
        Finding(NOT_THERE, f"there is no {dotted(path) or 'entry'}", Where(where.file, path), "correct the path")
    )


def dotted(path: Path) -> str:
    """A path as it is typed: dots between keys, brackets around an index and around a key that has dots or brackets."""
    words = [f".{s}" if isinstance(s, str) and re.fullmatch(r"[^.\[\]=]+", s) else f"[{s}]" for s in path]
    return "".join(words).removeprefix(".")


def _exactly(value: Any) -> str:
    """A text that is the same for the same data in the same order: 1, 1.0 and true are three things."""
    return json.dumps(value, ensure_ascii=False)


# --- steps: from what a text holds to what it should hold --------------------------------------------------------------


class _Replace(Struct, frozen=True):
    path: Path
    value: Any


class _Insert(Struct, frozen=True):
    """A new entry in the map at `path`, after the key `after`; None: before all."""

    path: Path
    key: str
    value: Any
    after: str | None


class _Append(Struct, frozen=True):
    """A new item at the end of the list at `path`, which has some."""

    path: Path
    value: Any


class _Remove(Struct, frozen=True):
    path: Path


class _Rename(Struct, frozen=True):
    path: Path
    key: str


class _Comment(Struct, frozen=True):
    path: Path
    words: str


_Step = _Replace | _Insert | _Append | _Remove | _Rename | _Comment


def _steps(old: Any, new: Any, path: Path) -> Iterator[_Step]:
    """The fewest steps that give `new`, keys in its order."""
    if _exactly(old) == _exactly(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        common = [key for key in old if key in new]
        if common and common == [key for key in new if key in old]:
            yield from _steps_in_map(old, new, path)
            return
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _steps(before, after, (*path, index))
        return
    elif isinstance(old, list) and isinstance(new, list) and old and _exactly(old) == _exactly(new[: len(old)]):
        yield from (_Append(path, item) for item in new[len(old) :])
        return
    yield _Replace(path, new)


def _steps_in_map(old: dict[str, Any], new: dict[str, Any], path: Path) -> Iterator[_Step]:
    for key in old:
        if key not in new:
            yield _Remove((*path, key))
    previous: str | None = None
    for key, value in new.items():
        if key in old:
            yield from _steps(old[key], value, (*path, key))
        else:
            yield _Insert(path, key, value, previous)
        previous = key


def _edited(text: str, attempts: Sequence[Sequence[_Step]], wanted: Any, where: Where) -> str:
    """The text after the first attempt that gives exactly `wanted`.

    Each is tried in the style of the neighbours, then with values in flow style on one line: that also fits where a
    block does not, as before a comment that a literal block would swallow.
    """
    for steps in attempts:
        for block in (True, False):
            try:
                edited = _applied(text, steps, where.file, block=block)
                held = documents.parse_carefully(edited.encode(), where.file)
            except (RelspecError, ValueError, LookupError):
                continue
            if _exactly(held) == _exactly(wanted):
                return edited
    name = dotted(where.path) or "this document"
    message = f"{name} can't be changed without changing more of the file"
    raise RelspecError(Finding(NOT_EDITED, message, where, BY_HAND))


def _applied(text: str, steps: Sequence[_Step], file: str, *, block: bool) -> str:
    for step in steps:
        source = _Source(text, file)
        match step:
            case _Replace():
                cuts = _replaced(source, step.path, step.value, block=block)
            case _Insert():
                cuts = _inserted(source, step, block=block)
            case _Append():
                cuts = _appended(source, step, block=block)
            case _Remove():
                cuts = _removed(source, step.path)
            case _Rename():
                cuts = _renamed(source, step.path, step.key)
            case _Comment():
                cuts = _commented(source, step.path, step.words)
        text = _spliced(text, cuts)
    return text


# --- text ------------------------------------------------------------------------------------------------------------


class _Cut(Struct, frozen=True):
    """The characters from `start` to before `end` become `text`."""

    start: int
    end: int
    text: str


def _spliced(text: str, cuts: Sequence[_Cut]) -> str:
    """The text with all cuts made; of two insertions at one place the first given comes first."""
    parts: list[str] = []
    position = 0
    for cut in sorted(cuts, key=lambda cut: (cut.start, cut.end)):
        if cut.start < position or cut.end < cut.start:
            raise ValueError("two edits overlap")
        parts += (text[position : cut.start], cut.text)
        position = cut.end
    return "".join((*parts, text[position:]))


def _without_mark(data: bytes) -> tuple[bytes, str]:
    """The byte order mark, if there is one, and the text after it. Text that is not UTF-8 is `documents.parse`'s to refuse."""
    text = data.removeprefix(documents.BYTE_ORDER_MARK)
    return data[: len(data) - len(text)], text.decode("utf-8", "replace")


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


class _Source:
    """A text with its data, and where which part of it is written: offsets into the text."""

    def __init__(self, text: str, file: str) -> None:
        data = text.encode()
        self.text = text
        self.data = documents.parse(data, file)
        self._locate: Callable[[Path, Part], Range] = documents.locator(data)
        self._starts = _line_starts(text)

    def at(self, path: Path) -> Any:
        return _at(self.data, path)

    def span(self, path: Path, part: Part = "value") -> tuple[int, int]:
        found = self._locate(path, part)
        return (
            self._starts[found.line - 1] + found.column - 1,
            self._starts[found.end_line - 1] + found.end_column - 1,
        )

    def key(self, path: Path) -> tuple[int, int]:
        return self.span(path, "key")

    def colon(self, path: Path) -> int | None:
        """After the colon of an entry; None for a key that stands alone in a flow map."""
        end = self.key(path)[1]
        match = re.compile(r"\s*:").match(self.text, end)
        return match.end() if match else None

    def value(self, path: Path) -> tuple[int, int]:
        """A value's span; that of nothing is empty, after the colon or the lone key."""
        start, end = self.span(path)
        if start == end and path and isinstance(path[-1], str):
            place = self.colon(path)
            start = end = self.key(path)[1] if place is None else place
        return start, end

    def is_block(self, path: Path) -> bool:
        """Whether a map or list with content is written in block style."""
        return _is_filled(self.at(path)) and not self.is_flow(path)

    def is_flow(self, path: Path) -> bool:
        """Whether a map or list, empty or not, is written in flow style."""
        if not isinstance(self.at(path), dict | list):
            return False
        return self.text[self.span(path)[0]] in "{[" or self.in_flow(path)

    def in_flow(self, path: Path) -> bool:
        """Whether something lies inside a flow collection."""
        return any(self.text[self.span(path[:depth])[0]] in "{[" for depth in range(len(path)))

    def beginning(self, path: Path) -> int:
        """Where an entry begins: at its key, or at the dash of an item in block style."""
        if not isinstance(path[-1], int):
            return self.key(path)[0]
        start = self.span(path)[0]
        if self.in_flow(path):
            return start
        first = self.span(path[:-1])[0]
        column = self.column(first)
        line = self.line(start)
        while line > self.line(first) and self.text[line + column : line + column + 1] != "-":
            line = self.line(line - 1)
        return line + column

    def line(self, offset: int) -> int:
        """Where a line begins."""
        return self.text.rfind("\n", 0, offset) + 1

    def line_end(self, offset: int) -> int:
        """Where a line ends, before its line end."""
        end = self.text.find("\n", offset)
        if end < 0:
            return len(self.text)
        return end - 1 if end > offset and self.text[end - 1] == "\r" else end

    def next_line(self, offset: int) -> int | None:
        """Where the next line begins; None after the last."""
        end = self.text.find("\n", offset) + 1
        return end if 0 < end < len(self.text) else None

    def column(self, offset: int) -> int:
        return offset - self.line(offset)

    def begins_line(self, offset: int) -> bool:
        return not self.text[self.line(offset) : offset].strip(" ")

    def newline(self, offset: int) -> str:
        """The line end in use around a place."""
        end = self.text.find("\n", offset)
        if end < 0:
            end = self.text.rfind("\n")
        return "\r\n" if end > 0 and self.text[end - 1] == "\r" else "\n"

    def header(self, path: Path) -> tuple[int, str] | None:
        """The header of the block scalar that ends the entry at `path`, and where it stands; None where none does."""
        value = self.at(path)
        while isinstance(value, dict | list) and value:
            step = list(value)[-1] if isinstance(value, dict) else len(value) - 1
            path, value = (*path, step), value[step]
        start = self.span(path)[0]
        match = re.compile(r"[|>][-+0-9]*").match(self.text, start) if isinstance(value, str) else None
        return (start, match[0]) if match else None

    def keeps_blank_lines(self, path: Path) -> bool:
        """Whether the blank lines after an entry are part of its text."""
        header = self.header(path)
        return header is not None and "+" in header[1]

    def end_of_entry(self, path: Path) -> int:
        """Where the last line of a block entry ends: with its blank lines, if it keeps them, and the comments below that
        are indented deeper than the entry, for they stand in it."""
        end = self.line_end(len(self.text[: self.value(path)[1]].rstrip()))
        if self.keeps_blank_lines(path):
            end = self.after_blank_lines(end)
        column = self.column(self.beginning(path))
        reached: int | None = end
        while reached is not None and (start := self.next_line(reached)) is not None:
            reached = self.line_end(start)
            line = self.text[start:reached]
            words = line.lstrip(" \t")
            if words.startswith("#") and len(line) - len(words) > column:
                end = reached
            elif words:
                break
        return end

    def after_blank_lines(self, end: int) -> int:
        """The end of the last of the blank lines that follow the line which ends at `end`."""
        while (start := self.next_line(end)) is not None and not self.text[start : self.line_end(start)].strip():
            end = self.line_end(start)
        return end


# --- writing values ----------------------------------------------------------------------------------------------------

FLOW_SIGNS: Final = re.compile(r"[,\[\]{}]")
NOT_SINGLE_QUOTED: Final = re.compile(f"[\n{UNPRINTABLE}]")


class _Indents(Struct, frozen=True):
    """Columns from a key to the map below it, and to the dashes of the list below it."""

    step: int
    dash: int


def _indents(source: _Source, path: Path) -> _Indents:
    """The indents in use: those nearest above `path`, else the first in the document, else two columns."""
    nearest = (path[:depth] for depth in range(len(path), 0, -1))
    steps: list[int] = []
    dashes: list[int] = []
    for place in (*nearest, *islice(_paths(source.data, ()), 200)):
        if not _is_at(source.data, place) or not isinstance(place[-1], str) or not source.is_block(place):
            continue
        width = source.column(source.value(place)[0]) - source.column(source.key(place)[0])
        (steps if isinstance(source.at(place), dict) else dashes).append(width)
        if steps and dashes:
            break
    step = steps[0] if steps else (dashes[0] if dashes and dashes[0] > 0 else 2)
    return _Indents(step, dashes[0] if dashes else step)


def _paths(data: Any, path: Path) -> Iterator[Path]:
    """Every path below a node, in the order of the text."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in entries:
        yield (*path, step)
        yield from _paths(value, (*path, step))


def _node(value: Any, indents: _Indents) -> tuple[str, list[str]]:
    """A value after its key: what goes on the key's line, and the lines below, as seen from the key's column."""
    if isinstance(value, dict | list | tuple) and value:
        return "", _shifted(_lines(value, indents), indents.step if isinstance(value, dict) else indents.dash)
    head, *below = emit(value).removesuffix("\n").split("\n")
    return head, _shifted([line.removeprefix("  ") for line in below], indents.step)


def _lines(value: Any, indents: _Indents) -> list[str]:
    """The lines of a map or list with content, from column 0."""
    lines: list[str] = []
    if isinstance(value, dict):
        for key, item in value.items():
            head, below = _node(item, indents)
            lines += (f"{_key(key)} {head}" if head else _key(key), *below)
        return lines
    for item in value:
        if isinstance(item, dict | list | tuple) and item:
            first, *rest = _lines(item, indents)
            lines += (f"- {first}", *_shifted(rest, 2))
        else:
            head, below = _node(item, indents)
            lines += (f"- {head}", *below)
    return lines


def _shifted(lines: Sequence[str], columns: int) -> list[str]:
    return [" " * columns + line if line else "" for line in lines]


def _key(key: str) -> str:
    """A key with its colon, in quotes where it needs them."""
    return emit({key: 0}).removesuffix(" 0\n")


def _flow(value: Any, quote: str = "") -> str:
    """A value on one line, in flow style; text in the quotes that it had, `quote`, where they can hold it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if not isinstance(value, str):
        return emit(value).removesuffix("\n")
    plain = emit(value).removesuffix("\n")
    return plain if plain == value and not quote and not FLOW_SIGNS.search(value) else _quoted(value, quote)


def _quoted(text: str, quote: str) -> str:
    if quote == "'" and not NOT_SINGLE_QUOTED.search(text):
        return "'" + text.replace("'", "''") + "'"
    written = emit(text).removesuffix("\n")
    # What the emitter leaves without quotes holds nothing that JSON would escape in another way.
    return written if written.startswith('"') else json.dumps(text, ensure_ascii=False)


def _has_lines(value: Any) -> bool:
    """Whether there is text of several lines in a value."""
    if isinstance(value, dict | list | tuple):
        return any(_has_lines(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and "\n" in value


def _is_filled(value: Any) -> bool:
    return isinstance(value, dict | list | tuple) and bool(value)


# --- one step: what is cut where -----------------------------------------------------------------------------------------


def _replaced(source: _Source, path: Path, value: Any, *, block: bool) -> list[_Cut]:
    if not path:
        return _replaced_document(source, value, block=block)
    if source.is_block(path):
        return _replaced_block(source, path, value, block=block)
    start, end = source.value(path)
    before = _before_value(source, path, start) if start == end else ""
    column = source.column(start) + len(before)
    head, below = _written(source, path, value, column, block=block)
    last = source.line_end(end)
    if not head:
        start, before = source.colon(path) or start, ""
    cuts = [_Cut(start, end, before + head)]
    if below:
        cuts.append(_Cut(last, last, _joined(source, last, ["", *below])))
    return cuts


def _before_value(source: _Source, path: Path, start: int) -> str:
    """What has to stand between a key or a dash and a value where there was none."""
    if isinstance(path[-1], str) and source.colon(path) is None:
        return ": "
    return "" if source.text[start - 1] == " " else " "


def _written(source: _Source, path: Path, value: Any, column: int, *, block: bool) -> tuple[str, list[str]]:
    """What goes in place of a value that stands on its key's or dash's line at `column`, and the lines below that line."""
    quote = _quote_of(source, path, value)
    flow = source.is_flow(path) and _is_filled(source.at(path)) and _is_filled(value) and not _has_lines(value)
    if quote or flow or not block or source.in_flow(path):
        return _flow(value, quote), []
    indents = _indents(source, path)
    if _is_filled(value) and isinstance(path[-1], int):
        head, *below = _lines(value, indents)
        return head, _shifted(below, column)
    head, below = _node(value, indents)
    return head, _shifted(below, source.column(source.beginning(path)))


def _quote_of(source: _Source, path: Path, value: Any) -> str:
    """The quotes that text keeps: none for text of several lines where there was one."""
    old = source.at(path)
    sign = source.text[source.value(path)[0] :][:1]
    kept = isinstance(value, str) and isinstance(old, str) and sign in ("'", '"')
    return sign if kept and ("\n" in old or "\n" not in value) else ""


def _joined(source: _Source, offset: int, lines: Sequence[str]) -> str:
    return source.newline(offset).join(lines)


def _replaced_block(source: _Source, path: Path, value: Any, *, block: bool) -> list[_Cut]:
    """In place of a block map or list: the lines below its key, or what follows its dash."""
    start, end = source.value(path)
    last = source.line_end(len(source.text[:end].rstrip()))
    indents = _indents(source, path)
    if isinstance(path[-1], int):
        head, below = _written(source, path, value, source.column(start), block=block)
        return [_Cut(start, last, _joined(source, start, [head, *below]))]
    same_kind = isinstance(value, dict) == isinstance(source.at(path), dict)
    if block and _is_filled(value) and same_kind:
        lines = _shifted(_lines(value, indents), source.column(start))
        return [_Cut(source.line(start), last, _joined(source, start, lines))]
    head, below = _node(value, indents) if block else (_flow(value), [])
    colon = source.colon(path) or start
    after = source.line_end(colon)
    lines = ["", *_shifted(below, source.column(source.key(path)[0]))] if below else []
    return [
        _Cut(colon, colon, f" {head}" if head else ""),
        _Cut(after, source.end_of_entry(path), _joined(source, after, lines)),
    ]


def _replaced_document(source: _Source, value: Any, *, block: bool) -> list[_Cut]:
    start, end = source.value(())
    in_block = block and _is_filled(value) and not source.is_flow(())
    text = _joined(source, start, _lines(value, _indents(source, ()))) if in_block else _flow(value)
    return [_Cut(start, source.line_end(end), text)]


def _inserted(source: _Source, step: _Insert, *, block: bool) -> list[_Cut]:
    """A new entry in a map that has some."""
    if source.is_flow(step.path):
        return _inserted_in_flow(source, step)
    column = source.column(source.value(step.path)[0])
    lines = _shifted(_entry(source, step, block=block), column)
    if step.after is None:
        first = source.value(step.path)[0]
        return [_Cut(first, first, _joined(source, first, [*lines, " " * column])[column:])]
    return _below(source, (*step.path, step.after), lines)


def _appended(source: _Source, step: _Append, *, block: bool) -> list[_Cut]:
    """A new item at the end of a list that has some."""
    before = (*step.path, len(source.at(step.path)) - 1)
    if source.is_flow(step.path):
        return _after_in_flow(source, before, _flow(step.value))
    lines = _lines([step.value], _indents(source, step.path)) if block else [f"- {_flow(step.value)}"]
    return _below(source, before, _shifted(lines, source.column(source.beginning(before))))


def _below(source: _Source, before: Path, lines: Sequence[str]) -> list[_Cut]:
    """Lines below a block entry."""
    at = source.end_of_entry(before)
    cut = _Cut(at, at, _joined(source, at, ["", *lines]))
    return [*_ended(source, before), cut] if at == len(source.text) else [cut]


def _ended(source: _Source, path: Path) -> list[_Cut]:
    """A block scalar that ends the file without a line end has none in its text: its header must say so before lines
    can follow."""
    header = source.header(path)
    if header is None or "-" in header[1]:
        return []
    start, signs = header
    return [_Cut(start, start + len(signs), signs.replace("+", "") + "-")]


def _entry(source: _Source, step: _Insert, *, block: bool) -> list[str]:
    """The lines of a new entry of a block map, its value in line with its neighbours' where those are aligned."""
    indents = _indents(source, step.path)
    key = _key(step.key)
    head, below = _node(step.value, indents) if block else (_flow(step.value), [])
    if not head:
        return [key, *below]
    return [key.ljust(_aligned(source, step.path)) + f" {head}", *below]


def _aligned(source: _Source, path: Path) -> int:
    """The width of keys with their colon, where the values of a map stand below each other on purpose; else 0."""
    widths = set()
    gaps = set()
    for key in source.at(path):
        begin, end = source.key((*path, key))
        start, stop = source.value((*path, key))
        if start < stop and source.line(begin) == source.line(start):
            widths.add(start - begin)
            gaps.add(start - end)
    return widths.pop() - 1 if len(widths) == 1 and gaps - {2} else 0


def _inserted_in_flow(source: _Source, step: _Insert) -> list[_Cut]:
    """A new entry in a flow map."""
    start = source.value(step.path)[0]
    if source.text[start] != "{":  # the short form of a map in a list: `[a: 1]`
        entries = list(source.at(step.path).items())
        place = [key for key, _ in entries].index(step.after) + 1 if step.after is not None else 0
        entries.insert(place, (step.key, step.value))
        return [_Cut(*source.value(step.path), _flow(dict(entries)))]
    entry = f"{_flow(step.key)}: {_flow(step.value)}"
    if step.after is None:
        first = source.key((*step.path, next(iter(source.at(step.path)))))[0]
        gap = source.newline(first) + " " * source.column(first) if source.begins_line(first) else " "
        return [_Cut(first, first, f"{entry},{gap}")]
    return _after_in_flow(source, (*step.path, step.after), entry)


def _after_in_flow(source: _Source, before: Path, entry: str) -> list[_Cut]:
    """An entry or item after another one in a flow collection: on a line of its own where that one has one."""
    begin, at = source.beginning(before), source.value(before)[1]
    last = source.line_end(at)
    rest = re.fullmatch(r"[ \t]*(,?)[ \t]*(?:#.*)?", source.text[at:last])
    if not source.begins_line(begin) or rest is None:
        return [_Cut(at, at, f", {entry}")]
    line = source.newline(at) + " " * source.column(begin) + entry
    return [_Cut(last, last, line + ",")] if rest[1] else [_Cut(at, at, ","), _Cut(last, last, line)]


def _removed(source: _Source, path: Path) -> list[_Cut]:
    owner = source.at(path[:-1])
    if len(owner) == 1:
        return _replaced(source, path[:-1], type(owner)(), block=True)
    names: list[str | int] = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
    index = names.index(path[-1])
    before = (*path[:-1], names[index - 1]) if index else None
    after = (*path[:-1], names[index + 1]) if index + 1 < len(names) else None
    if source.in_flow(path):
        return _removed_from_flow(source, path, before, after)
    start = source.beginning(path)
    end = source.end_of_entry(path)
    if not source.begins_line(start):  # it follows a dash, which the next entry takes over
        following = source.next_line(end)
        match = re.compile(r"\s*").match(source.text, len(source.text) if following is None else following)
        return [_Cut(start, match.end() if match else len(source.text), "")]
    if before is not None and source.keeps_blank_lines(before):
        end = source.after_blank_lines(end)
    following = source.next_line(end)
    return [_Cut(source.line(start), len(source.text) if following is None else following, "")]


def _removed_from_flow(source: _Source, path: Path, before: Path | None, after: Path | None) -> list[_Cut]:
    """An entry or item with one of the commas beside it, its whole lines where it has them for itself. Comments that
    stand between it and its neighbours stay."""
    start, end = source.beginning(path), source.value(path)[1]
    following = source.next_line(end)
    rest = re.fullmatch(r"[ \t]*(,?)[ \t]*(?:#.*)?", source.text[end : source.line_end(end)])
    whole = source.begins_line(start) and rest is not None and following is not None
    cut = _Cut(source.line(start), following or end, "") if whole else _Cut(start, end, "")
    if after is not None:
        if whole and rest is not None and rest[1]:
            return [cut]
        comma = source.text.index(",", end) + 1
        next_start = source.beginning(after)
        if "\n" in source.text[end:next_start] and not source.begins_line(start):
            # The lines stay apart: what goes is what stands on the entry's own.
            previous = source.value(before)[1] if before is not None else None
            return [_Cut(start, comma, "") if previous is None else _Cut(previous, end, "")]
        return [_Cut(start, comma if "#" in source.text[comma:next_start] else next_start, "")]
    if whole and rest is not None and rest[1]:
        return [cut]
    last = source.value(before)[1] if before is not None else start
    if "#" not in source.text[last:start]:
        return [_Cut(last, end, "")]
    comma = source.text.index(",", last)
    return [_Cut(comma, comma + 1, ""), cut]


def _renamed(source: _Source, path: Path, key: str) -> list[_Cut]:
    start, end = source.key(path)
    quote = source.text[start] if source.text[start] in "'\"" else ""
    text = _flow(key, quote) if quote or source.in_flow(path) else _key(key).removesuffix(":")
    return [_Cut(start, end, text)]


def _commented(source: _Source, path: Path, words: str) -> list[_Cut]:
    """A comment at the end of a value's line: the header's of a block scalar, the key's of a block map or list."""
    start, end = source.value(path)
    header = source.header(path) if isinstance(source.at(path), str) else None
    if header is not None:
        end = start + len(header[1])
    elif source.is_block(path) and isinstance(path[-1], str):
        end = source.colon(path) or end
    last = source.line_end(end)
    sign = _comment_sign(source, path, end, last)
    if sign is None:
        return [_Cut(last, last, f"  # {words}")]
    old = source.text[sign + 1 : last].strip()
    if old == words or old.startswith(f"{words};"):
        return []
    rest = sign + 1 + len(source.text[sign + 1 : last]) - len(source.text[sign + 1 : last].lstrip())
    return [_Cut(sign, rest, f"# {words}; " if old else f"# {words}")]


def _comment_sign(source: _Source, path: Path, start: int, end: int) -> int | None:
    """The `#` of the comment on a line between two offsets; in a flow collection a `#` may also lie in another value."""
    signs = [start + match.end() - 1 for match in re.finditer(r"[ \t]#", source.text[start:end])]
    if not signs or not source.in_flow(path):
        return signs[0] if signs else None
    outer = next(path[:depth] for depth in range(len(path)) if source.text[source.span(path[:depth])[0]] in "{[")
    texts = [source.key(outer + inner) for inner in _paths(source.at(outer), ()) if isinstance(inner[-1], str)]
    texts += [
        source.value(outer + inner)
        for inner in _paths(source.at(outer), ())
        if not _is_filled(source.at(outer + inner))
    ]
    return next((sign for sign in signs if not any(begin <= sign < stop for begin, stop in texts)), None)
