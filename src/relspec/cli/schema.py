"""`relspec schema`: JSON Schemas for editors."""

from __future__ import annotations

from pathlib import Path

import click

from relspec.diagnostics import RelspecError

KINDS = (
    *("release", "environment", "model-version", "model", "repository", "lock", "context"),
    *("diagnostics", "plan", "history", "drill", "rollback", "promote", "live"),
)
DEFAULT_FOLDERS = (".relspec/schemas", "schemas")
"""Where the schemas lie: in a repository that `init` made, and in relspec's own."""

EXAMPLES = """\b
Examples:
  relspec schema                          write all, where the repository keeps them
  relspec schema release                  print one
  relspec schema --out .relspec/schemas   write all into a folder
  relspec schema --check                  exit 1 where a file is out of date
"""


@click.command("schema", epilog=EXAMPLES)
@click.argument("kind", required=False, type=click.Choice(KINDS), metavar="[KIND]")
@click.option(
    "--out", "folder", metavar="DIR", help="Write into DIR; default: .relspec/schemas if there, else schemas."
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and name the files that are out of date.")
@click.pass_obj
def command(directory: str, kind: str | None, folder: str | None, *, check: bool) -> int:
    """Write the JSON Schemas by which an editor completes and explains every field.

    KIND is one of release, environment, model-version, model, repository, lock, context, diagnostics, plan,
    history, drill, rollback, promote, live.
    """
    from relspec import editor_schemas
    from relspec.workspace import apply, compare

    if kind is not None and folder is None and not check:
        click.echo(editor_schemas.text(kind), nl=False)
        return 0
    root, place = _place(directory, folder)
    names = editor_schemas.files() if kind is None else {f"{kind}.json": editor_schemas.text(kind)}
    files = {f"{place}/{name}" if place else name: data for name, data in names.items()}
    changes = compare(root, files, ())
    if check:
        for path in changes.written:
            click.echo(f"out of date: {path}")
        if changes:
            click.echo(f"    help: relspec schema --out {folder or place}", err=True)
            return 1
        click.echo(f"{len(files)} schemas up to date")
        return 0
    apply(root, files, changes)
    for path in changes.written:
        click.echo(f"wrote {path}")
    click.echo(f"{len(files)} schemas: {len(changes.written)} written, {len(files) - len(changes.written)} unchanged")
    return 0


def _place(directory: str, folder: str | None) -> tuple[Path, str]:
    """The folder that files are written below, and the path in it."""
    if folder is not None:
        root = Path(directory, folder).resolve()
        root.mkdir(parents=True, exist_ok=True)
        return root.parent, root.name
    from relspec.workspace import find_root

    try:
        root = find_root(Path(directory))
    except RelspecError:
        root = Path(directory).resolve()
    return root, next((place for place in DEFAULT_FOLDERS if (root / place).is_dir()), DEFAULT_FOLDERS[-1])
