"""The calendar trigger: steps of days, weeks, months and years in wall time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatline.errors import InvalidTrigger
from beatline.triggers import Calendar, build_trigger


def fires(trigger: Calendar, after: str, count: int) -> list[str]:
    found = []
    moment: datetime | None = datetime.fromisoformat(after).replace(tzinfo=UTC)
    for _ in range(count):
        assert moment is not None
        moment = trigger.next_after(moment)
        found.append("never" if moment is None else moment.strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"months": 1, "day": -1, "at": "02:30"},
            ["2026-01-31 02:30", "2026-02-28 02:30", "2026-03-31 02:30"],
        ),
        ({"months": 1, "day": 31}, ["2026-01-31 00:00", "2026-03-31 00:00", "2026-05-31 00:00"]),
        (
            {"months": 1, "day": 31, "day_policy": "clamp"},
            ["2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00"],
        ),
        ({"months": 1, "day": -30}, ["2026-01-02 00:00", "2026-03-02 00:00", "2026-04-01 00:00"]),
        ({"months": 1}, ["2026-02-01 00:00", "2026-03-01 00:00", "2026-04-01 00:00"]),
        ({"months": 3, "day": 15}, ["2026-01-15 00:00", "2026-04-15 00:00", "2026-07-15 00:00"]),
        (
            {"months": 3, "anchor": "2025-12-10"},
            ["2026-03-10 00:00", "2026-06-10 00:00", "2026-09-10 00:00"],
        ),
        (
            {"years": 1, "anchor": "2024-02-29"},
            ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"],
        ),
        (
            {"years": 1, "anchor": "2024-02-29", "day_policy": "clamp"},
            ["2026-02-28 00:00", "2027-02-28 00:00", "2028-02-29 00:00"],
        ),
        (
            {"years": 2, "day": -1, "anchor": date(2025, 6, 1)},
            ["2027-06-30 00:00", "2029-06-30 00:00", "2031-06-30 00:00"],
        ),
        ({"days": 1, "at": "06:00"}, ["2026-01-02 06:00", "2026-01-03 06:00", "2026-01-04 06:00"]),
        (
            {"days": 10, "anchor": "2026-01-05"},
            ["2026-01-05 00:00", "2026-01-15 00:00", "2026-01-25 00:00"],
        ),
        # Steps are counted from the anchor in both directions: it is no start.
        (
            {"days": 10, "anchor": "2026-02-04"},
            ["2026-01-05 00:00", "2026-01-15 00:00", "2026-01-25 00:00"],
        ),
        (
            {"weeks": 1, "weekday": "Friday", "at": time(17, 30)},
            ["2026-01-02 17:30", "2026-01-09 17:30", "2026-01-16 17:30"],
        ),
        (
            {"weeks": 2, "weekday": "mon", "anchor": "2026-01-07"},
            ["2026-01-05 00:00", "2026-01-19 00:00", "2026-02-02 00:00"],
        ),
        ({"weeks": 2}, ["2026-01-15 00:00", "2026-01-29 00:00", "2026-02-12 00:00"]),
    ],
)
def test_fires_when_stepping_then_on_these_days(
    options: dict[str, Any], expected: list[str]
) -> None:
    assert expected == fires(Calendar(**options), "2026-01-01 12:00", 3)


def test_fires_when_clocks_leap_then_at_the_gaps_end() -> None:
    trigger = Calendar(days=1, at="02:30", timezone="Europe/Berlin")

    found = fires(trigger, "2026-03-28 00:00", 3)

    assert ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"] == found
    assert "02:30 does not exist" in trigger.dst_remark(1_774_746_000_000)


def test_fires_when_hour_is_repeated_then_in_the_first_pass() -> None:
    trigger = Calendar(days=1, at="02:30", timezone="Europe/Berlin")

    assert ["2026-10-25 00:30", "2026-10-26 01:30"] == fires(trigger, "2026-10-24 12:00", 2)


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({}, "months: 1"),
        ({"months": 1, "days": 1}, "months: 1"),
        ({"months": 0}, "from 1 on"),
        ({"months": -1}, "from 1 on"),
        ({"months": True}, "from 1 on"),
        ({"months": 1.5}, "from 1 on"),
        ({"months": 1, "day": 0}, "1 to 31"),
        ({"months": 1, "day": 32}, "1 to 31"),
        ({"months": 1, "day": "last"}, "1 to 31"),
        ({"days": 1, "day": 3}, "weekday"),
        ({"months": 1, "weekday": "mon"}, "weeks"),
        ({"weeks": 1, "weekday": "someday"}, "mon, tue"),
        ({"weeks": 1, "weekday": 3}, "mon, tue"),
        ({"days": 1, "at": "25:00"}, "02:30"),
        ({"days": 1, "at": "9:5"}, "02:30"),
        ({"days": 1, "at": 930}, "02:30"),
        ({"days": 1, "anchor": "soon"}, "2026-12-24"),
        ({"days": 1, "day_policy": "round"}, "clamp"),
        ({"days": 1, "timezone": "Nowhere"}, "IANA"),
        ({"months": 12, "day": 30, "anchor": "2026-02-01"}, "clamp"),
        ({"years": 2, "day": 29, "anchor": "2025-02-01"}, "clamp"),
    ],
)
def test_calendar_when_malformed_then_refused_with_remedy(
    options: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        Calendar(**options)

    assert remedy in caught.value.remedy


@given(
    unit=st.sampled_from(["days", "weeks", "months", "years"]),
    count=st.integers(min_value=1, max_value=40),
    anchor=st.dates(date(1990, 1, 1), date(2040, 1, 1)),
    clamps=st.booleans(),
    after=st.datetimes(
        datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
        datetime(2040, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
)
def test_fires_when_any_calendar_then_days_of_the_grid(
    unit: str, count: int, anchor: date, clamps: bool, after: datetime
) -> None:
    policy = "clamp" if clamps else "skip"
    options: dict[str, Any] = {unit: count, "anchor": anchor, "day_policy": policy}
    try:
        trigger = Calendar(at="13:00", **options)
    except InvalidTrigger:
        # Only 29 February, in steps that meet no leap year.
        assert (2, 29) == (anchor.month, anchor.day)
        return

    found = trigger.next_after(after)

    assert found is not None
    assert found > after
    assert (13, 0) == (found.hour, found.minute)
    days = (found.date() - anchor).days
    months = (found.year - anchor.year) * 12 + found.month - anchor.month
    distance = {"days": days, "weeks": days / 7, "months": months, "years": months / 12}[unit]
    assert 0 == distance % count
    assert trigger == build_trigger(trigger.spec())
