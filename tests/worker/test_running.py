"""Jobs that run as they should: results, retries, limits, recycling."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from beatline import App
from beatline.errors import JobDead, JobExpired, TimeLimitExceeded
from tests.processes import Command, Journal
from tests.servers import eventually
from tests.worker.conftest import on_each_pool

Start = Callable[..., Command]


@on_each_pool
def test_worker_when_jobs_are_queued_then_runs_them_and_keeps_results(
    worker: Start, app: App
) -> None:
    worker("-c", "2")

    sent = [app.send_task("add", (i, 1)) for i in range(20)]

    assert [i + 1 for i in range(20)] == [one.get(timeout=10) for one in sent]


def test_worker_when_arguments_are_rich_then_they_arrive_as_sent(worker: Start, app: App) -> None:
    worker("-c", "1")
    value = {"when": datetime.now(UTC), "for": timedelta(hours=1), "pair": (1, b"\x00\xff")}

    result = app.send_task("echo", (value,)).get(timeout=10)

    assert value == result


def test_worker_when_a_task_raises_then_the_caller_gets_the_exception(
    worker: Start, app: App
) -> None:
    worker("-c", "1")

    sent = app.send_task("fail", ("no such thing",))

    with pytest.raises(ValueError, match="no such thing"):
        sent.get(timeout=10)
    assert sent.failed()
    assert "no such thing" in (sent.traceback or "")


@on_each_pool
def test_worker_when_a_task_asks_for_retries_then_it_runs_until_it_succeeds(
    worker: Start, sched: Start, app: App, journal: Journal
) -> None:
    sched("beat")
    worker("-c", "1")

    result = app.send_task("flaky", ("f", 2)).get(timeout=10)

    assert result == 2
    assert journal.count("attempt") == 3


def test_worker_when_retries_run_out_then_the_exception_is_the_result(
    worker: Start, sched: Start, app: App, journal: Journal
) -> None:
    sched("beat")
    worker("-c", "1")

    sent = app.send_task("auto", ("a",))

    with pytest.raises(KeyError):
        sent.get(timeout=10)
    assert journal.count("attempt") == 3


@on_each_pool
def test_worker_when_the_soft_limit_passes_then_the_body_may_clean_up(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "1")

    result = app.send_task("soft", ("s",)).get(timeout=10)

    assert result == "cleaned up"
    assert journal.count("soft") == 1


@on_each_pool
def test_worker_when_the_hard_limit_passes_then_kills_the_run_and_records_failure(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "1")

    sent = app.send_task("hard", ("h",))

    with pytest.raises(TimeLimitExceeded):
        sent.get(timeout=10)
    assert journal.count("start") == 1
    assert app.send_task("add", (1, 1)).get(timeout=10) == 2


@on_each_pool
def test_worker_when_a_job_expired_before_its_start_then_does_not_run_it(
    worker: Start, app: App, journal: Journal
) -> None:
    sent = app.send_task("nap", ("late", 0), expires=0.05, ignore_result=False)
    eventually(lambda: sent.state == "QUEUED")
    expiry = datetime.now(UTC) + timedelta(seconds=0.2)
    eventually(lambda: datetime.now(UTC) > expiry)

    worker("-c", "1")

    with pytest.raises(JobExpired):
        sent.get(timeout=10)
    assert journal.count("start") == 0


def test_worker_when_a_class_has_state_then_it_is_made_once_per_child(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "1")

    results = [app.send_task("predict", (i,)).get(timeout=10) for i in range(5)]

    assert results == [0, 6, 12, 18, 24]
    assert journal.count("model") == 1


@on_each_pool
def test_worker_when_a_class_cannot_be_made_then_its_job_fails_and_the_next_one_tries_again(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "1")

    with pytest.raises(FileNotFoundError, match=r"weights\.bin"):
        app.send_task("predict_later", (1,)).get(timeout=10)

    assert [2, 3] == [app.send_task("predict_later", (i,)).get(timeout=10) for i in (2, 3)]
    assert len(journal.keys("tried")) == 2
    assert len(set(journal.keys("tried"))) == 1


@on_each_pool
def test_worker_when_max_tasks_per_child_is_reached_then_replaces_the_child(
    worker: Start, app: App
) -> None:
    worker("-c", "1", "--max-tasks-per-child", "3")

    pids = [app.send_task("where").get(timeout=10) for _ in range(7)]

    assert len(set(pids)) == 3


@on_each_pool
def test_worker_when_a_child_grows_too_large_then_replaces_it(worker: Start, app: App) -> None:
    worker("-c", "1", "--max-memory-per-child", "150MB")

    first = app.send_task("grow", (200 * 1024 * 1024,)).get(timeout=10)

    eventually(lambda: app.send_task("where").get(timeout=10) != first, timeout=15)


def test_worker_when_solo_then_runs_one_job_at_a_time(worker: Start, app: App) -> None:
    worker("-P", "solo")

    pids = {app.send_task("where").get(timeout=10) for _ in range(4)}

    assert len(pids) == 1
    assert os.getpid() not in pids


def test_worker_when_given_queues_then_takes_from_these_only(
    worker: Start, app: App, journal: Journal
) -> None:
    app.send_task("note", ("other",), queue="other")
    worker("-c", "1", "-Q", "first,second")

    app.send_task("note", ("second",), queue="second")
    app.send_task("note", ("first",), queue="first")
    journal.wait_for("ran", 2)

    assert {"first", "second"} == set(journal.keys("ran"))
    assert app.queues.depth("other") == 1


def test_worker_when_priorities_differ_then_the_highest_runs_first(
    worker: Start, app: App, journal: Journal
) -> None:
    for priority in (0, 9):
        for _ in range(400):
            app.send_task("note", (str(priority),), priority=priority)

    worker("-c", "1")
    journal.wait_for("ran", 800)

    # One take in sixteen begins lower, so some of the others run in between.
    ran = journal.keys("ran")
    places = {key: [at for at, one in enumerate(ran) if one == key] for key in ("0", "9")}
    assert sum(places["9"]) < sum(places["0"])


def test_worker_when_the_body_asks_then_current_job_tells_its_delivery(
    worker: Start, app: App
) -> None:
    worker("-c", "1")

    sent = app.send_task("about")
    told = sent.get(timeout=10)

    assert told["id"] == sent.id
    assert told["fence"] > 0
    assert (told["delivery"], told["retries"]) == (1, 0)


def test_worker_when_a_task_is_unknown_then_the_job_waits_and_others_run(
    worker: Start, sched: Start, app: App, journal: Journal
) -> None:
    sched("beat")
    command = worker("-c", "1")
    stranger = app.send_task("no.such.task")

    app.send_task("note", ("after",))
    journal.wait_for("ran")

    command.wait_for_line("job.unknown_task")
    assert stranger.state in ("SCHEDULED", "QUEUED", "RUNNING")


def test_worker_when_an_unknown_task_waited_too_long_then_it_is_a_dead_letter(
    worker: Start, sched: Start, app: App
) -> None:
    sched("beat")
    worker("-c", "1", extra_env={"BEATLINE_UNKNOWN_TASK_TTL": "100ms"})

    stranger = app.send_task("no.such.task")

    with pytest.raises(JobDead):
        stranger.get(timeout=15)
