"""`relspec init`: a repository that compiles and reverts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from relspec.reporters.text import counted, printable

EXAMPLES = """\b
Examples:
  relspec init                              a small example, here
  relspec init releases                     the same in a folder of its own
  relspec init --from docker-compose.yaml   takes over what a Compose file runs
"""


@click.command("init", epilog=EXAMPLES)
@click.argument("folder", default=".", metavar="[DIR]")
@click.option(
    "--from",
    "source",
    metavar="COMPOSE.YAML",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take over the services of a Compose file.",
)
@click.pass_obj
def command(directory: str, folder: str, source: Path | None) -> int:
    """Write a starter repository: environments, a release, a registry, CI, an Argo CD Application.

    No file is overwritten. .gitignore and .gitattributes get the lines that they lack; a README.md stays as it is.
    """
    from relspec.starter import placed
    from relspec.workspace import apply, compare, made_folder

    root = Path(os.path.realpath(Path(directory, folder)))
    files, notes = _content(None if source is None else Path(directory, source).resolve(), root)
    plan = placed(root, files)
    made_folder(root)
    apply(root, plan.files, compare(root, plan.files, ()))
    for path in plan.files:
        click.echo(f"wrote {printable(path)}")
    for path in plan.kept:
        click.echo(f"kept {printable(path)}")
    for note in notes:
        click.echo(f"note: {printable(note)}", err=True)
    where = "" if root == Path.cwd() else f"cd {root} && "
    click.echo(f"{counted(len(plan.files), 'file')} written; now run: {where}relspec compile")
    return 0


def _content(source: Path | None, root: Path) -> tuple[Mapping[str, bytes], tuple[str, ...]]:
    """The files to write, and what a person should know about them."""
    if source is None:
        from relspec.starter import example

        return example(), ()
    from relspec.importing.repository import imported

    result = imported(source, root)
    return result.files, result.notes
