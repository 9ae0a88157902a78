"""
Meters: what processes and Redis use of memory while a scenario goes on.

Of a process it is ``RssAnon`` of /proc, the resident pages of its heap: what it has mapped of files
does not count. Of Redis it is ``used_memory`` of INFO.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.servers import RedisProcess

#: Where a run counts as warmed up, and where its last part begins, as shares of all samples.
_WARM, _LATE = 0.25, 0.8

MIB = 1 << 20


@dataclass(slots=True)
class Meter:
    """
    One thing that is measured.

    Attributes:
        name: What the table calls it.
        read: Its bytes now; None when it has gone.
        samples: What was read so far.
    """

    name: str
    read: Callable[[], int | None]
    samples: list[int] = field(default_factory=list)

    @property
    def first(self) -> int:
        """Bytes at the first sample."""
        return self.samples[0]

    @property
    def warm(self) -> int:
        """Bytes after the warm-up: the median of the second quarter's first part."""
        at = round(len(self.samples) * _WARM)
        return round(median(self.samples[at : at + max(len(self.samples) // 10, 1)]))

    @property
    def late(self) -> int:
        """Bytes in the last part, the median."""
        return round(median(self.samples[round(len(self.samples) * _LATE) :]))

    @property
    def growth(self) -> int:
        """Bytes between the warm-up and the last part."""
        return self.late - self.warm

    def __str__(self) -> str:
        return (
            f"{self.name} {self.first / MIB:.1f} MiB at the start, {self.warm / MIB:.1f} warm,"
            f" {self.late / MIB:.1f} at the end"
        )


class Meters:
    """
    Reads all meters again and again, in a thread.

    Args:
        every_s: Seconds between two readings.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._meters: list[Meter] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def add_process(self, name: str, pid: int) -> None:
        """Measure a process that lives to the end."""
        self._meters.append(Meter(name, lambda: heap_bytes(pid)))

    def add_server(self, server: RedisProcess) -> None:
        """Measure Redis."""
        self._meters.append(Meter("Redis", lambda: used_memory(server)))

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> list[Meter]:
        """End; the meters with their samples."""
        self._is_over.set()
        self._thread.join()
        return self._meters

    def _run(self) -> None:
        due = time.monotonic()
        while not self._is_over.wait(max(due - time.monotonic(), 0)):
            due += self._every_s
            for meter in self._meters:
                read = meter.read()
                assert read is not None, f"{meter.name} has gone"
                meter.samples.append(read)


def heap_bytes(pid: int) -> int | None:
    """Anonymous resident memory of a process; None where it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("RssAnon:")]
    return int(found[0]) * 1024 if found else None


def used_memory(server: RedisProcess) -> int:
    """Bytes that Redis's data take, with its own."""
    with server.client() as client:
        return int(client.info("memory")["used_memory"])
