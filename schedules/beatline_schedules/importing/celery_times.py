"""
Celery's schedules as triggers, recognised by their attributes: Celery need not be installed.

A ``crontab`` has the sets ``minute``, ``hour``, ``day_of_week``, ``day_of_month`` and
``month_of_year`` and, under ``_orig_…``, how they were written; an interval has ``run_every``; a
``solar`` has ``lat`` and ``lon``; redbeat's ``rrule`` has ``freq`` and the keywords of dateutil's.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from beatline_schedules.importing.all_matching import AllMatching
from beatline_schedules.importing.durations import interval_text
from beatline_schedules.importing.entry import Unsupported

_FREQUENCIES: Final = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
#: Our names of the five fields, and Celery's.
_CRONTAB: Final = {
    "minute": "minute",
    "hour": "hour",
    "day": "day_of_month",
    "month": "month_of_year",
    "weekday": "day_of_week",
}
#: Parts of a recurrence rule by their keyword in dateutil.
_LISTS: Final = (
    *("bysetpos", "bymonth", "bymonthday", "byyearday", "byweekno"),
    *("byhour", "byminute", "bysecond"),
)

#: What a trigger becomes: keys of the file format, and remarks.
Trigger = tuple[dict[str, Any], list[str]]


def celery_trigger(schedule: Any, *, relative: bool = False) -> Trigger:
    """
    The trigger of what stands under ``schedule`` in an entry of ``beat_schedule``.

    Args:
        schedule: A number of seconds, a timedelta, or one of Celery's schedule objects.
        relative: The entry's own ``relative``.

    Raises:
        Unsupported: There is no counterpart.
    """
    if isinstance(schedule, bool) or schedule is None:
        raise Unsupported(f"its schedule is {schedule!r}")
    if isinstance(schedule, (int, float, timedelta)):
        return _interval(schedule, relative)
    if hasattr(schedule, "lat") and hasattr(schedule, "lon"):
        event = getattr(schedule, "event", "an event")
        raise Unsupported(
            f"solar times ({event} at {schedule.lat}, {schedule.lon}) are not known; write a "
            "trigger object and app.schedules.put(…, trigger=…)"
        )
    if hasattr(schedule, "month_of_year") and hasattr(schedule, "minute"):
        return _crontab(schedule)
    if hasattr(schedule, "freq") and hasattr(schedule, "byweekday"):
        return _recurrence(schedule)
    if hasattr(schedule, "run_every"):
        return _interval(schedule.run_every, relative or bool(getattr(schedule, "relative", False)))
    raise Unsupported(f"its schedule is of type {type(schedule).__name__}, which is not known here")


def _interval(value: float | timedelta, relative: bool) -> Trigger:
    text = interval_text(value, "an interval")
    if relative:
        remark = "relative: Celery rounded to the unit of the interval; here the grid is fixed"
    else:
        remark = "Celery counted from the last run; here the grid is fixed, whatever restarts"
    return {"every": text}, [f"every {text}: {remark}"]


def _crontab(schedule: Any) -> Trigger:
    values: dict[str, frozenset[int]] = {}
    written: dict[str, str] = {}
    for name, attribute in _CRONTAB.items():
        numbers = getattr(schedule, attribute, None)
        if not isinstance(numbers, (set, frozenset, list, tuple)) or not _are_numbers(numbers):
            raise Unsupported(f"its {attribute} {numbers!r} is no set of numbers")
        values[name] = frozenset(numbers)
        text = getattr(schedule, f"_orig_{attribute}", None)
        if isinstance(text, str):
            written[name] = text
    matching = AllMatching(
        minute=values["minute"],
        hour=values["hour"],
        month=values["month"],
        day=values["day"],
        weekday=values["weekday"],
        written=written,
    )
    fields, remarks = matching.trigger()
    if getattr(schedule, "nowfun", None) is not None:
        remarks.append("it had a clock of its own (nowfun); look at timezone:")
    return fields, remarks


def _are_numbers(values: Any) -> bool:
    return all(isinstance(one, int) and not isinstance(one, bool) for one in values)


def _recurrence(rule: Any) -> Trigger:
    """Redbeat's rrule, by dateutil's keywords."""
    if getattr(rule, "byeaster", None) is not None:
        raise Unsupported("a rule with byeaster; name the dates in any: or in a calendar")
    parts = [f"FREQ={_frequency(rule.freq)}"]
    interval = getattr(rule, "interval", 1) or 1
    if interval != 1:
        parts.append(f"INTERVAL={interval}")
    if getattr(rule, "wkst", None) is not None:
        parts.append(f"WKST={_weekday(rule.wkst)}")
    for keyword in _LISTS:
        values = _listed(getattr(rule, keyword, None))
        if values:
            parts.append(f"{keyword.upper()}={','.join(str(one) for one in values)}")
    weekdays = _listed(getattr(rule, "byweekday", None))
    if weekdays:
        parts.append(f"BYDAY={','.join(_weekday(one) for one in weekdays)}")
    if getattr(rule, "count", None) is not None:
        parts.append(f"COUNT={rule.count}")
    until = getattr(rule, "until", None)
    if isinstance(until, datetime):
        parts.append(f"UNTIL={_moment(until)}")
    lines = f"RRULE:{';'.join(parts)}"
    start = getattr(rule, "dtstart", None)
    if isinstance(start, datetime):
        lines = f"DTSTART:{_moment(start)}\n{lines}"
    return {"rrule": lines}, []


def _frequency(value: Any) -> str:
    if isinstance(value, str) and value.upper() in _FREQUENCIES:
        return value.upper()
    if isinstance(value, int) and 0 <= value < len(_FREQUENCIES):
        return _FREQUENCIES[value]
    raise Unsupported(f"a rule with the frequency {value!r}")


def _weekday(value: Any) -> str:
    number = value if isinstance(value, int) else getattr(value, "weekday", None)
    if not isinstance(number, int) or not 0 <= number <= 6:
        raise Unsupported(f"a rule with the weekday {value!r}")
    n = getattr(value, "n", None)
    return f"{n if n else ''}{_WEEKDAYS[number]}"


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def _moment(moment: datetime) -> str:
    """In the form of RFC 5545: in UTC where the zone is known."""
    text = moment.strftime("%Y%m%dT%H%M%S")
    offset = moment.utcoffset()
    return text if offset is None else (moment - offset).strftime("%Y%m%dT%H%M%SZ")
