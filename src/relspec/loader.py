"""Documents of a tree, each read, parsed and checked once.

A document that is wrong is remembered as its findings: an error in a base is found once and reported with every release
that it reaches.
"""

from __future__ import annotations

from pydantic import BaseModel

from relspec import documents
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.layers import Data, merges
from relspec.spec.validation import validate
from relspec.tree import Tree

LAYERED = ("Release", "Environment")
"""Documents that may say a part of something: what all layers come to is checked when they are merged."""


Memory = dict[tuple[str, str, bytes], Data]
"""Documents that were found good before, by path, kind and bytes: neighbouring commits share nearly all of them."""


class Loader:
    """Reads documents of one tree. Not safe to share between threads.

    Loaders of several commits may share a `memory`, so that a document is parsed once for all of them.
    """

    def __init__(self, tree: Tree, memory: Memory | None = None) -> None:
        self.tree = tree
        self._memory: Memory = {} if memory is None else memory
        self._texts: dict[str, bytes] = {}
        self._documents: dict[str, Data | tuple[Finding, ...]] = {}
        self._refused: dict[str, Data] = {}

    def text(self, path: str) -> bytes:
        """The bytes of a file; raises as `Tree.read` does."""
        data = self._texts.get(path)
        if data is None:
            data = self._texts[path] = self.tree.read(path)
        return data

    def document(self, path: str, model: type[BaseModel], kind: str) -> Data:
        """The document at `path`, which fits `model` (as far as one layer can). Raises RelspecError with everything that is wrong with it."""
        result = self._documents.get(path)
        if result is None:
            result = self._documents[path] = self._remembered(path, model, kind)
        if isinstance(result, tuple):
            raise RelspecError(*result)
        return result

    def _remembered(self, path: str, model: type[BaseModel], kind: str) -> Data | tuple[Finding, ...]:
        try:
            key = (path, kind, self.text(path))
        except RelspecError as error:
            return error.findings
        known = self._memory.get(key)
        if known is not None:
            return known
        result = self._load(path, model, kind)
        if not isinstance(result, tuple):
            self._memory[key] = result
        return result

    def _load(self, path: str, model: type[BaseModel], kind: str) -> Data | tuple[Finding, ...]:
        try:
            data: Data = documents.parse(self.text(path), path)
        except RelspecError as error:
            return error.findings
        wrong_kind = envelope(data, path, kind)
        if wrong_kind:
            return wrong_kind
        problems = validate(model, data, path, merges=merges) if kind in LAYERED else validate(model, data, path)
        if problems:
            self._refused[path] = data
        return problems or data

    @property
    def read_documents(self) -> frozenset[str]:
        """The paths of the documents that were asked for so far, sound or not."""
        return frozenset(self._documents)

    def refused(self, path: str) -> Data:
        """What a document says that does not fit its model, for whoever can say more about it; else an empty map."""
        return self._refused.get(path, {})


def envelope(data: Data, path: str, kind: str) -> tuple[Finding, ...]:
    """RS123 where a document says that it is something else than `kind` of relspec/v1."""
    found = []
    if isinstance(data.get("apiVersion"), str) and data["apiVersion"] != "relspec/v1":
        found.append(
            Finding(
                "RS123", "this relspec reads relspec/v1", Where(path, ("apiVersion",)), "write apiVersion: relspec/v1"
            )
        )
    if isinstance(data.get("kind"), str) and data["kind"] != kind:
        found.append(
            Finding("RS123", f"a document of kind {kind} belongs here", Where(path, ("kind",)), f"write kind: {kind}")
        )
    return tuple(found)
