"""APScheduler's jobs: what their triggers become fires when they do, in UTC at every instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from tempfile import gettempdir
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from beatline.errors import AppNotLoadable, WrongUse
from beatline.triggers import build_timetable
from beatline.units import instant_ms
from beatline_schedules.importing import Entry
from beatline_schedules.importing.apscheduler_times import apscheduler_trigger
from beatline_schedules.importing.entry import Unsupported
from tests.importing.conftest import Import, by_name, only


def scheduler(*triggers: object, **options: Any) -> BackgroundScheduler:
    made = BackgroundScheduler(timezone="UTC")
    for number, trigger in enumerate(triggers):
        made.add_job(gettempdir, trigger, **{"id": f"job-{number}", **options})
    return made


def entry_of(bring: Import, trigger: object, **options: Any) -> Entry:
    return only(bring("apscheduler", scheduler(trigger, **options)))


def cron(**fields: Any) -> CronTrigger:
    return CronTrigger(timezone="UTC", **fields)


def test_apscheduler_when_a_job_is_imported_then_its_function_names_the_task(
    bring: Import,
) -> None:
    entry = entry_of(bring, cron(hour=9), id="nightly")

    assert ("nightly", "tempfile.gettempdir") == (entry.name, entry.fields["task"])
    assert "0 9 * * *" == entry.fields["cron"]


def test_apscheduler_when_a_job_has_no_id_then_it_has_the_functions_name(bring: Import) -> None:
    made = BackgroundScheduler(timezone="UTC")
    made.add_job(gettempdir, cron(hour=9))
    made.add_job(gettempdir, cron(hour=8))

    assert ["gettempdir", "gettempdir-2"] == [
        entry.name for entry in bring("apscheduler", made).entries
    ]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (cron(day_of_week="0-4", hour=9), {"cron": "0 9 * * mon-fri"}),
        (cron(day_of_week="*/2", hour=9), {"cron": "0 9 * * mon,wed,fri,sun"}),
        (CronTrigger.from_crontab("0 9 * * 0", "UTC"), {"cron": "0 9 * * mon"}),
        (cron(day="last", hour=9), {"cron": "0 9 L * *"}),
        (cron(day="15,last"), {"cron": "0 0 15,L * *"}),
        (cron(day="2nd fri", hour=9), {"cron": "0 9 * * fri#2"}),
        (cron(day="1st mon,3rd mon"), {"cron": "0 0 * * mon#1,mon#3"}),
        (cron(day="1st mon,15"), {"cron": "0 0 15 * mon#1"}),
        (cron(day="last sun", hour=9), {"rrule": "FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=9;BYMINUTE=0;"}),
        (cron(day="last", day_of_week="fri"), {"rrule": "FREQ=DAILY;BYMONTHDAY=-1;BYDAY=FR;"}),
        (cron(day="1-7", day_of_week="sat"), {"cron": "0 0 * * sat#1"}),
        (cron(day="2nd fri", day_of_week="fri"), {"cron": "0 0 * * fri#2"}),
        (cron(second="*/10"), {"cron": "* * * * *", "second": "*/10"}),
        (cron(minute="5/20"), {"cron": "5/20 * * * *"}),
        (cron(month="jan-mar", day=1), {"cron": "0 0 1 1-3 *"}),
        (cron(year="2026-2027"), {"start": "2026-01-01", "end": "2027-12-31"}),
        (CronTrigger(hour=1, timezone="Europe/Berlin"), {"timezone": "Europe/Berlin"}),
        (IntervalTrigger(hours=2, jitter=30, timezone="UTC"), {"every": "2h", "jitter": "30s"}),
        (
            IntervalTrigger(hours=2, start_date="2026-01-01 00:30:00", timezone="UTC"),
            {"every": "2h", "anchor": "2026-01-01T00:30:00+00:00"},
        ),
        (DateTrigger("2027-01-01 10:00:00", "Asia/Tokyo"), {"at": "2027-01-01T10:00:00+09:00"}),
        (
            CalendarIntervalTrigger(
                months=1, hour=3, minute=15, start_date="2026-01-31", timezone="UTC"
            ),
            {"calendar": {"months": 1, "at": "03:15", "anchor": "2026-01-31"}},
        ),
        (
            OrTrigger([cron(hour=1), CronTrigger(hour=2, timezone="Europe/Berlin")]),
            {"any": [{"cron": "0 1 * * *"}, {"cron": "0 2 * * *", "timezone": "Europe/Berlin"}]},
        ),
    ],
    ids=lambda value: str(value).split(" at 0x")[0],
)
def test_apscheduler_when_a_trigger_is_imported_then_ours_says_the_same(
    bring: Import, trigger: BaseTrigger, expected: dict[str, Any]
) -> None:
    fields = entry_of(bring, trigger).fields

    for key, value in expected.items():
        told = fields[key][: len(value)] if key == "rrule" else fields[key]
        assert value == told


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        (AndTrigger([cron(hour=1), cron(minute=2)]), "AndTrigger"),
        (cron(week=1), "BYWEEKNO"),
        (cron(year="2026,2028"), "year=2026,2028"),
        (cron(day="last sun,15"), "a last weekday of the month"),
        (cron(day="2nd fri", day_of_week="mon"), "it never fires"),
        (OrTrigger([cron(hour=1, jitter=3)]), "has jitter of its own"),
        (CalendarIntervalTrigger(months=1, days=3, timezone="UTC"), "months and days at once"),
        (object(), "its trigger is a object"),
    ],
    ids=lambda value: str(value).split(" at 0x")[0],
)
def test_apscheduler_when_a_trigger_has_no_counterpart_then_the_reason_is_told(
    trigger: object, reason: str
) -> None:
    with pytest.raises(Unsupported, match=reason):
        apscheduler_trigger(trigger)


def test_apscheduler_when_weekdays_are_numbers_then_a_remark_tells_how_they_count(
    bring: Import,
) -> None:
    by_number = entry_of(bring, cron(day_of_week=0))
    by_name_ = entry_of(bring, cron(day_of_week="mon"))

    assert ("day_of_week=0 counts from 0 = Monday there; it is mon here",) == by_number.remarks
    assert () == by_name_.remarks


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {"catch_up": "none"}),
        ({"misfire_grace_time": 600}, {"catch_up": "latest", "catch_up_window": "10m"}),
        (
            {"misfire_grace_time": 600, "coalesce": False},
            {"catch_up": "all", "catch_up_window": "10m"},
        ),
        ({"misfire_grace_time": None}, {"catch_up": "latest", "catch_up_window": "52w"}),
        ({"max_instances": 3}, {"overlap": "allow"}),
        ({"next_run_time": None}, {"paused": True}),
    ],
)
def test_apscheduler_when_a_job_has_policies_then_they_are_ours(
    bring: Import, options: dict[str, Any], fields: dict[str, Any]
) -> None:
    found = entry_of(bring, cron(hour=1), **options).fields

    assert fields == {key: found.get(key) for key in fields}


def test_apscheduler_when_an_interval_names_no_start_then_the_import_stays_the_same(
    bring: Import,
) -> None:
    entry = entry_of(bring, IntervalTrigger(minutes=5, timezone="UTC"))

    assert {"task", "every", "catch_up"} == entry.fields.keys()
    assert ("every 5m: APScheduler counted from its start; here the grid is fixed",) == (
        entry.remarks
    )


def test_apscheduler_when_a_function_has_no_name_then_the_job_is_left_out(bring: Import) -> None:
    made = BackgroundScheduler(timezone="UTC")
    made.add_job(lambda: None, cron(hour=1), id="it")

    imported = bring("apscheduler", made)

    assert ["its function has no name that can be imported"] == [
        one.reason for one in imported.left_out
    ]


def test_apscheduler_when_no_scheduler_is_given_then_it_refuses(bring: Import) -> None:
    with pytest.raises(WrongUse, match="it is no scheduler"):
        bring("apscheduler", object())
    with pytest.raises(AppNotLoadable, match="has no scheduler in it"):
        bring("apscheduler", "tests.importing.shapes")


def test_apscheduler_when_jobs_were_added_in_any_order_then_they_come_by_name(
    bring: Import,
) -> None:
    made = BackgroundScheduler(timezone="UTC")
    for name in ("b", "c", "a"):
        made.add_job(gettempdir, cron(hour=1), id=name)

    assert ["a", "b", "c"] == list(by_name(bring("apscheduler", made)))


_NUMBERS = {"hour": (0, 23), "minute": (0, 59), "month": (1, 12), "day_of_week": (0, 6)}


@st.composite
def fields_of(draw: st.DrawFn) -> dict[str, str]:
    """Fields of a cron trigger: numbers, ranges, steps, lists."""
    found = {}
    for name, (low, high) in {**_NUMBERS, "day": (1, 31)}.items():
        numbers = st.integers(low, high)
        ranges = st.tuples(numbers, numbers).map(sorted)
        items = st.one_of(
            numbers.map(str),
            ranges.map(lambda pair: f"{pair[0]}-{pair[1]}"),
            st.integers(1, high - low).map(lambda step: f"*/{step}"),
        )
        text = draw(st.one_of(st.just("*"), st.lists(items, min_size=1, max_size=2).map(",".join)))
        found[name] = text
    return found


@settings(max_examples=150, deadline=None)
@given(fields=fields_of(), days=st.integers(0, 720))
def test_apscheduler_when_cron_fields_are_random_then_both_fire_alike(
    fields: dict[str, str], days: int
) -> None:
    trigger = cron(**fields)
    now = datetime(2026, 1, 1, 13, 37, tzinfo=UTC) + timedelta(days=days)
    spec, _ = apscheduler_trigger(trigger)
    try:
        timetable = build_timetable(spec, "it")
    except ValueError:
        assert trigger.get_next_fire_time(None, now) is None  # a date that never comes
        return

    theirs: list[int] = []
    previous = None
    while len(theirs) < 5:
        previous = trigger.get_next_fire_time(previous, (previous or now) + timedelta(seconds=1))
        if previous is None or previous > now + timedelta(days=3650):
            break
        theirs.append(instant_ms(previous))
    ours: list[int] = []
    after_ms = instant_ms(now)
    for _ in theirs:
        found_ms = timetable.next_nominal_ms(after_ms)
        assert found_ms is not None
        ours.append(after_ms := found_ms)

    assert theirs == ours
