"""How fast a compose project goes back: which of its containers are recreated, and for how long each is away.

Compose recreates what has another definition and nothing else (RUNTIMES.md, measured). There is no second version beside
the first: the old containers are gone at once, and requests are lost meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from relspec.compiler import CompiledRelease
from relspec.gitops.schedule import NOTHING, Part, Schedule, Situation, estimated
from relspec.spec.quantities import seconds
from relspec.targets.compose.router_service import router_name

Map = Mapping[str, Any]

UP = Part("docker compose up", 1, 2)
"""RUNTIMES.md: `up` of an identical file took 1.1 s and recreated nothing."""

RECREATE = (1, 2)
"""RUNTIMES.md: one service recreated took 2.9 s (a revert) to 3.5 s in all, of them 1.1 s for `up` itself."""

DEFAULT_GRACE = 10
"""Seconds until Compose kills a container where no stop_grace_period is written (the engine's default)."""

DEFAULT_STARTUP = 60
"""Seconds taken for a container that no healthcheck calls ready: `health.startup`'s own default (DESIGN 3)."""

DEFAULT_NETWORK = "default"
"""The network of a service that names none (Compose)."""


class Project(Struct, frozen=True):
    """compose.yaml of one revision; empty where the release has none."""

    document: Map

    @property
    def services(self) -> Map:
        """The containers' definitions by name."""
        return self.document.get("services") or {}

    def definition(self, name: str) -> tuple[Any, ...] | None:
        """All that decides whether a container is recreated: its service, and the networks that it is in."""
        service = self.services.get(name)
        if service is None:
            return None
        joined = service.get("networks") or (DEFAULT_NETWORK,)
        known = self.document.get("networks") or {}
        return self.document.get("name"), service, {network: known.get(network) for network in joined}


def project(compiled: CompiledRelease) -> Project:
    """The compose project of a release."""
    for draft in compiled.drafts:
        if draft.path == "compose/compose.yaml" and draft.documents:
            return Project(draft.documents[0])
    return Project({})


def compose_schedules(services: Sequence[str], current: Project, wanted: Project) -> Mapping[str, Schedule]:
    """For each of the release's `services` that either project runs: what `docker compose up` does to go back."""
    recreated = [name for name in wanted.services if current.definition(name) != wanted.definition(name)]
    removed = [name for name in current.services if name not in wanted.services]
    found = {}
    for service in services:
        mine = [name for name in (*wanted.services, *removed) if owner(name, services) == service]
        if not mine:
            continue
        changed = [name for name in mine if name in recreated]
        gone = [name for name in mine if name in removed]
        found[service] = Schedule(service, (), _situation(service, changed, gone, recreated, current, wanted))
    return found


def owner(container: str, services: Sequence[str]) -> str:
    """The release's service that a container belongs to: its candidate, router, init containers and sidecars are its."""
    fitting = [name for name in services if container == name or container.startswith(f"{name}-")]
    return max(fitting, key=len, default=container)


def notes(current: Project, wanted: Project) -> Iterator[str]:
    """What one should know beside the verdict."""
    old, new = current.document.get("name"), wanted.document.get("name")
    if current.services and wanted.services and old != new:
        yield f"the compose project is called {new} then: end {old} with `docker compose -p {old} down`"
    for name, service in wanted.services.items():
        if current.definition(name) != wanted.definition(name) and "healthcheck" not in service:
            yield f"{name} has no health check in compose: {DEFAULT_STARTUP} s are taken"


def _situation(
    service: str,
    changed: Sequence[str],
    gone: Sequence[str],
    recreated: Sequence[str],
    current: Project,
    wanted: Project,
) -> Situation:
    if not changed:
        if not gone:
            return NOTHING
        return Situation("instant", f"{', '.join(gone)} is removed, and nothing starts", estimated(UP))
    known: dict[str, list[Part]] = {}
    parts = max((_chain(name, recreated, current, wanted, known) for name in changed), key=_longest)
    count = f"{len(recreated)} of {len(wanted.services)} containers"
    why = f"compose recreates {', '.join(changed)} ({count}) and loses requests meanwhile"
    moved = router_name(service)
    if (moved in wanted.services) != (moved in current.services):
        comes = "comes" if moved in wanted.services else "goes"
        why += f"; the router {comes}"
        why += f", so that the published port moves and {service} is recreated" if service in changed else ""
    return Situation("warm", why, estimated(UP, *parts), frozenset({"A5", "A6"}))


def _chain(
    name: str, recreated: Sequence[str], current: Project, wanted: Project, known: dict[str, list[Part]]
) -> list[Part]:
    """The parts of a container after those of the slowest of the recreated ones that it waits for."""
    if name not in known:
        known[name] = []
        waits = wanted.services[name].get("depends_on") or ()
        chains = [_chain(other, recreated, current, wanted, known) for other in waits if other in recreated]
        own = _container(name, current.services.get(name), wanted.services[name])
        known[name] = [*max(chains, key=_longest, default=[]), *own]
    return known[name]


def _container(name: str, before: Map | None, after: Map) -> list[Part]:
    """Its end, if it runs, and its start up to the end of the time in which a failed probe does not count."""
    startup = _seconds((after.get("healthcheck") or {}).get("start_period"), DEFAULT_STARTUP)
    starts = Part(f"{name} starts", RECREATE[0], RECREATE[1] + startup)
    if before is None:
        return [starts]
    return [Part(f"{name} stops", 0, _seconds(before.get("stop_grace_period"), DEFAULT_GRACE)), starts]


def _longest(parts: Sequence[Part]) -> int:
    return sum(part.high or 0 for part in parts)


def _seconds(length: Any, default: int) -> int:
    return default if length is None else seconds(str(length))
