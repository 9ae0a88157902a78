"""FLUSHALL: everything in Redis is gone, and what was declared comes back."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.chances import lasting
from tests.faults.occurrences import write_schedules
from tests.faults.system import System

pytestmark = pytest.mark.faults

Make = Callable[..., System]

#: Schedules are back within so many seconds (G11).
BACK_S = 15.0


def test_flushall_under_load(system: Make) -> None:
    one = system()
    plan = write_schedules(one.folder, 20, seconds=lasting(34, 30))
    declared = ("--schedules", str(plan.path))
    one.beat(*declared)
    one.beat(*declared)
    one.worker("-c", "2")
    plan.await_applied(one.server)
    one.load(rate=60)
    one.await_completed(100)

    begun_ns = time.monotonic_ns()
    before = set(one.journal.of("start"))
    one.server.flush()
    flushed_ns = time.monotonic_ns()
    # What was acknowledged before is gone: Redis's own loss, counted apart (R27).
    one.tails.append((0, flushed_ns))
    targets = plan.await_applied(one.server)
    plan.wait_for_end()
    verdict = one.settle(targets=targets, grid_prefixes=plan.prefixes)

    back = [
        event.at_ns
        for event in one.journal.of("start")
        if "@" in event.key and event not in before and event.at_ns > flushed_ns
    ]
    first = {
        event.key.partition("@")[0]: event
        for event in reversed(one.journal.of("start"))
        if "@" in event.key and event.at_ns > flushed_ns
    }
    worst_s = max((event.at_ns - begun_ns) / 1e9 for event in first.values())
    one.row.recovery_s, one.row.limit_s = round(worst_s, 2), BACK_S
    assert back
    assert len(first) == 20
    assert worst_s < BACK_S * one.strain
    assert not verdict.unsure
