"""What most verbs begin and end with: the repository that is meant, and the report of what was found."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache, wraps
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem
from msgspec.structs import replace

from relspec.diagnostics import Diagnostic, Finding, RelspecError, Severity, Where
from relspec.discovery import discover
from relspec.fixes import with_fixes
from relspec.loader import Loader
from relspec.reporters import json, text
from relspec.tree import DirectoryTree, Tree
from relspec.workspace import ROOT_FILES, find_root

INTERRUPTED = ("index.lock", "relspec-rollback.json")
"""What a rollback writes first and removes last, in the Git directory; index.lock is Git's own, too."""

Function = TypeVar("Function", bound=Callable[..., Any])


def formats_option(*names: str) -> Callable[[Function], Function]:
    """`--format` with these names, of which the first is text.

    What ends the verb is said on stderr by whoever runs it; in every other format than text on stdout, too.
    """

    def decorated(function: Function) -> Function:
        return click.option(
            "--format", "form", type=click.Choice(names), default="text", show_default=True, help="How to report."
        )(_answering(function))

    return decorated


def _answering(function: Function) -> Function:
    """The verb; where findings end it, a program that reads its stdout gets them as a document of the format, too."""

    @wraps(function)
    def command(*arguments: Any, form: str, **options: Any) -> Any:
        if form != "text" and isinstance(sys.stdout, TextIOWrapper):
            # Programs read UTF-8, whatever the terminal shows.
            sys.stdout.reconfigure(encoding="utf-8")
        try:
            return function(*arguments, form=form, **options)
        except RelspecError as error:
            if form != "text":
                click.echo(_refusal(error, form), nl=False)
            raise

    return command  # type: ignore[return-value]


def _refusal(error: RelspecError, form: str) -> str:
    """What ended a verb, in a format for programs: as a report on no release at all."""
    from importlib.metadata import version

    from relspec.positions import locate
    from relspec.reporters.formats import REPORTS
    from relspec.reporters.results import Results

    verb = click.get_current_context().info_name or ""
    found = locate(error.findings, lambda _: b"")
    if form != "json":
        # A path of this machine is no file of the repository, which is where these formats look for it.
        found = tuple(replace(each, file="") if Path(each.file).is_absolute() else each for each in found)
    return REPORTS[form](Results(verb, found, (), lambda _: None, version=version("relspec"), ended=True))


def format_option(function: Function) -> Function:
    """`--format text|json`."""
    return formats_option("text", "json")(function)


def page_format_option(function: Function) -> Function:
    """`--format text|json|markdown`, of verbs whose report people also read on a pull request or a wiki page."""
    return formats_option("text", "json", "markdown")(function)


def releases_argument(function: Function) -> Function:
    """Releases as ids, globs or paths."""
    return click.argument("releases", nargs=-1, metavar="[RELEASE]...", shell_complete=complete_releases)(function)


def complete_releases(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The ids that begin as typed, found from folders alone; files and folders where none does, for a path will do."""
    try:
        root = find_root(Path(str(context.find_root().params.get("directory") or ".")))
        tree = DirectoryTree(root)
        ids = [place.id for place in discover(tree, Loader(tree)).releases]
    except (RelspecError, OSError):
        ids = []
    matching = [CompletionItem(name) for name in ids if name.startswith(incomplete)]
    return matching or [CompletionItem(incomplete, type="file")]


class Session:
    """The repository around a folder."""

    def __init__(self, directory: str, *, recovers: bool = False) -> None:
        """`recovers`: what a killed rollback left is about to be ended, and needs no warning."""
        self.start = Path(directory).resolve()
        self.is_bare = _is_bare(self.start)
        """Whether there are no files but those of commits, of which HEAD is the one that is meant."""
        self.root = self.start if self.is_bare else find_root(self.start)
        if self.is_bare:
            self._refuse_without_releases()
        elif not recovers:
            self._point_to_recovery()

    def _refuse_without_releases(self) -> None:
        """Raises RelspecError RS600 where HEAD of a bare repository holds nothing of ours, or several folders of it."""
        tree = self.tree()
        if all(tree.kind(name) == "missing" for name in ROOT_FILES):
            message = f"there is no repository of releases in HEAD of {self.root}"
            hint = "run it where they are checked out"
            raise RelspecError(Finding("RS600", message, Where(str(self.root)), hint))

    def refuse_bare(self) -> None:
        """Raises RelspecError RS609 in a bare repository: for verbs that write files."""
        if self.is_bare:
            hint = "run it in a clone or a worktree: git worktree add ../checkout"
            message = f"{self.root} is a bare repository: there are no files to change"
            raise RelspecError(Finding("RS609", message, Where(str(self.root)), hint))

    def _point_to_recovery(self) -> None:
        """Says what a rollback left that was killed: until it is recovered, nothing here is quite what it seems."""
        git_dir = _git_dir(self.root)
        if git_dir is None or not any((git_dir / name).exists() for name in INTERRUPTED):
            return
        from relspec.gitops.commit import pending
        from relspec.gitops.repository import Repository

        if pending(Repository(self.root)):
            click.echo("warning RS641: a rollback was interrupted here", err=True)
            click.echo("    help: relspec rollback --recover", err=True)

    @property
    def prefix(self) -> str:
        """The folder that was started in, below the root."""
        relative = self.start.relative_to(self.root).as_posix()
        return "" if relative == "." else relative

    @property
    def main_branch(self) -> str:
        """The branch that is deployed, as relspec.yaml says."""
        from relspec.compiler import Compiler

        try:
            return Compiler(self.tree(), any_edition=True).settings.main
        except RelspecError:
            return "main"

    def words(self, words: Sequence[str]) -> list[str]:
        """Releases as they were typed, with absolute paths as seen from where it started."""
        return [os.path.relpath(word, self.start) if Path(word).is_absolute() else word for word in words]

    def tree(self, revision: str | None = None) -> Tree:
        """The tree of a revision; without one the work tree, whose place HEAD takes in a bare repository."""
        if revision is None and not self.is_bare:
            return DirectoryTree(self.root)
        from relspec.gitops.repository import Repository

        return Repository(self.root).tree(revision or "HEAD")


def _git_dir(root: Path) -> Path | None:
    """The Git directory of the work tree around a folder, found without Git; a worktree's is named in a file."""
    for folder in (root, *root.parents):
        place = folder / ".git"
        if place.is_dir():
            return place
        if place.is_file():
            named = place.read_text(encoding="utf-8", errors="surrogateescape").removeprefix("gitdir:").strip()
            return folder / named
    return None


def _is_bare(folder: Path) -> bool:
    """Whether a folder is a Git directory (it has what Git looks for: setup.c, is_git_directory) without a work tree."""
    if not all(os.path.exists(folder / name) for name in ("HEAD", "objects", "refs")):  # noqa: PTH110 - not an error where it is closed
        return False
    from relspec.gitops.repository import Repository

    repository = Repository(folder)
    return repository.exists and repository.top is None


def report(diagnostics: Sequence[Diagnostic], releases: int, form: str, tree: Tree) -> None:
    """Prints diagnostics: text to stderr, json to stdout."""
    diagnostics = with_fixes(diagnostics, tree.read)
    if form == "json":
        click.echo(json.report(diagnostics, releases), nl=False)
    else:
        print_text(diagnostics, tree)


def print_text(diagnostics: Sequence[Diagnostic], tree: Tree) -> None:
    """Prints diagnostics, which have their fixes already, for a person: to stderr, as the terminal there can show them."""
    colour = wants_colour()
    # click takes colours away where it sees no terminal, which FORCE_COLOR overrides.
    click.echo(
        text.report(diagnostics, source_of(tree), colour=colour, width=width()), err=True, nl=False, color=colour
    )


def source_of(tree: Tree) -> Callable[[str], str | None]:
    """The texts of a tree's files for a report, each read once; None where one can't be read."""

    @cache
    def source(file: str) -> str | None:
        try:
            return tree.read(file).decode("utf-8-sig", "replace")
        except RelspecError:
            return None

    return source


def wants_colour() -> bool:
    """Colour on a terminal only, unless NO_COLOR or FORCE_COLOR say otherwise (no-color.org: NO_COLOR wins)."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    if forced:
        return forced.lower() not in ("0", "false")
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """The terminal's columns (COLUMNS, if it says them); None in a pipe: in a log, a sentence stays on one line."""
    return max(shutil.get_terminal_size().columns, 40) if sys.stderr.isatty() else None


def failed(diagnostics: Sequence[Diagnostic]) -> bool:
    """Whether there is an error among them."""
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
