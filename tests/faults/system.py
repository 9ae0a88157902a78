"""
One Redis, and real processes of Beatline around it, for one scenario.

The system starts clients, beats and workers, keeps account of what the scenario does to them
(whom it killed, what it stopped, how long Redis was away), and at the end waits until all work
is done, asks the checker, and fills the scenario's row of the table.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from beatline import App
from tests.faults.checker import UNSETTLED_MS, Circumstances, Span, Verdict, check, runs_of
from tests.faults.ending import end_in_order, lives
from tests.faults.journal import WHERE, Event, Journal
from tests.faults.leftovers import ledger_of, leftovers
from tests.faults.pools import carried, mixture
from tests.faults.recovery import Outage, after_kills, after_outages, flows_again
from tests.faults.report import Row
from tests.faults.strain import strain
from tests.processes import Command, descendants
from tests.servers import RedisProcess, eventually

ROOT = Path(__file__).parents[2]
APP = "tests.faults.faults_app:app"

#: Lease of all workers, seconds: short, so that scenarios are.
LEASE_S = 2.0
#: A dead child's job runs again: 1 s until it is queued, 1 s until a free child starts it (G4).
CHILD_LIMIT_S = 2.0
#: A dead machine's jobs run again: lease + 1 s, and 1 s until a free child starts them (G4).
MACHINE_LIMIT_S = LEASE_S + 2.0
#: Work flows again after an outage (G11), and after a connection that was half open.
OUTAGE_LIMIT_S, HALF_OPEN_LIMIT_S = 10.0, 30.0
#: A call of a client returns or raises within 5 s (G1); what is over is this machine's load.
CALL_LIMIT_S = 5.5


class System:
    """
    One scenario's processes.

    Args:
        folder: Holds journal and logs.
        server: Its Redis.
        start: Starts a ``sched`` command.
        row: Its row of the table.
        chances: What is drawn is drawn here.
        pool: Of its workers that ask for none.
    """

    def __init__(
        self,
        folder: Path,
        server: RedisProcess,
        start: Callable[..., Command],
        row: Row,
        chances: random.Random,
        pool: str = "prefork",
    ) -> None:
        self.pool = pool
        self.folder = folder
        self.server = server
        self.row = row
        self.chances = chances
        self.journal = Journal(folder / "journal")
        self.env = {
            "BEATLINE_REDIS_URL": server.tcp_url,
            "BEATLINE_LEASE": f"{LEASE_S:g}s",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            WHERE: str(self.journal.path),
        }
        self.app = App("observer", redis=server.url)
        self.workers: list[Command] = []
        self.beats: list[Command] = []
        self.deaths: dict[int, int] = {}
        self.stops: dict[int, list[Span]] = {}
        self.cuts: dict[int, list[Span]] = {}
        self.tails: list[Span] = []
        self.outages: list[Outage] = []
        self.ended_otherwise: set[str] = set()
        #: The most that the machine was strained while this went on.
        self.strain = strain()
        self._start = start
        self._loads: list[subprocess.Popen[bytes]] = []
        self.limits: dict[int, float] = {}

    # --- processes ------------------------------------------------------------------------------

    def worker(
        self, *options: str, url: str | None = None, env: Mapping[str, str] | None = None
    ) -> Command:
        """Start a worker and wait until it takes jobs."""
        if "-P" not in options:
            options = ("-P", self.pool, *options)
        command = self._start(
            "worker", "-A", APP, *options, extra_env={**self.env, **_to(url), **(env or {})}
        )
        command.wait_for_line("worker.ready", timeout=30)
        self.workers.append(command)
        return command

    def beat(
        self, *options: str, url: str | None = None, env: Mapping[str, str] | None = None
    ) -> Command:
        """Start a beat and wait until it has begun."""
        command = self._start("beat", *options, extra_env={**self.env, **_to(url), **(env or {})})
        command.wait_for_line("beat.started", timeout=30)
        self.beats.append(command)
        return command

    def load(
        self,
        *options: str,
        rate: float = 200,
        name: str | None = None,
        module: str = "tests.faults.load",
        url: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a client that sends at this rate, or less, until `settle`; wait for the first."""
        name = name or f"load{len(self._loads)}"
        with (self.folder / f"{name}.log").open("wb") as log:
            client = subprocess.Popen(
                [
                    *(sys.executable, "-m", module, "--name", name),
                    *("--rate", str(carried(self.pool, rate)), *mixture(self.pool)),
                    *("--seed", str(self.chances.randrange(1 << 30))),
                    *options,
                ],
                env={**os.environ, **self.env, **_to(url), **(env or {})},
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._loads.append(client)
        eventually(
            lambda: any(one.key.startswith(f"{name}-") for one in self.journal.of("acked")),
            30,
            every=0.1,
            what=f"the first job of {name}",
        )
        return client

    def send(self, task: str, *args: object, **options: object) -> str:
        """Send one job from here, and hold the system to it; the id."""
        result = self.app.send_task(task, args, ignore_result=True, **options)  # type: ignore[arg-type]
        self.note("acked", str(args[0]))
        return result.id

    def note(self, what: str, key: str) -> None:
        """Write into the journal from here."""
        line = f"{what} {key} 0 {os.getpid()} {time.monotonic_ns()}\n"
        with self.journal.path.open("a") as journal:
            journal.write(line)

    def use(self, server: RedisProcess) -> None:
        """Look at another server from now on: it has taken over."""
        self.app.close()
        self.server = server
        self.app = App("observer", redis=server.url)

    # --- faults ---------------------------------------------------------------------------------

    def kill(
        self, pids: Collection[int], limit_s: float, *, followers: Collection[int] = ()
    ) -> None:
        """
        kill -9 for these processes at once.

        Args:
            pids: Whom.
            limit_s: What they ran must have begun again after so many seconds.
            followers: Who must die with them. That takes the kernel a moment, in which a body may
                end, so their death is noted when they are seen to have gone.
        """
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        now_ns = time.monotonic_ns()
        for pid in pids:
            self.deaths[pid] = now_ns
            self.limits[pid] = limit_s
        eventually(
            lambda: not any(map(lives, followers)),
            5 * self.strain,
            every=0.005,
            what="all to die with whom they descend from",
        )
        for pid in followers:
            self.deaths.setdefault(pid, time.monotonic_ns())
            self.limits.setdefault(pid, limit_s)

    def kill_command(self, command: Command) -> None:
        """kill -9 for a command; what descends from it dies with it or is killed too."""
        self.kill([command.pid], MACHINE_LIMIT_S, followers=descendants(command.pid))
        command.process.wait(10)
        for known in (self.workers, self.beats):
            if command in known:
                known.remove(command)

    @contextmanager
    def stopped(self, command: Command, *, alone: bool = False) -> Iterator[None]:
        """SIGSTOP for a command, and unless alone for all its family; SIGCONT at the end."""
        family = [command.pid] if alone else command.family()
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        begin_ns = time.monotonic_ns()
        try:
            yield
        finally:
            end_ns = time.monotonic_ns()
            for pid in family:
                self.stops.setdefault(pid, []).append((begin_ns, end_ns))
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @contextmanager
    def outage(self, limit_s: float = OUTAGE_LIMIT_S) -> Iterator[None]:
        """What happens inside keeps work from flowing; afterwards it must flow again in time."""
        begin_ns = time.monotonic_ns()
        yield
        self.outages.append(Outage(begin_ns, time.monotonic_ns(), limit_s))

    def stop_load(self) -> None:
        """Let the clients finish their calls and end."""
        for client in self._loads:
            client.terminate()
        for number, client in enumerate(self._loads):
            log = self.folder / f"load{number}.log"
            try:
                assert client.wait(90) == 0, log.read_text()[-2000:]
            except subprocess.TimeoutExpired:
                client.send_signal(signal.SIGUSR1)
                time.sleep(1)
                raise AssertionError(f"a client hangs:\n{log.read_text()}") from None
        self._loads.clear()

    def close(self) -> None:
        """End what `stop_load` did not."""
        for client in self._loads:
            client.kill()
            client.wait()
        self.app.close()

    # --- the end --------------------------------------------------------------------------------

    def await_completed(self, count: int, timeout: float = 60.0) -> None:
        """Wait until so many more runs have been completed than now: the fault has effect."""
        wanted = self.journal.count("end") + count
        eventually(
            lambda: self.journal.count("end") >= wanted, timeout, every=0.1, what=f"{count} runs"
        )

    def settle(
        self,
        timeout: float = 60.0,
        *,
        targets: Collection[str] = (),
        grid_prefixes: Sequence[str] = (),
        leaves: Collection[str] = (),
        is_tidy: bool = True,
    ) -> Verdict:
        """
        Wait until all work is done, and hold the scenario to its promises.

        Args:
            timeout: Seconds that the work may take from now on.
            targets, grid_prefixes: As for `check`.
            leaves: Keys, or beginnings of keys, that may remain in Redis.
            is_tidy: Whether nothing else may remain.
        """
        self.strain = max(self.strain, strain())
        if self.strain > 1.5:
            self.row.remarks.append(f"machine strained {self.strain:.1f} times")
        self._await_flow()
        self.stop_load()
        deadline = time.monotonic() + timeout
        while True:
            verdict = self._check(targets, grid_prefixes)
            is_done = not verdict.lost and (not is_tidy or self.app.queues.depth() == 0)
            ended = [one for one in (*self.workers, *self.beats) if one.process.poll() is not None]
            if is_done or ended or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        events = self.journal.events()
        verdict = self._check(targets, grid_prefixes)
        row = self.row
        row.jobs += verdict.jobs
        row.lost += len(verdict.lost)
        row.doubled += len(verdict.doubled)
        row.remarks += verdict.remarks
        problems = [*self._judge_recovery(events), *end_in_order(self.workers)]
        # The beats go last: what killed workers leave behind is theirs to clear away.
        problems += self._await_cleared(leaves) if is_tidy else []
        problems += end_in_order(self.beats)
        if verdict.lost:
            problems.append(f"lost: {verdict.lost[:10]} of {len(verdict.lost)}")
            problems += ledger_of(self.server, verdict.lost[:3])
        if verdict.doubled:
            problems.append(self._story_of(verdict.doubled, events))
        if verdict.uncalled:
            problems.append(f"nobody asked for {verdict.uncalled[:10]}")
        if verdict.slowest_call_s > CALL_LIMIT_S * self.strain:
            problems.append(f"a call took {verdict.slowest_call_s} s")
        assert not problems, "\n".join(problems)
        row.outcome = "held"
        return verdict

    def _await_flow(self) -> None:
        """While clients still send: wait until work flows again after the last outage."""
        if not self.outages or not self._loads:
            return
        last = self.outages[-1]
        deadline = last.end_ns / 1e9 + last.limit_s * self.strain + 2
        while time.monotonic() < deadline and not flows_again(self.journal.events(), last):
            time.sleep(0.1)

    def _check(self, targets: Collection[str], grid_prefixes: Sequence[str]) -> Verdict:
        return check(
            self.journal.events(),
            Circumstances(
                self.deaths, self.stops, self.cuts, self.tails, UNSETTLED_MS * self.strain
            ),
            targets=targets,
            ended_otherwise=self.ended_otherwise,
            grid_prefixes=grid_prefixes,
        )

    def _judge_recovery(self, events: Sequence[Event]) -> list[str]:
        """How long it took after each fault until work flowed again, and what was too late."""
        runs = runs_of(events)
        times = [
            *after_kills(runs, self.deaths, self.limits),
            *after_outages(runs, self.outages, events),
        ]
        if times:
            # The row shows the time that came nearest to its limit.
            took_s, limit_s = max(times, key=lambda pair: pair[0] / pair[1])
            if (self.row.recovery_s or 0) <= took_s:
                self.row.recovery_s, self.row.limit_s = round(took_s, 2), limit_s
        return [
            f"took {took:.1f} s, at most {limit:g} s × {self.strain:.1f}"
            for took, limit in times
            if took > limit * self.strain
        ]

    def _story_of(self, keys: Sequence[str], events: Sequence[Event]) -> str:
        """All that is known of some of these jobs, with the processes that ran them."""
        lines = [f"{len(keys)} doubled; deaths: {self.deaths}, stops: {self.stops}"]
        for key in keys[:5]:
            mine = [event for event in events if event.key == key]
            pids = {event.pid for event in mine if event.what == "start"}
            first, last = mine[0].at_ns - 10**8, mine[-1].at_ns + 10**8
            lines.append(f"-- {key}, and what else ran in {pids}")
            lines += [
                f"{event.at_ns / 1e9:.4f} {event.what} {event.key} {event.fence} pid {event.pid}"
                for event in events
                if event.key == key or (event.pid in pids and first < event.at_ns < last)
            ][:60]
        return "\n".join(lines)

    def _await_cleared(self, leaves: Collection[str]) -> list[str]:
        deadline = time.monotonic() + (2 * LEASE_S + 6) * self.strain
        while found := leftovers(self.server, allowed=leaves):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return found


def _to(url: str | None) -> dict[str, str]:
    return {} if url is None else {"BEATLINE_REDIS_URL": url}
