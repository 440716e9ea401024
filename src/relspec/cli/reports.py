"""What `check` and `compile` say, in the format that was asked for: on the terminal or stdout, and in files beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct
from msgspec.structs import replace

from relspec.cli.session import Session, formats_option, print_text, source_of
from relspec.diagnostics import Diagnostic, Finding, RelspecError, Where
from relspec.discovery import OURS
from relspec.fixes import with_fixes
from relspec.tree import Tree
from relspec.workspace import ROOT_FILES, Changes, apply

if TYPE_CHECKING:
    from relspec.reporters.results import Results

Function = TypeVar("Function", bound=Callable[..., Any])
FORMATS = ("text", "json", "sarif", "junit", "github", "gitlab", "markdown")
SOURCES = ("environments", "registry", "templates")
"""Folders in which relspec looks for what to read."""

GLOB_SIGNS = re.compile(r"[*?\[\]\\]")
WRITABLE = "correct the permissions, free some space, or name another file"


def report_options(function: Function) -> Function:
    """`--format` with every format, and `--report`."""
    function = click.option(
        "--report",
        "reports",
        multiple=True,
        metavar="FILE",
        help="Also write a report, in the format of its ending (.sarif .json .xml .md) or FORMAT:FILE.",
    )(function)
    return formats_option(*FORMATS)(function)


class ReportFile(Struct, frozen=True):
    """A file that a report goes to: `path` below `folder`, in which no part of it is a link."""

    form: str
    folder: Path
    path: str


class Reporting(Struct, frozen=True):
    """How one run of a verb reports. `files` come from `report_files`, before any work is done."""

    verb: str
    session: Session
    tree: Tree
    form: str
    files: tuple[ReportFile, ...]

    def results(self, diagnostics: Sequence[Diagnostic], releases: Sequence[str]) -> Results:
        """What is reported: the diagnostics with their fixes, and the ids of the releases that were looked at."""
        from relspec.reporters.results import Results

        return Results(
            self.verb,
            with_fixes(diagnostics, self.tree.read),
            tuple(releases),
            source_of(self.tree),
            prefix=_below_git(self.session),
            version=version("relspec"),
        )

    def publish(self, results: Results) -> None:
        """Shows the results and writes the files. Raises RelspecError: RS604, RS605.

        A program reads one document: where a file can't be written, the one that says so.
        """
        if self.form == "text":
            self.show(results)
            self.write(results)
        else:
            self.write(results)
            self.show(results)

    def show(self, results: Results) -> None:
        """Prints text to stderr, every other format to stdout."""
        from relspec.reporters.formats import REPORTS

        if self.form == "text":
            print_text(results.diagnostics, self.tree)
        else:
            click.echo(REPORTS[self.form](results), nl=False)

    def write(self, results: Results) -> None:
        """Writes the files, whether there is something to say or not. Raises RelspecError: RS604, RS605."""
        from relspec.reporters.formats import REPORTS

        for file in self.files:
            text = REPORTS[file.form](results)
            try:
                apply(file.folder, {file.path: text.encode(errors="backslashreplace")}, Changes((file.path,), ()))
            except RelspecError as error:
                findings = (replace(finding, hint=WRITABLE) for finding in error.findings)
                raise RelspecError(*findings) from error


def report_files(words: Sequence[str], session: Session, output: str) -> tuple[ReportFile, ...]:
    """The files that `--report` names, seen from where relspec was started; `output` is the folder of the outputs.

    Raises click.UsageError where a format is not clear, and RelspecError RS604 for a path among the outputs or in Git's
    own folder, to something else than a file, or (in the repository, where somebody else may have put it) through a link.
    """
    return tuple(_report_file(word, session, output) for word in words)


def _report_file(word: str, session: Session, output: str) -> ReportFile:
    from relspec.reporters.formats import named

    try:
        form, name = named(word)
    except ValueError as error:
        raise click.UsageError(f"--report {error}") from error
    path = Path(os.path.normpath(session.start / name))
    if not path.is_relative_to(session.root):
        path = path.parent.resolve() / path.name
    if not path.is_relative_to(session.root):
        if path.is_symlink() or path.is_dir() or not path.parent.is_dir():
            raise _refused(str(path), "is no place for a report", "name a file in a folder that exists")
        return ReportFile(form, path.parent, path.name)
    inside = path.relative_to(session.root).as_posix()
    if _is_in(inside, output) or _is_in(inside, ".git") or session.is_bare:
        raise _refused(inside, "lies where no report belongs", "name a file elsewhere, for example in build/")
    for part in _upwards(inside):
        if (session.root / part).is_symlink():
            raise _refused(part, "is a symbolic link", "remove it, or name another file for the report")
    if path.is_dir():
        raise _refused(inside, "is a folder", "name a file in it")
    if _is_source(session, inside):
        raise _refused(
            inside, "is a source of this repository", "name a file that Git doesn't track, for example in build/"
        )
    return ReportFile(form, session.root, inside)


def _is_source(session: Session, path: str) -> bool:
    """Whether something is at a path that Git tracks or relspec reads: a report would take its place."""
    file = session.root / path
    if path in ROOT_FILES or any(_is_in(path, folder) for folder in SOURCES):
        return True
    if not file.is_file():
        return False
    from relspec.gitops.repository import Repository

    with file.open("rb") as opened:
        if file.suffix == ".yaml" and OURS in opened.read(4096):
            return True
    return path in Repository(session.root).tracked(GLOB_SIGNS.sub("?", path))


def _refused(path: str, what: str, hint: str) -> RelspecError:
    return RelspecError(Finding("RS604", f"--report: {path} {what}", Where(path), hint))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _upwards(path: str) -> Iterator[str]:
    """A path and every folder above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _below_git(session: Session) -> str:
    """The folder of a repository of releases below the root of the Git repository that it lies in, if it does."""
    root = session.root
    if session.is_bare:
        from relspec.gitops.repository import Repository

        return Repository(root).prefix.rstrip("/")
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            relative = root.relative_to(folder).as_posix()
            return "" if relative == "." else relative
    return ""
