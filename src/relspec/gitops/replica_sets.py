"""The ReplicaSets that the Argo Rollouts controller keeps of one Rollout, and when it skips the steps of a canary.

Sources: argo-rollouts v1.9.2, rollout/sync.go (`isRollbackWithinWindow`, `reconcileRevisionHistoryLimit`), and trials on
the real controller (window 3: v6 to v3 skips the steps, v6 to v2 does not, v3 to v2 with three aborted versions between
does not).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct


class Push(Struct, frozen=True):
    """A version of a Rollout that was applied: its pod template, when (unix seconds), and its revisionHistoryLimit."""

    template: str
    time: int
    history: int


class ReplicaSet(Struct, frozen=True):
    """A ReplicaSet, known by the pod template that it was made from; `created` in whole unix seconds."""

    template: str
    created: int


class Way(Struct, frozen=True):
    """How the controller goes to a version. `between`: ReplicaSets created after it and before stable's.

    `stable` it serves already; `skipped` the steps are left out; `gone` its ReplicaSet was pruned or never was;
    `younger` it is not older than stable's; `outside` too many lie between; `unknown` how many do is not known.
    """

    kind: Literal["stable", "skipped", "gone", "younger", "outside", "unknown"]
    between: int = 0

    @property
    def skips(self) -> bool:
        """Whether no step is taken."""
        return self.kind in ("stable", "skipped")


def replay(pushes: Iterable[Push]) -> tuple[ReplicaSet, ...]:
    """What is there after `pushes`, oldest first, each promoted before the next one; in the order of creation.

    A template that still has its ReplicaSet gets it back as it is; any other one is created, and so is the youngest.
    Versions that were aborted or never promoted are pushes like any other. Commit times that go backwards count as the
    latest one before: a cluster creates nothing in its own past.
    """
    sets: tuple[ReplicaSet, ...] = ()
    now = 0
    for push in pushes:
        now = max(now, push.time)
        if find(sets, push.template) is None:
            sets = (*sets, ReplicaSet(push.template, now))
        sets = _pruned(sets, push.template, push.history)
    return sets


def enough(pushes: Sequence[Push], window: int) -> bool:
    """Whether what was applied before `pushes` can't matter for a way back; `window` is rollbackWindow.revisions.

    A ReplicaSet is there while at most `history` others are younger, so one that was made before that many other templates
    is gone. What the window lets through lies up to `window` templates back, and may itself have been made that much
    earlier: v1 v2 v3 v1 v4, where v1 is the oldest.
    """
    limit = max((push.history for push in pushes), default=0)
    return len({push.template for push in pushes}) >= limit + window + 2


def find(sets: Iterable[ReplicaSet], template: str) -> ReplicaSet | None:
    """The ReplicaSet of a template, if there is one."""
    return next((one for one in sets if one.template == template), None)


def way(sets: Iterable[ReplicaSet], wanted: str, stable: str, window: int, *, counted: bool = True) -> Way:
    """How the controller goes to the template `wanted` while `stable` serves; `window` is rollbackWindow.revisions.

    The steps are skipped iff the wanted ReplicaSet exists, is older in whole seconds than stable's, and fewer than
    `window` others were created strictly between the two. 0 is no window. Without `counted` older versions than those of
    `sets` may be there, or be what one of them was first made for: then nothing is known to be skipped.
    """
    if wanted == stable:
        return Way("stable")
    existing = tuple(sets)
    target, serving = find(existing, wanted), find(existing, stable)
    if target is None:
        return Way("gone")
    if serving is None or target.created >= serving.created:
        return Way("younger")
    between = sum(target.created < one.created < serving.created for one in existing)
    if between >= window:
        return Way("outside", between)
    return Way("skipped" if counted else "unknown", between)


def _pruned(sets: tuple[ReplicaSet, ...], serving: str, limit: int) -> tuple[ReplicaSet, ...]:
    """Without the oldest creations beyond `limit`, which leaves out the one that serves.

    The controller spares one that still has pods until they are gone; here it goes at once, which is never too hopeful.
    """
    others = [one for one in sets if one.template != serving]
    gone = others[: max(len(others) - limit, 0)]
    return tuple(one for one in sets if one not in gone)
