"""The plan of a change, for a terminal and for a comment on a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from relspec.diagnostics import Diagnostic, Severity
from relspec.gitops.impact import summary
from relspec.gitops.plan import FileDiff, Plan, ReleasePlan
from relspec.gitops.readiness import Readiness
from relspec.gitops.reverts import Revert, WholeRevert
from relspec.gitops.schedule import ASSUMPTIONS, VERDICTS, duration
from relspec.reporters import markdown as md
from relspec.reporters.text import counted, inert, printable
from relspec.reporters.text import summary as findings_summary

MOST_FINDINGS = 50
MOST_PLACES = 10
"""Environments that are named where releases are left out."""
SHORT_NAME = 60
LONGEST_LINE = 2_000
"""Bytes of a line to type that a comment shows."""
MARGIN = 4_000
"""Bytes kept back for the lines that say what was left out."""

UNDO = {
    "exact": "a plain git revert of it, right after the merge, gives back exactly what ran before",
    "clean but stale": (
        "a plain git revert of it, right after the merge, leaves outputs out of date; relspec rollback does not"
    ),
    "conflicts": "a plain git revert of it conflicts; relspec rollback does not",
    "nothing to undo": "it leaves all files as they were",
}
REVERT = {
    "exact": "goes back, and its outputs are up to date",
    "clean but stale": "goes back, but its outputs are out of date; run: relspec compile",
    "conflicts": "goes back, with conflicts to resolve; those in outputs by: relspec compile && git add -A",
    "nothing to undo": "what it reverts is not there any more: it changes nothing",
}
KEEP = "to keep what a plain git revert drops, type right after it:"
REMOVED = "a revert makes it again: nothing of it runs by then, and it starts from nothing"
BROKEN = "does not compile: see the findings"
STOPPED = "goes back, but does not compile then: see the findings"


def text(plan: Plan, *, diffs: bool = False) -> str:
    """The plan for a terminal; with `diffs` the outputs line by line."""
    head = plan.head.short if plan.head is not None else "the work tree"
    lines = [f"plan: {plan.base.short} -> {head}", ""]
    lines += (f"note: {printable(note)}" for note in plan.notes)
    lines += (f"toolchain: {printable(line)}" for line in plan.toolchain)
    if plan.notes or plan.toolchain:
        lines.append("")
    for environment in plan.environments:
        lines.append(f"environment {printable(environment.id)}")
        lines += (f"  {printable(change.words)}" for change in environment.changes)
        lines.append("")
    for release in plan.releases:
        lines += _release_lines(release, diffs=diffs)
        lines.append("")
    lines += (f"{printable(line)}" for line in _totals(plan))
    lines += [f"{KEEP} {printable(plan.keeping)}"] if plan.drops else []
    return "\n".join(lines) + "\n"


def refusal(release: ReleasePlan, limits: Sequence[str]) -> str:
    """Why a gate refuses a release: what breaks the limits."""
    found = release.readiness
    if found is None:
        return release.id
    if tuple(limits) == ("objective",):
        longest = (
            "has no upper bound" if found.estimate.high is None else f"takes up to {duration(found.estimate.high)}"
        )
        return f"{release.id}: the way back {longest}, and the objective is {duration(found.objective or 0)}"
    return f"{release.id}: {found.words()}"


def _release_lines(release: ReleasePlan, *, diffs: bool) -> Iterator[str]:
    yield printable(f"{release.id}{_kind(release)}")
    yield from (f"  {printable(line)}" for _, line in _what_happens(release))
    for file in release.files:
        yield f"  {printable(file.path)}  +{file.added} -{file.removed}"
        if diffs:
            yield from (f"    {inert(printable(line))}" for line in file.diff.split("\n")[2:-1])
    yield from (f"  {printable(line)}" for line in _way_back(release))


def _what_happens(release: ReleasePlan) -> Iterator[tuple[str, str]]:
    """What changes, by service, and what that does in each target."""
    for change in release.changes:
        yield change.service, f"{change.service}: {change.words}" if change.service else change.words
    if release.broken:
        yield "", BROKEN
    else:
        yield from (("", line) for line in summary(release.effects))
    if release.through:
        more = _more(len(release.through) - MOST_PLACES)
        yield "", f"through {', '.join(release.through[:MOST_PLACES])}{more}"


def _way_back(release: ReleasePlan) -> Iterator[str]:
    """What the change takes back itself, and how fast it could be undone."""
    if release.revert is not None:
        commit = release.revert.restores
        of = f" to {commit.short} ({commit.day})" if commit is not None else ""
        yield f"revert{of}: {_revert(release.revert)}"
    if release.readiness is None:
        yield f"way back: {REMOVED}"
    else:
        yield from _readiness_lines(release.readiness)


def _revert(found: Revert | WholeRevert) -> str:
    """The kind, and what that means."""
    return f"{found.kind}: {STOPPED if found.stopped and found.kind == 'clean but stale' else REVERT[found.kind]}"


def _readiness_lines(found: Readiness) -> Iterator[str]:
    yield f"way back: {found.words()}"
    for phase in found.phases[:-1]:
        yield f"  until {phase.until or ''}: {phase.verdict}: {phase.why}"
        if phase.action and phase.action != found.action:  # that of the last phase is told for itself
            yield f"    to type: {phase.action}"
    if len(found.phases) > 1:
        yield f"  after that: {found.phases[-1].verdict}: {found.phases[-1].why}"
    if found.action and found.action not in found.words():
        yield f"  to type: {found.action}"
    yield from (f"  note: {note}" for note in found.notes)
    if found.meets_objective is not None:
        met = "is met" if found.meets_objective else "is NOT met"
        yield f"  objective {duration(found.objective or 0)}: {met}"
    if found.assumes:
        yield f"  assumes: {', '.join(f'{name} {ASSUMPTIONS[name]}' for name in found.assumes)}"


def _kind(release: ReleasePlan) -> str:
    if release.kind == "changed":
        return ""
    return f" (renamed from {release.former})" if release.former else f" ({release.kind})"


def _totals(plan: Plan) -> Iterator[str]:
    """Counts that are true however much is left out around them."""
    environments = len({release.environment for release in plan.releases})
    if not plan.releases:
        yield "no release changes"
    else:
        change = "changes" if len(plan.releases) == 1 else "change"
        yield f"{counted(len(plan.releases), 'release')} {change} in {counted(environments, 'environment')}; {_verdicts(plan)}"
    if plan.revert is not None:
        yield f"revert: {_revert(plan.revert)}{_where(plan.revert.conflicts)}"
    if plan.undo is not None:
        but = ", but for what it drops" if plan.drops and plan.undo.kind == "exact" else ""
        yield f"undo: {plan.undo.kind}: {UNDO[plan.undo.kind]}{but}{_where(plan.undo.stale)}"
    if plan.drops:
        yield f"a plain git revert of it would drop {_some([loss.words for loss in plan.drops])}; relspec rollback does not"
    missed = [
        release.id for release in plan.releases if release.readiness and release.readiness.meets_objective is False
    ]
    if missed:
        yield f"the objective is missed by {_some(missed)}"
    broken = [release.id for release in plan.releases if release.broken]
    if broken:
        yield f"not compiled: {_some(broken)}"
    if any(each.severity is not Severity.NOTE for each in plan.diagnostics):
        yield f"findings: {findings_summary([d for d in plan.diagnostics if d.severity is not Severity.NOTE], len(plan.releases))}"


def _where(paths: Sequence[str]) -> str:
    return f" ({_some(paths)})" if paths else ""


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(_shortened(name) for name in names[:most]) + _more(len(names) - most)


def _shortened(name: str) -> str:
    return name if len(name) <= SHORT_NAME else f"{name[: SHORT_NAME // 2]}…{name[-SHORT_NAME // 2 + 1 :]}"


def _verdicts(plan: Plan) -> str:
    """`way back: 1 stepped, 3 warm`, the slowest first."""
    counts = Counter(release.readiness.verdict for release in plan.releases if release.readiness is not None)
    said = [f"{counts[verdict]} {verdict}" for verdict in reversed(VERDICTS) if counts[verdict]]
    removed = sum(release.readiness is None for release in plan.releases)
    said += [f"{removed} removed"] if removed else []
    return f"way back: {', '.join(said)}"


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


# --- markdown


def markdown(plan: Plan, limit: int = md.LIMIT) -> str:
    """The plan as a comment of less than `limit` bytes, however large the change is.

    Counts are true always. What has no room is left out as a whole, from the least telling up: diffs, then details of
    releases, then rows of the tables; each time it says how much there was.
    """
    ordered = sorted(plan.releases, key=_worst_first)
    parts = [_head(plan)]
    budget = limit - MARGIN - _size(parts[0])
    findings = _findings_table(plan.diagnostics, budget // 4)
    budget -= _size(findings)
    releases = _release_table(ordered, budget // 2)
    budget -= _size(releases)
    environments = _environment_details(plan, budget // 3)
    budget -= _size(environments)
    return "".join((*parts, findings, releases, environments, *_details(ordered, budget)))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _fitting(pieces: Iterable[str], budget: int) -> list[str]:
    """The first of some pieces that fit together, none of them cut."""
    found: list[str] = []
    for piece in pieces:
        budget -= _size(piece)
        if budget < 0:
            break
        found.append(piece)
    return found


def _head(plan: Plan) -> str:
    head = md.code(plan.head.short) if plan.head is not None else "the work tree"
    lines = [f"### relspec plan: {md.code(plan.base.short)} → {head}", ""]
    lines += (f"- **{md.cell(line)}**" for line in _totals(plan))
    lines += (f"- {md.cell(note)}" for note in plan.notes)
    lines += (f"- toolchain: {md.cell(line)}" for line in plan.toolchain)
    return "\n".join(lines) + "\n\n" + _keep(plan)


def _keep(plan: Plan) -> str:
    """The line that keeps what a plain revert drops, whole or not at all."""
    if not plan.drops:
        return ""
    if _size(plan.keeping) > LONGEST_LINE:
        return f"{KEEP} see `relspec plan`\n\n"
    return f"{KEEP}\n\n{md.block(plan.keeping, 'sh')}\n"


def _findings_table(diagnostics: Sequence[Diagnostic], budget: int) -> str:
    order = {Severity.ERROR: 0, Severity.WARNING: 1}
    told = sorted((each for each in diagnostics if each.severity in order), key=lambda each: order[each.severity])
    rows = _fitting((md.row(_finding_cells(each)) for each in told[:MOST_FINDINGS]), budget)
    left = len(told) - len(rows)
    more = f"\n{counted(left, 'finding')} more: `relspec check --since`\n" if left else ""
    return _table(("", "code", "where", "what"), rows, more)


def _finding_cells(found: Diagnostic) -> tuple[str, ...]:
    place = f"{found.file}:{found.range.line}" if found.range is not None else found.file
    hint = f"<br>{md.cell(found.hint)}" if found.hint else ""
    return (found.severity.value, found.code, md.code_cell(place), f"{md.cell(found.message)}{hint}")


def _table(header: tuple[str, ...], rows: Sequence[str], more: str) -> str:
    if not rows:
        return f"{more.lstrip()}\n" if more else ""
    return f"{md.table(header, [])}{''.join(rows)}{more}\n"


def _worst_first(release: ReleasePlan) -> tuple[int, str]:
    verdict = release.readiness.verdict if release.readiness is not None else VERDICTS[0]
    return (-VERDICTS.index(verdict), release.id)


def _release_table(releases: Sequence[ReleasePlan], budget: int) -> str:
    rows = _fitting((md.row(_release_cells(release)) for release in releases), budget)
    left = releases[len(rows) :]
    more = ""
    if left:
        places = Counter(release.environment for release in left)
        named = [f"{md.cell(_shortened(name))}: {number}" for name, number in sorted(places.items())[:MOST_PLACES]]
        more = f"\n{counted(len(left), 'release')} more ({', '.join(named)}{_more(len(places) - MOST_PLACES)})\n"
    return _table(("release", "what changes", "way back"), rows, more)


def _release_cells(release: ReleasePlan) -> tuple[str, ...]:
    back = release.readiness.words() if release.readiness is not None else REMOVED
    revert = f"revert: {release.revert.kind}<br>" if release.revert is not None else ""
    return (
        f"{md.code_cell(release.id)} {md.cell(_kind(release))}".rstrip(),
        md.cell(release.headline),
        revert + md.cell(back),
    )


def _environment_details(plan: Plan, budget: int) -> str:
    sections = []
    for environment in plan.environments:
        lines = "".join(f"- {md.cell(change.words)}\n" for change in environment.changes)
        sections.append(md.folded(md.summary(environment.id, "(environment)"), lines))
    kept = _fitting(sections, budget)
    left = len(sections) - len(kept)
    more = f"{counted(left, 'environment')} more changed: `relspec plan`\n\n" if left else ""
    return "".join((*kept, more))


def _details(releases: Sequence[ReleasePlan], budget: int) -> Iterator[str]:
    """What happens to each release, folded: of as many as there is room for, then as many diffs, the rest counted."""
    plain = _fitting((_detail(release, diffs=False) for release in releases), budget)
    budget -= sum(map(_size, plain))
    for release, section in zip(releases, plain, strict=False):
        whole = section
        if release.files and sum(len(file.diff) for file in release.files) <= budget:
            whole = _detail(release, diffs=True)
        more = _size(whole) - _size(section)
        if more > budget:
            whole, more = section, 0
        budget -= more
        yield whole
    left = len(releases) - len(plain)
    if left:
        yield f"details of {counted(left, 'release')} left out: `relspec plan`\n"


def _detail(release: ReleasePlan, *, diffs: bool) -> str:
    lines = [f"- {md.cell(line)}" for _, line in _what_happens(release)]
    lines += (f"{line[: len(line) - len(line.lstrip())]}- {md.cell(line.lstrip())}" for line in _way_back(release))
    body = "\n".join(lines) + "\n\n"
    body += "".join(_diff(file) if diffs else f"- {_file(file)}\n" for file in release.files)
    return md.folded(md.summary(release.id, release.headline), body)


def _file(file: FileDiff) -> str:
    return f"{md.code(file.path)} +{file.added} -{file.removed}"


def _diff(file: FileDiff) -> str:
    return md.folded(md.summary(file.path, f"+{file.added} -{file.removed}"), md.block(file.diff, "diff"))
