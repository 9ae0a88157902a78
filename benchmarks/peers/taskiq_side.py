# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""taskiq: a list without acks (default) or streams with acks (tuned); a scheduler for ETAs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from taskiq import TaskiqScheduler
from taskiq_redis import (
    ListQueueBroker,
    ListRedisScheduleSource,
    RedisAsyncResultBackend,
    RedisStreamBroker,
)

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, become, run
from benchmarks.stamps import mark as stamp

if SETTINGS.get("streams"):
    broker = RedisStreamBroker(URL, consumer_id="0", xread_count=SETTINGS.get("xread_count", 100))
else:
    broker = ListQueueBroker(URL)
if SETTINGS.get("stored"):
    broker = broker.with_result_backend(RedisAsyncResultBackend(URL, result_ex_time=3600))
source = ListRedisScheduleSource(URL)
scheduler = TaskiqScheduler(broker, [source])


@broker.task(task_name="mark")
async def mark(number: int) -> int:
    stamp(number)
    return number


@broker.task(task_name="mail")
async def mail(number: int, address: str) -> None: ...


async def send(number: int) -> None:
    await mark.kiq(number)


async def send_many(numbers: Sequence[int]) -> None:
    for first in range(0, len(numbers), 50):
        await asyncio.gather(*(send(number) for number in numbers[first : first + 50]))


async def send_at(number: int, due: datetime) -> None:
    await mark.schedule_by_time(source, due, number)


async def send_mail() -> None:
    await mail.kiq(*MAIL_ARGUMENTS)


async def send_mail_at(due: datetime) -> None:
    await mail.schedule_by_time(source, due, *MAIL_ARGUMENTS)


def worker(arguments: list[str]) -> None:
    become("taskiq", "worker", "benchmarks.peers.taskiq_side:broker", "--workers", arguments[0],
           "--log-level", "WARNING", *SETTINGS.get("worker", []))  # fmt: skip


def start_scheduler(_arguments: list[str]) -> None:
    become("taskiq", "scheduler", "benchmarks.peers.taskiq_side:scheduler", "--log-level",
           "WARNING", "--update-interval", "1", *SETTINGS.get("scheduler", []))  # fmt: skip


SIDE = Side(
    send=send,
    send_mail=send_mail,
    send_many=send_many,
    send_at=send_at,
    send_mail_at=send_mail_at,
    setup=broker.startup,
    worker=worker,
    scheduler=start_scheduler,
)

if __name__ == "__main__":
    from benchmarks.peers.taskiq_side import SIDE as IMPORTED

    run(IMPORTED)
