"""Signals while something is half done: remembered, passed on to the program that is waited for, answered afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from relspec.diagnostics import Finding, RelspecError, Where

DEFERRED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(BaseException):
    """A signal came: the work under way is to be undone. No `except Exception` may swallow it."""


class Deferred:
    """The signal that came, if one did, and the program that it has to reach."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._leads = False

    def arrive(self, number: int, frame: FrameType | None = None) -> None:
        """Keeps a signal and tells the program that is waited for; the second one ends it at once."""
        again = self.number is not None
        self.number = self.number or number
        self._pass_on(signal.SIGKILL if again else number)

    def check(self) -> None:
        """Raises StoppedError if a signal came."""
        if self.number is not None:
            raise StoppedError

    def wait(self, child: subprocess.Popen[bytes], *, leads: bool) -> int:
        """The exit code of a program that may take long; a signal reaches it too, even one that came just before.

        `leads` says that it has a process group of its own, all of which gets the signal.
        """
        self._child, self._leads = child, leads
        try:
            if self.number is not None:
                self._pass_on(self.number)
            return child.wait()
        finally:
            self._child = None

    def _pass_on(self, number: int) -> None:
        child = self._child
        if child is None or child.poll() is not None:
            return
        if self._leads:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)
        else:
            child.send_signal(number)

    @property
    def name(self) -> str:
        """SIGTERM and the like; empty where none came."""
        return signal.Signals(self.number).name if self.number is not None else ""


@contextmanager
def deferred() -> Iterator[Deferred]:
    """Defers SIGINT, SIGTERM and SIGHUP while the block runs, unless the caller ignores them.

    A block that lets StoppedError out was stopped by the signal: it then gets its usual meaning (KeyboardInterrupt, the
    end of the process, or whatever the caller's handler does). Where the process survives that, RelspecError RS643 says
    that nothing was done. Outside of the main thread, where Python gets no signals, nothing is deferred.
    """
    held = Deferred()
    before = {}
    stopped = False
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in DEFERRED}
        # A handler that wasn't set from Python (None) could not be put back; an ignored signal stays ignored (nohup).
        before = {number: old for number, old in before.items() if old not in (None, signal.SIG_IGN)}
    try:
        for number in before:
            signal.signal(number, held.arrive)
        yield held
    except StoppedError:
        stopped = True
    finally:
        for number, old in before.items():
            signal.signal(number, old)
    if stopped and held.number is not None:
        signal.raise_signal(held.number)
        raise RelspecError(
            Finding(
                "RS643",
                f"stopped by {held.name}; HEAD, index and work tree are as they were",
                Where("HEAD"),
                "run the same command again",
            )
        )
