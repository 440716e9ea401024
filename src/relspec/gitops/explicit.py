"""What a release inherited when it ran, written out in its own release.yaml, where others have changed it since.

A base, an alias or a file of another folder belongs to more releases than the one that goes back. So these stay as they
are, and the release itself says what it had from them. Values in, values and bytes out.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from relspec import documents, edits
from relspec.diagnostics import Finding, Path, RelspecError, Where
from relspec.discovery import Place
from relspec.gitops.declared import RELEASE, layered_release
from relspec.gitops.relative_paths import PathKind, moved_service, written_in
from relspec.layers import ATOMS, WHOLE, Data
from relspec.loader import Loader, Memory
from relspec.resolve import Resolver, model_references
from relspec.tree import Tree, walk


class Explicit(Struct, frozen=True):
    """A value that release.yaml now says itself. `path` is the one in release.yaml, `instead` what said it before."""

    path: Path
    why: Literal["base", "alias", "file"]
    instead: str

    @property
    def words(self) -> str:
        """`api.model is pinned (was als@prod)`, with the path as `relspec explain` takes it."""
        service = len(self.path) > 1 and self.path[0] == "services"
        name = edits.dotted(self.path[1:]) if service else "." + edits.dotted(self.path)
        return {
            "alias": f"{name} is pinned: {self.instead} is another version now",
            "file": f"{name} is written out: {self.instead} has changed since",
            "base": f"{name} is explicit: {self.instead} {'have' if ', ' in self.instead else 'has'} changed since",
        }[self.why]


class Sides(Struct, frozen=True):
    """The release as it was in the tree `then`, and as it would be in the tree `now` without explicit values."""

    then: Tree
    place_then: Place
    now: Tree
    place_now: Place
    services: frozenset[str] | None
    """The services that go back; None: all, and the release's own fields."""
    memory: Memory | None = None


class _Wanted(Struct, frozen=True):
    """What each service said when it ran, in the words of the present release.yaml: aliases that mean something else by
    now are `pinned`, files that hold something else `inlined`."""

    services: Mapping[str, Data]
    pinned: Mapping[Path, str]
    inlined: Mapping[Path, str]


def with_explicit_values(sides: Sides, release: bytes) -> tuple[bytes, tuple[Explicit, ...]]:
    """release.yaml with the fewest values that make it say what it said; the bases stay in force for all else.

    Raises RelspecError where a base is gone or a file can't be edited.
    """
    wanted = _wanted(sides)
    layers = Resolver(Loader(sides.now, sides.memory)).documents(sides.place_now.file)
    written = written_in(sides.place_now.file)
    present = {name: moved_service(said, written) for name, said in layered_release(layers).items()}
    bases = ", ".join(_bases(sides))
    found: list[Explicit] = []
    for name in sorted({*wanted.services, *present}):
        if sides.services is not None and name not in sides.services:
            continue
        for path, value in _differences(name, wanted.services.get(name), present.get(name)):
            release = edits.put(release, path, value, file=sides.place_now.file)
            found += _reasons(path, wanted, bases)
    return _with_comments(release, found, wanted, sides), tuple(found)


def without_bases(sides: Sides, release: bytes) -> tuple[bytes, tuple[Explicit, ...]]:
    """release.yaml with all that it had from its bases, and no base. Raises RelspecError as `with_explicit_values`."""
    wanted = _wanted(sides)
    file = sides.place_now.file
    own = documents.parse(release, file)
    document = {key: value for key, value in own.items() if key not in ("extends", *RELEASE_KEYS)}
    document |= wanted.services.get(RELEASE, {})
    document["services"] = {
        name: service
        for name, service in sorted(wanted.services.items(), key=lambda item: _order(item[0], own))
        if name != RELEASE
    }
    release = edits.rewrite(release, document, file=file)
    found = [
        Explicit((*_prefix(name), key), "base", ", ".join(_bases(sides)))
        for name, service in wanted.services.items()
        for key in service
        if key not in _own(own, name)
    ]
    found += [Explicit(path, "alias", reference) for path, reference in wanted.pinned.items()]
    found += [Explicit(path, "file", source) for path, source in wanted.inlined.items()]
    return _with_comments(release, found, wanted, sides), tuple(found)


RELEASE_KEYS = ("targets", "helm", "overrides", "services")


def _order(name: str, own: Data) -> tuple[int, str]:
    """Services that release.yaml has itself keep their order; the others follow."""
    names = list(own.get("services") or {})
    return (names.index(name), "") if name in names else (len(names), name)


def _own(own: Data, name: str) -> Mapping[str, Any]:
    if name == RELEASE:
        return own
    return (own.get("services") or {}).get(name) or {}


def _prefix(name: str) -> Path:
    return () if name == RELEASE else ("services", name)


def _bases(sides: Sides) -> Iterator[str]:
    """The bases that were in force and are not what they were."""
    chain = Resolver(Loader(sides.then, sides.memory)).documents(sides.place_then.file)
    for layer in chain[:-1]:
        try:
            same = sides.now.read(layer.file) == sides.then.read(layer.file)
        except RelspecError:
            same = False
        if not same:
            yield layer.file


def _reasons(path: Path, wanted: _Wanted, bases: str) -> Iterator[Explicit]:
    """Why a value at a path, or inside of it, is explicit."""
    inside = [Explicit(at, "alias", instead) for at, instead in wanted.pinned.items() if at[: len(path)] == path]
    inside += [Explicit(at, "file", instead) for at, instead in wanted.inlined.items() if at[: len(path)] == path]
    yield from inside
    if not any(each.path == path for each in inside):
        yield Explicit(path, "base", bases or "a base")


def _with_comments(release: bytes, found: list[Explicit], wanted: _Wanted, sides: Sides) -> bytes:
    """`model: als@v0.3  # was als@prod`, `cpu: 500m  # was in bases/recs.yaml`: `check` reminds of them."""
    file = sides.place_now.file
    document = documents.parse(release, file)
    for each in found:
        value = _at(wanted.services, each.path) if each.why == "alias" else _held_at(document, each.path)
        words = f"was {each.instead}" if each.why == "alias" else f"was in {each.instead}"
        try:
            release = edits.put(release, each.path, value, file=file, comment=words)
        except RelspecError:
            if each.why == "alias":
                raise
    return release


def _held_at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _at(services: Mapping[str, Data], path: Path) -> Any:
    node: Any = services[str(path[1])]
    for step in path[2:]:
        node = node[step]
    return node


# --- what it said


def _wanted(sides: Sides) -> _Wanted:
    then, now = (Resolver(Loader(tree, sides.memory)) for tree in (sides.then, sides.now))
    services: dict[str, Data] = {}
    pinned: dict[Path, str] = {}
    inlined: dict[Path, str] = {}
    for name, said in layered_release(then.documents(sides.place_then.file)).items():
        service = said
        for path, reference in model_references(service) if name != RELEASE else ():
            version = _version(then, reference)
            if version is not None and version != _version(now, reference):
                service = _replaced(service, path, version)
                pinned[(*_prefix(name), *path)] = reference
        service = _with_contents(service, sides, (*_prefix(name),), inlined)
        services[name] = moved_service(moved_service(service, _along(sides)), written_in(sides.place_now.file))
    return _Wanted(services, pinned, inlined)


def _version(resolver: Resolver, reference: str) -> str | None:
    """The exact version that a reference means; None where it means none."""
    try:
        model = resolver.registry.resolve(reference, Where(""))
    except RelspecError:
        return None
    return f"{model.name}@{model.version}"


def _replaced(data: Data, path: Path, value: str) -> Data:
    key = str(path[0])
    return {**data, key: value if len(path) == 1 else _replaced(data[key], path[1:], value)}


def _along(sides: Sides) -> Callable[[str, PathKind], str]:
    """Where a path of the repository lies now: the release's folder may have another name."""
    there, here = (posixpath.dirname(place.file) for place in (sides.place_then, sides.place_now))

    def move(path: str, _kind: PathKind) -> str:
        inside = path == there or path.startswith(f"{there}/")
        return here + path[len(there) :] if inside else path

    return move


def _with_contents(service: Data, sides: Sides, at: Path, inlined: dict[Path, str]) -> Data:
    """The service with the text of files that have changed since in place of their paths; noted in `inlined`.

    Raises RelspecError RS243 for a file that is no text, or a folder: neither can be written in a release.yaml.
    """
    changed = dict(service)
    patches = [("candidate", None), *(("variants", name) for name in service.get("variants") or {})]
    for key, name in patches:
        patch = (service.get(key) or {}).get(name) if name is not None else service.get(key)
        if isinstance(patch, dict):
            path = (*at, key) if name is None else (*at, key, name)
            inner = _with_contents(patch, sides, path, inlined)
            changed[key] = inner if name is None else {**changed[key], name: inner}
    files = service.get("files")
    if isinstance(files, dict):
        changed["files"] = {
            target: _content(file, sides, (*at, "files", target), inlined) for target, file in files.items()
        }
    return changed


def _content(file: Any, sides: Sides, at: Path, inlined: dict[Path, str]) -> Any:
    source = file.get("from") if isinstance(file, dict) else None
    if not isinstance(source, str) or _held(sides.then, source) == _held(sides.now, _along(sides)(source, "file")):
        return file
    if sides.then.kind(source) == "folder":
        raise _unwritable(source, "is a folder that has changed since", sides)
    try:
        text = sides.then.read(source).decode("utf-8")
    except UnicodeDecodeError:
        raise _unwritable(source, "is no text, and has changed since", sides) from None
    inlined[at] = source
    return {"content": text}


def _held(tree: Tree, path: str) -> Any:
    """The bytes of a file, or those of each file of a folder; None where they can't be read."""
    try:
        if tree.kind(path) == "folder":
            return {name[len(path) :]: tree.read(name) for name in walk(tree, path)}
        return tree.read(path)
    except RelspecError:
        return None


def _unwritable(path: str, what: str, sides: Sides) -> RelspecError:
    folder = posixpath.dirname(sides.place_now.file)
    hint = f"copy what it was into {folder}/ and name that copy in release.yaml, then run: relspec compile"
    message = f"{path} {what}; it lies outside of the release's folder and can't be written out in release.yaml"
    return RelspecError(Finding("RS243", message, Where(sides.place_now.file), hint, release=sides.place_now.id))


# --- what differs


def _differences(name: str, wanted: Data | None, present: Data | None) -> Iterator[tuple[Path, Any]]:
    """What release.yaml has to say so that a service is what it was; null takes away what a base says."""
    if name == RELEASE:
        yield from _within(wanted or {}, present or {}, (), ())
    elif wanted is None or present is None:
        yield _prefix(name), wanted
    else:
        yield from _within(wanted, present, _prefix(name), ())


def _within(wanted: Data, present: Data, at: Path, inner: Path) -> Iterator[tuple[Path, Any]]:
    for key in (*wanted, *(key for key in present if key not in wanted)):
        path, value = (*inner, key), wanted.get(key)
        if key in wanted and key in present and _same(value, present[key]):
            continue
        if isinstance(value, dict) and isinstance(present.get(key), dict) and _merges(path, at):
            yield from _within(value, present[key], at, path)
        else:
            yield (*at, *path), value


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _merges(path: Path, at: Path) -> bool:
    """Whether maps at a path are laid over each other (`layers`): not what a layer replaces whole."""
    if not at:
        return True
    return not (len(path) == 1 and path[0] in WHOLE) and not (len(path) == 2 and path[0] in ATOMS)
