"""`relspec model deprecate`, `archive` and `quarantine`: what model.yaml says of a version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import click

from relspec.cli.registry import Work, done, dry_run_option, named, parted, refused, words
from relspec.diagnostics import Finding, RelspecError, Severity, Where
from relspec.reporters.text import printable


@click.command("deprecate", epilog="Example: relspec model deprecate als@v0.1")
@click.argument("model")
@click.argument("version", required=False)
@click.option("--undo", is_flag=True, help="Take the entry back.")
@dry_run_option
@click.pass_obj
def deprecate(directory: str, model: str, version: str | None, *, undo: bool, dry_run: bool) -> int:
    """Say that VERSION should be left: whoever runs it gets a warning."""
    model, version = parted(model, version, "version")
    work = Work(directory)
    try:
        return _lifecycle(work, model, version, "deprecated", undo=undo, dry_run=dry_run)
    except RelspecError as error:
        return refused(work, error)


@click.command("archive", epilog="Example: relspec model archive als@v0.1")
@click.argument("model")
@click.argument("version", required=False)
@click.option("--undo", is_flag=True, help="Take the entry back.")
@dry_run_option
@click.pass_obj
def archive(directory: str, model: str, version: str | None, *, undo: bool, dry_run: bool) -> int:
    """Say that VERSION is not deployed any more.

    A version that still runs, or that a rollback could still bring back, is not archived: neither one of the `window`
    versions before one that runs, nor one of what the last `window` states of a release ran.
    """
    model, version = parted(model, version, "version")
    work = Work(directory)
    try:
        if not undo:
            work.known(model, version)
            _check_unused(work, model, version)
        return _lifecycle(work, model, version, "archived", undo=undo, dry_run=dry_run)
    except RelspecError as error:
        return refused(work, error)


def _lifecycle(
    work: Work, model: str, version: str, state: Literal["deprecated", "archived"], *, undo: bool, dry_run: bool
) -> int:
    from relspec.registry import changes
    from relspec.registry.records import model_file

    data = work.known(model, version)
    if undo:
        edited = changes.without_lifecycle(data, model, version, state)
    else:
        edited = changes.with_lifecycle(data, model, version, state)
    if edited == data:
        click.echo(f"{model} {version} is {state} already")
        return 0
    code = done(work.editing({model_file(model): edited}), dry_run=dry_run)
    users = work.running(model, version)
    if users and not undo:
        click.echo(f"it runs in {named(users)}: move them to another version")
    return code


def _check_unused(work: Work, model: str, version: str) -> None:
    """Raises RelspecError RS435 where a version runs, or where a rollback could bring it back."""
    from relspec.registry.records import model_file
    from relspec.rules.changes import environments_within_window

    users = work.running(model, version)
    inside = environments_within_window(work.side, work.side, model, version)
    if users:
        message = f"{model} {version} runs in {named(users)}"
    elif inside:
        message = f"{model} {version} is inside the rollback window of {', '.join(inside)}"
    else:
        message = next(_lately(work, model, version), "")
    if message:
        hint = f"until it is out of use: relspec model deprecate {model} {version}"
        where = Where(model_file(model), ("lifecycle", version), "key")
        raise RelspecError(Finding("RS435", message, where, hint, severity=Severity.ERROR))


def _lately(work: Work, model: str, version: str) -> Iterator[str]:
    """The releases whose last states need a version, as sentences."""
    from relspec.gitops.former_versions import within_window

    if work.history is None:
        click.echo("note: no Git history: only what the files say was looked at", err=True)
        return
    for place in work.compiler.found.releases:
        try:
            window = work.compiler.resolver.environment(place.environment).rollback.window
            state = within_window(work.history, place, model, version, window)
        except RelspecError as error:
            click.echo(f"note: {printable(place.id)}: {printable(error.findings[0].message)}", err=True)
            continue
        if state is not None:
            yield (
                f"{model} {version} is inside the rollback window of {place.environment}: "
                f"{place.id} ran it at {state.last.short} ({state.last.day}), window is {window}"
            )


# --- quarantine


@click.command(
    "quarantine",
    epilog="""\b
Examples:
  relspec model quarantine als v0.4 --reason "error rate 12 %"
  relspec model quarantine als v0.4 --lift "cause was the cache, fixed"
""",
)
@click.argument("model")
@click.argument("version", required=False)
@click.option("--reason", callback=words, metavar="TEXT", help="Why it must not come back.")
@click.option("--lift", callback=words, metavar="REASON", help="Lift the quarantine: why it may come back.")
@dry_run_option
@click.pass_obj
def quarantine(
    directory: str, model: str, version: str | None, *, reason: str | None, lift: str | None, dry_run: bool
) -> int:
    """Say that VERSION must not be deployed again. It is lifted later, never removed.

    What runs it goes on; how to leave it is said.
    """
    from relspec.registry import changes
    from relspec.registry.records import model_file

    model, version = parted(model, version, "version")
    if (reason is None) == (lift is None):
        raise click.UsageError("Say why: --reason TEXT, or --lift REASON to end it.")
    work = Work(directory)
    try:
        data = work.known(model, version)
        held = (work.registry.model(model).quarantine or {}).get(version)
        if lift is not None:
            edited = changes.with_lifted_quarantine(data, model, version, lift)
        elif held is not None and held.lifted is None:
            click.echo(printable(f"{model} {version} is in quarantine already, since {held.since}: {held.reason}"))
            edited = data
        else:
            edited = changes.with_quarantine(data, model, version, reason or "", _today())
        code = done(work.editing({model_file(model): edited}), dry_run=dry_run)
    except RelspecError as error:
        return refused(work, error)
    if lift is None:
        _say_where_it_runs(work, model, version, reason or "")
    return code


def _today() -> str:
    """The day in UTC."""
    return datetime.now(UTC).date().isoformat()


def _say_where_it_runs(work: Work, model: str, version: str, reason: str) -> None:
    from relspec.gitops.former_versions import still_running

    said = still_running(work.side, work.history, model, version, reason)
    for name in said.unknown:
        work.leave_out(name)
    for alias in said.aliases:
        click.echo(f"note: the alias {alias} means {version}")
    if not said.users:
        click.echo("nothing runs it")
        return
    click.echo(f"it runs in {named(said.users)}")
    for line in ("to leave it:", *(f"  {line}" for line in said.ways_out)) if said.ways_out else ():
        click.echo(printable(line))
