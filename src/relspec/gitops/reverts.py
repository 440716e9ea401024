"""A change that goes back: whether it says so itself or is seen to, and whether it does it cleanly.

A change is a revert of a release where everything that changes in it goes back to an earlier state, or where a commit of
it says "This reverts commit …" and the sources are those that the plain reverts give.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from relspec.diagnostics import RelspecError
from relspec.gitops.prediction import Kind, in_memory, reverted
from relspec.gitops.repository import Commit
from relspec.gitops.review import Review, content, holds
from relspec.tree import Tree, walk
from relspec.workspace import compare_tree

CONFLICT = re.compile(rb"^(?:<{7}|>{7})(?: (.*))?$", re.MULTILINE)
OF_A_REVERT = b"parent of "
"""How `git revert` calls the other side of a conflict."""


class Revert(Struct, frozen=True):
    """A change that takes a release back. `kind`: whether its outputs are what its specs compile to.

    `restores` is the commit whose state it restores, as far as one is known; `services` are those that go back.
    `stopped`: it does not compile after it, so that compiling again mends nothing.
    """

    kind: Kind
    restores: Commit | None = None
    services: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def word(self) -> str:
        """The kind as JSON has it: `clean-but-stale`."""
        return self.kind.replace(" ", "-")

    def as_json(self) -> Mapping[str, Any]:
        """The revert as JSON data."""
        restores = self.restores.id if self.restores is not None else None
        return {"kind": self.word, "restores": restores, "services": list(self.services)}


class WholeRevert(Struct, frozen=True):
    """A change that goes back as a whole. `commits` are those that it says it reverts, `conflicts` the paths that do.

    `stopped`: a release does not compile after it.
    """

    kind: Kind
    commits: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def word(self) -> str:
        """The kind as JSON has it."""
        return self.kind.replace(" ", "-")

    def as_json(self) -> Mapping[str, Any]:
        """The revert as JSON data."""
        return {"kind": self.word, "commits": list(self.commits), "conflicts": list(self.conflicts)}


class Reverts(Struct, frozen=True, dict=True):
    """What a change under review takes back. `conflicts` are the paths at which its merge conflicts."""

    review: Review
    conflicts: tuple[str, ...] = ()

    @cached_property
    def named(self) -> tuple[str, ...]:
        """The ids of the commits that the change says it reverts, in the order of the commits that say so."""
        return self.review.reverts

    @cached_property
    def _sources(self) -> tuple[str, ...]:
        return tuple(path for path in self.review.changed if not self._is_output(path))

    def _is_output(self, path: str) -> bool:
        return path.startswith(f"{self.review.compiler.output}/")

    @cached_property
    def _as_predicted(self) -> bool:
        """Whether the sources are those that plain reverts of the commits named leave, one after another on the base.

        What was edited since those commits stays, so that no state of before need come back. Conflicts among outputs
        count for nothing: compiling again resolves them.
        """
        tip = self.review.base
        try:
            for name in self.named if self._sources else ():
                tree = reverted(self.review.repository, name, tip).sources(self.review.compiler.output)
                if tree is None:
                    return False
                tip = in_memory(self.review.repository, tree, tip)
        except RelspecError:
            return False  # a commit that is not in this clone or not below the base, or a Git that can't predict
        if tip == self.review.base:
            return False
        return all(self._is_output(path) for path in replace(self.review, revision=tip).changed)

    @cached_property
    def _before(self) -> Commit | None:
        """The commit before one that is named, whose sources the change brings back; None where it does more or less."""
        repository = self.review.repository
        for name in self.named if self._sources else ():
            try:
                parent = repository.parent(repository.commit(name))
                tree = repository.tree(parent.id) if parent is not None else None
            except RelspecError:
                continue  # not in this clone
            if tree is not None and all(holds(self.review.tree, path, tree) for path in self._sources):
                return parent
        return None

    # --- one release

    def of(self, name: str, files: Mapping[str, bytes], *, stopped: bool) -> Revert | None:
        """What the change takes back in a release whose outputs ought to be `files` (by path below its output folder)."""
        conflicts = self._marked(name)
        if conflicts:
            return Revert("conflicts")
        found = self._back(name, files, stopped=stopped)
        # A conflicting merge is no restoration, whoever says that it is one.
        return Revert("conflicts") if found is not None and self._conflicting(name) else found

    def _back(self, name: str, files: Mapping[str, bytes], *, stopped: bool) -> Revert | None:
        """What the change takes back in a release in which no conflicts are left."""
        restored = self.review.restorations.of(name)
        commits = [found.commit for found in restored.values() if found.reason == "state" and found.commit is not None]
        if commits and self.review.restorations.whole(name):
            newest = max(commits, key=lambda commit: commit.committed)
            kind = self._kind(name, files, stopped=stopped)
            return Revert(kind, newest, tuple(sorted(restored)), stopped)
        if self._goes_back:
            kind = self._kind(name, files, stopped=stopped)
            return Revert(kind, self._before if self._was_there(name) else None, stopped=stopped)
        return None

    @property
    def _goes_back(self) -> bool:
        """Whether the change does what it says: bring back what was before a commit, or what is left of that."""
        return self._before is not None or self._as_predicted

    def _was_there(self, name: str) -> bool:
        """Whether the release existed in the commit whose sources the change brings back."""
        place = self.review.after.places.get(name) or self.review.before.places.get(name)
        return self._then is not None and place is not None and self._then.kind(place.file) == "file"

    @cached_property
    def _then(self) -> Tree | None:
        return self.review.repository.tree(self._before.id) if self._before is not None else None

    def _kind(self, name: str, files: Mapping[str, bytes], *, stopped: bool) -> Kind:
        """Whether the outputs that lie beside the specs are what these compile to."""
        output = self.review.compiler.output
        if self.review.tree.kind(output) != "folder":
            return "exact"
        wanted = {f"{output}/{name}/{path}": data for path, data in files.items()}
        return "clean but stale" if stopped or compare_tree(self.review.tree, wanted, [f"{output}/{name}"]) else "exact"

    def _conflicting(self, name: str) -> tuple[str, ...]:
        """The paths of a release, and those beside it that lead to it, at which the merge of the change conflicts."""
        if not self.conflicts:
            return ()
        inside = tuple(f"{folder}/" for folder in self._folders(name))
        shared = self.review.through.to(name)
        return tuple(path for path in self.conflicts if path.startswith(inside) or path in shared)

    def _folders(self, name: str) -> list[str]:
        """The folder of a release's outputs, and that of its sources."""
        place = self.review.after.places.get(name) or self.review.before.places.get(name)
        return [
            f"{self.review.compiler.output}/{name}",
            *([place.file.rpartition("/")[0]] if place is not None else []),
        ]

    def _marked(self, name: str) -> tuple[str, ...]:
        """The files of a release, sources and outputs, in which a revert left conflicts."""
        place = self.review.after.places.get(name)
        folders = self._folders(name)
        inside = tuple(f"{folder}/" for folder in folders)
        known = [path for path in self.conflicts if path.startswith(inside)] if self.named else []
        paths = [path for path in self.review.changed if path.startswith(inside)]
        if place is not None and self.review.head is None and self.named:
            paths += _below(self.review.tree, folders[0])  # the outputs of a work tree are not among what changed
        return tuple(dict.fromkeys((*known, *(path for path in paths if self._has_conflict(path)))))

    def _has_conflict(self, path: str) -> bool:
        labels = [label or b"" for label in CONFLICT.findall(content(self.review.tree, path) or b"")]
        return bool(labels) and (bool(self.named) or any(label.startswith(OF_A_REVERT) for label in labels))

    # --- the change as a whole

    def whole(self, releases: Mapping[str, Revert | None]) -> WholeRevert | None:
        """What the change is as a whole, given what it is for each release that changes; None where it is no revert."""
        kinds = [found.kind for found in releases.values() if found is not None]
        if self.named and self.conflicts:
            return WholeRevert("conflicts", self.named, self.conflicts)
        if "conflicts" in kinds:
            paths = (path for name in releases for path in (*self._marked(name), *self._conflicting(name)))
            return WholeRevert("conflicts", self.named, tuple(dict.fromkeys(paths)))
        if self.named and not self._anything:
            return WholeRevert("nothing to undo", self.named)
        if (kinds and len(kinds) == len(releases)) or self._goes_back:
            stopped = any(found is not None and found.stopped for found in releases.values())
            kind: Kind = "clean but stale" if "clean but stale" in kinds else "exact"
            return WholeRevert(kind, self.named, stopped=stopped)
        return None

    @property
    def _anything(self) -> bool:
        """Whether any file differs from the base."""
        review = self.review
        if review.head is not None:
            return review.repository.commit(review.head).tree != review.repository.commit(review.base).tree
        return bool(review.changed) or review.dirty


def _below(tree: Tree, folder: str) -> Sequence[str]:
    try:
        return list(walk(tree, folder))
    except RelspecError:
        return ()
