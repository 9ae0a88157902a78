"""
The wire form of single values that msgpack has no type for.

Each travels as a msgpack extension: a code and bytes. The codes are a stable format; a code is
never given a second meaning, and a retired one is not used again.

==== ============== ===========================================================================
code value          bytes
==== ============== ===========================================================================
1    tuple          msgpack array of the items
2    set            msgpack array of the elements, in no order
3    frozenset      as for set
4    dict           msgpack array key, value, key, value …; only where a key is not text
5    int            big-endian two's complement; only outside -2**63 … 2**64-1
6    complex        two big-endian IEEE doubles: real, imaginary
7    Decimal        ASCII text, such as ``-1.50E+3`` or ``sNaN12``
8    datetime       msgpack: ISO text, or ``[ISO text without zone, fold, zone]``
9    date           ASCII ISO text
10   time           as for datetime
11   timedelta      msgpack array ``[days, seconds, microseconds]``
12   UUID           its 16 bytes
16   dataclass      msgpack array ``["module:qualname", {field: value}]``
17   Enum           msgpack array ``["module:qualname", member name]``; for a Flag its value
18   msgspec.Struct as for dataclass
19   pydantic model msgpack array ``["module:qualname", the state that pickle would take]``
==== ============== ===========================================================================

A zone is None (naive), an IANA key, or ``[offset in microseconds, name or None]``.

This module holds the codes 5 to 12. Containers are in `beatline.payload`, classes in
`beatline.payload_classes`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec.msgpack import Decoder, Encoder, Ext

from beatline.errors import UnserializableArgument

EXT_TUPLE: Final = 1
EXT_SET: Final = 2
EXT_FROZENSET: Final = 3
EXT_DICT: Final = 4
EXT_INT: Final = 5
EXT_COMPLEX: Final = 6
EXT_DECIMAL: Final = 7
EXT_DATETIME: Final = 8
EXT_DATE: Final = 9
EXT_TIME: Final = 10
EXT_TIMEDELTA: Final = 11
EXT_UUID: Final = 12
EXT_DATACLASS: Final = 16
EXT_ENUM: Final = 17
EXT_STRUCT: Final = 18
EXT_PYDANTIC: Final = 19

#: The integers that msgpack itself can hold.
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**64 - 1

ENCODER: Final = Encoder()
_decode = Decoder().decode

# freezegun replaces `datetime` and `date` in every module while time is frozen; what is bound
# here stays the real class, so that decoding gives the same types under it.
_read_datetime = datetime.fromisoformat
_read_date = date.fromisoformat
_read_time = time.fromisoformat
_COMPLEX = struct.Struct(">dd")
_MICROSECOND = timedelta(microseconds=1)


def unsendable(message: str, remedy: str) -> UnserializableArgument:
    """A refusal whose path is still empty: each container on the way out puts its step in front."""
    return UnserializableArgument(message, path="", remedy=remedy)


def encode_int(value: int) -> Ext:
    """An integer that msgpack's 64 bits can't hold."""
    width = value.bit_length() // 8 + 1
    return Ext(EXT_INT, value.to_bytes(width, "big", signed=True))


def _encode_complex(value: complex) -> Ext:
    return Ext(EXT_COMPLEX, _COMPLEX.pack(value.real, value.imag))


def _encode_decimal(value: Decimal) -> Ext:
    return Ext(EXT_DECIMAL, str(value).encode("ascii"))


def _encode_date(value: date) -> Ext:
    return Ext(EXT_DATE, value.isoformat().encode("ascii"))


def _encode_timedelta(value: timedelta) -> Ext:
    return Ext(EXT_TIMEDELTA, ENCODER.encode((value.days, value.seconds, value.microseconds)))


def _encode_uuid(value: UUID) -> Ext:
    return Ext(EXT_UUID, value.bytes)


def _encode_datetime(value: datetime) -> Ext:
    return Ext(EXT_DATETIME, _clock_reading(value))


def _encode_time(value: time) -> Ext:
    return Ext(EXT_TIME, _clock_reading(value))


def _clock_reading(value: datetime | time) -> bytes:
    zone = _zone_out(value.tzinfo)
    if value.fold == 0 and (zone is None or (type(zone) is list and _is_iso_offset(*zone))):
        return ENCODER.encode(value.isoformat())
    return ENCODER.encode((value.replace(tzinfo=None).isoformat(), value.fold, zone))


def _is_iso_offset(offset: int, name: str | None) -> bool:
    """Whether ISO text can hold the zone; CPython 3.11 reads ``+00:00:00.000001`` as UTC."""
    return name is None and offset % 60_000_000 == 0


def _zone_out(zone: tzinfo | None) -> str | list[Any] | None:
    if zone is None:
        return None
    if type(zone) is timezone:
        # What pickle would call the constructor with: the offset, and the name if it has one.
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
        return [offset // _MICROSECOND, name[0] if name else None]
    if type(zone) is ZoneInfo:
        if zone.key is None:
            raise unsendable(
                "has a ZoneInfo without a key, which the worker could not find again",
                'take the zone by name, such as ZoneInfo("Europe/Berlin")',
            )
        return zone.key
    raise unsendable(
        f"has a time zone of class {type(zone).__module__}.{type(zone).__qualname__}",
        "use zoneinfo.ZoneInfo or datetime.timezone, or send it in UTC",
    )


def _zone_in(zone: Any) -> tzinfo | None:
    if zone is None:
        return None
    if type(zone) is str:
        return ZoneInfo(zone)
    offset, name = zone
    delta = timedelta(microseconds=offset)
    return timezone(delta) if name is None else timezone(delta, name)


def _decode_clock_reading(data: memoryview, read: Callable[[str], Any]) -> Any:
    reading = _decode(data)
    if type(reading) is str:
        return read(reading)
    text, fold, zone = reading
    return read(text).replace(tzinfo=_zone_in(zone), fold=fold)


def _decode_timedelta(data: memoryview) -> timedelta:
    days, seconds, microseconds = _decode(data)
    return timedelta(days, seconds, microseconds)


#: Exact type -> how it is sent. Subclasses are not in here: they would come back as their base.
ENCODERS: Final[dict[type, Callable[[Any], Ext]]] = {
    complex: _encode_complex,
    Decimal: _encode_decimal,
    datetime: _encode_datetime,
    date: _encode_date,
    time: _encode_time,
    timedelta: _encode_timedelta,
    UUID: _encode_uuid,
}

#: Code -> how its bytes are read; they raise anything where the bytes are not ours.
DECODERS: Final[dict[int, Callable[[memoryview], Any]]] = {
    EXT_INT: lambda data: int.from_bytes(data, "big", signed=True),
    EXT_COMPLEX: lambda data: complex(*_COMPLEX.unpack(data)),
    EXT_DECIMAL: lambda data: Decimal(str(data, "ascii")),
    EXT_DATETIME: lambda data: _decode_clock_reading(data, _read_datetime),
    EXT_DATE: lambda data: _read_date(str(data, "ascii")),
    EXT_TIME: lambda data: _decode_clock_reading(data, _read_time),
    EXT_TIMEDELTA: _decode_timedelta,
    EXT_UUID: lambda data: UUID(bytes=bytes(data)),
}
