"""Findings about a change: they need two trees, so `compile` and a plain `check` never give them.

`check --since`, `plan` and `rollback` call `check_change`. What it looks at is proportional to what changed: releases are
resolved only where a changed path can reach them (`reach`). Nothing here asks Git: trees, paths and revisions are given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from relspec.diagnostics import Finding
from relspec.rules.changes.commits import mixed_commits
from relspec.rules.changes.interfaces import breaking_interfaces, callers
from relspec.rules.changes.quarantine import Move, graded, moves_to_quarantined
from relspec.rules.changes.reach import reached
from relspec.rules.changes.records import (
    NONE,
    Loss,
    TakenBack,
    edited_records,
    keeping,
    lost_by_restoring,
    removed_quarantines,
)
from relspec.rules.changes.running import Running, aliases, running
from relspec.rules.changes.side import Side
from relspec.rules.changes.transitions import blue_green_gate, candidate_removal, first_weight, number_to_range
from relspec.rules.changes.versions import alias_moves, archived_in_window, environments_within_window, too_few_versions

__all__ = [
    "Loss",
    "Move",
    "Running",
    "Side",
    "TakenBack",
    "alias_moves",
    "aliases",
    "archived_in_window",
    "blue_green_gate",
    "breaking_interfaces",
    "callers",
    "candidate_removal",
    "check_change",
    "edited_records",
    "environments_within_window",
    "first_weight",
    "graded",
    "keeping",
    "lost_by_restoring",
    "mixed_commits",
    "moves_to_quarantined",
    "number_to_range",
    "reached",
    "removed_quarantines",
    "running",
    "too_few_versions",
]

ReleaseChange = Callable[[Side, Side, str], Iterator[Finding]]

OF_A_RELEASE: tuple[ReleaseChange, ...] = (
    first_weight,
    blue_green_gate,
    candidate_removal,
    number_to_range,
    breaking_interfaces,
)
"""What is asked of each release that both sides have."""


def check_change(
    base: Side,
    head: Side,
    changed: Collection[str] | None = None,
    *,
    revision: str = "",
    reverts: TakenBack = NONE,
) -> Iterator[Finding]:
    """What is wrong with going from `base` to `head`, whatever is right about `head` alone.

    `changed` are the paths that differ (below the root of the releases); None: not known, so everything is looked at.
    `revision` names the base in hints ("git checkout REVISION -- …"); without it they say the same in words. `reverts`
    are the commits that the change says it takes back, by what it takes out of the registry with them.
    """
    yield from edited_records(base, head, changed, revision=revision, reverts=reverts)
    yield from removed_quarantines(base, head, changed, revision=revision, reverts=reverts)
    yield from alias_moves(base, head, changed)
    yield from too_few_versions(base, head, changed)
    yield from archived_in_window(base, head, changed)
    for release in reached(base, head, changed):
        for rule in OF_A_RELEASE:
            yield from (finding.of(release) for finding in rule(base, head, release))
