"""What the verbs of `relspec model` that change the registry share: the registry, what runs of it, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click

from relspec.cli.editing import Editing, refuse, say, show
from relspec.cli.session import Session
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.reporters.text import printable

if TYPE_CHECKING:
    from relspec.gitops.states import History
    from relspec.registry.records import Registry
    from relspec.rules.changes import Running, Side

MOST_NAMED = 20
"""Releases that a sentence names."""

Function = TypeVar("Function", bound=Callable[..., Any])


def dry_run_option(function: Function) -> Function:
    """`--dry-run`."""
    return click.option("--dry-run", is_flag=True, help="Show the lines that would change; write nothing.")(function)


def words(_context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Text that a spec may hold. Raises UsageError for any other."""
    from relspec.documents import FORBIDDEN_VALUE

    for text in (value,) if isinstance(value, str) else value or ():
        if not text.strip():
            raise click.UsageError(f"{parameter.human_readable_name} is empty.")
        if FORBIDDEN_VALUE.search(text):
            raise click.UsageError(f"{printable(text)} holds a character that a spec may not hold.")
    return value


def parted(model: str, word: str | None, what: str) -> tuple[str, str]:
    """A model and a version (or alias) of it, typed as two words or as one, `als@v0.3`. `what` is what it is called.

    Raises UsageError where there is none, or where there are two.
    """
    name, _, joined = model.partition("@")
    if joined and word is not None:
        raise click.UsageError(f"{model} names the {what} already: leave out {word}.")
    found = joined or word
    if not found:
        raise click.UsageError(f"Name the {what}: {name} {what.upper()} or {name}@{what.upper()}.")
    return name, found


class Work:
    """The registry of a work tree, and what its releases run of it."""

    def __init__(self, directory: str) -> None:
        from relspec.compiler import Compiler
        from relspec.rules.changes import Side

        self.session = Session(directory)
        self.compiler = Compiler(self.session.tree())
        self.side: Side = Side(self.compiler)
        self._left_out: set[str] = set()

    @property
    def registry(self) -> Registry:
        return self.compiler.resolver.registry

    def known(self, model: str, version: str) -> bytes:
        """model.yaml of a version that has a record. Raises RelspecError: RS201, RS203."""
        from relspec.registry.records import FOLDER, model_file

        if model not in self.registry.models():
            known = ", ".join(self.registry.models()) or "none"
            raise RelspecError(Finding("RS201", f"there is no model {model}", Where(FOLDER), f"known: {known}"))
        aliases = self.registry.model(model).aliases or {}
        versions = self.registry.versions(model)
        if version not in versions:
            hint = f"known: {', '.join(versions) or 'none'}"
            if version in aliases:
                hint = f"{version} is an alias; name the version that it means: {aliases[version]}"
            where = Where(model_file(model))
            raise RelspecError(Finding("RS203", f"{model} has no version {version}", where, hint))
        return self.compiler.loader.text(model_file(model))

    def running(self, model: str, version: str) -> tuple[Running, ...]:
        """What runs a version or can be switched to it, sorted by release."""
        from relspec.rules.changes import running

        found, unknown = running(self.side, model, version)
        for name in unknown:
            self.leave_out(name)
        return found

    def leave_out(self, release: str) -> None:
        """Says, once, that a release does not resolve: what it runs is not known."""
        if release not in self._left_out:
            self._left_out.add(release)
            click.echo(f"note: {printable(release)} can't be resolved and is left out: relspec check", err=True)

    @cached_property
    def history(self) -> History | None:
        """The history of HEAD; None where there is no Git, or nothing is committed."""
        from relspec.gitops.repository import Repository
        from relspec.gitops.states import History

        try:
            repository = Repository(self.session.root)
            head = repository.head()
        except RelspecError:
            return None
        return History(repository, head) if head is not None else None

    def editing(self, files: Mapping[str, bytes]) -> Editing:
        """The edit of some files of the registry. Raises RelspecError where one would be wrong."""
        editing = Editing.of(self.session, self.compiler.tree, files)
        registry = editing.compiler.resolver.registry
        for path in files:
            _, model, name = path.split("/")
            registry.model(model)
            if name != "model.yaml":
                registry.record(model, name.removesuffix(".yaml"))
        return editing


def done(editing: Editing, *, dry_run: bool) -> int:
    """Shows, or writes, an edit that no output depends on."""
    changes = editing.changes(None)
    if dry_run:
        show(editing, changes)
        return 0
    editing.write(changes, None)
    say(changes)
    return 0


def refused(work: Work, error: RelspecError) -> int:
    return refuse(error.findings, work.compiler)


def named(users: Sequence[Running]) -> str:
    """The first MOST_NAMED of what runs a version, and how many more there are."""
    more = len(users) - MOST_NAMED
    return ", ".join(map(str, users[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
