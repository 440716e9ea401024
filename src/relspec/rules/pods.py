"""What Kubernetes takes and then never starts: pods that no node runs, scaling that never moves, a disk held twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from relspec.diagnostics import Finding, Path
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.rules.finding import at_service
from relspec.rules.models import workloads
from relspec.rules.strategies import relspec_writes_objects, runs_in_kubernetes
from relspec.spec.quantities import millicores, seconds
from relspec.spec.service import NamedVolume, Replicas, Resources

PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9-]{1,15}")
"""IANA_SVC_NAME of k8s.io/apimachinery, which names of container ports are checked against."""


def cpu_limits(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS128: a limit below what is reserved is refused for each pod."""
    spec = service.spec
    if spec.resources is None and not (spec.init or spec.sidecars):
        return
    asked: list[tuple[Path, Resources | None]] = [((), spec.resources)]
    asked += [(("init", index), companion.resources) for index, companion in enumerate(spec.init or ())]
    asked += [(("sidecars", index), companion.resources) for index, companion in enumerate(spec.sidecars or ())]
    for at, wanted in asked:
        if wanted is None or wanted.cpu is None or wanted.cpu_limit is None:
            continue
        if millicores(wanted.cpu_limit) < millicores(wanted.cpu):
            message = f"cpuLimit {wanted.cpu_limit} is less than cpu {wanted.cpu}"
            path = (*at, "resources", "cpuLimit")
            yield at_service(service, "RS128", path, message, f"write cpuLimit: {wanted.cpu} or more, or remove it")


def probe_times(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS126: probes count in whole seconds from 1 on; both engines take 0 for their own default."""
    health = service.spec.health
    if health is None:
        return
    for name, duration in (("period", health.period), ("timeout", health.timeout)):
        if seconds(duration) == 0:
            yield at_service(service, "RS126", ("health", name), f"{name} is 0", "write 1s or more")


def root_user(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS125: user 0 in a pod that must not run as root."""
    security = service.spec.security
    if security is None or security.user != 0 or security.root or not relspec_writes_objects(release, service):
        return
    message = "user 0 is root, and without root: true no pod may run as root"
    yield at_service(service, "RS125", ("security", "user"), message, "add root: true, or write another user")


def scaled_resources(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS129: an autoscaler reads a percentage of what is reserved, by each container of the pod."""
    replicas = service.spec.replicas
    if not isinstance(replicas, Replicas) or not relspec_writes_objects(release, service):
        return
    spec = service.spec
    containers = [(service.name, spec.resources), *((c.name, c.resources) for c in spec.sidecars or ())]
    for name, percent in (("cpu", replicas.cpu), ("memory", replicas.memory)):
        short = [container for container, wanted in containers if not _reserves(wanted, name)]
        if percent is not None and short:
            message = f"replicas follow {name} in percent, and {short[0]} reserves none"
            hint = f"add resources: {{{name}: …}} to {short[0]}"
            yield at_service(service, "RS129", ("replicas", name), message, hint)


def _reserves(wanted: Resources | None, name: str) -> bool:
    """Whether a container has a request; Kubernetes takes a limit for one."""
    if wanted is None:
        return False
    return wanted.memory is not None if name == "memory" else not (wanted.cpu is None and wanted.cpu_limit is None)


def port_names(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS124: a name that no container port may have."""
    spec = service.spec
    if not spec.ports or not relspec_writes_objects(release, service):
        return
    for name in spec.ports:
        if PORT_NAME.fullmatch(name) is None:
            message = f"{name} is no name for a port in Kubernetes"
            hint = "use at most 15 lower-case letters, digits and single dashes, with a letter among them"
            yield at_service(service, "RS124", ("ports", name), message, hint, "key")


def disks(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS339: two pods can't hold one disk: who writes a named volume is fixed, and one pod where a claim is behind it."""
    stable = _written_disks(service)
    for workload, role in workloads(service) if stable or service.candidate or service.variants else ():
        held = stable if workload is service else _written_disks(workload)
        if not held or (role == "candidate" and (stable or not service.split_by_router)):
            continue
        mount = held[0][-1]
        if role == "candidate":
            message = f"the candidate writes the volume at {mount}, so it can't run beside stable"
            hint = "add readOnly: true where it only reads, or use an empty volume"
            yield at_service(workload, "RS339", held[0], message, hint, "key")
        elif workload.strategy.name != "fixed":
            message = f"{service.name} writes the volume at {mount}, so it can only be fixed"
            hint = "add readOnly: true where it only reads, or remove strategy"
            yield at_service(workload, "RS339", ("strategy",), message, hint)
        elif runs_in_kubernetes(workload) and workload.spec.replicas not in (0, 1):
            message = f"{service.name} writes the volume at {mount}, which only one pod can hold"
            hint = "write replicas: 1, or add readOnly: true where it only reads"
            yield at_service(workload, "RS339", ("replicas",), message, hint)


def _written_disks(service: ResolvedService) -> list[Path]:
    """The named volumes that a service writes, by where they are declared; in a pod its companions' too."""
    spec = service.spec
    found = _writable(("volumes",), spec.volumes)
    if not (spec.init or spec.sidecars):
        return found
    for kind, companions in (("init", spec.init), ("sidecars", spec.sidecars)):
        for index, companion in enumerate((companions if runs_in_kubernetes(service) else None) or ()):
            found += _writable((kind, index, "volumes"), companion.volumes)
    return found


def _writable(at: Path, volumes: Mapping[str, object] | None) -> list[Path]:
    if not volumes:
        return []
    return [(*at, path) for path, v in volumes.items() if isinstance(v, NamedVolume) and not v.read_only]
