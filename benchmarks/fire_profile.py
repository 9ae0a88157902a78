"""
Where beat's CPU goes when it fires: ``python -m benchmarks.fire_profile``.

A thousand schedules, each every 1 to 10 s, fired by a beat of this process; nobody runs the jobs.
The first window tells the CPU for each fire and the kernel's share of it; the second one, under
cProfile, the calls for each fire and where the time goes. The profiler makes all of it slower: its
times are there to be compared with each other.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

from beatline import App
from beatline.beat.beat import Beat
from beatline.wire.connection import Endpoint
from beatline_schedules import load
from benchmarks import machine
from benchmarks.private_redis import SYSTEM_SERVER, PrivateRedis

#: Rest before the first window, seconds: definitions have been read by then.
SETTLE_S = 5


class ProfiledBeat(Beat):
    """
    A beat that measures itself.

    Attributes:
        window_s: Length of each of the two windows.
        calls: What the profiler has seen.
        fired: Fires in the first window and in the second.
        cpu_s: CPU of the first window, in user mode and in the kernel.
    """

    window_s = 10.0
    calls = cProfile.Profile()
    fired = (0, 0)
    cpu_s = (0.0, 0.0)

    def measure(self) -> None:
        """Fire until both windows are over."""
        stop = threading.Event()
        self._begins_at = time.monotonic() + SETTLE_S
        self._stage = 0
        self._marks: list[tuple[int, float, float]] = []
        self.run_until(stop)

    def _turn(self) -> bool:
        if time.monotonic() >= self._begins_at + self._stage * self.window_s:
            self._mark()
        return super()._turn()

    def _mark(self) -> None:
        used = resource.getrusage(resource.RUSAGE_THREAD)
        fired = self.statistics.counters.get("fired", 0)
        self._marks.append((fired, used.ru_utime, used.ru_stime))
        self._stage += 1
        if self._stage == 2:
            self.calls.enable()
        elif self._stage == 3:
            self.calls.disable()
            before, between, after = self._marks
            self.fired = (between[0] - before[0], after[0] - between[0])
            self.cpu_s = (between[1] - before[1], between[2] - before[2])
            self.stop()


def profile(server: PrivateRedis, form: str, options: argparse.Namespace) -> None:
    """Measure one form, and print it."""
    server.empty()
    more = ", offset: spread" if form == "spread" else ""
    lines = [
        f"  job-{number}: {{task: noop, every: {1 + number % 10}s, args: [{number}]{more}}}"
        for number in range(options.count)
    ]
    file = Path(tempfile.mkdtemp(prefix="bench-fires-")) / "schedules.yaml"
    file.write_text("defaults: {overlap: allow}\nschedules:\n" + "\n".join(lines) + "\n")
    app = App("bench", redis=server.url)
    beat = ProfiledBeat(app, Endpoint(server.url), load([file]), owns_process=True)
    beat.window_s, beat.calls = options.seconds, cProfile.Profile()
    beat.measure()
    user_s, kernel_s = beat.cpu_s
    unprofiled, profiled = beat.fired
    stats = pstats.Stats(beat.calls)
    rows = [
        (own_s, calls, f"{Path(path).name}:{name}" if path != "~" else name)
        for (path, _, name), (_, calls, own_s, *_) in stats.stats.items()  # type: ignore[attr-defined]
    ]
    print(
        f"\n{form}: {unprofiled} fires in {options.seconds:g} s, "
        f"{(user_s + kernel_s) / unprofiled * 1e6:.0f} µs of CPU for each, "
        f"{kernel_s / (user_s + kernel_s):.0%} of it in the kernel; "
        f"{sum(row[1] for row in rows) / profiled:.0f} calls of functions for each"
    )
    for own_s, calls, name in sorted(rows, reverse=True)[: options.rows]:
        print(f"{own_s / profiled * 1e6:8.1f} µs {calls / profiled:6.2f} x  {name}")


def main() -> int:
    """Profile both forms."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fire_profile", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each window")
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--only", choices=("aligned", "spread"))
    parser.add_argument("--server", default=SYSTEM_SERVER)
    options = parser.parse_args()
    with PrivateRedis(options.server) as server:
        print(f"{server.described}; {machine.described()}", flush=True)
        for form in [options.only] if options.only else ["aligned", "spread"]:
            profile(server, form, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
