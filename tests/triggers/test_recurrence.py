"""The RFC 5545 trigger against python-dateutil's own reading, and what is refused."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from beatline.errors import InvalidTrigger
from beatline.triggers import RRule, build_trigger


def fires(trigger: RRule, after: datetime, count: int) -> list[datetime]:
    found = []
    moment: datetime | None = after
    for _ in range(count):
        assert moment is not None
        moment = trigger.next_after(moment)
        if moment is None:
            break
        found.append(moment)
    return found


def part(name: str, values: list[str]) -> st.SearchStrategy[str]:
    lists = st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)
    return st.one_of(st.just(""), st.just(""), lists.map(lambda v: f";{name}={','.join(v)}"))


RULES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["FREQ=YEARLY", "FREQ=MONTHLY", "FREQ=WEEKLY", "FREQ=DAILY"]),
        st.sampled_from(["", "", ";INTERVAL=2", ";INTERVAL=3", ";INTERVAL=5"]),
        part("BYMONTH", ["1", "2", "6", "10", "12"]),
        part("BYMONTHDAY", ["1", "15", "28", "31", "-1", "-3"]),
        part("BYDAY", ["MO", "WE", "SU"]),
        part("BYHOUR", ["0", "2", "9", "23"]),
        part("BYMINUTE", ["0", "30"]),
        st.sampled_from(["", "", ";WKST=SU", ";WKST=WE"]),
    ),
)
STARTS = st.datetimes(
    datetime(1995, 1, 1),  # noqa: DTZ001 - wall time has no zone
    datetime(2026, 1, 1),  # noqa: DTZ001
).map(lambda moment: moment.replace(microsecond=0))


@settings(max_examples=80, deadline=None)
@given(rule=RULES, start=STARTS, days=st.integers(min_value=-300, max_value=12_000))
@example("FREQ=MONTHLY", datetime(2000, 1, 31, 9), 5_000)  # noqa: DTZ001
@example("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO", datetime(1997, 8, 5, 9), 40)  # noqa: DTZ001
def test_fires_when_any_rule_then_as_dateutil_iterates(
    rule: str, start: datetime, days: int
) -> None:
    assume(not ("WEEKLY" in rule and "BYMONTHDAY" in rule))
    after = start + timedelta(days=days)
    wkst = "" if "WKST" in rule else ";WKST=MO"
    until = after + timedelta(days=3_000)
    theirs = rrulestr(f"{rule}{wkst};UNTIL={until:%Y%m%dT%H%M%S}", dtstart=start)
    expected = [moment.replace(tzinfo=UTC) for moment in islice(theirs.xafter(after), 8)]
    try:
        trigger = RRule(rule, start=start)
    except InvalidTrigger:
        assert [] == expected
        return

    found = fires(trigger, after.replace(tzinfo=UTC), len(expected))

    assert expected == found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("FREQ=MINUTELY;INTERVAL=7", "2026-01-01T00:00", ["01 00:07", "01 00:14"]),
        ("FREQ=HOURLY;INTERVAL=5", "2026-01-01T00:00", ["01 04:00", "01 09:00"]),
        ("FREQ=HOURLY;BYDAY=MO", "2026-01-01T00:00", ["05 00:00", "05 01:00"]),
        ("FREQ=MINUTELY;BYDAY=MO;BYHOUR=9", "2026-01-01T00:00", ["05 09:00", "05 09:01"]),
        ("FREQ=SECONDLY;INTERVAL=30", "2026-01-01T00:00", ["01 00:00", "01 00:01"]),
        ("RRULE:FREQ=DAILY;BYHOUR=9", "2026-01-01T10:00", ["02 09:00", "03 09:00"]),
        ("DTSTART:20260101T090000\nRRULE:FREQ=DAILY", "2025-06-01T00:00", ["01 09:00", "02 09:00"]),
        (
            "DTSTART:20260101T090000\nRRULE:FREQ=DAILY\nEXDATE:20260102T090000",
            "2026-01-01T00:00",
            ["01 09:00", "03 09:00"],
        ),
        (
            "FREQ=DAILY;BYHOUR=9;UNTIL=20260102T090000Z",
            "2026-01-01T00:00",
            ["01 09:00", "02 09:00"],
        ),
    ],
)
def test_fires_when_text_varies_then_these(text: str, after: str, expected: list[str]) -> None:
    found = fires(RRule(text), datetime.fromisoformat(f"{after}+00:00"), 2)

    assert expected == [f"{moment:%d %H:%M}" for moment in found]


def test_fires_when_count_is_used_up_then_none() -> None:
    trigger = RRule("FREQ=DAILY;COUNT=2", start="2026-01-01T09:00")

    found = fires(trigger, datetime(2025, 1, 1, tzinfo=UTC), 5)

    assert [1, 2] == [moment.day for moment in found]


def test_fires_when_until_has_passed_then_none() -> None:
    trigger = RRule("FREQ=DAILY;BYHOUR=9;UNTIL=20260102")

    found = fires(trigger, datetime(2025, 12, 31, 12, tzinfo=UTC), 5)

    assert [1] == [moment.day for moment in found]


def test_fires_when_clocks_change_then_placed_like_fixed_times() -> None:
    trigger = RRule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", timezone="Europe/Berlin")

    spring = fires(trigger, datetime(2026, 3, 28, tzinfo=UTC), 3)
    autumn = fires(trigger, datetime(2026, 10, 24, 12, tzinfo=UTC), 2)

    assert ["28 01:30", "29 01:00", "30 00:30"] == [f"{moment:%d %H:%M}" for moment in spring]
    assert ["25 00:30", "26 01:30"] == [f"{moment:%d %H:%M}" for moment in autumn]


@pytest.mark.parametrize(("until", "expected"), [("20260102T000000Z", 1), ("20260101T235959Z", 0)])
def test_until_when_in_utc_then_converted_to_the_zone(until: str, expected: int) -> None:
    trigger = RRule(f"FREQ=DAILY;BYHOUR=1;UNTIL={until}", timezone="Europe/Berlin")

    found = fires(trigger, datetime(2026, 1, 1, tzinfo=UTC), 5)

    assert expected == len(found)


def test_week_when_the_program_moved_its_first_day_then_monday_all_the_same() -> None:
    expected = fires(
        RRule("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO"), datetime(2026, 1, 1, tzinfo=UTC), 6
    )

    calendar.setfirstweekday(calendar.SUNDAY)
    try:
        trigger = RRule("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO")
        found = fires(trigger, datetime(2026, 1, 1, tzinfo=UTC), 6)
    finally:
        calendar.setfirstweekday(calendar.MONDAY)

    assert expected == found


def test_next_when_asked_in_any_order_then_the_same_answers() -> None:
    trigger = RRule("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9,17")
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=9 * step) for step in range(60)]

    forwards = [trigger.next_after(moment) for moment in moments]
    backwards = [trigger.next_after(moment) for moment in reversed(moments)]

    assert forwards == backwards[::-1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "FREQ=FORTNIGHTLY",
        "INTERVAL=2",
        "FREQ=DAILY;FREQ=WEEKLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=DAILY;BYMINUTE=60",
        "FREQ=DAILY;BYHOUR=",
        "FREQ=DAILY;BYMONTHDAY=0",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;BYDAY=2MO",
        "FREQ=DAILY;BYEASTER=0",
        "FREQ=DAILY;COUNT=5",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;UNTIL=soon",
        "FREQ=DAILY;UNTIL=20261301",
        "FREQ=DAILY;UNTIL=19690101",
        "FREQ=DAILY;WKST=1",
        "FREQ=SECONDLY;BYDAY=MO",
        "FREQ=HOURLY;INTERVAL=2;BYHOUR=1",
        "FREQ=HOURLY;INTERVAL=3;BYDAY=MO",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=14;BYDAY=MO",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=2",
        "FREQ=WEEKLY;BYMONTHDAY=3",
        "FREQ=MONTHLY;BYWEEKNO=3",
        "RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY",
        "RDATE:20260101T090000",
        "DTSTART;TZID=America/New_York:20260101T090000\nRRULE:FREQ=DAILY",
        "FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 10_000),
        "DTSTART:20260101T090000\nRRULE:FREQ=DAILY;COUNT=3;UNTIL=20260105",
        "DTSTART:20260101T090000\nRRULE:FREQ=DAILY;COUNT=1\nEXDATE:20260101T090000",
    ],
)
def test_rule_when_malformed_or_empty_then_refused(text: str) -> None:
    with pytest.raises(InvalidTrigger) as caught:
        RRule(text)

    assert caught.value.remedy


@pytest.mark.parametrize(
    ("trigger", "expected_ms"),
    [
        (RRule("FREQ=MINUTELY;INTERVAL=7"), 420_000),
        (RRule("FREQ=HOURLY"), 3_600_000),
        (RRule("FREQ=HOURLY;BYMINUTE=0,1"), None),
        (RRule("FREQ=DAILY"), None),
    ],
)
def test_interval_floor_when_asked_then_known_for_small_steps(
    trigger: RRule, expected_ms: int | None
) -> None:
    assert expected_ms == trigger.interval_floor_ms()


@pytest.mark.parametrize(
    "trigger",
    [
        RRule("FREQ=WEEKLY;BYDAY=MO", timezone="Europe/Berlin"),
        RRule("FREQ=DAILY;COUNT=5", start="2026-12-01T09:00", timezone="Europe/Berlin"),
        RRule("dtstart:20260101T090000\nrrule:freq=daily\nexdate:20260102T090000"),
    ],
)
def test_spec_when_built_again_then_the_same_trigger(trigger: RRule) -> None:
    again = build_trigger(trigger.spec())

    assert trigger == again
    assert trigger.next_ms(1_700_000_000_000) == again.next_ms(1_700_000_000_000)
