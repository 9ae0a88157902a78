"""Processes that are stopped, and go on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.chances import lasting
from tests.faults.pools import on_each_pool_in_full
from tests.faults.system import LEASE_S, System
from tests.servers import eventually

pytestmark = pytest.mark.faults

Make = Callable[..., System]


@on_each_pool_in_full
def test_sigstop_of_a_worker_beyond_its_lease_then_sigcont(system: Make) -> None:
    one = system()
    one.beat()
    stopped = one.worker("-c", "2")
    one.worker("-c", "2")
    one.load(rate=100)

    for _ in range(round(lasting(3, 2))):
        one.await_completed(100)
        with one.stopped(stopped):
            time.sleep(2.5 * LEASE_S)

    one.settle()


@on_each_pool_in_full
def test_sigstop_of_a_supervisor_alone_beyond_its_lease(system: Make) -> None:
    """Its children live on without anybody who keeps their lease."""
    one = system()
    one.beat()
    stopped = one.worker("-c", "2")
    one.worker("-c", "2")
    one.load(rate=150)

    for _ in range(round(lasting(3, 2))):
        one.await_completed(100)
        with one.stopped(stopped, alone=True):
            time.sleep(2.5 * LEASE_S)

    one.settle()


@on_each_pool_in_full
def test_sigcont_after_the_lease_ends_the_stale_run_within_a_heartbeat(system: Make) -> None:
    one = system()
    one.beat()
    stopped = one.worker("-c", "1")
    one.send("steps", "long", 8.0)
    eventually(lambda: one.journal.count("step") > 5)
    one.worker("-c", "1")

    with one.stopped(stopped):
        eventually(lambda: one.journal.count("start") == 2, 20, what="the redelivery")
    continued_ns = time.monotonic_ns()
    verdict = one.settle()

    stale = one.journal.of("start")[0].pid
    last_ns = max(event.at_ns for event in one.journal.of("step") if event.pid == stale)
    one.row.recovery_s, one.row.limit_s = round((last_ns - continued_ns) / 1e9, 2), LEASE_S / 3
    assert last_ns - continued_ns < LEASE_S / 3 * one.strain * 1e9
    assert one.journal.count("end") == 1
    assert verdict.redelivered == 1


def test_sigstop_of_redis_and_of_all_beats_for_60_s(system: Make) -> None:
    """Two systems side by side: in one Redis stands still, in the other all beats do (G10)."""
    frozen, unwatched = system(), system()
    for one in (frozen, unwatched):
        for _ in range(2):
            one.beat()
        one.worker("-c", "2", "-Q", "default")
        one.worker("-c", "2", "-Q", "long")
        one.load(rate=40)
        for number in range(2):
            one.send("steps", f"long{number}", lasting(66, 12), queue="long")
        one.await_completed(40)
    frozen.row.remarks.append("two systems")

    for beat in unwatched.beats:
        os.kill(beat.pid, signal.SIGSTOP)
    with frozen.outage():
        frozen.server.pause()
        time.sleep(lasting(60, 8))
        frozen.server.resume()
    with unwatched.outage():
        for beat in unwatched.beats:
            os.kill(beat.pid, signal.SIGCONT)

    for one in (frozen, unwatched):
        verdict = one.settle()
        assert verdict.redelivered == 0
