"""Pools whose children run several jobs at a time, and coroutines on each pool."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from beatline import App
from beatline.errors import JobDead, TimeLimitExceeded
from tests.processes import Command, Journal
from tests.servers import RedisProcess, eventually
from tests.worker.conftest import on_each_pool, with_lanes

Start = Callable[..., Command]


@on_each_pool
def test_coroutine_when_run_on_a_pool_then_gives_its_result(worker: Start, app: App) -> None:
    worker("-c", "2")

    sent = [app.send_task("aadd", (i, 1)) for i in range(10)]

    assert [i + 1 for i in range(10)] == [one.get(timeout=10) for one in sent]


@on_each_pool
def test_coroutine_when_over_its_soft_limit_then_it_may_clean_up(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "2")

    result = app.send_task("asoft", ("s",)).get(timeout=10)

    assert "cleaned up" == result
    assert 1 == journal.count("soft")


@pytest.mark.parametrize("pool", ["prefork", "threads"], indirect=True)
def test_coroutines_when_run_in_one_lane_then_their_loop_is_kept(worker: Start, app: App) -> None:
    worker("-c", "1")

    loops = {app.send_task("loop").get(timeout=10) for _ in range(3)}

    assert 1 == len(loops)


def test_asyncio_when_many_jobs_wait_for_something_then_they_do_so_at_the_same_time(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-P", "asyncio", "-c", "500")
    assert 3 == app.send_task("aadd", (1, 2)).get(timeout=10)

    for i in range(400):
        app.send_task("anap", (str(i), 3))
    journal.wait_for("start", 400)

    assert 0 == journal.count("end")
    journal.wait_for("end", 400)
    assert 1 == len({one.pid for one in journal.entries("start")})


@pytest.mark.parametrize(
    ("pool", "task"),
    [("threads", "who"), ("gevent", "who"), ("asyncio", "awho"), ("asyncio", "who")],
    indirect=["pool"],
)
def test_job_when_others_run_beside_it_then_it_is_told_who_it_is(
    worker: Start, app: App, task: str
) -> None:
    worker("-c", "10")

    sent = [app.send_task(task, (0.05,)) for _ in range(20)]

    assert [{one.id} for one in sent] == [set(one.get(timeout=10)) for one in sent]


@with_lanes
def test_job_when_another_one_takes_long_beside_it_then_it_does_not_wait(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "4")
    for i in range(3):
        app.send_task("nap", (f"long{i}", 5))
    journal.wait_for("start", 3)

    results = [app.send_task("add", (i, 1)).get(timeout=3) for i in range(10)]

    assert [i + 1 for i in range(10)] == results
    assert 0 == journal.count("end")


def test_asyncio_when_a_coroutine_is_over_its_hard_limit_then_its_neighbours_run_on(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-P", "asyncio", "-c", "10")
    app.send_task("anap", ("neighbour", 3))

    sent = app.send_task("ahard", ("h",))

    with pytest.raises(TimeLimitExceeded):
        sent.get(timeout=10)
    journal.wait_for("end")
    assert [1, 1] == [journal.count("start", key) for key in ("h", "neighbour")]


def test_threads_when_one_has_to_be_killed_then_its_neighbours_run_again_uncounted(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-P", "threads", "-c", "4")
    app.send_task("delivery_of", ("neighbour", 3))
    journal.wait_for("start")

    sent = app.send_task("stuck", ("s",))

    with pytest.raises(TimeLimitExceeded):
        sent.get(timeout=10)
    journal.wait_for("end", timeout=15)
    assert ["neighbour:1"] == journal.keys("end")
    assert [1, 2] == [journal.count("start", key) for key in ("s", "neighbour")]


@with_lanes
def test_poison_when_it_runs_beside_others_then_they_survive_it(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "4")
    for i in range(2):
        app.send_task("nap", (f"n{i}", 1.5))
    journal.wait_for("start", 2)

    poison = app.send_task("die", ("p", "exit"), ignore_result=False)
    # Somebody is always at work: there is no moment at which the child is free for it.
    app.send_task("nap", ("later", 4))

    with pytest.raises(JobDead):
        poison.get(timeout=20)
    eventually(lambda: {"n0", "n1", "later"} <= set(journal.keys("end")), timeout=20)
    assert 3 == journal.count("start", "p")


@with_lanes
def test_child_when_it_is_to_be_replaced_then_another_one_works_while_it_ends(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "2", "--max-tasks-per-child", "3")
    app.send_task("nap", ("long", 4))
    first = journal.wait_for("start")[0]

    pids = [app.send_task("where").get(timeout=5) for _ in range(4)]

    assert first.pid in pids[:2]
    assert first.pid not in pids[2:]
    assert 0 == journal.count("end")
    journal.wait_for("end")


@with_lanes
def test_cancel_when_one_of_several_is_meant_then_the_others_run_on(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "3")
    app.send_task("nap", ("kept", 4))
    sent = app.send_task("nap", ("cancelled", 30), ignore_result=False)
    journal.wait_for("start", 2)

    sent.revoke(terminate=True)

    eventually(lambda: sent.state == "CANCELLED", timeout=6)
    journal.wait_for("end")
    assert (["kept"], 1) == (journal.keys("end"), journal.count("start", "kept"))


def test_asyncio_when_plain_functions_outnumber_its_threads_then_each_runs_once(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-P", "asyncio", "-c", "100")

    for i in range(60):
        app.send_task("nap", (str(i), 0.3))
    app.send_task("anap", ("coroutine", 0))
    journal.wait_for("end", 61)

    assert sorted(journal.keys("start")) == sorted(journal.keys("end"))
    assert 61 == len(set(journal.keys("end")))


@with_lanes
def test_child_when_killed_with_many_jobs_in_it_then_all_run_again_and_end(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "8")
    for i in range(6):
        app.send_task("nap", (str(i), 0.8))
    started = journal.wait_for("start", 6)

    os.kill(started[0].pid, signal.SIGKILL)

    eventually(lambda: journal.count("end") >= 6, timeout=20)
    assert {str(i) for i in range(6)} == set(journal.keys("end"))
    assert 6 == journal.count("end")


def test_autoscale_when_jobs_wait_then_children_come(
    worker: Start, app: App, journal: Journal
) -> None:
    command = worker("--autoscale", "3,1")
    assert 3 == app.send_task("add", (1, 2)).get(timeout=10)

    begun = time.monotonic()
    for i in range(3):
        app.send_task("nap", (str(i), 6))
    journal.wait_for("start", 3)

    assert time.monotonic() - begun < 6
    assert 3 == len({one.pid for one in journal.entries("start")})
    command.wait_for_line("worker.scaled children=3")


@on_each_pool
def test_jobs_when_they_lie_in_several_partitions_then_each_is_run(
    worker: Start, redis_server: RedisProcess
) -> None:
    app = App("tests", redis=redis_server.url, partitions=3)
    worker("-c", "2", extra_env={"BEATLINE_PARTITIONS": "3"})

    sent = [app.send_task("add", (i, 1)) for i in range(12)]
    results = [one.get(timeout=15) for one in sent]
    later = app.send_task("aadd", (1, 2)).get(timeout=15)

    assert ([i + 1 for i in range(12)], 3) == (results, later)
    app.close()
