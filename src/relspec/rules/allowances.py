"""`policies.allow`: policy findings that an environment puts up with, for a reason and a time.

Only the environment can say so (not where the author of a release could silence it), only of class policy. A day ends by
the commit that is looked at, never by the clock: the same commit always gives the same answer. Without a commit no
day is known, and none has ended; then the finding says so.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from msgspec.structs import replace

from relspec.catalogue import CATALOGUE
from relspec.diagnostics import Finding, Kind, Path, Related, Severity, Where, word
from relspec.resolve import ResolvedEnvironment, ResolvedRelease
from relspec.spec.environment import Allowance, Policies
from relspec.spec.quantities import is_day

OF_CHANGES = frozenset({"RS432", "RS433", "RS435"})
"""Policy codes that only a comparison of two trees gives: whether they are allowed for nothing shows nowhere else."""


UNKNOWN_DAY = ""
"""In place of a day where there is no commit that says which one it is."""

Today = str | Callable[[], str | None] | None
"""A day (YYYY-MM-DD), or what finds it out, which is asked only where there is an allowance."""


def allowed(finding: Finding, release: ResolvedRelease, today: Today) -> Finding:
    """The finding, as a note where the environment allows it on `today` (YYYY-MM-DD; None: nobody asks for the day).

    An allowance holds to the end of its last day. One that has ended is named beside the finding.
    """
    if CATALOGUE[finding.code].kind is not Kind.POLICY:
        return finding
    ended: list[Related] = []
    for allowance in release.environment.policies.allow:
        if (allowance.code, allowance.release) != (finding.code, release.id):
            continue
        place = _where(release.environment, allowance, "until")
        if _is_beside(release, place):
            continue
        day = today() if callable(today) else today
        if not day or day <= allowance.until:
            message = f"{finding.message} (allowed until {allowance.until}: {allowance.reason})"
            if day == UNKNOWN_DAY:
                message += "; without a commit there is no day, so it has not ended"
            return replace(finding, message=message, severity=Severity.NOTE)
        ended.append(Related(f"it was allowed until {allowance.until}", place))
    return replace(finding, related=(*finding.related, *ended)) if ended else finding


def allowances(release: ResolvedRelease) -> Iterator[Finding]:
    """RS122: an allowance of what can't be allowed, or until a day that does not exist."""
    for allowance in _written(release.environment).allow:
        rule = CATALOGUE.get(allowance.code)
        if not _can_be_allowed(allowance.code):
            what = "there is no such code" if rule is None else f"it is about {rule.kind.value}"
            message = f"{allowance.code} can't be allowed: {what}"
            hint = "only findings of class policy can be allowed"
            yield Finding("RS122", message, _where(release.environment, allowance, "code"), hint)
        if not is_day(allowance.until):
            message = f"{allowance.until} is no day of the calendar"
            hint = 'write a day: until: "2026-12-31"'
            yield Finding("RS122", message, _where(release.environment, allowance, "until"), hint)


def unused(releases: Sequence[tuple[ResolvedRelease, Sequence[Finding]]], known: Collection[str]) -> Iterator[Finding]:
    """RS428: an allowance of what nothing says, for a release that is not there, or by the release's own author.

    `releases` are all that could be resolved, with what is said of them; `known` are the ids of all there are.
    """
    said = {(finding.code, release.id) for release, findings in releases for finding in findings}
    resolved = {release.id: release for release, _ in releases}
    seen: set[Where] = set()
    for release, _ in releases:
        for allowance in _written(release.environment).allow:
            place = _where(release.environment, allowance, "release")
            if place in seen or not _can_be_allowed(allowance.code):  # RS122 says the latter
                continue
            seen.add(place)
            if allowance.release not in known:
                close = get_close_matches(allowance.release, known, n=1, cutoff=0.5)
                hint = f"did you mean {close[0]}?" if close else "write the id of one release: production/recs"
                yield Finding("RS428", f"there is no release {word(allowance.release)}", place, hint)
            elif allowance.release in resolved and _is_beside(resolved[allowance.release], place):
                message = "this allows nothing: whoever writes the release could write it, too"
                outer = release.environment.files[-2]
                yield Finding("RS428", message, place, f"move the entry to policies.allow of {outer}")
            elif (
                allowance.release in resolved
                and allowance.code not in OF_CHANGES
                and (allowance.code, allowance.release) not in said
            ):
                message = f"nothing says {allowance.code} of {allowance.release}: this allows nothing"
                yield Finding("RS428", message, place, "remove the entry: it would hide the next one")


def loosened(releases: Sequence[ResolvedRelease]) -> Iterator[Finding]:
    """RS429: an environment that insists on less than the one around it: a new folder can do that.

    A warning where its environment.yaml lies beside a release, for then whoever writes the release could write it.
    """
    beside = {posixpath.dirname(release.file) for release in releases}
    seen: set[str] = set()
    for release in releases:
        outer: dict[str, Any] = {}
        for layer in release.environment.layers.layers:
            own = layer.data.get("policies", {})
            inner = {**outer, **own} if isinstance(own, Mapping) else {}
            if layer.file not in seen:
                seen.add(layer.file)
                fields = list(_looser(outer, inner))
                places: list[tuple[Path, str]] = [(("policies", field), field) for field in fields]
                if not isinstance(own, Mapping) and fields:  # null, which takes all of them away
                    places = [(("policies",), ", ".join(fields))]
                severity = Severity.WARNING if posixpath.dirname(layer.file) in beside else None
                for path, what in places:
                    name = layer.name.removeprefix("environment ")
                    message = f"{name} insists on less than what is around it: {what}"
                    hint = "remove it, if the environments around it are meant to decide"
                    yield Finding("RS429", message, layer.where(path, "key"), hint, severity=severity)
            outer = inner


def _looser(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> Iterator[str]:
    """The policies of `inner` that ask for less than those of `outer`; both as they are written."""
    for field in ("requireDigest", "requireLineage", "pinned"):
        if outer.get(field) and not inner.get(field):
            yield field
    if (outer.get("minReplicas") or 0) > (inner.get("minReplicas") or 0):
        yield "minReplicas"
    if inner.get("templates") == "release" and outer.get("templates") != "release":
        yield "templates"


def _can_be_allowed(code: str) -> bool:
    rule = CATALOGUE.get(code)
    return rule is not None and rule.kind is Kind.POLICY


def _is_beside(release: ResolvedRelease, place: Where) -> bool:
    """Whether an allowance is written beside the release that it is for, inside of an environment that could hold it."""
    return len(release.environment.files) > 1 and posixpath.dirname(place.file) == posixpath.dirname(release.file)


def _written(environment: ResolvedEnvironment) -> Policies:
    """The policies as they are written: a review of a change may have taken allowances out of those in force."""
    return environment.spec.policies or environment.policies


def _where(environment: ResolvedEnvironment, allowance: Allowance, field: str) -> Where:
    """A field of an allowance."""
    index = _written(environment).allow.index(allowance)
    return environment.where(("policies", "allow", index, field))
