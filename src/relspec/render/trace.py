"""Which line of a template a piece of rendered text came from: asked only when there is something to report."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct

from relspec.render.language import TRACE_CLOSE, TRACE_OPEN
from relspec.render.problem import Site

MARK = re.compile(f"{TRACE_OPEN}([^{TRACE_CLOSE}]*):([0-9]+){TRACE_CLOSE}")


class Sites(Struct, frozen=True):
    """Where each piece of a rendered text came from: the piece that starts at `starts[n]` from `sites[n]`."""

    starts: tuple[int, ...] = ()
    sites: tuple[Site, ...] = ()

    def at(self, offset: int) -> Site | None:
        """The line of a template that the character at `offset` stands in; None where that is not known."""
        piece = bisect_right(self.starts, offset) - 1
        return self.sites[piece] if piece >= 0 else None


def sites_in(traced: Sequence[str], text: str) -> Sites:
    """Where the pieces of `text` came from.

    `traced` is the same render with a mark before each line of template text. Nothing is known where the marks
    themselves changed the text (a template that compares the text of a set block can see them).
    """
    marked = "".join(traced)
    if MARK.sub("", marked) != text:
        return Sites()
    starts: list[int] = []
    sites: list[Site] = []
    seen = position = 0
    for mark in MARK.finditer(marked):
        seen += mark.start() - position
        starts.append(seen)
        sites.append(Site(mark[1], int(mark[2])))
        position = mark.end()
    return Sites(tuple(starts), tuple(sites))


def offset_of_line(text: str, line: int) -> int:
    """The offset of the first character of a line, counted from 1."""
    lines = text.split("\n")
    return sum(len(each) + 1 for each in lines[: line - 1])
