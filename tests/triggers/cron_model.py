"""
Cron as the rules tell it, minute by minute: slow, plain, and without any code of Beatline.

The model goes through real time one minute at a time and looks at the wall clock, as cron's own
loop does. It is the second opinion of the property tests, so it is written from the rules
(docs/schedules.md) and must not import `beatline`.

1. Five fields: ``*``, ``a``, ``a-b``, ``*/n``, ``a-b/n``, ``a/n``, names, wrapped ranges, ``L``,
   ``dow#k``.
2. If a day field begins with ``*`` both must match, otherwise either suffices.
3. A job whose minute or hour field begins with ``*`` is a wildcard job: it fires whenever the
   wall clock matches.
4. Any other job is a fixed-time job: times that the clock leaps over by less than three hours
   fire at the leap's end, once; times that the clock shows again after having been set back by up
   to three hours don't fire again.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
THREE_HOURS = timedelta(hours=3)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


def zone_of_wheel(name: str) -> ZoneInfo:
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


class CronModel:
    def __init__(self, expression: str) -> None:
        minute, hour, day, month, weekday = expression.split()
        self.minutes = numbers(minute, 0, 59)
        self.hours = numbers(hour, 0, 23)
        self.days = numbers(day, 1, 31)
        self.months = numbers(month, 1, 12, MONTHS)
        plain = [item for item in weekday.split(",") if "#" not in item]
        self.weekdays = {n % 7 for n in numbers(",".join(plain), 0, 7, DAYS)} if plain else set()
        self.nth = {
            (int(number(item.split("#")[0], 0, DAYS)) % 7, int(item.split("#")[1]))
            for item in weekday.split(",")
            if "#" in item
        }
        self.last = "L" in day.split(",")
        self.both = day[0] in "*?" or weekday[0] in "*?"
        self.wildcard = minute[0] == "*" or hour[0] == "*"

    def matches(self, wall: datetime) -> bool:
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.month in self.months
            and self.matches_day(wall)
        )

    def matches_day(self, wall: datetime) -> bool:
        is_last = wall.day == monthrange(wall.year, wall.month)[1]
        weekday = (wall.weekday() + 1) % 7
        by_day = wall.day in self.days or (self.last and is_last)
        by_weekday = weekday in self.weekdays or (weekday, (wall.day + 6) // 7) in self.nth
        return (by_day and by_weekday) if self.both else (by_day or by_weekday)

    def fires(self, clock: Sequence[tuple[datetime, datetime]]) -> Iterator[datetime]:
        """The UTC minutes at which it fires, while (UTC, wall) go through real time."""
        reached = clock[0][1] - MINUTE
        for utc, wall in clock:
            if self.wildcard:
                if self.matches(wall):
                    yield utc
                continue
            ahead = wall - reached - MINUTE
            if timedelta() < ahead < THREE_HOURS:
                passed = reached + MINUTE
                while not self.matches(passed) and passed < wall:
                    passed += MINUTE
                if self.matches(passed):
                    yield utc
            elif (ahead >= timedelta() or -ahead > THREE_HOURS) and self.matches(wall):
                yield utc
            if ahead >= timedelta() or -ahead > THREE_HOURS:
                reached = wall


def clock_between(
    zone: ZoneInfo, first: datetime, last: datetime
) -> list[tuple[datetime, datetime]]:
    """(UTC, wall) for each whole UTC minute of a span, both ends included."""
    clock = []
    utc = first.astimezone(UTC)
    while utc <= last:
        clock.append((utc, utc.astimezone(zone).replace(tzinfo=None)))
        utc += MINUTE
    return clock


def numbers(text: str, low: int, high: int, names: Sequence[str] = ()) -> set[int]:
    found: set[int] = set()
    size = 7 if names is DAYS else high - low + 1
    for item in text.split(","):
        if item == "L":
            continue
        span, _, step_text = item.partition("/")
        step = int(step_text or 1)
        if span in "*?":
            first, last = low, high
        elif "-" in span:
            ends = span.split("-")
            first, last = number(ends[0], low, names), number(ends[1], low, names)
            if first > last:
                last += size
        else:
            first = number(span, low, names)
            last = high if step_text else first
        for value in range(first, last + 1, step):
            found.add(value if value <= high else value - size)
    return found


def number(word: str, low: int, names: Sequence[str]) -> int:
    return int(word) if word.isdigit() else names.index(word.lower()) + low
