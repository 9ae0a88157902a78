"""
Celery on some scenarios of the fault suite: ``python -m tests.faults.peers [NAME...]``.

Each scenario has a Redis of its own without persistence, two workers of two processes, and the
checker that judges Beatline too. What is printed is a Markdown table.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.environments import prepare
from tests.faults.checker import runs_of
from tests.faults.network import Network
from tests.faults.peers.rig import Rig, rig
from tests.processes import descendants
from tests.servers import RedisProcess, eventually, server_path, short_folder

#: Seed of what is drawn.
SEED = 1


def calm(one: Rig) -> str:
    """Nothing happens."""
    two_workers(one)
    one.load(50)
    time.sleep(10)
    return told(one, 30)


def kills(one: Rig) -> str:
    """kill -9 of processes and whole workers, drawn as in ours, for 60 s at 50 jobs/s."""
    chances = random.Random(SEED)
    two_workers(one)
    one.load(50)
    until, count = time.monotonic() + 60, 0
    while time.monotonic() < until:
        time.sleep(chances.uniform(0.3, 1.2))
        worker = chances.choice(one.workers)
        count += 1
        if chances.random() < 0.2:
            one.kill_worker(worker)
            one.worker()
        elif children := descendants(worker.pid):
            one.kill([chances.choice(children)])
    return f"{count} kills; {told(one, 60)}"


def long_jobs(one: Rig) -> str:
    """Eight jobs that take three times the visibility timeout."""
    two_workers(one)
    for number in range(8):
        one.send("work", f"long{number}", 15.0)
    verdict = told(one, 120)
    starts = [len(runs) for runs in runs_of(one.journal.events()).values()]
    return f"{sum(starts)} runs of 8 jobs; {verdict}"


def poison(one: Rig) -> str:
    """One job that ends its process, for 40 s."""
    two_workers(one)
    one.send("poison", "poison")
    time.sleep(40)
    return f"{one.journal.count('start')} runs in 40 s, still going on"


def deploys(one: Rig) -> str:
    """TERM for one worker after the other, for 45 s at 50 jobs/s."""
    two_workers(one)
    one.load(50)
    until, count = time.monotonic() + 45, 0
    while time.monotonic() < until:
        one.await_completed(50)
        one.terminate(one.workers[0])
        one.worker()
        count += 1
    return f"{count} workers replaced; {told(one, 60)}"


def half_open(one: Rig) -> str:
    """The one worker's connections are forgotten by the network for 4 s; new ones get through."""
    with Network(("127.0.0.1", one.server.port)) as network:
        one.worker(network.url)
        one.load(20)
        network.black_hole()
        time.sleep(4)
        network.restore()
        restored_ns = time.monotonic_ns()

        def resumed() -> float:
            later = [event for event in one.journal.of("start") if event.at_ns > restored_ns]
            return (later[0].at_ns - restored_ns) / 1e9 if later else 0.0

        try:
            return f"work flows again after {eventually(resumed, 60, every=0.2):.1f} s"
        except AssertionError:
            return "no work within 60 s"


def garbage(one: Rig) -> str:
    """Bytes that are no message, in the queue's list."""
    two_workers(one)
    one.load(20)
    with one.server.client() as client:
        for _ in range(4):
            client.lpush("celery", b"garbage")
            time.sleep(2)
    ended = sum(worker.poll() is not None for worker in one.workers)
    return f"{ended} of 2 workers have ended; {told(one, 20)}"


SCENARIOS: dict[str, Callable[[Rig], str]] = {
    one.__name__: one for one in (calm, kills, long_jobs, poison, deploys, half_open, garbage)
}


def two_workers(one: Rig) -> None:
    """Start them."""
    one.worker()
    one.worker()


def told(one: Rig, timeout: float) -> str:
    """The verdict in words."""
    verdict = one.settle(timeout)
    remarks = "".join(f", {remark}" for remark in verdict.remarks)
    return f"{verdict.jobs} jobs, {len(verdict.lost)} lost, {len(verdict.doubled)} doubled{remarks}"


def main() -> None:
    """Run the scenarios that are named, or all."""
    prepare("peers")
    binary = server_path("debian") or server_path("embedded")
    assert binary is not None
    print("| scenario | Celery 5.7 |\n|---|---|", flush=True)
    for name in sys.argv[1:] or SCENARIOS:
        with short_folder() as place, RedisProcess(binary, place, tcp=True) as server:
            folder = Path(tempfile.mkdtemp(prefix="peers-"))
            with rig(folder, server) as one:
                print(f"| {name} | {SCENARIOS[name](one)} |", flush=True)


if __name__ == "__main__":
    main()
