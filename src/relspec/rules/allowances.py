"""`policies.allow`: policy findings that an environment puts up with, for a reason and a time.

Only the environment can say so (not where the author of a release could silence it), only of class policy. A day ends by
the commit that is looked at, never by the clock: the same commit always gives the same answer.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import replace

from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Finding, Kind, Severity
from relspec.resolve import ResolvedRelease
from relspec.rules.finding import at_environment


def allowed(finding: Finding, release: ResolvedRelease, today: str | None) -> Finding:
    """The finding, as a note where the environment allows it on `today` (YYYY-MM-DD; None: the day is not known)."""
    if CATALOGUE[finding.code].kind is not Kind.POLICY:
        return finding
    for allowance in release.environment.policies.allow:
        in_time = today is None or today <= allowance.until
        if allowance.code == finding.code and allowance.release == release.id and in_time:
            message = f"{finding.message} (allowed until {allowance.until}: {allowance.reason})"
            return replace(finding, message=message, severity=Severity.NOTE)
    return finding


def allowances(release: ResolvedRelease) -> Iterator[Finding]:
    """RS122: an allowance of what can't be allowed, or until a day that does not exist."""
    for index, allowance in enumerate(release.environment.policies.allow):
        rule = CATALOGUE.get(allowance.code)
        if rule is None or rule.kind is not Kind.POLICY:
            what = "there is no such code" if rule is None else f"it is about {rule.kind.value}"
            message = f"{allowance.code} can't be allowed: {what}"
            hint = "only findings of class policy can be allowed"
            yield at_environment(release.environment, "RS122", ("policies", "allow", index, "code"), message, hint)
        if not _is_a_day(allowance.until):
            path = ("policies", "allow", index, "until")
            message = f"{allowance.until} is no day of the calendar"
            yield at_environment(release.environment, "RS122", path, message, 'write a day: until: "2026-12-31"')


def _is_a_day(text: str) -> bool:
    """Whether YYYY-MM-DD is in the calendar."""
    year, month, day = (int(part) for part in text.split("-"))
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]
