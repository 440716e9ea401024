"""`relspec plan` of a one-release change among many releases, beside bare Git commands over the same range.

    .venv/bin/python benchmarks/plan.py --releases 10000 --commits 1000

Each command runs in a process of its own, cold but for the page cache; the best of three. User time is what the program
itself takes; the real one also has what Git does meanwhile.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from big_repository import Shape, build

RUNS = 3
RELSPEC = str(Path(sys.executable).parent / "relspec")


def timed(folder: Path, command: Sequence[str]) -> tuple[float, float]:
    """Seconds of a command: real, and user together with that of the processes that it starts."""
    best = (float("inf"), float("inf"))
    for _ in range(RUNS):
        before, start = os.times(), time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = os.times()
        best = min(best, (time.perf_counter() - start, after.children_user - before.children_user))
    return best


def main() -> None:
    """Makes a repository and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=10_000)
    parser.add_argument("--commits", type=int, default=1_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = build(Path(folder) / "company", Shape(arguments.releases, arguments.commits))
        subprocess.run(["git", "reset", "-q", "--hard"], cwd=root, check=True)
        rows = {
            "relspec --version": [RELSPEC, "--version"],
            "git log of the whole history": ["git", "log", "--first-parent", "-m", "--raw", "-z", "--no-renames"],
            "git ls-tree of a commit": ["git", "ls-tree", "-r", "HEAD"],
            "git diff of two commits": ["git", "diff-tree", "-r", "HEAD~1", "HEAD"],
            "plan of a commit": [RELSPEC, "plan", "HEAD~1..HEAD"],
            "plan of a work tree": [RELSPEC, "plan", "HEAD~1"],
            "plan of a commit, markdown": [RELSPEC, "plan", "HEAD~1..HEAD", "--format", "markdown"],
        }
        print(f"{arguments.releases} releases, {arguments.commits} commits")
        print(f"{'':32}{'real':>8}{'user':>8}")
        for name, command in rows.items():
            real, user = timed(root, command)
            print(f"{name:32}{real:7.2f}s{user:7.2f}s")


if __name__ == "__main__":
    main()
