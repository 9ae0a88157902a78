"""Schedules of a scenario: a file for beat, and the occurrences that it names."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from beatline.keys import prefix
from tests.faults.checker import grid
from tests.faults.strain import strain
from tests.servers import RedisProcess, eventually

#: What it takes to start a scenario's processes on a machine at rest, seconds.
_START_S = 4.0


@dataclass(frozen=True, slots=True)
class Timetable:
    """
    What beat is told, and what must come of it.

    Attributes:
        path: The file.
        every_ms: Name -> interval.
        last_ms: The last instant of all schedules, UTC.
    """

    path: Path
    every_ms: dict[str, int]
    last_ms: int

    @property
    def prefixes(self) -> list[str]:
        """How the keys of its occurrences begin."""
        return [f"{name}@" for name in self.every_ms]

    def await_applied(self, server: RedisProcess) -> list[str]:
        """Wait until all schedules are live; keys of the occurrences that must run from then on."""

        def is_applied() -> bool:
            with server.client() as client:
                return int(client.hlen(prefix("sched", 0) + b"schedules")) == len(self.every_ms)

        eventually(is_applied, 30, what="all schedules to be live")
        # What is due while they are being applied may be left out: a new schedule does not look
        # back.
        first_ms = int(time.time() * 1000) + 500
        assert first_ms < self.last_ms - 3_000, "beats took too long to start"
        return [
            key
            for name, every_ms in self.every_ms.items()
            for key in grid([name], every_ms, first_ms, self.last_ms)
        ]

    def is_over(self) -> bool:
        """Whether the last occurrence has been due."""
        return time.time() * 1000 > self.last_ms

    def wait_for_end(self) -> None:
        """Wait until the last occurrence is due."""
        time.sleep(max(self.last_ms / 1000 - time.time(), 0))


def write_schedules(
    folder: Path,
    count: int,
    *,
    seconds: float,
    every_s: Sequence[int] = (1, 2),
    policies: str = "overlap: allow",
) -> Timetable:
    """
    A file of schedules that end by themselves.

    Args:
        folder: Where it goes.
        count: Number of schedules; their intervals take turns.
        seconds: Time until the last occurrence.
        every_s: The intervals.
        policies: Further keys of each schedule.
    """
    # Processes that start need a core each: what a strained machine takes longer is added.
    last_s = int(time.time() + seconds + _START_S * (strain() - 1))
    lines, every_ms = ["schedules:"], {}
    for number in range(count):
        name, every = f"s{number}", every_s[number % len(every_s)]
        every_ms[name] = every * 1000
        end = datetime.fromtimestamp(last_s, UTC).isoformat()
        lines.append(
            f"  {name}: {{task: tick, every: {every}s, args: [{name}], {policies}, end: '{end}'}}"
        )
    path = folder / "schedules.yaml"
    path.write_text("\n".join(lines) + "\n")
    return Timetable(path, every_ms, last_s * 1000)
