"""`volumes`, `tmpfs`, and the files behind `configs` and `secrets`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from relspec.importing.interpolation import filled, literal
from relspec.importing.taken import Context, Map, Taken, label, memory

LOST_OPTIONS = frozenset({"z", "Z", "cached", "delegated", "consistent", "nocopy"})
"""Options of a mount that only some hosts know; without them it is the same mount."""


class Mount(Struct, frozen=True):
    """One entry of `volumes`: ours, or None where only Compose's words say it; its own words, and a note."""

    target: str
    volume: Map | None
    written: Any
    note: str | None = None


def volumes(definition: Mapping[str, Any], service: str, context: Context) -> Taken:
    """`volumes`, `secrets` and `configs` of a service."""
    mounts = [_mount(entry, service, context) for entry in definition.get("volumes") or []]
    extra = together_files(definition, context)
    fields: Map = {mount.target: mount.volume for mount in mounts if mount.volume is not None}
    notes = [mount.note for mount in mounts if mount.note is not None]
    override: Map = {}
    if any(mount.volume is None for mount in mounts):
        override["volumes"] = [mount.written for mount in mounts]
        notes.append("volumes stay as they were written, in overrides: relspec can't say all of them")
    fields = {**fields, **extra.fields.get("volumes", {})}
    found: Map = {"volumes": fields} if fields else {}
    if "files" in extra.fields:
        found["files"] = extra.fields["files"]
    return Taken(found, override, (*notes, *extra.notes))


def _mount(entry: Any, service: str, context: Context) -> Mount:
    if isinstance(entry, dict):
        return _long(entry, service, context)
    text = filled(str(entry), context.values)
    if text is None:
        return Mount("", None, str(entry))
    parts = text.split(":")
    if len(parts) == 1:
        return _anonymous(parts[0], service)
    source, target, options = parts[0], parts[1], set(parts[2].split(",")) if len(parts) > 2 else set()
    if len(parts) > 3 or not target.startswith("/"):
        return Mount("", None, text)
    unknown = options - {"ro", "rw", *LOST_OPTIONS}
    lost = options & LOST_OPTIONS
    note = f"the option {', '.join(sorted(lost))} of the mount at {target} is left out" if lost else None
    mount = _sourced(source, target, "ro" in options, context, _written(text, source, context))
    return Mount(target, None if unknown else mount.volume, mount.written, mount.note or note)


def _sourced(source: str, target: str, read_only: bool, context: Context, written: Any) -> Mount:
    flag: Map = {"readOnly": True} if read_only else {}
    if not source.startswith((".", "/", "~")):
        name = context.volumes.get(source)
        return Mount(target, {"name": name, **flag} if name else None, written)
    if source.startswith("/"):
        return Mount(target, {"host": source, **flag}, written)
    path = context.places.in_repository(source)
    return Mount(target, {"host": path, **flag} if path else None, written)


def _written(text: str, source: str, context: Context) -> str:
    """The short form as the compiled compose.yaml has to say it."""
    if source.startswith((".", "~")):
        return context.places.from_output(source) + text[len(source) :]
    return context.volumes.get(source, source) + text[len(source) :]


def _anonymous(target: str, service: str) -> Mount:
    """A volume without a name gets one: a compiled file has none that nobody can find again."""
    name = label(f"{service}-{target}")
    note = f"the volume at {target} had no name and is now {name}"
    return Mount(target, {"name": name}, f"{name}:{target}", note)


def _long(entry: Mapping[str, Any], service: str, context: Context) -> Mount:
    kind, target = entry.get("type"), str(entry.get("target", ""))
    source = filled(str(entry.get("source", "")), context.values)
    plain = set(entry) <= {"type", "source", "target", "read_only"}
    if kind == "tmpfs" and set(entry) <= {"type", "target", "tmpfs"}:
        options = entry.get("tmpfs") or {}
        size = memory(options.get("size")) if set(options) == {"size"} else None
        fits = not options or size is not None
        return Mount(target, {"empty": size or True} if fits else None, dict(entry))
    if source is None or kind not in ("bind", "volume") or not target.startswith("/"):
        return Mount(target, None, dict(entry))
    if not source:
        return _anonymous(target, service)
    if kind == "bind":
        place = source if source.startswith(("/", "~", ".")) else f"./{source}"
        moved = {**entry, "source": context.places.from_output(place)}
        harmless = {key: value for key, value in (entry.get("bind") or {}).items() if key != "create_host_path"}
        mount = _sourced(place, target, entry.get("read_only") is True, context, moved)
        if harmless or not set(entry) <= {"type", "source", "target", "read_only", "bind"}:
            return Mount(target, None, moved)
        return mount
    written = {**entry, "source": context.volumes.get(source, source)}
    mount = _sourced(source, target, entry.get("read_only") is True, context, written)
    return mount if plain or entry.get("volume") in ({}, None) else Mount(target, None, written)


def together_files(definition: Mapping[str, Any], context: Context) -> Taken:
    """`secrets` and `configs`: what Compose mounts from a file stays a mount, or becomes one of `files`."""
    mounts: Map = {}
    files: Map = {}
    notes: list[str] = []
    for name, target in _entries(definition.get("secrets"), "/run/secrets"):
        definition_of = context.secret_files.get(name) or {}
        path = definition_of.get("file") if isinstance(definition_of, dict) else None
        place = _place(path, context)
        if place is None:
            notes.append(f"the secret {name} is not taken over: name it in env with {{secret: NAME/KEY}}")
        else:
            mounts[target] = {"host": place, "readOnly": True}
    for name, target in _entries(definition.get("configs"), ""):
        definition_of = context.configs.get(name) or {}
        content = definition_of.get("content") if isinstance(definition_of, dict) else None
        path = definition_of.get("file") if isinstance(definition_of, dict) else None
        place = _place(path, context)
        if isinstance(content, str) and literal(content) is not None:
            files[target] = {"content": literal(content)}
        elif place is not None and not place.startswith("/"):
            files[target] = {"from": place}
        else:
            notes.append(f"the config {name} is not taken over: write it as one of files")
    found: Map = {}
    if mounts:
        found["volumes"] = mounts
    if files:
        found["files"] = files
    return Taken(found, {}, tuple(notes))


def _place(path: Any, context: Context) -> str | None:
    if not isinstance(path, str):
        return None
    text = filled(path, context.values)
    if text is None or text.startswith("~"):
        return None
    return text if text.startswith("/") else context.places.in_repository(text)


def _entries(written: Any, folder: str) -> Iterable[tuple[str, str]]:
    """Each name with the path in the container that it appears at."""
    for entry in written if isinstance(written, list) else ():
        name = str(entry.get("source", "") if isinstance(entry, dict) else entry)
        target = str(entry.get("target") or name) if isinstance(entry, dict) else name
        yield name, target if target.startswith("/") else posixpath.join(folder or "/", target)


_SIZE = re.compile(r"size=([0-9]+[kmgKMG]?)")


def tmpfs(value: Any) -> Taken:
    """Memory-backed folders: `writable`, or a volume where a size is given."""
    writable: list[str] = []
    mounts: Map = {}
    for entry in value if isinstance(value, list) else [value]:
        path, _, options = str(entry).partition(":")
        size = _SIZE.fullmatch(options)
        if options and size is None:
            return Taken({}, {"tmpfs": value})
        if size is not None:
            mounts[path] = {"empty": memory(size[1])}
        else:
            writable.append(path)
    fields: Map = {"writable": writable} if writable else {}
    return Taken({**fields, "volumes": mounts} if mounts else fields)
