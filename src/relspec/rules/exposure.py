"""`expose`: addresses that lead nowhere, said at the environment's line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from relspec.diagnostics import Finding, Path
from relspec.discovery import Found
from relspec.resolve import ResolvedEnvironment, ResolvedRelease
from relspec.rules.finding import at_environment
from relspec.rules.strategies import has_own_chart
from relspec.spec.environment import Exposure
from relspec.targets.rollouts.routes import exposure

KNOWN = re.compile(r"\{(release|service)\}")


def placeholders(release: ResolvedRelease) -> Iterator[Finding]:
    """RS122: a placeholder of a host that nothing fills."""
    for path, exposed in _exposures(release.environment):
        rest = KNOWN.sub("", exposed.host)
        if "{" in rest or "}" in rest:
            message = f"nothing fills the placeholder in {exposed.host}"
            hint = "write {release} or {service}, or the name itself"
            yield at_environment(release.environment, "RS122", (*path, "host"), message, hint)


def without_a_way_in(release: ResolvedRelease) -> Iterator[Finding]:
    """RS313: `expose` where nothing lets requests in; a team's own chart may do it by itself."""
    environment = release.environment
    if environment.spec.expose is None:
        return
    router = environment.spec.router
    if router is not None and (router.gateway is not None or (router.istio is not None and router.istio.gateway)):
        return
    what = "has no router" if router is None or router.istio is None else "names no gateway of Istio"
    hint = "add router: {istio: {gateway: NAMESPACE/NAME}} or router: {gateway: {parent: NAMESPACE/NAME}}"
    for service in release.services.values():
        exposed = exposure(release, service)
        if exposed is not None and service.targets and not has_own_chart(release, service):
            message = f"{environment.path} {what}, so this is exposed to nobody"
            yield at_environment(environment, "RS313", exposed[1][1:], message, hint, "key")


def unknown_keys(found: Found, releases: Sequence[ResolvedRelease]) -> Iterator[Finding]:
    """RS313: a key of `expose` that no service takes. `releases` are all of `found`, or nothing is said."""
    if len(releases) != len(found.releases):
        return
    declared: dict[tuple[str, str], ResolvedEnvironment] = {}
    used: set[tuple[str, str]] = set()
    for release in releases:
        expose = release.environment.spec.expose
        if expose is None or isinstance(expose, Exposure):
            continue
        for key in expose:
            declared.setdefault((release.environment.file_of(("expose", key)), key), release.environment)
        for service in release.services.values():
            exposed = exposure(release, service)
            if exposed is not None:
                used.add((release.environment.file_of(exposed[1][1:]), str(exposed[1][2])))
    for entry, environment in declared.items():
        if entry not in used:
            key = entry[1]
            message = f"no service with an http or grpc port takes {key}"
            hint = "write <release's id>/<service> or <release>/<service>"
            yield at_environment(environment, "RS313", ("expose", key), message, hint, "key")


def _exposures(environment: ResolvedEnvironment) -> Iterator[tuple[Path, Exposure]]:
    expose = environment.spec.expose
    if isinstance(expose, Exposure):
        yield ("expose",), expose
    elif expose is not None:
        yield from ((("expose", key), exposed) for key, exposed in expose.items() if exposed is not None)
