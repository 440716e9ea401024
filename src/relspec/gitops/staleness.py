"""RS601, output out of date: what `compile --check` and `check --since` say of outputs that are not what specs compile to.

It is never waived, whatever else a change is: what is deployed is the output, and after a plain revert of an older change
a stale one keeps the bad version in place while the diff looks right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from relspec.compiler import Compiled, Compiler
from relspec.diagnostics import Diagnostic, Kind, RelspecError, Severity
from relspec.discovery import enclosing
from relspec.gitops.proof import edition
from relspec.gitops.repository import Repository
from relspec.gitops.review import Review
from relspec.lock import EDITION
from relspec.tree import Tree, walk
from relspec.workspace import Changes, compare_tree, has_marker

COMPILE = "relspec compile"


def stale(changes: Changes, mend: str, release: str = "") -> Iterator[Diagnostic]:
    """RS601 for each output that differs; `mend` is what to type then, `release` the one that they belong to."""
    for paths, what in ((changes.written, "out of date"), (changes.removed, "no longer compiled")):
        for path in paths:
            message = f"this output is {what}"
            releases = (release,) if release else ()
            yield Diagnostic("RS601", Severity.ERROR, Kind.STRUCTURE, path, None, message, mend, releases=releases)


def mend(repository: Repository, compiler: Compiler, revision: str | None = None) -> str:
    """What to type where outputs of a revision (None: HEAD and its work tree) are out of date.

    It amends the commit, unless that is on the main branch as last fetched, or has others on top.
    """
    head = repository.head() if repository.exists else None
    if head is None:
        return COMPILE
    on_main = any(
        repository.is_ancestor(head, target)
        for ref, target in repository.refs.items()
        if ref.startswith("refs/remotes/") and ref.endswith(f"/{compiler.settings.main}")
    )
    earlier = revision is not None and repository.resolve(revision) != head
    how = "-m Recompile" if on_main or earlier else "--amend --no-edit"
    return f"{COMPILE} && git add -A {compiler.output} && git commit {how}"


def stale_in_change(review: Review, compiled: Compiled, names: Iterable[str] | None = None) -> Iterator[Diagnostic]:
    """RS601 for the outputs of the releases that a change reaches, or whose outputs it touches.

    `names` narrows it to some releases. Nothing is said of a repository that does not commit its outputs, of a release
    that does not compile, nor of a commit whose outputs another edition writes.
    """
    output = compiled.output
    if not _keeps_outputs(review, output) or edition(review.tree) != EDITION:
        return
    looked_at = {release.place.id: release for release in compiled.releases}
    line = ""
    for name in sorted({*review.releases, *_touched(review, output)}):
        release = looked_at.get(name)
        unknown = release.stopped if release is not None else name in review.after.places
        if unknown or (names is not None and name not in names):
            continue
        changes = _compared(review, f"{output}/{name}", release.files if release is not None else {})
        if changes:
            line = line or mend(review.repository, review.compiler)
            yield from stale(changes, line, name)


def _compared(review: Review, folder: str, files: Mapping[str, bytes]) -> Changes:
    """How the outputs of a release differ from those that its folder holds, without those of releases below it."""
    changes = compare_tree(review.tree, {f"{folder}/{path}": data for path, data in files.items()}, [folder])
    if not changes.removed:
        return changes
    # A release can lie in an environment that is called as another release is, or was.
    below = (f"{review.compiler.output}/{name}/" for name in review.after.places)
    inner = tuple(path for path in below if path.startswith(f"{folder}/") and path != f"{folder}/")
    return Changes(changes.written, tuple(path for path in changes.removed if not path.startswith(inner)))


def _keeps_outputs(review: Review, output: str) -> bool:
    """Whether the commit that is looked at has outputs: those that only lie in a work tree are never deployed by Git."""
    if review.commit is None:
        return False
    tree = review.repository.tree(review.commit)
    return tree.kind(output) == "folder" and any(_is_output(tree, path) for path in walk(tree, output))


def _is_output(tree: Tree, path: str) -> bool:
    try:
        return has_marker(tree.read(path))
    except RelspecError:
        return False


def _touched(review: Review, output: str) -> Iterator[str]:
    """The releases whose committed outputs the change touches, with or without their specs."""
    known = {*review.before.places, *review.after.places}
    for path in review.repository.changed(review.base, review.commit or review.base):
        folder = path.removeprefix(f"{output}/").rpartition("/")[0] if path.startswith(f"{output}/") else ""
        release = enclosing(folder, known)
        if release is not None:
            yield release
