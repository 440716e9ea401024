"""A commit in which a release compiled to something else than before."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from relspec.compiler import CompiledRelease

Older = Literal["counted", "not looked at", "not fetched"]


class Revision(Struct, frozen=True):
    """A release as one commit has it. `time` is when that came to be what is declared, in whole unix seconds.

    `older` says of the oldest one that somebody knows what became of those before it: `counted` there is none, or none
    that matters.
    """

    commit: str
    time: int
    compiled: CompiledRelease
    older: Older = "counted"
