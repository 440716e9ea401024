"""JSON merge patches (RFC 7396): how overrides change an output, and which nodes of it they wrote."""

from __future__ import annotations

from collections.abc import Iterator
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
    """`target` with `patch` applied to its node at `at`, and the path in it of every leaf that the patch wrote.

    Paths start at the root of `target`. A list is a leaf, as is a map that the patch left empty; what the patch
    removed is in no output and has no path. Raises LookupError where `target` has no node at `at`.
    """
    if at:
        inner, leaves = patched(target[at[0]], patch, at[1:])
        result = target.copy()
        result[at[0]] = inner
        return result, tuple((at[0], *leaf) for leaf in leaves)
    result = apply_merge_patch(target, patch)
    return result, tuple(_written(patch, result))


def _written(patch: Any, result: Any) -> Iterator[Path]:
    """Paths of the leaves of `patch` that `result` has."""
    if not isinstance(patch, dict) or not result:
        yield ()
        return
    for key, value in patch.items():
        if value is not None:
            for leaf in _written(value, result[key]):
                yield (key, *leaf)
