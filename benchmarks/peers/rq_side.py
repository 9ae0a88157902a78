# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""RQ: a process per job (default), or workers that run jobs themselves (tuned)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import redis
from rq import Queue

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, become, run
from benchmarks.stamps import mark as stamp

queue = Queue(connection=redis.Redis.from_url(URL))
RESULT_TTL = 500 if SETTINGS.get("stored") else 0


def mark(number: int) -> int:
    stamp(number)
    return number


def mail(number: int, address: str) -> None: ...


def send_many(numbers: Sequence[int]) -> None:
    queue.enqueue_many(
        [Queue.prepare_data(mark, (number,), result_ttl=RESULT_TTL) for number in numbers]
    )


def send_at(number: int, due: datetime) -> None:
    queue.enqueue_at(due, mark, number, result_ttl=RESULT_TTL)


def worker(_arguments: list[str]) -> None:
    become("rq", "worker", "-u", URL, "-q", "-w", SETTINGS.get("class", "rq.Worker"),
           "--with-scheduler")  # fmt: skip


SIDE = Side(
    send=lambda number: queue.enqueue(mark, number, result_ttl=RESULT_TTL),
    send_mail=lambda: queue.enqueue(mail, *MAIL_ARGUMENTS),
    send_many=send_many,
    send_at=send_at,
    send_mail_at=lambda due: queue.enqueue_at(due, mail, *MAIL_ARGUMENTS),
    worker=worker,
)

if __name__ == "__main__":
    from benchmarks.peers.rq_side import SIDE as IMPORTED

    run(IMPORTED)
