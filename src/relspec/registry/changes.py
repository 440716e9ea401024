"""Changes of the registry's documents: records are added, model.yaml is edited entry by entry. Bytes in, bytes out.

Nothing is read or written here, and nobody asks the clock: days come from the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from relspec import documents
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.edits import put, remove
from relspec.emit import emit
from relspec.registry.records import model_file, record_file
from relspec.registry.versions import Scheme, parse_version
from relspec.spec.registry import Model, ModelVersion
from relspec.spec.validation import validate

API_VERSION = "relspec/v1"
SCHEMES: tuple[Scheme, ...] = ("semver", "sequential")


# --- a version that is new


def new_record(model: str, version: str, data: Mapping[str, Any], file: str) -> dict[str, Any]:
    """The record of a version: `data` without what follows from its place, written in `file` (for what is wrong).

    Keys come in the order of the language. Raises RelspecError with what is wrong with it: RS215 where `data` names
    another model or version.
    """
    place = {"apiVersion": API_VERSION, "kind": "ModelVersion", "model": model, "version": version}
    for key in ("model", "version"):
        if data.get(key, place[key]) != place[key]:
            hint = f"write {key}: {place[key]}, or register the other one"
            raise RelspecError(Finding("RS215", f"this is the record of {key} {data[key]}", Where(file, (key,)), hint))
    whole = {**place, **{key: value for key, value in data.items() if value is not None}}
    problems = validate(ModelVersion, whole, file)
    if problems:
        raise RelspecError(*problems)
    record: dict[str, Any] = ModelVersion.model_validate(whole).model_dump(
        by_alias=True, exclude_unset=True, mode="json"
    )
    return record


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """A record as its file holds it."""
    return emit(dict(record)).encode()


def same_record(data: bytes, record: Mapping[str, Any], file: str) -> bool:
    """Whether a record that is there says the same. Raises RelspecError for a file that can't be read."""
    held = ModelVersion.model_validate(documents.parse_carefully(data, file))
    return held == ModelVersion.model_validate(dict(record))


def scheme_of(version: str) -> Scheme | None:
    """How a model counts of which this is a version; None for a text that no scheme has."""
    return next((scheme for scheme in SCHEMES if parse_version(version, scheme) is not None), None)


def check_scheme(model: str, version: str, scheme: Scheme) -> None:
    """Raises RelspecError RS216 for a version that its model's scheme does not have."""
    if parse_version(version, scheme) is None:
        like = "1.4.0 or v1.4" if scheme == "semver" else "v7 or 7"
        where = Where(record_file(model, version), ("version",))
        hint = f"name it like {like}, or change versioning in {model_file(model)}"
        raise RelspecError(Finding("RS216", f"{version} is not a {scheme} version", where, hint))


def new_model(model: str, scheme: Scheme) -> bytes:
    """The model.yaml of a model without any entries. Raises RelspecError with what is wrong with its name."""
    document = {"apiVersion": API_VERSION, "kind": "Model", "name": model, "versioning": scheme}
    problems = validate(Model, document, model_file(model))
    if problems:
        raise RelspecError(*problems)
    return emit(document).encode()


# --- entries of model.yaml


def with_lifecycle(data: bytes, model: str, version: str, state: Literal["deprecated", "archived"]) -> bytes:
    """model.yaml with a version in another state. Raises RelspecError as `edits.put` does."""
    return put(data, ("lifecycle", version), state, file=model_file(model))


def without_lifecycle(data: bytes, model: str, version: str, state: str) -> bytes:
    """model.yaml without the entry of a version. Raises RelspecError RS122 where it is in another state."""
    file = model_file(model)
    held = (documents.parse(data, file).get("lifecycle") or {}).get(version)
    if held != state:
        where = Where(file, ("lifecycle", version))
        hint = f"its state is {held or 'available'}: there is nothing to undo"
        raise RelspecError(Finding("RS122", f"{model} {version} is not {state}", where, hint))
    return remove(data, ("lifecycle", version), file=file)


def with_quarantine(data: bytes, model: str, version: str, reason: str, since: str) -> bytes:
    """model.yaml with a version in quarantine since a day (YYYY-MM-DD, UTC); a lifted entry is in force again."""
    return put(data, ("quarantine", version), {"reason": reason, "since": since}, file=model_file(model))


def with_lifted_quarantine(data: bytes, model: str, version: str, reason: str) -> bytes:
    """model.yaml with a quarantine that is no longer in force, and why. Raises RelspecError RS122 where none is."""
    file = model_file(model)
    held = (documents.parse(data, file).get("quarantine") or {}).get(version)
    if not isinstance(held, dict) or held.get("lifted") is not None:
        where = Where(file, ("quarantine", version))
        hint = "there is nothing to lift" if held is None else f"it was lifted: {held['lifted']}"
        raise RelspecError(Finding("RS122", f"{model} {version} is not in quarantine", where, hint))
    return put(data, ("quarantine", version, "lifted"), reason, file=file)


def with_alias(data: bytes, model: str, alias: str, version: str) -> bytes:
    """model.yaml with an alias that means a version."""
    return put(data, ("aliases", alias), version, file=model_file(model))


def without_alias(data: bytes, model: str, alias: str) -> bytes:
    """model.yaml without an alias. Raises RelspecError RS203 where there is none."""
    file = model_file(model)
    aliases = documents.parse(data, file).get("aliases") or {}
    if alias not in aliases:
        known = ", ".join(aliases) or "none"
        where = Where(file, ("aliases",))
        raise RelspecError(Finding("RS203", f"{model} has no alias {alias}", where, f"its aliases: {known}"))
    return remove(data, ("aliases", alias), file=file)
