"""How Helm lays given values over a chart's defaults: Helm v3.19's `pkg/chartutil/coalesce.go`.

The functions that end in `_into` and `merge_tables` change their first argument, a table that their caller has just
made: which tables parent and child share decides what a default nested in a global becomes, so they keep Helm's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relspec.diagnostics import Path
from relspec.targets.helm.chart import Chart
from relspec.targets.helm.helm_yaml import as_number_of_json

Values = dict[str, Any]


class NotATableError(ValueError):
    """A value that must be a map, because a subchart's values lie under it; `path` leads there from the root."""

    def __init__(self, path: Path) -> None:
        super().__init__("a subchart's values must be a map")
        self.path = path


def coalesce_chart(chart: Chart, values: Mapping[str, Any], *, merge: bool = False) -> Values:
    """A new map: `values` over the defaults of `chart` and of each of its subcharts; with `merge`, nulls are kept.

    A null removes a default, lists and scalars replace, maps merge, `global` reaches every subchart. The subcharts are
    taken as they are (see `dependencies`). Raises NotATableError.
    """
    result: Values = as_number_of_json(values)
    _coalesce_into(result, chart, merge, ())
    return result


def copied(value: Any) -> Any:
    """A copy down to the scalars."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def merge_tables(target: Values, source: Values, *, keep_null: bool) -> None:
    """Fill into `target` what only `source` has; unless `keep_null`, a null in `target` removes the key."""
    for key, value in list(source.items()):
        if key not in target:
            target[key] = value
        elif target[key] is None and not keep_null:
            del target[key]
        elif isinstance(value, dict) and isinstance(target[key], dict):
            merge_tables(target[key], value, keep_null=keep_null)


def _coalesce_into(target: Values, chart: Chart, merge: bool, path: Path) -> None:
    _defaults_into(target, chart, merge)
    for subchart in chart.subcharts:
        table = target.setdefault(subchart.name, {})
        if not isinstance(table, dict):
            raise NotATableError((*path, subchart.name))
        _globals_into(table, target)
        _coalesce_into(table, subchart, merge, (*path, subchart.name))


def _defaults_into(target: Values, chart: Chart, merge: bool) -> None:
    for key, default in copied(dict(chart.values)).items():
        if key not in target:
            target[key] = default
        elif target[key] is None and not merge:
            del target[key]
        elif isinstance(target[key], dict) and isinstance(default, dict):
            is_subchart = any(subchart.name == key for subchart in chart.subcharts)
            merge_tables(target[key], default, keep_null=merge or is_subchart)


def _globals_into(target: Values, source: Values) -> None:
    """Give a subchart's values its parent's globals, which win over its own."""
    below, above = target.get("global", {}), source.get("global", {})
    if not isinstance(below, dict) or not isinstance(above, dict):
        return
    for key, value in list(above.items()):
        if isinstance(value, dict):
            table = dict(value)
            if key not in below:
                below[key] = table
            elif isinstance(below[key], dict):
                merge_tables(table, below[key], keep_null=True)
                below[key] = table
        elif not isinstance(below.get(key), dict):
            below[key] = value
    target["global"] = below
