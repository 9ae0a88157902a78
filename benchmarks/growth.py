"""
What becomes of each transition as the schedule grows: ``python -m benchmarks.growth``.

``make bench-scale``. The timeline is filled with far-off jobs up to 10 thousand, 100 thousand, one
million and five million entries, and at each size the same calls are timed through the code that
users and beat call. Nothing but the server and this process runs: what becomes ready is left in the
queue and removed afterwards. Then a `sched beat` idles beside all that waits.

At the end each figure of the largest sizes is held against the one at 10 thousand entries.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from beatline.beat.planning import Absences, plan_advances
from beatline.beat.roles import Cast
from beatline.beat.statistics import Statistics
from beatline.keys import prefix
from beatline.store.firing import fire
from beatline.store.promoting import promote
from beatline.wire.connection import Endpoint, HeldConnection
from benchmarks import machine, ours
from benchmarks.figures import Figure, Goal
from benchmarks.keeping import keep
from benchmarks.plot import Bar, bar_charts
from benchmarks.private_redis import SYSTEM_SERVER, PrivateRedis
from benchmarks.statistics_of import median, percentile

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)

#: Jobs that are promoted at each size, and the limit of one call: beat's own.
PROMOTED, LIMIT = 20_000, 500

#: How often: the machine may be busy for one of them.
ROUNDS = 3

#: Calls of each other transition at each size.
CALLS = 2_000

#: Schedules that are fired at each size, one call each.
FIRED = 500

#: How long beat idles at each size before it is looked at, and while it is, seconds.
SETTLING_S, IDLE_S = 5.0, 20.0

MAIL_ARGUMENTS = (42, "user@example.com")

#: A promotion at this size costs at most so many times the one at the smallest.
PROMISED, FLAT = 1_000_000, Goal("<=", 1.3)


@dataclass(frozen=True)
class Field:
    """The server, our app on it, and a connection for the store's own calls."""

    server: PrivateRedis
    app: Any
    connection: HeldConnection

    def entries(self) -> int:
        """How many entries the timeline has."""
        return int(self.server.client.zcard("{sched:0}:timeline"))

    def fill(self, size: int) -> None:
        """Add far-off jobs until the timeline has so many entries."""
        task = self.app.tasks["mail"]
        missing = size - self.entries()
        # Spread over a day, so that scores differ as they do in life.
        for first in range(0, missing, 10_000):
            eta = datetime.fromtimestamp(time.time() + 86_400 + first % 86_400, UTC)
            task.apply_many([MAIL_ARGUMENTS] * min(10_000, missing - first), eta=eta)


def at_size(field: Field, size: int) -> list[Figure]:
    """All transitions at one size."""
    before, bytes_before = field.entries(), field.server.used_memory()
    begun = time.perf_counter()
    field.fill(size)
    added, took = size - before, time.perf_counter() - begun
    each = (field.server.used_memory() - bytes_before) / added
    calibration = machine.calibrate(field.server.client)
    far = datetime.fromtimestamp(time.time() + 90_000, UTC)
    mark, mail = field.app.tasks["mark"], field.app.tasks["mail"]
    ids: list[Any] = []

    def schedule() -> None:
        ids.append(mail.apply_async(MAIL_ARGUMENTS, eta=far).id)

    timed = {
        "enqueue one": _each_us(lambda: mark.delay(1), CALLS),
        "schedule one": _each_us(schedule, CALLS),
        "cancel a scheduled one by id": _each_us(lambda: field.app.jobs.cancel(ids.pop()), CALLS),
    }
    figures = [
        Figure(f"{size:>9,}: {name}", median(found), "us", None,
               _spread(found), calibration)
        for name, found in timed.items()
    ]  # fmt: skip
    figures.append(_firing(field, size, calibration))
    figures += _promotion(field, size, calibration)
    figures += _idle_beat(field, size)
    figures.append(Figure(f"{size:>9,}: schedule in bulk", added / took, "jobs/s"))
    return [*figures, Figure(f"{size:>9,}: memory per entry", each, "B", Goal("<=", 400))]


def _promotion(field: Field, size: int, calibration: machine.Calibration) -> list[Figure]:
    """Many jobs that are due, promoted in calls of beat's own size, some rounds of it."""
    spent_ms: list[float] = []
    server_cpu = 0.0
    for _ in range(ROUNDS):
        make_due(field)
        before = field.server.cpu_seconds()
        spent_ms += promoted_ms(field)
        server_cpu += field.server.cpu_seconds() - before
        field.server.client.delete("{sched:0}:ready:default:4")
    per_s = LIMIT * len(spent_ms) / (sum(spent_ms) / 1000)
    spread = {**_spread(spent_ms), "server_cpu_us": server_cpu / (ROUNDS * PROMOTED) * 1e6}
    return [
        Figure(f"{size:>9,}: promote", per_s, "jobs/s", Goal(">=", 300_000), {}, calibration),
        Figure(f"{size:>9,}: promote, one call of {LIMIT}", median(spent_ms), "ms",
               Goal("<=", 1.5), spread, calibration),
    ]  # fmt: skip


def make_due(field: Field) -> None:
    """Schedule as many jobs as are promoted, and wait until all of them are due."""
    soon = datetime.fromtimestamp(time.time() + 1.5 + PROMOTED / 50_000, UTC)
    field.app.tasks["mail"].apply_many([MAIL_ARGUMENTS] * PROMOTED, eta=soon)
    time.sleep(max(0.0, soon.timestamp() - time.time()) + 0.05)


def promoted_ms(field: Field) -> list[float]:
    """Milliseconds of each call until all is promoted."""
    spent_ms, moved = [], 0
    while moved < PROMOTED:
        begun = time.perf_counter()
        promoted = promote(field.connection, prefix("sched", 0), LIMIT)
        spent_ms.append((time.perf_counter() - begun) * 1000)
        if not promoted.moved:
            raise RuntimeError(f"only {moved} of {PROMOTED} jobs were due")
        moved += promoted.moved
    return spent_ms


def _firing(field: Field, size: int, calibration: machine.Calibration) -> Figure:
    """Schedules that are due, each fired by a call of its own, one occurrence each."""
    names = [f"growth-{number}" for number in range(FIRED)]
    for name in names:
        field.app.schedules.put(name, "mark", every="1s", args=[1], overlap="allow")
    time.sleep(1.1)
    settings = field.app.settings
    roles = Cast(field.connection, settings, {}, "bench", {}, Statistics()).roles(0)
    roles.known.read(names)
    where, spent_us = prefix("sched", 0), []
    for name in names:
        known = roles.known.get(name)
        assert known is not None
        assert known.due_ms is not None
        advances, _ = plan_advances(known, known.due_ms, Absences())
        begun = time.perf_counter()
        fired = fire(field.connection, where, advances[0])
        spent_us.append((time.perf_counter() - begun) * 1e6)
        if fired.jobs != 1:
            raise RuntimeError(f"{name} was not fired: {fired}")
    for name in names:
        field.app.schedules.remove(name)
    field.server.client.delete("{sched:0}:ready:default:4")
    return Figure(f"{size:>9,}: fire one", median(spent_us), "us", None, _spread(spent_us),
                  calibration)  # fmt: skip


def _idle_beat(field: Field, size: int) -> list[Figure]:
    """What a beat costs that has nothing to do but wait."""
    folder = Path(tempfile.mkdtemp(prefix="bench-growth-"))
    with ours.start([ours.beat_command()], field.server, folder) as session:
        session.wait_until(lambda: "beat.leading" in session.tail(), 20, 0.1)
        time.sleep(SETTLING_S)
        calibration = machine.calibrate(field.server.client)
        before, server_before = session.cost(), field.server.cpu_seconds()
        time.sleep(IDLE_S)
        after, server_after = session.cost(), field.server.cpu_seconds()
    percent = (after.cpu_s - before.cpu_s) / IDLE_S * 100
    server_percent = (server_after - server_before) / IDLE_S * 100
    return [
        Figure(f"{size:>9,}: idle beat, CPU", percent, "%", Goal("<", 1),
               {"server_percent": server_percent, "pss_mb": after.pss_mb}, calibration),
    ]  # fmt: skip


def flatness(found: Sequence[Figure]) -> list[Figure]:
    """
    Each cost at the larger sizes by that at the smallest.

    Held against each other are the quickest tenths of the calls: what other work on the machine
    adds to the slower ones has nothing to do with the size.
    """
    smallest, quickest = f"{SIZES[0]:,}", {}
    for figure in found:
        size, _, what = figure.name.strip().partition(": ")
        if "p10" in figure.details:
            quickest[what, size] = figure.details["p10"]
    figures = []
    for (what, size), value in quickest.items():
        if size != smallest and (what, smallest) in quickest:
            is_promised = what.startswith("promote") and size == f"{PROMISED:,}"
            figures.append(Figure(f"{what}: {size} by {smallest} entries",
                                  value / quickest[what, smallest], "x",
                                  FLAT if is_promised else None))  # fmt: skip
    return figures


def _spread(found: Sequence[float]) -> dict[str, float]:
    return {"p10": percentile(found, 0.1), "p99": percentile(found, 0.99)}


def plot(found: Sequence[Figure], caption: str) -> str:
    """An SVG image: one chart per transition, one bar per size."""
    charts: dict[str, tuple[str, list[Bar]]] = {}
    for figure in found:
        size, separator, what = figure.name.strip().partition(": ")
        if separator and size[:1].isdigit():
            bars = charts.setdefault(what, (figure.unit, []))[1]
            bars.append(Bar(f"{size} entries", figure.value, is_ours=True))
    drawn = [(what, unit, bars) for what, (unit, bars) in charts.items()]
    return bar_charts(drawn, caption)


def _each_us(call: Callable[[], object], count: int) -> list[float]:
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        call()
        found.append((time.perf_counter() - begun) * 1e6)
    return found


def main() -> int:
    """Measure at each size, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    parser.add_argument("--server", default=SYSTEM_SERVER)
    parser.add_argument("--transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--keep", type=Path, help="JSON and text file")
    options = parser.parse_args()
    with PrivateRedis(options.server, options.transport) as server:
        ours.point_client_at(server)
        from benchmarks.bench_app import app

        print(f"{server.described}; {machine.described()}", flush=True)
        field = Field(server, app, HeldConnection(Endpoint(server.url)))
        found = []
        for size in SIZES:
            if size > options.largest:
                break
            for figure in at_size(field, size):
                print(figure.line(), flush=True)
                found.append(figure)
        for figure in flatness(found):
            print(figure.line(), flush=True)
            found.append(figure)
        if options.keep:
            keep(options.keep, found, server.described)
            options.keep.with_suffix(".svg").write_text(
                plot(found, machine.caption(server.described))
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
