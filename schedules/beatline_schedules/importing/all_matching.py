"""
Cron as Celery and APScheduler mean it: every field has to match, both day fields included.

Here, as in Debian's cron, two restricted day fields mean *either*. Where an expression of theirs
restricts both, it is written in a form that means both here too: as ``mon#1`` where the days of
the month are one week of it, else as a recurrence rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from beatline.errors import InvalidTrigger
from beatline.triggers.cron_fields import DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH, SECOND
from beatline_schedules.importing.entry import Unsupported
from beatline_schedules.importing.field_text import WEEKDAYS, field_text, full_range

#: The k-th week of a month by its days: those of the fifth are there in most months only.
_WEEKS: Final = {frozenset(range(7 * k - 6, min(7 * k, 31) + 1)): k for k in range(1, 6)}


@dataclass(frozen=True, slots=True)
class AllMatching:
    """
    The conditions of one expression, as sets; all of them have to hold.

    Attributes:
        minute, hour, month, second: The numbers.
        day: Days of the month.
        weekday: Days of the week, 0 is Sunday.
        last_day: Whether the last day of the month counts among the days.
        nth: (weekday, k): the k-th such day of the month counts among the days; k = -1 is the
            last one.
        written: How the fields are written there, by the name of the field.
    """

    minute: frozenset[int]
    hour: frozenset[int]
    month: frozenset[int]
    day: frozenset[int]
    weekday: frozenset[int]
    second: frozenset[int] = frozenset({0})
    last_day: bool = False
    nth: frozenset[tuple[int, int]] = frozenset()
    written: dict[str, str] = field(default_factory=dict)

    def trigger(self) -> tuple[dict[str, Any], list[str]]:
        """
        Keys of a schedule that fires at these instants, and remarks.

        Raises:
            Unsupported: There is no trigger here for it.
        """
        try:
            return self._trigger()
        except InvalidTrigger as error:
            raise Unsupported(str(error)) from None

    def _trigger(self) -> tuple[dict[str, Any], list[str]]:
        if self.nth:
            return self._nth_days()
        if self.last_day and self._has_weekday:
            return self._rule(BYMONTHDAY=[*sorted(self.day), -1], BYDAY=self._weekday_words())
        if self.last_day:
            days = ",".join(filter(None, [self._day_text() if self.day else "", "L"]))
            return self._cron(days, "*")
        if not (self._has_day and self._has_weekday):
            return self._cron(self._day_text(), self._weekday_text())
        return self._both_days()

    @property
    def _has_day(self) -> bool:
        return self.day != full_range(DAY_OF_MONTH)

    @property
    def _has_weekday(self) -> bool:
        return self.weekday != full_range(DAY_OF_WEEK)

    def _both_days(self) -> tuple[dict[str, Any], list[str]]:
        day, weekday = self._day_text(), self._weekday_text()
        if day.startswith("*") or weekday.startswith("*"):
            fields, remarks = self._cron(day, weekday)
            return fields, [*remarks, "both day fields have to match, because one begins with *"]
        both = f"there day of month ({day}) and day of week ({weekday}) both had to match"
        week = _WEEKS.get(self.day)
        if week is not None:
            names = ",".join(f"{WEEKDAYS[one]}#{week}" for one in _in_week(self.weekday))
            fields, remarks = self._cron("*", names)
            return fields, [*remarks, f"{both}, which is {names} here"]
        fields, remarks = self._rule(BYMONTHDAY=sorted(self.day), BYDAY=self._weekday_words())
        return fields, [*remarks, f"{both}; in cron: two restricted day fields mean either here"]

    def _nth_days(self) -> tuple[dict[str, Any], list[str]]:
        nth = {(weekday, k) for weekday, k in self.nth if weekday in self.weekday}
        has_others = bool(self.day) or self.last_day
        if has_others and self._has_weekday:
            raise Unsupported("days of the month, weekdays of a month and weekdays in one trigger")
        if not nth:
            raise Unsupported("its weekdays exclude each other: it never fires")
        if any(k == -1 for _, k in nth):
            if has_others:
                raise Unsupported(
                    "days and a last weekday of the month in one trigger; write any: [...]"
                )
            words = [f"{k}{WEEKDAYS[weekday][:2].upper()}" for weekday, k in _in_order(nth)]
            return self._rule("MONTHLY", BYDAY=words)
        names = ",".join(f"{WEEKDAYS[weekday]}#{k}" for weekday, k in _in_order(nth))
        if not has_others:
            return self._cron("*", names)
        # Neither begins with a star: either suffices, which is what a list of days means.
        days = [self._day_text()] if self.day else []
        return self._cron(",".join([*days, *(["L"] if self.last_day else [])]), names)

    def _cron(self, day: str, weekday: str) -> tuple[dict[str, Any], list[str]]:
        minute = field_text(MINUTE, self.minute, self.written.get("minute"))
        hour = field_text(HOUR, self.hour, self.written.get("hour"))
        month = field_text(MONTH, self.month, self.written.get("month"))
        fields: dict[str, Any] = {"cron": f"{minute} {hour} {day} {month} {weekday}"}
        if self.second != frozenset({0}):
            fields["second"] = field_text(SECOND, self.second, self.written.get("second"))
        return fields, []

    def _rule(
        self, frequency: str = "DAILY", **days: list[Any]
    ) -> tuple[dict[str, Any], list[str]]:
        parts: dict[str, Iterable[Any]] = {}
        if self.month != full_range(MONTH):
            parts["BYMONTH"] = sorted(self.month)
        parts |= days
        is_hourly = frequency == "DAILY" and self.hour == full_range(HOUR)
        is_minutely = is_hourly and self.minute == full_range(MINUTE)
        if is_hourly:
            frequency = "MINUTELY" if is_minutely else "HOURLY"
        else:
            parts["BYHOUR"] = sorted(self.hour)
        if not is_minutely:
            parts["BYMINUTE"] = sorted(self.minute)
        parts["BYSECOND"] = sorted(self.second)
        text = ";".join(f"{key}={','.join(map(str, values))}" for key, values in parts.items())
        return {"rrule": f"FREQ={frequency};{text}"}, []

    def _day_text(self) -> str:
        return field_text(DAY_OF_MONTH, self.day, self.written.get("day"))

    def _weekday_text(self) -> str:
        return field_text(DAY_OF_WEEK, self.weekday, self.written.get("weekday"))

    def _weekday_words(self) -> list[str]:
        return [WEEKDAYS[one][:2].upper() for one in _in_week(self.weekday)]


def _in_week(weekdays: Iterable[int]) -> list[int]:
    """From Monday to Sunday."""
    return sorted(weekdays, key=lambda weekday: (weekday - 1) % 7)


def _in_order(nth: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """By week of the month, the last one at the end, and from Monday to Sunday."""
    return sorted(nth, key=lambda one: (one[1] % 6, (one[0] - 1) % 7))
