"""What verbs that edit specs end with: the edited files are compiled, then shown, or written together with the outputs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from relspec.cli.session import report
from relspec.reporters.text import inert, printable

if TYPE_CHECKING:
    from relspec.cli.session import Session
    from relspec.compiler import Compiled, Compiler
    from relspec.diagnostics import Finding
    from relspec.discovery import Place
    from relspec.tree import Tree
    from relspec.workspace import Changes


class Editing(Struct, frozen=True):
    """Files of a work tree with other bytes. `compiler` sees them, `before` is the tree without them."""

    session: Session
    before: Tree
    files: Mapping[str, bytes]
    compiler: Compiler

    @classmethod
    def of(cls, session: Session, before: Tree, files: Mapping[str, bytes]) -> Editing:
        """The edit of some files, of which new ones are added. Raises RelspecError RS609 in a bare repository."""
        from relspec.compiler import Compiler
        from relspec.gitops.overlay import OverlayTree

        session.refuse_bare()
        return cls(session, before, files, Compiler(OverlayTree(before, files)))

    @property
    def differing(self) -> tuple[str, ...]:
        """The paths whose bytes change, in the order given."""
        return tuple(path for path, data in self.files.items() if self._old(path) != data)

    def _old(self, path: str) -> bytes | None:
        return self.before.read(path) if self.before.kind(path) == "file" else None

    def diff(self) -> list[str]:
        """The unified diff of the edited files, line by line."""
        lines: list[str] = []
        for path, data in self.files.items():
            old = self._old(path)
            then, now = ((text or b"").decode("utf-8-sig", "replace").splitlines() for text in (old, data))
            start = path if old is not None else "/dev/null"
            lines += difflib.unified_diff(then, now, start, path, lineterm="", n=2)
        return lines

    def compile(self, places: Sequence[Place], form: str = "text") -> Compiled:
        """The edited releases as `relspec compile` makes them; as text what it says of them is printed."""
        from relspec.cli.compile import as_compile_says

        compiled = self.compiler.compile(places)
        if form == "text" or compiled.stopped:
            diagnostics = [as_compile_says(diagnostic) for diagnostic in compiled.diagnostics]
            report(diagnostics, len(compiled.releases), form, self.compiler.tree)
        return compiled

    def changes(self, compiled: Compiled | None) -> Changes:
        """What is to be written and removed: the edited specs, then the outputs that differ.

        The specs first: if a kill comes between, `compile --check` says that the outputs are out of date.
        """
        from relspec.workspace import Changes, compare

        if compiled is None:
            return Changes(self.differing, ())
        scope = [f"{compiled.output}/{release.place.id}" for release in compiled.releases]
        outputs = compare(self.session.root, compiled.files, scope)
        return Changes((*self.differing, *outputs.written), outputs.removed)

    def tree(self, compiled: Compiled, changes: Changes) -> Tree:
        """The work tree as it would be once specs and outputs are written."""
        from relspec.gitops.overlay import EditedDirectory

        removed = dict.fromkeys(changes.removed)
        return EditedDirectory(self.session.root, {**removed, **compiled.files, **self.files})

    def write(self, changes: Changes, compiled: Compiled | None) -> None:
        """Writes specs and outputs: all of it is on disk before the first name changes. Raises RelspecError."""
        from relspec.workspace import apply

        apply(self.session.root, {**(compiled.files if compiled is not None else {}), **self.files}, changes)


def one_release(session: Session, compiler: Compiler, word: str) -> Place:
    """The one release that a word means. Raises UsageError where it means several, RelspecError RS200 for none."""
    from relspec.workspace import select

    places = select(compiler.found, session.words([word]), session.prefix)
    if len(places) != 1:
        raise click.UsageError(f"{word} means {len(places)} releases; name one, for example {places[0].id}.")
    return places[0]


def refuse(findings: Iterable[Finding], compiler: Compiler, form: str = "text") -> int:
    """Reports why nothing was written; the exit code."""
    from relspec.positions import locate

    report(locate(tuple(findings), compiler.loader.text), 1, form, compiler.tree)
    return not_written()


def not_written(compiled: Compiled | None = None) -> int:
    """Says that nothing was written; the exit code."""
    click.echo("nothing was written", err=True)
    return 3 if compiled is not None and compiled.crashed else 1


def show(editing: Editing, changes: Changes) -> None:
    """A dry run: the lines that would change, and the files that would be written."""
    for line in editing.diff():
        click.echo(inert(printable(line)))
    say(changes, "would write", "would remove", but=editing.differing)


def say(changes: Changes, written: str = "wrote", removed: str = "removed", *, but: Sequence[str] = ()) -> None:
    """The files, one a line, without those that were shown already."""
    for path in changes.written:
        if path not in but:
            click.echo(f"{written} {printable(path)}")
    for path in changes.removed:
        click.echo(f"{removed} {printable(path)}")
