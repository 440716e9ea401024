"""`relspec plan`: what a change does to every environment, and how fast it could be undone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import click

from relspec.cli.session import Session, page_format_option, report

if TYPE_CHECKING:
    from relspec.gitops.repository import Repository

EXAMPLES = """\b
Examples:
  relspec plan                               from the merge base with main to the work tree
  relspec plan HEAD~1..HEAD                  the last commit
  relspec plan origin/main...HEAD --format markdown > comment.md
  relspec plan --fail-on blocked --fail-on objective
"""


class Ends(NamedTuple):
    """The ids of both ends of a change: `head` None for the work tree, `onto` the commit that it will be merged into."""

    base: str
    head: str | None
    onto: str


@click.command("plan", epilog=EXAMPLES)
@click.argument("change", required=False, metavar="[BASE[..HEAD]]")
@click.option("--diff", "diffs", is_flag=True, help="Show the outputs line by line.")
@click.option(
    "--fail-on",
    "limits",
    multiple=True,
    type=click.Choice(["blocked", "stepped", "objective"]),
    help="Exit 1 where going back would be blocked, stepped, or slower than the environment's objective; repeatable.",
)
@page_format_option
@click.pass_obj
def command(directory: str, change: str | None, limits: tuple[str, ...], form: str, *, diffs: bool) -> int:
    """Show what a change does to each environment, and how fast it could be undone.

    BASE alone means the work tree against BASE; BASE..HEAD two commits; BASE...HEAD starts from their merge base. Without
    a word: from the merge base with the main branch to the work tree. Nothing is written.
    """
    from relspec.gitops.plan import plan
    from relspec.gitops.repository import Repository
    from relspec.reporters import plan as reporter
    from relspec.reporters.text import printable

    session = Session(directory)
    repository = Repository(session.root)
    ends = _ends(repository, session, change)
    tree = session.tree() if ends.head is None else repository.tree(ends.head)
    found = plan(repository, tree, ends.base, ends.head, onto=ends.onto)
    if form == "json":
        # ASCII alone: what is in a name steers no terminal, and half a character breaks no pipe.
        click.echo(json.dumps(found.as_json(), indent=2))
    elif form == "markdown":
        click.echo(reporter.markdown(found), nl=False)
    else:
        report(found.diagnostics, len(found.releases), "text", tree)
        click.echo(reporter.text(found, diffs=diffs), nl=False)
    failing = found.failing(limits)
    for release, broken in failing:
        click.echo(f"--fail-on {', '.join(broken)}: {printable(reporter.refusal(release, broken))}", err=True)
    return 1 if failing else 0


def _ends(repository: Repository, session: Session, change: str | None) -> Ends:
    """What `BASE[..HEAD]` means; a bare repository has no work tree, so HEAD takes its place."""
    from relspec.gitops.plan import main_branch

    word, separator, end = (change or "").partition("..")
    from_merge_base = not word or end.startswith(".")
    head = repository.resolve(end.removeprefix(".") or "HEAD") if separator or repository.top is None else None
    onto = repository.resolve(word or main_branch(repository, session.main_branch))
    base = repository.merge_base(onto, head or repository.resolve("HEAD")) if from_merge_base else onto
    return Ends(base, head, onto)
