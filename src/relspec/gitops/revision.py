"""A commit in which a release compiled to something else than before."""

from __future__ import annotations

from msgspec import Struct

from relspec.compiler import CompiledRelease


class Revision(Struct, frozen=True):
    """A release as one commit has it. `time` is when that came to be what is declared, in whole unix seconds."""

    commit: str
    time: int
    compiled: CompiledRelease
