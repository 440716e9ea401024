"""A tree: the read-only input of the compiler. Every read of the repository goes through one of these.

A tree is either a directory (`DirectoryTree`) or a commit (`relspec.gitops.repository.CommitTree`). Paths are
repository-relative, with `/`, without `.` or `..`. Symbolic links, submodules and Git LFS pointers are refused:
following one would make the output depend on something outside the tree.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

from relspec.diagnostics import Finding, Range, RelspecError, Where

MAX_FILE = 1024 * 1024
"""Bytes that one file of a spec may have (1 MiB); larger ones are RS106."""

MAX_FOLDERS = 32
"""Folders inside one another that are looked into, below environments/ or where a folder of files is named."""

GIT = ".git"
"""The folder, or in a submodule the file, that makes a folder the top of a Git repository."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"

EntryKind = Literal["file", "folder", "link", "other", "pipe", "socket", "device", "missing"]
"""`other` is a submodule."""

ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
"""What a system says of a path where nothing lies. Anything else it may say is no answer to that question."""

NOT_OURS: frozenset[EntryKind] = frozenset({"link", "other", "pipe", "socket", "device"})
"""What is neither read nor looked into."""


class Tree(Protocol):
    """What the compiler may ask of a repository."""

    def kind(self, path: str) -> EntryKind:
        """What lies at a path; `missing` where nothing does. Never follows a link.

        Raises RelspecError: RS240 where a folder on the way can't be opened.
        """

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises RelspecError: RS240 (missing, or not to be opened), RS241 (one of `NOT_OURS`, outside the repository), RS106 (too large),
        RS242 (a Git LFS pointer).
        """

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        """The names in a folder with what they are, sorted by name; empty where the folder is missing.

        Raises RelspecError: RS240 where it can't be opened.
        """


def normalise(path: str, *, origin: Where) -> str:
    """`path` without `.` and `..`, refused with RS241 where it leaves the repository or is absolute."""
    if path.startswith("/") or "\\" in path or "\0" in path:
        raise RelspecError(Finding("RS241", f"{path!r} is not a path inside the repository", origin, PATH_HINT))
    normal = posixpath.normpath(path)
    if normal == ".." or normal.startswith("../"):
        raise RelspecError(Finding("RS241", f"{path!r} leads out of the repository", origin, PATH_HINT))
    return "" if normal == "." else normal


PATH_HINT = "write a path relative to the file that says it, to something inside the repository"


def relative(base_file: str, path: str, *, origin: Where) -> str:
    """The repository path that `path` means when it is written in `base_file`."""
    if path.startswith("/"):
        return normalise(path, origin=origin)
    return normalise(posixpath.join(posixpath.dirname(base_file), path), origin=origin)


class DirectoryTree:
    """A folder on disk.

    No link is followed that lies there: neither the last component of a path, nor a folder above it. But a folder is
    looked at once, before the first thing in it: where a link takes its place while relspec runs, what is behind that
    may be read. Nothing is ever written by way of a tree.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        self._inside = os.path.join(self.root, "")  # noqa: PTH118 - a Path for each file is as dear as opening it
        self._folders: dict[str, EntryKind] = {"": "folder"}

    def __repr__(self) -> str:
        return f"DirectoryTree({str(self.root)!r})"

    def _parents_are_folders(self, path: str) -> bool:
        """Whether each folder above `path` is a real folder: a link among them would lead out of the tree."""
        parent = posixpath.dirname(path)
        kind = self._folders.get(parent)
        if kind is None:
            kind = self.kind(parent)
            self._folders[parent] = kind
        return kind == "folder"

    def kind(self, path: str) -> EntryKind:
        if path and not self._parents_are_folders(path):
            return "missing"
        try:
            mode = os.lstat(self._inside + path).st_mode
        except OSError as error:
            if error.errno in ABSENT:
                return "missing"
            raise RelspecError(self._closed(path, error)) from error
        except ValueError:  # a NUL, or what the names of this system can't be written with
            return "missing"
        if stat.S_ISREG(mode):
            return "file"
        return self._kind_of_folder(path) if stat.S_ISDIR(mode) else _special(mode)

    def _kind_of_folder(self, path: str) -> EntryKind:
        """`other` for a folder with a repository of its own in it, a submodule: Git keeps none of its files in this one."""
        known = self._folders.get(path)
        if known not in ("folder", "other"):
            own = os.path.lexists(f"{self._inside}{path}/{GIT}")
            known = self._folders[path] = "other" if own else "folder"
        return known

    def read(self, path: str) -> bytes:
        where = Where(path)
        if not self._parents_are_folders(path):
            raise RelspecError(absent(self, path, where))
        try:
            descriptor = os.open(self._inside + path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except ValueError as error:
            raise RelspecError(absent(self, path, where)) from error
        except OSError as error:
            # ENXIO: a socket.
            if error.errno in ABSENT or error.errno == errno.ENXIO:
                raise RelspecError(absent(self, path, where)) from error
            raise RelspecError(self._closed(path, error)) from error
        status = os.fstat(descriptor)
        mode = status.st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            if not stat.S_ISDIR(mode):
                raise RelspecError(not_ours(path, _special(mode), where))
            if self._kind_of_folder(path) == "other":
                raise RelspecError(not_ours(path, "other", where))
            raise RelspecError(
                Finding("RS240", f"{path} is a folder, not a file", where, "name a file in it, or correct the path")
            )
        try:
            data = _content(descriptor, status.st_size)
        except OSError as error:
            raise RelspecError(self._closed(path, error)) from error
        finally:
            os.close(descriptor)
        return checked(path, data)

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        if self.kind(folder) != "folder":
            return []
        found: list[tuple[str, EntryKind]] = []
        try:
            with os.scandir(self._inside + folder) as scan:
                for entry in scan:
                    if entry.is_file(follow_symlinks=False):
                        found.append((entry.name, "file"))
                    elif entry.is_dir(follow_symlinks=False):
                        inner = f"{folder}/{entry.name}" if folder else entry.name
                        found.append((entry.name, self._kind_of_folder(inner)))
                    else:
                        # What is gone since the folder was listed is none of its entries.
                        with contextlib.suppress(FileNotFoundError):
                            found.append((entry.name, _special(entry.stat(follow_symlinks=False).st_mode)))
        except OSError as error:
            if error.errno in ABSENT:
                return []
            raise RelspecError(self._closed(folder, error)) from error
        found.sort()
        return found

    def _closed(self, path: str, error: OSError) -> Finding:
        """RS240: what keeps a path from being opened, which may be a folder above it."""
        above = ("", *list(downwards(path))[:-1]) if path else ()
        folder = next((part for part in above if not os.access(self._inside + part, os.X_OK)), None)
        if folder is None:
            if not os.path.isdir(self._inside + path):  # noqa: PTH112 - Path.is_dir raises where it may not look
                return unreadable(path, error, "read", "u+r")
            folder = path
        return unreadable(folder or str(self.root), error, "opened", "u+rx")


def unreadable(path: str, error: OSError, verb: str, mode: str) -> Finding:
    """RS240: a file can't be read, or a folder opened; `mode` is what the user's own permissions lack."""
    import shlex  # noqa: PLC0415 - only on the way to an error

    refused = error.errno in (errno.EACCES, errno.EPERM)
    hint = f"run: chmod {mode} {shlex.quote(path)}" if refused else "put in order what keeps it from being read"
    return Finding("RS240", f"{path} can't be {verb}: {error.strerror}", Where(path), hint)


def _content(descriptor: int, size: int) -> bytes:
    """The bytes of a file of about `size`; one more than a spec may have where there are more."""
    # A read of MAX_FILE makes room for it first: ten times as long as the read itself.
    data = os.read(descriptor, min(size, MAX_FILE) + 1)
    while chunk := os.read(descriptor, min(max(len(data), 4096), MAX_FILE + 1 - len(data))):
        data += chunk
    return data


class MemoryTree:
    """Files given as a mapping of path to bytes: for tests, and for trees that nobody has committed."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def kind(self, path: str) -> EntryKind:
        if path in self.files:
            return "file"
        prefix = path + "/" if path else ""
        return "folder" if any(name.startswith(prefix) for name in self.files) else "missing"

    def read(self, path: str) -> bytes:
        if path not in self.files:
            if self.kind(path) == "folder":
                raise RelspecError(
                    Finding(
                        "RS240",
                        f"{path} is a folder, not a file",
                        Where(path),
                        "name a file in it, or correct the path",
                    )
                )
            raise RelspecError(
                Finding("RS240", f"there is no file {path}", Where(path), "create it, or correct the path")
            )
        return checked(path, self.files[path])

    def entries(self, folder: str) -> list[tuple[str, EntryKind]]:
        prefix = folder + "/" if folder else ""
        found: dict[str, EntryKind] = {}
        for name in self.files:
            if name.startswith(prefix):
                head, _, rest = name[len(prefix) :].partition("/")
                found[head] = "folder" if rest else "file"
        return sorted(found.items())


def checked(path: str, data: bytes) -> bytes:
    """`data`, unless it is larger than a spec may be or only points at a Git LFS object."""
    if len(data) > MAX_FILE:
        raise RelspecError(
            Finding(
                "RS106",
                f"{path} is larger than 1 MiB",
                Where(path, range=Range(1, 1, 1, 1)),
                "split it, or keep the data outside the spec",
            )
        )
    if data.startswith(LFS_POINTER):
        raise RelspecError(
            Finding("RS242", f"{path} is a Git LFS pointer", Where(path), "keep files that a spec reads out of Git LFS")
        )
    return data


def downwards(path: str) -> Iterator[str]:
    """Each folder above a path, the outermost first, then the path itself."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)
    yield path


def folders_above(path: str) -> Iterator[str]:
    """The folders around a path, the inner ones first, without the top."""
    while path := path.rpartition("/")[0]:
        yield path


def absent(tree: Tree, path: str, where: Where) -> Finding:
    """Why there is no file at a path: RS241 for one of `NOT_OURS` on the way to it, else RS240."""
    for part in downwards(path):
        kind = tree.kind(part)
        if kind in NOT_OURS:
            return not_ours(part, kind, where)
    return Finding("RS240", f"there is no file {path}", where, "create it, or correct the path")


def not_ours(path: str, kind: EntryKind, where: Where) -> Finding:
    """RS241: what lies at a path is one of `NOT_OURS`, none of which is ever followed or opened."""
    if kind == "link":
        return Finding("RS241", f"{path} is a symbolic link", where, "replace the link by the file itself")
    if kind != "other":
        name = "named pipe" if kind == "pipe" else kind
        return Finding("RS241", f"{path} is a {name}", where, "keep a plain file here")
    hint = "keep what a spec reads in this repository"
    return Finding("RS241", f"{path} is a submodule: its files are another repository's", where, hint)


def _special(mode: int) -> EntryKind:
    """What lies at a path that is no file or folder."""
    if stat.S_ISLNK(mode):
        return "link"
    return "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"


def named_kind(mode: int) -> str:
    """What a file of this mode is, in words: `a named pipe`."""
    return next((words for is_kind, words in KINDS if is_kind(mode)), "no plain file")


KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


def too_deep(folder: str) -> Finding:
    """RS111: a folder below which nothing is looked for."""
    message = f"this folder lies more than {MAX_FOLDERS} folders deep"
    return Finding("RS111", message, Where(folder, range=Range(1, 1, 1, 1)), "move it further up")


def walk(tree: Tree, folder: str, levels: int = MAX_FOLDERS) -> Iterator[str]:
    """Every file below a folder, as repository paths, in sorted order.

    Raises RelspecError: RS241 for a link, RS111 for more than `levels` folders inside one another.
    """
    for name, kind in tree.entries(folder):
        path = f"{folder}/{name}" if folder else name
        if kind == "folder":
            if not levels:
                raise RelspecError(too_deep(path))
            yield from walk(tree, path, levels - 1)
        elif kind == "file":
            yield path
        else:
            raise RelspecError(not_ours(path, kind, Where(path)))
