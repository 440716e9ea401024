"""What a values template reads: `context.ValuesContext`, filled from resolved services.

Every map is a facet, so that what a chart's schema refuses is reported at the line of the spec that said it. Kubernetes'
own shapes are those of the rollouts target's pod; only what differs is made here: probes name port numbers (charts call
their ports otherwise), and `files` are no volumes yet (a chart makes its own ConfigMap of them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from relspec.diagnostics import Path
from relspec.facet import Facet
from relspec.registry.records import ResolvedModel
from relspec.resolve import ResolvedEnvironment, ResolvedRelease, ResolvedService
from relspec.spec.quantities import seconds
from relspec.spec.service import Health, Replicas
from relspec.spec.strategy import Pause, Step, StickyBy
from relspec.targets.application_routing import candidate_percent
from relspec.targets.rollouts.pods import pod
from relspec.targets.rollouts.routes import exposure

Map = dict[str, Any]

MODEL_FIELDS = ("name", "version", "reference", "uri", "digest", "dataSnapshot", "codeCommit")
NO_LABELS: Mapping[str, str] = {}
"""A chart's pods have the chart's own selector."""


def values_context(release: ResolvedRelease, services: Iterable[ResolvedService], namespace: str) -> Map:
    """`ValuesContext` of a release, `service` included where `services` are one; `for_service` chooses another."""
    environment = release.environment
    shared = Facet(
        {
            "name": release.name,
            "environment": environment.path,
            "namespace": namespace,
            # Helm refuses to adopt an object that says it is managed by anybody else.
            "labels": {"app.kubernetes.io/instance": release.name, "app.kubernetes.io/managed-by": "Helm"},
        },
        (),
        {
            "environment": ("environment", "name"),
            "namespace": ("environment", "targets", "helm", "namespace"),
            "labels": ("name",),
        },
    )
    found = Facet({service.name: _service(release, service) for service in services}, ("services",))
    only = next(iter(found.values())) if len(found) == 1 else None
    return {"release": shared, "services": found, "service": only}


def for_service(context: Map, name: str) -> Map:
    """The context of a template that makes the values of one service."""
    return {**context, "service": context["services"][name]}


def _service(release: ResolvedRelease, service: ResolvedService) -> Facet:
    path = service.path
    candidate = service.candidate
    found = _workload(service, release.environment)
    found["strategy"] = _strategy(service, (*path, "strategy"))
    found["candidate"] = (
        Facet(_workload(candidate, release.environment), candidate.path) if candidate is not None else None
    )
    found["active"] = service.active
    found["expose"] = _expose(release, service)
    return Facet(found, path, {"name": path})


def _workload(service: ResolvedService, environment: ResolvedEnvironment) -> Map:
    """The keys that a service and its candidate share."""
    spec, path = service.spec, service.path
    made = pod(service, service.name, environment, NO_LABELS)
    container = made["container"]
    environment_variables = container["env"] or []
    ports = [_port(name, port.port, port.protocol, path) for name, port in spec.ports.items()]
    route = next((port for port in ports if port["name"] == service.route), None)
    resources = container["resources"]
    return {
        "name": service.name,
        "image": _image(service),
        "model": _model(service.model, (*path, "model")),
        "env": [_variable(variable) for variable in environment_variables],
        "files": [_file(file.path, file.content, (*path, *file.origin)) for file in service.files],
        "ports": ports,
        "route": route,
        "resources": Facet(
            {name: resources.get(name) or Facet({}, resources.origin) for name in ("requests", "limits")},
            resources.origin,
        ),
        "replicas": _replicas(spec.replicas, (*path, "replicas")),
        "pod": _pod(service, made),
        "container": _container(service, made, environment_variables),
    }


def _image(service: ResolvedService) -> Facet:
    repository, tag, digest = image_parts(service.image)
    origin = (*service.path, "image" if service.spec.image is not None else "model")
    return Facet(
        {"repository": repository, "tag": tag, "digest": digest, "ref": service.image},
        origin,
        dict.fromkeys(("repository", "tag", "digest", "ref"), origin),
    )


@lru_cache(maxsize=4096)
def image_parts(reference: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image; the tag is `latest` where neither is written."""
    named, _, digest = reference.partition("@")
    repository, colon, tag = named.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = named, ""
    return repository, tag or ("" if digest else "latest"), digest


def _model(model: ResolvedModel | None, origin: Path) -> Facet | None:
    if model is None:
        return None
    fields = {name: model.field(name) for name in MODEL_FIELDS}
    # A record without an artifact has neither; what a template prints must be text.
    fields["reference"], fields["uri"] = fields["reference"] or "", fields["uri"] or ""
    return Facet(fields, origin, dict.fromkeys(MODEL_FIELDS, origin))


def _variable(variable: Facet) -> Facet:
    """A container's variable in the context's own words."""
    reference = variable.get("valueFrom")
    return Facet(
        {
            "name": variable["name"],
            "value": variable.get("value"),
            "secret": dict(reference["secretKeyRef"]) if reference is not None else None,
        },
        variable.origin,
        {"name": variable.origin, "value": variable.origin, "secret": (*variable.origin, "secret")},
    )


def _file(path: str, content: bytes, origin: Path) -> Facet:
    """A file; rules refuse one that is no text (RS324)."""
    return Facet(
        {
            "path": path,
            "content": content.decode("utf-8", "replace"),
            "digest": hashlib.sha256(content).hexdigest()[:10],
        },
        origin,
        {"path": origin, "content": origin, "digest": origin},
    )


def _port(name: str, number: int, protocol: str, path: Path) -> Facet:
    origin = (*path, "ports", name)
    return Facet({"name": name, "port": number, "protocol": protocol}, origin, {"name": origin})


def _replicas(replicas: int | Replicas, origin: Path) -> Facet:
    if isinstance(replicas, int):
        fixed = {"min": replicas, "max": replicas, "cpu": None, "memory": None}
        return Facet(fixed, origin, {"min": origin, "max": origin})
    wanted = {"min": replicas.min, "max": replicas.max, "cpu": replicas.cpu, "memory": replicas.memory}
    return Facet(wanted, origin)


def _pod(service: ResolvedService, made: Facet) -> Facet:
    """The pod without its containers' own part, which is `_container`."""
    spec, path = service.spec, service.path
    security = made["containerSecurity"]
    return Facet(
        {
            "labels": made["labels"],
            "annotations": made["annotations"] or Facet({}, (*path, "annotations")),
            "serviceAccount": spec.service_account,
            "imagePullSecrets": made["imagePullSecrets"] or [],
            "securityContext": made["security"],
            "nodeSelector": made["nodeSelector"] or Facet({}, (*path, "placement", "nodeSelector")),
            "tolerations": made["tolerations"] or [],
            "runtimeClassName": made["runtimeClass"],
            "terminationGracePeriodSeconds": made["grace"],
            "volumes": [volume for volume in made["volumes"] or () if "configMap" not in volume],
            "initContainers": [_whole(companion, security) for companion in made["initContainers"] or ()],
            "sidecars": [_whole(companion, security) for companion in made["sidecars"]],
        },
        path,
        {
            "securityContext": (*path, "security"),
            "nodeSelector": (*path, "placement", "nodeSelector"),
            "tolerations": (*path, "placement", "tolerations"),
            "runtimeClassName": (*path, "placement", "runtimeClass"),
            "terminationGracePeriodSeconds": (*path, "shutdown", "grace"),
            "initContainers": (*path, "init"),
        },
    )


def _container(service: ResolvedService, made: Facet, environment_variables: list[Facet]) -> Facet:
    path, container = service.path, made["container"]
    ports = container["ports"] or []
    startup, ready = _probes(service)
    live = service.spec.health is not None and service.spec.health.live
    return Facet(
        {
            "command": container["command"] or [],
            "args": container["args"] or [],
            "env": environment_variables,
            "ports": ports,
            "extraPorts": [port for port in ports if port["name"] != service.route],
            "resources": container["resources"],
            "startupProbe": startup,
            "readinessProbe": ready,
            "livenessProbe": ready if live else None,
            "lifecycle": container["lifecycle"] or {},
            "securityContext": made["containerSecurity"],
            "volumeMounts": _mounts(container),
        },
        path,
        {
            "extraPorts": (*path, "ports"),
            "startupProbe": (*path, "health"),
            "readinessProbe": (*path, "health"),
            "livenessProbe": (*path, "health", "live"),
            "lifecycle": (*path, "shutdown", "drain"),
            "securityContext": (*path, "security"),
            "volumeMounts": (*path, "volumes"),
        },
    )


def _mounts(container: Facet) -> list[Map]:
    """Without those of `files`: they alone have a subPath."""
    return [mount for mount in container["volumeMounts"] or () if "subPath" not in mount]


def _whole(companion: Facet, security: Facet) -> Facet:
    """An init container or sidecar that a chart can print as it is: only what is set, with the pod's security."""
    found = {key: value for key, value in companion.items() if value is not None}
    found["securityContext"] = security
    mounts = _mounts(companion)
    if mounts:
        found["volumeMounts"] = mounts
    else:
        found.pop("volumeMounts", None)
    return Facet(found, companion.origin, {"securityContext": security.origin})


def _probes(service: ResolvedService) -> tuple[Facet | None, Facet | None]:
    """startupProbe and readinessProbe; liveness is checked as readiness is."""
    health = service.spec.health
    if health is None:
        return None, None
    origin = (*service.path, "health")
    period = seconds(health.period)
    starting = -(-seconds(health.startup) // max(period, 1))
    common = {
        "httpGet": _http(health, service),
        "exec": {"command": list(health.exec)} if health.exec is not None else None,
        "grpc": {"port": health.grpc} if health.grpc is not None else None,
        "tcpSocket": {"port": health.tcp} if health.tcp is not None else None,
        "periodSeconds": period,
        "timeoutSeconds": seconds(health.timeout),
    }
    renamed = {
        "httpGet": (*origin, "path"),
        "tcpSocket": (*origin, "tcp"),
        "periodSeconds": (*origin, "period"),
        "timeoutSeconds": (*origin, "timeout"),
    }
    return (
        Facet(
            {**common, "failureThreshold": max(starting, 1)},
            origin,
            {**renamed, "failureThreshold": (*origin, "startup")},
        ),
        Facet(
            {**common, "failureThreshold": health.retries},
            origin,
            {**renamed, "failureThreshold": (*origin, "retries")},
        ),
    )


def _http(health: Health, service: ResolvedService) -> Map | None:
    if health.path is None:
        return None
    port = health.port if health.port is not None else service.route
    number = service.spec.ports[port].port if isinstance(port, str) else port
    return {"path": health.path, "port": number}


def _strategy(service: ResolvedService, origin: Path) -> Facet:
    declared = service.strategy
    canary, blue_green, ab_test = declared.canary, declared.blue_green, declared.ab_test
    kind = {"stepped": "canary", "held": "canary"}.get(declared.name, declared.name)
    inner = (*origin, kind)
    sticky = canary.sticky_by if canary is not None else ab_test.sticky_by if ab_test is not None else None
    steps = (canary.steps if canary is not None else None) or ()
    return Facet(
        {
            "name": declared.name,
            "weight": candidate_percent(service),
            "stickyBy": _sticky(sticky, (*inner, "stickyBy")) if sticky is not None else None,
            "steps": [_step(step, (*inner, "steps", index)) for index, step in enumerate(steps)],
            "promote": blue_green.promote if blue_green is not None else None,
            "routing": service.spec.routing,
        },
        inner,
        {
            "name": origin,
            "weight": (*inner, "percent" if declared.shadow is not None else "weight"),
            "routing": (*service.path, "routing"),
        },
    )


def _sticky(sticky: StickyBy, origin: Path) -> Facet:
    return Facet({"header": sticky.header, "cookie": sticky.cookie, "bucket": sticky.bucket}, origin)


def _step(step: Step, origin: Path) -> Facet:
    pause = step.pause
    wait = 0 if isinstance(pause, Pause) else seconds(pause) if pause is not None else None
    return Facet({"setWeight": step.set_weight, "pause": wait, "analyze": step.analyze}, origin)


def _expose(release: ResolvedRelease, service: ResolvedService) -> Facet | None:
    found = exposure(release, service)
    if found is None:
        return None
    exposed, origin = found
    router = release.environment.spec.router
    gateway = None
    if router is not None and router.gateway is not None:
        namespace, _, name = router.gateway.parent.rpartition("/")
        parent: Path = ("environment", "router", "gateway", "parent")
        gateway = Facet({"name": name, "namespace": namespace or None}, parent, {"name": parent, "namespace": parent})
    return Facet({"host": exposed.host, "path": exposed.path, "tls": exposed.tls, "gateway": gateway}, origin)
