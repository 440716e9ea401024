"""What a change does in each target: which containers are recreated, which pods start, what moves, how long at least.

Pure: two compiled releases go in, effects come out. They are read from the outputs themselves, so that a template or an
override counts like everything else; the resolved release only says which service an output belongs to.

Sources of the rules: what Compose recreates (`compose_schedule`), argo-rollouts utils/replicaset/canary.go (pods of a
canary), analysis/analysis.go (the first measurement is taken at once, or after `initialDelay`), rollout/bluegreen.go, and
trials on the real parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from relspec.compiler import CompiledRelease
from relspec.gitops.changes import changed_lines, differing_paths, shortened
from relspec.gitops.compose_schedule import Fate, containers, fates
from relspec.gitops.rollout_states import RolloutState, cluster
from relspec.reporters.text import counted
from relspec.resolve import TARGETS, ResolvedRelease, ResolvedService
from relspec.spec.quantities import seconds
from relspec.spec.strategy import HELD
from relspec.targets.application_routing import candidate_percent
from relspec.targets.compose.router_service import candidate_name, router_name
from relspec.targets.draft import Draft
from relspec.targets.helm.target import OBJECTS
from relspec.targets.rollouts.names import object_name

Kind = Literal[
    "nothing", "recreate", "rollout", "traffic", "scale", "create", "remove", "values", "metadata", "unknown"
]
Map = Mapping[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace and name of a Kubernetes object."""

MOST_NAMED = 3
"""Objects, or values of a chart, that a sentence names."""

DEFAULT_SURGE = "25%"
"""maxSurge where a Rollout does not say it (argo-rollouts utils/defaults)."""

HPA_DELAY = "about 16 s with one pod"
"""What going from a number of replicas to a range costs, as measured (RS441)."""


class Effect(Struct, frozen=True):
    """What a change does to one service in one target.

    `words` is a sentence without a full stop. `least_seconds` is what pauses and analyses take at least, None where it
    waits for a person; starting up comes on top and is nowhere declared as a least. `extra_pods` and `extra_gpus` are the
    most that run beside what ran before. `restarts` says whether something that runs is replaced (a users' chart:
    whether it may be). `names` are the containers or objects concerned, of `total` (services of the Compose project,
    Rollouts). `unknown` is the kind where a side does not compile.
    """

    target: str
    service: str
    kind: Kind
    words: str
    least_seconds: int | None = 0
    extra_pods: int = 0
    extra_gpus: int = 0
    restarts: bool = False
    names: tuple[str, ...] = ()
    total: int = 0


Returning = Mapping[tuple[str, str], str]
"""Rollouts, by target and name, that go back to a ReplicaSet and skip their steps, each with the commit that it is of."""


def impact(
    old: CompiledRelease | None,
    new: CompiledRelease | None,
    returning: Returning = {},  # noqa: B006 - never changed
) -> tuple[Effect, ...]:
    """What deploying `new` where `old` runs does, by target (compose, helm, rollouts) and service. None: not there.

    `returning` is what the two alone can't tell: which ReplicaSets were there before `old` (`Readiness.skipping`).
    """
    if any(side is not None and (side.stopped or side.release is None) for side in (old, new)):
        words = "not known: the release does not compile" + (" before the change" if not _stops(new) else "")
        return (Effect("", "", "unknown", words, restarts=True),)
    before, after = _Side.of(old), _Side.of(new)
    found: list[Effect] = []
    for target in TARGETS:
        found += _target(target, before.only(target), after.only(target), returning)
    return tuple(found)


def summary(effects: Sequence[Effect]) -> tuple[str, ...]:
    """One line a target: `compose: recreates api, 1 of 3 services`."""
    lines = []
    for target in dict.fromkeys(effect.target for effect in effects):
        of_target = [effect for effect in effects if effect.target == target]
        said = _compose_summary(of_target) if target == "compose" else _other_summary(of_target)
        lines.append(f"{target}: {said}" if target else said)
    return tuple(lines)


def duration(total: int) -> str:
    """Seconds as a person says them, rounded down: `90 s`, `16 min`, `2 h 5 min`."""
    if total < 120:
        return f"{total} s"
    hours, minutes = divmod(total // 60, 60)
    return f"{minutes} min" if not hours else f"{hours} h {minutes} min" if minutes else f"{hours} h"


# --- the two sides


class _Side(Struct, frozen=True):
    """The outputs of a release on one side of the change."""

    release: ResolvedRelease | None
    drafts: tuple[Draft, ...]
    files: Mapping[str, bytes]

    @staticmethod
    def of(compiled: CompiledRelease | None) -> _Side:
        if compiled is None:
            return _Side(None, (), {})
        return _Side(compiled.release, compiled.drafts, compiled.files)

    def only(self, target: str) -> _Side:
        """The outputs of one target."""
        folder = f"{target}/"
        drafts = tuple(draft for draft in self.drafts if draft.path.startswith(folder))
        return _Side(self.release, drafts, {path: data for path, data in self.files.items() if path.startswith(folder)})

    def service(self, name: str) -> ResolvedService | None:
        return self.release.services.get(name) if self.release is not None else None


def _stops(side: CompiledRelease | None) -> bool:
    return side is not None and (side.stopped or side.release is None)


def _target(target: str, old: _Side, new: _Side, returning: Returning) -> list[Effect]:
    if not old.drafts and not new.drafts:
        return []
    effects = [*(_compose(old, new) if target == "compose" else _kubernetes(target, old, new, returning))]
    if target == "helm":
        effects += _values(old, new)
    if effects:
        return effects
    if old.files == new.files:
        return [Effect(target, "", "nothing", "restarts nothing")]
    return [Effect(target, "", "metadata", "restarts nothing: the outputs only read differently")]


# --- compose


class _Project(Struct, frozen=True):
    """The services of a compose.yaml, by what becomes of each."""

    old: Map
    new: Map
    fate: Mapping[str, Fate]

    def of(self, names: Iterable[str], *kinds: Fate) -> tuple[str, ...]:
        return tuple(name for name in names if self.fate.get(name) in kinds)


def _compose(old: _Side, new: _Side) -> Iterator[Effect]:
    before, after = _compose_document(old), _compose_document(new)
    if before.get("name") != after.get("name") and before and after:
        yield _another_project(before, after)
        return
    services, theirs = before.get("services") or {}, after.get("services") or {}
    project = _Project(services, theirs, fates(before, after))
    owners = {name: _owner_of_container(name, old, new) for name in {**theirs, **services}}
    for service in dict.fromkeys(owners.values()):
        names = [name for name, owner in owners.items() if owner == service]
        for effect in _compose_service(service, names, project, old, new):
            yield replace(effect, total=len(theirs))
    if not any(kind != "nothing" for kind in project.fate.values()) and before != after:
        yield Effect("compose", "", "metadata", "restarts nothing", total=len(theirs))


def _compose_document(side: _Side) -> Map:
    documents = [draft.documents[0] for draft in side.drafts if draft.documents]
    return documents[0] if documents else {}


def _another_project(before: Map, after: Map) -> Effect:
    """Compose knows a project by its name alone: the old one is nobody's any more."""
    down = f"docker compose -p {before['name']} down"
    words = f"project {before['name']} becomes {after['name']}: all starts anew, and the old one runs on until `{down}`"
    names = tuple(after.get("services") or {})
    return Effect("compose", "", "create", words, extra_pods=len(names), restarts=True, names=names, total=len(names))


def _owner_of_container(container: str, *sides: _Side) -> str:
    """The service that a container belongs to: its own name, or the longest one that its name begins with."""
    names = {name for side in sides if side.release is not None for name in side.release.services}
    fits = [name for name in names if container == name or container.startswith(f"{name}-")]
    return max(fits, key=len, default="")


def _compose_service(service: str, names: Sequence[str], project: _Project, old: _Side, new: _Side) -> Iterator[Effect]:
    """The effects on one service's containers: itself, its candidate, its router, and what goes with them."""
    router = router_name(service)
    if project.fate.get(service) in ("create", "remove"):
        yield from _whole_service(service, names, project)
        return
    recreated = project.of(names, "recreate")
    if project.fate.get(router) in ("create", "remove"):
        yield _router_comes_or_goes(service, router, project)
        recreated = tuple(name for name in recreated if name != service)
    elif recreated == (router,):
        words = f"{_traffic(service, old, new)}: recreates {router}, not {service}"
        yield Effect("compose", service, "traffic", words, restarts=True, names=recreated)
        recreated = ()
    if recreated:
        yield Effect("compose", service, "recreate", f"recreates {_and(recreated)}", restarts=True, names=recreated)
    for name in names:
        if name != router or project.fate[name] in ("scale", "metadata"):
            yield from _container(name, service, project, new)


def _whole_service(service: str, names: Sequence[str], project: _Project) -> Iterator[Effect]:
    """A service that comes or goes, with all its containers; one of them may have been another service's before."""
    created, removed = project.of(names, "create"), project.of(names, "remove")
    if created:
        pods = sum(containers(project.new[name]) for name in created)
        yield Effect("compose", service, "create", f"starts {_and(created)}", extra_pods=pods, names=created)
    if removed:
        yield Effect("compose", service, "remove", f"removes {_and(removed)}", names=removed)


def _container(name: str, service: str, project: _Project, new: _Side) -> Iterator[Effect]:
    """A container that comes or goes beside its service, or stays and changes."""
    candidate = name == candidate_name(service)
    match project.fate[name]:
        case "create":
            pods = containers(project.new[name])
            gpus = pods * _gpus(_candidate_of(new, service)) if candidate else 0
            words = f"candidate {name} comes" if candidate else f"starts {name}"
            yield Effect("compose", service, "create", words, extra_pods=pods, extra_gpus=gpus, names=(name,))
        case "remove":
            words = f"candidate {name} goes" if candidate else f"removes {name}"
            yield Effect("compose", service, "remove", words, names=(name,))
        case "scale":
            before, after = containers(project.old[name]), containers(project.new[name])
            words = f"{name} {before} -> {counted(after, 'container')}, those that stay are not restarted"
            yield Effect("compose", service, "scale", words, extra_pods=max(after - before, 0), names=(name,))
        case "metadata":
            rebuilt = project.old[name].get("build") != project.new[name].get("build")
            aside = f": {name} is built anew by `docker compose up --build` only" if rebuilt else ""
            yield Effect("compose", service, "metadata", f"restarts nothing{aside}", names=(name,))


def _router_comes_or_goes(service: str, router: str, project: _Project) -> Effect:
    """With the router the published port moves, and the service that had it is recreated."""
    comes = project.fate[router] == "create"
    ports = (project.new if comes else project.old)[router].get("ports")
    moves = f"published port moves{'' if comes else ' back'}" if ports else ""
    recreated = project.fate.get(service) == "recreate"
    parts = [part for part in (moves, f"{service} is recreated" if recreated else "") if part]
    words = f"router for {service} {'comes' if comes else 'goes'}: {' and '.join(parts) or f'{service} stays'}"
    names = (service,) if recreated else (router,)
    kind: Kind = "recreate" if recreated else "create" if comes else "remove"
    return Effect("compose", service, kind, words, extra_pods=1 if comes else 0, restarts=recreated, names=names)


# --- Kubernetes: the rollouts target, and the reference chart, which prints the same objects


def _kubernetes(target: str, old: _Side, new: _Side, returning: Returning) -> Iterator[Effect]:
    places = cluster(old.release, target), cluster(new.release, target)
    if old.drafts and new.drafts and places[0] != places[1]:
        # Objects of the same name in another cluster are others: all starts anew there.
        for place, sides in ((places[1], (_Side.of(None), new)), (places[0], (old, _Side.of(None)))):
            for effect in _kubernetes(target, *sides, returning):
                yield replace(effect, words=f"in {place}: {effect.words}")
        return
    before, after = _objects(old), _objects(new)
    if not before and not after:
        return
    total = sum(1 for kind, _, _ in after if kind == "Rollout")
    owners = {key: _owner_of_object(document, old, new) for key, document in {**after, **before}.items()}
    for service in dict.fromkeys(owners.values()):
        keys = [key for key, owner in owners.items() if owner == service]
        context = _Objects(target, service, before, after, old, new, returning)
        for effect in _kubernetes_service(keys, context):
            yield replace(effect, total=total)


class _Objects(Struct, frozen=True):
    """The objects of both sides, and the service that is asked about."""

    target: str
    service: str
    before: Mapping[Key, Map]
    after: Mapping[Key, Map]
    old: _Side
    new: _Side
    returning: Returning

    def effect(self, kind: Kind, words: str, *names: str, **numbers: Any) -> Effect:
        return Effect(self.target, self.service, kind, words, names=names, **numbers)

    def declared(self, name: str, side: _Side) -> ResolvedService | None:
        """The workload behind a Rollout of this name: the service, or its candidate."""
        service = side.service(self.service)
        if service is None or side.release is None or name == object_name(side.release.name, self.service):
            return service
        return service.candidate


def _objects(side: _Side) -> dict[Key, Map]:
    """The Kubernetes objects among the outputs."""
    documents: list[Map] = []
    for draft in side.drafts:
        if draft.elements_of == OBJECTS:
            documents += (draft.documents or [{}])[0].get(OBJECTS, [])
        elif not draft.path.startswith("helm/"):
            documents += draft.documents or []
    return {
        (document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]): document
        for document in documents
    }


def _owner_of_object(document: Map, *sides: _Side) -> str:
    """The service that an object belongs to, by its label, else by its name."""
    name = str((document["metadata"].get("labels") or {}).get("app.kubernetes.io/name") or document["metadata"]["name"])
    names = {
        object_name(side.release.name, service): service
        for side in sides
        if side.release is not None
        for service in side.release.services
    }
    fits = [known for known in names if name == known or name.startswith(f"{known}-")]
    return names[max(fits, key=len)] if fits else ""


def _kubernetes_service(keys: Sequence[Key], context: _Objects) -> Iterator[Effect]:
    changed = [key for key in keys if context.before.get(key) != context.after.get(key)]
    effects: list[Effect] = []
    for key in changed:
        if key[0] == "Rollout":
            effects += _workload(key, context)
    effects += _autoscaled(changed, context, effects)
    restarted = any(effect.restarts for effect in effects)
    if any(
        key[0] in ("VirtualService", "HTTPRoute") and key in context.before and key in context.after for key in changed
    ):
        words = _traffic(context.service, context.old, context.new)
        effects.append(context.effect("traffic", words if restarted else f"{words}, no pod restarts"))
    kinds = {effect.kind for effect in effects}
    if changed and not kinds & {"rollout", "create", "remove"}:
        # A budget comes and goes with the number of pods.
        said = SAID_OTHERWISE | ({"PodDisruptionBudget"} if "scale" in kinds else frozenset())
        facts = [fact for key in changed if key[0] == "Rollout" for fact in _facts_about(key, context)]
        rest = _some([shortened(f"{kind} {name}") for kind, _, name in changed if kind not in said])
        if facts or rest or not effects:
            why = f": {_and([*facts, *rest])}" if facts or rest else ""
            effects.append(context.effect("metadata", f"restarts nothing{why}", *(name for _, _, name in changed)))
    yield from effects


SAID_OTHERWISE = frozenset({"Rollout", "HorizontalPodAutoscaler", "VirtualService", "HTTPRoute"})
"""Kinds whose changes have words of their own."""


def _workload(key: Key, context: _Objects) -> Iterator[Effect]:
    """A Rollout that comes, goes, or changes."""
    old, new, name = context.before.get(key), context.after.get(key), key[2]
    if new is None:
        pods = _pods(key, context.before)
        words = f"{_called(name, context.old, context)} goes with its {counted(pods, 'pod')}"
        yield context.effect("remove", words, name)
    elif old is None:
        pods = _pods(key, context.after)
        gpus = pods * _gpus(context.declared(name, context.new))
        words = f"{_called(name, context.new, context)} comes: {_pods_and_gpus(pods, gpus)}"
        if context.old.drafts and "steps" in new["spec"]["strategy"].get("canary", {}):
            words += ", without steps the first time"
        yield context.effect("create", words, name, extra_pods=pods, extra_gpus=gpus)
    elif old["spec"]["template"] != new["spec"]["template"]:
        yield _new_replica_set(key, old, new, context)
    else:
        counts = old["spec"].get("replicas"), new["spec"].get("replicas")
        if counts[0] != counts[1] and None not in counts:
            more = max(counts[1] - counts[0], 0)
            gpus = more * _gpus(context.declared(name, context.new))
            words = f"{_whose(name, context)}replicas {counts[0]} -> {counts[1]}, no pod restarts"
            yield context.effect("scale", words, name, extra_pods=more, extra_gpus=gpus)


def _facts_about(key: Key, context: _Objects) -> Iterator[str]:
    """What changes about a Rollout without its pods or their number."""
    old, new = context.before.get(key), context.after.get(key)
    if old is None or new is None or _without_replicas(old) == _without_replicas(new):
        return
    if old["spec"].get("strategy") != new["spec"].get("strategy"):
        sides = [context.declared(key[2], side) for side in (context.old, context.new)]
        same = len({side.strategy.name for side in sides if side is not None}) == 1
        yield "other settings of the strategy" if same else "another strategy from the next version on"
        return
    before, after = _without_replicas(old), _without_replicas(new)
    fields = [
        field for field in {**old["spec"], **new["spec"]} if before["spec"].get(field) != after["spec"].get(field)
    ]
    yield f"{_and(sorted(fields) or ['metadata'])} of Rollout {key[2]}"


def _without_replicas(rollout: Map) -> Map:
    return {**rollout, "spec": {key: value for key, value in rollout["spec"].items() if key != "replicas"}}


def _whose(name: str, context: _Objects) -> str:
    """What begins a sentence about a candidate."""
    called = _called(name, context.new, context)
    return f"{called}: " if called.startswith("candidate ") else ""


def _called(name: str, side: _Side, context: _Objects) -> str:
    stable = side.release is not None and name == object_name(side.release.name, context.service)
    return f"Rollout {name}" if stable else f"candidate {name}"


def _new_replica_set(key: Key, before: Map, rollout: Map, context: _Objects) -> Effect:
    """A pod template that differs is another ReplicaSet; the strategy says how it takes over."""
    name, strategy = key[2], rollout["spec"]["strategy"]
    service = context.declared(name, context.new)
    replicas = _pods(key, context.after)
    was = RolloutState(context.target, "", before, None, {})
    takeover = (
        _blue_green(name, strategy["blueGreen"], replicas, context.after, gated=was.hashed)
        if "blueGreen" in strategy
        else _canary(strategy.get("canary") or {}, replicas, context.after)
    )
    words, least = f"new ReplicaSet, {takeover.words}", takeover.least
    commit = context.returning.get((context.target, name))
    if commit is not None:
        words, least = f"back to the ReplicaSet of {commit[:9]}: steps skipped if it is still there", 0
    gpus = takeover.extra * _gpus(service)
    most = f"; at most {_pods_and_gpus(takeover.extra, gpus, 'extra ')} meanwhile" if takeover.extra else ""
    return context.effect(
        "rollout",
        f"{_whose(name, context)}{words}{most}",
        name,
        least_seconds=least,
        extra_pods=takeover.extra,
        extra_gpus=gpus,
        restarts=True,
    )


class _Takeover(Struct, frozen=True):
    """How a new version takes over. `least` is None where a person decides, `extra` the most pods beside the old ones."""

    words: str
    least: int | None
    extra: int


def _canary(canary: Map, replicas: int, objects: Mapping[Key, Map]) -> _Takeover:
    """Pods of a canary: with traffic routing all old ones stay beside it to the end, else maxSurge bounds them."""
    routed = "trafficRouting" in canary
    extra = replicas if routed else surge(canary.get("maxSurge", DEFAULT_SURGE), replicas)
    steps = canary.get("steps") or []
    if not steps:
        if routed:
            words = "the traffic moves at once when it is ready"
        else:
            words = "pods are replaced in turn" if extra else "an old pod ends before a new one starts"
        return _Takeover(words, 0, extra)
    least = sum(_step_seconds(step, objects) for step in steps)
    persons = [number for number, step in enumerate(steps) if step.get("pause") == {}]
    parts = [counted(len(steps), "step")]
    if least:
        parts.append(f"at least {duration(least)}")
    if persons:
        after = _and([str(number) for number in persons if number])
        parts.append("waits for a person " + (f"after step{'s' * (' ' in after)} {after}" if after else "at once"))
    return _Takeover(", ".join(parts), None if persons else least, extra)


def _blue_green(
    name: str, strategy: Map, replicas: int, objects: Mapping[Key, Map], *, gated: bool = True
) -> _Takeover:
    """A whole second fleet; while a person is waited for, a third may be there from the version before.

    Not `gated` is what enters blue-green from a Service without the controller's hash (RS342): nothing is waited for.
    """
    if not gated:
        return _Takeover(f"takes all traffic at once, ready or not: Service {name} carries no hash yet", 0, replicas)
    least = sum(
        _analysis_seconds(strategy.get(field) or {}, objects)
        for field in ("prePromotionAnalysis", "postPromotionAnalysis")
    )
    waits = f", at least {duration(least)}" if least else ""
    if strategy.get("autoPromotionEnabled", True):
        return _Takeover(f"a whole second fleet{waits}, then the switch", least, replicas)
    words = (
        f"a whole second fleet{waits}, waits for `kubectl argo rollouts promote {name}`, up to three fleets till then"
    )
    return _Takeover(words, None, 2 * replicas)


def surge(value: int | str, replicas: int) -> int:
    """maxSurge in pods: a percentage is rounded up, as Kubernetes does (intstr.GetScaledValueFromIntOrPercent)."""
    if isinstance(value, int):
        return value
    return -(-int(value.removesuffix("%")) * replicas // 100) if value.endswith("%") else 0


def _step_seconds(step: Map, objects: Mapping[Key, Map]) -> int:
    if "pause" in step:
        return _seconds((step["pause"] or {}).get("duration", 0))
    return _analysis_seconds(step.get("analysis") or {}, objects)


def _analysis_seconds(run: Map, objects: Mapping[Key, Map]) -> int:
    """The least time of an analysis that succeeds: its metrics are measured side by side, the first time at once."""
    wanted = {template["templateName"] for template in run.get("templates") or ()}
    metrics = [
        metric
        for (kind, _, name), document in objects.items()
        if kind == "AnalysisTemplate" and name in wanted
        for metric in document["spec"].get("metrics") or ()
    ]
    return max(map(_metric_seconds, metrics), default=0)


def _metric_seconds(metric: Map) -> int:
    count = metric.get("count")
    again = count - 1 if isinstance(count, int) and count > 0 else 0
    return _seconds(metric.get("initialDelay", 0)) + again * _seconds(metric.get("interval", 0))


def _seconds(text: str | int) -> int:
    """A duration of an output; 0 for what a template wrote in a way of its own: a least stays one."""
    try:
        return text if isinstance(text, int) else int(text) if text.isdigit() else seconds(text)
    except ValueError:
        return 0


def _autoscaled(changed: Iterable[Key], context: _Objects, effects: Sequence[Effect]) -> Iterator[Effect]:
    """Autoscalers that come, go or change, of Rollouts that are there on both sides."""
    for key in changed:
        rollout = ("Rollout", key[1], key[2])
        if key[0] != "HorizontalPodAutoscaler" or rollout not in context.before or rollout not in context.after:
            continue
        before, after = _range(rollout, context.before), _range(rollout, context.after)
        words = f"replicas {before} -> {after}" if before != after else "the autoscaler follows other numbers"
        if key not in context.before:
            words += f": {HPA_DELAY} until the autoscaler acts"
        rolling = any(effect.kind == "rollout" and key[2] in effect.names for effect in effects)
        more = max(_pods(rollout, context.after) - _pods(rollout, context.before), 0)
        gpus = more * _gpus(context.declared(key[2], context.new))
        words = words if rolling or key not in context.before else f"{words}, no pod restarts"
        yield context.effect("scale", words, key[2], extra_pods=more, extra_gpus=gpus)


def _range(rollout: Key, objects: Mapping[Key, Map]) -> str:
    scaler = objects.get(("HorizontalPodAutoscaler", rollout[1], rollout[2]))
    if scaler is not None:
        return f"{scaler['spec'].get('minReplicas', 1)}..{scaler['spec']['maxReplicas']}"
    return str(objects[rollout]["spec"].get("replicas", 1))


def _pods(rollout: Key, objects: Mapping[Key, Map]) -> int:
    """The most pods of a Rollout: its number, or its autoscaler's largest."""
    scaler = objects.get(("HorizontalPodAutoscaler", rollout[1], rollout[2]))
    found = scaler["spec"]["maxReplicas"] if scaler is not None else objects[rollout]["spec"].get("replicas", 1)
    return int(found)


# --- traffic, accelerators


def _traffic(service: str, old: _Side, new: _Side) -> str:
    """What the change of a route means: `weight 10 % -> 50 %`."""
    before, after = old.service(service), new.service(service)
    shares = _share(before), _share(after)
    if shares[0] == shares[1]:
        return "the route changes"
    if shares[0] is not None and shares[1] is not None and shares[0][0] == shares[1][0]:
        return f"{shares[0][0]} {shares[0][1]} % -> {shares[1][1]} %"
    if shares[1] is None:
        return "the route sends everything to stable"
    verb = "copies" if shares[1][0] == "shadow" else "sends"
    return f"the route {verb} {shares[1][1]} % to the candidate"


def _share(service: ResolvedService | None) -> tuple[str, int] | None:
    """What a router gives the candidate: its weight, or the percent that is copied; None without a split."""
    if service is None or not service.split_by_router or service.strategy.name not in HELD:
        return None
    return ("shadow" if service.strategy.shadow is not None else "weight", candidate_percent(service))


def _candidate_of(side: _Side, service: str) -> ResolvedService | None:
    found = side.service(service)
    return found.candidate if found is not None else None


def _gpus(service: ResolvedService | None) -> int:
    """Accelerators of one pod."""
    gpu = service.spec.accelerators if service is not None else None
    return gpu.count if gpu is not None else 0


def _pods_and_gpus(pods: int, gpus: int, adjective: str = "") -> str:
    accelerators = f" and {gpus} GPU{'' if gpus == 1 else 's'}" if gpus else ""
    return f"{counted(pods, f'{adjective}pod')}{accelerators}"


# --- values of a team's own chart


def _values(old: _Side, new: _Side) -> Iterator[Effect]:
    """What changes for a chart that only its templates know."""
    drafts = [{draft.path: draft for draft in side.drafts if draft.elements_of != OBJECTS} for side in (old, new)]
    for path in {**drafts[1], **drafts[0]}:
        before, after = drafts[0].get(path), drafts[1].get(path)
        if before is not None and after is not None and before.documents == after.documents:
            continue
        service = path.removeprefix("helm/values").removesuffix(".yaml").removeprefix("-")
        yield Effect("helm", service, "values", f"{_values_words(path, before, after, old, new)}", restarts=True)


def _values_words(path: str, before: Draft | None, after: Draft | None, old: _Side, new: _Side) -> str:
    whose = "which objects restart is up to the chart"
    if before is None or after is None:
        return f"{path} {'comes' if before is None else 'goes'}; {whose}"
    paths = differing_paths((before.documents or [{}])[0], (after.documents or [{}])[0])
    places = _and(_some([shortened(path) for path in paths]))
    added, removed = changed_lines(old.files[path].splitlines(), new.files[path].splitlines())
    return f"values change at {places}, {counted(max(added, removed), 'line')}; {whose}"


# --- sentences


def _some(words: list[str]) -> list[str]:
    """The first of them, and how many more there are."""
    rest = len(words) - MOST_NAMED
    return words if rest <= 0 else [*words[:MOST_NAMED], f"{rest} more"]


def _and(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _compose_summary(effects: Sequence[Effect]) -> str:
    """Everything that is merely recreated in one clause, with how many of the project's services that is."""
    plain = [effect for effect in effects if effect.kind == "recreate" and effect.words.startswith("recreates ")]
    names = list(dict.fromkeys(name for effect in plain for name in effect.names))
    total = max((effect.total for effect in effects), default=0)
    first = [f"recreates {', '.join(names)}, {len(names)} of {counted(total, 'service')}"] if names else []
    rest = [effect for effect in _worth_saying(effects) if effect not in plain]
    return "; ".join(dict.fromkeys([*first, *(effect.words for effect in rest)]))


def _other_summary(effects: Sequence[Effect]) -> str:
    several = len({effect.service for effect in effects}) > 1
    said = [
        f"{effect.service}: {effect.words}" if several and effect.service else effect.words
        for effect in _worth_saying(effects)
    ]
    return "; ".join(dict.fromkeys(said))


def _worth_saying(effects: Sequence[Effect]) -> Sequence[Effect]:
    """All that happens; that something restarts nothing is only said where nothing else happens."""
    return [effect for effect in effects if effect.kind not in ("nothing", "metadata")] or effects
