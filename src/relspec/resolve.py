"""From documents to one explicit release: layers, variants, models, files, and where each value was written.

Precedence, low to high: the language's defaults, the environment's `defaults` (outermost first), the `extends` chain
(deepest base first), release.yaml, the active variant; for the candidate's workload, the candidate patch on top.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from relspec.diagnostics import Finding, Part, Path, RelspecError, Remedy, Where
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
from relspec.tree import absent, relative, walk

ENVIRONMENTS = "environments"
TARGETS = ("compose", "helm", "rollouts")
MAX_FILES = 256
"""Files of a folder that `files: {…: {from: FOLDER}}` mounts."""

MAX_BASES = 4
PATCH_ONLY = ("variants", "active", "candidate", "strategy")
"""Fields of a service that its candidate does not have."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A key of a secret that lives outside Git."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class HostVariable:
    """A variable of the host, from .env; `default` None means that it must be set."""

    name: str
    default: str | None


EnvironmentValue = str | Secret | HostVariable
AnyModel = TypeVar("AnyModel", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class File:
    """A file that a service finds at `path`; `source` is where the repository keeps it, if it is not written inline."""

    path: str
    content: bytes
    source: str | None
    origin: Path


@dataclass(frozen=True, slots=True)
class ResolvedEnvironment:
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


@dataclass(frozen=True, slots=True)
class ResolvedService:
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


@dataclass(frozen=True, slots=True)
class ResolvedRelease:
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
        """The release written in `file`. Raises RelspecError with everything that keeps it from being resolved."""
        problems: list[Finding] = []
        environment: ResolvedEnvironment | None = None
        documents: list[Layer] = []
        try:
            environment = self.environment(environment_path)
        except RelspecError as error:
            problems += error.findings
        try:
            documents = self.documents(file)
        except RelspecError as error:
            problems += error.findings
            problems += self._unknown_models(file)
        if environment is None or not documents:
            raise RelspecError(*problems)
        top = documents[-1].data
        name = str(top.get("name") or release_id.rpartition("/")[2])
        problems += _name_problems(top, file, environment_path)
        layers = merge(
            [_without(layer, "services", "apiVersion", "kind", "extends", "name") for layer in documents], problems
        )
        targets = _targets_of_release(layers, environment, file, problems)
        services: dict[str, ResolvedService] = {}
        for service in dict.fromkeys(name for layer in documents for name in (layer.data.get("services") or {})):
            resolved = self._service(service, documents, environment, targets, problems)
            if resolved is not None:
                services[service] = resolved
        if not problems and not services:
            problems.append(Finding("RS121", "a release needs a service", Where(file, (), "key"), "add services: {…}"))
        if problems:
            raise RelspecError(*problems)
        merged = layers.merged
        return ResolvedRelease(
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
        )

    def _unknown_models(self, file: str) -> Iterator[Finding]:
        """RS201, RS203 of a release that is wrong in other ways too: everything wrong is said at once."""
        services = self.loader.refused(file).get("services")
        for name, service in services.items() if isinstance(services, dict) else ():
            for path, reference in model_references(service):
                try:
                    self.registry.resolve(reference, Where(file, ("services", name, *path)))
                except RelspecError as error:
                    yield from error.findings

    def documents(self, file: str) -> list[Layer]:
        """The `extends` chain of a release, deepest base first, release.yaml last. Raises RelspecError."""
        chain: list[Layer] = []
        seen: list[str] = []
        current = file
        while True:
            data = self.loader.document(current, Release, "Release")
            label = "release" if current == file else f"base {current}"
            chain.append(Layer(label, current, (), data))
            seen.append(current)
            extends = data.get("extends")
            if extends is None:
                return chain[::-1]
            where = Where(current, ("extends",))
            current = relative(current, extends, origin=where)
            self._check_base(current, seen, where)

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
        if kind in ("missing", "link", "other"):
            raise RelspecError(absent(self.loader.tree, base, where))
        if kind == "folder":
            raise RelspecError(Finding("RS240", f"{base} is a folder", where, "name the file in it"))
        self._not_an_output(base, where)
        data = self.loader.document(base, Release, "Release")
        if data.get("name") is not None:
            raise RelspecError(Finding("RS212", "a base has no name", Where(base, ("name",), "key"), "remove the line"))

    # --- services

    def _service(
        self,
        name: str,
        documents: list[Layer],
        environment: ResolvedEnvironment,
        targets: tuple[str, ...],
        problems: list[Finding],
    ) -> ResolvedService | None:
        layers: list[Layer] = list(environment.defaults)
        for document in documents:
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
        if len(layers) == len(environment.defaults):
            return None
        own: list[Finding] = []
        plain = merge(layers, own)
        active = plain.merged.get("active")
        merged = plain if active is None else _with_variant(plain, active, own)
        service = None if own else self._built(name, ("services", name), merged, environment, targets, active, own)
        if active is not None and service is not None:
            # What runs when the line `active` is removed must resolve before it is.
            self._built(name, ("services", name), plain, environment, targets, None, own)
        if service is not None and plain.merged.get("variants"):
            service = replace(service, variants=self._variants(name, plain, environment, targets, own))
        problems += own
        return None if own else service

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
        if spec.model is not None and model is None:
            return None
        image = spec.image or (model.record.runtime.image if model and model.record.runtime else None)
        if image is None and not problems:
            problems.append(
                Finding(
                    "RS202",
                    f"{name} has no image, and its model version's runtime has none either",
                    layers.where((), "key"),
                    "add image: registry/name:tag",
                )
            )
        candidate = None
        if spec.candidate is not None and active is None:
            candidate = self._candidate(name, path, layers, environment, targets, problems)
        env = _env(spec, model, environment, layers, problems)
        problems += _companion_problems(spec, model, environment, layers)
        files = tuple(self._files(spec, layers, problems))
        if problems or image is None:
            return None
        return ResolvedService(
            name=name,
            path=path,
            spec=spec,
            layers=layers,
            image=image,
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
                    source = relative(where.file, file.from_, origin=where)
                    self._not_an_output(source, where)
                    yield from self._files_from(path, source, where)
                except RelspecError as error:
                    problems += (_at(finding, where) for finding in error.findings)

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
    if isinstance(reference, str) and re.match(MODEL_REFERENCE, reference):
        yield ("model",), reference
    variants = service.get("variants")
    patches: list[tuple[Path, Any]] = [(("candidate",), service.get("candidate"))]
    patches += [(("variants", name), patch) for name, patch in variants.items()] if isinstance(variants, dict) else []
    for path, patch in patches:
        yield from (((*path, *inner), found) for inner, found in model_references(patch))


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
    variants = layers.merged.get("variants") or {}
    if active not in variants:
        known = ", ".join(variants) or "none"
        problems.append(
            Finding("RS204", f"there is no variant {active}", layers.where(("active",)), f"known here: {known}")
        )
        return layers
    layer = Layer(f"variant {active}", "", (), variants[active], aside=_inside(layers, ("variants", active)))
    with_variant = merge([*layers.layers, layer], problems)
    fixed = {key: value for key, value in with_variant.merged.items() if key not in ("strategy", "candidate")}
    return Layers(with_variant.layers, fixed)


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


def _word(name: str) -> str:
    """A name in a sentence: in quotes where it is no single word."""
    return name if name.split() == [name] else json.dumps(name, ensure_ascii=False)


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
            known = ", ".join(["name", "path", *(environment.spec.variables or {})])
            raise RelspecError(
                Finding(
                    "RS207",
                    f"{environment.path} has no variable {_word(value.environment)}",
                    where(),
                    f"known there: {known}",
                )
            )
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
                    f"{model.name} {model.version} has no {_word(value.model)}",
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
