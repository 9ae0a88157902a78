# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
# pyright: reportMissingImports=false, reportFunctionMemberAccess=false
"""
Celery's side: the app, and ``python -m tests.faults.peers.celery_app RATE`` as its load.

Runs in the environment of the peers. The configuration is the friendliest to these scenarios: late
acks, jobs of lost processes rejected, one job prefetched, a visibility timeout of 5 s that is
looked at every second, connections that are kept alive and checked.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from celery import Celery

from tests.faults.journal import write

URL = os.environ["CELERY_FAULTS_URL"]

app = Celery("tests.faults.peers.celery_app", broker=URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 5,
        # Look for what ran out every second, instead of every 100.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_keepalive": True,
        "health_check_interval": 5,
    },
)


@app.task(name="work")
def work(key: str, seconds: float) -> None:
    # Celery has no token of a delivery: the instant of the start tells runs apart.
    run = time.monotonic_ns()
    write("start", key, run)
    time.sleep(seconds)
    write("end", key, run)


@app.task(name="poison")
def poison(key: str) -> None:
    write("start", key, time.monotonic_ns())
    os._exit(7)


def send_until_told(rate: float) -> None:
    """Send at this rate until TERM; what raises is nobody's promise."""
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    begun, sent = time.monotonic(), 0
    while not stop:
        time.sleep(max(begun + sent / rate - time.monotonic(), 0))
        key = f"load-{sent}"
        sent += 1
        try:
            work.apply_async((key, 0.01))
        except Exception as error:  # noqa: BLE001 - whatever it is: nothing was promised
            write("unsure", key)
            print(key, repr(error), flush=True)
        else:
            write("acked", key)


if __name__ == "__main__":
    send_until_told(float(sys.argv[1]))
