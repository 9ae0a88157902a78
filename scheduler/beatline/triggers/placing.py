"""
Where wall times fall in real time: the rules for gaps and repeated hours.

A trigger that thinks in wall time (cron, calendar, rrule) is a function "first matching wall time
at or after this one"; the functions here place what it names on the time line. Wall times are
integer seconds since 1970 as if the zone were UTC.

Wildcard jobs follow real elapsed time: nothing fires inside a gap, both passes of a repeated hour
fire. Fixed-time jobs fire once for each wall time: at the gap's end where it is skipped by a leap
of less than three hours, in the first pass where it is repeated. This is what Debian's cron does
(``cron.c``, the cases of ``wakeupKind``), told as a function instead of a loop: its fixed-time
jobs follow a clock that never runs backwards, and `Zone.fixed_from` is that clock's reading at
the start of each segment. docs/decisions/0004-cron-zone-layer.md tells where we differ and why.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from beatline.triggers.zones import Zone

#: Fire times in wall time lie between the years 1900 and 9990, UTC seconds.
FIRST_S = -2_208_988_800
LAST_S = 253_086_163_200

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall time has no zone
_EPOCH_ORDINAL = _EPOCH.toordinal()
_SECOND = timedelta(seconds=1)
_DAY_S = 86_400

#: The first matching wall time at or after the given one, or None where there is none.
NextWall = Callable[[int], int | None]


def next_placed_ms(
    zone: Zone, after_ms: int, next_wall: NextWall, *, is_wildcard: bool = False
) -> int | None:
    """
    The first instant strictly after ``after_ms`` at which a matching wall time fires.

    Args:
        zone: The zone whose wall times these are.
        after_ms: UTC milliseconds.
        next_wall: The trigger in wall time.
        is_wildcard: Whether real elapsed time rules; otherwise each wall time fires once.

    Returns:
        UTC milliseconds, or None where nothing fires any more.
    """
    from_s = max(after_ms // 1000 + 1, FIRST_S)
    if from_s > LAST_S:
        return None
    index = zone.index(from_s)
    start_s = zone.starts[index]
    offset_s = zone.offsets[index]
    scanned_s = start_s + offset_s if is_wildcard else zone.fixed_from[index]
    if from_s > start_s:
        scanned_s = max(scanned_s, from_s + offset_s)
    wall_s = next_wall(scanned_s)
    while wall_s is not None:
        end_s = zone.end_s(index)
        if wall_s < end_s + offset_s:
            # A made-up time lies before the segment; it fires at the segment's start.
            fire_s = max(start_s, wall_s - offset_s)
            return fire_s * 1000 if fire_s <= LAST_S else None
        if end_s > LAST_S:
            return None
        index += 1
        start_s = end_s
        offset_s = zone.offsets[index]
        begin_s = start_s + offset_s if is_wildcard else zone.fixed_from[index]
        # Nothing matches in [scanned_s, wall_s): search again only where the segment begins
        # outside of that.
        if not scanned_s <= begin_s <= wall_s:
            scanned_s = begin_s
            wall_s = next_wall(begin_s)
    return None


def dst_remark(zone: Zone, fire_ms: int, next_wall: NextWall, *, is_wildcard: bool = False) -> str:
    """
    What a change of the clocks does to one fire time, as a clause for people.

    Args:
        zone, next_wall, is_wildcard: As for `next_placed_ms`.
        fire_ms: One of its answers.

    Returns:
        Such as ``02:30 does not exist on this day: fires at 03:00``; empty for nothing.
    """
    fire_s = fire_ms // 1000
    index = zone.index(fire_s)
    start_s = zone.starts[index]
    wall_s = fire_s + zone.offsets[index]
    if not is_wildcard and fire_s == start_s and zone.fixed_from[index] < wall_s:
        skipped_s = next_wall(zone.fixed_from[index])
        if skipped_s is not None and skipped_s < wall_s:
            return f"{_clock(skipped_s)} does not exist on this day: fires at {_clock(wall_s)}"
    if index > 0 and wall_s < start_s + zone.offsets[index - 1]:
        return f"{_clock(wall_s)} comes twice on this day: this is the second pass"
    end_s = zone.end_s(index)
    if end_s <= LAST_S and wall_s >= end_s + zone.offsets[index + 1]:
        if is_wildcard:
            return f"{_clock(wall_s)} comes twice on this day: this is the first pass"
        return f"{_clock(wall_s)} comes twice on this day: fires in the first pass only"
    return ""


def placed_ms(zone: Zone, wall_s: int) -> int | None:
    """
    The instant of one wall time, placed like a fixed-time job.

    Returns:
        UTC milliseconds; None where a leap of three hours or more skips the wall time.
    """

    def next_wall(from_s: int) -> int | None:
        return wall_s if from_s <= wall_s else None

    return next_placed_ms(zone, (wall_s - 3 * _DAY_S) * 1000, next_wall)


def day_start_ms(zone: Zone, day: int) -> int:
    """The first instant at which the local date is that day or a later one, UTC milliseconds."""
    wall_s = day * _DAY_S

    def next_wall(from_s: int) -> int:
        return max(from_s, wall_s)

    fire_ms = next_placed_ms(zone, (wall_s - 3 * _DAY_S) * 1000, next_wall)
    return LAST_S * 1000 if fire_ms is None else fire_ms


def local_day(zone: Zone, at_ms: int) -> int:
    """The local date of an instant, in days since 1970."""
    return zone.wall_s(at_ms // 1000) // _DAY_S


def _clock(wall_s: int) -> str:
    return f"{wall_s // 3600 % 24:02}:{wall_s // 60 % 60:02}"


def wall_of(moment: datetime) -> int:
    """The wall time of a naive datetime; fractions of a second are dropped."""
    return (moment.replace(tzinfo=None) - _EPOCH) // _SECOND


def datetime_of_wall(wall_s: int) -> datetime:
    """The naive datetime of a wall time."""
    return _EPOCH + timedelta(seconds=wall_s)


def day_of(day: date) -> int:
    """A date in days since 1970."""
    return day.toordinal() - _EPOCH_ORDINAL


def date_of_day(day: int) -> date:
    """The date that lies so many days after 1 January 1970."""
    return date.fromordinal(day + _EPOCH_ORDINAL)
