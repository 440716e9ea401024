"""What a target can't express, and overrides that would break a rollback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relspec.diagnostics import Finding, Path
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.rules.finding import at_environment, at_service
from relspec.rules.services import references
from relspec.rules.strategies import runs_in_kubernetes
from relspec.schema_checks import KUBERNETES_VERSIONS
from relspec.spec.service import FromHost, HostVolume, NamedVolume, Overrides
from relspec.targets.rollouts.names import object_name
from relspec.targets.rollouts.strategies import strategy

REFUSED: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("rollouts", "container"): (("image",), ("name",), ("restartPolicy",), ("restartPolicyRules",)),
    ("rollouts", "pod"): (
        ("containers",),
        ("initContainers",),
        # Like a container's restart rules: a Rollout with them is accepted, and then only shows as invalid.
        ("ephemeralContainers",),
        ("activeDeadlineSeconds",),
        ("restartPolicy",),
    ),
    ("rollouts", "Rollout"): (
        ("kind",),
        ("apiVersion",),
        ("metadata", "name"),
        ("metadata", "namespace"),
        ("metadata", "labels"),
        ("spec", "replicas"),
        ("spec", "paused"),
        ("spec", "selector"),
        ("spec", "rollbackWindow"),
        ("spec", "revisionHistoryLimit"),
        ("spec", "workloadRef"),
        ("spec", "template", "metadata", "labels"),
        ("spec", "template", "spec", "containers"),
        ("spec", "strategy", "canary", "steps"),
        ("spec", "strategy", "canary", "stableService"),
        ("spec", "strategy", "canary", "canaryService"),
        ("spec", "strategy", "canary", "trafficRouting"),
        ("spec", "strategy", "blueGreen", "activeService"),
        ("spec", "strategy", "blueGreen", "previewService"),
    ),
    ("rollouts", "Service"): (("spec", "ports"),),
    ("rollouts", "VirtualService"): (("spec", "http"),),
    ("rollouts", "HTTPRoute"): (("spec", "rules"),),
    ("compose", "service"): (("image",), ("deploy", "replicas"), ("scale",)),
    ("compose", "router"): (("configs",), ("container_name",), ("deploy", "replicas"), ("scale",)),
}
"""What an override must leave alone: images, names, selectors, replicas, weights and steps belong to the release."""

OBJECT: tuple[Path, ...] = (
    ("kind",),
    ("apiVersion",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("metadata", "annotations", "argocd.argoproj.io/sync-options"),
    ("metadata", "annotations", "argocd.argoproj.io/compare-options"),
    ("spec", "selector"),
)
"""What no override of any object may touch."""

IN_THE_RELEASE = "say it in the release itself"

CONTENT: tuple[Path, ...] = (("data",), ("binaryData",), ("immutable",))


def left_out(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS325: a service that nothing here runs. What a base leaves to other environments is meant so."""
    here = not service.targets and service.where(("targets",)).file == release.file
    if here and any(other.targets for other in release.services.values()):
        message = f"{service.name} runs in no target of {release.environment.path}"
        yield at_service(
            service, "RS325", ("targets",), message, "nothing to do, if another environment runs it", "key"
        )


def no_output(release: ResolvedRelease) -> Iterator[Finding]:
    """RS321: a release of which nothing runs."""
    if not any(service.targets for service in release.services.values()):
        environment = release.environment
        message = f"{environment.path} runs nothing of {release.name}: no target is left for any of its services"
        hint = f"add one to targets of {environment.files[-1]}, or correct targets here"
        yield Finding("RS321", message, release.where(("name",)), hint)


def one_kubernetes_target(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS320: two targets that would deploy one service twice."""
    if "helm" in service.targets and "rollouts" in service.targets:
        yield at_service(
            service,
            "RS320",
            (),
            f"helm and rollouts would both deploy {service.name} in {release.environment.path}",
            "add targets: [rollouts] or targets: [helm] to the release",
            "key",
        )


def probe_tools(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS322: a gRPC probe in compose needs a program in the image."""
    health = service.spec.health
    if "compose" in service.targets and health is not None and health.grpc is not None:
        message = "in compose a gRPC probe runs grpc_health_probe, which the image must have"
        yield at_service(service, "RS322", ("health", "grpc"), message, "add it to the image, or use health.exec")


def compose_only(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS324: what only a host with compose can give. RS124: a name that only compose can use."""
    if not runs_in_kubernetes(service):
        return
    for at, written in references(service):
        if isinstance(written, FromHost):
            message = f"{at[-1]} comes from the host, which only compose has"
            hint = "use {environment: NAME} or a literal, or targets: [compose] on the service"
            yield at_service(service, "RS324", at, message, hint)
    for at, volume in _volumes(service):
        if isinstance(volume, NamedVolume) and "_" in volume.name:
            message = f'"{volume.name}" is no name for a claim: Kubernetes knows no underscores'
            yield at_service(
                service, "RS124", (*at, "name"), message, "use dashes, or targets: [compose] on the service"
            )
        if isinstance(volume, HostVolume) and not volume.host.startswith("/"):
            yield at_service(
                service,
                "RS324",
                (*at, "host"),
                "a path relative to this file exists only on a compose host",
                "use {name: CLAIM}, an absolute path, or targets: [compose] on the service",
            )


def _volumes(service: ResolvedService) -> Iterator[tuple[Path, object]]:
    """The volumes of a service and its companions, with their paths."""
    yield from ((("volumes", path), volume) for path, volume in (service.spec.volumes or {}).items())
    for kind, companions in (("init", service.spec.init), ("sidecars", service.spec.sidecars)):
        for index, companion in enumerate(companions or ()):
            yield from (((kind, index, "volumes", path), volume) for path, volume in (companion.volumes or {}).items())


def kubernetes_version(release: ResolvedRelease) -> Iterator[Finding]:
    """RS122: a Kubernetes version whose schemas relspec does not have."""
    targets = release.environment.targets
    for name, settings in (("rollouts", targets.rollouts), ("helm", targets.helm)):
        if settings is not None and settings.kubernetes is not None and settings.kubernetes not in KUBERNETES_VERSIONS:
            message = f"relspec has no schemas of Kubernetes {settings.kubernetes}"
            hint = f"write one of {', '.join(KUBERNETES_VERSIONS)}"
            yield at_environment(release.environment, "RS122", ("targets", name, "kubernetes"), message, hint)


def overrides(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS360: an override of what a rollback depends on. RS427: one that takes a pod's safety away."""
    if service.spec.overrides is None:
        return
    for path, message in _breaking(service.spec.overrides):
        yield at_service(service, "RS360", path, message, IN_THE_RELEASE, "key")
    for path, message in _weakening(service.spec.overrides) if runs_in_kubernetes(service) else ():
        yield at_service(service, "RS427", path, message, WEAKENED_HINT)


def overrides_of_nothing(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS361: an override of an object that is not there."""
    rollouts = service.spec.overrides.rollouts if service.spec.overrides else None
    if rollouts is None or not runs_in_kubernetes(service):
        return
    there = _kinds(release, service)
    for kind in rollouts.model_dump(by_alias=True, exclude_none=True, exclude_unset=True):
        if kind[:1].isupper() and kind not in there:
            message = f"{service.name} has no {kind} in {release.environment.path}"
            hint = f"it has: {', '.join(sorted(there))}"
            yield at_service(service, "RS361", ("overrides", "rollouts", kind), message, hint, "key")


def release_overrides(release: ResolvedRelease) -> Iterator[Finding]:
    """RS360 and RS427 for overrides of the whole release."""
    for path, message in _breaking(release.overrides):
        yield Finding("RS360", message, release.where(path, "key"), IN_THE_RELEASE)
    if any(runs_in_kubernetes(service) for service in release.services.values()):
        for path, message in _weakening(release.overrides):
            yield Finding("RS427", message, release.where(path), WEAKENED_HINT)


def surge(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS304: overrides after which no pod may come before one goes, nor the reverse: the controller refuses that."""
    if release.overrides is None and service.spec.overrides is None:
        return
    levels = [(release.overrides, False), (service.spec.overrides, True)]
    patches = [(_canary_patch(overrides), own) for overrides, own in levels if overrides is not None]
    if not any(patch for patch, _ in patches) or not runs_in_kubernetes(service):
        return
    name = object_name(release.name, service.name)
    allowed = dict(strategy(service, name, release.environment).get("canary") or {})
    written: tuple[Path, bool] | None = None
    for patch, own in patches:
        for field in ("maxSurge", "maxUnavailable"):
            if field in patch:
                allowed[field] = patch[field]
                written = (("overrides", "rollouts", "Rollout", "spec", "strategy", "canary", field), own)
    if written is None or any(allowed.get(field) not in NONE_MAY for field in ("maxSurge", "maxUnavailable")):
        return
    path, own = written
    place = service.where(path) if own else release.where(path)
    yield Finding("RS304", "maxSurge and maxUnavailable can't both be 0", place, "allow at least one of them")


NONE_MAY = (0, "0", "0%")


def _canary_patch(overrides: Overrides) -> Mapping[str, Any]:
    """What overrides say of a Rollout's canary."""
    node: Any = overrides.rollouts.rollout if overrides.rollouts else None
    for step in ("spec", "strategy", "canary"):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else {}


WEAK_POD: tuple[tuple[Path, tuple[object, ...]], ...] = (
    (("hostNetwork",), (True,)),
    (("hostPID",), (True,)),
    (("hostIPC",), (True,)),
    (("securityContext",), (None,)),
    (("securityContext", "runAsNonRoot"), (False, None)),
    (("securityContext", "seccompProfile"), (None,)),
    (("securityContext", "seccompProfile", "type"), ("Unconfined",)),
)
"""What takes away a pod's safe defaults, in its spec; the names of Kubernetes' Pod Security Standards."""

WEAK_CONTAINER: tuple[tuple[Path, tuple[object, ...]], ...] = (
    (("securityContext",), (None,)),
    (("securityContext", "privileged"), (True,)),
    (("securityContext", "allowPrivilegeEscalation"), (True, None)),
    (("securityContext", "runAsNonRoot"), (False,)),
    (("securityContext", "capabilities"), (None,)),
    (("securityContext", "capabilities", "drop"), (None, [])),
)
"""The same for a container."""

ADDED: Path = ("securityContext", "capabilities", "add")

WEAKENED_HINT = "remove it, or have policies.allow in the environment say why"


def _weakening(overrides: Overrides | None) -> Iterator[tuple[Path, str]]:
    """Each node of the overrides by which a pod loses a safe default."""
    for address, patch in _patches(overrides):
        at: Path = ("spec", "template", "spec") if address == ("rollouts", "Rollout") else ()
        if address == ("rollouts", "container"):
            weak = WEAK_CONTAINER
            if isinstance(_node(patch, ADDED), list) and _node(patch, ADDED):
                yield ("overrides", *address, *ADDED), "this override gives a container more rights"
        elif address in (("rollouts", "pod"), ("rollouts", "Rollout")):
            weak = WEAK_POD
        else:
            continue
        for path, values in weak:
            node = _node(patch, (*at, *path))
            if any(node is value or (type(node) is type(value) and node == value) for value in values):
                what = ".".join(str(step) for step in path)
                yield ("overrides", *address, *at, *path), f"this override weakens the pod's {what}"


def _node(patch: Any, path: Path) -> Any:
    """The node at `path` of a patch; `...` where it has none."""
    for step in path:
        if not isinstance(patch, Mapping) or step not in patch:
            return ...
        patch = patch[step]
    return patch


def _breaking(overrides: Overrides | None) -> Iterator[tuple[Path, str]]:
    """Each node of the overrides that writes, or replaces from above, what a rollback depends on."""
    for address, patch in _patches(overrides):
        reached: dict[Path, Path] = {}
        for refused in _refused(address):
            node = _reached(patch, refused)
            if node is not None:
                reached.setdefault(node, refused)
        for node, refused in reached.items():
            what = ".".join(str(step) for step in node)
            inside = "" if node == refused else f" whole: it holds {'.'.join(str(step) for step in refused)}"
            message = f"an override may not set {what}{inside}: a rollback depends on it"
            yield ("overrides", *address, *node), message


def _patches(overrides: Overrides | None) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Every patch of the overrides with its address: the target, and what of it is patched."""
    if overrides is None:
        return
    data = overrides.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
    for target in ("rollouts", "compose"):
        for address, patch in (data.get(target) or {}).items():
            yield (target, address), patch


def _refused(address: tuple[str, str]) -> tuple[Path, ...]:
    known = REFUSED.get(address, ())
    if address[0] == "rollouts" and address[1][:1].isupper():
        known += tuple(path for path in OBJECT if path not in known)
    return known + CONTENT if address[1] == "ConfigMap" else known


def _reached(patch: Any, path: Path) -> Path | None:
    """The node by which a patch writes the one at `path`: itself, or what it replaces above it; None where it doesn't."""
    for depth, step in enumerate(path):
        if not isinstance(patch, Mapping):
            return path[:depth]
        if step not in patch:
            return None
        patch = patch[step]
    return path


def _kinds(release: ResolvedRelease, service: ResolvedService) -> set[str]:
    """The kinds of objects that a service has."""
    router = release.environment.spec.router
    kinds = {"Rollout"}
    if service.spec.service_account is None:
        kinds.add("ServiceAccount")
    if service.spec.ports:
        kinds.add("Service")
    if service.files:
        kinds.add("ConfigMap")
    if not isinstance(service.spec.replicas, int):
        kinds |= {"HorizontalPodAutoscaler", "PodDisruptionBudget"}
    elif service.spec.replicas >= 2:
        kinds.add("PodDisruptionBudget")
    # While a variant is active its strategy is set aside, and what is patched on it with it.
    if service.strategy.name in ("stepped", "blueGreen") or service.active is not None:
        kinds.add("AnalysisTemplate")
    if router is not None and service.route is not None:
        kinds.add("VirtualService" if router.istio is not None else "HTTPRoute")
    return kinds
