"""A schedule as it is live: what `app.schedules` answers with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from beatline.errors import BeatlineError
from beatline.schedule import Schedule
from beatline.store.scheduling import StoredSchedule
from beatline.units import moment_of


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """
    A schedule as it is live.

    Attributes:
        name: Its name.
        schedule: Its definition, or None where this version cannot read it.
        stored: What is stored of it: next and last fire time, pause, counters.
        problem: Why it cannot be read; empty where it can.
    """

    name: str
    schedule: Schedule | None
    stored: StoredSchedule
    problem: str = ""

    @property
    def task(self) -> str:
        """Name of the task; empty where the definition cannot be read."""
        return self.schedule.task if self.schedule else ""

    @property
    def source(self) -> str:
        """Who declared it."""
        return self.stored.source

    @property
    def paused(self) -> str:
        """Why it rests; empty where it does not."""
        return self.stored.paused

    @property
    def next_fire(self) -> datetime | None:
        """The next fire time, aware UTC; None where there is none or it rests."""
        next_ms = self.stored.next_ms
        return None if next_ms is None or self.stored.paused else moment_of(next_ms)

    @property
    def last_fire(self) -> datetime | None:
        """The last fire time that was fired or skipped, aware UTC; None before the first."""
        return None if self.stored.last_ms is None else moment_of(self.stored.last_ms)


def view_of(stored: StoredSchedule) -> ScheduleView:
    """The view of what is stored, with the problem where it cannot be read."""
    try:
        return ScheduleView(stored.name, stored.schedule(), stored)
    except BeatlineError as error:
        return ScheduleView(stored.name, None, stored, str(error))
