"""One service of a Compose file as one of ours. What no field says stays Compose's, in `overrides.compose.service`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from relspec.credentials import SECRET_NAME, SECRET_TEXT
from relspec.importing.environment import env_file, environment
from relspec.importing.health import health
from relspec.importing.interpolation import Reference, filled, literal, mentions, parts
from relspec.importing.ports import ports
from relspec.importing.storage import tmpfs, volumes
from relspec.importing.taken import Context, Map, Taken, duration, memory, pairs, text_of, together
from relspec.spec.quantities import Cpu, Image, seconds
from relspec.spec.service import LabelKey, LabelValue

RESTART = ("no", "always", "on-failure", "unless-stopped")
CONDITIONS = MappingProxyType(
    {
        "service_started": "started",
        "service_healthy": "healthy",
        "service_completed_successfully": "completed",
    }
)
DRAIN = 5
"""Seconds that relspec drains by default: a shorter grace period needs a shorter drain."""

Taker = Callable[[Any, str, Context], Taken]


def service(name: str, definition: Mapping[str, Any], context: Context) -> Taken:
    """The service called `name` in the Compose file."""
    found = [
        _image(definition, name, context),
        ports(definition, context),
        volumes(definition, name, context),
        _limits(definition),
        _networks(name, definition, context),
    ]
    if "restart" not in definition:
        found.append(Taken({"restart": "no"}))  # Compose's default is not ours
    known_ports = found[1].fields.get("ports", {})
    if "healthcheck" in definition:
        found.append(health(definition["healthcheck"], known_ports))
    for key, value in definition.items():
        if key in TOGETHER or key.startswith("x-") or value is None:
            continue
        taker = TAKERS.get(key)
        found.append(taker(value, name, context) if taker else Taken({}, {key: _renamed(key, value, context)}))
    taken = together(found)
    return Taken(_ordered(taken.fields), taken.override, tuple(f"{name}: {note}" for note in taken.notes))


ORDER = (
    "image", "build", "command", "args", "ports", "health", "shutdown", "resources", "replicas", "env", "files",
    "volumes", "writable", "security", "labels", "annotations", "restart", "dependsOn",
)  # fmt: skip


def _ordered(fields: Mapping[str, Any]) -> Map:
    return {key: fields[key] for key in ORDER if key in fields}


def _renamed(key: str, value: Any, context: Context) -> Any:
    """A value that Compose goes on reading, with our names of the services that it mentions."""
    if key in ("network_mode", "ipc", "pid") and isinstance(value, str) and value.startswith("service:"):
        name = value.removeprefix("service:")
        return f"service:{context.services.get(name, name)}"
    if key in ("links", "volumes_from") and isinstance(value, list):
        split = [str(item).partition(":") for item in value]
        return [context.services.get(name, name) + colon + rest for name, colon, rest in split]
    return value


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def fits(annotation: Any, value: Any) -> bool:
    """Whether a value is one that the language takes."""
    try:
        _adapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _image(definition: Mapping[str, Any], name: str, context: Context) -> Taken:
    """`image` and `build`. What .env or a default says becomes part of the spec: that is what can be reverted."""
    written = definition.get("image")
    built = _build(definition["build"], context) if definition.get("build") else Taken()
    if written is None:
        note = f"the image was only built; it is now called {context.project}-{name}"
        image = Taken({"image": f"{context.project}-{name}".lower()}, {}, (note,))
        return together((image, built))
    text = str(written)
    plain = literal(text)
    notes: tuple[str, ...] = ()
    if plain is None:
        plain = filled(text, context.values)
        if plain is None:
            plain = _named_holes(text, context.values)
            notes = (f"the image {text} names a variable that is set nowhere: put its value in place of {plain}",)
        else:
            notes = (f"the image {text} is now fixed as {plain}: change it here from now on",)
    if not fits(Image, plain):
        notes = (*notes, f"{plain} is no image reference: put one in place of {context.release}:unknown")
        plain = f"{context.release}:unknown"
    return together((Taken({"image": plain}, {}, notes), built))


def _named_holes(text: str, values: Mapping[str, str]) -> str:
    """The text with each variable that has no value replaced by its name."""
    found: list[str] = []
    for part in parts(text):
        if isinstance(part, Reference):
            found.append(filled(f"${{{part.name}{part.operator}{part.argument}}}", values) or part.name)
        else:
            found.append(part)
    return "".join(found)


def _build(value: Any, context: Context) -> Taken:
    written = {"context": value} if isinstance(value, str) else dict(value)
    place = str(written.get("context", "."))
    inside = None if mentions(place) or "://" in place or place.startswith("git@") else place
    path = context.places.in_repository(inside) if inside is not None else None
    if path is None:
        moved = place if inside is None else context.places.from_output(inside)
        note = "the build context lies outside this repository; it stays in overrides"
        return Taken({}, {"build": {**written, "context": moved}}, (note,))
    fields: Map = {"context": path}
    rest: Map = {}
    notes: list[str] = []
    for key, item in written.items():
        if key in ("dockerfile", "target") and isinstance(item, str) and not mentions(item):
            fields[key] = literal(item)
        elif key == "args":
            given, other, said = _build_args(pairs(item))
            fields.update({"args": given} if given else {})
            rest.update({"args": other} if other else {})
            notes += said
        elif key != "context":
            rest[key] = item
    return Taken({"build": fields}, {"build": rest} if rest else {}, tuple(notes))


def _build_args(given: Mapping[str, Any]) -> tuple[Map, Map, list[str]]:
    """Arguments that are ours, those that stay Compose's, and notes."""
    fields: Map = {}
    rest: Map = {}
    notes: list[str] = []
    for name, value in given.items():
        text = "" if value is None else text_of(value)
        secret = bool(text) and (SECRET_NAME.search(name) or SECRET_TEXT.search(text))
        if value is None:
            rest[name] = f"${{{name}:-}}"
        elif mentions(text):
            rest[name] = text
        elif secret:
            rest[name] = f"${{{name}:?set {name} in .env}}"
            notes.append(f"the build argument {name} holds a secret: put it into .env beside compose.yaml")
        else:
            fields[name] = literal(text)
    return fields, rest, notes


def _words(value: Any, field: str, key: str) -> Taken:
    """A command as a list of words."""
    if mentions(value) or value in ("", []):
        return Taken({}, {key: value})
    try:
        words = shlex.split(value) if isinstance(value, str) else [text_of(word) for word in value]
    except ValueError:
        return Taken({}, {key: value})
    plain = [literal(word) or "" for word in words]
    if any(SECRET_TEXT.search(word) for word in plain):
        note = f"{key} holds a literal secret: move it into a variable of .env"
        return Taken({}, {key: value}, (note,))
    return Taken({field: plain})


def _restart(value: Any, _name: str, _context: Context) -> Taken:
    text = "no" if value is False else str(value)
    return Taken({"restart": text}) if text in RESTART else Taken({}, {"restart": value})


def _depends_on(value: Any, _name: str, context: Context) -> Taken:
    entries = value if isinstance(value, dict) else {str(item): {} for item in value}
    found: Map = {}
    rest: Map = {}
    for name, written in entries.items():
        ours = context.services.get(str(name), str(name))
        details = dict(written or {})
        condition = CONDITIONS.get(str(details.pop("condition", "service_started")), "started")
        found[ours] = condition
        if details.get("required") is True:
            details.pop("required")
        if details:
            rest[ours] = details
    return Taken({"dependsOn": found} if found else {}, {"depends_on": rest} if rest else {})


def _limits(definition: Mapping[str, Any]) -> Taken:
    """`deploy`, `mem_limit`, `cpus`, `gpus`, `scale`."""
    deploy = dict(definition.get("deploy") or {})
    resources = dict(deploy.pop("resources", None) or {})
    limits = dict(resources.pop("limits", None) or {})
    reservations = dict(resources.pop("reservations", None) or {})
    found: Map = {}
    for key, top in (("cpus", "cpus"), ("memory", "mem_limit")):
        written = limits.pop(key, definition.get(top))
        if written is None:
            continue
        field, ours = ("cpuLimit", _cpu(written)) if key == "cpus" else ("memory", memory(written))
        if ours is None:
            limits[key] = written
        else:
            found[field] = ours
    gpu, devices = _gpus(definition.get("gpus"), reservations)
    if gpu is not None:
        found["gpu"] = gpu
        reservations.pop("devices", None)
    if limits:
        resources["limits"] = limits
    if reservations:
        resources["reservations"] = reservations
    if resources:
        deploy["resources"] = resources
    replicas = deploy.pop("replicas", definition.get("scale"))
    fields: Map = {"resources": found} if found else {}
    if isinstance(replicas, int) and not isinstance(replicas, bool) and replicas != 1:
        fields["replicas"] = replicas
    taken = Taken(fields, {"deploy": deploy} if deploy else {})
    return together((taken, Taken({}, devices)))


def _gpus(gpus: Any, reservations: Mapping[str, Any]) -> tuple[int | None, Map]:
    """A number of GPUs, and what stays Compose's."""
    devices = reservations.get("devices")
    if gpus is not None:
        return (gpus, {}) if isinstance(gpus, int) and not isinstance(gpus, bool) else (None, {"gpus": gpus})
    if not isinstance(devices, list) or len(devices) != 1 or not isinstance(devices[0], dict):
        return None, {}
    device = devices[0]
    count = device.get("count")
    plain = device.get("driver", "nvidia") == "nvidia" and set(device) <= {"driver", "count", "capabilities"}
    if plain and isinstance(count, int) and not isinstance(count, bool) and device.get("capabilities") == ["gpu"]:
        return count, {}
    return None, {}


def _cpu(value: Any) -> str | None:
    text = text_of(value)
    if fits(Cpu, text):
        return text
    return None


def _user(value: Any, _name: str, _context: Context) -> Taken:
    text = text_of(value)
    return Taken({"security": {"user": int(text)}}) if text.isdigit() else Taken({}, {"user": value})


def _read_only(value: Any, _name: str, _context: Context) -> Taken:
    return Taken({"security": {"readOnly": value}}) if isinstance(value, bool) else Taken({}, {"read_only": value})


def _labels(value: Any, _name: str, _context: Context) -> Taken:
    labels: Map = {}
    annotations: Map = {}
    rest: Map = {}
    for key, item in pairs(value).items():
        text = "" if item is None else text_of(item)
        plain = literal(text)
        if plain is None or not fits(LabelKey, key):
            rest[key] = text
        elif fits(LabelValue, plain):
            labels[key] = plain
        else:
            annotations[key] = plain
    fields = {name: found for name, found in (("labels", labels), ("annotations", annotations)) if found}
    return Taken(fields, {"labels": rest} if rest else {})


def _grace(value: Any, _name: str, _context: Context) -> Taken:
    grace = duration(value)
    if grace is None or seconds(grace) == 0:
        return Taken({}, {"stop_grace_period": value})
    found: Map = {"grace": grace}
    if seconds(grace) <= DRAIN:
        found["drain"] = "0s"
    return Taken({"shutdown": found})


def _networks(name: str, definition: Mapping[str, Any], context: Context) -> Taken:
    """One network holds all services of a project, so only other names of a service need saying."""
    ours = context.services[name]
    written = definition.get("networks")
    named = written if isinstance(written, dict) else {}
    aliases = [str(alias) for details in named.values() for alias in (details or {}).get("aliases") or ()]
    container = definition.get("container_name")
    notes: list[str] = []
    if container is not None:
        notes.append(
            f"container_name {container} is not taken over: Compose names its containers itself; it stays an alias"
        )
        aliases.append(str(container))
    if ours != name:
        aliases.append(name)
        notes.append(f"is now called {ours}; inside the project it still answers to {name}")
    aliases = [alias for alias in dict.fromkeys(aliases) if alias != ours and not mentions(alias)]
    if "network_mode" in definition:
        return Taken({}, {"networks": None} if context.networks else {}, tuple(notes))
    if not aliases:
        return Taken({}, {}, tuple(notes))
    own = [f"{ours}.internal"] if context.networks else []
    return Taken({}, {"networks": {"default": {"aliases": [*own, *aliases]}}}, tuple(notes))


TAKERS: Mapping[str, Taker] = MappingProxyType(
    {
        "command": lambda value, _name, _context: _words(value, "args", "command"),
        "depends_on": _depends_on,
        "entrypoint": lambda value, _name, _context: _words(value, "command", "entrypoint"),
        "env_file": lambda value, _name, context: env_file(value, context),
        "environment": environment,
        "labels": _labels,
        "read_only": _read_only,
        "restart": _restart,
        "stop_grace_period": _grace,
        "tmpfs": lambda value, _name, _context: tmpfs(value),
        "user": _user,
    }
)
"""What takes over one key of a service."""

TOGETHER = frozenset(
    {
        "image", "build", "ports", "expose", "volumes", "secrets", "configs", "deploy", "mem_limit", "cpus", "gpus",
        "scale", "networks", "container_name", "healthcheck", "develop",
    }
)  # fmt: skip
"""Keys that are taken over with others."""
