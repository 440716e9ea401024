"""A Git repository with many releases and a long history, made in seconds: what the benchmarks of the Git verbs read.

    .venv/bin/python benchmarks/big_repository.py FOLDER --releases 10000 --commits 10000

Specs and outputs are committed together, as `relspec compile` would have written them: one release is compiled, and the
others differ from it in nothing but a name and an image tag of the same length.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPANY = Path(__file__).parent / "company"
BEGIN = 1_767_225_600
"""2026-01-01T00:00:00Z: when the first commit was made; each next one follows a minute later."""

NAME, TAG = "recs-77777", "1.99.88888"
RELEASE = f"""\
apiVersion: relspec/v1
kind: Release
name: {NAME}
services:
  api:
    model: als@v0.3
    image: ghcr.io/acme/recs:{TAG}
    ports: {{http: 8080}}
    health: {{path: /healthz}}
    replicas: 3
    env:
      LOG_LEVEL: info
      MODEL_VERSION: {{model: version}}
    strategy:
      canary:
        steps:
          - setWeight: 10
          - pause: 5m
          - analyze: [success-rate]
          - setWeight: 50
          - pause: 10m
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the repository is, and what its commits do.

    Every `focus`-th commit changes the first release, the others one after the other of the rest; every tenth change is
    the revert of the one before it. `merges`: every so manieth commit is a merge of a branch. `outputs`: whether rendered/
    is committed, too.
    """

    releases: int
    commits: int
    focus: int = 10
    merges: int = 25
    outputs: bool = True


def build(folder: Path, shape: Shape) -> Path:
    """Makes the repository in `folder`, with nothing checked out, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    importer = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, stdin=subprocess.PIPE)
    assert importer.stdin is not None
    for piece in _stream(shape):
        importer.stdin.write(piece)
    importer.stdin.close()
    if importer.wait() != 0:
        raise SystemExit("git fast-import failed")
    return folder


def release_id(number: int) -> str:
    """The id of a release by its number."""
    return f"production/recs-{number:05}"


def _stream(shape: Shape) -> Iterator[bytes]:
    """What `git fast-import` reads."""
    files = _files(outputs=shape.outputs)
    tags = [f"1.00.{number:05}" for number in range(shape.releases)]
    before = list(tags)
    shared = {path.relative_to(COMPANY).as_posix(): path.read_bytes() for path in sorted(COMPANY.rglob("*.yaml"))}
    shared = {path: data for path, data in shared.items() if not path.endswith("release.yaml") and "charts" not in path}
    yield _commit(1, "first", 0, None, None)
    for path, data in shared.items():
        yield _file(path, data)
    yield _file("relspec.lock", _lock())
    for number, tag in enumerate(tags):
        yield from _written(files, number, tag)
    mark, other = 1, 0
    for count in range(1, shape.commits):
        if count % shape.focus == 0 or shape.releases == 1:
            number = 0
        else:
            other = other % (shape.releases - 1) + 1
            number = other
        back = count % (10 * shape.focus) == 0
        before[number], tags[number] = (
            tags[number],
            before[number] if back else f"1.{count // 100000 + 1:02}.{count % 100000:05}",
        )
        subject = f'Revert "{release_id(number)}"' if back else f"{release_id(number)}: {tags[number]}"
        if shape.merges and count % shape.merges == 0:
            yield _commit(mark + 1, subject, count, mark, None, branch="topic")
            yield from _written(files, number, tags[number])
            yield _commit(mark + 2, f"Merge pull request #{count} from acme/topic\n\n{subject}", count, mark, mark + 1)
            yield from _written(files, number, tags[number])
            mark += 2
        else:
            yield _commit(mark + 1, subject, count, mark, None)
            yield from _written(files, number, tags[number])
            mark += 1
    yield b"done\n"


def _commit(mark: int, message: str, count: int, parent: int | None, other: int | None, branch: str = "main") -> bytes:
    text = message.encode()
    lines = [
        f"commit refs/heads/{branch}",
        f"mark :{mark}",
        f"committer Ann <ann@acme.example> {BEGIN + 60 * count} +0000",
    ]
    head = "\n".join([*lines, f"data {len(text)}", message, ""])
    head += f"from :{parent}\n" if parent is not None else ""
    head += f"merge :{other}\n" if other is not None else ""
    return head.encode()


def _written(files: dict[str, bytes], number: int, tag: str) -> Iterator[bytes]:
    name = f"recs-{number:05}"
    for path, data in files.items():
        yield _file(
            path.replace(NAME, name), data.replace(NAME.encode(), name.encode()).replace(TAG.encode(), tag.encode())
        )


def _file(path: str, data: bytes) -> bytes:
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def _files(*, outputs: bool) -> dict[str, bytes]:
    """The spec and the outputs of one release."""
    from relspec.compiler import compile_tree
    from relspec.tree import MemoryTree

    spec = f"environments/production/{NAME}/release.yaml"
    found = {spec: RELEASE.encode()}
    if outputs:
        kept = {path.relative_to(COMPANY).as_posix(): path.read_bytes() for path in COMPANY.rglob("*.yaml")}
        tree = {path: data for path, data in kept.items() if not path.endswith("release.yaml") and "charts" not in path}
        compiled = compile_tree(MemoryTree({**tree, **found, "relspec.lock": _lock()}))
        assert not compiled.stopped, compiled.diagnostics
        found |= compiled.files
    return found


def _lock() -> bytes:
    from relspec.lock import text

    return text()


def main() -> None:
    """Makes one, to be looked at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--releases", type=int, default=10_000)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--focus", type=int, default=10)
    arguments = parser.parse_args()
    build(arguments.folder, Shape(arguments.releases, arguments.commits, arguments.focus))


if __name__ == "__main__":
    main()
