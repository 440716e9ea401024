"""Where things come from: a value of a release, or a line of an output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from relspec import documents
from relspec.compiler import CompiledRelease, written
from relspec.credentials import without_secrets
from relspec.diagnostics import Finding, Path, RelspecError, Where
from relspec.layers import Layers, deepest
from relspec.outputs import origin_of, where
from relspec.resolve import ResolvedRelease, ResolvedService


class Source(Struct, frozen=True):
    """One layer that says something about a value."""

    layer: str
    where: Where
    value: Any


class Explanation(Struct, frozen=True):
    """A value with the layer that wrote it, first, and those that it overrides, highest first.

    Without sources the value is a default of the language. `notes` are sentences that help to read it.
    """

    field: str
    value: Any
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()


def field(release: ResolvedRelease, name: str) -> Explanation:
    """A field by its path: `api.image`, `api.env.LOG_LEVEL`, `.targets`. Raises RelspecError RS122."""
    if name.startswith("."):
        return _explained(name, release.layers, _steps(name[1:], release.layers.merged), None)
    head, _, rest = name.partition(".")
    service = release.services.get(head)
    if service is None:
        known = ", ".join(release.services)
        raise RelspecError(
            Finding("RS205", f"{release.id} has no service {head}", Where(release.file), f"its services: {known}")
        )
    return _explained(name, service.layers, _steps(rest, service.layers.merged), service)


def _steps(text: str, data: Any) -> Path:
    """A dotted path as steps; keys that have dots themselves are found in the data, longest first."""
    words = text.split(".") if text else []
    path: list[str | int] = []
    while words:
        size = len(words)
        if isinstance(data, dict):
            size = next((n for n in range(len(words), 0, -1) if ".".join(words[:n]) in data), 1)
        key: str | int = ".".join(words[:size])
        if isinstance(data, list) and str(key).isdigit():
            key = int(key)
        path.append(key)
        data = _child(data, key)
        words = words[size:]
    return tuple(path)


def _child(data: Any, key: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(key)
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        return data[key]
    return None


def _explained(name: str, layers: Layers, path: Path, service: ResolvedService | None) -> Explanation:
    sources = tuple(Source(layer.name, layer.where(path), _shown(layer.data, path)) for layer in layers.writers(path))
    notes: list[str] = []
    if service is not None and path == ("model",) and service.model is not None:
        model = service.model
        alias = f"{model.alias} is an alias: " if model.alias else ""
        notes.append(f"{alias}{model.name} {model.version}, from {model.file}")
    if service is not None and path == ("image",) and not sources and service.model is not None:
        notes.append(f"from the runtime of {service.model.name} {service.model.version}, {service.model.file}")
        return Explanation(name, service.image, (), tuple(notes))
    if deepest(layers.merged, path) == len(path):
        return Explanation(name, _shown(layers.merged, path), sources, tuple(notes))
    default = _default(service, path)
    if default is None:
        known = _at(layers.merged, path[: deepest(layers.merged, path)])
        keys = ", ".join(map(str, known)) if isinstance(known, dict) else ""
        hint = f"known there: {keys}" if keys else "the environment decides, or the path is wrong"
        raise RelspecError(Finding("RS122", f"nothing sets {name}", layers.where(path[:-1]), hint))
    return Explanation(name, default, sources, ("a default of the language",))


def _default(service: ResolvedService | None, path: Path) -> Any:
    """What the language gives a field that no layer wrote."""
    if service is None or not path:
        return None
    value: Any = service.spec
    for step in path:
        fields = getattr(type(value), "model_fields", {})
        name = next((n for n, info in fields.items() if (info.alias or n) == step), None)
        if name is None:
            return None
        value = getattr(value, name)
    return value.model_dump(by_alias=True, exclude_none=True) if hasattr(value, "model_dump") else value


def _shown(data: Any, path: Path) -> Any:
    """The node at a path without secrets: what is one may depend on what stands beside it."""
    return _at(without_secrets(data), path)


def _at(data: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        data = data[step]
    return data


class Line(Struct, frozen=True):
    """A line of an output: the node that begins there, and where that was written."""

    document: int
    path: Path
    source: Where
    origin: Path | None


def line(compiled: CompiledRelease, output: str, number: int) -> Line | None:
    """Where line `number` of an output (its path below rendered/<id>/) came from; None where no node begins there."""
    release = compiled.release
    draft = next((draft for draft in compiled.drafts if draft.path == output), None)
    if release is None or draft is None or draft.documents is None:
        return None
    found = documents.path_at_line(written(draft, release), number)
    if found is None:
        return None
    document, path = found
    return Line(document, path, where(draft, release, document, path), origin_of(draft, document, path))
