"""What an environment insists on."""

from __future__ import annotations

from collections.abc import Iterator

from relspec.diagnostics import Finding, Path
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.rules.finding import at_environment, at_service
from relspec.rules.strategies import runs_in_kubernetes
from relspec.spec.service import Replicas
from relspec.targets.compose.router_service import has_router

DIGEST_HINT = "add @sha256: and the digest of what was tested"


def digests(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS421: a tag can be moved, a digest can't; companions' images too."""
    if not release.environment.policies.require_digest:
        return
    images: list[tuple[Path, str]] = [(("image",), service.image)]
    for kind, companions in (("init", service.spec.init), ("sidecars", service.spec.sidecars)):
        images += [((kind, index, "image"), companion.image) for index, companion in enumerate(companions or ())]
    for path, image in images:
        if "@sha256:" not in image:
            yield at_service(service, "RS421", path, f"{image} has no digest", DIGEST_HINT)


def router_digest(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS421: the image of compose's router, where there is one."""
    settings = release.environment.targets.compose
    if not release.environment.policies.require_digest or settings is None or "compose" not in service.targets:
        return
    if "@sha256:" not in settings.router.image and has_router(service, settings):
        path = ("targets", "compose", "router", "image")
        message = f"{settings.router.image}, the router's image, has no digest"
        yield at_environment(release.environment, "RS421", path, message, DIGEST_HINT)


def replicas(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS423: fewer replicas than the environment wants of every service with a port."""
    least = release.environment.policies.min_replicas
    wanted = service.spec.replicas
    fewest = wanted.min if isinstance(wanted, Replicas) else wanted
    if service.spec.ports and runs_in_kubernetes(service) and fewest < least:
        message = f"{release.environment.path} wants at least {least} replicas, not {fewest}"
        yield at_service(service, "RS423", ("replicas",), message, f"write replicas: {least} or more")


def resources(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS424: without resources a pod is the first to be evicted."""
    if runs_in_kubernetes(service) and service.spec.resources is None:
        message = f"{service.name} does not say what it needs"
        yield at_service(service, "RS424", (), message, "add resources: {cpu: …, memory: …}", "key")


def health(release: ResolvedRelease, service: ResolvedService) -> Iterator[Finding]:
    """RS425: without a probe a pod counts as ready at once, and a broken version takes all the traffic."""
    if runs_in_kubernetes(service) and service.route is not None and service.spec.health is None:
        message = f"{service.name} has no health check: a broken version would count as ready"
        yield at_service(service, "RS425", (), message, "add health: {path: /healthz}", "key")
