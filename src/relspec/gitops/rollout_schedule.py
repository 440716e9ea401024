"""How fast a Rollout goes back, by the time since the deploy: what the Argo Rollouts controller does, rule by rule.

Sources: argo-rollouts v1.9.2 (rollout/canary.go `syncRolloutStatusCanary`, rollout/bluegreen.go
`isBlueGreenFastTracked`, rollout/replicaset.go `scaleDownDelayHelper`) and the measured table in RUNTIMES.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from relspec.gitops.replica_sets import Push, ReplicaSet, Way, find, replay, way
from relspec.gitops.rollout_states import RolloutState
from relspec.gitops.schedule import NOTHING, Estimate, Part, Schedule, Situation, Span, duration, estimated

SYNC = Part("sync", 1, 2)
"""RUNTIMES.md: a revert pushed under a real Argo CD 3.2 was Synced and Healthy after 1.3 to 1.4 s."""

SWITCH = Part("switch", 0, 1)
"""RUNTIMES.md: a revert whose pods are there took 0.05 to 0.6 s, one with pods that start in 1 s 1.2 to 1.3 s."""

AUTOSCALER = Part("the autoscaler acts", 0, 16)
"""DESIGN 4 (RS441): from a number to a range 1 pod is left within 20 ms, until the HPA acts 16 s later."""

STARTS = frozenset({"A5", "A6", "A8"})
"""What every start of pods by a synced commit takes for granted."""


class Applied(Struct, frozen=True):
    """A revision of one Rollout: when (unix seconds), and the Rollout; None where there was none.

    `counted`: whether nothing came before it that matters and that nobody looked at.
    """

    time: int
    state: RolloutState | None
    counted: bool = True


class Past(Struct, frozen=True):
    """What the controller knows after `applied`: its ReplicaSets, the version that serves, and the one before it.

    `counted`: whether that is all that it knows.
    """

    sets: tuple[ReplicaSet, ...]
    current: RolloutState
    previous: RolloutState | None
    counted: bool = True

    @property
    def changed(self) -> bool:
        """Whether the newest revision brought another pod template."""
        return self.previous is not None and self.previous.template != self.current.template


def past(history: Sequence[Applied]) -> Past | None:
    """The history of a Rollout since it was last created; None where it is not there now.

    A Rollout that goes takes its ReplicaSets along: what comes back later starts anew.
    """
    live: list[tuple[Push, RolloutState]] = []
    counted = True
    for applied in history:
        if applied.state is None:
            live, counted = [], True
        else:
            live.append((applied.state.push(applied.time), applied.state))
            counted = counted and applied.counted
    if not live:
        return None
    previous = live[-2][1] if len(live) > 1 else None
    return Past(replay(push for push, _ in live), live[-1][1], previous, counted)


def rollout_schedule(label: str, history: Sequence[Applied], wanted: RolloutState | None, *, touched: bool) -> Schedule:
    """How fast the Rollout goes back to `wanted`, whose newest revision is the last of `history`.

    `touched`: whether any object of the service differs, so that a sync has something to do.
    """
    known = past(history)
    synced = Situation("instant", "no pod template changes", estimated(SYNC), frozenset({"A8"}))
    if wanted is None:
        removed = Situation("instant", "it is removed again, and nothing starts", estimated(SYNC), frozenset({"A8"}))
        return Schedule(label, (), removed if known is not None else NOTHING)
    if known is None:
        return Schedule(label, (), starting(wanted, (), cold="it is not there now, and its history went with it"))
    if wanted.template == known.current.template:
        return Schedule(label, (), scaled(known.current, wanted) or (synced if touched else NOTHING))
    return Schedule(label, tuple(_spans(known, wanted)), transition(known, known.current, wanted))


def forward(history: Sequence[Applied]) -> Estimate:
    """How long the newest revision itself takes until it is promoted; nothing where no pod template changed."""
    known = past(history)
    arrival = _arrival(known) if known is not None else None
    return arrival.estimate if arrival is not None else Estimate()


def skips_its_steps(history: Sequence[Applied]) -> bool:
    """Whether the newest revision goes to a ReplicaSet that is there already, and so past every step that it declares."""
    known = past(history)
    arrival = _arrival(known) if known is not None else None
    return known is not None and arrival is not None and bool(known.current.steps) and arrival.verdict != "stepped"


def transition(known: Past, stable: RolloutState, wanted: RolloutState, *, present: bool = False) -> Situation:
    """Going from `stable`, which serves, to `wanted`. `present`: its pods are still up, inside scaleDownDelaySeconds."""
    if wanted.blue_green is not None:
        return _blue_green(known.sets, stable, wanted, present=present)
    if wanted.steps:
        found = way(known.sets, wanted.template, stable.template, wanted.window, counted=known.counted)
        if not found.skips:
            return _stepped(wanted, found)
        words = f"the steps are skipped ({found.between} of at most {wanted.window - 1} ReplicaSets lie between)"
    else:
        words = "there are no steps"
    if present:
        return _present(words)
    return starting(wanted, known.sets, stable=stable, words=words)


def starting(
    wanted: RolloutState,
    sets: Sequence[ReplicaSet],
    *,
    stable: RolloutState | None = None,
    words: str = "",
    cold: str = "its ReplicaSet was pruned or never was",
) -> Situation:
    """Pods start and then serve, with no step in between: `warm`, whether the ReplicaSet is kept or made anew."""
    shrunk = (AUTOSCALER,) if stable is not None and number_to_range(stable, wanted) else ()
    estimate = estimated(SYNC, *wanted.starts(), *shrunk, SWITCH)
    if find(sets, wanted.template) is None:
        return Situation("warm", f"a cold start: {cold}; its pods must start", estimate, STARTS)
    why = f"if the old ReplicaSet is still there, {words}, and its pods must start"
    return Situation("warm", why, estimate, STARTS | {"A1", "A2", "A3"})


def scaled(current: RolloutState, wanted: RolloutState) -> Situation | None:
    """The same pods in another number: only more of them take time. None where there are as many."""
    if number_to_range(current, wanted):
        why = f"no pod template changes, but 1 pod is left until the autoscaler acts (at least {wanted.fewest} then)"
        return Situation("warm", why, estimated(SYNC, AUTOSCALER, *wanted.starts()), STARTS)
    if wanted.fewest > current.fewest:
        why = f"no pod template changes, but it scales from {current.fewest} to {wanted.fewest} pods"
        return Situation("warm", why, estimated(SYNC, *wanted.starts()), STARTS)
    return None


def number_to_range(before: RolloutState, after: RolloutState) -> bool:
    """RS441: from a number of replicas, left out then, to a range: the API's default of 1 holds until the HPA acts."""
    return before.scaler is None and after.scaler is not None and before.fewest > 1


def notes(history: Sequence[Applied], wanted: RolloutState | None) -> Iterator[str]:
    """What one should know beside the verdict."""
    known = past(history)
    if wanted is not None:
        yield from _hardware(known, wanted)
    if known is None:
        if wanted is not None:
            yield from _unmeasured(wanted)
        return
    if skips_its_steps(history):
        yield f"{known.current.name}: this change skips every step, for its ReplicaSet is older than the one that served"
    if wanted is None or wanted.template == known.current.template:
        if wanted is not None and number_to_range(known.current, wanted):
            yield _shrinks(known.current, wanted)
        return
    yield from _unmeasured(wanted)
    yield from _traps(known, wanted)


# ----------------------------------------------------------------------------------------------------------- spans


def _spans(known: Past, wanted: RolloutState) -> Iterator[Span]:
    """While the new version comes, and while the old pods stay after it."""
    arrival = _arrival(known)
    if arrival is None or known.previous is None:
        return
    current, previous = known.current, known.previous
    promoted, bounded = arrival.estimate.low, arrival.estimate.high is not None
    if current.keeps_old_pods or arrival.verdict == "stepped":
        yield Span("promotion", promoted, _in_mid_rollout(known, previous, wanted), bounded)
    if current.warm and wanted.template == previous.template:
        until = f"{duration(current.warm)} after promotion"
        warm = transition(known, current, wanted, present=True)
        yield Span(until, promoted + current.warm, warm, bounded)


def _arrival(known: Past) -> Situation | None:
    """How the newest revision itself takes over; None where it changes no pod template."""
    if known.previous is None or not known.changed:
        return None
    return transition(known, known.previous, known.current)


def _in_mid_rollout(known: Past, previous: RolloutState, wanted: RolloutState) -> Situation:
    """Before the promotion: the version before still serves, so that going back to it moves nothing."""
    if wanted.template == previous.template:
        why = "until the promotion and after an abort the old pods serve: nothing starts, and the window is irrelevant"
        return Situation("instant", why, estimated(SYNC, SWITCH), frozenset({"A1", "A8"}))
    return transition(known, previous, wanted)


# ------------------------------------------------------------------------------------------------------ transitions


def _present(words: str) -> Situation:
    why = f"the old pods are still up, and {words}"
    return Situation("instant", why, estimated(SYNC, SWITCH), frozenset({"A1", "A2", "A4", "A8"}))


def _stepped(wanted: RolloutState, found: Way) -> Situation:
    """The whole canary again, and why."""
    reasons = {
        "gone": "its ReplicaSet was pruned or never was",
        "younger": "its ReplicaSet is not older than the one that serves",
        "outside": f"{found.between} ReplicaSets were created between, and the window is {wanted.window}",
        "unknown": "how many ReplicaSets lie between is not known, for too many newer commits bring no other pod template",
    }
    why = f"all {len(wanted.steps)} steps again: {reasons[found.kind]}"
    estimate = estimated(SYNC, *wanted.take_steps(), SWITCH)
    assumes = STARTS if found.kind == "gone" else STARTS | {"A1"}
    return Situation("stepped", why, estimate, assumes, promote_full(wanted))


def _blue_green(sets: Sequence[ReplicaSet], stable: RolloutState, wanted: RolloutState, *, present: bool) -> Situation:
    """Blue-green has no window: inside the delay it is fast-tracked, after it every gate is passed again."""
    if present:
        return _present("blue-green switches to them without a gate or a promotion")
    manual, before = _gates(wanted)
    if not stable.hashed or not (manual or before):
        return starting(wanted, sets, stable=stable, words="blue-green switches when they are ready")
    parts = [*wanted.starts()]
    reasons = []
    if before:
        parts.append(Part("analysis before the switch", before, before))
        reasons.append("the analysis before the switch runs again")
    if manual:
        parts.append(Part("a person promotes", 0, None))
        command = f"kubectl argo rollouts promote {wanted.name} -n {wanted.namespace}"
        reasons.append(f"the version that is left keeps all traffic until `{command}`")
    why = f"blue-green has no window: {', and '.join(reasons)}"
    return Situation("stepped", why, estimated(SYNC, *parts, SWITCH), STARTS, promote_full(wanted))


def _gates(wanted: RolloutState) -> tuple[bool, int]:
    """Whether a person promotes a blue-green Rollout, and the seconds of the analysis before the switch."""
    declared = wanted.blue_green or {}
    before = wanted.analysis(declared["prePromotionAnalysis"]) if "prePromotionAnalysis" in declared else 0
    # An analysis that measures once takes no time that is declared; it is a gate all the same.
    return not declared.get("autoPromotionEnabled", True), max(before, int("prePromotionAnalysis" in declared))


def promote_full(wanted: RolloutState) -> str:
    """The command that skips what is left of the steps, pauses and analyses."""
    return f"kubectl argo rollouts promote --full {wanted.name} -n {wanted.namespace}"


# ------------------------------------------------------------------------------------------------------------ notes


def _traps(known: Past, wanted: RolloutState) -> Iterator[str]:
    current, name = known.current, wanted.name
    if find(known.sets, wanted.template) is None and current.steps and current.window:
        yield (
            f"{name}: going back makes its ReplicaSet anew as the youngest, "
            "so that going forward again would skip every step"
        )
    if wanted.blue_green is not None:
        if any(_gates(wanted)) and not current.hashed:
            yield (
                f"{name}: Service {name} carries no hash of the controller now, so blue-green skips its gate: "
                "a version that never gets ready ends with no pod"
            )
        if "postPromotionAnalysis" in wanted.blue_green:
            yield f"{name}: the analysis after the switch may run again; its failure moves the traffic forward"
    if number_to_range(current, wanted):
        yield _shrinks(current, wanted)


def _shrinks(before: RolloutState, after: RolloutState) -> str:
    return (
        f"{after.name}: from {before.fewest} replicas to a range leaves 1 pod until the autoscaler acts; "
        f"to avoid it, keep `replicas: {before.fewest}` (RS441)"
    )


def _hardware(known: Past | None, wanted: RolloutState) -> Iterator[str]:
    """A node with the accelerator must be free: the version that is left holds none, or fewer."""
    now = known.current.accelerators if known is not None else {}
    for resource, amount in wanted.accelerators.items():
        if amount > now.get(resource, 0):
            yield f"{wanted.name}: a pod needs {amount} {resource}, now {now.get(resource, 0)}: nodes must have it free"


def _unmeasured(wanted: RolloutState) -> Iterator[str]:
    if not wanted.probed:
        yield f"{wanted.name} has no health check: when its pods are ready is not known, {wanted.startup} s are taken"
    if any(one.get("restartPolicy") != "Always" for one in wanted.pod.get("initContainers") or ()):
        yield f"{wanted.name}: what its init containers take is not counted"
