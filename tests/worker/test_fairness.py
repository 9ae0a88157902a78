"""Who waits for whom: priorities, queues, and short jobs behind long ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beatline import App
from tests.processes import Command, Journal
from tests.servers import eventually

Start = Callable[..., Command]


def test_lower_priorities_when_higher_ones_never_end_then_run_all_the_same(
    worker: Start, app: App, journal: Journal
) -> None:
    for _ in range(200):
        app.send_task("flood", ("default", 9), priority=9)
    for priority in (0, 4):
        app.send_task("note", (str(priority),), priority=priority)

    worker("-c", "1")
    journal.wait_for("ran", 2, timeout=30)

    assert {"0", "4"} == set(journal.keys("ran"))


def test_queues_when_weighted_and_the_first_never_ends_then_the_other_runs(
    worker: Start, app: App, journal: Journal
) -> None:
    for _ in range(200):
        app.send_task("flood", ("busy", 4), queue="busy")
    app.send_task("note", ("quiet",), queue="quiet")

    worker("-c", "1", "-Q", "busy=5,quiet=1")
    journal.wait_for("ran", timeout=30)

    assert ["quiet"] == journal.keys("ran")


def test_status_when_queues_are_weighted_then_knows_who_serves_them(
    worker: Start, sched: Start, app: App
) -> None:
    for _ in range(200):
        app.send_task("flood", ("busy", 4), queue="busy")
    app.send_task("note", ("lonely",), queue="lonely")
    worker("-c", "1", "-Q", "busy=5,quiet=1")

    status = sched("status")
    status.wait()

    assert "busy=5,quiet=1" in status.output
    assert "queue lonely has 1 jobs and no worker" in status.output
    assert "queue busy has" not in status.output


def test_queues_when_in_strict_order_then_the_second_waits_for_the_first(
    worker: Start, app: App, journal: Journal
) -> None:
    for at in range(300):
        app.send_task("note", (f"second{at}",), queue="second")
    for at in range(300):
        app.send_task("note", (f"first{at}",), queue="first")

    worker("-c", "1", "-Q", "first,second")
    journal.wait_for("ran", 600)

    wanted = [f"{queue}{at}" for queue in ("first", "second") for at in range(300)]
    assert wanted == journal.keys("ran")


def test_worker_when_queues_are_weighted_wrongly_then_says_what_to_do(sched: Start) -> None:
    command = sched("worker", "-A", "tests/worker/jobs_app.py:app", "-Q", "mail=0,low=1")

    assert command.wait() == 2
    assert "error: weight '0' of queue 'mail' is not one" in command.output
    assert "remedy: use a whole number from 1 to 1000, such as mail=3" in command.output


@pytest.mark.parametrize(
    "options",
    [
        ("-c", "2"),
        ("-P", "threads", "-c", "2"),
        ("-P", "threads", "--children", "2", "-c", "1"),
        ("-P", "asyncio", "-c", "2"),
    ],
    ids=["prefork", "two-threads", "two-children-of-one-thread", "asyncio"],
)
def test_short_jobs_when_a_long_one_lies_in_front_then_run_beside_it(
    worker: Start, app: App, journal: Journal, options: tuple[str, ...]
) -> None:
    worker("-Q", "a,b", *options)
    for child in range(2):
        app.send_task("nap", (f"blocker{child}", 0.5), queue="a")
    journal.wait_for("start", 2)

    # Quick ones let batches grow; the long one then has others behind it in its own.
    for at in range(240):
        app.send_task("note", (f"quick{at}",), queue="a")
    app.send_task("nap", ("long", 4.0), queue="a")
    for at in range(100):
        app.send_task("note", (f"short{at}",), queue="ab"[at % 2])
    ran = journal.wait_for("ran", 340)
    eventually(lambda: journal.count("start", "long") == 1, what="the long job runs")

    begun = next(one.at_ns for one in journal.entries("start") if one.key == "long")
    assert journal.count("end", "long") == 0
    assert max(one.at_ns for one in ran) - begun < 2_000_000_000
    assert 340 == len({one.key for one in ran}) == len(ran)
