"""A breaking change of what a release serves: who calls it has to come along, and to go back along with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relspec.diagnostics import Finding
from relspec.registry.interface import compare
from relspec.registry.records import ResolvedModel
from relspec.rules.changes.reach import mentioning
from relspec.rules.changes.side import Side
from relspec.rules.finding import at_service

MOST_CHANGES = 3
"""Changes of an interface that a message names."""


def breaking_interfaces(base: Side, head: Side, release: str) -> Iterator[Finding]:
    """RS434: the version in use breaks the interface of the one before; names the releases that declare `uses`."""
    was, now = base.release(release), head.release(release)
    if was is None or now is None:
        return
    for service in now.services.values():
        before = was.services.get(service.name)
        old, new = before.model if before else None, service.model
        if old is None or new is None or (old.name, old.version) == (new.name, new.version):
            continue
        result = compare(_interface(old), _interface(new))
        if result.verdict != "breaking":
            continue
        breaks = [change.message for change in result.changes if change.effect == "breaking"]
        message = f"{new.name} {new.version} breaks the interface of {old.name} {old.version} in {service.name}: "
        message += "; ".join(breaks[:MOST_CHANGES])
        users = callers(head, release)
        hint = "who calls it needs the same change; list it in `uses` of the caller, so that a rollback takes it along"
        if users:
            message += f"; {', '.join(users)} {'uses' if len(users) == 1 else 'use'} {release}"
            also = " and ".join(users) + (" too" if len(users) < 3 else "")
            hint = f"going back needs {also}: relspec rollback {' '.join((release, *users))}"
        yield at_service(service, "RS434", ("model",), message, hint)


def callers(side: Side, release: str) -> tuple[str, ...]:
    """The releases that say that they use this one, sorted."""
    found = []
    for name in sorted(mentioning(side, release)):
        caller = side.release(name) if name != release else None
        if caller is not None and any(release in (each.spec.uses or ()) for each in caller.services.values()):
            found.append(name)
    return tuple(found)


def _interface(model: ResolvedModel) -> dict[str, Any] | None:
    interface = model.record.interface
    return None if interface is None else interface.model_dump(exclude_none=True)
