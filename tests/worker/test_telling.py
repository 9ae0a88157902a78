"""Progress and checkpoints of running jobs."""

from __future__ import annotations

from collections.abc import Callable

from beatline import App
from tests.processes import Command, Journal
from tests.servers import eventually
from tests.worker.conftest import on_each_pool

Start = Callable[..., Command]


@on_each_pool
def test_checkpoint_when_the_child_is_killed_then_the_next_delivery_goes_on_from_it(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "1")

    result = app.send_task("steps", ("s", 5)).get(timeout=15)

    assert result == [2, 2]
    assert ["s:0", "s:2"] == journal.keys("from")


def test_checkpoint_when_the_job_has_ended_then_nothing_of_it_is_left(
    worker: Start, app: App, redis_client: object
) -> None:
    worker("-c", "1")

    app.send_task("steps", ("s", 5)).get(timeout=15)

    left = redis_client.keys("*:progress") + redis_client.keys("*:checkpoints")  # type: ignore[attr-defined]
    assert left == []


def test_progress_when_told_then_the_result_and_the_command_show_it(
    worker: Start, sched: Start, app: App
) -> None:
    worker("-c", "1")
    sent = app.send_task("tell", (3, 5))

    told = eventually(lambda: sent.progress)
    assert told is not None
    shown = sched("jobs", "show", sent.id)
    shown.wait()

    assert (told.current, told.total, told.message) == (3, 5, "half way")
    assert "3 of 5 (60 %), half way" in shown.output
    assert sent.revoke(terminate=True).__class__.__name__ == "AlreadyRunning"
    eventually(lambda: sent.state == "CANCELLED")
    assert sent.progress is None


@on_each_pool
def test_cancel_when_soft_then_the_body_hears_it_within_a_heartbeat(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "1")
    sent = app.send_task("nap", ("n", 60), ignore_result=False)
    journal.wait_for("start")

    sent.revoke()

    eventually(lambda: sent.state == "CANCELLED", timeout=5)
    assert journal.count("end") == 0
    assert app.send_task("add", (1, 1)).get(timeout=10) == 2


def test_cancel_when_its_child_still_settles_what_ended_before_then_the_body_hears_it(
    worker: Start, app: App, journal: Journal
) -> None:
    app.send_task("hold_settling")
    app.send_task("noop", ignore_result=True)
    sent = app.send_task("nap", ("n", 60), ignore_result=False)
    worker("-c", "1")
    journal.wait_for("settling")

    sent.revoke()

    eventually(lambda: sent.state == "CANCELLED", timeout=10)
    assert journal.count("end") == 0
