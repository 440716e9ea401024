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
    lines = [_subject(steps), ""]
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


def _subject(steps: Sequence[Step]) -> str:
    """What goes back to what; of several releases only what is true of all, for the trailers name each."""
    first = steps[0].destination
    if len(steps) == 1:
        service = f" ({', '.join(sorted(first.services))} alone)" if first.services is not None else ""
        return f"Roll back {first.release}{service} to {first.commit.short} ({described(first.then)})"
    where = f"{first.release} and {len(steps) - 1} more"
    commits = {step.destination.commit.short for step in steps}
    states = {described(step.destination.then) for step in steps}
    if len(commits) == 1:
        return f"Roll back {where} to {first.commit.short}" + (
            f" ({described(first.then)})" if len(states) == 1 else ""
        )
    if len(steps) == 2:
        each = (f"{step.release} to {step.destination.commit.short}" for step in steps)
        return f"Roll back {' and '.join(each)}"
    return f"Roll back {where} to earlier states"


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
