"""All faults in turn and together, drawn by chance: what no list of scenarios thinks of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.chances import lasting
from tests.faults.network import Network
from tests.faults.occurrences import write_schedules
from tests.faults.pools import on_each_pool_in_full
from tests.faults.system import CHILD_LIMIT_S, System
from tests.processes import descendants

pytestmark = pytest.mark.faults

Make = Callable[..., System]


class Troublemaker:
    """
    Draws faults.

    Args:
        one: Whom they hit.
        network: Carries half of its processes.
        declared: What beats are told.
    """

    def __init__(self, one: System, network: Network, declared: tuple[str, ...]) -> None:
        self.one = one
        self.network = network
        self.declared = declared
        self.count = 0
        self._faults: list[Callable[[], None]] = [
            *[self.kill_child] * 4,
            *[self.reset] * 2,
            *[self.lose_replies] * 2,
            self.kill_worker,
            self.kill_beat,
            self.stop_supervisor,
            self.restart_redis,
            self.forget_scripts,
            self.end_connections,
        ]

    def act(self) -> None:
        """One fault."""
        fault = self.one.chances.choice(self._faults)
        # For whoever reads the journal of a failure.
        self.one.note("fault", fault.__name__)
        fault()
        self.count += 1

    def kill_child(self) -> None:
        worker = self.one.chances.choice(self.one.workers)
        children = descendants(worker.pid)[1:]
        if children:
            self.one.kill([self.one.chances.choice(children)], CHILD_LIMIT_S + 8)

    def kill_worker(self) -> None:
        self.one.kill_command(self.one.chances.choice(self.one.workers))
        self.one.worker("-c", "2", url=self._some_url())

    def kill_beat(self) -> None:
        self.one.kill_command(self.one.chances.choice(self.one.beats))
        self.one.beat(*self.declared, url=self._some_url())

    def stop_supervisor(self) -> None:
        worker = self.one.chances.choice(self.one.workers)
        with self.one.stopped(worker, alone=self.one.chances.random() < 0.5):
            time.sleep(self.one.chances.uniform(0.1, 5.0))

    def restart_redis(self) -> None:
        with self._cut():
            self.one.server.restart()

    def reset(self) -> None:
        with self._cut():
            self.network.reset()

    def lose_replies(self) -> None:
        with self._cut():
            self.network.mute()
            time.sleep(self.one.chances.uniform(0.01, 0.3))
            self.network.restore()

    def forget_scripts(self) -> None:
        with self.one.server.client() as client:
            client.script_flush()

    def end_connections(self) -> None:
        with self._cut(), self.one.server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def _some_url(self) -> str | None:
        return self.one.chances.choice([None, self.network.url])

    @contextmanager
    def _cut(self) -> Iterator[None]:
        """Workers that are killed soon afterwards may not have told of their last jobs."""
        begin_ns = time.monotonic_ns()
        yield
        end_ns = time.monotonic_ns() + 1_500_000_000
        for worker in self.one.workers:
            for pid in worker.family():
                self.one.cuts.setdefault(pid, []).append((begin_ns, end_ns))


@on_each_pool_in_full
def test_everything_at_once(system: Make) -> None:
    one = system(aof=True, options=["--appendfsync", "always"])
    seconds = lasting(40, 15)
    policies = "overlap: allow, catch_up: all, catch_up_window: 1h"
    plan = write_schedules(one.folder, 10, seconds=seconds + 10, policies=policies)
    declared = ("--schedules", str(plan.path))
    with Network(("127.0.0.1", one.server.port)) as network:
        for url in (None, network.url):
            one.beat(*declared, url=url)
            one.worker("-c", "2", url=url)
        targets = plan.await_applied(one.server)
        one.load(rate=60)
        one.load("--own-ids", rate=30, url=network.url)
        trouble = Troublemaker(one, network, declared)

        while not plan.is_over():
            time.sleep(one.chances.uniform(0.2, 1.0))
            trouble.act()

        one.row.remarks.append(f"{trouble.count} faults")
        one.ended_otherwise.update(buried(one))
        one.settle(targets=targets, grid_prefixes=plan.prefixes, leaves=LEAVES)


#: Jobs that chance has killed three times are dead letters: neither lost nor doubled.
LEAVES = ("dead", "forensics", "jobs", "deliveries")


def buried(one: System) -> set[str]:
    """The keys of dead letters."""
    jobs = [dead.job for dead in one.app.jobs.dead()]
    return {
        f"{job.schedule}@{job.nominal_ms}" if job.schedule else str(job.args[0])
        for job in jobs
        if job is not None
    }
