"""A rollback for a terminal and as JSON: what goes back, the proof, and what to type next."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from relspec.diagnostics import Diagnostic, Severity
from relspec.gitops.destination import Destination, ago, told_apart
from relspec.gitops.proof import Cause, Owner
from relspec.gitops.repository import Commit
from relspec.gitops.rollback import Rollback, Step
from relspec.gitops.rollback_message import counted_outputs
from relspec.reporters import json as diagnostics_json
from relspec.reporters.text import counted, headline, printable

SCHEMA = "relspec/rollback/v1"

ELSEWHERE: tuple[Owner, ...] = ("environment", "templates", "registry", "lock", "bases")
"""Owners of differences that somebody may have to take back beside the release."""

MOST_LOSSES = 5
"""Entries of the registry that one line names."""


def text(rollback: Rollback, now: int) -> str:
    """What goes back, why that is proven or not, and what it means; one line a fact. `now` is unix seconds."""
    lines = [line for step in rollback.steps for line in _newer(step, rollback, now)]
    lines += [line for step in rollback.steps for line in _of(step, rollback, now)]
    lines += [f"{each.release} is already what it was in {each.commit.short}" for each in rollback.there]
    lines += [f"quarantine: {each.model} {each.version}: {each.reason}" for each in rollback.quarantined]
    lines += [line for each in rollback.diagnostics if each.severity is Severity.WARNING for line in _finding(each)]
    lines += [f"warning: {line}" for line in warnings(rollback)]
    return "".join(f"{printable(line)}\n" for line in lines)


def warnings(rollback: Rollback) -> tuple[str, ...]:
    """What somebody should know before they push."""
    found = list(rollback.warnings)
    if rollback.behind:
        found.append(
            f"this is prepared on a stale branch: {rollback.upstream} has {counted(rollback.behind, 'commit')} more as "
            f"last fetched; bring them in (git pull --rebase), then look again"
        )
    for step in rollback.steps:
        if any(cause.owner == "stale" for cause in step.proof.causes):
            commit = step.destination.commit.short
            found.append(f"{commit} was stale: its outputs were not what its sources compile to; the sources count")
    return tuple(found)


def notes(rollback: Rollback) -> tuple[str, ...]:
    """The warnings, and what does not hold a release up."""
    return (
        *warnings(rollback),
        *(line.strip() for step in rollback.steps for line in also(step)),
        *(line for step in rollback.steps for line in _allowed(step)),
    )


def following(rollback: Rollback, *, branch: str | None, prefix: str = "") -> tuple[str, ...]:
    """The commands to type next in the folder `prefix`, in order. `branch` is the one that was made beside HEAD's."""
    if branch is not None:
        lines = [f"git push origin {shlex.quote(branch)}"]
    elif rollback.branch is None:
        lines = ["git push origin HEAD:BRANCH"]
    elif rollback.upstream is None:
        lines = [f"git push -u origin {shlex.quote(rollback.branch.removeprefix('refs/heads/'))}"]
    else:
        lines = ["git push"]
    # Who has to go back too goes back before anything is pushed.
    lines[:0] = [step.expected.action for step in rollback.steps if step.expected is not None and step.expected.needed]
    for step in rollback.steps:
        if step.compose is not None and rollback.outputs_kept:
            folder = posixpath.relpath(step.compose, prefix or ".")
            lines.append(f"cd {shlex.quote(folder)} && docker compose up -d --wait --remove-orphans")
        if step.expected is not None and step.expected.action and not step.expected.needed:
            lines.append(step.expected.action)
    return tuple(dict.fromkeys(lines))


def expected(rollback: Rollback) -> tuple[str, ...]:
    """How fast each release is back."""
    return tuple(
        f"expected: {step.release}: {step.expected.words()}" for step in rollback.steps if step.expected is not None
    )


# --- what goes back


def _newer(step: Step, rollback: Rollback, now: int) -> Iterator[str]:
    """Commits newer than what goes back that changed the outputs: the incident may be theirs."""
    left = step.destination.left
    since = rollback.times[left[0].first.id] if left else 0
    gone = {state.first.id for state in left}
    for cause in step.proof.causes:
        for commit in cause.commits:
            if cause.owner in ELSEWHERE and commit.id not in gone and rollback.times[commit.id] >= since:
                yield (
                    f"look first at {_commit(commit, rollback, now)}: it changed {cause.words} and "
                    f"{counted_outputs(step.proof, cause)} of {step.release}; not undone by this; git revert {commit.short}"
                )


def _of(step: Step, rollback: Rollback, now: int) -> Iterator[str]:
    yield _headline(step.destination, rollback, now)
    left = step.destination.left
    if len(left) > 1:
        yield from (f"  undoes {_commit(state.first, rollback, now)}" for state in left)
    yield from also(step)
    for state in step.destination.skipped:
        what = "does not compile" if state.declared is not None else "has no such release"
        yield f"  skips {state.last.short}, which {what}"
    yield f"proof: {_proof(step)}"
    yield from (f"  {reason}" for reason in step.proof.reasons)
    yield from (f"  {line}" for cause in step.proof.causes for line in _cause(step, cause, rollback, now))
    yield from (
        f"  {change.service}: {change.words}" if change.service else f"  {change.words}" for change in step.changes
    )
    yield from (f"  {each.words}" for each in step.restored.explicit)
    yield from (f"  {path} comes back" for path in step.restored.records)
    yield from (f"  {line}" for line in _allowed(step))
    yield from _revert(step)


def _headline(each: Destination, rollback: Rollback, now: int) -> str:
    what = each.release if each.services is None else f"{each.release} ({', '.join(sorted(each.services))})"
    running, then = told_apart(each.now, each.then)
    to = f"{then} ({each.commit.short})"
    if each.now is None:
        head = f"{what} comes back as {to}"
    elif running == then:
        head = f"{what} goes back to its state of {each.commit.short} ({then})"
    else:
        head = f"{what} goes back from {running} to {to}"
    if each.then.place.id != each.release:
        head += f", called {each.then.place.id} then"
    if len(each.left) == 1:
        return f"{head}: undoes {_commit(each.left[0].first, rollback, now)}"
    return f"{head}: undoes {counted(len(each.left), 'change')}"


def _commit(commit: Commit, rollback: Rollback, now: int) -> str:
    """`1a2b3c4d5 "als v0.4" by Ann, 2026-03-04 14:05 UTC (12 min ago)`."""
    at = rollback.times[commit.id]
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f'{commit.short} "{commit.subject}" by {commit.author}, {when} ({ago(now - at)})'


def _proof(step: Step) -> str:
    proof, commit = step.proof, step.destination.commit.short
    of = f"committed in {commit}" if proof.against == "committed" else f"that {commit} compiles to"
    outputs = counted(len(proof.before), "output")
    if proof.kind == "identical":
        return f"identical: {outputs}, byte for byte those {of}"
    if proof.kind == "identical-but":
        return f"identical-but: {outputs} {of}, but for {', '.join(each.path for each in proof.differences)}"
    if proof.kind == "committed":
        return f"committed: relspec.lock names another edition; the sources and {outputs} are put back as {of}"
    return f"not-proven: it is not what was {of}"


def _cause(step: Step, cause: Cause, rollback: Rollback, now: int) -> Iterator[str]:
    named = counted_outputs(step.proof, cause)
    if not cause.commits or cause.owner in ("stale", "services"):
        yield f"{named}: because of {cause.words}"
    for commit in cause.commits if cause.owner not in ("stale", "services") else ():
        yield f"{named}: because of {cause.words}, {_commit(commit, rollback, now)}; not undone by this"


def also(step: Step) -> Iterator[str]:
    """What others did to the release's files since, without changing what it declares, and what goes with it."""
    for taken in step.also:
        yield f"  also takes back {taken.commit.short} by {taken.commit.author}: {', '.join(taken.paths)}"


def _allowed(step: Step) -> Iterator[str]:
    commit = step.destination.commit
    for finding in step.allowed:
        yield f"{finding.code} {finding.message} (allowed: restores {commit.short} ({commit.day}))"


def _revert(step: Step) -> Iterator[str]:
    if step.prediction is not None:
        yield f"a plain git revert {step.prediction.commit[:9]} would be: {step.prediction.kind}{_dropped(step)}"
        for finding in step.prediction.findings():
            if finding.code == "RS610":
                yield f"  warning {finding.code}: {finding.message}"
    elif step.unpredicted:
        yield f"a plain git revert is not predicted: {step.unpredicted}"


def _dropped(step: Step) -> str:
    """What a plain revert would take out of the registry."""
    names = [loss.words for loss in step.drops]
    more = f" and {len(names) - MOST_LOSSES} more" if len(names) > MOST_LOSSES else ""
    return f", but would drop {', '.join(names[:MOST_LOSSES])}{more}; this does not" if names else ""


def _finding(diagnostic: Diagnostic) -> Iterator[str]:
    yield headline(diagnostic)
    if diagnostic.hint:
        yield f"  help: {diagnostic.hint}"


# --- JSON


def as_json(
    rollback: Rollback, *, commit: str | None, following: Sequence[str], notes: Sequence[str]
) -> dict[str, Any]:
    """The rollback as data, schema relspec/rollback/v1. `commit` is the one that was made, None where none was."""
    steps = rollback.steps
    return {
        "schema": SCHEMA,
        "head": rollback.head.id,
        "commit": commit,
        "tree": rollback.tree,
        "from": {step.release: _state(step, now=True) for step in steps},
        "to": {step.release: _state(step, now=False) for step in steps},
        "restores": {step.release: step.destination.commit.id for step in steps},
        "unchanged": [each.release for each in rollback.there],
        "proof": rollback.proof if steps else None,
        "differences": [
            {"release": step.release, "output": each.path, "owners": list(each.owners)}
            for step in steps
            for each in step.proof.differences
        ],
        "releases": [_release(step) for step in steps],
        "quarantined": [{"model": q.model, "version": q.version, "reason": q.reason} for q in rollback.quarantined],
        "files": sorted(rollback.files),
        "message": rollback.message,
        "branch": rollback.branch,
        "upstream": {"ref": rollback.upstream, "behind": rollback.behind} if rollback.upstream else None,
        "diagnostics": diagnostics_json.document(rollback.diagnostics, len(steps))["diagnostics"],
        "notes": list(notes),
        "next": list(following),
    }


def _state(step: Step, *, now: bool) -> Mapping[str, Any] | None:
    declared = step.destination.now if now else step.destination.then
    if declared is None:
        return None
    return {"release": declared.place.id, "models": dict(declared.models), "state": declared.key}


def _release(step: Step) -> Mapping[str, Any]:
    each, proof = step.destination, step.proof
    return {
        "release": step.release,
        "then": each.then.place.id,
        "services": sorted(each.services) if each.services is not None else None,
        "restores": each.commit.id,
        "undoes": [state.first.id for state in each.left],
        "skipped": [state.last.id for state in each.skipped],
        "proof": {
            "kind": proof.kind,
            "against": proof.against,
            "outputs": len(proof.before),
            "differences": [{"output": one.path, "owners": list(one.owners)} for one in proof.differences],
            "causes": [
                {"owner": cause.owner, "paths": list(cause.paths), "commits": [one.id for one in cause.commits]}
                for cause in proof.causes
            ],
            "reasons": list(proof.reasons),
        },
        "changes": [{"service": one.service, "field": one.field, "words": one.words} for one in step.changes],
        "explicit": [
            {"path": list(one.path), "why": one.why, "instead": one.instead} for one in step.restored.explicit
        ],
        "records": list(step.restored.records),
        "allowed": [{"code": one.code, "message": one.message} for one in step.allowed],
        "revert": step.prediction.as_json() if step.prediction is not None else None,
        "drops": [loss.as_json() for loss in step.drops],
        "readiness": step.expected.as_json() if step.expected is not None else None,
    }
