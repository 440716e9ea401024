"""Git's objects, read where nothing of the repository's own settings is in force.

Git runs in a temporary bare GIT_DIR that borrows the repository's objects (`objects/info/alternates`). So its fsmonitor,
filters, text conversions, merge drivers, hooks, pager, aliases and ssh command have nowhere to start from, a missing
object is not fetched behind anybody's back, and what a prediction writes ends up beside the user's object store.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, cast

from relspec.diagnostics import Finding, RelspecError, Where

if TYPE_CHECKING:
    from io import BufferedReader

ObjectKind = Literal["commit", "tree", "blob", "tag"]

PIPELINED = 256
"""Objects that are asked for before the first answer is read: well below what a pipe holds, so nobody waits for the other."""

SHARED = 2000
"""Questions about names in folders from which on two processes answer."""

KEPT = ("PATH", "HOME", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH")
"""What Git gets of the caller's environment: where programs lie, and nothing that steers them."""

MERGE_SETTINGS = (
    r"^(merge\.(renames|renamelimit|directoryrenames|renormalize|default)|diff\.(renames|renamelimit|algorithm))$"
)
"""Settings of the user that decide what a merge gives and that can't start a program."""


def environment(git_dir: Path | str) -> dict[str, str]:
    """The environment of a Git that reads: no settings but those of `git_dir`, no terminal, no locks, no network."""
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        "GIT_DIR": str(git_dir),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_PAGER": "cat",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


class GitFailedError(Exception):
    """A Git command that ended with an error: its arguments, exit code and words."""

    def __init__(self, arguments: Sequence[str], code: int, output: bytes, words: str) -> None:
        super().__init__(f"git {' '.join(arguments)}: {words.strip() or f'exit code {code}'}")
        self.code = code
        self.output = output
        self.words = words


class Objects:
    """The objects of a repository. `object_format` is sha1 or sha256; `refs` are names by id, HEAD among them."""

    def __init__(
        self,
        objects: Path,
        *,
        object_format: str,
        refs: Mapping[str, str],
        head: str | None,
        shallow: Path | None,
        settings: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.id_length = 32 if object_format == "sha256" else 20
        self.folder = Path(tempfile.mkdtemp(prefix="relspec-git-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer = weakref.finalize(self, _remove, self.folder, [])
        for name in ("objects/info", "refs/heads", "info"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "HEAD").write_text(f"{head or 'ref: refs/heads/none'}\n", encoding="ascii")
        (self.folder / "objects/info/alternates").write_bytes(_quoted(objects) + b"\n")
        (self.folder / "config").write_text(_settings(object_format, settings), encoding="utf-8")
        named = sorted((os.fsencode(name), target) for name, target in refs.items() if name.startswith("refs/"))
        lines = [b"%s %s\n" % (target.encode("ascii"), name) for name, target in named]
        (self.folder / "packed-refs").write_bytes(b"# pack-refs with: sorted \n" + b"".join(lines))
        if shallow is not None:
            shutil.copyfile(shallow, self.folder / "shallow")

    def git(
        self, *arguments: str, data: bytes | None = None, check: bool = True, extra: Mapping[str, str] | None = None
    ) -> bytes:
        """What a Git command prints. Raises GitFailedError where it fails, unless `check` is off."""
        result = subprocess.run(
            ["git", *arguments],
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            env={**environment(self.folder), **(extra or {})},
            cwd=self.folder,
            check=False,
        )
        if check and result.returncode != 0:
            words = result.stderr.decode("utf-8", "replace")
            raise GitFailedError(arguments, result.returncode, result.stdout, words)
        return result.stdout

    def stream(self, *arguments: str) -> Iterator[bytes]:
        """The NUL-separated words of a long answer, as they come. The process ends with the iterator.

        Raises GitFailedError where it breaks off: half of an answer must not pass for the whole.
        """
        process = subprocess.Popen(
            ["git", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(self.folder),
            cwd=self.folder,
        )
        try:
            rest = b""
            output = cast("BufferedReader", process.stdout)  # what there is, without waiting for more
            while chunk := output.read1(1 << 16):
                words = (rest + chunk).split(b"\0")
                rest = words.pop()
                yield from words
            if rest:
                yield rest
            if process.wait() != 0:
                raise GitFailedError(arguments, process.returncode, b"", "")
        finally:
            process.kill()
            cast("IO[bytes]", process.stdout).close()
            process.wait()

    def inside(self, asked: Iterable[tuple[str, str | None]]) -> list[str]:
        """The id of what lies in a folder under a name, for many pairs of a tree object's id and a name: empty for nothing.

        Without a name: the tree object's own id, where this clone has it. Large folders are unpacked for this, so a long
        list is shared between two processes.
        """
        pairs = list(asked)
        plain = [pair for pair in pairs if "\n" not in (pair[1] or "")]
        lines = [tree if name is None else f"{tree}:{name}" for tree, name in plain]
        found = dict(zip(plain, self._shared(lines) if len(lines) > SHARED else self._names(lines), strict=True))
        return [found[pair] if pair in found else self._name(pair) for pair in pairs]

    def _shared(self, lines: Sequence[str]) -> list[str]:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms that short lists don't need

        half = len(lines) // 2
        with ThreadPoolExecutor(2) as pool:
            return [answer for part in pool.map(self._names, (lines[:half], lines[half:])) for answer in part]

    def _names(self, lines: Sequence[str]) -> list[str]:
        if not lines:
            return []
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        answers = self.git("cat-file", "--batch-check=%(objectname)", data=data).split(b"\n")[:-1]
        return ["" if b" " in answer else answer.decode("ascii") for answer in answers]

    def _name(self, pair: tuple[str, str | None]) -> str:
        """The same where the name is no line."""
        words = f"{pair[0]}:{pair[1]}"
        return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", words, check=False).decode().strip()

    # --- objects by id

    def read(self, name: str) -> tuple[ObjectKind, bytes] | None:
        """One object; None where this clone does not have it."""
        return next(self.read_all((name,)))

    def read_all(self, names: Iterable[str]) -> Iterator[tuple[ObjectKind, bytes] | None]:
        """Objects in the order of their ids, asked for many at a time."""
        waiting = list(names)
        for start in range(0, len(waiting), PIPELINED):
            batch = waiting[start : start + PIPELINED]
            requests, answers = self._pipes()
            requests.write("".join(f"{name}\n" for name in batch).encode())
            requests.flush()
            # All answers are taken before the first is given away: a caller that stops must not leave half of them.
            yield from [_answer(answers) for _ in batch]

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        process = self._process
        if process is None or process.poll() is not None:
            process = subprocess.Popen(
                ["git", "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(self.folder),
                cwd=self.folder,
            )
            self._process = process
            self._finalizer.detach()
            self._finalizer = weakref.finalize(self, _remove, self.folder, [process])
        return cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)

    def close(self) -> None:
        """Ends the process and removes the folder; nothing can be read afterwards."""
        self._finalizer()


def _answer(answers: IO[bytes]) -> tuple[ObjectKind, bytes] | None:
    """One answer of `cat-file --batch`: `<id> <kind> <size>`, the content, a newline; or `<id> missing`."""
    header = answers.readline()
    words = header.split()
    if len(words) == 3 and words[1] in (b"commit", b"tree", b"blob", b"tag"):
        content = answers.read(int(words[2]) + 1)
        kind: ObjectKind = words[1].decode()  # type: ignore[assignment]
        return kind, content[:-1]
    if not header:
        raise RelspecError(Finding("RS606", "git ended while it was read", Where(""), "run: git fsck"))
    return None


def _remove(folder: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _quoted(path: Path) -> bytes:
    """A path as a line of `alternates`: in C's quotes where it would not be one line (gitrepository-layout)."""
    data = os.fsencode(path)
    if data.startswith((b'"', b"#")) or b"\n" in data or b'"' in data:
        escaped = data.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
        return b'"' + escaped + b'"'
    return data


def _settings(object_format: str, settings: Sequence[tuple[str, str]]) -> str:
    version = 1 if object_format != "sha1" else 0
    lines = ["[core]", f"\trepositoryformatversion = {version}", "\tbare = true"]
    if version:
        lines += ["[extensions]", f"\tobjectFormat = {object_format}"]
    for name, value in settings:
        section, _, key = name.partition(".")
        plain = value if re.fullmatch(r"-?[A-Za-z0-9]+", value) else "true"
        lines += [f"[{section}]", f"\t{key} = {plain}"]
    return "\n".join(lines) + "\n"
