"""From documents to one explicit release: layers, variants, models, files, and where each value was written.

Precedence, low to high: the language's defaults, the environment's `defaults` (outermost first), the `extends` chain
(deepest base first), release.yaml, the active variant; for the candidate's workload, the candidate patch on top.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import islice
from typing import Any, TypeGuard, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from relspec.diagnostics import Finding, Part, Path, Related, RelspecError, Remedy, Where, word
from relspec.documents import parse
from relspec.layers import Data, Layer, Layers, long_form, merge
from relspec.loader import Loader
from relspec.registry.records import Registry, ResolvedModel
from relspec.spec.environment import EnvironmentSpec, HelmTarget, Policies, Rollback, RolloutsTarget, TargetSettings
from relspec.spec.quantities import DNS_LABEL, MODEL_REFERENCE
from relspec.spec.release import HelmSource, Release
from relspec.spec.service import (
    FileContent,
    FileFrom,
    FromEnvironment,
    FromHost,
    FromModel,
    FromSecret,
    Overrides,
    Service,
)
from relspec.spec.strategy import Strategy
from relspec.spec.validation import findings_of
from relspec.tree import NOT_OURS, absent, downwards, relative, walk

ENVIRONMENTS = "environments"
OTHER_KINDS = {
    "Environment": "an Environment",
    "Model": "a Model",
    "ModelVersion": "a ModelVersion",
    "Repository": "a Repository",
    "Lock": "a Lock",
}
"""The kinds of documents that no release can extend, in words."""

IS_RELEASE = re.compile(rb"^kind: Release[ \r]*$", re.MULTILINE)
"""How nearly every base says what it is: those are not parsed once more."""

TARGETS = ("compose", "helm", "rollouts")
MAX_FILES = 256
"""Files of a folder that `files: {…: {from: FOLDER}}` mounts."""

MAX_BASES = 4
MAX_SERVICES = 256
MAX_VARIANTS = 32
"""Of a release and of a service, all layers together."""

PATCH_ONLY = ("variants", "active", "candidate", "strategy")
"""Fields of a service that its candidate does not have."""


class Secret(Struct, frozen=True):
    """A key of a secret that lives outside Git."""

    name: str
    key: str


class HostVariable(Struct, frozen=True):
    """A variable of the host, from .env; `default` None means that it must be set."""

    name: str
    default: str | None


EnvironmentValue = str | Secret | HostVariable
AnyModel = TypeVar("AnyModel", bound=BaseModel)


class File(Struct, frozen=True):
    """A file that a service finds at `path`; `source` is where the repository keeps it, if it is not written inline."""

    path: str
    content: bytes
    source: str | None
    origin: Path


class _Chain(Struct, frozen=True):
    """The documents of a release, deepest base first, and what is wrong with them; not `whole` where one is not known.

    A document that is wrong is among them as it was written, if it could be parsed.
    """

    documents: tuple[Layer, ...]
    findings: tuple[Finding, ...]
    whole: bool


class ResolvedEnvironment(Struct, frozen=True):
    """An environment with what it inherits. `path` is below environments/: `production/eu-west`."""

    path: str
    name: str
    files: tuple[str, ...]
    layers: Layers
    defaults: tuple[Layer, ...]
    targets: TargetSettings
    rollback: Rollback
    policies: Policies
    spec: EnvironmentSpec

    def where(self, path: Path, part: Part = "value") -> Where:
        """Where the environment's value at `path` was written."""
        return self.layers.where(path, part)

    def file_of(self, path: Path) -> str:
        """The file that wrote the value at `path`: relative paths in it start there."""
        layer = self.layers.origin(path)
        return layer.file if layer else self.files[-1]

    def kubernetes_target(self, targets: tuple[str, ...]) -> RolloutsTarget | HelmTarget | None:
        """The settings of the Kubernetes target among `targets`: there is at most one (RS320)."""
        if "rollouts" in targets:
            return self.targets.rollouts
        return self.targets.helm if "helm" in targets else None

    def value(self, name: str) -> str | None:
        """What `{environment: name}` gives; None where there is no such thing."""
        if name == "name":
            return self.name
        if name == "path":
            return self.path
        variable = (self.spec.variables or {}).get(name)
        return None if variable is None else str(variable)


class ResolvedService(Struct, frozen=True):
    """A service after all layers, with what it refers to.

    `candidate` is a whole service of its own, and so is each of `variants`: an emergency lever that does not compile is
    found before the emergency.
    """

    name: str
    path: Path
    spec: Service
    layers: Layers
    image: str
    model: ResolvedModel | None
    env: Mapping[str, EnvironmentValue]
    files: tuple[File, ...]
    targets: tuple[str, ...]
    active: str | None = None
    candidate: ResolvedService | None = None
    variants: Mapping[str, ResolvedService] = field(default_factory=dict)

    def where(self, path: Path, part: Part = "value") -> Where:
        """Where the service's value at `path` was written."""
        return self.layers.where(path, part)

    def file_of(self, path: Path) -> str:
        """The file that wrote the value at `path`: relative paths in it start there."""
        return self.where(path).file

    @property
    def strategy(self) -> Strategy:
        """The strategy in force: fixed while a variant is active."""
        return self.spec.strategy

    @property
    def route(self) -> str | None:
        """The port that a router serves, by name; None for a worker."""
        ports = self.spec.ports
        if self.spec.route is not None:
            return self.spec.route if self.spec.route in ports else None
        if "http" in ports and ports["http"].protocol in ("http", "grpc"):
            return "http"
        served = [name for name, port in ports.items() if port.protocol in ("http", "grpc")]
        return served[0] if len(served) == 1 else None

    @property
    def split_by_router(self) -> bool:
        """Whether a router divides (or copies) this service's traffic as Git says."""
        return self.candidate is not None and self.spec.routing == "router"


class ResolvedRelease(Struct, frozen=True):
    """A release, explicit: everything that its outputs are made from."""

    id: str
    name: str
    file: str
    environment: ResolvedEnvironment
    services: Mapping[str, ResolvedService]
    layers: Layers
    targets: tuple[str, ...]
    helm: HelmSource | None
    overrides: Overrides | None
    inputs: tuple[str, ...] = field(default=())
    unsound: frozenset[str] = frozenset()
    """Services with an error, of a release that has one (`UnresolvedError`): of these, `services` has what could be made out."""

    def where(self, path: Path, part: Part = "value") -> Where:
        """Where a node was written. Paths of a service start ("services", name), of the environment ("environment",)."""
        if path[:1] == ("environment",):
            return self.environment.where(path[1:], part)
        if len(path) >= 2 and path[0] == "services" and path[1] in self.services:
            service = self.services[str(path[1])]
            if len(path) > 2 and path[2] == "candidate" and service.candidate is not None:
                return service.candidate.where(path[3:], part)
            return service.where(path[2:], part)
        return self.layers.where(path, part)


class UnresolvedError(RelspecError):
    """A release that has errors. `release` is what could be made out: enough to ask the rules about the rest of it."""

    def __init__(self, release: ResolvedRelease, *findings: Finding) -> None:
        super().__init__(*findings)
        self.release = release


class Resolver:
    """Resolves releases of one tree; environments, bases and models are resolved once.

    `output` is the folder of the outputs, which nothing may be read from. `policies` may make those of an environment
    stricter, given its path.
    """

    def __init__(
        self, loader: Loader, output: str = "rendered", policies: Callable[[str, Policies], Policies] | None = None
    ) -> None:
        self.loader = loader
        self.output = output
        self.policies = policies
        self.registry = Registry(loader)
        self._environments: dict[str, ResolvedEnvironment | RelspecError] = {}

    # --- environments

    def environment(self, path: str) -> ResolvedEnvironment:
        """The environment at environments/`path`, with all that it inherits. Raises RelspecError."""
        known = self._environments.get(path)
        if known is None:
            try:
                known = self._resolve_environment(path)
            except RelspecError as error:
                known = error
            self._environments[path] = known
        if isinstance(known, RelspecError):
            raise RelspecError(*known.findings)
        return known

    def _resolve_environment(self, path: str) -> ResolvedEnvironment:
        problems: list[Finding] = []
        layers: list[Layer] = []
        folders = path.split("/")
        for depth in range(1, len(folders) + 1):
            file = f"{ENVIRONMENTS}/{'/'.join(folders[:depth])}/environment.yaml"
            if depth < len(folders) and self.loader.tree.kind(file) != "file":
                continue
            try:
                data = self.loader.document(file, EnvironmentSpec, "Environment")
            except RelspecError as error:
                problems += error.findings
                continue
            if data["name"] != folders[depth - 1]:
                problems.append(
                    Finding(
                        "RS214",
                        f"this environment lies in a folder called {folders[depth - 1]}",
                        Where(file, ("name",)),
                        f"write name: {folders[depth - 1]}",
                        remedy=Remedy("write", value=folders[depth - 1]),
                    )
                )
            layers.append(Layer(f"environment {'/'.join(folders[:depth])}", file, (), data))
        if problems:
            raise RelspecError(*problems)
        merged = merge([_without(layer, "defaults") for layer in layers], problems)
        spec = _typed(EnvironmentSpec, merged.merged, merged.where, problems)
        if problems or spec is None:
            raise RelspecError(*problems)
        defaults = tuple(
            Layer(f"{layer.name} defaults", layer.file, ("defaults",), long_form(layer.data["defaults"]))
            for layer in layers
            if layer.data.get("defaults")
        )
        return ResolvedEnvironment(
            path=path,
            name=folders[-1],
            files=tuple(layer.file for layer in layers),
            layers=merged,
            defaults=defaults,
            targets=spec.targets or TargetSettings(),
            rollback=spec.rollback or Rollback(),
            policies=self._policies(path, spec.policies or Policies()),
            spec=spec,
        )

    def _policies(self, path: str, own: Policies) -> Policies:
        return own if self.policies is None else self.policies(path, own)

    # --- releases

    def release(self, file: str, environment_path: str, release_id: str) -> ResolvedRelease:
        """The release written in `file`. Raises RelspecError with everything that keeps it from being resolved.

        That is `UnresolvedError` where its documents are sound: then there is something that rules can be asked about.
        """
        problems: list[Finding] = []
        environment: ResolvedEnvironment | None = None
        try:
            environment = self.environment(environment_path)
        except RelspecError as error:
            problems += error.findings
        chain = self._chain(file)
        problems += chain.findings
        documents = chain.documents
        if documents and not self.loader.refused(file):
            problems += _name_problems(documents[-1].data, file, environment_path)
        if environment is None or chain.findings:
            names = _service_names(documents)
            missing = [f for name in names for f in self._references(name, chain, environment, problems)]
            raise RelspecError(*_without_the_vaguer(problems, missing), *missing)
        top = documents[-1].data
        name = str(top.get("name") or release_id.rpartition("/")[2])
        layers = merge(
            [_without(layer, "services", "apiVersion", "kind", "extends", "name") for layer in documents], problems
        )
        targets = _targets_of_release(layers, environment, file, problems)
        services: dict[str, ResolvedService] = {}
        unsound: set[str] = set()
        for service in _service_names(documents):
            found: list[Finding] = []
            resolved = self._service(service, chain, environment, targets, found)
            if resolved is not None:
                services[service] = resolved
            if found:
                unsound.add(service)
                problems += found
        if not problems and not services:
            there = "services" in top
            place = Where(file, ("services",) if there else (), "key")
            hint = "write a service below services" if there else "add services: {…}"
            problems.append(Finding("RS121", "a release needs a service", place, hint))
        if len(services) > MAX_SERVICES:
            where = Where(file, ("services",), "key")
            raise RelspecError(*problems, _too_many("services", len(services), MAX_SERVICES, where))
        merged = layers.merged
        release = ResolvedRelease(
            id=release_id,
            name=name,
            file=file,
            environment=environment,
            services=services,
            layers=Layers((*layers.layers, documents[-1]), merged),
            targets=targets,
            helm=HelmSource.model_validate(merged["helm"]) if merged.get("helm") else None,
            overrides=Overrides.model_validate(merged["overrides"]) if merged.get("overrides") else None,
            inputs=tuple(layer.file for layer in documents),
            unsound=frozenset(unsound),
        )
        if problems:
            raise UnresolvedError(release, *problems)
        return release

    def documents(self, file: str) -> list[Layer]:
        """The `extends` chain of a release, deepest base first, release.yaml last. Raises RelspecError."""
        chain = self._chain(file)
        if chain.findings:
            raise RelspecError(*chain.findings)
        return list(chain.documents)

    def _chain(self, file: str) -> _Chain:
        """The `extends` chain as far as it can be followed: past a document that has errors, too."""
        chain: list[Layer] = []
        problems: list[Finding] = []
        seen: list[str] = []
        current = file
        while True:
            wrong: tuple[Finding, ...] = ()
            try:
                data = self.loader.document(current, Release, "Release")
            except RelspecError as error:
                wrong = error.findings
                data = self.loader.refused(current)
            problems += wrong
            if wrong and not data:
                return _Chain(tuple(chain[::-1]), tuple(problems), whole=False)
            if seen and data.get("name") is not None:
                where = Where(current, ("name",), "key")
                problems.append(Finding("RS212", "a base has no name", where, "remove the line"))
            chain.append(Layer("release" if current == file else f"base {current}", current, (), data))
            seen.append(current)
            extends = data.get("extends")
            if extends is None:
                return _Chain(tuple(chain[::-1]), tuple(problems), whole=True)
            if not isinstance(extends, str) or any(finding.where.path[:1] == ("extends",) for finding in wrong):
                return _Chain(tuple(chain[::-1]), tuple(problems), whole=False)
            where = Where(current, ("extends",))
            try:
                current = self._base(current, extends, where)
                self._check_base(current, seen, where)
            except RelspecError as error:
                return _Chain(tuple(chain[::-1]), (*problems, *error.findings), whole=False)

    def _base(self, file: str, extends: str, where: Where) -> str:
        """The repository path of the base that `file` names. Raises RelspecError RS240 or RS241, with what was meant."""
        if "\\" in extends:
            message = f"{word(extends)} is not a path inside the repository"
            raise RelspecError(Finding("RS241", message, where, "write a relative path, with / between its folders"))
        try:
            base = relative(file, extends, origin=where)
        except RelspecError as error:
            meant = self._seen_from_the_top(file, extends)
            raise RelspecError(*(replace(f, hint=meant or f.hint) for f in error.findings)) from error
        if self.loader.tree.kind(base) != "missing":
            return base
        why = absent(self.loader.tree, base, where)
        hint = self._seen_from_the_top(file, extends)
        if not hint and base.startswith(f"{ENVIRONMENTS}/"):
            hint = f"correct the path: a base lies outside {ENVIRONMENTS}/"
        hint = hint or self._beside(base, extends)
        if why.code == "RS240" and hint:
            raise RelspecError(replace(why, hint=hint))
        return base

    def _seen_from_the_top(self, file: str, extends: str) -> str:
        """How to name a file that lies where `extends` leads from the repository's top; empty where there is none."""
        path = posixpath.normpath(extends).lstrip("/")
        if path.startswith(("../", f"{ENVIRONMENTS}/")) or self.loader.tree.kind(path) != "file":
            return ""
        return f"paths are relative to the file: write {posixpath.relpath(path, posixpath.dirname(file) or '.')}"

    def _beside(self, base: str, extends: str) -> str:
        """A question, where the folder of a missing base holds a file of nearly its name; else empty."""
        folder, _, name = base.rpartition("/")
        files = {entry.lower(): entry for entry, kind in self.loader.tree.entries(folder) if kind == "file"}
        close = get_close_matches(name.lower(), files, n=1)
        return f"did you mean {posixpath.join(posixpath.dirname(extends), files[close[0]])}?" if close else ""

    def _check_kind(self, base: str, where: Where) -> None:
        """RS123 at `extends` where it names a document that is meant to be of another kind: nothing is wrong there.

        Said before the loader reads it as a Release, which would be all that it knows of the document.
        """
        try:
            text = self.loader.text(base)
            kind = "Release" if IS_RELEASE.search(text) else parse(text, base).get("kind")
        except RelspecError:
            return  # said where it is read
        if isinstance(kind, str) and kind in OTHER_KINDS:
            message = f"{base} is {OTHER_KINDS[kind]}, not a Release"
            raise RelspecError(Finding("RS123", message, where, "name a base, or remove the line"))

    def _check_base(self, base: str, seen: list[str], where: Where) -> None:
        if base in seen:
            # The chain from the base itself: the same words for every release that comes this way.
            chain = " -> ".join([*seen[seen.index(base) :], base])
            raise RelspecError(Finding("RS213", f"{base} extends itself: {chain}", where, "remove one extends"))
        if len(seen) > MAX_BASES:
            raise RelspecError(
                Finding("RS213", f"extends is more than {MAX_BASES} deep", where, "merge some of the bases")
            )
        if base.startswith(f"{ENVIRONMENTS}/"):
            raise RelspecError(
                Finding("RS212", f"a base lies outside {ENVIRONMENTS}/", where, "move it, for example to bases/")
            )
        kind = self.loader.tree.kind(base)
        if kind == "missing" or kind in NOT_OURS:
            why = absent(self.loader.tree, base, where)
            # What a base is instead of a file is said there, once for all releases.
            barrier = next((part for part in downwards(base) if self.loader.tree.kind(part) in NOT_OURS), None)
            raise RelspecError(why if barrier is None else replace(why, where=Where(barrier)))
        if kind == "folder":
            raise RelspecError(Finding("RS240", f"{base} is a folder", where, "name the file in it"))
        self._not_an_output(base, where)
        self._check_kind(base, where)

    def _references(
        self, name: str, chain: _Chain, environment: ResolvedEnvironment | None, said: Iterable[Finding]
    ) -> Iterator[Finding]:
        """What a service refers to and is not there, where it can't be resolved: by what its documents say alone.

        They may be wrong in any other way. Nothing is said of what `said` has, nor of what only an error leaves open.
        """
        known = {(finding.code, finding.where) for finding in said}
        for finding in self._unknown(name, chain, environment):
            if (finding.code, finding.where) not in known:
                yield finding

    def _unknown(self, name: str, chain: _Chain, environment: ResolvedEnvironment | None) -> Iterator[Finding]:
        documents = [layer for layer in chain.documents if isinstance(_services(layer).get(name), dict)]
        if not documents or _services(chain.documents[-1]).get(name, {}) is None:
            return
        yield from self._unknown_models(name, documents)
        for mounted, (value, where) in _entries(documents, name, "files").items():
            if isinstance(value, dict) and isinstance(value.get("from"), str):
                yield from self._file_problems(mounted, value["from"], replace(where, path=(*where.path, "from")))
        if chain.whole:
            yield from _unknown_dependencies(name, documents, _service_names(chain.documents))
        if environment is None:
            return
        if chain.whole:
            lower = merge(environment.defaults, []).merged.get("variants") or {}
            yield from _unknown_variants(name, documents, lower)
        for value, where in _entries(documents, name, "env").values():
            variable = value.get("environment") if isinstance(value, dict) else None
            if isinstance(variable, str) and environment.value(variable) is None:
                yield _no_variable(variable, environment, replace(where, path=(*where.path, "environment")))

    def _unknown_models(self, name: str, documents: Sequence[Layer]) -> Iterator[Finding]:
        """RS201, RS203, and what is wrong with the records that are there."""
        references: dict[Path, tuple[str, Where]] = {}
        for layer in reversed(documents):
            for path, reference in model_references(layer.data["services"][name]):
                references.setdefault(path, (reference, layer.where(("services", name, *path))))
        for reference, where in references.values():
            try:
                self.registry.resolve(reference, where)
            except RelspecError as error:
                yield from error.findings

    def _file_problems(self, path: str, source: str, where: Where) -> Iterator[Finding]:
        """RS240, RS241 of a file that a service mounts at `path`."""
        try:
            for _ in self._file_at(path, source, where):
                pass
        except RelspecError as error:
            yield from (_at(finding, where) for finding in error.findings)

    # --- services

    def _service(
        self,
        name: str,
        chain: _Chain,
        environment: ResolvedEnvironment,
        targets: tuple[str, ...],
        problems: list[Finding],
    ) -> ResolvedService | None:
        """The service after all layers, or what could be made out of it where something goes to `problems`."""
        layers = _layers(name, chain, environment, problems)
        if len(layers) == len(environment.defaults):
            return None
        own: list[Finding] = []
        plain = merge(layers, own)
        active = plain.merged.get("active")
        variants = plain.merged.get("variants") or {}
        if active is not None and active not in variants:
            own.append(_no_variant(active, variants, plain.where(("active",))))
            active = None
        merged = plain if active is None else _with_variant(plain, active, own)
        service = self._built(name, ("services", name), merged, environment, targets, active, own)
        if service is None:
            own += self._references(name, chain, environment, own)
        if active is not None:
            # What runs when the line `active` is removed must resolve before it is.
            self._built(name, ("services", name), plain, environment, targets, None, own)
        if len(variants) > MAX_VARIANTS:
            own.append(_too_many("variants", len(variants), MAX_VARIANTS, plain.where(("variants",), "key")))
        elif service is not None and variants:
            service = replace(service, variants=self._variants(name, plain, environment, targets, own))
        if own:
            # The variants say again what is wrong with the service that they are variants of.
            missed = {finding.where for finding in own if finding.code == "RS202"}
            problems += (f for f in dict.fromkeys(own) if f.code != "RS211" or f.where not in missed)
        return service

    def _variants(
        self,
        name: str,
        layers: Layers,
        environment: ResolvedEnvironment,
        targets: tuple[str, ...],
        problems: list[Finding],
    ) -> dict[str, ResolvedService]:
        """The service under each of its variants, in use or not."""
        found: dict[str, ResolvedService] = {}
        for variant in layers.merged["variants"]:
            merged = _with_variant(layers, variant, problems)
            service = self._built(name, ("services", name), merged, environment, targets, variant, problems)
            if service is not None:
                found[variant] = service
        return found

    def _built(
        self,
        name: str,
        path: Path,
        layers: Layers,
        environment: ResolvedEnvironment,
        targets: tuple[str, ...],
        active: str | None,
        problems: list[Finding],
    ) -> ResolvedService | None:
        spec = _typed(Service, layers.merged, layers.where, problems)
        if spec is None:
            return None
        model = self._model(spec, layers, problems)
        unknown = spec.model is not None and model is None
        image = spec.image or (model.record.runtime.image if model and model.record.runtime else None)
        if image is None and not unknown and all(finding.code != "RS202" for finding in problems):
            _miss_image(name, layers, problems)
        candidate = None
        if spec.candidate is not None and active is None:
            candidate = self._candidate(name, path, layers, environment, targets, problems)
        found: list[Finding] = []
        env = _env(spec, model, environment, layers, found)
        found += _companion_problems(spec, model, environment, layers)
        if found:
            # Whether the record has a field is not known while it is not known which record.
            problems += (finding for finding in found if not unknown or finding.code != "RS208")
        files = tuple(self._files(spec, layers, problems))
        return ResolvedService(
            name=name,
            path=path,
            spec=spec,
            layers=layers,
            image=image or "",
            model=model,
            env=env,
            files=files,
            targets=tuple(target for target in targets if spec.targets is None or target in spec.targets),
            active=active,
            candidate=candidate,
        )

    def _candidate(
        self,
        name: str,
        path: Path,
        layers: Layers,
        environment: ResolvedEnvironment,
        targets: tuple[str, ...],
        problems: list[Finding],
    ) -> ResolvedService | None:
        """The candidate's workload: the service, one replica, and the candidate patch on top."""
        stable = {key: value for key, value in layers.merged.items() if key not in PATCH_ONLY}
        patch = layers.merged["candidate"]
        below = [
            Layer("service", "", (), {**stable, "replicas": 1}, aside=layers.where),
            Layer("candidate", "", (), patch, aside=_inside(layers, ("candidate",))),
        ]
        return self._built(name, (*path, "candidate"), merge(below, problems), environment, targets, None, problems)

    def _model(self, spec: Service, layers: Layers, problems: list[Finding]) -> ResolvedModel | None:
        if spec.model is None:
            return None
        try:
            return self.registry.resolve(spec.model, layers.where(("model",)))
        except RelspecError as error:
            problems += error.findings
            return None

    def _files(self, spec: Service, layers: Layers, problems: list[Finding]) -> Iterable[File]:
        for path, file in (spec.files or {}).items():
            if isinstance(file, FileContent):
                yield File(path, file.content.encode(), None, ("files", path))
            elif isinstance(file, FileFrom):
                where = layers.where(("files", path, "from"))
                try:
                    yield from self._file_at(path, file.from_, where)
                except RelspecError as error:
                    problems += (_at(finding, where) for finding in error.findings)

    def _file_at(self, path: str, source: str, where: Where) -> Iterator[File]:
        """What a service finds at `path`, from a `source` that was written at `where`."""
        source = relative(where.file, source, origin=where)
        self._not_an_output(source, where)
        yield from self._files_from(path, source, where)

    def _not_an_output(self, path: str, where: Where) -> None:
        """RS241: the same specs must give the same outputs, whatever the output folder holds."""
        if path == self.output or path.startswith(f"{self.output}/"):
            message = f"{path} lies in the output folder, and no content depends on {self.output}/"
            raise RelspecError(Finding("RS241", message, where, "keep the file elsewhere in the repository"))

    def _files_from(self, path: str, source: str, where: Where) -> Iterable[File]:
        """A file, or each file of a folder."""
        origin = ("files", path, "from")
        if self.loader.tree.kind(source) != "folder":
            yield File(path, self.loader.text(source), source, origin)
            return
        found = list(islice(walk(self.loader.tree, source), MAX_FILES + 1))
        if not found:
            raise RelspecError(
                Finding("RS240", f"the folder {source} has no files", where, "add one, or correct the path")
            )
        if len(found) > MAX_FILES:
            message = f"the folder {source} has more than {MAX_FILES} files"
            raise RelspecError(
                Finding("RS243", message, where, "name the files that are needed, or put them in the image")
            )
        for file in found:
            yield File(posixpath.join(path, file[len(source) + 1 :]), self.loader.text(file), file, origin)


def model_references(service: Any) -> Iterator[tuple[Path, str]]:
    """The model references of a service that may be of any form, with their paths."""
    if not isinstance(service, dict):
        return
    reference = service.get("model")
    if isinstance(reference, str) and re.fullmatch(MODEL_REFERENCE, reference):
        yield ("model",), reference
    variants = service.get("variants")
    patches: list[tuple[Path, Any]] = [(("candidate",), service.get("candidate"))]
    patches += [(("variants", name), patch) for name, patch in variants.items()] if isinstance(variants, dict) else []
    for path, patch in patches:
        yield from (((*path, *inner), found) for inner, found in model_references(patch))


def _without_the_vaguer(findings: Sequence[Finding], better: Iterable[Finding]) -> list[Finding]:
    """The findings but for a form that is not allowed (RS122) where RS207 tells what can be written instead."""
    told = {finding.where for finding in better if finding.code == "RS207"}
    return [finding for finding in findings if finding.code != "RS122" or finding.where not in told]


def _typed(
    model: type[AnyModel], data: Data, where: Callable[[Path, Part], Where], problems: list[Finding]
) -> AnyModel | None:
    """The merged map as a model; what does not fit goes to `problems`, at the lines that wrote it."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems += findings_of(error, model, data, where)
        return None


def _without(layer: Layer, *keys: str) -> Layer:
    """The layer without some of its top keys."""
    return Layer(
        layer.name, layer.file, layer.path, {k: v for k, v in layer.data.items() if k not in keys}, layer.aside
    )


def _inside(layers: Layers, base: Path) -> Callable[[Path, Part], Where]:
    """Where nodes below `base` of the merged layers were written."""
    return lambda path, part: layers.where(base + path, part)


def _with_variant(layers: Layers, active: str, problems: list[Finding]) -> Layers:
    """The service with its active variant on top: fixed, and without its candidate."""
    patch = layers.merged["variants"][active]
    layer = Layer(f"variant {active}", "", (), patch, aside=_inside(layers, ("variants", active)))
    with_variant = merge([*layers.layers, layer], problems)
    fixed = {key: value for key, value in with_variant.merged.items() if key not in ("strategy", "candidate")}
    return Layers(with_variant.layers, fixed)


def _no_variant(active: str, variants: Iterable[str], where: Where) -> Finding:
    """RS204."""
    known = ", ".join(variants) or "none"
    return Finding("RS204", f"there is no variant {word(active)}", where, f"known here: {known}")


def _miss_image(name: str, layers: Layers, problems: list[Finding]) -> None:
    """RS202 to `problems`: at the null that removes no image from below (RS211), if there is one."""
    message = f"{name} has no image, and its model version's runtime has none either"
    nothing = next((f for f in problems if f.code == "RS211" and f.where.path[-1:] == ("image",)), None)
    if nothing is None:
        hint = "add image: registry/name:tag"
        problems.append(Finding("RS202", message, layers.where((), "key"), hint, _introduced(layers)))
    else:
        hint = "write image: registry/name:tag in place of the null"
        problems.append(Finding("RS202", message, nothing.where, hint))


def _introduced(layers: Layers) -> tuple[Related, ...]:
    """The base that a service comes from, where another document speaks of it, too."""
    written = [layer for layer in layers.layers if layer.path[:1] == ("services",)]
    if len(written) < 2:
        return ()
    return (Related("the service comes from here", written[0].where((), "key")),)


def _layers(name: str, chain: _Chain, environment: ResolvedEnvironment, problems: list[Finding]) -> list[Layer]:
    """The layers of a service, lowest first: the environment's defaults alone where no document has it any more."""
    layers: list[Layer] = list(environment.defaults)
    for document in chain.documents:
        services = document.data.get("services") or {}
        if name not in services:
            continue
        path: Path = ("services", name)
        if services[name] is None:
            if not any(layer.path[:1] == ("services",) for layer in layers):
                problems.append(
                    Finding(
                        "RS211",
                        f"null removes {name}, but no layer below has it",
                        document.where(path),
                        "remove the line",
                    )
                )
            layers = list(environment.defaults)
            continue
        layers.append(Layer(document.name, document.file, path, long_form(services[name])))
    return layers


def _too_many(what: str, count: int, most: int, where: Where) -> Finding:
    """RS122: more of something than one document may have, from all layers together."""
    message = f"all layers together have {count} {what}; {most} is the most"
    return Finding("RS122", message, where, "take some out, here or in a layer below")


def no_service(name: str, others: Iterable[str], where: Where) -> Finding:
    """RS205: a dependency on a service that is not among the `others` of its release."""
    known = ", ".join(others) or "none"
    return Finding("RS205", f"there is no service {word(name)}", where, f"services here: {known}")


def _services(layer: Layer) -> Data:
    """The services of a document that may be wrong in any way."""
    services = layer.data.get("services")
    return services if isinstance(services, dict) else {}


def _service_names(documents: Iterable[Layer]) -> list[str]:
    """The names of all services that some document speaks of, the lowest document's first."""
    return list(dict.fromkeys(name for layer in documents for name in _services(layer)))


def _entries(documents: Iterable[Layer], name: str, field: str) -> dict[str, tuple[Any, Where]]:
    """The entries of a map of a service, each as the highest of the documents has it, and where that is."""
    found: dict[str, tuple[Any, Where]] = {}
    for layer in documents:
        entries = layer.data["services"][name].get(field)
        for key, value in entries.items() if isinstance(entries, dict) else ():
            found[key] = value, layer.where(("services", name, field, key))
    return found


def _unknown_variants(name: str, documents: Sequence[Layer], lower: Data) -> Iterator[Finding]:
    """RS204 of a service by its documents, which may be wrong in other ways."""
    layer = next((layer for layer in reversed(documents) if "active" in layer.data["services"][name]), None)
    active = layer.data["services"][name]["active"] if layer is not None else None
    variants = _entries(documents, name, "variants")
    if layer is not None and _is_name(active) and active not in variants and active not in lower:
        yield _no_variant(active, variants, layer.where(("services", name, "active")))


def _unknown_dependencies(name: str, documents: Sequence[Layer], services: Sequence[str]) -> Iterator[Finding]:
    """RS205 of a service by its documents, which may be wrong in other ways."""
    others = [other for other in services if other != name]
    for layer in documents:
        needed = layer.data["services"][name].get("dependsOn")
        at = ("services", name, "dependsOn")
        places: dict[Any, Where] = {}
        if isinstance(needed, list):
            places = {other: layer.where((*at, index)) for index, other in enumerate(needed) if isinstance(other, str)}
        elif isinstance(needed, dict):
            places = {key: layer.where((*at, key), "key") for key, value in needed.items() if value is not None}
        unknown = ((other, where) for other, where in places.items() if _is_name(other) and other not in services)
        yield from (no_service(other, others, where) for other, where in unknown)


def _env(
    spec: Service,
    model: ResolvedModel | None,
    environment: ResolvedEnvironment,
    layers: Layers,
    problems: list[Finding],
) -> dict[str, EnvironmentValue]:
    """The service's variables with their references looked up; companions look up theirs with `environment_value`."""
    found: dict[str, EnvironmentValue] = {}
    for name, value in (spec.env or {}).items():
        try:
            found[name] = environment_value(value, model, environment, partial(layers.where, ("env", name)))
        except RelspecError as error:
            problems += error.findings
    return found


def _companion_problems(
    spec: Service, model: ResolvedModel | None, environment: ResolvedEnvironment, layers: Layers
) -> Iterator[Finding]:
    """What is wrong with the variables of init containers and sidecars; the targets look them up again."""
    for kind, companions in (("init", spec.init), ("sidecars", spec.sidecars)):
        for index, companion in enumerate(companions or ()):
            for name, value in (companion.env or {}).items():
                try:
                    environment_value(value, model, environment, partial(layers.where, (kind, index, "env", name)))
                except RelspecError as error:
                    yield from error.findings


def _is_name(word: Any) -> TypeGuard[str]:
    """Whether a word could name anything: what could not has been refused for that."""
    return isinstance(word, str) and re.fullmatch(DNS_LABEL, word) is not None


def _no_variable(name: str, environment: ResolvedEnvironment, where: Where) -> Finding:
    """RS207."""
    known = ", ".join(["name", "path", *(environment.spec.variables or {})])
    return Finding("RS207", f"{environment.path} has no variable {word(name)}", where, f"known there: {known}")


def environment_value(
    value: Any, model: ResolvedModel | None, environment: ResolvedEnvironment, where: Callable[[], Where]
) -> EnvironmentValue:
    """A variable as it was written, looked up. Raises RelspecError: RS207, RS208."""
    if isinstance(value, FromSecret):
        name, _, key = value.secret.partition("/")
        return Secret(name, key)
    if isinstance(value, FromHost):
        return HostVariable(value.variable, value.default)
    if isinstance(value, FromEnvironment):
        fact = environment.value(value.environment)
        if fact is None:
            place = where()
            place = replace(place, path=(*place.path, "environment"))
            raise RelspecError(_no_variable(value.environment, environment, place))
        return fact
    if isinstance(value, FromModel):
        if model is None:
            raise RelspecError(
                Finding(
                    "RS208",
                    "this service has no model",
                    where(),
                    "add model: <model>@<version>, or write the text itself",
                )
            )
        text = model.field(value.model)
        if text is None:
            raise RelspecError(
                Finding(
                    "RS208",
                    f"{model.name} {model.version} has no {word(value.model)}",
                    where(),
                    f"the record {model.file} does not say it",
                )
            )
        return text
    return str(value)


def _targets_of_release(
    layers: Layers, environment: ResolvedEnvironment, file: str, problems: list[Finding]
) -> tuple[str, ...]:
    """The targets that both the environment has and the release wants, in fixed order."""
    there = [target for target in TARGETS if getattr(environment.targets, target) is not None]
    wanted = layers.merged.get("targets")
    if wanted is None:
        return tuple(there)
    where = layers.where(("targets",))
    for index, target in enumerate(wanted):
        if target not in there and where.file == file:
            problems.append(
                Finding(
                    "RS321",
                    f"{environment.path} has no target {target}",
                    layers.where(("targets", index)),
                    f"it has: {', '.join(there) or 'none'}",
                )
            )
    return tuple(target for target in there if target in wanted)


def _name_problems(top: Data, file: str, environment_path: str) -> list[Finding]:
    """RS121, RS214: a release needs a name, and it is its folder's (its own where it lies beside environment.yaml)."""
    folder = posixpath.dirname(file)
    if top.get("name") is None:
        return [
            Finding(
                "RS121", "a release needs a name", Where(file, (), "key"), f"add name: {posixpath.basename(folder)}"
            )
        ]
    beside = folder == f"{ENVIRONMENTS}/{environment_path}"
    name = posixpath.basename(folder)
    if not beside and top["name"] != name:
        fits = re.fullmatch(DNS_LABEL, name) is not None
        hint = f"write name: {name}, or rename the folder" if fits else f"rename the folder: {top['name']}"
        remedy = Remedy("write", value=name) if fits else None
        message = f"this release lies in a folder called {name}"
        return [Finding("RS214", message, Where(file, ("name",)), hint, remedy=remedy)]
    return []


def _at(finding: Finding, where: Where) -> Finding:
    """A finding about a file that was named elsewhere, said where it was named."""
    return Finding(finding.code, finding.message, where, finding.hint)
