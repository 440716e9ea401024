"""What a target makes of a release before it is checked and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct, field

from relspec.diagnostics import Path
from relspec.render import Rendered, TemplateSet
from relspec.resolve import ResolvedRelease


class Draft(Struct, frozen=True):
    """One output file. `path` is below rendered/<release id>/; either `documents` (YAML) or `text` is given.

    `rendered` answers which hole of the template gave a node. `patched` says which nodes an override wrote: the path of
    a document's node (document index first) to the path in the release that wrote it.

    `elements_of` is set where the documents of `rendered` became the elements of one list of the output: its key.
    `inline` is set where the template is a map in the spec itself: its path in the release.
    """

    path: str
    documents: list[Any] | None = None
    rendered: Rendered | None = None
    text: str | None = None
    template: str = ""
    patched: Mapping[Path, Path] = field(default_factory=dict)
    elements_of: str = ""
    inline: Path | None = None


class Target(Protocol):
    """A target turns a resolved release into drafts. Pure: what it can't express, the rules have refused before."""

    def __call__(self, release: ResolvedRelease, templates: TemplateSet, output: str, /) -> tuple[Draft, ...]:
        """The output files of `release`; `output` is the repository's folder of outputs, from which paths are seen."""
