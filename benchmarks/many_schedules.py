"""
Many schedules: a thousand, each every 1 to 10 seconds, for a minute; ``python -m
benchmarks.many_schedules``. With ``--count 10000 --stretch 10`` ten thousand, each every 10 to 100
seconds: as many fires, from ten times as many definitions.

Each job says when it started and which schedule made it. The gap between two starts of one
schedule should be its interval; the gap error is how far it is off. Only those peers take part
that have sub-minute schedules on Redis (Celery beat, BullMQ), and APScheduler in memory as the
floor of what a single Python process does.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.driving import Driver
from benchmarks.environments import prepare
from benchmarks.figures import Figure, Goal
from benchmarks.keeping import keep
from benchmarks.private_redis import SYSTEM_SERVER, PrivateRedis
from benchmarks.roster import Contender
from benchmarks.sessions import Failed, Session
from benchmarks.stamps import Stamp, StampReader
from benchmarks.statistics_of import percentile


@dataclass(frozen=True)
class Entrant:
    """
    One contender of this cell.

    Attributes:
        label: In the table.
        contender: How it is started.
        has_scheduler: Whether a process of its own fires.
        sends_schedules: Whether they are put into Redis before (BullMQ).
        goals: By figure.
    """

    label: str
    contender: Contender
    has_scheduler: bool = False
    sends_schedules: bool = False
    goals: dict[str, Goal] = field(default_factory=dict)


def _contender(name: str, environment: str, module: str | None, **settings: Any) -> Contender:
    return Contender(name, "default", name.lower(), environment, module, acks=True, drain_jobs=0,
                     sends_per_s=1_000, settings=settings)  # fmt: skip


_OURS = _contender("Beatline", "ours", "beatline_side")
_GOALS = {"p50": Goal("<", 1), "cpu": Goal("<=", 4)}

ENTRANTS = [
    Entrant("Beatline, aligned", _OURS, True, goals={**_GOALS, "p99": Goal("<", 30)}),
    Entrant("Beatline, offset: spread", replace(_OURS, settings={"spread": True}), True,
            goals={**_GOALS, "p99": Goal("<", 10)}),
    Entrant("APScheduler, in memory", _contender("APScheduler", "peers", "apscheduler_side")),
    Entrant("Celery beat", _contender("Celery", "peers", "celery_side"), True),
    Entrant("BullMQ", replace(_contender("BullMQ", "node", None, concurrency=50),
                              worker_processes=2), sends_schedules=True),
]  # fmt: skip


@dataclass(frozen=True)
class Load:
    """
    How much is to be fired.

    Attributes:
        count: Schedules.
        stretch: Their intervals are 1 to 10 times as many seconds.
        seconds: How long they are watched.
    """

    count: int
    stretch: int
    seconds: int

    def interval_ms(self, number: int) -> int:
        """Of one schedule."""
        return 1_000 * self.stretch * (1 + number % 10)

    @property
    def is_the_usual(self) -> bool:
        """Whether goals were set for it."""
        return (self.count, self.stretch, self.seconds) == (1_000, 1, 60)

    @property
    def expected(self) -> float:
        """How many fires there should be."""
        each = (1_000 * self.seconds / self.interval_ms(number) for number in range(self.count))
        return sum(each)


@dataclass(frozen=True)
class Observed:
    """
    What one contender did in a window.

    Attributes:
        errors_ms: How far each gap between two starts of a schedule was from its interval.
        fired: Jobs started in the window.
        cpu_s: CPU of whatever fires.
        pss_mb: Its memory.
    """

    errors_ms: list[float]
    fired: int
    cpu_s: float
    pss_mb: float

    def skipped(self, load: Load) -> int:
        """Occurrences that did not come: each leaves a gap of two intervals."""
        return sum(error > 900 * load.stretch for error in self.errors_ms)


def observe(
    contender: Contender,
    server: PrivateRedis,
    load: Load,
    *,
    has_scheduler: bool,
    sends_schedules: bool,
) -> Observed:
    """
    Start it with its schedules, and watch a window of what it fires.

    Raises:
        Failed: No schedule fired twice.
    """
    folder = Path(tempfile.mkdtemp(prefix="bench-schedules-"))
    reader = StampReader(folder)
    settings = {**contender.settings, "schedules": load.count, "stretch": load.stretch}
    driver = Driver(replace(contender, settings=settings), server, folder)
    with ExitStack() as stack:
        worker = stack.enter_context(driver.work())
        firing = stack.enter_context(driver.schedule()) if has_scheduler else worker
        if sends_schedules:
            driver.send("schedules", load.count)
        stamps, cpu_s, pss_mb = _watched(reader, firing, load.seconds)
        last_words = firing.tail()
    errors = gap_errors_ms(stamps, load)
    if not errors:
        raise Failed(f"{contender.name}: nothing fired twice; last words:\n{last_words}")
    return Observed(errors, len(stamps), cpu_s, pss_mb)


def measure(entrant: Entrant, server: PrivateRedis, load: Load) -> list[Figure]:
    """Fired against expected, gap errors, and the CPU of whatever fires."""
    server.empty()
    calibration = machine.calibrate(server.client)
    seen = observe(entrant.contender, server, load, has_scheduler=entrant.has_scheduler,
                   sends_schedules=entrant.sends_schedules)  # fmt: skip
    slowest_ms = max(calibration.loop_ms, machine.calibrate(server.client).loop_ms)
    # The goals are those of a thousand schedules every 1 to 10 s.
    label, goals = entrant.label, entrant.goals if load.is_the_usual else {}
    share = {
        "fired": seen.fired,
        "expected": round(load.expected),
        "skipped": seen.skipped(load),
        "loop_ms": slowest_ms,
    }
    return [
        Figure(f"{label}: fired / expected", seen.fired / load.expected, "x", None, share,
               calibration),
        Figure(f"{label}: gap error p50", percentile(seen.errors_ms, 0.5), "ms", goals.get("p50")),
        Figure(f"{label}: gap error p99", percentile(seen.errors_ms, 0.99), "ms",
               goals.get("p99"), {"max": max(seen.errors_ms)}),
        Figure(f"{label}: CPU of what fires", seen.cpu_s, "s", goals.get("cpu"),
               {"pss_mb": seen.pss_mb}),
    ]  # fmt: skip


def _watched(
    reader: StampReader, firing: Session, seconds: int
) -> tuple[list[Stamp], float, float]:
    """The stamps of a window that begins when all has settled, and the CPU and PSS of it."""
    firing.wait_until(lambda: reader.count() > 0, 120, 0.05)
    time.sleep(12)
    begun_ns, cpu = time.time_ns(), firing.cost().cpu_s
    time.sleep(seconds)
    ended_ns, cost = time.time_ns(), firing.cost()
    time.sleep(0.5)
    stamps = [stamp for stamp in reader.read() if begun_ns <= stamp.at_ns < ended_ns]
    return stamps, cost.cpu_s - cpu, cost.pss_mb


def gap_errors_ms(stamps: list[Stamp], load: Load) -> list[float]:
    """How far each gap between two starts of one schedule is from its interval."""
    starts: dict[int, list[int]] = {}
    for stamp in sorted(stamps):
        starts.setdefault(stamp.number, []).append(stamp.at_ns)
    return [
        abs((later - earlier) / 1e6 - load.interval_ms(number))
        for number, instants in starts.items()
        for earlier, later in itertools.pairwise(instants)
    ]


def main() -> int:
    """Measure everybody once, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_schedules",
                                     description=__doc__)  # fmt: skip
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--stretch", type=int, default=1, help="times 1 to 10 s")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--ours", action="store_true", help="without peers")
    parser.add_argument("--server", default=SYSTEM_SERVER)
    parser.add_argument("--transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--keep", type=Path, help="JSON and text file")
    options = parser.parse_args()
    found: list[Figure] = []
    load = Load(options.count, options.stretch, options.seconds)
    with PrivateRedis(options.server, options.transport) as server:
        print(f"{server.described}; {machine.described()}", flush=True)
        for entrant in ENTRANTS:
            if options.ours and entrant.contender.environment != "ours":
                continue
            prepare(entrant.contender.environment)
            for figure in measure(entrant, server, load):
                print(figure.line(), flush=True)
                found.append(figure)
        if options.keep:
            keep(options.keep, found, server.described)
    return 0


if __name__ == "__main__":
    sys.exit(main())
