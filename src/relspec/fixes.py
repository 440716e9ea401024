"""Edits that mend a finding for certain: `relspec check --fix`, and the fixes that reports carry.

A rule says what would mend its finding as a `Remedy`, in terms of the document; some codes need none. Here that becomes
an edit, and only where it can't be wrong: the file is checked with and without it, and the edit is dropped unless the
finding goes, nothing else becomes wrong, and no other value changes. Values in, values out: nothing is written here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from relspec import documents, edits
from relspec.diagnostics import Diagnostic, Finding, Fix, Path, Range, RelspecError, Remedy, Severity
from relspec.layers import merges
from relspec.spec.environment import EnvironmentSpec
from relspec.spec.registry import Model, ModelVersion
from relspec.spec.release import Release
from relspec.spec.repository import Lock, Repository
from relspec.spec.validation import validate

MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "Release": Release,
    "Environment": EnvironmentSpec,
    "Model": Model,
    "ModelVersion": ModelVersion,
    "Repository": Repository,
    "Lock": Lock,
}
"""What a document of each kind has to fit."""

LAYERED: Final = ("Release", "Environment")

MAX_FIXED_FILE: Final = 128 * 1024
"""Bytes of a file that fixes are worked out for: each takes a few careful reads of it."""

MAX_FIXED_SIGNS: Final = 10_000
"""Lines and commas of such a file: the careful parser's time goes by them."""

MAX_READ: Final = 2**20
"""Bytes of all files, each counted once a fix, that one report's fixes are worked out for."""

MAX_FIXES: Final = 100
"""Fixes that one report carries: enough to act on. `--fix` works them all out, round by round."""

Read = Callable[[str], bytes]
Made = tuple[str, bytes]
"""What an edit is called, and the file with it."""


def with_fixes(diagnostics: Sequence[Diagnostic], read: Read, limit: int | None = MAX_FIXES) -> tuple[Diagnostic, ...]:
    """The diagnostics, each with its fix where there is one; `limit` is how many are looked at (None: all).

    `read` gives a file's bytes and raises RelspecError where there is none.
    """
    left = len(diagnostics) if limit is None else limit
    unread = MAX_READ
    meant = Counter(_new_name(diagnostic) for diagnostic in diagnostics)
    found = []
    for diagnostic in diagnostics:
        fix = None
        # Of two slips of one key nobody knows which is meant.
        if left > 0 and unread > 0 and _may_have_one(diagnostic) and meant[_new_name(diagnostic)] < 2:
            left -= 1
            unread -= 0 if limit is None else _size(read, diagnostic.file)
            fix = fix_of(diagnostic, read)
        found.append(diagnostic if fix is None else replace(diagnostic, fix=fix))
    return tuple(found)


def _size(read: Read, file: str) -> int:
    try:
        return len(read(file))
    except RelspecError:
        return 0


def _new_name(diagnostic: Diagnostic) -> tuple[str, Path, str, int]:
    """The key that a rename gives, with its place; other diagnostics are told apart by themselves."""
    remedy = diagnostic.remedy
    if remedy is not None and remedy.what == "rename":
        return (diagnostic.file, diagnostic.path[:-1], remedy.key, 0)
    return ("", (), "", id(diagnostic))


def fix_of(diagnostic: Diagnostic, read: Read) -> Fix | None:
    """The edit that mends what a diagnostic says; None where none is certain."""
    if not _may_have_one(diagnostic):
        return None
    try:
        data = read(diagnostic.file)
        if len(data) > MAX_FIXED_FILE or data.count(b"\n") + data.count(b",") > MAX_FIXED_SIGNS:
            return None
        made = next((made for made in _made(diagnostic, data) if _is_certain(diagnostic, data, made[1])), None)
    except (RelspecError, ValueError, LookupError, TypeError):
        return None
    if made is None:
        return None
    edit = difference(data, made[1])
    return Fix(made[0], diagnostic.file, edit.range, edit.text)


def made_at_once(data: bytes, fixes: Iterable[Fix]) -> tuple[bytes, tuple[Fix, ...]]:
    """A file with its fixes, and which those are: not those that touch one before them, or go wrong with the others.

    The first is always made, so that round by round all are.
    """
    made, chosen = data, list[Fix]()
    for fix in sorted(set(fixes), key=lambda fix: (fix.range, fix.text)):
        if not chosen:
            made, chosen = _spliced(data, [fix]), [fix]
        elif _end(chosen[-1].range) < (fix.range.line, fix.range.column):
            more = _spliced(data, [*chosen, fix])
            if _is_no_worse(made, more, fix.file):
                made = more
                chosen.append(fix)
    return made, tuple(chosen)


def _spliced(data: bytes, fixes: Sequence[Fix]) -> bytes:
    return edits.splice(data, [edits.Edit(fix.range, fix.text) for fix in fixes])


def _is_no_worse(before: bytes, after: bytes, file: str) -> bool:
    """Whether a file that gets another edit has no more problems than it had, and none of another kind."""
    kind = _kind(after, file)
    old, new = _problems(before, file, kind), _problems(after, file, kind)
    return sum(new.values()) <= sum(old.values()) and {code for code, *_ in new} <= {code for code, *_ in old}


def difference(old: bytes, new: bytes) -> edits.Edit:
    """The one edit that makes `new` of `old`, both UTF-8: what is between their common beginning and end, whole words."""
    before, after = old.decode("utf-8-sig"), new.decode("utf-8-sig")
    shorter = min(len(before), len(after))
    start = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    tail = next((i for i in range(shorter - start) if before[-1 - i] != after[-1 - i]), shorter - start)
    # Whole words, as people read a change; an insertion between words stays one.
    while start and WORD(before[start - 1]) and (WORD(before[start : start + 1]) or WORD(after[start : start + 1])):
        start -= 1
    while tail and WORD(before[-tail]) and _changed_word_before(before, after, start, tail):
        tail -= 1
    end = len(before) - tail
    span = Range(*_position(before, start), *_position(before, end))
    return edits.Edit(span, after[start : len(after) - tail])


WORD: Final = re.compile(r"""[\w.'"-]""").match


def _changed_word_before(before: str, after: str, start: int, tail: int) -> bool:
    """Whether what changes ends in the middle of a word, `tail` characters before the end."""
    ends = (text[len(text) - tail - 1] for text in (before, after) if len(text) - tail > start)
    return any(WORD(sign) for sign in ends)


def _position(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _end(span: Range) -> tuple[int, int]:
    return span.end_line, span.end_column


def _may_have_one(diagnostic: Diagnostic) -> bool:
    known = diagnostic.remedy is not None or diagnostic.code in BY_CODE
    return known and diagnostic.range is not None and diagnostic.severity is Severity.ERROR


# --- certainty ---------------------------------------------------------------------------------------------------------


def _is_certain(diagnostic: Diagnostic, before: bytes, after: bytes) -> bool:
    """Whether the finding goes and nothing else becomes wrong.

    What lies below a key that gets its right name was not looked at before: it may be wrong on its own.
    """
    if before == after:
        return False
    file = diagnostic.file
    kind = _kind(after, file)
    old, new = _problems(before, file, kind), _problems(after, file, kind)
    renamed = diagnostic.remedy is not None and diagnostic.remedy.what == "rename"
    below = (*diagnostic.path[:-1], diagnostic.remedy.key) if renamed and diagnostic.remedy is not None else None
    more = [path for (_, path, _) in new - old if below is None or path[: len(below)] != below or path == below]
    if more:
        return False
    # What only shows when all layers are merged is no problem of the document by itself.
    of_document = any(code == diagnostic.code and path == diagnostic.path for code, path, _ in old)
    if of_document or not _parses(before, file):
        return sum((old - new).values()) > 0
    return _parses(after, file)


Problem = tuple[str, Path, str]


def _kind(data: bytes, file: str) -> str:
    """The kind that a document says it is; empty where it can't be read."""
    try:
        return str(documents.parse(data, file).get("kind"))
    except RelspecError:
        return ""


def _problems(data: bytes, file: str, kind: str) -> Counter[Problem]:
    """What is wrong by itself with a document that should be of a kind, each with its place."""
    try:
        document = documents.parse(data, file)
    except RelspecError as error:
        return Counter((finding.code, (), finding.message) for finding in error.findings)
    model = MODELS.get(kind)
    if model is None:
        return Counter([("RS123", ("kind",), kind)])
    found: Iterable[Finding]
    found = validate(model, document, file, merges=merges) if kind in LAYERED else validate(model, document, file)
    return Counter((finding.code, finding.where.path, finding.message) for finding in found)


def _parses(data: bytes, file: str) -> bool:
    try:
        documents.parse(data, file)
    except RelspecError:
        return False
    return True


# --- edits by remedy ---------------------------------------------------------------------------------------------------


def _made(diagnostic: Diagnostic, data: bytes) -> Iterator[Made]:
    """The edits that may mend it, the likeliest first."""
    if diagnostic.remedy is not None:
        yield from BY_REMEDY[diagnostic.remedy.what](diagnostic, diagnostic.remedy, data)
    elif diagnostic.code in BY_CODE:
        yield from BY_CODE[diagnostic.code](diagnostic, data)


def _rename(diagnostic: Diagnostic, remedy: Remedy, data: bytes) -> Iterator[Made]:
    made = edits.rename_key(data, diagnostic.path, remedy.key, file=diagnostic.file)
    yield f"rename it to {remedy.key}", made


def _quote(diagnostic: Diagnostic, _remedy: Remedy, data: bytes) -> Iterator[Made]:
    """A number or a boolean, as it is written, between quotes."""
    source = _source(data, diagnostic.range)
    held = _held(data, diagnostic.path, diagnostic.file)
    if isinstance(held, bool | int | float) and re.fullmatch(r"[-+.\w]+", source):
        yield f'write "{source}" in quotes', edits.put(data, diagnostic.path, source, file=diagnostic.file)


def _write(diagnostic: Diagnostic, remedy: Remedy, data: bytes) -> Iterator[Made]:
    held = _held(data, diagnostic.path, diagnostic.file)
    if not isinstance(held, str):
        return
    if isinstance(remedy.value, str):
        yield f"write {remedy.value}", edits.put(data, diagnostic.path, remedy.value, file=diagnostic.file)
        return
    # Not by `put`, which may only be told the value: quotes have to go.
    text = str(remedy.value).lower() if isinstance(remedy.value, bool) else str(remedy.value)
    span = documents.locate(data, diagnostic.path, "value")
    if "\n" not in held and span.line == span.end_line:
        yield f"write {text} without quotes", edits.splice(data, [edits.Edit(span, text)])


def _add(diagnostic: Diagnostic, remedy: Remedy, data: bytes) -> Iterator[Made]:
    """A line at the head of the document: `apiVersion`, then `kind`."""
    if diagnostic.path or not isinstance(remedy.value, str):
        return
    names = list(documents.parse(data, diagnostic.file))
    place = names[1:] if remedy.key == "kind" and names[0] == "apiVersion" else names
    if not place:
        return
    before = documents.locate(data, (place[0],), "key")
    end = "\r\n" if b"\r\n" in data else "\n"
    line = f"{remedy.key}: {remedy.value}"
    insertion = edits.Edit(
        Range(before.line, before.column, before.line, before.column), f"{line}{end}{' ' * (before.column - 1)}"
    )
    yield f"add {line}", edits.splice(data, [insertion])


def _held(data: bytes, path: Path, file: str) -> Any:
    """The value at a path; LookupError or TypeError where there is none."""
    node: Any = documents.parse(data, file)
    for step in path:
        node = node[step]
    return node


def _source(data: bytes, span: Range | None) -> str:
    """The text of a range on one line; empty for another one."""
    if span is None or span.line != span.end_line:
        return ""
    lines = data.decode("utf-8-sig").split("\n")
    return lines[span.line - 1][span.column - 1 : span.end_column - 1] if span.line <= len(lines) else ""


# --- edits by code -----------------------------------------------------------------------------------------------------


def _duplicate_key(diagnostic: Diagnostic, data: bytes) -> Iterator[Made]:
    """RS101: the second of two lines that say the same."""
    span = diagnostic.range
    if span is None or not diagnostic.related:
        return
    first = diagnostic.related[0].range
    lines = data.decode("utf-8-sig").split("\n")
    one, other = lines[first.line - 1], lines[span.line - 1]
    # A block below the key, a flow collection or a scalar over several lines may differ further down.
    simple = re.fullmatch(r" *[^\s:#]+: +[^\s|>&*!{\[][^{}\[\]]*", one)
    if one != other or not simple or first.line == span.line or _goes_on(lines, span) or _goes_on(lines, first):
        return
    about_one, about_other = _comments_above(lines, first.line), _comments_above(lines, span.line)
    if about_other and not about_one:
        yield "remove the first line, which says the same", _without_lines(data, first.line, first.line)
    elif (not about_other or about_one == about_other) and span.line < len(lines):
        above = span.line - len(about_other)
        yield "remove the second line, which says the same", _without_lines(data, above, span.line)


def _comments_above(lines: Sequence[str], line: int) -> list[str]:
    """The comments right above a line, with its indent: they are about it."""
    text = lines[line - 1]
    start = " " * (len(text) - len(text.lstrip(" "))) + "#"
    above: list[str] = []
    while line - 2 - len(above) >= 0 and lines[line - 2 - len(above)].startswith(start):
        above.insert(0, lines[line - 2 - len(above)])
    return above


def _without_lines(data: bytes, first: int, last: int) -> bytes:
    return edits.splice(data, [edits.Edit(Range(first, 1, last + 1, 1), "")])


def _goes_on(lines: Sequence[str], span: Range) -> bool:
    """Whether the line after an entry belongs to it."""
    following = next((line for line in lines[span.line :] if line.strip()), "")
    return len(following) - len(following.lstrip(" ")) >= span.column


TAB_WIDTHS: Final = (2, 4, 8)


def _tabs(_diagnostic: Diagnostic, data: bytes) -> Iterator[Made]:
    """RS109: every wrong indent in spaces, where it makes no difference how many a tab stands for."""
    mark = documents.BYTE_ORDER_MARK if data.startswith(documents.BYTE_ORDER_MARK) else b""
    text = data.decode("utf-8-sig")
    wrong = frozenset(documents.tabbed_lines(data))
    read: list[tuple[bytes, Any]] = []
    for width in TAB_WIDTHS:
        made = mark + _without_tabs(text, width, wrong).encode()
        try:
            read.append((made, documents.parse(made, "")))
        except RelspecError:
            continue
    if read and all(repr(document) == repr(read[0][1]) for _, document in read):
        yield "indent with spaces", read[0][0]


def _without_tabs(text: str, width: int, wrong: frozenset[int]) -> str:
    """The text with the indents of some lines, counted from 1, in spaces."""

    def spaced(line: str) -> str:
        if not line.strip():
            return line.lstrip(" \t")
        return re.sub(r"^[ \t]+", lambda indent: indent[0].expandtabs(width), line)

    return "\n".join(spaced(line) if number in wrong else line for number, line in enumerate(text.split("\n"), 1))


def _key_in_quotes(diagnostic: Diagnostic, data: bytes) -> Iterator[Made]:
    """RS110: a number or a boolean as a key."""
    source = _source(data, diagnostic.range)
    if diagnostic.range is not None and re.fullmatch(r"[-+.\w]+", source):
        yield f'write "{source}" in quotes', edits.splice(data, [edits.Edit(diagnostic.range, f'"{source}"')])


def _digest(diagnostic: Diagnostic, data: bytes) -> Iterator[Made]:
    """RS127: a digest in upper case, which is written in lower case everywhere else."""
    image = _held(data, diagnostic.path, diagnostic.file)
    found = re.fullmatch(r"([^@\s]+@)(sha256:[0-9A-F]{64})", image, re.IGNORECASE) if isinstance(image, str) else None
    if found is not None:
        lower = found[1] + found[2].lower()
        yield "write the digest in lower case", edits.put(data, diagnostic.path, lower, file=diagnostic.file)


AUTO: Final = "autoPromotionEnabled"
GATE: Final[Mapping[str, Any]] = {"pause": {}}


def _gate(diagnostic: Diagnostic, data: bytes) -> Iterator[Made]:
    """RS302: `autoPromotionEnabled` of a stepped canary: false is a last step that waits for a person, true is nothing."""
    path = diagnostic.path
    if path[-2:] != ("canary", AUTO):
        return
    canary = _held(data, path[:-1], diagnostic.file)
    steps, wanted = canary.get("steps"), canary[AUTO]
    if not isinstance(steps, list) or not steps or not isinstance(wanted, bool):
        return
    if wanted and _comments_of(data, path).any:  # nothing takes its place, so that they would be about nothing
        return
    if wanted:
        title, gated = f"remove {AUTO}", data
    else:
        gated = _with_gate(data, (*path[:-1], "steps"), steps, diagnostic.file)
        known = f"remove {AUTO}: the steps wait for a person already"
        title = known if gated == data else "write it as the last step: pause: {}"
        gated = _with_comments_at_the_gate(gated, path, diagnostic.file)
    made = edits.remove(gated, path, file=diagnostic.file)
    if not _words_of_comments(data) - _words_of_comments(made):
        yield title, made


def _words_of_comments(data: bytes) -> Counter[str]:
    """The comments of a file, and what looks like one: an edit that keeps all of these loses none."""
    return Counter(re.findall(r"(?:^|[ \t])#[ \t]*(.*?)\r?$", data.decode("utf-8-sig"), re.MULTILINE))


class _Comments(Struct, frozen=True):
    """The comments about an entry on a line of its own: `above` it, and `beside` it."""

    above: tuple[str, ...] = ()
    beside: str = ""

    @property
    def any(self) -> bool:
        return bool(self.above or self.beside)


def _comments_of(data: bytes, path: Path) -> _Comments:
    """The comments about a plain entry. Those above are about what follows, too, where something does."""
    at = documents.locate(data, path, "key")
    lines = [line.removesuffix("\r") for line in data.decode("utf-8-sig").split("\n")]
    own = re.fullmatch(r" *[\w\"']+ *: +[^#\s{}\[\],]+\s*,?\s*(#.*)?", lines[at.line - 1])
    if own is None:
        return _Comments()
    following = next((line for line in lines[at.line :] if line.strip() and not line.lstrip().startswith("#")), "")
    last = len(following) - len(following.lstrip(" ")) < at.column - 1
    return _Comments(tuple(_comments_above(lines, at.line)) if last else (), own[1] or "")


def _with_comments_at_the_gate(data: bytes, path: Path, file: str) -> bytes:
    """The file with the comments about the entry at `path` where the last step that waits for a person is."""
    comments = _comments_of(data, path)
    if not comments.any:
        return data
    steps = _held(data, (*path[:-1], "steps"), file)
    last = max(index for index, step in enumerate(steps) if step == GATE)
    gate = documents.locate(data, (*path[:-1], "steps", last), "value").line
    entry = documents.locate(data, path, "key").line
    lines = data.decode("utf-8-sig").split("\n")
    text = lines[gate - 1].removesuffix("\r")
    if comments.beside and "#" in text:
        raise ValueError("the gate has a comment of its own")
    end = "\r\n" if lines[gate - 1].endswith("\r") else "\n"
    indent = " " * (len(text) - len(text.lstrip(" ")))
    above = "".join(f"{indent}{comment.lstrip(' ')}{end}" for comment in comments.above)
    moved = [edits.Edit(Range(gate, 1, gate, 1), above)] if above else []
    if comments.beside:
        column = len(text) + 1
        moved.append(edits.Edit(Range(gate, column, gate, column), f"  {comments.beside}"))
    if comments.above:
        moved.append(edits.Edit(Range(entry - len(comments.above), 1, entry, 1), ""))
    return edits.splice(data, moved)


def _with_gate(data: bytes, path: Path, steps: Sequence[Any], file: str) -> bytes:
    """The steps with a wait for a person before the new version gets everything."""
    last = len(steps) - 1
    whole = steps[last] == {"setWeight": 100}
    if GATE in steps[last - 1 :] if whole else steps[last] == GATE:
        return data
    at = documents.locate(data, (*path, last), "value")
    lines = data.decode("utf-8-sig").split("\n")
    head = lines[at.line - 1][: at.column - 1]
    end = "\r" if lines[at.line - 1].endswith("\r") else ""
    if re.fullmatch(r" *- +", head):
        new = f"{head.split('-')[0]}- pause: {{}}{end}\n"
        line = at.line if whole else at.end_line + 1
        if line > len(lines):
            raise ValueError("the file ends without a line end")
        made = edits.splice(data, [edits.Edit(Range(line, 1, line, 1), new)])
    elif whole:
        made = edits.splice(data, [edits.Edit(Range(at.line, at.column, at.line, at.column), "{pause: {}}, ")])
    else:
        made = edits.splice(data, [edits.Edit(Range(*_end(at), *_end(at)), ", {pause: {}}")])
    wanted = [*steps[:last], GATE, steps[last]] if whole else [*steps, GATE]
    if _held(made, path, file) != wanted:
        raise ValueError("the step went elsewhere")
    return made


BY_REMEDY: Final[Mapping[str, Callable[[Diagnostic, Remedy, bytes], Iterator[Made]]]] = {
    "rename": _rename,
    "quote": _quote,
    "write": _write,
    "add": _add,
}

BY_CODE: Final[Mapping[str, Callable[[Diagnostic, bytes], Iterator[Made]]]] = {
    "RS101": _duplicate_key,
    "RS109": _tabs,
    "RS110": _key_in_quotes,
    "RS127": _digest,
    "RS302": _gate,
}
"""Codes whose findings say all that their edit needs."""
