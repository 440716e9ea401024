"""What relspec has to say about a repository: plain data, no printing.

A rule yields a `Finding`: a code, a sentence, and *where* as a path into a document. Only `positions.locate` turns such
a path into a position, and only when there is something to report: the happy path computes none.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

Path = tuple[str | int, ...]
"""Keys and list indexes from the root of a YAML document to a node."""

Part = Literal["key", "value"]


class Severity(StrEnum):
    """How loud a finding is. Only errors make a verb fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Kind(StrEnum):
    """The class of a finding, which decides what may waive it.

    `compile` reports policy, safety and quarantine findings as warnings and writes all the same, so that the line that
    mends a stale revert always works; structure always stops it.
    """

    STRUCTURE = "structure"
    SAFETY = "safety"
    POLICY = "policy"
    QUARANTINE = "quarantine"


class Range(Struct, frozen=True, order=True):
    """A span of text; lines and columns count from 1, columns in characters; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Where(Struct, frozen=True):
    """A place in a file of the repository: a path into its YAML, or a range that is already known.

    `part` says which half of the entry is meant: an unknown key is the key, a wrong value is the value.
    """

    file: str
    path: Path = ()
    part: Part = "value"
    range: Range | None = None


class Related(Struct, frozen=True):
    """A second place that explains the first ("the base sets it here")."""

    message: str
    where: Where


class Remedy(Struct, frozen=True):
    """What would mend a finding, in terms of the document: `fixes` makes an edit of it where that is certain.

    rename: the key becomes `key`. quote: the value becomes text, as it is written. write: the value becomes `value`.
    add: the map gets an entry `key: value`.
    """

    what: Literal["rename", "quote", "write", "add"]
    key: str = ""
    value: str | int | bool | None = None


class Fix(Struct, frozen=True):
    """An edit that mends a finding and changes the meaning of nothing else: the text of `range` becomes `text`."""

    title: str
    file: str
    range: Range
    text: str


class Finding(Struct, frozen=True):
    """One thing to say, before its position is known.

    `code` is in the catalogue, which gives severity and class; `severity` overrides it where a rule knows better.
    `release` is the id of the release that is concerned, if it is one.
    """

    code: str
    message: str
    where: Where
    hint: str = ""
    related: tuple[Related, ...] = ()
    release: str = ""
    severity: Severity | None = None
    remedy: Remedy | None = None

    def of(self, release: str) -> Finding:
        """The same finding, said of a release (unless it already names one)."""
        return self if self.release else replace(self, release=release)


class Position(Struct, frozen=True):
    """A related place, located."""

    message: str
    file: str
    range: Range


class Diagnostic(Struct, frozen=True):
    """A finding with its severity, class and position: what reporters print.

    `path` leads to its place in the document. `fix` is worked out when somebody asks for it (`fixes.with_fixes`).
    """

    code: str
    severity: Severity
    kind: Kind
    file: str
    range: Range | None
    message: str
    hint: str = ""
    related: tuple[Position, ...] = ()
    releases: tuple[str, ...] = field(default=())
    path: Path = ()
    remedy: Remedy | None = None
    fix: Fix | None = None

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """By file, then position, then code: the same order on every machine."""
        line, column = (self.range.line, self.range.column) if self.range else (0, 0)
        return (self.file, line, column, self.code, self.message)


class RelspecError(Exception):
    """Findings that end the work under way; the place that catches it goes on with the next piece of work.

    There is at least one: an error that says nothing would look like success to whoever counts findings.
    """

    def __init__(self, *findings: Finding) -> None:
        if not findings:
            raise ValueError("a RelspecError needs a finding")
        super().__init__("; ".join(f"{f.code} {f.where.file}: {f.message}" for f in findings))
        self.findings = findings


def word(name: str) -> str:
    """A name in a sentence: in quotes where it is no single word."""
    return name if name.split() == [name] else json.dumps(name, ensure_ascii=False)
