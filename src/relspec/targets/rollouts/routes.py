"""The route `n`: an Istio VirtualService or a Gateway API HTTPRoute.

It exists for every strategy, fixed included; only destinations and weights differ. Otherwise a revert to fixed would
delete the host.
"""

from __future__ import annotations

from typing import Any

from relspec.diagnostics import Path
from relspec.facet import Facet
from relspec.resolve import ResolvedEnvironment, ResolvedRelease, ResolvedService
from relspec.spec.environment import Exposure
from relspec.spec.strategy import StickyBy
from relspec.targets.rollouts.strategies import traffic_routing
from relspec.targets.split import istio_cookie_regex, istio_regex

Map = dict[str, Any]


def exposure(release: ResolvedRelease, service: ResolvedService) -> tuple[Exposure, Path] | None:
    """Where a service is reached from outside, with its host filled in, and the path in the release that says so.

    A single `expose` is meant for the service that has a route; of several, for the one called like the release, or the
    first.
    """
    expose = release.environment.spec.expose
    if expose is None or service.route is None:
        return None
    if isinstance(expose, Exposure):
        if service.name != main_service(release):
            return None
        return _filled(expose, release, service), ("environment", "expose")
    key = f"{release.id}/{service.name}"
    found = expose.get(key)
    if found is None:
        key = f"{release.name}/{service.name}"
        found = expose.get(key)
    return None if found is None else (_filled(found, release, service), ("environment", "expose", key))


def main_service(release: ResolvedRelease) -> str | None:
    """The service that speaks for a release: the one with its name, else the first one with a route."""
    routed = [name for name, service in release.services.items() if service.route is not None]
    return release.name if release.name in routed else (routed[0] if routed else None)


def _filled(expose: Exposure, release: ResolvedRelease, service: ResolvedService) -> Exposure:
    host = expose.host.replace("{release}", release.name).replace("{service}", service.name)
    return expose.model_copy(update={"host": host})


def virtual_service(release: ResolvedRelease, service: ResolvedService, name: str) -> Facet | None:
    """The VirtualService's context; None without Istio or a route. The mesh host `n` is always routed."""
    router = release.environment.spec.router
    if router is None or router.istio is None or service.route is None:
        return None
    exposed = exposure(release, service)
    gateway = router.istio.gateway
    outside = exposed is not None and gateway is not None
    origin: Path = ("environment", "router", "istio")
    return Facet(
        {
            "name": name,
            "hosts": [*([exposed[0].host] if outside and exposed else []), name],
            "gateways": [*([gateway] if outside and gateway else []), "mesh"],
            "http": _http(release.environment, service, name, exposed[0] if outside and exposed else None, gateway),
        },
        origin,
        {"name": service.path, "hosts": exposed[1] if exposed else service.path, "http": (*service.path, "strategy")},
    )


def _http(
    environment: ResolvedEnvironment, service: ResolvedService, name: str, exposed: Exposure | None, gateway: str | None
) -> list[Map]:
    declared = service.strategy
    matches = _matches(exposed, gateway)
    stable = {"host": name, "port": {"number": _port(service)}}
    candidate = _candidate(service)
    theirs = {"host": f"{name}-candidate", "port": {"number": _port(candidate)}} if candidate is not None else None
    primary: Map = {"name": "primary"}
    if matches:
        primary["match"] = matches
    routes: list[Map] = []
    weight, sticky = held_weight(service)
    if traffic_routing(service, name, environment) is not None:
        canary = {**stable, "host": f"{name}-canary"}
        primary["route"] = [{"destination": stable, "weight": 100}, {"destination": canary, "weight": 0}]
    elif theirs is None:
        primary["route"] = [{"destination": stable, "weight": 100}]
    elif declared.shadow is not None:
        primary["route"] = [{"destination": stable, "weight": 100}]
        primary["mirror"] = theirs
        primary["mirrorPercentage"] = {"value": declared.shadow.percent}
    elif sticky is not None:
        header = _header_match(sticky, weight)
        if header is not None:
            sides = [{**match, "headers": header} for match in matches] or [{"headers": header}]
            routes.append({"name": "candidate", "match": sides, "route": [{"destination": theirs, "weight": 100}]})
        primary["route"] = [{"destination": stable, "weight": 100}]
    else:
        primary["route"] = [
            {"destination": stable, "weight": 100 - weight},
            {"destination": theirs, "weight": weight},
        ]
    return [*routes, primary]


def _candidate(service: ResolvedService) -> ResolvedService | None:
    """The candidate that a router can reach: without a port for it there is no Service `n-candidate` to name."""
    candidate = service.candidate if service.split_by_router else None
    return candidate if candidate is not None and candidate.route is not None else None


def _port(service: ResolvedService) -> int:
    """The number that a service's own Kubernetes Service gives its route: a candidate's may differ from stable's."""
    return service.spec.ports[service.route or ""].port


def held_weight(service: ResolvedService) -> tuple[int, StickyBy | None]:
    """Percent of the traffic that Git gives the candidate, and what keeps a user on one side."""
    declared = service.strategy
    if declared.canary is not None and declared.canary.weight is not None:
        return declared.canary.weight, declared.canary.sticky_by
    if declared.ab_test is not None:
        return declared.ab_test.weight, declared.ab_test.sticky_by
    return 0, None


def _matches(exposed: Exposure | None, gateway: str | None) -> list[Map]:
    """What a request must look like: only a path at the gateway restricts it, never inside the mesh.

    Istio's prefix is one of characters, ours is one of path segments: `/api` is not the beginning of `/apix`.
    """
    path = "" if exposed is None else exposed.path.rstrip("/")
    if not path:
        return []
    return [
        {"uri": {"exact": path}, "gateways": [gateway]},
        {"uri": {"prefix": f"{path}/"}, "gateways": [gateway]},
        {"gateways": ["mesh"]},
    ]


def _header_match(sticky: StickyBy, weight: int) -> Map | None:
    """The candidate's users, by a regular expression on their id; None where it has none."""
    if sticky.bucket == "hash":
        raise ValueError("Istio can't hash a header: rules/ refuse it (RS331)")
    if sticky.header is not None:
        regex = istio_regex(sticky.bucket, weight)
        return None if regex is None else {sticky.header.lower(): {"regex": regex}}
    regex = istio_cookie_regex(sticky.cookie or "", sticky.bucket, weight)
    return None if regex is None else {"cookie": {"regex": regex}}


def http_route(release: ResolvedRelease, service: ResolvedService, name: str) -> Facet | None:
    """The HTTPRoute's context; None without a Gateway or a route."""
    router = release.environment.spec.router
    if router is None or router.gateway is None or service.route is None:
        return None
    exposed = exposure(release, service)
    if exposed is None:
        return None
    namespace, _, parent = router.gateway.parent.rpartition("/")
    reference = {"namespace": namespace, "name": parent} if namespace else {"name": parent}
    origin: Path = ("environment", "router", "gateway")
    return Facet(
        {
            "name": name,
            "parentRefs": [reference],
            "hostnames": [exposed[0].host],
            "rules": [_rule(release.environment, service, name, exposed[0])],
        },
        origin,
        {"name": service.path, "hostnames": (*exposed[1], "host"), "rules": (*service.path, "strategy")},
    )


def _rule(environment: ResolvedEnvironment, service: ResolvedService, name: str, exposed: Exposure) -> Map:
    stable = {"name": name, "port": _port(service)}
    candidate = _candidate(service)
    theirs = {"name": f"{name}-candidate", "port": _port(candidate)} if candidate is not None else None
    rule: Map = {"matches": [{"path": {"type": "PathPrefix", "value": exposed.path}}]}
    shadow = service.strategy.shadow
    weight, _ = held_weight(service)
    if traffic_routing(service, name, environment) is not None:
        rule["backendRefs"] = [{**stable, "weight": 100}, {**stable, "name": f"{name}-canary", "weight": 0}]
    elif theirs is None:
        rule["backendRefs"] = [{**stable, "weight": 1}]
    elif shadow is not None:
        mirror: Map = {"backendRef": theirs}
        if shadow.percent < 100:
            mirror["percent"] = shadow.percent
        rule["filters"] = [{"type": "RequestMirror", "requestMirror": mirror}]
        rule["backendRefs"] = [{**stable, "weight": 1}]
    else:
        rule["backendRefs"] = [{**stable, "weight": 100 - weight}, {**theirs, "weight": weight}]
    return rule
