"""One of the two trees of a change, and what was resolved of it so far."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct, field

from relspec.diagnostics import Finding, RelspecError
from relspec.discovery import ENVIRONMENT_FILE, Place
from relspec.resolve import ENVIRONMENTS, ResolvedRelease, ResolvedService
from relspec.spec.registry import Model

if TYPE_CHECKING:
    from relspec.compiler import CompiledRelease, Compiler
    from relspec.registry.records import Registry
    from relspec.tree import Tree

EXTENDS = re.compile(rb"""\bextends["']?\s*:\s*["']?([^\s"'#,{}\[\]]+)""")
"""The base that a document names, as far as bytes tell."""

ESCAPE = b"\\"
"""Text with escapes in it may say anything: a byte scan takes it for a hit."""


class Side(Struct, frozen=True, eq=False, dict=True):
    """A tree with its compiler; releases are resolved and compiled when they are first asked for.

    The base's compiler is best made with `any_edition=True`: an upgrade of the lock is no reason to look at nothing.
    `whole` gives the same tree with all of its releases, where this side was told of some alone.
    """

    compiler: Compiler
    whole: Callable[[], Side] | None = None
    _resolved: dict[str, ResolvedRelease | None] = field(default_factory=dict)
    _compiled: dict[str, CompiledRelease | None] = field(default_factory=dict)
    _sources: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def tree(self) -> Tree:
        """The tree itself."""
        return self.compiler.tree

    @property
    def registry(self) -> Registry:
        """The tree's registry."""
        return self.compiler.resolver.registry

    @cached_property
    def places(self) -> Mapping[str, Place]:
        """The releases by id."""
        return {place.id: place for place in self.compiler.found.releases}

    @cached_property
    def ids_by_file(self) -> Mapping[str, str]:
        """The ids of the releases by their release.yaml."""
        return {place.file: place.id for place in self.compiler.found.releases}

    def release(self, name: str) -> ResolvedRelease | None:
        """The release of an id; None where there is none, or where it does not resolve."""
        if name not in self._resolved:
            self._resolved[name] = self._resolve(name)
        return self._resolved[name]

    def _resolve(self, name: str) -> ResolvedRelease | None:
        place = self.places.get(name)
        if place is None:
            return None
        try:
            return self.compiler.resolver.release(place.file, place.environment, place.id)
        except RelspecError as error:
            _refuse_unfetched(error.findings)
            return None

    def compiled(self, name: str) -> CompiledRelease | None:
        """The outputs of a release; None where there is none, or where its outputs are not known."""
        if name not in self._compiled:
            place = self.places.get(name)
            made = None if place is None else self.compiler.release(place)
            _refuse_unfetched(made.findings if made is not None else ())
            self._compiled[name] = None if made is None or made.stopped else made
        return self._compiled[name]

    def model(self, name: str) -> Model | None:
        """model.yaml of a model; None where there is none, or where it is wrong."""
        try:
            return self.registry.model(name)
        except RelspecError as error:
            _refuse_unfetched(error.findings)
            return None

    def text(self, file: str) -> bytes:
        """The bytes of a file; none where it can't be read. Raises RelspecError RS631 where nobody fetched it."""
        try:
            return self.compiler.loader.text(file)
        except RelspecError as error:
            _refuse_unfetched(error.findings)
            return b""

    def sources(self, place: Place) -> tuple[str, ...]:
        """The specs that a release is made of, found without parsing: its own, its bases, its environments."""
        return (*self._with_bases(place.file, ()), *self._environments(place.environment))

    def mentions(self, place: Place, words: bytes) -> bool:
        """Whether one of these specs holds `words`, or may: never a false no."""
        return any(words in (text := self.text(file)) or ESCAPE in text for file in self.sources(place))

    def extends_one_of(self, place: Place, bases: frozenset[str]) -> bool:
        """Whether a release extends one of `bases`, or may: never a false no."""
        return any(file in bases or self._may_extend_anything(file) for file in self._with_bases(place.file, ()))

    def _with_bases(self, file: str, above: tuple[str, ...]) -> tuple[str, ...]:
        """A spec and the bases that it extends; `above` are those that led here."""
        if file in above:
            return ()
        if file not in self._sources:
            found = [file]
            for base in self._bases(file):
                found += self._with_bases(base, (*above, file))
            self._sources[file] = tuple(dict.fromkeys(found))
        return self._sources[file]

    def _bases(self, file: str) -> Iterator[str]:
        for written in EXTENDS.findall(self.text(file)):
            path = posixpath.join(posixpath.dirname(file), written.decode("utf-8", "replace"))
            yield posixpath.normpath(path)

    def _may_extend_anything(self, file: str) -> bool:
        """Whether a spec names its base in a way that a byte scan can't read."""
        text = self.text(file)
        if b"extends" not in text:
            return ESCAPE in text
        return ESCAPE in text or not any(self.text(base) for base in self._bases(file))

    def _environments(self, path: str) -> Iterator[str]:
        folder = ENVIRONMENTS
        for name in path.split("/"):
            folder = f"{folder}/{name}"
            if folder.removeprefix(f"{ENVIRONMENTS}/") in self._environment_paths:
                yield f"{folder}/{ENVIRONMENT_FILE}"

    @cached_property
    def _environment_paths(self) -> frozenset[str]:
        return frozenset(self.compiler.found.environments)


def _refuse_unfetched(findings: Iterable[Finding]) -> None:
    """Raises RelspecError RS631 where it is among them: what nobody fetched is neither missing nor wrong."""
    unfetched = [finding for finding in findings if finding.code == "RS631"]
    if unfetched:
        raise RelspecError(*unfetched)


def workloads(service: ResolvedService) -> Iterator[tuple[str, ResolvedService]]:
    """Everything that a service runs or can be switched to, each with how people call it: `api`, `api candidate`."""
    yield service.name, service
    if service.candidate is not None:
        yield f"{service.name} candidate", service.candidate
    for name, variant in service.variants.items():
        yield f"{service.name} variant {name}", variant
