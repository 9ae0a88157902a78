"""Bytes and types that are not ours, in every key of the layout (G13)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from beatline.keys import KEYS
from tests.faults.chances import lasting
from tests.faults.garbage import PREFIX, add_garbage, names, spoil
from tests.faults.occurrences import write_schedules
from tests.faults.system import OUTAGE_LIMIT_S, System
from tests.servers import eventually

pytestmark = pytest.mark.faults

Make = Callable[..., System]


def test_garbage_in_every_key_under_load(system: Make) -> None:
    one = system()
    plan = write_schedules(one.folder, 5, seconds=lasting(32, 22))
    one.beat("--schedules", str(plan.path))
    for _ in range(2):
        one.worker("-c", "2")
    targets = plan.await_applied(one.server)
    one.load(rate=80)
    keys = 0

    while not plan.is_over():
        one.await_completed(100)
        with one.server.client() as client:
            keys += add_garbage(client, one.chances)

    one.settle(targets=targets, grid_prefixes=plan.prefixes, is_tidy=False)
    with one.server.client() as client:
        set_aside = client.zcard(PREFIX + b"quarantine")
    one.row.remarks.append(f"garbage in {keys} keys, {set_aside} pieces in quarantine")
    assert set_aside


def test_wrong_type_in_every_key(system: Make) -> None:
    """One key after the other; after each, new jobs are run within seconds."""
    one = system()
    plan = write_schedules(one.folder, 2, seconds=3600)
    one.beat("--schedules", str(plan.path))
    one.worker("-c", "2")
    plan.await_applied(one.server)
    slow = {}

    for number, kind in enumerate(kind for kind in KEYS if kind.type != "any"):
        with one.server.client() as client:
            for key in names(client, kind.pattern):
                spoil(client, key, kind.type)
        begun = time.monotonic()
        one.send("work", f"after-{number}", 0.005)
        one.send("work", f"later-{number}", 0.005, countdown=0.2)
        for job in (f"after-{number}", f"later-{number}"):
            await_end(one, job, f"a job after {kind.pattern} was spoilt")
        slow[kind.pattern] = time.monotonic() - begun

    worst = max(slow, key=lambda pattern: slow[pattern])
    one.row.recovery_s, one.row.limit_s = round(slow[worst], 2), OUTAGE_LIMIT_S
    one.row.remarks.append(f"slowest after {worst}")
    one.settle(grid_prefixes=plan.prefixes, is_tidy=False)
    assert slow[worst] < OUTAGE_LIMIT_S * one.strain


def await_end(one: System, key: str, what: str) -> None:
    """Wait until a job has been completed."""
    eventually(
        lambda: one.journal.count("end", key) > 0,
        (OUTAGE_LIMIT_S + 5) * one.strain,
        every=0.05,
        what=what,
    )
