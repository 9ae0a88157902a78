# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""Dramatiq on Redis: its standard middleware (default), or none and a larger prefetch (tuned)."""

from __future__ import annotations

import os
import time
from datetime import datetime

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, become, run
from benchmarks.stamps import mark as stamp

STORED = bool(SETTINGS.get("stored"))
broker = RedisBroker(url=URL, **({"middleware": []} if SETTINGS.get("bare") else {}))
if STORED:
    broker.add_middleware(Results(backend=RedisBackend(url=URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(**({"store_results": True} if STORED else {}))
def mark(number: int) -> int | None:
    stamp(number)
    return number if STORED else None


@dramatiq.actor
def mail(number: int, address: str) -> None: ...


def _delay_ms(due: datetime) -> int:
    return max(0, int(due.timestamp() * 1000 - time.time() * 1000))


def worker(arguments: list[str]) -> None:
    if "prefetch" in SETTINGS:
        os.environ["dramatiq_queue_prefetch"] = str(SETTINGS["prefetch"])  # noqa: SIM112
    if "delay_prefetch" in SETTINGS:
        os.environ["dramatiq_delay_queue_prefetch"] = str(SETTINGS["delay_prefetch"])  # noqa: SIM112
    become("dramatiq", "-p", arguments[0], "-t", str(SETTINGS.get("threads", 8)),
           "benchmarks.peers.dramatiq_side")  # fmt: skip


SIDE = Side(
    send=mark.send,
    send_mail=lambda: mail.send(*MAIL_ARGUMENTS),
    send_at=lambda number, due: mark.send_with_options(args=(number,), delay=_delay_ms(due)),
    send_mail_at=lambda due: mail.send_with_options(args=MAIL_ARGUMENTS, delay=_delay_ms(due)),
    worker=worker,
)

if __name__ == "__main__":
    from benchmarks.peers.dramatiq_side import SIDE as IMPORTED

    run(IMPORTED)
