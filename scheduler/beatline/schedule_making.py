"""
A schedule from what code says: names, options and their checks.

Pure. Options are named as in YAML, where `beatline_schedules` reads them with their places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypedDict, TypeVar

from beatline.errors import InvalidSetting
from beatline.naming import check_name
from beatline.options import check_duration, check_limits, check_names
from beatline.schedule import CatchUp, Overlap, Schedule
from beatline.settings import Duration, check_priority, check_queue
from beatline.triggers import BOUND_KEYS, Timetable, build_timetable, spec_of_given

#: Source of the schedules that code declares.
CODE: Final = "code"
#: Longest name of a schedule, bytes of UTF-8: it travels in each of its jobs' records.
MAX_NAME_BYTES: Final = 200
#: Options that say when.
_WHEN: Final = (
    "cron",
    "second",
    "every",
    "anchor",
    "offset",
    "calendar",
    "at",
    "rrule",
    "any",
    "timezone",
)

_Choice = TypeVar("_Choice", Overlap, CatchUp)


class ScheduleOptions(TypedDict, total=False):
    """
    The options of a schedule, named as in YAML. Exactly one trigger is needed.

    Attributes:
        cron: Five fields, or ``@daily`` and the like; ``second`` goes with it.
        every: An interval on a fixed grid; ``anchor`` and ``offset`` go with it.
        calendar: Every n days, weeks, months or years in wall time.
        at: Once.
        rrule: A recurrence rule of RFC 5545.
        any: A list of triggers, each as a mapping.
        trigger: A trigger object, of `beatline.triggers` or with ``get_next_fire_time``.
        timezone: IANA name of the zone of wall times.
        start, end: First and last instant that may fire.
        jitter: Each occurrence is due up to this much later, by a stable hash.
        exclude: Dates, ranges of dates and weekdays without occurrences.
        queue, priority: Of the jobs; by default the task's.
        overlap: What happens while an earlier job has not ended.
        catch_up, catch_up_window, max_catch_up: What becomes of fire times that have passed.
        grace: A fire time that passed less than this ago is on time.
        max_runs: The schedule ends after so many jobs.
        paused: Declared at rest.
        expect_within: An alert is raised after so long without a success.
        pause_after_failures: Pause after so many failures in a row.
        expires: Jobs that have not started after so long do not run.
        time_limit, soft_time_limit: Of the jobs.
        max_retries, retry_backoff, retry_backoff_max: Of the jobs.
        headers: Travel with each job.
        ignore_result: Keep nothing of the jobs' ends.
        note: Free text for people.
    """

    cron: str
    second: str | int
    every: Duration
    anchor: str | datetime
    offset: Duration
    calendar: Mapping[str, Any]
    at: str | datetime
    rrule: str
    any: Iterable[Mapping[str, Any]]
    trigger: Any
    timezone: str
    start: str | datetime
    end: str | datetime
    jitter: Duration
    exclude: Any
    queue: str | None
    priority: int | None
    overlap: Overlap | str
    catch_up: CatchUp | str
    catch_up_window: Duration
    max_catch_up: int
    grace: Duration
    max_runs: int | None
    paused: bool
    expect_within: Duration | None
    pause_after_failures: int | None
    expires: Duration
    time_limit: Duration
    soft_time_limit: Duration
    max_retries: int
    retry_backoff: Duration
    retry_backoff_max: Duration
    headers: Mapping[str, Any]
    ignore_result: bool
    note: str


def make_schedule(
    name: str,
    task: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: Mapping[str, Any],
    source: str = CODE,
) -> Schedule:
    """
    The schedule behind what code says.

    Raises:
        InvalidTrigger: There is no trigger, or it cannot be read.
        InvalidSetting: An option is unknown or does not fit.
    """
    where = f"schedule {_checked_name(name)!r}"
    given = {key: value for key, value in options.items() if value is not None}
    check_names(given, tuple(ScheduleOptions.__annotations__), where)
    return Schedule(
        name=name,
        task=check_name(task),
        timetable=_timetable(name, given),
        args=args,
        kwargs=kwargs,
        options=_job_options(given, where),
        source=source,
        **_fields(given, where),
    )


def _fields(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of the schedule itself."""
    fields: dict[str, Any] = {key: given[key] for key in ("paused", "note") if key in given}
    for key in ("catch_up_window", "grace"):
        if key in given:
            fields[f"{key}_ms"] = check_duration(given[key], f"{where}: {key}")
    if "expect_within" in given:
        fields["expect_within_ms"] = check_duration(
            given["expect_within"], f"{where}: expect_within", shortest_ms=1_000
        )
    for key in ("max_catch_up", "max_runs", "pause_after_failures"):
        if key in given:
            fields[key] = _count(given[key], f"{where}: {key}")
    if "queue" in given:
        fields["queue"] = check_queue(given["queue"], f"{where}: queue")
    if "priority" in given:
        fields["priority"] = check_priority(given["priority"])
    if "overlap" in given:
        fields["overlap"] = _choice(Overlap, given["overlap"], f"{where}: overlap")
    if "catch_up" in given:
        fields["catch_up"] = _choice(CatchUp, given["catch_up"], f"{where}: catch_up")
    if fields.get("catch_up") is CatchUp.ALL and "catch_up_window" not in given:
        raise InvalidSetting(
            f"{where}: catch_up='all' needs catch_up_window",
            remedy='say how far back, such as catch_up_window="6h"',
        )
    return fields


def _timetable(name: str, given: Mapping[str, Any]) -> Timetable:
    spec = {key: given[key] for key in (*_WHEN, *BOUND_KEYS) if key in given}
    if "every" in spec:
        # A bare number means seconds here, as everywhere in the API; in a spec it is ms.
        spec["every"] = f"{check_duration(spec['every'], 'every', shortest_ms=1)}ms"
    if "trigger" not in given:
        return build_timetable(spec, name)
    bare = spec_of_given(given["trigger"])
    clash = sorted(key for key in spec if key in _WHEN)
    if clash:
        raise InvalidSetting(
            f"schedule {name!r}: {' and '.join(clash)} given beside trigger",
            remedy="give one of them; a trigger object knows its time zone",
        )
    return build_timetable({**bare, **spec}, name)


def _job_options(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        f"{key}_ms": check_duration(given[key], f"{where}: {key}", shortest_ms=1)
        for key in (
            "expires",
            "time_limit",
            "soft_time_limit",
            "retry_backoff",
            "retry_backoff_max",
        )
        if key in given
    }
    if "max_retries" in given:
        options["max_retries"] = _count(given["max_retries"], f"{where}: max_retries", lowest=0)
    if "headers" in given:
        options["headers"] = dict(given["headers"])
    if "ignore_result" in given:
        options["ignore_result"] = bool(given["ignore_result"])
    check_limits(options.get("time_limit_ms", 0), options.get("soft_time_limit_ms", 0), where)
    return options


def _checked_name(name: object) -> str:
    if isinstance(name, str) and name.isprintable() and name == name.strip():
        try:
            if 0 < len(name.encode()) <= MAX_NAME_BYTES:
                return name
        except UnicodeEncodeError:
            pass
    raise InvalidSetting(
        f"schedule name {name!r} is not one",
        remedy=f"use 1 to {MAX_NAME_BYTES} bytes of printable text, without spaces at the ends",
    )


def _count(value: object, label: str, lowest: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise InvalidSetting(f"{label} {value!r} is not a number from {lowest} upwards")
    return value


def _choice(kind: type[_Choice], value: str, label: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        shown = ", ".join(repr(str(one)) for one in kind)
        raise InvalidSetting(f"{label} {value!r} is not one of its values", remedy=shown) from None
