"""compose.yaml and the routers' confs of a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from relspec.diagnostics import Finding, Path, RelspecError, Where
from relspec.render import TemplateSet
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.spec.environment import ComposeTarget
from relspec.spec.service import Overrides
from relspec.targets.compose import router
from relspec.targets.compose.container import ALL_PORTS
from relspec.targets.compose.project import Project, network_definitions, project_name, project_of
from relspec.targets.compose.router_service import (
    candidate_name,
    conf_file,
    has_router,
    route_of,
    router_workload,
)
from relspec.targets.compose.workload import Workload, workload
from relspec.targets.draft import Draft
from relspec.targets.merge_patch import overlaid, patched

TEMPLATE = "compose/compose.yaml.j2"
OUTPUT = "rendered"


class Part(Struct, frozen=True):
    """A workload of the project: whose it is, which address of `overrides.compose` concerns it, a router's conf."""

    workload: Workload
    service: ResolvedService
    address: Literal["service", "router"]
    conf: Draft | None = None


def compose(release: ResolvedRelease, templates: TemplateSet, output: str = OUTPUT) -> tuple[Draft, ...]:
    """compose.yaml, then one conf a router: of the services that this target runs, nothing where there are none.

    `output` is the folder of the repository that all outputs lie in: relative paths are written as seen from there.
    Raises RelspecError for what is wrong in a template, and for a path or a reference that leads nowhere.
    """
    settings = release.environment.targets.compose
    if settings is None:
        return ()
    project = project_of(release, settings, output)
    parts = tuple(_parts(release, project, templates))
    if not parts:
        return ()
    rendered = templates.render(TEMPLATE, _context(project_name(release, settings), settings, parts))
    documents, origins = _overridden(rendered.documents, release, parts)
    confs = [part.conf for part in parts if part.conf is not None]
    return (Draft("compose/compose.yaml", documents, rendered, template=TEMPLATE, patched=origins), *confs)


def _parts(release: ResolvedRelease, project: Project, templates: TemplateSet) -> Iterator[Part]:
    """Each service, followed by its candidate and its router."""
    for name, service in project.services.items():
        routed = has_router(service, project.settings)
        yield Part(workload(service, name, project, service.route if routed else None), service, "service")
        candidate = service.candidate
        if candidate is not None and service.split_by_router:
            yield Part(workload(candidate, candidate_name(name), project, ALL_PORTS), candidate, "service")
        if routed:
            text = router.render(route_of(service, release.name, project.settings), templates.render_text)
            conf = Draft(f"compose/{conf_file(name)}", text=text, template=router.TEMPLATE)
            yield Part(router_workload(service, text, project), service, "router", conf)


def _context(name: str, settings: ComposeTarget, parts: Sequence[Part]) -> dict[str, Any]:
    """What the template reads."""
    workloads = [part.workload for part in parts]
    volumes: dict[str, Any] = {volume: {} for each in workloads for volume in each.volumes}
    configs = {config: definition for each in workloads for config, definition in each.configs.items()}
    return {
        "project": name,
        "services": [container for each in workloads for container in each.containers],
        "networks": network_definitions(settings),
        "volumes": volumes or None,
        "configs": configs or None,
    }


def _overridden(
    documents: list[Any], release: ResolvedRelease, parts: Sequence[Part]
) -> tuple[list[Any], Mapping[Path, Path]]:
    """The documents with the release's overrides and each service's on top; and which nodes those wrote."""
    origins: dict[Path, Path] = {}
    for part in parts:
        for overrides, source in (
            (release.overrides, ("overrides",)),
            (part.service.spec.overrides, (*part.service.path, "overrides")),
        ):
            patch = _patch(overrides, part.address)
            if patch:
                origin = (*source, "compose", part.address)
                at: Path = (0, "services", part.workload.containers[0]["name"])
                documents, nodes = _with_patch(documents, patch, at, release.where(origin))
                origins = overlaid(origins, {node: (*origin, *node[len(at) :]) for node in nodes})
    return documents, origins


def _with_patch(
    documents: list[Any], patch: Mapping[str, Any], at: Path, where: Where
) -> tuple[list[Any], tuple[Path, ...]]:
    try:
        return patched(documents, patch, at)
    except (LookupError, TypeError) as error:
        message = f"the compose template writes no service {at[-1]}"
        hint = "remove the override, or write the service in templates/compose/compose.yaml.j2"
        raise RelspecError(Finding("RS361", message, where, hint)) from error


def _patch(overrides: Overrides | None, address: str) -> Mapping[str, Any] | None:
    if overrides is None or overrides.compose is None:
        return None
    return overrides.compose.router if address == "router" else overrides.compose.service
