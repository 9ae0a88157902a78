"""Timetables: bounds, exclusions, jitter, unions, and building them from specs."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beatline.errors import InvalidTrigger
from beatline.triggers import (
    AnyOf,
    At,
    Cron,
    Every,
    Exclusions,
    Timetable,
    build_timetable,
    build_trigger,
)
from tests.triggers.strategies import EXPRESSIONS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000


def ms(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def nominal(timetable: Timetable, after: str, count: int) -> list[str]:
    found = []
    next_ms: int | None = ms(after)
    for _ in range(count):
        assert next_ms is not None
        next_ms = timetable.next_nominal_ms(next_ms)
        if next_ms is None:
            break
        found.append(f"{EPOCH + timedelta(milliseconds=next_ms):%Y-%m-%d %H:%M}")
    return found


def test_bounds_when_given_then_both_ends_may_fire() -> None:
    timetable = build_timetable(
        {"every": "1d", "start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}, "t"
    )

    assert ["2026-01-02 00:00", "2026-01-03 00:00"] == nominal(timetable, "2025-06-01", 5)


def test_bounds_when_dates_then_whole_days_of_the_zone() -> None:
    timetable = build_timetable(
        {
            "cron": "0 */12 * * *",
            "timezone": "Europe/Berlin",
            "start": "2026-01-02",
            "end": date(2026, 1, 2),
        },
        "t",
    )

    assert ["2026-01-01 23:00", "2026-01-02 11:00"] == nominal(timetable, "2025-12-31", 5)


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        (["2026-01-02"], [1, 3, 4, 5]),
        ([date(2026, 1, 2)], [1, 3, 4, 5]),
        (["2026-01-02..2026-01-04"], [1, 5, 6, 7]),
        ([{"from": "2026-01-02", "to": "2026-01-04"}], [1, 5, 6, 7]),
        (["sat", "Sunday"], [1, 2, 5, 6]),
        ("fri", [1, 3, 4, 5]),
        (["sat", "sun", "2026-01-05"], [1, 2, 6, 7]),
        (
            [{"calendar": "holidays", "dates": ["2026-01-01", "2026-01-06..2026-01-07"]}],
            [2, 3, 4, 5],
        ),
        ([], [1, 2, 3, 4]),
    ],
)
def test_exclude_when_given_then_these_days_are_left_out(exclude: Any, expected: list[int]) -> None:
    timetable = build_timetable({"cron": "0 9 * * *", "exclude": exclude}, "t")

    assert [f"2026-01-{day:02} 09:00" for day in expected] == nominal(timetable, "2026-01-01", 4)


def test_exclude_when_dense_then_local_days_and_one_step_over_a_range() -> None:
    timetable = build_timetable(
        {
            "every": "1s",
            "timezone": "Europe/Berlin",
            "exclude": ["2026-01-02..2035-12-31"],
        },
        "t",
    )

    before = timetable.next_nominal_ms(ms("2026-01-01T22:59:58"))
    after = timetable.next_nominal_ms(ms("2026-01-01T22:59:59"))

    assert ms("2026-01-01T22:59:59") == before
    assert ms("2035-12-31T23:00:00") == after


def test_exclude_when_midnight_is_repeated_then_the_second_pass_stays_excluded() -> None:
    # Sao Paulo, 18 February 2018: midnight is set back to 23:00 of the 17th.
    timetable = build_timetable(
        {"every": "30m", "timezone": "America/Sao_Paulo", "exclude": ["2018-02-17"]}, "t"
    )

    assert "2018-02-18 03:00" == nominal(timetable, "2018-02-17 12:00", 1)[0]


def test_exclude_when_everything_is_excluded_then_gives_up() -> None:
    timetable = build_timetable({"cron": "0 9 * * mon", "exclude": ["mon"]}, "t")

    assert timetable.next_nominal_ms(ms("2026-01-01T00:00:00")) is None


@pytest.mark.parametrize(
    ("exclude", "remedy"),
    [
        (["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "paused"),
        (["someday"], "weekdays"),
        (["2026-13-01"], "weekdays"),
        ([5], "weekdays"),
        (["2026-01-05..2026-01-01"], "earlier date first"),
        ([{"from": "2026-01-05"}], "weekdays"),
        ([{"calendar": "holidays"}], "weekdays"),
        ([{"calendar": "holidays", "dates": ["soon"]}], "weekdays"),
    ],
)
def test_exclude_when_malformed_then_refused(exclude: Any, remedy: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        Exclusions(exclude)

    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-12-25", "holidays (2026-12-25)"),
        ("2026-12-29", "exclude (2026-12-28..2026-12-31)"),
        ("2026-12-05", "exclude (sat)"),
        ("2026-12-03", None),
    ],
)
def test_exclusion_when_asked_then_tells_why(day: str, expected: str | None) -> None:
    entries = ["sat", "2026-12-28..2026-12-31", {"calendar": "holidays", "dates": ["2026-12-25"]}]
    timetable = Timetable(Cron("0 9 * * *"), name="t", exclude=Exclusions(entries))

    assert expected == timetable.exclusion_at(ms(f"{day}T09:00:00"))


def test_jitter_when_given_then_stable_and_inside_its_range() -> None:
    timetable = build_timetable({"every": "1m", "jitter": "30s"}, "nightly")
    fires = [60_000 * n for n in range(1, 400)]

    shifts = [timetable.due_ms(fire_ms) - fire_ms for fire_ms in fires]
    again = [
        build_timetable(timetable.spec(), "nightly").due_ms(fire_ms) - fire_ms for fire_ms in fires
    ]
    others = [build_timetable(timetable.spec(), "other").due_ms(fire_ms) for fire_ms in fires]

    assert shifts == again
    assert shifts != others
    assert all(0 <= shift < 30_000 for shift in shifts)
    assert 12_000 < sum(shifts) / len(shifts) < 18_000


def test_jitter_when_the_name_is_known_then_always_this_much() -> None:
    # A change of the hash would move every schedule that has jitter.
    timetable = build_timetable({"every": "1m", "jitter": "30s"}, "nightly")

    assert [60_000 + 26_935, 120_000 + 2_568] == [
        timetable.due_ms(60_000),
        timetable.due_ms(120_000),
    ]


def test_jitter_when_none_then_due_at_the_nominal_instant() -> None:
    assert 60_000 == build_timetable({"every": "1m"}, "t").due_ms(60_000)


@pytest.mark.parametrize(
    "spec",
    [
        {"every": "10s", "jitter": "10s"},
        {"cron": "*/5 * * * *", "jitter": "5m"},
        {"at": "2026-01-01", "jitter": "6d"},
        {"calendar": {"days": 1}, "jitter": "24h"},
    ],
)
def test_jitter_when_as_long_as_the_interval_then_allowed(spec: dict[str, Any]) -> None:
    assert build_timetable(spec, "t").jitter_ms


@pytest.mark.parametrize(
    "spec",
    [
        {"every": "10s", "jitter": "11s"},
        {"cron": "*/5 * * * *", "jitter": "6m"},
        {"any": [{"every": "1h"}, {"every": "10s"}], "jitter": "11s"},
        {"calendar": {"days": 1}, "jitter": "25h"},
    ],
)
def test_jitter_when_longer_than_the_interval_then_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(InvalidTrigger, match="is longer than the shortest interval"):
        build_timetable(spec, "t")


def test_bounds_when_the_end_comes_first_then_refused() -> None:
    with pytest.raises(InvalidTrigger, match="lies before start"):
        build_timetable({"every": "1s", "start": "2026-02-01", "end": "2026-01-01"}, "t")


def test_any_when_members_meet_then_one_fire() -> None:
    trigger = AnyOf([Every("2m"), Every("3m"), At("1970-01-01T00:06:00Z")])
    found = []
    at_ms: int | None = 0
    for _ in range(6):
        assert at_ms is not None
        at_ms = trigger.next_ms(at_ms)
        found.append((at_ms or 0) // 60_000)

    assert [2, 3, 4, 6, 8, 9] == found


def test_any_when_members_end_then_ends() -> None:
    trigger = AnyOf([At("1970-01-01T00:00:01Z"), At("1970-01-01T00:00:02Z")])

    assert [1_000, 2_000, None] == [trigger.next_ms(after_ms) for after_ms in (0, 1_000, 2_000)]


def test_any_when_nested_then_taken_apart() -> None:
    inner = AnyOf([Every("1m"), Every("2m")])

    assert 3 == len(AnyOf([inner, Every("3m")]).members)


@pytest.mark.parametrize("members", [[], [Every("1s")] * 101])
def test_any_when_empty_or_huge_then_refused(members: list[Every]) -> None:
    with pytest.raises(InvalidTrigger):
        AnyOf(members)


def test_any_when_zones_differ_then_each_keeps_its_own() -> None:
    spec = {
        "any": [{"cron": "0 9 * * *"}, {"cron": "0 9 * * *", "timezone": "UTC"}],
        "timezone": "Europe/Berlin",
        "exclude": ["2026-01-01"],
    }

    timetable = build_timetable(spec, "t")
    again = build_timetable(timetable.spec(), "t")

    expected = ["2026-01-02 08:00", "2026-01-02 09:00"]
    assert expected == nominal(timetable, "2026-01-01", 2)
    assert expected == nominal(again, "2026-01-01", 2)
    assert "Europe/Berlin" == again.timezone


@pytest.mark.parametrize(
    "spec",
    [
        {"cron": "30 2 * * 1-5", "timezone": "Europe/Berlin", "jitter": "10m"},
        {"cron": "H H * * *", "second": "*/10", "exclude": ["sat", "2026-12-24..2026-12-26"]},
        {"every": "90s", "anchor": "2026-01-01T00:00", "offset": "spread", "start": "2026-01-01"},
        {"every": "1500ms", "end": "2026-01-01T00:00:00.250Z"},
        {"calendar": {"months": 1, "day": -1, "at": "02:30"}, "timezone": "Asia/Tokyo"},
        {"at": "2026-12-01T09:00:00+01:00", "jitter": "1h"},
        {"rrule": "FREQ=WEEKLY;BYDAY=MO", "start": "2026-01-01T09:00", "timezone": "Asia/Tokyo"},
        {"rrule": "FREQ=DAILY;COUNT=3", "start": "2026-01-01T09:00"},
        {"any": [{"cron": "@hourly"}, {"any": [{"every": "7m"}, {"at": "2026-12-01"}]}]},
        {"every": "1h", "exclude": [{"calendar": "holidays", "dates": ["2026-12-25"]}]},
    ],
)
def test_spec_when_stored_as_json_then_the_same_timetable(spec: dict[str, Any]) -> None:
    timetable = build_timetable(spec, "nightly")

    stored = json.loads(json.dumps(timetable.spec()))
    again = build_timetable(stored, "nightly")

    assert timetable == again
    assert hash(timetable) == hash(again)
    assert stored == again.spec()
    assert nominal(timetable, "2025-06-01", 20) == nominal(again, "2025-06-01", 20)


@settings(max_examples=50, deadline=None)
@given(expression=EXPRESSIONS, after_ms=st.integers(min_value=0, max_value=2_000_000_000_000))
def test_next_when_asked_in_sequence_then_strictly_rising(expression: str, after_ms: int) -> None:
    try:
        timetable = build_timetable({"cron": expression, "timezone": "Europe/Berlin"}, "t")
    except InvalidTrigger:
        return
    at_ms: int | None = after_ms

    for _ in range(10):
        assert at_ms is not None
        next_ms = timetable.next_nominal_ms(at_ms)
        assert next_ms is not None
        assert next_ms > at_ms
        assert next_ms == timetable.next_nominal_ms(next_ms - 1)
        at_ms = next_ms


@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        ("30 2 * * *", "cron:"),
        (None, "cron:"),
        ({}, "known here: cron"),
        ({"crn": "* * * * *"}, "did you mean 'cron'?"),
        ({"cron": "* * * * *", "every": "5s"}, "any:"),
        ({"cron": "* * * * *", "secnd": "0"}, "did you mean 'second'?"),
        ({"cron": "* * * * *", "offset": "3s"}, "known here"),
        ({"every": "5s", "second": "0"}, "known here"),
        ({"every": 90}, 'write "90s", or "90ms"'),
        ({"every": "-5s"}, "90s"),
        ({"every": None}, "90s"),
        ({"calendar": "monthly"}, "months: 1"),
        ({"calendar": {"mnths": 1}}, "did you mean 'months'?"),
        ({"any": {"every": "5s"}}, "any: ["),
        ({"any": ["5s"]}, "cron:"),
        ({"cron": "* * * * *", "timezone": "Berlin"}, "'Europe/Berlin'"),
        ({"cron": "* * * * *", "start": "soon"}, "2026-12-01"),
        ({"cron": "* * * * *", "end": 5}, "2026-12-01"),
        ({"cron": "* * * * *", "jitter": "soon"}, "90s"),
        ({"cron": "* * * * *", "start": "2011-12-30", "timezone": "Pacific/Apia"}, "another time"),
    ],
)
def test_spec_when_malformed_then_refused_with_remedy(spec: Any, remedy: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        build_timetable(spec, "t")

    assert remedy in caught.value.remedy


def test_spec_when_nested_too_deep_then_refused() -> None:
    spec: dict[str, Any] = {"every": "1s"}
    for _ in range(50):
        spec = {"any": [spec]}

    with pytest.raises(InvalidTrigger, match="too deep"):
        build_trigger(spec)


def test_between_when_a_span_is_closed_then_both_ends_count() -> None:
    timetable = build_timetable({"every": "10s"}, "t")

    assert [0, 10_000, 20_000] == list(timetable.between(0, 20_000))
    assert 3 == timetable.count_between(0, 20_000)
