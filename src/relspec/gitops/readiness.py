"""How fast could this change be undone? A pure function of what ran before, offline and honest.

A verdict is a schedule (DESIGN 6): it differs while the new version comes, while the old pods are still up, and after.
It says "if", never "will": what Git can't know is in the closed list `ASSUMPTIONS`.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from relspec.compiler import CompiledRelease, stops
from relspec.gitops import compose_schedule, obstacles, rollout_schedule
from relspec.gitops.obstacles import Context, Return
from relspec.gitops.revision import Revision
from relspec.gitops.rollout_schedule import Applied
from relspec.gitops.rollout_states import RolloutState, holds_the_sync, kubernetes_objects, owner, rollout_states
from relspec.gitops.schedule import (
    ASSUMPTIONS,
    NOTHING,
    VERDICTS,
    Estimate,
    Part,
    Phase,
    Schedule,
    Situation,
    Span,
    Verdict,
    assumed,
    duration,
    estimated,
    phases,
)
from relspec.resolve import ENVIRONMENTS, ResolvedRelease
from relspec.spec.quantities import seconds
from relspec.targets.helm.target import OBJECTS
from relspec.targets.rollouts.names import object_name
from relspec.targets.rollouts.routes import held_weight

__all__ = [
    "ASSUMPTIONS",
    "VERDICTS",
    "Context",
    "Estimate",
    "Part",
    "Phase",
    "Readiness",
    "Revision",
    "ServiceReadiness",
    "Verdict",
    "readiness",
]

Key = tuple[str, str, str, str]


class ServiceReadiness(Struct, frozen=True):
    """A service in one target; the fields are those of `Readiness`."""

    service: str
    target: str
    verdict: Verdict
    phases: tuple[Phase, ...]
    estimate: Estimate
    assumes: tuple[str, ...]
    action: str

    def as_json(self) -> dict[str, Any]:
        """The service as data."""
        return {"service": self.service, "target": self.target, **_as_json(self)}


class Readiness(Struct, frozen=True):
    """How fast a change could be undone.

    `verdict`, `estimate` and `action` (a command, or "") are those of the last phase: after the promotion, after the
    time in which the old pods stay. `assumes` are ids of ASSUMPTIONS, over all phases. `notes` are sentences that
    belong to no phase. `objective` is the environment's, in seconds. `skipping`: the Rollouts, by target and name, whose
    steps the change itself skips, each with the commit whose ReplicaSet it goes back to.
    """

    verdict: Verdict
    phases: tuple[Phase, ...]
    estimate: Estimate
    assumes: tuple[str, ...]
    action: str
    services: tuple[ServiceReadiness, ...] = ()
    notes: tuple[str, ...] = ()
    objective: int | None = None
    skipping: Mapping[tuple[str, str], str] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    """The releases that must go back too, because the interface breaks for them."""

    @property
    def why(self) -> str:
        """Why the verdict is what it is."""
        return self.phases[-1].why

    @property
    def meets_objective(self) -> bool | None:
        """Whether the way back is surely short enough; None without an objective. No upper bound is no yes."""
        if self.objective is None:
            return None
        bounded = self.verdict not in ("blocked", "unknown") and self.estimate.high is not None
        return bounded and (self.estimate.high or 0) <= self.objective

    def as_json(self) -> dict[str, Any]:
        """The readiness as data, in fixed order."""
        return {
            **_as_json(self),
            "objective": self.objective,
            "meetsObjective": self.meets_objective,
            "notes": list(self.notes),
            "services": [service.as_json() for service in self.services],
        }

    def words(self) -> str:
        """The readiness in one line: the verdict and its condition, how long, and what takes longest."""
        way_out = f"; the way out: {self.action}" if self.action else ""
        if self.verdict in ("blocked", "unknown", "instant"):
            return f"{self.verdict}: {self.why}{way_out}"
        longest = self.estimate.longest
        because = "" if longest is None else f" ({_part_words(longest)})"
        if self.verdict == "stepped":
            return f"stepped: at least {duration(self.estimate.low)}{because}{way_out}"
        condition = "the old ReplicaSet is still there" if "A3" in self.phases[-1].assumes else "the image is cached"
        return f"warm if {condition}: about {duration(self.estimate.high or 0)}{because}"


NOTHING_ELSE = Context()


def readiness(
    revisions: Sequence[Revision],
    target: int = -2,
    *,
    wanted: CompiledRelease | None = None,
    later: Context = NOTHING_ELSE,
) -> Readiness:
    """How fast the state of the last of `revisions` could go back to `wanted`, or to that of `revisions[target]`.

    `revisions` are those of one release since it was last created, oldest first, the last one being what runs after the
    change; `wanted` need be none of them. Raises ValueError where there is none, IndexError where there is no such target,
    unless the last one is the only one and nothing is wanted: a new release.
    """
    if not revisions:
        raise ValueError("readiness needs a revision")
    last = revisions[-1].compiled
    objective = _objective(last)
    if wanted is None and len(revisions) == 1:
        why = "a new release: there is nothing to go back to, and undoing it removes it"
        return _alone(Situation("instant", why, action=_removal(last)), objective)
    wanted = wanted or revisions[target].compiled
    if wanted.release is None or wanted.stopped:
        first = next((f": {finding.message}" for finding in wanted.findings if stops(finding)), "")
        return _alone(Situation("blocked", f"the state to go back to would not compile{first}"), objective)
    if last.release is None or last.stopped:
        why = "the change itself does not compile, so that nothing says what would run"
        return _alone(Situation("unknown", why), objective)
    return _Undo(revisions, wanted, last, wanted.release, last.release, later).readiness(objective)


class _Undo(Struct, frozen=True, dict=True):
    """Going back from `last` to `wanted`, both of which compile: `now` and `then` are their releases."""

    revisions: Sequence[Revision]
    wanted: CompiledRelease
    last: CompiledRelease
    then: ResolvedRelease
    now: ResolvedRelease
    later: Context

    def readiness(self, objective: int | None) -> Readiness:
        services: list[ServiceReadiness] = []
        everything: list[Schedule] = []
        for (service, target), schedules in self._schedules().items():
            judged = self._judged(service, schedules)
            everything += judged
            services.append(_of_service(service, target, judged))
        whole = phases(everything)
        return Readiness(
            verdict=whole[-1].verdict,
            phases=whole,
            estimate=whole[-1].estimate,
            assumes=assumed(everything),
            action=whole[-1].action,
            services=tuple(services),
            notes=tuple(dict.fromkeys(self._notes())),
            objective=objective,
            skipping=dict(self._skipping()),
            needed=tuple(sorted({name for service in self._names for name in self._needed(service)})),
        )

    # --- what ran

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The services of both states, in order."""
        return tuple(dict.fromkeys((*self.then.services, *self.now.services)))

    @cached_property
    def _compiling(self) -> Sequence[Revision]:
        """The revisions that were deployed: one that did not compile changed nothing."""
        return [one for one in self.revisions if not one.compiled.stopped]

    @cached_property
    def _applied(self) -> list[tuple[Revision, Mapping[Key, RolloutState]]]:
        """The Rollouts of every such revision."""
        return [(one, rollout_states(one.compiled)) for one in self._compiling]

    def _skipping(self) -> Iterator[tuple[tuple[str, str], str]]:
        for key, state in self._now.items():
            if rollout_schedule.skips_its_steps(self._history(key)):
                earlier = zip(self._compiling, self._history(key), strict=True)
                same = [
                    one for one, then in earlier if then.state is not None and then.state.template == state.template
                ]
                yield (state.target, state.name), same[-2].commit

    @cached_property
    def _then(self) -> Mapping[Key, RolloutState]:
        return rollout_states(self.wanted)

    @cached_property
    def _now(self) -> Mapping[Key, RolloutState]:
        return self._applied[-1][1]

    def _history(self, key: Key) -> list[Applied]:
        counted = self.revisions[0].older != "not looked at"
        return [
            Applied(one.time, states.get(key), counted or number > 0)
            for number, (one, states) in enumerate(self._applied)
        ]

    @cached_property
    def _owners(self) -> Mapping[str, str]:
        """The service of each name of an object."""
        return {object_name(release.name, name): name for release in (self.now, self.then) for name in release.services}

    # --- one target after another

    def _schedules(self) -> dict[tuple[str, str], list[Schedule]]:
        """The schedules of each service in each target: compose, users' own charts, Rollouts."""
        found: dict[tuple[str, str], list[Schedule]] = {}
        current, wanted = compose_schedule.project(self.last), compose_schedule.project(self.wanted)
        for service, schedule in compose_schedule.compose_schedules(self._names, current, wanted).items():
            found[service, "compose"] = [schedule]
        for service, schedule in self._own_charts():
            found[service, "helm"] = [schedule]
        for key in dict.fromkeys((*self._then, *self._now)):
            state = self._then.get(key) or self._now[key]
            service = self._owners.get(state.owner, state.owner)
            found.setdefault((service, state.target), []).append(self._rollout(service, key, state))
        for service, schedule in self._open_sync():
            found.setdefault((service, "rollouts"), []).append(schedule)
        return found

    def _rollout(self, service: str, key: Key, state: RolloutState) -> Schedule:
        label = f"{service} candidate" if state.candidate else service
        touched = _objects_of(self.wanted, state) != _objects_of(self.last, state)
        schedule = rollout_schedule.rollout_schedule(label, self._history(key), self._then.get(key), touched=touched)
        if state.candidate and key not in self._now and service in self.then.services:
            return self._in_two_commits(service, schedule)
        return schedule

    def _own_charts(self) -> Iterator[tuple[str, Schedule]]:
        """Values of users' own charts: whether they change is all that can be known."""
        was, now = _values(self.last), _values(self.wanted)
        for service in self._names:
            paths = [path for path in (f"helm/values-{service}.yaml", "helm/values.yaml") if path in was or path in now]
            runs = [one.services[service] for one in (self.then, self.now) if service in one.services]
            if not paths or all("helm" not in one.targets for one in runs):
                continue
            why = f"{paths[0]} changes, and what the users' own chart makes of it is not known"
            unknown = Situation("unknown", why, Estimate(0, None))
            yield service, Schedule(service, (), NOTHING if was.get(paths[0]) == now.get(paths[0]) else unknown)

    # --- rules about a change as a whole

    def _in_two_commits(self, service: str, schedule: Schedule) -> Schedule:
        """RS340: a candidate that is not there now would get traffic before its pods are up."""
        weight = held_weight(self.then.services[service])[0]
        if not weight:
            return schedule
        strategy = "abTest" if self.then.services[service].strategy.ab_test is not None else "canary"
        last = schedule.last
        why = f"in two commits: the candidate comes back with weight 0, and gets {weight} when its pods are up (RS340)"
        action = shlex.join(["relspec", "set", self.then.id, f"{service}.strategy.{strategy}.weight=0"])
        person = Part("a person pushes the second commit", 0, None)
        second = replace(rollout_schedule.SYNC, what="the second sync")
        estimate = estimated(*last.estimate.parts, person, second)
        return replace(schedule, last=Situation("stepped", f"{why}; {last.why}", estimate, last.assumes, action))

    def _open_sync(self) -> Iterator[tuple[str, Schedule]]:
        """While the change's own sync is open nothing else is synced."""
        before = next((one.compiled for one in reversed(self.revisions[:-1]) if not one.compiled.stopped), None)
        held = holds_the_sync(before, self.last) if before is not None else None
        if held is None:
            return
        service = self._owners.get(held.owner, self._names[0])
        open_for = [rollout_schedule.forward(self._history(key)) for key in self._now]
        end = max([rollout_schedule.SYNC.low, *(one.low for one in open_for)])
        bounded = all(one.high is not None for one in open_for)
        waits = "" if bounded else ", for ever while nobody promotes"
        application = self.later.application or self.now.environment.path.partition("/")[0]
        why = f"sync open: {held.reason}, and a revert waits until that operation ends{waits}"
        action = shlex.join(["argocd", "app", "terminate-op", application])
        blocked = Situation("blocked", why, Estimate(0, None), frozenset({"A1"}), action)
        span = Span("the sync ends", end, blocked, bounded)
        yield service, Schedule(service, (span,), NOTHING)

    def _return(self, service: str) -> Return | None:
        then, now = self.then.services.get(service), self.now.services.get(service)
        return None if then is None or now is None else Return(now, then, self.now, self.later)

    def _needed(self, service: str) -> tuple[str, ...]:
        way = self._return(service)
        return way.needed if way is not None else ()

    def _judged(self, service: str, schedules: Sequence[Schedule]) -> list[Schedule]:
        """The schedules under what blocks the service at any time, and with what its secrets and model assume."""
        way = self._return(service)
        if way is None:
            return list(schedules)
        blocked = obstacles.obstacle(way)
        judged = [_assuming(schedule, way.assumes) for schedule in schedules]
        return judged if blocked is None else [_blocked(schedule, blocked) for schedule in judged]

    def _notes(self) -> Iterator[str]:
        for key in dict.fromkeys((*self._then, *self._now)):
            yield from rollout_schedule.notes(self._history(key), self._then.get(key))
        held = holds_the_sync(self.last, self.wanted)
        if held is not None:
            yield f"going back, the sync stays open until all is healthy, for {held.reason}: a further change waits"
        yield from compose_schedule.notes(compose_schedule.project(self.last), compose_schedule.project(self.wanted))
        for service in self._names:
            way = self._return(service)
            yield from obstacles.notes(way) if way is not None else ()


# ---------------------------------------------------------------------------------------------- small facts, in order


def _alone(situation: Situation, objective: int | None) -> Readiness:
    """A verdict about the release as a whole."""
    whole = phases([Schedule("", (), situation)])
    return Readiness(situation.verdict, whole, situation.estimate, (), situation.action, objective=objective)


def _removal(compiled: CompiledRelease) -> str:
    """The command that removes a release: its folder, or its file alone where that lies beside environment.yaml."""
    folder = posixpath.dirname(compiled.place.file)
    beside = folder == f"{ENVIRONMENTS}/{compiled.place.environment}"
    return shlex.join(["git", "rm", compiled.place.file] if beside else ["git", "rm", "-r", folder])


def _of_service(service: str, target: str, schedules: Sequence[Schedule]) -> ServiceReadiness:
    whole = phases(schedules)
    final = whole[-1]
    return ServiceReadiness(service, target, final.verdict, whole, final.estimate, assumed(schedules), final.action)


def _objective(compiled: CompiledRelease) -> int | None:
    objective = compiled.release.environment.rollback.objective if compiled.release is not None else None
    return None if objective is None else seconds(objective)


def _assuming(schedule: Schedule, assumes: frozenset[str]) -> Schedule:
    """With more taken for granted wherever pods start."""

    def more(situation: Situation) -> Situation:
        return replace(situation, assumes=situation.assumes | assumes) if "A6" in situation.assumes else situation

    spans = tuple(replace(span, situation=more(span.situation)) for span in schedule.spans)
    return replace(schedule, spans=spans, last=more(schedule.last))


def _blocked(schedule: Schedule, blocked: Situation) -> Schedule:
    """Blocked at any time; how long it would take without is kept."""
    last = schedule.last
    return replace(
        schedule, spans=(), last=replace(blocked, estimate=last.estimate, assumes=blocked.assumes | last.assumes)
    )


def _values(compiled: CompiledRelease) -> dict[str, Any]:
    """The values files of users' own charts by path."""
    helm = [draft for draft in compiled.drafts if draft.path.startswith("helm/")]
    return {draft.path: draft.documents for draft in helm if draft.elements_of != OBJECTS}


def _objects_of(compiled: CompiledRelease, state: RolloutState) -> list[Mapping[str, Any]]:
    """The objects of the service that a Rollout belongs to."""
    return [
        one
        for target, objects in kubernetes_objects(compiled)
        if target == state.target
        for one in objects
        if owner(one) == state.owner
    ]


def _part_words(part: Part) -> str:
    if part.high is None:
        return f"{part.what}, whenever that is"
    return f"{part.what} {'up to ' if part.low < part.high else ''}{duration(part.high)}"


def _as_json(one: Readiness | ServiceReadiness) -> dict[str, Any]:
    """What a release and a service have in common, in fixed order."""
    return {
        "verdict": one.verdict,
        "phases": [phase.as_json() for phase in one.phases],
        "estimate": one.estimate.as_json(),
        "assumes": list(one.assumes),
        "action": one.action,
    }
