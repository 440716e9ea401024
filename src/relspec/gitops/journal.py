"""What a commit of ours is about to do to a work tree, written down first: so a half-done one can be ended either way.

Git folder of the work tree while it runs: `index.lock` (Git's own lock, marked as ours), `relspec-rollback.json` (the
journal) and the folder `relspec-rollback` (copies of what is replaced, new files, the index to come).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

from msgspec import Struct, to_builtins

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.gitops.user_git import Entry

MARK = b"held by relspec rollback\n"
"""What index.lock says while we hold it: Git's own is empty or an index."""

RECOVER = "run: relspec rollback --recover"
Holder = Literal["nobody", "git", "relspec", "nobody alive"]


class Change(Struct, frozen=True):
    """One path below the top folder: its entry at HEAD and after the commit (None: no file).

    `found` is the id of the bytes that the work tree had (None: no file): not the blob's where a checkout converts them.
    `on_disk` is False where a sparse checkout leaves the file out.
    """

    path: str
    old: Entry | None
    new: Entry | None
    found: str | None = None
    on_disk: bool = True


class Journal(Struct, frozen=True):
    """All that one commit changes in the work tree; `made` are the folders that have to be made for it."""

    parent: str
    changes: tuple[Change, ...]
    made: tuple[str, ...]

    def as_json(self) -> str:
        """The journal as it stands in the Git folder. A name that isn't UTF-8 is kept by its surrogates."""
        return json.dumps({"schema": "relspec/rollback-journal/v1", **to_builtins(self)}, indent=1) + "\n"


def journal_file(git_dir: Path) -> Path:
    """Where the journal lies."""
    return git_dir / "relspec-rollback.json"


def scratch(git_dir: Path) -> Path:
    """The folder for what a running commit needs."""
    return git_dir / "relspec-rollback"


# --- the lock


class IndexLock:
    """Git's lock on the index, held by us: no other Git command can stage or commit meanwhile.

    It is marked, and a lock of the system lies on the file, which ends with the process: so what a killed process left
    is told from what a living one holds, without guessing at process ids.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, git_dir: Path) -> Self:
        """The lock, as Git takes it (lockfile.c: O_EXCL). Raises RelspecError: RS607 held, RS640 not to be made."""
        path = git_dir / "index.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            raise busy(path) from None
        except OSError as error:
            raise unwritable(path, error) from error
        # The system's lock first: whoever sees the mark must be able to ask whether its writer lives.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            os.write(descriptor, MARK)
        except OSError as error:
            path.unlink()
            os.close(descriptor)
            raise unwritable(path, error) from error
        return cls(path, descriptor)

    @classmethod
    def inherit(cls, git_dir: Path) -> Self | None:
        """The lock that a killed process of ours left; None where there is none. Somebody else's is left alone."""
        path = git_dir / "index.lock"
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            return None
        try:
            ours = os.read(descriptor, len(MARK) + 1) == MARK
            if ours:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Between opening and locking, another --recover may have ended the work and removed the file.
                ours = os.path.samestat(path.stat(), os.fstat(descriptor))
        except OSError:
            ours = False
        if not ours:
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def release(self) -> None:
        """Removes the lock."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def leave(self) -> None:
        """Leaves the marked file for --recover, held by nobody alive."""
        os.close(self._descriptor)


def holder(git_dir: Path) -> Holder:
    """Who holds index.lock: nobody, Git (or an editor of it), a living relspec, or one that was killed."""
    path = git_dir / "index.lock"
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return "nobody"
    except OSError:
        return "git"
    try:
        if os.read(descriptor, len(MARK) + 1) != MARK:
            return "git"
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return "relspec"
    finally:
        os.close(descriptor)
    return "nobody alive"


def busy(path: Path) -> RelspecError:
    """RS607 or RS641: why index.lock can't be had."""
    who = holder(path.parent)
    if who == "nobody alive":
        return interrupted(path.parent)
    if who == "relspec":
        said, hint = "another relspec rollback is at work here", "wait until it has ended, then look at: git log -1"
    else:
        said = "another git process holds index.lock"
        hint = f"wait until it has ended; if no git runs any more (a crash leaves the file), remove {path}"
    return RelspecError(Finding("RS607", said, Where(str(path)), hint))


def interrupted(git_dir: Path) -> RelspecError:
    """RS641: a rollback was killed here."""
    return RelspecError(
        Finding("RS641", "an earlier rollback was killed before it ended", Where(str(journal_file(git_dir))), RECOVER)
    )


def unwritable(path: Path | str, error: OSError) -> RelspecError:
    """RS640: the system refuses to write (a full disk, missing rights)."""
    return RelspecError(
        Finding(
            "RS640",
            f"can't write {error.filename or path}: {error.strerror or error}",
            Where(str(path)),
            "make room or mend the rights, then run the same command again; nothing has changed",
        )
    )


# --- the journal


def write_journal(git_dir: Path, journal: Journal) -> None:
    """Puts the journal where --recover looks for it, on the disk itself before anything else is touched."""
    new = scratch(git_dir) / "journal"
    with new.open("w", encoding="ascii") as stream:
        stream.write(journal.as_json())
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(journal_file(git_dir))
    folder = os.open(git_dir, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_journal(git_dir: Path) -> Journal | None:
    """The journal of a commit that has not ended; None where there is none."""
    try:
        data = json.loads(journal_file(git_dir).read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    changes = tuple(
        Change(entry["path"], _entry(entry["old"]), _entry(entry["new"]), entry["found"], entry["on_disk"])
        for entry in data["changes"]
    )
    return Journal(data["parent"], changes, tuple(data["made"]))


def _entry(data: dict[str, Any] | None) -> Entry | None:
    return Entry(data["mode"], data["blob"]) if data else None


def clear(git_dir: Path) -> None:
    """Removes all that a commit of ours left in the Git folder, but for the lock; the journal last."""
    shutil.rmtree(scratch(git_dir), ignore_errors=True)
    journal_file(git_dir).unlink(missing_ok=True)


# --- the work tree


def identity(data: bytes, like: str) -> str:
    """The id that Git gives to a blob of these bytes, in the hash of the id `like`."""
    # Git's name for content: nothing here rests on the strength of the hash.
    algorithm = "sha256" if len(like) == 64 else "sha1"
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def on_disk(path: Path, like: str) -> str | None:
    """The id of a file's bytes, or of a link's target, as they lie there; None for no file."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return identity(os.fsencode(path.readlink()), like)
        return identity(path.read_bytes(), like) if stat.S_ISREG(mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None


def back_up(top: Path, git_dir: Path, changes: Sequence[Change]) -> None:
    """Keeps what is about to be replaced. A link to the file itself: putting it back changes not even its times."""
    for number, change in enumerate(changes):
        if change.found is not None and change.on_disk:
            source, target = top / change.path, scratch(git_dir) / f"old-{number}"
            try:
                os.link(source, target, follow_symlinks=False)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise
                shutil.copy2(source, target, follow_symlinks=False)


def put_in_place(top: Path, git_dir: Path, changes: Sequence[Change]) -> None:
    """The new files (`new-0` and so on in the scratch folder) to their places; what goes is removed first.

    Removed first, because a file may become a folder and a folder a file. Folders that end up empty go, as Git does it.
    """
    numbered = [(number, change) for number, change in enumerate(changes) if change.on_disk]
    for _, change in numbered:
        if change.new is None:
            remove(top, change.path)
    for number, change in numbered:
        if change.new is not None:
            move(scratch(git_dir) / f"new-{number}", top / change.path, number)


def undo(top: Path, git_dir: Path, journal: Journal, paths: set[str] | None = None) -> list[str]:
    """Puts back what the work tree had; the paths that somebody has changed since, which are left as they are.

    `paths` is what may be judged by its bytes alone: with None, everything goes back whatever lies there now (a hook of
    ours may have changed it a moment ago).
    """
    left: list[str] = []
    back: list[tuple[int, Change]] = []
    for number, change in enumerate(journal.changes):
        if not change.on_disk or (paths is not None and change.path not in paths):
            continue
        with suppress(FileNotFoundError, NotADirectoryError):
            _temporary(top / change.path, number).unlink()
        now = on_disk(top / change.path, journal.parent)
        if paths is None or now == (change.new.blob if change.new else None):
            back.append((number, change))
        elif now != change.found:
            left.append(change.path)
    _put_back(top, git_dir, back, journal.made)
    return left


def _put_back(top: Path, git_dir: Path, back: Sequence[tuple[int, Change]], made: Sequence[str]) -> None:
    """What is new goes first, with its folders: a file may have stood where a folder is now."""
    for _, change in back:
        if change.found is None:
            (top / change.path).unlink(missing_ok=True)
    for folder in sorted(made, key=len, reverse=True):
        with suppress(OSError):
            (top / folder).rmdir()
    for number, change in back:
        # What is back in its place already is the same file as its copy, or there is no copy any more.
        if change.found is not None and os.path.lexists(scratch(git_dir) / f"old-{number}"):
            move(scratch(git_dir) / f"old-{number}", top / change.path, number)


def remove(top: Path, path: str) -> None:
    """Removes a file, and the folders above it that are empty then; never the folder that we stand in (as Git 2.35)."""
    (top / path).unlink(missing_ok=True)
    for folder in (top / path).parents:
        if folder == top or folder == Path.cwd():
            return
        try:
            folder.rmdir()
        except OSError:
            return


def move(source: Path, target: Path, number: int) -> None:
    """Renames a file to its place: whoever reads there sees the old or the new bytes, never a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The Git folder lies on another file system (a worktree on another disk).
        beside = _temporary(target, number)
        shutil.copy2(source, beside, follow_symlinks=False)
        beside.replace(target)


def _temporary(target: Path, number: int) -> Path:
    return target.with_name(f".relspec-rollback-{number}")
