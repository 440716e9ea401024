"""A commit in which a release compiled to something else than before."""

from __future__ import annotations

from dataclasses import dataclass

from relspec.compiler import CompiledRelease


@dataclass(frozen=True, slots=True)
class Revision:
    """A release as one commit has it. `time` is when that came to be what is declared, in whole unix seconds."""

    commit: str
    time: int
    compiled: CompiledRelease
