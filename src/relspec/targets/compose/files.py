"""`files` as configs named by their content: Compose's service hash ignores what a config holds, but not its name."""

from __future__ import annotations

import hashlib

from relspec.facet import Facet
from relspec.resolve import File, ResolvedService
from relspec.targets.compose.interpolation import literal


def config_name(workload: str, content: bytes) -> str:
    """<workload>-<10 hex of the content>: another content is another config, and recreates what uses it."""
    return f"{workload}-{hashlib.sha256(content).hexdigest()[:10]}"


def configs(service: ResolvedService, workload: str, up: str) -> tuple[dict[str, Facet], list[Facet] | None]:
    """The configs of a service's files by name, and the service's own list of where it finds them.

    `up` leads from compose.yaml to the root of the repository. Compose copies `content` into the container, which it
    can't where the root is read-only: there, and for what no YAML text can hold, a config is the repository's own file.
    Inline content has none (see `unmountable`).
    """
    if not service.files:
        return {}, None
    definitions: dict[str, Facet] = {}
    mounts: list[Facet] = []
    for file in service.files:
        name = config_name(workload, file.content)
        origin = service.path + file.origin
        definitions[name] = _definition(file, service, up)
        mount = {"source": name, "target": literal(file.path)}
        mounts.append(Facet(mount, origin, dict.fromkeys(mount, origin)))
    return definitions, mounts


def unmountable(service: ResolvedService) -> tuple[File, ...]:
    """Inline files of a service whose root is read-only: Compose can't give it those."""
    return tuple(file for file in service.files if file.source is None) if _read_only(service) else ()


def _read_only(service: ResolvedService) -> bool:
    return service.spec.security is not None and service.spec.security.read_only is True


def _definition(file: File, service: ResolvedService, up: str) -> Facet:
    origin = service.path + file.origin
    text = None if file.source is not None and _read_only(service) else as_text(file.content)
    if text is None:
        return Facet({"file": literal(f"{up}{file.source}")}, origin, {"file": origin})
    return Facet({"content": literal(text)}, origin, {"content": origin})


def as_text(content: bytes) -> str | None:
    """The content as text; None where YAML or Compose could not carry it."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
