"""Helm: what a release may say about its chart and values, and whether the chart takes the values that were made.

The first part looks at a resolved release, as all rules do. `check_values` is the second part: it needs the values, the
holes that gave them, and the chart, so the compiler calls it for each values file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec.structs import replace

from relspec.diagnostics import Finding, Part, Path, RelspecError, Severity, Where
from relspec.layers import deepest
from relspec.outputs import origin_of, where
from relspec.render.template import STARTS
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.rules.finding import at_service
from relspec.spec.service import Replicas
from relspec.targets.draft import Draft
from relspec.targets.helm.chart import Chart, Charts, missing_dependencies, reference_chart
from relspec.targets.helm.target import (
    OBJECTS,
    SCAFFOLD,
    TEMPLATE_ENDING,
    ValuesFile,
    ValuesSource,
    value_overrides,
    values_files,
    values_source,
)
from relspec.targets.helm.values import Problem, inexact_numbers, unread_values, validate
from relspec.targets.merge_patch import nodes_written

PINNED = frozenset({"image", "model", "replicas", "strategy"})
"""Fields of a service that an override of values may not touch: a rollback depends on them."""

MAX_UNREAD = 20
"""Values that the chart never reads which are looked at one by one."""

MAX_LEAVES = 50
"""Scalars of such a value whose origins are looked up: each costs a walk through the render."""

# -- of a release


def chart_and_values(release: ResolvedRelease) -> Iterator[Finding]:
    """RS530: values without the chart that takes them. RS533: a chart without values, or values that are no template."""
    source = _source(release)
    if source is None:
        return
    if source.chart is None and source.values is not None:
        message = "values need the chart that takes them; the packaged one takes none"
        hint = "add chart: FOLDER, or remove values"
        yield Finding("RS530", message, release.where(source.values_at, "key"), hint)
    if source.chart is not None and source.values is None:
        message = f"nothing says which values {source.chart} gets"
        hint = "add values: scaffold, a template (*.j2), or a map with holes"
        yield Finding("RS533", message, release.where(source.chart_at, "key"), hint)
    is_path = isinstance(source.values, str) and source.values != SCAFFOLD
    if is_path and not str(source.values).endswith(TEMPLATE_ENDING):
        message = f"{source.values} is no values template"
        hint = f"write scaffold, a path that ends with {TEMPLATE_ENDING}, or the map itself"
        yield Finding("RS533", message, release.where(source.values_at), hint)


def release_templates(release: ResolvedRelease) -> Iterator[Finding]:
    """RS534: a release brings a template, where only the environment may."""
    source = _source(release)
    allowed = release.environment.policies.templates == "release"
    if source is None or allowed or source.values_at != ("helm", "values"):
        return
    environment = release.environment.path
    hint = f"keep it beside environment.yaml, or set policies: {{templates: release}} in {environment}"
    if isinstance(source.values, Mapping):
        for path, part in _holes(source.values, ()):
            message = f"{environment} takes no holes from a release"
            yield Finding("RS534", message, release.where((*source.values_at, *path), part), hint)
    elif source.values not in (None, SCAFFOLD):
        message = f"{environment} takes no values template from a release"
        yield Finding("RS534", message, release.where(source.values_at), hint)


def reference_overrides(release: ResolvedRelease) -> Iterator[Finding]:
    """RS360: an override that replaces every object of the packaged chart."""
    source = _source(release)
    if source is None or source.chart is not None:
        return
    # Two files hold the release's override, and it is said once.
    found = {at: patch for file in values_files(release, source) for patch, at in value_overrides(release, file)}
    for at, patch in found.items():
        if OBJECTS in patch:
            message = f"an override may not set {OBJECTS}: a rollback depends on it"
            hint = "patch one object with overrides.rollouts: Rollout, Service, pod, container …"
            yield Finding("RS360", message, release.where((*at, OBJECTS), "key"), hint)


def _source(release: ResolvedRelease) -> ValuesSource | None:
    """What the values are made from; None where no service needs it, or where the target itself will say what is wrong."""
    if not any("helm" in service.targets for service in release.services.values()):
        return None
    try:
        return values_source(release)
    except RelspecError:
        return None


def _holes(value: Any, path: Path) -> Iterator[tuple[Path, Part]]:
    """The strings of a structure that are templates, keys included."""
    if isinstance(value, str) and any(start in value for start in STARTS):
        yield path, "value"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if any(start in key for start in STARTS):
                yield (*path, key), "key"
            yield from _holes(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _holes(item, (*path, index))


# -- of the values


def check_values(release: ResolvedRelease, draft: Draft, charts: Charts) -> Iterator[Finding]:
    """What Helm and the chart would refuse in a values file, or drop without a word.

    Each finding is at the line of the spec that gave the value, else at the line of the values template, or of the
    override, that wrote it. For the packaged chart only overrides are looked at: its objects are checked as objects.
    """
    source = values_source(release)
    if source is None or not draft.documents:
        return
    values = draft.documents[0]
    file = next(file for file in values_files(release, source) if file.path == draft.path)
    named_at = release.where(source.chart_at)
    if source.chart is None:
        if any(value_overrides(release, file)):
            chart = reference_chart()
            yield from _refused(release, draft, chart, validate(chart, values), named_at)
        return
    try:
        chart = charts.load(source.chart, named_at)
    except RelspecError as error:
        yield from error.findings
        return
    problems = validate(chart, values)
    yield from _refused(release, draft, chart, problems, named_at)
    yield from _inexact(release, draft, values)
    yield from missing_dependencies(chart, named_at)
    yield from _overridden_release_fields(release, draft, file)
    for service in file.services:
        yield from _outside_the_context(service)
    yield from _ignored_by_template(draft, file, source)
    refused = {problem.path[:1] for problem in problems}
    unread = [key for key in unread_values(chart, values) if (key,) not in refused]
    yield from _ignored_by_chart(release, draft, chart, unread, named_at)


def _refused(
    release: ResolvedRelease, draft: Draft, chart: Chart, problems: Iterable[Problem], named_at: Where
) -> Iterator[Finding]:
    """RS531: what a schema refuses. RS530: a schema that refuses everything."""
    for problem in problems:
        if problem.in_chart:
            yield Finding("RS530", f"{problem.chart}: {problem.message}", named_at, "correct the chart's schema")
        else:
            yield _refusal(release, draft, chart, problem)


def _refusal(release: ResolvedRelease, draft: Draft, chart: Chart, problem: Problem) -> Finding:
    name = ".".join(str(step) for step in problem.path)
    message = f"chart {problem.chart} refuses {f'the value {name}' if name else 'the values'}: {problem.message}"
    hint = f"see values.schema.json of {chart.path or chart.name}; what it gets is in {draft.path}"
    return Finding("RS531", message, where(draft, release, 0, problem.path), hint)


def _inexact(release: ResolvedRelease, draft: Draft, values: Mapping[str, Any]) -> Iterator[Finding]:
    """RS520: Helm keeps every number as a float of 64 bits."""
    for path in inexact_numbers(values):
        name = ".".join(str(step) for step in path)
        message = f"{draft.path}: Helm would change the number at {name}: it has more than 53 bits"
        yield Finding("RS520", message, where(draft, release, 0, path), "write it in quotes")


def _overridden_release_fields(release: ResolvedRelease, draft: Draft, file: ValuesFile) -> Iterator[Finding]:
    """RS360: an override of a value that comes from the image, the model, the replicas or the strategy."""
    if draft.rendered is None:
        return
    values = draft.rendered.documents[0]
    unpatched = replace(draft, patched={})
    for patch, source in value_overrides(release, file):
        for node in nodes_written(values, patch):
            fields = (_pinned(origin_of(unpatched, 0, leaf)) for leaf in _given(values, node))
            field = next((field for field in fields if field is not None), None)
            if field is not None:
                name = ".".join(str(step) for step in node)
                message = f"an override may not set {name}, which is the service's {field}: a rollback depends on it"
                place = release.where((*source, *node), "key")
                yield Finding("RS360", message, place, "say it in the release itself")


def _pinned(origin: Path | None) -> str | None:
    """The field of a service that an origin lies in, if overrides have to leave it alone."""
    if origin is None or origin[:1] != ("services",):
        return None
    fields = origin[3:] if origin[2:3] == ("candidate",) else origin[2:]
    return str(fields[0]) if fields and fields[0] in PINNED else None


def _given(values: Any, path: Path) -> Iterator[Path]:
    """The scalars at or below the node at `path`; none where the values have no such node."""
    node = values
    for step in path:
        if step not in node:
            return
        node = node[step]
    yield from ((*path, *below) for below in _scalars(node))


def _outside_the_context(service: ResolvedService) -> Iterator[Finding]:
    """RS324, RS325: what no values template can read, so that a team's own chart never learns of it."""
    replicas = service.spec.replicas
    if isinstance(replicas, Replicas) and replicas.metrics:
        message = "a values template can't read other metrics than cpu and memory"
        hint = "write them into the chart's values with overrides.helm, and cpu or memory here"
        yield at_service(service, "RS324", ("replicas", "metrics"), message, hint, "key")
    blue_green = service.strategy.blue_green
    if blue_green is not None and blue_green.analyze is not None:
        message = "a values template can't read analyses, so nothing would guard the switch"
        hint = "remove chart to use the packaged one, or use targets: [rollouts]"
        yield at_service(service, "RS324", ("strategy", "blueGreen", "analyze"), message, hint, "key")
    for file in service.files:
        if not _is_text(file.content):
            message = f"{file.path} is no text, which is all that Helm values can hold"
            hint = "put it into the image, or mount it with volumes"
            yield at_service(service, "RS324", file.origin, message, hint)
    canary = service.strategy.canary
    surge = {"maxSurge": canary.max_surge, "maxUnavailable": canary.max_unavailable} if canary is not None else {}
    for name, value in surge.items():
        if value is not None:
            message = f"a values template can't read {name}: the chart decides"
            yield at_service(service, "RS325", ("strategy", "canary", name), message, "say it in the chart", "key")


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _ignored_by_template(draft: Draft, file: ValuesFile, source: ValuesSource) -> Iterator[Finding]:
    """RS336: a strategy or candidate that the values template never reads. RS535: a whole service.

    The latter is a warning where the release itself writes plain values: then that is what somebody wants.
    """
    read = draft.rendered.holes_read if draft.rendered is not None else frozenset()
    template = "the values" if isinstance(source.values, Mapping) else f"the values template {source.values}"
    seen = {origin[:2] for origin, _ in read}
    for service in file.services:
        if service.path not in seen:
            message = f"{template} never reads {service.name}, so nothing deploys it"
            hint = f"read services.{service.name} in it, or write per: service"
            is_plain = source.values_at == ("helm", "values") and not any(_holes(source.values, ()))
            severity = Severity.WARNING if is_plain and isinstance(source.values, Mapping) else None
            yield replace(at_service(service, "RS535", (), message, hint, "key"), severity=severity)
            continue
        unread = [name for name in _needed(service) if not any((service.path, word) in read for word in name)]
        if unread:
            field = "candidate" if unread == [("candidate",)] else "strategy"
            what = " and ".join(name[0] for name in unread)
            message = f"{template} never reads {what}: {service.name} would run without its {service.strategy.name}"
            hint = "read it in the template, or remove chart to use the packaged one"
            yield at_service(service, "RS336", (field,), message, hint, "key")


def _needed(service: ResolvedService) -> tuple[tuple[str, ...], ...]:
    """What a template has to read of a service for its strategy to happen: of each group one.

    Under `routing: app` the strategy travels in the environment variables of the contract.
    """
    if service.strategy.name == "fixed":
        return ()
    if service.spec.routing == "app":
        return (("env", "strategy"),)
    return (("strategy",), ("candidate",)) if service.candidate is not None else (("strategy",),)


def _ignored_by_chart(
    release: ResolvedRelease, draft: Draft, chart: Chart, unread: Sequence[str], named_at: Where
) -> Iterator[Finding]:
    """RS536: values that Helm drops, for the chart mentions them nowhere.

    A warning where the spec, or else the values template, wrote them; for all that is a default of the language, one
    note at the chart. Beyond `MAX_UNREAD` values, one finding counts the others.
    """
    values = draft.documents[0] if draft.documents else {}
    defaults = []
    for key in unread[:MAX_UNREAD]:
        written, is_default = _first_written(release, draft, key, values[key])
        if is_default:
            defaults.append(key)
            continue
        place = release.where(written) if written is not None else where(draft, release, 0, (key,))
        message = f"chart {chart.name} never reads {key}, so this is lost"
        hint = f"read .Values.{key} in a template of {chart.path}, or leave it out of the values"
        yield Finding("RS536", message, place, hint)
    if defaults:
        message = f"chart {chart.name} never reads {', '.join(defaults)}: only defaults are lost"
        yield Finding("RS536", message, named_at, "nothing to do", severity=Severity.NOTE)
    if len(unread) > MAX_UNREAD:
        message = f"chart {chart.name} never reads {len(unread) - MAX_UNREAD} values more, so they are lost"
        yield Finding("RS536", message, named_at, f"see {draft.path}; leave out of the values what the chart ignores")


def _first_written(release: ResolvedRelease, draft: Draft, key: str, value: Any) -> tuple[Path | None, bool]:
    """What a layer of the spec wrote of a value, if anything; else whether it is a default of the language."""
    is_default = False
    for leaf in islice(_scalars(value), MAX_LEAVES):
        origin = origin_of(draft, 0, (key, *leaf))
        if origin is not None and _is_written(release, origin):
            return origin, False
        is_default = is_default or origin is not None
    return None, is_default


def _scalars(value: Any) -> Iterator[Path]:
    """The paths of all scalars in maps and lists."""
    if isinstance(value, Mapping):
        items: Any = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        yield ()
        return
    for step, item in items:
        yield from ((step, *below) for below in _scalars(item))


def _is_written(release: ResolvedRelease, origin: Path) -> bool:
    """Whether a layer wrote the node; not so for a default of the language, be it one field of a map that is written."""
    if origin[:1] == ("environment",):
        data, path = release.environment.layers.merged, origin[1:]
    elif origin[:1] == ("services",) and origin[1] in release.services:
        service = release.services[str(origin[1])]
        data, path = service.layers.merged, origin[2:]
    else:
        data, path = release.layers.merged, origin
    depth = deepest(data, path)
    if depth == len(path):
        return depth > 0
    node: Any = data
    for step in path[:depth]:
        node = node[step]
    # Below a scalar lies what was made of it; a list may be made of a map (volumeMounts of volumes).
    return not isinstance(node, Mapping | list) or (depth > 0 and isinstance(path[depth], int))
