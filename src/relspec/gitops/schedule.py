"""A schedule of verdicts: how fast one could go back, by the time since the deploy; and how several become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

Verdict = Literal["instant", "warm", "stepped", "unknown", "blocked"]
VERDICTS: tuple[Verdict, ...] = ("instant", "warm", "stepped", "unknown", "blocked")
"""From the best to the worst."""

ASSUMPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "A1": "every commit was synced",
        "A2": "every version before was promoted",
        "A3": "the old ReplicaSet is kept",
        "A4": "the old pods are at full scale",
        "A5": "the image is cached on the nodes",
        "A6": "the artifact is still there",
        "A7": "the interface is what its record declares",
        "A8": "no sync is open",
        "A9": "the secrets are unchanged",
    }
)
"""What Git can't know and a verdict takes for granted: a closed list."""


class Part(Struct, frozen=True):
    """A share of the time that going back takes, in seconds. `high` None: nobody knows, a person decides."""

    what: str
    low: int
    high: int | None

    def as_json(self) -> dict[str, Any]:
        """The part as data."""
        return {"what": self.what, "low": self.low, "high": self.high}


class Estimate(Struct, frozen=True):
    """Seconds from the moment when the deployer sees the commit until all traffic is back.

    `high` is an upper bound if what is declared is true; None where there is none. `parts` are those of the slowest
    service. How often a deployer looks is its own affair and not counted.
    """

    low: int = 0
    high: int | None = 0
    parts: tuple[Part, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The estimate as data."""
        return {"low": self.low, "high": self.high, "parts": [part.as_json() for part in self.parts]}

    @property
    def longest(self) -> Part | None:
        """The part that takes longest at worst, if there is one."""
        return max(self.parts, key=lambda part: _bound(part.high), default=None)


def estimated(*parts: Part) -> Estimate:
    """One after the other."""
    highs = [part.high for part in parts]
    high = None if None in highs else sum(bound for bound in highs if bound is not None)
    return Estimate(sum(part.low for part in parts), high, parts)


class Situation(Struct, frozen=True):
    """What going back means at one time: the verdict, why in one line, how long, what is assumed, what helps."""

    verdict: Verdict
    why: str
    estimate: Estimate = Estimate()
    assumes: frozenset[str] = frozenset()
    action: str = ""


NOTHING = Situation("instant", "nothing restarts")


class Span(Struct, frozen=True):
    """A situation up to an event, `until`; `end` is when that is at the earliest, in seconds after the deploy.

    `bounded` is False where a person decides when: then no time is told, and `end` only says what comes before what.
    """

    until: str
    end: int
    situation: Situation
    bounded: bool = True


class Schedule(Struct, frozen=True):
    """The situations of one workload, in order; the last one holds for ever."""

    label: str
    spans: tuple[Span, ...]
    last: Situation

    def at(self, time: int) -> Situation:
        """The situation just before `time`, taking every span for as short as it can be."""
        return next((span.situation for span in self.spans if span.end >= time), self.last)


class Phase(Struct, frozen=True):
    """A stretch of time after the deploy and what holds in it. The last one has no `until` and no `seconds`.

    `until` is the event that ends it; `seconds` when that is at the earliest, counted from the deploy; None where a
    person decides it.
    """

    until: str | None
    seconds: int | None
    verdict: Verdict
    why: str
    estimate: Estimate
    assumes: tuple[str, ...]
    action: str

    def as_json(self) -> dict[str, Any]:
        """The phase as data."""
        return {
            "until": self.until,
            "seconds": self.seconds,
            "verdict": self.verdict,
            "why": self.why,
            "estimate": self.estimate.as_json(),
            "assumes": list(self.assumes),
            "action": self.action,
        }


def phases(schedules: Sequence[Schedule]) -> tuple[Phase, ...]:
    """Several schedules as one: at each time the worst of them. Each holds until it could end at the earliest."""
    found: list[Phase] = []
    ends = sorted({span.end for schedule in schedules for span in schedule.spans})
    for end in ends:
        situation = together([(schedule.label, schedule.at(end)) for schedule in schedules])
        bounded = all(span.bounded for schedule in schedules for span in schedule.spans if span.end == end)
        found.append(_phase(_until(schedules, end), end if bounded else None, situation))
    found.append(_phase(None, None, together([(schedule.label, schedule.last) for schedule in schedules])))
    return tuple(_merged(found))


def together(situations: Sequence[tuple[str, Situation]]) -> Situation:
    """What holds for all, each with its label: the worst verdict with its reasons, the longest time, all assumptions.

    Workloads go back side by side, so that the slowest one counts.
    """
    if not situations:
        return NOTHING
    worst = max((situation.verdict for _, situation in situations), key=VERDICTS.index)
    decisive = [(label, situation) for label, situation in situations if situation.verdict == worst]
    slowest = max(situations, key=lambda pair: _bound(pair[1].estimate.high))
    parts = tuple(_labelled(part, slowest[0]) for part in slowest[1].estimate.parts)
    estimate = Estimate(max(one.estimate.low for _, one in situations), slowest[1].estimate.high, parts)
    assumes = frozenset(known for _, one in situations for known in one.assumes)
    actions = dict.fromkeys(one.action for _, one in decisive if one.action)
    return Situation(worst, _reasons(decisive), estimate, assumes, " && ".join(actions))


def _reasons(situations: Sequence[tuple[str, Situation]]) -> str:
    """Why the verdict is so, with names where reasons differ."""
    told = [(label, one.why) for label, one in situations if one.why != NOTHING.why] or [("", NOTHING.why)]
    reasons = list(dict.fromkeys(why for _, why in told))
    return reasons[0] if len(reasons) == 1 else "; ".join(dict.fromkeys(f"{label}: {why}" for label, why in told))


def assumed(schedules: Iterable[Schedule]) -> tuple[str, ...]:
    """The ids of all that any situation takes for granted, sorted."""
    situations = [
        one for schedule in schedules for one in (*(span.situation for span in schedule.spans), schedule.last)
    ]
    return tuple(sorted({known for one in situations for known in one.assumes}))


def duration(seconds: int) -> str:
    """`90 s`, `16 min`, `16 min 3 s`, `2 h 5 min`."""
    if seconds < 120:
        return f"{seconds} s"
    hours, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60
    named = ((hours, "h"), (minutes, "min"), (rest if not hours else 0, "s"))
    return " ".join(f"{amount} {unit}" for amount, unit in named if amount)


def _labelled(part: Part, label: str) -> Part:
    if not label or part.what.startswith((f"{label}: ", f"{label} ", f"{label}-")):
        return part
    return replace(part, what=f"{label}: {part.what}")


def _phase(until: str | None, seconds: int | None, one: Situation) -> Phase:
    return Phase(until, seconds, one.verdict, one.why, one.estimate, tuple(sorted(one.assumes)), one.action)


def _until(schedules: Sequence[Schedule], end: int) -> str:
    """What ends then: without names where it is the same for all that ever end."""
    ending = [(one.label, span.until) for one in schedules for span in one.spans if span.end == end]
    events = dict.fromkeys(until for _, until in ending)
    labels = {one.label for one in schedules if one.spans}
    if len(events) == 1 and labels == {label for label, _ in ending}:
        return next(iter(events))
    return ", ".join(dict.fromkeys(f"{label}: {until}" for label, until in ending))


def _merged(found: Sequence[Phase]) -> list[Phase]:
    """Without the borders between phases that say the same; the later one's time counts."""
    kept: list[Phase] = []
    for phase in found:
        if kept and (kept[-1].verdict, kept[-1].why, kept[-1].action) == (phase.verdict, phase.why, phase.action):
            kept[-1] = replace(phase, assumes=tuple(sorted({*kept[-1].assumes, *phase.assumes})))
        else:
            kept.append(phase)
    return kept


def _bound(high: int | None) -> float:
    return float("inf") if high is None else float(high)
