"""Jobs that are run in the test's own process, through the real settle script."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import freezegun
import pytest

from beatline import App, current_job
from beatline.errors import BeatlineError, WrongUse
from beatline.testing.fixtures import MakeTimeMachine
from tests.testing.conftest import Write

START = datetime(2026, 3, 1, tzinfo=UTC)


def test_jobs_when_they_are_run_when_due_then_each_sees_its_fire_time(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    app, seen = App("shop"), []

    @app.task(name="report")
    def report(region: str, *, full: bool = False) -> str:
        job = current_job()
        seen.append((region, full, job and job.scheduled_for))
        return region.upper()

    path = write("it: {task: report, every: 1h, args: [eu], kwargs: {full: true}}")
    clock = time_machine(app=app, schedules=[path], start=START, jobs="run")

    clock.advance("2h")

    hours = [START + timedelta(hours=1), START + timedelta(hours=2)]
    assert [("eu", True, hour) for hour in hours] == seen
    assert [("SUCCESS", "it", hour, hour, hour) for hour in hours] == [
        (job.state, job.schedule, job.fire_time, job.started, job.ended) for job in clock.finished
    ]
    assert ["EU", "EU"] == [job.result.get(timeout=1) for job in clock.finished]
    assert ["SUCCESS", "SUCCESS"] == [str(one.outcome) for one in clock.fires("it")]


def test_jobs_when_they_are_run_by_hand_then_what_waits_is_run_once(
    time_machine: MakeTimeMachine,
) -> None:
    app, seen = App("shop"), []
    add = app.task(name="add")(lambda a, b: seen.append(a + b))
    clock = time_machine(app=app, start=START, jobs="wait")
    add.delay(1, 2)
    add.apply_async((3, 4), countdown="1h")

    first = clock.run_jobs()
    clock.advance("59m")
    early = clock.run_jobs()
    clock.advance("1m")
    second = clock.run_jobs()

    assert [3, 7] == seen
    assert [(1, 2)] == [job.args for job in first]
    assert [] == early
    assert [(3, 4)] == [job.args for job in second]
    assert [START + timedelta(hours=1)] == [job.ended for job in second]
    assert [] == clock.run_jobs()


def test_jobs_when_they_fail_then_retries_come_when_they_are_due(
    time_machine: MakeTimeMachine,
) -> None:
    app, seen = App("shop"), []

    @app.task(name="flaky", autoretry_for=(OSError,), retry_backoff=False, default_retry_delay=600)
    def flaky() -> int:
        seen.append(clock.now)
        if len(seen) < 3:
            raise OSError("away")
        return len(seen)

    clock = time_machine(app=app, start=START, jobs="run")
    sent = flaky.delay()

    clock.advance("1h")

    assert [START + timedelta(minutes=10 * number) for number in range(3)] == seen
    assert ["RETRYING", "RETRYING", "SUCCESS"] == [job.state for job in clock.finished]
    assert 3 == sent.get(timeout=1)


def test_jobs_when_one_raises_then_its_result_raises_it_again(
    time_machine: MakeTimeMachine,
) -> None:
    app = App("shop")

    @app.task(name="broken")
    def broken() -> None:
        raise ValueError("no such region")

    clock = time_machine(app=app, start=START, jobs="wait")
    broken.delay()

    (job,) = clock.run_jobs()

    assert "FAILURE" == job.state
    with pytest.raises(ValueError, match="no such region"):
        job.result.get(timeout=1)


def test_jobs_when_they_send_others_then_those_run_too(time_machine: MakeTimeMachine) -> None:
    app, seen = App("shop"), []

    @app.task(name="outer")
    def outer(depth: int) -> None:
        seen.append((depth, clock.now))
        if depth:
            outer.apply_async((depth - 1,), countdown=30 if depth == 1 else None)

    clock = time_machine(app=app, start=START, jobs="run")
    outer.delay(2)

    clock.advance("1m")

    assert [(2, START), (1, START), (0, START + timedelta(seconds=30))] == seen


def test_jobs_when_they_send_themselves_without_end_then_it_stops(
    time_machine: MakeTimeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beatline.testing.worker_driver._MOST_AT_ONCE", 50)
    app = App("shop")

    @app.task(name="again")
    def again() -> None:
        again.delay()

    clock = time_machine(app=app, start=START, jobs="wait")
    again.delay()

    with pytest.raises(BeatlineError, match="more than 50 jobs became ready"):
        clock.run_jobs()


def test_jobs_when_they_change_schedules_then_the_rest_runs_as_they_say(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    app = App("shop")

    @app.task(name="once")
    def once() -> None:
        clock.schedules.pause("it", "done")
        clock.schedules.put("later", "noop", every="1h")
        if clock.now.hour == 3:
            clock.schedules.resume("it")

    app.task(name="noop")(lambda: None)
    path = write(
        'it: {task: noop, every: 1h}\nstop: {task: once, any: [{at: "2026-03-01T01:30:00Z"}, '
        '{at: "2026-03-01T03:30:00Z"}]}'
    )
    clock = time_machine(app=app, schedules=[path], start=START, jobs="run")

    clock.advance("5h")

    assert [1, 4, 5] == [moment.hour for moment in clock.fire_times("it")]
    assert [2, 3, 4, 5] == [moment.hour for moment in clock.fire_times("later")]


def test_jobs_when_one_is_cancelled_while_it_runs_then_it_ends_so(
    time_machine: MakeTimeMachine,
) -> None:
    app = App("shop")
    clock = time_machine(app=app, start=START, takes="1h")
    sent = app.send_task("long")
    clock.advance("1s")

    app.jobs.cancel(sent.id)
    clock.advance("2h")

    ended = [(job.state, job.ended) for job in clock.finished]
    assert [("CANCELLED", START + timedelta(seconds=1))] == ended


def test_jobs_when_they_expire_before_they_start_then_they_are_not_run(
    time_machine: MakeTimeMachine,
) -> None:
    app, seen = App("shop"), []
    task = app.task(name="t")(lambda: seen.append(1))
    clock = time_machine(app=app, start=START, jobs="wait")
    task.apply_async(expires="10m")
    clock.advance("11m")

    (job,) = clock.run_jobs()

    assert ("EXPIRED", []) == (job.state, seen)


def test_jobs_when_they_end_without_being_run_then_running_them_is_refused(
    time_machine: MakeTimeMachine,
) -> None:
    clock = time_machine(start=START, takes="1m")

    with pytest.raises(WrongUse, match='jobs="wait"'):
        clock.run_jobs()


def test_machine_when_time_is_frozen_then_it_starts_there_and_bodies_see_its_time(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    app = App("shop")
    seen: list[Any] = []
    app.task(name="t")(lambda: seen.append(datetime.now(UTC)))
    path = write("it: {task: t, every: 1h}")

    with freezegun.freeze_time(START) as frozen:
        clock = time_machine(app=app, schedules=[path], jobs="run", frozen=frozen)
        started = clock.now
        clock.advance("150m")
        afterwards = datetime.now(UTC)

    assert START == started
    assert [START + timedelta(hours=1), START + timedelta(hours=2)] == seen
    assert START + timedelta(minutes=150) == afterwards
