"""
Reads what people write in a trigger: durations, moments, dates and times of day.

Everything that cannot be read raises `InvalidTrigger` with the key's name, so that each trigger
refuses in the same words.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any

from beatline.errors import InvalidSetting, InvalidTrigger
from beatline.triggers.placing import placed_ms, wall_of
from beatline.triggers.zones import Zone
from beatline.units import duration_ms, instant_ms, moment_of

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
#: What the text forms below are, for `remedy`.
_MOMENT_REMEDY = 'write it like "2026-12-01T09:00:00+01:00", or without offset in the zone\'s time'


def read_duration_ms(value: Any, key: str) -> int:
    """
    A duration such as ``"90s"``, a ``timedelta``, or a number of seconds, in milliseconds.

    Raises:
        InvalidTrigger: It is none of these.
    """
    try:
        return duration_ms(value, key)
    except InvalidSetting as error:
        raise InvalidTrigger(error.message, remedy=error.remedy) from None


def read_moment_ms(value: object, key: str, zone: Zone, *, ends_day: bool = False) -> int:
    """
    A moment in UTC milliseconds.

    Args:
        value: ISO 8601 text, a datetime or a date. Without an offset it is wall time in the zone:
            a skipped one is the gap's end, a repeated one the first pass.
        key: Where it was written, for the error.
        zone: The zone of values without an offset.
        ends_day: Whether a date without a time means its last instant instead of its first.

    Raises:
        InvalidTrigger: It is none of these, or a wall time that was skipped for good.
    """
    moment = _moment(value, key)
    if not isinstance(moment, datetime):
        if ends_day:
            return _placed(zone, _midnight(moment + timedelta(days=1)), key) - 1
        return _placed(zone, _midnight(moment), key)
    if moment.tzinfo is not None:
        return instant_ms(moment)
    fraction_ms = -(-moment.microsecond // 1000)
    return _placed(zone, moment, key) + fraction_ms


def read_date(value: object, key: str) -> date:
    """
    A date, from ``"2026-12-24"`` or a date.

    Raises:
        InvalidTrigger: It is neither.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    raise InvalidTrigger(f"{key} {value!r} is not a date", remedy='write it like "2026-12-24"')


def read_wall_s(value: object, key: str, zone: Zone) -> int:
    """
    A moment as wall time in the zone; values with an offset are converted.

    Raises:
        InvalidTrigger: It is not a moment.
    """
    moment = _moment(value, key)
    if not isinstance(moment, datetime):
        moment = _midnight(moment)
    if moment.tzinfo is None:
        return wall_of(moment)
    return zone.wall_s(instant_ms(moment) // 1000)


def read_time_s(value: object, key: str) -> int:
    """
    A time of day in seconds after midnight, from ``"02:30"``, ``"02:30:15"`` or a ``time``.

    Raises:
        InvalidTrigger: It is neither.
    """
    if isinstance(value, str) and _TIME_OF_DAY.fullmatch(value.strip()):
        value = time.fromisoformat(value.strip())
    if not isinstance(value, time):
        raise InvalidTrigger(
            f"{key} {value!r} is not a time of day",
            remedy='write it in quotes like "02:30" or "02:30:15"',
        )
    return value.hour * 3600 + value.minute * 60 + value.second


def moment_text(at_ms: int) -> str:
    """An instant as ISO 8601 text in UTC, the form in which specs carry it."""
    text = moment_of(at_ms).isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def _moment(value: object, key: str) -> datetime | date:
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        text = value.strip()
        try:
            return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
        except ValueError:
            pass
    raise InvalidTrigger(f"{key} {value!r} is not a moment", remedy=_MOMENT_REMEDY)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall time has no zone


def _placed(zone: Zone, moment: datetime, key: str) -> int:
    at_ms = placed_ms(zone, wall_of(moment))
    if at_ms is None:
        raise InvalidTrigger(
            f"{key} {moment.isoformat(sep=' ')} does not exist in {zone.name}: "
            "the clocks leapt over it",
            remedy="choose another time, or write it with its offset from UTC",
        )
    return at_ms
