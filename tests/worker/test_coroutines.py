"""Coroutines of jobs: interrupted where they wait, by the reason and not by a cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from beatline.errors import SoftTimeLimitExceeded
from beatline_worker.coroutines import Driven, LoopKeeper

REASON = SoftTimeLimitExceeded("too long")


def run_interrupted(body: Callable[[], Awaitable[Any]]) -> Any:
    """What a body returns or raises that is interrupted once it waits."""

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        driven = Driven(body())  # type: ignore[arg-type]  # each body is a coroutine function
        driven.task = loop.create_task(driven)
        loop.call_later(0.01, driven.interrupt, REASON)
        return await driven.task

    return asyncio.run(run())


async def nested() -> None:
    await asyncio.gather(asyncio.sleep(10), asyncio.sleep(20))


async def in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(10))
        await asyncio.sleep(20)


async def within_a_timeout() -> None:
    async with asyncio.timeout(10):
        await asyncio.sleep(20)


@pytest.mark.parametrize("body", [nested, within_a_timeout])
def test_driven_when_interrupted_then_the_body_sees_the_reason(
    body: Callable[[], Awaitable[Any]],
) -> None:
    with pytest.raises(SoftTimeLimitExceeded, match="too long"):
        run_interrupted(body)


def test_driven_when_interrupted_in_a_group_then_the_reason_is_in_it() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        run_interrupted(in_a_group)

    assert (REASON,) == caught.value.exceptions


def test_driven_when_the_reason_is_caught_then_the_body_goes_on() -> None:
    async def body() -> list[Any]:
        try:
            await asyncio.sleep(10)
        except SoftTimeLimitExceeded:
            task = asyncio.current_task()
            async with asyncio.timeout(5):
                await asyncio.sleep(0)
            return [task.cancelling() if task else None, "cleaned up"]
        return []

    assert [0, "cleaned up"] == run_interrupted(body)


def test_driven_when_its_body_ends_before_then_nothing_is_raised() -> None:
    async def body() -> str:
        return "done"

    assert "done" == run_interrupted(body)


def test_keeper_when_interrupted_from_another_thread_then_the_body_sees_it() -> None:
    keeper, waits = LoopKeeper(), threading.Event()

    async def body() -> None:
        waits.set()
        await asyncio.sleep(10)

    def interrupt() -> None:
        waits.wait(5)
        keeper.interrupt(REASON)

    other = threading.Thread(target=interrupt)
    other.start()

    with pytest.raises(SoftTimeLimitExceeded):
        keeper.run(body())
    other.join()
    assert not keeper.interrupt(REASON)


def test_keeper_when_a_body_fails_then_the_next_one_runs_on_the_same_loop() -> None:
    keeper = LoopKeeper()

    async def fail() -> None:
        raise ValueError("no")

    async def loop_id() -> int:
        return id(asyncio.get_running_loop())

    first = keeper.run(loop_id())
    with pytest.raises(ValueError, match="no"):
        keeper.run(fail())

    assert first == keeper.run(loop_id())
