"""
What beat knows of schedules between fires: definition, state, and how their jobs look.

An entry is as old as the last answer of Redis about it. That it may be outdated is harmless: a
fire names the revision and the fire time that it was planned from, and is refused if they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Final

from beatline.beat.statistics import Statistics
from beatline.errors import BeatlineError, UndecodableJob
from beatline.occurrence_jobs import OccurrenceJobs, RegisteredTask
from beatline.planner import ScheduleState
from beatline.schedule import Schedule
from beatline.settings import Settings
from beatline.store.schedule_reading import names, read_many
from beatline.store.scheduling import StoredSchedule, set_aside
from beatline.wire.connection import HeldConnection

_log = logging.getLogger("beatline.beat.known_schedules")

#: Most schedules kept in memory, a few kB each.
_MOST: Final = 50_000
#: Schedules that are read ahead at once.
_PAGE_AHEAD: Final = 32


class Known:
    """
    One schedule as beat knows it.

    Attributes:
        stored: As it was read last; what our own fires have changed since stands beside it.
        schedule: Its definition.
        jobs: Makes its jobs.
        next_text: The next fire time as it is stored now; empty for none.
        next_ms, due_ms: The same as a number, and when it is due.
        decided_ms: The latest fire time that has been decided.
        runs: Jobs that it has made.
        period_ms: Time between its last two fire times; 0 before it was advanced here.
    """

    __slots__ = (
        "decided_ms",
        "due_ms",
        "jobs",
        "next_ms",
        "next_text",
        "period_ms",
        "runs",
        "schedule",
        "stored",
    )

    def __init__(self, stored: StoredSchedule, schedule: Schedule, jobs: OccurrenceJobs) -> None:
        self.schedule = schedule
        self.jobs = jobs
        self.period_ms = 0
        self.update(stored)

    def update(self, stored: StoredSchedule) -> None:
        """Take what has been read."""
        self.stored = stored
        self.next_text, self.next_ms, self.due_ms = stored.next_text, stored.next_ms, stored.due_ms
        self.decided_ms = stored.decided_ms
        self.runs = stored.counters.get("fired", 0)

    def advance(
        self, next_ms: int | None, due_ms: int | None, decided_ms: int | None, jobs: int
    ) -> None:
        """Note that we have advanced it."""
        if next_ms is not None and self.next_ms is not None:
            self.period_ms = next_ms - self.next_ms
        self.next_text = b"" if next_ms is None else b"%d" % next_ms
        self.next_ms, self.due_ms = next_ms, due_ms
        if decided_ms is not None:
            self.decided_ms = decided_ms
        self.runs += jobs

    def state(self) -> ScheduleState:
        """The state as the planner knows it."""
        stored, next_ms = self.stored, self.next_ms
        # A rest that ended before the next fire time decides nothing any more.
        resumed_ms, paused_ms = stored.resumed_at_ms, stored.paused_at_ms
        if resumed_ms is not None and next_ms is not None and next_ms >= resumed_ms:
            resumed_ms = paused_ms = None
        return ScheduleState(
            next_ms=next_ms,
            last_ms=self.decided_ms,
            applied_ms=stored.applied_ms or 0,
            runs=self.runs,
            paused_ms=paused_ms,
            resumed_ms=resumed_ms,
        )


class KnownSchedules:
    """
    The schedules of one partition that beat has met.

    Args:
        connection: Beat's working connection.
        prefix: The partition's key prefix.
        partition: Its number.
        settings: The app's.
        tasks: Registered tasks by name; empty where the app is not known.
        statistics: Counts what was set aside.
    """

    def __init__(
        self,
        connection: HeldConnection,
        prefix: bytes,
        *,
        partition: int,
        settings: Settings,
        tasks: Mapping[str, RegisteredTask],
        statistics: Statistics,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._partition = partition
        self._settings = settings
        self._tasks = tasks
        self._statistics = statistics
        self._known: dict[str, Known] = {}
        self._coming: list[tuple[int, int, str]] = []
        self._ahead: Iterator[str] = iter(())

    def get(self, name: str) -> Known | None:
        """What is known of a schedule, or None."""
        return self._known.get(name)

    def forget(self, name: str) -> None:
        """Read the schedule again before it is fired next."""
        self._known.pop(name, None)

    def start_over(self) -> None:
        """Others may have led, or the data changed meanwhile: read everything again."""
        self._known.clear()
        self._coming.clear()
        self._ahead = _flat(names(self._connection, self._prefix))

    def read_ahead(self) -> bool:
        """
        Read some schedules that are not known yet, before they are due; whether there are more.

        A page takes beat some 5 ms, for which a due job may have to wait.
        """
        page: list[str] = []
        for name in self._ahead:
            if name not in self._known:
                page.append(name)
            if len(page) == _PAGE_AHEAD:
                break
        if not page or len(self._known) >= _MOST:
            return False
        self.read(page)
        return True

    def expect(self, known: Known) -> None:
        """Remember when a schedule is due next; see `due_by`."""
        if known.due_ms is not None:
            heappush(self._coming, (known.due_ms, known.period_ms, known.stored.name))

    def in_order(self, due: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """
        Due schedules in the order in which they are fired: by instant, then by period.

        Of what is due at one instant, that which comes most often is fired first. So a schedule
        has about the same place each time, whatever else falls on the same instant, and the time
        between two fires is its period.
        """
        return sorted(due, key=self._place)

    def _place(self, due: tuple[str, int]) -> tuple[int, int]:
        known = self._known.get(due[0])
        return due[1], 0 if known is None else known.period_ms

    def due_by(self, now_ms: int, limit: int) -> list[tuple[str, int]]:
        """
        Schedules that are due as far as is known here, with their instants; most likely all.

        Each is named once. What others have changed is found out by firing.
        """
        found: list[tuple[str, int]] = []
        coming = self._coming
        while coming and coming[0][0] <= now_ms and len(found) < limit:
            due_ms, _period_ms, name = heappop(coming)
            known = self._known.get(name)
            if known is not None and known.due_ms == due_ms:
                found.append((name, due_ms))
        return found

    def read(self, wanted: Sequence[str]) -> None:
        """Read schedules anew; those that cannot be read are set aside."""
        self.adopt(stored for stored in read_many(self._connection, self._prefix, wanted) if stored)

    def adopt(self, found: Iterable[StoredSchedule]) -> None:
        """Know schedules that somebody has read."""
        for stored in found:
            known = self._known.get(stored.name)
            if stored.paused:
                self._known.pop(stored.name, None)
            elif known is not None and known.stored.revision == stored.revision:
                known.update(stored)
                self.expect(known)
            else:
                self._learn(stored)

    def _learn(self, stored: StoredSchedule) -> None:
        self._known.pop(stored.name, None)
        try:
            if stored.next_text and (stored.next_ms is None or stored.due_ms is None):
                raise UndecodableJob(f"next fire time {stored.next_text!r} is no instant")
            schedule = stored.schedule()
            jobs = OccurrenceJobs(
                schedule, self._partition, self._settings, self._tasks.get(schedule.task)
            )
        except (BeatlineError, ValueError) as error:
            self.set_aside(stored.name, error)
            return
        if len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        known = self._known[stored.name] = Known(stored, schedule, jobs)
        self.expect(known)

    def set_aside(self, name: str, error: Exception) -> None:
        """Take a schedule off the timeline that beat cannot work with, visibly (G13)."""
        self._known.pop(name, None)
        message = error.message if isinstance(error, BeatlineError) else repr(error)
        _log.error(
            "beat.schedule_set_aside schedule=%s error=%s remedy=%s",
            name,
            message,
            getattr(error, "remedy", "") or "declare it again; `sched status` lists it",
        )
        self._statistics.count("set_aside")
        set_aside(self._connection, self._prefix, name, message)


def _flat(pages: Iterator[list[str]]) -> Iterator[str]:
    for page in pages:
        yield from page
