"""Helm values: for the packaged reference chart, or for the team's own chart through its values template.

The reference chart takes the objects of the rollouts target as they are. A chart of the team's own gets a complete file,
in which nothing is pruned: to Helm a null means that the chart's default goes. Whether the chart takes the values is
checked later, with the chart at hand (`rules.helm.check_values`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from relspec.diagnostics import Finding, Path, Range, RelspecError, Where
from relspec.render import Rendered, TemplateSet
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.targets.draft import Draft
from relspec.targets.helm.values_context import for_service, values_context
from relspec.targets.merge_patch import apply_merge_patch, nodes_written, overlaid
from relspec.targets.rollouts.target import TEMPLATE, Place, objects
from relspec.tree import relative

SCAFFOLD = "scaffold"
"""The name of the packaged values template, for charts that grew from `helm create`."""

SCAFFOLD_TEMPLATE = "helm/scaffold.yaml.j2"
TEMPLATE_ENDING = ".j2"
OBJECTS = "objects"
"""The one value of the reference chart."""

Per = Literal["release", "service"]


class ValuesSource(Struct, frozen=True):
    """The environment's `targets.helm` with the release's `helm` on top, field by field.

    `chart` is a path in the repository, None for the reference chart; `values` is SCAFFOLD, the path of a template in
    the repository, or a map with holes. `chart_at` and `values_at` are the paths in the release of what says so.
    """

    chart: str | None
    chart_at: Path
    values: str | Mapping[str, Any] | None
    values_at: Path
    per: Per
    namespace: str


class ValuesFile(Struct, frozen=True):
    """One output, by its path below rendered/<release id>/, and the services that it is about."""

    path: str
    services: tuple[ResolvedService, ...]


def values_source(release: ResolvedRelease) -> ValuesSource | None:
    """What a release's values are made from; None without a Helm target. Raises RelspecError RS241."""
    settings = release.environment.targets.helm
    if settings is None:
        return None
    chart, chart_at = _field(release, "chart")
    values, values_at = _field(release, "values")
    per, _ = _field(release, "per")
    if chart is not None:
        chart = _path(release, chart, chart_at)
    if isinstance(values, str) and values != SCAFFOLD:
        values = _path(release, values, values_at)
    return ValuesSource(chart, chart_at, values, values_at, per, settings.namespace)


def values_files(release: ResolvedRelease, source: ValuesSource) -> tuple[ValuesFile, ...]:
    """The outputs of a release, in the order of its services."""
    services = tuple(service for service in release.services.values() if "helm" in service.targets)
    if source.per == "service":
        return tuple(ValuesFile(f"helm/values-{service.name}.yaml", (service,)) for service in services)
    return (ValuesFile("helm/values.yaml", services),) if services else ()


def helm(release: ResolvedRelease, templates: TemplateSet, _output: str) -> tuple[Draft, ...]:
    """values.yaml of the services that this target runs, or a values-<service>.yaml for each.

    Raises RelspecError for what is wrong in a values template, and RS241 for a path out of the repository.
    """
    source = values_source(release)
    files = values_files(release, source) if source is not None else ()
    if source is None or not files:
        return ()
    if source.chart is None:
        return tuple(_objects(release, source, file, templates) for file in files)
    services = [service for file in files for service in file.services]
    context = values_context(release, services, source.namespace)
    return tuple(_values(release, source, file, templates, context) for file in files)


def _field(release: ResolvedRelease, name: str) -> tuple[Any, Path]:
    """A field's value, and the path in the release of what says it."""
    own = getattr(release.helm, name) if release.helm is not None else None
    if own is not None:
        return own, ("helm", name)
    return getattr(release.environment.targets.helm, name), ("environment", "targets", "helm", name)


def _path(release: ResolvedRelease, path: str, at: Path) -> str:
    """A path of the spec as one of the repository: it starts at the file that says it."""
    where = release.where(at)
    return relative(where.file, path, origin=where)


def _objects(release: ResolvedRelease, source: ValuesSource, file: ValuesFile, templates: TemplateSet) -> Draft:
    """The values of the reference chart."""
    settings = release.environment.targets.helm
    place = Place(source.namespace, settings.prometheus if settings else None)
    rendered, documents, origins = objects(release, file.services, place, templates)
    values, patches = _overridden({OBJECTS: documents}, release, file)
    written = {(0, OBJECTS, *path): at for path, at in origins.items()}
    return Draft(
        file.path, [values], rendered, template=TEMPLATE, patched=overlaid(written, patches), elements_of=OBJECTS
    )


def _values(
    release: ResolvedRelease,
    source: ValuesSource,
    file: ValuesFile,
    templates: TemplateSet,
    context: dict[str, Any],
) -> Draft:
    """The values of a team's own chart."""
    if source.per == "service":
        context = for_service(context, file.services[0].name)
    inline = source.values_at if isinstance(source.values, Mapping) else None
    rendered = _rendered(release, source, templates, context)
    name = SCAFFOLD_TEMPLATE if source.values == SCAFFOLD else f"//{source.values}"
    if len(rendered.documents) != 1 or not isinstance(rendered.documents[0], dict):
        # An inline map is a map: only a file can be anything else.
        hint = "write one map: values are keys that the chart reads"
        where = Where(name, range=Range(1, 1, 1, 1))
        raise RelspecError(Finding("RS504", "the template gives no map of values", where, hint))
    values, patches = _overridden(rendered.documents[0], release, file)
    return Draft(file.path, [values], rendered, template=name, patched=patches, inline=inline)


def _rendered(
    release: ResolvedRelease, source: ValuesSource, templates: TemplateSet, context: Mapping[str, Any]
) -> Rendered:
    try:
        if isinstance(source.values, Mapping):
            file = release.where(source.values_at).file
            return templates.render_inline(source.values, context, file, source.values_at)
        name = SCAFFOLD_TEMPLATE if source.values == SCAFFOLD else f"//{source.values}"
        return templates.render(name, context, prune=False)
    except RelspecError as error:
        raise RelspecError(*(_in_spec(finding, release, source, context) for finding in error.findings)) from error


def _in_spec(finding: Finding, release: ResolvedRelease, source: ValuesSource, context: Mapping[str, Any]) -> Finding:
    """A finding of the render: of an inline map at the layer that wrote the string, of a missing file where it is named."""
    if isinstance(source.values, Mapping):
        finding = replace(finding, where=release.where(finding.where.path))
    elif finding.code == "RS505" and finding.where.file == f"//{source.values}":
        message = f"there is no values template {source.values}"
        finding = replace(finding, message=message, where=release.where(source.values_at))
    if context["service"] is None and finding.code == "RS502" and " of null" in finding.message:
        names = ", ".join(context["services"])
        hint = f"`service` is null where a release has several ({names}): write per: service, or read services.NAME"
        finding = replace(finding, hint=hint)
    return finding


def _overridden(
    values: dict[str, Any], release: ResolvedRelease, file: ValuesFile
) -> tuple[dict[str, Any], dict[Path, Path]]:
    """The values with the release's override, then each service's; and which nodes of the document those wrote."""
    origins: dict[Path, Path] = {}
    for patch, source in value_overrides(release, file):
        origins = overlaid(origins, {(0, *node): (*source, *node) for node in nodes_written(values, patch)})
        values = apply_merge_patch(values, patch)
    return values, origins


def value_overrides(release: ResolvedRelease, file: ValuesFile) -> Iterator[tuple[Mapping[str, Any], Path]]:
    """The patches on a values file, lowest first, with their paths in the release."""
    if release.overrides is not None and release.overrides.helm:
        yield release.overrides.helm, ("overrides", "helm")
    for service in file.services:
        overrides = service.spec.overrides
        if overrides is not None and overrides.helm:
            yield overrides.helm, (*service.path, "overrides", "helm")
