"""
How long the time machine takes for a month of schedules: ``python -m benchmarks.time_machine``.

Prints one line per mode and run: occurrences, wall time, processor time of this process and of the
server. The claim is the first mode's: 10,000 occurrences in less than a second on two processors.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from beatline.testing import Jobs, TimeMachine

SCHEDULES = """
schedules:
  a: {task: t, cron: "*/10 * * * *", timezone: Europe/Berlin}
  b: {task: t, every: 15m}
  c: {task: t, every: 20m, offset: spread}
  d: {task: t, cron: "7 * * * *"}
  e: {task: t, cron: "30 2 * * *", timezone: Europe/Berlin}
"""


def server_s(machine: TimeMachine) -> float:
    """Processor time of the server, seconds."""
    told = machine.app.sender().ask(lambda connection: connection.call("INFO", "cpu")).decode()
    figures = dict(line.split(":") for line in told.split() if ":" in line)
    return float(figures["used_cpu_user"]) + float(figures["used_cpu_sys"])


def run(mode: Jobs, url: str | None) -> None:
    """One month in one mode."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "month.yaml")
        path.write_text(SCHEDULES)
        with TimeMachine(schedules=[path], start="2026-03-01", url=url, jobs=mode) as machine:
            server, own, begun = server_s(machine), time.process_time(), time.perf_counter()
            machine.run_until("2026-04-01")
            wall = time.perf_counter() - begun
            own, server = time.process_time() - own, server_s(machine) - server
            fires = sum(len(machine.fires(name)) for name in "abcde")
    print(f"{mode:5} {fires:,} fires  {wall:.2f} s  own {own:.2f} s  server {server:.2f} s")


def main() -> None:
    """Each mode three times; a URL may be given."""
    url = sys.argv[1] if len(sys.argv) > 1 else None
    for mode in (Jobs.OVER, Jobs.END):
        for _ in range(3):
            run(mode, url)


if __name__ == "__main__":
    main()
