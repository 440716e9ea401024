"""The files that make a release what it was: its own ones byte by byte, all else as explicit values of its own.

Git's merge has no part in it: that one guesses renames, and can take another release back silently. What other releases
read stays as it is.
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from relspec import documents, edits
from relspec.compiler import CompiledRelease, Compiler
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.discovery import ENVIRONMENT_FILE, RELEASE_FILE, Place
from relspec.gitops.commit_tree import CommitTree, Entry
from relspec.gitops.declared import Declared, declare
from relspec.gitops.explicit import Explicit, Sides, with_explicit_values, without_bases
from relspec.gitops.overlay import OverlayTree
from relspec.gitops.relative_paths import PathKind, from_file_to_file, moved_document
from relspec.loader import Memory
from relspec.registry.records import FOLDER, model_file, record_file
from relspec.resolve import ENVIRONMENTS
from relspec.tree import relative

Files = Mapping[str, bytes | None]
"""New bytes by path; None: no file there any more."""

Blob = Callable[[str, str], bytes]
"""The bytes of an object, given its id and a path to name it by."""


class Goal(Struct, frozen=True):
    """What is to be restored: `then` is what the release declared in the tree `before`; `place` is where it lies at `head`,
    or will lie. `services` None: all of it."""

    place: Place
    then: Declared
    head: CommitTree
    before: CommitTree
    services: frozenset[str] | None = None
    commit: str = ""
    """What a line to type calls the commit of `before`."""


class Restored(Struct, frozen=True):
    """The files that restore a release. `differs` are the services (`*`: the release's own fields) that would not declare
    what they declared, `problem` says why nothing better could be done."""

    files: Files
    explicit: tuple[Explicit, ...] = ()
    records: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    stopped: bool = False
    problem: Finding | None = None
    compiled: CompiledRelease | None = None
    """What the release compiles to with these files alone."""
    modes: Mapping[str, str] = field(default_factory=dict)
    """The modes of the files that were not what they are: run.sh was executable."""

    @property
    def good(self) -> bool:
        """Whether the release declares what it did, and compiles."""
        return not self.differs and not self.stopped


def restore(goal: Goal, blob: Blob, memory: Memory | None = None) -> Restored:
    """The files that restore a release at HEAD; nothing that another release reads is among them, but for records added.

    Raises RelspecError: RS241 for a link or submodule that would have to come back, and what an edit of release.yaml may.
    """
    records = _records(goal, blob)
    plain = {**(_whole(goal, blob) if goal.services is None else _parts(goal, blob)), **records}
    modes = _modes(goal, plain)
    best = _judged(goal, Restored(plain, records=tuple(records), modes=modes), memory)
    if best.good or goal.then.broken:
        return best
    attempts: Sequence[Any] = (with_explicit_values, without_bases)
    for attempt in attempts[: 2 if goal.services is None else 1]:
        sides = Sides(goal.before, goal.then.place, OverlayTree(goal.head, plain), goal.place, goal.services, memory)
        try:
            release, explicit = attempt(sides, OverlayTree(goal.head, plain).read(goal.place.file))
        except RelspecError as error:
            best = best if best.problem is not None else replace(best, problem=error.findings[0])
            continue
        files = {**plain, goal.place.file: release}
        found = _judged(goal, Restored(files, explicit, tuple(records), modes=modes), memory)
        if found.good:
            return found
        if len(found.differs) < len(best.differs):
            best = replace(found, problem=best.problem)
    return best


def _judged(goal: Goal, restored: Restored, memory: Memory | None) -> Restored:
    """Whether the release would declare what it did, and compile."""
    tree = OverlayTree(goal.head, restored.files)
    now = declare(tree, goal.place.id, memory, goal.place.file)
    names = goal.services
    if not isinstance(now, Declared):
        return replace(restored, differs=tuple(sorted(names or goal.then.services or {"*"})), stopped=True)
    if now.broken or goal.then.broken:
        same = now.key == goal.then.key
        return replace(restored, differs=() if same else tuple(sorted(goal.then.services or {"*"})), stopped=now.broken)
    differs = [
        name
        for name in sorted({*now.services, *goal.then.services})
        if (names is None or name in names)
        and (
            now.services.get(name) != goal.then.services.get(name) or now.levers.get(name) != goal.then.levers.get(name)
        )
    ]
    compiled = Compiler(tree, any_edition=True, memory=memory).release(now.place)
    return replace(restored, differs=tuple(differs), stopped=compiled.stopped, compiled=compiled)


# --- the release's own files


def own_files(tree: CommitTree, place: Place, shared: frozenset[str] = frozenset()) -> dict[str, Entry]:
    """The files that belong to a release, by their path below its folder.

    All of its folder; of one beside an environment.yaml release.yaml, and the files that it names, but for `shared` ones.
    """
    folder = posixpath.dirname(place.file)
    if folder != f"{ENVIRONMENTS}/{place.environment}":
        return {path[len(folder) + 1 :]: entry for path, entry in tree.files(folder)}
    named = {path for path in _named(tree, place.file) if path.startswith(f"{folder}/")} - shared
    found = {path: entry for path in sorted({place.file, *named}) if (entry := tree.entry(path)) is not None}
    return {path[len(folder) + 1 :]: entry for path, entry in found.items()}


def _whole(goal: Goal, blob: Blob) -> dict[str, bytes | None]:
    """The release's own files as they were, under its present name; those that came since are gone."""
    shared = _shared(goal.head, goal.place)
    here = own_files(goal.head, goal.place, shared)
    there = own_files(goal.before, goal.then.place, shared)
    return _moved(goal, here, there, blob)


def moved(tree: CommitTree, place: Place, to: Place, blob: Blob) -> Files:
    """The files by which a release of a tree lies at another place of it, under that name."""
    there = own_files(tree, place)
    goal = Goal(to, Declared(place, {}, "", frozenset()), tree, tree)
    folder = posixpath.dirname(place.file)
    gone: dict[str, bytes | None] = {f"{folder}/{name}": None for name in there}
    return gone | _moved(goal, {}, there, blob)


def _moved(goal: Goal, here: Mapping[str, Entry], there: Mapping[str, Entry], blob: Blob) -> dict[str, bytes | None]:
    folder, former = (posixpath.dirname(place.file) for place in (goal.place, goal.then.place))
    changes: dict[str, bytes | None] = {}
    for name in sorted({*here, *there}):
        now, then = here.get(name), there.get(name)
        path = f"{folder}/{name}"
        if then is not None and name == RELEASE_FILE:
            data = _renamed(blob(then.id, f"{former}/{name}"), goal)
            if now is None or data != blob(now.id, path) or _runs(now) != _runs(then):
                changes[path] = data
        elif now is not None and then is not None and _same(now, then):
            continue
        elif any(entry is not None and entry.kind == "other" for entry in (now, then)) or (
            then is not None and then.kind != "file"
        ):
            raise _refused(goal, name, then)
        else:
            changes[path] = blob(then.id, f"{former}/{name}") if then is not None else None
    return changes


def _same(one: Entry, other: Entry) -> bool:
    return (one.kind, one.id, _runs(one)) == (other.kind, other.id, _runs(other))


def _runs(entry: Entry) -> bool:
    """Whether a file is executable: all that Git keeps of its rights."""
    return entry.mode == "100755"


def _modes(goal: Goal, files: Files) -> dict[str, str]:
    """The modes that files of the release had then, where they have another one now, or would get one."""
    folder, former = (f"{posixpath.dirname(place.file)}/" for place in (goal.place, goal.then.place))
    found: dict[str, str] = {}
    for path, data in files.items():
        then = goal.before.entry(former + path.removeprefix(folder)) if path.startswith(folder) else None
        if (
            data is None
            or then is None
            or then.kind != "file"
            or (path == goal.place.file and goal.services is not None)
        ):
            continue
        now = goal.head.entry(path)
        if _runs(then) != (now is not None and _runs(now)):
            found[path] = "100755" if _runs(then) else "100644"
    return found


def _refused(goal: Goal, name: str, then: Entry | None) -> RelspecError:
    """RS241: what is no plain file is neither written nor removed, and what to type instead."""
    folder, former = (posixpath.dirname(place.file) for place in (goal.place, goal.then.place))
    if then is None or then.kind == "file":
        path = f"{folder}/{name}"
        hint = f"take it out first, and commit that: git rm {shlex.quote(path)}; then roll back"
        message = f"{path} is a symbolic link or a submodule, which a rollback does not remove"
        return RelspecError(Finding("RS241", message, Where(path), hint))
    path = f"{former}/{name}"
    message = f"{path} was a symbolic link or a submodule, which is never written"
    hint = f"put it back by hand, and commit that: git checkout {goal.commit or 'COMMIT'} -- {shlex.quote(path)}; then roll back"
    return RelspecError(Finding("RS241", message, Where(path), hint))


def _renamed(release: bytes, goal: Goal) -> bytes:
    """release.yaml under the present name, its relative paths as they are right in the present folder."""
    old, new = goal.then.place, goal.place
    if old == new:
        return release
    document = documents.parse(release, old.file)
    wanted = moved_document(document, from_file_to_file(old.file, new.file))
    if "name" in wanted:
        wanted["name"] = new.id.rpartition("/")[2]
    return edits.rewrite(release, wanted, file=new.file)


def _named(tree: CommitTree, file: str, service: str | None = None) -> set[str]:
    """The files of the repository that a document names (or one service of it), those of a folder one by one."""
    try:
        document = documents.parse(tree.read(file), file)
    except RelspecError:
        return set()
    if service is not None:
        document = {"services": {service: (document.get("services") or {}).get(service)}}
    return set(_files_of(tree, file, document))


def _files_of(tree: CommitTree, file: str, document: dict[str, Any]) -> Iterator[str]:
    paths: list[str] = []

    def note(path: str, kind: PathKind) -> str:
        if kind in ("file", "helm"):
            paths.append(path)
        return path

    moved_document(document, note)
    for path in paths:
        try:
            target = relative(file, path, origin=Where(file))
        except RelspecError:
            continue
        if tree.kind(target) == "folder":
            yield from (name for name, _ in tree.files(target))
        else:
            yield target


def _shared(tree: CommitTree, place: Place) -> frozenset[str]:
    """The files beside an environment.yaml that others than the release itself name."""
    folder = posixpath.dirname(place.file)
    if folder != f"{ENVIRONMENTS}/{place.environment}":
        return frozenset()
    found: set[str] = set()
    for path, _ in tree.files(folder):
        if path != place.file and posixpath.basename(path) in (RELEASE_FILE, ENVIRONMENT_FILE):
            found |= _named(tree, path) | _named_by_defaults(tree, path)
    return frozenset(found)


def _named_by_defaults(tree: CommitTree, file: str) -> set[str]:
    try:
        defaults = documents.parse(tree.read(file), file).get("defaults")
    except RelspecError:
        return set()
    return set(_files_of(tree, file, defaults)) if isinstance(defaults, dict) else set()


# --- some services alone


def _parts(goal: Goal, blob: Blob) -> dict[str, bytes | None]:
    """release.yaml with the nodes of some services as they were, and the files that they alone name."""
    file, former = goal.place.file, goal.then.place.file
    release = goal.head.read(file)
    said = moved_document(documents.parse(goal.before.read(former), former), from_file_to_file(former, file))
    changes: dict[str, bytes | None] = {}
    for name in sorted(goal.services or ()):
        held = documents.parse(release, file).get("services") or {}
        wanted = said.get("services") or {}
        if name == "*":
            continue
        if name in wanted:
            release = edits.put(release, ("services", name), wanted[name], file=file)
        elif name in held:
            release = edits.remove(release, ("services", name), file=file)
        changes |= _files_alone(goal, name, blob)
    if release != goal.head.read(file):
        changes[file] = release
    return changes


def _files_alone(goal: Goal, service: str, blob: Blob) -> dict[str, bytes | None]:
    """The files of the release's folder that one service alone names, as they were."""
    folder, former = (f"{posixpath.dirname(place.file)}/" for place in (goal.place, goal.then.place))
    then = {path for path in _named(goal.before, goal.then.place.file, service) if path.startswith(former)}
    now = {path for path in _named(goal.head, goal.place.file, service) if path.startswith(folder)}
    wanted = {folder + path[len(former) :]: goal.before.entry(path) for path in then}
    others = _shared(goal.head, goal.place) | _named_by_others(goal, service)
    changes: dict[str, bytes | None] = {}
    for path in sorted({*wanted, *now} - others):
        entry, present = wanted.get(path), goal.head.entry(path)
        if entry is not None and entry.kind == "file" and (present is None or not _same(present, entry)):
            changes[path] = blob(entry.id, path)
        elif entry is None and path in now and present is not None:
            changes[path] = None
    return changes


def _named_by_others(goal: Goal, service: str) -> set[str]:
    file = goal.place.file
    try:
        document = documents.parse(goal.head.read(file), file)
    except RelspecError:
        return set()
    services = {name: each for name, each in (document.get("services") or {}).items() if name != service}
    return set(_files_of(goal.head, file, {**document, "services": services}))


# --- the registry


def _records(goal: Goal, blob: Blob) -> dict[str, bytes | None]:
    """The records that the release needs and that are gone; of a model that is gone, all that there was of it."""
    found: dict[str, bytes | None] = {}
    for reference in sorted(references(goal.then)):
        model, _, version = reference.partition("@")
        wanted = [record_file(model, version)]
        if goal.head.kind(model_file(model)) == "missing":
            wanted += [path for path, _ in goal.before.files(f"{FOLDER}/{model}")]
        for path in wanted:
            entry = goal.before.entry(path)
            if goal.head.kind(path) == "missing" and entry is not None and entry.kind == "file":
                found[path] = blob(entry.id, path)
    return found


def references(declared: Declared) -> set[str]:
    """Every exact version that a state can run: in use, as a candidate, as a variant."""
    texts = [*declared.services.values(), *(lever.rest for lever in declared.levers.values())]
    return {reference for text in texts for reference in json.loads(text).get("$records", {})}
