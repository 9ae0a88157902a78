"""Every key of a schedule arrives where it belongs."""

from __future__ import annotations

import pytest

from beatline.schedule import CatchUp, Overlap, Schedule
from tests.schedules.conftest import Examine

FULL = """\
version: 1
defaults: {timezone: Europe/Berlin, queue: slow, overlap: allow, offset: spread, second: 30}
schedules:
  full:
    task: reports.nightly
    cron: "30 2 * * *"
    start: 2026-01-01
    end: 2027-01-01T00:00:00Z
    jitter: 30s
    args: [eu, 5, null, [1.5, true]]
    kwargs: {full: true, deep: {a: []}}
    queue: reports
    priority: 9
    overlap: buffer_one
    catch_up: all
    catch_up_window: 6h
    max_catch_up: 7
    grace: 0
    max_runs: 12
    time_limit: 45m
    soft_time_limit: 40m
    expires: 1h30m
    retry: {max: 5, backoff: 10s..10m}
    paused: true
    expect_within: 26h
    pause_after_failures: 3
    note: For the board.
  plain: {task: ops.beat, every: 10s}
  tuned: {task: ops.beat, every: 10, offset: 2s, overlap: skip, retry: {backoff: 30}}
"""


def only(examine_text: Examine, keys: str) -> Schedule:
    declared = examine_text(f"schedules:\n  a: {{task: t, {keys}}}\n")
    assert [] == declared.problems
    return declared.schedules[0]


def test_examine_when_all_keys_are_given_then_the_schedule_has_them(examine_text: Examine) -> None:
    declared = examine_text(FULL)

    assert [] == declared.problems
    assert {
        "name": "full",
        "task": "reports.nightly",
        "trigger": {
            "cron": "30 2 * * *",
            "second": "30",
            "timezone": "Europe/Berlin",
            "start": "2025-12-31T23:00:00Z",
            "end": "2027-01-01T00:00:00Z",
            "jitter": "30s",
        },
        "args": ["eu", 5, None, [1.5, True]],
        "kwargs": {"full": True, "deep": {"a": []}},
        "queue": "reports",
        "priority": 9,
        "overlap": "buffer_one",
        "catch_up": "all",
        "catch_up_window_ms": 21_600_000,
        "max_catch_up": 7,
        "grace_ms": 0,
        "max_runs": 12,
        "paused": True,
        "source": "file:s.yaml",
        "options": {
            "time_limit_ms": 2_700_000,
            "soft_time_limit_ms": 2_400_000,
            "expires_ms": 5_400_000,
            "max_retries": 5,
            "retry_backoff_ms": 10_000,
            "retry_backoff_max_ms": 600_000,
        },
        "expect_within_ms": 93_600_000,
        "pause_after_failures": 3,
        "note": "For the board.",
    } == declared.schedules[0].definition()


def test_examine_when_defaults_are_given_then_schedules_take_those_that_fit(
    examine_text: Examine,
) -> None:
    _, plain, tuned = examine_text(FULL).schedules

    assert "slow" == plain.queue
    assert Overlap.ALLOW is plain.overlap
    zone = "Europe/Berlin"
    assert {"every": "10s", "offset": "spread", "timezone": zone} == plain.timetable.spec()
    assert {"every": "10s", "offset": "2s", "timezone": zone} == tuned.timetable.spec()
    assert Overlap.SKIP is tuned.overlap
    assert {"retry_backoff_ms": 30_000, "retry_backoff_max_ms": 30_000} == tuned.options


def test_examine_when_keys_are_left_out_then_the_schedules_own_defaults_hold(
    examine_text: Examine,
) -> None:
    schedule = only(examine_text, "every: 10s")

    assert Schedule("a", "t", schedule.timetable, source="file:s.yaml") == schedule


@pytest.mark.parametrize("overlap", list(Overlap))
def test_examine_when_overlap_is_any_of_five_then_it_is_taken(
    examine_text: Examine, overlap: Overlap
) -> None:
    assert overlap is only(examine_text, f"every: 10s, overlap: {overlap}").overlap


def test_examine_when_declared_then_the_definition_makes_an_equal_schedule(
    examine_text: Examine,
) -> None:
    for schedule in examine_text(FULL).schedules:
        assert schedule == Schedule.of(schedule.definition())


@pytest.mark.parametrize(
    ("keys", "field", "value"),
    [
        ("timeZone: Asia/Tokyo", "timetable.timezone", "Asia/Tokyo"),
        ("suspend: true", "paused", True),
        ("concurrencyPolicy: Forbid", "overlap", Overlap.SKIP),
        ("concurrencyPolicy: Replace", "overlap", Overlap.CANCEL_RUNNING),
        ("concurrencyPolicy: Allow", "overlap", Overlap.ALLOW),
        ("startingDeadlineSeconds: 200", "catch_up_window_ms", 200_000),
        ("misfire_grace_time: 60", "catch_up_window_ms", 60_000),
        ("coalesce: true", "catch_up", CatchUp.LATEST),
        ("coalesce: false, misfire_grace_time: 60", "catch_up", CatchUp.ALL),
        ("max_instances: 1", "overlap", Overlap.SKIP),
    ],
)
def test_examine_when_a_neighbours_word_is_used_then_it_means_ours(
    examine_text: Examine, keys: str, field: str, value: object
) -> None:
    found: object = only(examine_text, f"every: 10s, {keys}")
    for part in field.split("."):
        found = getattr(found, part)

    assert value == found


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("max_instances: 3", "max_instances 3 has no counterpart"),
        ("suspend: true, paused: false", '"paused" says again what "suspend" says on line 2'),
        ("soft_time_limit: 5m, time_limit: 5m", "soft_time_limit is not shorter than time_limit"),
        ("coalesce: false", "catch_up: all needs catch_up_window"),
        ("priority: 10", "priority 10 is out of range – write a whole number from 0 to 9"),
        ("priority: 4.0", "priority is the number 4.0, not a whole number"),
        ("priority: true", "priority is true, not a whole number"),
        ("queue: [a]", "queue is a list, where one value is wanted"),
        ("queue: ''", "queue is empty text – give it a value, or remove the key"),
        ("queue: ", "queue has no value – give it one, or remove the key"),
        ("note: 2026-01-01", "note: 2026-01-01 is a date in YAML 1.1 and text in YAML 1.2"),
        ("grace: true", "grace is true, not a duration"),
        ("expires: 0s", 'expires "0s" is too short – write 1 ms or more'),
        ("expires: 999999d", 'expires "999999d" is too long – write a hundred years or less'),
        ("expires: 9e999s", "expires '9e999s' is not a duration"),
        ("retry: 5", "retry is the number 5, not a mapping – write retry: {max: 5"),
        ("retry: {backoff: 1m..}", "retry.backoff's end has no value"),
        ("args: {a: 1}", "args is a mapping, not a list – write args: [first, second]"),
        ("args: [.nan]", "args[0] is the number nan, which JSON cannot hold – quote it"),
        ("args: [99999999999999999999]", "args[0] is an integer of more than 64 bits"),
        ("kwargs: {5: a}", 'a key of kwargs is the number 5, not text – quote it: "5"'),
        ("kwargs: {a: [{on: 1}]}", "a key of kwargs.a[0]: on is true in YAML 1.1"),
    ],
    ids=lambda value: value[:30],
)
def test_examine_when_a_value_does_not_fit_then_it_is_told(
    examine_text: Examine, keys: str, told: str
) -> None:
    problems = examine_text(f"schedules:\n  a: {{task: t, every: 10s, {keys}}}\n").problems

    assert 1 == len(problems)
    assert told in str(problems[0])


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("on", 'a schedule\'s name: on is true in YAML 1.1 and text in YAML 1.2 – quote it: "on"'),
        ("2026", 'a schedule\'s name is the number 2026, not text – quote it: "2026"'),
        ("''", "a schedule's name is empty text – write a name"),
        ("ä" * 101, "is longer than 200 bytes – shorten it"),
        ('" a"', "begins or ends with a space"),
        ('"a\\nb"', 'name "a\\nb" holds control characters'),
    ],
    ids=lambda value: value[:20],
)
def test_examine_when_a_name_is_no_name_then_it_is_told(
    examine_text: Examine, key: str, told: str
) -> None:
    problems = examine_text(f"schedules:\n  {key}: {{task: t, every: 1s}}\n").problems

    assert ["2:3"] == [f"{problem.line}:{problem.column}" for problem in problems]
    assert told in str(problems[0])


def test_examine_when_a_name_is_odd_but_text_then_it_is_kept(examine_text: Examine) -> None:
    declared = examine_text('schedules: {"on": &c {task: t, every: 1s}, "5 pm/ü:é": *c}')

    assert ["on", "5 pm/ü:é"] == [schedule.name for schedule in declared.schedules]


def test_examine_when_a_default_has_a_problem_then_it_is_told_once_at_the_default(
    examine_text: Examine,
) -> None:
    declared = examine_text(
        "defaults:\n  priority: high\n"
        "schedules:\n  a: {task: t, every: 1s}\n  b: {task: t, every: 1s, priority: 3}\n"
    )

    assert ["2:13"] == [f"{problem.line}:{problem.column}" for problem in declared.problems]
    assert ["b"] == [schedule.name for schedule in declared.schedules]


@pytest.mark.parametrize(
    ("keys", "apart"),
    [("every: 1d", "1d"), ('cron: "30 2 * * *"', "1d"), ("every: 2h, expect_within: 2h", "2h")],
)
def test_examine_when_expect_within_is_shorter_than_the_interval_then_remarked(
    examine_text: Examine, keys: str, apart: str
) -> None:
    within = "" if "expect_within" in keys else ", expect_within: 5h"

    declared = examine_text(f"schedules:\n  a: {{task: t, {keys}{within}}}")

    assert [] == declared.problems
    (remark,) = declared.remarks
    assert f"raises alerts where all is well: fire times lie at least {apart} apart" in str(remark)
    assert 2 == remark.line


@pytest.mark.parametrize("keys", ["every: 1h", 'cron: "0 */4 * * *"', "at: 2030-01-01"])
def test_examine_when_expect_within_is_longer_than_the_interval_then_no_remark(
    examine_text: Examine, keys: str
) -> None:
    declared = examine_text(f"schedules:\n  a: {{task: t, {keys}, expect_within: 5h}}")

    assert ([], []) == (declared.problems, declared.remarks)
