"""What one commit should not hold together, for a revert of it takes everything back."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from relspec.diagnostics import Finding, Where
from relspec.registry.records import FOLDER
from relspec.resolve import ENVIRONMENTS
from relspec.rules.changes.reach import environment_of, release_of
from relspec.rules.changes.side import Side

LOCK = "relspec.lock"
IS_A_RELEASE = re.compile(rb"kind[\"']?\s*:\s*[\"']?Release\b")
"""A base, as far as bytes tell."""

SHOWN = 12
"""Characters of a commit's id that a message shows."""


def mixed_commits(commits: Iterable[tuple[str, Sequence[str]]], base: Side, head: Side) -> Iterator[Finding]:
    """RS621: a commit changes the lock and a spec. RS622: it changes an environment and a release.

    `commits` are ids with the paths that differ from the first parent; an id may be "" for what is not committed yet. A
    commit without a parent has nothing to go back to: leave it out. Releases and environments that `base` lacks are new
    and don't count for RS622, for reverting their first commit takes them away whole.
    """
    for commit, paths in commits:
        what = f"commit {commit[:SHOWN]}" if commit else "this change"
        yield from _lock_and_spec(what, paths, base, head)
        yield from _environment_and_release(what, paths, base, head)


def _lock_and_spec(what: str, paths: Sequence[str], base: Side, head: Side) -> Iterator[Finding]:
    if LOCK not in paths:
        return
    spec = next((path for path in sorted(paths) if path != LOCK and _is_a_spec(path, base, head)), None)
    if spec is not None:
        message = f"{what} changes {LOCK} and {spec}: a revert of one would take the other back"
        hint = f"give {LOCK} and the outputs that it changes a commit of their own"
        yield Finding("RS621", message, Where(LOCK), hint)


def _is_a_spec(path: str, base: Side, head: Side) -> bool:
    """Whether a path is something that a revert of a release can take back: a base, too."""
    if path.startswith((f"{ENVIRONMENTS}/", f"{FOLDER}/")):
        return True
    if not path.endswith((".yaml", ".yml")) or path.startswith(f"{head.compiler.output}/"):
        return False
    return any(side.tree.kind(path) == "file" and IS_A_RELEASE.search(side.text(path)) for side in (base, head))


def _owner(path: str, base: Side, head: Side) -> str:
    """The release that a path belongs to where it is a file, and of two the one that lies deeper; empty for none.

    A side without the file knows less: to one that lacks an inner environment, all of it belongs to a release beside the
    outer one's document.
    """
    sides = [side for side in (base, head) if side.tree.kind(path) == "file"] or [base, head]
    owners = [(side.places[name].file.count("/"), name) for side in sides if (name := _release_around(path, side))]
    return max(owners, default=(0, ""))[1]


def _release_around(path: str, side: Side) -> str | None:
    """The release in whose folder a path lies, with no environment between them: what lies in one belongs to that."""
    name = release_of(path, side)
    if name is None:
        return None
    outer, folder = posixpath.dirname(side.places[name].file), posixpath.dirname(path)
    while folder != outer:
        if folder.removeprefix(f"{ENVIRONMENTS}/") in side.compiler.found.environments:
            return None
        folder = posixpath.dirname(folder)
    return name


def _environment_and_release(what: str, paths: Sequence[str], base: Side, head: Side) -> Iterator[Finding]:
    old = set(base.compiler.found.environments)
    environments = [path for path in sorted(paths) if environment_of(path) in old]
    if not environments:
        return
    changed = {_owner(path, base, head) for path in paths}
    releases = sorted(changed & base.places.keys())
    if not releases:
        return
    for path in environments:
        message = (
            f"{what} changes this environment and {', '.join(releases)}: a revert would take the environment back too"
        )
        yield Finding("RS622", message, Where(path, (), "key"), "give the environment a commit of its own")
