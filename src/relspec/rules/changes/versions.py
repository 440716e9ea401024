"""What a change of model.yaml does to what runs, and to what there is to go back to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from relspec.deployments import Standing, before, standings
from relspec.diagnostics import Finding, Path, Related, RelspecError, Severity, Where
from relspec.registry.records import model_file
from relspec.resolve import ResolvedRelease, ResolvedService
from relspec.rules.changes.reach import changed_models, mentioning, moved_aliases
from relspec.rules.changes.side import Side, workloads
from relspec.spec.registry import Model

MOST_NAMED = 20
"""Releases that a message names; all of them are among the related places."""


def alias_moves(base: Side, head: Side, changed: Collection[str] | None = None) -> Iterator[Finding]:
    """RS433: an alias moves, and with it every release that names it. A note where none does."""
    for model, moves in moved_aliases(base, head, changed).items():
        for alias, (old, new) in moves.items():
            places = dict(_changed_by(base, head, f"{model}@{alias}"))
            message = f"{alias} moves from {old} to {new}: changes {_named(list(places)) or 'no release'}"
            hint = "look at each of them: relspec plan" if places else "nothing to do"
            related = tuple(Related(f"{name} runs {model} {new}", where) for name, where in places.items())
            severity = None if places else Severity.NOTE
            yield Finding("RS433", message, Where(model_file(model), ("aliases", alias)), hint, related, "", severity)


def _changed_by(base: Side, head: Side, reference: str) -> Iterator[tuple[str, Where]]:
    """The releases that name an alias on both sides and so run another version: `production/recs (api)`."""
    for name in sorted(mentioning(head, reference)):
        was, now = base.release(name), head.release(name)
        if was is None or now is None:
            continue
        known = dict(_with_alias(was, reference))
        found = {label: where for label, where in _with_alias(now, reference) if label in known}
        if found:
            yield f"{name} ({', '.join(found)})", next(iter(found.values()))


def _with_alias(release: ResolvedRelease, reference: str) -> Iterator[tuple[str, Where]]:
    for service in release.services.values():
        for label, workload in workloads(service):
            model = workload.model
            if model is not None and f"{model.name}@{model.alias}" == reference:
                yield label, workload.where(("model",))


def too_few_versions(base: Side, head: Side, changed: Collection[str] | None = None) -> Iterator[Finding]:
    """RS432: this change leaves fewer than `keep` earlier versions to go back to from one that runs."""
    for name, model in _shrunk(base, head, changed):
        found: tuple[int, str, str, list[str]] | None = None
        for release, service in _running(head, name):
            version = service.model.version if service.model else ""
            had, left = _earlier(base, name, version), _earlier(head, name, version)
            if len(left) < min(model.keep, len(had)) and (found is None or len(left) < found[0]):
                lost = [each for each in had if each not in left]
                found = (len(left), version, release.id, lost)
        if found is not None:
            count, version, release_id, lost = found
            message = (
                f"{count or 'no'} version{'' if count == 1 else 's'} of {name} before {version} can still be deployed"
            )
            message += f", and keep is {model.keep}: {version} runs in {release_id}"
            hint = f"keep {lost[0]} deployable, or lower keep"
            yield Finding("RS432", message, Where(model_file(name), _entry(model, lost)), hint)


def archived_in_window(base: Side, head: Side, changed: Collection[str] | None = None) -> Iterator[Finding]:
    """RS435: a version is archived that an environment's rollback window still holds."""
    for name, model in _shrunk(base, head, changed):
        earlier = base.model(name)
        was_archived = (earlier.lifecycle or {}) if earlier else {}
        for version, state in (model.lifecycle or {}).items():
            if state != "archived" or was_archived.get(version) == "archived":
                continue
            inside = environments_within_window(base, head, name, version)
            if inside:
                message = f"{version} is archived while it is inside the rollback window of {', '.join(inside)}"
                hint = "archive it when newer versions have taken its place; until then write deprecated"
                yield Finding("RS435", message, Where(model_file(name), ("lifecycle", version)), hint)


def environments_within_window(base: Side, head: Side, model: str, version: str) -> tuple[str, ...]:
    """The environments in which a version runs, or is one of the `window` before the one that runs; sorted.

    Before means of a lower number and deployable in `base`: what really ran, only Git knows. `base` and `head` may be
    one side.
    """
    found = set()
    for release, service in _running(head, model):
        environment = release.environment
        active = service.model.version if service.model else ""
        if version in (active, *_earlier(base, model, active)[: environment.rollback.window]):
            found.add(environment.path)
    return tuple(sorted(found))


def _shrunk(base: Side, head: Side, changed: Collection[str] | None) -> Iterator[tuple[str, Model]]:
    """The models whose model.yaml differs and of which a version can be deployed no longer."""
    for name in changed_models(base, head, changed):
        model = head.model(name)
        if model is not None and base.model(name) is not None:
            gone = _deployable(_standings(base, name)) - _deployable(_standings(head, name))
            if gone:
                yield name, model


def _deployable(every: Iterable[Standing]) -> set[str]:
    return {each.version for each in every if each.deployable}


def _standings(side: Side, model: str) -> tuple[Standing, ...]:
    try:
        return standings(side.registry, model, ())
    except RelspecError:
        return ()


def _earlier(side: Side, model: str, version: str) -> list[str]:
    """The versions to go back to from `version`, newest first."""
    every = _standings(side, model)
    return [each.version for each in before(side.registry, model, version, every)] if every else []


def _running(side: Side, model: str) -> Iterator[tuple[ResolvedRelease, ResolvedService]]:
    """The services that run a version of a model for everybody, by release."""
    for name in sorted(mentioning(side, f"{model}@")):
        release = side.release(name)
        for service in release.services.values() if release is not None else ():
            if release is not None and service.model is not None and service.model.name == model:
                yield release, service


def _entry(model: Model, versions: list[str]) -> Path:
    """Where model.yaml says of one of `versions` that it can't be deployed; the document where a record is gone."""
    said: Mapping[str, object]
    for field, said in (("lifecycle", model.lifecycle or {}), ("quarantine", model.quarantine or {})):
        for version in versions:
            if version in said:
                return (field, version)
    return ()


def _named(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
