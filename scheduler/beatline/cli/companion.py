"""
A companion: a ``sched`` command that runs as a child of another one, and is started again.

It gets a process group of its own, so that a terminal's Ctrl-C reaches its parent alone, which
then ends everything in order. It ends by itself when its parent is gone (`beatline.cli.lifeline`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final

#: Shortest and longest pause before a companion is started again, seconds; doubled each time.
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
#: A companion that lived so long starts with the shortest pause again, seconds.
_SOUND_S: Final = 60.0
#: Exit codes with which starting again would end the same way: wrong use, app not loadable.
HOPELESS: Final = (2, 4)


class How(StrEnum):
    """How a companion is asked to end."""

    #: Finish what runs.
    WARM = "warm"
    #: Hand back what runs.
    COLD = "cold"
    #: At once, by the kernel.
    KILL = "kill"


_SIGNALS: Final = {
    How.WARM: signal.SIGTERM,
    How.COLD: signal.SIGQUIT,
    How.KILL: signal.SIGKILL,
}


class Companion:
    """
    One command, run as often as it takes.

    Args:
        name: What it is called in messages: ``beat`` or ``worker``.
        arguments: What follows ``sched``.
        captured: Whether its output goes through `output` instead of to ours.

    Attributes:
        restarts: How often it was started again.
    """

    def __init__(self, name: str, arguments: Sequence[str], *, captured: bool) -> None:
        self.name = name
        self._arguments = list(arguments)
        self._captured = captured
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._started_at = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._start_at: float | None = None
        self.restarts = 0

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self.is_running else None

    @property
    def output(self) -> int | None:
        """The descriptor of its captured output, or None."""
        if self._process is None or self._process.stdout is None:
            return None
        return self._process.stdout.fileno()

    def start(self, now: float) -> None:
        """Start the process; ``now`` is on the monotonic clock."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "beatline.cli", *self._arguments, "--lifeline"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if self._captured else None,
            stderr=subprocess.STDOUT if self._captured else None,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            process_group=0,
        )
        if self._process.stdout is not None:
            os.set_blocking(self._process.stdout.fileno(), False)
        self._started_at = now
        self._start_at = None

    def read_lines(self) -> list[str]:
        """The whole lines that it has written since the last call."""
        descriptor = self.output
        if descriptor is None:
            return []
        with suppress(BlockingIOError):
            while piece := os.read(descriptor, 65_536):
                self._rest += piece
        *lines, self._rest = self._rest.split(b"\n")
        if not self.is_running and self._rest:
            lines.append(self._rest)
            self._rest = b""
        return [line.decode("utf-8", "replace").rstrip("\r") for line in lines]

    def take_end(self, now: float) -> int | None:
        """Its exit code, once after each end; None while it runs or waits to be started."""
        if self._process is None or self._process.poll() is None:
            return None
        code = self._process.returncode
        self._close()
        if now - self._started_at >= _SOUND_S:
            self._pause_s = FIRST_PAUSE_S
        self._start_at = now + self._pause_s
        return code

    @property
    def pause_s(self) -> float:
        """How long it waits before it is started again, after its last end."""
        return self._pause_s

    def start_again(self, now: float) -> bool:
        """Start it if its pause is over; whether it was started."""
        if self._start_at is None or now < self._start_at:
            return False
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self.restarts += 1
        self.start(now)
        return True

    def ask_to_end(self, how: How) -> None:
        """Send the signal that means this; a companion that is gone is no error."""
        self._start_at = None
        if self._process is not None and self.is_running:
            self._process.send_signal(_SIGNALS[how])

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it has ended."""
        if self._process is not None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
        return True

    def _close(self) -> None:
        ended, self._process = self._process, None
        for pipe in (ended.stdin, ended.stdout) if ended is not None else ():
            if pipe is not None:
                pipe.close()


def told_end(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
