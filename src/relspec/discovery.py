"""Which environments and releases a tree has: found from folders alone, without parsing a release."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container, Iterable, Iterator, Sequence

from msgspec import Struct

from relspec.diagnostics import Diagnostic, Finding, RelspecError, Where
from relspec.loader import Loader
from relspec.resolve import ENVIRONMENTS
from relspec.spec.release import Release
from relspec.tree import MAX_FOLDERS, NOT_OURS, Tree, not_ours, too_deep

ENVIRONMENT_FILE = "environment.yaml"
RELEASE_FILE = "release.yaml"
MISNAMED = {"environment.yml": ("RS214", ENVIRONMENT_FILE), "release.yml": ("RS200", RELEASE_FILE)}
"""Names that look right and that nothing reads."""

FILES = {ENVIRONMENT_FILE: "RS214", RELEASE_FILE: "RS200"}
"""What is said of a folder with the name of a file: left unsaid, the release would be gone, and its outputs with it."""

OURS = b"relspec/v1"
"""What tells a document of ours from another tool's file of the same name among the files of a release."""


class Place(Struct, frozen=True, order=True):
    """Where a release lies. `id` is <environment path>/<name>."""

    id: str
    file: str
    environment: str


class Found(Struct, frozen=True):
    """The environments and releases of a tree, sorted, and what is wrong with how they lie."""

    environments: tuple[str, ...]
    releases: tuple[Place, ...]
    findings: tuple[Finding, ...] = ()


def discover(tree: Tree, loader: Loader) -> Found:
    """Everything below environments/.

    RS220 where two things claim one path, or one lies inside a release; RS200 and RS214 for a file that nothing would
    read and for a folder in the place of one; RS241 for a link, behind which a release or an environment would be lost.
    """
    environments: list[str] = []
    places: list[Place] = []
    kind = tree.kind(ENVIRONMENTS)
    findings = [not_ours(ENVIRONMENTS, kind, Where(ENVIRONMENTS))] if kind in NOT_OURS else []
    known: set[str] = set()
    for folder, names, has_folders, problems in _folders(tree, ENVIRONMENTS):
        if folder.count("/") > MAX_FOLDERS:
            findings.append(too_deep(folder))
            continue
        findings += problems
        path = folder[len(ENVIRONMENTS) + 1 :]
        for name in MISNAMED:
            if name in names and (RELEASE_FILE not in names or _is_ours(loader, f"{folder}/{name}")):
                findings.append(_misnamed(folder, name))
        if ENVIRONMENT_FILE in names and not path:
            findings.append(_outside())
        elif ENVIRONMENT_FILE in names:
            environments.append(path)
            known.add(path)
        if RELEASE_FILE not in names:
            continue
        file = f"{folder}/{RELEASE_FILE}"
        environment = enclosing(path, known)
        if environment is None:
            findings += _homeless(tree, folder)
            continue
        name = _own_name(loader, file) if environment == path else path.rpartition("/")[2]
        places.append(Place(f"{environment}/{name}", file, environment))
        if has_folders and environment != path:
            findings += _inside(tree, loader, folder)
    findings += _clashes(tree, environments, places)
    return Found(tuple(sorted(environments)), tuple(sorted(places)), tuple(findings))


def not_said(findings: Iterable[Finding], said: Iterable[Finding | Diagnostic]) -> Iterator[Finding]:
    """The findings but for links (RS241) that `said` names already, where something leads to them: one link, one answer."""
    known = {link for link in map(_link_named, said) if link}
    return (finding for finding in findings if _link_named(finding) not in known)


def _link_named(finding: Finding | Diagnostic) -> str:
    """The path of the link that a finding is about; empty where it is about none."""
    named = (
        re.match(r"(.+) is a (?:symbolic link|submodule|named pipe|socket|device)", finding.message)
        if finding.code == "RS241"
        else None
    )
    return named[1] if named is not None else ""


def release_at(tree: Tree, loader: Loader, file: str) -> Place | None:
    """The release that a release.yaml holds, without looking at any other; None where it is none of an environment."""
    folder = posixpath.dirname(file)
    if not folder.startswith(f"{ENVIRONMENTS}/") or tree.kind(file) != "file":
        return None
    if tree.kind(f"{folder}/{ENVIRONMENT_FILE}") == "file":
        environment = folder[len(ENVIRONMENTS) + 1 :]
        return Place(f"{environment}/{_own_name(loader, file)}", file, environment)
    outer = posixpath.dirname(folder)
    while outer != ENVIRONMENTS and tree.kind(f"{outer}/{ENVIRONMENT_FILE}") != "file":
        outer = posixpath.dirname(outer)
    environment = outer[len(ENVIRONMENTS) + 1 :]
    return Place(f"{environment}/{posixpath.basename(folder)}", file, environment) if environment else None


def place_of(tree: Tree, loader: Loader, release: str, file: str | None = None) -> Place | None:
    """Where the release with an id lies, without looking at any other; None where there is none.

    In a folder of its own, or beside the environment.yaml whose path the id starts with. `file` is where it lies in
    another tree: of a release in a folder between its environment's and its own, the id alone does not say it.
    """
    own = f"{ENVIRONMENTS}/{release}/{RELEASE_FILE}"
    beside = f"{ENVIRONMENTS}/{posixpath.dirname(release)}/{RELEASE_FILE}"
    for path in dict.fromkeys((file or own, own, beside)):
        place = release_at(tree, loader, path)
        if place is not None and place.id == release:
            return place
    return None


def _folders(tree: Tree, folder: str) -> Iterator[tuple[str, frozenset[str], bool, Sequence[Finding]]]:
    """Each folder with the names of its files, whether it has folders, and what is wrong with its other entries; outer
    ones first.

    A release's own subfolders are its files.
    """
    entries = tree.entries(folder)
    files = frozenset([name for name, kind in entries if kind == "file"])
    if len(files) == len(entries):  # most folders of a fleet
        yield folder, files, False, ()
        return
    links = ((f"{folder}/{name}", kind) for name, kind in entries if kind in NOT_OURS)
    problems = [not_ours(path, kind, Where(path)) for path, kind in links]
    folders = [name for name, kind in entries if kind == "folder"]
    problems += (_no_file(folder, name) for name in folders if name in FILES)
    yield folder, files, bool(folders), problems
    if (RELEASE_FILE in files and ENVIRONMENT_FILE not in files) or folder.count("/") > MAX_FOLDERS:
        return
    for name in folders:
        yield from _folders(tree, f"{folder}/{name}")


def _no_file(folder: str, name: str) -> Finding:
    path = f"{folder}/{name}"
    return Finding(FILES[name], f"{path} is a folder, not a file", Where(path), f"rename it, and write a file {name}")


def enclosing(path: str, known: Container[str]) -> str | None:
    """The innermost of some known paths, of environments or of releases, that is `path` or holds it."""
    while path:
        if path in known:
            return path
        path = path.rpartition("/")[0]
    return None


def _homeless(tree: Tree, folder: str) -> Iterator[Finding]:
    """RS200: a release that lies in no environment. Where a link is the reason, that one has been named."""
    if not _is_behind_a_link(tree, folder):
        where = Where(f"{folder}/{RELEASE_FILE}", (), "key")
        hint = f"add {ENVIRONMENT_FILE} to a folder above it"
        yield Finding("RS200", "this release lies in no environment", where, hint)


def _is_behind_a_link(tree: Tree, folder: str) -> bool:
    """Whether the environment.yaml of a folder, or of one above it, is a link."""
    while folder.startswith(f"{ENVIRONMENTS}/"):
        if tree.kind(f"{folder}/{ENVIRONMENT_FILE}") in NOT_OURS:
            return True
        folder = posixpath.dirname(folder)
    return False


def _misnamed(folder: str, name: str) -> Finding:
    code, right = MISNAMED[name]
    message = f"{name} is not read: the file is called {right}"
    return Finding(code, message, Where(f"{folder}/{name}", (), "key"), f"rename it: git mv {name} {right}")


def _outside() -> Finding:
    file = f"{ENVIRONMENTS}/{ENVIRONMENT_FILE}"
    message = f"{ENVIRONMENTS}/ itself is no environment"
    return Finding(
        "RS214", message, Where(file, (), "key"), f"move it to {ENVIRONMENTS}/<name>/, which inner environments inherit"
    )


def _inside(tree: Tree, loader: Loader, release: str) -> Iterator[Finding]:
    """RS220: releases and environments among the files of a release, where they would never be found."""
    known = (ENVIRONMENT_FILE, RELEASE_FILE, *MISNAMED)
    for folder, names in _subfolders(tree, release):
        for name in known:
            file = f"{folder}/{name}"
            if name in names and _is_ours(loader, file):
                yield Finding(
                    "RS220",
                    f"this file lies inside the release {release.removeprefix(ENVIRONMENTS + '/')}",
                    Where(file, ("name",)),
                    "move its folder beside the release's",
                )


def _subfolders(tree: Tree, folder: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Each folder below one with the names of its files."""
    for name, kind in tree.entries(folder):
        if kind == "folder":
            inner = f"{folder}/{name}"
            yield inner, frozenset(name for name, kind in tree.entries(inner) if kind == "file")
            if inner.count("/") <= 2 * MAX_FOLDERS:
                yield from _subfolders(tree, inner)


def _is_ours(loader: Loader, file: str) -> bool:
    try:
        return OURS in loader.text(file)
    except RelspecError:
        return False


def _own_name(loader: Loader, file: str) -> str:
    """The free name of a release that lies beside environment.yaml; its folder's where the file can't be read."""
    try:
        name = loader.document(file, Release, "Release").get("name")
    except RelspecError:
        return posixpath.basename(posixpath.dirname(file))
    return name if isinstance(name, str) else posixpath.basename(posixpath.dirname(file))


def _clashes(tree: Tree, environments: list[str], places: list[Place]) -> Iterator[Finding]:
    known = set(environments)
    first: dict[str, Place] = {}
    for place in places:
        if place.id in known:
            message = f"{place.id} is an environment and a release"
            yield Finding("RS220", message, _named(place), "rename one of the two", release=place.id)
        elif place.file == f"{ENVIRONMENTS}/{place.environment}/{RELEASE_FILE}":
            folder = f"{ENVIRONMENTS}/{place.id}"
            if tree.kind(f"{folder}/{RELEASE_FILE}") != "file" and tree.kind(folder) == "folder":
                message = f"{folder}/ is there already, and a release of this name counts as lying in it"
                yield Finding("RS220", message, _named(place), "rename one of the two", release=place.id)
        other = first.setdefault(place.id, place)
        if other is not place:
            message = f"{other.file} is also the release {place.id}"
            yield Finding("RS220", message, _named(place), "rename one of the two", release=place.id)


def _named(place: Place) -> Where:
    return Where(place.file, ("name",))
