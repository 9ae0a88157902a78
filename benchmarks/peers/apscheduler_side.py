# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""APScheduler 3 in memory: one process that schedules and runs; for the cell of many schedules."""

from __future__ import annotations

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler

from benchmarks.peers.side import SETTINGS, Side, interval_s, run
from benchmarks.stamps import mark as stamp


def work(_arguments: list[str]) -> None:
    scheduler = BlockingScheduler(
        executors={"default": ThreadPoolExecutor(10)},
        job_defaults={"misfire_grace_time": 60, "max_instances": 3},
    )
    for number in range(SETTINGS["schedules"]):
        scheduler.add_job(stamp, "interval", seconds=interval_s(number), args=(number,))
    scheduler.start()


SIDE = Side(send=lambda _number: None, worker=work)

if __name__ == "__main__":
    run(SIDE)
