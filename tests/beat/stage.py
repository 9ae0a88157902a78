"""
A stage for beat's roles: a real Redis, and a clock that stands still until a test moves it.

The scripts are told the stage's time instead of the server's, and the roles' own clock moves with
it, so that hours pass in no time and nothing sleeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from beatline.beat.partition_round import PartitionRound
from beatline.beat.roles import Cast
from beatline.beat.statistics import Statistics
from beatline.declared import Applied, DeclaredSet
from beatline.job import Job, read_job
from beatline.keys import prefix
from beatline.ledger import Occurrence, read_history
from beatline.schedule import Overlap, Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.settings import Settings
from beatline.store.schedule_reading import read_ledger
from beatline.store.scheduling import StoredSchedule
from beatline.triggers import build_timetable
from beatline.wire.connection import Endpoint, HeldConnection
from beatline.wire.scripts import Script, all_scripts

#: Where the stage's clock starts: 2026-01-05 00:00:00 UTC, a Monday, in ms.
MONDAY_MS = 1_767_571_200_000
SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000


def every(name: str, interval: str = "10s", **fields: Any) -> Schedule:
    """A schedule on a fixed grid; jobs run beside each other unless told otherwise."""
    bounds: dict[str, Any] = {
        key: fields.pop(key) for key in ("start", "end", "jitter") if key in fields
    }
    timetable = build_timetable({"every": interval, **bounds}, name)
    fields.setdefault("overlap", Overlap.ALLOW)
    fields.setdefault("task", "noop")
    return Schedule(name=name, timetable=timetable, **fields)


class Stage:
    """
    One partition of a namespace, a clock, and any number of beats.

    Args:
        url: Of a Redis of its own.
        settings: Of the app.
    """

    def __init__(self, url: str, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.prefix = prefix(self.settings.namespace, 0)
        self.connection = HeldConnection(Endpoint(url))
        self.books = ScheduleBooks(
            self.connection, self.settings.namespace, self.settings.partitions
        )
        for one in all_scripts():
            self.connection.call("SCRIPT", "LOAD", one.source)
        self.now_ms = 0
        self.set_clock(MONDAY_MS)

    # --- time -----------------------------------------------------------------------------------

    def set_clock(self, now_ms: int) -> None:
        """Move the clock to an instant."""
        self.now_ms = now_ms
        Script.injected_now_us = now_ms * 1_000

    def pass_ms(self, length_ms: int) -> None:
        """Let time pass in which nobody does anything."""
        self.set_clock(self.now_ms + length_ms)

    def monotonic(self) -> float:
        """The process's own clock, which moves with the stage's."""
        return self.now_ms / 1_000

    # --- beats ----------------------------------------------------------------------------------

    def beat(self, name: str = "beat", tasks: Any = None) -> PartitionRound:
        """A new beat, as after the start of its process."""
        statistics = Statistics()
        cast = Cast(
            HeldConnection(self.connection.endpoint),
            self.settings,
            tasks or {},
            name,
            {},
            statistics,
            self.monotonic,
        )
        return PartitionRound(cast.connection, self.prefix, cast.roles(0), self.monotonic)

    def play(self, beat: PartitionRound, length_ms: int, step_ms: int = 500) -> None:
        """Let a beat work for a while: a round at the beginning of each step and at the end."""
        until_ms = self.now_ms + length_ms
        self.settle(beat)
        while self.now_ms < until_ms:
            self.pass_ms(min(step_ms, until_ms - self.now_ms))
            self.settle(beat)

    def settle(self, beat: PartitionRound) -> None:
        """Rounds until nothing is due."""
        for _ in range(100):
            if beat.run() > 0:
                return
        raise AssertionError("a hundred rounds, and still something is due")

    # --- what is there --------------------------------------------------------------------------

    def declare(self, *schedules: Schedule) -> Applied:
        """Apply schedules as a set that is in charge of their sources."""
        return DeclaredSet.of(schedules).apply(self.books)

    def stored(self, name: str) -> StoredSchedule:
        """A schedule as it lies in Redis."""
        stored = self.books.read(name)
        assert stored is not None, f"there is no schedule {name}"
        return stored

    def history(self, name: str) -> list[Occurrence]:
        """What became of its occurrences."""
        return read_history(read_ledger(self.connection, self.prefix, name), latest=10_000)

    def fates(self, name: str) -> list[tuple[float, str]]:
        """(Seconds after the stage's start, fate) of each entry of the ledger."""
        return [
            ((entry.nominal_ms - MONDAY_MS) / 1_000, str(entry.fate))
            for entry in self.history(name)
        ]

    def jobs(self) -> list[Job]:
        """All jobs that there are, by nominal instant and id."""
        flat = self.connection.call("HGETALL", self.prefix + b"jobs")
        found = [read_job(raw, record) for raw, record in zip(flat[::2], flat[1::2], strict=True)]
        return sorted(found, key=lambda job: (job.nominal_ms or 0, job.id))

    def ready(self, queue: str = "default", priority: int = 4) -> list[bytes]:
        """Ids in a queue."""
        ids: list[bytes] = self.connection.call(
            "LRANGE", self.prefix + f"ready:{queue}:{priority}".encode(), 0, -1
        )
        return ids

    def timeline(self) -> dict[bytes, int]:
        """Member -> due, seconds after the stage's start."""
        flat = self.connection.call("ZRANGE", self.prefix + b"timeline", 0, -1, "WITHSCORES")
        return {
            member: (int(float(score)) - MONDAY_MS) // 1_000
            for member, score in zip(flat[::2], flat[1::2], strict=True)
        }

    def end_jobs(self, ids: Iterable[bytes] | None = None) -> None:
        """Let jobs be over, as far as overlap can tell: gone from Redis."""
        for raw in ids if ids is not None else [job.id for job in self.jobs()]:
            self.connection.call("HDEL", self.prefix + b"jobs", raw)

    def close(self) -> None:
        """Give the clock back to the server."""
        Script.injected_now_us = 0
        self.connection.close()
