"""The interval trigger: a grid that nothing moves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given
from hypothesis import strategies as st

from beatline.errors import InvalidTrigger
from beatline.triggers import Every, build_trigger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("trigger", "after_ms", "expected_ms"),
    [
        (Every("10s"), 0, 10_000),
        (Every("10s"), 9_999, 10_000),
        (Every("10s"), 10_000, 20_000),
        (Every("10s"), -1, 0),
        (Every("10s"), -10_001, -10_000),
        (Every("250ms"), 1, 250),
        (Every(90), 0, 90_000),
        (Every(0.5), 0, 500),
        (Every(timedelta(minutes=5)), 0, 300_000),
        (Every("10s", offset="3s"), 0, 3_000),
        (Every("10s", offset="13s"), 0, 3_000),
        (Every("10s", anchor="1970-01-01T00:00:04Z"), 0, 4_000),
        (Every("10s", anchor="2050-01-01T00:00:04Z"), 0, 4_000),
        (Every("1d", anchor="1970-01-02T00:00", timezone="Europe/Berlin"), 0, 82_800_000),
    ],
)
def test_next_when_asked_then_on_the_grid(trigger: Every, after_ms: int, expected_ms: int) -> None:
    assert expected_ms == trigger.next_ms(after_ms)


def test_spread_when_named_then_stable_and_different() -> None:
    offsets = {Every("1m", offset="spread", name=f"job-{n}").offset_ms for n in range(100)}
    again = {Every("1m", offset="spread", name=f"job-{n}").offset_ms for n in range(100)}

    assert offsets == again
    assert len(offsets) > 90
    assert all(0 <= offset < 60_000 for offset in offsets)


@pytest.mark.parametrize(
    ("interval", "step_ms"), [("1s", 10), ("1m", 10), ("1005ms", 10), ("999ms", 1), ("7ms", 1)]
)
def test_spread_when_named_then_evenly_on_every_step(interval: str, step_ms: int) -> None:
    many = [Every(interval, offset="spread", name=f"job-{n}") for n in range(2_000)]

    counts = Counter(one.offset_ms for one in many)

    slots = many[0].interval_ms // step_ms
    assert counts.keys() <= {slot * step_ms for slot in range(slots)}
    assert max(counts.values()) < 2_000 / slots + 6 * (2_000 / slots) ** 0.5 + 2


@given(
    seconds=st.integers(min_value=1, max_value=90_000),
    after_ms=st.integers(min_value=0, max_value=4_000_000_000_000),
)
def test_next_when_whole_seconds_then_agrees_with_apscheduler(seconds: int, after_ms: int) -> None:
    theirs = IntervalTrigger(seconds=seconds, start_date=EPOCH, timezone=UTC)

    expected = theirs.get_next_fire_time(None, EPOCH + timedelta(milliseconds=after_ms + 1))

    assert expected == Every(seconds).next_after(EPOCH + timedelta(milliseconds=after_ms))


@given(
    interval_ms=st.integers(min_value=1, max_value=10**9),
    offset_ms=st.integers(min_value=0, max_value=10**9),
    after_ms=st.integers(min_value=-(10**13), max_value=10**13),
)
def test_next_when_any_grid_then_strictly_later_and_not_skipping(
    interval_ms: int, offset_ms: int, after_ms: int
) -> None:
    trigger = Every(timedelta(milliseconds=interval_ms), offset=timedelta(milliseconds=offset_ms))

    next_ms = trigger.next_ms(after_ms)

    assert next_ms is not None
    assert after_ms < next_ms <= after_ms + interval_ms
    assert 0 == (next_ms - offset_ms) % interval_ms
    assert 1 == trigger.count_between(after_ms + 1, after_ms + interval_ms)


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "expected"),
    [(0, 0, 1), (1, 9_999, 0), (0, 10_000, 2), (5, 4, 0), (10_000, 0, 0), (-10_000, 10_000, 3)],
)
def test_count_when_span_is_closed_then_both_ends_count(
    first_ms: int, last_ms: int, expected: int
) -> None:
    assert expected == Every("10s").count_between(first_ms, last_ms)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("0s", {}),
        (0, {}),
        ("-5s", {}),
        ("soon", {}),
        (True, {}),
        (None, {}),
        (float("nan"), {}),
        ("10s", {"offset": "later"}),
        ("10s", {"offset": "spread"}),
        ("10s", {"anchor": "yesterday"}),
        ("10s", {"timezone": "Nowhere"}),
    ],
)
def test_every_when_malformed_then_refused(arguments: object, options: dict[str, str]) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        Every(arguments, **options)  # type: ignore[arg-type]  # what a YAML file may hold

    assert caught.value.remedy


@pytest.mark.parametrize(
    "trigger",
    [
        Every("90s"),
        Every("250ms"),
        Every("1h", anchor="2026-01-01T00:00:00.250+01:00", offset="90s"),
        Every("10s", offset="spread", name="probe", timezone="Europe/Berlin"),
    ],
)
def test_spec_when_built_again_then_the_same_trigger(trigger: Every) -> None:
    again = build_trigger(trigger.spec(), "probe")

    assert trigger == again
    assert trigger.next_ms(1_764_000_000_123) == again.next_ms(1_764_000_000_123)
