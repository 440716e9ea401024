"""Which line of a template a piece of rendered text came from: asked only when there is something to report."""

from __future__ import annotations

import re
from collections.abc import Sequence

from relspec.render.language import TRACE_CLOSE, TRACE_OPEN
from relspec.render.problem import Site

MARK = re.compile(f"{TRACE_OPEN}([^{TRACE_CLOSE}]*):([0-9]+){TRACE_CLOSE}")


def site_of(traced: Sequence[str], text: str, offset: int) -> Site | None:
    """The line of a template that the character at `offset` of `text` stands in.

    `traced` is the same render with a mark before each line of template text. None where the marks themselves changed
    the text (a template that compares the text of a set block can see them).
    """
    marked = "".join(traced)
    if MARK.sub("", marked) != text:
        return None
    site, seen, position = None, 0, 0
    for mark in MARK.finditer(marked):
        seen += mark.start() - position
        if seen > offset:
            break
        site, position = Site(mark[1], int(mark[2])), mark.end()
    return site


def offset_of_line(text: str, line: int) -> int:
    """The offset of the first character of a line, counted from 1."""
    lines = text.split("\n")
    return sum(len(each) + 1 for each in lines[: line - 1])
