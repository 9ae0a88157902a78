"""The calendar trigger: every n days, weeks, months or years, at one time of day."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, time
from typing import Any

from beatline.errors import InvalidTrigger
from beatline.triggers.placing import (
    date_of_day,
    datetime_of_wall,
    day_of,
    dst_remark,
    next_placed_ms,
)
from beatline.triggers.reading import read_date, read_time_s
from beatline.triggers.trigger import Trigger
from beatline.triggers.weekdays import WEEKDAY_NAMES, read_weekday
from beatline.triggers.zones import zone

_DAY_S = 86_400
_UNITS = ("years", "months", "weeks", "days")
#: Where steps are counted from unless told otherwise.
_DEFAULT_ANCHOR = date(1970, 1, 1)
#: Steps that are tried before a day is taken to never come. The Gregorian calendar repeats after
#: 400 years, which are 4,800 months; a step of several months sees each of them less often.
_MAX_STEPS = 4_800


class Calendar(Trigger):
    """
    Fires every n days, weeks, months or years in wall time, placed like a fixed-time cron job.

    Exactly one of years, months, weeks and days is given. Steps are counted from the anchor, in
    both directions; it is a point of the grid and no start.

    Args:
        years, months, weeks, days: How far apart, at least 1.
        day: With months and years: 1 to 31, or -1 (the last day) to -31. Default: the anchor's.
        weekday: With weeks: ``"mon"`` to ``"sun"``. Default: the anchor's.
        at: Time of day, ``"HH:MM"`` or ``"HH:MM:SS"``.
        timezone: IANA name of the zone.
        day_policy: What a month without that day does: ``"skip"`` leaves it out, ``"clamp"``
            takes its last day (its first for a negative day).
        anchor: A date from which steps are counted. Default: 1970-01-01; its month counts for
            years.

    Raises:
        InvalidTrigger: A value cannot be read, does not fit, or names a date that never comes.
    """

    def __init__(
        self,
        *,
        years: int | None = None,
        months: int | None = None,
        weeks: int | None = None,
        days: int | None = None,
        day: int | None = None,
        weekday: str | None = None,
        at: str | time = "00:00",
        timezone: str = "UTC",
        day_policy: str = "skip",
        anchor: str | date | None = None,
    ) -> None:
        self.timezone = timezone
        self._zone = zone(timezone)
        self.unit, self.count = _one_unit(years, months, weeks, days)
        self._anchor = _DEFAULT_ANCHOR if anchor is None else read_date(anchor, "anchor")
        self._at_s = read_time_s(at, "at")
        if day_policy not in {"skip", "clamp"}:
            raise InvalidTrigger(
                f"day_policy {day_policy!r} is unknown", remedy='write "skip" or "clamp"'
            )
        self._clamps = day_policy == "clamp"
        self._day = self._read_day(day)
        self._weekday = self._read_weekday(weekday)
        if self._next_wall(day_of(self._anchor) * _DAY_S) is None:
            raise InvalidTrigger(
                f"calendar {self.spec()['calendar']!r} never fires: "
                "no month that it reaches has that day",
                remedy="choose another day, or day_policy: clamp",
            )

    def next_ms(self, after_ms: int) -> int | None:
        """The first fire time strictly after an instant, both UTC milliseconds."""
        return next_placed_ms(self._zone, after_ms, self._next_wall)

    def spec(self) -> dict[str, Any]:
        """``{"calendar": {…}}`` with the keyword arguments that are not at their default."""
        steps: dict[str, Any] = {self.unit: self.count}
        if self._day is not None and self._day != self._anchor.day:
            steps["day"] = self._day
        if self._weekday is not None and self._weekday != self._anchor.weekday():
            steps["weekday"] = WEEKDAY_NAMES[self._weekday]
        if self._at_s:
            form = "%H:%M:%S" if self._at_s % 60 else "%H:%M"
            steps["at"] = datetime_of_wall(self._at_s).strftime(form)
        if self._clamps:
            steps["day_policy"] = "clamp"
        if self._anchor != _DEFAULT_ANCHOR:
            steps["anchor"] = self._anchor.isoformat()
        plain: dict[str, Any] = {"calendar": steps}
        if self.timezone != "UTC":
            plain["timezone"] = self.timezone
        return plain

    def interval_floor_ms(self) -> int:
        """The shortest step in wall time, ms; two fires around a change of clocks may be closer."""
        shortest_days = {"days": 1, "weeks": 7, "months": 28, "years": 365}
        return shortest_days[self.unit] * self.count * _DAY_S * 1000

    def dst_remark(self, fire_ms: int) -> str:
        """What a change of the clocks does to a fire time, for people; empty for nothing."""
        return dst_remark(self._zone, fire_ms, self._next_wall)

    def _next_wall(self, from_s: int) -> int | None:
        day, time_s = divmod(from_s, _DAY_S)
        found = self._next_day(day + (time_s > self._at_s))
        return None if found is None else found * _DAY_S + self._at_s

    def _next_day(self, day: int) -> int | None:
        """The first day of the grid at or after a day, both in days since 1970."""
        if self._day is None:
            first = day_of(self._anchor)
            step = self.count
            if self._weekday is not None:
                first += self._weekday - self._anchor.weekday()
                step *= 7
            return day + (first - day) % step
        months_apart = self.count * (12 if self.unit == "years" else 1)
        anchor_month = self._anchor.year * 12 + self._anchor.month - 1
        moment = date_of_day(day)
        month = moment.year * 12 + moment.month - 1
        month += (anchor_month - month) % months_apart
        for _ in range(_MAX_STEPS):
            year, month_index = divmod(month, 12)
            if year > date.max.year:
                return None
            found = self._day_in(year, month_index + 1)
            if found is not None and found >= day:
                return found
            month += months_apart
        return None

    def _day_in(self, year: int, month: int) -> int | None:
        length = monthrange(year, month)[1]
        number = self._day or 1
        day = number if number > 0 else length + 1 + number
        if self._clamps:
            day = min(max(day, 1), length)
        return day_of(date(year, month, day)) if 1 <= day <= length else None

    def _read_day(self, day: int | None) -> int | None:
        if self.unit in {"weeks", "days"}:
            if day is not None:
                raise InvalidTrigger(
                    f"day {day!r} does not fit {self.unit}",
                    remedy="it goes with months and years; with weeks, write weekday: mon",
                )
            return None
        if day is None:
            return self._anchor.day
        if isinstance(day, bool) or not isinstance(day, int) or not 1 <= abs(day) <= 31:
            raise InvalidTrigger(
                f"day {day!r} is no day of a month",
                remedy="write 1 to 31, or -1 for the last day, -2 for the one before",
            )
        return day

    def _read_weekday(self, weekday: str | None) -> int | None:
        if self.unit == "weeks":
            return self._anchor.weekday() if weekday is None else read_weekday(weekday, "weekday")
        if weekday is not None:
            raise InvalidTrigger(
                f"weekday {weekday!r} does not fit {self.unit}", remedy="it goes with weeks"
            )
        return None


def _one_unit(*counts: int | None) -> tuple[str, int]:
    given = [(unit, n) for unit, n in zip(_UNITS, counts, strict=True) if n is not None]
    if len(given) != 1:
        raise InvalidTrigger(
            "a calendar trigger needs one of years, months, weeks and days, "
            f"and has {' and '.join(unit for unit, _ in given) or 'none'}",
            remedy='write it like {months: 1, day: -1, at: "02:30"}',
        )
    unit, count = given[0]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 10_000:
        raise InvalidTrigger(
            f"{unit} {count!r} is no number of steps", remedy="write a whole number from 1 on"
        )
    return unit, count
