"""What goes wrong inside a template, before its place is known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple


class Site(NamedTuple):
    """A line of a template, counted from 1."""

    template: str
    line: int


class RenderError(Exception):
    """A finding in the making: `site` is set where the place is known better than from the traceback."""

    def __init__(self, code: str, message: str, hint: str = "", site: Site | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.site = site


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """`; did you mean "image"?`, or nothing where no known name is near."""
    near = get_close_matches(str(name), [str(item) for item in known], n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def counted(number: int) -> str:
    """A number with thousands set apart, for messages."""
    return f"{number:,}"
