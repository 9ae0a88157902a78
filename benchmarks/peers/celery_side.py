# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""Celery on Redis: prefork (default), or two solo workers (tuned); late acks in both."""

from __future__ import annotations

from datetime import datetime

from celery import Celery

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, become, interval_s, run
from benchmarks.stamps import mark as stamp

app = Celery("benchmarks.peers.celery_side", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=not SETTINGS.get("stored", False),
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=SETTINGS.get("prefetch", 4),
    worker_hijack_root_logger=False,
    worker_disable_rate_limits=SETTINGS.get("lean", False),
)
app.conf.beat_schedule = {
    f"every-{number}": {"task": "mark", "schedule": float(interval_s(number)), "args": (number,)}
    for number in range(SETTINGS.get("schedules", 0))
}


@app.task(name="mark")
def mark(number: int) -> int:
    stamp(number)
    return number


@app.task(name="mail")
def mail(number: int, address: str) -> None: ...


def send_at(number: int, due: datetime) -> None:
    mark.apply_async((number,), eta=due)


def worker(arguments: list[str]) -> None:
    name = f"{SETTINGS.get('pool', 'prefork')}{arguments[1]}@bench"
    become("celery", "-A", "benchmarks.peers.celery_side:app", "worker", "-c", arguments[0],
           "-P", SETTINGS.get("pool", "prefork"), "-n", name, "-l", "WARNING",
           *SETTINGS.get("worker", []))  # fmt: skip


def beat(arguments: list[str]) -> None:
    become("celery", "-A", "benchmarks.peers.celery_side:app", "beat", "-l", "WARNING",
           "-s", arguments[0] + "/celerybeat-schedule")  # fmt: skip


SIDE = Side(
    scheduler=beat,
    send=mark.delay,
    send_mail=lambda: mail.delay(*MAIL_ARGUMENTS),
    send_at=send_at,
    send_mail_at=lambda due: mail.apply_async(MAIL_ARGUMENTS, eta=due),
    worker=worker,
)

if __name__ == "__main__":
    # The app of the module that workers import, not of __main__.
    from benchmarks.peers.celery_side import SIDE as IMPORTED

    run(IMPORTED)
