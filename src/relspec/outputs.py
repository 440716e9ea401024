"""From a node of an output back to the line that it came from."""

from __future__ import annotations

from relspec.diagnostics import Part, Path, Range, Where
from relspec.facet import Facet
from relspec.resolve import ResolvedRelease
from relspec.targets.draft import Draft


def origin_of(draft: Draft, document: int, path: Path) -> Path | None:
    """The path in the release that gave the node at `path` of an output's document; None where the template did."""
    for length in range(len(path), -1, -1):
        source = draft.patched.get((document, *path[:length]))
        if source is not None:
            return source + path[length:]
    if draft.rendered is None:
        return None
    hole, rest, _ = draft.rendered.hole_at(*_in_render(draft, document, path))
    if hole is None or not isinstance(hole.container, Facet):
        return None if draft.inline is None else draft.inline + path
    return hole.container.source(hole.key) + rest


def where(draft: Draft, release: ResolvedRelease, document: int, path: Path, part: Part = "value") -> Where:
    """Where the node at `path` of an output was written: in the spec, or in the template."""
    removed = _removed_from(draft, document, path)
    if removed is not None:
        return release.where(removed, "key")
    source = origin_of(draft, document, path)
    if source is not None:
        return release.where(source, part)
    if draft.rendered is None:
        return Where(draft.template, range=Range(1, 1, 1, 1))
    site = draft.rendered.site_at(*_in_render(draft, document, path))
    return Where(site.template, range=Range(site.line, 1, site.line, 1))


def _removed_from(draft: Draft, document: int, path: Path) -> Path | None:
    """The path in the release of an override that removed an entry of the node at `path`: what is missing there now."""
    if not draft.patched or not draft.documents:
        return None
    node = draft.documents[document]
    for step in path:
        try:
            node = node[step]
        except (LookupError, TypeError):
            return None
    whole = (document, *path)
    entries = (
        (patched[len(whole)], source)
        for patched, source in draft.patched.items()
        if len(patched) == len(whole) + 1 and patched[: len(whole)] == whole
    )
    return next((source for entry, source in entries if isinstance(node, dict) and entry not in node), None)


def _in_render(draft: Draft, document: int, path: Path) -> tuple[int, Path]:
    """The node of the render that became the node at `path` of an output's document."""
    if not draft.elements_of:
        return document, path
    if len(path) < 2 or path[0] != draft.elements_of or not isinstance(path[1], int):
        return 0, ()
    return path[1], path[2:]
