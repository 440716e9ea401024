"""`relspec lock`: fixes the edition of the outputs."""

from __future__ import annotations

import click

from relspec.cli.session import Session


@click.command("lock", epilog="Example: relspec lock --upgrade")
@click.option("--upgrade", is_flag=True, help="Move to this compiler's edition, and list what that restarts.")
@click.pass_obj
def command(directory: str, *, upgrade: bool) -> int:
    """Write relspec.lock: compilers of one edition write the same bytes."""
    from relspec import lock
    from relspec.loader import Loader
    from relspec.restarts import restarted_releases
    from relspec.workspace import Changes, apply

    session = Session(directory)
    session.refuse_bare()
    found = lock.read(Loader(session.tree()))
    if found is not None and not upgrade:
        lock.check_edition(found)
    files = {lock.LOCK: lock.text()}
    path = session.root / lock.LOCK
    if path.is_file() and path.read_bytes() == files[lock.LOCK]:
        click.echo(f"{lock.LOCK} is up to date: edition {lock.EDITION}")
        return 0
    apply(session.root, files, Changes((lock.LOCK,), ()))
    click.echo(f"wrote {lock.LOCK}: edition {lock.EDITION}")
    if upgrade:
        restarted = restarted_releases(session.root, session.tree())
        for release, workloads in restarted:
            click.echo(f"restarts {release}: {', '.join(workloads)}")
        click.echo("now run: relspec compile" if restarted else "restarts nothing; now run: relspec compile")
    return 0
