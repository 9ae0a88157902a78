"""
The raw floor: what Redis and Python can do here without a framework, beside what we do.

``python -m benchmarks.floor``: redis-benchmark, redis-py's LPUSH loop, our enqueue script by
redis-py's ``execute_command`` and by a hand-packed loop, beside ``delay`` and ``apply_many``; and
a bare drain of the same script beside `sched worker`, with batches of 1, 8, 32, 64 and 128.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hiredis
import redis

from benchmarks import machine, ours
from benchmarks.figures import Figure, Goal
from benchmarks.keeping import keep
from benchmarks.lateness import await_stamps
from benchmarks.private_redis import SYSTEM_SERVER, PrivateRedis
from benchmarks.raw_socket import RawSocket
from benchmarks.stamps import StampReader
from benchmarks.statistics_of import median

BATCHES = (1, 8, 32, 64, 128)


@dataclass(frozen=True)
class Pace:
    """What one way of sending costs: calls per second, and Python CPU per call."""

    per_s: float
    cpu_us: float


@dataclass(frozen=True)
class Floor:
    """The server, our app on it, and how much of each."""

    server: PrivateRedis
    app: Any
    reader: StampReader
    rounds: int
    scale: float

    def empty(self) -> machine.Calibration:
        """Start afresh, and measure the machine's speed."""
        self.app.close()
        self.server.empty()
        self.reader.clear()
        return machine.calibrate(self.server.client)


def pace_of(call: Callable[[], object], seconds: float, jobs: int = 1) -> Pace:
    """Call again and again for a while."""
    call()
    begun, cpu, calls = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begun < seconds:
        call()
        calls += 1
    took, spent = time.perf_counter() - begun, time.process_time() - cpu
    return Pace(calls * jobs / took, spent / (calls * jobs) * 1e6)


def sending(floor: Floor) -> list[Figure]:
    """One job per call: our client, redis-py, and the hand-packed loop, in turns."""
    ways = {
        "delay()": _delay,
        "enqueue script by execute_command": _execute_command,
        "enqueue script, hand-packed": _hand_packed,
        "redis-py LPUSH": _lpush,
        "PING by a raw socket": _ping,
        "apply_many of 1,000": _apply_many,
    }
    paces: dict[str, list[Pace]] = {name: [] for name in ways}
    calibration = None
    for _ in range(floor.rounds):
        for name, make in ways.items():
            calibration = floor.empty()
            jobs = 1_000 if name.startswith("apply_many") else 1
            paces[name].append(pace_of(make(floor), 2 * floor.scale, jobs))
    speed = {name: median([one.per_s for one in found]) for name, found in paces.items()}
    cpu = {name: median([one.cpu_us for one in found]) for name, found in paces.items()}
    floor_cpu = cpu["enqueue script by execute_command"]
    goals = {"delay()": Goal("<=", 0.65), "apply_many of 1,000": Goal("<=", 0.1)}
    figures = [
        Figure(name, speed[name], "jobs/s", None, {"cpu_us": cpu[name]}, calibration)
        for name in ways
    ]
    figures += [
        Figure(f"CPU of {name} / execute_command", cpu[name] / floor_cpu, "x", goals.get(name))
        for name in ways
        if name != "enqueue script by execute_command"
    ]
    packed = speed["delay()"] / speed["enqueue script, hand-packed"]
    figures.append(Figure("delay() / hand-packed loop", packed, "x", Goal(">=", 0.8)))
    return figures


def _delay(floor: Floor) -> Callable[[], object]:
    task = floor.app.tasks["mark"]
    return lambda: task.delay(1)


def _apply_many(floor: Floor) -> Callable[[], object]:
    task, calls = floor.app.tasks["mark"], [(1,)] * 1_000
    return lambda: task.apply_many(calls)


def _execute_command(floor: Floor) -> Callable[[], object]:
    client = redis.Redis.from_url(floor.server.url)
    turn = _Turn(_enqueue_arguments(floor.app, client))
    execute: Callable[..., object] = client.execute_command
    return lambda: execute(*turn.next())


def _hand_packed(floor: Floor) -> Callable[[], object]:
    return hand_packed(floor.app, floor.server.url)


def hand_packed(app: Any, url: str) -> Callable[[], object]:
    """A call that enqueues one job by our script, with a socket and a packer alone."""
    arguments = _enqueue_arguments(app, redis.Redis.from_url(url))
    turn, line = _Turn(arguments), RawSocket(url)
    return lambda: line.exchange(hiredis.pack_command(turn.next()))


def _lpush(floor: Floor) -> Callable[[], object]:
    client = redis.Redis.from_url(floor.server.url)
    payload = _record(floor.app, client)
    return lambda: client.lpush("floor", payload)


def _ping(floor: Floor) -> Callable[[], object]:
    """An exchange in which nothing is done: what waiting for Redis costs alone."""
    line, ping = RawSocket(floor.server.url), hiredis.pack_command(("PING",))
    return lambda: line.exchange(ping)


class _Turn:
    """The same call again and again, each with the next number and another id."""

    def __init__(self, arguments: list[bytes]) -> None:
        self._arguments: list[Any] = list(arguments)
        self._number = 1

    def next(self) -> tuple[Any, ...]:
        self._number += 1
        # EVALSHA sha 1 prefix clock SENDER NUMBER check ID due record
        self._arguments[6] = self._number
        self._arguments[8] = self._number.to_bytes(16, "big")
        return tuple(self._arguments)


def _record(app: Any, client: redis.Redis) -> bytes:
    app.tasks["mark"].delay(1)
    records: Any = client.hvals("{sched:0}:jobs")
    found: bytes = records[0]
    return found


def _enqueue_arguments(app: Any, client: redis.Redis) -> list[bytes]:
    """The arguments of the EVALSHA that ``delay`` sends; it has loaded the script."""
    from beatline.ids import new_id
    from beatline.store.enqueuing import pack_enqueue

    jobs = [(new_id(0), "0", _record(app, client))]
    reader = hiredis.Reader()
    reader.feed(pack_enqueue(b"{sched:0}:", os.urandom(8), 1, jobs, False))
    arguments: list[bytes] = reader.gets()
    return arguments


def draining(floor: Floor) -> list[Figure]:
    """The bare loop beside our worker, with the same batches, by two children and by one."""
    figures = []
    for children in (2, 1):
        for batch in BATCHES:
            bare, narrow = [], []
            for _ in range(floor.rounds):
                calibration = floor.empty()
                count = int((20_000 if batch < 8 else 60_000) * floor.scale)
                bare.append(_drained(floor, "bare_worker", children, batch, count))
                floor.empty()
                narrow.append(_drained(floor, "narrow_worker", children, batch, count))
            what = f"drain, {children} children, batch {batch}"
            ratio = median(narrow) / median(bare)
            figures += [
                Figure(f"{what}: bare loop", median(bare), "jobs/s", None, {"rounds": bare},
                       calibration),
                Figure(f"{what}: worker", median(narrow), "jobs/s", _drain_goal(children, batch),
                       {"rounds": narrow}, calibration),
                Figure(f"{what}: worker / bare", ratio, "x",
                       Goal(">=", 0.35) if children == 2 else None),
            ]  # fmt: skip
    return figures


def _drain_goal(children: int, batch: int) -> Goal | None:
    if children == 1 and batch == 1:
        return Goal(">=", 10_000)
    return Goal(">=", 44_000) if children == 2 and batch == max(BATCHES) else None


def _drained(floor: Floor, module: str, children: int, batch: int, count: int) -> float:
    """Jobs per second from the first start to the last."""
    floor.app.tasks["mark"].apply_many((number,) for number in range(count))
    command = [sys.executable, "-m", f"benchmarks.{module}", str(children), str(batch)]
    with ours.start([command], floor.server, floor.reader.folder) as session:
        await_stamps(session, floor.reader, count, limit_s=60)
    starts = [stamp.at_ns for stamp in floor.reader.read()]
    return (count - 1) / (max(starts) - min(starts)) * 1e9


def server_alone(floor: Floor) -> list[Figure]:
    """redis-benchmark: LPUSH of 100 bytes by one client, unpipelined and pipelined."""
    program = shutil.which("redis-benchmark")
    if program is None:
        return []
    figures = []
    for depth in (1, 100):
        floor.empty()
        command = [program, "-p", str(floor.server.port), "-t", "lpush", "-c", "1", "-d", "100",
                   "-n", str(int((50_000 if depth == 1 else 500_000) * floor.scale)),
                   "-P", str(depth), "--csv"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        per_s = float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))
        name = f"redis-benchmark LPUSH, 1 client, pipeline {depth}"
        figures.append(Figure(name, per_s, "calls/s"))
    return figures


PARTS = {"server": server_alone, "sending": sending, "draining": draining}


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--server", default=SYSTEM_SERVER)
    parser.add_argument("--transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--keep", type=Path, help="JSON and text file")
    options = parser.parse_args()
    with PrivateRedis(options.server, options.transport) as server:
        ours.point_client_at(server)
        from benchmarks.bench_app import app

        folder = Path(tempfile.mkdtemp(prefix="bench-floor-"))
        scale = 0.1 if options.quick else 1.0
        floor = Floor(server, app, StampReader(folder), options.rounds, scale)
        print(f"{server.described}; {machine.described()}", flush=True)
        found = []
        for name in options.only or PARTS:
            for figure in PARTS[name](floor):
                print(figure.line(), flush=True)
                found.append(figure)
        if options.keep:
            keep(options.keep, found, server.described)
    return 0


if __name__ == "__main__":
    sys.exit(main())
