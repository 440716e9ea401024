"""The registry of a tree: `<model>@<version or alias>` to the immutable record of a version.

registry/<model>/model.yaml       aliases, lifecycle, quarantine: changes over time
registry/<model>/<version>.yaml   one version: never edited, never deleted
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from relspec.diagnostics import Finding, RelspecError, Remedy, Where
from relspec.loader import Loader
from relspec.registry.versions import parse_version, valid_version_text
from relspec.spec.registry import Model, ModelVersion, Quarantine
from relspec.tree import NOT_OURS, absent, not_ours

FOLDER = "registry"
Lifecycle = Literal["candidate", "available", "deprecated", "archived"]


class ResolvedModel(Struct, frozen=True):
    """A model reference that was looked up: the exact version, however it was named."""

    name: str
    version: str
    alias: str | None
    record: ModelVersion
    model: Model
    file: str

    @property
    def lifecycle(self) -> Lifecycle:
        """Where the version stands, as model.yaml says."""
        return (self.model.lifecycle or {}).get(self.version, "available")

    @property
    def quarantine(self) -> Quarantine | None:
        """The quarantine that is in force, if there is one."""
        entry = (self.model.quarantine or {}).get(self.version)
        return entry if entry is not None and entry.lifted is None else None

    @property
    def reports(self) -> str:
        """What the live server calls this version: a glob."""
        return self.record.reports or self.version

    def field(self, name: str) -> str | None:
        """The value of `{model: name}`; None where the record does not say it."""
        record = self.record
        artifact = record.artifact
        fields = {
            "name": self.name,
            "version": self.version,
            "reference": (artifact.reference or artifact.uri.removeprefix("oci://")) if artifact else None,
            "uri": artifact.uri if artifact else None,
            "digest": artifact.digest if artifact else None,
            "dataSnapshot": record.data.snapshot if record.data else None,
            "codeCommit": record.code.commit if record.code else None,
        }
        return fields[name]


class Registry:
    """The models of one tree, each read when it is first asked for."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._models: dict[str, Model] = {}
        self._records: dict[tuple[str, str], ModelVersion] = {}
        self._resolved: dict[str, ResolvedModel] = {}

    def models(self) -> tuple[str, ...]:
        """The names of all models, sorted."""
        return tuple(name for name, kind in self._loader.tree.entries(FOLDER) if kind == "folder")

    def links(self) -> Iterator[Finding]:
        """RS241 for each link in the registry, behind which a model or a version would be lost."""
        if self._loader.tree.kind(FOLDER) in NOT_OURS:
            yield not_ours(FOLDER, self._loader.tree.kind(FOLDER), Where(FOLDER))
        for folder in (FOLDER, *(f"{FOLDER}/{name}" for name in self.models())):
            for name, kind in self._loader.tree.entries(folder):
                if kind in NOT_OURS:
                    yield not_ours(f"{folder}/{name}", kind, Where(f"{folder}/{name}"))

    def versions(self, model: str) -> tuple[str, ...]:
        """The versions that have a record, sorted by name."""
        return tuple(
            name.removesuffix(".yaml")
            for name, kind in self._loader.tree.entries(f"{FOLDER}/{model}")
            if kind == "file" and name.endswith(".yaml") and name != "model.yaml"
        )

    def model(self, name: str) -> Model:
        """model.yaml of `name`. Raises RelspecError with what is wrong with it: RS201 where a folder has none."""
        if name not in self._models:
            path = model_file(name)
            if self._loader.tree.kind(path) == "missing" and name in self.models():
                message = f"there is no model {name}: {FOLDER}/{name} has no model.yaml"
                hint = f"create {path} with apiVersion: relspec/v1 and kind: Model"
                raise RelspecError(Finding("RS201", message, Where(path), hint))
            model = Model.model_validate(self._loader.document(path, Model, "Model"))
            problems = tuple(self._model_misfits(model, name, path))
            if problems:
                raise RelspecError(*problems)
            self._models[name] = model
        return self._models[name]

    def record(self, model: str, version: str) -> ModelVersion:
        """The record of an exact version. Raises RelspecError with what is wrong with it."""
        if (model, version) not in self._records:
            path = record_file(model, version)
            record = ModelVersion.model_validate(self._loader.document(path, ModelVersion, "ModelVersion"))
            problems = tuple(self._record_misfits(record, model, version, path))
            if problems:
                raise RelspecError(*problems)
            self._records[model, version] = record
        return self._records[model, version]

    def resolve(self, reference: str, where: Where) -> ResolvedModel:
        """`<model>@<version or alias>`, written at `where`. Raises RelspecError: RS201, RS203."""
        known_model = self._resolved.get(reference)
        if known_model is not None:
            return known_model
        name, _, word = reference.partition("@")
        if self._loader.tree.kind(model_file(name)) != "file":
            why = absent(self._loader.tree, model_file(name), where)
            if why.code == "RS241":
                raise RelspecError(why)
            if name in self.models():
                self.model(name)
            hint = _did_you_mean(name, self.models(), f"create {model_file(name)}")
            raise RelspecError(Finding("RS201", f"there is no model {name}", where, hint))
        model = self.model(name)
        aliases = model.aliases or {}
        version = aliases.get(word, word)
        if not valid_version_text(version):
            raise RelspecError(
                Finding("RS203", f"{name} has no version or alias {word}", where, _no_version_name(name))
            )
        if self._loader.tree.kind(record_file(name, version)) != "file":
            why = absent(self._loader.tree, record_file(name, version), where)
            if why.code == "RS241":
                raise RelspecError(why)
            known = (*self.versions(name), *sorted(aliases))
            hint = _did_you_mean(word, known, f"known: {', '.join(known)}" if known else "register a version first")
            raise RelspecError(Finding("RS203", f"{name} has no version or alias {word}", where, hint))
        alias = word if word in aliases else None
        found = ResolvedModel(name, version, alias, self.record(name, version), model, record_file(name, version))
        self._resolved[reference] = found
        return found

    def _model_misfits(self, model: Model, name: str, path: str) -> Iterator[Finding]:
        """What model.yaml says that does not fit its folder."""
        if model.name is not None and model.name != name:
            message = f"this model lies in {FOLDER}/{name}"
            remedy = Remedy("write", value=name)
            yield Finding("RS214", message, Where(path, ("name",)), f"write name: {name}", remedy=remedy)
        versions = self.versions(name)
        for alias, version in (model.aliases or {}).items():
            if alias in versions:
                where = Where(path, ("aliases", alias), "key")
                yield Finding("RS215", f"{alias} is a version; an alias needs another name", where, "rename the alias")
            if version not in versions:
                message = f"alias {alias} points at {version}, which has no record"
                found = self._no_record(name, version, message, Where(path, ("aliases", alias)))
                known = (model.aliases or {}).get(version)
                yield replace(found, hint=f"an alias points at a version: write {known}") if known else found
        listed = [("lifecycle", version) for version in model.lifecycle or {}]
        listed += [("quarantine", version) for version in model.quarantine or {}]
        for field, version in listed:
            if version not in versions:
                yield self._no_record(name, version, f"{version} has no record", Where(path, (field, version), "key"))

    def _no_record(self, name: str, version: str, message: str, where: Where) -> Finding:
        """RS203, or RS241 where the record is a link."""
        if not valid_version_text(version):
            return Finding("RS203", message, where, _no_version_name(name))
        why = absent(self._loader.tree, record_file(name, version), where)
        if why.code == "RS241":
            return why
        hint = _did_you_mean(version, self.versions(name), f"create {record_file(name, version)}")
        return Finding("RS203", message, where, hint)

    def _record_misfits(self, record: ModelVersion, model: str, version: str, path: str) -> Iterator[Finding]:
        """What a record says that does not fit its path, or its model's way of counting versions."""
        if record.model != model:
            message = f"this record lies in {FOLDER}/{model}"
            yield Finding("RS215", message, Where(path, ("model",)), f"write model: {model}")
        if record.version != version:
            message = f"this record's file is called {version}.yaml"
            yield Finding("RS215", message, Where(path, ("version",)), f'write version: "{version}"')
        scheme = self.model(model).versioning
        if parse_version(version, scheme) is None:
            message = f"{version} is not a {scheme} version"
            hint = "rename the record, or change versioning in model.yaml"
            yield Finding("RS216", message, Where(path, ("version",)), hint)


def model_file(model: str) -> str:
    """Where a model's changing facts lie."""
    return f"{FOLDER}/{model}/model.yaml"


def record_file(model: str, version: str) -> str:
    """Where a version's record lies."""
    return f"{FOLDER}/{model}/{version}.yaml"


def _no_version_name(model: str) -> str:
    """What to do about a reference to `model`: the one word of a version's form that no version has."""
    return f"no version can be called model: {model_file(model)} describes the model itself; name a version or an alias"


def _did_you_mean(word: str, known: Sequence[str], otherwise: str) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else otherwise
