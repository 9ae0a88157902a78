"""Deploys: every process is replaced in turn while work goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.chances import lasting
from tests.faults.occurrences import write_schedules
from tests.faults.pools import on_each_pool
from tests.faults.system import System

pytestmark = pytest.mark.faults

Make = Callable[..., System]


@on_each_pool
def test_rolling_term_restarts_under_load(system: Make) -> None:
    one = system()
    plan = write_schedules(one.folder, 10, seconds=lasting(45, 25))
    declared = ("--schedules", str(plan.path))
    one.beat(*declared)
    one.beat(*declared)
    for _ in range(2):
        one.worker("-c", "2")
    targets = plan.await_applied(one.server)
    one.load(rate=150)
    turns = 0

    while not plan.is_over():
        one.await_completed(100)
        old = one.workers.pop(0)
        if turns % 2:
            one.worker("-c", "2")
        assert old.terminate(30) == 0, old.output
        if not turns % 2:
            one.worker("-c", "2")
        if turns % 3 == 0:
            assert one.beats.pop(0).terminate(10) == 0
            one.beat(*declared)
        turns += 1

    verdict = one.settle(targets=targets, grid_prefixes=plan.prefixes)
    one.row.remarks.append(f"{turns} workers replaced")
    assert verdict.redelivered == 0


@on_each_pool
def test_term_with_long_jobs_hands_the_rest_back(system: Make) -> None:
    """Jobs that fit in the grace period finish; what was only held goes back, uncounted."""
    one = system()
    one.beat()
    old = one.worker("-c", "1", "--grace", "10s")
    for number in range(30):
        one.send("work", f"quick{number}", 0.005)
    one.await_completed(1)
    one.send("steps", "long", 3.0)
    for number in range(30):
        one.send("work", f"after{number}", 0.005)

    one.workers.remove(old)
    assert old.terminate(30) == 0, old.output
    one.worker("-c", "1")

    verdict = one.settle()
    assert verdict.redelivered == 0
