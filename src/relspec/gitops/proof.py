"""The proof of a rollback: what would be deployed now, against what was deployed then.

Each output that is not the same has an owner. It is found by putting back, one after another, what a rollback of a
release leaves alone (the environment, templates, the registry, the lock, bases) and compiling again: what makes a
difference disappear owns it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from relspec.compiler import CompiledRelease, Compiler
from relspec.diagnostics import Finding, RelspecError
from relspec.discovery import Place, place_of, release_at
from relspec.gitops.commit_tree import CommitTree
from relspec.gitops.overlay import OverlayTree
from relspec.gitops.recording import RecordingTree, touches
from relspec.gitops.repository import Commit, Repository
from relspec.gitops.restoring import Files, Restored, moved
from relspec.loader import Loader, Memory
from relspec.lock import EDITION, LOCK, read
from relspec.packaged import TEMPLATES
from relspec.registry.records import FOLDER as REGISTRY
from relspec.resolve import ENVIRONMENTS
from relspec.tree import Tree
from relspec.workspace import has_marker

ProofKind = Literal["identical", "identical-but", "committed", "not-proven"]
KINDS: tuple[ProofKind, ...] = ("identical", "identical-but", "committed", "not-proven")
"""From the best to the worst."""

Owner = Literal["rename", "services", "environment", "templates", "registry", "lock", "bases", "toolchain", "stale"]
OWNERS: Mapping[Owner, str] = {
    "rename": "the release's present name",
    "services": "what stays of the release",
    "environment": "the environment",
    "templates": "a template or chart",
    "registry": "the registry",
    "lock": "relspec.lock or relspec.yaml",
    "bases": "a base or another file",
    "toolchain": "another edition of the compiler",
    "stale": "outputs that were already out of date then",
}
"""What can make an output another one although the release is as it was; those of the tree in the order of the search."""

SEARCHED: tuple[Owner, ...] = ("services", "environment", "templates", "registry", "lock", "bases")
"""The order in which they are put back."""

Outputs = Mapping[str, bytes]
"""Bytes by path below rendered/<id>/."""


class Cause(Struct, frozen=True):
    """What makes some outputs differ: the paths in the repository that changed, and the commits that did it, newest first."""

    owner: Owner
    paths: tuple[str, ...]
    commits: tuple[Commit, ...]

    @property
    def words(self) -> str:
        """What it is, in two words."""
        return OWNERS[self.owner]


class Difference(Struct, frozen=True):
    """An output, by its path below rendered/<id>/, that is not what it was; `owners` is empty where nobody knows why."""

    path: str
    owners: tuple[Owner, ...]


class Proof(Struct, frozen=True):
    """What a rollback restores, in bytes.

    `identical`: every output is what it was. `identical-but`: but for `differences`, each with its owner. `committed`:
    another compiler made them, and they are put back as they were committed. `not-proven`: none of these; `reasons` say
    why. `against` is what it was compared with: the outputs committed then, or those that its sources compile to.
    `before` are those outputs, `outputs` the new ones (None: they are not known).
    """

    kind: ProofKind
    against: Literal["committed", "compiled"]
    before: Outputs
    outputs: Outputs | None
    differences: tuple[Difference, ...] = ()
    causes: tuple[Cause, ...] = ()
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


class Case(Struct, frozen=True):
    """What is to be proven: `head` with the files of `restored` against `then`, the commit that is restored."""

    repository: Repository
    head: Commit
    then: Commit
    place_then: Place
    place_now: Place
    restored: Restored
    files: Files
    """All that the rollback changes, of other releases in the same commit too."""
    whole: Files | None = None
    """Where only some services go back, the files by which all of the release would; else None."""
    memory: Memory | None = None

    @property
    def tree_now(self) -> OverlayTree:
        """HEAD with the new files."""
        return OverlayTree(self.repository.tree_of(self.head.tree), self.files)

    @property
    def tree_then(self) -> CommitTree:
        """The files of the commit that is restored."""
        return self.repository.tree_of(self.then.tree)


def committed_outputs(tree: Tree, place: Place) -> dict[str, bytes]:
    """The outputs of a release that a commit holds: files of ours below its folder of outputs."""
    folder = f"{Compiler(tree, any_edition=True).output}/{place.id}"
    return dict(_ours(tree, folder, ""))


def _ours(tree: Tree, folder: str, below: str) -> Iterator[tuple[str, bytes]]:
    for name, kind in tree.entries(f"{folder}/{below}".rstrip("/")):
        path = f"{below}{name}"
        if kind == "folder":
            yield from _ours(tree, folder, f"{path}/")
        elif kind == "file":
            data = tree.read(f"{folder}/{path}")
            if has_marker(data):
                yield path, data


def keeps_outputs(head: Tree, then: Tree, place: Place, memory: Memory | None) -> bool:
    """Whether outputs are committed at `head`.

    There are none either where the last release was removed: then it is whether `then` has those of the one at `place`.
    """
    compiler = Compiler(head, any_edition=True, memory=memory)
    if head.kind(compiler.output) == "folder":
        return True
    return not compiler.found.releases and bool(committed_outputs(then, place))


def _keeps_outputs(case: Case) -> bool:
    head = case.repository.tree_of(case.head.tree)
    return keeps_outputs(head, case.tree_then, case.place_then, case.memory)


def edition(tree: Tree) -> int:
    """The edition that a tree is locked to; that of this compiler without a lock, or with one that can't be read."""
    try:
        lock = read(Compiler(tree, any_edition=True).loader)
    except RelspecError:
        return EDITION
    return EDITION if lock is None else lock.edition


def prove(case: Case) -> Proof:
    """What restoring a release gives, compared with what it gave."""
    kept = committed_outputs(case.tree_then, case.place_then)
    then = None if kept else compiled(case.tree_then, case.place_then, case.memory)
    against: Literal["committed", "compiled"] = "committed" if kept else "compiled"
    before = kept or (dict(then.files) if then is not None else {})
    if edition(case.tree_now) != EDITION and kept and _keeps_outputs(case):
        return _committed(case, before)
    alone = case.restored.compiled if case.files == case.restored.files else None
    now = alone or compiled(case.tree_now, case.place_now, case.memory)
    if now is None or now.stopped:
        findings = now.findings if now is not None else ()
        reason = (
            f"it does not compile as things are now: {findings[0].message}" if findings else "it would not be there"
        )
        return Proof("not-proven", against, before, None, reasons=(reason,), findings=findings)
    differing = _differing(now.files, before)
    reasons = _undeclared(case)
    differences: tuple[Difference, ...] = ()
    causes: tuple[Cause, ...] = ()
    if differing:
        then = then or compiled(case.tree_then, case.place_then, case.memory)
        differences, causes = _Search(case, now, then, before).owners()
        unknown = [each.path for each in differences if not each.owners]
        if unknown:
            reasons = (*reasons, f"nothing that changed since explains {', '.join(unknown)}")
    kind: ProofKind = "not-proven" if reasons else "identical-but" if differing else "identical"
    return Proof(kind, against, before, now.files, differences, causes, reasons)


def _undeclared(case: Case) -> tuple[str, ...]:
    """What the release would not declare as it did, in words."""
    if not case.restored.differs:
        return ()
    names = ", ".join("the release itself" if name == "*" else name for name in case.restored.differs)
    why = f": {case.restored.problem.message}" if case.restored.problem is not None else ""
    return (f"{names} would not declare what it did{why}",)


def _committed(case: Case, before: Outputs) -> Proof:
    """Another edition: this compiler can't make the outputs, but they are known."""
    reasons = _undeclared(case)
    if case.place_now.id != case.place_then.id:
        reasons = (*reasons, f"the outputs of {case.place_then.id} have another name in them")
    return Proof(
        "not-proven" if reasons else "committed", "committed", before, None if reasons else before, reasons=reasons
    )


def compiled(tree: Tree, place: Place, memory: Memory | None) -> CompiledRelease | None:
    """A release of a tree, whatever edition that is locked to; None where there is none."""
    compiler = Compiler(tree, any_edition=True, memory=memory)
    found = place_of(tree, compiler.loader, place.id, place.file)
    return compiler.release(found) if found is not None else None


def _differing(one: Outputs, other: Outputs) -> list[str]:
    return sorted(path for path in {*one, *other} if one.get(path) != other.get(path))


def changed_since(repository: Repository, old: str, head: str, paths: Collection[str]) -> tuple[Commit, ...]:
    """The first-parent commits after `old`, newest first, that changed one of the paths."""
    if not paths:
        return ()
    names = [f"{repository.prefix}{path}" for path in sorted(paths)]
    listing = repository.git(
        "--literal-pathspecs", "rev-list", "--first-parent", f"{old}..{head}", "--", *names, check=False
    )
    return tuple(repository.commit(name) for name in listing.decode().split())


def names(repository: Repository, commit: Commit, file: str) -> bool:
    """Whether a commit gave the release of a file its name: the file is new there, or its free name."""
    parent = repository.parent(commit)
    before = _at(repository.tree_of(parent.tree), file) if parent is not None else None
    now = _at(repository.tree_of(commit.tree), file)
    return now is not None and now != before


def _at(tree: Tree, file: str) -> Place | None:
    return release_at(tree, Loader(tree), file)


class _Search:
    """The owners of differences: the tree of now, with one group of files after another as they were then."""

    def __init__(self, case: Case, now: CompiledRelease, then: CompiledRelease | None, before: Outputs) -> None:
        self.case = case
        self.now = now.files
        self.then: Outputs = then.files if then is not None and not then.stopped else {}
        self.before = before
        self.changed = self._changed()

    def _changed(self) -> Mapping[Owner, tuple[str, ...]]:
        """What both compiles read and what is not the same, by owner; the release's own files left out."""
        case = self.case
        asked: set[str] = set()
        for tree, place in ((case.tree_then, case.place_then), (case.tree_now, case.place_now)):
            recording = RecordingTree(tree)
            compiled(recording, place, case.memory)
            asked |= recording.asked
        own = tuple(f"{posixpath.dirname(place.file)}/" for place in (case.place_then, case.place_now))
        inside = f"{ENVIRONMENTS}/{case.place_now.environment}/"
        own = tuple(folder for folder in own if folder != inside)
        files = {case.place_then.file, case.place_now.file}
        changed = set(case.repository.changed(case.then.id, case.head.id)) ^ _moved_files(case)
        found: dict[Owner, list[str]] = {}
        for path in sorted(changed):
            if path not in files and not path.startswith(own) and touches((path,), frozenset(asked)):
                found.setdefault(self._owner(path), []).append(path)
        return {owner: tuple(paths) for owner, paths in found.items()}

    def _owner(self, path: str) -> Owner:
        first = path.partition("/")[0]
        if path in (LOCK, "relspec.yaml"):
            return "lock"
        if first == REGISTRY:
            return "registry"
        if first == TEMPLATES.name or path.endswith(".j2") or self._in_chart(path):
            return "templates"
        return "environment" if first == ENVIRONMENTS else "bases"

    def _in_chart(self, path: str) -> bool:
        folder = posixpath.dirname(path)
        while folder:
            if any(tree.kind(f"{folder}/Chart.yaml") == "file" for tree in (self.case.tree_then, self.case.tree_now)):
                return True
            folder = posixpath.dirname(folder)
        return False

    def owners(self) -> tuple[tuple[Difference, ...], tuple[Cause, ...]]:
        """The differences with their owners, and what they are."""
        renamed = self._renamed()
        target = self.before if renamed is None else renamed
        found: dict[str, list[Owner]] = {path: [] for path in _differing(self.now, self.before)}
        if renamed is not None:
            for path in _differing(renamed, self.then):
                found.setdefault(path, []).append("rename")
        left = set(_differing(self.now, target))
        current = self.now
        files: dict[str, bytes | None] = dict(self.case.files)
        for owner in SEARCHED:
            put_back = self._as_it_was(owner)
            if not left or not put_back:
                continue
            files |= put_back
            after = self._compiled(files)
            for path in left:
                if after.get(path) != current.get(path):
                    found.setdefault(path, []).append(owner)
            current, left = after, {path for path in left if after.get(path) != target.get(path)}
        for path in left:
            last = self._of_the_compiler(path, current, renamed)
            found[path] = [*found.get(path, ()), last] if last is not None else []
        return (
            tuple(Difference(path, tuple(dict.fromkeys(owners))) for path, owners in sorted(found.items())),
            tuple(self._causes({owner for owners in found.values() for owner in owners})),
        )

    def _as_it_was(self, owner: Owner) -> Files:
        """The files of an owner as they were then."""
        if owner == "services":
            return self.case.whole or {}
        return {path: _bytes(self.case.tree_then, path) for path in self.changed.get(owner, ())}

    def _renamed(self) -> Outputs | None:
        """What the release compiled to then, had it had its present place; None where it had."""
        case = self.case
        if case.place_then == case.place_now:
            return None
        tree = case.tree_then
        files = moved(tree, case.place_then, case.place_now, case.repository.store.blob)
        made = compiled(OverlayTree(tree, files), case.place_now, case.memory)
        return {} if made is None or made.stopped else made.files

    def _compiled(self, files: Files) -> Outputs:
        tree = OverlayTree(self.case.repository.tree_of(self.case.head.tree), files)
        made = compiled(tree, self.case.place_now, self.case.memory)
        return {} if made is None else made.files

    def _of_the_compiler(self, path: str, current: Outputs, renamed: Outputs | None) -> Owner | None:
        """Whether today's compiler gives what it gives for the sources of then: then those bytes came from elsewhere."""
        if renamed is not None or current.get(path) != self.then.get(path):
            return None
        return "toolchain" if edition(self.case.tree_then) != EDITION else "stale"

    def _causes(self, owners: Collection[Owner]) -> Iterator[Cause]:
        case = self.case
        for owner in OWNERS:
            if owner not in owners:
                continue
            paths = self.changed.get(owner, ())
            if owner == "rename":
                paths = (case.place_now.file,)
            elif owner == "toolchain":
                paths = (LOCK,)
            commits = changed_since(case.repository, case.then.id, case.head.id, paths)
            if owner == "rename":
                commits = tuple(each for each in commits if names(case.repository, each, case.place_now.file))[:1]
            yield Cause(owner, paths, commits if owner != "stale" else (case.then,))


def _moved_files(case: Case) -> set[str]:
    """Files of the rollback that make a path differ, or no longer differ, from what it was then."""
    head, then = case.repository.tree_of(case.head.tree), case.tree_then
    return {
        path
        for path, data in case.files.items()
        if (_bytes(head, path) != _bytes(then, path)) != (data != _bytes(then, path))
    }


def _bytes(tree: Tree, path: str) -> bytes | None:
    try:
        return tree.read(path)
    except RelspecError:
        return None


def worst(proofs: Sequence[Proof]) -> ProofKind:
    """The kind that can be said of all of them."""
    return max((proof.kind for proof in proofs), key=KINDS.index)
