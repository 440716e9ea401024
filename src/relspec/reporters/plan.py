"""The plan of a change, for a terminal and for a comment on a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from relspec.diagnostics import Diagnostic, Severity
from relspec.gitops.impact import duration, summary
from relspec.gitops.plan import FileDiff, Plan, ReleasePlan
from relspec.gitops.readiness import Readiness
from relspec.gitops.schedule import ASSUMPTIONS, VERDICTS
from relspec.reporters import markdown as md
from relspec.reporters.text import counted, printable

MOST_FINDINGS = 50
MARGIN = 1500
"""Characters kept back for the lines that say what was left out."""

UNDO = {
    "exact": "a plain git revert of this change gives back exactly what ran before",
    "clean but stale": "a plain git revert of this change leaves outputs out of date; relspec rollback does not",
    "conflicts": "a plain git revert of this change conflicts; relspec rollback does not",
    "nothing to undo": "this change leaves the tree as it was",
}
REVERT = {
    "exact": "goes back, and its outputs are exactly those of what it restores",
    "clean but stale": "goes back, but its outputs are out of date: relspec compile",
    "conflicts": "goes back, with conflicts",
    "nothing to undo": "changes nothing",
}


def text(plan: Plan, *, diffs: bool = False) -> str:
    """The plan for a terminal; with `diffs` the outputs line by line."""
    head = plan.head.short if plan.head is not None else "the work tree"
    lines = [f"plan: {plan.base.short} -> {head}", ""]
    lines += (f"note: {printable(note)}" for note in plan.notes)
    lines += (f"toolchain: {printable(line)}" for line in plan.toolchain)
    for environment in plan.environments:
        lines.append(f"environment {printable(environment.id)}")
        lines += (f"  {printable(change.words)}" for change in environment.changes)
        lines.append("")
    for release in plan.releases:
        lines += _release_lines(release, diffs=diffs)
        lines.append("")
    lines += (f"{printable(line)}" for line in _totals(plan))
    return "\n".join(lines) + "\n"


def _release_lines(release: ReleasePlan, *, diffs: bool) -> Iterator[str]:
    yield f"{printable(release.id)}{_kind(release)}"
    for change in release.changes:
        service = f"{change.service}: " if change.service else ""
        yield f"  {printable(service + change.words)}"
    for line in summary(release.effects):
        yield f"  {printable(line)}"
    for file in release.files:
        yield f"  {printable(file.path)}  +{file.added} -{file.removed}"
        if diffs:
            yield from (f"    {printable(line)}" for line in file.diff.splitlines()[2:])
    if release.revert is not None:
        commit = f" {release.revert.restores.short} ({release.revert.restores.day})" if release.revert.restores else ""
        yield f"  revert{commit}: {release.revert.kind}: {REVERT[release.revert.kind]}"
    if release.readiness is not None:
        yield from _readiness_lines(release.readiness)


def _readiness_lines(found: Readiness) -> Iterator[str]:
    yield f"  way back: {printable(found.words())}"
    for phase in found.phases[:-1]:
        yield f"    until {printable(phase.until or '')}: {phase.verdict}: {printable(phase.why)}"
    if len(found.phases) > 1:
        yield f"    after that: {found.phases[-1].verdict}: {printable(found.phases[-1].why)}"
    if found.action:
        yield f"    to type: {printable(found.action)}"
    for note in found.notes:
        yield f"    note: {printable(note)}"
    if found.meets_objective is not None:
        met = "is met" if found.meets_objective else "is NOT met"
        yield f"    objective {duration(found.objective or 0)}: {met}"
    if found.assumes:
        said = ", ".join(f"{name} {ASSUMPTIONS[name]}" for name in found.assumes)
        yield f"    assumes: {said}"


def _kind(release: ReleasePlan) -> str:
    if release.kind == "changed":
        return ""
    return f" (renamed from {release.former})" if release.former else f" ({release.kind})"


def _totals(plan: Plan) -> Iterator[str]:
    """Counts that are true however much is left out above them."""
    environments = len({release.environment for release in plan.releases})
    if not plan.releases:
        yield "no release changes"
    else:
        change = "changes" if len(plan.releases) == 1 else "change"
        yield f"{counted(len(plan.releases), 'release')} {change} in {counted(environments, 'environment')}; {_verdicts(plan)}"
    if plan.undo is not None:
        yield f"undo: {plan.undo.kind}: {UNDO[plan.undo.kind]}"
    missed = [release for release in plan.releases if release.readiness and release.readiness.meets_objective is False]
    if missed:
        yield f"the objective is missed by {', '.join(release.id for release in missed[:5])}{_more(len(missed) - 5)}"


def _verdicts(plan: Plan) -> str:
    """`way back: 1 stepped, 3 warm`, the slowest first."""
    counts = Counter(release.readiness.verdict for release in plan.releases if release.readiness is not None)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in reversed(VERDICTS) if counts[verdict])
    return f"way back: {said}" if said else "nothing to go back to"


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


# --- markdown


def markdown(plan: Plan, limit: int = md.LIMIT) -> str:
    """The plan as a comment of less than `limit` bytes, however large the change is.

    Counts are true always. What has no room is left out as a whole, from the least telling up: diffs, then details of
    releases, then rows of the tables; each time it says how much there was.
    """
    budget = limit - MARGIN
    parts = [_head(plan)]
    budget -= _size(parts[0])
    findings = _findings_table(plan.diagnostics, budget // 4)
    parts.append(findings)
    budget -= _size(findings)
    ordered = sorted(plan.releases, key=_worst_first)
    rows = _release_table(ordered, budget // 2)
    parts.append(rows)
    budget -= _size(rows)
    environments = _environment_details(plan, budget // 3)
    parts.append(environments)
    budget -= _size(environments)
    parts += _details(ordered, budget)
    return "".join(parts)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _head(plan: Plan) -> str:
    head = plan.head.short if plan.head is not None else "the work tree"
    lines = [f"### relspec plan: {md.code(plan.base.short)} → {md.code(head)}", ""]
    lines += (f"**{md.cell(line)}**  " for line in _totals(plan))
    lines += (f"> {md.cell(note)}" for note in plan.notes)
    lines += (f"toolchain: {md.cell(line)}  " for line in plan.toolchain)
    return "\n".join(lines) + "\n\n"


def _findings_table(diagnostics: Sequence[Diagnostic], budget: int) -> str:
    order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
    told = [each for each in diagnostics if each.severity is not Severity.NOTE]
    if not told:
        return ""
    rows: list[tuple[str, ...]] = []
    used = 0
    for each in sorted(told, key=lambda each: order[each.severity]):
        place = f"{each.file}:{each.range.line}" if each.range is not None else each.file
        hint = f"<br>{md.cell(each.hint)}" if each.hint else ""
        row = (each.severity.value, each.code, md.code(place), f"{md.cell(each.message)}{hint}")
        used += _size(" | ".join(row)) + 6
        if used > budget or len(rows) >= MOST_FINDINGS:
            break
        rows.append(row)
    left = len(told) - len(rows)
    more = f"\n{counted(left, 'finding')} more: `relspec check --since`\n" if left else ""
    return md.table(("", "code", "where", "what"), rows) + more + "\n"


def _worst_first(release: ReleasePlan) -> tuple[int, str]:
    verdict = release.readiness.verdict if release.readiness is not None else VERDICTS[0]
    return (-VERDICTS.index(verdict), release.id)


def _release_table(releases: Sequence[ReleasePlan], budget: int) -> str:
    rows: list[tuple[str, ...]] = []
    used = 0
    for release in releases:
        back = release.readiness.words() if release.readiness is not None else "removed"
        row = (md.code(release.id) + md.cell(_kind(release)), md.cell(release.headline), md.cell(back))
        used += _size(" | ".join(row)) + 6
        if used > budget:
            break
        rows.append(row)
    left = releases[len(rows) :]
    if not rows and not left:
        return ""
    more = ""
    if left:
        places = Counter(release.environment for release in left)
        named = ", ".join(f"{md.cell(name)}: {number}" for name, number in sorted(places.items())[:20])
        more = f"\n{counted(len(left), 'release')} more ({named}{_more(len(places) - 20)})\n"
    return md.table(("release", "what changes", "way back"), rows) + more + "\n"


def _environment_details(plan: Plan, budget: int) -> str:
    parts: list[str] = []
    for environment in plan.environments:
        lines = "".join(f"- {md.cell(change.words)}\n" for change in environment.changes)
        section = _folded(md.summary(environment.id, "(environment)"), lines)
        if sum(map(_size, parts)) + _size(section) > budget:
            break
        parts.append(section)
    left = len(plan.environments) - len(parts)
    if left:
        parts.append(f"{counted(left, 'environment')} more changed\n\n")
    return "".join(parts)


def _details(releases: Sequence[ReleasePlan], budget: int) -> Iterator[str]:
    """What happens to each release, folded; as many with their diffs as there is room for, then without, then counted."""
    left = 0
    for release in releases:
        for section in (_detail(release, diffs=True), _detail(release, diffs=False)):
            if _size(section) <= budget:
                budget -= _size(section)
                yield section
                break
        else:
            left += 1
    if left:
        yield f"details of {counted(left, 'release')} left out: `relspec plan`\n"


def _detail(release: ReleasePlan, *, diffs: bool) -> str:
    lines = []
    for change in release.changes:
        service = f"{md.code(change.service)} " if change.service else ""
        lines.append(f"- {service}{md.cell(change.words)}")
    lines += (f"- {md.cell(line)}" for line in summary(release.effects))
    if release.revert is not None:
        commit = f" {release.revert.restores.short} ({release.revert.restores.day})" if release.revert.restores else ""
        lines.append(f"- revert{commit}: **{release.revert.kind}**: {REVERT[release.revert.kind]}")
    if release.readiness is not None:
        lines += (f"- {md.cell(line.strip())}" for line in _readiness_lines(release.readiness))
    body = "\n".join(lines) + "\n\n"
    for file in release.files:
        body += _diff(file) if diffs else f"- {md.code(file.path)} +{file.added} -{file.removed}\n"
    return _folded(md.summary(release.id, release.headline), body)


def _diff(file: FileDiff) -> str:
    return f"{md.code(file.path)} +{file.added} -{file.removed}\n\n{md.block(file.diff, 'diff')}\n"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>\n\n"
