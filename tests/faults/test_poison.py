"""Jobs that take their process down, beside a load that must not suffer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from beatline import JobState
from tests.faults.chances import full_only
from tests.faults.pools import POOLS
from tests.faults.system import CHILD_LIMIT_S, System
from tests.servers import eventually

pytestmark = pytest.mark.faults

Make = Callable[..., System]

#: What a child may use here before it is killed, as a kernel short of memory would, MiB.
HOG_MIB = 300

CAUSES = {"exit": "exit code 7", "segv": "SIGSEGV", "outside": "SIGKILL", "hog": "SIGKILL"}


@pytest.mark.parametrize(
    ("how", "pool"),
    [
        *((how, "prefork") for how in CAUSES),
        *((how, pool) for how in ("exit", "outside") for pool in POOLS[1:]),
        *(pytest.param("segv", pool, marks=full_only) for pool in POOLS[1:]),
    ],
)
def test_poison(system: Make, how: str, pool: str) -> None:
    one = system()
    one.beat()
    one.worker("-c", "2")
    one.load(rate=80)
    one.await_completed(50)

    ids = [one.send("poison", f"poison{number}", how) for number in range(2)]
    one.ended_otherwise.update(("poison0", "poison1"))

    def is_buried() -> bool:
        if how in ("outside", "hog"):
            kill_poisoned(one, how)
        else:
            note_deaths(one)
        return all(one.app.jobs.get(job).state is JobState.DEAD for job in ids)

    eventually(is_buried, 40, every=0.02, what="the poison to be buried")
    buried = {dead.id: dead for dead in one.app.jobs.dead()}
    starts = [one.journal.count("start", f"poison{number}") for number in range(2)]
    one.row.remarks.append("two dead letters")
    # Charged is who was in hand: two poisons in one child die of the first one's body.
    least = 3 if pool in ("prefork", "solo") else 2
    assert all(least <= count <= 3 for count in starts), starts
    for job in ids:
        assert CAUSES[how] in str(buried[job]), str(buried[job])
    if how == "hog":
        assert all(peak_rss_kib(buried[job].forensics) > HOG_MIB * 900 for job in ids)
    one.settle(leaves=("dead", "forensics", "jobs", "deliveries"))


def test_memory_limit_of_the_system(system: Make) -> None:
    """A job that runs into ``ulimit -v`` fails; its child lives on."""
    one = system()
    one.beat()
    one.worker("-c", "2")
    one.load(rate=80)
    one.await_completed(50)

    result = one.app.send_task("poison", ("poison0", "allotted"))
    one.note("acked", "poison0")
    one.ended_otherwise.add("poison0")

    with pytest.raises(MemoryError):
        result.get(timeout=30)
    verdict = one.settle()
    assert verdict.redelivered == 0


def kill_poisoned(one: System, how: str) -> None:
    """Kill children that run poison: at once, or when they have grown too large."""
    for event in one.journal.of("start"):
        if not event.key.startswith("poison") or event.pid in one.deaths:
            continue
        if how == "outside" or resident_mib(event.pid) > HOG_MIB:
            one.kill([event.pid], CHILD_LIMIT_S)
            one.deaths.update({event.pid: time.monotonic_ns()})


def note_deaths(one: System) -> None:
    """Children that took themselves down died right after they had begun."""
    for event in one.journal.of("start"):
        if event.key.startswith("poison") and event.pid not in one.deaths:
            with suppress(ProcessLookupError):
                os.kill(event.pid, 0)
                continue
            one.deaths[event.pid] = event.at_ns + 1
            one.limits[event.pid] = CHILD_LIMIT_S


def peak_rss_kib(forensics: str) -> int:
    """What a dead letter says of its process's memory."""
    return int(json.loads(forensics)["peak_rss_kib"])


def resident_mib(pid: int) -> int:
    """Resident memory of a process; 0 where it has gone."""
    with suppress(OSError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") >> 20
    return 0
