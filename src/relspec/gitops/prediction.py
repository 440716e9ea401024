"""What a plain `git revert` would give, known before anybody types it; and what two commits give when they are merged.

Git itself is asked, as its own revert does it (sequencer.c, do_pick_commit): a three-way merge whose base is the commit to
undo, of HEAD and the state before that commit. `git merge-tree` takes commits, so the state before becomes a commit whose
parent is the commit to undo: that one is then the merge base. All of it happens in the temporary GIT_DIR.
"""

from __future__ import annotations

import os
import posixpath
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from relspec.compiler import Compiler
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.discovery import ENVIRONMENT_FILE, RELEASE_FILE, Place, place_of, release_at
from relspec.gitops.commit_tree import CommitTree, missing
from relspec.gitops.objects import GitFailedError
from relspec.gitops.proof import edition
from relspec.gitops.repository import Commit, Repository, boundary
from relspec.lock import EDITION
from relspec.registry.records import FOLDER as REGISTRY
from relspec.resolve import ENVIRONMENTS
from relspec.rules.changes.reach import mentioning
from relspec.rules.changes.side import Side
from relspec.tree import folders_above
from relspec.workspace import compare_tree

Kind = Literal["exact", "clean but stale", "conflicts", "nothing to undo"]

ATTRIBUTES = ".gitattributes"
LONGEST_NAME = 255
"""Bytes of a name in a folder, on every file system that a work tree lies on."""

SOMEBODY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "relspec"), ("EMAIL", "relspec"), ("DATE", "@0 +0000"))
}
"""Who makes the commits that nobody ever sees: the same one each time, so that their ids are the same."""

CONFLICT, WRONG_USE = 1, 129
"""Exit codes of `git merge-tree`; 129 is that of a Git that has no `--write-tree`."""


EMPTY_TREES = (
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
)
"""The tree without entries, by SHA-1 and by SHA-256: what a root commit starts from. Git knows it without storing it."""

FEW_PATHS = 1000
"""Paths up to which the folders above them are looked at one by one."""

MANY_RELEASES = 50
"""Releases from which on it pays to read all specs and outputs at once."""

NAMED = 5
"""Releases or paths that one sentence names; the rest are counted."""


class Merged(Struct, frozen=True):
    """A merge in memory: the id of its top tree, or None and the paths in conflict (sorted, as seen from the root).

    `marked` is the tree in which those hold conflict markers.
    """

    tree: str | None
    conflicts: tuple[str, ...] = ()
    marked: str = ""

    def sources(self, output: str) -> str | None:
        """The top tree where no source is in conflict: outputs are never merged, but compiled again."""
        if all(path.startswith(f"{output}/") for path in self.conflicts):
            return self.tree or self.marked
        return None


class Prediction(Struct, frozen=True):
    """What `git revert COMMIT` (of a merge commit: `-m 1`) at `head` would give. Paths are as seen from the root, sorted.

    `kind` is one of

    - `nothing to undo`: the tree would be that of `head`;
    - `conflicts`: Git would stop, at the paths in `conflicts`;
    - `clean but stale`: Git would commit, and `relspec compile --check` would then refuse the commit: outputs of the
      releases that it changes are out of date (`stale`), or a release can't be compiled (`problems`);
    - `exact`: Git would commit, and the outputs of the releases that it changes are those that compiling gives.

    Where no outputs are committed, none can be out of date, and a clean revert is `exact`. `kept` are the sources that
    the commit touched and that would not hold what they held before it, because a later change to them stays;
    `beside` are paths that the revert would change although the commit did not touch them (RS610).
    `tree` is the id of the top tree, in the temporary object store alone; None where there are conflicts.
    """

    commit: str
    head: str
    kind: Kind
    tree: str | None
    conflicts: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    releases_beside: tuple[str, ...] = ()
    problems: tuple[Finding, ...] = ()
    before: str = ""
    """The tree that the commit started from."""

    @property
    def restores(self) -> bool:
        """Whether the revert alone brings back what was there before the commit, and changes nothing else."""
        return self.kind == "exact" and not self.kept and not self.beside and not self.problems

    @property
    def word(self) -> str:
        """The kind as JSON has it: `clean-but-stale`."""
        return self.kind.replace(" ", "-")

    def as_json(self) -> Mapping[str, object]:
        """The prediction as a JSON value."""
        return {
            "commit": self.commit,
            "head": self.head,
            "kind": self.word,
            "restores": self.restores,
            "conflicts": list(self.conflicts),
            "stale": list(self.stale),
            "kept": list(self.kept),
            "beside": list(self.beside),
        }

    def findings(self) -> tuple[Finding, ...]:
        """RS610 where the revert would change what the commit did not touch; and what keeps it from being compiled."""
        if not self.beside:
            return self.problems
        short = self.commit[:9]
        start = self.before if self.before in EMPTY_TREES else f"{short}^"
        patch = f"git diff-tree -p --binary --full-index --no-renames {short} {start}"
        return (
            Finding(
                "RS610",
                f"a plain revert of {short} would also change {_listed(self.releases_beside or self.beside)}",
                Where(self.beside[0]),
                f"use relspec rollback, or: {patch} | git apply --index --3way",
            ),
            *self.problems,
        )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def predict(repository: Repository, commit: str, head: str) -> Prediction:
    """What a plain revert of a commit would give on top of `head`; both are full ids.

    Raises RelspecError: RS611 where `head` does not have the commit in its history; RS630 where a shallow clone does not
    have what came before it; RS631 where an object is not in this clone; RS632 for a Git before 2.38.
    """
    undone = repository.commit(commit)
    merge = reverted(repository, commit, head)
    before = _before(repository, undone)
    if merge.tree is None:
        return Prediction(commit, head, "conflicts", None, merge.conflicts, before=before)
    if merge.tree == repository.commit(head).tree:
        return Prediction(commit, head, "nothing to undo", merge.tree, before=before)
    return _clean(repository, undone, before, head, merge.tree)


def reverted(repository: Repository, commit: str, head: str) -> Merged:
    """The files that a plain revert of a commit would leave on top of `head`. Raises RelspecError as `predict` does."""
    undone = repository.commit(commit)
    _refuse_strangers(repository, undone, head)
    before = _before(repository, undone)
    if repository.commit(head).tree == undone.tree:
        return Merged(before)  # nothing came since: a merge with one side as its base gives the other one
    paths = {*repository.differing(undone.tree, head), *repository.differing(undone.tree, before)}
    other = in_memory(repository, before, commit)
    result = merged(repository, head, other, paths)
    if paths.issuperset(repository.differing(head, result.tree or result.marked)):
        return result
    return merged(repository, head, other)  # a folder was renamed: files land below folders in which nobody changed any


def in_memory(repository: Repository, tree: str, parent: str) -> str:
    """The id of a commit of a tree that nobody ever sees: it lies in the temporary object store alone."""
    return repository.git("commit-tree", tree, "-p", parent, data=b"", extra=SOMEBODY).decode().strip()


def merged(repository: Repository, ours: str, theirs: str, paths: Collection[str] | None = None) -> Merged:
    """The merge of two commits as `git merge` in a work tree of `ours` would make it, but with Git's own drivers alone.

    `paths` are all that either side changed, below the top, where the caller knows their one merge base.
    Raises RelspecError: RS606 where they have no history in common (RS630 in a shallow clone), RS631 where an object is
    not in this clone, RS632 for a Git before 2.38.
    """
    repository.merge_base(ours, theirs)
    with tempfile.TemporaryDirectory(prefix="relspec-attributes-") as folder:
        _write_attributes(repository, ours, Path(folder), paths)
        # Git looks for attributes in a work tree only, from where it was started.
        arguments = ("-C", folder, "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages")
        try:
            answer = repository.git(*arguments, ours, theirs, extra={"GIT_WORK_TREE": folder})
        except GitFailedError as error:
            if error.code != CONFLICT or not error.output:
                raise _refused(repository, error, ours, theirs) from error
            marked, *names = error.output.decode("utf-8", "surrogateescape").split("\0")
            # Where a file meets a folder or a link, Git keeps one side as `path~label`: the label is for its work tree.
            label = re.compile(rf"~({ours}|{theirs})(_\d+)?$")
            return Merged(None, _as_seen(repository, {label.sub("", name) for name in names}), marked)
    return Merged(answer.decode("ascii").strip("\0\n"))


def _refuse_strangers(repository: Repository, undone: Commit, head: str) -> None:
    if repository.is_ancestor(undone.id, head):
        return
    message = f"{undone.short} is not in the history of {head[:9]}"
    if repository.shallow:
        raise boundary(f"{message} as far as it was fetched")
    hint = f"merge it first, or name a commit of: git log --first-parent {head[:9]}"
    raise RelspecError(Finding("RS611", message, Where(undone.short), hint))


def _before(repository: Repository, undone: Commit) -> str:
    """The tree that a commit started from; the empty one for a true root."""
    parent = repository.parent(undone)
    if parent is not None:
        repository.store.folder(parent.tree, f"the commit before {undone.short}")
        return parent.tree
    return repository.git("mktree", data=b"").decode().strip()


def _refused(repository: Repository, error: GitFailedError, ours: str, theirs: str) -> RelspecError:
    """Why Git would not merge: it is too old, or an object is not there."""
    if error.code == WRONG_USE:
        version = repository.git("version").decode("ascii", "replace").strip()
        message = f"{version} can't merge without a work tree; that takes 2.38 or newer"
        return RelspecError(
            Finding("RS632", message, Where(""), "install a newer Git; relspec rollback works with this one")
        )
    absent = next(_absent(repository, ours, theirs), None)
    if absent is not None:
        return missing(absent)
    words = error.words.strip().splitlines() or [str(error)]
    return RelspecError(Finding("RS606", f"Git can't merge: {words[-1]}", Where(""), "run: git fsck"))


def _absent(repository: Repository, ours: str, theirs: str) -> Iterator[str]:
    """The paths that either side of a merge changed and whose content is not in this clone."""
    base = repository.merge_base(ours, theirs)
    for side in (ours, theirs):
        listing = _listing(repository, "diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", base, side)
        words = listing.decode("utf-8", "surrogateescape").split("\0")
        for entry, path in zip(words[0::2], words[1::2], strict=False):
            modes_and_ids = entry.lstrip(":").split(" ")
            wanted = [blob for blob in modes_and_ids[2:4] if set(blob) != {"0"}]
            if any(answer is None for answer in repository.store.objects.read_all(wanted)):
                yield _seen(repository, path)


def _listing(repository: Repository, *arguments: str) -> bytes:
    """What Git lists of trees; RS631 where one of them is not in this clone."""
    try:
        return repository.git(*arguments)
    except GitFailedError as error:
        raise missing(f"a folder of {arguments[-1][:9]}") from error


def _write_attributes(repository: Repository, commit: str, folder: Path, paths: Collection[str] | None) -> None:
    """The .gitattributes of a commit, where a work tree of it would have them; links don't count there either.

    Of a merge that concerns few `paths` those in the folders above them: what lies elsewhere has no say (gitattributes).
    """
    for mode, blob, path in _attributes(repository, commit, paths):
        if not mode.startswith(b"100") or not _harmless(path.split(b"/")):
            continue
        target = folder / os.fsdecode(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(repository.store.blob(blob.decode("ascii"), os.fsdecode(path)))


def _attributes(
    repository: Repository, commit: str, paths: Collection[str] | None
) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Modes, blobs and paths of .gitattributes files."""
    if paths is not None and len(paths) <= FEW_PATHS:
        tree = CommitTree(repository.store, repository.commit(commit).tree)
        for folder in sorted({"", *(each for path in paths for each in folders_above(path))}):
            file = posixpath.join(folder, ATTRIBUTES)
            entry = tree.entry(file)
            if entry is not None:
                yield entry.mode.encode("ascii"), entry.id.encode("ascii"), file.encode("utf-8", "surrogateescape")
        return
    # Against the empty tree, because diff-tree picks paths by a glob, and ls-tree would list each file of the repository.
    nothing = EMPTY_TREES[len(commit) == 64]
    everywhere = f":(glob)**/{ATTRIBUTES}"
    listing = _listing(repository, "diff-tree", "-r", "-z", "--no-abbrev", nothing, commit, "--", everywhere)
    words = listing.split(b"\0")
    for head, path in zip(words[0::2], words[1::2], strict=False):
        _, mode, _, blob, _ = head.split(b" ")
        yield mode, blob, path


def _harmless(parts: Iterable[bytes]) -> bool:
    """Whether Git would check out such a path at all: a made-up tree can name folders above it, or Git's own."""
    return not any(part in (b"", b".", b"..") or part.lower() == b".git" or len(part) > LONGEST_NAME for part in parts)


# --- what a clean revert means


def _clean(repository: Repository, undone: Commit, before: str, head: str, tree: str) -> Prediction:
    touched = differing(repository, before, undone.tree)
    changed = differing(repository, head, tree)
    start, now, then = (repository.tree_of(name) for name in (before, repository.commit(head).tree, tree))
    compiler = Compiler(then)
    keeps_outputs = now.kind(compiler.output) == "folder"
    beside = tuple(sorted({*changed} - {*touched}))
    owners = _owners(compiler, now, changed)
    kept = tuple(path for path in touched if _kept(compiler, path, start, then))
    stale, problems = _checked(compiler, owners, changed)
    if edition(then) != EDITION and not kept and _same_outputs(compiler, start, then, owners, changed):
        stale, problems = (), ()
    return Prediction(
        commit=undone.id,
        head=head,
        kind="clean but stale" if keeps_outputs and (stale or problems) else "exact",
        tree=tree,
        stale=stale if keeps_outputs else (),
        kept=kept,
        beside=beside,
        releases_beside=tuple(sorted({owners[path].id for path in beside if path in owners})),
        problems=problems,
        before=before,
    )


def _same_outputs(
    compiler: Compiler, start: CommitTree, then: CommitTree, owners: Mapping[str, Place], changed: Iterable[str]
) -> bool:
    """Whether the outputs, which this compiler can't make, are those from before the commit: they were right then.

    All of them count where a shared file changes.
    """
    shared = any(path not in owners and not _is_for_people(compiler, path) for path in changed)
    names = ("",) if shared else sorted({f"/{place.id}" for place in owners.values()})
    folders = [f"{compiler.output}{name}" for name in names]
    return all(dict(start.files(folder)) == dict(then.files(folder)) for folder in folders)


def _kept(compiler: Compiler, path: str, start: CommitTree, then: CommitTree) -> bool:
    """Whether a source would not hold what it held before the commit."""
    return not path.startswith("../") and not _is_output(compiler, path) and then.entry(path) != start.entry(path)


def _is_output(compiler: Compiler, path: str) -> bool:
    return path.startswith(f"{compiler.output}/")


def differing(repository: Repository, old: str, new: str) -> tuple[str, ...]:
    """The paths that differ between two commits or trees, as seen from the root (`../` outside of it), sorted."""
    return _as_seen(repository, repository.differing(old, new))


def _as_seen(repository: Repository, names: Iterable[str]) -> tuple[str, ...]:
    """Paths below the top as they are seen from the root: what lies beside it starts with `../`."""
    return tuple(sorted(_seen(repository, name) for name in names if name))


def _seen(repository: Repository, name: str) -> str:
    return posixpath.relpath(name, repository.prefix) if repository.prefix else name


def _checked(
    compiler: Compiler, owners: Mapping[str, Place], changed: Iterable[str]
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """`compile --check` of the releases that a revert concerns: the outputs out of date, and what can't be compiled."""
    try:
        # A revert can take the lock back to an edition that this compiler does not write.
        compiler.lock  # noqa: B018
        shared = [path for path in changed if path not in owners and not _is_for_people(compiler, path)]
        concerned = {place.id for place in owners.values()}
        concerned |= {place.id for place in _reached(compiler, shared)}
        if len(concerned) > MANY_RELEASES and isinstance(compiler.tree, CommitTree):
            compiler.tree.load(ENVIRONMENTS, compiler.output, files=lambda _: True)
        places = [place for name in sorted(concerned) if (place := _find(compiler, name, owners)) is not None]
        made = [compiler.release(place) for place in places]
        stopped = {release.place.id for release in made if release.stopped}
        files = {
            f"{compiler.output}/{each.place.id}/{path}": data for each in made for path, data in each.files.items()
        }
        own = compare_tree(compiler.tree, files, [f"{compiler.output}/{name}" for name in sorted(concerned - stopped)])
        nobodys = {path for path in changed if path not in owners and _is_output(compiler, path)}
        left = compare_tree(compiler.tree, {}, sorted({posixpath.dirname(path) for path in nobodys}))
    except RelspecError as error:
        return (), error.findings
    problems = tuple(finding for release in made if release.stopped for finding in release.findings)
    return tuple(sorted({*own.written, *own.removed, *(nobodys & {*left.removed})})), problems


def _find(compiler: Compiler, release: str, owners: Mapping[str, Place]) -> Place | None:
    """Where a release lies in the predicted tree; None where the revert removes it."""
    file = next((place.file for place in owners.values() if place.id == release), None)
    found = place_of(compiler.tree, compiler.loader, release, file)
    return found or next((place for place in compiler.found.releases if place.id == release), None)


def _owners(compiler: Compiler, now: CommitTree, changed: Iterable[str]) -> dict[str, Place]:
    """The release that each changed path belongs to, as its source or its output, in the predicted tree or in HEAD's."""
    sides = (compiler, Compiler(now, any_edition=True))
    found: dict[str, Place] = {}
    for path in changed:
        owner = next((place for side in sides if (place := _owner(side, path)) is not None), None)
        if owner is not None:
            found[path] = owner
    return found


def _owner(compiler: Compiler, path: str) -> Place | None:
    """The release in whose folder, or folder of outputs, a path lies."""
    below_output = _is_output(compiler, path)
    folder, _, name = path.removeprefix(f"{compiler.output}/" if below_output else "").rpartition("/")
    if name == ENVIRONMENT_FILE and not below_output:
        return None
    while folder:
        place = (
            place_of(compiler.tree, compiler.loader, folder)
            if below_output
            else release_at(compiler.tree, compiler.loader, f"{folder}/{RELEASE_FILE}")
        )
        if place is not None:
            return place
        folder = posixpath.dirname(folder)
    if below_output:
        inside = (place for place in compiler.found.releases if path.startswith(f"{compiler.output}/{place.id}/"))
        return next(inside, None)
    return None


def _is_for_people(compiler: Compiler, path: str) -> bool:
    """Whether no release can read a path: outside of the root, an output, or a note or a setting of other tools at the top."""
    first, _, rest = path.partition("/")
    return first in ("..", compiler.output) or first.startswith(".") or (not rest and path.endswith(".md"))


def _reached(compiler: Compiler, shared: Iterable[str]) -> Iterator[Place]:
    """The releases that can read one of the paths that belong to none."""
    side = Side(compiler)
    for path in shared:
        folder, _, name = path.rpartition("/")
        parts = path.split("/")
        if name == ENVIRONMENT_FILE and folder.startswith(f"{ENVIRONMENTS}/"):
            inside = f"{folder.removeprefix(f'{ENVIRONMENTS}/')}/"
            yield from (place for place in compiler.found.releases if f"{place.environment}/".startswith(inside))
        elif parts[0] == REGISTRY and len(parts) > 2:
            names = frozenset(mentioning(side, f"{parts[1]}@"))
            yield from (place for place in compiler.found.releases if place.id in names)
        else:
            yield from compiler.found.releases
