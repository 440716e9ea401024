"""A pod's volumes and their mounts: `files`, `writable` folders, `volumes`. No two share a name by accident."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from relspec.facet import Facet
from relspec.resolve import File, ResolvedService
from relspec.spec.service import EmptyVolume, HostVolume, NamedVolume, Volume
from relspec.targets.rollouts.names import config_map_name, distinct, slug

Map = dict[str, Any]
Volumes = Mapping[str, Volume | None]
Key = tuple[str, ...]
"""What makes two mounts one volume: its kind, and what it is. An `empty` one is shared by its mount path."""

FILES: Key = ("files",)
MAX_VOLUME_NAME = 63
"""A pod's volume is called by a DNS label."""

MAX_FILE_KEY = 253
"""Characters of a key in a ConfigMap."""


class Storage(Struct, frozen=True):
    """The volumes of a pod, the mounts of its own container, and the volumes' names."""

    volumes: list[Map]
    mounts: list[Map]
    names: Mapping[Key, str]

    def mounts_of(self, volumes: Volumes) -> list[Map]:
        """The mounts of a container with `volumes` of its own."""
        return _mounts(volumes, self.names)


def storage(service: ResolvedService, name: str) -> Storage:
    """What the containers of a service mount. `name` is `n`, which the ConfigMap is called by."""
    spec = service.spec
    used = dict(_used_volumes(service))
    if not (used or spec.writable or service.files):
        return Storage([], [], {})
    writable = [_writable(folder) for folder in spec.writable or ()]
    names = distinct([*([FILES] if service.files else []), *writable, *used], _plain_name, MAX_VOLUME_NAME)
    volumes: list[Map] = []
    mounts: list[Map] = []
    if service.files:
        volumes.append({"name": names[FILES], "configMap": {"name": config_map_name(name, service.files)}})
        keys = file_keys(service.files)
        mounts += [
            {"name": names[FILES], "mountPath": file.path, "subPath": keys[file.path], "readOnly": True}
            for file in service.files
        ]
    for folder, key in zip(spec.writable or (), writable, strict=True):
        volumes.append({"name": names[key], "emptyDir": {}})
        mounts.append({"name": names[key], "mountPath": folder})
    origin = (*service.path, "volumes")
    read_only = _read_only_claims(service)
    volumes += [Facet({"name": names[key], **_source(volume, read_only)}, origin) for key, volume in used.items()]
    mounts += _mounts(spec.volumes or {}, names)
    return Storage(volumes, mounts, names)


def file_keys(files: Iterable[File]) -> dict[str, str]:
    """The keys of files in their ConfigMap, by path: `/etc/app/config.yaml` is `etc.app.config.yaml`."""
    keys = distinct([(file.path,) for file in files], lambda path: _plain_key(path[0]), MAX_FILE_KEY)
    return {path: key for (path,), key in keys.items()}


def _plain_key(path: str) -> str:
    text = "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "." for char in path)
    return text.strip(".") or "file"


def all_volumes(service: ResolvedService) -> Iterator[tuple[str, Volume]]:
    """The volumes of a service and of its init containers and sidecars, with their mount paths."""
    spec = service.spec
    for volumes in (spec.volumes, *(companion.volumes for companion in (*(spec.init or ()), *(spec.sidecars or ())))):
        for mount, volume in (volumes or {}).items():
            if volume is not None:
                yield mount, volume


def holds_a_disk(service: ResolvedService) -> bool:
    """Whether a pod of the service writes a claim: then no second pod may run beside it."""
    return any(isinstance(volume, NamedVolume) and not volume.read_only for _, volume in all_volumes(service))


def _used_volumes(service: ResolvedService) -> Iterator[tuple[Key, Volume]]:
    return ((_key(mount, volume), volume) for mount, volume in all_volumes(service))


def _key(mount: str, volume: Volume) -> Key:
    if isinstance(volume, NamedVolume):
        return ("claim", volume.name)
    if isinstance(volume, HostVolume):
        return ("host", mount.rstrip("/"), volume.host)
    return ("empty", mount.rstrip("/"))


def _writable(folder: str) -> Key:
    return ("writable", folder.rstrip("/"))


def _plain_name(key: Key) -> str:
    """The claim's own name, else one made from the mount path."""
    match key:
        case ("files",):
            return "files"
        case ("claim", name):
            return slug(name)
        case ("writable", folder):
            return f"writable-{slug(folder)}"
        case _:
            return f"volume-{slug(key[1])}"


def _mounts(volumes: Volumes, names: Mapping[Key, str]) -> list[Map]:
    return [_mount(mount, volume, names) for mount, volume in volumes.items() if volume is not None]


def _mount(mount: str, volume: Volume, names: Mapping[Key, str]) -> Map:
    found: Map = {"name": names[_key(mount, volume)], "mountPath": mount}
    if isinstance(volume, NamedVolume | HostVolume) and volume.read_only:
        found["readOnly"] = True
    return found


def _read_only_claims(service: ResolvedService) -> frozenset[str]:
    """Claims that no container writes: one mount that writes makes the whole claim writable."""
    claims = [volume for _, volume in all_volumes(service) if isinstance(volume, NamedVolume)]
    written = {claim.name for claim in claims if not claim.read_only}
    return frozenset(claim.name for claim in claims if claim.name not in written)


def _source(volume: Volume, read_only_claims: frozenset[str]) -> Map:
    if isinstance(volume, EmptyVolume):
        return {"emptyDir": {} if volume.empty is True else {"sizeLimit": volume.empty}}
    if isinstance(volume, HostVolume):
        return {"hostPath": {"path": volume.host}}
    claim: Map = {"claimName": volume.name}
    if volume.name in read_only_claims:
        claim["readOnly"] = True
    return {"persistentVolumeClaim": claim}
