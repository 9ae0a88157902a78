"""
What becomes of each transition as the schedule grows: ``python -m benchmarks.growth``.

``make bench-scale``. The timeline is filled with far-off jobs up to 10 thousand, 100 thousand, one
million and five million entries, and at each size the same calls are timed through the code that
users and beat call. Nothing but the server and this process runs: what is promoted is left in the
queue and removed afterwards.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from beatline.keys import prefix
from beatline.store.promoting import promote
from beatline.wire.connection import Endpoint, HeldConnection
from benchmarks import machine, ours
from benchmarks.figures import Figure, Goal
from benchmarks.keeping import keep
from benchmarks.private_redis import SYSTEM_SERVER, PrivateRedis
from benchmarks.statistics_of import median, percentile

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)

#: Jobs that are promoted at each size, and the limit of one call: beat's own.
PROMOTED, LIMIT = 20_000, 500

#: Calls of each other transition at each size.
CALLS = 2_000

MAIL_ARGUMENTS = (42, "user@example.com")


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
               {"p99": percentile(found, 0.99)}, calibration)
        for name, found in timed.items()
    ]  # fmt: skip
    figures += _promotion(field, size, calibration)
    figures.append(Figure(f"{size:>9,}: schedule in bulk", added / took, "jobs/s"))
    return [*figures, Figure(f"{size:>9,}: memory per entry", each, "B", Goal("<=", 400))]


def _promotion(field: Field, size: int, calibration: machine.Calibration) -> list[Figure]:
    """Many jobs that are due, promoted in calls of beat's own size."""
    soon = datetime.fromtimestamp(time.time() + 1.5 + PROMOTED / 50_000, UTC)
    field.app.tasks["mail"].apply_many([MAIL_ARGUMENTS] * PROMOTED, eta=soon)
    time.sleep(max(0.0, soon.timestamp() - time.time()) + 0.05)
    where, spent_ms, moved = prefix("sched", 0), [], 0
    while moved < PROMOTED:
        begun = time.perf_counter()
        promoted = promote(field.connection, where, LIMIT)
        spent_ms.append((time.perf_counter() - begun) * 1000)
        if not promoted.moved:
            raise RuntimeError(f"only {moved} of {PROMOTED} jobs were due")
        moved += promoted.moved
    per_s = PROMOTED / (sum(spent_ms) / 1000)
    field.server.client.delete("{sched:0}:ready:default:4")
    slow = {"p99_ms": percentile(spent_ms, 0.99)}
    return [
        Figure(f"{size:>9,}: promote", per_s, "jobs/s", Goal(">=", 300_000), {}, calibration),
        Figure(f"{size:>9,}: promote, one call of {LIMIT}", median(spent_ms), "ms",
               Goal("<=", 1.5), slow, calibration),
    ]  # fmt: skip


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
        if options.keep:
            keep(options.keep, found, server.described)
    return 0


if __name__ == "__main__":
    sys.exit(main())
