"""Jobs that outlive the lease many times over, also while nothing else can run beside them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.chances import lasting
from tests.faults.system import LEASE_S, System

pytestmark = pytest.mark.faults

Make = Callable[..., System]


@pytest.mark.parametrize(
    ("how", "pool"),
    [
        *(("sum", "prefork"), ("re", "prefork"), ("sum", "solo"), ("nap", "solo")),
        *(("sum", "threads"), ("re", "asyncio"), ("sum", "gevent")),
    ],
)
def test_jobs_longer_than_the_lease(system: Make, how: str, pool: str) -> None:
    one = system()
    one.beat()
    one.worker("-c", "1", "-P", pool)
    one.worker("-c", "1", "-P", pool)
    length_s = lasting(3, 2.5) * LEASE_S

    for number in range(2):
        if how == "nap":
            one.send("steps", f"job{number}", length_s)
        else:
            one.send("hold_gil", f"job{number}", how, length_s)
    for number in range(5):
        one.send("work", f"short{number}", 0.01)
    verdict = one.settle(90)

    spans = {event.key: event.at_ns for event in one.journal.of("end")}
    starts = {event.key: event.at_ns for event in one.journal.of("start")}
    shortest_s = min((spans[key] - starts[key]) / 1e9 for key in ("job0", "job1"))
    one.row.remarks.append(f"bodies of {shortest_s:.0f} s, lease {LEASE_S:g} s")
    assert shortest_s > 2 * LEASE_S
    assert verdict.redelivered == 0
