"""`relspec compile`: from specs to the files that are deployed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from relspec.cli.reports import Reporting, report_files, report_options
from relspec.cli.session import Session, releases_argument
from relspec.compiler import Compiled, Compiler
from relspec.diagnostics import Diagnostic, Kind, Severity
from relspec.reporters.text import counted, printable
from relspec.workspace import Changes, apply, compare, compare_tree, made_folder, select

if TYPE_CHECKING:
    from relspec.reporters.results import Results

EXAMPLES = """\b
Examples:
  relspec compile                                   every release, into rendered/
  relspec compile --check                           exit 1 where an output is out of date
  relspec compile --out build production/movie-recs
  relspec compile --at HEAD~1 --target helm --stdout production/modelkit-demo > values-rollback.yaml
"""


@click.command("compile", epilog=EXAMPLES)
@releases_argument
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and name the outputs that differ.")
@click.option("--at", "revision", metavar="REV", help="Compile a commit; with --out, --stdout or --check.")
@click.option("--out", "folder", metavar="DIR", help="Write below DIR instead of the output folder.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the outputs.")
@click.option(
    "--target", "targets", multiple=True, type=click.Choice(["compose", "helm", "rollouts"]), help="Only this target."
)
@report_options
@click.pass_obj
def command(
    directory: str,
    releases: tuple[str, ...],
    *,
    check: bool,
    revision: str | None,
    folder: str | None,
    to_stdout: bool,
    targets: tuple[str, ...],
    form: str,
    reports: tuple[str, ...],
) -> int:
    """Compile releases into the files that are deployed."""
    if sum((check, folder is not None, to_stdout)) > 1:
        raise click.UsageError("--check, --out and --stdout exclude each other.")
    if revision is not None and not (check or folder is not None or to_stdout):
        raise click.UsageError("--at needs --out, --stdout or --check: a commit is not compiled over the work tree.")
    session = Session(directory)
    if not (check or folder is not None or to_stdout):
        session.refuse_bare()
    tree = session.tree(revision)
    compiler = Compiler(tree, any_edition=revision is not None)
    places = select(compiler.found, session.words(releases), session.prefix) if releases else None
    reporting = Reporting("compile", session, tree, form, report_files(reports, session, compiler.output))
    compiled = compiler.compile(places, targets or None, today=cache(lambda: _day(session, revision)))
    diagnostics = [as_compile_says(diagnostic) for diagnostic in compiled.diagnostics]
    results = reporting.results(diagnostics, [release.place.id for release in compiled.releases])
    if compiled.stopped:
        reporting.publish(results)
        click.echo("nothing was written", err=True)
        return 3 if compiled.crashed else 1
    if form == "text":
        reporting.show(results)
    if to_stdout:
        reporting.write(results)
        click.echo(_joined(compiled.files).encode(), nl=False)
        return 0
    scope = _scope(compiled, whole=places is None and folder is None, targets=targets)
    if check and (revision is not None or session.is_bare):
        changes = compare_tree(tree, compiled.files, scope)
    elif folder is None:
        changes = compare(session.root, compiled.files, scope)
    else:
        return _written_elsewhere(session, Path(directory, folder), compiled, scope, reporting, results)
    if check:
        mend = _mend(session, compiler, revision) if changes else ""
        return _checked(changes, compiled, reporting, results, mend)
    apply(session.root, compiled.files, changes)
    _say(changes, compiled, reporting, results)
    return 0


def _day(session: Session, revision: str | None) -> str | None:
    """The day of the commit that is compiled, which `check` goes by, too; None without a commit."""
    from relspec.gitops.repository import Repository

    repository = Repository(session.root)
    if revision is not None:
        return repository.commit(repository.resolve(revision)).day
    return repository.day()


def _scope(compiled: Compiled, *, whole: bool, targets: tuple[str, ...]) -> list[str]:
    """The folders that hold nothing of ours but what was compiled now."""
    if whole and not targets:
        return [compiled.output]
    folders = [f"{compiled.output}/{release.place.id}" for release in compiled.releases]
    return [f"{folder}/{target}" for folder in folders for target in targets] if targets else folders


def _written_elsewhere(
    session: Session,
    folder: Path,
    compiled: Compiled,
    scope: list[str],
    reporting: Reporting,
    results: Results,
) -> int:
    """`--out`: the same files below another folder, which is never the repository nor around it."""
    root = Path(os.path.realpath(folder))
    if root == session.root or root in session.root.parents:
        raise click.UsageError(f"--out {folder} is the repository or holds it; name a folder for the outputs alone.")
    if session.is_bare and session.root in root.parents:
        raise click.UsageError(f"--out {folder} lies in the bare repository; name a folder outside of it.")
    made_folder(root)
    cut = len(compiled.output) + 1
    files = {path[cut:]: data for path, data in compiled.files.items()}
    changes = compare(root, files, [path[cut:] for path in scope])
    apply(root, files, changes)
    _say(changes, compiled, reporting, results)
    return 0


def as_compile_says(diagnostic: Diagnostic) -> Diagnostic:
    """Policy, safety and quarantine are warnings here: `check` is the gate, and a stale revert must compile."""
    if diagnostic.severity is Severity.ERROR and diagnostic.kind is not Kind.STRUCTURE:
        return replace(diagnostic, severity=Severity.WARNING)
    return diagnostic


def _joined(files: Mapping[str, bytes]) -> str:
    """One file as it is; several one after the other, each under its path."""
    texts = {path: data.decode() for path, data in sorted(files.items())}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "---\n".join(f"# {path}\n{text}" for path, text in texts.items())


def _mend(session: Session, compiler: Compiler, revision: str | None) -> str:
    from relspec.gitops.repository import Repository
    from relspec.gitops.staleness import mend

    return mend(Repository(session.root), compiler, revision)


def _checked(changes: Changes, compiled: Compiled, reporting: Reporting, results: Results, mend: str) -> int:
    """Says which outputs are out of date; `mend` is what to type then."""
    whole = results
    if changes:
        from relspec.gitops.staleness import stale

        whole = replace(results, diagnostics=(*results.diagnostics, *stale(changes, mend)))
    reporting.write(whole)
    if reporting.form != "text":
        reporting.show(whole)
        return 1 if changes else 0
    for path in changes.written:
        click.echo(f"out of date: {printable(path)}")
    for path in changes.removed:
        click.echo(f"no longer compiled: {printable(path)}")
    if changes:
        click.echo("error RS601: outputs are out of date", err=True)
        click.echo(f"    help: {mend}", err=True)
        return 1
    click.echo(f"{counted(len(compiled.files), 'output')} of {counted(len(compiled.releases), 'release')} up to date")
    return 0


def _say(changes: Changes, compiled: Compiled, reporting: Reporting, results: Results) -> None:
    reporting.write(results)
    if reporting.form != "text":
        reporting.show(results)
        return
    for path in changes.written:
        click.echo(f"wrote {printable(path)}")
    for path in changes.removed:
        click.echo(f"removed {printable(path)}")
    same = len(compiled.files) - len(changes.written)
    click.echo(
        f"{counted(len(compiled.releases), 'release')}: {counted(len(changes.written), 'output')} written, "
        f"{same} unchanged, {len(changes.removed)} removed"
    )
