"""
What a call costs the program that sends: CPU of Python, beside redis-py sending the same script.

Both sides take turns of a few hundred calls in one process, on one server, so that a slow moment of
the machine hits both alike. CPU of the process, and not time: the server's time is no concern of
these figures, which `delay_beside_lpush` and the peers' table have.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import count as counted
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import redis
import redis.asyncio

from beatline.ids import new_id
from beatline.wire.scripts import script
from benchmarks.figures import Figure, Goal
from benchmarks.statistics_of import median, percentile

if TYPE_CHECKING:
    from benchmarks.main_job import Bench

#: Calls that one side makes before the other has its turn.
TURN: Final = 300
#: Coroutines that send at once.
COROUTINES: Final = 50
#: Threads that send at once, from a lone one to more than any of the machine's cores can run.
THREADS: Final = (1, 4, 16, 32)
#: Jobs of each number of threads.
_THREAD_JOBS: Final = 6_400


def client_cpu(bench: Bench) -> list[Figure]:
    """``delay`` and ``apply_many`` beside redis-py's ``execute_command`` of the same script."""
    calls, task = bench.count(6_000, 600), bench.app.tasks["mark"]
    one, many, theirs, calibration = [], [], [], None
    for _ in range(max(3, bench.rounds)):
        calibration = bench.empty()
        task.delay(0)
        client: Any = redis.Redis.from_url(bench.server.url)
        commands = _script_calls(task.plain_route().record(task.name, (1,), {}))
        spent = [0.0, 0.0]
        for _ in range(max(1, calls // TURN)):
            spent[0] += _cpu_s(partial(_repeat, partial(task.delay, 1)))
            spent[1] += _cpu_s(partial(_send_all, client, commands))
        turns = max(1, calls // TURN) * TURN
        one.append(spent[0] / turns * 1e6)
        theirs.append(spent[1] / turns * 1e6)
        arguments = [(number,) for number in range(10_000)]
        many.append(_cpu_s(partial(task.apply_many, arguments)) / len(arguments) * 1e6)
        client.close()
    beside = median(theirs)
    details = {"delay_us": median(one), "execute_command_us": beside, "rounds": one}
    bulk = {"apply_many_us": median(many), "execute_command_us": beside, "rounds": many}
    return [
        _ratio("delay(), CPU beside execute_command", one, theirs, 0.65, details, calibration),
        _ratio("apply_many, CPU per job beside it", many, theirs, 0.1, bulk, calibration),
    ]


def async_client_cpu(bench: Bench) -> list[Figure]:
    """``adelay`` of many coroutines beside redis.asyncio's ``execute_command`` of the script."""
    return asyncio.run(_async_client_cpu(bench))


async def _async_client_cpu(bench: Bench) -> list[Figure]:
    each, task = bench.count(120, 20), bench.app.tasks["mark"]
    ours, theirs, alone, calibration = [], [], [], None
    for _ in range(max(3, bench.rounds)):
        calibration = bench.empty()
        await task.adelay(0)
        client: Any = redis.asyncio.Redis.from_url(bench.server.url)
        commands = _script_calls(task.plain_route().record(task.name, (1,), {}))

        async def send(task: Any = task) -> None:
            await task.adelay(1)

        async def execute(client: Any = client, commands: Iterator[Any] = commands) -> None:
            await client.execute_command(*next(commands))

        await _async_cpu_us(execute, COROUTINES, 1)
        spent = [0.0, 0.0]
        for _ in range(4):
            spent[0] += await _async_cpu_us(send, COROUTINES, each // 4)
            spent[1] += await _async_cpu_us(execute, COROUTINES, each // 4)
        ours.append(spent[0] / 4)
        theirs.append(spent[1] / 4)
        alone.append(await _async_cpu_us(send, 1, COROUTINES * each // 4))
        await client.aclose()
    name = f"adelay of {COROUTINES} coroutines, CPU beside redis.asyncio"
    details = {
        "adelay_us": median(ours),
        "redis_asyncio_us": median(theirs),
        "adelay_alone_us": median(alone),
        "rounds": ours,
    }
    return [_ratio(name, ours, theirs, 0.5, details, calibration)]


def threads(bench: Bench) -> list[Figure]:
    """``delay`` in several threads at once: rate, and what it costs client and server."""
    figures = []
    task = bench.app.tasks["mark"]
    for threads_count in THREADS:
        each = bench.count(_THREAD_JOBS, 640) // threads_count
        rates, client, server, waits, calibration = [], [], [], [], None
        for _ in range(bench.rounds):
            calibration = bench.empty()
            task.delay(0)
            before = _server_cpu_s(bench)
            wall_s, cpu_s, times_s = _in_threads(lambda: task.delay(1), threads_count, each)
            jobs = threads_count * each
            rates.append(jobs / wall_s)
            client.append(cpu_s / jobs * 1e6)
            server.append((_server_cpu_s(bench) - before) / jobs * 1e6)
            waits.append(percentile(times_s, 0.5) * 1e6)
        details = {
            "client_cpu_us": median(client),
            "server_cpu_us": median(server),
            "p50_us": median(waits),
            "rounds": rates,
        }
        name = f"delay() in {threads_count} thread{'s' * (threads_count > 1)}"
        figures.append(Figure(name, median(rates), "jobs/s", None, details, calibration))
    return figures


def _ratio(
    name: str,
    mine: list[float],
    beside: list[float],
    goal: float,
    details: dict[str, Any],
    calibration: Any,
) -> Figure:
    ratio = median([one / other for one, other in zip(mine, beside, strict=True)])
    return Figure(name, ratio, "x", Goal("<=", goal), details, calibration)


def _script_calls(record: bytes) -> Iterator[tuple[Any, ...]]:
    """Commands that each enqueue one new job, as the client's own calls do."""
    name, sha = os.urandom(8), script("enqueue").sha
    for number in counted(1):
        yield "EVALSHA", sha, 1, "{sched:0}:", 0, name, number, "0", new_id(0), "0", record


def _repeat(call: Callable[[], object]) -> None:
    for _ in range(TURN):
        call()


def _send_all(client: Any, commands: Iterator[tuple[Any, ...]]) -> None:
    for command in islice(commands, TURN):
        client.execute_command(*command)


def _cpu_s(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


async def _async_cpu_us(call: Callable[[], Awaitable[None]], coroutines: int, each: int) -> float:
    """CPU per call, µs."""

    async def one_after_the_other() -> None:
        for _ in range(each):
            await call()

    begun = time.process_time()
    await asyncio.gather(*(one_after_the_other() for _ in range(coroutines)))
    return (time.process_time() - begun) / (coroutines * each) * 1e6


def _in_threads(
    call: Callable[[], object], threads_count: int, each: int
) -> tuple[float, float, list[float]]:
    """Seconds on the clock and of CPU, and what each call took."""
    start = threading.Barrier(threads_count + 1)
    times_s: list[float] = []

    def run() -> None:
        call()
        start.wait()
        mine = []
        for _ in range(each):
            begun = time.perf_counter()
            call()
            mine.append(time.perf_counter() - begun)
        times_s.extend(mine)

    started = [threading.Thread(target=run) for _ in range(threads_count)]
    for thread in started:
        thread.start()
    start.wait()
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in started:
        thread.join()
    return time.perf_counter() - wall, time.process_time() - cpu, times_s


def _server_cpu_s(bench: Bench) -> float:
    spent: dict[str, float] = bench.server.client.info("cpu")
    return spent["used_cpu_sys"] + spent["used_cpu_user"]
