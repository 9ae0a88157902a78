"""
Entries of celery-redbeat: JSON definitions in hashes of Redis.

A definition holds what ``beat_schedule`` does, with objects as ``{"__type__": …}``. They are read
here without redbeat and Celery.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, Final
from zoneinfo import ZoneInfo

from beatline.triggers.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOUR,
    MINUTE,
    MONTH,
    FieldKind,
    read_field,
)
from beatline_schedules.importing.celery_entries import DEFAULTS, REMARKS, celery_entry
from beatline_schedules.importing.entry import Entry, Imported, LeftOut, Unsupported
from beatline_schedules.importing.field_text import full_range
from beatline_schedules.importing.naming import Names

#: What redbeat puts in front of the names of its keys.
PREFIX: Final = "redbeat:"

_CRONTAB: Final[dict[str, FieldKind]] = {
    "minute": MINUTE,
    "hour": HOUR,
    "day_of_week": DAY_OF_WEEK,
    "day_of_month": DAY_OF_MONTH,
    "month_of_year": MONTH,
}


@dataclass(slots=True)
class _Rule:
    """A recurrence rule, with dateutil's keywords as `celery_times` asks for them."""

    freq: Any = None
    interval: Any = 1
    wkst: Any = None
    count: Any = None
    until: Any = None
    dtstart: Any = None
    bysetpos: Any = None
    bymonth: Any = None
    bymonthday: Any = None
    byyearday: Any = None
    byeaster: Any = None
    byweekno: Any = None
    byweekday: Any = None
    byhour: Any = None
    byminute: Any = None
    bysecond: Any = None


def import_redbeat(
    definitions: Mapping[str, str | bytes],
    *,
    prefix: str = PREFIX,
    timezone: str = "",
    title: str = "redbeat",
) -> Imported:
    """
    The schedules of redbeat.

    Args:
        definitions: Key -> the field ``definition`` of its hash.
        prefix: What stands before each name.
        timezone: Celery's ``timezone``, which redbeat does not store.
        title: What it is called in the output.
    """
    names = Names()
    entries: list[Entry] = []
    left_out: list[LeftOut] = []
    for key in sorted(definitions):
        own = key.removeprefix(prefix)
        try:
            definition = _read(definitions[key])
            name = names.take(str(definition.get("name") or own))
            entries.append(celery_entry(name, definition, key))
        except (Unsupported, ValueError, TypeError, OverflowError) as error:
            left_out.append(LeftOut(key, getattr(error, "reason", "") or _told(error)))
    remarks: list[str] = [*REMARKS]
    if not timezone:
        remarks.append("redbeat does not store Celery's timezone; here times are UTC")
    zone = {"timezone": timezone} if timezone and timezone != "UTC" else {}
    return Imported(title, tuple(entries), tuple(left_out), tuple(remarks), {**zone, **DEFAULTS})


def _told(error: Exception) -> str:
    return f"its definition cannot be read: {error}"[:200]


def _read(text: str | bytes) -> dict[str, Any]:
    read = json.loads(text, object_hook=_rebuilt)
    if not isinstance(read, dict):
        raise Unsupported("its definition is no JSON object")
    return read


def _rebuilt(plain: dict[str, Any]) -> Any:
    kind = plain.get("__type__")
    if kind is None:
        return plain
    rest = {key: value for key, value in plain.items() if key != "__type__"}
    builder = _BUILDERS.get(kind)
    if builder is None:
        raise Unsupported(f"its definition holds a {kind!r}, which is not known here")
    return builder(rest)


def _datetime(rest: dict[str, Any]) -> datetime:
    zone = rest.pop("timezone", "UTC")
    where: Any = UTC
    if isinstance(zone, (int, float)):
        where = timezone(timedelta(seconds=zone))
    elif zone != "UTC":
        where = ZoneInfo(zone)
    return datetime(**rest, tzinfo=where)


def _crontab(rest: dict[str, Any]) -> SimpleNamespace:
    made = SimpleNamespace()
    for name, kind in _CRONTAB.items():
        written = rest.get(name, "*")
        setattr(made, name, _numbers(kind, written))
        setattr(made, f"_orig_{name}", written)
    return made


def _numbers(kind: FieldKind, written: Any) -> frozenset[int]:
    if isinstance(written, int):
        return frozenset({written})
    if isinstance(written, list):
        return frozenset(int(one) for one in written)
    words = [
        "-".join(word[:3] if word.isalpha() else word for word in part.split("-"))
        for part in str(written).replace(" ", "").split(",")
    ]
    text = ",".join(words)
    return full_range(kind) if text == "*" else read_field(kind, text, None).values


def _rule(rest: dict[str, Any]) -> _Rule:
    for name in ("dtstart", "until"):
        minutes = rest.pop(f"{name}_tz", 0) or 0
        if isinstance(rest.get(name), (int, float)):
            zone = timezone(timedelta(minutes=minutes))
            rest[name] = datetime.fromtimestamp(rest[name], tz=zone)
    known = {field.name for field in fields(_Rule)}
    return _Rule(**{key: value for key, value in rest.items() if key in known})


def _weekday(rest: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(weekday=rest.get("wkday"), n=rest.get("n"))


def _interval(rest: dict[str, Any]) -> SimpleNamespace:
    every = rest.get("every")
    if not isinstance(every, (int, float)):
        raise Unsupported(f"its interval {every!r} is no number")
    return SimpleNamespace(
        run_every=timedelta(seconds=every), relative=bool(rest.get("relative", False))
    )


_BUILDERS: Final = {
    "datetime": _datetime,
    "crontab": _crontab,
    "rrule": _rule,
    "weekday": _weekday,
    "interval": _interval,
}
