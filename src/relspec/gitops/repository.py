"""A Git repository, read without checking anything out and without starting anything that it names.

The real repository is asked for refs and settings alone; commits, trees and blobs are read from its objects by a Git in a
temporary folder (`objects`).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from relspec.credentials import hidden_in_prose
from relspec.diagnostics import Finding, RelspecError, Where
from relspec.gitops.commit_tree import CommitTree, ObjectStore, missing
from relspec.gitops.objects import MERGE_SETTINGS, GitFailedError, Objects, environment
from relspec.gitops.path_ids import PathIds
from relspec.tree import GIT
from relspec.workspace import ROOT_FILES

DEEPEN = "git fetch --deepen=200"
ELSEWHERE = ("GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY")
"""Variables that say where a repository or a part of it lies."""

UNUSUAL = re.compile(rb"worktree|include|bare(?!\s*=\s*false\s*$)", re.IGNORECASE | re.MULTILINE)
"""What a .git/config has where the folder around it need not be the top of its work tree (git-config)."""

HEAD = re.compile(rb"ref:\s*refs/|[0-9a-f]{40}")
"""How a HEAD begins that Git takes for one (setup.c, validate_headref); in a folder with another it looks further up."""

MOST_DIFFERING = 16
"""Differences of two trees that are kept to be asked for again; when they are more, all are forgotten."""

RAW = ("--raw", "-z", "--no-renames", "--no-abbrev", "--format=tformat:%H")


class Commit(Struct, frozen=True):
    """A commit. Times are unix seconds, `zone` is the committer's offset (+0100); `message` is the whole of it."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: str
    email: str
    authored: int
    committed: int
    zone: str
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message, as it may be shown: without a password."""
        return hidden_in_prose(self.message.strip().split("\n", 1)[0])

    @property
    def short(self) -> str:
        """The id as people write it."""
        return self.id[:9]

    @property
    def day(self) -> str:
        """The UTC day on which it was committed, YYYY-MM-DD."""
        return datetime.fromtimestamp(self.committed, UTC).date().isoformat()


class Repository:
    """The Git repository around `root`, the folder of the releases, which may lie inside it or be a bare repository."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._commits: dict[str, Commit] = {}
        self._trees: dict[str, CommitTree] = {}
        self._differing: dict[frozenset[str], tuple[str, ...]] = {}

    # --- where it is

    @cached_property
    def _places(self) -> tuple[Path, Path, Path | None]:
        """git_dir, common_dir and the top of the work tree (None: bare). Raises RelspecError RS606 outside of Git."""
        ordinary = _ordinary(self.root)
        if ordinary is not None:
            return ordinary / GIT, ordinary / GIT, ordinary
        import git  # noqa: PLC0415 - 40 ms that an ordinary clone doesn't need

        try:
            repository = git.Repo(self.root, search_parent_directories=True, expand_vars=False)
        except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
            raise RelspecError(
                Finding("RS606", f"{self.root} is in no Git repository", Where(str(self.root)), "run: git init")
            ) from error
        git_dir = Path(repository.git_dir).resolve()
        top = repository.working_tree_dir
        repository.close()
        return git_dir, _common(git_dir), None if top is None else Path(top).resolve()

    @property
    def git_dir(self) -> Path:
        """The folder of HEAD and the index: a worktree has its own."""
        return self._places[0]

    @property
    def common_dir(self) -> Path:
        """The folder of the objects and refs, shared by all worktrees."""
        return self._places[1]

    @property
    def top(self) -> Path | None:
        """The top of the work tree; None in a bare repository."""
        return self._places[2]

    @cached_property
    def prefix(self) -> str:
        """Where `root` lies below the top: empty, or a folder that ends with a slash.

        A bare repository has no folder to start in, so it is the one of HEAD that holds releases. Raises RelspecError
        RS600 where there are several.
        """
        if self.top is None:
            return self._only_root()
        if self.top == self.root:
            return ""
        return self.root.relative_to(self.top).as_posix() + "/"

    def _only_root(self) -> str:
        """The folder of the releases in HEAD: the top, else the outermost one that has what makes a root."""
        head = self.head()
        if head is None or any(name in self.store.folder(self.commit(head).tree) for name in ROOT_FILES):
            return ""
        listing = self.git("ls-tree", "-r", "-t", "-z", "--name-only", "--full-tree", "--end-of-options", head)
        paths = (path.rpartition("/") for path in listing.decode("utf-8", "surrogateescape").split("\0"))
        found = sorted({f"{folder}/" for folder, _, name in paths if name in ROOT_FILES})
        outermost = [
            folder for folder in found if not any(folder != each and folder.startswith(each) for each in found)
        ]
        if len(outermost) > 1:
            some = ", ".join(folder.rstrip("/") for folder in outermost[:3])
            message = f"this bare repository has {len(outermost)} folders that can be meant: {some}"
            hint = "check it out (git worktree add ../checkout), and run relspec in one of them"
            raise RelspecError(Finding("RS600", message, Where(str(self.root)), hint))
        return outermost[0] if outermost else ""

    @cached_property
    def exists(self) -> bool:
        """Whether there is a Git repository around `root` at all."""
        try:
            return bool(self._places)
        except RelspecError:
            return False

    # --- what the real repository says: refs and settings

    def _asked(self, *arguments: str, settings: bool = False) -> bytes | None:
        """What the real repository answers to a question about refs or settings; None for no answer.

        With `settings` the user's own count too. Neither kind of question starts a program.
        """
        env = environment(self.git_dir) | {"GIT_COMMON_DIR": str(self.common_dir)}
        if settings:
            env = {name: value for name, value in env.items() if not name.startswith("GIT_CONFIG")}
        result = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=env,
            cwd=self.git_dir,
            check=False,
        )
        return result.stdout if result.returncode == 0 else None

    @cached_property
    def refs(self) -> Mapping[str, str]:
        """Every ref and the id of what it names (a tag's own object), without replacements."""
        answer = self._asked("for-each-ref", "--format=%(objectname) %(refname)") or b""
        lines = answer.decode("utf-8", "surrogateescape").split("\n")
        pairs = (line.split(" ", 1) for line in lines if line)
        return {name: target for target, name in pairs if not name.startswith("refs/replace/")}

    def head(self) -> str | None:
        """The id of HEAD's commit; None before the first commit."""
        answer = self._asked("rev-parse", "--verify", "--quiet", "HEAD")
        return answer.decode().strip() if answer else None

    def branch(self) -> str | None:
        """The branch that HEAD is on, as a full ref (refs/heads/main); None where it is detached."""
        answer = self._asked("symbolic-ref", "--quiet", "HEAD")
        return answer.decode("utf-8", "surrogateescape").removesuffix("\n") if answer else None

    def upstream(self) -> str | None:
        """The remote-tracking ref that HEAD's branch follows (refs/remotes/origin/main); None without one."""
        branch = self.branch()
        answer = self._asked("for-each-ref", "--format=%(upstream)", "--", branch) if branch else None
        return (answer or b"").decode("utf-8", "surrogateescape").removesuffix("\n") or None

    @cached_property
    def shallow(self) -> frozenset[str]:
        """Commits whose parents were not fetched."""
        try:
            return frozenset((self.common_dir / "shallow").read_text(encoding="ascii").split())
        except FileNotFoundError:
            return frozenset()

    def tracked(self, pattern: str) -> tuple[str, ...]:
        """The tracked files below `root` that a glob means, sorted; none where there is no Git repository."""
        if not self.exists or self.top is None:
            return ()
        listing = self._asked("ls-files", "-z", "--", f":(top,glob){_literal(self.prefix)}{pattern}") or b""
        names = listing.decode("utf-8", "surrogateescape").split("\0")
        return tuple(sorted(name.removeprefix(self.prefix) for name in names if name))

    def day(self) -> str | None:
        """The UTC day of HEAD's commit, YYYY-MM-DD; None without a commit. It stands in for the clock."""
        head = self.head() if self.exists else None
        return self.commit(head).day if head else None

    # --- objects

    @cached_property
    def _objects(self) -> Objects:
        answer = self._asked("rev-parse", "--show-object-format")
        if answer is None:
            raise RelspecError(
                Finding("RS606", f"Git can't read {self.git_dir}", Where(str(self.git_dir)), "run: git fsck")
            )
        shallow = self.common_dir / "shallow"
        return Objects(
            self.common_dir / "objects",
            object_format=answer.decode().strip(),
            refs=self.refs,
            head=self.head(),
            shallow=shallow if shallow.is_file() else None,
            settings=self._merge_settings(),
        )

    def _merge_settings(self) -> list[tuple[str, str]]:
        answer = self._asked("config", "-z", "--get-regexp", MERGE_SETTINGS, settings=True) or b""
        entries = (entry.partition("\n") for entry in answer.decode("utf-8", "replace").split("\0") if entry)
        return [(name, value) for name, _, value in entries]

    @cached_property
    def store(self) -> ObjectStore:
        """Folders and files by the id of their object."""
        return ObjectStore(self._objects)

    def git(
        self, *arguments: str, data: bytes | None = None, check: bool = True, extra: Mapping[str, str] | None = None
    ) -> bytes:
        """A Git command in the temporary GIT_DIR: it can write objects, and none of them reaches the repository."""
        return self._objects.git(*arguments, data=data, check=check, extra=extra)

    def close(self) -> None:
        """Ends what was started to read; the repository can be used again afterwards."""
        if "_objects" in self.__dict__:
            self._objects.close()
            del self.__dict__["_objects"]
            self.__dict__.pop("store", None)

    def renewed(self) -> Repository:
        """The same repository as it is now: refs and HEAD are read once, and somebody may have moved them since."""
        return Repository(self.root)

    # --- commits

    def resolve(self, revision: str) -> str:
        """The full id of the commit that a revision names. Raises RelspecError: RS606 for none, RS631 for one not here."""
        if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", revision):
            return self.commit(revision).id
        if revision.startswith("-") or "\0" in revision or "\n" in revision:
            raise self._unknown(revision)
        # `:/words` takes all that follows for words.
        peeled = revision if revision.startswith(":/") else f"{revision}^{{commit}}"
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", peeled)
        try:
            return self.git(*arguments).decode().strip()
        except GitFailedError:
            # Reflogs and the like are the real repository's: rev-parse starts nothing there.
            answer = self._asked(*arguments)
        if answer is None:
            raise self._unknown(revision)
        return self.commit(answer.decode().strip()).id

    def _unknown(self, revision: str) -> RelspecError:
        if self.shallow and re.search(r"[~^]", revision):
            return boundary(f"{revision} lies beyond what was fetched")
        hint = "list commits with: git log --oneline; branches with: git branch -a"
        return RelspecError(Finding("RS606", f"there is no commit {revision}", Where(revision), hint))

    def commit(self, name: str) -> Commit:
        """A commit by its full id. Raises RelspecError: RS631 where this clone does not have it."""
        known = self._commits.get(name)
        if known is None:
            answer = self._objects.read(name)
            if answer is None or answer[0] != "commit":
                raise (
                    missing(f"commit {name[:9]}")
                    if self.shallow
                    else RelspecError(
                        Finding("RS606", f"there is no commit {name}", Where(name), "list commits with: git log")
                    )
                )
            known = self._commits[name] = _commit(name, answer[1])
        return known

    def tree(self, revision: str) -> CommitTree:
        """The files of a revision, below `root`. Raises RelspecError as `resolve` does."""
        return self.tree_of(self.commit(self.resolve(revision)).tree)

    def tree_of(self, tree: str, *, kept: bool = True) -> CommitTree:
        """The files of a tree object of the top, below `root`; `kept`: or what `keep_tree` gave for them."""
        if kept and tree in self._trees:
            return self._trees[tree]
        for part in self.prefix.split("/")[:-1]:
            entry = self.store.folder(tree).get(part)
            if entry is None or entry.kind != "folder":
                return CommitTree(self.store, "")
            tree = entry.id
        return CommitTree(self.store, tree)

    def keep_tree(self, commit: Commit, tree: CommitTree) -> None:
        """Makes `tree_of` answer with a tree that is at hand, and cheaper to ask than the folders of the commit."""
        self._trees[commit.tree] = tree

    def parent(self, commit: Commit) -> Commit | None:
        """The first parent; None of a true root. Raises RelspecError RS630 at a shallow boundary, which is never a root."""
        if commit.id in self.shallow:
            raise boundary(f"the history before {commit.short} was not fetched")
        return self.commit(commit.parents[0]) if commit.parents else None

    def first_parents(self, name: str, limit: int | None = None) -> list[Commit]:
        """The first-parent chain from a commit, newest first; at most `limit`. Ends at a shallow boundary."""
        some = () if limit is None else (f"--max-count={limit}",)
        names = self.git("rev-list", "--first-parent", *some, "--end-of-options", name).decode().split()
        self.read_commits(names)
        return [self._commits[each] for each in names]

    def has_read(self, name: str) -> bool:
        """Whether `commit` answers without asking Git."""
        return name in self._commits

    def read_commits(self, names: Iterable[str]) -> None:
        """Reads commits, given by their full ids, all at once. Raises RelspecError RS631 where one is not here."""
        unread = [each for each in dict.fromkeys(names) if each not in self._commits]
        for each, answer in zip(unread, self._objects.read_all(unread), strict=True):
            if answer is None:
                raise missing(f"commit {each[:9]}")
            self._commits[each] = _commit(each, answer[1])

    def first_parent_lines(self, name: str) -> list[str]:
        """The first-parent chain, newest first, as lines `<commit> <tree> <committer time>`; ends at a shallow boundary."""
        try:
            return (
                self.git("log", "--first-parent", "--format=%H %T %ct", "--end-of-options", name).decode().splitlines()
            )
        except GitFailedError as error:
            raise missing(f"a commit in the history of {name[:9]}") from error

    def path_ids(self, trees: Sequence[str]) -> PathIds:
        """The ids of what lies at paths below `root`, in commits given by their tree objects."""
        ids = PathIds(self._objects, trees)
        top = self.prefix.rstrip("/")
        if not top:
            return ids
        ids.read([top], len(trees))
        return PathIds(self._objects, [ids.at(top, index) for index in range(len(trees))])

    def records(self, name: str) -> Iterator[tuple[str, Mapping[str, bytes] | None]]:
        """The first-parent chain, newest first: each id with the paths below `root` that differ from its first parent, and
        what was and is there: `:<mode> <mode> <object> <object> <status>` (git-diff-tree).

        A root differs in all that it has; of a commit at a shallow boundary nothing is known: None. One `git log` without
        pathspecs, which is five times as fast as one with them.
        """
        for commit, records in self._raw_log("--first-parent", "-m", "--end-of-options", name):
            yield commit, None if commit in self.shallow else records

    def between(self, base: str, head: str) -> list[tuple[str, tuple[str, ...]]]:
        """The commits that `head` has and `base` has not, oldest first, each with the paths that it changed; no merges."""
        found = self._raw_log("--no-merges", "--reverse", "--end-of-options", f"{base}..{head}")
        return [(commit, tuple(records)) for commit, records in found]

    def _raw_log(self, *arguments: str) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        """Commits with the records of what they changed below `root`, by path."""
        current: str | None = None
        records: dict[str, bytes] = {}
        record: bytes | None = None
        for word in self._logged(*arguments):
            if record is not None:
                path = word.decode("utf-8", "surrogateescape")
                if path.startswith(self.prefix):
                    records[path[len(self.prefix) :]] = record
                record = None
            elif word.startswith((b":", b"\n:")):
                record = word.lstrip()
            else:
                if current is not None:
                    yield current, records
                current, records = word.decode().strip(), {}
        if current is not None:
            yield current, records

    def _logged(self, *arguments: str) -> Iterator[bytes]:
        try:
            yield from self._objects.stream("log", *RAW, *arguments)
        except GitFailedError as error:
            raise missing(f"a commit or folder in the history of {arguments[-1][:9]}") from error

    def changed(self, old: str, new: str) -> tuple[str, ...]:
        """The paths below `root` that differ between two commits or trees, sorted. Raises RelspecError RS631."""
        names = self.differing(old, new)
        return tuple(sorted(name[len(self.prefix) :] for name in names if name.startswith(self.prefix)))

    def differing(self, old: str, new: str) -> tuple[str, ...]:
        """The paths below the top that differ between two commits or trees. Raises RelspecError RS631."""
        pair = frozenset(self._commits[each].tree if each in self._commits else each for each in (old, new))
        known = self._differing.get(pair)
        if known is None:
            try:
                listing = self.git("diff-tree", "-r", "-z", "--no-renames", "--name-only", "--end-of-options", old, new)
            except GitFailedError as error:
                raise missing(f"a folder of {old[:9]} or {new[:9]}") from error
            known = tuple(name for name in listing.decode("utf-8", "surrogateescape").split("\0") if name)
            if len(self._differing) >= MOST_DIFFERING:
                self._differing.clear()
            self._differing[pair] = known
        return known

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` has `older` in its history (a commit is its own ancestor)."""
        if older == newer:
            return True
        try:
            self.git("merge-base", "--is-ancestor", older, newer)
        except GitFailedError as error:
            if error.code == 1:
                return False
            raise missing(f"the history between {older[:9]} and {newer[:9]}") from error
        return True

    def merge_base(self, one: str, other: str) -> str:
        """The best common ancestor. Raises RelspecError: RS630 in a shallow clone that has none, else RS606."""
        answer = self.git("merge-base", "--end-of-options", one, other, check=False).decode().strip()
        if answer:
            return answer.split("\n", maxsplit=1)[0]
        if self.shallow:
            raise boundary(f"{one[:9]} and {other[:9]} have no common commit among those that were fetched")
        hint = "name the commits to compare: relspec plan BASE..HEAD"
        raise RelspecError(
            Finding("RS606", f"{one[:9]} and {other[:9]} have no history in common", Where(one[:9]), hint)
        )


def _ordinary(root: Path) -> Path | None:
    """The top of the work tree around a folder, where nothing about it is out of the ordinary: a `.git` folder, and neither
    a setting nor a variable that says where else things lie. None for all else, which GitPython knows."""
    if any(name in os.environ for name in ELSEWHERE):
        return None
    for folder in (root, *root.parents):
        git = folder / GIT
        try:
            if git.is_symlink() or (folder / "HEAD").exists():
                return None  # perhaps a bare repository, or the inside of one
            if not git.exists():
                continue
            settings, head = (git / "config").read_bytes(), (git / "HEAD").read_bytes()
        except OSError:
            return None
        whole = all((git / name).is_dir() for name in ("objects", "refs")) and HEAD.match(head) is not None
        return folder if whole and not (git / "commondir").exists() and UNUSUAL.search(settings) is None else None
    return None


def _common(git_dir: Path) -> Path:
    """The folder that a worktree shares with its repository (gitrepository-layout), whatever a caller's environment says."""
    try:
        return (git_dir / os.fsdecode((git_dir / "commondir").read_bytes()).rstrip("\r\n")).resolve()
    except FileNotFoundError:
        return git_dir


def boundary(message: str) -> RelspecError:
    """RS630: what a shallow clone can't know. In CI fetch everything (`fetch-depth: 0`)."""
    hint = f"fetch more of it: {DEEPEN} (in CI: fetch the whole history)"
    return RelspecError(Finding("RS630", message, Where(""), hint))


def _commit(name: str, data: bytes) -> Commit:
    """A commit object: header lines, an empty line, the message. Broken headers give empty fields, never a crash."""
    head, _, message = data.partition(b"\n\n")
    headers: dict[bytes, bytes] = {}
    parents: list[str] = []
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key and key not in headers:  # a continuation line starts with a space: its key is empty
            headers[key] = value
    encoding = headers.get(b"encoding", b"utf-8").decode("ascii", "replace")
    author, email, authored, _ = _person(headers.get(b"author", b""), encoding)
    _, _, committed, zone = _person(headers.get(b"committer", b""), encoding)
    return Commit(
        id=name,
        tree=headers.get(b"tree", b"").decode("ascii", "replace"),
        parents=tuple(parents),
        author=author,
        email=email,
        authored=authored,
        committed=committed,
        zone=zone,
        message=_text(message, encoding),
    )


def _person(line: bytes, encoding: str) -> tuple[str, str, int, str]:
    """`Name <email> seconds zone`."""
    match = re.fullmatch(rb"(.*?)\s*<([^>]*)>\s*(-?\d+)\s*([+-]\d{4})?.*", line, re.DOTALL)
    if match is None:
        return _text(line, encoding), "", 0, "+0000"
    name, email, seconds, zone = match.groups()
    return _text(name, encoding), _text(email, encoding), int(seconds), (zone or b"+0000").decode()


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _literal(prefix: str) -> str:
    """A path with nothing in it that a glob would take for more than itself."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", prefix)
