"""What a release declares: the text by which two states of it are the same or not.

That is each service after its layers, variant and alias, with the digests of its ModelVersion records and files, but
without the environment, its defaults and policies: reverting a release must not depend on what the platform team changed
meanwhile. Comments, the order of keys and the way to a value don't count.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.discovery import Place, place_of
from relspec.gitops.recording import RecordingTree
from relspec.gitops.relative_paths import moved_service, rooted
from relspec.layers import ATOMS, PATCHES, WHOLE, Data, Layer, long_form, patched
from relspec.loader import Loader, Memory
from relspec.registry.records import record_file
from relspec.resolve import Resolver, model_references
from relspec.tree import Tree, walk

RELEASE = "*"
"""The pseudo-service that stands for what a release says of itself: targets, helm, overrides."""

RELEASE_FIELDS = ("targets", "helm", "overrides")


class Levers(Struct, frozen=True):
    """The two emergency levers of a service, and all the rest of what it declares.

    `active` is the variant in use, `weight` the percentage of its candidate (None: no candidate under a weight), `rest`
    the canonical JSON of the service without the two, before the variant is laid over it.
    """

    active: str | None
    weight: int | None
    rest: str


class Declared(Struct, frozen=True):
    """What a release declares in one tree.

    `services` holds canonical JSON by service, `*` among them; `key` is their digest, and equal keys mean equal states.
    `models` are the exact versions in use (`als@v0.3`) by service, `aliases` the references that were aliases.
    `asked` are all paths that the answer depends on. `findings` say why a release is broken: its `key` is then the
    digest of the bytes that can't be understood.
    """

    place: Place
    services: Mapping[str, str]
    key: str
    asked: frozenset[str]
    models: Mapping[str, str] = field(default_factory=dict)
    levers: Mapping[str, Levers] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether nothing can be said about what it declares."""
        return bool(self.findings)

    def changed(self, other: Declared | None) -> tuple[str, ...]:
        """The services whose declaration differs, sorted; `*` first."""
        theirs: Mapping[str, str] = other.services if other is not None else {}
        names = {*self.services, *theirs}
        return tuple(sorted(name for name in names if self.services.get(name) != theirs.get(name)))


class Absent(Struct, frozen=True):
    """There is no such release in the tree; `asked` are the paths at which it could lie."""

    asked: frozenset[str]


def declare(tree: Tree, release: str, memory: Memory | None = None, file: str | None = None) -> Declared | Absent:
    """What the release with an id declares in a tree. Raises nothing for what is wrong in it, but
    RelspecError RS631 where this clone does not have a file of it.

    `file` is where its release.yaml lies in a neighbouring tree (see `discovery.place_of`).
    """
    recording = RecordingTree(tree)
    loader = Loader(recording, memory)
    place = place_of(recording, loader, release, file)
    if place is None:
        return Absent(frozenset(recording.asked))
    try:
        return _declare(place, recording, Resolver(loader))
    except RelspecError as error:
        if any(finding.code == "RS631" for finding in error.findings):
            raise  # nobody knows what it declares: that is not the same as nobody understands it
        return _broken(place, recording, error.findings)


def _broken(place: Place, recording: RecordingTree, findings: tuple[Finding, ...]) -> Declared:
    """A state that today's language can't understand: it equals another one of the same bytes."""
    digest = hashlib.sha256(b"broken")
    for path in sorted(recording.asked):
        try:
            data = recording.tree.read(path)
        except RelspecError:
            continue
        digest.update(f"{path}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
    return Declared(place, {}, digest.hexdigest(), frozenset(recording.asked), findings=findings)


def _declare(place: Place, recording: RecordingTree, resolver: Resolver) -> Declared:
    layered = layered_release(resolver.documents(place.file))
    services: dict[str, str] = {}
    models: dict[str, str] = {}
    levers: dict[str, Levers] = {}
    for name, plain in layered.items():
        if name == RELEASE:
            continue
        described = _exact(_with_variant(plain), resolver, place.file)
        levers[name] = _levers(plain, resolver, place.file)
        if isinstance(described.get("model"), str):
            models[name] = described["model"]
        services[name] = _canonical(described)
    whole = layered.get(RELEASE, {})
    if isinstance(whole.get("helm"), dict):
        whole["helm"] = _helm(whole["helm"], place, resolver.loader.tree)
    if whole:
        services[RELEASE] = _canonical(whole)
    services = dict(sorted(services.items()))
    digest = hashlib.sha256(_canonical(services).encode("utf-8", "surrogatepass")).hexdigest()
    return Declared(place, services, digest, frozenset(recording.asked), models, levers)


def layered_release(documents: list[Layer]) -> dict[str, Data]:
    """Each service after the layers of the release, before a variant, and under `*` what the release says of itself.

    Paths of files are as the repository knows them, aliases as they were written.
    """
    found: dict[str, Data] = {}
    for name in dict.fromkeys(name for layer in documents for name in (layer.data.get("services") or {})):
        service = _service(name, documents)
        if service is not None:
            found[name] = service
    whole: Data = {}
    for layer in documents:
        whole = _over(whole, _rooted(layer, {key: layer.data[key] for key in RELEASE_FIELDS if key in layer.data}), ())
    if whole:
        found[RELEASE] = whole
    return found


def _service(name: str, documents: list[Layer]) -> Data | None:
    """A service after the layers of the release; None where a layer takes it away."""
    merged: Data | None = None
    for layer in documents:
        services = layer.data.get("services") or {}
        if name in services:
            own = services[name]
            merged = None if own is None else _over(merged or {}, _rooted(layer, long_form(own)), ())
    return merged


def _with_variant(service: Data) -> Data:
    """A service with its active variant on top: fixed, and without its candidate."""
    if service.get("active") is None:
        return service
    variant = (service.get("variants") or {}).get(service["active"])
    merged = _over(service, variant, ()) if isinstance(variant, dict) else service
    return {key: value for key, value in merged.items() if key not in ("strategy", "candidate")}


WEIGHTS = {"canary": "weight", "abTest": "weight", "shadow": "percent"}
"""Where a strategy says how much traffic its candidate gets."""


def _levers(service: Data, resolver: Resolver, file: str) -> Levers:
    rest = {key: value for key, value in service.items() if key != "active"}
    strategy = service.get("strategy")
    weight: int | None = None
    for kind, key in WEIGHTS.items():
        settings = strategy.get(kind) if isinstance(strategy, dict) else None
        if isinstance(settings, dict) and isinstance(settings.get(key), int):
            weight = settings[key]
            rest["strategy"] = {**rest["strategy"], kind: {k: v for k, v in settings.items() if k != key}}
    return Levers(service.get("active"), weight, _canonical(_exact(rest, resolver, file)))


def _over(lower: Data, upper: Data, path: tuple[str, ...]) -> Data:
    """A layer over another. A null that removes what a layer set is done with it; one that removes a default of the
    environment stays: it is declared."""
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        if value is None and below is not None:
            del result[key]
        elif not path and key in PATCHES and below is not None:
            result[key] = patched(below, value)
        elif isinstance(below, dict) and isinstance(value, dict) and not _whole(path, key):
            result[key] = _over(below, value, (*path, key))
        else:
            result[key] = value
    return result


def _whole(path: tuple[str, ...], key: str) -> bool:
    return (not path and key in WHOLE) or (len(path) == 1 and path[0] in ATOMS)


def _rooted(layer: Layer, data: Data) -> Data:
    """The data of a layer with paths as the repository knows them: they are relative to who says them."""
    return moved_service(data, rooted(layer.file, own=layer.name == "release"))


def _exact(service: Data, resolver: Resolver, file: str) -> Data:
    """The service with its model references exact, and the digests of records and files instead of their names."""
    tree = resolver.loader.tree
    described = _with_digests(service, tree)
    records: dict[str, str] = {}
    for path, reference in model_references(service):
        model = resolver.registry.resolve(reference, Where(file))
        exact = f"{model.name}@{model.version}"
        record = tree.read(record_file(model.name, model.version))
        records[exact] = hashlib.sha256(record).hexdigest()
        described = _replaced(described, path, exact)
    if records:
        described["$records"] = records
    return described


def _helm(helm: Data, place: Place, tree: Tree) -> Data:
    """A release's Helm settings with the content of its own files: a values template, a chart in its folder."""
    changed = dict(helm)
    if isinstance(helm.get("values"), str):
        changed["values"] = _digests(tree, helm["values"])
    chart = helm.get("chart")
    if isinstance(chart, str) and chart.startswith(f"{posixpath.dirname(place.file)}/"):
        changed["chart"] = _digests(tree, chart)
    return changed


def _replaced(data: Data, path: tuple[str | int, ...], value: str) -> Data:
    key = str(path[0])
    return {**data, key: value if len(path) == 1 else _replaced(data[key], path[1:], value)}


def _with_digests(service: Data, tree: Tree) -> Data:
    changed = dict(service)
    for name in ("candidate", "variants"):
        inner = service.get(name)
        if name == "variants" and isinstance(inner, dict):
            changed[name] = {key: _with_digests(patch, tree) if patch else patch for key, patch in inner.items()}
        elif isinstance(inner, dict):
            changed[name] = _with_digests(inner, tree)
    if isinstance(service.get("files"), dict):
        changed["files"] = {path: _file(file, tree) for path, file in service["files"].items()}
    return changed


def _file(file: Any, tree: Tree) -> Any:
    """A file by its content, wherever it lies: written out or kept beside makes no difference to what runs."""
    if isinstance(file, dict) and isinstance(file.get("from"), str):
        return _digests(tree, file["from"])
    if isinstance(file, dict) and isinstance(file.get("content"), str):
        return {"": hashlib.sha256(file["content"].encode("utf-8", "surrogatepass")).hexdigest()}
    return file


def _digests(tree: Tree, path: str) -> Any:
    """The digest of a file, or of each file of a folder by its path in there."""
    if path == "scaffold":
        return path
    if tree.kind(path) == "folder":
        return {name[len(path) + 1 :]: hashlib.sha256(tree.read(name)).hexdigest() for name in walk(tree, path)}
    return {"": hashlib.sha256(tree.read(path)).hexdigest()}


def _canonical(value: Any) -> str:
    """JSON with sorted keys and nothing between them (as RFC 8785 has it, but for how numbers are written)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def candidate_model(declared: Declared, service: str) -> str | None:
    """The exact version that the candidate of a service runs; None where it has none of its own."""
    said: Mapping[str, object] = json.loads(declared.services.get(service, "{}"))
    candidate = said.get("candidate")
    model = candidate.get("model") if isinstance(candidate, dict) else None
    return model if isinstance(model, str) else None
