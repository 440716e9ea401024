"""A breaking change of what a release serves: who calls it has to come along, and to go back along with it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from relspec.diagnostics import Finding
from relspec.registry.interface import Comparison, compare
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
        result = answered(old, new)
        if result.verdict != "breaking":
            continue
        breaks = [change.message for change in result.changes if change.effect == "breaking"]
        message = f"{new.name} {new.version} breaks the interface of {old.name} {old.version} in {service.name}: "
        message += "; ".join(breaks[:MOST_CHANGES])
        users = callers(head, release)
        hint = "who calls it needs the same change; list it in `uses` of the caller, so that a rollback takes it along"
        if users:
            message += f"; {', '.join(users)} {'uses' if len(users) == 1 else 'use'} {release}"
            hint = _way_back(old, new, release, users)
        yield at_service(service, "RS434", ("model",), message, hint)


def callers(side: Side, release: str) -> tuple[str, ...]:
    """The releases that say that they use this one, sorted."""
    side = side.whole() if side.whole is not None else side
    found = []
    for name in sorted(mentioning(side, release)):
        caller = side.release(name) if name != release else None
        if caller is not None and any(release in (each.spec.uses or ()) for each in caller.services.values()):
            found.append(name)
    return tuple(found)


def answered(asked: ResolvedModel, by: ResolvedModel) -> Comparison:
    """What who calls the version `asked` sees when the version `by` answers.

    Going back is asked the same way, with the version that runs now first: a change can break its callers and its way
    back not, and the other way round. Who must go back too (DESIGN 6) is decided by that one alone.
    """
    old, new = (
        None if each.record.interface is None else each.record.interface.model_dump(exclude_none=True)
        for each in (asked, by)
    )
    return compare(old, new)


def together(releases: Sequence[str]) -> str:
    """The line to type that takes releases back in one commit."""
    return shlex.join(["relspec", "rollback", *releases])


def _way_back(old: ResolvedModel, new: ResolvedModel, release: str, users: Sequence[str]) -> str:
    """Whether those who call a release have to go back with it."""
    verdict = answered(new, old).verdict
    named = " and ".join(users)
    if verdict == "breaking":
        return f"going back needs {named}{' too' if len(users) < 3 else ''}: {together((release, *users))}"
    with_it = f"{named} {'needs' if len(users) == 1 else 'need'} the same change"
    if verdict == "unknown":
        return f"{with_it}; whether going back breaks {'it' if len(users) == 1 else 'them'}, the interfaces don't say"
    return f"{with_it}; the way back to {old.version} needs nobody else"
