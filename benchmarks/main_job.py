"""
The main job's own figures, each beside its goal: ``python -m benchmarks.main_job``.

No peers are needed, only a redis-server: Debian's, started here without persistence, reached over
TCP loopback. Each figure is measured by the code that users run: `sched worker`, `sched beat`,
``delay`` and ``apply_many``. The raw output goes to ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from benchmarks import machine, ours
from benchmarks.client_calls import async_client_cpu, client_cpu, threads
from benchmarks.figures import Figure, Goal
from benchmarks.keeping import keep
from benchmarks.lateness import await_stamps, due_in, schedule_spread, warm_up
from benchmarks.private_redis import SYSTEM_SERVER, PrivateRedis
from benchmarks.sessions import Failed
from benchmarks.stamps import StampReader
from benchmarks.statistics_of import median, percentile

if TYPE_CHECKING:
    from beatline import App

RESULTS = Path(__file__).with_name("results")

#: Arguments of the job whose memory is measured.
MAIL_ARGUMENTS = (42, "user@example.com")


@dataclass(frozen=True)
class Bench:
    """What all figures share: the server, our app on it, where jobs leave their stamps."""

    server: PrivateRedis
    app: App
    reader: StampReader
    rounds: int
    scale: float

    def count(self, full: int, least: int = 100) -> int:
        """A number of jobs, smaller with ``--quick``."""
        return max(least, int(full * self.scale))

    def empty(self) -> machine.Calibration:
        """Start afresh, and measure the machine's speed."""
        self.app.close()
        self.server.empty()
        self.reader.clear()
        return machine.calibrate(self.server.client)


def drain(bench: Bench, *, stored: bool = False) -> Figure:
    """Queued no-op jobs, run by two children: from the first start to the last."""
    count, rates, calibration = bench.count(20_000), [], None
    task = bench.app.tasks["mark_stored" if stored else "mark"]
    for _ in range(bench.rounds):
        calibration = bench.empty()
        task.apply_many((number,) for number in range(count))
        worker = [ours.worker_command(2)]
        with ours.start(worker, bench.server, bench.reader.folder) as session:
            await_stamps(session, bench.reader, count, limit_s=60)
            # What is acknowledged is gone: nothing may be held or queued at the end.
            session.wait_until(lambda: bench.app.queues.depth() == 0, 10, 0.01)
        starts = sorted(stamp.at_ns for stamp in bench.reader.read())
        distinct = len({stamp.number for stamp in bench.reader.read()})
        if distinct != count or len(starts) != count:
            raise Failed(f"drain: {count} jobs, {len(starts)} starts of {distinct}")
        rates.append((count - 1) / (starts[-1] - starts[0]) * 1e9)
    name = f"drain {count:,} no-op, -c 2, results {'stored' if stored else 'ignored'}"
    goal = Goal(">=", 20_000 if stored else 8_000)
    details = {"best": max(rates), "rounds": rates}
    return Figure(name, median(rates), "jobs/s", goal, details, calibration)


def enqueue_one_by_one(bench: Bench) -> list[Figure]:
    """
    ``delay`` beside redis-py's LPUSH of as many bytes.

    They take turns every few hundred calls, so that a slow moment of the machine hits both alike.
    """
    count, task = bench.count(10_000), bench.app.tasks["mark"]
    ours_rates, floor_rates, calibration = [], [], None
    client = redis.Redis.from_url(bench.server.url)
    for _ in range(max(3, bench.rounds)):
        calibration = bench.empty()
        task.delay(0)
        records: Any = bench.server.client.hvals("{sched:0}:jobs")
        ours_s, floor_s = _in_turns(
            partial(task.delay, 1), partial(client.lpush, "floor", records[0]), count
        )
        ours_rates.append(count / ours_s)
        floor_rates.append(count / floor_s)
    client.close()
    ratio = median([mine / floor for mine, floor in zip(ours_rates, floor_rates, strict=True)])
    details = {"best": max(ours_rates), "rounds": ours_rates}
    floor = {"lpush_per_s": median(floor_rates), "rounds": floor_rates}
    return [
        Figure("delay(), one by one", median(ours_rates), "jobs/s", Goal(">=", 6_000), details,
               calibration),
        Figure("delay() against redis-py's LPUSH loop", ratio, "x", Goal(">=", 1.0), floor,
               calibration),
    ]  # fmt: skip


def enqueue_many(bench: Bench) -> Figure:
    """``apply_many`` of many argument tuples in one call."""
    count, task, rates, calibration = bench.count(100_000), bench.app.tasks["mark"], [], None
    for _ in range(bench.rounds):
        calibration = bench.empty()
        task.delay(0)
        calls = [(number,) for number in range(count)]
        begun = time.perf_counter()
        task.apply_many(calls)
        rates.append(count / (time.perf_counter() - begun))
    details = {"best": max(rates), "rounds": rates}
    name = f"apply_many of {count:,}"
    return Figure(name, median(rates), "jobs/s", Goal(">=", 60_000), details, calibration)


def burst(bench: Bench) -> list[Figure]:
    """Many jobs due at one instant: first start, end of promotion, last start."""
    count, calibration = bench.count(10_000), bench.empty()
    with _beat_and_worker(bench) as session:
        warm_up(bench.app, session, bench.reader)
        due_ms = due_in(2_000 + count // 20)
        eta = datetime.fromtimestamp(due_ms / 1000).astimezone()
        bench.app.tasks["mark"].apply_many([(due_ms,)] * count, eta=eta)
        late_by_ms = due_ms - time.time() * 1000
        if late_by_ms < 100:
            raise Failed(f"burst: jobs were sent too late, {late_by_ms:.0f} ms before the instant")
        time.sleep(max(0.0, late_by_ms / 1000 - 0.02))
        promoted_ms = _when_promoted(bench, due_ms)
        await_stamps(session, bench.reader, count, limit_s=30)
    late = sorted(stamp.at_ns / 1e6 - due_ms for stamp in bench.reader.read())
    name = f"burst of {count:,} at one instant: "
    spread = {"p50_ms": percentile(late, 0.5), "last_ms": late[-1]}
    return [
        Figure(name + "first start", late[0], "ms", Goal("<", 50), {}, calibration),
        Figure(name + "all promoted", promoted_ms, "ms", Goal("<", 1_000), {}, calibration),
        Figure(name + "last start", late[-1], "ms", Goal("<", 1_000), spread, calibration),
    ]


def eta_lateness(bench: Bench) -> list[Figure]:
    """Jobs with an ETA, spread evenly: how much later than it they start, and never earlier."""
    count, calibration = bench.count(2_000), bench.empty()
    over_ms = 20_000 if bench.scale == 1 else 4_000
    with _beat_and_worker(bench) as session:
        warm_up(bench.app, session, bench.reader)
        schedule_spread(bench.app, count, over_ms)
        await_stamps(session, bench.reader, count, limit_s=over_ms / 1000 + 20)
    late = [stamp.at_ns / 1e6 - stamp.number for stamp in bench.reader.read()]
    spread = {"p50_ms": percentile(late, 0.5), "max_ms": max(late)}
    name = f"{count:,} ETA jobs over {over_ms // 1000} s: "
    return [
        Figure(name + "p99 late", percentile(late, 0.99), "ms", Goal("<", 20), spread, calibration),
        Figure(name + "earliest", min(late), "ms", Goal(">=", 0.0), {}, calibration),
    ]


def memory(bench: Bench) -> list[Figure]:
    """Bytes of Redis per scheduled job, and what scheduling does to the worker's memory."""
    count, calibration = bench.count(1_000_000, 10_000), bench.empty()
    task = bench.app.tasks["mail"]
    with _beat_and_worker(bench) as session:
        warm_up(bench.app, session, bench.reader)
        before, pss_before = bench.server.used_memory(), session.cost().pss_mb
        eta = datetime.fromtimestamp(time.time() + 86_400).astimezone()
        begun = time.perf_counter()
        for first in range(0, count, 10_000):
            task.apply_many([MAIL_ARGUMENTS] * min(10_000, count - first), eta=eta)
        took_s = time.perf_counter() - begun
        time.sleep(1)
        each = (bench.server.used_memory() - before) / count
        grown_mb = session.cost().pss_mb - pss_before
    details = {"jobs": count, "sent_per_s": count / took_s}
    worker = {"pss_before_mb": pss_before}
    return [
        Figure("memory per ETA job", each, "B", Goal("<=", 400), details, calibration),
        Figure("worker and beat have grown by", grown_mb, "MB", Goal("<", 2), worker, calibration),
    ]


def _beat_and_worker(bench: Bench) -> Any:
    commands = [ours.beat_command(), ours.worker_command(2)]
    return ours.start(commands, bench.server, bench.reader.folder)


def _when_promoted(bench: Bench, due_ms: int) -> float:
    """How long after the instant the timeline has nothing due left, ms."""
    deadline = time.monotonic() + 30
    while bench.server.client.zcount("{sched:0}:timeline", 0, due_ms):
        if time.monotonic() > deadline:
            raise Failed("burst: not promoted within 30 s")
        time.sleep(0.002)
    return time.time() * 1000 - due_ms


def _in_turns(
    first: Callable[[], object], second: Callable[[], object], count: int
) -> tuple[float, float]:
    """Seconds that so many calls of each take, 200 of one and 200 of the other in turns."""
    spent = [0.0, 0.0]
    for _ in range(max(1, count // 200)):
        for which, call in enumerate((first, second)):
            begun = time.perf_counter()
            for _ in range(min(200, count)):
                call()
            spent[which] += time.perf_counter() - begun
    return spent[0], spent[1]


FIGURES: dict[str, Callable[[Bench], Figure | list[Figure]]] = {
    "drain": drain,
    "drain_stored": lambda bench: drain(bench, stored=True),
    "delay": enqueue_one_by_one,
    "apply_many": enqueue_many,
    "client_cpu": client_cpu,
    "async_client_cpu": async_client_cpu,
    "threads": threads,
    "burst": burst,
    "eta": eta_lateness,
    "memory": memory,
}


def main() -> int:
    """Measure, print, keep; the exit code is 1 where a goal is missed."""
    options = _options()
    with PrivateRedis(options.server, options.transport) as server:
        ours.point_client_at(server)
        from benchmarks.bench_app import app

        folder = Path(tempfile.mkdtemp(prefix="bench-stamps-"))
        scale = 0.05 if options.quick else 1.0
        bench = Bench(server, app, StampReader(folder), options.rounds, scale)
        print(f"{server.described}; {machine.described()}", flush=True)
        found: list[Figure] = []
        for name in options.only or FIGURES:
            result = FIGURES[name](bench)
            for figure in result if isinstance(result, list) else [result]:
                print(figure.line(), flush=True)
                found.append(figure)
        if options.keep:
            keep(options.keep, found, server.described)
    return 0 if all(figure.is_met is not False for figure in found) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.main_job", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), help=", ".join(FIGURES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the size")
    parser.add_argument("--server", default=SYSTEM_SERVER)
    parser.add_argument("--transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument(
        "--keep", type=Path, help=f"JSON and text file, such as {RESULTS.name}/x.json"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
