"""
Ten thousand schedules on one beat: ``python -m benchmarks.timetable``.

Each schedule fires every 1 to 60 s, 780 fires a second in all. Measured are the time from the start
of `sched beat` until its YAML file is read, checked and live; the lateness with which occurrences
are enqueued, as the ledger tells it (server's clock, whole ms); and beat's CPU. Aligned, all
intervals lie on one grid, so that up to ten thousand are due at one instant; with ``offset:
spread`` they lie apart. Without ``--worker`` nobody runs the jobs, so that beat is measured alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from beatline.keys import prefix
from beatline.ledger import read_history
from beatline.store.schedule_reading import read_ledger
from beatline.wire.connection import Endpoint, HeldConnection
from benchmarks import machine
from benchmarks.figures import Figure, Goal
from benchmarks.keeping import keep
from benchmarks.private_redis import SYSTEM_SERVER, PrivateRedis
from benchmarks.sessions import Failed, Session
from benchmarks.statistics_of import median, percentile

#: Rest between the start and the window, seconds: definitions have been read by then, and so has
#: every ledger been begun.
SETTLE_S = 5
GOALS = {
    "start": Goal("<", 5),
    "cpu": Goal("<", 60),
    "aligned": Goal("<", 250),
    "spread": Goal("<", 50),
}


def declaring(count: int, *, spread: bool) -> str:
    """The YAML file."""
    more = ", offset: spread" if spread else ""
    lines = [
        f"  job-{number}: {{task: noop, every: {1 + number % 60}s, args: [{number}]{more}}}"
        for number in range(count)
    ]
    return "defaults: {overlap: allow}\nschedules:\n" + "\n".join(lines) + "\n"


def expected_fires(count: int, seconds: float) -> float:
    """How many fires a window of this length should see."""
    return sum(seconds / (1 + number % 60) for number in range(count))


def measure(server: PrivateRedis, form: str, options: argparse.Namespace) -> list[Figure]:
    """Start, lateness and CPU of one run."""
    server.empty()
    calibration = machine.calibrate(server.client)
    folder = Path(tempfile.mkdtemp(prefix="bench-timetable-"))
    file = folder / "schedules.yaml"
    file.write_text(declaring(options.count, spread=form == "spread"))
    environment = {"BEATLINE_REDIS_URL": server.url}
    sched = [sys.executable, "-m", "beatline.cli"]
    with ExitStack() as stack:
        if options.worker:
            app = ["-A", "benchmarks/timetable_app.py:app", "-c", "1"]
            work = Session([[*sched, "worker", *app]], environment, folder / "worker.log")
            stack.enter_context(work)
        begun = time.monotonic()
        beat = Session([[*sched, "beat", "--schedules", str(file)]], environment, folder / "log")
        stack.enter_context(beat)
        if not beat.wait_until(lambda: "beat.declared" in beat.tail(10_000), 60, 0.02):
            raise Failed(f"beat has not started; last words:\n{beat.tail()}")
        start_s = time.monotonic() - begun
        start_cpu_s = beat.cost().cpu_s
        time.sleep(SETTLE_S)
        from_ms, began, cpu = time.time_ns() // 10**6, time.monotonic(), beat.cost().cpu_s
        time.sleep(options.seconds)
        until_ms, spent_s = time.time_ns() // 10**6, time.monotonic() - began
        cost = beat.cost()
        time.sleep(1)
    late = lateness_ms(server.url, options.count, from_ms, until_ms)
    share = 100 * (cost.cpu_s - cpu) / spent_s
    expected = expected_fires(options.count, spent_s)
    details = {
        "p50": percentile(late, 0.5),
        "max": max(late),
        "fired": len(late),
        "expected": round(expected),
    }
    per_fire_us = (cost.cpu_s - cpu) / len(late) * 1e6
    return [
        Figure(f"{form}: start", start_s, "s", GOALS["start"], {"cpu_s": start_cpu_s}, calibration),
        Figure(f"{form}: lateness p99", percentile(late, 0.99), "ms", GOALS[form], details),
        Figure(
            f"{form}: beat's CPU",
            share,
            "% core",
            GOALS["cpu"],
            {"us_per_fire": per_fire_us, "pss_mb": cost.pss_mb},
        ),
    ]


def lateness_ms(url: str, count: int, from_ms: int, until_ms: int) -> list[float]:
    """How late each occurrence of the window was enqueued."""
    connection = HeldConnection(Endpoint(url))
    late: list[float] = []
    for number in range(count):
        events = read_ledger(connection, prefix("sched", 0), f"job-{number}")
        late += [
            entry.enqueued_ms - entry.planned_ms
            for entry in read_history(events, latest=1_000)
            if entry.enqueued_ms is not None and from_ms <= entry.planned_ms < until_ms
        ]
    connection.close()
    if not late:
        raise Failed("nothing was fired")
    return late


def middle(rounds: list[list[Figure]]) -> list[Figure]:
    """The median of each figure, with all rounds and the best among its details."""
    found = []
    for figures in zip(*rounds, strict=True):
        values = [figure.value for figure in figures]
        best = min(figures, key=lambda figure: figure.value)
        details = {"best": best.value, "rounds": values, **best.details}
        one = figures[0]
        found.append(Figure(one.name, median(values), one.unit, one.goal, details, one.calibration))
    return found


def main() -> int:
    """Measure both forms in turn, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timetable", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", action="store_true", help="run the jobs, with one child")
    parser.add_argument("--only", choices=("aligned", "spread"))
    parser.add_argument("--server", default=SYSTEM_SERVER)
    parser.add_argument("--transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--keep", type=Path, help="JSON and text file")
    options = parser.parse_args()
    forms = [options.only] if options.only else ["aligned", "spread"]
    found: list[Figure] = []
    with PrivateRedis(options.server, options.transport) as server:
        print(f"{server.described}; {machine.described()}", flush=True)
        rounds: dict[str, list[list[Figure]]] = {form: [] for form in forms}
        for _ in range(options.rounds):
            for form in forms:
                rounds[form].append(measure(server, form, options))
                print(*(figure.line() for figure in rounds[form][-1]), sep="\n", flush=True)
        for form in forms:
            found += middle(rounds[form])
        print("\nMedian of the rounds:", *(figure.line() for figure in found), sep="\n")
        if options.keep:
            keep(options.keep, found, server.described)
    return 0


if __name__ == "__main__":
    sys.exit(main())
