"""`relspec rollback`: releases go back to what ran before, in one commit that is proven."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from relspec.cli.session import Session, complete_releases, format_option, report

if TYPE_CHECKING:
    from relspec.diagnostics import RelspecError
    from relspec.gitops.repository import Repository
    from relspec.gitops.rollback import Rollback

REFUSED = frozenset({"RS411", "RS611", "RS612", "RS613", "RS614", "RS616"})
"""What was found, other than wrong use or a broken workspace: exit code 1."""

EXAMPLES = """\b
Examples:
  relspec rollback production/movie-recs                      undoes its last change
  relspec rollback production/movie-recs --to v0.3            what last ran als v0.3
  relspec rollback production/movie-recs --to 1a2b3c4 --reason "error rate 12 %"
  relspec rollback production/api --service worker --dry-run  says what would happen
  relspec rollback --recover                                  after a kill in the middle
"""


class Said(Struct, frozen=True):
    """What there is to print of a rollback, made before it is committed: what can't be said must not happen."""

    text: str
    refused: str
    following: tuple[str, ...]
    expected: tuple[str, ...]
    notes: tuple[str, ...] = ()


@click.command("rollback", epilog=EXAMPLES)
@click.argument("releases", nargs=-1, metavar="RELEASE...", shell_complete=complete_releases)
@click.option("--to", metavar="REV|VERSION", help="Go back to that commit's state, or to what ran that model version.")
@click.option("--service", metavar="NAME", help="Only this service goes back.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the commit and in a quarantine.")
@click.option("--quarantine", is_flag=True, help="Also put the model version that is left into quarantine.")
@click.option("--accept-unproven", is_flag=True, help="Commit even if the outputs can't be proven.")
@click.option("--pre-commit", is_flag=True, help="Also run the hook pre-commit, which git revert does not.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; write nothing.")
@click.option("--branch", metavar="NAME", help="Commit to a new branch; HEAD, index and files stay as they are.")
@click.option("--recover", is_flag=True, help="End a rollback that was killed.")
@format_option
@click.pass_obj
def command(
    directory: str,
    releases: tuple[str, ...],
    to: str | None,
    service: str | None,
    reason: str,
    branch: str | None,
    form: str,
    *,
    quarantine: bool,
    accept_unproven: bool,
    pre_commit: bool,
    dry_run: bool,
    recover: bool,
) -> int:
    """Take releases back to what ran before their last change: one commit, proven, never pushed.

    The spec goes back byte by byte and the outputs are compiled again; other releases are not touched. RELEASE is an id,
    a path or a glob; a release that was removed comes back.
    """
    from relspec.diagnostics import RelspecError
    from relspec.gitops.commit import commit, commit_on_branch, pending
    from relspec.gitops.journal import interrupted
    from relspec.gitops.repository import Repository
    from relspec.gitops.rollback import Orders, roll_back

    _refuse_full_disk()
    session = Session(directory, recovers=recover)
    repository = Repository(session.root)
    if recover:
        return _recover(repository)
    _refuse_pipes(session)
    if not releases:
        raise click.UsageError("Say which release: relspec rollback RELEASE.")
    if pending(repository):
        raise interrupted(repository.git_dir)
    now = int(time.time())
    orders = Orders(
        to=to,
        service=service,
        reason=reason,
        quarantine=quarantine,
        predict=dry_run,
        now=now,
        accept=accept_unproven,
        moves_head=not dry_run and branch is None,
    )
    made: str | None = None
    try:
        rollback = roll_back(repository, session.words(releases), orders, session.prefix)
        said = _said(rollback, _refusal(rollback, accept=accept_unproven), now, branch, session.prefix)
        if rollback.steps and not said.refused and not dry_run:
            proposal = rollback.proposal
            done = (
                commit_on_branch(repository, proposal, branch)
                if branch is not None
                else commit(repository, proposal, pre_commit=pre_commit)
            )
            made, said = done.commit, replace(said, notes=done.notes)
    except RelspecError as error:
        if not {finding.code for finding in error.findings} <= REFUSED:
            raise
        return _report(error, form)
    if made is None or branch is not None:
        said = replace(said, notes=(*said.notes, *_uncommitted(repository, rollback)))
    _say(said, rollback, form, branch=branch, made=made, dry_run=dry_run)
    return 1 if said.refused else 0


def _refuse_pipes(session: Session) -> None:
    """Raises RelspecError RS640 where Git would wait for what nobody writes: it opens these files as they are."""
    from relspec.diagnostics import Finding, RelspecError, Where

    for folder in (session.root, *session.root.parents):
        for name in (".gitattributes", ".gitignore"):
            file = folder / name
            if file.exists() and not (file.is_file() or file.is_dir()):
                message = f"{name} is no plain file, and Git would wait for ever to read it"
                raise RelspecError(Finding("RS640", message, Where(str(file)), "remove it"))
        if (folder / ".git").exists():
            return


def _refuse_full_disk() -> None:
    """Raises RelspecError RS640 where no temporary file can be written."""
    import tempfile

    from relspec.gitops.journal import unwritable

    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise unwritable("a temporary file", error) from error


def _said(rollback: Rollback, refused: str, now: int, branch: str | None, prefix: str) -> Said:
    from relspec.reporters import rollback as reporter

    goes = rollback.steps and not refused
    return Said(
        text=reporter.text(rollback, now),
        refused=refused,
        following=reporter.following(rollback, branch=branch, prefix=prefix) if goes else (),
        expected=reporter.expected(rollback) if goes else (),
    )


def _uncommitted(repository: Repository, rollback: Rollback) -> tuple[str, ...]:
    from relspec.gitops.rollback import uncommitted

    dirty = uncommitted(repository, repository.tree_of(rollback.head.tree), rollback.files)
    return tuple(f"{path} has changes that are not committed; this works on commits" for path in dirty)


def _refusal(rollback: Rollback, *, accept: bool) -> str:
    """Why the commit is not made; empty where it is."""
    from relspec.gitops.rollback import committed_bytes_would_do

    if not rollback.steps or rollback.proof != "not-proven":
        return ""
    if not rollback.files:
        return _without_files(rollback)
    missing = [step for step in rollback.steps if step.proof.outputs is None]
    if rollback.outputs_kept and missing:
        said = "nothing was written: without outputs there is nothing to deploy"
        could = all(
            committed_bytes_would_do(step.proof, step.destination.then.place, step.destination.place)
            for step in missing
        )
        return f"{said}; to put back those that were committed then: --accept-unproven" if could else said
    return "" if accept else "nothing was written: not proven; to commit it all the same: --accept-unproven"


def _without_files(rollback: Rollback) -> str:
    """What to do where no file of the release would change: what did is not its own."""
    said = "nothing was written: no file of the release would change"
    if not rollback.edited_records:
        return said
    undone = rollback.steps[0].destination.undone
    back = f"git revert {undone.short if undone is not None else 'COMMIT'}"
    records = ", ".join(rollback.edited_records)
    return f"{said}: {records} was edited since (RS430), which a rollback leaves alone; to take that back: {back}"


def _say(said: Said, rollback: Rollback, form: str, *, branch: str | None, made: str | None, dry_run: bool) -> None:
    from relspec.reporters import rollback as reporter
    from relspec.reporters.json import dumped
    from relspec.reporters.text import counted, printable

    if form == "json":
        refused = (said.refused,) if said.refused else ()
        notes = (*reporter.notes(rollback), *said.notes, *refused)
        click.echo(dumped(reporter.as_json(rollback, commit=made, following=said.following, notes=notes)), nl=False)
        return
    click.echo(said.text, nl=False)
    for note in said.notes:
        click.echo(f"note: {printable(note)}")
    if said.refused:
        click.echo(said.refused)
    elif not rollback.steps:
        click.echo("nothing to do")
    else:
        files = counted(len(rollback.files), "file")
        where = branch if branch is not None else (rollback.branch or "HEAD").removeprefix("refs/heads/")
        click.echo(
            f"would commit {files}; nothing was written"
            if dry_run
            else f"committed {str(made)[:9]} on {printable(where)}: {files}"
        )
        click.echo("next:")
        for line in (*said.following, *said.expected):
            click.echo(f"  {printable(line)}")


def _report(error: RelspecError, form: str) -> int:
    from relspec.positions import locate
    from relspec.tree import MemoryTree

    report(locate(error.findings, lambda _: b""), 1, form, MemoryTree({}))
    click.echo("nothing was written", err=True)
    return 1


def _recover(repository: Repository) -> int:
    from relspec.gitops.commit import recover
    from relspec.reporters.text import printable

    words = {
        "nothing": "nothing to recover",
        "undone": "the rollback was not made; everything is as it was before",
        "finished": "the rollback was made; it is finished now",
    }
    recovered = recover(repository)
    for note in recovered.notes:
        click.echo(f"note: {printable(note)}")
    click.echo(words[recovered.outcome])
    return 0
