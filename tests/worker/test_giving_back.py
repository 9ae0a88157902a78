"""Jobs in the hands of a child that is busy with a long one, and what becomes of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest

from beatline import App, JobState
from tests.processes import Command, Journal
from tests.proxy import Proxy
from tests.servers import RedisProcess, eventually
from tests.worker.conftest import on_each_pool

Start = Callable[..., Command]


@on_each_pool
def test_jobs_when_given_back_during_a_long_one_then_each_runs_once(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "1")
    # Quick jobs make the batch grow; the long one then has others behind it in the same batch.
    app.send_task("nap", ("blocker", 0.3))
    journal.wait_for("start")
    for i in range(60):
        app.send_task("note", (f"quick{i}",))
    app.send_task("nap", ("long", 1.0))
    keys = [f"after{i}" for i in range(20)]
    for key in keys:
        app.send_task("note", (key,))

    journal.wait_for("ran", 80)
    app.send_task("note", ("last",))
    journal.wait_for("ran", 81)

    assert [1] * 20 == [journal.count("ran", key) for key in keys]
    assert journal.count("end", "long") == 1


# Batches of a child grow from 1 to 64, so that the fifth of 64 begins with the 320th job. The long
# one is its first, in its first half, in its second while more is on its way, and its last.
@pytest.mark.parametrize("before", [319, 330, 370, 382])
@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_jobs_when_a_task_is_long_for_once_then_all_that_lies_behind_it_goes_back(
    worker: Start, app: App, journal: Journal, before: int
) -> None:
    linger = app.task(name="linger", ignore_result=True)(lambda key="", seconds=0.0: None)
    linger.apply_many(() for _ in range(before))
    linger.delay("long", 60.0)
    linger.apply_many(() for _ in range(300))

    worker("-c", "1")
    journal.wait_for("start")

    eventually(lambda: app.queues.depths()[0].ready == 300, what="all behind it wait for others")


@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_jobs_when_a_long_task_follows_then_what_ended_before_it_is_settled_first(
    worker: Start, app: App, journal: Journal
) -> None:
    linger = app.task(name="linger", ignore_result=True)(lambda key="", seconds=0.0: None)
    linger.apply_many(() for _ in range(700))
    long_one = app.send_task("nap", ("long", 60.0))

    worker("-c", "1")
    journal.wait_for("start")
    eventually(lambda: app.queues.depth() == 1, what="all others have ended")

    assert JobState.RUNNING == long_one.state


@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_jobs_when_connections_break_while_the_next_are_on_their_way_then_each_runs_once(
    worker: Start, app: App, journal: Journal, redis_server: RedisProcess
) -> None:
    count = 12_000
    note = app.task(name="note", ignore_result=True)(lambda key: None)
    note.apply_many((str(number),) for number in range(count))

    with Proxy(redis_server) as proxy:
        worker("-c", "2", extra_env={"BEATLINE_REDIS_URL": proxy.url})
        while journal.count("ran") < count - 100:
            proxy.lose_replies(1, to=b"EVALSHA")
            time.sleep(0.01)
            proxy.reset()
            time.sleep(0.02)
        journal.wait_for("ran", count, timeout=30)
        eventually(lambda: app.queues.depth() == 0, what="all jobs are settled")

    runs = Counter(journal.keys("ran"))
    assert (count, {1}) == (len(runs), set(runs.values()))
