"""`relspec check`: everything that is wrong, at once. The gate of a pull request."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from relspec.cli.reports import Reporting, report_files, report_options
from relspec.cli.session import Session, failed, releases_argument

if TYPE_CHECKING:
    from relspec.compiler import Compiled, Compiler
    from relspec.diagnostics import Diagnostic, Finding
    from relspec.gitops.repository import Repository
    from relspec.tree import Tree

EXAMPLES = """\b
Examples:
  relspec check                          everything
  relspec check production/movie-recs    one release and what it uses
  relspec check --since origin/main      what a pull request runs: the change, too
  relspec check --fix --diff             the edits that are certain to be right; without --diff it makes them
  relspec check --merge origin/main      whether main would be up to date after the merge
  relspec check --report check.sarif     for a code-scanning page, beside the text
"""


@click.command("check", epilog=EXAMPLES)
@releases_argument
@click.option(
    "--since",
    metavar="REV",
    help="Also check the change from REV and its outputs; what goes back is not held up by policy.",
)
@click.option("--merge", metavar="REV", help="Also compile the merge of HEAD with REV, in memory.")
@click.option("--fix", is_flag=True, help="First make the edits that are certain; then check what is left.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and write nothing.")
@report_options
@click.pass_obj
def command(
    directory: str,
    releases: tuple[str, ...],
    *,
    since: str | None,
    merge: str | None,
    fix: bool,
    diff: bool,
    form: str,
    reports: tuple[str, ...],
) -> int:
    """Check releases and everything they use; exit 1 on any error."""
    from relspec.compiler import Compiler
    from relspec.discovery import not_said
    from relspec.gitops.repository import Repository
    from relspec.gitops.review import Review, check_merge
    from relspec.gitops.staleness import stale_in_change
    from relspec.positions import locate, sorted_diagnostics
    from relspec.reporters.text import summary
    from relspec.rules.allowances import UNKNOWN_DAY
    from relspec.workspace import select

    if diff and form != "text":
        raise click.UsageError("--diff prints a diff: it goes with --format text alone.")
    session = Session(directory)
    if fix and not diff:
        session.refuse_bare()
    if fix or diff:
        _fix(session, releases, diff=diff, form=form)
    tree = session.tree()
    repository = Repository(session.root)
    head = repository.head() if session.is_bare else None
    review = Review(repository, tree, since, head) if since is not None else None
    compiler = review.compiler if review is not None else Compiler(tree)
    places = select(compiler.found, session.words(releases), session.prefix) if releases else None
    names = [place.id for place in places] if places is not None else None
    reporting = Reporting("check", session, tree, form, report_files(reports, session, compiler.output))
    compiled = (
        review.compiled(places)
        if review is not None
        else compiler.compile(places, today=repository.day() or UNKNOWN_DAY)
    )
    more = [] if releases else list(_beside_the_releases(compiler, repository, compiled))
    if review is not None:
        more += review.findings()
    if merge is not None:
        more += check_merge(repository, merge)
    known = {(d.code, d.file, d.range) for d in compiled.diagnostics}
    new = not_said(more, compiled.diagnostics)
    found = (d for d in locate(new, compiler.loader.text) if (d.code, d.file, d.range) not in known)
    stale = stale_in_change(review, compiled, names) if review is not None else ()
    diagnostics = sorted_diagnostics((*compiled.diagnostics, *found, *stale))
    results = reporting.results(diagnostics, [release.place.id for release in compiled.releases])
    reporting.publish(results)
    if form == "text":
        click.echo(summary(diagnostics, len(compiled.releases)))
    if compiled.crashed:
        return 3
    return 1 if failed(diagnostics) else 0


def _fix(session: Session, releases: Sequence[str], *, diff: bool, form: str) -> None:
    """Writes the edits that are certain, or shows them."""
    from relspec.cli import fixing
    from relspec.compiler import Compiler
    from relspec.positions import locate
    from relspec.rules.records import check_registry
    from relspec.workspace import select

    def check(tree: Tree) -> tuple[Sequence[Diagnostic], Collection[str]]:
        compiler = Compiler(tree)
        places = select(compiler.found, session.words(releases), session.prefix) if releases else None
        found = list(compiler.compile(places).diagnostics)
        if not releases:
            more = (*check_registry(compiler.resolver.registry), *compiler.unused_environments())
            found += locate(more, compiler.loader.text)
        return found, compiler.loader.read_documents

    tree = session.tree()
    found = fixing.fixed_files(tree, check)
    if diff:
        fixing.show(tree, found)
        return
    fixing.write(session.root, found)
    if form == "text":
        fixing.say(found)


def _beside_the_releases(compiler: Compiler, repository: Repository, compiled: Compiled) -> Iterator[Finding]:
    """What no release leads to: unused versions, environments and allowances, and files that Git should not track."""
    from relspec.rules.allowances import loosened, unused
    from relspec.rules.attributes import merged_otherwise
    from relspec.rules.pinned import pinned_values
    from relspec.rules.records import check_registry
    from relspec.rules.repository import tracked_env_files

    yield from check_registry(compiler.resolver.registry)
    yield from compiler.unused_environments()
    yield from pinned_values(compiler.tree.read, compiler.found.releases)
    resolved = [(r.release, r.findings) for r in compiled.releases if r.release is not None]
    yield from unused(resolved, [place.id for place in compiler.found.releases])
    yield from loosened([release for release, _ in resolved])
    prefix = repository.prefix if repository.exists else ""
    ids = [place.id for place in compiler.found.releases]
    yield from merged_otherwise(
        compiler.tree, compiler.output, ids, info=_attributes_of_the_clone(repository), prefix=prefix
    )
    yield from tracked_env_files(_tracked_env_files(compiler, repository))


def _attributes_of_the_clone(repository: Repository) -> bytes:
    """What .git/info/attributes holds; empty where there is none that can be read."""
    from relspec.tree import MAX_FILE

    if not repository.exists:
        return b""
    file = repository.common_dir / "info" / "attributes"
    try:
        return file.read_bytes() if file.is_file() and file.stat().st_size <= MAX_FILE else b""
    except OSError:
        return b""


def _tracked_env_files(compiler: Compiler, repository: Repository) -> Sequence[str]:
    """The files `.env` among the outputs that Git tracks: in a commit all that there are."""
    from relspec.gitops.commit_tree import CommitTree

    if isinstance(compiler.tree, CommitTree):
        return [path for path, _ in compiler.tree.files(compiler.output) if path.endswith("/.env")]
    return repository.tracked(f"{compiler.output}/**/.env")
