"""JSON merge patches (RFC 7396): how overrides change an output, and which nodes of it they wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relspec.diagnostics import Path


def apply_merge_patch(target: Any, patch: Any) -> Any:
    """`target` with `patch` on top: maps merge, null removes, everything else replaces. Neither is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply_merge_patch(result.get(key), value)
    return result


def patched(target: Any, patch: Any, at: Path = ()) -> tuple[Any, tuple[Path, ...]]:
    """`target` with `patch` applied to its node at `at`, and the paths in it of what the patch wrote.

    Paths start at the root of `target`. Raises LookupError where `target` has no node at `at`.
    """
    if at:
        inner, nodes = patched(target[at[0]], patch, at[1:])
        result = target.copy()
        result[at[0]] = inner
        return result, tuple((at[0], *node) for node in nodes)
    return apply_merge_patch(target, patch), tuple(nodes_written(target, patch))


def nodes_written(target: Any, patch: Any) -> Iterator[Path]:
    """The topmost nodes of `target` that a merge patch sets, replaces or removes."""
    if not isinstance(target, Mapping) or not isinstance(patch, Mapping):
        yield ()
        return
    for key, item in patch.items():
        if key in target:
            yield from ((key, *below) for below in nodes_written(target[key], item))
        else:
            yield (key,)


def overlaid(origins: Mapping[Path, Path], later: Mapping[Path, Path]) -> dict[Path, Path]:
    """Which patch wrote each node, after a later one: what it wrote holds nothing of an earlier one any more."""
    kept = {node: at for node, at in origins.items() if not any(node[:size] in later for size in range(len(node) + 1))}
    return {**kept, **later}
