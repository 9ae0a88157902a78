"""Celery's beat_schedule, recognised by the attributes of its objects."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from beatline.errors import AppNotLoadable, WrongUse
from beatline_schedules.importing import Entry
from tests.importing.conftest import Import, RoundTrip, by_name, only
from tests.importing.shapes import app, crontab, schedule


def entry_of(bring: Import, **entry: Any) -> Entry:
    return only(bring("celery", {"it": {"task": "shop.close", **entry}}))


def test_celery_when_an_app_is_given_then_all_of_an_entry_is_brought(
    bring: Import, round_trip: RoundTrip
) -> None:
    made = app(
        {
            "close the day": {
                "task": "shop.close",
                "schedule": crontab(minute=30, hour="7"),
                "args": ("eu", 3),
                "kwargs": {"full": True},
                "options": {"queue": "billing", "expires": 90},
            }
        },
        ZoneInfo("Europe/Berlin"),
    )

    imported = bring("celery", made)

    declared = round_trip(imported)["close the day"]
    assert ("shop.close", ("eu", 3), {"full": True}, "billing", {"expires_ms": 90_000}) == (
        declared.task,
        declared.args,
        declared.kwargs,
        declared.queue,
        declared.options,
    )
    assert {"cron": "30 7 * * *", "timezone": "Europe/Berlin"} == declared.timetable.spec()
    assert "allow" == declared.overlap


@pytest.mark.parametrize(
    ("given", "every"),
    [
        (30, "30s"),
        (0.25, "250ms"),
        (timedelta(hours=6), "6h"),
        (schedule(timedelta(days=1, seconds=1)), "1d1s"),
    ],
)
def test_celery_when_the_schedule_is_an_interval_then_a_remark_tells_of_the_grid(
    bring: Import, given: object, every: str
) -> None:
    entry = entry_of(bring, schedule=given)

    assert every == entry.fields["every"]
    assert (
        f"every {every}: Celery counted from the last run; here the grid is fixed, whatever "
        "restarts",
    ) == entry.remarks


@pytest.mark.parametrize("where", ["entry", "schedule"])
def test_celery_when_the_interval_is_relative_then_the_remark_says_so(
    bring: Import, where: str
) -> None:
    if where == "entry":
        entry = entry_of(bring, schedule=3600, relative=True)
    else:
        entry = entry_of(bring, schedule=schedule(3600, relative=True))

    assert "relative: Celery rounded" in entry.remarks[0]


@pytest.mark.parametrize(
    ("given", "cron"),
    [
        (crontab(), "* * * * *"),
        (crontab(minute="*/15", hour=[1, 2, 3]), "*/15 1-3 * * *"),
        (crontab(minute={0, 20, 40}, hour="8-18/2"), "*/20 8-18/2 * * *"),
        (crontab(minute=0, hour=0, day_of_week=0), "0 0 * * sun"),
        (crontab(minute=0, hour=0, day_of_week="1-5"), "0 0 * * 1-5"),
        (crontab(minute=0, hour=0, day_of_week={5, 6, 0}), "0 0 * * fri-sun"),
        (crontab(minute=0, hour=0, day_of_month="1,15"), "0 0 1,15 * *"),
        (crontab(minute=0, hour=0, month_of_year="*/3"), "0 0 * */3 *"),
        # All days by other words leave nothing out, and count as a star.
        (crontab(minute=0, hour=0, day_of_month="1-7", day_of_week="3-2"), "0 0 1-7 * *"),
        # One of them begins with a star: both count here too.
        (crontab(minute=0, hour=0, day_of_month="*/2", day_of_week="mon"), "0 0 */2 * mon"),
        # A week of the month has a form of its own.
        (crontab(minute=0, hour=9, day_of_month="1-7", day_of_week=1), "0 9 * * mon#1"),
        (
            crontab(minute=0, hour=9, day_of_month="22-28", day_of_week={2, 4}),
            "0 9 * * tue#4,thu#4",
        ),
    ],
)
def test_celery_when_the_schedule_is_a_crontab_then_cron_says_the_same(
    bring: Import, given: object, cron: str
) -> None:
    assert cron == entry_of(bring, schedule=given).fields["cron"]


def test_celery_when_both_day_fields_are_restricted_then_a_rule_makes_both_count(
    bring: Import, round_trip: RoundTrip
) -> None:
    given = crontab(minute=30, hour=[9, 17], day_of_month="13", day_of_week="fri")

    imported = bring("celery", {"friday-13": {"task": "t", "schedule": given}})

    entry = only(imported)
    rule = "FREQ=DAILY;BYMONTHDAY=13;BYDAY=FR;BYHOUR=9,17;BYMINUTE=30;BYSECOND=0"
    assert rule == entry.fields["rrule"]
    assert (
        "there day of month (13) and day of week (fri) both had to match; in cron: two restricted "
        "day fields mean either here",
    ) == entry.remarks
    timetable = round_trip(imported)["friday-13"].timetable
    start_ms = int(datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp() * 1000)
    first_ms = timetable.next_nominal_ms(start_ms)
    assert first_ms is not None
    assert "2026-02-13T09:30:00+00:00" == (
        datetime.fromtimestamp(first_ms / 1000, ZoneInfo("UTC")).isoformat()
    )


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (
            crontab(day_of_month="13", day_of_week="fri"),
            "FREQ=MINUTELY;BYMONTHDAY=13;BYDAY=FR;BYSECOND=0",
        ),
        (
            crontab(minute="5,10", day_of_month="13", day_of_week="fri,sat", month_of_year="6"),
            "FREQ=HOURLY;BYMONTH=6;BYMONTHDAY=13;BYDAY=FR,SA;BYMINUTE=5,10;BYSECOND=0",
        ),
    ],
)
def test_celery_when_a_rule_has_all_hours_then_it_steps_by_them(
    bring: Import, given: object, rule: str
) -> None:
    assert rule == entry_of(bring, schedule=given).fields["rrule"]


@pytest.mark.parametrize(
    ("options", "fields", "remark"),
    [
        ({"queue": SimpleNamespace(name="mail")}, {"queue": "mail"}, ""),
        ({"priority": 9}, {"priority": 9}, "Celery's highest is 0"),
        ({"priority": 255}, {}, "none of 0 (lowest) to 9 (highest)"),
        ({"expires": timedelta(minutes=5)}, {"expires": "5m"}, ""),
        ({"expires": datetime(2026, 1, 1)}, {}, "one instant for all jobs"),  # noqa: DTZ001
        ({"time_limit": 30, "soft_time_limit": 20}, {"time_limit": "30s"}, ""),
        ({"routing_key": "a.b", "headers": {"x": 1}}, {}, "left out: routing_key=a.b, headers="),
        ({"retry": True, "queue": None}, {}, ""),
    ],
)
def test_celery_when_an_entry_has_options_then_they_are_brought_or_told(
    bring: Import, options: dict[str, Any], fields: dict[str, Any], remark: str
) -> None:
    entry = entry_of(bring, schedule=crontab(), options=options)

    found = {key: value for key, value in entry.fields.items() if key in fields}
    assert fields == found
    assert not remark or remark in " ".join(entry.remarks)
    assert bool(remark) == bool(entry.remarks)


def test_celery_when_arguments_are_no_plain_values_then_they_become_text_or_are_told(
    bring: Import,
) -> None:
    imported = bring(
        "celery",
        {
            "dates": {"task": "t", "schedule": 60, "args": (date(2026, 1, 2), {3, 1})},
            "object": {"task": "t", "schedule": 60, "args": [object()]},
        },
    )

    (entry,) = imported.entries
    assert ["2026-01-02", [1, 3]] == entry.fields["args"]
    assert (
        "args[0] was of type date; the task gets text",
        "args[1] was a set; the task gets a list",
    ) == entry.remarks[1:]
    (left_out,) = imported.left_out
    assert ("object", "args[0] is of type object, which YAML cannot hold") == (
        left_out.name,
        left_out.reason,
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (SimpleNamespace(event="sunset", lat=52.5, lon=13.4), "solar times (sunset at 52.5, 13.4)"),
        (object(), "its schedule is of type object"),
        (0, "an interval of 0 s is too short"),
        (None, "its schedule is None"),
        (SimpleNamespace(minute=1, month_of_year={1}), "its minute 1 is no set of numbers"),
    ],
)
def test_celery_when_a_schedule_has_no_counterpart_then_it_is_left_out(
    bring: Import, given: object, reason: str
) -> None:
    imported = bring("celery", {"it": {"task": "t", "schedule": given}})

    assert () == imported.entries
    assert reason in imported.left_out[0].reason


def test_celery_when_entries_are_objects_then_their_attributes_count(bring: Import) -> None:
    entry = SimpleNamespace(task="t", schedule=crontab(), args=(), kwargs={}, options={})

    assert ["it"] == [one.name for one in bring("celery", {"it": entry}).entries]


def test_celery_when_the_zone_has_no_name_then_a_remark_says_so(bring: Import) -> None:
    imported = bring("celery", app({"it": {"task": "t", "schedule": 60}}, object()))

    assert "timezone" not in imported.defaults
    assert "has no IANA name" in imported.remarks[-1]


def test_celery_when_a_module_is_named_then_its_app_or_schedule_is_found(
    bring: Import, tmp_path: Path
) -> None:
    (tmp_path / "proj_settings.py").write_text(
        'CELERY_TIMEZONE = "Asia/Tokyo"\n'
        'CELERY_BEAT_SCHEDULE = {"a": {"task": "t", "schedule": 60}}\n'
    )
    (tmp_path / "proj_app.py").write_text(
        "from tests.importing.shapes import app\n"
        'celery = app({"b": {"task": "t", "schedule": 60}})\nsame = celery\n'
    )

    settings = bring("celery", str(tmp_path / "proj_settings.py"))
    found = bring("celery", str(tmp_path / "proj_app.py"))
    named = bring("celery", f"{tmp_path / 'proj_app.py'}:celery")

    assert "Asia/Tokyo" == settings.defaults["timezone"]
    assert ["a"] == list(by_name(settings))
    assert ["b"] == list(by_name(found)) == list(by_name(named))


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("raise RuntimeError('no broker')", "", "RuntimeError: no broker"),
        ("import nowhere_to_be_found", "", "No module named 'nowhere_to_be_found'"),
        ("x = 1", "", "has no Celery app in it"),
        ("x = 1", ":y", "has no 'y'"),
        ("x = 1", ":x", "is of type int, not a Celery app"),
    ],
)
def test_celery_when_a_module_cannot_be_used_then_the_error_tells_why(
    bring: Import, tmp_path: Path, content: str, name: str, message: str
) -> None:
    path = tmp_path / "broken_celery_module.py"
    path.write_text(content)

    with pytest.raises(AppNotLoadable, match=message):
        bring("celery", f"{path}{name}")


def test_celery_when_it_is_given_something_else_then_it_refuses(bring: Import) -> None:
    with pytest.raises(WrongUse, match="beat_schedule is a list"):
        bring("celery", app([]))  # type: ignore[arg-type]  # that is the point
