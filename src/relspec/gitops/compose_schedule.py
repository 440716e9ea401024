"""How fast a compose project goes back: which of its containers are recreated, and for how long each is away.

What Compose recreates is asked here by `plan` too (`fates`), so that both always say the same. There is no second version
beside the first: the old containers are gone at once, and requests are lost meanwhile.

Sources: Compose's service hash (docker/compose internal/confighash/hash.go; `docker compose config --hash` says the same),
what it recreates beyond it (pkg/compose/reconcile.go), and RUNTIMES.md (measured).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from relspec.compiler import CompiledRelease
from relspec.gitops.schedule import NOTHING, Part, Schedule, Situation, estimated
from relspec.reporters.text import counted
from relspec.spec.quantities import seconds
from relspec.targets.compose.router_service import router_name

Map = Mapping[str, Any]
Fate = Literal["create", "remove", "recreate", "scale", "metadata", "nothing"]
"""What becomes of a service of a compose file: `scale` is another number of the same containers."""

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

STARTS = frozenset({"A5", "A6"})
"""What a start of containers takes for granted."""

IGNORED_BY_HASH = frozenset({"build", "pull_policy", "scale", "depends_on", "profiles"})
"""Fields of a service that Compose leaves out of its hash, beside deploy.replicas."""


class Project(Struct, frozen=True):
    """compose.yaml of one revision; empty where the release has none."""

    document: Map

    @property
    def services(self) -> Map:
        """The containers' definitions by name."""
        return self.document.get("services") or {}


def project(compiled: CompiledRelease) -> Project:
    """The compose project of a release."""
    for draft in compiled.drafts:
        if draft.path == "compose/compose.yaml" and draft.documents:
            return Project(draft.documents[0])
    return Project({})


def fates(before: Map, after: Map) -> dict[str, Fate]:
    """What `docker compose up` of a file makes of each service of it and of the one that runs, by name.

    A project of another name shares nothing: all of its services are made.
    """
    services, theirs = before.get("services") or {}, after.get("services") or {}
    if services and theirs and before.get("name") != after.get("name"):
        return {**dict.fromkeys(services, "remove"), **dict.fromkeys(theirs, "create")}
    networks = _differing(before.get("networks") or {}, after.get("networks") or {})
    found = {name: _fate(services.get(name), theirs.get(name), networks) for name in {**theirs, **services}}
    left = [name for name in theirs if found[name] == "recreate"]
    while left:
        gone = left.pop()
        for name, definition in theirs.items():
            if found[name] in ("nothing", "metadata", "scale") and gone in _lives_in(definition):
                found[name] = "recreate"
                left.append(name)
    return found


def service_hash(definition: Map) -> dict[str, Any]:
    """The part of a service's definition whose change recreates it (docker/compose internal/confighash/hash.go)."""
    found = {key: value for key, value in definition.items() if key not in IGNORED_BY_HASH}
    if isinstance(found.get("deploy"), Mapping):
        found["deploy"] = {key: value for key, value in found["deploy"].items() if key != "replicas"}
    return found


def containers(definition: Map) -> int:
    """How many containers a service has (compose-go, ServiceConfig.GetScale)."""
    found = definition.get("scale", (definition.get("deploy") or {}).get("replicas", 1))
    return found if isinstance(found, int) else 1


def _fate(old: Map | None, new: Map | None, networks: set[str]) -> Fate:
    """What becomes of a service; `networks` are those that are made anew."""
    if old is None or new is None:
        return "create" if old is None else "remove"
    if service_hash(old) != service_hash(new) or networks & _networks(new):
        # A network of another kind is made anew, and who is in it stops till then: as good as recreated.
        return "recreate"
    if containers(old) != containers(new):
        return "scale"
    return "nothing" if old == new else "metadata"


def _lives_in(definition: Map) -> set[str]:
    """The services whose containers a container names by their ids: made anew, they take it with them."""
    modes = [str(definition.get(field, "")) for field in ("network_mode", "ipc", "pid")]
    shared = {mode.removeprefix("service:") for mode in modes if mode.startswith("service:")}
    return shared | {str(volume).partition(":")[0] for volume in definition.get("volumes_from") or ()}


def _differing(old: Map, new: Map) -> set[str]:
    """The networks that change. One that no file describes is as Compose makes it: the default one, mostly."""
    return {name for name in {**old, **new} if (old.get(name) or {}) != (new.get(name) or {})}


def _networks(definition: Map) -> set[str]:
    if "network_mode" in definition:
        return set()
    return set(definition.get("networks") or [DEFAULT_NETWORK])


def compose_schedules(services: Sequence[str], current: Project, wanted: Project) -> Mapping[str, Schedule]:
    """For each of the release's `services` that either project runs: what `docker compose up` does to go back."""
    way = _Way(current, wanted, fates(current.document, wanted.document))
    found = {}
    for service in services:
        mine = [name for name in way.fate if owner(name, services) == service]
        if mine:
            found[service] = Schedule(service, (), _situation(service, mine, way))
    return found


class _Way(Struct, frozen=True):
    """From the project that runs to the wanted one, with what becomes of each service of either."""

    current: Project
    wanted: Project
    fate: Mapping[str, Fate]

    @property
    def made(self) -> Sequence[str]:
        """The services whose containers are made, anew or for the first time."""
        return self.of(self.wanted.services, "recreate", "create")

    def of(self, names: Iterable[str], *fate: Fate) -> Sequence[str]:
        """Those of some services that one of these things becomes of."""
        return [name for name in names if self.fate[name] in fate]


def owner(container: str, services: Sequence[str]) -> str:
    """The release's service that a container belongs to: its candidate, router, init containers and sidecars are its."""
    fitting = [name for name in services if container == name or container.startswith(f"{name}-")]
    return max(fitting, key=len, default=container)


def notes(current: Project, wanted: Project) -> Iterator[str]:
    """What one should know beside the verdict."""
    old, new = current.document.get("name"), wanted.document.get("name")
    if current.services and wanted.services and old != new:
        yield f"the compose project is called {new} then: end {old} with `docker compose -p {old} down`"
    way = _Way(current, wanted, fates(current.document, wanted.document))
    for name in way.made:
        if "healthcheck" not in wanted.services[name]:
            yield f"{name} has no health check in compose: {DEFAULT_STARTUP} s are taken"


def _situation(service: str, names: Sequence[str], way: _Way) -> Situation:
    """What going back does to the containers of one of the release's services."""
    current, wanted, changed = way.current, way.wanted, way.of(names, "recreate", "create")
    if not changed:
        return _staying(names, way)
    known: dict[str, list[Part]] = {}
    parts = max((_chain(name, way, known) for name in changed), key=_longest)
    count = f"{len(way.made)} of {len(wanted.services)} containers"
    why = f"compose recreates {', '.join(changed)} ({count}) and loses requests meanwhile"
    moved = router_name(service)
    if (moved in wanted.services) != (moved in current.services):
        comes = "comes" if moved in wanted.services else "goes"
        why += f"; the router {comes}"
        why += f", so that the published port moves and {service} is recreated" if service in changed else ""
    return Situation("warm", why, estimated(UP, *parts), STARTS)


def _staying(names: Sequence[str], way: _Way) -> Situation:
    """Nothing that runs is replaced: containers may go, or be more or fewer. Only more of them take time."""
    said, starts = [], []
    gone = way.of(names, "remove")
    if gone:
        said.append(f"{', '.join(gone)} is removed, and nothing starts")
    for name in way.of(names, "scale"):
        definition = way.wanted.services[name]
        before, after = containers(way.current.services[name]), containers(definition)
        said.append(f"{name} {before} -> {counted(after, 'container')}, those that stay are not restarted")
        starts += [_container(name, None, definition)] if after > before else []
    if starts:
        return Situation("warm", "; ".join(said), estimated(UP, *max(starts, key=_longest)), STARTS)
    return Situation("instant", "; ".join(said), estimated(UP)) if said else NOTHING


def _chain(name: str, way: _Way, known: dict[str, list[Part]]) -> list[Part]:
    """The parts of a container after those of the slowest of the made ones that it waits for."""
    if name not in known:
        known[name] = []
        definition = way.wanted.services[name]
        waits = {*(definition.get("depends_on") or ()), *_lives_in(definition)}
        chains = [_chain(other, way, known) for other in sorted(waits) if other in way.made]
        own = _container(name, way.current.services.get(name), definition)
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
