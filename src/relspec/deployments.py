"""Where the versions of a model run, and which of them there is to go back to.

What is active is derived from the environments, never stored: so it can't lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.registry.records import FOLDER, Lifecycle, Registry
from relspec.registry.versions import Version, parse_version, rollback_candidates
from relspec.resolve import ResolvedRelease, ResolvedService

Role = Literal["stable", "candidate", "variant"]


class Deployment(Struct, frozen=True):
    """A service that runs a version; `role` says whether for everybody, for part of the traffic, or as a fallback."""

    release: str
    environment: str
    service: str
    role: Role
    model: str
    version: str
    alias: str | None


class Standing(Struct, frozen=True):
    """A version of a model and how it stands. `quarantine` is the reason of one that is in force."""

    version: str
    lifecycle: Lifecycle
    quarantine: str | None
    aliases: tuple[str, ...]
    active: tuple[Deployment, ...]

    @property
    def deployable(self) -> bool:
        """Whether going to it is allowed: neither archived nor quarantined."""
        return self.lifecycle != "archived" and self.quarantine is None


def deployments(releases: Iterable[ResolvedRelease]) -> tuple[Deployment, ...]:
    """What runs which version, sorted by release and service."""
    every = [each for release in releases for each in _of_release(release)]
    return tuple(sorted(every, key=lambda each: (each.release, each.service)))  # stable before its candidate


def _of_release(release: ResolvedRelease) -> Iterator[Deployment]:
    for service in release.services.values():
        yield from _of_service(release, service, "variant" if service.active else "stable")
        if service.candidate is not None:
            yield from _of_service(release, service.candidate, "candidate")


def _of_service(release: ResolvedRelease, service: ResolvedService, role: Role) -> Iterator[Deployment]:
    model = service.model
    if model is not None:
        environment = release.environment.path
        yield Deployment(release.id, environment, service.name, role, model.name, model.version, model.alias)


def within(environment: str, every: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """Those in an environment or in one inside it."""
    return tuple(each for each in every if f"{each.environment}/".startswith(f"{environment}/"))


def standings(registry: Registry, model: str, every: Iterable[Deployment]) -> tuple[Standing, ...]:
    """The versions of a model, newest first. Raises RelspecError: RS201 for an unknown model, and what is wrong in it."""
    if model not in registry.models():
        known = ", ".join(registry.models()) or "none"
        raise RelspecError(Finding("RS201", f"there is no model {model}", Where(FOLDER), f"known: {known}"))
    document = registry.model(model)
    active = [each for each in every if each.model == model]
    aliases = document.aliases or {}
    found = []
    for version in ordered(registry, model):
        quarantine = (document.quarantine or {}).get(version.text)
        found.append(
            Standing(
                version=version.text,
                lifecycle=(document.lifecycle or {}).get(version.text, "available"),
                quarantine=quarantine.reason if quarantine is not None and quarantine.lifted is None else None,
                aliases=tuple(sorted(alias for alias, meant in aliases.items() if meant == version.text)),
                active=tuple(each for each in active if each.version == version.text),
            )
        )
    return tuple(found)


def ordered(registry: Registry, model: str) -> tuple[Version, ...]:
    """The versions of a model that have a record, newest first; those that don't fit its scheme are left out."""
    scheme = registry.model(model).versioning
    parsed = [parse_version(text, scheme) for text in registry.versions(model)]
    return tuple(sorted((version for version in parsed if version is not None), reverse=True))


def before(registry: Registry, model: str, version: str, every: Iterable[Standing]) -> tuple[Standing, ...]:
    """The versions to go back to from `version`, newest first: deployable ones that are older."""
    current = parse_version(version, registry.model(model).versioning)
    if current is None:
        return ()
    older = {each.text for each in rollback_candidates(ordered(registry, model), current)}
    return tuple(each for each in every if each.version in older and each.deployable)
