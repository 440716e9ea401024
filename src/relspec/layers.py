"""Layers: maps laid over each other, and where each value of the result was written.

Maps merge; everything else replaces; `null` removes what a lower layer set. Which layer a value came from is not kept
while merging (most compiles never ask): it is found afterwards, by asking the layers from the top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from relspec.diagnostics import Finding, Part, Path, Related, Where
from relspec.spec.environment import is_exposure

Data = dict[str, Any]

WHOLE = frozenset({"replicas", "strategy", "health"})
"""Fields of a service that a layer replaces whole: half a strategy means nothing."""

ATOMS = frozenset({"env", "files", "volumes"})
"""Maps of a service whose values are replaced whole: {secret: …} and {model: …} don't mix."""

FROM_A_LIST = "auto"
"""The condition of a dependency that a list names: what the target finds best."""

PATCHES = frozenset({"variants", "candidate", "overrides"})
"""Fields that hold patches: a null in there belongs to the patch and removes nothing yet."""

VALUES = frozenset({("targets", "helm", "values"), ("helm", "values")})
"""Helm values: to Helm a null is a value, which removes a chart's default. Of two layers one may name a template."""


class Layer(Struct, frozen=True):
    """One map that was written somewhere: `data` lies at `path` in `file`.

    `aside` says where a part of the layer was written when it is a merged map itself (a variant).
    """

    name: str
    file: str
    path: Path
    data: Data
    aside: Callable[[Path, Part], Where] | None = None

    def where(self, path: Path, part: Part = "value") -> Where:
        """The place of the layer's node at `path`."""
        if self.aside is not None:
            return self.aside(path, part)
        return Where(self.file, self.path + path, part)


class Layers(Struct, frozen=True):
    """Layers from the lowest to the highest, and what they give together."""

    layers: tuple[Layer, ...]
    merged: Data

    def origin(self, path: Path) -> Layer | None:
        """The layer that wrote the value at `path`; None where no layer did (a default of the language)."""
        return next(iter(self.writers(path)), None)

    def writers(self, path: Path) -> Iterator[Layer]:
        """Every layer that says something about the node at `path`, highest first: the rest is overridden."""
        for layer in reversed(self.layers):
            if deepest(layer.data, path) == len(path):
                yield layer

    def where(self, path: Path, part: Part = "value") -> Where:
        """Where the node at `path` was written; of a missing node, the nearest one above it that was."""
        for length in range(len(path), -1, -1):
            layer = self.origin(path[:length])
            if layer is not None:
                return layer.where(path[:length], part if length == len(path) else "key")
        top = self.layers[-1]
        return top.where((), "key")


def deepest(data: Any, path: Path) -> int:
    """How many steps of `path` lead somewhere in `data`."""
    for depth, step in enumerate(path):
        if isinstance(data, Mapping):
            if step not in data:
                return depth
            data = data[step]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return depth
    return len(path)


def merges(path: Path) -> bool:
    """Whether another layer may complete or replace the node at `path` of a release or an environment.

    Not at the top of the document, in a list, or in what a layer writes whole.
    """
    if len(path) < 2 or any(isinstance(step, int) for step in path):
        return False
    if path[0] not in ("services", "defaults"):
        return True
    field = path[2:] if path[0] == "services" else path[1:]
    if field[:1] == ("candidate",):
        field = field[1:]
    elif field[:1] == ("variants",):
        field = field[2:]
    return not field or field[0] not in WHOLE | ATOMS


def long_form(service: Data) -> Data:
    """A service with its short forms written out, so that layers merge alike: `http: 8080` is `http: {port: 8080}`."""
    changed = dict(service)
    ports = service.get("ports")
    if isinstance(ports, dict) and any(isinstance(port, int) for port in ports.values()):
        changed["ports"] = {name: {"port": port} if isinstance(port, int) else port for name, port in ports.items()}
    depends_on = service.get("dependsOn")
    if isinstance(depends_on, list):
        changed["dependsOn"] = dict.fromkeys(depends_on, FROM_A_LIST)
    resources = service.get("resources")
    if isinstance(resources, dict) and isinstance(resources.get("gpu"), int):
        changed["resources"] = {**resources, "gpu": {"count": resources["gpu"]}}
    if isinstance(service.get("candidate"), dict):
        changed["candidate"] = long_form(service["candidate"])
    variants = service.get("variants")
    if isinstance(variants, dict):
        changed["variants"] = {name: long_form(patch) if patch else patch for name, patch in variants.items()}
    return changed


def merge(layers: Sequence[Layer], problems: list[Finding]) -> Layers:
    """The layers over each other, lowest first; RS210 and RS211 go to `problems`."""
    merged: Data = {}
    for count, layer in enumerate(layers, 1):
        merged = _over(merged, layer.data, (), layers[:count], problems)
    return Layers(tuple(layers), merged)


def _over(lower: Data, upper: Data, path: Path, layers: Sequence[Layer], problems: list[Finding]) -> Data:
    """A map of the last of `layers` over what the ones below it came to."""
    result = dict(lower)
    for key, value in upper.items():
        if value is None:
            _remove(result, key, path, layers[-1], problems)
        elif not path and key in WHOLE:
            result[key] = value
        elif not path and key == "variants" and isinstance(value, dict):
            result[key] = _variants(result.get(key) or {}, value, layers[-1], problems)
        elif (not path and key in PATCHES) or (key == "values" and (*path, key) in VALUES):
            result[key] = patched(result[key], value) if key in result else value
        else:
            result[key] = _merged(result.get(key), value, (*path, key), layers, problems)
    return result


def _remove(result: Data, key: str, path: Path, layer: Layer, problems: list[Finding]) -> None:
    """Takes out what null removes; RS211 where there is nothing."""
    if key in result:
        del result[key]
    else:
        problems.append(_nothing_to_remove(layer, (*path, key)))


def _merged(below: Any, value: Any, path: Path, layers: Sequence[Layer], problems: list[Finding]) -> Any:
    """A value over what lies below it: maps merge, everything else replaces and keeps its kind."""
    if below is not None and _kind(below) != _kind(value):
        problems.append(_another_kind(layers, path, below, value))
        return below if isinstance(value, dict) else value
    if not isinstance(value, dict):
        return value
    if below is None or _another_form(path, below, value):
        below = {}
    if path[0] in ATOMS and len(path) == 1:
        return _atoms(below, value, path, layers, problems)
    return _over(below, value, path, layers, problems)


def _atoms(lower: Data, upper: Data, path: Path, layers: Sequence[Layer], problems: list[Finding]) -> Data:
    result = dict(lower)
    for key, value in upper.items():
        if value is None:
            _remove(result, key, path, layers[-1], problems)
            continue
        if key in result and isinstance(result[key], dict) != isinstance(value, dict):
            problems.append(_another_kind(layers, (*path, key), result[key], value))
        result[key] = value
    return result


def _variants(lower: Data, upper: Data, layer: Layer, problems: list[Finding]) -> Data:
    """Variants by name, each a patch; null removes one."""
    result = dict(lower)
    for name, patch in upper.items():
        if patch is not None:
            result[name] = patched(result[name], patch) if name in result else patch
        else:
            _remove(result, name, ("variants",), layer, problems)
    return result


def _another_form(path: Path, lower: Data, upper: Data) -> bool:
    """Whether two maps of an environment can't merge: one exposure or a map of them, one query or several."""
    if path == ("expose",):
        return bool(lower) and bool(upper) and is_exposure(lower) != is_exposure(upper)
    if len(path) == 2 and path[0] == "analyses":
        return ("metrics" in upper) != ("metrics" in lower) and ("metrics" in upper or "query" in upper)
    return False


def patched(lower: Any, upper: Any) -> Any:
    """A patch over a patch: nulls stay, for they say what the patch removes."""
    if not isinstance(lower, dict) or not isinstance(upper, dict):
        return upper
    result = dict(lower)
    for key, value in upper.items():
        result[key] = patched(result[key], value) if key in result and key not in WHOLE else value
    return result


def _nothing_to_remove(layer: Layer, path: Path) -> Finding:
    hint = "remove the line, or give it a value"
    if path[0] == "targets" and len(path) == 2:
        hint = f"write {path[-1]}: {{}} to compile it with its defaults"
    return Finding("RS211", f"null removes {path[-1]}, but no layer below sets it", layer.where(path, "value"), hint)


def _another_kind(layers: Sequence[Layer], path: Path, below: Any, value: Any) -> Finding:
    """RS210 in the last of `layers`, which has a value of another kind than those below it."""
    lower = Layers(tuple(layers[:-1]), {}).where(path, "key")
    return Finding(
        "RS210",
        f"{path[-1]} is {_kind(value)} here, but {_kind(below)} in a layer below",
        layers[-1].where(path, "value"),
        f"write {_kind(below)}",
        (Related(f"the layer below sets it to {_kind(below)} here", lower),),
    )


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a map"
    return "a list" if isinstance(value, list) else "a single value"
