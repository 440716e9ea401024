"""How a rule says where: a path in a service or in the environment."""

from __future__ import annotations

from relspec.diagnostics import Finding, Part, Path
from relspec.resolve import ResolvedEnvironment, ResolvedService


def at_service(
    service: ResolvedService, code: str, path: Path, message: str, hint: str, part: Part = "value"
) -> Finding:
    """A finding about the node at `path` of a service, at the line of the layer that wrote it."""
    return Finding(code, message, service.where(path, part), hint)


def at_environment(
    environment: ResolvedEnvironment, code: str, path: Path, message: str, hint: str, part: Part = "value"
) -> Finding:
    """A finding about the node at `path` of an environment."""
    return Finding(code, message, environment.where(path, part), hint)
