"""
What every contender's side does alike: send for a while or so many, and say how long it took.

Called as ``python -m benchmarks.peers.<name> VERB ARGUMENT...``; the answer is one line of JSON.
Times include everything that the contender does in the calling process until the server has
answered. Coroutine functions run in one event loop, awaited one by one.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

#: The server, and how this contender is to be set up.
URL = os.environ.get("BENCH_URL", "redis://127.0.0.1:6379/0")
SETTINGS: dict[str, Any] = json.loads(os.environ.get("BENCH_SETTINGS", "{}"))

#: Arguments of the job whose memory is measured.
MAIL_ARGUMENTS = (42, "user@example.com")

#: Jobs per call where many are sent at once.
CALL_SIZE = 1_000

#: The same where jobs are scheduled to be counted in bytes.
HELD_SIZE = 10_000

#: Coroutines awaited together where only the number of jobs matters.
TOGETHER = 50


def interval_s(number: int) -> int:
    """Seconds between two occurrences of a schedule: ten lengths, by its number."""
    return int(SETTINGS.get("stretch", 1)) * (1 + number % 10)


@dataclass(frozen=True)
class Side:
    """
    How jobs are sent to one contender.

    Attributes:
        send: Sends the no-op job with a number.
        send_mail: Sends the job whose memory is measured.
        send_many: Sends no-op jobs with these numbers in as few round trips as it can.
        send_at: Schedules the no-op job with a number for an instant (UTC ms).
        send_mail_at: Schedules the job whose memory is measured.
        send_mails_at: Schedules so many of them in one call.
        worker: Runs a worker in this process; it may replace it.
        scheduler: The same for a scheduler, where there is one of its own.
        setup: Awaited before anything is sent.
    """

    send: Callable[[int], Any]
    worker: Callable[[list[str]], Any]
    send_mail: Callable[[], Any] | None = None
    send_many: Callable[[Sequence[int]], Any] | None = None
    send_at: Callable[[int, datetime], Any] | None = None
    send_mail_at: Callable[[datetime], Any] | None = None
    send_mails_at: Callable[[int, datetime], Any] | None = None
    scheduler: Callable[[list[str]], Any] | None = None
    setup: Callable[[], Awaitable[Any]] | None = None


def run(side: Side) -> None:
    """Carry out what the command line says."""
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "worker":
        side.worker(arguments)
    elif verb == "scheduler":
        assert side.scheduler is not None
        side.scheduler(arguments)
    else:
        print(json.dumps(asyncio.run(_sending(side, verb, arguments))), flush=True)
        # Clients leave threads and pools behind; nothing of them is ours to wait for.
        os._exit(0)


async def _sending(side: Side, verb: str, arguments: list[str]) -> dict[str, Any]:
    if side.setup is not None:
        await side.setup()
    send, many = _awaitable(side.send), side.send_many and _awaitable(side.send_many)
    if verb == "one_by_one":
        await send(0)
        return await _for_seconds(lambda _: send(1), 1, float(arguments[0]))
    if verb == "many":
        assert many is not None
        await many([0])
        numbers = list(range(CALL_SIZE))
        return await _for_seconds(lambda _: many(numbers), CALL_SIZE, float(arguments[0]))
    if verb == "fill":
        return await _so_many(send, many, int(arguments[0]))
    if verb == "pile":
        assert side.send_mail is not None
        return await _stored(side.send_mail, int(arguments[0]))
    if verb == "hold":
        return await _held(side, int(arguments[0]))
    if verb == "at":
        assert side.send_at is not None
        return await _scheduled(_awaitable(side.send_at), *(int(text) for text in arguments))
    if verb == "pings":
        return await _pings(send, int(arguments[0]), float(arguments[1]))
    raise SystemExit(f"unknown verb {verb}")


async def _for_seconds(
    send: Callable[[int], Awaitable[Any]], jobs: int, seconds: float
) -> dict[str, Any]:
    begun, cpu = time.perf_counter(), time.process_time()
    calls = 0
    while time.perf_counter() - begun < seconds:
        await send(calls)
        calls += 1
    return _took(calls * jobs, begun, cpu)


async def _held(side: Side, count: int) -> dict[str, Any]:
    """So many jobs scheduled for tomorrow by the quickest way: their rate is not asked."""
    due = datetime.fromtimestamp(_in_s(86_400), UTC)
    many_at = side.send_mails_at
    if many_at is None:
        assert side.send_mail_at is not None
        return await _stored(partial(side.send_mail_at, due), count)
    begun, cpu = time.perf_counter(), time.process_time()
    for first in range(0, count, HELD_SIZE):
        many_at(min(HELD_SIZE, count - first), due)
    return _took(count, begun, cpu)


async def _stored(call: Callable[[], Any], count: int) -> dict[str, Any]:
    """The same call so many times, coroutines fifty at once."""
    begun, cpu = time.perf_counter(), time.process_time()
    if not inspect.iscoroutinefunction(getattr(call, "func", call)):
        for _ in range(count):
            call()
        return _took(count, begun, cpu)
    for first in range(0, count, TOGETHER):
        await asyncio.gather(*(call() for _ in range(min(TOGETHER, count - first))))
    return _took(count, begun, cpu)


async def _so_many(
    send: Callable[[int], Awaitable[Any]],
    many: Callable[[Sequence[int]], Awaitable[Any]] | None,
    count: int,
) -> dict[str, Any]:
    begun, cpu = time.perf_counter(), time.process_time()
    if many is None:
        for number in range(count):
            await send(number)
    else:
        for first in range(0, count, CALL_SIZE):
            await many(range(first, min(first + CALL_SIZE, count)))
    return _took(count, begun, cpu)


async def _scheduled(
    send_at: Callable[[int, datetime], Awaitable[Any]], count: int, lead_ms: int, over_ms: int
) -> dict[str, Any]:
    """So many jobs, due evenly over an interval that begins after the lead; 0 is one instant."""
    begun, cpu = time.perf_counter(), time.process_time()
    first_ms = (int(time.time() * 1000) + lead_ms) // 100 * 100
    for number in range(count):
        due_ms = first_ms + over_ms * number // count
        await send_at(due_ms, datetime.fromtimestamp(due_ms / 1000, UTC))
    spare_ms = first_ms - time.time() * 1000
    return {**_took(count, begun, cpu), "first_ms": first_ms, "spare_ms": spare_ms}


async def _pings(send: Callable[[int], Awaitable[Any]], count: int, gap_s: float) -> dict[str, Any]:
    """Jobs that carry the instant (ns) at which the call began, with a pause between them."""
    begun, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        await send(time.time_ns())
        await asyncio.sleep(gap_s)
    return _took(count, begun, cpu)


def _took(count: int, begun: float, cpu: float) -> dict[str, Any]:
    return {
        "count": count,
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - cpu,
    }


def _awaitable(call: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    if inspect.iscoroutinefunction(call):
        return call

    async def called(*arguments: Any) -> Any:
        return call(*arguments)

    return called


def _in_s(delay_s: float) -> float:
    return time.time() + delay_s


def become(*command: str) -> None:
    """Replace this process by a command of its environment's ``bin``."""
    program = os.path.join(os.path.dirname(sys.executable), command[0])
    os.execv(program, [program, *command[1:]])
