"""
Beatline and its peers side by side: ``python -m benchmarks``, or ``make bench``.

Makes the peers' environments at the first run, starts a private redis-server, and measures every
cell with every contender in interleaved rounds. Each value is written down at once, so that a run
that was cut off goes on with ``--resume``; ``--plan`` says what would be measured and how long it
takes.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine, report, verdicts
from benchmarks.cells import Lab
from benchmarks.comparing import Measured, compare
from benchmarks.environments import prepare, version_of
from benchmarks.journal import Journal, measured_in, read
from benchmarks.own_cells import CELLS
from benchmarks.plan import Step, plan, table
from benchmarks.private_redis import SYSTEM_SERVER, PrivateRedis
from benchmarks.roster import Contender, chosen

RESULTS = Path(__file__).with_name("results")


def main() -> int:
    """Plan, prepare, measure, report."""
    options = _options()
    steps = _steps(options, chosen(options.peers, options.form))
    record = (
        read(options.keep) if (options.resume or options.calmer) and options.keep.exists() else {}
    )
    scale = 0.05 if options.quick else options.scale
    if record and record["scale"] != scale:
        raise SystemExit(f"{options.keep} was measured at scale {record['scale']}, not {scale}")
    earlier = measured_in(record) if record else []
    if options.plan:
        print(table(steps, Journal(None, {}, earlier, again_busy=options.calmer).done))
        return 0
    steps = _installable(steps)
    with PrivateRedis(options.server, options.transport) as server:
        facts = _facts(server, steps, record, scale)
        print(f"{facts['server']}; {facts['machine']}\n{facts['versions']}", flush=True)
        lab = Lab(server, Path(tempfile.mkdtemp(prefix="bench-")), scale)
        journal = Journal(options.keep, facts, earlier, again_busy=options.calmer)
        begun = time.monotonic()
        try:
            if not compare(lab, steps, journal, budget_s=60 * options.budget):
                print("\nthe budget is spent; go on with --resume", flush=True)
        except KeyboardInterrupt:
            print("\ncut off; go on with --resume", flush=True)
    print(f"\nmeasured for {(time.monotonic() - begun) / 60:.1f} min")
    _report(options, journal.found, facts)
    print("\n" + table(steps, journal.done))
    return 0


def _steps(options: argparse.Namespace, contenders: list[Contender]) -> list[Step]:
    cells = [cell for cell in CELLS if not options.cells or cell.name in options.cells]
    if options.ours:
        contenders = [one for one in contenders if one.environment == "ours"]
    is_even = options.even or options.form is not None
    return plan(cells, contenders, options.rounds, is_even=is_even)


def _facts(
    server: PrivateRedis, steps: list[Step], record: dict[str, Any], scale: float
) -> dict[str, Any]:
    """What the values depend on; those of an earlier part of the run are kept."""
    contenders = dict.fromkeys(step.contender.label for step in steps)
    chosen_ones = {one.label: one for one in (step.contender for step in steps)}
    versions = {one.name: version_of(one.environment, one.package) for one in chosen_ones.values()}
    settings = {label: chosen_ones[label].settings for label in contenders}
    return {
        "server": server.described,
        "machine": machine.described(),
        "versions": {**record.get("versions", {}), **versions},
        "settings": {**record.get("settings", {}), **settings},
        "scale": scale,
    }


def _report(options: argparse.Namespace, found: list[Measured], facts: dict[str, Any]) -> None:
    goals = verdicts.table(verdicts.judge(found))
    if facts["scale"] != 1:
        goals += f"\n\nSizes are {facts['scale']} of the full ones, for which the goals were set."
    print("\n" + report.table(found))
    lost = report.losses(found)
    print("\nWhere we lose:\n" + ("\n".join(lost) or "nowhere in these cells"))
    print("\n" + goals)
    if options.keep:
        report.keep(options.keep, found, facts, goals)


def _installable(steps: list[Step]) -> list[Step]:
    """Those whose environment is there or can be made."""
    broken = set()
    for environment in dict.fromkeys(step.contender.environment for step in steps):
        try:
            prepare(environment)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"left out, cannot be installed: {environment}: {error}", flush=True)
            broken.add(environment)
    return [step for step in steps if step.contender.environment not in broken]


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _options() -> argparse.Namespace:
    known = ", ".join(cell.name for cell in CELLS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="only print the cells, their contenders, rounds and minutes",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in the --keep file; what failed is tried again",
    )
    parser.add_argument(
        "--calmer",
        action="store_true",
        help="as --resume, and again what was measured while the machine was slow",
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=math.inf,
        metavar="MINUTES",
        help="begin nothing that would end later than this",
    )
    parser.add_argument("--cells", "--only", type=_names, help=f"some of: {known}")
    parser.add_argument("--ours", action="store_true", help="Beatline and the bare loops alone")
    parser.add_argument("--peers", type=_names, help="such as celery,bullmq; all but docket")
    parser.add_argument("--form", choices=("default", "tuned"), help="only this form of peers")
    parser.add_argument(
        "--even", action="store_true", help="every peer, in both forms, in every round: hours"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="size of every cell")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the size")
    parser.add_argument("--server", default=SYSTEM_SERVER)
    parser.add_argument("--transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--keep", type=Path, help=f"JSON file, such as {RESULTS.name}/today.json")
    options = parser.parse_args()
    if (options.resume or options.calmer) and not options.keep:
        parser.error("--resume needs --keep FILE.json")
    unknown = set(options.cells or ()) - {cell.name for cell in CELLS}
    if unknown:
        parser.error(f"no such cell: {', '.join(sorted(unknown))}; there are {known}")
    return options


if __name__ == "__main__":
    sys.exit(main())
