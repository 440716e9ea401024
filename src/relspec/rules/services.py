"""What a service says about itself and its neighbours: ports, names, dependencies, secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from relspec.credentials import (
    KEEP_OUTSIDE,
    holds_secret,
    is_number,
    literal_secrets,
    looks_secret,
    names_secret,
    number_is_secret,
    secret_in_text,
    secret_words,
)
from relspec.diagnostics import Finding, Path, Where
from relspec.layers import FROM_A_LIST
from relspec.outputs import origin_of, where
from relspec.resolve import ResolvedRelease, ResolvedService, Secret, no_service
from relspec.rules.finding import at_environment, at_service
from relspec.rules.models import workloads
from relspec.rules.strategies import runs_in_kubernetes
from relspec.spec.quantities import seconds
from relspec.spec.service import FileContent, FromEnvironment, FromHost, FromModel, FromSecret, Overrides, Service
from relspec.targets.compose.companions import companion_name
from relspec.targets.compose.interpolation import secret_variable
from relspec.targets.draft import Draft
from relspec.targets.rollouts.names import MAX_NAME, object_name

RESERVED_ENDINGS = ("router", "candidate", "canary")

MADE_BY_COMPOSE = ("router", "candidate")

SELECTORS = frozenset({"app.kubernetes.io/name", "app.kubernetes.io/instance", "rollouts-pod-template-hash"})
"""Labels in the selector of a Rollout or a Service: with another value no pod is found."""

FREE_TEXT = frozenset({"annotations", "args", "command", "env", "files", "helm", "labels", "overrides", "variables"})
"""Fields whose values can be anything; a name or a number of a release is no secret, whatever a template calls it."""

SEEN_TO = frozenset({"variables", "policies"})
CHART_VALUES = ("targets", "helm", "values")
"""Parts of an environment that are looked at elsewhere; of a policy only the reason is free, which is never repeated."""


def ports(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS130: two ports under one number, metrics among them."""
    seen: dict[tuple[int, bool], str] = {}
    for name, port in service.spec.ports.items():
        other = seen.setdefault((port.port, port.protocol == "udp"), name)
        if other != name:
            message = f"{name} and {other} are both port {port.port}"
            yield at_service(service, "RS130", ("ports", name, "port"), message, "give each port its own number")
    metrics = service.spec.metrics
    if metrics is not None and (metrics.port, False) in seen:
        name = seen[metrics.port, False]
        message = f"metrics and {name} are both port {metrics.port}"
        hint = f"remove the port {name}, or metrics, or serve metrics on another port"
        if service.spec.ports[name].protocol != "http":
            yield at_service(service, "RS130", ("metrics", "port"), message, hint)


def published_ports(release: ResolvedRelease) -> Iterator[Finding]:
    """RS130: two services that want the same port of the host."""
    seen: dict[tuple[int, bool], str] = {}
    for service in release.services.values():
        if "compose" not in service.targets:
            continue
        for name, port in service.spec.ports.items():
            if port.publish is None:
                continue
            label = f"{service.name}.{name}"
            other = seen.setdefault((port.publish, port.protocol == "udp"), label)
            if other != label:
                message = f"{label} and {other} both publish port {port.publish}"
                hint = "publish one of them on another port"
                yield at_service(service, "RS130", ("ports", name, "publish"), message, hint)


def named_ports(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS131: a port by a name that the service does not have, or a probe without any port."""
    spec = service.spec
    known = ", ".join(spec.ports) or "none"
    wanted: list[tuple[Path, object]] = [(("route",), spec.route)]
    if spec.health is not None:
        wanted.append((("health", "port"), spec.health.port))
    wanted += [(("verify", index, "port"), check.port) for index, check in enumerate(spec.verify or ())]
    for path, name in wanted:
        if isinstance(name, str) and name not in spec.ports:
            yield at_service(service, "RS131", path, f"{service.name} has no port {name}", f"its ports: {known}")
    unknown = spec.route is not None and spec.route not in spec.ports
    if spec.route is not None and not unknown and spec.ports[spec.route].protocol not in ("http", "grpc"):
        message = f"a router can't serve {spec.route}, which is {spec.ports[spec.route].protocol}"
        yield at_service(service, "RS131", ("route",), message, "name an http or grpc port, or remove route")
    if spec.health is None or spec.health.path is None or spec.health.port is not None or unknown:
        return
    if service.route is None:
        yield at_service(
            service,
            "RS131",
            ("health", "path"),
            "health has a path, but the service has no http port",
            "add health.port",
        )


def names(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS132: names that an output can't hold. RS223: names that relspec gives itself."""
    name = object_name(release.name, service.name)
    kubernetes = "rollouts" in service.targets or "helm" in service.targets
    if kubernetes and len(name) > MAX_NAME:
        message = f"{name} has {len(name)} characters; Kubernetes objects may have {MAX_NAME}"
        yield at_service(service, "RS132", (), message, "shorten the release's or the service's name", "key")
    for ending in RESERVED_ENDINGS:
        base = service.name.removesuffix(f"-{ending}")
        if base != service.name and base in release.services:
            message = f"{service.name} is what relspec calls the {ending} of {base}"
            yield at_service(service, "RS223", (), message, "give the service another name", "key")


def companions(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS223: an init container or sidecar under a name that is taken, or that compose gives a router or candidate."""
    spec = service.spec
    if not (spec.init or spec.sidecars):
        return
    beside = [("init", i, c) for i, c in enumerate(spec.init or ())]
    beside += [("sidecars", i, c) for i, c in enumerate(spec.sidecars or ())]
    seen = {service.name}
    for field, index, companion in beside:
        taken = companion_name(service.name, companion.name)
        path = (field, index, "name")
        if companion.name in seen or taken in release.services:
            message = f"there is another container or service called {companion.name}"
            yield at_service(service, "RS223", path, message, "give it another name")
        elif "compose" in service.targets and companion.name in MADE_BY_COMPOSE:
            message = f"{taken} is what relspec calls the {companion.name} of {service.name}"
            yield at_service(service, "RS223", path, message, "give it another name")
        seen.add(companion.name)


def labels(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS223: labels by which a target finds its own objects; as annotations only Compose reads them."""
    spec = service.spec
    kubernetes = runs_in_kubernetes(service)
    for field, keys in (("labels", spec.labels), ("annotations", spec.annotations)):
        for key in keys or ():
            selects = kubernetes and field == "labels" and (key in SELECTORS or key.startswith("relspec.dev/"))
            if selects or ("compose" in service.targets and key.startswith("com.docker.compose.")):
                message = f"{key} is set by {'relspec' if selects else 'compose'}, which finds its own by it"
                yield at_service(service, "RS223", (field, key), message, "use a label of your own", "key")


def dependencies(release: ResolvedRelease) -> Iterator[Finding]:
    """RS205: a dependency on a service that is not there. RS206: services that wait for each other."""
    for service in release.services.values():
        for workload, _ in workloads(service):
            for name in workload.spec.depends_on:
                inherited = workload is not service and name in service.spec.depends_on
                if name not in release.services and name not in release.unsound and not inherited:
                    others = (other for other in release.services if other != service.name)
                    yield no_service(name, others, dependency(workload, name))
    for service in release.services.values() if release.environment.targets.compose is not None else ():
        yield from _conditions(release, service)
    cycles = list(_cycles(release.services))
    yield from cycles
    for service in release.services.values() if not cycles else ():
        for variant in service.variants.values():
            if variant.spec.depends_on != service.spec.depends_on:
                yield from _cycles({**release.services, service.name: variant}, service.name)


def _conditions(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS205: a state that the other service never reaches, so that compose would wait in vain."""
    for name, condition in service.spec.depends_on.items():
        other = release.services.get(name)
        if other is None or "compose" not in other.targets:
            continue
        if condition == "healthy" and other.spec.health is None:
            message = f"{name} never becomes healthy: it has no health"
            yield Finding("RS205", message, dependency(service, name), f"add health to {name}, or write started")
        if condition == "completed" and other.spec.restart in ("always", "unless-stopped"):
            message = f"{name} never completes: it is restarted each time it ends"
            yield Finding("RS205", message, dependency(service, name), f'add restart: "no" to {name}')


def _cycles(services: Mapping[str, ResolvedService], blamed: str | None = None) -> Iterator[Finding]:
    """Cycles that have no service in common, each said where it closes, or where `blamed` enters it."""
    done: set[str] = set()
    for start in services:
        trail: list[str] = []
        stack = [(start, 0)]
        while stack:
            name, depth = stack.pop()
            done.update(trail[depth:])  # all that they lead to was looked at: each is entered once
            del trail[depth:]
            if name in trail:
                cycle = [*trail[trail.index(name) :], name]
                at = cycle.index(blamed) if blamed in cycle else len(cycle) - 2
                message = f"these services wait for each other: {' -> '.join(cycle)}"
                yield Finding("RS206", message, dependency(services[cycle[at]], cycle[at + 1]), "remove one of them")
                break  # what leads into this one is no other cycle
            if name in done or name not in services:
                continue
            trail.append(name)
            stack += [(other, depth + 1) for other in reversed(services[name].spec.depends_on)]
        done.update(trail)
        done.add(start)


def dropped_dependencies(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS325: compose waits for what it runs itself."""
    for name in service.spec.depends_on if "compose" in service.targets else ():
        other = release.services.get(name)
        if other is not None and "compose" not in other.targets:
            message = f"compose does not run {name}, so {service.name} does not wait for it"
            hint = f"add compose to the targets of {name}, or remove the dependency"
            yield Finding("RS325", message, dependency(service, name), hint)


def dependency(service: ResolvedService, name: str) -> Where:
    """Where a dependency was written: in a list by its index, in a map by its key."""
    layer = service.layers.origin(("dependsOn", name))
    if layer is None:
        return service.where(("dependsOn",), "key")
    written = layer.data["dependsOn"]
    if written[name] == FROM_A_LIST:
        return layer.where(("dependsOn", list(written).index(name)))
    return layer.where(("dependsOn", name), "key")


def verifications(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS125: `contains` is for the output of a command, the other fields are for an HTTP answer."""
    for index, check in enumerate(service.spec.verify or ()):
        at = ("verify", index)
        if check.exec is not None and check.contains is None:
            yield at_service(service, "RS125", at, "exec without contains checks nothing", "add contains: TEXT", "key")
        if check.path is not None and check.contains is not None:
            message, hint = "contains goes with exec", "write field and equals, or exec: […]"
            yield at_service(service, "RS125", (*at, "contains"), message, hint, "key")
        for field, value in (("port", check.port), ("field", check.field), ("equals", check.equals)):
            if check.exec is not None and value is not None:
                message = f"{field} goes with path"
                yield at_service(service, "RS125", (*at, field), message, "remove it, or write path: /…", "key")


def shutdown(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS426: `grace` includes the drain."""
    if seconds(service.spec.shutdown.grace) <= seconds(service.spec.shutdown.drain):
        message = f"grace {service.spec.shutdown.grace} ends before drain {service.spec.shutdown.drain} does"
        yield at_service(service, "RS426", ("shutdown",), message, "make grace longer than drain: it includes it")


def secrets(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS231: a secret that is written out. Its value is never repeated in a message."""
    for path, name, text in _written_out(service):
        if holds_secret(name, text):
            yield at_service(service, "RS231", path, f"{name} holds a literal secret", KEEP_OUTSIDE)
    for at, words in _commands(service.spec):
        for index in secret_words(words):
            yield at_service(service, "RS231", (*at, index), f"{at[-1]} holds a literal secret", KEEP_OUTSIDE)
    for path, field in _from_record(service):
        yield at_service(service, "RS231", path, f"{path[-1]} gets a literal secret: {field}", KEEP_OUTSIDE)
    for path, name in _in_overrides(service.spec.overrides):
        yield at_service(service, "RS231", path, f"{name} holds a literal secret", KEEP_OUTSIDE)
    yield from _secrets_of_files(service)


def _secrets_of_files(service: ResolvedService) -> Iterator[Finding]:
    for name, given in (service.spec.files or {}).items():
        if isinstance(given, FileContent) and secret_in_text(name, given.content):
            at_content = ("files", name, "content")
            yield at_service(service, "RS231", at_content, f"{name} holds a literal secret", KEEP_OUTSIDE)
    for file in service.files:
        if file.source is not None and secret_in_file(file.source, file.content):
            yield at_service(service, "RS231", file.origin, f"{file.source} holds a literal secret", KEEP_OUTSIDE)


def _from_record(service: ResolvedService) -> Iterator[tuple[Path, str]]:
    """The variables that repeat a secret from the record of the service's model, and where that is.

    The record alone holds nobody up: it can't be edited, and what is not repeated reaches no output.
    """
    model = service.model
    for path, value in references(service):
        if model is not None and isinstance(value, FromModel) and looks_secret(model.field(value.model) or ""):
            yield path, f"{value.model} in {model.file}"


def secrets_of_release(release: ResolvedRelease) -> Iterator[Finding]:
    """RS231 in the release's overrides, and in the variables of its environment."""
    for path, name in _in_overrides(release.overrides):
        yield Finding("RS231", f"{name} holds a literal secret", release.where(path), KEEP_OUTSIDE)
    readers = _readers(release) if release.environment.spec.variables else {}
    for name, value in (release.environment.spec.variables or {}).items():
        read_as = readers.get(name, "")
        by_name = _is_secret(name, value)
        if by_name or _is_secret(read_as, value):
            message = f"{name} holds a literal secret" + ("" if by_name else f", which {readers[name]} reads")
            yield at_environment(release.environment, "RS231", ("variables", name), message, KEEP_OUTSIDE)


def _is_secret(name: str, value: object) -> bool:
    """Whether a text or a number is a secret by what it is called."""
    return holds_secret(name, value) if isinstance(value, str) else _is_secret_number(name, value)


def _is_secret_number(name: str, value: object) -> bool:
    return is_number(value) and number_is_secret(name, value)


def secrets_of_environments(releases: Sequence[ResolvedRelease]) -> Iterator[Finding]:
    """RS231 of texts in an environment that are a secret wherever they stand: a login in an address, a well-known key.

    Not in what others look at: variables, the layer below every service, and values, which are an output as they are.
    """
    known: dict[str, list[Path]] = {}
    for release in releases:
        environment = release.environment
        if environment.path not in known:
            written = {key: value for key, value in environment.layers.merged.items() if key not in SEEN_TO}
            texts = ((path, text) for path, _, text in _texts_in(written, ()) if path[:3] != CHART_VALUES)
            known[environment.path] = [path for path, text in texts if looks_secret(text)]
        for path in known[environment.path]:
            message = f"{path[-1]} holds a literal secret"
            yield at_environment(environment, "RS231", path, message, KEEP_OUTSIDE).of(release.id)


def _readers(release: ResolvedRelease) -> dict[str, str]:
    """The variables of the environment that something called a secret reads, with what it is called."""
    found: dict[str, str] = {}
    for service in release.services.values():
        for workload, _ in workloads(service):
            for path, value in references(workload):
                if isinstance(value, FromEnvironment) and names_secret(str(path[-1])):
                    found.setdefault(value.environment, str(path[-1]))
    return found


@lru_cache(maxsize=4096)
def secret_in_file(name: str, content: bytes) -> bool:
    """The same of a file; many releases mount one and the same."""
    return secret_in_text(name, content.decode("utf-8", "replace"))


def secrets_of_output(release: ResolvedRelease, draft: Draft, packaged: bool) -> Iterator[Finding]:
    """RS231 in an output that a template or values of the team's own wrote a part of.

    All else in an output comes from fields that `secrets` has looked at; `packaged` says that relspec brings the template.
    """
    if packaged and draft.inline is None:
        return
    for index, document in enumerate(draft.documents or ()):
        for path, name in literal_secrets(document):
            origin = origin_of(draft, index, path)
            if origin is not None and FREE_TEXT.isdisjoint(origin):
                continue
            written = next((step for step in reversed(origin or ()) if isinstance(step, str)), name)
            message = f"{written or draft.path} holds a literal secret"
            if written not in (name, "value"):
                message += f", which {draft.path} calls {name}"
            yield Finding("RS231", message, where(draft, release, index, path), KEEP_OUTSIDE)


def _written_out(service: ResolvedService) -> Iterator[tuple[Path, str, str]]:
    """Every text of a service that could be a secret: where it is, what it is called, and the text."""
    spec = service.spec
    for path, value in variables(service):
        if isinstance(value, str) or _is_secret_number(str(path[-1]), value):
            yield path, str(path[-1]), str(value)
        elif isinstance(value, FromHost) and value.default:
            yield (*path, "default"), str(path[-1]), value.default
    for field, texts_by_name in (("labels", spec.labels), ("annotations", spec.annotations)):
        yield from (((field, name), name, text) for name, text in (texts_by_name or {}).items() if text)
    if spec.build is not None:
        yield from _texts_in(spec.build.args, ("build", "args"))


def _commands(spec: Service) -> Iterator[tuple[Path, Sequence[str | int]]]:
    """The commands of a service and its companions, those of its checks included."""
    if spec.command:
        yield ("command",), spec.command
    if spec.args:
        yield ("args",), spec.args
    if spec.health is not None and spec.health.exec:
        yield ("health", "exec"), spec.health.exec
    for index, check in enumerate(spec.verify or ()):
        yield ("verify", index, "exec"), check.exec or ()
    for kind, beside in (("init", spec.init), ("sidecars", spec.sidecars)):
        for index, companion in enumerate(beside or ()):
            yield (kind, index, "command"), companion.command or ()
            yield (kind, index, "args"), companion.args or ()


def _in_overrides(overrides: Overrides | None) -> Iterator[tuple[Path, str]]:
    """Where overrides write a secret out, and what it is called."""
    if overrides is None:
        return
    patches = overrides.model_dump(by_alias=True, exclude_none=True)
    found = {path: name for path, name, text in _texts_in(patches, ("overrides",)) if holds_secret(name, text)}
    yield from (found | dict(literal_secrets(patches, ("overrides",)))).items()


def _texts_in(data: object, at: Path) -> Iterator[tuple[Path, str, str]]:
    """Every text inside maps and lists; it is called by its key, a `value` by the `name` beside it."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in entries:
        if is_number(value) and number_is_secret(str(step), value):
            yield (*at, step), str(step), str(value)
        elif isinstance(value, str) and value:
            named = isinstance(data, dict) and step == "value" and isinstance(data.get("name"), str)
            yield (*at, step), str(data["name"] if named and isinstance(data, dict) else step), value
        else:
            yield from _texts_in(value, (*at, step))


def variables(service: ResolvedService) -> list[tuple[Path, object]]:
    """The variables of a service, its init containers and sidecars as they were written, with their paths."""
    spec = service.spec
    found: list[tuple[Path, object]] = [(("env", name), value) for name, value in (spec.env or {}).items()]
    for kind, beside in (("init", spec.init), ("sidecars", spec.sidecars)):
        for index, companion in enumerate(beside or ()):
            found += (((kind, index, "env", name), value) for name, value in (companion.env or {}).items())
    return found


def references(service: ResolvedService) -> list[tuple[Path, object]]:
    """Those of the variables that are not written out: {secret}, {variable} and the like."""
    if not (service.spec.init or service.spec.sidecars):
        env = service.spec.env or {}
        return [(("env", name), value) for name, value in env.items() if type(value) is not str]
    return [(path, value) for path, value in variables(service) if not isinstance(value, str)]


@lru_cache(maxsize=4096)
def compose_variable(secret: str) -> str:
    """The variable of .env that holds a secret, written NAME/KEY."""
    name, _, key = secret.partition("/")
    return secret_variable(Secret(name, key))


def secret_variables(release: ResolvedRelease) -> Iterator[Finding]:
    """RS230: what compose would read from one variable: two secrets, or a secret and a variable of the host."""
    seen: dict[str, str] = {}
    for service in release.services.values():
        for workload, _ in workloads(service) if "compose" in service.targets else ():
            for path, value in references(workload):
                if isinstance(value, FromSecret):
                    variable, label, field = compose_variable(value.secret), value.secret, "secret"
                elif isinstance(value, FromHost):
                    variable, label, field = value.variable, f"{{variable: {value.variable}}}", "variable"
                else:
                    continue
                other = seen.setdefault(variable, label)
                if other != label:
                    message = f"{label} and {other} would both be ${variable}"
                    yield at_service(workload, "RS230", (*path, field), message, "rename one of the two secrets")


def paths(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS243: two things mounted at one path, or a path with dots in it."""
    seen: dict[str, Path] = {}
    wanted: list[tuple[str, Path]] = [(path, ("files", path)) for path in (service.spec.files or {})]
    wanted += [(path, ("volumes", path)) for path, volume in (service.spec.volumes or {}).items() if volume]
    wanted += [(path, ("writable", index)) for index, path in enumerate(service.spec.writable or ())]
    for path, at in wanted:
        if "/../" in f"{path}/" or "//" in path or path == "/":
            yield at_service(
                service, "RS243", at, f"{path} is not a plain path in the container", "write it without .."
            )
        clean = path.rstrip("/")
        if clean in seen and seen[clean] != at:
            yield at_service(
                service, "RS243", at, f"{path} is mounted twice", "keep one of files, volumes and writable"
            )
        seen[clean] = at
