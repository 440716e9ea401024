"""The history of a release: lines for a terminal, and the tables that people keep by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from relspec.reporters import markdown as md
from relspec.reporters.text import counted, inert, printable

if TYPE_CHECKING:
    from relspec.gitops.history import Answer, Record, Rollback, Row

SHORT = 9


def text(record: Record) -> str:
    """Every row as a paragraph."""
    of = f"{record.release}, service {record.service}" if record.service else record.release
    few = f"{len(record.shown)} of " if len(record.shown) < len(record.rows) else ""
    lines = [f"{printable(of)}: {few}{counted(len(record.rows), 'change')}, newest first"]
    lines += [*(f"toolchain: {printable(line)}" for line in record.toolchain), ""]
    for row in record.shown:
        lines += [*_paragraph(row, record.release), ""]
    return "\n".join(lines)


def _around(row: Row) -> str:
    """What changed around the release, which says once that it is the environment, or the toolchain."""
    return row.what if row.what.startswith(("environment ", "toolchain: ")) else f"environment: {row.what}"


def _paragraph(row: Row, release: str) -> Iterator[str]:
    what = _around(row) if row.kind == "environment" else row.what
    earlier = " or earlier" if row.or_earlier else ""
    yield f"{row.when}{earlier}  {row.commit.short}  {printable(row.commit.author)}  {printable(what)}"
    yield f"    {inert(printable(row.reason))}"
    if row.release != release:
        yield f"    as {printable(row.release)}"
    if row.kind == "environment":
        return
    if row.broken:
        yield f"    broken: {printable(row.broken)}"
    if row.services:
        yield f"    {printable(row.running)}; {printable(row.strategies)}"
    if row.through:
        yield f"    through {printable(', '.join(row.through))}; the release's folder was not touched"
    if row.environment:
        yield f"    with the environment in the same commit: {printable('; '.join(row.environment))}"
    if row.restores is not None:
        yield f"    goes {'back' if row.goes_back else 'forward again'} to {row.restores.short}"
    yield f"    {_fate(row)}"


def _fate(row: Row) -> str:
    if row.undone is not None:
        by = (
            f"rolled back by {row.undone.commit.short} ({printable(row.undone.commit.author)}) after {row.undone.after}"
        )
        return by if row.lasted == row.undone.after else f"lived {row.lasted}; {by}"
    return f"lived {row.lasted}" if row.lasted else "in force"


def line(answer: Answer) -> str:
    """What was live, in one line; one more where another edition's compiler would say it."""
    return "\n".join((_live(answer), *(f"toolchain: {printable(line)}" for line in answer.toolchain)))


def _live(answer: Answer) -> str:
    service = f", service {printable(answer.service)}" if answer.service else ""
    of = f"{answer.when}  {printable(answer.release)}{service}"
    row = answer.row
    if row is None:
        return f"{of}: not there yet{_came(answer)}"
    by = f"commit {row.commit.short}, since {row.when}{' or earlier' if row.or_earlier else ''}, by {printable(row.commit.author)}"
    if row.kind == "removed":
        return f"{of}: not there, removed with {by}"
    running = f"broken ({printable(row.broken)})" if row.broken else printable(row.running)
    return f"{of}: {running} ({by}: {printable(row.reason)})"


def _came(answer: Answer) -> str:
    new = answer.next
    return "" if new is None else f"; it came {new.when} with {new.commit.short} by {printable(new.commit.author)}"


def markdown(record: Record) -> str:
    """The table of rollbacks, then that of all changes."""
    of = f"{record.release}, service {record.service}" if record.service else record.release
    parts = [f"# Rollback history: {md.cell(of)}\n\n"]
    if record.rollbacks:
        rows = [_rollback(each) for each in record.rollbacks]
        parts.append(md.table(("Date", "Duration", "Reason", "Resolved", "Notes"), rows))
    else:
        some = " in the changes shown" if len(record.shown) < len(record.rows) else ""
        parts.append(f"Nothing was rolled back{some}.\n")
    parts += [f"\nToolchain: {md.cell(line)}.\n" for line in record.toolchain]
    header = ("Time", "Commit", "Author", "Version", "Strategy", "Change", "Reason", "Lived", "Rolled back by")
    parts.append("\n## Every change of what ran\n\n")
    parts.append(md.table(header, [_row(row) for row in record.shown]))
    if record.incomplete is not None:
        parts.append(f"\nOlder changes are not known: {md.cell(record.incomplete.message)}.\n")
    return "".join(parts)


def _rollback(each: Rollback) -> tuple[str, ...]:
    by = f"; resolved by {md.code(each.by.id[:SHORT])}, {md.cell(each.by.author)}" if each.by is not None else ""
    notes = f"{md.cell(each.row.what)} ({md.code(each.row.commit.id[:SHORT])}, {md.cell(each.row.commit.author)}){by}"
    resolved = "Yes" if each.by is not None else "No"
    return (each.row.when[:10], each.lasted or "so far", md.cell(each.reason), resolved, notes)


def _row(row: Row) -> tuple[str, ...]:
    what = [_around(row) if row.kind == "environment" else row.what]
    what += [f"broken: {row.broken}"] if row.broken else []
    what += [f"through {', '.join(row.through)}"] if row.through else []
    what += (
        [f"with the environment: {'; '.join(row.environment)}"] if row.environment and row.kind != "environment" else []
    )
    undone = row.undone
    return (
        f"{row.when}{' or earlier' if row.or_earlier else ''}",
        md.code(row.commit.id[:SHORT]),
        md.cell(row.commit.author),
        md.cell(row.running),
        md.cell(row.strategies),
        md.cell("; ".join(what)),
        md.cell(row.reason),
        row.lasted,
        f"{md.code(undone.commit.id[:SHORT])} after {undone.after}" if undone is not None else "",
    )
