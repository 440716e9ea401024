"""`relspec check --fix`: the edits that are certain, until there are none."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from relspec.credentials import masked
from relspec.diagnostics import Diagnostic, Fix
from relspec.fixes import made_at_once, with_fixes
from relspec.reporters.text import inert, printable

if TYPE_CHECKING:
    from pathlib import Path

    from relspec.tree import Tree

MAX_ROUNDS = 20
"""How often the result is checked again: a fix may bring to light what it hid."""

Check = Callable[["Tree"], tuple[Sequence[Diagnostic], Collection[str]]]
"""What is wrong in a tree, and the files of it that may be edited."""


class Fixed(Struct, frozen=True):
    """The files of a tree that `fixes` mend, by path, and the fixes in the order in which they were found."""

    files: Mapping[str, bytes]
    fixes: tuple[Fix, ...]


def fixed_files(tree: Tree, check: Check) -> Fixed:
    """Every fix in a tree, applied in memory until a check finds no more of them."""
    from relspec.gitops.overlay import OverlayTree

    files: dict[str, bytes] = {}
    applied: list[Fix] = []
    for _ in range(MAX_ROUNDS):
        current = OverlayTree(tree, files)
        diagnostics, specs = check(current)
        by_file: dict[str, list[Fix]] = {}
        for diagnostic in with_fixes([d for d in diagnostics if d.file in specs], current.read, limit=None):
            if diagnostic.fix is not None:
                by_file.setdefault(diagnostic.file, []).append(diagnostic.fix)
        done = {file: made_at_once(current.read(file), fixes) for file, fixes in sorted(by_file.items())}
        if not done:
            break
        files.update({file: data for file, (data, _) in done.items()})
        applied += (fix for _, made in done.values() for fix in made)
    return Fixed(files, tuple(applied))


def show(tree: Tree, found: Fixed) -> None:
    """Prints what would change as a unified diff; what may be a secret is hidden in it."""
    for path, data in sorted(found.files.items()):
        before, after = (masked(text.decode("utf-8-sig").splitlines()) for text in (tree.read(path), data))
        for line in difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm=""):
            click.echo(inert(printable(line)))


def write(root: Path, found: Fixed) -> None:
    """Writes the files: all of them are on disk before the first name changes. Raises RelspecError: RS605."""
    from relspec.workspace import Changes, apply

    apply(root, found.files, Changes(tuple(sorted(found.files)), ()))


def say(found: Fixed) -> None:
    """Prints one line a fix."""
    for fix in dict.fromkeys(found.fixes):
        click.echo(f"fixed {printable(fix.file)}:{fix.range.line}: {printable(fix.title)}")
