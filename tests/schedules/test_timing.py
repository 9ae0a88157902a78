"""Triggers in YAML become timetables; what is wrong in one is told at its own place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from beatline.triggers import build_timetable
from tests.schedules.conftest import Examine


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("keys", "spec"),
    [
        ("cron: '@hourly'", {"cron": "@hourly"}),
        ("cron: 30 2 * * mon-fri", {"cron": "30 2 * * mon-fri"}),
        ("cron: '* * * * *', second: '*/10'", {"cron": "* * * * *", "second": "*/10"}),
        ("cron: '* * * * *', second: 15", {"cron": "* * * * *", "second": "15"}),
        ("every: 90", {"every": "1m30s"}),
        ("every: 0.5", {"every": "500ms"}),
        (
            "every: 1h, anchor: 2026-01-01T00:30:00Z",
            {"every": "1h", "anchor": "2026-01-01T00:30:00Z"},
        ),
        ("at: 2026-12-01T09:00:00+01:00", {"at": "2026-12-01T08:00:00Z"}),
        ("at: '2026-12-01 09:00'", {"at": "2026-12-01T09:00:00Z"}),
        (
            "calendar: {months: 3, day: -1, at: '02:30', day_policy: clamp}",
            {"calendar": {"months": 3, "day": -1, "at": "02:30", "day_policy": "clamp"}},
        ),
        ("rrule: 'FREQ=DAILY;BYHOUR=9'", {"rrule": "RRULE:FREQ=DAILY;BYHOUR=9"}),
        (
            "any: [{cron: '0 9 * * *', timezone: Asia/Tokyo}, {every: 1h, offset: 5m}]",
            {
                "any": [
                    {"cron": "0 9 * * *", "timezone": "Asia/Tokyo"},
                    {"every": "1h", "offset": "5m"},
                ],
            },
        ),
        (
            "every: 1h, exclude: [2026-12-24..2026-12-26, Sunday, '2027-01-01']",
            {"every": "1h", "exclude": ["2026-12-24..2026-12-26", "sun", "2027-01-01"]},
        ),
        ("every: 1h, exclude: sat", {"every": "1h", "exclude": ["sat"]}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_examine_when_a_trigger_is_written_then_the_timetable_has_its_spec(
    examine_text: Examine, keys: str, spec: dict[str, Any]
) -> None:
    declared = examine_text(f"schedules:\n  a: {{task: t, {keys}}}\n")

    assert [] == declared.problems
    assert build_timetable(spec, "a") == declared.schedules[0].timetable


def test_examine_when_start_gives_a_rule_its_time_of_day_then_it_fires_then(
    examine_text: Examine,
) -> None:
    declared = examine_text(
        "schedules: {a: {task: t, rrule: FREQ=WEEKLY, start: '2026-01-05T09:15'}}"
    )

    timetable = declared.schedules[0].timetable
    assert ms("2026-02-02T09:15") == timetable.next_nominal_ms(ms("2026-02-01"))


@pytest.mark.parametrize(
    ("value", "column", "told"),
    [
        ("cron: '0 99 * * *'", 12, "hour 99 in the cron expression is out of range"),
        ("cron: 0 99 * * *", 11, "hour 99 in the cron expression is out of range"),
        ("cron: '* * * * * *'", 9, "has 6 fields instead of five"),
        ("cron: '@every'", 9, "needs one duration"),
        ("cron: '@reboot'", 9, "names no instant"),
        ("cron: [1]", 9, "cron is a list, where one value is wanted"),
        ("second: 60, cron: '* * * * *'", 11, "second 60 is out of range"),
        ("second: '*/0', cron: '* * * * *'", 11, "step of 0"),
        ("every: 0s", 10, 'every "0s" is too short'),
        ("anchor: never, every: 1s", 11, "anchor 'never' is not a moment"),
        ("offset: 5 s, every: 1s", 11, "offset '5 s' is not a duration"),
        ("at: soon", 7, "at 'soon' is not a moment"),
        ("at: 2026-02-30", 7, "at '2026-02-30' is not a moment"),
        ("rrule: FREQ=OFTEN", 10, "has no frequency that is known"),
        ("calendar: {months: 1, day: 40}", 30, "calendar.day 40 is out of range"),
        ("calendar: {months: 1, weekday: mon}", 34, "weekday 'mon' does not fit months"),
        ("calendar: {weeks: 1, weekday: moon}", 33, "weekday 'moon' is not a weekday"),
        ("calendar: {day: 1}", 13, "needs one of years, months, weeks and days"),
        ("calendar: {hours: 1}", 14, 'unknown key "hours" in calendar'),
        ("any: []", 8, "any is an empty list"),
        ("any: {every: 1s}", 8, "any is a mapping, not a list"),
        ("any: [{every: 1s}, {cron: '* * 40 * *'}]", 34, "day-of-month 40"),
        ("any: [{task: x, every: 1s}]", 10, 'unknown key "task" in any[0]'),
        ("any: [{timezone: Nowhere, every: 1s}]", 20, "unknown time zone 'Nowhere'"),
        ("jitter: 2s, every: 1s", 11, "jitter 2s is longer than the shortest interval, 1s"),
        ("every: 1s, start: 2026-02-01, end: 2026-01-01", 38, "lies before start"),
        ("exclude: [fry], every: 1s", 13, 'exclude names "fry", which is no calendar of this'),
        ("exclude: 2026-12-31..2026-12-01, every: 1s", 12, "ends before it begins"),
        (
            "exclude: [mon, tue, wed, thu, fri, sat, sun], every: 1s",
            12,
            "exclude names all seven weekdays",
        ),
        ("anchor: 2026-01-01, cron: '* * * * *'", 3, "anchor goes with every, not with cron"),
        ("at: 2026-03-29T02:30:00, timezone: Pacific/Apia, end: 2011-12-30", 57, "does not exist"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_examine_when_a_trigger_has_a_mistake_then_it_is_told_at_its_place(
    examine_text: Examine, value: str, column: int, told: str
) -> None:
    declared = examine_text(f"schedules: {{a: {{task: t,\n  {value}}}}}\n")

    assert [(2, column)] == [(problem.line, problem.column) for problem in declared.problems]
    assert told in str(declared.problems[0])


def test_examine_when_a_cron_has_two_bad_fields_in_a_block_then_both_are_told_at_the_block(
    examine_text: Examine,
) -> None:
    declared = examine_text("schedules:\n  a:\n    task: t\n    cron: >-\n      61 * * * 9\n")

    assert [(4, 11), (4, 11)] == [(problem.line, problem.column) for problem in declared.problems]


def test_examine_when_both_day_fields_are_restricted_then_a_remark_tells(
    examine_text: Examine,
) -> None:
    declared = examine_text("schedules: {a: {task: t,\n  cron: 0 9 13 * fri}}\n")

    assert [] == declared.problems
    assert [(2, 9)] == [(remark.line, remark.column) for remark in declared.remarks]
    assert "it fires on days that match either" in str(declared.remarks[0])


def test_examine_when_zone_is_nearly_known_then_it_is_suggested(examine_text: Examine) -> None:
    declared = examine_text("schedules: {a: {task: t, every: 1s, timezone: europe/berlin}}")

    assert "did you mean 'Europe/Berlin'?" == declared.problems[0].remedy
