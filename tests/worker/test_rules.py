"""
Failing sequences behind the rules of delivery, where processes are what matters.

A child that is stopped and not dead (R3), a job that Redis has given and that never came (R10), an
expiry that comes between two attempts (R19), jobs in partitions where nobody listens (R23).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from beatline import App
from beatline_worker.nursery import ChildState
from beatline_worker.table import Table
from beatline_worker.warden import Warden
from tests.processes import Command, Journal
from tests.servers import RedisProcess, eventually

Start = Callable[..., Command]


# --- R3: nothing is released before the death is certain ----------------------------------------


def test_child_when_stopped_but_not_dead_then_what_it_holds_stays_with_it(
    worker: Start, app: App, journal: Journal
) -> None:
    """It answers nobody for several heartbeats; the other child is free, and does not get it."""
    worker("-c", "2", extra_env={"BEATLINE_LEASE": "1s"})
    sent = app.send_task("nap", ("n", 0.2))
    child = journal.wait_for("start")[0].pid
    os.kill(child, signal.SIGSTOP)

    stopped_ns = time.monotonic_ns()
    states = {app.send_task("echo", (number,)).get(timeout=10): sent.state for number in range(20)}
    eventually(lambda: time.monotonic_ns() - stopped_ns > 3e9)
    states[-1] = sent.state
    os.kill(child, signal.SIGCONT)
    journal.wait_for("end")

    assert set(states.values()) == {"RUNNING"}
    assert [entry.pid for entry in journal.entries("start")] == [child]


# --- R10: a job that never reached its child ----------------------------------------------------


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a child."""
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as process:
        yield process
        process.kill()


def test_child_when_given_a_job_that_never_arrived_then_killed_at_the_second_comparison(
    sleeper: subprocess.Popen[bytes],
) -> None:
    row = Table(1).row(0)
    row.reset()
    row.known = 7
    child = ChildState(0, row, "c", pid=sleeper.pid)
    warden = Warden({0: child})

    warden.find_strays({b"known": ("c", 6), b"stray": ("c", 8)})
    after_one = sleeper.poll()
    warden.find_strays({b"known": ("c", 6), b"stray": ("c", 8)})

    assert after_one is None
    assert (sleeper.wait(10), child.verdict) == (-signal.SIGKILL, "stray")


def test_child_when_a_job_arrives_between_two_comparisons_then_it_lives(
    sleeper: subprocess.Popen[bytes],
) -> None:
    row = Table(1).row(0)
    row.reset()
    child = ChildState(0, row, "c", pid=sleeper.pid)
    warden = Warden({0: child})

    warden.find_strays({b"first": ("c", 8), b"others": ("d", 8)})
    row.known = 8
    warden.find_strays({b"first": ("c", 8), b"second": ("c", 9), b"others": ("d", 8)})

    assert (sleeper.poll(), child.verdict) == (None, "")


def test_child_when_it_runs_a_job_and_has_not_read_what_it_asked_for_then_it_lives(
    sleeper: subprocess.Popen[bytes],
) -> None:
    row = Table(1).row(0)
    row.reset()
    row.known, row.asking = 7, 1
    row.lane(0).begin(7, 1, b"running")
    child = ChildState(0, row, "c", pid=sleeper.pid)
    warden = Warden({0: child})

    for _ in range(3):
        warden.find_strays({b"unread": ("c", 8)})
    alive = sleeper.poll(), child.verdict
    row.lane(0).clear()
    row.asking = 0
    warden.find_strays({b"unread": ("c", 8)})
    warden.find_strays({b"unread": ("c", 8)})

    assert (None, "") == alive
    assert (sleeper.wait(10), child.verdict) == (-signal.SIGKILL, "stray")


# --- R19: expires -------------------------------------------------------------------------------


def test_job_when_its_expiry_comes_between_two_attempts_then_the_second_is_made(
    worker: Start, sched: Start, app: App, journal: Journal
) -> None:
    """An expiry is about the first start: a job that was begun in time is not dropped half-way."""
    worker("-c", "1")
    sent = app.send_task("flaky", ("k", 1), expires=2.0)
    journal.wait_for("attempt")
    expired = datetime.now(UTC) + timedelta(seconds=2.1)
    eventually(lambda: datetime.now(UTC) > expired)

    sched("beat")

    assert sent.get(timeout=15) == 1
    assert journal.count("attempt") == 2


# --- R23: partitions ----------------------------------------------------------------------------


def test_worker_when_there_are_partitions_then_one_child_takes_turns_in_all(
    worker: Start, redis_server: RedisProcess, journal: Journal
) -> None:
    """Its one child waits in one partition at a time; jobs in the others must not wait for long."""
    app = App("tests", redis=redis_server.url, partitions=3)
    worker("-c", "1", extra_env={"BEATLINE_PARTITIONS": "3"})

    began_ns = time.monotonic_ns()
    for number in range(12):
        app.send_task("note", (f"k{number}",))
    entries = journal.wait_for("ran", 12)

    assert sorted(f"k{number}" for number in range(12)) == sorted(journal.keys("ran"))
    assert (max(entry.at_ns for entry in entries) - began_ns) / 1e9 < 5
