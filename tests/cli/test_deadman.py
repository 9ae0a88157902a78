"""Schedules that do not succeed in time, as ``sched status`` tells of them; real processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beatline import App
from tests.cli.conftest import Run
from tests.processes import Command
from tests.servers import RedisProcess, eventually


@pytest.fixture
def app(redis_server: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.delenv("BEATLINE_REDIS_URL", raising=False)
    app = App("tests", redis=redis_server.url)
    yield app
    app.close()


def _partition(run: Run) -> Any:
    return json.loads(run("status", "--json").out)["partitions"][0]


def test_status_when_a_schedule_does_not_succeed_then_told_until_it_does(
    sched: Callable[..., Command], run_on: Run, app: App, app_file: Path, redis_url: str
) -> None:
    app.schedules.put("nightly", "fail", every="1s", expect_within="2s", ignore_result=True)
    beat = sched("beat", BEATLINE_REDIS_URL=redis_url)
    sched("worker", "-A", "app.py:app", "-c", "1", BEATLINE_REDIS_URL=redis_url)

    beat.wait_for_line("beat.alert schedule=nightly")
    late, told = run_on("status"), _partition(run_on)
    listed = run_on("schedules", "list")
    (row,) = json.loads(run_on("schedules", "list", "--json").out)
    app.schedules.put("nightly", "add", every="1s", expect_within="1h", ignore_result=True)
    eventually(lambda: not app.schedules.alerts(), what="the end of the alert")
    over = run_on("status")

    assert 1 == late.code
    assert "schedules 1, 1 with expect_within: 1 late" in late.out
    assert "! schedule nightly has never succeeded, and has to within 2s" in late.out
    assert "remedy: see what it did: sched why nightly, sched sch" in late.out
    assert "no success within 2s" in listed.out
    assert told["alerts"] == [row["alert"]]
    assert (0, ["nightly"]) == (
        told["expected"],
        [alert["schedule"] for alert in told["alerts"]],
    )
    assert (2_000, None) == (
        told["alerts"][0]["expect_within_ms"],
        told["alerts"][0]["last_success"],
    )
    assert "schedules 1, 1 with expect_within: 0 late" in over.out


def test_status_when_a_schedule_succeeded_long_ago_then_told_when(
    sched: Callable[..., Command], run_on: Run, app: App, app_file: Path, redis_url: str
) -> None:
    app.schedules.put("nightly", "add", every="1h", expect_within="2s")
    sched("worker", "-A", "app.py:app", "-c", "1", BEATLINE_REDIS_URL=redis_url)
    made = app.schedules.trigger("nightly")
    assert made is not None
    made.get(timeout=10)

    beat = sched("beat", BEATLINE_REDIS_URL=redis_url)
    beat.wait_for_line("beat.alert schedule=nightly")
    late = run_on("status")
    again = app.schedules.trigger("nightly")
    beat.wait_for_line("beat.alert_over schedule=nightly")

    assert again is not None
    assert "! schedule nightly has not succeeded for " in late.out
    assert ", and has to within 2s: its last success was at " in late.out


def test_status_when_no_beat_is_up_then_says_that_nobody_watches(run_on: Run, app: App) -> None:
    app.schedules.put("nightly", "add", every="1h", expect_within="26h")
    app.schedules.put("hourly", "add", every="1h", expect_within="2h")

    told = run_on("status")

    assert 1 == told.code
    assert "schedules 2, 2 with expect_within: 0 late" in told.out
    assert (
        "! no beat has ever run: nothing is promoted, fired or taken back from dead workers, and "
        "nobody watches whether 2 schedules have a success within expect_within"
    ) in told.out
