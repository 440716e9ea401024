"""Which subcharts take part, and what a chart imports from them: Helm v3.19's `pkg/chartutil/dependencies.go`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from relspec.targets.helm.chart import Chart, Dependency
from relspec.targets.helm.coalescing import Values, coalesce_chart, copied, merge_tables
from relspec.targets.helm.version_range import accepts


def with_dependencies(chart: Chart, values: Mapping[str, Any]) -> Chart:
    """`chart` as Helm installs it with `values`: disabled subcharts gone, aliases given, imports among its defaults.

    One thing is not Helm's: of a chart that is aliased twice, Helm forgets the second one's own aliases (it changes
    metadata that both share); here both keep them.
    """
    return _with_imports(_with_enabled(chart, values, ""))


def _with_enabled(chart: Chart, values: Mapping[str, Any], prefix: str) -> Chart:
    """Without the subcharts that a condition or a tag switches off; `prefix` is the chart's path in the root's values.

    A chart that declares no dependencies keeps every subchart, and theirs are not looked at, as in Helm. Nested charts
    are decided on the root's values coalesced with their own defaults, which is what Helm does as well.
    """
    if not chart.declares:
        return chart
    named = replace(chart, subcharts=_named(chart))
    coalesced = coalesce_chart(named, values)
    off = {dependency.label for dependency in chart.dependencies if not _is_enabled(dependency, coalesced, prefix)}
    on = tuple(
        replace(dependency, name=dependency.label) for dependency in chart.dependencies if dependency.label not in off
    )
    return replace(
        named,
        dependencies=on,
        declares=bool(on),
        subcharts=tuple(
            _with_enabled(subchart, coalesced, f"{prefix}{subchart.name}.")
            for subchart in named.subcharts
            if subchart.name not in off
        ),
    )


def _named(chart: Chart) -> tuple[Chart, ...]:
    """The subcharts under the names that their values have: undeclared ones first, then one for each dependency."""
    undeclared = [
        subchart
        for subchart in chart.subcharts
        if not any(_is_meant(dependency, subchart) for dependency in chart.dependencies)
    ]
    declared = [
        replace(subchart, name=dependency.label)
        for dependency in chart.dependencies
        for subchart in [next((found for found in chart.subcharts if _is_meant(dependency, found)), None)]
        if subchart is not None
    ]
    return (*undeclared, *declared)


def _is_meant(dependency: Dependency, subchart: Chart) -> bool:
    return dependency.name == subchart.name and accepts(dependency.version, subchart.version)


def _is_enabled(dependency: Dependency, values: Values, prefix: str) -> bool:
    """The first condition that is a boolean decides; else the tags, of which one `true` is enough."""
    for condition in dependency.condition.strip().split(","):
        value = _leaf(values, prefix + condition) if condition else None
        if isinstance(value, bool):
            return value
    tags = values.get("tags")
    known = [tags.get(tag) for tag in dependency.tags] if isinstance(tags, dict) else []
    return any(value is True for value in known) or all(value is not False for value in known)


def _leaf(values: Values, path: str) -> Any:
    """The value at a path with dots, None where there is none or a map."""
    *parents, name = path.split(".")
    table = _table(values, parents)
    value = table.get(name) if table is not None else None
    return None if isinstance(value, dict) else value


def _table(values: Values, path: list[str]) -> Values | None:
    table: Any = values
    for name in path:
        table = table.get(name)
        if not isinstance(table, dict):
            return None
    return table  # type: ignore[no-any-return]


def _with_imports(chart: Chart) -> Chart:
    """With the values that `import-values` takes from subcharts, below the chart's own defaults."""
    chart = replace(chart, subcharts=tuple(_with_imports(subchart) for subchart in chart.subcharts))
    if not chart.declares:
        return chart
    own = coalesce_chart(chart, {}, merge=True)
    imported: Values = {}
    for dependency in chart.dependencies:
        for item in dependency.imports:
            table = _table(own, [*dependency.name.split("."), *item.child.split(".")])
            if table is not None:
                # An empty table is not the subchart's own in Helm either: what is merged into it must not reach that.
                merge_tables(imported, _at(item.parent, table or {}), keep_null=True)
    defaults: Values = copied(own)
    merge_tables(defaults, imported, keep_null=True)
    return replace(chart, values=defaults)


def _at(path: str, table: Values) -> Values:
    if path == ".":
        return table
    for name in reversed(path.split(".")):
        table = {name: table}
    return table
