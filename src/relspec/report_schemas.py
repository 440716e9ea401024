"""The JSON that `plan`, `history`, `drill` and `rollback` print, as types: their published schemas are made from these.

A change that would break a reader raises the version in the document's `schema`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)
Line = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
CommitId = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
ReleaseId = Annotated[str, Field(examples=["production/recs"])]
VerdictWord = Literal["instant", "warm", "stepped", "unknown", "blocked"]
RevertWord = Literal["exact", "clean-but-stale", "conflicts", "nothing-to-undo"]


@with_config(CLOSED)
class RelatedDocument(TypedDict):
    """A second place that explains the first."""

    message: str
    """What is there."""
    file: str
    """The file, below the root of the repository."""
    line: Line | None
    """First line, from 1."""
    column: Line | None
    """First column, from 1, in characters."""
    endLine: Line | None
    """Last line."""
    endColumn: Line | None
    """The column after the last character."""


@with_config(CLOSED)
class DiagnosticDocument(TypedDict):
    """One thing that is wrong, or worth knowing."""

    code: Annotated[str, Field(pattern=r"^RS[1-9][0-9]{2}$", examples=["RS120"])]
    """The rule: `relspec explain CODE` says more."""
    severity: Literal["error", "warning", "note"]
    """Only errors make a verb fail."""
    # A field called `class` can only be declared through its alias.
    class_: Annotated[Literal["structure", "safety", "policy", "quarantine"], Field(alias="class")]
    """What may waive it."""
    file: str
    """The file, below the root of the repository."""
    line: Line | None
    """First line, from 1; null where the whole file is meant."""
    column: Line | None
    """First column, from 1, in characters."""
    endLine: Line | None
    """Last line."""
    endColumn: Line | None
    """The column after the last character."""
    message: str
    """One sentence."""
    hint: str | None
    """What to write or type next."""
    related: list[RelatedDocument]
    """Places that explain it."""
    fix: dict[str, Any] | None
    """An edit that mends it, where there is one."""
    release: str | None
    """The first release that it reaches."""
    releases: list[str]
    """All releases that it reaches."""


@with_config(CLOSED)
class SummaryDocument(TypedDict):
    """How much there was of what."""

    errors: Count
    """Diagnostics of severity error."""
    warnings: Count
    """Diagnostics of severity warning."""
    notes: Count
    """Diagnostics of severity note."""
    releases: Count
    """Releases that were looked at."""


@with_config(CLOSED)
class DiagnosticsDocument(TypedDict):
    """What `--format json` prints."""

    # A field called `schema` is written with its alias for the same reason as `class`.
    schema_: Annotated[Literal["relspec/diagnostics/v1"], Field(alias="schema")]
    """The version of this format: a change that breaks readers raises it."""
    diagnostics: list[DiagnosticDocument]
    """Everything found, in a stable order: by file, position, code."""
    summary: SummaryDocument
    """The counts."""


# --- readiness


@with_config(CLOSED)
class PartDocument(TypedDict):
    """A share of the time that going back takes."""

    what: str
    """What takes it."""
    low: Count
    """Seconds at least."""
    high: Count | None
    """Seconds at most; null where a person decides."""


@with_config(CLOSED)
class EstimateDocument(TypedDict):
    """How long going back takes."""

    low: Count
    """Seconds at least."""
    high: Count | None
    """Seconds at most; null where nobody knows."""
    parts: list[PartDocument]
    """What it is made of, one after the other."""


@with_config(CLOSED)
class PhaseDocument(TypedDict):
    """A stretch of time after the deploy, and how going back is in it."""

    until: str | None
    """The event that ends it; null for the last phase."""
    seconds: Count | None
    """When that is at the earliest, in seconds after the deploy."""
    verdict: VerdictWord
    """How going back is."""
    why: str
    """The reason, with its condition."""
    estimate: EstimateDocument
    """How long it takes."""
    assumes: list[str]
    """Ids of what Git can't know and is taken for granted."""
    action: str
    """A command that shortens it, or an empty text."""


@with_config(CLOSED)
class ServiceReadinessDocument(TypedDict):
    """The readiness of one service in one target."""

    service: str
    """The service."""
    target: str
    """compose, helm or rollouts."""
    verdict: VerdictWord
    """The pessimistic one: after the promotion, after the old pods are gone."""
    phases: list[PhaseDocument]
    """From the deploy on."""
    estimate: EstimateDocument
    """How long it takes in the last phase."""
    assumes: list[str]
    """Ids of all assumptions."""
    action: str
    """A command that shortens it, or an empty text."""


@with_config(CLOSED)
class ReadinessDocument(TypedDict):
    """How fast a change could be undone."""

    verdict: VerdictWord
    """The pessimistic one: after the promotion, after the old pods are gone."""
    phases: list[PhaseDocument]
    """From the deploy on."""
    estimate: EstimateDocument
    """How long it takes in the last phase."""
    assumes: list[str]
    """Ids of all assumptions."""
    action: str
    """A command that shortens it, or an empty text."""
    objective: Count | None
    """The environment's objective, in seconds."""
    meetsObjective: bool | None
    """Whether the way back is surely short enough; null without an objective."""
    notes: list[str]
    """What else to know."""
    services: list[ServiceReadinessDocument]
    """By service and target."""


# --- plan


@with_config(CLOSED)
class ChangeDocument(TypedDict):
    """One field that changes."""

    service: str | None
    """The service; null for the release or environment itself."""
    field: str
    """Its path, as `relspec explain` takes it."""
    before: Any
    """The value before; null where there was none."""
    after: Any
    """The value after; null where there is none."""
    words: str
    """The same as a person says it."""


@with_config(CLOSED)
class EffectDocument(TypedDict):
    """What happens in a target."""

    target: str
    """compose, helm or rollouts."""
    service: str
    """The service; empty for the release."""
    kind: Literal[
        "nothing", "recreate", "rollout", "traffic", "scale", "create", "remove", "values", "metadata", "unknown"
    ]
    """What kind of thing happens."""
    words: str
    """The same as a person says it."""
    leastSeconds: Count | None
    """What pauses and analyses take at least; null where it waits for a person."""
    extraPods: Count
    """Pods that run beside, at most."""
    extraGpus: Count
    """GPUs that these hold, at most."""
    restarts: bool
    """Whether something that runs is replaced."""


@with_config(CLOSED)
class OutputDocument(TypedDict):
    """An output that differs."""

    path: str
    """The file, below the root of the repository."""
    added: Count
    """Lines that come."""
    removed: Count
    """Lines that go."""
    diff: str
    """The unified diff."""


@with_config(CLOSED)
class RevertDocument(TypedDict):
    """What a change says of itself that goes back."""

    kind: RevertWord
    """Whether the committed outputs are those of what it restores."""
    restores: CommitId | None
    """The commit whose state it restores."""
    services: list[str]
    """The services that go back; `*` is what the release says of itself."""


@with_config(CLOSED)
class ReleasePlanDocument(TypedDict):
    """What a change does to one release."""

    id: ReleaseId
    """The release."""
    environment: str
    """Its environment."""
    change: Literal["added", "changed", "removed", "renamed"]
    """What happens to it as a whole."""
    former: str | None
    """Its id before a rename."""
    changes: list[ChangeDocument]
    """What changes, field by field."""
    effects: list[EffectDocument]
    """What happens in each target."""
    outputs: list[OutputDocument]
    """The files that differ."""
    readiness: ReadinessDocument | None
    """How fast it could be undone; null where the release is removed."""
    revert: RevertDocument | None
    """Where the change itself goes back."""


@with_config(CLOSED)
class EnvironmentPlanDocument(TypedDict):
    """What changes in an environment itself."""

    id: str
    """The environment."""
    changes: list[ChangeDocument]
    """What changes, field by field."""


@with_config(CLOSED)
class PredictionDocument(TypedDict):
    """What a plain `git revert` would give."""

    commit: CommitId
    """The commit that would be undone."""
    head: CommitId
    """The commit on top of which."""
    kind: RevertWord
    """What it would give."""
    restores: bool
    """Whether it alone brings back what was there before, and changes nothing else."""
    conflicts: list[str]
    """Paths that would conflict."""
    stale: list[str]
    """Outputs that would be out of date."""
    kept: list[str]
    """Sources that a later change keeps from going back."""
    beside: list[str]
    """Paths that would change although the commit did not touch them."""


@with_config(CLOSED)
class PlanSummaryDocument(TypedDict):
    """How much there was of what."""

    errors: Count
    """Diagnostics of severity error."""
    warnings: Count
    """Diagnostics of severity warning."""
    notes: Count
    """Diagnostics of severity note."""
    releases: Count
    """Releases that change."""
    environments: Count
    """Environments in which a release changes."""


@with_config(CLOSED)
class PlanDocument(TypedDict):
    """What `relspec plan --format json` prints."""

    schema_: Annotated[Literal["relspec/plan/v1"], Field(alias="schema")]
    """The version of this format: a change that breaks readers raises it."""
    base: CommitId
    """The commit that the change starts from."""
    head: CommitId | None
    """The commit that it ends at; null for the work tree."""
    releases: list[ReleasePlanDocument]
    """The releases that change, by id."""
    environments: list[EnvironmentPlanDocument]
    """The environments that change themselves."""
    toolchain: list[str]
    """What changes in relspec.lock."""
    undo: PredictionDocument | None
    """What a plain revert of the change would give once it is merged; null for a work tree."""
    notes: list[str]
    """What else to know."""
    diagnostics: list[DiagnosticDocument]
    """What is wrong with the change and with the releases that it reaches."""
    summary: PlanSummaryDocument
    """The counts."""
