"""The names of other people's time zone objects."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from beatline.errors import InvalidTrigger
from beatline.triggers import zone
from beatline_schedules.importing.entry import Unsupported

#: Wall times in winter and in summer, at which a zone is asked for its offset.
_PROBES: Final = (datetime(2026, 1, 1), datetime(2026, 7, 1))  # noqa: DTZ001 - wall times


def zone_name(value: Any) -> str:
    """
    The IANA name of a zone.

    Args:
        value: A name, a ``ZoneInfo``, a zone of pytz or dateutil, or a fixed offset of whole
            hours; None is UTC.

    Raises:
        Unsupported: It has none.
    """
    if value is None:
        return "UTC"
    for name in (value, getattr(value, "key", None), getattr(value, "zone", None), str(value)):
        if isinstance(name, str) and _is_known(name):
            return name
    hours = _fixed_hours(value)
    if hours == 0:
        return "UTC"
    if hours is not None:
        # The signs of these names are turned: Etc/GMT-2 is two hours ahead of UTC.
        return f"Etc/GMT{-hours:+d}"
    raise Unsupported(f"its time zone {str(value)[:60]!r} has no IANA name; say timezone: yourself")


def _is_known(name: str) -> bool:
    try:
        zone(name)
    except InvalidTrigger:
        return False
    return True


def _fixed_hours(value: Any) -> int | None:
    """Whole hours ahead of UTC, for a zone whose clocks are never changed."""
    if not isinstance(value, tzinfo):
        return None
    offsets = {value.utcoffset(moment) for moment in _PROBES}
    offset = offsets.pop()
    if offsets or offset is None or offset % timedelta(hours=1):
        return None
    hours = offset // timedelta(hours=1)
    return hours if -12 <= hours <= 14 else None
