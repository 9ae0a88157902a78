"""Entries of Celery's ``beat_schedule``: task, arguments and options as keys of a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from beatline_schedules.importing.celery_times import celery_trigger
from beatline_schedules.importing.durations import interval_text
from beatline_schedules.importing.entry import Entry, Imported, LeftOut, Unsupported
from beatline_schedules.importing.naming import Names
from beatline_schedules.importing.plain_values import PlainValues
from beatline_schedules.importing.zones import zone_name

#: Jobs of Celery run beside each other; a run that came due while beat was down is made up once.
DEFAULTS: Final = {"overlap": "allow"}
REMARKS: Final = (
    "Celery sends a job also while the last one still runs: overlap: allow. Remove that line, and "
    "a run that is due meanwhile is skipped, and recorded",
    "after a pause of beat Celery sends an overdue job once, however late; here it is sent once "
    "within catch_up_window (1h), and recorded as missed beyond it",
)
#: Options of apply_async about how the message is sent: nothing is lost with them.
_SILENT: Final = frozenset({"delivery_mode", "retry", "retry_policy", "serializer", "compression"})


def import_beat_schedule(
    beat_schedule: Any, *, timezone: Any = None, title: str = "Celery's beat_schedule"
) -> Imported:
    """
    The schedules of a ``beat_schedule``.

    Args:
        beat_schedule: Name -> entry: a mapping, or an object with the same names as attributes.
        timezone: Celery's ``timezone``; None is UTC.
        title: What it is called in the output.

    Raises:
        Unsupported: It is no mapping.
    """
    if not isinstance(beat_schedule, Mapping):
        raise Unsupported(f"beat_schedule is a {type(beat_schedule).__name__}, not a mapping")
    defaults: dict[str, Any] = {}
    remarks: tuple[str, ...] = REMARKS
    try:
        name = zone_name(timezone)
    except Unsupported as unsupported:
        remarks += (f"Celery's timezone: {unsupported.reason}",)
    else:
        defaults = {} if name == "UTC" else {"timezone": name}
    names = Names()
    entries: list[Entry] = []
    left_out: list[LeftOut] = []
    for key, value in beat_schedule.items():
        try:
            entries.append(celery_entry(names.take(str(key)), value, str(key)))
        except Unsupported as unsupported:
            left_out.append(LeftOut(str(key), unsupported.reason))
    return Imported(title, tuple(entries), tuple(left_out), remarks, {**defaults, **DEFAULTS})


def celery_entry(name: str, entry: Any, origin: str = "") -> Entry:
    """
    One entry of ``beat_schedule``.

    Args:
        name: The schedule's name.
        entry: A mapping with ``task``, ``schedule``, ``args``, ``kwargs``, ``options`` and
            ``relative``, or an object with these attributes; redbeat's have ``enabled`` too.
        origin: What it is called there, where that differs.

    Raises:
        Unsupported: There is no counterpart.
    """
    task = _part(entry, "task")
    if not isinstance(task, str) or not task:
        raise Unsupported("it names no task")
    trigger, remarks = celery_trigger(
        _part(entry, "schedule"), relative=bool(_part(entry, "relative"))
    )
    values = PlainValues()
    fields: dict[str, Any] = {"task": task, **trigger}
    args, kwargs = _part(entry, "args") or (), _part(entry, "kwargs") or {}
    if args:
        fields["args"] = values.plain(list(args), "args")
    if kwargs:
        fields["kwargs"] = values.plain(kwargs, "kwargs")
    options, more = _options(_part(entry, "options") or {})
    fields |= options
    if _part(entry, "enabled") is False:
        fields["paused"] = True
    told = origin if origin != name else ""
    return Entry(name, fields, told, (*remarks, *values.remarks, *more))


def _part(entry: Any, name: str) -> Any:
    return entry.get(name) if isinstance(entry, Mapping) else getattr(entry, name, None)


def _options(options: Any) -> tuple[dict[str, Any], list[str]]:
    if not isinstance(options, Mapping):
        return {}, [f"its options {str(options)[:60]} are no mapping"]
    fields: dict[str, Any] = {}
    remarks: list[str] = []
    lost: list[str] = []
    for name, value in options.items():
        if value is None or name in _SILENT:
            continue
        if name == "queue":
            fields["queue"] = str(getattr(value, "name", value))
        elif name == "priority":
            _take_priority(value, fields, remarks)
        elif name == "expires":
            _take_expires(value, fields, remarks)
        elif name in ("time_limit", "soft_time_limit"):
            fields[name] = interval_text(value, name)
        else:
            lost.append(f"{name}={str(value)[:40]}")
    if lost:
        remarks.append(f"no counterpart in YAML, left out: {', '.join(lost)}")
    return fields, remarks


def _take_priority(value: Any, fields: dict[str, Any], remarks: list[str]) -> None:
    if isinstance(value, int) and 0 <= value <= 9:
        fields["priority"] = value
        remarks.append(
            f"priority {value}: 9 is the highest here and with RabbitMQ; over Redis, Celery's "
            "highest is 0"
        )
    else:
        remarks.append(f"priority {value!r} is none of 0 (lowest) to 9 (highest): left out")


def _take_expires(value: Any, fields: dict[str, Any], remarks: list[str]) -> None:
    if isinstance(value, datetime):
        remarks.append(f"expires at {value.isoformat()}: one instant for all jobs, left out")
    elif isinstance(value, (int, float, timedelta)) and not isinstance(value, bool):
        fields["expires"] = interval_text(value, "expires")
    else:
        remarks.append(f"expires {str(value)[:40]!r} is no duration: left out")
