"""A drill of many releases, shared between processes: each release is drilled alone, so that nothing has to be told.

Processes are forked, so they start with all that is loaded. Each reads the repository by a Git of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context, util
from pathlib import Path

from relspec.discovery import Place
from relspec.gitops.drill import Clock, Drilled, drill
from relspec.gitops.repository import Repository
from relspec.gitops.states import History

ENOUGH = 100
"""Releases that are worth a process of its own."""

SHARE = 50
"""Releases that a process takes at a time."""


def shared_drill(history: History, places: Sequence[Place], clock: Clock) -> Iterator[Drilled]:
    """What `drill` gives, in the same order; with many releases and processors sooner."""
    processes = min(len(places) // ENOUGH, processors())
    if processes < 2:
        yield from drill(history, places, clock)
        return
    done = 0
    tasks = [
        (history.repository.root, history.head, tuple(places[start : start + SHARE]), clock)
        for start in range(0, len(places), SHARE)
    ]
    with ProcessPoolExecutor(processes, get_context("fork"), _begin) as pool:
        try:
            for found in pool.map(_share, tasks):
                done += len(found)
                yield from found
        except BrokenExecutor:  # one of them was killed, say for its memory: the rest goes one after the other
            yield from drill(history, places[done:], clock)
        finally:
            pool.shutdown(cancel_futures=True)


def processors() -> int:
    """How many processors this process may use, where processes can be forked with nothing half done."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts all of them: the first one ends the others


@cache
def _history(root: Path, head: str) -> History:
    """Of one process: what it read for a share serves the next one."""
    repository = Repository(root)
    util.Finalize(repository, repository.close, exitpriority=1)  # forked processes end without atexit
    return History(repository, head, many=True)


def _share(task: tuple[Path, str, tuple[Place, ...], Clock]) -> tuple[Drilled, ...]:
    root, head, places, clock = task
    return tuple(drill(_history(root, head), places, clock))
