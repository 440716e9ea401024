"""A promotion: what one release runs is moved into another one's release.yaml, service by service.

Only the model and the image move, as exact versions. Replicas, strategy, resources, variables and hosts belong to the
environment, or to the release that is promoted to, and stay. Values in, values out: nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from relspec import documents
from relspec.diagnostics import Finding, Path, RelspecError, Severity, Where
from relspec.edits import dotted, put
from relspec.layers import Layer, deepest
from relspec.registry.records import Registry, ResolvedModel
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.rules.models import lifecycle

REFUSED = frozenset({"RS410", "RS411"})
"""Archived and quarantined versions: they run where they run, but are not promoted."""

WEIGHTS = {"held": ("canary", "weight"), "abTest": ("abTest", "weight")}
"""Where a strategy says how much of the traffic its candidate gets, if none is allowed."""


class Move(Struct, frozen=True):
    """A value that moves: `path` is its place in release.yaml, `before` None where nothing said it.

    `below` is where a base or the environment says it, if release.yaml does not yet: it then says otherwise, for this
    release alone.
    """

    service: str
    path: Path
    before: Any
    after: Any
    comment: str = ""
    below: Where | None = None

    @property
    def field(self) -> str:
        """The field as it is typed: `api.model`."""
        return dotted(self.path[1:])


class Left(Struct, frozen=True):
    """A service that both releases have and of which nothing can move, and why."""

    service: str
    why: str


class Promotion(Struct, frozen=True):
    """What is to be done. `data` is the whole new release.yaml; `source_only` and `target_only` name services that only
    one of the two releases has."""

    data: bytes
    moves: tuple[Move, ...]
    left: tuple[Left, ...]
    source_only: tuple[str, ...]
    target_only: tuple[str, ...]
    notes: tuple[str, ...]


def promote(
    source: ResolvedRelease,
    target: ResolvedRelease,
    registry: Registry,
    data: bytes,
    *,
    services: Sequence[str] = (),
    as_candidate: bool = False,
) -> Promotion:
    """What `source` runs, moved to `target`, whose release.yaml is `data`.

    `services` narrows it (default: every service of both). With `as_candidate` the versions become the candidates of
    held strategies, at weight 0. Raises RelspecError: RS205 for a service that is not on both sides, RS350 for one in
    `services` that runs a variant, RS410 and RS411 for versions that may not be deployed, RS303 for a candidate without
    a split, and what an edit may.
    """
    problems = [*_unknown(source, target, services)]
    if problems:
        raise RelspecError(*problems)
    held = documents.parse(data, target.file)
    steps: list[_Step] = []
    for name in services or [name for name in source.services if name in target.services]:
        step = _Step(source, target, source.services[name], target.services[name], registry, held)
        if step.variant_runs and name in services:
            where = step.source.where(("active",))
            hint = "promote it when the line `active` is gone"
            raise RelspecError(Finding("RS350", step.variant_runs, where, hint, severity=Severity.ERROR))
        steps.append(step)
    moves: list[Move] = []
    for step in steps:
        if not step.variant_runs:
            found = [*(step.candidate_moves() if as_candidate else step.moves())]
            problems += step.refused(found)
            moves += found
    if problems:
        raise RelspecError(*problems)
    for move in moves:
        data = put(data, move.path, move.after, file=target.file, comment=move.comment)
    return Promotion(
        data=data,
        moves=tuple(moves),
        left=tuple(Left(step.target.name, step.variant_runs) for step in steps if step.variant_runs),
        source_only=tuple(name for name in source.services if name not in target.services),
        target_only=tuple(name for name in target.services if name not in source.services),
        notes=tuple(note for step in steps for note in step.notes(moves, as_candidate=as_candidate)),
    )


def _unknown(source: ResolvedRelease, target: ResolvedRelease, services: Sequence[str]) -> Iterator[Finding]:
    both = [name for name in source.services if name in target.services]
    for name in services:
        for release in (source, target):
            if name not in release.services:
                message = f"{release.id} has no service {name}"
                hint = f"both have: {', '.join(both) or 'none'}"
                yield Finding("RS205", message, Where(release.file, ("services",)), hint)


class _Step(Struct, frozen=True):
    """One service on both sides. `held` is the data of the target's release.yaml."""

    source_release: ResolvedRelease
    target_release: ResolvedRelease
    source: ResolvedService
    target: ResolvedService
    registry: Registry
    held: dict[str, Any]

    @property
    def variant_runs(self) -> str:
        """Why nothing can be promoted from a service that runs its emergency variant; empty where it does not."""
        if not self.source.active:
            return ""
        return f"{self.source.name} of {self.source_release.id} runs its variant {self.source.active}"

    # --- what moves

    def moves(self) -> Iterator[Move]:
        """The model and the image, where they differ from what the target says, its active variant aside."""
        model = self.source.model
        reference = _said(self.target, "model")
        current = self._resolved(reference)
        if model is not None and _exact(model) != _exact(current):
            yield self._move(("model",), _exact(current), _exact(model), _was(current))
            current = model
        image = _said(self.target, "image") or _runtime_image(current)
        if image != self.source.image:
            yield self._move(("image",), image, self.source.image)

    def candidate_moves(self) -> Iterator[Move]:
        """The same into `candidate`, whose weight becomes 0: nobody gets it before somebody says so."""
        model, stable, candidate = self.source.model, self.target, self.target.candidate
        runs = [_runs(stable), *([_runs(candidate)] if candidate is not None else [])]
        if _runs(self.source) in runs:
            return
        weight = self._weight()
        current = candidate.model if candidate is not None else None
        if model is not None and _exact(model) != _exact(current):
            yield self._move(("candidate", "model"), _exact(current), _exact(model), _was(current))
        said = candidate.spec.image if candidate is not None else stable.spec.image
        image = said or _runtime_image(model)
        if image != self.source.image:
            yield self._move(("candidate", "image"), image, self.source.image)
        if weight is not None:
            yield weight

    def _weight(self) -> Move | None:
        """The weight of the target's split at 0; None where it is. Raises RelspecError RS303 without such a split."""
        strategy = self.target.strategy.name
        path = WEIGHTS.get(strategy)
        name = self.target.name
        if path is None:
            what = _runs(self.source)
            message = f"{name} of {self.target_release.id} is {strategy}: it has no split in which a candidate can wait"
            reference = f"candidate.model={what[0]}" if what[0] else f"candidate.image={what[1]}"
            hint = f"relspec set {self.target_release.id} {name}.{reference}"
            if strategy != "shadow":
                hint += f" '{name}.strategy={{canary: {{weight: 0}}}}'"
            raise RelspecError(Finding("RS303", message, self.target.where(("strategy",)), hint))
        written = self.target.layers.merged["strategy"]
        weight = written[path[0]].get(path[1])
        if weight == 0:
            return None
        whole = ("services", name, "strategy")
        if deepest(self.held, whole) == len(whole):
            return self._move(("strategy", *path), weight, 0)
        # A layer replaces a strategy whole: without the rest of it, its users would change sides.
        return self._move(("strategy",), written, {**written, path[0]: {**written[path[0]], path[1]: 0}})

    def _move(self, field: Path, before: Any, after: Any, comment: str = "") -> Move:
        path: Path = ("services", self.target.name, *field)
        here = deepest(self.held, path) == len(path)
        layer = None if here else next(iter(_writers(self.target, field)), None)
        below = layer.where(field) if layer is not None else None
        return Move(self.target.name, path, before, after, comment, below)

    def _resolved(self, reference: str | None) -> ResolvedModel | None:
        return None if reference is None else self.registry.resolve(reference, self.target.where(("model",)))

    # --- what is said about it

    def refused(self, moves: Sequence[Move]) -> Iterator[Finding]:
        """RS410 and RS411, where the version that moves is archived or in quarantine."""
        if any(move.path[-1] == "model" for move in moves):
            for finding in lifecycle(self.source_release, self.source):
                if finding.code in REFUSED:
                    yield replace(finding.of(self.target_release.id), severity=Severity.ERROR)

    def notes(self, moves: Sequence[Move], *, as_candidate: bool) -> Iterator[str]:
        """What to know beside the moves."""
        name, target = self.target.name, self.target_release.id
        mine = [move for move in moves if move.service == name]
        model = self.source.model
        if model is not None and model.alias is not None and any(move.path[-1] == "model" for move in mine):
            yield f"{self.source_release.id} says {model.name}@{model.alias}, which means {model.version} now"
        if mine and self.target.active and not as_candidate:
            yield f"{name} of {target} runs its variant {self.target.active}: what was promoted waits until that is unset"
        if mine and not as_candidate and self._candidate_is_promoted():
            yield f"the candidate of {name} now is what everybody gets; to end the split, in a commit of its own: " + (
                f"relspec set {target} --unset {name}.candidate --unset {name}.strategy"
            )
        tried = self.source.candidate
        if not mine and tried is not None and _runs(tried) not in (_runs(self.target), _runs(self.target.candidate)):
            what = _runs(tried)[0] or _runs(tried)[1]
            yield f"{what} is only a candidate in {self.source_release.id}, and stays there"

    def _candidate_is_promoted(self) -> bool:
        candidate = self.target.candidate
        return candidate is not None and _runs(candidate) == _runs(self.source)


def _runs(service: ResolvedService | None) -> tuple[str | None, str]:
    """What makes two services run the same: the exact version and the image."""
    return (_exact(service.model), service.image) if service is not None else (None, "")


def _exact(model: ResolvedModel | None) -> str | None:
    return None if model is None else f"{model.name}@{model.version}"


def _was(model: ResolvedModel | None) -> str:
    """The comment beside a pinned version: the alias that it replaces."""
    return f"was {model.name}@{model.alias}" if model is not None and model.alias is not None else ""


def _runtime_image(model: ResolvedModel | None) -> str | None:
    return model.record.runtime.image if model is not None and model.record.runtime is not None else None


def _writers(service: ResolvedService, path: Path) -> Iterator[Layer]:
    """The layers that say something at `path`, highest first, without the active variant's."""
    plain = service.layers.layers[:-1] if service.active else service.layers.layers
    for layer in reversed(plain):
        if deepest(layer.data, path) == len(path):
            yield layer


def _said(service: ResolvedService, field: str) -> Any:
    """What the layers say of a field, the active variant aside; None where nothing, or null, says it."""
    layer = next(_writers(service, (field,)), None)
    return layer.data[field] if layer is not None else None
