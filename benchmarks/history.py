"""The history of a release and a drill of all, end to end, beside bare Git over the same range.

    .venv/bin/python benchmarks/history.py --releases 10 --commits 10000
    .venv/bin/python benchmarks/history.py --releases 10000 --commits 10000 --keep /tmp/big

Every tenth commit changes the release whose history is asked for; specs and outputs lie in one folder each. A repository
that is kept is used again.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from big_repository import Shape, build, release_id

LOG = ("log", "--first-parent", "-m", "--raw", "-z", "--no-renames", "--no-abbrev", "--format=tformat:%H")


@contextlib.contextmanager
def repository(shape: Shape, kept: Path | None) -> Iterator[Path]:
    """A repository of this shape, with relspec.lock checked out: it is what makes a folder a repository of releases."""
    with tempfile.TemporaryDirectory() as folder:
        root = kept or Path(folder)
        if not (root / ".git").is_dir():
            build(root, shape)
            subprocess.run(["git", "checkout", "-q", "main", "--", "relspec.lock"], cwd=root, check=True)
        yield root


def timed(command: list[str], root: Path) -> tuple[float, float]:
    """How long a command takes, and what of that processors worked for it: the best of two runs."""
    best: list[tuple[float, float]] = []
    for _ in range(2):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best.append((time.perf_counter() - start, worked))
    return min(best)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=10)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--focus", type=int, default=10, help="Every so manieth commit changes the first release.")
    parser.add_argument("--drill", action="store_true", help="Also a drill of all releases.")
    parser.add_argument("--keep", type=Path, help="Make the repository here, and leave it.")
    arguments = parser.parse_args()
    shape = Shape(arguments.releases, arguments.commits, arguments.focus)
    relspec = [sys.executable, "-m", "relspec"]
    first, other = release_id(0), release_id(arguments.releases - 1)
    rows = [
        ("git log of all commits", ["git", *LOG]),
        ("git ls-tree -r HEAD", ["git", "ls-tree", "-r", "HEAD"]),
        ("relspec --version", [*relspec, "--version"]),
        (f"history, one change in {shape.focus}", [*relspec, "history", first]),
        ("history, of another release", [*relspec, "history", other]),
        ("history --limit 10 --format json", [*relspec, "history", first, "--limit", "10", "--format", "json"]),
        ("history --at, the middle", [*relspec, "history", first, "--at", "2026-01-04T00:00Z"]),
        ("drill of one release", [*relspec, "drill", first]),
    ]
    if arguments.drill:
        rows.append(("drill of all releases", [*relspec, "drill"]))
    with repository(shape, arguments.keep) as root:
        print(f"{f'{shape.releases} releases, {shape.commits} commits':40}{'seconds':>10}{'of work':>10}")
        for name, command in rows:
            seconds, worked = timed(command, root)
            print(f"{name:40}{seconds:10.2f}{worked:10.2f}", flush=True)


if __name__ == "__main__":
    main()
