"""What became of every occurrence: the questions and assertions of a test."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from typing import Final

from beatline.errors import WrongUse
from beatline.ledger import Fate, Occurrence
from beatline.schedule import Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.testing.beat_driver import BeatDriver
from beatline.testing.chronicle import Chronicle
from beatline.testing.comparing import cut, difference, fire_time, moment_text, occurrence_text
from beatline.testing.manual_clock import ManualClock
from beatline.triggers.reading import read_moment_ms
from beatline.units import moment_of

#: A moment: ISO 8601 text or a datetime; without a zone it is wall time, and a date its midnight.
Moment = str | datetime | date
#: Most lines of a failed assertion.
_MOST_LINES: Final = 40


class Findings:
    """
    What a time machine has found; it is asked while it is on.

    Args:
        clock: What time it is.
    """

    _beat: BeatDriver
    _books: ScheduleBooks
    _chronicle: Chronicle

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._start_ms = clock.now_ms

    def fires(self, name: str) -> list[Occurrence]:
        """The occurrences of a schedule that made jobs, oldest fire time first."""
        return [one for one in self.occurrences(name) if one.enqueued_ms is not None]

    def fire_times(self, name: str) -> list[datetime]:
        """The fire times that made jobs, aware, in the schedule's zone."""
        where = self._zone_of(name)
        return [fire_time(one, where) for one in self.fires(name)]

    def occurrences(self, name: str) -> list[Occurrence]:
        """What became of each occurrence: fired, skipped or missed; oldest fire time first."""
        self._check_on()
        self._schedule_of(name)
        return self._chronicle.occurrences(name, self._beat.planned_of(name))

    def next_fire(self, name: str) -> datetime | None:
        """The next fire time in the schedule's zone; None where there is none, or it rests."""
        where = self._zone_of(name)
        stored = self._books.read(name)
        if stored is None or stored.paused or stored.next_ms is None:
            return None
        return moment_of(stored.next_ms).astimezone(where)

    def assert_fires(
        self,
        name: str,
        expected: Iterable[Moment],
        *,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> None:
        """
        Fail unless a schedule made jobs at exactly these fire times.

        Args:
            name: The schedule.
            expected: Fire times; without a zone they are wall time in the schedule's.
            since: Looks at fire times from then on only; the start by default.
            until: Looks at fire times up to then only; now by default.
        """
        schedule = self._schedule_of(name)
        where = schedule.timetable.zone
        wanted = [read_moment_ms(one, "expected", where) for one in expected]
        from_ms = self._start_ms if since is None else read_moment_ms(since, "since", where)
        to_ms = self._clock.now_ms if until is None else read_moment_ms(until, "until", where)
        seen = [one for one in self.occurrences(name) if from_ms <= one.nominal_ms <= to_ms]
        __tracebackhide__ = True  # pytest shows the line of the test instead
        told = difference(name, wanted, seen, where.tzinfo)
        if told:
            raise AssertionError(told)

    def assert_count(self, name: str, count: int) -> None:
        """Fail unless a schedule made so many jobs."""
        fires = self.fires(name)
        if len(fires) != count:
            __tracebackhide__ = True
            where = self._zone_of(name)
            times = [f"  {moment_text(one.nominal_ms, where)}" for one in fires]
            head = f"schedule {name!r} fired {len(fires)} times, not {count}:"
            raise AssertionError("\n".join([head, *cut(times, _MOST_LINES)]))

    def assert_all_fired(self, *names: str) -> None:
        """Fail if an occurrence was skipped or missed, of these schedules or of all."""
        told: list[str] = []
        for name in names or self._chronicle.names:
            where = self._zone_of(name)
            lost = [
                one for one in self.occurrences(name) if one.fate in (Fate.SKIPPED, Fate.MISSED)
            ]
            told += [f"  {name}: {occurrence_text(one, where)}" for one in lost]
        if told:
            __tracebackhide__ = True
            head = "occurrences that made no job:"
            raise AssertionError("\n".join([head, *cut(told, _MOST_LINES)]))

    def _schedule_of(self, name: str) -> Schedule:
        self._check_on()
        schedule = self._beat.schedule(name)
        if schedule is None:
            known = ", ".join(sorted(self._books.read_all())) or "none at all"
            raise WrongUse(f"there is no schedule {name!r}", remedy=f"there are: {known}")
        return schedule

    def _zone_of(self, name: str) -> tzinfo:
        found: tzinfo = self._schedule_of(name).timetable.zone.tzinfo
        return found

    def _check_on(self) -> None:
        """
        Refuse what only works while the machine is on.

        Raises:
            WrongUse: It is not.
        """
        raise NotImplementedError
