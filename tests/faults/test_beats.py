"""Beats that are killed while schedules are due every second."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from beatline.keys import prefix
from tests.faults.chances import lasting
from tests.faults.occurrences import write_schedules
from tests.faults.system import OUTAGE_LIMIT_S, System
from tests.faults.timing import assert_on_time
from tests.processes import Command
from tests.servers import eventually

pytestmark = pytest.mark.faults

Make = Callable[..., System]


def test_kill_9_of_leading_beats_with_100_schedules_every_1_to_2_s(system: Make) -> None:
    one = system()
    # Leaders may be killed faster than they take over; what is late by then is still to be made.
    policies = "overlap: allow, catch_up: all, catch_up_window: 1h"
    plan = write_schedules(one.folder, 100, seconds=lasting(42, 20), policies=policies)
    for _ in range(3):
        one.beat("--schedules", str(plan.path))
    one.worker("-c", "2")
    targets = plan.await_applied(one.server)
    kills = 0

    while not plan.is_over():
        leader = leading(one)
        with one.outage():
            one.kill_command(leader)
        kills += 1
        one.beat("--schedules", str(plan.path))
        time.sleep(one.chances.uniform(0.2, 2.0))

    one.row.remarks.append(f"{kills} leaders killed")
    one.settle(targets=targets, grid_prefixes=plan.prefixes)
    assert_on_time(one, OUTAGE_LIMIT_S)


def leading(one: System) -> Command:
    """The beat that leads; its pid is part of its id."""

    def find() -> Command | None:
        with one.server.client() as client:
            name = client.hget(prefix("sched", 0) + b"leader", "beat")
        assert isinstance(name, bytes), "no leader"
        pids = {str(command.pid): command for command in one.beats}
        return pids.get(name.decode().split(":")[1])

    found = eventually(find, 30, what="a beat that leads")
    assert found is not None
    return found
