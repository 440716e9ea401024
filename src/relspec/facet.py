"""Maps that remember which node of the spec they were made from.

The context of a template is made of facets, so that whatever a template puts into an output can be traced back to the
line of the spec that said it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from relspec.diagnostics import Path

NOTHING_RENAMED: Mapping[str, Path] = MappingProxyType({})


class Facet(dict[str, Any]):
    """A map of a template's context that knows which node of the spec it was made from.

    `origin` is that node's path in the release (`("services", "api", "resources")`). `renamed` gives the path in the
    release for the keys whose name alone doesn't say it.
    """

    __slots__ = ("origin", "renamed")

    def __init__(
        self,
        data: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        origin: Path = (),
        renamed: Mapping[str, Path] = NOTHING_RENAMED,
    ) -> None:
        dict.__init__(self, data)
        self.origin = origin
        self.renamed = renamed

    def source(self, key: str | int) -> Path:
        """The path in the release that the value at `key` was made from."""
        found = self.renamed.get(key) if isinstance(key, str) else None
        return (*self.origin, key) if found is None else found
