"""Everything that one service (or one candidate) becomes: its containers, and the configs and volumes they name."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from relspec.facet import Facet
from relspec.resolve import ResolvedService
from relspec.targets.compose import files, storage
from relspec.targets.compose.companions import init_services, shared_scratch, sidecar_services
from relspec.targets.compose.container import container
from relspec.targets.compose.project import Project


class Workload(Struct, frozen=True):
    """The compose services of a service, its own first; the configs by name; the project's volumes by name."""

    containers: tuple[Facet, ...]
    configs: Mapping[str, Facet]
    volumes: tuple[str, ...] = ()


def workload(service: ResolvedService, name: str, project: Project, hidden: str | None) -> Workload:
    """The workload called `name`. `hidden` is as for `container.container`."""
    configs, mounted = files.configs(service, name, project.up)
    spec = service.spec
    if not (spec.init or spec.sidecars):
        main = container(service, name, project, hidden=hidden, mounted=mounted)
        return Workload((main,), configs, storage.named(spec.volumes))
    scratch = shared_scratch(service, name, project)
    inits = init_services(service, name, project, mounted, scratch)
    sidecars = sidecar_services(service, name, project, mounted, scratch)
    last_init = inits[-1]["name"] if inits else None
    main = container(service, name, project, hidden=hidden, mounted=mounted, scratch=scratch, last_init=last_init)
    declared = [spec.volumes, *(companion.volumes for companion in (*(spec.init or ()), *(spec.sidecars or ())))]
    volumes = [name for each in declared for name in storage.named(each)]
    return Workload((main, *inits, *sidecars), configs, tuple(dict.fromkeys((*volumes, *scratch.values()))))
