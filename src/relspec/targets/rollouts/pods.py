"""A service's pod: the part of a Rollout whose change restarts it, and nothing else (pod-template purity)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from relspec.diagnostics import Path, RelspecError
from relspec.facet import Facet
from relspec.resolve import (
    EnvironmentValue,
    ResolvedEnvironment,
    ResolvedService,
    Secret,
    environment_value,
)
from relspec.spec.quantities import seconds
from relspec.spec.service import Companion, Resources, Security
from relspec.targets.application_routing import contract
from relspec.targets.rollouts.names import config_map_name
from relspec.targets.rollouts.storage import Storage, file_keys, storage

Map = dict[str, Any]


def pod(service: ResolvedService, name: str, environment: ResolvedEnvironment, labels: Mapping[str, str]) -> Facet:
    """The context of one pod template. `name` is `n`, `labels` the selector."""
    spec, path = service.spec, service.path
    placement = spec.placement
    stored = storage(service, name)
    security = spec.security or Security()
    return Facet(
        {
            "labels": Facet({**labels, **(spec.labels or {})}, (*path, "labels")),
            "annotations": _annotations(service),
            "serviceAccount": spec.service_account or name,
            "automountToken": None if spec.service_account else False,
            "imagePullSecrets": [{"name": secret} for secret in spec.image_pull_secrets]
            if spec.image_pull_secrets
            else None,
            "nodeSelector": Facet(placement.node_selector, (*path, "placement", "nodeSelector"))
            if placement and placement.node_selector
            else None,
            "tolerations": [
                toleration.model_dump(by_alias=True, exclude_none=True) for toleration in placement.tolerations
            ]
            if placement and placement.tolerations
            else None,
            "runtimeClass": placement.runtime_class if placement else None,
            "grace": seconds(spec.shutdown.grace),
            "security": _pod_security(security, path),
            "containerSecurity": _container_security(security, path),
            "initContainers": [
                _companion(c, service, environment, stored, ("init", i)) for i, c in enumerate(spec.init)
            ]
            if spec.init
            else None,
            "sidecars": [
                _companion(c, service, environment, stored, ("sidecars", i)) for i, c in enumerate(spec.sidecars)
            ]
            if spec.sidecars
            else [],
            "container": _container(service, environment, stored.mounts),
            "volumes": stored.volumes or None,
        },
        path,
        {
            "serviceAccount": (*path, "serviceAccount"),
            "grace": (*path, "shutdown", "grace"),
            "runtimeClass": (*path, "placement", "runtimeClass"),
            "tolerations": (*path, "placement", "tolerations"),
            "initContainers": (*path, "init"),
        },
    )


def config_map(service: ResolvedService, name: str) -> Facet | None:
    """The immutable ConfigMap with all files of a service, named by their content; None without files."""
    if not service.files:
        return None
    data: Map = {}
    binary: Map = {}
    keys = file_keys(service.files)
    for file in service.files:
        try:
            text = file.content.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            binary[keys[file.path]] = base64.b64encode(file.content).decode()
        else:
            data[keys[file.path]] = text
    origin = (*service.path, "files")
    sources = {keys[file.path]: service.path + file.origin for file in service.files}
    return Facet(
        {
            "name": config_map_name(name, service.files),
            "data": Facet(data, origin, sources) if data else None,
            "binaryData": Facet(binary, origin, sources) if binary else None,
        },
        origin,
        {"name": origin, "data": origin, "binaryData": origin},
    )


def _annotations(service: ResolvedService) -> Facet | None:
    """The team's annotations, and what makes Prometheus scrape the pod."""
    spec = service.spec
    found: Map = {}
    if spec.metrics:
        found = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(spec.metrics.port),
            "prometheus.io/path": spec.metrics.path,
        }
    found.update(spec.annotations or {})
    metrics = (*service.path, "metrics")
    return (
        Facet(
            found,
            (*service.path, "annotations"),
            dict.fromkeys(found.keys() - (spec.annotations or {}).keys(), metrics),
        )
        if found
        else None
    )


def _container(service: ResolvedService, environment: ResolvedEnvironment, mounts: list[Map]) -> Facet:
    spec, path = service.spec, service.path
    ports = [
        Facet(
            {"name": name, "containerPort": port.port, "protocol": "UDP" if port.protocol == "udp" else "TCP"},
            (*path, "ports", name),
            {"containerPort": (*path, "ports", name, "port"), "name": (*path, "ports", name)},
        )
        for name, port in spec.ports.items()
    ]
    if spec.metrics and all(port.port != spec.metrics.port for port in spec.ports.values()):
        ports.append(
            Facet(
                {"name": "metrics", "containerPort": spec.metrics.port, "protocol": "TCP"},
                (*path, "metrics"),
                {"containerPort": (*path, "metrics", "port")},
            )
        )
    values = {**service.env, **contract(service, environment)}
    drain = seconds(spec.shutdown.drain)
    return Facet(
        {
            "name": service.name,
            "image": service.image,
            "command": _texts(spec.command),
            "args": _texts(spec.args),
            "ports": ports or None,
            "env": _env(values, (*path, "env")),
            "resources": resources(spec.resources, (*path, "resources")),
            "volumeMounts": mounts or None,
            "lifecycle": {"preStop": {"sleep": {"seconds": drain}}} if drain else None,
            **_probes(service),
        },
        path,
        {
            "image": (*path, "image"),
            "lifecycle": (*path, "shutdown", "drain"),
            "name": path,
            "volumeMounts": (*path, "volumes"),
        },
    )


def _companion(
    companion: Companion,
    service: ResolvedService,
    environment: ResolvedEnvironment,
    stored: Storage,
    at: tuple[str, int],
) -> Facet:
    """An init container or a sidecar: variables and volumes are the service's unless it has its own."""
    path: Path = (*service.path, *at)
    if companion.env is None:
        env = dict(service.env)
    else:
        env = {
            name: environment_value(value, service.model, environment, lambda: service.where(at))
            for name, value in companion.env.items()
        }
    return Facet(
        {
            "name": companion.name,
            "image": companion.image,
            "command": _texts(companion.command),
            "args": _texts(companion.args),
            "env": _env(env, (*path, "env")),
            "resources": resources(companion.resources, (*path, "resources")),
            "volumeMounts": (stored.mounts if companion.volumes is None else stored.mounts_of(companion.volumes))
            or None,
        },
        path,
    )


def _texts(values: list[str | int] | None) -> list[str] | None:
    return None if values is None else [str(value) for value in values]


def _env(values: Mapping[str, EnvironmentValue], origin: Path) -> list[Facet] | None:
    return [_variable(name, value, (*origin, name)) for name, value in values.items()] or None


def _variable(name: str, value: EnvironmentValue, origin: Path) -> Facet:
    if isinstance(value, str):
        return Facet({"name": name, "value": value}, origin, {"name": origin, "value": origin})
    if isinstance(value, Secret):
        reference = {"secretKeyRef": {"name": value.name, "key": value.key}}
        return Facet({"name": name, "valueFrom": reference}, origin, {"name": origin, "valueFrom": origin})
    raise RelspecError  # rules/ refuse a host variable outside compose (RS324) before any target runs


def resources(wanted: Resources | None, origin: Path) -> Facet:
    """Requests and limits, written out even when empty: else the controller adds them and the generation moves.

    Memory is request and limit at once; cpu a request, a limit only by `cpuLimit`; accelerators are both.
    """
    requests: Map = {}
    limits: Map = {}
    if wanted is not None:
        if wanted.cpu is not None:
            requests["cpu"] = str(wanted.cpu)
        if wanted.cpu_limit is not None:
            limits["cpu"] = str(wanted.cpu_limit)
        if wanted.memory is not None:
            requests["memory"] = limits["memory"] = wanted.memory
        if wanted.gpu is not None:
            gpu = wanted.gpu
            name, count = ("nvidia.com/gpu", gpu) if isinstance(gpu, int) else (gpu.resource, gpu.count)
            requests[name] = limits[name] = str(count)
    found = Facet({}, origin)
    if requests:
        found["requests"] = Facet(requests, origin)
    if limits:
        found["limits"] = Facet(limits, origin, {"cpu": (*origin, "cpuLimit")})
    return found


def _probes(service: ResolvedService) -> Map:
    """startupProbe and readinessProbe from `health`; a livenessProbe only with `live: true`."""
    health = service.spec.health
    if health is None:
        return {"startupProbe": None, "readinessProbe": None, "livenessProbe": None}
    origin = (*service.path, "health")
    period = seconds(health.period)
    handler: Map
    if health.path is not None:
        handler = {
            "httpGet": {
                "path": health.path,
                "port": health.port if health.port is not None else (service.route or "http"),
            }
        }
    elif health.exec is not None:
        handler = {"exec": {"command": list(health.exec)}}
    elif health.grpc is not None:
        handler = {"grpc": {"port": health.grpc}}
    else:
        handler = {"tcpSocket": {"port": health.tcp}}
    common = {**handler, "periodSeconds": period, "timeoutSeconds": seconds(health.timeout)}
    starting = -(-seconds(health.startup) // max(period, 1))
    return {
        "startupProbe": Facet({**common, "failureThreshold": max(starting, 1)}, origin),
        "readinessProbe": Facet({**common, "failureThreshold": health.retries}, origin),
        "livenessProbe": Facet({**common, "failureThreshold": health.retries}, origin) if health.live else None,
    }


def _pod_security(security: Security, path: Path) -> Facet:
    found: Map = {"runAsNonRoot": security.root is not True}
    if security.user is not None:
        found["runAsUser"] = security.user
    found["seccompProfile"] = {"type": "RuntimeDefault"}
    origin = (*path, "security")
    return Facet(found, origin, {"runAsUser": (*origin, "user"), "runAsNonRoot": (*origin, "root")})


def _container_security(security: Security, path: Path) -> Facet:
    origin = (*path, "security")
    return Facet(
        {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": security.read_only is not False,
        },
        origin,
        {"readOnlyRootFilesystem": (*origin, "readOnly")},
    )
