"""`relspec promote`: the model and image of one release, moved to another one and compiled."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from relspec.cli.compile import as_compile_says
from relspec.cli.editing import Editing, not_written, one_release, refuse, say, show
from relspec.cli.session import Session, complete_releases, format_option
from relspec.diagnostics import RelspecError
from relspec.reporters import json as diagnostics_json
from relspec.reporters.text import printable

if TYPE_CHECKING:
    from relspec.compiler import Compiled, Compiler
    from relspec.discovery import Place
    from relspec.gitops.plan import Plan
    from relspec.promotion import Move, Promotion
    from relspec.resolve import ResolvedRelease
    from relspec.tree import Tree
    from relspec.workspace import Changes

SCHEMA = "relspec/promote/v1"

HELP = """Move what FROM runs to TO: the model and the image of each service, in TO's release.yaml, compiled.

Both are releases. Versions move exactly: an alias in FROM becomes the version that it means now. Replicas, strategy,
resources, variables and hosts stay as TO has them, and so do comments and layout. Services that only one of the two
has are named, never made. What would not compile, and versions that are archived or in quarantine, are not written.
Nothing is committed; the plan of the change is shown.
"""

EXAMPLES = """\b
Examples:
  relspec promote staging/movie-recs production/movie-recs
  relspec promote staging/movie-recs production/movie-recs --dry-run
  relspec promote staging/sofareai production/sofareai --service serving
  relspec promote staging/movie-recs production/movie-recs --as-candidate
"""


@click.command("promote", help=HELP, epilog=EXAMPLES)
@click.argument("source", metavar="FROM", shell_complete=complete_releases)
@click.argument("target", metavar="TO", shell_complete=complete_releases)
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only this service; repeatable.")
@click.option(
    "--as-candidate",
    is_flag=True,
    help="As the candidate of TO's held canary or A/B test, at weight 0: nobody gets it yet.",
)
@click.option("--dry-run", is_flag=True, help="Show the lines that would change, and the plan; write nothing.")
@format_option
@click.pass_obj
def command(
    directory: str,
    source: str,
    target: str,
    *,
    services: tuple[str, ...],
    as_candidate: bool,
    dry_run: bool,
    form: str,
) -> int:
    """Move the model and image of one release to another one, and compile it."""
    from relspec.compiler import Compiler
    from relspec.promotion import promote

    session = Session(directory)
    compiler = Compiler(session.tree())
    start, end = (one_release(session, compiler, word) for word in (source, target))
    if start == end:
        raise click.UsageError(f"{start.id} can't be promoted to itself.")
    try:
        sides = _resolved(compiler, start), _resolved(compiler, end)
        data = compiler.loader.text(end.file)
        names = tuple(dict.fromkeys(services))
        promotion = promote(*sides, compiler.resolver.registry, data, services=names, as_candidate=as_candidate)
    except RelspecError as error:
        return refuse(error.findings, compiler, form)
    editing = Editing.of(session, compiler.tree, {end.file: promotion.data})
    notes = (*_below(compiler, promotion.moves), *promotion.notes)
    if not promotion.moves:
        return _print(_Outcome(*sides, promotion, notes, editing), form)
    compiled = editing.compile([end], form)
    if compiled.stopped:
        return not_written(compiled)
    try:
        changes = editing.changes(compiled)
        if not dry_run:
            editing.write(changes, compiled)
    except RelspecError as error:
        return refuse(error.findings, compiler, form)
    tree = editing.tree(compiled, changes) if dry_run else session.tree()
    plan, why = _plan(session, end, tree)
    outcome = _Outcome(*sides, promotion, (*notes, *why), editing, compiled, changes, plan, dry_run=dry_run)
    return _print(outcome, form)


class _Outcome(Struct, frozen=True):
    """What came of it: `changes` None where there was nothing to promote, `plan` None where none could be made."""

    source: ResolvedRelease
    target: ResolvedRelease
    promotion: Promotion
    notes: tuple[str, ...]
    editing: Editing
    compiled: Compiled | None = None
    changes: Changes | None = None
    plan: Plan | None = None
    dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        """The outcome as JSON data, schema relspec/promote/v1."""
        promotion = self.promotion
        diagnostics = self.compiled.diagnostics if self.compiled is not None else ()
        found = diagnostics_json.document([as_compile_says(each) for each in diagnostics], 1)
        return {
            "schema": SCHEMA,
            "from": self.source.id,
            "to": self.target.id,
            "dryRun": self.dry_run,
            "moves": [_move(move) for move in promotion.moves],
            "left": [{"service": each.service, "why": each.why} for each in promotion.left],
            "onlyFrom": list(promotion.source_only),
            "onlyTo": list(promotion.target_only),
            "notes": list(self.notes),
            "written": list(self.changes.written) if self.changes is not None else [],
            "removed": list(self.changes.removed) if self.changes is not None else [],
            "diff": "\n".join(self.editing.diff()),
            "plan": self.plan.as_json() if self.plan is not None else None,
            "diagnostics": found["diagnostics"],
        }


def _move(move: Move) -> dict[str, Any]:
    below = move.below.file if move.below is not None else None
    return {"service": move.service, "field": move.field, "before": move.before, "after": move.after, "below": below}


def _resolved(compiler: Compiler, place: Place) -> ResolvedRelease:
    return compiler.resolver.release(place.file, place.environment, place.id)


def _below(compiler: Compiler, moves: Sequence[Move]) -> Iterator[str]:
    """A note for each value that release.yaml says from now on in place of a base."""
    position = compiler.positions()
    for move in moves:
        if move.below is not None:
            line = position(move.below)[0]
            yield f"{move.field} comes from {move.below.file}:{line}; release.yaml now says otherwise, for this release alone"


def _plan(session: Session, place: Place, tree: Tree) -> tuple[Plan | None, tuple[str, ...]]:
    """The plan of what a work tree, as it is or would be, changes in a release, against HEAD; a note where Git can't tell."""
    from relspec.gitops.plan import plan
    from relspec.gitops.repository import Repository

    try:
        repository = Repository(session.root)
        head = repository.head()
        if head is None:
            return None, ("no plan: nothing is committed yet",)
        return plan(repository, tree, head, None, [place.id]), ()
    except RelspecError as error:
        return None, tuple(f"no plan: {finding.message}" for finding in error.findings)


def _print(outcome: _Outcome, form: str) -> int:
    if form == "json":
        click.echo(diagnostics_json.dumped(outcome.as_json()), nl=False)
        return 0
    for line in _lines(outcome):
        click.echo(printable(line))
    if outcome.changes is None:
        return 0
    if outcome.dry_run:
        show(outcome.editing, outcome.changes)
    else:
        say(outcome.changes)
    if outcome.plan is not None:
        from relspec.reporters import plan as reporter

        click.echo("\n" + reporter.text(outcome.plan), nl=False)
    if not outcome.dry_run:
        click.echo(f"\nto commit it: {_commit_line(outcome)}")
    return 0


def _lines(outcome: _Outcome) -> Iterator[str]:
    """What moves, what stays behind, and what else to know."""
    source, target, promotion = outcome.source.id, outcome.target.id, outcome.promotion
    if promotion.moves:
        yield f"{source} -> {target}"
    else:
        yield f"nothing to promote: {_why_nothing(outcome)}"
    for move in promotion.moves:
        before = "none" if move.before is None else _short(move.before)
        yield f"  {move.field}: {before} -> {_short(move.after)}"
    for each in promotion.left:
        yield f"  left out: {each.why}"
    for names, release in ((promotion.source_only, source), (promotion.target_only, target)):
        if names:
            yield f"  only in {release}: {', '.join(names)}"
    for note in outcome.notes:
        yield f"note: {note}"


def _why_nothing(outcome: _Outcome) -> str:
    source, target = outcome.source, outcome.target
    if not any(name in target.services for name in source.services):
        return f"{source.id} and {target.id} have no service in common"
    if outcome.promotion.left:
        return f"nothing that {source.id} runs can move"
    return f"{target.id} has what {source.id} runs"


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _commit_line(outcome: _Outcome) -> str:
    target = outcome.target
    compiled = outcome.compiled
    paths = [target.file, f"{compiled.output}/{target.id}"] if compiled is not None else [target.file]
    message = f"Promote {outcome.source.id} to {target.id}"
    return f"git add -A {shlex.join(paths)} && git commit -m {shlex.quote(message)}"
