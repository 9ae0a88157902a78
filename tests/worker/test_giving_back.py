"""Jobs in the hands of a child that is busy with a long one, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable

from beatline import App
from tests.processes import Command, Journal
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
