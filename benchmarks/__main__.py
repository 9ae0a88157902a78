"""
Beatline and its peers side by side: ``python -m benchmarks``, or ``make bench``.

Makes the peers' environments at the first run, starts a private redis-server, and measures every
cell with every contender in interleaved rounds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import machine, report
from benchmarks.cells import CELLS, Lab
from benchmarks.comparing import compare
from benchmarks.environments import prepare, version_of
from benchmarks.private_redis import SYSTEM_SERVER, PrivateRedis
from benchmarks.roster import Contender, chosen

RESULTS = Path(__file__).with_name("results")


def main() -> int:
    """Prepare, measure, report."""
    options = _options()
    cells = [cell for cell in CELLS if not options.only or cell.name in options.only]
    contenders = _installed(chosen(options.peers, options.form))
    versions = {one.name: version_of(one.environment, one.package) for one in contenders}
    scale = 0.05 if options.quick else options.scale
    with PrivateRedis(options.server, options.transport) as server:
        facts = {
            "server": server.described,
            "machine": machine.described(),
            "versions": versions,
            "settings": {one.label: one.settings for one in contenders},
            "scale": scale,
        }
        print(f"{facts['server']}; {facts['machine']}\n{versions}", flush=True)
        lab = Lab(server, Path(tempfile.mkdtemp(prefix="bench-")), scale)
        found = compare(lab, cells, contenders, options.rounds)
    print("\n" + report.table(found))
    lost = report.losses(found)
    print("\nWhere we lose:\n" + ("\n".join(lost) or "nowhere in these cells"))
    if options.keep:
        report.keep(options.keep, found, facts)
    return 0


def _installed(contenders: list[Contender]) -> list[Contender]:
    """Those whose environment is there or can be made."""
    broken = set()
    for environment in dict.fromkeys(one.environment for one in contenders):
        try:
            prepare(environment)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"left out, cannot be installed: {environment}: {error}", flush=True)
            broken.add(environment)
    return [one for one in contenders if one.environment not in broken]


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _options() -> argparse.Namespace:
    known = ", ".join(cell.name for cell in CELLS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", type=_names, help=f"cells: {known}")
    parser.add_argument("--peers", type=_names, help="such as celery,bullmq; all by default")
    parser.add_argument("--form", choices=("default", "tuned"), help="only this form of peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="size of every cell")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the size")
    parser.add_argument("--server", default=SYSTEM_SERVER)
    parser.add_argument("--transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--keep", type=Path, help=f"JSON file, such as {RESULTS.name}/today.json")
    options = parser.parse_args()
    unknown = set(options.only or ()) - {cell.name for cell in CELLS}
    if unknown:
        parser.error(f"no such cell: {', '.join(sorted(unknown))}; there are {known}")
    return options


if __name__ == "__main__":
    sys.exit(main())
