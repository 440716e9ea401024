"""Which services a change moves to a quarantined version: where one already ran, nobody moved it there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from relspec.diagnostics import Finding, Severity, Where
from relspec.resolve import ResolvedService
from relspec.rules.changes.reach import reached
from relspec.rules.changes.side import Side

CODE = "RS411"
Versions = set[tuple[str, str]]


class Move(Struct, frozen=True):
    """A service that runs, or can be switched to, a quarantined version that it did not have before.

    `where` is the line that names the version: that of the finding RS411 about it.
    """

    release: str
    service: str
    model: str
    version: str
    where: Where


def moves_to_quarantined(
    base: Side,
    head: Side,
    changed: Collection[str] | None = None,
    former: Callable[[str], str] = lambda release: release,
) -> tuple[Move, ...]:
    """The services moved to a version whose quarantine is in force in `head`, sorted by release.

    To be moved is to get more of it: a new service, another version, a candidate that becomes stable, a variant that is
    switched to. A release that the base has and that does not resolve there counts as one without any version. `former`
    gives the id that a release has at the base: a rename moves no service.
    """
    found: list[Move] = []
    for name in reached(base, head, changed):
        now, was = head.release(name), base.release(former(name))
        for service in now.services.values() if now is not None else ():
            before = was.services.get(service.name) if was is not None else None
            found += _moves(name, before, service)
    return tuple(found)


def graded(findings: Iterable[Finding], moves: Iterable[Move]) -> Iterator[Finding]:
    """The findings, RS411 as an error where a service was moved, and as a warning where the version already ran."""
    errors = {(move.release, move.where) for move in moves}
    for finding in findings:
        if finding.code != CODE:
            yield finding
            continue
        moved = (finding.release, finding.where) in errors
        yield replace(finding, severity=Severity.ERROR if moved else Severity.WARNING)


def _moves(release: str, before: ResolvedService | None, now: ResolvedService) -> Iterator[Move]:
    stable = _versions(before)
    some = stable | _versions(before.candidate if before is not None else None)
    any_ = some.union(*(_versions(variant) for variant in before.variants.values())) if before is not None else some
    known = [(now, stable), (now.candidate, some)]
    known += [(variant, any_) for name, variant in now.variants.items() if name != now.active]
    for workload, had in known:
        model = workload.model if workload is not None else None
        if workload is None or model is None or model.quarantine is None:
            continue
        if (model.name, model.version) not in had:
            yield Move(release, now.name, model.name, model.version, workload.where(("model",)))


def _versions(service: ResolvedService | None) -> Versions:
    model = service.model if service is not None else None
    return set() if model is None else {(model.name, model.version)}
