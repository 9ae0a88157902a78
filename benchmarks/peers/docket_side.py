# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""docket: its defaults, or more jobs at once and a finer scheduling step (tuned)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from docket import Docket, Worker

from benchmarks.peers.side import MAIL_ARGUMENTS, SETTINGS, URL, Side, run
from benchmarks.stamps import mark as stamp

docket = Docket(
    name="bench",
    url=URL,
    **({} if SETTINGS.get("stored") else {"execution_ttl": timedelta(0)}),
)


async def mark(number: int) -> int:
    stamp(number)
    return number


async def mail(number: int, address: str) -> None: ...


async def setup() -> None:
    await docket.__aenter__()
    docket.register(mark)
    docket.register(mail)


async def send(number: int) -> None:
    await docket.add(mark)(number)


async def send_mail() -> None:
    await docket.add(mail)(*MAIL_ARGUMENTS)


async def send_many(numbers: Sequence[int]) -> None:
    await docket.add_many([docket.call(mark)(number) for number in numbers])


async def send_at(number: int, due: datetime) -> None:
    await docket.add(mark, when=due)(number)


async def send_mail_at(due: datetime) -> None:
    await docket.add(mail, when=due)(*MAIL_ARGUMENTS)


async def _work() -> None:
    async with docket:
        docket.register(mark)
        docket.register(mail)
        step = timedelta(milliseconds=SETTINGS.get("step_ms", 250))
        async with Worker(
            docket,
            concurrency=SETTINGS.get("concurrency", 10),
            scheduling_resolution=step,
            minimum_check_interval=step,
        ) as worker:
            await worker.run_forever()


SIDE = Side(
    send=send,
    send_mail=send_mail,
    send_many=send_many,
    send_at=send_at,
    send_mail_at=send_mail_at,
    setup=setup,
    worker=lambda _arguments: asyncio.run(_work()),
)

if __name__ == "__main__":
    from benchmarks.peers.docket_side import SIDE as IMPORTED

    run(IMPORTED)
