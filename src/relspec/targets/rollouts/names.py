"""Names and labels of Kubernetes objects. They never depend on the strategy, so that changing it replaces nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable

from relspec.resolve import File

MAX_NAME = 52
"""Characters of `n`: the Rollouts controller adds a hash of up to 10 to it, and a label holds 63."""


def object_name(release: str, service: str) -> str:
    """`n`: the release's name where the service has it too, else <release>-<service>."""
    return release if service == release else f"{release}-{service}"


def selector(name: str, release: str, track: str) -> dict[str, str]:
    """The labels that select a workload's pods; immutable for ever."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": release,
        "relspec.dev/track": track,
    }


def config_map_name(name: str, files: Iterable[File]) -> str:
    """<n>-<10 hex of content>: another content is another object, and the same content the same one."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(len(file.path).to_bytes(8, "big") + file.path.encode())
        digest.update(len(file.content).to_bytes(8, "big") + file.content)
    return f"{name}-{digest.hexdigest()[:10]}"


def slug(path: str) -> str:
    """A mount path as a part of a name: `/var/lib/Data` is `var-lib-data`."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in path.lower()).strip("-") or "root"


def distinct(
    things: Iterable[tuple[str, ...]], plain: Callable[[tuple[str, ...]], str], longest: int
) -> dict[tuple[str, ...], str]:
    """A name of at most `longest` characters for each thing, no two alike.

    It is the plain one. Where that is too long or two things would share it, all of these get 10 hex of their own hash,
    so that the order in which they were written decides nothing.
    """
    names = {thing: plain(thing) for thing in things}
    hashed = {thing for thing, name in names.items() if len(name) > longest}
    while True:
        found = {thing: _hashed(name, thing, longest) if thing in hashed else name for thing, name in names.items()}
        uses = Counter(found.values())
        shared = {thing for thing, name in found.items() if uses[name] > 1} - hashed
        if not shared:
            return found
        hashed |= shared


def _hashed(name: str, thing: tuple[str, ...], longest: int) -> str:
    digest = hashlib.sha256("\0".join(thing).encode()).hexdigest()[:10]
    return f"{name[: longest - 11].rstrip('-.')}-{digest}"
