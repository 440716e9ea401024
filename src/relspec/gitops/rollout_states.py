"""The Rollouts of a compiled release as the controller would see them: read from the rendered objects, not from the spec.

So an override or a team's own template counts too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise, takewhile
from typing import Any

from msgspec import Struct

from relspec.compiler import CompiledRelease
from relspec.gitops.replica_sets import Push, enough
from relspec.gitops.schedule import Part
from relspec.resolve import ResolvedRelease
from relspec.spec.quantities import seconds
from relspec.targets.helm.target import OBJECTS
from relspec.targets.rollouts.strategies import NO_PODS

Map = Mapping[str, Any]

DEFAULT_STARTUP = 60
"""Seconds until a pod without a startupProbe counts as ready: `health.startup`'s own default (DESIGN 3)."""

DEFAULT_GRACE = 30
"""terminationGracePeriodSeconds where none is written (Kubernetes API, PodSpec)."""

FEWEST = 2
"""Revisions that say at least how something came: what runs, and what ran before it."""

STEP = (1, 3)
"""Seconds that the controller takes for a `setWeight` beside its pods: RUNTIMES.md, four short steps, of them 4 s of
pauses and two starts of 1 s, took 10.2 to 11.1 s."""

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
WAVE = "argocd.argoproj.io/sync-wave"
NAME = "app.kubernetes.io/name"
TRACK = "relspec.dev/track"
HOOK = "argocd.argoproj.io/hook"


class RolloutState(Struct, frozen=True, dict=True):
    """A Rollout of one revision. `cluster` and the namespace say where; `scaler` is its HorizontalPodAutoscaler."""

    target: str
    cluster: str
    document: Map
    scaler: Map | None
    analyses: Mapping[str, Map]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies the live object: another key is another object, with a history of its own."""
        return self.target, self.cluster, self.namespace, self.name

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.document["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The object's namespace."""
        return str(self.document["metadata"].get("namespace", "default"))

    @property
    def owner(self) -> str:
        """`n` of the service that it belongs to, a candidate's too."""
        return owner(self.document)

    @property
    def candidate(self) -> bool:
        """Whether it is the workload of a candidate."""
        return bool((self.document["metadata"].get("labels") or {}).get(TRACK) == "candidate")

    @cached_property
    def template(self) -> str:
        """The pod template as canonical text: equal texts share a ReplicaSet."""
        return json.dumps(self.document["spec"]["template"], sort_keys=True, separators=(",", ":"), default=str)

    @property
    def window(self) -> int:
        """rollbackWindow.revisions; 0 without one, as blue-green never has one."""
        return int((self.document["spec"].get("rollbackWindow") or {}).get("revisions", 0))

    @property
    def history(self) -> int:
        """revisionHistoryLimit; the controller's default is 10 (utils/defaults)."""
        return int(self.document["spec"].get("revisionHistoryLimit", 10))

    def push(self, time: int) -> Push:
        """What the controller is told of it; `time` in unix seconds."""
        return Push(self.template, time, self.history)

    @property
    def blue_green(self) -> Map | None:
        """The blue-green strategy, if it is one."""
        found: Map | None = self.document["spec"]["strategy"].get("blueGreen")
        return found

    @property
    def canary(self) -> Map:
        """The canary strategy; empty for blue-green."""
        return self.document["spec"]["strategy"].get("canary") or {}

    @property
    def steps(self) -> Sequence[Map]:
        """The steps of a canary."""
        return self.canary.get("steps") or ()

    @property
    def routed(self) -> bool:
        """Whether the controller moves the traffic of this canary by a router."""
        return "trafficRouting" in self.canary

    @property
    def keeps_old_pods(self) -> bool:
        """Whether the old pods stay while the new ones come: not where the pods themselves are the split."""
        return self.routed or self.blue_green is not None

    @property
    def hashed(self) -> bool:
        """Whether the controller writes its hash into Service `n`: without it blue-green skips its gate."""
        return self.blue_green is not None or "stableService" in self.canary

    @property
    def warm(self) -> int:
        """Seconds that the old pods stay after a promotion; 0: they are gone at once."""
        strategy = self.canary if self.blue_green is None else self.blue_green
        return int(strategy.get("scaleDownDelaySeconds", 0))

    @property
    def fewest(self) -> int:
        """Replicas at least: the number, or the range's minimum."""
        return int(
            self.document["spec"].get("replicas", 1) if self.scaler is None else self.scaler["spec"]["minReplicas"]
        )

    @property
    def most(self) -> int:
        """Replicas at most."""
        return self.fewest if self.scaler is None else int(self.scaler["spec"]["maxReplicas"])

    @property
    def pod(self) -> Map:
        """The pod's spec."""
        found: Map = self.document["spec"]["template"]["spec"]
        return found

    @property
    def startup(self) -> int:
        """Seconds in which a pod is ready, or counts as failed: the slowest container's startupProbe."""
        probes = [probe for container in self._containers if (probe := container.get("startupProbe"))]
        times = [int(probe.get("failureThreshold", 3)) * int(probe.get("periodSeconds", 10)) for probe in probes]
        return max(times, default=DEFAULT_STARTUP)

    @property
    def probed(self) -> bool:
        """Whether anything says when a pod is ready."""
        return any("startupProbe" in container or "readinessProbe" in container for container in self._containers)

    @property
    def exclusive(self) -> bool:
        """Whether the old pod must end before the new one starts: a disk that one pod holds."""
        return self.blue_green is None and self.canary.get("maxSurge") in NO_PODS

    @property
    def accelerators(self) -> Mapping[str, int]:
        """The extended resources that one pod asks for, by name."""
        found: dict[str, int] = {}
        for container in self._containers:
            for name, amount in ((container.get("resources") or {}).get("limits") or {}).items():
                if "/" in name:
                    found[name] = found.get(name, 0) + int(amount)
        return found

    @property
    def _containers(self) -> Sequence[Map]:
        sidecars = [one for one in self.pod.get("initContainers") or () if one.get("restartPolicy") == "Always"]
        return [*sidecars, *self.pod["containers"]]

    # --- how long

    def starts(self) -> tuple[Part, ...]:
        """Starting all pods of this version with no step in between."""
        return self._started(min(self.most, 1) if self.keeps_old_pods else self._batches(self.most))

    def take_steps(self) -> tuple[Part, ...]:
        """The whole canary: pods, steps, pauses, analyses."""
        weights = [int(step["setWeight"]) for step in self.steps if "setWeight" in step]
        pods = [0, *(-(-self.most * weight // 100) for weight in weights), self.most]
        added = [new - old for old, new in pairwise(pods) if new > old]
        rounds = sum(1 if self.routed else self._batches(more) for more in added)
        parts = [*self._started(rounds), Part("steps", STEP[0] * len(weights), STEP[1] * len(weights))]
        pauses = sum(length for step in self.steps if (length := _pause(step)))
        if pauses:
            parts.append(Part("pauses", pauses, pauses))
        analyses = sum(self.analysis(step["analysis"]) for step in self.steps if "analysis" in step)
        if analyses:
            parts.append(Part("analyses", analyses, analyses))
        if any("pause" in step and _pause(step) is None for step in self.steps):
            parts.append(Part("a person promotes", 0, None))
        return tuple(parts)

    def analysis(self, run: Map) -> int:
        """Seconds of an analysis that finds nothing: its slowest metric. A failed query (10 s each) is not counted.

        Source: analysis/analysis.go, `calculateNextReconcileTime`: the initial delay, then count measurements.
        """
        templates = [self.analyses.get(str(one.get("templateName"))) for one in run.get("templates") or ()]
        metrics = [metric for one in templates if one is not None for metric in one["spec"]["metrics"]]
        return max((_measured(metric) for metric in metrics), default=0)

    def _started(self, rounds: int) -> tuple[Part, ...]:
        parts = [Part("pods start", min(rounds, 1), rounds * self.startup)] if rounds else []
        if self.exclusive and rounds:
            grace = int(self.pod.get("terminationGracePeriodSeconds", DEFAULT_GRACE))
            parts.insert(0, Part("old pods end", 0, rounds * grace))
        return tuple(parts)

    def _batches(self, pods: int) -> int:
        """How many times pods are started one after another where maxSurge and maxUnavailable limit them."""
        at_once = max(_surge(self.canary.get("maxSurge", "25%"), self.most), 0)
        at_once += _surge(self.canary.get("maxUnavailable", 0), self.most, down=True)
        return -(-pods // max(at_once, 1))


Rollouts = Mapping[tuple[str, str, str, str], RolloutState]
"""The Rollouts of one revision by their keys."""


def rollout_states(compiled: CompiledRelease) -> Rollouts:
    """The Rollouts of a release by their keys, candidates included."""
    found = {}
    for target, objects in kubernetes_objects(compiled):
        scalers = {one["spec"]["scaleTargetRef"]["name"]: one for one in _of_kind(objects, "HorizontalPodAutoscaler")}
        analyses = {one["metadata"]["name"]: one for one in _of_kind(objects, "AnalysisTemplate")}
        for document in _of_kind(objects, "Rollout"):
            scaler = scalers.get(document["metadata"]["name"])
            state = RolloutState(target, cluster(compiled.release, target), document, scaler, analyses)
            found[state.key] = state
    return found


def all_counted(newest: Sequence[Rollouts], ends: Sequence[Rollouts]) -> bool:
    """Whether no older revision than `newest` (newest first) says more of the way between `ends`, of which one is deployed.

    That is: of every Rollout whose pod template differs between those, or was what the newest one changed, enough
    ReplicaSets are known, or when it was created.
    """
    if len(newest) < FEWEST:
        return False
    now, before = newest[:FEWEST]
    moving = {key for key in now if key in before and now[key].template != before[key].template}
    moving |= {key for key in now if len({each[key].template for each in (now, *ends) if key in each}) > 1}
    return all(_all_counted([each.get(key) for each in newest]) for key in moving)


def _all_counted(newest: Sequence[RolloutState | None]) -> bool:
    """The same of one Rollout; None where it was not there."""
    live = list(takewhile(lambda state: state is not None, newest))
    states = [state for state in live if state is not None]
    window = max((state.window for state in states), default=0)
    return len(live) < len(newest) or enough([state.push(0) for state in states], window)


def kubernetes_objects(compiled: CompiledRelease) -> Iterator[tuple[str, Sequence[Map]]]:
    """The Kubernetes objects of a release by target: of rollouts, and of helm with the reference chart."""
    for draft in compiled.drafts:
        documents = draft.documents or ()
        if draft.path.startswith("rollouts/"):
            yield "rollouts", documents
        elif draft.elements_of == OBJECTS:
            yield "helm", [one for document in documents for one in document.get(OBJECTS) or ()]


class Held(Struct, frozen=True):
    """Why a sync stays open until what it brings is healthy; `owner` is `n` of the service that holds it."""

    owner: str
    reason: str


def holds_the_sync(before: CompiledRelease, after: CompiledRelease) -> Held | None:
    """What keeps Argo CD's sync of a change open until its new version is promoted; None where nothing does.

    An object with PruneLast that goes, a hook, a wave (DESIGN 6, tried on Argo CD 3.2). Only the rollouts target is one
    that Argo CD syncs object by object.
    """
    now = _synced(after)
    for key, one in _synced(before).items():
        if key not in now and "PruneLast=true" in _annotation(one, SYNC_OPTIONS):
            return Held(owner(one), f"{key[0]} {key[1]} is removed last")
    for (kind, name), one in now.items():
        if _annotation(one, HOOK):
            return Held(owner(one), f"{kind} {name} is a hook")
        if _annotation(one, WAVE) not in ("", "0"):
            return Held(owner(one), f"{kind} {name} is in a sync wave")
    return None


def owner(document: Map) -> str:
    """`n` of the service that an object belongs to: what its label says, else its own name."""
    metadata = document["metadata"]
    return str((metadata.get("labels") or {}).get(NAME, metadata["name"]))


def _synced(compiled: CompiledRelease) -> Mapping[tuple[str, str], Map]:
    synced = [objects for target, objects in kubernetes_objects(compiled) if target == "rollouts"]
    return {(str(one["kind"]), str(one["metadata"]["name"])): one for objects in synced for one in objects}


def _annotation(document: Map, name: str) -> str:
    return str((document["metadata"].get("annotations") or {}).get(name, ""))


def _of_kind(objects: Sequence[Map], kind: str) -> Iterator[Map]:
    return (one for one in objects if one.get("kind") == kind)


def cluster(release: ResolvedRelease | None, target: str) -> str:
    """Where a target's objects live; an environment that names no cluster counts as one of its own."""
    if release is None:
        return ""
    environment = release.environment
    settings = environment.targets.rollouts if target == "rollouts" else environment.targets.helm
    return (settings.cluster if settings else None) or environment.path


def _pause(step: Map) -> int | None:
    """Seconds of a step's pause; None where a person ends it; 0 where it is no pause."""
    if "pause" not in step:
        return 0
    length = (step["pause"] or {}).get("duration")
    return None if length is None else _seconds(length)


def _measured(metric: Map) -> int:
    count = int(metric.get("count", 1))
    return _seconds(metric.get("initialDelay", 0)) + max(count - 1, 0) * _seconds(metric.get("interval", 0))


def _seconds(length: Any) -> int:
    return int(length) if isinstance(length, int) or str(length).isdigit() else seconds(str(length))


def _surge(amount: Any, replicas: int, *, down: bool = False) -> int:
    """A number of pods, or percent of them: surge rounds up, unavailable down (utils/replicaset, `MaxSurge`)."""
    if not isinstance(amount, str):
        return int(amount)
    percent = replicas * int(amount.rstrip("%"))
    return percent // 100 if down else -(-percent // 100)
