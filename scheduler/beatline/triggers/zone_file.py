"""
Reads compiled time zone files (TZif, RFC 8536) into plain lists of integers.

`zoneinfo` answers "which offset holds at this instant", but not "when does it change next", and
the placing of cron jobs turns on exactly that. So the file is read here a second time. What the
times mean for jobs stands in `beatline.triggers.placing`.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import date

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_HEADER = struct.Struct(">4sc15x6I")
_DAY_S = 86_400
_OFFSET = r"[+-]?\d{1,3}(?::\d{2}(?::\d{2})?)?"
_NAME = r"(?:<[^>]+>|[A-Za-z]+)"
_RULE = re.compile(
    rf"{_NAME}(?P<standard>{_OFFSET})"
    rf"(?:{_NAME}(?P<summer>{_OFFSET})?,(?P<begin>[^,]+),(?P<end>[^,]+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class YearDay:
    """
    One day of each year and a time on it, as the last line of a zone file writes it.

    Attributes:
        month, week, weekday: ``M3.5.0``; week 5 is the last, weekday 0 is Sunday. Month 0 means
            that ``day`` counts instead.
        day: Day of the year, from 1 (``J60``, 29 February never counted) or from 0 (``59``).
        counts_leap_day: Whether ``day`` counts 29 February, and from 0.
        time_s: Seconds after midnight of that day; may be negative or beyond 24 hours.
    """

    month: int
    week: int
    weekday: int
    day: int
    counts_leap_day: bool
    time_s: int

    @classmethod
    def parse(cls, text: str) -> YearDay:
        """Read ``M3.5.0/3``, ``J60`` or ``59``; the time defaults to 02:00."""
        day, _, time = text.partition("/")
        time_s = _seconds(time) if time else 2 * 3600
        if day.startswith("M"):
            month, week, weekday = (int(number) for number in day[1:].split("."))
            return cls(month, week, weekday, 0, False, time_s)
        if day.startswith("J"):
            return cls(0, 0, 0, int(day[1:]), False, time_s)
        return cls(0, 0, 0, int(day), True, time_s)

    def wall_s(self, year: int) -> int:
        """The wall time in that year, in seconds since 1970 as if the zone were UTC."""
        if self.month:
            first = date(year, self.month, 1)
            # date.weekday() counts from Monday; the file counts from Sunday.
            first_match = 1 + (self.weekday - (first.weekday() + 1)) % 7
            month_length = _days_in_month(year, self.month)
            day_of_month = first_match + 7 * (self.week - 1)
            while day_of_month > month_length:
                day_of_month -= 7
            ordinal = first.toordinal() + day_of_month - 1
        elif self.counts_leap_day:
            ordinal = date(year, 1, 1).toordinal() + self.day
        else:
            leaps = self.day >= 60 and _days_in_month(year, 2) == 29
            ordinal = date(year, 1, 1).toordinal() + self.day - 1 + leaps
        return (ordinal - _EPOCH_ORDINAL) * _DAY_S + self.time_s


@dataclass(frozen=True, slots=True)
class YearlyRule:
    """Two changes a year for ever: from ``begin`` on ``summer_s`` holds, from ``end`` the other."""

    standard_s: int
    summer_s: int
    begin: YearDay
    end: YearDay

    def changes(self, year: int) -> list[tuple[int, int]]:
        """The year's changes as (UTC seconds, offset from then on), in order."""
        return sorted(
            [
                (self.begin.wall_s(year) - self.standard_s, self.summer_s),
                (self.end.wall_s(year) - self.summer_s, self.standard_s),
            ]
        )


@dataclass(frozen=True, slots=True)
class ZoneFile:
    """
    A zone's history and its future.

    Attributes:
        first_offset_s: Offset from UTC before the first change, seconds.
        changes: (UTC seconds, offset from then on), in order; entries that leave the offset as
            it was are left out.
        rule_from_s: From this instant on the rule holds, UTC seconds; None where it always does.
        rule: What happens then; None where the offset stays as it is.
    """

    first_offset_s: int
    changes: tuple[tuple[int, int], ...]
    rule_from_s: int | None
    rule: YearlyRule | None


def read_zone_file(content: bytes) -> ZoneFile:
    """
    Parse a TZif file of version 2 or later.

    Raises:
        ValueError: The content is not such a file.
    """
    start = _block_end(content, 0, time_size=4)
    counts = _counts(content, start)
    times_at = start + _HEADER.size
    kinds_at = times_at + 8 * counts.times
    types_at = kinds_at + counts.times
    times = struct.unpack_from(f">{counts.times}q", content, times_at)
    kinds = content[kinds_at:types_at]
    offsets = [
        struct.unpack_from(">i", content, types_at + 6 * number)[0]
        for number in range(counts.types)
    ]
    footer = content[_block_end(content, start, time_size=8) :].strip(b"\n").decode("ascii")
    changes: list[tuple[int, int]] = []
    offset = offsets[0]
    for time, kind in zip(times, kinds, strict=True):
        if offsets[kind] != offset:
            offset = offsets[kind]
            changes.append((time, offset))
    rule_from_s = times[-1] if times else None
    return ZoneFile(offsets[0], tuple(changes), rule_from_s, _parse_rule(footer))


@dataclass(frozen=True, slots=True)
class _Counts:
    utc_flags: int
    standard_flags: int
    leap_seconds: int
    times: int
    types: int
    characters: int


def _counts(content: bytes, start: int) -> _Counts:
    if len(content) < start + _HEADER.size:
        raise ValueError("a TZif file that ends too early")
    magic, version, *numbers = _HEADER.unpack_from(content, start)
    if magic != b"TZif" or version < b"2":
        raise ValueError("not a TZif file of version 2 or later")
    return _Counts(*numbers)


def _block_end(content: bytes, start: int, *, time_size: int) -> int:
    counts = _counts(content, start)
    return (
        start
        + _HEADER.size
        + counts.times * (time_size + 1)
        + counts.types * 6
        + counts.characters
        + counts.leap_seconds * (time_size + 4)
        + counts.standard_flags
        + counts.utc_flags
    )


def _parse_rule(footer: str) -> YearlyRule | None:
    if not footer:
        return None
    found = _RULE.fullmatch(footer)
    if found is None:
        raise ValueError(f"zone file ends with {footer!r}, which is not a POSIX rule")
    if found["begin"] is None:
        return None
    standard_s = -_seconds(found["standard"])
    summer_s = -_seconds(found["summer"]) if found["summer"] else standard_s + 3600
    return YearlyRule(
        standard_s, summer_s, YearDay.parse(found["begin"]), YearDay.parse(found["end"])
    )


def _seconds(text: str) -> int:
    """``-3:30`` in seconds; the sign holds for the whole."""
    sign = -1 if text.startswith("-") else 1
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    return sign * sum(part * factor for part, factor in zip(parts, (3600, 60, 1), strict=False))


def _days_in_month(year: int, month: int) -> int:
    if month == 12:
        return 31
    return (date(year, month + 1, 1) - date(year, month, 1)).days
