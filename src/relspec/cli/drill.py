"""`relspec drill`: could every release go back? Offline, in trees that nobody commits."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relspec.cli.session import Session, page_format_option, releases_argument

if TYPE_CHECKING:
    from relspec.gitops.drill import Drilled, Report

EXAMPLES = """\b
Examples:
  relspec drill                                  every release: what a pull request runs
  relspec drill production/movie-recs
  relspec drill 'production/*' --format markdown
  relspec drill --report drill.json              also keep the report (drill.md: as markdown)
"""


@click.command("drill", epilog=EXAMPLES)
@releases_argument
@page_format_option
@click.option(
    "--report", "file", metavar="FILE", help="Also write the report: JSON, or markdown where FILE ends in .md."
)
@click.pass_obj
def command(directory: str, releases: tuple[str, ...], form: str, file: str | None) -> int:
    """Undo the last change of each release in a tree of its own, and prove what comes of it; exit 1 if any fails.

    Nothing is committed, written to the repository or sent anywhere.
    """
    from relspec.compiler import Compiler
    from relspec.gitops.drill import Report, of_another_edition
    from relspec.gitops.history import instant
    from relspec.gitops.repository import Repository
    from relspec.gitops.shared_drill import shared_drill
    from relspec.gitops.states import History
    from relspec.workspace import select

    session = Session(directory)
    repository = Repository(session.root)
    history = History(repository, repository.resolve("HEAD"), many=not releases)
    newest = history.chain.newest
    compiler = Compiler(newest, any_edition=True, memory=history.memory)
    newest.load("environments", compiler.output, files=lambda name: name in ("release.yaml", "environment.yaml"))
    places = select(compiler.found, session.words(releases), session.prefix)
    date = instant(int(time.time()))
    begin = time.perf_counter()
    drilled = tuple(_shown(shared_drill(history, places, time.perf_counter), len(places)))
    seconds = time.perf_counter() - begin
    report = Report(date, repository.commit(history.head), drilled, seconds, of_another_edition(history))
    if file is not None:
        path = Path(directory, file)
        path.write_text(_text(report, "markdown" if path.suffix == ".md" else "json"), encoding="utf-8")
    click.echo(_text(report, form), nl=False)
    return 1 if report.failed else 0


def _text(report: Report, form: str) -> str:
    from relspec.reporters import drill as reporter

    if form == "json":
        return json.dumps(report.as_json(), indent=2) + "\n"
    return reporter.markdown(report) if form == "markdown" else reporter.text(report)


def _shown(drilled: Iterable[Drilled], total: int) -> Iterator[Drilled]:
    """The same; on a terminal with how far it has come."""
    terminal = sys.stderr.isatty()
    for number, each in enumerate(drilled, 1):
        if terminal and (number % 25 == 0 or number == total):
            click.echo(f"\rdrill: {number} of {total}", err=True, nl=number == total)
        yield each
