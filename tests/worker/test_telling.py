"""Progress and checkpoints of running jobs."""

from __future__ import annotations

from collections.abc import Callable

from beatline import App
from tests.processes import Command, Journal

Start = Callable[..., Command]


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
