"""What only shows across releases: names and addresses that two of them claim."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from relspec.diagnostics import Finding, Path, Related, RelspecError, Severity, Where, word
from relspec.discovery import Found
from relspec.outputs import where
from relspec.resolve import ResolvedRelease, Resolver
from relspec.targets.draft import Draft
from relspec.targets.rollouts.names import object_name
from relspec.targets.rollouts.routes import exposure

IGNORED_ENV = ("rendered/**/.env", "/rendered/**/.env", "**/.env", ".env", "*.env")


def object_names(releases: Sequence[ResolvedRelease]) -> Iterator[Finding]:
    """RS221: two services that would be the same object of one cluster and namespace, or the same compose project."""
    seen: dict[tuple[str, ...], tuple[ResolvedRelease, str]] = {}
    for release in releases:
        for key, what, path in _claims(release):
            other = seen.setdefault(key, (release, what))
            if other[0] is not release:
                yield Finding(
                    "RS221",
                    f"{what} is also claimed by {other[0].id}",
                    release.where(path, "key" if len(path) > 1 else "value"),
                    "rename one of them, or give one another namespace or project",
                    release=release.id,
                )


def written_objects(compiled: Sequence[tuple[ResolvedRelease, Sequence[Draft]]]) -> Iterator[Finding]:
    """RS221: two objects of one kind, name, namespace and cluster among all that is written, of one release or of two.

    Releases whose services clash by name are left to `object_names`, which says it once and not for every object.
    """
    clashing = {frozenset(pair) for pair in _clashing(tuple(release for release, _ in compiled))}
    seen: dict[tuple[str, ...], ResolvedRelease] = {}
    for release, drafts in compiled:
        for key, place in _objects(release, drafts):
            other = seen.get(key)
            seen.setdefault(key, release)
            if other is not None and frozenset((other.id, release.id)) not in clashing:
                cluster, namespace, kind, name = key
                message = f"{kind} {name} in namespace {namespace} of cluster {cluster} is also written by {other.id}"
                yield Finding("RS221", message, place(), "rename one of what gives the name", release=release.id)


def _clashing(releases: Sequence[ResolvedRelease]) -> Iterator[tuple[str, str]]:
    """The releases of which services are the same object, by id."""
    seen: dict[tuple[str, ...], str] = {}
    for release in releases:
        for key, _, _ in _claims(release):
            other = seen.setdefault(key, release.id)
            if other != release.id:
                yield other, release.id


def _objects(
    release: ResolvedRelease, drafts: Sequence[Draft]
) -> Iterator[tuple[tuple[str, str, str, str], Callable[[], Where]]]:
    """The address of each Kubernetes object of a release, and where it was written."""
    targets = release.environment.targets
    for draft in drafts:
        settings = targets.helm if draft.path.startswith("helm/") else targets.rollouts
        if settings is None or draft.path.startswith("compose/"):
            continue
        for index, document in enumerate(draft.documents or ()):
            path: Path = ()
            made = [(path, document)]
            if draft.elements_of:
                made = [((draft.elements_of, i), each) for i, each in enumerate(document[draft.elements_of])]
            for path, each in made:
                metadata = each.get("metadata")
                if "kind" not in each or not isinstance(metadata, Mapping) or "name" not in metadata:
                    continue
                cluster = settings.cluster or release.environment.path
                namespace = metadata.get("namespace") or settings.namespace
                kind, name = each["kind"], metadata["name"]
                # A template may write anything there; what is no text its schema refuses.
                if isinstance(namespace, str) and isinstance(kind, str) and isinstance(name, str):
                    place = partial(where, draft, release, index, (*path, "metadata", "name"))
                    yield (cluster, namespace, kind, name), place


def _claims(release: ResolvedRelease) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    targets = release.environment.targets
    for service in release.services.values():
        for name, settings in (("rollouts", targets.rollouts), ("helm", targets.helm)):
            if settings is not None and name in service.targets:
                cluster = settings.cluster or release.environment.path
                made = object_name(release.name, service.name)
                what = f"{made} in namespace {settings.namespace} of cluster {cluster}"
                yield ("kubernetes", cluster, settings.namespace, made), what, ("services", service.name)
    if targets.compose is not None and any("compose" in service.targets for service in release.services.values()):
        project = compose_project(release)
        yield ("compose", project), f"the compose project {project}", ("name",)


def compose_project(release: ResolvedRelease) -> str:
    """The project's name: the environment's own, or <env>-<release>."""
    compose = release.environment.targets.compose
    if compose is not None and compose.project is not None:
        return compose.project
    return f"{release.environment.path.replace('/', '-')}-{release.name}"


def addresses(releases: Sequence[ResolvedRelease]) -> Iterator[Finding]:
    """RS222: two services under one (gateway, host, path)."""
    seen: dict[tuple[str, str, str], str] = {}
    for release in releases:
        router = release.environment.spec.router
        if router is None:
            continue
        gateway = (router.istio.gateway if router.istio else None) or (router.gateway.parent if router.gateway else "")
        for service in release.services.values():
            exposed = exposure(release, service)
            if exposed is None:
                continue
            key = (gateway, exposed[0].host, exposed[0].path)
            label = f"{release.id}/{service.name}"
            other = seen.setdefault(key, label)
            if other != label:
                yield Finding(
                    "RS222",
                    f"{exposed[0].host}{exposed[0].path} already leads to {other}",
                    release.where(exposed[1]),
                    "give one of them another host or path",
                    release=release.id,
                )


def host_ports(releases: Sequence[ResolvedRelease]) -> Iterator[Finding]:
    """RS130: two compose releases of one environment that publish the same port: on one host the second does not start.

    A warning: whether they run on one host is not declared, and whatever goes back must not be held up by a guess.
    """
    seen: dict[tuple[str, int, bool], tuple[ResolvedRelease, str, Where]] = {}
    for release in releases:
        for service in release.services.values():
            for name, port in service.spec.ports.items() if "compose" in service.targets else ():
                if port.publish is None:
                    continue
                key = (release.environment.path, port.publish, port.protocol == "udp")
                place = service.where(("ports", name, "publish"))
                other, label, theirs = seen.setdefault(key, (release, f"{release.id}/{service.name}", place))
                if other is not release:
                    message = f"{label} publishes port {port.publish} in {release.environment.path}, too"
                    hint = "publish one of them on another port; if they run on two hosts, give each an environment"
                    related = (Related(f"{label} publishes it here", theirs),)
                    yield Finding("RS130", message, place, hint, related, release.id, Severity.WARNING)


def at_the_base(findings: Sequence[Finding], releases: Sequence[ResolvedRelease]) -> list[Finding]:
    """The findings, with an image that all releases of a base lack (RS202) said once: where the base has the service.

    Where some of them have one, the base means to leave it to them: then it is said of those that have none.
    """
    lacking: dict[Where, set[str]] = {}
    for finding in findings:
        for related in finding.related if finding.code == "RS202" else ():
            lacking.setdefault(related.where, set()).add(finding.release)
    of_the_base = {
        place
        for place, ids in lacking.items()
        if len(ids) > 1
        and not any(
            place.file in release.inputs and place.path[1] in release.services and release.id not in ids
            for release in releases
        )
    }
    return [
        replace(finding, where=finding.related[0].where, related=())
        if finding.code == "RS202" and finding.related and finding.related[0].where in of_the_base
        else finding
        for finding in findings
    ]


def unknown_uses(found: Found, releases: Sequence[ResolvedRelease]) -> Iterator[Finding]:
    """RS209: `uses` of a release that is not there."""
    known = {place.id for place in found.releases}
    for release in releases:
        for service in release.services.values():
            for index, used in enumerate(service.spec.uses or ()):
                if used not in known:
                    place = service.where(("uses", index))
                    hint = "write the release's id: <environment>/<name>"
                    yield Finding("RS209", f"there is no release {word(used)}", place, hint, release=release.id)


def ignored_env_files(resolver: Resolver, releases: Sequence[ResolvedRelease]) -> Iterator[Finding]:
    """RS440: .env lies beside compose.yaml and holds secrets, so Git must ignore it."""
    if not any(release.environment.targets.compose is not None for release in releases):
        return
    try:
        lines = [line.strip() for line in resolver.loader.text(".gitignore").decode("utf-8", "replace").splitlines()]
    except RelspecError:
        lines = []
    folders = {line.removesuffix("*").removesuffix("*").strip("/") for line in lines}
    if resolver.output in folders:
        return  # who commits no outputs ignores all of them
    if not any(line in IGNORED_ENV or posixpath.basename(line) == ".env" for line in lines):
        yield Finding(
            "RS440",
            ".gitignore does not keep .env files of compose out of Git",
            Where(".gitignore"),
            "add the line: rendered/**/.env",
        )


def tracked_env_files(files: Sequence[str]) -> Iterator[Finding]:
    """RS440 for each .env beside an output that Git tracks already: what it held is in the history."""
    for file in files:
        hint = f"run: git rm --cached {file}; then replace every secret that it held"
        yield Finding("RS440", "this file of secrets is tracked by Git", Where(file), hint)
