"""YAML in: text to plain data, and paths to positions.

`parse` reads one spec. `needs_careful`, a scan of the bytes, decides who reads it: yaml-rs takes what all YAML parsers
read alike (tens of microseconds), ruamel.yaml everything else (milliseconds). The careful parser alone decides what a
file means; whatever the fast one is shown, or refuses, comes out the same.

How a plain (unquoted) scalar is read. The rule: it is a number, a boolean or null only where YAML 1.2 says so and it
doesn't change its value in another parser; what parsers disagree on is text, so a typed field refuses it by name
("write a number") and a text field takes it as it was written.

| written                                             | read as                                                 |
|-----------------------------------------------------|---------------------------------------------------------|
| nothing, `~`, `null`, `Null`, `NULL`                | null                                                    |
| `true`, `True`, `TRUE`, `false`, `False`, `FALSE`   | boolean                                                 |
| `0`, `-7`, `+7`, `8080`                             | integer; outside 64 bits with sign: RS111               |
| `1.5`, `-0.5`, `.5`, `1.`, `1.0e+22`                | float; infinite, or not zero and too small: RS111       |
| `1e3`, `207521e0`                                   | text (1.1: text, 1.2: float; often a commit)            |
| `yes`, `no`, `on`, `off`, `y`, `n` in any case      | text (YAML 1.1: boolean)                                |
| `010`, `-010`, `00.5`                               | text (1.1: octal, 1.2: decimal)                         |
| `0o17`, `0x1F`, `0b11`                              | text (1.1 and 1.2 differ on each)                       |
| `1_000`, `1_0.5`                                    | text (1.1: 1000)                                        |
| `12:30:45`, `1:30`                                  | text (1.1: base 60)                                     |
| `2024-01-01`, `2024-01-01T10:00:00Z`                | text (1.1: a date)                                      |
| `.inf`, `-.inf`, `.nan`                             | text (JSON has none of them)                            |
| `=`                                                 | text                                                    |
| `<<` as a key                                       | RS108                                                   |
| anything else                                       | text                                                    |
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from relspec import patterns
from relspec.credentials import KEEP_OUTSIDE, names_secret, secret_words
from relspec.diagnostics import Finding, Part, Path, Range, Related, RelspecError, Where
from relspec.outline import Outline
from relspec.tree import MAX_FILE

try:
    import yaml_rs
except ImportError:  # no wheel for this platform: the careful parser reads every file, with the same result
    yaml_rs = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError

SYNTAX: Final = "RS100"
DUPLICATE_KEY: Final = "RS101"
SEVERAL_DOCUMENTS: Final = "RS102"
NOT_A_MAP: Final = "RS103"
NOT_UTF8: Final = "RS105"
TOO_LARGE: Final = "RS106"
TAG: Final = "RS107"
ALIAS: Final = "RS108"
TAB: Final = "RS109"
KEY_NOT_TEXT: Final = "RS110"
OUT_OF_RANGE: Final = "RS111"
CONTROL_CHARACTER: Final = "RS112"

CODES: Final[dict[str, str]] = {
    SYNTAX: "not valid YAML",
    DUPLICATE_KEY: "a key is written twice in one map",
    SEVERAL_DOCUMENTS: "more than one YAML document, or a document end marker",
    NOT_A_MAP: "the document is empty or not a map",
    NOT_UTF8: "the file is not UTF-8",
    TOO_LARGE: "the file is larger than 1 MiB",
    TAG: "a YAML tag or directive",
    ALIAS: "a YAML anchor, alias or merge key",
    TAB: "a tab in the indentation",
    KEY_NOT_TEXT: "a key is not text",
    OUT_OF_RANGE: "a number out of range, nesting that is too deep, or too many values",
    CONTROL_CHARACTER: "a control character, or a character that is reserved",
}
"""The codes this module yields, each with its title."""

MAX_DEPTH: Final = 64
"""Maps and lists inside one another, the root included; deeper is RS111."""

MAX_NODES: Final = 40_000
"""Maps, lists, scalars and keys of one document; more is RS111. The careful parser takes a second for so many."""

MAX_LINES: Final = 100_000
"""Lines of a file; more is RS111."""

MAX_SCANNED: Final = 50_000
"""Lines and commas that the scan of a text takes; each costs it half a kilobyte."""

MAX_TAG: Final = 1024
"""Characters of a tag, as of a key in YAML; ruamel.yaml's time grows with the square of them."""

MAX_KEY: Final = 1024
"""Characters of a key before its `:` (YAML 1.2.2, section 7.4.2)."""

MAX_OUTLINED: Final = 4 * MAX_FILE
"""Bytes that are walked over for positions in one file before it is parsed carefully."""

MAX_PER_CODE: Final = 20
"""Findings of one code reported for one file: enough to act on, few enough to read."""

MAX_PROBLEMS: Final = 1000
"""Problems of one file after which it is not read further: far more than are reported."""

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

INTEGERS: Final = range(-(2**63), 2**63)


# --- who parses ------------------------------------------------------------------------------------------------------


def needs_careful(data: bytes) -> bool:
    """Whether the careful parser has to read `data`.

    False only for text on which all YAML parsers agree. The scan describes that text line by line rather than list
    what is dangerous, so what nobody thought of is read carefully. It looks at the starts of plain scalars, never
    inside words, quotes or comments. Block scalars' lines are looked at like any others, which errs on the safe side.
    """
    if data.count(b"\n") + data.count(b",") > MAX_SCANNED:
        return True
    return _agreed().fullmatch(data) is None or (not data.isascii() and _special_character().search(data) is not None)


@functools.cache
def _agreed() -> re.Pattern[bytes]:
    """The text on which all parsers agree: compiled when first used, because that takes milliseconds."""
    stop = rb"(?:[ ]*+(?:[\r\n,\]}]|:[ \r\n]|:?+\Z)|[ ]++\#)"
    word = rb"[A-EG-MP-SU-XZa-eg-mp-su-xz/$(\\^;\x80-\xff]|(?!(?i:y|n|yes|no|on|off|true|false|null)" + stop
    word += rb")[FNOTYfnoty]"
    digits = (
        rb"(?!0[xXoObB0-9]|[0-9][0-9A-Za-z.]*+_|[0-9]{4}-[0-9]"
        rb"|[0-9]++(?:(?::[0-9]++)*+(?:\.[0-9]*+)?+(?:[eE][-+]?[0-9]*+)?+)" + stop + rb")[0-9]"
    )
    start = rb"(?:" + word + rb"|" + digits + rb"|\.{1,2}/|\.(?!(?i:inf|nan))[A-Za-z]|-{1,2}[A-Za-z]|_[A-Za-z])"
    number = rb"-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,17}+)?+"
    constant = rb"(?:true|false|null|" + number + rb")(?=[ ]*+(?:[\r\n,\]}]|\Z)|[ ]++\#)"

    # `(?:…|)` stands where `(?:…)?+` would read better, and a glance ahead before each loop: half the time of the scan.
    inside = rb"[!-9;-~\x80-\xff]*+"
    joint = rb"(?:[ ]++(?=[!\"$-~\x80-\xff])|:(?=[!-~\x80-\xff]))"
    plain = start + inside + rb"(?:(?=" + joint + rb")(?:" + joint + inside + rb")*+|)"
    inside = rb"[ !#-\[\]-~\x80-\xff]*+"
    quoted = rb"\"" + inside + rb"(?:(?=\\)(?:\\[\"\\/nt]" + inside + rb")*+|)\""
    inside = rb"[ -&(-~\x80-\xff]*+"
    quoted += rb"|'" + inside + rb"(?:(?='')(?:''" + inside + rb")*+|)'"
    text = rb"(?:" + plain + rb"|" + quoted + rb")"

    # A flow collection may run over lines, and what the scan takes for one may lie in a block scalar that ends in the
    # middle of it: no `: ` or `#` in its quotes, so that nothing in them can be a key or a comment to the parsers.
    # A number or constant may only follow `[`, a comma in a list of scalars, or a key.
    inside = rb"[!-+\--9;-Z\\^-z|~\x80-\xff]*+"
    joint = rb"(?:[ ]++(?=[!\"$-+\--9;-Z\\^-z|~\x80-\xff])|:(?=[!-+\--Z\\^-z|~\x80-\xff]))"
    flow_plain = start + inside + rb"(?:(?=" + joint + rb")(?:" + joint + inside + rb")*+|)"
    inside = rb"[ !$-9;-\[\]-~\x80-\xff]*+"
    flow_quoted = rb"\"" + inside + rb"(?:(?=[:\\])(?:(?::(?![ ])|\\[\"\\/nt])" + inside + rb")*+|)\""
    inside = rb"[ -\"$-&(-9;-~\x80-\xff]*+"
    flow_quoted += rb"|'" + inside + rb"(?:(?=:|'')(?:(?::(?![ ])|'')" + inside + rb")*+|)'"
    flow_text = rb"(?:" + flow_plain + rb"|" + flow_quoted + rb")"
    flow_scalar = rb"(?:" + flow_text + rb"|" + constant + rb")"
    space = rb"[ ]*+(?:\r?\n[ ]++|)"
    comma = rb"(?:," + space + rb"|(?=[\[\]{}]))"
    items = rb"(?:" + flow_text + rb"(?::[ ]++(?:" + flow_scalar + rb"|)|)" + space + comma + rb")*+"
    # The tokens alone don't tell a list from a map, whose items must be keys: the brackets are matched first.
    chunk = rb"(?:\"(?:[^\"\\\n]|\\.)*+\"|'[^'\n]*+'|[^\s\[\]{},])[^\[\]{},]*+"
    nested = rb"(?!)"
    for _ in range(4):
        nested = (
            rb"(?:\[[\s,]*+(?:(?:" + chunk + rb"|" + nested + rb")[\s,]*+)*+\]"
            rb"|\{[\s,]*+(?:" + chunk + rb"(?:" + nested + rb"|)[\s,]*+)*+\})"
        )
    flow = (
        rb"(?=" + nested + rb")(?:\[" + space + rb"(?:" + flow_scalar + space + comma + rb")*+"
        rb"|\{" + space + items + rb"|[\]}](?:" + space + rb"(?=[,\]}])" + comma + items + rb"|))++(?<=[\]}])"
    )

    # yaml-rs adds a line end to a block scalar that is empty or that ends the file without one.
    block = rb"[|>][-+]?(?=[^\n]*+\n[ ]++[^ \r\n])(?=(?s:.*)\n\Z)"
    value = rb"(?:" + text + rb"|" + constant + rb"|" + flow + rb"|" + block + rb")"
    content = rb"(?:" + text + rb":(?:[ ]++|(?=[\r\n]|\Z))|)(?:" + value + rb"|)"
    end = rb"[ ]*+(?:(?<![^ \n])\#[ -~\x80-\xff]*+|)(?:\r?\n|\Z)"
    # 1000: where yaml-rs and ruamel.yaml stop looking for the `:` of a key. 26 columns, three dashes and four pairs of
    # brackets can't nest deeper than MAX_DEPTH.
    line = rb"(?![^\n]{1000})(?![ ]{27})[ ]*+(?:-(?=[ \r\n])[ ]*+(?:-[ ]++){0,2}+|)" + content
    return patterns.compiled(rb"(?:(?!\Z)" + line + end + rb")++")


@functools.cache
def _special_character() -> re.Pattern[bytes]:
    """In UTF-8: C1 controls, line and paragraph separator, U+E000 and U+E001, byte order mark, U+FFFE and U+FFFF."""
    return re.compile(rb"\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xee\x80[\x80\x81]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]")


# --- parse -----------------------------------------------------------------------------------------------------------


def parse(data: bytes, file: str) -> dict[str, Any]:
    """The map that a spec file holds: maps, lists, text, integers, floats, booleans and null.

    `data` is UTF-8 (a byte order mark is allowed), at most 1 MiB, one document; `file` is the repository path that
    findings name. Raises RelspecError with every finding there is, in the order of the file: see `CODES`.
    """
    if yaml_rs is not None and len(data) <= MAX_FILE and not needs_careful(data):
        try:
            document = yaml_rs.loads(data.decode(), parse_datetime=False)
        except ValueError:  # not YAML, not UTF-8, a duplicate key: the careful parser says what and where
            pass
        else:
            if type(document) is dict and document and (len(data) <= MAX_NODES or _nodes(document) <= MAX_NODES):
                return document
    return parse_carefully(data, file)


def _nodes(document: Any) -> int:
    """The maps, lists, scalars and keys of a document, itself included."""
    if isinstance(document, dict):
        return 1 + len(document) + sum(map(_nodes, document.values()))
    return 1 + sum(map(_nodes, document)) if isinstance(document, list) else 1


def parse_carefully(data: bytes, file: str) -> dict[str, Any]:
    """`parse` without the fast parser: the same result for every input."""
    reading = _read(data)
    if reading.problems:
        raise RelspecError(*(problem.finding(file) for problem in _limited(reading.problems)))
    document: dict[str, Any] = reading.documents[0].value
    return document


class Problem(Struct, frozen=True):
    """A finding before it knows its file; `also` is a second place."""

    code: str
    message: str
    range: Range
    hint: str = ""
    also: tuple[str, Range] | None = None

    def finding(self, file: str) -> Finding:
        related = (Related(self.also[0], Where(file, range=self.also[1])),) if self.also else ()
        return Finding(self.code, self.message, Where(file, range=self.range), self.hint, related)


def _limited(problems: tuple[Problem, ...]) -> Iterator[Problem]:
    """The problems in the order of the file, at most MAX_PER_CODE of each code; an anchor and what refers to it are one."""
    seen: dict[str, int] = {}
    aliases = sum(problem.code == ALIAS for problem in problems)
    for problem in sorted(problems, key=lambda p: (p.range, p.code)):
        seen[problem.code] = seen.get(problem.code, 0) + 1
        if problem.code == ALIAS and aliases > 1:
            if seen[ALIAS] == 1:
                message = f"{problem.message}, the first of {aliases} anchors, aliases and merge keys in this file"
                yield replace(problem, message=message)
        elif seen[problem.code] <= MAX_PER_CODE:
            yield problem


class _Node(Struct, frozen=True):
    """A YAML node: its value as plain data, its span, and the nodes inside (`keys` only for a map)."""

    value: Any
    range: Range
    keys: tuple[_Node, ...] = ()
    children: tuple[_Node, ...] = ()


class _Reading(Struct, frozen=True):
    """What the careful parser made of a text: its documents (as far as they could be read) and what is wrong."""

    documents: tuple[_Node, ...]
    problems: tuple[Problem, ...]


START: Final = Range(1, 1, 1, 1)


def _read(data: bytes) -> _Reading:
    """The documents in `data` and all problems; never raises."""
    if len(data) > MAX_FILE:
        message = "the file is larger than 1 MiB"
        return _Reading((), (Problem(TOO_LARGE, message, START, "split it, or keep the data outside the spec"),))
    if _is_wide(data):
        message = "this is UTF-16 or UTF-32, not UTF-8"
        return _Reading((), (Problem(NOT_UTF8, message, Range(1, 1, 1, 2), "save the file as UTF-8"),))
    try:
        text = data.removeprefix(BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        return _Reading((), (_not_utf8(data.removeprefix(BYTE_ORDER_MARK), error),))
    if text.count("\n") > MAX_LINES:
        message, line = f"the file has more than {MAX_LINES:,} lines", MAX_LINES + 1
        hint = "split it, or keep the data outside the spec"
        return _Reading((), (Problem(OUT_OF_RANGE, message, Range(line, 1, line, 1), hint),))
    problems = list(_control_characters(text))
    composer = _compose(FORBIDDEN.sub("\ufffd", text) if problems else text)
    tabs = tuple(_tabs(text, composer))
    tab_lines = {problem.range.line for problem in tabs}
    problems += tabs
    # Without its line ends nothing else of a text is where it should be.
    returned = LONE_RETURN.search(text) is not None
    problems += (p for p in composer.problems if p.code != SYNTAX or not (returned or p.range.line in tab_lines))
    problems += _reserved_directives(text)
    problems += _root_problems(composer, bool(problems))
    return _Reading(tuple(composer.documents), tuple(problems))


def _is_wide(data: bytes) -> bool:
    """Whether this is text of two or four bytes a character, which its mark need not say: a third of it is NUL."""
    head = data[:1024]
    return len(head) >= 4 and 3 * head.count(0) >= len(head)


def _not_utf8(data: bytes, error: UnicodeDecodeError) -> Problem:
    before = data[: error.start]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
    return Problem(NOT_UTF8, message, Range(line, column, line, column + 1), "save the file as UTF-8")


FORBIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ue000\ue001\ufeff\ufffe\uffff]|\r(?!\n)"
)
"""What a file may not hold: controls but tab and line end, invisible line ends, and the marks templates work with."""

FORBIDDEN_VALUE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ue000\ue001\ufffe\uffff]"
)
"""What text may not hold even where it is written as an escape."""


LONE_RETURN: Final = re.compile("\r(?!\n)")


def _control_characters(text: str) -> Iterator[Problem]:
    """The first of what a file may not hold, MAX_PER_CODE at most."""
    returned = False
    found, line, counted = 0, 1, 0
    for match in FORBIDDEN.finditer(text):
        if match[0] == "\r":
            if returned:
                continue  # lines end like that, or not: one mistake
            returned = True
        if found == MAX_PER_CODE:
            return
        found += 1
        line += text.count("\n", counted, match.start())
        counted = match.start()
        column = match.start() - text.rfind("\n", 0, match.start())
        hint = "save the file with line ends of Unix" if match[0] == "\r" else "remove it"
        message = f"the character U+{ord(match[0]):04X} is not allowed in a spec"
        yield Problem(CONTROL_CHARACTER, message, Range(line, column, line, column + 1), hint)


def _reserved_directives(text: str) -> Iterator[Problem]:
    """The first directives that ruamel.yaml passes over in silence: all but %YAML and %TAG."""
    found = 0
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line.startswith("%") and not line.startswith(("%YAML", "%TAG")):
            hint = "remove the line; specs are plain YAML"
            yield Problem(TAG, "this line is a YAML directive", _whole(lines, number), hint)
            found += 1
            if found == MAX_PER_CODE:
                return
        elif line.strip() and not line.startswith(("#", "%")):
            return


def _whole(lines: Sequence[str], number: int) -> Range:
    """The range of a line (counted from 1) from its first column to its last word."""
    return Range(number, 1, number, max(len(_line(lines, number - 1).rstrip()), 1) + 1)


def tabbed_lines(data: bytes) -> tuple[int, ...]:
    """The lines (counted from 1) of a UTF-8 file that are indented with tabs: all that RS109 is about."""
    text = data.decode("utf-8-sig")
    return tuple(problem.range.line for problem in _tabs(text, _compose(FORBIDDEN.sub("\ufffd", text))))


def _tabs(text: str, composer: _Composer) -> Iterator[Problem]:
    """Lines indented by tabs, but for those inside a scalar, where a tab is text."""
    if "\t" not in text:
        return
    inside = {line for root in composer.documents for line in _continuation_lines(root)}
    # A tab ends the reading: what is a block scalar further down, only the lines themselves say.
    inside.update(line for line in _block_lines(composer.lines) if line >= composer.at.line)
    # A blank line that ended the reading is wrong, too, and so are those after it.
    stumbled = (problem.range.line for problem in composer.problems if problem.code == SYNTAX)
    blank = next((n for n in stumbled if n <= len(composer.lines) and not composer.lines[n - 1].strip()), None)
    for number, line in enumerate(composer.lines, 1):
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        counts = line.strip() or (blank is not None and number >= blank)
        if "\t" in indent and counts and number not in inside:
            column = indent.index("\t") + 1
            span = Range(number, column, number, len(indent) + 1)
            said = ("this line is indented with a tab", "indent with spaces")
            message, hint = said if line.strip() else ("this blank line holds a tab", "remove it")
            yield Problem(TAB, message, span, hint)


BLOCK_SCALAR: Final = re.compile(r"( *(?:- +)*)(?:[^#\s].*:[ \t]+)?[|>][-+0-9]*[ \t]*(?:[ \t]#.*)?\r?")
"""A line after which a block scalar begins, and how far to the left its map or list stands."""


def _block_lines(lines: Sequence[str]) -> Iterator[int]:
    """The lines of block scalars, as far as they can be told without the lines around them."""
    parent: int | None = None
    for number, line in enumerate(lines, 1):
        spaces = len(line) - len(line.lstrip(" "))
        if parent is not None and (spaces > parent or not line.strip()):
            yield number
            continue
        opened = BLOCK_SCALAR.fullmatch(line)
        parent = None
        if opened is not None:
            # In `- |` the text goes by the dash, in `- key: |` by the key.
            head, in_list = opened[1], opened[0][len(opened[1]) :].startswith(("|", ">"))
            parent = head.rfind("-") if in_list else len(head)


def _continuation_lines(root: _Node) -> Iterator[int]:
    """The lines, after its first, of every scalar."""
    for node in _walk(root):
        if not node.children:
            yield from range(node.range.line + 1, node.range.end_line + 1)


def _walk(root: _Node) -> Iterator[_Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.keys)
        waiting.extend(node.children)


def _root_problems(composer: _Composer, broken: bool) -> Iterator[Problem]:
    """What is wrong with the documents as such."""
    ended = any(problem.code == SEVERAL_DOCUMENTS for problem in composer.problems)  # `...`, which says it already
    for span in () if ended else composer.starts[1:2]:  # one mistake, however often
        message = "a second YAML document begins here"
        yield Problem(SEVERAL_DOCUMENTS, message, span, "keep one document a file, without `---` in the middle")
    broken = broken or bool(composer.problems) or len(composer.starts) > 1
    root = composer.documents[0] if composer.documents else None
    if root is None or (root.value is None and root.range.line == root.range.end_line):
        if not broken:
            span = root.range if root else START
            yield Problem(NOT_A_MAP, "the document is empty", span, "start with `apiVersion: relspec/v1`")
    elif type(root.value) is not dict:
        what = "a list" if type(root.value) is list else "a single value"
        if not any(problem.code == SYNTAX for problem in composer.problems):
            message = f"the document is {what}, not a map"
            yield Problem(NOT_A_MAP, message, _first_line(root.range), "write `key: value` lines")


def _first_line(span: Range) -> Range:
    """A range cut to where it begins, if it runs over lines."""
    if span.line == span.end_line:
        return span
    return Range(span.line, span.column, span.line, span.column + 1)


# --- scalars ---------------------------------------------------------------------------------------------------------

CONSTANTS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}

INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
FLOAT: Final = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def _plain(text: str) -> Any:
    """The value of a plain scalar, by the table above; OverflowError where a number is out of range."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if INTEGER.fullmatch(text):
        if len(text) > 20 or int(text) not in INTEGERS:
            raise OverflowError("integer")
        return int(text)
    if FLOAT.fullmatch(text):
        number = float(text)
        vanished = number == 0.0 and re.search("[1-9]", re.split("[eE]", text)[0]) is not None
        if math.isinf(number) or vanished:
            raise OverflowError("float")
        return number
    return text


# --- nodes -----------------------------------------------------------------------------------------------------------


class _Open(Struct):
    """A map or list whose end has not been read yet; `nodes` alternates keys and values for a map."""

    is_map: bool
    flow: bool
    start: tuple[int, int]
    nodes: list[_Node] = field(default_factory=list)


class _TooMuchError(Exception):
    """Ends the reading: ruamel.yaml takes minutes for a text that goes on without end."""


class _Composer:
    """Builds nodes from ruamel's events and collects what a spec may not contain.

    Working on events rather than on ruamel's own nodes keeps what was read before a syntax error, reports every
    problem rather than the first, and needs no recursion, however deep the text nests.
    """

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.documents: list[_Node] = []
        self.starts: list[Range] = []
        self.problems: list[Problem] = []
        self.at = START
        self._open: list[_Open] = []
        self._aliases: set[Range] = set()
        self._nodes = 0

    def report(self, code: str, message: str, span: Range, hint: str, also: tuple[str, Range] | None = None) -> None:
        self.problems.append(Problem(code, message, span, hint, also))

    def take(self, event: Any) -> None:
        """One event of ruamel.yaml, told by its class's name so that nothing is imported for it."""
        self.at = _span(event)
        match type(event).__name__:
            case "ScalarEvent":
                self.scalar(event)
            case "MappingStartEvent":
                self.begin(event, is_map=True)
            case "SequenceStartEvent":
                self.begin(event, is_map=False)
            case "MappingEndEvent" | "SequenceEndEvent":
                self.end(event)
            case "AliasEvent":
                self.alias(event)
            case "DocumentStartEvent":
                self.document_start(event)
            case "DocumentEndEvent":
                self.document_end(event)

    def document_start(self, event: Any) -> None:
        self.starts.append(_span(event))
        if len(self.starts) > MAX_PER_CODE:
            raise _TooMuchError  # no more of them are reported
        if event.version is not None or event.tags:
            # The event begins at the `---` after it.
            lines = range(min(event.start_mark.line, len(self.lines)), 0, -1)
            line = next((n for n in lines if self.lines[n - 1].startswith("%")), event.start_mark.line + 1)
            hint = "remove the line; specs are plain YAML 1.2"
            self.report(TAG, "this line is a YAML directive", _whole(self.lines, line), hint)

    def document_end(self, event: Any) -> None:
        if event.explicit:
            message = "`...` ends the document; a spec is one document"
            self.report(SEVERAL_DOCUMENTS, message, _span(event), "remove the line")

    def count(self, event: Any) -> None:
        """One more map, list or scalar."""
        self._nodes += 1
        if len(self.problems) > MAX_PROBLEMS:
            raise _TooMuchError
        if self._nodes > MAX_NODES:
            message = f"the document has more than {MAX_NODES:,} maps, lists, keys and values"
            hint = "split it, or keep the data outside the spec"
            self.report(OUT_OF_RANGE, message, _first_line(_span(event)), hint)
            raise _TooMuchError

    def begin(self, event: Any, is_map: bool) -> None:
        self.count(event)
        self._properties(event)
        self._open.append(_Open(is_map, bool(event.flow_style), _position(event.start_mark)))
        if len(self._open) > MAX_DEPTH:
            message = f"maps and lists nest deeper than {MAX_DEPTH} levels"
            self.report(OUT_OF_RANGE, message, _first_line(_span(event)), "flatten the structure")
            raise _TooMuchError

    def end(self, event: Any) -> None:
        # The event of a block collection ends at the next token, after comments and blank lines that follow.
        self._close(_position(event.end_mark) if self._open[-1].flow else None)

    def finish(self) -> None:
        """Close what a syntax error left open, so that what was read keeps its positions."""
        while self._open:
            self._close(None)

    def alias(self, event: Any) -> None:
        self.count(event)
        message = f"`*{event.anchor}` is a YAML alias"
        self.report(ALIAS, message, _span(event), "write the value out, or share it through a base: `extends: …`")
        self._aliases.add(_span(event))
        self._add(_Node(None, _span(event)))

    def scalar(self, event: Any) -> None:
        self.count(event)
        self._properties(event)
        span = self._trimmed(_span(event)) if event.style in ("|", ">") else self._placed(_span(event))
        value: Any = event.value
        if event.style not in ("'", '"', "|", ">"):
            value = self._plain(value, span)
        elif (forbidden := FORBIDDEN_VALUE.search(value)) is not None:
            message = f"the character U+{ord(forbidden[0]):04X} is not allowed in a spec"
            self.report(CONTROL_CHARACTER, message, span, "remove it")
        self._add(_Node(value, span))

    def _plain(self, text: str, span: Range) -> Any:
        try:
            return _plain(text)
        except OverflowError:
            shown = text if len(text) <= 40 else text[:37] + "…"
            message, hint = f"the number {shown} is out of range", f'if it is text, write "{shown}" in quotes'
            if self._is_secret(text):
                message, hint = "a number is out of range", KEEP_OUTSIDE
            self.report(OUT_OF_RANGE, message, span, hint)
            return 0

    def _is_secret(self, text: str) -> bool:
        """Whether the next scalar lies below the name of a secret, or is the word of a command that follows one."""
        keys = (inside.nodes[-1].value for inside in self._open if inside.is_map and len(inside.nodes) % 2)
        if any(isinstance(key, str) and names_secret(key) for key in keys):
            return True
        inside = self._open[-1] if self._open else None
        before = inside.nodes[-1].value if inside is not None and not inside.is_map and inside.nodes else None
        return any(index == 1 for index in secret_words([before, text]))

    def _properties(self, event: Any) -> None:
        """Report the anchor and the tag of a node."""
        if event.anchor is not None:
            message = f"`&{event.anchor}` is a YAML anchor"
            span = self._property("&", event)
            self.report(ALIAS, message, span, "remove it; to share values use a base: `extends: …`")
        if event.tag is not None:
            span = self._property("!", event)
            written = (
                self.lines[span.line - 1][span.column - 1 : span.end_column - 1] if span.line <= len(self.lines) else ""
            )
            shown = written if written.startswith("!") else event.tag
            message = f"`{shown if len(shown) <= 60 else shown[:57] + '...'}` is a YAML tag"
            self.report(TAG, message, span, "remove it; write text in quotes, numbers and booleans plain")

    def _property(self, sign: str, event: Any) -> Range:
        """The range of the word that begins with `sign` in front of a node, or the node's first line."""
        span = _first_line(_span(event))
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        word = re.compile(r"!<[^>]*>|" + re.escape(sign) + r"[^\s,\[\]{}]*").search(line, span.column - 1)
        return span if word is None else Range(span.line, word.start() + 1, span.line, word.end() + 1)

    def _placed(self, span: Range) -> Range:
        """The range of an empty value moved to its key's `:`; ruamel.yaml puts it before whatever comes next."""
        inside = self._open[-1] if self._open else None
        if (span.line, span.column) != (span.end_line, span.end_column) or inside is None or not inside.is_map:
            return span
        key = inside.nodes[-1].range if len(inside.nodes) % 2 else None
        colon = self.lines[key.end_line - 1].find(":", key.end_column - 1) if key is not None else -1
        return span if key is None or colon < 0 else Range(key.end_line, colon + 2, key.end_line, colon + 2)

    def _trimmed(self, span: Range) -> Range:
        """A block scalar's range without the line end and blank lines after its last line."""
        line = min(span.end_line, len(self.lines))
        if span.end_column == 1 and line > span.line:
            line -= 1
        while line > span.line and not self.lines[line - 1].strip(" \r"):
            line -= 1
        text = self.lines[line - 1].removesuffix("\r")
        return Range(span.line, span.column, line, len(text) + 1)

    def _close(self, end: tuple[int, int] | None) -> None:
        closed = self._open.pop()
        if end is None:
            last = closed.nodes[-1].range if closed.nodes else Range(*closed.start, *closed.start)
            end = (last.end_line, last.end_column)
        span = Range(*closed.start, *end)
        if not closed.is_map:
            self._add(_Node([node.value for node in closed.nodes], span, (), tuple(closed.nodes)))
            return
        keys, values = closed.nodes[::2], closed.nodes[1::2]
        if len(values) < len(keys):  # a syntax error came between a key and its value
            after = keys[-1].range
            values.append(_Node(None, Range(after.end_line, after.end_column, after.end_line, after.end_column)))
        self._add(_Node(self._map(keys, values), span, tuple(keys), tuple(values)))

    def _map(self, keys: list[_Node], values: list[_Node]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, Range] = {}
        for key, value in zip(keys, values, strict=True):
            name = key.value
            if type(name) is not str:
                if key.range not in self._aliases:  # which is said already
                    self._key_is_not_text(key)
            elif name == "<<" and self._source(key.range) == "<<":
                self.report(ALIAS, "`<<` is a YAML merge key", key.range, "share values through a base: `extends: …`")
            elif name in first:
                message = f"the key {name!r} is written twice"
                self.report(DUPLICATE_KEY, message, key.range, "keep one of the two", ("it is here first", first[name]))
            else:
                first[name] = key.range
                found[name] = value.value
        return found

    def _key_is_not_text(self, key: _Node) -> None:
        what = {dict: "a map", list: "a list", bool: "a boolean", int: "a whole number", float: "a number"}
        kind = what.get(type(key.value), "null")
        source = self._source(key.range)
        hint = f'write "{source}" in quotes' if source and not key.children else "write a key before the `:`"
        self.report(KEY_NOT_TEXT, f"this key is {kind}, not text", _first_line(key.range), hint)

    def _source(self, span: Range) -> str:
        """The text of a range on one line; empty for a longer one."""
        if span.line != span.end_line:
            return ""
        return self.lines[span.line - 1][span.column - 1 : span.end_column - 1]

    def _add(self, node: _Node) -> None:
        if self._open:
            self._open[-1].nodes.append(node)
        else:
            self.documents.append(node)


def _compose(text: str) -> _Composer:
    """Read `text` with ruamel.yaml as far as it goes; a syntax error ends it and becomes a problem."""
    from ruamel.yaml.error import MarkedYAMLError  # noqa: PLC0415  (30 ms, and most runs never need it)

    composer = _Composer(text)
    try:
        for event in events(text):
            composer.take(event)
    except MarkedYAMLError as error:
        composer.problems.append(syntax_problem(error, composer.lines))
    except _TooMuchError:
        pass  # it has been reported
    except Exception:  # what nobody thought of is no reason to keep the place from who wrote it
        composer.report(SYNTAX, UNREADABLE, _first_line(composer.at), "write the line in another way")
    composer.finish()
    return composer


UNREADABLE: Final = "this can't be read as YAML"

BEYOND_UNICODE: Final = "an escape that stands for no character"


def events(text: str) -> Iterator[Any]:
    """ruamel.yaml's events of a text, for whoever reads YAML that others wrote.

    Raises MarkedYAMLError and nothing else: also where ruamel.yaml fails in another way, as it does for an escape beyond
    Unicode. Half a surrogate pair, which it passes on, is refused as go-yaml does.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.error import MarkedYAMLError, StringMark  # noqa: PLC0415
    from ruamel.yaml.reader import ReaderError  # noqa: PLC0415

    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _scanner()
    end = StringMark("", 0, 0, 0, None, 0)
    try:
        for event in yaml.parse(text):
            end = event.end_mark
            yield event
    except MarkedYAMLError:
        raise
    except ReaderError as error:
        line = text.count("\n", 0, error.position)
        column = error.position - text.rfind("\n", 0, error.position) - 1
        message = "special characters are not allowed"
        raise MarkedYAMLError(None, None, message, StringMark("", 0, line, column, None, 0)) from error
    except Exception as error:
        raise MarkedYAMLError(None, None, UNREADABLE, end) from error


ESCAPE: Final = re.compile(r"\\(?:U([0-9A-Fa-f]{8})|u([0-9A-Fa-f]{4})|.)", re.DOTALL)


@functools.cache
def _scanner() -> Any:
    """ruamel.yaml's scanner, but it says where each failure is, and refuses half a surrogate pair."""
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415
    from ruamel.yaml.scanner import ScannerError  # noqa: PLC0415

    class GuardedScanner(_bounded_scanner()):  # type: ignore[misc]
        def fetch_more_tokens(self) -> Any:
            try:
                return super().fetch_more_tokens()
            except YAMLError:
                raise
            except Exception as error:
                raise ScannerError(None, None, UNREADABLE, self.reader.get_mark()) from error

        def scan_flow_scalar_non_spaces(self, double: Any, start_mark: Any) -> Any:
            mark, begin = self.reader.get_mark(), self.reader.pointer
            try:
                chunks = super().scan_flow_scalar_non_spaces(double, start_mark)
                "".join(chunks).encode()
            except (ValueError, OverflowError) as error:  # no character, or half of one
                mark = _at_the_escape(mark, self.reader.buffer, begin)
                raise ScannerError("while scanning a double-quoted scalar", mark, BEYOND_UNICODE, mark) from error
            return chunks

    return GuardedScanner


def _bounded_scanner() -> Any:
    """ruamel.yaml's scanner without what takes it too long."""
    from ruamel.yaml.scanner import Scanner, ScannerError  # noqa: PLC0415

    class BoundedScanner(Scanner):
        directives = 0

        def fetch_directive(self) -> None:
            self.directives += 1
            if self.directives > MAX_PER_CODE:
                mark = self.reader.get_mark()
                raise ScannerError("while scanning a directive", mark, "too many directives", mark)
            super().fetch_directive()

        def scan_tag(self) -> Any:
            token = super().scan_tag()
            if token.end_mark.index - token.start_mark.index > MAX_TAG:
                raise ScannerError("while scanning a tag", token.start_mark, "a tag is too long", token.start_mark)
            return token

    return BoundedScanner


def _at_the_escape(mark: Any, text: str, begin: int) -> Any:
    """`mark`, which is at the offset `begin`, moved to the first escape from there that stands for no character."""
    for escape in ESCAPE.finditer(text, begin):
        code = int(escape[1] or escape[2] or "0", 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            before = text[begin : escape.start()]
            mark.column = len(before) - before.rfind("\n") - 1 + (0 if "\n" in before else mark.column)
            mark.line += before.count("\n")
            break
    return mark


def _position(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _span(event: Any) -> Range:
    return Range(*_position(event.start_mark), *_position(event.end_mark))


# --- syntax errors ---------------------------------------------------------------------------------------------------

NO_COLON: Final = ("this line is neither `key: value` nor `- item`", "write one of the two, each with its space")
TOO_FAR: Final = ("this line is indented too far", "line it up with its neighbours")
KEY: Final = ("YAML can't read this key", f"write the key on one line, at most {MAX_KEY:,} characters")
QUOTES: Final = ('"', "'")
WORDS: Final = re.compile(r"[ ]*(?!- )(?:\w|[-./])(?:[^:\"'\[\]{},]|:(?=\S))*")
"""A line that is neither a key nor an item, and no part of a quoted text or a flow collection."""

EXPLANATIONS: Final[tuple[tuple[str, str, str], ...]] = (
    (BEYOND_UNICODE, BEYOND_UNICODE, "write the character itself, or \\\\ for a backslash"),
    ("special characters", "a character that YAML does not allow, such as a control character", "remove it"),
    (UNREADABLE, UNREADABLE, "write the line in another way"),
    ("mapping values are not allowed", "a second `: ` on one line", "quote the value"),
    ("could not find expected ':'", *NO_COLON),
    (
        "character '\\t' that cannot start",
        "a tab where only spaces may stand",
        "use spaces, or put the value in quotes",
    ),
    ("cannot start any token", "a value can't begin with this character", "put the value in quotes"),
    ("unexpected end of stream", "a quote is opened here and never closed", "close it"),
    ("unexpected document separator", "a quote is opened here and never closed", "close it"),
    (
        "unknown escape character",
        "this is no escape in double quotes",
        "write \\\\ for a backslash, or use single quotes",
    ),
    ("expected escape sequence", "this is no complete escape in double quotes", "write \\\\ for a backslash"),
    ("sequence entries are not allowed", "a list can't begin here", "put `- ` on a line of its own below the key"),
    ("expected <block end>", "this line is indented unlike the ones before it", "line it up with its neighbours"),
    ("expected ',' or ']'", "a `[` is opened and not closed", "add `,` or `]`"),
    ("expected ',' or '}'", "a `{` is opened and not closed", "add `,` or `}`"),
    ("did not find expected ',' or", "a bracket is opened and not closed", "close it"),
    ("mapping keys are not allowed", "a `?` key can't stand here", "write `key: value`"),
    ("expected '<document start>'", "text after the end of the document", "line it up with the lines before it"),
    ("node content, but found '<stream end>'", "the text ends where a value should follow", "close the bracket"),
    ("undefined tag handle", "a tag with a handle that is not defined", "remove it"),
    ("a tag is too long", f"a tag of more than {MAX_TAG:,} characters", "remove it"),
    ("expected '>'", "a tag begins with `!<` and does not end", "remove it"),
    ("codec can't decode", "an escape in a tag that is not UTF-8", "remove it"),
    ("expected URI", "a tag that is not complete", "remove it"),
    ("YAML directive", "a directive is written twice", "remove the line"),
    ("incompatible YAML document", "the document asks for another YAML than 1.x", "remove the line"),
    ("too many directives", "too many directives", "remove the lines"),
    ("expected the node content", "a value is missing here", "write the value, or remove the sign before it"),
    (
        "expected alphabetic or numeric character",
        "`&` and `*` begin an anchor or an alias in YAML, and this is neither",
        "put the value in quotes",
    ),
    (
        "expected a comment or a line break",
        "after `|` or `>` the text begins on the next line",
        "put the value in quotes, or on the lines below",
    ),
    (
        "expected chomping or indentation indicators",
        "after `|` or `>` the text begins on the next line",
        "put the value in quotes, or on the lines below",
    ),
    ("indentation indicator", "`|` and `>` take an indent from 1 to 9", "remove the number"),
    ("unexpected ':'", "a `:` can't stand here between brackets", "put the value in quotes"),
    ("non-comment content after", "text after the end of the document", "remove it"),
    ("duplicate anchor", "an anchor is written twice", "remove it; to share values use a base: `extends: …`"),
)
"""Part of a parser's message, what it means to whoever wrote the file, and what to do."""


def why_not_json(error: Exception) -> str:
    """What Python's json says of a text or a value, without what it says to Python programmers."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return "a number has too many digits" if "sys.set_int_max_str_digits" in str(error) else str(error)


SECOND_COLON: Final = ("a value between brackets can't hold a second `: `", "put the value in quotes")


def syntax_problem(error: MarkedYAMLError, lines: list[str]) -> Problem:
    """One sentence for a parser's error, where it helps most: an unclosed quote at the quote, else at the problem."""
    problem = str(error.problem or error.context or "not valid YAML")
    message, hint = UNREADABLE, "correct the line, or put the value in quotes"
    for part, explanation, advice in EXPLANATIONS:
        if part in problem:
            message, hint = explanation, advice
            break
    whole = _no_simple_key(error, problem, lines) or _whole_line(error, problem, lines)
    if whole is not None:
        return whole
    if "but got ':'" in problem and _on_one_line(error):
        message, hint = SECOND_COLON
    opened = "never closed" in message or "not closed" in message
    mark = (error.context_mark if opened else None) or error.problem_mark or error.context_mark
    code = SYNTAX
    if "directive" in problem or (mark is not None and _line(lines, mark.line).startswith("%")):
        code, message, hint = TAG, "this line is a YAML directive", "remove the line; specs are plain YAML 1.2"
    elif "undefined tag handle" in problem or re.search("(?:scanning|parsing) an? tag", str(error.context)):
        code, message, hint = TAG, "this is a YAML tag", "remove it; write text in quotes, numbers and booleans plain"
    if mark is None:
        return Problem(code, message, START, hint)
    line, column = mark.line + 1, mark.column + 1
    if code == TAG and _line(lines, mark.line).startswith("%"):
        return Problem(code, message, _whole(lines, line), hint)
    return Problem(code, message, Range(line, column, line, column + 1), hint)


def _no_simple_key(error: MarkedYAMLError, problem: str, lines: list[str]) -> Problem | None:
    """A key that is too long for YAML, or that runs over lines: parsers stumble over its `:`."""
    mark = error.problem_mark
    if "could not find expected ':'" in problem and error.context_mark is not None:
        line, column = error.context_mark.line, error.context_mark.column
        text = _line(lines, line)[column:].rstrip()
        quote = text[:1] if text[:1] in QUOTES else ""
        unclosed = bool(quote) and text.count(quote) % 2 == 1
        end = text.rfind(f"{quote}:")
        key = text if unclosed else text[: end + len(quote)] if end >= 0 else ""
    elif mark is not None and ("mapping values" in problem or "but got ':'" in problem):
        line = mark.line
        before = _line(lines, line)[: mark.column].rstrip()
        quote = before[-1:] if before[-1:] in QUOTES else ""
        unclosed = bool(quote) and before.count(quote) % 2 == 1
        start = before.rfind(quote, 0, -1) if quote else max(before.rfind(sign) for sign in "{[,")
        key = before[start if quote and start >= 0 else start + 1 :].lstrip(" ").removeprefix("- ")
        column = len(before) - len(key)
        if not quote and ": " in key:
            return None  # it is the second of two
    else:
        return None
    if not unclosed and len(key) <= MAX_KEY:
        return None
    return Problem(SYNTAX, KEY[0], Range(line + 1, column + 1, line + 1, column + len(key) + 1), KEY[1])


def _whole_line(error: MarkedYAMLError, problem: str, lines: list[str]) -> Problem | None:
    """A line that is wrong as a whole: one whose `:` was forgotten, at which no parser stumbles but at what comes after,
    or a key that is indented like text that goes on."""
    mark = error.problem_mark
    if "could not find expected ':'" in problem and error.context_mark is not None:
        return _without_colon(lines, error.context_mark.line)
    if mark is None or not ("mapping values" in problem or "expected <block end>" in problem):
        return None
    index = mark.line - 1
    while index > 0 and (not lines[index].strip() or lines[index].lstrip().startswith("#")):
        index -= 1
    key = _line(lines, mark.line)[: mark.column]
    if _indent(_line(lines, index)) == _indent(_line(lines, mark.line)):
        return _without_colon(lines, index) if WORDS.fullmatch(_line(lines, index).split(" #")[0].rstrip()) else None
    if "mapping values" in problem and ": " not in key:
        return Problem(
            SYNTAX, TOO_FAR[0], Range(mark.line + 1, _indent(key) + 1, mark.line + 1, len(key) + 1), TOO_FAR[1]
        )
    return None


def _without_colon(lines: list[str], index: int) -> Problem:
    text = _line(lines, index).split(" #")[0].rstrip()
    return Problem(SYNTAX, NO_COLON[0], Range(index + 1, _indent(text) + 1, index + 1, len(text) + 1), NO_COLON[1])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _on_one_line(error: MarkedYAMLError) -> bool:
    """Whether what a parser stumbled over stands on the line on which it began."""
    begin, end = error.context_mark, error.problem_mark
    return begin is not None and end is not None and bool(begin.line == end.line)


def _line(lines: Sequence[str], index: int) -> str:
    return lines[index] if index < len(lines) else ""


# --- positions -------------------------------------------------------------------------------------------------------


def locate(data: bytes, path: Path, part: Part) -> Range:
    """Where the key or the value at `path` is written in `data`; see `locator`."""
    return locator(data)(path, part)


def locator(data: bytes) -> Callable[[Path, Part], Range]:
    """A function from a path to a range in `data`, which is parsed once; not at all where its lines say enough.

    Lines and columns count from 1, columns in characters, a byte order mark not counted. A value's range is exact: it
    runs from its first character to after its last (a block scalar from its `|`, without the last line end), so that
    it can be spliced. An item of a list has no key: its range is the value's. Where the path leads nowhere the answer
    is the key of the innermost map (or list) that exists, for the root the first key; so is the key of the document. Works on broken files too, as
    far as they can be read. Of a duplicate key the first is meant. Only the first document counts.
    """
    careful = functools.cache(lambda: _read(data).documents)
    outline = _outline(data)
    asked = itertools.count(1)

    def located(path: Path, part: Part) -> Range:
        # Each answer of the outline is a walk over the lines: of many in a large file one careful parse is cheaper.
        quick = outline is not None and next(asked) * len(data) <= MAX_OUTLINED
        span = outline.range(path, part) if quick and outline is not None else None
        return span if span is not None else _located(next(iter(careful()), _Node(None, START)), path, part)

    return located


def _outline(data: bytes) -> Outline | None:
    """The outline of a text that the fast parser may read."""
    if yaml_rs is None or len(data) > MAX_FILE or b"\r" in data or needs_careful(data):
        return None
    try:
        document = yaml_rs.loads(data.decode(), parse_datetime=False)
    except ValueError:
        return None
    return Outline(data.decode(), document) if type(document) is dict and document else None


def _located(root: _Node, path: Path, part: Part) -> Range:
    if not path and part == "key":
        return _enclosing(root, None)
    node, key = root, None
    for step in path:
        found = _child(node, step)
        if found is None:
            # Below a scalar nothing can be missing: it is the short form of what the path speaks of.
            short_form = part == "value" and not isinstance(node.value, dict | list | None)
            return node.range if short_form else _enclosing(node, key)
        key, node = found
    return key.range if part == "key" and key is not None else node.range


def _child(node: _Node, step: str | int) -> tuple[_Node | None, _Node] | None:
    """The key (none in a list) and the value at one step of a path."""
    if isinstance(step, str):
        for key, value in zip(node.keys, node.children, strict=False):
            if key.value == step:
                return key, value
    elif type(node.value) is list and 0 <= step < len(node.children):
        return None, node.children[step]
    return None


def _enclosing(node: _Node, key: _Node | None) -> Range:
    """Where to say that something is missing in `node`."""
    if key is not None:
        return key.range
    return node.keys[0].range if node.keys else _first_line(node.range)


def path_at_line(data: bytes, line: int) -> tuple[int, Path] | None:
    """The document (counted from 0) and the deepest path whose entry begins on `line` (counted from 1).

    An entry begins at its key, an item of a list at its value. Of several on one line the deepest counts, of equally
    deep ones the first. None where nothing begins: comments, blank lines, the inside of a multi-line scalar.
    """
    for index, root in enumerate(_read(data).documents):
        best: Path | None = None
        for path, begins in _entries(root):
            if begins.line == line and (best is None or len(path) > len(best)):
                best = path
        if best is not None:
            return index, best
    return None


def _entries(root: _Node) -> Iterator[tuple[Path, Range]]:
    """Every path below a node with the range where its entry begins, in the order of the file."""
    waiting: list[tuple[Path, _Node, Range]] = [((), root, root.range)]
    while waiting:
        path, node, begins = waiting.pop()
        if path:
            yield path, begins
        inner: list[tuple[Path, _Node, Range]] = []
        if type(node.value) is list:
            inner = [((*path, i), child, child.range) for i, child in enumerate(node.children)]
        else:
            pairs = zip(node.keys, node.children, strict=True)
            inner = [((*path, key.value), child, key.range) for key, child in pairs if type(key.value) is str]
        waiting.extend(reversed(inner))
