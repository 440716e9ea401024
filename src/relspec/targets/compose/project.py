"""What the services of one compose project share: its name, its networks, the way to the repository's root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from relspec.diagnostics import Path
from relspec.resolve import ResolvedEnvironment, ResolvedRelease, ResolvedService
from relspec.spec.environment import ComposeTarget

SETTINGS: Path = ("environment", "targets", "compose")
"""Where a release's path leads to the environment's `targets.compose`."""


class Project(Struct, frozen=True):
    """A release as this target sees it: `services` are those that it runs.

    `up` leads from the folder of compose.yaml to the root of the repository and ends with a slash.
    """

    services: Mapping[str, ResolvedService]
    environment: ResolvedEnvironment
    settings: ComposeTarget
    up: str


def project_of(release: ResolvedRelease, settings: ComposeTarget, output: str) -> Project:
    """The project of a release whose outputs lie below the folder `output` of the repository."""
    services = {name: service for name, service in release.services.items() if "compose" in service.targets}
    folders = f"{output}/{release.id}/compose".split("/")
    return Project(services, release.environment, settings, "../" * len(folders))


def project_name(release: ResolvedRelease, settings: ComposeTarget) -> str:
    """The compose project: `targets.compose.project`, else <env>-<release>."""
    return settings.project or f"{release.environment.path.replace('/', '-')}-{release.name}"


def alias(name: str) -> str:
    """The name by which a service is known in its own project only.

    A network that projects share may know an `api` of each, and the engine asks all networks of a container for a name.
    """
    return f"{name}.internal"


def networks(name: str, settings: ComposeTarget) -> dict[str, Any] | None:
    """The networks of a service: the project's own and the environment's; None where there is only the former."""
    if not settings.networks:
        return None
    return {
        "default": {"aliases": [alias(name)]},
        **{network: {} for network in settings.networks if network != "default"},
    }


def network_definitions(settings: ComposeTarget) -> dict[str, Any] | None:
    """The top-level `networks`."""
    networks = {name: kind for name, kind in (settings.networks or {}).items() if kind}
    return {name: {} if kind == "bridge" else {str(kind): True} for name, kind in networks.items()} or None
