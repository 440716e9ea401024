"""`policies.allow`: policy findings that an environment puts up with, for a reason and a time.

Only the environment can say so (not where the author of a release could silence it), only of class policy. A day ends by
the commit that is looked at, never by the clock: the same commit always gives the same answer.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Finding, Kind, Related, Severity, Where
from relspec.resolve import ResolvedEnvironment, ResolvedRelease
from relspec.spec.environment import Allowance, Policies

OF_CHANGES = frozenset({"RS432", "RS433", "RS435"})
"""Policy codes that only a comparison of two trees gives: whether they are allowed for nothing shows nowhere else."""


def allowed(finding: Finding, release: ResolvedRelease, today: str | None) -> Finding:
    """The finding, as a note where the environment allows it on `today` (YYYY-MM-DD; None: the day is not known).

    An allowance holds to the end of its last day. One that has ended is named beside the finding.
    """
    if CATALOGUE[finding.code].kind is not Kind.POLICY:
        return finding
    ended: list[Related] = []
    for allowance in release.environment.policies.allow:
        if (allowance.code, allowance.release) != (finding.code, release.id):
            continue
        if today is None or today <= allowance.until:
            message = f"{finding.message} (allowed until {allowance.until}: {allowance.reason})"
            return replace(finding, message=message, severity=Severity.NOTE)
        place = _where(release.environment, allowance, "until")
        ended.append(Related(f"it was allowed until {allowance.until}", place))
    return replace(finding, related=(*finding.related, *ended)) if ended else finding


def allowances(release: ResolvedRelease) -> Iterator[Finding]:
    """RS122: an allowance of what can't be allowed, or until a day that does not exist."""
    for allowance in _written(release.environment).allow:
        rule = CATALOGUE.get(allowance.code)
        if rule is None or rule.kind is not Kind.POLICY:
            what = "there is no such code" if rule is None else f"it is about {rule.kind.value}"
            message = f"{allowance.code} can't be allowed: {what}"
            hint = "only findings of class policy can be allowed"
            yield Finding("RS122", message, _where(release.environment, allowance, "code"), hint)
        if not _is_a_day(allowance.until):
            message = f"{allowance.until} is no day of the calendar"
            hint = 'write a day: until: "2026-12-31"'
            yield Finding("RS122", message, _where(release.environment, allowance, "until"), hint)


def unused(releases: Sequence[tuple[ResolvedRelease, Sequence[Finding]]], known: Collection[str]) -> Iterator[Finding]:
    """RS428: an allowance of what nothing says, or for a release that is not there.

    `releases` are all that could be resolved, with what is said of them; `known` are the ids of all there are.
    """
    said = {(finding.code, release.id) for release, findings in releases for finding in findings}
    resolved = {release.id for release, _ in releases}
    seen: set[Where] = set()
    for release, _ in releases:
        for allowance in _written(release.environment).allow:
            place = _where(release.environment, allowance, "release")
            if place in seen:
                continue
            seen.add(place)
            if allowance.release not in known:
                close = get_close_matches(allowance.release, known, n=1, cutoff=0.5)
                hint = f"did you mean {close[0]}?" if close else "write the id of one release: production/recs"
                yield Finding("RS428", f"there is no release {allowance.release}", place, hint)
            elif (
                allowance.release in resolved
                and allowance.code not in OF_CHANGES
                and (allowance.code, allowance.release) not in said
            ):
                message = f"nothing says {allowance.code} of {allowance.release}: this allows nothing"
                yield Finding("RS428", message, place, "remove the entry: it would hide the next one")


def _written(environment: ResolvedEnvironment) -> Policies:
    """The policies as they are written: a review of a change may have taken allowances out of those in force."""
    return environment.spec.policies or environment.policies


def _where(environment: ResolvedEnvironment, allowance: Allowance, field: str) -> Where:
    """A field of an allowance."""
    index = _written(environment).allow.index(allowance)
    return environment.where(("policies", "allow", index, field))


def _is_a_day(text: str) -> bool:
    """Whether YYYY-MM-DD is in the calendar."""
    year, month, day = (int(part) for part in text.split("-"))
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]
