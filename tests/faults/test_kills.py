"""Processes that are killed under load."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from tests.faults.chances import lasting
from tests.faults.pools import CROWDED, has_lanes, on_each_pool
from tests.faults.system import CHILD_LIMIT_S, System
from tests.processes import Command, descendants

pytestmark = pytest.mark.faults

Make = Callable[..., System]

#: By whether a child runs several jobs at the same time: all of them are charged with its death,
#: and run alone then, the long ones among them too (decision 0008).
CROWDED_LIMIT_S = {False: CHILD_LIMIT_S, True: 2 * CHILD_LIMIT_S}


def test_load_without_faults(system: Make) -> None:
    one = system()
    one.beat()
    one.worker("-c", "2")
    one.load(rate=200)
    time.sleep(lasting(5, 3))

    one.settle()


@on_each_pool
def test_kill_9_of_children_and_supervisors_under_load(system: Make, pool: str) -> None:
    one = system()
    # A death is charged to all that ran in a child: by chance a job is hit more than three times.
    one.env["BEATLINE_MAX_DELIVERIES"] = "20"
    one.beat()
    lanes = ("-c", CROWDED[pool])
    workers = [one.worker(*lanes) for _ in range(2)]
    one.load("--long-share", "0.1" if has_lanes(pool) else "0.01", rate=150)
    until = time.monotonic() + lasting(60, 12)

    while time.monotonic() < until:
        time.sleep(one.chances.uniform(0.3, 1.2))
        at = one.chances.randrange(len(workers))
        if one.chances.random() < 0.2:
            one.kill_command(workers[at])
            workers[at] = one.worker(*lanes)
        else:
            kill_one_child(one, workers[at], one.chances, CROWDED_LIMIT_S[has_lanes(pool)])

    one.settle()


def kill_one_child(
    one: System, worker: Command, chances: random.Random, limit_s: float = CHILD_LIMIT_S
) -> None:
    """
    Kill a child, or the zygote from which all of them are forked.

    Args:
        one: The system.
        worker: Whose child.
        chances: What is drawn from.
        limit_s: What ran there must have begun again after so many seconds.
    """
    family = descendants(worker.pid)
    if not family:
        return
    zygote, *children = family
    if children and chances.random() < 0.9:
        one.kill([chances.choice(children)], limit_s)
    else:
        one.kill([zygote], limit_s, followers=children)
