"""A working copy: which releases are meant, what is on disk, and writing what differs.

Files are written to a temporary name beside them and renamed, so that a kill leaves each whole. No two processes share
a temporary name, and none removes another's while that lives: two that compile at once both end well. Folders are opened
without following links, one component at a time: an output folder that was replaced by a link is refused, never followed.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import posixpath
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Literal

from msgspec import Struct
from msgspec.structs import replace

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.discovery import Found, Place
from relspec.tree import Tree, named_kind, unreadable, walk

MARKER = b"# Compiled by relspec from "
ROOT_FILES = ("relspec.yaml", "relspec.lock", "environments")
TEMPORARY = ".relspec-tmp"
_TEMPORARY_NAME = re.compile(r".+\.([1-9][0-9]{0,6})-[0-9a-f]{8}" + re.escape(TEMPORARY), re.DOTALL)
"""What `_temporary` makes: `compose.yaml.4711-9f86d081.relspec-tmp`. No system has process ids of more digits."""


def find_root(start: Path) -> Path:
    """The nearest folder upwards with relspec.yaml, relspec.lock or environments/.

    Raises RelspecError: RS600, and RS240 where a folder can't be opened.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        try:
            if any((folder / name).exists() for name in ROOT_FILES):
                return folder
        except OSError as error:
            raise RelspecError(unreadable(str(folder), error, "opened", "u+rx")) from error
    raise RelspecError(
        Finding(
            "RS600", f"there is no repository of releases at {start} or above", Where(str(start)), "run: relspec init"
        )
    )


def select(found: Found, words: Sequence[str], prefix: str = "") -> tuple[Place, ...]:
    """The releases that `words` mean: ids, globs over ids, or paths (folder or file, below `prefix` in the repository).

    No words mean every release. Raises RelspecError: RS200 for a word that means none.
    """
    if not words:
        return found.releases
    chosen: dict[str, Place] = {}
    problems: list[Finding] = []
    for word in words:
        matching = [place for place in found.releases if _means(word, place, prefix)]
        if not matching:
            problems.append(_unknown(word, found))
        chosen.update({place.id: place for place in matching})
    if problems:
        raise RelspecError(*problems)
    return tuple(sorted(chosen.values()))


def _means(word: str, place: Place, prefix: str) -> bool:
    if word == place.id or (any(char in word for char in "*?[") and fnmatch.fnmatchcase(place.id, word)):
        return True
    path = posixpath.normpath(posixpath.join(prefix, word.rstrip("/")))
    return path == place.file or place.file.startswith(path + "/") or path == "."


def _unknown(word: str, found: Found) -> Finding:
    import difflib  # noqa: PLC0415 - only on the way to an error

    close = difflib.get_close_matches(word, [place.id for place in found.releases], n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else "list them with: relspec check --format json"
    return Finding("RS200", f"there is no release {word}", Where(word), hint)


class Changes(Struct, frozen=True):
    """What would make the outputs on disk equal the compiled ones. Paths are repository-relative, sorted."""

    written: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.written or self.removed)


def compare(root: Path, files: Mapping[str, bytes], scope: Iterable[str]) -> Changes:
    """How the outputs on disk differ from `files`. `scope` are the folders whose other files of ours are gone.

    Raises RelspecError: RS604 where something lies that is neither read nor replaced.
    """
    scope = tuple(scope)
    _refuse_links(root, {*scope, *(posixpath.dirname(path) for path in files)})
    differing = tuple(sorted(path for path, data in files.items() if _current(root / path) != data))
    _refuse_foreign(root, differing)
    gone = tuple(sorted(path for path in ours(root, scope) if path not in files))
    return Changes(differing, gone)


def _refuse_links(root: Path, folders: Iterable[str]) -> None:
    """RS604 where a component of a folder of outputs is no folder: what lies behind a link is never read or removed."""
    known: set[str] = set()
    for folder in sorted(folders):
        parts = folder.split("/") if folder else []
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path in known:
                continue
            known.add(path)
            try:
                mode = os.lstat(root / path).st_mode
            except OSError:
                break
            if not stat.S_ISDIR(mode):
                raise RelspecError(_no_folder(path, mode))


def _no_folder(path: str, mode: int) -> Finding:
    hint = "remove it, then run: relspec compile"
    return Finding("RS604", f"{path} is {named_kind(mode)}; outputs belong below it", Where(path), hint)


def compare_tree(tree: Tree, files: Mapping[str, bytes], scope: Iterable[str]) -> Changes:
    """The same for the outputs that a commit itself holds."""
    kept: dict[str, bytes] = {}
    for folder in scope:
        for path in walk(tree, folder):
            with contextlib.suppress(RelspecError):
                kept[path] = tree.read(path)
    gone = [path for path, data in kept.items() if path not in files and has_marker(data)]
    differing = [path for path, data in files.items() if kept.get(path) != data]
    return Changes(tuple(sorted(differing)), tuple(sorted(gone)))


def ours(root: Path, folders: Iterable[str]) -> Iterator[str]:
    """The files below `folders` that carry our header in one of their first three lines, and what a kill left behind.

    A temporary file of another process that still runs is none of them.
    """
    for folder in folders:
        for current, names, files in os.walk(root / folder, followlinks=False):
            names.sort()
            for name in sorted(files):
                path = Path(current) / name
                if _is_left_behind(name) if _is_temporary(name) else is_ours(path):
                    yield path.relative_to(root).as_posix()


def _temporary(name: str, run: str) -> str:
    """The name under which a run first writes a file: the process's id, and what other processes of that id lack."""
    return f"{name}.{os.getpid()}-{run}{TEMPORARY}"


def _is_temporary(name: str) -> bool:
    return _TEMPORARY_NAME.fullmatch(name) is not None


def _is_left_behind(name: str) -> bool:
    """Whether nobody will rename this temporary file any more: the process in its name is gone.

    One with the id of this process is of an earlier one: nothing is listed between writing and renaming.
    """
    match = _TEMPORARY_NAME.fullmatch(name)
    if match is None:
        return False
    process = int(match[1])
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it runs as somebody else
        return False
    return False


def is_ours(path: Path) -> bool:
    """Whether one of a file's first three lines is our header."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            return _starts_as_ours(file)
    except OSError:
        return False


def _starts_as_ours(file: BinaryIO) -> bool:
    return any(file.readline(4096).startswith(MARKER) for _ in range(3))


def has_marker(data: bytes) -> bool:
    """Whether one of the first three lines of a file's bytes is our header."""
    return any(line.startswith(MARKER) for line in data.split(b"\n", 3)[:3])


def _current(path: Path) -> bytes | None:
    """The bytes of a plain file; None where there is none, or something else in its place."""
    try:
        # O_NONBLOCK: to open a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def made_folder(folder: Path) -> Path:
    """A folder that a person named, made with those above it; its path without links.

    Raises RelspecError: RS604 where it or one above it is no folder, RS605 where it can't be made.
    """
    # Path.resolve raises for a link that leads to itself, realpath never.
    root = Path(os.path.realpath(folder))
    try:
        root.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        hint = "name another folder, or remove what lies there"
        there = next(part for part in (root, *root.parents) if os.path.lexists(part))
        message = f"{there} is {named_kind(there.lstat().st_mode)}, not a folder"
        raise RelspecError(Finding("RS604", message, Where(str(root)), hint)) from error
    except OSError as error:
        hint = "name a folder that can be written, or correct the permissions"
        message = f"the folder {folder} can't be made: {error.strerror}"
        raise RelspecError(Finding("RS605", message, Where(str(folder)), hint)) from error
    return root


def apply(root: Path, files: Mapping[str, bytes], changes: Changes) -> None:
    """Writes and removes what `changes` says. All new content is on disk before the first name changes.

    Raises RelspecError: RS604 where a file that is not ours or a link is in the way, RS605 where something can't be
    written or removed. Unless the message says how many files were written or removed, all are as they were.
    """
    _refuse_foreign(root, changes.written)
    staged: list[str] = []
    written: list[str] = []
    removed: list[str] = []

    run = os.urandom(4).hex()

    def stage(folder: int, path: str) -> None:
        _stage(folder, _temporary(posixpath.basename(path), run), files[path])

    def rename(folder: int, path: str) -> None:
        name = posixpath.basename(path)
        os.rename(_temporary(name, run), name, src_dir_fd=folder, dst_dir_fd=folder)

    try:
        _each(root, changes.written, stage, staged, missing="make")
        _each(root, changes.written, rename, written, missing="refuse")
        _each(root, changes.removed, _remove, removed, missing="skip")
        for folder in sorted({posixpath.dirname(path) for path in removed}, reverse=True):
            _remove_empty(root, folder)
    except (OSError, RelspecError) as error:
        _drop_staged(root, [_temporary(path, run) for path in staged[len(written) :]])
        so_far = _so_far(changes, len(written), len(removed))
        if isinstance(error, RelspecError):
            findings = (replace(finding, message=finding.message + so_far) for finding in error.findings)
            raise RelspecError(*findings) from error
        path = (*changes.written, *changes.written, *changes.removed)[len(staged) + len(written) + len(removed)]
        verb = "write" if len(written) < len(changes.written) else "remove"
        raise RelspecError(
            Finding(
                "RS605",
                f"can't {verb} {path}: {error.strerror}{so_far}",
                Where(path),
                _write_hint(error),
            )
        ) from error


def _write_hint(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "something else removed files here meanwhile; run: relspec compile"
    return "free some space or correct the permissions, then run: relspec compile"


def _so_far(changes: Changes, written: int, removed: int) -> str:
    """The end of a message: what was changed before something went wrong."""
    counts = ((written, len(changes.written), "written"), (removed, len(changes.removed), "removed"))
    said = [f"{count} of {whole} files were {what}" for count, whole, what in counts if count]
    return "".join(f"; {words}" for words in said)


def _each(
    root: Path,
    paths: Iterable[str],
    act: Callable[[int, str], None],
    done: list[str],
    *,
    missing: Literal["make", "refuse", "skip"],
) -> None:
    """Does `act` with a descriptor of its folder to each path, which is added to `done`.

    One folder is open at a time: a process may have as few as 256 descriptors, a repository has more folders.
    """
    for folder, group in groupby(paths, posixpath.dirname):
        try:
            descriptor = _open_folder(root, folder, make=missing == "make")
        except FileNotFoundError:
            if missing != "skip":
                raise
            done += group
            continue
        try:
            for path in group:
                act(descriptor, path)
                done.append(path)
        finally:
            os.close(descriptor)


def _open_folder(root: Path, folder: str, *, make: bool) -> int:
    """A descriptor of the folder, whose missing components are made if `make` says so.

    Raises OSError, and RelspecError RS604 where a component is a link or no folder.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    parts = folder.split("/") if folder else []
    for depth, part in enumerate(parts, 1):
        try:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
        except OSError as error:
            # ELOOP or ENOTDIR for a link: systems differ.
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                mode = os.stat(part, dir_fd=descriptor, follow_symlinks=False).st_mode
                raise RelspecError(_no_folder("/".join(parts[:depth]), mode)) from error
            raise
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _stage(folder: int, name: str, data: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def _drop_staged(root: Path, paths: Iterable[str]) -> None:
    """Removes temporary files, as far as that can be done."""
    for path in paths:
        with contextlib.suppress(OSError, RelspecError):
            _each(root, [path], _remove, [], missing="skip")


def _remove(folder: int, path: str) -> None:
    """Removes a file of ours; one that is gone already is no error.

    Raises RelspecError RS604 where it is ours no more: what `compare` saw may have been replaced since.
    """
    name = posixpath.basename(path)
    with contextlib.suppress(FileNotFoundError):
        if not _is_temporary(name) and not _is_ours_in(folder, name):
            message = f"{path} was replaced by a file that relspec didn't write, and is left as it is"
            raise RelspecError(Finding("RS604", message, Where(path), "run: relspec compile"))
        os.unlink(name, dir_fd=folder)


def _is_ours_in(folder: int, name: str) -> bool:
    """Whether a name in an open folder is a plain file with our header. Raises FileNotFoundError."""
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return False
    # O_NONBLOCK: should a pipe have taken the file's place meanwhile, opening it would wait for a writer.
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        return _starts_as_ours(file)


def _refuse_foreign(root: Path, paths: Iterable[str]) -> None:
    """RS604 where something other than a plain file lies where an output belongs.

    A plain file is replaced, whatever it holds: nothing depends on the content of the output folder, so that one compile
    is the answer to any conflict there, which may have left markers or nothing at all of the header. What has the header
    is asked of files in other places only, before they are removed.
    """
    findings = []
    for path in paths:
        try:
            mode = os.lstat(root / path).st_mode
        except OSError:
            continue
        if not stat.S_ISREG(mode):
            message = f"{path} is {named_kind(mode)}, not a plain file"
            findings.append(Finding("RS604", message, Where(path), "remove it, then run: relspec compile"))
    if findings:
        raise RelspecError(*findings)


def _remove_empty(root: Path, folder: str) -> None:
    """Removes folders that a removal left empty, up to the output folder itself. Raises RelspecError: RS604."""
    while "/" in folder:
        outer, name = posixpath.split(folder)
        try:
            descriptor = _open_folder(root, outer, make=False)
        except OSError:
            return
        try:
            os.rmdir(name, dir_fd=descriptor)
        except OSError:
            return
        finally:
            os.close(descriptor)
        folder = outer
