"""
How long a trigger takes to say what comes next: ``python -m benchmarks.triggers``.

A kept trigger is asked for its next fire time, as beat does for each fire: from random instants of
2026 to 2036, and in a row. CPU time of this process, so that a busy machine matters little.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from beatline.errors import InvalidTrigger
from beatline.triggers import Cron
from benchmarks import machine
from benchmarks.figures import Figure, Goal
from benchmarks.keeping import keep
from benchmarks.statistics_of import percentile

ORDINARY = (
    "*/5 * * * *",
    "30 2 * * *",
    "0 9-17 * * mon-fri",
    "15 */2 * * *",
    "0 0 1 * *",
    "0 0 1 jan *",
    "5 4 * * sun",
    "0 0 13 * 5",
    "0 12 L * *",
    "0 9 * * mon#1",
    "H H(0-5) * * *",
)
LEAP_DAY = "0 0 29 2 *"
#: What comes seldom, or asks for much looking.
RARE = (
    "0 0 29 2 */7",
    "0 0 29 2 mon#5",
    "0 0 */29 2 7",
    "59 23 31 12 */6",
    "0 0 31 */2 *",
    "0 0 L 2 */4",
    "0 0 */30 4 */6",
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
FIELDS = (
    ("*", "*/7", "0", "59", "5-20/3", "1,31,59", "H"),
    ("*", "*/5", "0", "23", "22-2", "2,3"),
    ("*", "*/29", "*/30", "29", "30", "31", "L", "13,L"),
    ("*", "2", "*/11", "feb,sep", "12"),
    ("*", "*/7", "*/6", "0", "fri-mon", "mon#5", "sun#1,sat#5"),
)
FROM_MS, SPAN_MS = 1_767_225_600_000, 10 * 365 * 86_400_000


def spent_us(trigger: Cron, count: int, draw: random.Random) -> list[float]:
    """CPU of each of many questions, half of them from random instants, half in a row."""
    starts = [FROM_MS + draw.randrange(SPAN_MS) for _ in range(count)]
    found: list[float] = []
    in_a_row: int | None = FROM_MS
    for start in starts:
        found.append(timed_us(trigger, start)[0])
        if in_a_row is not None:
            us, in_a_row = timed_us(trigger, in_a_row)
            found.append(us)
    return found


def timed_us(trigger: Cron, after_ms: int) -> tuple[float, int | None]:
    """CPU of one question, and its answer."""
    begun = time.process_time_ns()
    answer = trigger.next_ms(after_ms)
    return (time.process_time_ns() - begun) / 1_000, answer


def random_triggers(count: int, draw: random.Random) -> list[Cron]:
    """Valid triggers, many of them odd."""
    found: list[Cron] = []
    while len(found) < count:
        text = " ".join(draw.choice(field) for field in FIELDS)
        try:
            found.append(Cron(text, draw.choice(ZONES), name=f"job-{len(found)}"))
        except InvalidTrigger:
            continue  # it never comes
    return found


def figures(count: int, seed: int) -> list[Figure]:
    """Ordinary ones, the leap day, and whatever is worst."""
    draw = random.Random(seed)
    ordinary: list[float] = []
    for text in ORDINARY:
        means = [spent_us(Cron(text, where, name="job"), count, draw) for where in ZONES]
        ordinary += [sum(values) / len(values) for values in means]
    leap = [us for where in ZONES for us in spent_us(Cron(LEAP_DAY, where), count, draw)]
    rare = [us for text in RARE for us in spent_us(Cron(text, "Europe/Berlin"), count, draw)]
    odd = [us for one in random_triggers(500, draw) for us in spent_us(one, 20, draw)]
    mean = sum(ordinary) / len(ordinary)
    return [
        Figure("ordinary: mean", mean, "us", Goal("<", 150), {"slowest one's mean": max(ordinary)}),
        Figure(f"{LEAP_DAY}: p99", percentile(leap, 0.99) / 1_000, "ms", Goal("<", 2)),
        Figure("rare ones: p99", percentile(rare, 0.99) / 1_000, "ms", Goal("<", 50)),
        Figure("500 odd ones: longest", max(*odd, *rare, *leap) / 1_000, "ms", Goal("<", 50)),
    ]


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.triggers", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="questions to each trigger")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--keep", type=Path, help="JSON and text file")
    options = parser.parse_args()
    found = figures(options.count, options.seed)
    print(machine.described(), *(figure.line() for figure in found), sep="\n")
    if options.keep:
        keep(options.keep, found, "no server")
    return 0


if __name__ == "__main__":
    sys.exit(main())
