"""
On which days a cron expression fires: croniter, asked about naive dates alone.

This is the only module that imports croniter. It is given the day fields as plain lists of
numbers, at midnight, without a time zone and without a choice between AND and OR: there it is
right, and the calendar is its strength (lengths of months, leap years, ``L``, ``mon#2``). Its own
readings of equal ranges, of ``#`` beside a day of month, of ``H``, of seconds and of daylight
saving time are not used; docs/decisions/0004-cron-zone-layer.md lists what they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from croniter import CroniterBadDateError, croniter

from beatline.triggers.cron_fields import Field

_DAY_S = 86_400
#: Years that croniter looks ahead. 29 February on one weekday comes after 40 years at the latest
#: (Sunday 2088 to 2128, as 2100 is no leap year), and nothing that comes at all comes more seldom.
_YEARS_AHEAD = 50
#: Days since 1970 at which the search for a first match begins: 1 January 2000.
_PROBE_DAY = 10_957
_EVERY_DAY = frozenset(range(1, 32))
_EVERY_MONTH = frozenset(range(1, 13))
_EVERY_WEEKDAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class DayFields:
    """
    The three day fields, without their spelling: equal rules share one `DayFinder`.

    Attributes:
        days, last_day: Days of the month, and whether its last one counts.
        months: Months.
        weekdays, nth: Weekdays (0 is Sunday), and (weekday, k) pairs.
        both: Whether day of month and day of week must both match, or either suffices.
    """

    days: frozenset[int]
    last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]
    both: bool

    @classmethod
    def of(cls, day_of_month: Field, month: Field, day_of_week: Field) -> DayFields:
        """Apply Debian's rule: a day field that begins with ``*`` makes both meet."""
        return cls(
            days=day_of_month.values,
            last_day=day_of_month.last_day,
            months=month.values,
            weekdays=day_of_week.values,
            nth=day_of_week.nth,
            both=day_of_month.begins_with_star or day_of_week.begins_with_star,
        )

    def alternatives(self) -> list[str]:
        """
        Expressions for croniter, any of which suffices, each an intersection of its fields.

        croniter reads ``15,L`` and ``1,mon#2`` in one field differently from a list, so each
        kind of item gets an expression of its own.
        """
        days = [_listed(self.days, _EVERY_DAY)] if self.days else []
        days += ["l"] if self.last_day else []
        weekdays = [_listed(self.weekdays, _EVERY_WEEKDAY)] if self.weekdays else []
        if self.nth:
            weekdays.append(",".join(f"{weekday}#{k}" for weekday, k in sorted(self.nth)))
        if self.both:
            pairs = [(day, weekday) for day in days for weekday in weekdays]
        else:
            pairs = [(day, "*") for day in days] + [("*", weekday) for weekday in weekdays]
        month = _listed(self.months, _EVERY_MONTH)
        return [f"0 0 {day} {month} {weekday}" for day, weekday in pairs]


class DayFinder:
    """
    The first matching day at or after a day, in days since 1970.

    It is shared by all schedules with the same day fields and safe to use from several threads.
    """

    def __init__(self, fields: DayFields) -> None:
        any_day, any_weekday = fields.days == _EVERY_DAY, fields.weekdays == _EVERY_WEEKDAY
        self._fires_daily = fields.months == _EVERY_MONTH and (
            (any_day and any_weekday) if fields.both else (any_day or any_weekday)
        )
        # An alternative that never comes would cost a search through fifty years at each call.
        self._searches = [
            search
            for search in map(_Search, fields.alternatives())
            if search.at_or_after(_PROBE_DAY) is not None
        ]

    @property
    def ever_fires(self) -> bool:
        """Whether any day matches at all."""
        return bool(self._searches)

    def at_or_after(self, day: int) -> int | None:
        """The first matching day from that day on; None where none comes in fifty years."""
        if self._fires_daily:
            return day
        earliest: int | None = None
        for search in self._searches:
            found = search.at_or_after(day)
            if found is not None and (earliest is None or found < earliest):
                earliest = found
        return earliest


class _Search:
    """One expression for croniter, and its last answer, which mostly is the next one too."""

    def __init__(self, expression: str) -> None:
        # day_or=False: the union over the two day fields is made by `alternatives`, not by
        # croniter, whose own takes "1,mon#2" as an intersection.
        self._cron = croniter(expression, 0.0, day_or=False, max_years_between_matches=_YEARS_AHEAD)
        self._lock = Lock()
        #: (asked, found): no day in between matches.
        self._last = (0, -1)

    def at_or_after(self, day: int) -> int | None:
        asked, found = self._last
        if asked <= day <= found:
            return found
        # A float start is naive wall time to croniter. It answers strictly later than the start,
        # so that the minute before midnight is the latest from which the day itself is found.
        try:
            with self._lock:
                at_s: float = self._cron.get_next(float, start_time=float(day * _DAY_S - 60))
        except (CroniterBadDateError, ValueError, OverflowError):
            # The two others come where the search leaves the years that datetime knows.
            return None
        found = int(at_s) // _DAY_S
        self._last = (day, found)
        return found


@lru_cache(maxsize=4096)
def day_finder(fields: DayFields) -> DayFinder:
    """The finder for these fields, shared; 10,000 schedules have few different day rules."""
    return DayFinder(fields)


def _listed(values: frozenset[int], everything: frozenset[int]) -> str:
    return "*" if values == everything else ",".join(str(value) for value in sorted(values))
