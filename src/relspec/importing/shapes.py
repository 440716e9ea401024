"""What kind of value each part of a Compose file is. What Compose would refuse is refused before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from relspec.diagnostics import Finding, Path, Where
from relspec.spec.validation import kind_of

Shape = tuple[type, ...]
MAP: Shape = (dict,)
LIST: Shape = (list,)
MAP_OR_LIST: Shape = (dict, list)
TEXT_OR_LIST: Shape = (str, list)

SERVICE: Mapping[Path, Shape] = MappingProxyType(
    {
        ("image",): (str,),
        ("build",): (str, dict),
        ("build", "args"): MAP_OR_LIST,
        ("build", "context"): (str,),
        ("command",): TEXT_OR_LIST,
        ("entrypoint",): TEXT_OR_LIST,
        ("ports",): LIST,
        ("expose",): LIST,
        ("environment",): MAP_OR_LIST,
        ("env_file",): TEXT_OR_LIST,
        ("volumes",): LIST,
        ("tmpfs",): TEXT_OR_LIST,
        ("configs",): LIST,
        ("secrets",): LIST,
        ("healthcheck",): MAP,
        ("healthcheck", "test"): TEXT_OR_LIST,
        ("depends_on",): MAP_OR_LIST,
        ("networks",): MAP_OR_LIST,
        ("labels",): MAP_OR_LIST,
        ("deploy",): MAP,
        ("deploy", "resources"): MAP,
        ("deploy", "resources", "limits"): MAP,
        ("deploy", "resources", "reservations"): MAP,
    }
)
TOP: Mapping[Path, Shape] = MappingProxyType({(key,): MAP for key in ("volumes", "networks", "configs", "secrets")})
WORDS: Mapping[type, str] = MappingProxyType({dict: "a map", list: "a list", str: "text"})


def misfits(document: Mapping[str, Any], file: str) -> Iterator[Finding]:
    """RS104 for each part that is another kind of value than Compose takes there."""
    yield from _misfits(document, TOP, (), file)
    for name, definition in document["services"].items():
        path: Path = ("services", str(name))
        if isinstance(definition, dict):
            yield from _misfits(definition, SERVICE, path, file)
            for key in ("depends_on", "networks"):
                inner = definition.get(key)
                for entry, value in inner.items() if isinstance(inner, dict) else ():
                    if value is not None and not isinstance(value, dict):
                        yield _wrong((*path, key, str(entry)), value, MAP, file)
        else:
            yield _wrong(path, definition, MAP, file)


def _misfits(node: Mapping[str, Any], shapes: Mapping[Path, Shape], base: Path, file: str) -> Iterator[Finding]:
    for path, shape in shapes.items():
        value: Any = node
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None and not isinstance(value, shape):
            yield _wrong((*base, *path), value, shape, file)


def _wrong(path: Path, value: Any, shape: Shape, file: str) -> Finding:
    wanted = " or ".join(WORDS[each] for each in shape)
    message = f"{'.'.join(map(str, path))} must be {wanted}, not {kind_of(value)}"
    return Finding("RS104", message, Where(file, path), "check the file with: docker compose config")
