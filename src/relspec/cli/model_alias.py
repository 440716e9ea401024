"""`relspec model alias`: another version under a name, and every release that says the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from relspec.cli.editing import Editing, not_written, say, show
from relspec.cli.registry import Work, done, dry_run_option, parted, refused, words
from relspec.diagnostics import Finding, RelspecError, Severity, Where
from relspec.reporters.text import counted, printable

if TYPE_CHECKING:
    from relspec.compiler import Compiler


@click.command(
    "alias",
    epilog="""\b
Examples:
  relspec model alias als prod v0.4
  relspec model alias als@prod v0.4 --dry-run
  relspec model alias als canary --remove
""",
)
@click.argument("model")
@click.argument("alias", required=False, callback=words)
@click.argument("version", required=False)
@click.option("--remove", "gone", is_flag=True, help="Take the alias away.")
@dry_run_option
@click.pass_obj
def move_alias(directory: str, model: str, alias: str | None, version: str | None, *, gone: bool, dry_run: bool) -> int:
    """Let ALIAS mean VERSION, and compile every release that this changes."""
    from relspec.registry import changes
    from relspec.registry.records import model_file

    if "@" in model and version is None:  # als@prod v0.4: the second word is the version
        alias, version = None, alias
    model, alias = parted(model, alias, "alias")
    if (version is None) != gone:
        raise click.UsageError("Name the version that the alias shall mean, or --remove.")
    work = Work(directory)
    try:
        if version is None:
            data = work.known(model, next(iter(work.registry.versions(model)), ""))
            edited = changes.without_alias(data, model, alias)
        else:
            data = work.known(model, version)
            edited = changes.with_alias(data, model, alias, version)
        if edited == data:
            click.echo(f"{model}@{alias} means {version} already")
            return 0
        return aliased(work, work.editing({model_file(model): edited}), model, alias, dry_run=dry_run)
    except RelspecError as error:
        return refused(work, error)


def aliased(work: Work, editing: Editing, model: str, alias: str, *, dry_run: bool) -> int:
    """Writes, or shows, an alias with the outputs of the releases that it changes."""
    from relspec.gitops.changes import describe, headline
    from relspec.rules.changes import Side
    from relspec.rules.changes.reach import mentioning

    _check_deployable(editing, model, alias)
    was, now = _meant(work.compiler, model, alias), _meant(editing.compiler, model, alias)
    if was != now:
        click.echo(f"{model}@{alias}: {was or 'none'} -> {now or 'none'}")
    after = Side(editing.compiler)
    changed = []
    for name in sorted(mentioning(work.side, f"{model}@{alias}")):
        before, new = work.side.release(name), after.release(name)
        if before is None and new is None:
            work.leave_out(name)
        said = describe(before, new) if before is not None and new is not None else ()
        if said or (before is None) != (new is None):
            changed.append(after.places[name])
            what = "names an alias that is gone" if new is None else headline(said) or "resolves again"
            click.echo(printable(f"  {name}  {what}"))
    if not changed:
        click.echo("no release changes")
        return done(editing, dry_run=dry_run)
    compiled = editing.compile(changed)
    if compiled.stopped:
        return not_written(compiled)
    changes = editing.changes(compiled)
    if dry_run:
        show(editing, changes)
        return 0
    editing.write(changes, compiled)
    say(changes)
    click.echo(f"{counted(len(changed), 'release')} changed; how fast each could go back: relspec plan HEAD")
    return 0


def _meant(compiler: Compiler, model: str, alias: str) -> str | None:
    """The version that an alias means; None for no such alias, or no such model yet."""
    registry = compiler.resolver.registry
    return (registry.model(model).aliases or {}).get(alias) if model in registry.models() else None


def _check_deployable(editing: Editing, model: str, alias: str) -> None:
    """Raises RelspecError RS410 or RS411 where an alias would mean a version that may not be deployed."""
    from relspec.registry.records import model_file

    registry = editing.compiler.resolver.registry
    if alias not in (registry.model(model).aliases or {}):
        return
    where = Where(model_file(model), ("aliases", alias))
    found = registry.resolve(f"{model}@{alias}", where)
    hint = "choose another version"
    if found.quarantine is not None:
        message = f"{model} {found.version} is quarantined since {found.quarantine.since}: {found.quarantine.reason}"
        raise RelspecError(Finding("RS411", message, where, hint, severity=Severity.ERROR))
    if found.lifecycle == "archived":
        raise RelspecError(Finding("RS410", f"{model} {found.version} is archived", where, hint))
