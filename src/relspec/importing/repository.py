"""A Compose file as a repository of releases: one environment, `dev`, with one release that runs the same containers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.emit import emit
from relspec.importing import ports
from relspec.importing.compose_file import read
from relspec.importing.environment import secret_keys
from relspec.importing.interpolation import filled, host_values
from relspec.importing.service import service
from relspec.importing.shapes import misfits
from relspec.importing.taken import Context, Map, Places, label, labels
from relspec.reporters.text import printable
from relspec.resolve import Secret
from relspec.rules.services import RESERVED_ENDINGS
from relspec.starter import described, foundation
from relspec.targets.compose.interpolation import secret_variable

ENVIRONMENT = "dev"
PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Imported(Struct, frozen=True):
    """The files of the new repository, what a person should know, and the release's id."""

    files: Mapping[str, bytes]
    notes: tuple[str, ...]
    release: str


def imported(source: Path, root: Path) -> Imported:
    """What the Compose file `source` runs, as a repository at `root`.

    Raises RelspecError for a file that is none, and for `extends` and `include`, which Compose itself can resolve.
    """
    try:
        data = source.read_bytes()
    except OSError as error:
        raise RelspecError(Finding("RS240", f"{source} can't be read: {error.strerror}", Where(str(source)))) from error
    document = read(data, source.name)
    beside = source.parent / ".env"
    values = host_values(beside.read_text(encoding="utf-8", errors="replace")) if beside.is_file() else {}
    folder = Path(os.path.relpath(source.parent, root)).as_posix()
    return release_of(document, source.name, source.parent.name, folder, values)


def release_of(
    document: Mapping[str, Any], file: str, folder_name: str, folder: str, values: Mapping[str, str]
) -> Imported:
    """The same for a Compose file that was read: it lies in `folder`, seen from the repository."""
    problems = tuple(misfits(document, file))
    if problems:
        raise RelspecError(*problems)
    _refuse_unresolved(document, file)
    project = _project(document, folder_name, values)
    release = label(project, maximum=40)
    definitions = {str(name): value for name, value in document["services"].items()}
    context = Context(
        project=project,
        release=release,
        places=Places(folder, f"environments/{ENVIRONMENT}/{release}", f"rendered/{ENVIRONMENT}/{release}/compose"),
        services=_service_names(definitions),
        volumes=labels(str(name) for name in document.get("volumes") or {}),
        networks=tuple(_external_networks(document)),
        bind=ports.address(definitions, values),
        values=values,
        secrets=secret_keys(definitions),
        configs=document.get("configs") or {},
        secret_files=document.get("secrets") or {},
    )
    services: Map = {}
    notes: list[str] = []
    for name, definition in definitions.items():
        taken = service(name, definition, context)
        override = {"overrides": {"compose": {"service": dict(taken.override)}}} if taken.override else {}
        services[context.services[name]] = {**taken.fields, **override}
        notes += taken.notes
    notes += _volume_notes(document, context)
    notes += _network_notes(document, context)
    notes += _secret_notes(context, definitions)
    return Imported(_files(context, services, notes, file), tuple(notes), f"{ENVIRONMENT}/{release}")


def _refuse_unresolved(document: Mapping[str, Any], file: str) -> None:
    """What only Compose can put together is its to put together first."""
    hint = (
        f"let Compose resolve it: docker compose -f {file} config --no-interpolate --no-path-resolution > flat.yaml, "
        "then: relspec init --from flat.yaml"
    )
    if document.get("include"):
        raise RelspecError(Finding("RS122", f"{file} includes other files", Where(file, ("include",), "key"), hint))
    for name, definition in document["services"].items():
        if isinstance(definition, dict) and "extends" in definition:
            where = Where(file, ("services", name, "extends"), "key")
            raise RelspecError(Finding("RS122", f"{name} extends another service", where, hint))


def _project(document: Mapping[str, Any], folder_name: str, values: Mapping[str, str]) -> str:
    """The project's name as Compose makes it: keeping it keeps containers and volumes."""
    written = document.get("name")
    name = filled(str(written), values) if written is not None else folder_name
    plain = re.sub(r"[^a-z0-9_-]", "", (name or folder_name).lower()).lstrip("_-")[:63]
    return plain or "app"


def _service_names(definitions: Mapping[str, Any]) -> dict[str, str]:
    """Our name of each service; those that relspec gives itself (`api-router` beside `api`) get another ending."""
    found = labels(definitions)
    known = set(found.values())
    for name, ours in found.items():
        if any(ours.removesuffix(f"-{ending}") in known - {ours} for ending in RESERVED_ENDINGS):
            found[name] = label(f"{ours}-service", known)
    return found


def _external_networks(document: Mapping[str, Any]) -> Iterator[str]:
    for name, details in (document.get("networks") or {}).items():
        if isinstance(details, dict) and details.get("external"):
            real = str(details.get("name") or name)
            if label(real) == real:
                yield real


def _network_notes(document: Mapping[str, Any], context: Context) -> Iterator[str]:
    own = []
    for name, details in (document.get("networks") or {}).items():
        external = isinstance(details, dict) and details.get("external")
        if external and str((details or {}).get("name") or name) not in context.networks:
            yield f"the network {name} is not taken over: its name is no DNS label"
        elif name != "default" and not external:
            own.append(str(name))
    if own:
        yield f"the networks {', '.join(own)} are one now: all services of a release reach each other"
    if context.networks:
        yield f"every service joins {', '.join(context.networks)}: see targets.compose.networks of the environment"


def _volume_notes(document: Mapping[str, Any], context: Context) -> Iterator[str]:
    for name, details in (document.get("volumes") or {}).items():
        ours = f"{context.project}_{context.volumes[str(name)]}"
        settings = details if isinstance(details, dict) else {}
        real = str(settings.get("name") or (name if settings.get("external") else f"{context.project}_{name}"))
        if real != ours:
            yield (
                f"the volume {real} is now {ours}; to keep its data: docker run --rm -v {real}:/from -v {ours}:/to "
                "alpine cp -a /from/. /to"
            )
        lost = [
            key for key in settings if settings[key] and key not in ("name", "external") and settings[key] != "local"
        ]
        if lost:
            yield f"of the volume {name} only the name is taken over, not: {', '.join(lost)}"


def _secret_notes(context: Context, definitions: Mapping[str, Any]) -> Iterator[str]:
    """Which variables .env must hold now. Their values are never repeated."""
    said: dict[str, list[str]] = {}
    for (name, variable), key in context.secrets.items():
        said.setdefault(secret_variable(Secret(context.release, key)), []).append(f"{variable} of {name}")
    folder = context.places.output
    for variable, uses in said.items():
        yield f"{variable} in {folder}/.env is now {', '.join(uses)}: a secret, so it is not in the spec"
    if (context.values or said) and definitions:
        yield f"host variables are read from {folder}/.env, which Git ignores: copy yours there"


def _files(context: Context, services: Map, notes: list[str], file: str) -> dict[str, bytes]:
    environment_path = f"environments/{ENVIRONMENT}/environment.yaml"
    release_path = f"{context.places.release}/release.yaml"
    target: Map = {"bind": context.bind, "project": context.project}
    if context.networks:
        target["networks"] = dict.fromkeys(context.networks, "external")
    environment = {
        "apiVersion": "relspec/v1",
        "kind": "Environment",
        "name": ENVIRONMENT,
        "targets": {"compose": target},
    }
    release = {"apiVersion": "relspec/v1", "kind": "Release", "name": context.release, "services": services}
    comments = [f"# Taken over from {printable(file)}."]
    if notes:
        comments.append("# What differs, or needs a look:")
        comments += [f"#   - {printable(note)}" for note in notes]
    head = PROJECT_COMMENT + emit(environment)
    return {
        **foundation(README.replace("RELEASE", context.release), ignored=[".env"]),
        environment_path: described("environment", environment_path, head),
        release_path: described("release", release_path, "\n".join(comments) + "\n" + emit(release)),
    }


PROJECT_COMMENT = """\
# `project` is the name that the Compose file had: its containers and volumes are found again. Remove it when a second
# release comes here; each release then is a project of its own.
"""

README = """\
# Releases

What runs where, in Git. `environments/dev/RELEASE/release.yaml` says what runs; relspec compiles it into `rendered/`,
which is what gets deployed. Going back is `git revert`.

```sh
relspec check                            # what is wrong, if anything
relspec compile                          # writes rendered/
git add -A && git commit -m "Move to relspec"
docker compose -f rendered/dev/RELEASE/compose/compose.yaml up -d --wait --remove-orphans
```

The comments at the top of release.yaml say what differs from the Compose file that it was made from. Secrets and other
variables of the host lie in `rendered/dev/RELEASE/compose/.env`, which Git ignores.

To change something: edit release.yaml, then `relspec check && relspec compile`, and commit both. To go back:
`git revert HEAD`, then the last line above. `.github/workflows/relspec.yml` has the checks of a pull request; in GitLab
CI run the same two commands with `GIT_DEPTH: 0`. Refresh the schemas for editors with `relspec schema`.
"""
