"""The cron trigger beyond its fields: days, names, seconds, remarks, limits."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import perf_counter

import pytest

from beatline.errors import InvalidSetting, InvalidTrigger
from beatline.triggers import Cron, build_trigger


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fires(trigger: Cron, after: str, count: int) -> list[str]:
    found = []
    moment: datetime | None = utc(after)
    for _ in range(count):
        assert moment is not None
        moment = trigger.next_after(moment)
        found.append("never" if moment is None else f"{moment:%Y-%m-%d %H:%M}")
        if moment is None:
            break
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # Both restricted: either suffices.
        ("0 0 13 * 5", ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]),
        # One begins with a star: both must match.
        ("0 0 */10 * 5", ["2026-05-01", "2026-07-31", "2026-08-21", "2026-09-11"]),
        ("0 0 13 * */5", ["2026-02-13", "2026-03-13", "2026-09-13", "2026-11-13"]),
        ("0 0 *,13 * 5", ["2026-01-02", "2026-01-09", "2026-01-16", "2026-01-23"]),
        # A full range is no star.
        ("0 0 1-31 * 5", ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]),
        ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("0 0 15,L * *", ["2026-01-15", "2026-01-31", "2026-02-15", "2026-02-28"]),
        ("0 0 L * 5", ["2026-01-02", "2026-01-09", "2026-01-16", "2026-01-23"]),
        ("0 0 * * mon#1", ["2026-01-05", "2026-02-02", "2026-03-02", "2026-04-06"]),
        ("0 0 * * mon#1,thu", ["2026-01-05", "2026-01-08", "2026-01-15", "2026-01-22"]),
        ("0 0 1 * mon#2", ["2026-01-12", "2026-02-01", "2026-02-09", "2026-03-01"]),
        ("0 0 * * 7#5", ["2026-03-29", "2026-05-31", "2026-08-30", "2026-11-29"]),
        # Leap days, also across the year 2100, which has none.
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"]),
        # One side that never comes leaves the other.
        ("0 0 30 2 1", ["2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23"]),
    ],
)
def test_days_when_fields_meet_then_debians_rule(expression: str, expected: list[str]) -> None:
    found = fires(Cron(expression), "2026-01-01 12:00", 4)

    assert [f"{day} 00:00" for day in expected] == found


def test_leap_day_when_2100_has_none_then_2104_comes_next() -> None:
    trigger = Cron("0 0 29 2 *", timezone="Europe/Berlin")

    assert ["2096-02-28 23:00", "2104-02-28 23:00"] == fires(trigger, "2095-01-01 00:00", 2)


def test_leap_day_when_on_a_sunday_then_forty_years_are_bridged() -> None:
    trigger = Cron("0 0 29 2 */7")

    assert ["2088-02-29 00:00", "2128-02-29 00:00"] == fires(trigger, "2087-01-01 00:00", 2)


@pytest.mark.parametrize(
    "expression",
    ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 */20 * mon#4"],
)
def test_date_when_it_never_comes_then_refused(expression: str) -> None:
    with pytest.raises(InvalidTrigger, match="never fires"):
        Cron(expression)


@pytest.mark.parametrize(
    ("alias", "expression"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ],
)
def test_alias_when_used_then_same_as_its_fields(alias: str, expression: str) -> None:
    aliased = Cron(alias, name="with-a-name", timezone="Europe/Berlin")
    written = Cron(expression, timezone="Europe/Berlin")

    assert fires(written, "2026-03-28 00:00", 40) == fires(aliased, "2026-03-28 00:00", 40)
    assert written.is_wildcard == aliased.is_wildcard


def test_alias_every_when_used_then_a_grid_from_the_epoch() -> None:
    trigger = Cron("@every 7m")

    assert 420_000 == trigger.next_ms(0)
    assert 420_000 == trigger.interval_floor_ms()
    assert 3 == trigger.count_between(1, 420_000 * 3)


def test_alias_every_when_second_is_given_then_refused() -> None:
    with pytest.raises(InvalidTrigger, match="no meaning"):
        Cron("@every 5m", second="30")


def test_second_when_given_then_fires_within_the_minute() -> None:
    trigger = Cron("30 2 * * *", second="*/20")

    found = [trigger.next_ms(0)]
    for _ in range(3):
        found.append(trigger.next_ms(found[-1] or 0))

    start_ms = (2 * 60 + 30) * 60_000
    day_ms = 86_400_000
    assert [start_ms, start_ms + 20_000, start_ms + 40_000, start_ms + day_ms] == found


def test_second_when_malformed_then_refused() -> None:
    with pytest.raises(InvalidTrigger, match="second 60"):
        Cron("* * * * *", second="60")


def test_hash_when_named_then_stable_and_inside_its_range() -> None:
    triggers = [Cron("H H(1-5) H * *", name=f"job-{number}") for number in range(300)]
    firsts = [trigger.next_ms(0) for trigger in triggers]

    again = [Cron("H H(1-5) H * *", name=f"job-{number}").next_ms(0) for number in range(300)]
    hours = {(first or 0) // 3_600_000 % 24 for first in firsts}
    days = {(first or 0) // 86_400_000 + 1 for first in firsts}

    assert firsts == again
    assert {1, 2, 3, 4, 5} == hours
    assert set(range(1, 29)) == days


def test_hash_when_the_name_is_known_then_always_this_minute() -> None:
    # A change of the hash would move every schedule that uses it.
    trigger = Cron("H H * * *", name="nightly")

    assert "1970-01-01 18:48" == fires(trigger, "1970-01-01 00:00", 1)[0]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", True),
        ("*/5 2 * * *", True),
        ("5 */2 * * *", True),
        ("*,5 2 * * *", True),
        ("0 * * * *", True),
        ("0-59 2 * * *", False),
        ("5,* 2 * * *", False),
        ("30 0-23 * * *", False),
        ("30 2 * * *", False),
    ],
)
def test_wildcard_when_a_time_field_begins_with_a_star(expression: str, expected: bool) -> None:
    assert expected == Cron(expression).is_wildcard


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 * * *", ""),
        ("0 0 1 * *", ""),
        ("0 0 ? * 5", ""),
        ("0 0 13 * 5", "match either"),
        ("0 0 */2 * 5", "must both match, because '*/2'"),
        ("0 0 13 * */2", "must both match, because '*/2'"),
        ("0 0 */2 * */2", "must both match"),
    ],
)
def test_remarks_when_day_fields_meet_then_tell_the_rule(expression: str, expected: str) -> None:
    remarks = Cron(expression).remarks()

    assert bool(expected) == bool(remarks)
    assert all(expected in remark for remark in remarks)


@pytest.mark.parametrize(
    ("expression", "second", "expected_s"),
    [
        ("* * * * *", "0", 60),
        ("*/5 * * * *", "0", 300),
        ("0 0 * * *", "0", 86_400),
        ("0 0 1 1 *", "0", 86_400),
        ("0 1,23 * * *", "0", 7_200),
        ("0 0 * * *", "0,50", 50),
        ("* * * * *", "0,50", 10),
        ("* * * * *", "*", 1),
    ],
)
def test_interval_floor_when_asked_then_shortest_distance(
    expression: str, second: str, expected_s: int
) -> None:
    assert expected_s * 1000 == Cron(expression, second=second).interval_floor_ms()


@pytest.mark.parametrize(
    "trigger",
    [
        Cron("30 2 * * *"),
        Cron("30 2 * * 1-5", timezone="Europe/Berlin", second="*/10"),
        Cron("H 2 * * *", name="nightly"),
        Cron("@every 5m"),
        Cron("@hourly", timezone="Asia/Kathmandu"),
    ],
)
def test_spec_when_built_again_then_the_same_trigger(trigger: Cron) -> None:
    again = build_trigger(trigger.spec(), "nightly")

    assert trigger == again
    assert hash(trigger) == hash(again)
    assert trigger.next_ms(1_764_000_000_000) == again.next_ms(1_764_000_000_000)


def test_next_after_when_naive_then_refused() -> None:
    with pytest.raises(InvalidSetting) as caught:
        Cron("* * * * *").next_after(datetime(2026, 1, 1))  # noqa: DTZ001 - the point

    assert "aware" in caught.value.remedy


def test_next_when_between_two_milliseconds_then_strictly_later() -> None:
    trigger = Cron("* * * * *")
    minute = utc("2026-01-01 12:00")

    assert minute == trigger.next_after(minute - timedelta(microseconds=1))
    assert minute + timedelta(minutes=1) == trigger.next_after(minute)


@pytest.mark.parametrize("after_ms", [-(10**18), 10**18, 253_402_300_799_999, -62_135_596_800_000])
def test_next_when_asked_far_away_then_answers(after_ms: int) -> None:
    trigger = Cron("30 2 29 2 *", timezone="America/New_York")

    next_ms = trigger.next_ms(after_ms)

    assert next_ms is None or next_ms > after_ms


def test_next_when_asked_in_any_order_then_the_same_answers() -> None:
    trigger = Cron("15 3 1,L * mon#2", timezone="Europe/Berlin")
    moments = [utc("2026-01-01 00:00") + timedelta(hours=37 * step) for step in range(200)]

    forwards = [trigger.next_after(moment) for moment in moments]
    backwards = [trigger.next_after(moment) for moment in reversed(moments)]

    assert forwards == backwards[::-1]
    assert all(a is not None and b is not None and a <= b for a, b in pairwise(forwards))


def test_next_when_asked_by_several_threads_then_the_same_answers() -> None:
    # Triggers with the same day fields share one search for days.
    moments = [utc("2026-01-01 00:00") + timedelta(hours=31 * step) for step in range(150)]
    orders = [random.Random(seed).sample(moments, len(moments)) for seed in range(4)]
    expected = {moment: Cron("0 9 13,L * fri#2").next_after(moment) for moment in moments}

    def ask(order: list[datetime]) -> dict[datetime, datetime | None]:
        trigger = Cron("0 9 13,L * fri#2")
        return {moment: trigger.next_after(moment) for moment in order}

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, orders))

    assert [expected] * 4 == answers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expression", "limit_us"),
    [
        ("* * * * *", 150),
        ("*/5 * * * *", 150),
        ("30 2 * * *", 150),
        ("0 9 * * 1-5", 150),
        ("15 14 1 * *", 150),
        ("0 0 1,15 * 5", 150),
        ("0 0 15,L * mon#2,fri", 150),
        ("0 0 29 2 *", 2_000),
        ("0 0 29 2 */7", 50_000),
        ("59 23 * 2 mon#5", 50_000),
    ],
)
def test_next_when_kept_then_fast(expression: str, limit_us: int) -> None:
    trigger = Cron(expression, timezone="Europe/Berlin")
    calls = 200
    best_s = 1.0
    for _ in range(5):
        at_ms = 1_764_000_000_000
        begin = perf_counter()
        for _ in range(calls):
            at_ms = trigger.next_ms(at_ms) or 0
        best_s = min(best_s, (perf_counter() - begin) / calls)

    assert limit_us > best_s * 1e6
