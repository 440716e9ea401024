"""`relspec plan`: what a change does to every environment, and how fast it could be undone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from relspec.cli.session import Session, report

if TYPE_CHECKING:
    from relspec.gitops.repository import Repository

EXAMPLES = """\b
Examples:
  relspec plan                               from the merge base with main to the work tree
  relspec plan HEAD~1..HEAD                  the last commit
  relspec plan origin/main..HEAD --format markdown > comment.md
  relspec plan --fail-on blocked --fail-on objective
"""


@click.command("plan", epilog=EXAMPLES)
@click.argument("change", required=False, metavar="[BASE[..HEAD]]")
@click.option("--diff", "diffs", is_flag=True, help="Show the outputs line by line.")
@click.option(
    "--fail-on",
    "limits",
    multiple=True,
    type=click.Choice(["blocked", "stepped", "objective"]),
    help="Exit 1 where going back would be blocked, stepped, or slower than the environment's objective.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@click.pass_obj
def command(directory: str, change: str | None, limits: tuple[str, ...], form: str, *, diffs: bool) -> int:
    """Show what a change does to each environment, and how fast it could be undone.

    BASE alone means the work tree against BASE; BASE..HEAD two commits; BASE...HEAD starts from their merge base.
    """
    from relspec.gitops.plan import plan
    from relspec.gitops.repository import Repository
    from relspec.reporters import plan as reporter

    session = Session(directory)
    repository = Repository(session.root)
    base, head = _ends(repository, session, change)
    tree = session.tree(head)
    found = plan(repository, tree, base, head)
    if form == "json":
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    elif form == "markdown":
        click.echo(reporter.markdown(found), nl=False)
    else:
        report(found.diagnostics, len(found.releases), "text", tree)
        click.echo(reporter.text(found, diffs=diffs), nl=False)
    failing = found.failing(limits)
    for release in failing:
        click.echo(f"--fail-on {', '.join(limits)}: {release.id}", err=True)
    return 1 if failing else 0


def _ends(repository: Repository, session: Session, change: str | None) -> tuple[str, str | None]:
    """The ids of both ends of the change; None for the work tree, which a bare repository does not have."""
    from relspec.gitops.plan import main_branch

    word, separator, end = (change or "").partition("..")
    from_merge_base = end.startswith(".")
    head = repository.resolve(end.removeprefix(".") or "HEAD") if separator or repository.top is None else None
    if not word:
        base = repository.resolve(main_branch(repository, session.main_branch))
        from_merge_base = True
    else:
        base = repository.resolve(word)
    if from_merge_base:
        base = repository.merge_base(base, head or repository.resolve("HEAD"))
    return base, head
