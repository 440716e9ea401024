"""Releases that a change reaches from outside of their folders: through a template, a chart, a base, a record, the lock.

Told from paths and bytes, and never a false no: what is reached for nothing compiles to what it was.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from msgspec import Struct

from relspec.compiler import SETTINGS
from relspec.discovery import OURS, Place
from relspec.lock import LOCK
from relspec.registry.records import FOLDER
from relspec.resolve import TARGETS
from relspec.rules.changes import Side
from relspec.rules.changes.reach import environment_of, moved_aliases, release_of
from relspec.rules.changes.side import ESCAPE

TEMPLATES = "templates"


class Through(Struct, frozen=True, dict=True):
    """The changed paths that lie in no release's folder, and what they lead to. `changed` are all that differ."""

    before: Side
    after: Side
    changed: Collection[str]

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """The changed paths by which several releases can be reached, sorted: no outputs, no settings of other tools."""
        outputs = tuple(f"{side.compiler.output}/" for side in (self.before, self.after))
        return tuple(
            path
            for path in sorted(self.changed)
            if not path.startswith((*outputs, "."))
            and not any(release_of(path, side) for side in (self.before, self.after))
        )

    def reached(self) -> Iterator[str]:
        """The ids of the releases that a template, chart, record, other shared file or the lock may reach."""
        paths = [path for path in self.shared if environment_of(path) is None and not self._is_a_base(path)]
        if not paths:
            return
        everything = any(path in (LOCK, SETTINGS) or self._is_every_targets(path) for path in paths)
        needles = {needle for path in paths for needle in self._needles(path)}
        pattern = re.compile(b"|".join(re.escape(needle) for needle in sorted(needles)) if needles else b"(?!)")
        for side in (self.before, self.after):
            hits: dict[str, bool] = {}
            for name, place in side.places.items():
                if everything or any(self._hit(side, file, pattern, hits) for file in side.sources(place)):
                    yield name

    def _hit(self, side: Side, file: str, pattern: re.Pattern[bytes], known: dict[str, bool]) -> bool:
        if file not in known:
            text = side.text(file)
            known[file] = ESCAPE in text or pattern.search(text) is not None
        return known[file]

    def to(self, name: str) -> tuple[str, ...]:
        """The changed paths outside of a release's folder that lead to it, sorted."""
        sides = [(side, side.places[name]) for side in (self.before, self.after) if name in side.places]
        return tuple(path for path in self.shared if any(self._leads(side, place, path) for side, place in sides))

    def _leads(self, side: Side, place: Place, path: str) -> bool:
        environment = environment_of(path)
        if environment is not None:
            return f"{place.environment}/".startswith(f"{environment}/")
        if path in (LOCK, SETTINGS) or self._is_every_targets(path):
            return True
        if self._is_a_base(path):
            return path in side.sources(place)
        return any(side.mentions(place, needle) for needle in self._needles(path))

    def _needles(self, path: str) -> Sequence[bytes]:
        """What the specs of a release that reads a path hold: one of these at least."""
        parts = path.split("/")
        if parts[0] == FOLDER:
            return self._references(parts)
        if parts[0] == TEMPLATES and len(parts) > 2 and parts[1] in TARGETS:
            return [parts[1].encode()]
        return [part.encode("utf-8", "surrogateescape") for part in parts if part]

    def _references(self, parts: Sequence[str]) -> Sequence[bytes]:
        """How specs name what a record or a model.yaml decides."""
        if len(parts) < 3:
            return ()
        if parts[2] != "model.yaml":
            return [f"{parts[1]}@".encode("utf-8", "surrogateescape")]
        aliases = self._moved.get(parts[1], {})
        return [f"{parts[1]}@{alias}".encode("utf-8", "surrogateescape") for alias in aliases]

    @cached_property
    def _moved(self) -> dict[str, dict[str, tuple[str, str]]]:
        return {model: dict(moves) for model, moves in moved_aliases(self.before, self.after, self.changed).items()}

    def _is_every_targets(self, path: str) -> bool:
        """Whether a path is a template of no target of its own."""
        parts = path.split("/")
        return parts[0] == TEMPLATES and (len(parts) < 3 or parts[1] not in TARGETS)

    def _is_a_base(self, path: str) -> bool:
        """Whether a path is a document that a release extends: found by the `extends` of specs alone."""
        if path.startswith(f"{FOLDER}/") or not path.endswith((".yaml", ".yml")) or path in (LOCK, SETTINGS):
            return False
        return any(side.tree.kind(path) == "file" and OURS in side.text(path) for side in (self.before, self.after))
