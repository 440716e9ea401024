"""The compose service of a service (or candidate) itself: what each field of the spec becomes.

Nothing that changes without the service changing is in this map, so that Compose recreates exactly what changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from relspec.diagnostics import Path
from relspec.facet import Facet
from relspec.resolve import EnvironmentValue, ResolvedService
from relspec.spec.environment import ComposeTarget
from relspec.spec.quantities import millicores
from relspec.spec.service import Build, Port, Replicas, Resources, Security
from relspec.targets.application_routing import contract
from relspec.targets.compose import storage
from relspec.targets.compose.interpolation import literal, literals, value
from relspec.targets.compose.probe import healthcheck
from relspec.targets.compose.project import SETTINGS, Project, networks
from relspec.tree import relative

Map = dict[str, Any]

ALL_PORTS = "*"
COMPLETED = "service_completed_successfully"

GPU_DRIVERS: Mapping[str, str] = MappingProxyType({"nvidia.com/gpu": "nvidia"})
"""Accelerators that Compose can reserve by number; it has no way to say the others (RS324)."""

NOTHING: Mapping[str, None] = MappingProxyType(
    dict.fromkeys(
        (
            "image", "build", "entrypoint", "command", "user", "environment", "ports", "expose", "networks",
            "network_mode", "volumes", "tmpfs", "configs", "read_only", "healthcheck", "depends_on", "deploy",
            "stop_grace_period", "restart", "labels",
        )
    )
)  # fmt: skip
"""Every key that the template writes; what stays None is left out."""

FIELDS: Mapping[str, Path] = MappingProxyType(
    {
        "name": (),
        "entrypoint": ("command",),
        "command": ("args",),
        "environment": ("env",),
        "expose": ("ports",),
        "tmpfs": ("writable",),
        "configs": ("files",),
        "user": ("security", "user"),
        "read_only": ("security", "readOnly"),
        "healthcheck": ("health",),
        "depends_on": ("dependsOn",),
        "deploy": ("resources",),
        "stop_grace_period": ("shutdown", "grace"),
    }
)
"""The field of a service behind a key of the compose service, where the names differ."""


class Renamed(Mapping[str, Path]):
    """`FIELDS` below a service's path, looked up only when an origin is asked for."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, key: str) -> Path:
        return (*self._path, *FIELDS[key])

    def __iter__(self) -> Iterator[str]:
        return iter(FIELDS)

    def __len__(self) -> int:
        return len(FIELDS)


def replica_count(service: ResolvedService) -> int:
    """How many containers run: a range stays at its lower end, for Compose doesn't scale by load."""
    replicas = service.spec.replicas
    return replicas.min if isinstance(replicas, Replicas) else replicas


def container(
    service: ResolvedService,
    name: str,
    project: Project,
    *,
    hidden: str | None = None,
    mounted: list[Facet] | None = None,
    scratch: Mapping[str, str] = MappingProxyType({}),
    last_init: str | None = None,
) -> Facet:
    """The compose service `name` of a service.

    `hidden` is the port that a router publishes in its place, ALL_PORTS for a candidate. `mounted` are its configs,
    `scratch` the volumes that it shares with its companions, by mount path; `last_init` is what must have ended first.
    """
    spec, path = service.spec, service.path
    published, exposed = _ports(service, project.settings, hidden)
    return Facet(
        {
            **NOTHING,
            "name": name,
            "image": service.image,
            "build": _build(spec.build, service, project.up) if spec.build else None,
            # Kubernetes' words: `command` replaces the image's entry point, `args` are its arguments.
            "entrypoint": None if spec.command is None else literals(spec.command),
            "command": None if spec.args is None else literals(spec.args),
            "user": user(spec.security),
            "environment": environment(
                service.env, (*path, "env"), contract(service, project.environment), (*path, "strategy")
            ),
            "ports": published or None,
            "expose": exposed or None,
            "networks": networks(name, project.settings),
            "volumes": storage.mounts(spec.volumes, service, ("volumes",), scratch, project.up),
            "tmpfs": [literal(folder) for folder in spec.writable] if spec.writable else None,
            "configs": mounted,
            "read_only": spec.security.read_only if spec.security else None,
            "healthcheck": healthcheck(service),
            "depends_on": depends_on(service, project.services, last_init),
            "deploy": _deploy(service),
            "stop_grace_period": spec.shutdown.grace,
            "restart": spec.restart,
            "labels": _labels(service),
        },
        path,
        Renamed(path),
    )


def _build(build: Build, service: ResolvedService, up: str) -> Facet:
    where = service.where(("build", "context"))
    found: Map = {"context": literal(f"{up}{relative(where.file, build.context, origin=where)}".rstrip("/"))}
    if build.dockerfile is not None:
        found["dockerfile"] = literal(build.dockerfile)
    if build.target is not None:
        found["target"] = literal(build.target)
    if build.args:
        arguments = {name: literal(str(text)) for name, text in build.args.items() if text is not None}
        found["args"] = Facet(arguments, (*service.path, "build", "args"))
    return Facet(found, (*service.path, "build"))


def environment(
    values: Mapping[str, EnvironmentValue],
    origin: Path,
    added: Mapping[str, str] = MappingProxyType({}),
    added_by: Path = (),
) -> Facet | None:
    """The variables of a container, written at `origin`; `added` are those that the field at `added_by` brings."""
    found = {name: literal(given) if type(given) is str else value(given) for name, given in values.items()}
    if not added:
        return Facet(found, origin) if found else None
    return Facet(
        {**found, **{name: literal(text) for name, text in added.items()}}, origin, dict.fromkeys(added, added_by)
    )


def _ports(service: ResolvedService, settings: ComposeTarget, hidden: str | None) -> tuple[list[Facet], list[str]]:
    """What the host publishes, and what only the project reaches."""
    published, exposed = [], []
    for name, port in service.spec.ports.items():
        if port.publish is None or hidden in (name, ALL_PORTS):
            exposed.append(f"{port.port}/udp" if port.protocol == "udp" else str(port.port))
        else:
            published.append(published_port(port, port.publish, settings, (*service.path, "ports", name)))
    return published, exposed


def published_port(port: Port, publish: int, settings: ComposeTarget, origin: Path) -> Facet:
    """A port of a container that the host listens on, written at `origin`."""
    transport = "udp" if port.protocol == "udp" else "tcp"
    return Facet(
        {"target": port.port, "published": str(publish), "host_ip": settings.bind, "protocol": transport},
        origin,
        {
            "target": (*origin, "port"),
            "published": (*origin, "publish"),
            "host_ip": (*SETTINGS, "bind"),
        },
    )


def depends_on(
    service: ResolvedService, services: Mapping[str, ResolvedService], last_init: str | None = None
) -> Map | None:
    """What comes first, of the services that this target runs: healthy if it has `health`, unless said otherwise."""
    found = {} if last_init is None else {last_init: {"condition": COMPLETED}}
    for name, condition in service.spec.depends_on.items():
        other = services.get(name)
        if other is not None:
            found[name] = {"condition": started_condition(condition or "auto", other)}
    return found or None


def started_condition(condition: str, other: ResolvedService) -> str:
    """When a dependency counts as started; `auto` is healthy where `other` has `health`."""
    if condition == "completed":
        return COMPLETED
    if condition == "healthy" or (condition == "auto" and other.spec.health is not None):
        return "service_healthy"
    return "service_started"


def user(security: Security | None) -> str | None:
    """Who the containers of a service run as; None leaves it to the image."""
    return None if security is None or security.user is None else str(security.user)


def _deploy(service: ResolvedService) -> Facet | None:
    count = replica_count(service)
    wanted = resources(service.spec.resources, (*service.path, "resources"))
    if count == 1 and wanted is None:
        return None
    found: Map = {}
    if count != 1:
        found["replicas"] = count
    if wanted is not None:
        found["resources"] = wanted
    return Facet(found, service.path)


def resources(wanted: Resources | None, origin: Path) -> Facet | None:
    """Limits: Compose has nothing that reserves, except for accelerators."""
    if wanted is None:
        return None
    cpu = wanted.cpu if wanted.cpu_limit is None else wanted.cpu_limit
    limits: Map = {}
    if cpu is not None:
        limits["cpus"] = f"{millicores(cpu) / 1000:.3f}".rstrip("0").rstrip(".")
    if wanted.memory is not None:
        limits["memory"] = storage.memory(wanted.memory)
    found: Map = {}
    if limits:
        cpus = (*origin, "cpu" if wanted.cpu_limit is None else "cpuLimit")
        found["limits"] = Facet(limits, origin, {"cpus": cpus})
    devices = _devices(wanted)
    if devices:
        found["reservations"] = Facet({"devices": devices}, origin, {"devices": (*origin, "gpu")})
    return Facet(found, origin, {"limits": origin, "reservations": origin}) if found else None


def _devices(wanted: Resources) -> list[Map]:
    gpu = wanted.gpu
    if gpu is None:
        return []
    resource, count = ("nvidia.com/gpu", gpu) if isinstance(gpu, int) else (gpu.resource, gpu.count)
    driver = GPU_DRIVERS.get(resource)
    return [{"driver": driver, "count": count, "capabilities": ["gpu"]}] if driver else []


def _labels(service: ResolvedService) -> Facet | None:
    """Labels and annotations, and what tells Prometheus where to scrape: the words of the pod's annotations."""
    spec, path = service.spec, service.path
    if not (spec.labels or spec.annotations or spec.metrics):
        return None
    found: Map = {}
    origins: dict[str, Path] = {}
    if spec.metrics:
        found = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(spec.metrics.port),
            "prometheus.io/path": spec.metrics.path,
        }
        origins = dict.fromkeys(found, (*path, "metrics"))
    for field, texts in (("labels", spec.labels), ("annotations", spec.annotations)):
        for key, text in (texts or {}).items():
            found[key] = text or ""
            origins[key] = (*path, field, key)
    return Facet({key: literal(text) for key, text in found.items()}, path, origins)
