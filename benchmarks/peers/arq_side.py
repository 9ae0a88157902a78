# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""arq: its defaults, or short polls, large reads, uvloop and no line per job (tuned)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import uvloop
from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.worker import func, run_worker

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, become, run
from benchmarks.stamps import mark as stamp

KEEP_S = 3600 if SETTINGS.get("stored") else 0
POOLS: list[ArqRedis] = []


async def mark(_context: Any, number: int) -> int:
    stamp(number)
    return number


async def mail(_context: Any, number: int, address: str) -> None: ...


class WorkerSettings:
    functions: ClassVar = [func(mark, keep_result=KEEP_S), func(mail, keep_result=KEEP_S)]
    redis_settings = RedisSettings.from_dsn(URL)
    keep_result = KEEP_S
    max_jobs = SETTINGS.get("max_jobs", 10)
    poll_delay = SETTINGS.get("poll_s", 0.5)
    queue_read_limit = SETTINGS.get("read_limit")


def worker(_arguments: list[str]) -> None:
    if SETTINGS.get("quiet"):
        # The command logs two lines for each job; this is what it does besides.
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        run_worker(WorkerSettings)
    become("arq", "benchmarks.peers.arq_side.WorkerSettings")


async def setup() -> None:
    POOLS.append(await create_pool(WorkerSettings.redis_settings))


async def send(number: int) -> None:
    await POOLS[0].enqueue_job("mark", number)


async def send_mail() -> None:
    await POOLS[0].enqueue_job("mail", *MAIL_ARGUMENTS)


async def send_many(numbers: Sequence[int]) -> None:
    for first in range(0, len(numbers), 50):
        await asyncio.gather(*(send(number) for number in numbers[first : first + 50]))


async def send_at(number: int, due: datetime) -> None:
    await POOLS[0].enqueue_job("mark", number, _defer_until=due)


async def send_mail_at(due: datetime) -> None:
    await POOLS[0].enqueue_job("mail", *MAIL_ARGUMENTS, _defer_until=due)


SIDE = Side(
    send=send,
    send_mail=send_mail,
    send_many=send_many,
    send_at=send_at,
    send_mail_at=send_mail_at,
    setup=setup,
    worker=worker,
)

if __name__ == "__main__":
    from benchmarks.peers.arq_side import SIDE as IMPORTED

    run(IMPORTED)
