"""
The cron trigger: five fields in wall time, placed on the time line like Debian's cron does.

Three parts work together: `cron_fields` reads the text, `cron_days` finds matching days with
croniter, and `placing` turns wall times into instants. This module adds the time of day, which is
a product of three short lists, and the exceptions: ``@every`` and ``second``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import Any

from beatline.errors import InvalidTrigger
from beatline.triggers.cron_days import DayFields, DayFinder, day_finder
from beatline.triggers.cron_fields import (
    FIVE_FIELDS,
    SECOND,
    Field,
    read_field,
    split_expression,
)
from beatline.triggers.every import Every
from beatline.triggers.placing import dst_remark, next_placed_ms
from beatline.triggers.trigger import Trigger
from beatline.triggers.zones import zone

_DAY_S = 86_400
#: Longest expression that is read, characters; all 60 minutes written out are 169.
_MAX_LENGTH = 1_000


class Cron(Trigger):
    """
    Fires where the wall clock of a zone matches a cron expression.

    Args:
        expression: Five fields or an alias, as docs/schedules.md lists them.
        timezone: IANA name of the zone.
        name: The schedule's name; only ``H`` needs it.
        second: A field from 0 to 59 in cron syntax.

    Raises:
        InvalidTrigger: The expression is malformed, or the date that it names never comes.
    """

    def __init__(
        self,
        expression: str,
        timezone: str = "UTC",
        name: str | None = None,
        second: str | int = "0",
    ) -> None:
        self.expression = _checked_text(expression)
        self.timezone = timezone
        self.second = str(second).strip()
        self._zone = zone(timezone)
        self._every: Every | None = None
        words = self.expression.split()
        if words[0] == "@every" and len(words) == 2:
            self._every = self._interval(words[1])
            return
        self._fields = [
            read_field(kind, text, name)
            for kind, text in zip(FIVE_FIELDS, split_expression(self.expression), strict=True)
        ]
        minute, hour, day_of_month, month, day_of_week = self._fields
        self.is_wildcard = minute.begins_with_star or hour.begins_with_star
        self._times = _TimesOfDay(hour, minute, read_field(SECOND, self.second, name))
        self._days: DayFinder = day_finder(DayFields.of(day_of_month, month, day_of_week))
        if not self._days.ever_fires:
            raise self._never_fires(day_of_month, month, day_of_week)

    def next_ms(self, after_ms: int) -> int | None:
        """The first fire time strictly after an instant, both UTC milliseconds."""
        if self._every is not None:
            return self._every.next_ms(after_ms)
        return next_placed_ms(self._zone, after_ms, self._next_wall, is_wildcard=self.is_wildcard)

    def spec(self) -> dict[str, Any]:
        """``{"cron": …}`` with ``second`` and ``timezone`` where they are not the default."""
        plain: dict[str, Any] = {"cron": self.expression}
        if self.second != "0":
            plain["second"] = self.second
        if self.timezone != "UTC":
            plain["timezone"] = self.timezone
        return plain

    def interval_floor_ms(self) -> int | None:
        """The shortest distance of two times of day, across midnight as well, ms."""
        if self._every is not None:
            return self._every.interval_floor_ms()
        return self._times.shortest_distance_s() * 1000

    def count_between(self, first_ms: int, last_ms: int) -> int | None:
        """How many fire times lie in the closed span; only known for ``@every``."""
        return self._every.count_between(first_ms, last_ms) if self._every else None

    def remarks(self) -> list[str]:
        """Notes on the day rule, which surprises people who read the two fields as one."""
        if self._every is not None:
            return []
        day_of_month, day_of_week = self._fields[2], self._fields[4]
        if not (day_of_month.is_restricted and day_of_week.is_restricted):
            return []
        pair = f"day-of-month {day_of_month.text!r} and day-of-week {day_of_week.text!r}"
        if not day_of_month.begins_with_star and not day_of_week.begins_with_star:
            return [
                f"{pair} are both restricted: it fires on days that match either; "
                'to demand both, write rrule: "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR"'
            ]
        starred = day_of_month if day_of_month.begins_with_star else day_of_week
        return [
            f'{pair} must both match, because {starred.text!r} begins with "*"; '
            "without the star either would suffice"
        ]

    def dst_remark(self, fire_ms: int) -> str:
        """What a change of the clocks does to a fire time, for people; empty for nothing."""
        if self._every is not None:
            return ""
        return dst_remark(self._zone, fire_ms, self._next_wall, is_wildcard=self.is_wildcard)

    def _next_wall(self, from_s: int) -> int | None:
        day, time_s = divmod(from_s, _DAY_S)
        found = self._days.at_or_after(day)
        if found == day:
            next_time_s = self._times.at_or_after(time_s)
            if next_time_s is not None:
                return day * _DAY_S + next_time_s
            found = self._days.at_or_after(day + 1)
        return None if found is None else found * _DAY_S + self._times.first_s

    def _never_fires(self, day_of_month: Field, month: Field, day_of_week: Field) -> InvalidTrigger:
        wanted = f"day of month {day_of_month.text!r}, month {month.text!r}"
        remedy = '"L" is the last day of any month'
        if day_of_week.is_restricted:
            wanted += f", day of week {day_of_week.text!r}"
            remedy = 'both day fields must match here, because one begins with "*"'
        return InvalidTrigger(
            f"cron expression {self.expression!r} never fires: no day is {wanted}", remedy=remedy
        )

    def _interval(self, text: str) -> Every:
        if self.second != "0":
            raise InvalidTrigger(
                f"second {self.second!r} beside {self.expression!r} has no meaning",
                remedy=f'use "every: {text}" with "offset:" to shift the grid',
            )
        return Every(text)


class _TimesOfDay:
    """The times of day that three fields name, in seconds after midnight."""

    __slots__ = ("_hours", "_minutes", "_seconds", "first_s")

    def __init__(self, hour: Field, minute: Field, second: Field) -> None:
        self._hours = sorted(hour.values)
        self._minutes = sorted(minute.values)
        self._seconds = sorted(second.values)
        self.first_s = self._hours[0] * 3600 + self._minutes[0] * 60 + self._seconds[0]

    def at_or_after(self, time_s: int) -> int | None:
        """The first one from that second on, on the same day."""
        hours, minutes, seconds = self._hours, self._minutes, self._seconds
        hour, rest_s = divmod(time_s, 3600)
        at = bisect_left(hours, hour)
        if at == len(hours):
            return None
        if hours[at] == hour:
            minute, second = divmod(rest_s, 60)
            within = bisect_left(minutes, minute)
            if within < len(minutes) and minutes[within] == minute:
                last = bisect_left(seconds, second)
                if last < len(seconds):
                    return hour * 3600 + minute * 60 + seconds[last]
                within += 1
            if within < len(minutes):
                return hour * 3600 + minutes[within] * 60 + seconds[0]
            at = bisect_right(hours, hour)
            if at == len(hours):
                return None
        return hours[at] * 3600 + minutes[0] * 60 + seconds[0]

    def shortest_distance_s(self) -> int:
        """The shortest distance of two of them, where the last meets the next day's first too."""
        seconds = self._seconds
        minutes = [hour * 60 + minute for hour in self._hours for minute in self._minutes]
        following = [*minutes[1:], minutes[0] + 1440]
        between_minutes = min(
            after - before for before, after in zip(minutes, following, strict=True)
        )
        within_minutes = [after - before for before, after in pairwise(seconds)]
        return min([between_minutes * 60 - (seconds[-1] - seconds[0]), *within_minutes])


def _checked_text(expression: str) -> str:
    if not isinstance(expression, str):
        raise InvalidTrigger(
            f"cron expression {expression!r} is no text",
            remedy='put it in quotes: cron: "30 2 * * *"',
        )
    if len(expression) > _MAX_LENGTH:
        raise InvalidTrigger(
            f"cron expression of {len(expression)} characters",
            remedy=f"at most {_MAX_LENGTH} are read",
        )
    text = expression.strip()
    if not text:
        raise InvalidTrigger(
            "the cron expression is empty",
            remedy='write minute, hour, day of month, month, day of week, such as "30 2 * * *"',
        )
    return text
