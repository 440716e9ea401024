"""`relspec history`: every change of what ran, and what was live at a time."""

from __future__ import annotations

import json
import posixpath
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from relspec.cli.session import Session, complete_releases, page_format_option

if TYPE_CHECKING:
    from relspec.diagnostics import Finding
    from relspec.gitops.states import History

UTC_NAMES = re.compile(r"(?<=\d) ?(?:Z|UTC|GMT)$")
"""What people write for Z, after the time."""

EXAMPLES = """\b
Examples:
  relspec history production/movie-recs
  relspec history production/movie-recs --at 2026-03-04T14:05Z --service api
  relspec history production/movie-recs --service api --limit 10
  relspec history production/movie-recs --format markdown > docs/rollback_history.md
"""


@click.command("history", epilog=EXAMPLES)
@click.argument("release", shell_complete=complete_releases)
@click.option("--at", "at", metavar="TIME", help="What was live then: 2026-03-04T14:05Z, or with another zone.")
@click.option("--service", metavar="NAME", help="Only what changed this service.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N changes.")
@page_format_option
@click.pass_obj
def command(directory: str, release: str, at: str | None, service: str | None, limit: int | None, form: str) -> int:
    """Show every change of what ran of a release, from Git alone; or what was live at a time.

    RELEASE may be one that is not there any more.
    """
    from relspec.gitops.history import live_at, record
    from relspec.gitops.repository import Repository
    from relspec.gitops.states import History
    from relspec.reporters import history as reporter

    if at is not None and limit is not None:
        raise click.UsageError("--at answers for one moment: leave out --limit.")
    time = _seconds(at) if at is not None else None
    session = Session(directory)
    repository = Repository(session.root)
    history = History(repository, repository.resolve("HEAD"))
    name, file = _meant(history, session, release)
    if time is not None:
        answer = live_at(history, name, time, file, service, whole=form == "json")
        click.echo(_text(answer.as_json()) if form == "json" else reporter.line(answer))
        if time > datetime.now(UTC).timestamp():
            click.echo("note: this time has not come yet; it is what HEAD declares", err=True)
        return 0
    found = replace(record(history, name, service, file), limit=limit)
    if form == "json":
        click.echo(_text(found.as_json()))
    else:
        click.echo(reporter.markdown(found) if form == "markdown" else reporter.text(found), nl=False)
    if found.incomplete is not None:
        _warn(found.incomplete)
    return 0


def _seconds(words: str) -> int:
    """Unix seconds of an ISO 8601 time with a zone; one that is beyond the calendar in UTC is its first or last second.

    RFC 3339 (5.6) allows small letters and a space before the time as well; `date -u` writes UTC at the end.
    """
    example = "2026-03-04T14:05Z or 2026-03-04T15:05+01:00"
    try:
        time = datetime.fromisoformat(UTC_NAMES.sub("Z", words.strip().upper()))
    except ValueError as error:
        raise click.UsageError(f"--at {words} is no time: write {example}.") from error
    if time.tzinfo is None:
        raise click.UsageError(f"--at {words} has no zone, and a time means nothing without one: write {example}.")
    try:
        return int(time.astimezone(UTC).timestamp())
    except OverflowError:
        end = datetime.min if time.year == 1 else datetime.max
        return int(end.replace(microsecond=0, tzinfo=UTC).timestamp())


def _meant(history: History, session: Session, word: str) -> tuple[str, str | None]:
    """The id of the release and its file; a word that means none at HEAD is the id or the path of one that was."""
    from relspec.diagnostics import RelspecError
    from relspec.discovery import RELEASE_FILE, discover, place_of
    from relspec.gitops.states import former_place
    from relspec.loader import Loader
    from relspec.resolve import ENVIRONMENTS
    from relspec.workspace import select

    tree = history.chain.newest
    loader = Loader(tree, history.memory)
    (path,) = session.words([word])
    place = place_of(tree, loader, path)
    if place is not None:
        return place.id, place.file
    try:
        places = select(discover(tree, loader), [path], session.prefix)
    except RelspecError:
        inside = posixpath.normpath(posixpath.join(session.prefix, path))
        gone = former_place(history, path) or former_place(history, inside)
        if gone is not None:
            return gone.id, gone.file
        plain = path.strip("/").removesuffix(f"/{RELEASE_FILE}")
        return plain.removeprefix(f"{ENVIRONMENTS}/"), None
    if len(places) > 1:
        raise click.UsageError(f"{word} means {len(places)} releases, {places[0].id} among them: name one.")
    return places[0].id, places[0].file


def _warn(finding: Finding) -> None:
    from relspec.reporters.text import printable

    click.echo(f"warning {finding.code}: {printable(finding.message)}", err=True)
    click.echo(f"    help: {printable(finding.hint)}", err=True)


def _text(document: object) -> str:
    return json.dumps(document, indent=2)  # in ASCII: names and subjects may hold what steers a terminal
