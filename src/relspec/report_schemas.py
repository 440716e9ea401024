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
class FixDocument(TypedDict):
    """An edit that mends it and changes the meaning of nothing else: the text of the range becomes `text`."""

    title: str
    """What it does."""
    file: str
    """The file, below the root of the repository."""
    line: Line
    """First line of what goes, from 1."""
    column: Line
    """First column, from 1, in characters."""
    endLine: Line
    """Last line."""
    endColumn: Line
    """The column after the last character; an empty range is an insertion."""
    text: str
    """What comes instead."""


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
    fix: FixDocument | None
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
    """When that is at the earliest, in seconds after the deploy; null for the last phase, and where a person decides."""
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
    """A change that takes a release back."""

    kind: RevertWord
    """Whether the committed outputs are what the specs compile to."""
    restores: CommitId | None
    """The commit whose state it restores; null where conflicts hide it."""
    services: list[str]
    """The services that go back, `*` for what the release says of itself; empty where all files of a commit do."""


@with_config(CLOSED)
class WholeRevertDocument(TypedDict):
    """A change that goes back as a whole."""

    kind: RevertWord
    """Whether the committed outputs are what the specs compile to."""
    commits: list[CommitId]
    """The commits that it says it reverts."""
    conflicts: list[str]
    """Files that conflict."""


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
    through: list[str]
    """Changed files outside of its folder that lead to it."""
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
class LossDocument(TypedDict):
    """A record or a quarantine of the registry."""

    kind: Literal["record", "quarantine"]
    """What it is."""
    model: str
    """The model."""
    version: str
    """Its version."""
    words: str
    """The same as a person says it."""


@with_config(CLOSED)
class DropsDocument(TypedDict):
    """What a plain `git revert` would take out of the registry; `relspec rollback` does not."""

    what: list[LossDocument]
    """What would be gone."""
    keep: str
    """The line to type right after the revert to keep it."""


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
    """What changes in relspec.lock, and that a side is compiled with another edition than this compiler's."""
    revert: WholeRevertDocument | None
    """Where the change itself is a revert."""
    undo: PredictionDocument | None
    """What a plain revert would give right after the merge; null for a work tree that has more than its commit."""
    drops: DropsDocument | None
    """What that would drop beside; null where it drops nothing of the registry."""
    notes: list[str]
    """What else to know."""
    diagnostics: list[DiagnosticDocument]
    """What is wrong with the change and with the releases that it reaches."""
    summary: PlanSummaryDocument
    """The counts."""


# --- history

Instant = Annotated[str, Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z|@-?[0-9]+)$")]


@with_config(CLOSED)
class AuthorDocument(TypedDict):
    """Who made a commit."""

    name: str
    """The name."""
    email: str
    """The address."""


@with_config(CLOSED)
class RunningDocument(TypedDict):
    """A service as a state declares it."""

    service: str
    """The service."""
    version: str
    """What a person calls it: the version of its model, else its image."""
    model: str | None
    """The exact version of its model."""
    image: str | None
    """The image that the release names."""
    strategy: str
    """The strategy in words."""
    active: str | None
    """The variant in use, where one is."""
    candidate: str | None
    """The version of the candidate, where there is one."""


@with_config(CLOSED)
class UndoneDocument(TypedDict):
    """The commit that took a change back."""

    commit: CommitId
    """The commit."""
    time: Instant
    """When that was."""
    seconds: int
    """Seconds from the change until then."""


@with_config(CLOSED)
class RowDocument(TypedDict):
    """A change of what ran."""

    kind: Literal["new", "changed", "removed", "environment"]
    """What happened: to the release, or to the environment around it."""
    release: ReleaseId
    """The release, as it was called then."""
    commit: CommitId
    """The commit that changed it."""
    time: Instant
    """When: the running maximum of committer times."""
    author: AuthorDocument
    """Who wrote it."""
    subject: str
    """The first line of its message."""
    reason: str
    """The trailer Relspec-Reason, else the subject."""
    merge: bool
    """Whether the commit is a merge."""
    what: str
    """What changed, in words."""
    changed: list[str]
    """The services that differ; `*` is what the release says of itself."""
    services: list[RunningDocument]
    """What is declared from then on."""
    through: list[str]
    """What moved elsewhere, where nobody touched the release's folder."""
    environment: list[str]
    """What the commit changed of the environment, templates, charts or the lock."""
    broken: str | None
    """Why the state can't be understood."""
    restores: CommitId | None
    """The newest earlier commit of an equal state."""
    goesBack: bool
    """Whether that is a way back; false also where what was taken back is deployed again."""
    rolledBackBy: UndoneDocument | None
    """The first later commit that went back behind this change."""
    orEarlier: bool
    """Whether the change itself lies before what was fetched: nobody knows what it was."""
    until: Instant | None
    """When the next change came; null while it is in force."""
    livedSeconds: int | None
    """Seconds until then."""


@with_config(CLOSED)
class RollbackDocument(TypedDict):
    """A line of the table of rollbacks."""

    date: str
    """The day of the change."""
    commit: CommitId
    """The change that was rolled back, or that switched a variant on."""
    seconds: int | None
    """How long it lasted; null while it does."""
    reason: str
    """Why it was rolled back, or switched on."""
    resolved: bool
    """Whether it is over."""
    resolvedBy: CommitId | None
    """The commit that ended it."""


@with_config(CLOSED)
class HistoryDocument(TypedDict):
    """What `relspec history --format json` prints."""

    schema_: Annotated[Literal["relspec/history/v1"], Field(alias="schema")]
    """The version of this format: a change that breaks readers raises it."""
    release: ReleaseId
    """The release."""
    service: str | None
    """The service, where only one was asked for."""
    head: CommitId
    """The commit that the history ends at."""
    complete: bool
    """Whether all of the history was there: false in a shallow clone."""
    toolchain: list[str]
    """That HEAD is compiled with another edition than this compiler's, and what follows."""
    rollbacks: list[RollbackDocument]
    """What had to be taken back, newest first."""
    total: Count
    """How many changes there are."""
    changes: list[RowDocument]
    """The changes, newest first; at most as many as were asked for."""


@with_config(CLOSED)
class LiveDocument(TypedDict):
    """What `relspec history --at TIME --format json` prints."""

    schema_: Annotated[Literal["relspec/live/v1"], Field(alias="schema")]
    """The version of this format: a change that breaks readers raises it."""
    release: ReleaseId
    """The release."""
    service: str | None
    """The service, where only one was asked for: all else is said of it alone."""
    at: Instant
    """The time that was asked for."""
    toolchain: list[str]
    """That HEAD, or what was live, is compiled with another edition than this compiler's, and what follows."""
    live: bool
    """Whether the release was there."""
    change: RowDocument | None
    """The change that it was in the state of; null before the first one."""
    next: RowDocument | None
    """The change that came after it."""


# --- drill


@with_config(CLOSED)
class DifferenceDocument(TypedDict):
    """An output that is not what it was."""

    path: str
    """The file, below rendered/<id>/."""
    owners: list[str]
    """What makes the difference: environment, templates, registry, lock, bases, rename, toolchain, stale."""


@with_config(CLOSED)
class DrilledDocument(TypedDict):
    """The drill of one release."""

    drill_date: str
    """When the drill was held (ISO 8601)."""
    rollback_duration_seconds: Annotated[float, Field(ge=0)] | None
    """What restoring, compiling and comparing took; null where there was nothing to go back to."""
    from_version: str
    """What runs now."""
    to_version: str | None
    """What came back."""
    health_check_passed: bool | None
    """Null: the drill is held offline."""
    restored_successfully: bool | None
    """Whether what ran came back; null where there was nothing to go back to."""
    release: ReleaseId
    """The release."""
    environment: str
    """Its environment."""
    from_commit: CommitId | None
    """The newest commit whose change was undone."""
    to_commit: CommitId | None
    """The commit whose state came back."""
    proof: Literal["identical", "identical-but", "committed", "not-proven"] | None
    """How sure that is."""
    compared_with: Literal["committed", "compiled"] | None
    """The outputs committed then, or those that its sources compile to."""
    differences: list[DifferenceDocument]
    """Outputs that are not what they were."""
    explicit: list[str]
    """Values that release.yaml had to say itself."""
    problem: str | None
    """Why it can't go back."""
    note: str | None
    """Why there is nothing to go back to, or why it goes further back than the last change."""
    readiness: ReadinessDocument | None
    """How fast the live release would be back."""


@with_config(CLOSED)
class DrillSummaryDocument(TypedDict):
    """How many releases came to what."""

    releases: Count
    """All."""
    restored: Count
    """What ran came back."""
    failed: Count
    """It did not."""
    nothing: Count
    """There was nothing to go back to."""


@with_config(CLOSED)
class DrillDocument(TypedDict):
    """What `relspec drill --format json` prints."""

    schema_: Annotated[Literal["relspec/drill/v1"], Field(alias="schema")]
    """The version of this format: a change that breaks readers raises it."""
    drill_date: str
    """When the drill was held (ISO 8601)."""
    head: CommitId
    """The commit that it started from."""
    duration_seconds: Annotated[float, Field(ge=0)]
    """How long all of it took."""
    toolchain: list[str]
    """That the repository is compiled with another edition than this compiler's, and what follows."""
    summary: DrillSummaryDocument
    """The counts."""
    releases: list[DrilledDocument]
    """The releases, by id."""


# --- promote


@with_config(CLOSED)
class MoveDocument(TypedDict):
    """A value that a promotion writes into release.yaml."""

    service: str
    """The service."""
    field: Annotated[str, Field(examples=["api.model"])]
    """The field, as it is typed."""
    before: Any
    """What said it before; null for nothing."""
    after: Any
    """What it is now."""
    below: str | None
    """The base, or the environment, that goes on saying something else."""


@with_config(CLOSED)
class LeftDocument(TypedDict):
    """A service of which nothing could move."""

    service: str
    """The service."""
    why: str
    """Why."""


@with_config(CLOSED)
class PromoteDocument(TypedDict):
    """What `relspec promote --format json` prints."""

    schema_: Annotated[Literal["relspec/promote/v1"], Field(alias="schema")]
    """The version of this format: a change that breaks readers raises it."""
    # `from` is a word of Python's.
    from_: Annotated[ReleaseId, Field(alias="from")]
    """The release that runs what moves."""
    to: ReleaseId
    """The release that it moves to."""
    dryRun: bool
    """Whether nothing was written."""
    moves: list[MoveDocument]
    """What moves; nothing where the two run the same."""
    left: list[LeftDocument]
    """Services of both, of which nothing could move."""
    onlyFrom: list[str]
    """Services that only the first release has."""
    onlyTo: list[str]
    """Services that only the second release has."""
    notes: list[str]
    """What else to know."""
    written: list[str]
    """Files that were, or would be, written."""
    removed: list[str]
    """Files that were, or would be, removed."""
    diff: str
    """The unified diff of release.yaml."""
    plan: PlanDocument | None
    """What the change does, or would do; null where nothing moves, and without a commit to compare with."""
    diagnostics: list[DiagnosticDocument]
    """What there is to say about the release as it is now."""


# --- rollback

ProofWord = Literal["identical", "identical-but", "committed", "not-proven"]


@with_config(CLOSED)
class RolledStateDocument(TypedDict):
    """What a release declares on one side of a rollback."""

    release: ReleaseId
    """Its id there: a rename gave it another one."""
    models: dict[str, str]
    """The exact model version by service."""
    state: str
    """The digest of what it declares: equal digests are equal states."""


@with_config(CLOSED)
class ProofDifferenceDocument(TypedDict):
    """An output that is not as it was."""

    output: str
    """The file, below the root of the repository."""
    owners: list[str]
    """What it follows instead: environment, templates, registry, lock, bases and the like."""


@with_config(CLOSED)
class RollbackDifferenceDocument(TypedDict):
    """An output of a release that is not as it was."""

    release: ReleaseId
    """The release."""
    output: str
    """The file, below the root of the repository."""
    owners: list[str]
    """What it follows instead."""


@with_config(CLOSED)
class ProofCauseDocument(TypedDict):
    """What changed since and is not undone."""

    owner: str
    """What it is: environment, templates, registry, lock, bases and the like."""
    paths: list[str]
    """Its files that changed."""
    commits: list[CommitId]
    """The commits that changed them."""


@with_config(CLOSED)
class ProofDocument(TypedDict):
    """How what is restored compares with what ran."""

    kind: ProofWord
    """What was proven."""
    against: Literal["committed", "compiled"]
    """Whether the outputs that ran were committed, or had to be compiled again."""
    outputs: Count
    """How many were compared."""
    differences: list[ProofDifferenceDocument]
    """Those that differ."""
    causes: list[ProofCauseDocument]
    """Why they differ."""
    reasons: list[str]
    """Why nothing is proven."""


@with_config(CLOSED)
class RolledChangeDocument(TypedDict):
    """One field that goes back."""

    service: str
    """The service; empty for the release itself."""
    field: str
    """Its path, as `relspec explain` takes it."""
    words: str
    """The same as a person says it."""


@with_config(CLOSED)
class ExplicitDocument(TypedDict):
    """A value that the release now says itself, because what it came from has changed."""

    path: list[str | int]
    """The node of release.yaml."""
    why: str
    """What changed."""
    instead: str
    """Where it came from."""


@with_config(CLOSED)
class AllowedDocument(TypedDict):
    """A finding that does not hold up a restoration."""

    code: Annotated[str, Field(pattern=r"^RS[1-9][0-9]{2}$")]
    """The rule."""
    message: str
    """One sentence."""


@with_config(CLOSED)
class RolledReleaseDocument(TypedDict):
    """One release that goes back."""

    release: ReleaseId
    """Its id now."""
    then: ReleaseId
    """Its id in the state that it goes back to."""
    services: list[str] | None
    """The services that go back; null for the whole release."""
    restores: CommitId
    """The newest commit of the state that it goes back to."""
    undoes: list[CommitId]
    """The changes that go, newest first."""
    skipped: list[CommitId]
    """States that were passed over because they don't compile."""
    proof: ProofDocument
    """What was proven of it."""
    changes: list[RolledChangeDocument]
    """What goes back, field by field."""
    explicit: list[ExplicitDocument]
    """Values that the release now says itself."""
    records: list[str]
    """Registry records that came back with it."""
    allowed: list[AllowedDocument]
    """Findings that don't hold it up."""
    revert: PredictionDocument | None
    """What a plain revert would give; only with --dry-run."""
    drops: list[LossDocument]
    """What that would take out of the registry, and the rollback does not."""
    readiness: ReadinessDocument | None
    """How long going back takes once it is deployed."""


@with_config(CLOSED)
class QuarantinedDocument(TypedDict):
    """A version that the same commit quarantines."""

    model: str
    """The model."""
    version: str
    """The version."""
    reason: str
    """Why."""


@with_config(CLOSED)
class UpstreamDocument(TypedDict):
    """The branch that this one follows, as last fetched."""

    ref: str
    """Its ref."""
    behind: Count
    """Commits that it has and this branch has not."""


@with_config(CLOSED)
class RollbackReportDocument(TypedDict):
    """What `relspec rollback --format json` prints."""

    schema_: Annotated[Literal["relspec/rollback/v1"], Field(alias="schema")]
    """The version of this format: a change that breaks readers raises it."""
    head: CommitId
    """The commit that it starts from."""
    commit: CommitId | None
    """The commit that was made; null where none was."""
    tree: str
    """The id of the tree that was proven."""
    # `from` is a word of Python's.
    from_: Annotated[dict[str, RolledStateDocument | None], Field(alias="from")]
    """What each release declares now; null where it is not there."""
    to: dict[str, RolledStateDocument | None]
    """What each release goes back to."""
    restores: dict[str, CommitId]
    """The newest commit of the state that each goes back to."""
    unchanged: list[ReleaseId]
    """Releases that are there already."""
    proof: ProofWord | None
    """The weakest proof of all releases; null where nothing goes back."""
    differences: list[RollbackDifferenceDocument]
    """Outputs that are not as they were."""
    releases: list[RolledReleaseDocument]
    """The releases that go back."""
    quarantined: list[QuarantinedDocument]
    """Versions that the same commit quarantines."""
    files: list[str]
    """The files that change, below the root of the repository."""
    message: str
    """The commit's message."""
    branch: str | None
    """The branch that was made, with --branch."""
    upstream: UpstreamDocument | None
    """The branch that this one follows."""
    diagnostics: list[DiagnosticDocument]
    """What is wrong with the change, and with what it leads to, as `check --since` will say it; never an error: a rollback
    is not held up."""
    notes: list[str]
    """What else to know."""
    next: list[str]
    """What to type next."""
