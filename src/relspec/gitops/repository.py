"""A Git repository, read without checking anything out."""

from __future__ import annotations

from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.tree import PATH_HINT, EntryKind, checked

if TYPE_CHECKING:
    import git

KINDS: dict[str, EntryKind] = {"100644": "file", "100755": "file", "120000": "link", "160000": "other"}


class Repository:
    """The repository around `root`, which may be a folder inside it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @cached_property
    def _git(self) -> git.Repo:
        import git  # noqa: PLC0415 - 80 ms that most verbs don't need

        try:
            return git.Repo(self.root, search_parent_directories=True)
        except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
            raise RelspecError(
                Finding("RS606", f"{self.root} is in no Git repository", Where(str(self.root)), "run: git init")
            ) from error

    def day(self) -> str | None:
        """The UTC day of HEAD's commit, YYYY-MM-DD; None without a commit. It stands in for the clock."""
        import git  # noqa: PLC0415

        try:
            moment = self._git.head.commit.committed_datetime
        except (RelspecError, ValueError, git.GitError):
            return None
        return moment.astimezone(UTC).date().isoformat()

    def tracked(self, pattern: str) -> tuple[str, ...]:
        """The tracked files below `root` that a glob means, sorted; none where there is no Git repository."""
        try:
            listing: str = self._git.git(C=self.root).ls_files("-z", "--", f":(glob){pattern}")
        except RelspecError:
            return ()
        return tuple(sorted(name for name in listing.split("\0") if name))

    def tree(self, revision: str) -> CommitTree:
        """The tree of a revision. Raises RelspecError RS606 where there is no such commit."""
        import git  # noqa: PLC0415

        repository = self._git
        try:
            commit = repository.commit(revision)
            top = Path(repository.working_tree_dir or repository.git_dir).resolve()
            prefix = self.root.relative_to(top).as_posix()
            listing = repository.git.ls_tree("-r", "-z", "--full-tree", commit.hexsha)
        except (ValueError, git.GitError, git.BadName, git.BadObject, OSError) as error:
            raise RelspecError(
                Finding(
                    "RS606", f"there is no commit {revision}", Where(revision), "list commits with: git log --oneline"
                )
            ) from error
        return CommitTree(repository, listing, "" if prefix == "." else prefix + "/")


class CommitTree:
    """The files of one commit. Blobs come from the object store: no filter, hook or checkout runs."""

    def __init__(self, repository: git.Repo, listing: str, prefix: str) -> None:
        self._odb = repository.odb
        self._blobs: dict[str, tuple[EntryKind, str]] = {}
        self._folders: dict[str, dict[str, EntryKind]] = {"": {}}
        for entry in listing.split("\0"):
            head, _, path = entry.partition("\t")
            if path.startswith(prefix) and head:
                mode, _, name = head.split(" ")[:3]
                self._add(path[len(prefix) :], KINDS.get(mode, "other"), name)

    def _add(self, path: str, kind: EntryKind, blob: str) -> None:
        self._blobs[path] = (kind, blob)
        name = path
        entry: EntryKind = kind
        while True:
            folder, _, leaf = name.rpartition("/")
            known = self._folders.setdefault(folder, {})
            if leaf in known:
                return
            known[leaf] = entry
            if not folder:
                return
            name, entry = folder, "folder"

    def kind(self, path: str) -> EntryKind:
        if path in self._blobs:
            return self._blobs[path][0]
        return "folder" if path in self._folders else "missing"

    def read(self, path: str) -> bytes:
        kind = self.kind(path)
        if kind in ("missing", "folder"):
            raise RelspecError(
                Finding("RS240", f"there is no file {path}", Where(path), "create it, or correct the path")
            )
        if kind != "file":
            what = "a symbolic link" if kind == "link" else "a submodule"
            raise RelspecError(Finding("RS241", f"{path} is {what}", Where(path), PATH_HINT))
        try:
            stream = self._odb.stream(bytes.fromhex(self._blobs[path][1]))
        except (ValueError, OSError) as error:
            raise RelspecError(
                Finding(
                    "RS631", f"the content of {path} is not in this clone", Where(path), "fetch it: git fetch --refetch"
                )
            ) from error
        return checked(path, bytes(stream.read()))

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        return sorted(self._folders.get(folder, {}).items())
