"""Children that come and go by the worker's own will: replaced after so much, or scaled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.chances import MODE, full_only, lasting
from tests.faults.pools import CROWDED, has_lanes, on_each_pool
from tests.faults.system import CHILD_LIMIT_S, System
from tests.processes import descendants

pytestmark = pytest.mark.faults

Make = Callable[..., System]

#: What a child may keep (MB), and what each job that leaks leaves behind (MiB).
LIMIT_MB, LEAK_MIB = 150, 30


@on_each_pool
def test_children_replaced_by_count_and_by_memory_under_load(system: Make, pool: str) -> None:
    one = system()
    one.beat()
    lanes = ("-c", CROWDED[pool])
    one.worker(*lanes, "--max-tasks-per-child", "40", "-Q", "default")
    leaking = one.worker(*lanes, "--max-memory-per-child", f"{LIMIT_MB}MB", "-Q", "default,leak")
    one.load(rate=100)

    for number in range(round(lasting(60, 20))):
        one.send("grow", f"grow{number}", LEAK_MIB, queue="leak")
        one.await_completed(15)

    verdict = one.settle()
    leaked = {event.pid for event in one.journal.of("start") if event.key.startswith("grow")}
    by_memory = leaking.output.count("child.recycled")
    others = {event.pid for event in one.journal.of("start")} - leaked
    one.row.remarks.append(f"{len(leaked | others)} children, {by_memory} replaced for their size")
    assert verdict.redelivered == 0
    assert by_memory >= 2
    assert len(others) >= 3


@pytest.mark.parametrize(
    "pool",
    ["prefork", "asyncio", *(pytest.param(one, marks=full_only) for one in ("threads", "gevent"))],
)
def test_children_that_follow_the_load(system: Make, pool: str) -> None:
    """One is killed when there are most; in the full form they become fewer, under load."""
    one = system()
    one.beat()
    worker = one.worker(*("-c", "2") if has_lanes(pool) else (), "--autoscale", "1,3")
    one.load("--seconds", "10", "--long-share", "0.15", rate=80 if has_lanes(pool) else 40)
    worker.wait_for_line("worker.scaled children=3", 20)
    one.await_completed(50)

    one.kill([one.chances.choice(descendants(worker.pid)[1:])], CHILD_LIMIT_S)
    one.await_completed(50)
    if MODE == "full":
        one.load(rate=15)
        worker.wait_for_line("worker.scaled children=1", 120)
        one.await_completed(50)

    verdict = one.settle()
    one.row.remarks.append(f"scaled {worker.output.count('worker.scaled')} times")
    assert verdict.redelivered <= 2
