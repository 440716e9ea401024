"""A rollback drill for a terminal, and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relspec.reporters import markdown as md
from relspec.reporters.text import counted, printable

if TYPE_CHECKING:
    from relspec.gitops.drill import Drilled, Report


def text(report: Report) -> str:
    """One line a release, what is wrong below it, and the counts."""
    lines = [f"drill of {report.date} at {report.head.short}"]
    lines += [*(f"toolchain: {printable(line)}" for line in report.toolchain), ""]
    for each in report.drilled:
        lines.append(f"{_verdict(each):8}  {printable(each.place.id)}  {printable(_step(each))}")
        lines += (f"          {printable(note)}" for note in _notes(each))
    return "\n".join([*lines, "", summary(report), ""])


def summary(report: Report) -> str:
    """The counts in one line."""
    counts = report.counts
    parts = [f"{counts['restored']} restored", f"{counts['failed']} failed"]
    if counts["nothing"]:
        parts.append(f"{counts['nothing']} with nothing to go back to")
    return f"{counted(counts['releases'], 'release')}: {', '.join(parts)}; {report.seconds:.1f} s"


def markdown(report: Report) -> str:
    """The drill as a table."""
    header = ("Release", "From", "To", "Restored", "Proof", "Seconds", "Live again", "Notes")
    rows: list[tuple[str, ...]] = [
        (
            md.cell(each.place.id),
            md.cell(each.from_version),
            md.cell(each.goal),
            {True: "Yes", False: "**No**", None: "-"}[each.successful],
            each.proof.kind if each.proof is not None else "",
            f"{each.seconds:.3f}" if each.seconds is not None else "",
            each.readiness.verdict if each.readiness is not None else "",
            md.cell("; ".join(_notes(each, brief=True))),
        )
        for each in report.drilled
    ]
    head = (
        f"# Rollback drill\n\n{md.cell(summary(report))}. Held {report.date} at {md.code(report.head.short)}, offline: "
    )
    toolchain = "".join(f"Toolchain: {md.cell(line)}.\n\n" for line in report.toolchain)
    return f"{head}no health check was made.\n\n{toolchain}{md.table(header, rows)}"


def _verdict(each: Drilled) -> str:
    return {True: "restored", False: "FAILED", None: "nothing"}[each.successful]


def _step(each: Drilled) -> str:
    if each.nothing:
        return f"{each.from_version}: {each.nothing}"
    step = f"{each.from_version} -> {each.goal}" if each.to_version is not None else each.from_version
    proof = f", {each.proof.kind}" if each.proof is not None else ""
    seconds = f", {each.seconds * 1000:.1f} ms" if each.seconds is not None else ""
    return f"{step}{proof}{seconds}"


def _notes(each: Drilled, *, brief: bool = False) -> list[str]:
    """What to know of a release; `brief` without what a table says in another column."""
    notes = [each.problem] if each.problem else []
    notes += [each.nothing] if brief and each.nothing else []
    notes += [each.further] if each.further else []
    if each.proof is not None:
        notes += [f"{one.path} differs: {', '.join(one.owners)}" for one in each.proof.differences if one.owners]
    notes += each.explicit
    if each.readiness is not None and not brief:
        notes.append(f"live again: {each.readiness.words()}")
    return notes
