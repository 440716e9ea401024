"""Init containers and sidecars, which Compose doesn't know, as services beside their service.

An init container is a service that ends, and is awaited, before the next one starts. A sidecar shares its service's
network, so that both reach each other at localhost, as in a pod. As there, files, writable folders and the user are
those of the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from relspec.diagnostics import Path
from relspec.facet import Facet
from relspec.resolve import ResolvedService, environment_value
from relspec.spec.service import Companion
from relspec.targets.compose import storage
from relspec.targets.compose.container import COMPLETED, NOTHING, Renamed, depends_on, environment, resources, user
from relspec.targets.compose.files import config_name
from relspec.targets.compose.interpolation import literal, literals
from relspec.targets.compose.project import Project, networks


def companion_name(workload: str, companion: str) -> str:
    """The compose service of an init container or sidecar: `api-unpack`."""
    return f"{workload}-{companion}"


def init_services(
    service: ResolvedService, workload: str, project: Project, mounted: list[Facet] | None, scratch: Mapping[str, str]
) -> list[Facet]:
    """The one-shot services of a service, in the order in which they run."""
    found: list[Facet] = []
    before: str | None = None
    for index, init in enumerate(service.spec.init or ()):
        name = companion_name(workload, init.name)
        base = _container(init, service, name, project, ("init", index), mounted, scratch)
        first = depends_on(service, project.services) if before is None else {before: {"condition": COMPLETED}}
        own = {"networks": networks(name, project.settings), "depends_on": first, "restart": "no"}
        found.append(Facet({**base, **own}, base.origin, base.renamed))
        before = name
    return found


def sidecar_services(
    service: ResolvedService, workload: str, project: Project, mounted: list[Facet] | None, scratch: Mapping[str, str]
) -> list[Facet]:
    """The services that run in the network of a service."""
    found = []
    for index, sidecar in enumerate(service.spec.sidecars or ()):
        name = companion_name(workload, sidecar.name)
        base = _container(sidecar, service, name, project, ("sidecars", index), mounted, scratch)
        own = {
            "network_mode": f"service:{workload}",
            "stop_grace_period": service.spec.shutdown.grace,
            "restart": service.spec.restart,
        }
        found.append(Facet({**base, **own}, base.origin, base.renamed))
    return found


def shared_scratch(service: ResolvedService, workload: str, project: Project) -> dict[str, str]:
    """The project volumes behind `empty` volumes that several containers of a service mount, by mount path.

    Containers can only share a volume of the project, which outlives them. It is named after the init containers that
    fill it: another version never finds the files of the one before, and going back finds its own.
    """
    spec = service.spec
    companions = (*(spec.init or ()), *(spec.sidecars or ()))
    if not companions:
        return {}
    targets = storage.shared_targets([spec.volumes, *(_volumes(companion, service) for companion in companions)])
    if not targets:
        return {}
    files = [config_name(workload, file.content) for file in service.files]
    inits = [
        [init.image, init.command, init.args, _environment(init, service, project, ("init", index)), files]
        for index, init in enumerate(spec.init or ())
    ]
    return storage.shared_names(workload, targets, inits)


def _volumes(companion: Companion, service: ResolvedService) -> storage.Volumes | None:
    return service.spec.volumes if companion.volumes is None else companion.volumes


def _environment(companion: Companion, service: ResolvedService, project: Project, at: Path) -> Facet | None:
    """The companion's own variables, else its service's. Raises RelspecError: RS207, RS208."""
    if companion.env is None:
        return environment(service.env, (*service.path, "env"))
    found = {
        name: environment_value(given, service.model, project.environment, partial(service.where, (*at, "env", name)))
        for name, given in companion.env.items()
    }
    return environment(found, (*service.path, *at, "env"))


def _container(
    companion: Companion,
    service: ResolvedService,
    name: str,
    project: Project,
    at: Path,
    mounted: list[Facet] | None,
    scratch: Mapping[str, str],
) -> Facet:
    """What init containers and sidecars have in common."""
    spec, path = service.spec, (*service.path, *at)
    inherits = companion.volumes is None
    wanted = resources(companion.resources, (*path, "resources"))
    volumes_at: Path = ("volumes",) if inherits else (*at, "volumes")
    return Facet(
        {
            **NOTHING,
            "name": name,
            "image": companion.image,
            "entrypoint": None if companion.command is None else literals(companion.command),
            "command": None if companion.args is None else literals(companion.args),
            "user": user(spec.security),
            "environment": _environment(companion, service, project, at),
            "volumes": storage.mounts(_volumes(companion, service), service, volumes_at, scratch, project.up),
            "tmpfs": [literal(folder) for folder in spec.writable] if spec.writable and inherits else None,
            "configs": mounted if inherits else None,
            "read_only": spec.security.read_only if spec.security else None,
            "deploy": Facet({"resources": wanted}, path) if wanted else None,
        },
        path,
        Renamed(path),
    )
