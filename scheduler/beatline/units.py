"""Durations, instants and sizes, between what people write and integer milliseconds or bytes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from beatline.errors import InvalidSetting

#: Milliseconds per unit of a written duration.
_UNIT_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", re.ASCII | re.IGNORECASE)
_SIZE_FACTOR = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_US = timedelta(microseconds=1)


def duration_ms(value: str | float | timedelta, name: str = "duration") -> int:
    """
    The duration in milliseconds, rounded up.

    Args:
        value: Seconds as a number, a ``timedelta``, or text such as ``"90s"``, ``"1h30m"``,
            ``"250ms"``; units are ms, s, m, h, d and w.
        name: What the duration is, for the error.

    Raises:
        InvalidSetting: For any other text or type, and for negative or infinite values.
    """
    remedy = 'write it like "90s", "5m", "1h30m", or as a number of seconds'
    if isinstance(value, timedelta):
        total = -(-value // _MS)
    elif isinstance(value, str):
        text = value.strip().lower()
        if not _DURATION.fullmatch(text):
            raise InvalidSetting(f"{name} {value!r} is not a duration", remedy=remedy)
        exact = sum(float(n) * _UNIT_MS[unit] for n, unit in _DURATION_PART.findall(text))
        total = int(-(-exact // 1))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if value != value or value in (float("inf"), float("-inf")):
            raise InvalidSetting(f"{name} {value!r} is not a duration", remedy=remedy)
        total = int(-(-value * 1000 // 1))
    else:
        raise InvalidSetting(f"{name} is a {type(value).__name__}, not a duration", remedy=remedy)
    if total < 0:
        raise InvalidSetting(f"{name} {value!r} is negative", remedy=remedy)
    return total


def duration_text(ms: int) -> str:
    """The duration as people write it, exact: ``90000`` gives ``"1m30s"``."""
    if ms == 0:
        return "0s"
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, ms = divmod(ms, _UNIT_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def instant_us(moment: datetime, zone: tzinfo | None = None) -> int:
    """
    The instant in UTC microseconds, as a datetime has it.

    Args:
        moment: An aware datetime, or a naive one where ``zone`` says what it means.
        zone: The zone of naive values; None refuses them.

    Raises:
        InvalidSetting: For a naive datetime without a zone.
    """
    if moment.tzinfo is None:
        if zone is None:
            raise InvalidSetting(
                f"datetime {moment.isoformat()} has no time zone",
                remedy="pass an aware datetime, such as datetime.now(timezone.utc)",
            )
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // _US


def instant_ms(moment: datetime, zone: tzinfo | None = None) -> int:
    """The same in UTC milliseconds, rounded up, so that a job is never early."""
    return -(-instant_us(moment, zone) // 1_000)


def moment_of(ms: int) -> datetime:
    """The aware UTC datetime of an instant in milliseconds."""
    return _EPOCH + timedelta(milliseconds=ms)


def size_bytes(value: str | int, name: str = "size") -> int:
    """
    The size in bytes of ``"200MB"``, ``"1.5G"``, ``"4096"``; units are powers of 1024.

    Raises:
        InvalidSetting: For any other text.
    """
    if isinstance(value, int):
        return value
    found = _SIZE.fullmatch(value.strip())
    if not found:
        raise InvalidSetting(f"{name} {value!r} is not a size", remedy='write it like "200MB"')
    return int(float(found[1]) * _SIZE_FACTOR[found[2].upper()])
