"""A fleet of releases, end to end: microseconds a release and peak memory, from files on disk to files on disk.

    .venv/bin/python benchmarks/fleet.py --releases 1000

The releases differ in name, image, ports and variables, as those of a company do; each has one service, with Compose and
Rollouts as targets. Each way of compiling runs in a process of its own, so that none warms the next one up.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMPANY = Path(__file__).parent / "company"

RELEASE = """\
apiVersion: relspec/v1
kind: Release
name: {name}
services:
  api:
    model: als@v0.3
    image: ghcr.io/acme/{name}:1.{minor}.{patch}
    ports:
      http: {{port: {port}, publish: {publish}}}
    health: {{path: /healthz}}
    replicas: {replicas}
    env:
      LOG_LEVEL: info
      SHARD: shard-{number}
      MODEL_VERSION: {{model: version}}
      API_KEY: {{secret: {name}/api-key}}
    strategy:
      canary:
        steps:
          - setWeight: 10
          - pause: 5m
          - analyze: [success-rate]
          - setWeight: 50
          - pause: 10m
"""

IN_PROCESS = """\
import sys, time
from relspec.compiler import compile_tree
from relspec.tree import DirectoryTree

start = time.perf_counter()
compiled = compile_tree(DirectoryTree(sys.argv[1]))
seconds = time.perf_counter() - start
assert not compiled.stopped and len(compiled.files) == 3 * int(sys.argv[2]), compiled.diagnostics[:3]
print(seconds)
"""


def write_fleet(root: Path, releases: int) -> None:
    """The company of `benchmarks/company` with other releases: `releases` of them, in the folder `root`."""
    shutil.copytree(COMPANY / "registry", root / "registry")
    environment = root / "environments" / "production"
    environment.mkdir(parents=True)
    shutil.copy(COMPANY / "environments" / "production" / "environment.yaml", environment)
    for number in range(releases):
        folder = environment / f"recs-{number:05}"
        folder.mkdir()
        text = RELEASE.format(
            name=folder.name,
            number=number,
            minor=number % 40,
            patch=number % 7,
            port=8000 + number % 90,
            publish=20000 + number % 40000,
            replicas=2 + number % 4,
        )
        (folder / "release.yaml").write_text(text, encoding="utf-8")


def timed(command: list[str]) -> tuple[float, float, str]:
    """Seconds, the peak memory in MiB of this and all commands so far, and what the command prints."""
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, done.stdout


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", type=int, default=1000)
    releases = parser.parse_args().releases
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_fleet(root, releases)
        relspec = [sys.executable, "-m", "relspec", "-C", folder]
        print(f"{'of ' + str(releases) + ' releases':40}{'µs a release':>14}{'seconds':>10}{'MiB, at most':>14}")

        def row(name: str, seconds: float, memory: float) -> None:
            print(f"{name:40}{seconds / releases * 1e6:14.0f}{seconds:10.2f}{memory:14.0f}")

        _, memory, printed = timed([sys.executable, "-c", IN_PROCESS, folder, str(releases)])
        row("in process, reads included", float(printed), memory)
        for name, verb in (
            ("relspec compile, writes all", ["compile"]),
            ("relspec compile, nothing to write", ["compile"]),
            ("relspec compile --check", ["compile", "--check"]),
        ):
            seconds, memory, _ = timed([*relspec, *verb])
            row(name, seconds, memory)


if __name__ == "__main__":
    main()
