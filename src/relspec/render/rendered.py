"""What a render gives: typed documents, and the way back from each node to the spec or to the template."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from relspec.diagnostics import Path
from relspec.facet import Facet
from relspec.render.parse_back import Plan, found_at
from relspec.render.problem import Site
from relspec.render.session import EXPRESSION, Access, Session

Read = tuple[Path, str | int]
"""The origin of a facet, and one of its keys."""


class Hole(Struct, frozen=True):
    """A value that a template took from its context: `container[key]` is `value`; `line` is the template's."""

    value: Any
    container: Any
    key: Any
    line: int
    template: str = ""


class Rendered(Struct, frozen=True):
    """The documents of a template, filled: plain maps, lists and scalars that belong to the caller.

    The other fields are what `hole_at` and `holes_read` answer from.
    """

    documents: list[Any]
    plan: Plan
    session: Session
    prune: bool
    kept: tuple[int, ...]
    literal_site: Callable[[int, Path], Site]

    def hole_at(self, document: int, path: Path) -> tuple[Hole | None, Path, int]:
        """The hole that gave the node at `path`, the rest of the path below what the hole read, the template's line.

        The hole is None where the node is the template's own text, or a value that the template computed from nothing
        in its context. A path that does not exist means the closest node above it. The container is the innermost
        facet on the way to the node, if there is one: its `source(key)` and the rest are a path in the release.
        """
        hole, rest, site = self._traced(document, path)
        return hole, rest, site.line

    def site_at(self, document: int, path: Path) -> Site:
        """The template and its line that the node at `path` came from."""
        return self._traced(document, path)[2]

    def _traced(self, document: int, path: Path) -> tuple[Hole | None, Path, Site]:
        session = self.session
        found = found_at(self.plan, self.kept[document], path, session.values, self.prune)
        if found.hole is None:
            return None, found.rest, self.literal_site(self.kept[document], found.parsed)
        container, key, place = session.marks[found.hole]
        site = Site(*place)
        value = session.values[found.hole]
        access = _access(session.log, key[0], key[1], value) if container is EXPRESSION else (container, key)
        rest = found.rest
        while access is not None and type(access[0]) is not Facet:
            outer = _giver(session.log, access[0])
            if outer is None:
                break
            access, rest = outer, (access[1], *rest)
        access, rest = _innermost(value if access is None else _item(*access), access, rest)
        if access is None:
            return None, found.rest, site
        container, key = access
        return Hole(_item(container, key), container, key, site.line, site.template), rest, site

    @property
    def holes_read(self) -> frozenset[Read]:
        """Each (origin of a facet, key) that the template read, in a hole, a condition or a loop."""
        read = {(container.origin, key) for container, key in self.session.log if type(container) is Facet}
        read |= {(container.origin, key) for container, key, _ in self.session.marks if type(container) is Facet}
        for facet in _facets_in(self.session.values):
            read.update((facet.origin, key) for key in facet)
        return frozenset(read)


def _access(log: Sequence[Access], start: int, end: int, value: Any) -> Access | None:
    """The access that gave a hole its value: the last one of its own expression, or that of the variable it names."""
    own = log[start:end]
    for access in reversed(own):
        if _item(*access) is value:
            return access
    if own:
        return own[-1]
    return _giver(log[:start], value)


def _giver(log: Sequence[Access], value: Any) -> Access | None:
    """The latest access that gave this very object; none where several places hold one object like `true` or 3."""
    givers = [access for access in log if _item(*access) is value or access[1] is value]
    if not givers:
        return None
    latest = givers[-1]
    alone = all(container is latest[0] and key == latest[1] for container, key in givers)
    return latest if alone or not isinstance(value, bool | int | None) else None


def _item(container: Any, key: Any) -> Any:
    try:
        return container[key]
    except (LookupError, TypeError):
        return None


def _innermost(value: Any, access: Access | None, rest: Path) -> tuple[Access | None, Path]:
    """The innermost facet on the way down from a value, with what is left of the way."""
    below = rest
    for depth, step in enumerate(rest):
        if type(value) is Facet and step in value:
            access, below = (value, step), rest[depth + 1 :]
        value = _item(value, step)
    if access is None and type(value) is Facet and value and not below:
        # The node is a whole facet that the template was given by name: its first entry lies where it does.
        key = next(iter(value))
        return (value, key), ()
    return access, below


def _facets_in(values: Sequence[Any]) -> Iterator[Facet]:
    """Each facet in these values, once: a template can make one value hold another many times over."""
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list | tuple) or id(value) in seen:
            continue
        seen.add(id(value))
        if type(value) is Facet:
            yield value
        waiting.extend(value.values() if isinstance(value, dict) else value)
