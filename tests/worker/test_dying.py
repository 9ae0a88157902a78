"""Children and workers that die, and what becomes of their jobs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from beatline import App
from beatline.errors import JobDead
from tests.processes import Command, Journal, descendants
from tests.servers import eventually
from tests.worker.conftest import on_each_pool

Start = Callable[..., Command]


@on_each_pool
def test_child_when_killed_then_its_job_runs_again_within_two_seconds(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "2")
    app.send_task("nap", ("n", 3))
    first = journal.wait_for("start")[0]

    killed_ns = time.monotonic_ns()
    os.kill(first.pid, signal.SIGKILL)
    second = journal.wait_for("start", 2)[1]

    assert (second.at_ns - killed_ns) / 1e9 < 2
    assert second.pid != first.pid
    assert len(journal.wait_for("end")) == 1


@on_each_pool
def test_child_when_killed_then_finished_jobs_of_its_batch_do_not_run_again(
    worker: Start, app: App, journal: Journal
) -> None:
    command = worker("-c", "1")
    # Quick jobs grow the batch; then one of them is the long one in the middle of a batch.
    for i in range(200):
        app.send_task("note", (f"warm{i}",))
    journal.wait_for("ran", 200)
    keys = [f"k{i}" for i in range(20)]
    app.send_task("nap", ("blocker", 1.0))
    journal.wait_for("start")
    for key in keys[:10]:
        app.send_task("note", (key,))
    app.send_task("nap", ("long", 5))
    for key in keys[10:]:
        app.send_task("note", (key,))

    eventually(lambda: journal.count("start", "long") == 1)
    child = next(e.pid for e in journal.entries("start") if e.key == "long")
    os.kill(child, signal.SIGKILL)
    eventually(lambda: all(journal.count("ran", key) for key in keys), timeout=20)

    assert [1] * 20 == [journal.count("ran", key) for key in keys]
    assert command.process.poll() is None


@on_each_pool
@pytest.mark.parametrize(("how", "cause"), [("exit", "exit code 3"), ("segv", "SIGSEGV")])
def test_poison_when_it_kills_its_process_three_times_then_it_is_a_dead_letter(
    worker: Start, app: App, journal: Journal, how: str, cause: str
) -> None:
    worker("-c", "2")

    sent = app.send_task("die", ("p", how), ignore_result=False)

    with pytest.raises(JobDead):
        sent.get(timeout=15)
    assert journal.count("start") == 3
    assert cause in str(app.jobs.dead())
    assert app.send_task("add", (2, 2)).get(timeout=10) == 4


def test_child_when_killed_then_its_subprocesses_go_with_it(
    worker: Start, app: App, journal: Journal
) -> None:
    worker("-c", "1")
    app.send_task("offspring", ("o",))
    entry = journal.wait_for("start")[0]
    sleeper = int(entry.key.partition(":")[2])

    os.kill(entry.pid, signal.SIGKILL)

    def is_gone() -> bool:
        try:
            with open(f"/proc/{sleeper}/stat") as stat:
                return stat.read().split(") ")[1][0] == "Z"
        except FileNotFoundError:
            return True

    eventually(is_gone)


def test_supervisor_when_killed_then_no_child_survives_it(worker: Start, app: App) -> None:
    command = worker("-c", "2")
    assert app.send_task("add", (1, 2)).get(timeout=10) == 3
    family = descendants(command.pid)
    assert len(family) == 3

    command.signal(signal.SIGKILL)
    command.wait()

    eventually(lambda: not any(_lives(pid) for pid in family))


@on_each_pool
def test_worker_when_the_whole_tree_is_killed_then_another_runs_its_job_after_the_lease(
    worker: Start, sched: Start, app: App, journal: Journal
) -> None:
    lease = {"BEATLINE_LEASE": "2s"}
    sched("beat")
    first = worker("-c", "1", extra_env=lease)
    app.send_task("nap", ("n", 0.5))
    journal.wait_for("start")
    eventually(lambda: app.queues.depth() == 1)

    killed_ns = time.monotonic_ns()
    first.kill_family()
    worker("-c", "1", extra_env=lease)
    second = journal.wait_for("start", 2, timeout=20)[1]

    assert (second.at_ns - killed_ns) / 1e9 < 8
    journal.wait_for("end")
    assert journal.count("end") == 1


def test_zygote_when_killed_then_the_worker_goes_on(
    worker: Start, app: App, journal: Journal
) -> None:
    command = worker("-c", "1")
    assert app.send_task("add", (1, 2)).get(timeout=10) == 3
    zygote = descendants(command.pid)[0]

    os.kill(zygote, signal.SIGKILL)

    assert app.send_task("add", (3, 4)).get(timeout=15) == 7


def test_zygote_when_killed_while_it_loads_then_the_worker_goes_on(
    worker: Start, app: App, journal: Journal
) -> None:
    command = worker("-c", "1")
    first = descendants(command.pid)[0]

    os.kill(first, signal.SIGKILL)
    loading = eventually(lambda: [pid for pid in descendants(command.pid) if pid != first])
    os.kill(loading[0], signal.SIGKILL)

    assert app.send_task("add", (3, 4)).get(timeout=15) == 7


@pytest.mark.parametrize(
    ("pool", "how"),
    [
        *(("prefork", how) for how in ("nap", "sum", "re")),
        *((pool, "sum") for pool in ("threads", "asyncio", "gevent")),
    ],
    indirect=["pool"],
)
def test_job_when_longer_than_many_leases_then_it_runs_once(
    worker: Start, sched: Start, app: App, journal: Journal, how: str
) -> None:
    lease = {"BEATLINE_LEASE": "1s"}
    sched("beat")
    worker("-c", "1", extra_env=lease)
    worker("-c", "1", extra_env=lease)

    if how == "nap":
        app.send_task("nap", ("long", 4))
    else:
        app.send_task("hold_gil", ("long", how, 80_000_000 if how == "sum" else 25))
    journal.wait_for("end", timeout=60)

    assert journal.count("start", "long") == 1
    eventually(lambda: app.queues.depth() == 0)
    assert journal.count("start", "long") == 1


def _lives(pid: int) -> bool:
    with suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().split(") ")[1][0] != "Z"
    return False
