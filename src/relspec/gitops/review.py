"""What a pull request runs: the whole of `check`, and what only shows when two trees are compared.

The base is a commit; the head is a work tree or a commit. What goes back to what ran is not held up by policy
(`restoration`), and policies that the change itself loosens don't count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property

from msgspec import Struct

from relspec.compiler import Compiled, Compiler
from relspec.diagnostics import Finding, RelspecError, Severity, Where
from relspec.discovery import ENVIRONMENT_FILE, MISNAMED, RELEASE_FILE, Place, enclosing
from relspec.gitops.commit_tree import CommitTree
from relspec.gitops.prediction import merged
from relspec.gitops.repository import Commit, Repository
from relspec.gitops.restoration import Restorations, stricter
from relspec.gitops.through import Through
from relspec.gitops.worktree import Differences, differences, differs
from relspec.registry.records import FOLDER
from relspec.resolve import ENVIRONMENTS
from relspec.rules.changes import (
    Loss,
    Side,
    TakenBack,
    check_change,
    graded,
    lost_by_restoring,
    mixed_commits,
    moves_to_quarantined,
    reached,
)
from relspec.spec.environment import Policies
from relspec.tree import DirectoryTree, Tree
from relspec.workspace import compare_tree

SAYS_SO = re.compile(r"^This reverts commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\b", re.MULTILINE)
"""What `git revert` writes; of a merge the sentence goes on (git, sequencer.c)."""

MIDWAY = "REVERT_HEAD"
"""The file that names the commit while a `git revert` waits for its conflicts to be resolved."""


class Review(Struct, frozen=True, dict=True):
    """A change under review. `revision` is how its base was named, `head` None for the work tree."""

    repository: Repository
    tree: Tree
    revision: str
    head: str | None = None

    @cached_property
    def base(self) -> str:
        """The id of the base. Raises RelspecError as `Repository.resolve` does."""
        return self.repository.resolve(self.revision)

    @cached_property
    def commit(self) -> str | None:
        """The commit that is looked at, or the one below the work tree; None before the first commit."""
        return self.head or self.repository.head()

    @cached_property
    def dirty(self) -> bool:
        """Whether the work tree differs from its commit."""
        if self.head is not None or not isinstance(self.tree, DirectoryTree):
            return False
        if self.commit is None:
            return True
        # What neither the work tree nor the commit changed since the base is the same in both.
        paths = (*self.changed, *self._committed)
        commit = self.repository.tree(self.commit)
        return any(differs(commit.entry(path), self.tree, path) for path in paths)

    @cached_property
    def _committed(self) -> tuple[str, ...]:
        """The sources that differ between the base and the commit."""
        output = f"{self._output}/"
        paths = self.repository.changed(self.base, self.commit or self.base)
        return tuple(path for path in paths if not path.startswith(output))

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The paths that differ from the base, below the root; of a work tree its sources."""
        if isinstance(self.tree, DirectoryTree):
            return self._edited.paths
        return self.repository.changed(self.base, self.commit or self.base)

    @cached_property
    def _edited(self) -> Differences:
        """How the work tree differs from the base."""
        if not isinstance(self.tree, DirectoryTree):
            return Differences((), ())
        return differences(self.repository.tree(self.base), self.tree, self._output)

    @cached_property
    def _output(self) -> str:
        """The folder of the outputs: asked before anything else is known, so of a compiler of its own."""
        return Compiler(self.tree, any_edition=True).output

    @cached_property
    def _is_wide(self) -> bool:
        """Whether the change has more in it than folders of releases, so that all specs must be looked at."""
        folders = tuple(f"{folder}/" for folder in (ENVIRONMENTS, self._output))
        return any(not path.startswith(folders) or path.endswith(f"/{ENVIRONMENT_FILE}") for path in self.changed)

    def _loaded(self, tree: Tree) -> Tree:
        """The tree; of a commit with its folders read at once, and its specs where all of them are needed."""
        if isinstance(tree, CommitTree):
            tree.load(ENVIRONMENTS, FOLDER, files=lambda name: self._is_wide and name.endswith(".yaml"))
        return tree

    @cached_property
    def before(self) -> Side:
        """The base, which may be of another edition."""
        return Side(Compiler(self._loaded(self.repository.tree(self.base)), any_edition=True))

    @cached_property
    def compiler(self) -> Compiler:
        """The compiler of the head, with policies that are never looser than the base's."""
        compiler = Compiler(self._loaded(self.tree), any_edition=self.head is not None, policies=self._policies)
        if self._keeps_places:
            compiler.found = self.before.compiler.found
        return compiler

    @cached_property
    def _keeps_places(self) -> bool:
        """Whether both trees have their releases in the same places, so that looking for them once is enough.

        That is so where all that differs is what is written in files, and in none that has a say in where releases lie.
        """
        differing = (*self.changed, *self._edited.folders)
        if ENVIRONMENTS in differing or any(folder.startswith(f"{ENVIRONMENTS}/") for folder in self._edited.folders):
            return False
        base = self.repository.tree(self.base)
        inside = [path for path in self.changed if path.startswith(f"{ENVIRONMENTS}/")]
        return all(
            base.kind(path) == self.tree.kind(path) == "file" and not self._says_where(base, path) for path in inside
        )

    def _says_where(self, base: Tree, path: str) -> bool:
        """Whether what is written in a file decides what is found (see `discovery`): a free name, a misnamed document."""
        folder, _, name = path.rpartition("/")
        if name == RELEASE_FILE:
            return base.kind(f"{folder}/{ENVIRONMENT_FILE}") == "file" or self._lies_in_a_release(base, folder)
        return name in MISNAMED or (name == ENVIRONMENT_FILE and self._lies_in_a_release(base, folder))

    def _lies_in_a_release(self, base: Tree, folder: str) -> bool:
        outer = folder.rpartition("/")[0]
        return bool(outer) and (base.kind(f"{outer}/{RELEASE_FILE}") == "file" or self._lies_in_a_release(base, outer))

    def _policies(self, environment: str, own: Policies) -> Policies:
        """The stricter of an environment's policies and the base's: a pull request can't loosen its own.

        Of an environment that the base does not have, the one around it counts, and those that the change takes away:
        neither a new folder nor another name makes a rule go.
        """
        resolver = self.before.compiler.resolver
        known = self.before.compiler.found.environments
        around = enclosing(environment, known) or ""
        gone = [path for path in known if around != environment and path not in self.compiler.found.environments]
        for path in dict.fromkeys([around, *gone]):
            if path:
                with suppress(RelspecError):
                    own = stricter(own, resolver.environment(path).policies)
        return own

    @cached_property
    def after(self) -> Side:
        """The head."""
        return Side(self.compiler)

    @cached_property
    def releases(self) -> tuple[str, ...]:
        """The ids of the releases that the change reaches: what they are made of differs."""
        found = {*reached(self.before, self.after, self.changed), *self.through.reached()}
        return tuple(sorted(found))

    @cached_property
    def through(self) -> Through:
        """By which shared files the change reaches them."""
        return Through(self.before, self.after, self.changed)

    @cached_property
    def restorations(self) -> Restorations:
        """What the change takes back."""
        places = {**self.before.places, **self.after.places}
        return Restorations(
            self.repository,
            self.base,
            self.commit,
            self.tree,
            output=self._output,
            dirty=self._is_behind and self.dirty,
            files={name: place.file for name, place in places.items()},
            changed=self.releases,
        )

    @cached_property
    def _is_behind(self) -> bool:
        """Whether the base has commits that the head does not have: only then does the merge need to be made."""
        return self.commit is not None and not self.repository.is_ancestor(self.base, self.commit)

    @cached_property
    def reverts(self) -> tuple[str, ...]:
        """The ids of the commits that the change says it reverts, in the order of the commits that say so."""
        found = [match for commit in self._saying_so() for match in SAYS_SO.findall(commit.message)]
        if self.head is None:
            found += self._midway()
        return tuple(dict.fromkeys(found))

    def _saying_so(self) -> Iterator[Commit]:
        """The commits of the change, oldest first, in whose message Git finds the sentence."""
        if self.commit is None or self.commit == self.base:
            return
        arguments = ("rev-list", "--reverse", "--grep=^This reverts commit ", "--end-of-options")
        names = self.repository.git(*arguments, f"{self.base}..{self.commit}").decode().split()
        self.repository.read_commits(names)
        yield from (self.repository.commit(name) for name in names)

    def _midway(self) -> list[str]:
        try:
            return (self.repository.git_dir / MIDWAY).read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return []

    @cached_property
    def _touches_registry(self) -> bool:
        return any(path.startswith(f"{FOLDER}/") for path in self.changed)

    @cached_property
    def losses(self) -> tuple[Loss, ...]:
        """What a plain revert of the change would take out of the registry."""
        return lost_by_restoring(self.after, self.before, self.changed) if self._touches_registry else ()

    @cached_property
    def _taken_back(self) -> TakenBack:
        """What reverts in the change took out of the registry. The last step that took it out decides: where that is no
        revert, or one of a commit that had no part in it, somebody wanted it so."""
        found: dict[tuple[str, str, str], tuple[str, ...]] = {}
        for before, after, paths, named in self._registry_steps() if self._touches_registry and self.reverts else ():
            for loss in lost_by_restoring(before, after, paths):
                found[loss.key] = tuple(name[:9] for name in named if self._brought(name, loss))
        return {key: names for key, names in found.items() if names}

    def _registry_steps(self) -> Iterator[tuple[Side, Side, Sequence[str], Sequence[str]]]:
        """What changes the registry, oldest first: before, after, the paths, and the commits that it says it reverts."""
        for name, paths in self._commits:
            if any(path.startswith(f"{FOLDER}/") for path in paths):
                commit = self.repository.commit(name)
                yield self._side_before(commit), self._side_at(name), paths, SAYS_SO.findall(commit.message)
        if self.head is None and self.dirty and self.commit is not None:
            yield self._side_at(self.commit), self.after, self.changed, self._midway()

    @cached_property
    def _commits(self) -> Sequence[tuple[str, tuple[str, ...]]]:
        """The commits of the change, oldest first and without merges, each with the paths that it changes."""
        return self.repository.between(self.base, self.commit) if self.commit is not None else ()

    def _side_at(self, name: str) -> Side:
        return Side(Compiler(self.repository.tree(name), any_edition=True))

    def _side_before(self, commit: Commit) -> Side:
        """The tree before a commit; the base where it was not fetched."""
        try:
            parent = self.repository.parent(commit)
        except RelspecError:
            return self.before
        return self._side_at(parent.id) if parent is not None else self.before

    def _brought(self, name: str, loss: Loss) -> bool:
        """Whether taking a commit back takes this out of the registry; one that was not fetched may have brought it."""
        try:
            commit = self.repository.commit(name)
            return not commit.parents or any(
                loss.key in {lost.key for lost in self._lost_without(commit, parent)} for parent in commit.parents
            )
        except RelspecError:
            return True

    def _lost_without(self, commit: Commit, parent: str) -> Sequence[Loss]:
        """What reverting a commit takes out of the registry; of a merge by one of its parents."""
        paths = self.repository.changed(parent, commit.id)
        return lost_by_restoring(self._side_at(commit.id), self._side_at(parent), paths)

    # --- findings

    def compiled(self, places: Sequence[Place] | None = None) -> Compiled:
        """Everything that is wrong in the head, as weighty as it is in this change."""
        moves = moves_to_quarantined(self.before, self.after, self.changed, self.restorations.former)

        def judge(finding: Finding) -> Finding:
            return next(graded((self.restorations.judged(finding),), moves))

        return self.compiler.compile(places, today=self.restorations.today(self.commit), judge=judge)

    def findings(self) -> Iterator[Finding]:
        """What is wrong with the change itself."""
        taken = self._taken_back
        for finding in check_change(self.before, self.after, self.changed, revision=self.revision, reverts=taken):
            yield self.restorations.judged_change(finding)
        named = ((self.repository.commit(commit).short, paths) for commit, paths in self._commits)
        for finding in mixed_commits(named, self.before, self.after):
            yield self.restorations.judged_change(finding)


def holds(tree: Tree, path: str, commit: CommitTree) -> bool:
    """Whether a file of a commit or a work tree is what another commit has there: told without that one's bytes, which a
    partial clone need not have."""
    entry = commit.entry(path)
    if isinstance(tree, DirectoryTree):
        return not differs(entry, tree, path)
    now = tree.entry(path) if isinstance(tree, CommitTree) else None
    return (now.kind, now.id) == (entry.kind, entry.id) if now is not None and entry is not None else now is entry


def content(tree: Tree, path: str) -> bytes | None:
    """The bytes of a file with the line ends that Git keeps; None where there is none that a spec can read.

    Raises RelspecError RS631 where this clone does not have it: nobody knows then whether there is one like it.
    """
    try:
        return tree.read(path).replace(b"\r\n", b"\n")
    except RelspecError as error:
        if any(finding.code == "RS631" for finding in error.findings):
            raise
        return None


def check_merge(repository: Repository, revision: str) -> Iterator[Finding]:
    """RS602: what the merge of HEAD with a revision would have that neither has: conflicts, and outputs out of date.

    The merge is made in memory. For a conflict among outputs compiling again is the answer.
    Raises RelspecError as `prediction.merged` does.
    """
    head = repository.resolve("HEAD")
    other = repository.resolve(revision)
    result = merged(repository, head, other)
    output = Compiler(repository.tree(head), any_edition=True).output
    sources = result.sources(output)
    again = f"relspec compile && git add -A {output} && git commit"
    if sources is None:
        for path in result.conflicts:
            yield Finding(
                "RS602", f"{path} conflicts with {revision}", Where(path), f"resolve it: git merge {revision}"
            )
        return
    for path in result.conflicts:
        message = f"{path} conflicts with {revision}, and no output is ever merged"
        yield Finding("RS602", message, Where(path), f"git merge {revision}; {again} --no-edit")
    tree = repository.tree_of(sources)
    compiled = Compiler(tree).compile()
    if tree.kind(compiled.output) != "folder":
        return
    for diagnostic in compiled.diagnostics:
        if diagnostic.severity is Severity.ERROR and compiled.stopped:
            where = Where(diagnostic.file, range=diagnostic.range)
            hint = f"git merge {revision}, then mend it"
            yield Finding("RS602", f"merged with {revision}: {diagnostic.message}", where, hint)
    if not compiled.stopped:
        changes = compare_tree(tree, compiled.files, [compiled.output])
        for path in (*changes.written, *changes.removed):
            if path not in result.conflicts:
                message = f"merged with {revision}, this output is out of date"
                yield Finding("RS602", message, Where(path), f"git merge {revision} && {again}")
