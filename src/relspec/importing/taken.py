"""What is taken over of one key of a Compose service, and what its neighbours must know."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

Map = dict[str, Any]
NOT_IN_A_LABEL = re.compile(r"[^a-z0-9]+")


class Taken(Struct, frozen=True):
    """Fields of our service, a patch for `overrides.compose.service` where no field fits, and notes for a person."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    override: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def together(parts: Iterable[Taken]) -> Taken:
    """Everything that was taken over of several keys."""
    fields: Map = {}
    override: Map = {}
    notes: list[str] = []
    for part in parts:
        fields = _merged(fields, part.fields)
        override = _merged(override, part.override)
        notes += part.notes
    return Taken(fields, override, tuple(notes))


def _merged(first: Map, second: Mapping[str, Any]) -> Map:
    """Maps merge, everything else replaces; null stays, for in a patch it removes."""
    result = dict(first)
    for key, value in second.items():
        there = result.get(key)
        both = isinstance(there, dict) and isinstance(value, dict)
        result[key] = _merged(there, value) if both else value  # type: ignore[arg-type]
    return result


class Places(Struct, frozen=True):
    """Where things lie, as paths below the root of the repository; `compose` may begin with `..`."""

    compose: str
    release: str
    output: str

    def in_repository(self, path: str) -> str | None:
        """A path of the Compose file, as its release says it; None where it leads out of the repository."""
        full = posixpath.normpath(posixpath.join(self.compose, path))
        outside = path.startswith(("/", "~")) or full == ".." or full.startswith("../")
        return None if outside else posixpath.relpath(full, self.release)

    def from_output(self, path: str) -> str:
        """A path of the Compose file, as the compiled compose.yaml says it."""
        if path.startswith(("/", "~")):
            return path
        return posixpath.relpath(posixpath.normpath(posixpath.join(self.compose, path)), self.output)


class Context(Struct, frozen=True):
    """What the services of one file share. `values` are the host's variables, as .env beside the file gives them."""

    project: str
    release: str
    places: Places
    services: Mapping[str, str]
    """Our name of each service."""
    volumes: Mapping[str, str]
    """Our name of each named volume."""
    networks: tuple[str, ...] = ()
    """Networks of others that the environment joins."""
    bind: str = "0.0.0.0"  # noqa: S104 - what Compose does where nothing is written
    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The key of each (service, variable) that holds a secret."""
    configs: Mapping[str, Any] = field(default_factory=dict)
    """The file's own top-level `configs`."""
    secret_files: Mapping[str, Any] = field(default_factory=dict)
    """The file's own top-level `secrets`."""


def label(name: str, taken: Iterable[str] = (), maximum: int = 63) -> str:
    """`name` as a DNS label that is not among `taken`."""
    base = NOT_IN_A_LABEL.sub("-", name.lower()).strip("-")[:maximum].strip("-") or "service"
    known = set(taken)
    number = 1
    found = base
    while found in known:
        number += 1
        found = f"{base[: maximum - len(str(number)) - 1]}-{number}"
    return found


def labels(names: Iterable[str]) -> dict[str, str]:
    """A DNS label of its own for each name; names that are one already keep it."""
    every = list(names)
    found = {name: name for name in every if label(name) == name}
    for name in every:
        if name not in found:
            found[name] = label(name, found.values())
    return {name: found[name] for name in every}


def pairs(value: Any) -> dict[str, Any]:
    """A map, or a list of `KEY=VALUE` and `KEY`, as a map."""
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items()}
    found: dict[str, Any] = {}
    for item in value if isinstance(value, list) else ():
        key, equals, text = str(item).partition("=")
        found[key] = text if equals else None
    return found


def text_of(value: Any) -> str:
    """A scalar as Compose passes it on."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|m|h|d|w)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(value: Any) -> str | None:
    """A duration of Compose (`1m30s`, `1.5s`) in whole seconds, rounded up; None where it is none."""
    text = str(value)
    if re.fullmatch(rf"(?:{_DURATION.pattern})+", text) is None:
        return None
    total = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))
    rounded = math.ceil(round(total, 6))
    return f"{rounded // 60}m" if rounded and rounded % 60 == 0 else f"{rounded}s"


_BYTES = re.compile(r"([0-9]+)(?:\.0+)? ?(b|k|kb|kib|m|mb|mib|g|gb|gib)?", re.IGNORECASE)
_UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def memory(value: Any) -> str | None:
    """A size of Compose, which counts by 1024, as a quantity: `512m` is 512Mi; None where it is none."""
    match = _BYTES.fullmatch(str(value).strip())
    if match is None:
        return None
    total = int(match[1]) * _UNITS[(match[2] or "b")[0].lower()]
    for unit, factor in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if total and total % factor == 0:
            return f"{total // factor}{unit}"
    return str(total)
