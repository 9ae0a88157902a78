"""
The soak: all that clients do, for long, while processes come and go; and what it leaves behind.

``make soak`` takes ten minutes, ``BEATLINE_SOAK_S`` another time. Nothing is done to Redis here:
what it is like when Redis goes is what the other scenarios are for.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from beatline.ids import id_from_text
from beatline.keys import prefix
from beatline.store.burying import drop
from beatline.store.invariants import violations
from tests.faults.accounts import Accounts, accounts_of
from tests.faults.meters import MIB, Meter, Meters
from tests.faults.occurrences import Timetable, write_schedules
from tests.faults.system import System
from tests.processes import Command, descendants
from tests.servers import eventually

pytestmark = pytest.mark.slow

Make = Callable[..., System]

#: Length of the soak, seconds.
SOAK_S = float(os.environ.get("BEATLINE_SOAK_S") or 35)
#: Where the figures go as JSON; nowhere unless set.
REPORT = os.environ.get("BEATLINE_SOAK_REPORT")
#: How long results are kept here, so that the soak sees them go.
RESULT_TTL_S = 10
#: Flat: no process, and not Redis, grows by more after its warm-up, bytes. A heap is not the same
#: to the page: what an allocator keeps moves by a few hundred KiB.
FLAT_BYTES = 2 * MIB
#: A worker's growth under load from its start, warm-up and all, bytes.
WORKER_GROWTH_BYTES = 30 * MIB
#: What is killed here begins again, but nobody measures how soon: the rough worker is alone with
#: its queue, and starts anew.
PATIENCE_S = 30.0
#: Seconds between two looks at the invariants of the living system.
LOOK_EVERY_S = 10.0


class Soak:
    """
    One system, of which some processes live to the end and others do not.

    Args:
        one: The system.
    """

    def __init__(self, one: System) -> None:
        self.one = one
        one.env["BEATLINE_RESULT_TTL"] = f"{RESULT_TTL_S}s"
        policies = "overlap: allow, catch_up: all, catch_up_window: 1h"
        self.plan: Timetable = write_schedules(
            one.folder, 20, seconds=SOAK_S + 5, every_s=(1, 2, 3), policies=policies
        )
        self.declared = ("--schedules", str(self.plan.path))
        self.steady_beat = one.beat(*self.declared)
        self.steady = one.worker("-c", "2", "-Q", "default")
        self.rough_beat = one.beat(*self.declared)
        self.rough = self._new_rough()
        self.targets = self.plan.await_applied(one.server)
        self.kills = self.looks = 0
        self.wrong: set[str] = set()

    def _new_rough(self) -> Command:
        return self.one.worker("-c", "2", "-Q", "rough,default", "--max-tasks-per-child", "300")

    def meters(self, client_pid: int) -> Meters:
        """Meters for all that live to the end."""
        meters = Meters(every_s=max(SOAK_S / 200, 0.25))
        meters.add_process("beat", self.steady_beat.pid)
        meters.add_process("supervisor", self.steady.pid)
        zygote, *children = descendants(self.steady.pid)
        meters.add_process("zygote", zygote)
        for number, child in enumerate(children, 1):
            meters.add_process(f"child {number}", child)
        meters.add_process("client", client_pid)
        meters.add_server(self.one.server)
        return meters

    def disturb(self) -> None:
        """Kill, replace or leave alone one of those that come and go."""
        act = self.one.chances.choice((self.kill_child, self.kill_worker, self.replace, self.usurp))
        act()
        self.kills += 1

    def kill_child(self) -> None:
        """kill -9 for one child."""
        children = descendants(self.rough.pid)[1:]
        if children:
            self.one.kill([self.one.chances.choice(children)], PATIENCE_S)

    def kill_worker(self) -> None:
        """kill -9 for a whole worker; another one takes its place."""
        self.one.kill_command(self.rough)
        for pid in self.one.deaths:
            self.one.limits[pid] = PATIENCE_S
        self.rough = self._new_rough()

    def replace(self) -> None:
        """A deploy."""
        self.one.workers.remove(self.rough)
        assert self.rough.terminate(40) == 0, self.rough.output
        self.rough = self._new_rough()

    def usurp(self) -> None:
        """kill -9 for a beat; another one takes its place."""
        self.one.kill_command(self.rough_beat)
        self.rough_beat = self.one.beat(*self.declared)

    def look(self) -> None:
        """The invariants of the living system."""
        with self.one.server.client() as client:
            self.wrong.update(str(one) for one in violations(client, "sched", 1))
        self.looks += 1


def test_soak_with_churn(system: Make) -> None:
    one = system()
    soak = Soak(one)
    client = one.load(name="churn", module="tests.faults.churn", rate=150)
    meters = soak.meters(client.pid)
    one.await_completed(100)
    meters.start()
    looked = 0.0

    while not soak.plan.is_over():
        time.sleep(one.chances.uniform(1.0, 4.0))
        soak.disturb()
        if time.monotonic() - looked > LOOK_EVERY_S:
            soak.look()
            looked = time.monotonic()

    measured = meters.stop()
    one.stop_load()
    accounts = settled_accounts(soak)
    report(soak, measured, accounts)
    events = one.journal.events()
    cancelled = {event.key: event.at_ns for event in events if event.what == "cancelled"}
    one.ended_otherwise |= {event.key for event in events if event.what == "may-end"}
    one.ended_otherwise |= cancelled.keys()
    one.settle(targets=soak.targets, grid_prefixes=[*soak.plan.prefixes, "passing"])
    assert not soak.wrong
    assert accounts.unaccounted == []
    assert [] == [
        event
        for event in events
        if event.what == "start" and event.at_ns > cancelled.get(event.key, event.at_ns)
    ]
    assert [] == [str(meter) for meter in measured if meter.growth > FLAT_BYTES]
    assert [] == [
        str(meter)
        for meter in measured
        if meter.name != "Redis" and meter.late - meter.first > WORKER_GROWTH_BYTES
    ]


def settled_accounts(soak: Soak) -> Accounts:
    """Remove what came and went, wait until all is done and results are gone, and take stock."""
    one = soak.one
    for view in one.app.schedules.list():
        if view.name.startswith("passing"):
            one.app.schedules.remove(view.name)
    drop_dead_letters(one)
    eventually(lambda: one.app.queues.depth() == 0, 60, every=0.2, what="all work to be done")
    deadline = time.monotonic() + RESULT_TTL_S + 20
    while True:
        accounts = accounts_of(one.server)
        if not accounts.unaccounted and not accounts.results:
            return accounts
        if time.monotonic() > deadline:
            return accounts
        time.sleep(0.5)


def drop_dead_letters(one: System) -> None:
    """Jobs that chance has killed three times are nobody's fault here."""
    dead_letters = one.app.jobs.dead()
    for dead in dead_letters:
        assert dead.job is not None
        key = str(dead.job.args[0])
        if dead.job.schedule:
            key = f"{dead.job.schedule}@{dead.job.nominal_ms}"
        one.ended_otherwise.add(key)
    ids = [id_from_text(dead.id) for dead in dead_letters]
    one.app.sender().ask(lambda connection: drop(connection, prefix("sched", 0), ids))


def report(soak: Soak, measured: list[Meter], accounts: Accounts) -> None:
    """Tell the figures in the scenario's row, and in a file where that is wanted."""
    one = soak.one
    families = ", ".join(
        f"{count} {name} ({accounts.kib[name]:.0f} KiB)"
        for name, count in accounts.families.items()
    )
    deeds = ", ".join(
        f"{one.journal.count(what)} {what}" for what in ("acked", "cancelled", "fail", "end")
    )
    one.row.remarks += [deeds, f"{soak.kills} disturbed, {soak.looks} looks"]
    one.row.remarks += [*map(str, measured), f"keys at the end: {families}"]
    if REPORT:
        figures = {
            "seconds": SOAK_S,
            "seed": one.row.seed,
            "runs": one.journal.count("end"),
            "meters": {
                meter.name: {
                    "first": meter.first,
                    "warm": meter.warm,
                    "late": meter.late,
                    "samples": meter.samples,
                }
                for meter in measured
            },
            "accounts": asdict(accounts),
        }
        Path(REPORT).write_text(json.dumps(figures, indent=1) + "\n")
