# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""SAQ: its defaults, or more jobs at once in uvloop (tuned)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from saq import Queue

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, become, run
from benchmarks.stamps import mark as stamp

if SETTINGS.get("uvloop"):
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

queue = Queue.from_url(URL)
#: Seconds that a finished job is kept; -1 removes it at once.
TTL = 600 if SETTINGS.get("stored") else -1


async def mark(_context: Any, *, number: int) -> int:
    stamp(number)
    return number


async def mail(_context: Any, *, number: int, address: str) -> None: ...


settings = {
    "queue": queue,
    "functions": [mark, mail],
    "concurrency": SETTINGS.get("concurrency", 10),
    **({"timers": SETTINGS["timers"]} if "timers" in SETTINGS else {}),
}


async def send(number: int) -> None:
    await queue.enqueue("mark", number=number, ttl=TTL)


async def send_mail() -> None:
    await queue.enqueue("mail", number=MAIL_ARGUMENTS[0], address=MAIL_ARGUMENTS[1], ttl=TTL)


async def send_many(numbers: Sequence[int]) -> None:
    await asyncio.gather(*(send(number) for number in numbers))


async def send_at(number: int, due: datetime) -> None:
    await queue.enqueue("mark", number=number, ttl=TTL, scheduled=due.timestamp())


async def send_mail_at(due: datetime) -> None:
    await queue.enqueue(
        "mail", number=MAIL_ARGUMENTS[0], address=MAIL_ARGUMENTS[1], scheduled=due.timestamp()
    )


def worker(arguments: list[str]) -> None:
    become("saq", "benchmarks.peers.saq_side.settings", "--workers", arguments[0], "-q")


SIDE = Side(
    send=send,
    send_mail=send_mail,
    send_many=send_many,
    send_at=send_at,
    send_mail_at=send_mail_at,
    setup=queue.connect,
    worker=worker,
)

if __name__ == "__main__":
    from benchmarks.peers.saq_side import SIDE as IMPORTED

    run(IMPORTED)
