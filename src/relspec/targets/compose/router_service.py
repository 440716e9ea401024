"""The router as a compose service: when there is one, what it splits, and how it starts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from relspec.diagnostics import Path
from relspec.facet import Facet
from relspec.resolve import ResolvedService
from relspec.spec.environment import ComposeTarget
from relspec.spec.strategy import StickyBy
from relspec.targets.application_routing import candidate_percent
from relspec.targets.compose.container import NOTHING, published_port, replica_count, started_condition
from relspec.targets.compose.files import config_name
from relspec.targets.compose.probe import tcp_probe
from relspec.targets.compose.project import SETTINGS, Project, alias, networks
from relspec.targets.compose.router import Route
from relspec.targets.compose.router import Strategy as Split
from relspec.targets.compose.workload import Workload
from relspec.targets.split import Sticky

CONF = "/etc/nginx/conf.d/default.conf"

SPLITS: Mapping[str, Split] = MappingProxyType({"held": "canary", "abTest": "ab", "shadow": "shadow"})
"""What the router does for a strategy; it does nothing for the others."""

TIMES: Mapping[str, str | int] = MappingProxyType(
    {"interval": "10s", "timeout": "3s", "retries": 3, "start_period": "10s"}
)
"""Of the router's own healthcheck; the defaults of `health`, but for its start."""

FIELDS: Mapping[str, Path] = MappingProxyType({"image": (*SETTINGS, "router", "image")})


def router_name(service: str) -> str:
    """The compose service of a service's router; reserved (RS223)."""
    return f"{service}-router"


def candidate_name(service: str) -> str:
    """The compose service of a service's candidate; reserved (RS223)."""
    return f"{service}-candidate"


def has_router(service: ResolvedService, settings: ComposeTarget) -> bool:
    """Whether a router stands before a service: where it splits the traffic, where the environment wants one always,
    and where several containers can't all listen on the host's one port."""
    if service.route is None:
        return False
    published = service.spec.ports[service.route].publish is not None
    return service.split_by_router or settings.router.when == "always" or (published and replica_count(service) > 1)


def route_of(service: ResolvedService, release: str, settings: ComposeTarget) -> Route:
    """What the router of `service` does. It listens on the port that it stands for."""
    name = service.route or ""
    port = service.spec.ports[name]
    candidate = service.candidate if service.split_by_router else None
    split = SPLITS.get(service.strategy.name, "fixed") if candidate is not None else "fixed"
    percent = candidate_percent(service)
    return Route(
        release=release,
        service=service.name,
        listen_port=port.port,
        upstream_stable=(_host(service.name, settings), port.port),
        upstream_candidate=None
        if candidate is None
        else (_host(candidate_name(service.name), settings), candidate.spec.ports[candidate.route or name].port),
        grpc=port.protocol == "grpc",
        strategy=split,
        weight=percent if split in ("canary", "ab") else 0,
        sticky=_sticky(service) if candidate is not None else None,
        shadow_percent=percent if split == "shadow" else 100,
    )


def router_workload(service: ResolvedService, conf: str, project: Project) -> Workload:
    """The compose service of a router, and its config, which is the file beside compose.yaml.

    The config is named after the text of `conf`, without the header that the file gets when it is written.
    """
    name, settings = router_name(service.name), project.settings
    route = service.route or ""
    port = service.spec.ports[route]
    config = config_name(name, conf.encode())
    origin = (*service.path, "ports", route)
    router = Facet(
        {
            **NOTHING,
            "name": name,
            "image": settings.router.image,
            "ports": [published_port(port, port.publish, project.settings, origin)] if port.publish else None,
            "expose": None if port.publish else [str(port.port)],
            "networks": networks(name, settings),
            "configs": [{"source": config, "target": CONF}],
            "healthcheck": {"test": ["CMD-SHELL", tcp_probe(port.port, 3)], **TIMES},
            # Not on the candidate: nginx looks it up at each request, and a dead one must not keep stable unserved.
            "depends_on": {service.name: {"condition": started_condition("auto", service)}},
            "stop_grace_period": service.spec.shutdown.grace,
            "restart": "unless-stopped",
        },
        service.path,
        FIELDS,
    )
    definition = Facet({"file": f"./{conf_file(service.name)}"}, origin, {"file": origin})
    return Workload((router,), {config: definition})


def conf_file(service: str) -> str:
    """The file beside compose.yaml that a router reads."""
    return f"router-{service}.conf"


def _host(name: str, settings: ComposeTarget) -> str:
    """The name under which the router finds a service of its own project, and of no other on a shared network."""
    return alias(name) if settings.networks else name


def _sticky(service: ResolvedService) -> Sticky | None:
    strategy = service.strategy
    by: StickyBy | None = None
    if strategy.canary is not None:
        by = strategy.canary.sticky_by
    elif strategy.ab_test is not None:
        by = strategy.ab_test.sticky_by
    if by is None:
        return None
    if by.header is not None:
        return Sticky("header", by.header, by.bucket)
    return Sticky("cookie", by.cookie or "", by.bucket)
