"""Changes of strategy and scale that Kubernetes can't take in one commit.

Sources: argo-rollouts rollout/bluegreen.go and rollout/service.go (what a Service without the controller's hash means),
Argo CD's PruneLast, the HorizontalPodAutoscaler's scale subresource; each tried on the real controller.

Compose needs none of them: its router sends everything to stable until a candidate answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relspec.diagnostics import Finding, Path, Severity
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.rules.changes.side import Side
from relspec.rules.finding import at_service
from relspec.rules.strategies import relspec_writes_objects
from relspec.spec.service import Replicas
from relspec.targets.rollouts.names import object_name
from relspec.targets.rollouts.routes import held_weight
from relspec.targets.rollouts.strategies import traffic_routing

Running = tuple[ResolvedRelease, ResolvedService]
Rollout = Mapping[str, Any]

AUTOSCALER = "about 16 s"
"""Until an autoscaler that has just been made acts: its first full period."""


def first_weight(base: Side, head: Side, release: str) -> Iterator[Finding]:
    """RS340: the route sends traffic to a candidate whose pods are made by the same commit.

    Not for shadow, whose answers are dropped, and not without a router of Kubernetes (RS330 refuses that).
    """
    for before, (now, service) in _in_kubernetes(base, head, release):
        weight, _ = held_weight(service)
        if weight and _has_candidate(service) and not _has_candidate(before[1]) and now.environment.spec.router:
            message = f"the candidate of {service.name} gets {weight} percent of the traffic before it has a pod"
            hint = "write weight: 0 in this commit, and the weight in the next one, when its pods are ready"
            yield at_service(service, "RS340", _weight_path(service), message, hint)


def blue_green_gate(base: Side, head: Side, release: str) -> Iterator[Finding]:
    """RS342: a Service whose selector lacks the controller's hash follows the new pods at once, ready or not."""
    for (was, before), (now, service) in _in_kubernetes(base, head, release):
        if not _is_blue_green(service) or _has_hash(was, before):
            continue
        if _template(base, was, before) != _template(head, now, service):
            message = (
                f"{service.name} enters blue-green from {before.strategy.name} with other pods: the gate is skipped"
            )
            hint = "two commits: first the strategy alone, then the new version, when the first is Healthy"
            yield at_service(service, "RS342", ("strategy", "blueGreen"), message, hint, "key")


def candidate_removal(base: Side, head: Side, release: str) -> Iterator[Finding]:
    """RS343: Argo CD prunes the candidate when stable is through, so its sync stays open and a revert waits for it."""
    for (was, before), (now, service) in _in_kubernetes(base, head, release):
        if not _has_candidate(before) or _has_candidate(service):
            continue
        old, new = _rollout(base, was, before), _rollout(head, now, service)
        changes = [what for what, part in (("pods", _pods), ("steps", _steps)) if part(old) != part(new)]
        if old and new and changes:
            what = " and ".join(changes)
            message = (
                f"the candidate of {service.name} goes while the {what} of stable change: a revert would have to wait"
            )
            hint = f"two commits: first the {what} with the candidate in place, then, when that is Healthy, without it"
            yield at_service(service, "RS343", (), message, hint, "key")


def number_to_range(base: Side, head: Side, release: str) -> Iterator[Finding]:
    """RS441: without a number the Rollout falls to one pod until its new autoscaler acts; a note where it has no more."""
    for (_, before), (_, service) in _in_kubernetes(base, head, release):
        pairs = [(before, service)]
        if before.candidate is not None and service.candidate is not None:
            pairs.append((before.candidate, service.candidate))
        for old, new in pairs:
            number = old.spec.replicas
            if not isinstance(number, int) or not isinstance(new.spec.replicas, Replicas):
                continue
            message = f"{service.name} goes from {number} replicas to a range: one pod is left for {AUTOSCALER}"
            hint = "at a quiet hour, when one pod is enough: first a commit with replicas: 1, then the range"
            found = at_service(new, "RS441", ("replicas",), message, hint, "key")
            if number > 1:
                yield found
            else:
                message = f"{service.name} stays at {number} replicas until its autoscaler acts, {AUTOSCALER}"
                yield Finding(found.code, message, found.where, "nothing to do", severity=Severity.NOTE)


def _in_kubernetes(base: Side, head: Side, release: str) -> Iterator[tuple[Running, Running]]:
    """The services whose objects relspec writes on both sides, under one address: anything else is made anew."""
    was, now = base.release(release), head.release(release)
    if was is None or now is None:
        return
    for name, service in now.services.items():
        before = was.services.get(name)
        if before is not None and _address(was, before) == _address(now, service) is not None:
            yield (was, before), (now, service)


def _address(release: ResolvedRelease, service: ResolvedService) -> tuple[str, str, str] | None:
    """Cluster, namespace and name of the Rollout; None where relspec writes none."""
    settings = release.environment.kubernetes_target(service.targets)
    if settings is None or not relspec_writes_objects(release, service):
        return None
    name = object_name(release.name, service.name)
    return settings.cluster or release.environment.path, settings.namespace, name


def _has_candidate(service: ResolvedService) -> bool:
    """Whether there is a workload `n-candidate`."""
    return service.candidate is not None and service.split_by_router


def _weight_path(service: ResolvedService) -> Path:
    part = "canary" if service.strategy.canary is not None else "abTest"
    return ("strategy", part, "weight")


def _is_blue_green(service: ResolvedService) -> bool:
    return service.strategy.blue_green is not None and service.spec.routing == "router"


def _has_hash(release: ResolvedRelease, service: ResolvedService) -> bool:
    """Whether the controller keeps its hash in the selector of Service `n`: as activeService or as stableService."""
    name = object_name(release.name, service.name)
    return _is_blue_green(service) or traffic_routing(service, name, release.environment) is not None


def _rollout(side: Side, release: ResolvedRelease, service: ResolvedService) -> Rollout:
    """The spec of Rollout `n` as it is written, templates and overrides included; empty where it is not known."""
    compiled = side.compiled(release.id)
    name = object_name(release.name, service.name)
    for draft in compiled.drafts if compiled else ():
        if draft.path.startswith("compose/"):
            continue
        for document in draft.documents or ():
            for made in document.get(draft.elements_of, ()) if draft.elements_of else (document,):
                if made.get("kind") == "Rollout" and made["metadata"]["name"] == name:
                    spec: Rollout = made["spec"]
                    return spec
    return {}


def _pods(rollout: Rollout) -> Any:
    return rollout.get("template")


def _steps(rollout: Rollout) -> Any:
    return ((rollout.get("strategy") or {}).get("canary") or {}).get("steps")


def _template(side: Side, release: ResolvedRelease, service: ResolvedService) -> Any:
    return _pods(_rollout(side, release, service))
