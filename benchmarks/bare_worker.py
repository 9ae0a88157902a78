"""
The bare drain: children that only send the settle script, decode records and call functions.

``python -m benchmarks.bare_worker CHILDREN BATCH``. No supervisor, no limits, no hooks, no shared
table; the same script, the same batch, one request in flight. What `sched worker` reaches of this
is what the framework leaves over.
"""

from __future__ import annotations

import os
import sys
import time

from beatline.job import read_job
from beatline.keys import prefix
from beatline.store.delivering import Call, Consumer, Settlement, settle
from beatline.store.leasing import register
from benchmarks.bench_app import app
from benchmarks.raw_socket import RawConnection

#: Long enough for any drain: nobody renews it.
LEASE_MS = 600_000


def work(worker: str, consumer: str, batch: int) -> None:
    """Take, decode, call, settle, until the process is ended."""
    functions = {name: task.run for name, task in app.tasks.items()}
    connection = RawConnection(app.endpoint().url)
    where, who = prefix("sched", 0), Consumer(worker, consumer, "default")
    ends: list[Settlement] = []
    number = 0
    while True:
        number += 1
        taken = settle(connection, Call(where, who, number, ends, limit=batch, go_idle=False))
        ends = []
        for delivery in taken.deliveries:
            job = read_job(delivery.id, delivery.record)
            functions[job.task](*job.args, **job.kwargs)
            ends.append(Settlement(delivery.id, delivery.fence, "ack"))
        if not taken.deliveries:
            time.sleep(0.01)


def main() -> None:
    """Register a worker, and fork its children."""
    children, batch = int(sys.argv[1]), int(sys.argv[2])
    worker = f"bare-{os.getpid()}"
    consumers = [f"{worker}-{number}" for number in range(children)]
    connection = RawConnection(app.endpoint().url)
    about = {"queues": "default"}
    if not register(connection, prefix("sched", 0), worker, LEASE_MS, about, consumers):
        raise SystemExit("the server refused the worker")
    pids = []
    for consumer in consumers:
        pid = os.fork()
        if not pid:
            work(worker, consumer, batch)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
