"""
APScheduler 3's triggers as ours, recognised by their attributes.

A cron trigger has ``fields``, an interval ``interval_length``, a date ``run_date``, a calendar
interval ``months`` and ``weeks``, and those that combine others have ``triggers``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

from beatline.triggers.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    FieldKind,
)
from beatline.units import duration_text
from beatline_schedules.importing.all_matching import AllMatching
from beatline_schedules.importing.durations import interval_text
from beatline_schedules.importing.entry import Unsupported
from beatline_schedules.importing.field_text import full_range
from beatline_schedules.importing.zones import zone_name

#: What a trigger becomes: keys of the file format, and remarks.
Trigger = tuple[dict[str, Any], list[str]]

#: Weekdays as APScheduler counts them; 0 is Monday.
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_ORDINALS: Final = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": -1}
_KINDS: Final[dict[str, FieldKind]] = {
    "month": MONTH,
    "day": DAY_OF_MONTH,
    "day_of_week": DAY_OF_WEEK,
    "hour": HOUR,
    "minute": MINUTE,
    "second": SECOND,
}
_ITEM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")
_NTH = re.compile(r"(?P<ordinal>1st|2nd|3rd|4th|5th|last) +(?P<weekday>\w+)")
#: Last year that a date may have.
_LAST_YEAR: Final = 2999


def apscheduler_trigger(trigger: Any) -> Trigger:
    """
    Keys of a schedule that fires as a trigger of APScheduler does, and remarks.

    Raises:
        Unsupported: There is no counterpart.
    """
    if hasattr(trigger, "triggers"):
        return _combined(trigger)
    builders = {
        "fields": _cron,
        "interval_length": _interval,
        "run_date": _date,
        "weeks": _calendar,
    }
    for attribute, build in builders.items():
        if hasattr(trigger, attribute):
            fields, remarks = build(trigger)
            break
    else:
        raise Unsupported(
            f"its trigger is a {type(trigger).__name__}; hand it over in code: "
            "app.schedules.put(…, trigger=…)"
        )
    jitter = getattr(trigger, "jitter", None)
    if jitter:
        fields["jitter"] = interval_text(jitter, "jitter")
        remarks.append("jitter was drawn anew each time; here it is a stable hash of the fire time")
    return fields, remarks


def _combined(trigger: Any) -> Trigger:
    if "and" in type(trigger).__name__.lower():
        raise Unsupported("triggers that have to agree (AndTrigger); write one cron or rrule")
    members: list[dict[str, Any]] = []
    remarks: list[str] = []
    for member in trigger.triggers:
        fields, more = apscheduler_trigger(member)
        bounds = sorted({"start", "end", "jitter"} & fields.keys())
        if bounds:
            raise Unsupported(f"a member of an OrTrigger has {' and '.join(bounds)} of its own")
        members.append(fields)
        remarks += more
    return {"any": members}, remarks


def _interval(trigger: Any) -> Trigger:
    fields: dict[str, Any] = {"every": interval_text(trigger.interval_length, "an interval")}
    remarks: list[str] = []
    start = getattr(trigger, "start_date", None)
    if isinstance(start, datetime) and not start.microsecond:
        # The first run is at the start; the grid goes on from there.
        fields["anchor"] = fields["start"] = start.isoformat()
    else:
        # Nobody named it: it is the moment at which the trigger was made.
        remarks.append(
            f"every {fields['every']}: APScheduler counted from its start; here the grid is fixed"
        )
    fields |= _end(trigger)
    return fields, remarks


def _date(trigger: Any) -> Trigger:
    moment = trigger.run_date
    if not isinstance(moment, datetime):
        raise Unsupported(f"its run_date {moment!r} is no moment")
    return {"at": moment.isoformat(), **_zone(getattr(trigger, "timezone", moment.tzinfo))}, []


def _calendar(trigger: Any) -> Trigger:
    start: date = trigger.start_date
    steps = {
        unit: getattr(trigger, unit)
        for unit in ("years", "months", "weeks", "days")
        if getattr(trigger, unit)
    }
    if len(steps) != 1:
        raise Unsupported(f"it steps by {' and '.join(steps)} at once")
    at = trigger._time
    calendar: dict[str, Any] = {**steps, "at": at.strftime("%H:%M:%S" if at.second else "%H:%M")}
    if start.isoformat() != "1970-01-01":
        calendar["anchor"] = start.isoformat()
    fields = {"calendar": calendar, **_zone(trigger.timezone), "start": start.isoformat()}
    if isinstance(trigger.end_date, date):
        fields["end"] = trigger.end_date.isoformat()
    remark = "APScheduler leaves out a day whose time the clocks skip; here it fires at its end"
    return fields, [remark]


def _cron(trigger: Any) -> Trigger:
    texts = {str(field.name): str(field) for field in trigger.fields}
    fields: dict[str, Any] = {}
    remarks: list[str] = []
    if texts.get("week", "*") != "*":
        raise Unsupported(
            f"week={texts['week']}: weeks of the year; write rrule: FREQ=YEARLY;BYWEEKNO=…"
        )
    values = {
        name: _numbers(kind, texts.get(name, "*")) if name != "day" else frozenset[int]()
        for name, kind in _KINDS.items()
    }
    days, has_last, nth = _days(texts.get("day", "*"))
    matching = AllMatching(
        minute=values["minute"],
        hour=values["hour"],
        month=values["month"],
        second=values["second"],
        day=days,
        weekday=values["day_of_week"],
        last_day=has_last,
        nth=nth,
        written={
            name: texts[name] for name in ("minute", "hour", "second", "day") if name in texts
        },
    )
    fields, remarks = matching.trigger()
    weekdays = texts.get("day_of_week", "*")
    if re.search(r"\d|/", weekdays):
        told = fields.get("cron", "").rpartition(" ")[2] or fields.get("rrule", "")
        remarks.append(f"day_of_week={weekdays} counts from 0 = Monday there; it is {told} here")
    fields |= _zone(trigger.timezone)
    start, end = _years(texts.get("year", "*"))
    if start:
        fields["start"] = start
    if isinstance(getattr(trigger, "start_date", None), datetime):
        if start:
            raise Unsupported("it has both a year and a start_date")
        fields["start"] = trigger.start_date.isoformat()
    fields |= {"end": end} if end else _end(trigger)
    return fields, remarks


def _days(text: str) -> tuple[frozenset[int], bool, frozenset[tuple[int, int]]]:
    """Days by number, whether the last one counts, and weekdays by (0 = Sunday, k)."""
    numbers: list[str] = []
    nth: set[tuple[int, int]] = set()
    has_last = False
    for item in text.split(","):
        ordinal = _NTH.fullmatch(item.strip())
        if item.strip() == "last":
            has_last = True
        elif ordinal:
            weekday = _WEEKDAYS.index(ordinal["weekday"][:3].lower())
            nth.add(((weekday + 1) % 7, _ORDINALS[ordinal["ordinal"]]))
        else:
            numbers.append(item)
    days = _numbers(DAY_OF_MONTH, ",".join(numbers)) if numbers else frozenset[int]()
    return days, has_last, frozenset(nth)


def _numbers(kind: FieldKind, text: str) -> frozenset[int]:
    """The numbers of a field as APScheduler reads it; weekdays become 0 = Sunday."""
    found = {number for item in text.split(",") for number in _item(kind, item.strip())}
    if kind is DAY_OF_WEEK:
        return frozenset((number + 1) % 7 for number in found)
    return frozenset(found & full_range(kind))


def _item(kind: FieldKind, item: str) -> Iterator[int]:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise Unsupported(f"its {kind.name} {item!r} is not known here")
    low, high = (0, 6) if kind is DAY_OF_WEEK else (kind.low, kind.high)
    step = int(found["step"] or 1)
    first = low if found["first"] is None else _value(kind, found["first"])
    if found["last"] is not None:
        last = _value(kind, found["last"])
    else:
        last = high if found["first"] is None or found["step"] else first
    yield from range(first, last + 1, step)


def _value(kind: FieldKind, word: str) -> int:
    if word.isdigit():
        return int(word)
    names = _WEEKDAYS if kind is DAY_OF_WEEK else _MONTHS
    short = word[:3].lower()
    if short not in names:
        raise Unsupported(f"its {kind.name} {word!r} is not known here")
    return names.index(short) + (0 if kind is DAY_OF_WEEK else 1)


def _years(text: str) -> tuple[str, str]:
    """The first and the last day that a field of years allows; empty for no bound."""
    if text == "*":
        return "", ""
    found = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", text)
    if found is None or int(found[2] or found[1]) > _LAST_YEAR:
        raise Unsupported(f"year={text}: write start: and end:, or an rrule")
    return f"{found[1]}-01-01", f"{found[2] or found[1]}-12-31"


def _zone(value: Any) -> dict[str, Any]:
    name = zone_name(value)
    return {} if name == "UTC" else {"timezone": name}


def _end(trigger: Any) -> dict[str, Any]:
    end = getattr(trigger, "end_date", None)
    return {"end": end.isoformat()} if isinstance(end, datetime) else {}


def grace_text(seconds: float) -> str:
    """A ``misfire_grace_time`` as a duration."""
    return duration_text(int(timedelta(seconds=seconds) / timedelta(milliseconds=1)))
