"""TERM, INT and QUIT: what a stop finishes, and what it hands back."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from beatline import App
from tests.processes import Command, Journal, commands
from tests.servers import RedisProcess, eventually
from tests.worker.conftest import on_each_pool

Start = Callable[..., Command]


@on_each_pool
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_when_warm_then_the_running_job_finishes_and_the_rest_waits(
    worker: Start, app: App, journal: Journal, number: int
) -> None:
    command = worker("-c", "1")
    app.send_task("nap", ("first", 0.8))
    journal.wait_for("start")
    app.send_task("nap", ("second", 0))

    command.signal(number)
    code = command.wait()

    assert code == 0
    assert ["first"] == journal.keys("end")
    assert app.queues.depth() == 1


@on_each_pool
def test_stop_when_the_grace_period_ends_then_the_job_goes_back_uncounted(
    worker: Start, app: App, journal: Journal
) -> None:
    command = worker("-c", "1", "--grace", "300ms")
    sent = app.send_task("nap", ("long", 60))
    journal.wait_for("start")

    code = command.terminate()

    assert code == 0
    assert sent.state == "QUEUED"
    assert journal.count("end") == 0


def test_stop_when_cold_then_the_job_is_handed_back_now(
    worker: Start, app: App, journal: Journal
) -> None:
    command = worker("-c", "1")
    sent = app.send_task("nap", ("long", 60))
    journal.wait_for("start")

    command.signal(signal.SIGQUIT)
    code = command.wait(5)

    assert code == 0
    assert sent.state == "QUEUED"


def test_stop_when_idle_then_ends_at_once_and_leaves_no_key(
    worker: Start, app: App, redis_client: object
) -> None:
    command = worker("-c", "3")
    assert app.send_task("add", (1, 1)).get(timeout=10) == 2

    code = command.terminate(timeout=5)

    assert code == 0
    left = {key.decode(errors="replace") for key in redis_client.keys("*")}  # type: ignore[attr-defined]
    own = ("held:", "consumers:", "worker:", "workers", "gone", "idle:", "wake:", "offers")
    assert not [
        key for key in left if key.partition("}:")[2].startswith(own) and "wake:beat" not in key
    ]


@on_each_pool
def test_stops_when_workers_roll_under_load_then_every_job_runs_once(
    worker: Start, app: App, journal: Journal
) -> None:
    count = 300
    first = worker("-c", "2")
    app_keys = [str(i) for i in range(count)]
    for key in app_keys:
        app.send_task("nap", (key, 0.005))

    eventually(lambda: journal.count("end") > 30)
    second = worker("-c", "2")
    first.terminate()
    third = worker("-c", "2")
    second.terminate()
    eventually(lambda: journal.count("end") >= count, timeout=30)
    third.terminate()

    assert sorted(app_keys) == sorted(journal.keys("end"))
    assert sorted(app_keys) == sorted(journal.keys("start"))


def test_stop_when_redis_is_away_then_ends_once_its_lease_is_over(
    new_server: Callable[..., RedisProcess], tmp_path: Path
) -> None:
    server = new_server()
    env = {
        "BEATLINE_REDIS_URL": server.url,
        "BEATLINE_LEASE": "2s",
        "JOURNAL": str(tmp_path / "journal"),
    }
    with commands(tmp_path, env) as start:
        command = start("worker", "-A", "tests/worker/jobs_app.py:app", "-c", "1")
        command.wait_for_line("worker.ready")
        server.kill()

        code = command.terminate(timeout=15)

        assert code == 0
