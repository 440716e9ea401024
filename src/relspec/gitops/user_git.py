"""Git in the user's own repository, for the verbs that write: with their settings, hooks, filters and signing program."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from relspec.diagnostics import Finding, RelspecError, Where
from relspec.gitops.signals import Deferred

ELSEWHERE = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_IMPLICIT_WORK_TREE"),
    *("GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_REPLACE_REF_BASE", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS"),
    *("GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_EXTERNAL_DIFF"),
    "PYDANTIC_DISABLE_PLUGINS",
)
"""What a caller that is itself a Git hook has set, what would make Git look at another place than ours, and what relspec
sets for itself."""

ARGUMENT_BYTES = 100_000
"""Paths that one command gets at most: a tenth of what the smallest system allows."""


class Done(Struct, frozen=True):
    """A program that has ended."""

    code: int
    output: bytes
    words: str

    @property
    def last_words(self) -> str:
        """The last three lines that it said, as one."""
        return "; ".join([line.strip() for line in self.words.splitlines() if line.strip()][-3:])


class Entry(Struct, frozen=True):
    """A file in a tree or in the index: its mode (100644) and the id of its blob."""

    mode: str
    blob: str


class UserGit:
    """Git commands in the repository whose top folder (or, bare, whose Git folder) is `folder`.

    `settings` are in force in all of them, before the user's own.
    """

    def __init__(self, folder: Path, signals: Deferred, settings: Sequence[str] = ()) -> None:
        self.folder = folder
        self.signals = signals
        self._git = ("git", "--no-pager", *(word for setting in settings for word in ("-c", setting)))

    def run(self, *arguments: str, data: bytes = b"", index: Path | None = None) -> Done:
        """A short command of Git's own. It is in no process group of ours: Ctrl-C in a terminal doesn't tear it."""
        result = subprocess.run(
            [*self._git, "-c", "core.fsmonitor=false", *arguments],
            input=data,
            capture_output=True,
            env=_environment(index) | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"},
            cwd=self.folder,
            process_group=0,
            check=False,
        )
        return Done(result.returncode, result.stdout, result.stderr.decode("utf-8", "replace"))

    def must(self, *arguments: str, data: bytes = b"", index: Path | None = None) -> bytes:
        """What a short command prints. Raises RelspecError RS640 where it fails."""
        done = self.run(*arguments, data=data, index=index)
        if done.code != 0:
            raise failed(arguments, done)
        return done.output

    def foreign(self, *arguments: str, index: Path | None = None) -> Done:
        """A command that starts a program of the user's (a hook, a signing program).

        It has the terminal, to ask for a passphrase, and the user's locale. It gets the signals that we get: from the
        terminal if there is one, else from us, in a process group of its own, because `git hook run` doesn't pass them
        on. Its output goes to a file, so that what it leaves running in the background isn't waited for.
        """
        leads = not _has_terminal()
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as words:
            process = subprocess.Popen(
                [*self._git, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=words,
                # GIT_EDITOR says to a hook that no editor will follow: sequencer.c, run_commit_hook.
                env=_environment(index) | {"GIT_EDITOR": ":"},
                cwd=self.folder,
                process_group=0 if leads else None,
            )
            code = self.signals.wait(process, leads=leads)
            output.seek(0)
            words.seek(0)
            return Done(code, output.read(), words.read().decode("utf-8", "replace"))

    def entries(self, revision: str, paths: Iterable[str]) -> dict[str, Entry]:
        """The files of a commit among `paths`; folders and what is missing are left out."""
        found: dict[str, Entry] = {}
        for some in chunks(paths):
            listing = self.must("--literal-pathspecs", "ls-tree", "-z", "--full-tree", revision, "--", *some)
            for head, path in _records(listing):
                mode, kind, blob = head.split(" ")
                if kind != "tree":
                    found[path] = Entry(mode, blob)
        return found

    def staged(self, paths: Iterable[str], index: Path | None = None) -> dict[str, Entry]:
        """The entries of the index among `paths`; an unmerged path has the mode `unmerged`."""
        found: dict[str, Entry] = {}
        for some in chunks(paths):
            listing = self.must("--literal-pathspecs", "ls-files", "-s", "-z", "--", *some, index=index)
            for head, path in _records(listing):
                mode, blob, stage = head.split(" ")
                found[path] = Entry(mode if stage == "0" else "unmerged", blob)
        return found

    def head(self) -> str | None:
        """The commit that HEAD names."""
        done = self.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return done.output.decode().strip() if done.code == 0 else None


def failed(arguments: tuple[str, ...], done: Done) -> RelspecError:
    """RS640: a Git command that had no reason to fail."""
    verb = next(word for word in arguments if not word.startswith("-"))
    return RelspecError(
        Finding(
            "RS640",
            f"git {verb} failed: {done.last_words or f'exit code {done.code}'}",
            Where("HEAD"),
            "mend what it names, then run the same command again; nothing has changed",
        )
    )


def chunks(paths: Iterable[str]) -> Iterator[list[str]]:
    """The paths in groups that fit into the arguments of a command."""
    some: list[str] = []
    size = 0
    for path in paths:
        length = len(os.fsencode(path)) + 1
        if some and size + length > ARGUMENT_BYTES:
            yield some
            some, size = [], 0
        some.append(path)
        size += length
    if some:
        yield some


def joined(paths: Iterable[str]) -> bytes:
    """The paths as a command with `-z` reads them."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _records(listing: bytes) -> Iterator[tuple[str, str]]:
    for record in listing.split(b"\0"):
        if record:
            head, _, path = record.partition(b"\t")
            yield head.decode(), os.fsdecode(path)


def _has_terminal() -> bool:
    """Whether we have a controlling terminal: a process group of its own may not ask questions there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


def _environment(index: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return kept if index is None else kept | {"GIT_INDEX_FILE": str(index)}
