"""The message of a rollback's commit: what went back to what, what others have changed since, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from relspec.gitops.destination import described
from relspec.gitops.explicit import Explicit
from relspec.gitops.proof import Cause, Proof
from relspec.gitops.repository import Commit

if TYPE_CHECKING:
    from relspec.gitops.rollback import Rollback, Step


def flat(text: str) -> str:
    """One line without control characters: nothing in it can be taken for a trailer."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def message(rollback: Rollback, reason: str, whole: Commit | None) -> str:
    """The commit's message; it says that it reverts a commit only where that commit's whole diff goes."""
    steps = rollback.steps
    if not steps:
        return ""
    first = steps[0].destination
    where = steps[0].release if len(steps) == 1 else f"{steps[0].release} and {len(steps) - 1} more"
    service = f" ({', '.join(sorted(first.services))} alone)" if first.services is not None and len(steps) == 1 else ""
    lines = [f"Roll back {where}{service} to {first.commit.short} ({described(first.then)})", ""]
    if whole is not None:
        lines += [f"This reverts commit {whole.id}.", ""]
    told = [f"- {step.release}: {words}" for step in steps for words in _reminders(step)]
    if told:
        lines += ["What others have changed since is left as it is:", *told, ""]
    lines += [f"- quarantine of {each.model} {each.version}: {each.reason}" for each in rollback.quarantined]
    lines += [""] if rollback.quarantined else []
    lines += [f"Relspec-Rollback: {step.release}" for step in steps]
    lines += [f"Relspec-Restores: {step.release}={step.destination.commit.id}" for step in steps]
    lines += [f"Relspec-Proof: {rollback.proof}"]
    lines += [f"Relspec-Reason: {flat(reason)}"] if flat(reason) else []
    return "\n".join(flat(line) for line in lines) + "\n"


def _reminders(step: Step) -> Iterator[str]:
    explicit: Sequence[Explicit] = step.restored.explicit
    yield from (each.words for each in explicit)
    for cause in step.proof.causes:
        yield f"{cause.words} changes {counted_outputs(step.proof, cause)}{by(cause)}"


def counted_outputs(proof: Proof, cause: Cause) -> str:
    """The outputs that a cause changes: `rollouts/rollouts.yaml`, or how many."""
    paths = [each.path for each in proof.differences if cause.owner in each.owners]
    return ", ".join(paths) if len(paths) <= 3 else f"{len(paths)} outputs"


def by(cause: Cause) -> str:
    """The commits that did it: ` (1a2b3c4d5)`."""
    names = [commit.short for commit in cause.commits[:3]]
    more = f" and {len(cause.commits) - 3} more" if len(cause.commits) > 3 else ""
    return f" ({', '.join(names)}{more})" if names else ""
