"""`relspec check`: everything that is wrong, at once. The gate of a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from relspec.cli.session import Session, failed, format_option, releases_argument, report

if TYPE_CHECKING:
    from relspec.compiler import Compiler
    from relspec.diagnostics import Finding
    from relspec.gitops.repository import Repository

EXAMPLES = """\b
Examples:
  relspec check                          everything
  relspec check production/movie-recs    one release and what it uses
  relspec check --since origin/main      what a pull request runs: the change, too
  relspec check --merge origin/main      whether main would be up to date after the merge
"""


@click.command("check", epilog=EXAMPLES)
@releases_argument
@click.option("--since", metavar="REV", help="Also check the change from REV; what goes back is not held up by policy.")
@click.option("--merge", metavar="REV", help="Also compile the merge of HEAD with REV, in memory.")
@format_option
@click.pass_obj
def command(directory: str, releases: tuple[str, ...], since: str | None, merge: str | None, form: str) -> int:
    """Check releases and everything they use; exit 1 on any error."""
    from relspec.compiler import Compiler
    from relspec.gitops.repository import Repository
    from relspec.gitops.review import Review, check_merge
    from relspec.positions import locate, sorted_diagnostics
    from relspec.reporters.text import summary
    from relspec.workspace import select

    session = Session(directory)
    tree = session.tree()
    repository = Repository(session.root)
    review = Review(repository, tree, since) if since is not None else None
    compiler = review.compiler if review is not None else Compiler(tree)
    places = select(compiler.found, session.words(releases), session.prefix) if releases else None
    compiled = review.compiled(places) if review is not None else compiler.compile(places, today=repository.day())
    more = [] if releases else list(_beside_the_releases(compiler, repository))
    if review is not None:
        more += review.findings()
    if merge is not None:
        more += check_merge(repository, merge)
    known = {(d.code, d.file, d.range) for d in compiled.diagnostics}
    found = (d for d in locate(more, compiler.loader.text) if (d.code, d.file, d.range) not in known)
    diagnostics = sorted_diagnostics((*compiled.diagnostics, *found))
    report(diagnostics, len(compiled.releases), form, tree)
    if form == "text":
        click.echo(summary(diagnostics, len(compiled.releases)))
    if compiled.crashed:
        return 3
    return 1 if failed(diagnostics) else 0


def _beside_the_releases(compiler: Compiler, repository: Repository) -> Iterator[Finding]:
    """What no release leads to: unused versions and environments, and files that Git should not track."""
    from relspec.rules.attributes import merged_otherwise
    from relspec.rules.records import check_registry
    from relspec.rules.repository import tracked_env_files

    yield from check_registry(compiler.resolver.registry)
    yield from compiler.unused_environments()
    yield from merged_otherwise(compiler.tree, compiler.output, [place.id for place in compiler.found.releases])
    yield from tracked_env_files(repository.tracked(f"{compiler.output}/**/.env"))
