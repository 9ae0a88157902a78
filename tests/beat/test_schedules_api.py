"""Schedules that code declares: put, look, pause, remove, and whose they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from apscheduler.triggers.interval import IntervalTrigger

from beatline import App
from beatline.errors import (
    BeatlineError,
    InvalidSetting,
    InvalidTrigger,
    NotSent,
    UnserializableArgument,
    WrongUse,
)
from beatline.schedule import CatchUp, Overlap
from beatline.schedules_api import Schedules
from beatline.triggers import Cron, ForeignTrigger
from tests.beat.stage import MONDAY_MS, Stage, every

_SOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def schedules(stage: Stage, redis_url: str) -> Iterator[Schedules]:
    """``app.schedules`` on the stage's clock."""
    app = App("tests", redis=redis_url)
    yield Schedules(app)
    app.close()


def test_put_when_new_then_is_live_at_once(schedules: Schedules, stage: Stage) -> None:
    view = schedules.put("tick", "noop", every="10s", args=[1], kwargs={"a": b"bytes"})

    assert datetime(2026, 1, 5, 0, 0, 10, tzinfo=UTC) == view.next_fire
    assert ("tick", "noop", "code", "", None) == (
        view.name,
        view.task,
        view.source,
        view.paused,
        view.last_fire,
    )
    stage.play(stage.beat(), 10_000)
    assert [([1], {"a": b"bytes"})] == [(job.args, job.kwargs) for job in stage.jobs()]


def test_put_when_given_a_task_then_takes_its_name(schedules: Schedules) -> None:
    view = schedules.put("tick", SimpleNamespace(name="mail.send"), cron="0 9 * * mon-fri")

    assert "mail.send" == view.task
    assert datetime(2026, 1, 5, 9, tzinfo=UTC) == view.next_fire


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"every": 90}, datetime(2026, 1, 5, 0, 1, 30, tzinfo=UTC)),
        ({"every": timedelta(hours=2)}, datetime(2026, 1, 5, 2, tzinfo=UTC)),
        ({"at": _SOON}, _SOON),
        ({"at": "2026-01-05T12:00", "timezone": "Europe/Berlin"}, _SOON - timedelta(hours=1)),
        (
            {"calendar": {"months": 1, "day": -1, "at": "02:30"}},
            datetime(2026, 1, 31, 2, 30, tzinfo=UTC),
        ),
        (
            {"rrule": "FREQ=DAILY;BYHOUR=6;BYMINUTE=0;BYSECOND=0"},
            datetime(2026, 1, 5, 6, tzinfo=UTC),
        ),
        ({"any": [{"at": _SOON}, {"cron": "0 3 * * *"}]}, datetime(2026, 1, 5, 3, tzinfo=UTC)),
        (
            {"trigger": Cron("0 9 * * *", timezone="Europe/Berlin")},
            datetime(2026, 1, 5, 8, tzinfo=UTC),
        ),
        (
            {"trigger": IntervalTrigger(hours=5, start_date=_SOON, timezone=UTC)},
            datetime(2026, 1, 5, 2, tzinfo=UTC),
        ),
    ],
)
def test_put_when_given_each_kind_of_trigger_then_knows_when(
    schedules: Schedules, options: dict[str, Any], expected: datetime
) -> None:
    view = schedules.put("tick", "noop", **options)

    assert expected == view.next_fire


def test_put_when_given_all_options_then_they_are_stored(schedules: Schedules) -> None:
    schedules.put(
        "tick",
        "noop",
        every="1m",
        start="2026-02-01",
        end="2026-03-01",
        jitter="5s",
        exclude=["sun"],
        queue="slow",
        priority=9,
        overlap="allow",
        catch_up="all",
        catch_up_window="6h",
        max_catch_up=5,
        grace="1s",
        max_runs=3,
        paused=True,
        expect_within="26h",
        pause_after_failures=4,
        expires="2m",
        time_limit="1m",
        soft_time_limit="30s",
        max_retries=0,
        retry_backoff="1s",
        retry_backoff_max="1m",
        headers={"x": 1},
        ignore_result=True,
        note="why",
    )

    view = schedules.get("tick")

    assert view is not None
    schedule = view.schedule
    assert schedule is not None
    assert ("slow", 9, Overlap.ALLOW, CatchUp.ALL) == (
        schedule.queue,
        schedule.priority,
        schedule.overlap,
        schedule.catch_up,
    )
    assert (26 * 3_600_000, 4) == (schedule.expect_within_ms, schedule.pause_after_failures)
    assert (6 * 3_600_000, 5, 1_000, 3, True, "why") == (
        schedule.catch_up_window_ms,
        schedule.max_catch_up,
        schedule.grace_ms,
        schedule.max_runs,
        schedule.paused,
        schedule.note,
    )
    assert {
        "expires_ms": 120_000,
        "time_limit_ms": 60_000,
        "soft_time_limit_ms": 30_000,
        "max_retries": 0,
        "retry_backoff_ms": 1_000,
        "retry_backoff_max_ms": 60_000,
        "headers": {"x": 1},
        "ignore_result": True,
    } == schedule.options
    assert (None, "declared") == (view.next_fire, view.paused)


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("", {"every": "1s"}, InvalidSetting),
        ("x" * 201, {"every": "1s"}, InvalidSetting),
        (" padded", {"every": "1s"}, InvalidSetting),
        ("line\nfeed", {"every": "1s"}, InvalidSetting),
        ("lone \ud800", {"every": "1s"}, InvalidSetting),
        ("tick", {}, InvalidTrigger),
        ("tick", {"every": "1s", "cron": "* * * * *"}, InvalidTrigger),
        ("tick", {"cron": "0 0 30 2 *"}, InvalidTrigger),
        ("tick", {"every": "often"}, InvalidSetting),
        ("tick", {"every": "1s", "overlap": "maybe"}, InvalidSetting),
        ("tick", {"every": "1s", "catch_up": "all"}, InvalidSetting),
        ("tick", {"every": "1s", "que": "x"}, InvalidSetting),
        ("tick", {"every": "1s", "queue": "no blanks"}, InvalidSetting),
        ("tick", {"every": "1s", "max_runs": 0}, InvalidSetting),
        ("tick", {"every": "1s", "time_limit": "1s", "soft_time_limit": "2s"}, InvalidSetting),
        ("tick", {"trigger": Cron("* * * * *"), "timezone": "UTC"}, InvalidSetting),
        ("tick", {"every": "1s", "kwargs": {"x": object()}}, UnserializableArgument),
    ],
)
def test_put_when_something_does_not_fit_then_refuses_and_stores_nothing(
    schedules: Schedules, name: str, options: dict[str, Any], error: type[BeatlineError]
) -> None:
    with pytest.raises(error):
        schedules.put(name, "noop", **options)

    assert [] == schedules.list()


def test_put_when_a_file_declares_the_name_then_refuses_unless_taken_over(
    schedules: Schedules, stage: Stage
) -> None:
    stage.declare(every("tick", source="file:a.yaml"))

    with pytest.raises(WrongUse, match=r"declared by file:a\.yaml"):
        schedules.put("tick", "noop", every="1m")
    view = schedules.put("tick", "noop", every="1m", take_over=True)

    assert "code" == view.source


def test_pause_and_resume_when_called_then_the_schedule_rests_and_goes_on(
    schedules: Schedules,
) -> None:
    schedules.put("tick", "noop", every="10s")

    paused = schedules.pause("tick", "holiday")
    resting = schedules.get("tick")
    resumed = schedules.resume("tick")
    going = schedules.get("tick")

    assert (True, True, False, False) == (
        paused,
        resumed,
        schedules.pause("none"),
        schedules.resume("none"),
    )
    assert resting is not None
    assert ("holiday", None) == (resting.paused, resting.next_fire)
    assert going is not None
    assert ("", datetime(2026, 1, 5, 0, 0, 10, tzinfo=UTC)) == (going.paused, going.next_fire)


def test_remove_when_ours_then_it_and_its_ledger_are_gone(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="10s")
    stage.play(stage.beat(), 10_000)

    removed = schedules.remove("tick")

    assert (True, False) == (removed, schedules.remove("tick"))
    assert ([], []) == (schedules.list(), schedules.history("tick"))
    assert {} == stage.timeline()


def test_remove_when_a_file_declares_it_then_refuses_unless_taken_over(
    schedules: Schedules, stage: Stage
) -> None:
    stage.declare(every("tick", source="file:a.yaml"))

    with pytest.raises(WrongUse):
        schedules.remove("tick")

    assert schedules.remove("tick", take_over=True)


def test_list_when_there_are_several_then_by_name(schedules: Schedules, stage: Stage) -> None:
    stage.declare(every("b"), every("c"))
    stage.connection.call("HSET", stage.prefix + b"sched:b", "def", "garbage")
    schedules.put("a", "noop", every="10s")

    views = schedules.list()

    assert [("a", "noop"), ("b", ""), ("c", "noop")] == [(view.name, view.task) for view in views]
    assert "cannot be read" in views[1].problem or views[1].problem


def test_history_when_jobs_were_made_then_tells_lateness_from_the_planned_instant(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1m", jitter="30s", overlap="allow")
    stage.play(stage.beat(), 300_000)

    history = schedules.history("tick", latest=2)

    assert 2 == len(history)
    assert all(0 <= (entry.lateness_ms or 0) <= 500 for entry in history)
    assert all(entry.planned_ms > entry.nominal_ms > MONDAY_MS for entry in history)


def test_get_when_there_is_none_then_gives_none(schedules: Schedules) -> None:
    assert schedules.get("none") is None


def test_put_when_redis_is_not_there_then_says_that_nothing_was_sent() -> None:
    app = App("tests", redis="unix:///nowhere/at/all.sock", call_timeout="200ms")

    with pytest.raises(NotSent):
        Schedules(app).put("tick", "noop", every="1s")


def test_get_when_its_trigger_lies_in_an_app_that_is_not_loaded_then_told_to_name_it(
    schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = ModuleType("shop_triggers")
    module.hourly = SimpleNamespace(get_next_fire_time=lambda _, now: now + timedelta(hours=1))
    monkeypatch.setitem(sys.modules, "shop_triggers", module)
    schedules.put("tick", "noop", trigger=ForeignTrigger(module.hourly, "shop_triggers:hourly"))
    monkeypatch.delitem(sys.modules, "shop_triggers")

    view = schedules.get("tick")

    assert view is not None
    assert (
        "schedule 'tick' has a definition that cannot be read: trigger 'shop_triggers:hourly' lies "
        "in a module that is not loaded – name the app that imports it, with -A"
    ) == view.problem
