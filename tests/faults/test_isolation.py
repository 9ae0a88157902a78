"""Tasks that ask for more care: never two bodies at once, never a second run in doubt."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from beatline.errors import JobLost
from tests.faults.network import Network
from tests.faults.pools import on_each_pool_in_full
from tests.faults.system import LEASE_S, System
from tests.servers import eventually

pytestmark = pytest.mark.faults

Make = Callable[..., System]


@on_each_pool_in_full
def test_isolated_job_when_cut_off_then_bodies_never_overlap(system: Make) -> None:
    one = system()
    one.beat()
    with Network(("127.0.0.1", one.server.port)) as network:
        one.worker("-c", "1", url=network.url)
        one.send("isolated", "job", 8.0)
        eventually(lambda: one.journal.count("step") > 10)
        one.worker("-c", "1")

        network.black_hole()
        eventually(lambda: one.journal.count("start") == 2, 20, what="the second run")
        network.restore()
        verdict = one.settle()

    first, second = one.journal.of("start")
    last_ns = max(event.at_ns for event in one.journal.of("step") if event.pid == first.pid)
    one.row.remarks.append(f"first body ended {(second.at_ns - last_ns) / 1e9:.1f} s before")
    assert last_ns < second.at_ns
    assert verdict.redelivered == 1
    assert one.journal.count("end") == 1


@on_each_pool_in_full
def test_job_that_must_not_run_twice_when_its_machine_dies_then_it_is_lost(system: Make) -> None:
    one = system()
    one.beat()
    doomed = one.worker("-c", "1")
    result = one.app.send_task("unsure", ("job", 20.0))
    eventually(lambda: one.journal.count("step") > 2)
    one.worker("-c", "1")

    killed_at = time.monotonic()
    one.kill_command(doomed)
    with pytest.raises(JobLost):
        result.get(timeout=20)
    one.row.recovery_s, one.row.limit_s = round(time.monotonic() - killed_at, 2), LEASE_S + 2
    one.ended_otherwise.add("job")
    one.note("acked", "job")

    one.settle()
    one.row.remarks.append("recorded as LOST")
    assert one.journal.count("start") == 1
