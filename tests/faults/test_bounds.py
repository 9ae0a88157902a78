"""What work costs in memory: a finished job in Redis, and a worker under load (G12)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.meters import MIB, heap_bytes, used_memory
from tests.faults.system import System
from tests.processes import descendants
from tests.servers import eventually

pytestmark = pytest.mark.slow

Make = Callable[..., System]

JOBS = 3_000
#: Most that a finished job takes in Redis until its result expires, bytes.
FINISHED_BYTES = 1_500
#: Most that a worker's processes grow by under load, bytes.
GROWTH_BYTES = 30 * MIB
LOAD_S = 15.0


@pytest.mark.parametrize(("task", "ends"), [("work", "end"), ("fail", "fail")])
def test_finished_job_when_its_result_is_kept_then_takes_at_most_1_5_kb(
    system: Make, task: str, ends: str
) -> None:
    one = system()
    one.beat()
    one.worker("-c", "2")
    one.app.send_task(task, ("first", 0.0))
    eventually(lambda: one.journal.count(ends), what="the first job")
    before = used_memory(one.server)

    results = [
        one.app.send_task(task, (f"job-{number}", 0.0), ignore_result=False)
        for number in range(JOBS)
    ]
    eventually(lambda: one.journal.count(ends) > JOBS, 60, every=0.2, what="all jobs")
    eventually(lambda: one.app.queues.depth() == 0, what="the last one to be settled")
    each = (used_memory(one.server) - before) / JOBS

    assert all(result.ready() for result in results[:: JOBS // 10])
    one.row.jobs, one.row.outcome = JOBS, "held"
    one.row.remarks.append(f"{each:.0f} bytes for each that is kept")
    assert each <= FINISHED_BYTES


def test_worker_when_under_load_then_grows_by_at_most_30_mb(system: Make) -> None:
    one = system()
    one.beat()
    worker = one.worker("-c", "2")
    family = [worker.pid, *descendants(worker.pid)]
    before = {pid: heap_bytes(pid) or 0 for pid in family}

    one.load("--shortest-ms", "0", "--longest-ms", "1", rate=2_000)
    time.sleep(LOAD_S)
    one.stop_load()

    grown = {pid: (heap_bytes(pid) or 0) - before[pid] for pid in family}
    one.row.remarks.append(f"the most that one grew by: {max(grown.values()) / MIB:.1f} MiB")
    assert sum(grown.values()) <= GROWTH_BYTES
    assert one.settle().redelivered == 0
