"""Versions in quarantine that going back would bring back: a rollback refuses that, and a drill says that it would."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.gitops.declared import Declared, candidate_model
from relspec.registry.records import Registry, model_file

Roles = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def brought_back(
    registry: Registry, release: str, now: Declared | None, then: Declared, services: Iterable[str]
) -> Iterator[Finding]:
    """RS411 for each version in quarantine of which one of some services gets more by going from `now` to `then`.

    `registry` is that of HEAD. Where such a version already runs, nothing comes back. What counts as coming back is what
    `check --since` would refuse (`moves_to_quarantined`).
    """
    for service in services:
        for reference in _more_of(now, then, service):
            name, _, version = reference.partition("@")
            try:
                entry = (registry.model(name).quarantine or {}).get(version)
            except RelspecError:
                continue
            if entry is not None and entry.lifted is None:
                runs = "run" if reference in versions_of(then, service) else "have a variant with"
                yield _finding(f"{service} of {release} would {runs}", release, reference, entry.since, entry.reason)


def versions_of(declared: Declared, service: str) -> tuple[str, ...]:
    """The exact versions that a service of a state runs, its candidate's too."""
    candidate = candidate_model(declared, service)
    found = (declared.models.get(service), candidate)
    return tuple(reference for reference in found if reference is not None)


def _finding(who: str, release: str, reference: str, since: str, reason: str) -> Finding:
    name, _, version = reference.partition("@")
    message = f"{who} {name} {version} again, in quarantine since {since}: {reason}"
    hint = (
        "name another state: --to REV or --to VERSION; or lift it first: "
        f'relspec model quarantine {name} {version} --lift "REASON", and commit that'
    )
    return Finding("RS411", message, Where(model_file(name), ("quarantine", version)), hint, release=release)


def _more_of(now: Declared | None, then: Declared, service: str) -> Iterator[str]:
    """The exact versions of which a service gets more by going back: in a candidate's place only one that ran or was
    tried is no news, and in a variant's only one that it could be switched to."""
    had: set[str] = set()
    held = _roles(now, service) if now is not None else ((), (), ())
    for before, after in zip(held, _roles(then, service), strict=True):
        had |= {*before}
        yield from (reference for reference in after if reference not in had)


def _roles(declared: Declared, service: str) -> Roles:
    """What a service of a state runs, its candidate, and its variants that are not in use."""
    stable, candidate = declared.models.get(service), candidate_model(declared, service)
    levers = declared.levers.get(service)
    variants: Mapping[str, Any] = json.loads(levers.rest).get("variants") or {} if levers is not None else {}
    others = [
        str(patch["model"])
        for name, patch in variants.items()
        if levers is not None and name != levers.active and isinstance(patch, dict) and patch.get("model")
    ]
    return (stable,) if stable else (), (candidate,) if candidate else (), tuple(others)
