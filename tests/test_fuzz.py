"""Anything may be in a pull request: whatever the bytes, relspec answers with findings, soon, and never with a crash.

The sample company and the wrong specs are broken at random: bytes, lines, nodes of the documents, templates. Nothing is
known about what must be said, only that something is, in time, and that both YAML parsers mean the same.

    python tests/test_fuzz.py SECONDS     looks further than the tests do, and prints what it finds
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from company import Plain, on_disk
from relspec import documents
from relspec.compiler import Compiled, Compiler
from relspec.diagnostics import RelspecError
from relspec.tree import MemoryTree

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("environments", "registry", "bases", "templates", "charts")
LONGEST = 20.0
"""Seconds that one broken company may take on a busy machine; it takes a twentieth of one."""

NASTY: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    float("inf"),
    float("nan"),
    "",
    " ",
    "a" * 5000,
    "\u202e",
    "é\U0001f600",
    "{{ x }}",
    "{% for i in range(10**9) %}",
    "${HOME}",
    "$$",
    "../../../../etc/passwd",
    "/etc/passwd",
    "C:\\x",
    "-",
    "1.10",
    "0o17",
    "no",
    "als@",
    "@v1",
    "als@prod",
    "sha256:" + "0" * 64,
    "ghcr.io/a/b:1@sha256:" + "f" * 64,
    "1e400",
    "5m",
    "-5m",
    "99999999999d",
    "4 gigs",
    "9" * 400 + "Gi",
    "\u2028",
    "*",
    "a.b.c",
    "A",
    "x" * 64,
    [],
    {},
    [[]],
    [None],
    {"a": None},
    {"": ""},
    {"secret": "a/b"},
    {"model": "reference"},
    {"variable": "X", "default": "$y"},
    {"from": "."},
    {"from": "release.yaml"},
    {"min": 5, "max": 1},
    [{"setWeight": 10}, {"pause": {}}],
    {"canary": {"steps": []}},
    {"canary": {"weight": 10}},
    {"blueGreen": {"promote": "manual"}},
    {"http": 0},
)
KEYS = (
    *("services", "candidate", "variants", "active", "strategy", "overrides", "targets", "extends", "files", "env"),
    *("volumes", "init", "sidecars", "ports", "health", "replicas", "helm", "router", "expose", "analyses", "defaults"),
    *("policies", "rollback", "aliases", "quarantine", "lifecycle", "interface", "uses", "verify", "x", "", "<<", "1"),
)
BYTES = (
    b"\t",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"---\n",
    b"...\n",
    b"&a ",
    b"*a ",
    b"!!python/object:os.system ",
    b"? ",
)
BYTES += (
    b"{",
    b"}",
    b"[",
    b"]",
    b": ",
    b"- ",
    b"|\n",
    b">\n",
    b'"',
    b"'",
    b"#",
    b"%",
    b"\r\n",
    b"\x1b[31m",
    b"{{",
    b"%}",
)
BYTES += ("\u2028".encode(), "\ue000".encode(), b"<<: ", b"1_000", b"0x1F", b".inf", b"2026-01-01", b"yes")


@cache
def company() -> dict[str, bytes]:
    """The sample company's sources."""
    found = {f"{top}/{name}": data for top in SOURCES for name, data in on_disk(ROOT / top).items()}
    return {**found, "relspec.lock": (ROOT / "relspec.lock").read_bytes()}


@cache
def releases() -> tuple[str, ...]:
    """What is broken: mostly specs, now and then a template."""
    specs = [path for path in company() if path.endswith(".yaml") and not path.startswith(("charts", "templates"))]
    return tuple(sorted([*specs, *(path for path in company() if path.endswith(".j2"))]))


def nodes(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every node below the root, by its path."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from nodes(value, (*path, key))


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def with_a_broken_node(data: bytes, dice: random.Random) -> bytes:
    """A document of which some nodes are replaced, removed, renamed, repeated or moved."""
    try:
        document = yaml.load(data, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return data
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        paths = list(nodes(document))
        if not paths:
            break
        path = dice.choice(paths)
        holder, key = at(document, path[:-1]), path[-1]
        match dice.randrange(6):
            case 0 | 1:
                holder[key] = deepcopy(dice.choice(NASTY))
            case 2:
                del holder[key]
            case 3 if isinstance(holder, dict):
                holder[dice.choice(KEYS)] = holder.pop(key)
            case 4 if isinstance(holder, dict):
                holder[dice.choice(KEYS)] = deepcopy(dice.choice(NASTY))
            case _:
                holder[key] = deepcopy(at(document, dice.choice(paths)))
    try:
        return yaml.dump(document, Dumper=Plain, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, RecursionError):
        return data


def with_broken_bytes(data: bytes, dice: random.Random) -> bytes:
    """Bytes cut out, put in, repeated, swapped."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        start, end = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
        end = min(end, start + dice.choice((1, 5, 40)))
        match dice.randrange(5):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:start] + dice.choice(BYTES) + data[start:]
            case 2:
                data = data[:end] + data[start:end] * dice.choice((1, 3, 50)) + data[end:]
            case 3:
                data = data[:start] + bytes(dice.randrange(256) for _ in range(end - start)) + data[end:]
            case _:
                lines = data.splitlines(keepends=True)
                if lines:
                    line = dice.randrange(len(lines))
                    lines.insert(dice.randrange(len(lines)), b" " * dice.randrange(5) + lines[line])
                    data = b"".join(lines)
    return data


BREAKS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    with_a_broken_node,
    with_a_broken_node,
    with_broken_bytes,
)


def broken(seed: int) -> dict[str, bytes]:
    """The company with some files broken; the same for the same seed."""
    dice = random.Random(seed)
    files = dict(company())
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        path = dice.choice(releases())
        files[path] = dice.choice(BREAKS)(files[path], dice)
    if dice.random() < 0.1:
        del files[dice.choice(releases())]
    return files


def answered(files: dict[str, bytes]) -> Compiled:
    """What the compiler says of the files: AssertionError where it crashes, or thinks for too long."""
    start = time.perf_counter()
    compiled = Compiler(MemoryTree(files)).compile()
    took = time.perf_counter() - start
    crashes = [diagnostic for diagnostic in compiled.diagnostics if diagnostic.code == "RS900"]
    assert not crashes, crashes[0].message
    assert took < LONGEST, f"{took:.1f} s"
    for diagnostic in compiled.diagnostics:
        assert diagnostic.message
        assert diagnostic.message == diagnostic.message.strip()
    return compiled


SEEDS = st.integers(0, 2**48)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(SEEDS)
def test_a_broken_company_is_answered(seed: int) -> None:
    answered(broken(seed))


@pytest.mark.slow
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(SEEDS)
def test_both_parsers_mean_the_same_by_what_both_accept(seed: int) -> None:
    both_parsers_agree(seed)


def both_parsers_agree(seed: int) -> None:
    dice = random.Random(seed)
    path = dice.choice([name for name in releases() if name.endswith(".yaml")])
    data = dice.choice(BREAKS)(company()[path], dice)
    results = []
    for parse in (documents.parse, documents.parse_carefully):
        try:
            results.append(repr(parse(data, path)))
        except RelspecError:
            results.append("refused")
    assert results[0] == results[1]


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(SEEDS)
def test_what_compiles_is_written_in_full_and_the_same_again(seed: int) -> None:
    files = broken(seed)
    first = answered(files)
    if not first.stopped:
        again = Compiler(MemoryTree(dict(sorted(files.items(), reverse=True)))).compile()
        assert again.files == first.files
        assert again.diagnostics == first.diagnostics


def main(seconds: float) -> None:
    """Looks for crashes until the time is over; prints each kind once."""
    end = time.monotonic() + seconds
    seed = random.SystemRandom().randrange(2**48)
    known: set[str] = set()
    runs = slowest = 0.0
    while time.monotonic() < end:
        seed += 1
        runs += 1
        start = time.perf_counter()
        for test in (lambda: answered(broken(seed)), lambda: both_parsers_agree(seed)):  # noqa: B023
            try:
                test()
            except Exception as error:
                name = f"{type(error).__name__}: {error}"[:160]
                if name not in known:
                    known.add(name)
                    print(f"seed {seed}: {name}", flush=True)
        slowest = max(slowest, time.perf_counter() - start)
    print(f"{runs:.0f} runs, {len(known)} kinds of failure, the slowest took {slowest:.2f} s")


if __name__ == "__main__":
    main(float(sys.argv[1]))
