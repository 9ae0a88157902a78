"""
The journal of the fault suite: what clients and bodies did, outside Redis.

One line per event, appended in one write, so that a process killed at any instant leaves whole
lines. Times are monotonic nanoseconds of the one machine that all processes share; the clock
skew that some scenarios set up does not touch them.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

#: Environment variable that tells processes where the journal is.
WHERE = "BEATLINE_FAULTS_JOURNAL"


@dataclass(frozen=True, slots=True)
class Event:
    """
    One line.

    Attributes:
        what: ``start``, ``step``, ``end`` and ``fail`` of a body; ``planned``, ``acked``,
            ``uncertain``, ``unsure`` and ``refused`` of a client's call.
        key: The job, by a name of the suite's own.
        fence: Token of the delivery; for a client's call how long it took, µs; for ``planned`` its
            countdown, ms.
        pid: Who wrote it.
        at_ns: When.
    """

    what: str
    key: str
    fence: int
    pid: int
    at_ns: int


class Journal:
    """
    One journal.

    Args:
        path: Its file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def events(self) -> list[Event]:
        """All events, in the order in which they were written."""
        found = []
        # A reader may see the first part of a line that is being written.
        whole, _, _ = self.path.read_text().rpartition("\n")
        for line in whole.splitlines():
            what, key, fence, pid, at_ns = line.split(" ")
            found.append(Event(what, key, int(fence), int(pid), int(at_ns)))
        return found

    def of(self, what: str, key: str | None = None) -> list[Event]:
        """The events of one kind, of one key or of all."""
        return [one for one in self.events() if one.what == what and key in (None, one.key)]

    def count(self, what: str, key: str | None = None) -> int:
        """How many events of a kind there are."""
        return len(self.of(what, key))


_descriptor: int | None = None


def write(what: str, key: str, fence: int = 0) -> None:
    """Append one event; forked children share the descriptor, and appends do not interleave."""
    global _descriptor  # noqa: PLW0603 - one descriptor per process tree
    if _descriptor is None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        _descriptor = os.open(os.environ[WHERE], flags, 0o600)
    os.write(_descriptor, f"{what} {key} {fence} {os.getpid()} {time.monotonic_ns()}\n".encode())
