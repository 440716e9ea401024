"""`volumes` and `writable` as mounts of a compose service."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from relspec.diagnostics import Path, Where
from relspec.facet import Facet
from relspec.resolve import ResolvedService
from relspec.spec.quantities import size
from relspec.spec.service import EmptyVolume, HostVolume, NamedVolume, Volume
from relspec.targets.compose.interpolation import literal
from relspec.tree import relative

Volumes = Mapping[str, Volume | None]
UNITS = (("g", 2**30), ("m", 2**20), ("k", 2**10))


def mounts(
    volumes: Volumes | None, service: ResolvedService, at: Path, shared: Mapping[str, str], up: str
) -> list[Facet] | None:
    """The mounts of one container; None where it has none.

    `at` is where the service declares them; `shared` gives the project volume behind an `empty` one that several
    containers of the service use; `up` leads from compose.yaml to the root of the repository.
    """
    found = []
    for target, volume in (volumes or {}).items():
        if volume is not None:
            mount = _mount(target, volume, shared.get(target), partial(service.where, (*at, target)), up)
            origin = (*service.path, *at, target)
            found.append(Facet(mount, origin, dict.fromkeys(mount, origin)))
    return found or None


def _mount(target: str, volume: Volume, shared: str | None, where: Callable[[], Where], up: str) -> dict[str, Any]:
    mount: dict[str, Any]
    if isinstance(volume, EmptyVolume):
        if shared is not None:
            return {"type": "volume", "source": shared, "target": literal(target)}
        mount = {"type": "tmpfs", "target": literal(target)}
        if volume.empty is not True:
            mount["tmpfs"] = {"size": memory(volume.empty)}
        return mount
    if isinstance(volume, HostVolume):
        mount = {"type": "bind", "source": host_path(volume.host, where(), up), "target": literal(target)}
    else:
        mount = {"type": "volume", "source": volume.name, "target": literal(target)}
    if volume.read_only:
        mount["read_only"] = True
    return mount


def host_path(path: str, where: Where, up: str) -> str:
    """A path of the host as compose.yaml says it: absolute, or relative to the file that wrote it. Raises RS241."""
    return literal(path if path.startswith("/") else f"{up}{relative(where.file, path, origin=where)}")


def memory(quantity: str) -> str:
    """A size in the units of Compose, which all count by 1024: `1Gi` is 1g, `1500M` is 1500000000b."""
    total = size(quantity)
    for unit, factor in UNITS:
        if total % factor == 0:
            return f"{total // factor}{unit}"
    return f"{total}b"


def named(volumes: Volumes | None) -> tuple[str, ...]:
    """The project volumes that a container names."""
    return tuple(volume.name for volume in (volumes or {}).values() if isinstance(volume, NamedVolume))


def shared_targets(containers: Iterable[Volumes | None]) -> list[str]:
    """Mount paths of `empty` volumes that more than one of a service's containers has."""
    users = Counter(
        target
        for volumes in containers
        for target, volume in (volumes or {}).items()
        if isinstance(volume, EmptyVolume)
    )
    return [target for target, count in users.items() if count > 1]


def shared_names(workload: str, targets: Sequence[str], fillers: Sequence[object]) -> dict[str, str]:
    """The project volumes behind shared `empty` volumes, named by what fills them: `api-models-3f9c2d10ab`.

    By mount path. Where two paths look alike in a name, the path itself is part of the hash.
    """
    slugs = {target: _slug(target) for target in targets}
    uses = Counter(slugs.values())
    return {
        target: f"{workload}-{slug}-{_digest(fillers if uses[slug] == 1 else [target, fillers])}"
        for target, slug in slugs.items()
    }


def _slug(target: str) -> str:
    text = "".join(char if char.isascii() and char.isalnum() else "-" for char in target.lower()).strip("-")
    return text[:40].strip("-") or "root"


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:10]
