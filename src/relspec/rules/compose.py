"""What Compose has no way to say (RS324), and names that it would read otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from relspec.diagnostics import Finding
from relspec.resolve import HostVariable, ResolvedRelease, ResolvedService
from relspec.rules.finding import at_service
from relspec.rules.services import compose_variable, references
from relspec.spec.service import FromSecret, HostVolume, Replicas
from relspec.targets.compose.container import GPU_DRIVERS
from relspec.targets.compose.files import unmountable
from relspec.targets.compose.interpolation import default_fits


def inline_files(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS324: Compose copies inline files into the container, which a read-only root does not let it."""
    for file in unmountable(service) if "compose" in service.targets else ():
        message = f"compose can't put the inline file {file.path} into a container with a read-only root"
        hint = "keep the file in the repository and name it with {from: PATH}, or remove security.readOnly"
        yield at_service(service, "RS324", file.origin, message, hint)


def defaults(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS324: a default that `${NAME:-default}` can't hold."""
    for name, value in service.env.items():
        if isinstance(value, HostVariable) and not default_fits(value):
            message = f"the default of {value.name} has several lines or unbalanced braces, which compose can't read"
            yield at_service(service, "RS324", ("env", name, "default"), message, "set it in .env instead")


def accelerators(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS324: an accelerator that Compose can't reserve by number."""
    wanted = service.spec.accelerators
    if "compose" in service.targets and wanted is not None and wanted.resource not in GPU_DRIVERS:
        message = f"compose can't reserve {wanted.resource}"
        hint = "reserve it with overrides.compose.service, or leave compose out with targets"
        yield at_service(service, "RS324", ("resources", "gpu"), message, hint)


def published_replicas(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS324: one port of the host holds one container; the router serves the route only."""
    replicas = service.spec.replicas
    fewest = replicas.min if isinstance(replicas, Replicas) else replicas
    if "compose" not in service.targets or fewest < 2:
        return
    for name, port in service.spec.ports.items():
        if port.publish is not None and name != service.route:
            message = f"{fewest} replicas can't share port {port.publish} of the host"
            yield at_service(
                service, "RS324", ("ports", name, "publish"), message, "publish only the route, or run one"
            )


ONE_CONTAINER = ("container_name", "hostname", "ports", "mac_address")
"""What only one container can have; an override reaches every replica and the candidate."""


def overrides_of_one_container(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS360: an override that two containers of one service can't both have."""
    overrides = service.spec.overrides
    patch = (overrides.compose.service if overrides and overrides.compose else None) or {}
    several = service.split_by_router or not isinstance(service.spec.replicas, int) or service.spec.replicas > 1
    for key in ONE_CONTAINER if "compose" in service.targets and several else ():
        if key in patch:
            message = f"{key} belongs to one container, and {service.name} has several"
            hint = "remove it: callers know the service by its name, and `ports` publishes by the router"
            yield at_service(service, "RS360", ("overrides", "compose", "service", key), message, hint, "key")


def host_paths(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS243: a path of the host that a shell would have to read first."""
    for path, volume in (service.spec.volumes or {}).items():
        if isinstance(volume, HostVolume) and (volume.host.startswith("~") or "$" in volume.host):
            message = f"{volume.host} is taken as it is written: nobody fills in ~ or variables"
            hint = "write an absolute path, or one relative to this file"
            yield at_service(service, "RS243", ("volumes", path, "host"), message, hint)


def tmpfs_paths(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS243: a writable folder whose path Compose would cut in two."""
    for index, path in enumerate(service.spec.writable or () if "compose" in service.targets else ()):
        if ":" in path:
            yield at_service(service, "RS243", ("writable", index), f"{path} has a colon", "use a path without one")


def steering_variables(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS230: a secret whose variable would steer Compose itself."""
    for path, value in references(service) if "compose" in service.targets else ():
        if isinstance(value, FromSecret):
            variable = compose_variable(value.secret)
            if variable.startswith(("DOCKER_", "COMPOSE_")):
                message = f"{value.secret} would be ${variable}, which Docker reads itself"
                yield at_service(service, "RS230", (*path, "secret"), message, "rename the secret")
