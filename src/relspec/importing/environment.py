"""`environment` and `env_file`: values, the host's variables, and secrets, which must not reach Git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relspec.credentials import SECRET_NAME, SECRET_TEXT
from relspec.importing.interpolation import Reference, literal, single, without_references
from relspec.importing.taken import Context, Map, Taken, label, pairs, text_of
from relspec.resolve import HostVariable
from relspec.targets.compose.interpolation import default_fits


def environment(value: Any, service: str, context: Context) -> Taken:
    """The variables of a service."""
    fields: Map = {}
    override: Map = {}
    notes: list[str] = []
    for name, given in pairs(value).items():
        key = context.secrets.get((service, name))
        if key is not None:
            fields[name] = {"secret": f"{context.release}/{key}"}
        elif given is None:
            fields[name] = {"variable": name, "default": ""}
            notes.append(f"{name} comes from the host; where it sets none it is now empty instead of missing")
        elif isinstance(given, int) and not isinstance(given, bool):
            fields[name] = given
        else:
            taken = _value(text_of(given))
            if taken is None:
                override[name] = given
            else:
                fields[name] = taken
    return Taken({"env": fields} if fields else {}, {"environment": override} if override else {}, tuple(notes))


def _value(text: str) -> str | Map | None:
    """A text, or a variable of the host; None where it is a mixture, which only Compose's own words can say."""
    plain = literal(text)
    if plain is not None:
        return plain
    reference = single(text)
    if reference is None or reference.operator.endswith("+"):
        return None
    if not reference.operator.endswith("-"):
        return {"variable": reference.name}
    if reference.default is None or not default_fits(HostVariable(reference.name, reference.default)):
        return None
    return {"variable": reference.name, "default": reference.default}


def secret_keys(services: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """The key of each (service, variable) that holds a secret. One secret under two names has one key."""
    keys: dict[str, str] = {}
    found: dict[tuple[str, str], str] = {}
    for service, name, source in _secrets(services):
        if source not in keys:
            wanted = source.removeprefix("$") if source.startswith("$") else name
            key = label(wanted, maximum=200)
            keys[source] = label(f"{service}-{name}", keys.values(), 200) if key in keys.values() else key
        found[service, name] = keys[source]
    return found


def _secrets(services: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each variable that holds a secret, and what tells one secret from another: `$VAR`, or the text itself."""
    for service, definition in services.items():
        given = definition.get("environment") if isinstance(definition, dict) else None
        for name, value in pairs(given).items():
            text = "" if value is None else text_of(value)
            if text and is_secret(name, text):
                reference = single(text)
                yield service, name, f"${reference.name}" if reference else f"={text}"


def is_secret(name: str, text: str) -> bool:
    """Whether a variable holds a secret, by its name or by its text; a path is none."""
    reference: Reference | None = single(text)
    names = (name, reference.name) if reference else (name,)
    if any(SECRET_NAME.search(each) for each in names) and not text.startswith("/"):
        return True
    texts = (reference.argument,) if reference else (without_references(text),)
    return any(SECRET_TEXT.search(each) for each in texts)


def env_file(value: Any, context: Context) -> Taken:
    """Files of variables stay Compose's: relspec neither sees what is in them nor takes it back."""
    entries = value if isinstance(value, list) else [value]
    moved = [
        {**entry, "path": context.places.from_output(str(entry.get("path", "")))}
        if isinstance(entry, dict)
        else context.places.from_output(str(entry))
        for entry in entries
    ]
    names = ", ".join(str(entry.get("path") if isinstance(entry, dict) else entry) for entry in entries)
    note = f"env_file {names} is read by Compose alone: a revert does not bring its old values back; move them to env"
    return Taken({}, {"env_file": moved}, (note,))
