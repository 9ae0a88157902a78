"""
What beat knows of schedules between fires: definition, state, and how their jobs look.

An entry is as old as the last answer of Redis about it. That it may be outdated is harmless: a
fire names the revision and the fire time that it was planned from, and is refused if they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from beatline.beat.occurrence_jobs import OccurrenceJobs, RegisteredTask
from beatline.beat.statistics import Statistics
from beatline.errors import BeatlineError, UndecodableJob
from beatline.schedule import Schedule
from beatline.settings import Settings
from beatline.store.scheduling import StoredSchedule, read_many, set_aside
from beatline.wire.connection import HeldConnection

_log = logging.getLogger("beatline.beat.known_schedules")

#: Most schedules kept in memory, a few kB each.
_MOST: Final = 50_000


class Known:
    """
    One schedule as beat knows it.

    Attributes:
        stored: As it was read, or as it is after our own fires.
        schedule: Its definition.
        jobs: Makes its jobs.
    """

    __slots__ = ("jobs", "schedule", "stored")

    def __init__(self, stored: StoredSchedule, schedule: Schedule, jobs: OccurrenceJobs) -> None:
        self.stored = stored
        self.schedule = schedule
        self.jobs = jobs


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

    def get(self, name: str) -> Known | None:
        """What is known of a schedule, or None."""
        return self._known.get(name)

    def forget(self, name: str) -> None:
        """Read the schedule again before it is fired next."""
        self._known.pop(name, None)

    def forget_all(self) -> None:
        """Others may have led meanwhile: read everything again."""
        self._known.clear()

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
                known.stored = stored
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
        self._known[stored.name] = Known(stored, schedule, jobs)

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
