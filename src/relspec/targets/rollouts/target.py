"""The objects of a release: the template's context, the render, and the overrides on top.

Layout (each part tried on the real controller, 30 ordered pairs of strategies and their reverts): Rollout and Service `n`
exist in all six strategies; `n-canary` for every routed service and every blue-green one; `n-candidate` objects are the
only ones that come and go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from relspec.diagnostics import Path, RelspecError
from relspec.facet import Facet
from relspec.render import Rendered, TemplateSet
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.spec.quantities import seconds
from relspec.spec.service import Overrides, Replicas
from relspec.targets.draft import Draft
from relspec.targets.merge_patch import overlaid, patched
from relspec.targets.rollouts.layout import misfits
from relspec.targets.rollouts.names import object_name, selector
from relspec.targets.rollouts.pods import config_map, pod
from relspec.targets.rollouts.routes import http_route, virtual_service
from relspec.targets.rollouts.strategies import analysis_names, analysis_template, candidate_strategy, strategy

TEMPLATE = "rollouts/rollouts.yaml.j2"
Map = dict[str, Any]

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
PRUNE_LAST = {SYNC_OPTIONS: "PruneLast=true"}
"""On objects of the candidate, from their first commit: the route lets go of them before they vanish."""

CLIENT_SIDE = {SYNC_OPTIONS: "ServerSideApply=false"}
"""On Services that the controller touches: a server-side apply would strip its hash from their selector."""


class Place(Struct, frozen=True):
    """Where Kubernetes objects go."""

    namespace: str
    prometheus: str | None


def rollouts(release: ResolvedRelease, templates: TemplateSet, _output: str) -> tuple[Draft, ...]:
    """rollouts.yaml: every object of the services that this target runs."""
    settings = release.environment.targets.rollouts
    services = [service for service in release.services.values() if "rollouts" in service.targets]
    if settings is None or not services:
        return ()
    place = Place(settings.namespace, settings.prometheus)
    rendered, documents, origins = objects(release, services, place, templates)
    return (Draft("rollouts/rollouts.yaml", documents, rendered, template=TEMPLATE, patched=origins),)


def objects(
    release: ResolvedRelease, services: Sequence[ResolvedService], place: Place, templates: TemplateSet
) -> tuple[Rendered, list[Map], Mapping[Path, Path]]:
    """The objects of `services`, with their overrides; and which node of which object an override wrote.

    Raises RelspecError for what is wrong in a template, what it left out included.
    """
    wanted = context(release, services, place)
    rendered = templates.render(TEMPLATE, wanted)
    problems = tuple(misfits(rendered, wanted, TEMPLATE))
    if problems:
        raise RelspecError(*problems)
    owners = {object_name(release.name, service.name): service for service in services}
    origins: dict[Path, Path] = {}
    documents = []
    for index, document in enumerate(rendered.documents):
        owner = _owner(document, owners)
        if owner is None:
            documents.append(document)
            continue
        result, nodes = _overridden(document, release, owner)
        documents.append(result)
        origins.update({(index, *node): source for node, source in nodes.items()})
    return rendered, documents, origins


def context(release: ResolvedRelease, services: Sequence[ResolvedService], place: Place) -> Facet:
    """What the template sees: one list a kind, so that it reads like the file that it makes."""
    found: dict[str, list[Facet]] = {
        kind: []
        for kind in (
            "serviceAccounts",
            "configMaps",
            "services",
            "analysisTemplates",
            "rollouts",
            "autoscalers",
            "budgets",
            "virtualServices",
            "httpRoutes",
        )
    }
    for service in services:
        _add_service(found, release, service, place)
    return Facet(
        {"release": Facet({"id": release.id, "name": release.name, "namespace": place.namespace}), **found}, ()
    )


def _add_service(
    found: dict[str, list[Facet]], release: ResolvedRelease, service: ResolvedService, place: Place
) -> None:
    name = object_name(release.name, service.name)
    labels = selector(name, release.name, "stable")
    environment = release.environment
    candidate = service.candidate if service.split_by_router else None
    if any(workload.spec.service_account is None for workload in (service, candidate) if workload is not None):
        found["serviceAccounts"].append(Facet({"name": name, "labels": labels}, service.path))
    _add_config_map(found, service, name, labels)
    if service.spec.ports:
        ports = _service_ports(service)
        found["services"].append(_kubernetes_service(name, labels, ports, service, CLIENT_SIDE))
        routed = environment.spec.router is not None and service.route is not None
        if routed or service.strategy.blue_green is not None:
            found["services"].append(_kubernetes_service(f"{name}-canary", labels, ports, service, CLIENT_SIDE))
    if place.prometheus is not None and service.spec.routing == "router":
        found["analysisTemplates"] += [
            Facet(
                {**analysis_template(name, analysis, environment, place.namespace, place.prometheus), "labels": labels},
                ("environment", "analyses", analysis),
            )
            for analysis in analysis_names(service)
        ]
    found["rollouts"].append(_rollout(release, service, name, labels, strategy(service, name, environment), None))
    _add_scaling(found, service, name, labels, None)
    if candidate is not None:
        _add_candidate(found, release, candidate, name)
    for kind, route in (
        ("virtualServices", virtual_service(release, service, name)),
        ("httpRoutes", http_route(release, service, name)),
    ):
        if route is not None:
            found[kind].append(Facet({**route, "labels": labels}, route.origin, route.renamed))


def _add_candidate(
    found: dict[str, list[Facet]], release: ResolvedRelease, candidate: ResolvedService, stable: str
) -> None:
    """The candidate's workload `n-candidate`; its ConfigMap and ServiceAccount are shared with stable by name."""
    name = f"{stable}-candidate"
    labels = selector(stable, release.name, "candidate")
    _add_config_map(found, candidate, stable, labels)
    if candidate.spec.ports:
        found["services"].append(_kubernetes_service(name, labels, _service_ports(candidate), candidate, PRUNE_LAST))
    found["rollouts"].append(
        _rollout(release, candidate, name, labels, candidate_strategy(candidate), PRUNE_LAST, stable)
    )
    _add_scaling(found, candidate, name, labels, PRUNE_LAST)


def _add_config_map(found: dict[str, list[Facet]], service: ResolvedService, name: str, labels: Map) -> None:
    made = config_map(service, name)
    if made is not None and all(made["name"] != other["name"] for other in found["configMaps"]):
        found["configMaps"].append(
            Facet(
                {**made, "labels": {k: v for k, v in labels.items() if k != "relspec.dev/track"}},
                made.origin,
                made.renamed,
            )
        )


def _service_ports(service: ResolvedService) -> list[Facet]:
    """The Service's ports: each under its own number, so that callers inside the mesh need no second table."""
    found = []
    for name, port in service.spec.ports.items():
        udp = port.protocol == "udp"
        entry: Map = {"name": name, "port": port.port, "targetPort": name, "protocol": "UDP" if udp else "TCP"}
        if not udp:
            entry["appProtocol"] = port.protocol
        origin = (*service.path, "ports", name)
        found.append(Facet(entry, origin, {"name": origin, "targetPort": origin}))
    return found


def _kubernetes_service(
    name: str, labels: Map, ports: list[Facet], service: ResolvedService, annotations: Map
) -> Facet:
    return Facet(
        {"name": name, "labels": labels, "annotations": annotations, "selector": labels, "ports": ports}, service.path
    )


def _rollout(
    release: ResolvedRelease,
    service: ResolvedService,
    name: str,
    labels: Map,
    declared: Facet,
    annotations: Map | None,
    account: str | None = None,
) -> Facet:
    environment = release.environment
    rollback = environment.rollback
    replicas = service.spec.replicas
    health = service.spec.health
    startup = seconds(health.startup) if health is not None else 60
    canary = "canary" in declared
    return Facet(
        {
            "name": name,
            "labels": labels,
            "annotations": annotations,
            "replicas": None if isinstance(replicas, Replicas) else replicas,
            "history": rollback.history,
            "window": {"revisions": rollback.window} if canary else None,
            "progressDeadline": max(600, 2 * startup),
            "selector": labels,
            "pod": pod(service, account or name, environment, labels),
            "strategy": declared,
        },
        service.path,
        {
            "history": ("environment", "rollback", "history"),
            "window": ("environment", "rollback", "window"),
            "progressDeadline": (*service.path, "health", "startup"),
            "labels": service.path,
        },
    )


def _add_scaling(
    found: dict[str, list[Facet]], service: ResolvedService, name: str, labels: Map, annotations: Map | None
) -> None:
    """An autoscaler for a range, a disruption budget from two replicas on."""
    replicas = service.spec.replicas
    origin = (*service.path, "replicas")
    fewest = replicas
    if isinstance(replicas, Replicas):
        fewest = replicas.min
        found["autoscalers"].append(
            Facet(
                {
                    "name": name,
                    "labels": labels,
                    "annotations": annotations,
                    "min": replicas.min,
                    "max": replicas.max,
                    "metrics": _scaling_metrics(replicas),
                },
                origin,
            )
        )
    if isinstance(fewest, int) and fewest >= 2:
        found["budgets"].append(
            Facet({"name": name, "labels": labels, "annotations": annotations, "selector": labels}, origin)
        )


def _scaling_metrics(replicas: Replicas) -> list[Map]:
    found: list[Map] = [
        {
            "type": "Resource",
            "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}},
        }
        for name, percent in (("cpu", replicas.cpu), ("memory", replicas.memory))
        if percent is not None
    ]
    for metric in replicas.metrics or ():
        target = {"type": "AverageValue", "averageValue": metric.target}
        found.append(
            {"type": metric.type.capitalize(), metric.type: {"metric": {"name": metric.name}, "target": target}}
        )
    return found


def _owner(document: Map, owners: Mapping[str, ResolvedService]) -> ResolvedService | None:
    """The workload that an object belongs to, by its labels."""
    labels = document["metadata"].get("labels") or {}
    service = owners.get(labels.get("app.kubernetes.io/name", ""))
    if service is not None and labels.get("relspec.dev/track") == "candidate":
        return service.candidate
    return service


def _overridden(document: Map, release: ResolvedRelease, service: ResolvedService) -> tuple[Map, dict[Path, Path]]:
    """The object with the release's overrides, then the service's; and which nodes they wrote."""
    origins: dict[Path, Path] = {}
    levels: list[tuple[Overrides | None, Path]] = [
        (release.overrides, ("overrides",)),
        (service.spec.overrides, (*service.path, "overrides")),
    ]
    for overrides, source in levels:
        if overrides is None or overrides.rollouts is None:
            continue
        patches = overrides.rollouts.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
        kind = document["kind"]
        for address, at in _addresses(kind):
            if address not in patches:
                continue
            document, nodes = patched(document, patches[address], at)
            written = {node: (*source, "rollouts", address, *node[len(at) :]) for node in nodes}
            origins = overlaid(origins, written)
    return document, origins


def _addresses(kind: str) -> list[tuple[str, Path]]:
    """The addresses of an override that concern an object, with where in it each patch goes."""
    if kind == "Rollout":
        pod_spec: Path = ("spec", "template", "spec")
        return [("container", (*pod_spec, "containers", 0)), ("pod", pod_spec), ("Rollout", ())]
    return [(kind, ())]
