"""A release's change in the field's words: what another version of the specs means, said without a diff.

Pure: two resolved releases go in, sentences come out. A value that may be long or hold control characters is shortened
and escaped; a literal secret is never repeated.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from relspec.credentials import NOT_SHOWN, without_secrets
from relspec.diagnostics import Path
from relspec.layers import Layers, merge
from relspec.registry.interface import compare
from relspec.registry.records import ResolvedModel
from relspec.registry.versions import change as step_between
from relspec.registry.versions import direction, parse_version
from relspec.reporters.text import counted, printable
from relspec.resolve import (
    EnvironmentValue,
    File,
    HostVariable,
    ResolvedEnvironment,
    ResolvedRelease,
    ResolvedService,
    Secret,
)
from relspec.spec.registry import ModelVersion
from relspec.targets.application_routing import candidate_percent
from relspec.targets.helm.values_context import image_parts

Data = Mapping[str, Any]

LONGEST_VALUE = 60
"""Characters of a value in a sentence."""

LONGEST_DIFF = 500
"""Lines up to which a diff is made: it takes the square of their number."""

MOST_SERVICES = 5
"""Services that one line names."""

USUAL_GPU = "nvidia.com/gpu"
"""Accelerators that need no other word than their number."""

STRATEGY_NAMES = {
    "fixed": "fixed",
    "stepped": "canary, stepped",
    "blueGreen": "blue-green",
    "held": "canary, held",
    "abTest": "A/B test",
    "shadow": "shadow",
}
"""The six strategies as DESIGN calls them."""


class Change(Struct, frozen=True):
    """One thing that is different.

    `service` is "" at the level of the release. `field` is the path that `explain` takes: `api.model`, `.targets`; of an
    environment it is its own path, `rollback.window`. `before` and `after` are JSON, None where there is nothing.
    `words` is the sentence without a full stop, `short` what a table has room for; "" where another change implies it.
    """

    service: str
    field: str
    before: Any
    after: Any
    words: str
    short: str


class _Pair(Struct, frozen=True):
    """One service on both sides. `at` is its path, `label` begins its sentences: a candidate and a variant have one."""

    name: str
    at: str
    label: str
    old: ResolvedService
    new: ResolvedService
    files: tuple[str, str]
    moved_alone: bool
    """Whether no document of the release differs: what moved are things that it names."""

    def change(
        self, field: str, before: Any, after: Any, words: str, *, source: str = "", short: str | None = None
    ) -> Change:
        """`source` ends the sentence; without `short` its first clause is the short one."""
        short = words.partition(";")[0] if short is None else short
        short = f"{self.label}{short}" if short else ""
        return Change(self.name, f"{self.at}.{field}", before, after, f"{self.label}{words}{source}", short)


def describe(old: ResolvedRelease | None, new: ResolvedRelease | None) -> tuple[Change, ...]:
    """What differs between two states of a release; nothing where both are the same. None: the release is not there.

    What both environments, bases and registries make of it counts: a value from elsewhere says where it comes from.
    Order: the release's own fields, then the services by name, each with its fields in one order.
    """
    if old is None or new is None:
        return _whole(old, new)
    same = _written(old) == _written(new)
    found = [*_release_fields(old, new)]
    for name in sorted({*old.services, *new.services}):
        found += _service(name, old, new, moved_alone=same)
    return tuple(found) or tuple(_written_differently(old, new))


def describe_environment(old: ResolvedEnvironment | None, new: ResolvedEnvironment | None) -> tuple[Change, ...]:
    """What differs between two states of an environment. None: it is not there. Ordered by field."""
    if old is None or new is None:
        return _whole_environment(old, new)
    before, after = _environment_data(old), _environment_data(new)
    nothing: Data = {}
    found: list[Change] = []
    for section in sorted({*before, *after}):
        sides = before.get(section, nothing), after.get(section, nothing)
        leaves = _entries(section, *sides) if section == "analyses" else _leaves((section,), *sides)
        for path, value, other in leaves:
            words = _environment_words(path, value, other)
            found.append(Change("", _dotted(path), _json(value, path), _json(other, path), words, words))
    return tuple(found)


def headline(changes: Sequence[Change], *, most: int = 3) -> str:
    """One line for a table: `api: als v0.3 -> v0.4; weight 10 -> 50`; "" for no changes.

    At most `most` changes of a service are named, and at most MOST_SERVICES services; how many more there are is said.
    """
    by_service: dict[str, list[str]] = {}
    for change in changes:
        if change.short:
            by_service.setdefault(change.service, []).append(change.short)
    parts = []
    for service, words in [*by_service.items()][:MOST_SERVICES]:
        rest = [f"{len(words) - most} more"] if len(words) > most else []
        said = "; ".join([*words[:most], *rest])
        parts.append(f"{service}: {said}" if service else said)
    if len(by_service) > MOST_SERVICES:
        parts.append(f"{counted(len(by_service) - MOST_SERVICES, 'more service')}")
    return " | ".join(parts)


# --- the release


def _whole(old: ResolvedRelease | None, new: ResolvedRelease | None) -> tuple[Change, ...]:
    """A release that comes or goes."""
    release = new or old
    if release is None:
        return ()
    named = [_summary(service) for _, service in sorted(release.services.items())]
    services = ", ".join(
        [*named[:MOST_SERVICES], *([f"{len(named) - MOST_SERVICES} more"] if named[MOST_SERVICES:] else [])]
    )
    facts = {name: _facts(service) for name, service in sorted(release.services.items())}
    words = (
        f"release {release.id} removed (was: {services})" if new is None else f"new release {release.id}: {services}"
    )
    short = "removed" if new is None else f"new: {services}"
    return (Change("", ".", facts if new is None else None, None if new is None else facts, words, short),)


def _release_fields(old: ResolvedRelease, new: ResolvedRelease) -> Iterator[Change]:
    """What is said once for all services."""
    if old.id != new.id:
        words = f"renamed {old.id} -> {new.id}"
        yield Change("", ".name", old.id, new.id, words, words)
    before, after = old.layers.merged, new.layers.merged
    if _different(before.get("targets"), after.get("targets")):
        said = (_targets(before.get("targets")), _targets(after.get("targets")))
        words = f"targets {said[0]} -> {said[1]}"
        yield Change("", ".targets", before.get("targets"), after.get("targets"), words, words)
    for field in ("helm", "overrides"):
        nothing: Data = {}
        for path, value, other in _leaves((field,), before.get(field) or nothing, after.get(field) or nothing):
            words = _generic(path, value, other)
            yield Change("", f".{_dotted(path)}", _json(value, path), _json(other, path), words, words)


def _targets(targets: list[str] | None) -> str:
    return "all of the environment's" if targets is None else ", ".join(targets)


def _written(release: ResolvedRelease) -> list[Any]:
    """What the release's own documents and its bases say, without the environment."""
    services = [
        (name, [layer.data for layer in service.layers.layers if layer.path[:1] == ("services",)])
        for name, service in sorted(release.services.items())
    ]
    return [release.layers.merged, services]


def _written_differently(old: ResolvedRelease, new: ResolvedRelease) -> Iterator[Change]:
    """What is written in another way and means the same: a default written out, a reference written as its text."""
    for name in sorted({*old.services} & {*new.services}):
        before, after = _without_variant(old.services[name]), _without_variant(new.services[name])
        for path, value, other in _leaves((), before, after):
            words = f"{_generic(path, value, other)}, which means the same"
            yield Change(name, f"{name}.{_dotted(path)}", _json(value, path), _json(other, path), words, words)


# --- services


def _service(name: str, old: ResolvedRelease, new: ResolvedRelease, *, moved_alone: bool) -> Iterator[Change]:
    before, after = old.services.get(name), new.services.get(name)
    if before is None and after is not None:
        words = f"service {name} added: {_summary(after, named=False)}"
        yield Change(name, name, None, _facts(after), words, "added")
    elif after is None and before is not None:
        words = f"service {name} removed (was: {_summary(before, named=False)})"
        yield Change(name, name, _facts(before), None, words, "removed")
    elif before is not None and after is not None and not _alike(before, after):
        yield from _fields(_Pair(name, name, "", before, after, (old.file, new.file), moved_alone))


def _alike(old: ResolvedService | None, new: ResolvedService | None) -> bool:
    """Whether two services are surely the same: what is written, and what it refers to. Most of a fleet is."""
    if old is None or new is None:
        return old is new
    return (
        (old.image, old.env, old.active, old.variants.keys()) == (new.image, new.env, new.active, new.variants.keys())
        and [(file.path, file.content) for file in old.files] == [(file.path, file.content) for file in new.files]
        and (_reference(old.model), old.model and old.model.record)
        == (_reference(new.model), new.model and new.model.record)
        and not _different(old.layers.merged, new.layers.merged)
        and _alike(old.candidate, new.candidate)
        and all(_alike(variant, new.variants[name]) for name, variant in old.variants.items())
        and not _different(_without_variant(old), _without_variant(new))
    )


def _fields(pair: _Pair) -> list[Change]:
    """Every field of a service on both sides, in the order of `FIELDS`."""
    found: list[Change] = []
    before, after = _data(pair.old), _data(pair.new)
    for field, words in FIELDS:
        if words is not None:
            found += words(pair)
        else:
            found += _plain(pair, field, before.get(field), after.get(field))
    for follow in (_candidate, _variants):
        found += follow(pair, found)
    found += _beneath(pair)
    order = {field: number for number, field in enumerate(ORDER)}
    start = len(pair.at) + 1
    return sorted(found, key=lambda change: order[change.field[start:].partition(".")[0]])


def _data(service: ResolvedService) -> Data:
    """The fields that a sentence needs no knowledge for; defaults of the language are written out."""
    said = _dump(service.spec, *NAMED_ELSEWHERE)
    return {**said, "overrides": service.layers.merged.get("overrides") or {}}


NAMED_ELSEWHERE = {"candidate", "variants", "overrides", "model", "image", "env", "files", "init", "sidecars"}
"""Fields that `_data` leaves to what knows them."""


def _facts(service: ResolvedService) -> dict[str, Any]:
    """A whole service in a few words of JSON."""
    return {
        "model": _reference(service.model),
        "image": service.image,
        "strategy": service.strategy.name,
        "replicas": _scale(service),
        "active": service.active,
    }


def _summary(service: ResolvedService, *, named: bool = True) -> str:
    """`api (als v0.3)`, or what it runs alone."""
    what = _version(service.model) if service.model is not None else f"image {_shown(service.image)}"
    return f"{service.name} ({what})" if named else what


def _plain(pair: _Pair, field: str, before: Any, after: Any) -> Iterator[Change]:
    if field in MAPS:
        before, after = before or {}, after or {}
    for path, value, other in _leaves((field,), before, after):
        words, source = _generic(path, value, other), _source(pair, path)
        yield pair.change(_dotted(path), _json(value, path), _json(other, path), words, source=source)


def _source(pair: _Pair, path: Path) -> str:
    """Where a value comes from that the release itself does not write; of one that is gone, where it was."""
    old, new = pair.old.where(path).file, pair.new.where(path).file
    if new in ("", pair.files[1]):
        return ""
    if not _says(pair.new.layers, path):
        return f" (in {printable(old)})" if _says(pair.old.layers, path) and old not in ("", pair.files[0]) else ""
    return f" (in {printable(new)})" if old == new else f" (now from {printable(new)})"


def _says(layers: Layers, path: Path) -> bool:
    """Whether anything is written at a path, or at one above it in a shorter way (`gpu: 1`); null is, too."""
    writer = layers.origin(path)
    if writer is not None and _at(writer.data, path) is None:
        return True
    node: Any = layers.merged
    for step in path:
        if not isinstance(node, Mapping):
            return True
        if step not in node:
            return False
        node = node[step]
    return True


def _active(pair: _Pair) -> Iterator[Change]:
    before, after = pair.old.active, pair.new.active
    if before != after:
        yield pair.change("active", before, after, f"active: {after or 'none'} (was: {before or 'none'})")


def _beneath(pair: _Pair) -> Iterator[Change]:
    """What changes under a variant that hides it: it is what runs when the line `active` goes."""
    active = pair.new.active
    if active is None:
        return
    for path, value, other in _leaves((), _without_variant(pair.old), _without_variant(pair.new)):
        taken_away = path[0] in ("strategy", "candidate")
        if path[0] not in ("active", "variants") and (
            taken_away or _different(_at(pair.new.layers.merged, path), other)
        ):
            words = f"{_generic(path, value, other)} (not in use while {active} is active)"
            yield pair.change(_dotted(path), _json(value, path), _json(other, path), words)


def _without_variant(service: ResolvedService) -> Data:
    """What the service is written as, without its active variant."""
    return service.layers.merged if service.active is None else merge(service.layers.layers[:-1], []).merged


def _at(data: Any, path: Path) -> Any:
    for step in path:
        if not isinstance(data, Mapping) or step not in data:
            return _MISSING
        data = data[step]
    return data


# --- the model


def _model(pair: _Pair) -> Iterator[Change]:
    old, new = pair.old.model, pair.new.model
    if old is None and new is None:
        return
    before, after = _reference(old), _reference(new)
    if new is None:
        yield pair.change("model", before, None, f"no model (was: {_version(old)})")
    elif old is None:
        yield pair.change("model", None, after, f"model {_version(new)} (was: none)")
    elif before != after:
        head = _step(pair, old, new) + _source(pair, ("model",))
        details = [*_lineage(old.record, new.record)] if old.name == new.name else []
        words = "; ".join([head, *details, *_consequences(pair, old, new)])
        short = f"{old.name} {old.version} -> {'' if old.name == new.name else f'{new.name} '}{new.version}"
        yield pair.change("model", before, after, words, short=short)
    elif old.alias != new.alias:
        by = (f"{old.name}@{old.alias or old.version}", f"{new.name}@{new.alias or new.version}")
        how = f"by its alias {new.alias}" if new.alias else "pinned"
        yield pair.change("model", by[0], by[1], f"model {_version(new)}, now {how} (was: {by[0]}), the same version")
    if old is not None and new is not None and before == after and old.record != new.record:
        said = "; ".join(_lineage(old.record, new.record)) or "other facts about it"
        words = f"the record of {_version(new)} was edited: {said}"
        yield pair.change("model", before, after, words)


def _step(pair: _Pair, old: ResolvedModel, new: ResolvedModel) -> str:
    """`model als v0.3 -> v0.4, minor`."""
    if old.name != new.name:
        return f"model {_version(old)} -> {_version(new)}, another model"
    size = version_step(old, new)
    tail = f", {size}" if size else ""
    if new.alias is not None and new.alias == old.alias and pair.old.spec.model == pair.new.spec.model:
        why = "(the alias moved; the release is unchanged)" if pair.moved_alone else "(the alias moved)"
        return f"{new.name}@{new.alias}: {old.version} -> {new.version} {why}{tail}"
    return f"model {new.name} {old.version} -> {new.version}{tail}"


def version_step(old: ResolvedModel, new: ResolvedModel) -> str:
    """How far one version of a model is from another: `minor`, `back, patch`, `2 steps`; "" where nobody can say."""
    scheme = new.model.versioning
    before, after = parse_version(old.version, scheme), parse_version(new.version, scheme)
    if before is None or after is None:
        return ""
    size: str = step_between(before, after)
    if size == "step":
        size = counted(abs(after.numbers[0] - before.numbers[0]), "step")
    elif size == "none":
        size = "the same number"
    return f"back, {size}" if direction(before, after) == "downgrade" else size


def _lineage(old: ModelVersion, new: ModelVersion) -> Iterator[str]:
    """Code, data, configuration, runtime and hardware, as far as they differ."""
    yield from _fact("code", old.code.commit[:8] if old.code else None, new.code.commit[:8] if new.code else None)
    yield from _fact("data", old.data.snapshot if old.data else None, new.data.snapshot if new.data else None)
    for kind, before, after in zip(("config", "runtime", "hardware"), _facets(old), _facets(new), strict=True):
        if before is None or after is None:
            yield from _fact(kind, "recorded" if before else None, "recorded" if after else None)
            continue
        found = [_generic(path, value, other) for path, value, other in _leaves((), before, after)]
        rest = f" and {len(found) - 2} more" if len(found) > 2 else ""
        if found:
            yield f"{kind} {', '.join(found[:2])}{rest}"


def _facets(record: ModelVersion) -> tuple[Data | None, Data | None, Data | None]:
    """Configuration, runtime (its image is said with the service's) and hardware."""
    return (
        record.config.hyperparameters if record.config else None,
        _dump(record.runtime, "image") if record.runtime else None,
        _dump(record.hardware) if record.hardware else None,
    )


def _fact(kind: str, old: str | None, new: str | None) -> Iterator[str]:
    if old != new:
        yield f"{kind} {_shown(old) if old else 'not recorded'} -> {_shown(new) if new else 'not recorded'}"


def _consequences(pair: _Pair, old: ResolvedModel, new: ResolvedModel) -> Iterator[str]:
    yield interface_words(old.record, new.record)
    if pair.old.image == pair.new.image:
        runtimes = [record.runtime.image if record.runtime else None for record in (old.record, new.record)]
        aside = ", although the runtime's is another" if all(runtimes) and runtimes[0] != runtimes[1] else ""
        yield f"image unchanged{aside}"


def interface_words(old: ModelVersion, new: ModelVersion) -> str:
    """`interface compatible`, or what breaks whoever calls it."""
    compared = compare(*(_dump(record.interface) if record.interface else None for record in (old, new)))
    if compared.verdict == "compatible":
        return "interface compatible"
    if not compared.declared:
        return "interface unknown: not declared"
    messages = [change.message for change in compared.changes if change.effect == compared.verdict]
    rest = f" and {len(messages) - 1} more" if len(messages) > 1 else ""
    return f"interface {compared.verdict}: {printable(messages[0])}{rest}"


def _reference(model: ResolvedModel | None) -> str | None:
    """The exact version: `als@v0.3`."""
    return None if model is None else f"{model.name}@{model.version}"


def _version(model: ResolvedModel | None) -> str:
    return "none" if model is None else f"{model.name} {model.version}"


def _dump(model: BaseModel, *without: str) -> dict[str, Any]:
    # Unions that are told apart by a function warn when a value of theirs is written; it is written rightly.
    return model.model_dump(by_alias=True, exclude_none=True, exclude=set(without), warnings=False)


# --- image, strategy, replicas, resources


def _image(pair: _Pair) -> Iterator[Change]:
    before, after = pair.old.image, pair.new.image
    if before == after:
        return
    from_model = " (from the model's runtime)" if pair.new.spec.image is None else _source(pair, ("image",))
    words = f"image {image_step(before, after)}"
    yield pair.change("image", before, after, words, source=from_model)


def image_step(old: str, new: str) -> str:
    """From one image to another without what both have: `ghcr.io/acme/recs 1.8.2 -> 1.9.0`."""
    (repository, tag, digest), (other, new_tag, new_digest) = image_parts(old), image_parts(new)
    if repository != other:
        return f"{_shown(old)} -> {_shown(new)}"
    if tag != new_tag:
        return f"{_shown(repository)} {_shown(tag or 'no tag')} -> {_shown(new_tag or 'no tag')}"
    name = f"{repository}:{tag}" if tag else repository
    if not digest or not new_digest:
        return f"{_shown(name)}, {'now with its digest' if new_digest else 'no longer with a digest'}"
    return f"{_shown(name)}, digest {_digest(digest)} -> {_digest(new_digest)}"


def _digest(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _strategy(pair: _Pair) -> Iterator[Change]:
    old, new = pair.old.strategy, pair.new.strategy
    before, after = _dump(old), _dump(new)
    if old.name != new.name:
        words = f"strategy {STRATEGY_NAMES[old.name]} -> {STRATEGY_NAMES[new.name]}"
        yield pair.change("strategy", before or None, after or None, f"{words}{_split(pair.new)}")
        return
    for path, value, other in _leaves(("strategy",), before, after):
        words, short = _strategy_words(path, value, other)
        source = _source(pair, ("strategy",))
        yield pair.change(_dotted(path), _json(value, path), _json(other, path), words, source=source, short=short)


def _split(service: ResolvedService) -> str:
    """What the candidate gets under a strategy that Git holds."""
    strategy = service.strategy
    if strategy.name in ("held", "abTest"):
        return f"; weight {candidate_percent(service)} %"
    if strategy.shadow is not None:
        return f"; {strategy.shadow.percent} % of the requests copied"
    return "; a person promotes" if strategy.blue_green and strategy.blue_green.promote == "manual" else ""


def _strategy_words(path: Path, old: Any, new: Any) -> tuple[str, str]:
    match path[2:]:
        case ("weight",):
            return f"weight {old} % -> {new} %", f"weight {old} -> {new}"
        case ("percent",):
            return f"shadow {old} % -> {new} %", f"shadow {old} -> {new}"
        case ("steps",):
            return f"steps {_steps(old)} -> {_steps(new)}", f"steps {len(old)} -> {len(new)}"
        case ("promote",):
            return f"promotion {old} -> {new}", f"promotion {old} -> {new}"
        case rest:
            words = _generic(rest, old, new)
            return words, words


def _steps(steps: list[Data]) -> str:
    """`[10 %, 5m, success-rate, a person]`, or how many there are."""
    words = []
    for step in steps:
        if "setWeight" in step:
            words.append(f"{step['setWeight']} %")
        elif "pause" in step:
            words.append(step["pause"] or "a person")
        else:
            words.append(" and ".join(step["analyze"]))
    text = f"[{', '.join(words)}]"
    return text if len(text) <= 2 * LONGEST_VALUE else f"[{', '.join(words[:4])}, … {len(words)} in all]"


def _replicas(pair: _Pair) -> Iterator[Change]:
    before, after = _scale(pair.old), _scale(pair.new)
    if not _different(before, after):
        return
    source = _source(pair, ("replicas",))
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        ranges = (_count(before), _count(after))
        details = [
            _generic(path, value, other)
            for path, value, other in _leaves((), before, after)
            if path[0] not in ("min", "max")
        ]
        head = f"replicas {ranges[0]} -> {ranges[1]}" if ranges[0] != ranges[1] else f"replicas {ranges[0]}"
        words = "; ".join([f"{head} (autoscaled)", *(f"target {detail}" for detail in details)])
    else:
        words = f"replicas {_count(before, named=True)} -> {_count(after, named=True)}"
    yield pair.change("replicas", before, after, words, source=source)


def _scale(service: ResolvedService) -> Any:
    replicas = service.spec.replicas
    return replicas if isinstance(replicas, int) else _dump(replicas)


def _count(replicas: int | Data, *, named: bool = False) -> str:
    if isinstance(replicas, Mapping):
        return f"{replicas['min']}..{replicas['max']}" + (" (autoscaled)" if named else "")
    return str(replicas)


def _resources(pair: _Pair) -> Iterator[Change]:
    before, after = _needs(pair.old), _needs(pair.new)
    for path, value, other in _leaves((), before, after):
        words, source = _generic(path, value, other), _source(pair, ("resources", path[0]))
        yield pair.change(f"resources.{_dotted(path)}", _json(value, path), _json(other, path), words, source=source)


def _needs(service: ResolvedService) -> Data:
    """Resources, with the accelerators as a number where they are of the usual kind."""
    found = _dump(service.spec.resources) if service.spec.resources else {}
    gpu = service.spec.accelerators
    if gpu is not None:
        found["gpu"] = gpu.count if gpu.resource == USUAL_GPU else _dump(gpu)
    return found


# --- env and files


def _env(pair: _Pair) -> Iterator[Change]:
    before, after = pair.old.env, pair.new.env
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        values = (_variable(name, old), _variable(name, new))
        if old is None:
            words = f"env {name}={values[1]} added"
        elif new is None:
            words = f"env {name} removed (was: {values[0]})"
        else:
            words = f"env {name} {values[0]} -> {values[1]}"
        path: Path = ("env", name)
        said = (_env_json(name, old), _env_json(name, new))
        source = _follows(pair, name) or _source(pair, path)
        short = "" if source == FOLLOWS_MODEL else None
        yield pair.change(f"env.{name}", *said, words, source=source, short=short)


def _variable(name: str, value: EnvironmentValue | None) -> str:
    match value:
        case Secret(secret, key):
            return f"secret {_shown(f'{secret}/{key}')}"
        case HostVariable(variable, default):
            rest = "" if default is None else f" (default {_shown(default, name)})"
            return f"the host's {variable}{rest}"
        case _:
            return _shown(value, name)


def _env_json(name: str, value: EnvironmentValue | None) -> Any:
    match value:
        case Secret(secret, key):
            return {"secret": f"{secret}/{key}"}
        case HostVariable(variable, default):
            return {"variable": variable, "default": _json(default, (name,))}
        case _:
            return _json(value, (name,))


FOLLOWS_MODEL = " (follows the model)"


def _follows(pair: _Pair, name: str) -> str:
    """Why a variable changes that nobody edited."""
    old, new = (service.layers.merged.get("env", {}).get(name) for service in (pair.old, pair.new))
    if not isinstance(new, Mapping) or old != new:
        return ""
    return FOLLOWS_MODEL if "model" in new else " (follows the environment)" if "environment" in new else ""


def _files(pair: _Pair) -> Iterator[Change]:
    before, after = ({file.path: file for file in service.files} for service in (pair.old, pair.new))
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old is not None and new is not None and old.content == new.content:
            continue
        words = f"file {_shown(path)} {_file_step(old, new)}"
        yield pair.change(f"files.{path}", _file_json(old), _file_json(new), words, short=words.partition(",")[0])


def _file_json(file: File | None) -> Any:
    """A file by its content's digest: the content itself may be long, binary or secret."""
    if file is None:
        return None
    return {"sha256": hashlib.sha256(file.content).hexdigest(), "bytes": len(file.content), "from": file.source}


def _file_step(old: File | None, new: File | None) -> str:
    if old is None or new is None:
        return "removed" if new is None else f"added, {len(new.content)} bytes"
    before, after = old.content.splitlines(), new.content.splitlines()
    if b"\0" in old.content + new.content:
        return f"changed, {len(old.content)} -> {len(new.content)} bytes"
    added, removed = changed_lines(before, after)
    return f"changed, {counted(added, 'line')} added, {removed} removed"


def changed_lines(old: Sequence[bytes], new: Sequence[bytes]) -> tuple[int, int]:
    """How many lines a diff adds and removes; of more than LONGEST_DIFF between the first and the last one that differ,
    those that the other side lacks are counted, wherever they stand."""
    start = _alike_lines(old, new)
    old, new = old[start:], new[start:]
    end = _alike_lines(old[::-1], new[::-1])
    old, new = old[: len(old) - end], new[: len(new) - end]
    if len(old) + len(new) > LONGEST_DIFF:
        before, after = Counter(old), Counter(new)
        return (after - before).total(), (before - after).total()
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    changed = [block for block in blocks if block[0] != "equal"]
    return sum(stop - first for *_, first, stop in changed), sum(stop - first for _, first, stop, *_ in changed)


def _alike_lines(old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """How many lines both begin with."""
    pairs = zip(old, new, strict=False)
    return next((at for at, (before, after) in enumerate(pairs) if before != after), min(len(old), len(new)))


# --- companions, candidate, variants


def _companions(field: str) -> Callable[[_Pair], Iterator[Change]]:
    """Init containers or sidecars: told apart by their names, found by their places."""

    def words(pair: _Pair) -> Iterator[Change]:
        before, after = (
            [_dump(each) for each in getattr(service.spec, field) or ()] for service in (pair.old, pair.new)
        )
        places = [{entry["name"]: place for place, entry in enumerate(entries)} for entries in (before, after)]
        for name in {**places[0], **places[1]}:
            old = before[places[0][name]] if name in places[0] else None
            new = after[places[1][name]] if name in places[1] else None
            place = places[1].get(name, places[0].get(name))
            yield from _companion(pair, (field, place or 0), name, old, new)
        kept = [[name for name in names if all(name in each for each in places)] for names in places]
        if kept[0] != kept[1]:
            yield pair.change(field, kept[0], kept[1], f"{field} in another order: {', '.join(kept[1])}")

    return words


def _companion(pair: _Pair, at: Path, name: str, old: Data | None, new: Data | None) -> Iterator[Change]:
    label = f"{at[0]} {name}"
    if old is None or new is None:
        there = new or old or {}
        how = "added" if old is None else "removed"
        words = f"{label} {how} ({_shown(there['image'])})"
        yield pair.change(_dotted(at), _json(old, at), _json(new, at), words)
        return
    for path, value, other in _leaves((), old, new):
        if path == ("image",):
            words = f"{label}: image {image_step(value, other)}"
        else:
            words = f"{label}: {_generic(path, value, other)}"
        yield pair.change(
            _dotted((*at, *path)), _json(value, path), _json(other, path), words, source=_source(pair, at)
        )


def _candidate(pair: _Pair, found: Sequence[Change]) -> list[Change]:
    old, new = pair.old.candidate, pair.new.candidate
    if old is not None and new is not None:
        inner = replace(pair, at=f"{pair.at}.candidate", label=f"{pair.label}candidate: ", old=old, new=new)
        return _own(inner, found, pair)
    if new is not None:
        words = f"candidate {_identity(new, pair.new)} added"
        return [pair.change("candidate", None, _facts(new), words)]
    if old is not None:
        stable = "" if _runs(pair.old) == _runs(pair.new) or _runs(old) != _runs(pair.new) else " (it is stable now)"
        words = f"candidate {_identity(old, pair.old)} removed{stable}"
        return [pair.change("candidate", _facts(old), None, words)]
    return []


def _runs(service: ResolvedService) -> tuple[str | None, str]:
    return _reference(service.model), service.image


def _identity(candidate: ResolvedService, stable: ResolvedService) -> str:
    """What makes a candidate another version: its model, else its image."""
    model, image = _reference(candidate.model), candidate.image
    if model is not None and model != _reference(stable.model):
        return model
    return _shown(image) if image != stable.image else "of the same version"


def _variants(pair: _Pair, found: Sequence[Change]) -> list[Change]:
    before, after = pair.old.variants, pair.new.variants
    changes: list[Change] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        field = f"variants.{name}"
        if old is None and new is not None:
            words = f"variant {name} added: {_summary(new, named=False)}"
            changes.append(pair.change(field, None, _facts(new), words))
        elif new is None and old is not None:
            words = f"variant {name} removed (was: {_summary(old, named=False)})"
            changes.append(pair.change(field, _facts(old), None, words))
        elif old is not None and new is not None:
            inner = replace(pair, at=f"{pair.at}.{field}", label=f"{pair.label}variant {name}: ", old=old, new=new)
            # A variant's service says of itself that it is active.
            changes += [change for change in _own(inner, found, pair) if not change.field.endswith(".active")]
    return changes


def _own(inner: _Pair, found: Sequence[Change], outer: _Pair) -> list[Change]:
    """The changes of a candidate or variant that are not simply those of its service."""
    known = {_key(change, outer.at) for change in found}
    nested = replace(
        inner, old=replace(inner.old, active=None, variants={}), new=replace(inner.new, active=None, variants={})
    )
    return [change for change in _fields(nested) if _key(change, inner.at) not in known]


def _key(change: Change, at: str) -> tuple[str, str]:
    return change.field[len(at) :], json.dumps([change.before, change.after], sort_keys=True, default=str)


def _nothing(_pair: _Pair) -> Iterator[Change]:
    """A field that is said elsewhere."""
    return iter(())


MAPS = frozenset({"ports", "labels", "annotations", "volumes", "dependsOn", "overrides"})
"""Fields of named entries: none of them is the same as no field."""

Words = Callable[[_Pair], Iterator[Change]]
FIELDS: tuple[tuple[str, Words | None], ...] = (
    ("active", _active),
    ("model", _model),
    ("image", _image),
    ("strategy", _strategy),
    ("candidate", _nothing),
    ("routing", None),
    ("replicas", _replicas),
    ("resources", _resources),
    ("env", _env),
    ("files", _files),
    ("command", None),
    ("args", None),
    ("ports", None),
    ("route", None),
    ("health", None),
    ("shutdown", None),
    ("metrics", None),
    ("volumes", None),
    ("init", _companions("init")),
    ("sidecars", _companions("sidecars")),
    ("security", None),
    ("writable", None),
    ("labels", None),
    ("annotations", None),
    ("serviceAccount", None),
    ("imagePullSecrets", None),
    ("placement", None),
    ("restart", None),
    ("dependsOn", None),
    ("targets", None),
    ("build", None),
    ("verify", None),
    ("uses", None),
    ("variants", _nothing),
    ("overrides", None),
)
"""Every field of a service in the order of its sentences; None where a value before and after says it all."""

ORDER = tuple(field for field, _ in FIELDS)


# --- environments


def _environment_data(environment: ResolvedEnvironment) -> dict[str, Any]:
    """An environment with its defaults written out, where a person would name them."""
    merged = environment.layers.merged
    said = {key: value for key, value in merged.items() if key not in ("apiVersion", "kind", "name")}
    return {
        **said,
        "rollback": _dump(environment.rollback),
        "policies": _dump(environment.policies),
        "defaults": merge(environment.defaults, []).merged,
    }


def _whole_environment(old: ResolvedEnvironment | None, new: ResolvedEnvironment | None) -> tuple[Change, ...]:
    """An environment that comes or goes."""
    there = new or old
    if there is None:
        return ()
    facts = {"targets": sorted(there.layers.merged.get("targets") or {})}
    words = f"environment {there.path} removed" if new is None else f"new environment {there.path}"
    return (Change("", ".", facts if new is None else None, None if new is None else facts, words, words),)


def _entries(section: str, old: Data, new: Data) -> Iterator[Leaf]:
    """The entries of a map that differ, each as a whole."""
    for name in sorted({*old, *new}):
        before, after = old.get(name, _MISSING), new.get(name, _MISSING)
        if _different(before, after):
            yield (section, name), before, after


def _environment_words(path: Path, old: Any, new: Any) -> str:
    rest = path[1:]
    match path[0]:
        case "analyses" if len(path) == 2:
            return _entry(f"analysis {path[1]}", old, new)
        case "policies" if path[1] == "allow":
            return f"allowances {len(old)} -> {len(new)}" if len(old) != len(new) else "allowances changed"
        case "policies" if isinstance(new, bool):
            return f"policy {path[1]} {'on' if new else 'off'}"
        case "policies":
            return f"policy {_generic(rest, old, new)}"
        case "variables" if len(path) == 2:
            return f"variable {_generic(rest, old, new)}"
        case "targets" if len(path) == 2 and (_is_gone(old) or _is_gone(new)):
            return f"target {path[1]} {'added' if _is_gone(old) else 'removed'}"
        case _:
            return _generic(path, old, new)


def _entry(label: str, old: Any, new: Any) -> str:
    if _is_gone(old) or _is_gone(new):
        return f"{label} {'added' if _is_gone(old) else 'removed'}"
    found = [_generic(path, value, other) for path, value, other in _leaves((), old, new)]
    more = f" and {len(found) - 2} more" if len(found) > 2 else ""
    return f"{label} changed: {', '.join(found[:2])}{more}"


# --- values


def differing_paths(old: Any, new: Any) -> list[str]:
    """Where two pieces of JSON differ, as dotted paths: `image.tag`."""
    return [_dotted(path) for path, _, _ in _leaves((), old, new)]


def shortened(text: str) -> str:
    """A text in a sentence: control characters made visible, cut where it is long."""
    text = printable(text)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


Leaf = tuple[Path, Any, Any]


class _Missing:
    """What is not there, where None is a value."""


_MISSING = _Missing()


def _is_gone(value: Any) -> bool:
    return value is _MISSING or value is None


def _leaves(path: Path, old: Any, new: Any) -> Iterator[Leaf]:
    """The smallest nodes that differ, with what is there before and after; keys in alphabetical order."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}, key=str):
            yield from _leaves((*path, key), old.get(key, _MISSING), new.get(key, _MISSING))
    elif _different(old, new):
        yield path, old, new


def _different(old: Any, new: Any) -> bool:
    """Whether two pieces of JSON differ: True is no 1, and a map has no order."""
    if old is _MISSING or new is _MISSING:
        return old is not new
    return json.dumps(old, sort_keys=True, default=str) != json.dumps(new, sort_keys=True, default=str)


def _generic(path: Sequence[str | int], old: Any, new: Any) -> str:
    """A path, and its value before and after."""
    label, name = printable(_dotted(path)), str(path[-1]) if path else ""
    if _is_gone(old):
        return f"{label} {_shown(new, name)} (was: none)"
    if _is_gone(new):
        return f"{label} removed (was: {_shown(old, name)})"
    return f"{label} {_shown(old, name)} -> {_shown(new, name)}"


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))


def _shown(value: Any, name: str = "") -> str:
    """A value in a sentence: short, on one line, and no secret."""
    value = without_secrets(None if value is _MISSING else value, name)
    plain = isinstance(value, str) and value != "" and (value == NOT_SHOWN or not any(char.isspace() for char in value))
    return shortened(value if plain else json.dumps(value, ensure_ascii=False, default=str))


def _json(value: Any, path: Sequence[str | int]) -> Any:
    """A value as JSON, without secrets; None for what is not there."""
    return without_secrets(None if value is _MISSING else value, str(path[-1]) if path else "")
