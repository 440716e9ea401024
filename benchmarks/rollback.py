"""`relspec rollback` with proof and commit, beside a bare `git revert` of the same commit.

    .venv/bin/python benchmarks/rollback.py
    .venv/bin/python benchmarks/rollback.py --releases 10000

Without `--releases` in a repository with the sample company. Cold: a process of its own each time, of which Python's start
and imports are the larger part. Warm: the same verb once more in a process that has run it. The best of five.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from big_repository import Shape, build, release_id

from relspec.cli import relspec as program

RUNS = 5
ROOT = Path(__file__).resolve().parent.parent
RELSPEC = str(Path(sys.executable).parent / "relspec")
SAMPLE = ("environments", "registry", "bases", "charts", "rendered", "relspec.lock", ".gitignore")
IDENTITY = ("-c", "user.name=Ann", "-c", "user.email=ann@acme.example")


def git(folder: Path, *arguments: str) -> None:
    """Runs Git, and stops where it fails."""
    subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True)


def sample(folder: Path) -> str:
    """The sample company with one change; the release that changed."""
    folder.mkdir()
    for name in SAMPLE:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    subprocess.run(
        [RELSPEC, "set", "production/movie-recs", "api.replicas=12"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    git(folder, "commit", "-qam", "a change")
    return "production/movie-recs"


def large(folder: Path, releases: int) -> str:
    """Many releases in one folder, checked out; the release that the newest commit changed."""
    build(folder, Shape(releases, 4, merges=0))
    git(folder, "reset", "-q", "--hard")
    return release_id(3)


def best(folder: Path, run: Callable[[], object]) -> float:
    """The shortest of several runs, each on the same commit, in seconds."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True).stdout
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
        git(folder, "reset", "-q", "--hard", head.strip())
    return min(seconds)


def in_process(folder: Path, arguments: Sequence[str]) -> None:
    """The verb in this process."""
    with contextlib.redirect_stdout(io.StringIO()):
        code = program.main(["-C", str(folder), *arguments], standalone_mode=False)
    if code:
        raise SystemExit(f"relspec {' '.join(arguments)}: exit code {code}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=0, help="So many releases instead of the sample company.")
    arguments = parser.parse_args()
    os.environ.update(
        {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ann"), ("EMAIL", "a@b"))
        }
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "company"
        release = large(folder, arguments.releases) if arguments.releases else sample(folder)
        print(f"{arguments.releases or 'sample company'}: {release}")
        rows: dict[str, Callable[[], object]] = {
            "git revert": lambda: git(folder, "revert", "--no-edit", "HEAD"),
            "relspec --version": lambda: subprocess.run([RELSPEC, "--version"], check=True, stdout=subprocess.DEVNULL),
            "relspec rollback, cold": lambda: subprocess.run(
                [RELSPEC, "rollback", release], cwd=folder, check=True, stdout=subprocess.DEVNULL
            ),
            "relspec rollback, warm": lambda: in_process(folder, ["rollback", release]),
            "relspec rollback --dry-run, warm": lambda: in_process(folder, ["rollback", release, "--dry-run"]),
        }
        for name, run in rows.items():
            print(f"{name:36}{best(folder, run):7.3f} s", flush=True)


if __name__ == "__main__":
    main()
