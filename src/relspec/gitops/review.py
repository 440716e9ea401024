"""What a pull request runs: the whole of `check`, and what only shows when two trees are compared.

The base is a commit; the head is a work tree or a commit. What goes back to what ran is not held up by policy
(`restoration`), and policies that the change itself loosens don't count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from relspec.compiler import Compiled, Compiler
from relspec.diagnostics import Finding, RelspecError, Severity, Where
from relspec.discovery import Place
from relspec.gitops.commit_tree import CommitTree
from relspec.gitops.prediction import merged
from relspec.gitops.repository import Repository
from relspec.gitops.restoration import Restorations, stricter
from relspec.gitops.worktree import differing_files
from relspec.registry.records import FOLDER
from relspec.resolve import ENVIRONMENTS
from relspec.rules.changes import Side, check_change, graded, mixed_commits, moves_to_quarantined, reached
from relspec.spec.environment import Policies
from relspec.tree import DirectoryTree, Tree
from relspec.workspace import compare_tree


@dataclass(frozen=True)
class Review:
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
        return bool(differing_files(self.repository.tree(self.commit), self.tree, self.compiler.output))

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The paths that differ from the base, below the root; of a work tree its sources."""
        if isinstance(self.tree, DirectoryTree):
            return differing_files(self.repository.tree(self.base), self.tree, self.compiler.output)
        return self.repository.changed(self.base, self.commit or self.base)

    @cached_property
    def before(self) -> Side:
        """The base, which may be of another edition."""
        return Side(Compiler(loaded(self.repository.tree(self.base)), any_edition=True))

    @cached_property
    def compiler(self) -> Compiler:
        """The compiler of the head, with policies that are never looser than the base's."""
        return Compiler(loaded(self.tree), any_edition=self.head is not None, policies=self._policies)

    def _policies(self, environment: str, own: Policies) -> Policies:
        """The stricter of an environment's policies and the base's: a pull request can't loosen its own."""
        try:
            return stricter(own, self.before.compiler.resolver.environment(environment).policies)
        except RelspecError:
            return own

    @cached_property
    def after(self) -> Side:
        """The head."""
        return Side(self.compiler)

    @cached_property
    def releases(self) -> tuple[str, ...]:
        """The ids of the releases that the change reaches: what they are made of differs."""
        return tuple(reached(self.before, self.after, self.changed))

    @cached_property
    def restorations(self) -> Restorations:
        """What the change takes back."""
        places = {**self.before.places, **self.after.places}
        return Restorations(
            self.repository,
            self.base,
            self.commit,
            self.tree,
            dirty=self._is_behind and self.dirty,
            files={name: place.file for name, place in places.items()},
            changed=self.releases,
        )

    @cached_property
    def _is_behind(self) -> bool:
        """Whether the base has commits that the head does not have: only then does the merge need to be made."""
        return self.commit is not None and not self.repository.is_ancestor(self.base, self.commit)

    # --- findings

    def compiled(self, places: Sequence[Place] | None = None) -> Compiled:
        """Everything that is wrong in the head, as weighty as it is in this change."""
        moves = moves_to_quarantined(self.before, self.after, self.changed)

        def judge(finding: Finding) -> Finding:
            return next(graded((self.restorations.judged(finding),), moves))

        return self.compiler.compile(places, today=self.restorations.today(self.commit), judge=judge)

    def findings(self) -> Iterator[Finding]:
        """What is wrong with the change itself."""
        for finding in check_change(self.before, self.after, self.changed, revision=self.revision):
            yield self.restorations.judged_change(finding)
        if self.commit is not None:
            commits = self.repository.between(self.base, self.commit)
            named = ((self.repository.commit(commit).short, paths) for commit, paths in commits)
            for finding in mixed_commits(named, self.before, self.after):
                yield self.restorations.judged_change(finding)


def loaded(tree: Tree) -> Tree:
    """The tree; of a commit with its folders and specs read at once, where one by one would be three times as dear."""
    if isinstance(tree, CommitTree):
        tree.load(ENVIRONMENTS, FOLDER, files=lambda name: name.endswith(".yaml"))
    return tree


def check_merge(repository: Repository, revision: str) -> Iterator[Finding]:
    """RS602: what the merge of HEAD with a revision would have that neither has: conflicts, and outputs out of date.

    The merge is made in memory. A conflict among outputs is no problem of its own: compiling again is the answer.
    Raises RelspecError as `prediction.merged` does.
    """
    head = repository.resolve("HEAD")
    other = repository.resolve(revision)
    result = merged(repository, head, other)
    command = f"git merge {revision} && relspec compile && git add -A"
    if result.tree is None:
        for path in result.conflicts:
            yield Finding(
                "RS602", f"{path} conflicts with {revision}", Where(path), f"resolve it: git merge {revision}"
            )
        return
    tree = repository.tree_of(result.tree)
    compiler = Compiler(tree)
    compiled = compiler.compile()
    if tree.kind(compiled.output) != "folder":
        return
    for diagnostic in compiled.diagnostics:
        if diagnostic.severity is Severity.ERROR and compiled.stopped:
            where = Where(diagnostic.file, range=diagnostic.range)
            yield Finding(
                "RS602", f"merged with {revision}: {diagnostic.message}", where, f"git merge {revision}, then mend it"
            )
    if not compiled.stopped:
        changes = compare_tree(tree, compiled.files, [compiled.output])
        for path in (*changes.written, *changes.removed):
            message = f"merged with {revision}, this output is out of date"
            yield Finding("RS602", message, Where(path), f"{command} {compiled.output} && git commit")
