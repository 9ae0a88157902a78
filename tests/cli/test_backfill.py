"""``sched schedules backfill`` as users type it, with real processes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beatline import App
from tests.cli.conftest import Run
from tests.processes import Command
from tests.servers import RedisProcess, eventually

_DAY = ("--from", "2026-01-04", "--to", "2026-01-04")


@pytest.fixture
def app(redis_server: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app with two schedules that lie at rest, so that beat makes no jobs of its own."""
    monkeypatch.delenv("BEATLINE_REDIS_URL", raising=False)
    app = App("tests", redis=redis_server.url)
    app.schedules.put("hourly", "add", every="1h", args=[1, 2], paused=True)
    app.schedules.put("often", "add", every="1m", args=[1, 2], paused=True)
    yield app
    app.close()


@pytest.mark.usefixtures("app")
def test_backfill_when_run_dry_then_lists_what_would_be_made(run_on: Run) -> None:
    told = run_on("schedules", "backfill", "hourly", *_DAY, "--dry-run", TZ="UTC")
    many = run_on("schedules", "backfill", "often", *_DAY, "--dry-run", TZ="UTC")

    assert (0, "") == (told.code, told.err)
    lines = told.out.splitlines()
    assert ["FIRE TIME", "Sun 2026-01-04 00:00:00 UTC"] == lines[:2]
    assert "hourly: 24 jobs would be made" == lines[-1]
    assert "… 1,400 more" in many.out
    assert "often: 1,440 jobs would be made" == many.out.splitlines()[-1]


def test_backfill_when_repeated_then_made_once(run_on: Run, app: App) -> None:
    first = run_on("schedules", "backfill", "hourly", *_DAY, "--overlap", "allow")
    second = run_on("schedules", "backfill", "hourly", *_DAY, "--overlap", "allow", "--json")
    third = run_on("schedules", "backfill", "hourly", *_DAY)

    assert (0, "hourly: 24 jobs made\n") == (first.code, first.out)
    assert {
        "schedule": "hourly",
        "run": "2026-01-04T00:00:00Z..2026-01-04T23:59:59.999Z",
        "dry_run": False,
        "made": 24,
        "skipped": 0,
        "done": True,
        "fire_times": [],
        "left_out": 0,
        "undecided": 0,
        "forgotten": 0,
    } == json.loads(second.out)
    assert third.out.startswith("hourly: nothing left to make: run 2026-01-04T00:00:00Z..")
    assert 24 == app.queues.depth("default")


def test_backfill_when_wrong_then_told_with_a_remedy(run_on: Run, app: App) -> None:
    unknown = run_on("schedules", "backfill", "hurly", *_DAY)
    too_many = run_on("schedules", "backfill", "often", *_DAY, "--most", "100")

    assert (2, True) == (unknown.code, 'did you mean "hourly"?' in unknown.err)
    assert 2 == too_many.code
    assert "error: the span holds more than 100 fire times of schedule 'often'" in too_many.err
    assert "remedy: choose a shorter one, or allow more of them: --most" in too_many.err
    assert 0 == app.queues.depth()


def test_backfill_when_interrupted_while_it_waits_then_goes_on_and_runs_each_once(
    sched: Callable[..., Command], run_on: Run, app: App, app_file: Path, redis_url: str
) -> None:
    hours = ("--from", "2026-01-04T00:00", "--to", "2026-01-04T09:29")
    filling = sched("schedules", "backfill", "often", *hours, BEATLINE_REDIS_URL=redis_url)
    filling.wait_for_line("often: 501 of 570 fire times; so many wait for their turn")

    filling.process.send_signal(signal.SIGINT)
    eventually(lambda: filling.process.poll() is not None, what="the end of the command")
    sched("worker", "-A", "app.py:app", "-c", "1", BEATLINE_REDIS_URL=redis_url)
    sched("beat", BEATLINE_REDIS_URL=redis_url)
    again = run_on("schedules", "backfill", "often", *hours)

    assert 130 == filling.process.returncode
    assert "often: broken off after 501 of 570 fire times" in filling.output
    assert (0, "often: 570 jobs made\n") == (again.code, again.out)
    eventually(lambda: app.queues.depth() == 0, timeout=30, what="the end of all jobs")
    filled = [one.backfill for one in app.schedules.history("often", 1_000) if one.backfill]
    assert 570 == len(filled)
    assert {"SUCCESS"} == {str(one.outcome) for one in filled}
    told = run_on("why", "often", "--at", "2026-01-04T09:29")
    assert "often 2026-01-04 09:29:00 UTC: backfilled by job " in told.out
    assert ", which ran at " in told.out
    assert " and ended in SUCCESS after " in told.out


def test_backfill_when_killed_again_and_again_then_each_job_is_made_once(
    sched: Callable[..., Command], run_on: Run, app: App, redis_url: str
) -> None:
    days = ("--from", "2026-01-01", "--to", "2026-01-06", "--overlap", "allow")

    def kill_one() -> bool:
        """Kill the command as soon as it has made more jobs; whether it was still at work."""
        before = app.queues.depth("default")
        filling = sched("schedules", "backfill", "often", *days, BEATLINE_REDIS_URL=redis_url)
        eventually(
            lambda: app.queues.depth("default") > before or filling.process.poll() is not None,
            every=0.002,
            what="the next jobs",
        )
        filling.process.kill()
        return filling.process.wait() == -signal.SIGKILL

    kills = [kill_one() for _ in range(3)]
    last = run_on("schedules", "backfill", "often", *days)

    assert any(kills)
    assert 0 == last.code
    assert "8,640 jobs" in last.out
    assert 8_640 == app.queues.depth("default")
    view = app.schedules.get("often")
    assert view is not None
    assert 8_640 == view.stored.counters["backfilled"]
