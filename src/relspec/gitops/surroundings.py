"""What is around a release and makes outputs with it: the environment, the team's templates, the chart, the lock.

Other than a state these are the platform team's: a change of them may restart the release, and no rollback of the release
takes it back.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec import Struct

from relspec.diagnostics import RelspecError, Where
from relspec.gitops.changes import describe_environment, headline
from relspec.gitops.recording import RecordingTree
from relspec.loader import Loader, Memory
from relspec.lock import EDITION, LOCK
from relspec.lock import read as read_lock
from relspec.resolve import ResolvedEnvironment, Resolver
from relspec.tree import Tree, relative


class Surroundings(Struct, frozen=True):
    """What is around the releases of an environment, in one tree.

    `own` is what the release says of itself (canonical JSON): it may name a chart. `resolved` is None where the
    environment is missing or wrong. `files` are templates and charts, as files or folders. `asked` are all paths that
    any of it depends on.
    """

    environment: str
    own: str
    resolved: ResolvedEnvironment | None
    lock: Mapping[str, Any] | None
    files: frozenset[str]
    asked: frozenset[str]


def surroundings(tree: Tree, environment: str, own: str, memory: Memory) -> Surroundings:
    """What is around a release of `environment` that says `own` of itself. Raises nothing for what is wrong there."""
    recording = RecordingTree(tree)
    loader = Loader(recording, memory)
    try:
        resolved: ResolvedEnvironment | None = Resolver(loader).environment(environment)
    except RelspecError:
        resolved = None
    try:
        found = read_lock(loader)
        lock = found.model_dump(by_alias=True) if found is not None else None
    except RelspecError:
        lock = None
    files = frozenset(_files(resolved, own))
    return Surroundings(environment, own, resolved, lock, files, frozenset({*recording.asked, LOCK, *files}))


def _files(environment: ResolvedEnvironment | None, own: str) -> Iterator[str]:
    """Templates and charts, as paths in the repository."""
    helm = (json.loads(own) if own else {}).get("helm") or {}
    if isinstance(helm.get("chart"), str):
        yield helm["chart"]
    if environment is None:
        return
    targets = environment.targets
    for name in ("compose", "helm", "rollouts"):
        if getattr(targets, name) is not None:
            yield f"templates/{name}"
    if targets.helm is not None:
        for key, value in (("chart", targets.helm.chart), ("values", targets.helm.values)):
            if isinstance(value, str) and value != "scaffold":
                file = environment.file_of(("targets", "helm", key))
                try:
                    yield relative(file, value, origin=Where(file))
                except RelspecError:
                    continue


def difference(old: Surroundings, new: Surroundings, changed: Collection[str]) -> tuple[str, ...]:
    """What differs, in words; nothing where it means the same. `changed` are the paths that differ between the trees."""
    found: list[str] = []
    words = headline(describe_environment(old.resolved, new.resolved))
    if words:
        found.append(f"environment {new.environment}: {words}")
    files = old.files | new.files
    found += (path for path in sorted(changed) if any(path == file or path.startswith(f"{file}/") for file in files))
    if old.lock != new.lock:
        found.append(f"toolchain: {', '.join(_facts(old.lock, new.lock))}")
    return tuple(found)


def _facts(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[str]:
    """The facts of the lock that differ: `edition 1 -> 2`, and of a digest the name alone."""
    if old is None or new is None:
        yield f"{LOCK} is gone" if new is None else f"{LOCK} is new"
        return
    for name in sorted(old):
        if old[name] != new[name]:
            is_digest = str(new[name]).startswith("sha256:")
            yield name if is_digest else f"{name} {old[name]} -> {new[name]}"


def toolchain(name: str, tree: Tree, memory: Memory, so: str) -> tuple[str, ...]:
    """That a tree is compiled with another edition than this compiler's, and what follows (`so`); nothing where it is not.

    `name` is what a person calls the tree.
    """
    try:
        lock = read_lock(Loader(tree, memory))
    except RelspecError:
        return ()
    if lock is None or lock.edition == EDITION:
        return ()
    return (f"{name} is compiled with edition {lock.edition}, and this relspec is edition {EDITION}: {so}",)
