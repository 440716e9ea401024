"""Which releases a change can reach, told from paths and bytes: nothing is parsed that did not change."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping

from relspec.discovery import ENVIRONMENT_FILE, OURS, RELEASE_FILE
from relspec.registry.records import FOLDER
from relspec.resolve import ENVIRONMENTS
from relspec.rules.changes.side import ESCAPE, Side

MODEL_FILE = "model.yaml"


def reached(base: Side, head: Side, changed: Collection[str] | None) -> list[str]:
    """The ids of the releases whose declared state or environment can differ, sorted; `changed` None: all of them."""
    if changed is None:
        return sorted({*base.places, *head.places})
    found = {*_by_folder(base, changed), *_by_folder(head, changed)}
    bases = frozenset(path for path in changed if _is_a_base(path, base, head))
    # Scanning the head is enough: a release that named a base or an alias before, and no longer does, changed itself.
    if bases:
        found.update(name for name, place in head.places.items() if head.extends_one_of(place, bases))
    for model in changed_models(base, head, changed):
        for alias in _other_aliases(base, head, model):
            found.update(mentioning(head, f"{model}@{alias}"))
    return sorted(found)


def mentioning(side: Side, words: str) -> Iterator[str]:
    """The ids of the releases whose specs hold `words`, and of those that may."""
    needle = words.encode()
    return (name for name, place in side.places.items() if side.mentions(place, needle))


def _by_folder(side: Side, changed: Collection[str]) -> Iterator[str]:
    """The releases in whose folder something changed, and those of an environment that changed."""
    for path in changed:
        environment = environment_of(path)
        if environment is not None:
            inside = f"{environment}/"
            yield from (place.id for place in side.places.values() if f"{place.environment}/".startswith(inside))
        release = release_of(path, side)
        if release is not None:
            yield release


def environment_of(path: str) -> str | None:
    """The environment whose document a path is; None for anything else."""
    inside, name = posixpath.split(path)
    return inside[len(ENVIRONMENTS) + 1 :] if name == ENVIRONMENT_FILE and path.startswith(f"{ENVIRONMENTS}/") else None


def release_of(path: str, side: Side) -> str | None:
    """The release in whose folder a path lies; None for an environment's document and for what belongs to none."""
    folder, name = posixpath.split(path)
    if name == ENVIRONMENT_FILE or not path.startswith(f"{ENVIRONMENTS}/"):
        return None
    while folder:
        release = side.ids_by_file.get(f"{folder}/{RELEASE_FILE}")
        if release is not None:
            return release
        folder = posixpath.dirname(folder)
    return None


def _is_a_base(path: str, *sides: Side) -> bool:
    """Whether a path is, or was, a document of ours that a release can extend."""
    if path.startswith((f"{ENVIRONMENTS}/", f"{FOLDER}/")):
        return False
    return any(_may_be_a_document(side, path) for side in sides)


def _may_be_a_document(side: Side, path: str) -> bool:
    """Whether a file outside the output folder is a document of relspec's, or may be: never a false no."""
    if path.startswith(f"{side.compiler.output}/") or side.tree.kind(path) != "file":
        return False
    text = side.text(path)
    return OURS in text or ESCAPE in text


def changed_models(base: Side, head: Side, changed: Collection[str] | None) -> list[str]:
    """The models whose model.yaml differs, sorted; one side may lack it."""
    if changed is None:
        names: Collection[str] = {*base.registry.models(), *head.registry.models()}
    else:
        parts = [path.split("/") for path in changed]
        names = {part[1] for part in parts if len(part) == 3 and part[0] == FOLDER and part[2] == MODEL_FILE}
    files = {name: f"{FOLDER}/{name}/{MODEL_FILE}" for name in names}
    return sorted(name for name, file in files.items() if base.text(file) != head.text(file))


def _other_aliases(base: Side, head: Side, name: str) -> set[str]:
    """The aliases of a model that came, went or moved."""
    before, after = ((model.aliases or {}) if model else {} for model in (base.model(name), head.model(name)))
    return {alias for alias in (*before, *after) if before.get(alias) != after.get(alias)}


def moved_aliases(
    base: Side, head: Side, changed: Collection[str] | None
) -> Mapping[str, Mapping[str, tuple[str, str]]]:
    """By model, the aliases that both sides have and that mean another version now: the old one and the new one."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for name in changed_models(base, head, changed):
        before, after = base.model(name), head.model(name)
        if before is None or after is None:
            continue
        now = after.aliases or {}
        moves = {
            alias: (version, now[alias])
            for alias, version in (before.aliases or {}).items()
            if alias in now and now[alias] != version
        }
        if moves:
            found[name] = moves
    return found
