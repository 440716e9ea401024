"""The command line: one module a verb; arguments in, one call, one report, exit code out.

Exit codes: 0 no error, 1 an error (or outputs out of date), 2 wrong use or a broken workspace, 3 internal error.
"""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import sys

import click

from relspec.diagnostics import Diagnostic, RelspecError

OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""How many new objects make Python look for garbage. A compile keeps nearly all that it makes, so there is hardly any: with
Python's own 700 a fleet of 1,000 releases takes 40 percent longer, and no less memory."""

VERBS = (
    *("init", "check", "compile", "explain", "plan", "set", "promote", "history", "drill", "rollback"),
    *("lock", "model", "schema", "completion"),
)


class Verbs(click.Group):
    """Loads a verb's module when it is asked for: `relspec --version` imports nothing of the compiler."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"relspec.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], VERBS, n=1)
            if close:
                raise click.UsageError(f"{error.message} Did you mean {close[0]}?", ctx) from error
            raise


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="relspec", message="relspec %(version)s")
@click.option("-C", "directory", default=".", metavar="DIR", help="Run as if started in DIR.")
@click.pass_context
def relspec(context: click.Context, directory: str) -> None:
    """Compile release specs to Docker Compose, Helm values and Argo Rollouts: a rollback is a git revert."""
    context.obj = directory


def main() -> None:
    """The program: runs a verb and turns whatever happens into an exit code."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 50, 100)
    # What else is installed must not change what a spec means; and looking for plugins takes milliseconds.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    _make_streams_safe()
    try:
        code = relspec.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        _silence_stdout()
        code = 141
    except RelspecError as error:
        code = _refused(error)
    except OSError as error:
        code = _not_printed(error) if _is_of_printing(error) else _internal(error)
    except Exception as error:
        code = _internal(error)
    sys.exit(code if isinstance(code, int) else 0)


def _make_streams_safe() -> None:
    """No stream can end a run: one that is closed takes everything, a character that one lacks is written as an escape."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one: else the next file to be opened would get what is printed.
            os.open(os.devnull, os.O_RDWR)
        if name == "stderr" and not _takes_writes(number):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # else its last flush would decide the exit code
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))
        elif number and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _takes_writes(number: int) -> bool:
    try:
        os.write(number, b"")
    except OSError:
        return False
    return True


def _refused(error: RelspecError) -> int:
    """Findings that ended the verb: wrong use or a broken workspace."""
    from relspec.positions import locate
    from relspec.reporters import text

    def unreadable(_: str) -> bytes:
        return b""

    diagnostics: tuple[Diagnostic, ...] = locate(error.findings, unreadable)
    click.echo(text.report(diagnostics, lambda _: None), err=True, nl=False)
    return 2


def _silence_stdout() -> None:
    """What is still to be printed would fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_of_printing(error: OSError) -> bool:
    """Whether a full disk or a broken device took nothing of what a verb prints, all of which goes through click.echo."""
    from traceback import walk_tb

    frames = walk_tb(error.__traceback__)
    return error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF) and any(
        frame.f_code is click.echo.__code__ for frame, _ in frames
    )


def _not_printed(error: OSError) -> int:
    _silence_stdout()
    click.echo(f"Error: standard output can't be written: {error.strerror}", err=True)
    return 2


def _internal(error: Exception) -> int:
    """Something that relspec did not foresee. The trace goes to a file only where RELSPEC_DEBUG asks for it."""
    if os.environ.get("RELSPEC_DEBUG"):
        raise error
    click.echo(f"error RS900: internal error: {type(error).__name__}: {error}", err=True)
    click.echo("    help: run again with RELSPEC_DEBUG=1 and report what it prints", err=True)
    return 3
