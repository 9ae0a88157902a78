"""
The supervisor: keeps the worker's lease, and its children.

It runs no user code, so nothing that a job does (holding the GIL in C, blocking, crashing) can
keep it from telling Redis that this worker lives. Its main thread watches: messages of the
zygote, ends of children, signals, time limits. What must be written to Redis is written by two
threads, the lease keeper and the chores, so that watching never waits for Redis.

What happens when Redis is gone: nothing is killed; leases do not age while no beat watches. The
process was paused: the first renewal's answer says whether the lease was lost; then all
children are killed and the worker starts again under a new id. The clock jumps: only monotonic
time is used here.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import select
import signal
import socket
import time
from types import FrameType
from typing import Final

from beatline.health import Health, HealthReporter
from beatline.ids import partition_of
from beatline.trimming import trim_heap
from beatline.wire.connection import Endpoint
from beatline_worker.books import Books, WorkerSettings, describe
from beatline_worker.brood import Brood
from beatline_worker.checkup import health_of
from beatline_worker.lease_keeper import Heartbeat, LeaseKeeper
from beatline_worker.nursery import Ended, Nursery
from beatline_worker.obituary import estate_of
from beatline_worker.options import WorkerOptions
from beatline_worker.table import Table
from beatline_worker.warden import Warden

_log = logging.getLogger("beatline.worker.supervisor")

#: How often rows are looked at, seconds: the precision of time limits.
_TICK_S: Final = 0.05
#: How often memory is looked at, ticks.
_MEMORY_TICKS: Final = 20
#: Children that died before they were ready, in a row, that end the worker.
_HOPELESS: Final = 5
#: Exit code where children cannot start.
_EXIT_NOT_LOADABLE: Final = 4
#: Exit code where Redis was away for too long.
_EXIT_NO_REDIS: Final = 3


class Supervisor:
    """
    One worker.

    Args:
        options: What the worker is told.
    """

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        table = Table(options.rows, options.lanes)
        self._nursery = Nursery(options.app, table, options.pool, options.log_level)
        self._brood = Brood(options, table, self._nursery)
        self._warden = Warden(self._nursery.children)
        self._books: Books | None = None
        self._keeper: LeaseKeeper | None = None
        self._heartbeats: queue.SimpleQueue[Heartbeat] = queue.SimpleQueue()
        self._signals: list[int] = []
        self._stopping = ""
        self._kill_at = 0.0
        self._ticks = 0
        self._failed_starts = 0
        self._exit_code = 0
        self._born = time.monotonic()
        self._wakeup_r, self._wakeup_w = os.pipe()
        os.set_blocking(self._wakeup_r, False)
        os.set_blocking(self._wakeup_w, False)

    def run(self) -> int:
        """Work until told to stop; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._note_signal)
        signal.set_wakeup_fd(self._wakeup_w, warn_on_full_buffer=False)
        reporter = HealthReporter(
            self.health, address=self._options.health, file=self._options.health_file
        )
        self._nursery.start()
        while not self._is_over():
            self._wait()
            self._take_signals()
            now_ns = time.monotonic_ns()
            for ended in self._nursery.poll(now_ns):
                self._bury(ended)
            self._follow_zygote()
            self._take_heartbeats()
            self._fork_registered()
            self._look_at_rows(now_ns)
        reporter.stop()
        return self._finish()

    def health(self) -> Health:
        """How this worker is; for probes, from any thread."""
        keeper, books = self._keeper, self._books
        born_ms = int((time.monotonic() - self._born) * 1000)
        return health_of(
            list(self._nursery.children.values()),
            worker=books.worker if books is not None else "",
            age_ms=keeper.age_ms if keeper is not None else born_ms,
            lease_ms=books.settings.lease_ms if books is not None else 0,
            give_up_ms=self._options.give_up_ms,
            stopping=bool(self._stopping),
        )

    # --- the loop's parts -------------------------------------------------------------------

    def _wait(self) -> None:
        select.select([self._wakeup_r, *self._nursery.descriptors()], [], [], _TICK_S)
        try:
            while os.read(self._wakeup_r, 4096):
                pass
        except BlockingIOError:
            pass

    def _wake(self) -> None:
        """Called from other threads: there is something to take in."""
        try:
            os.write(self._wakeup_w, b"!")
        except BlockingIOError:
            return

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _take_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number == signal.SIGQUIT or (number == signal.SIGINT and self._stopping):
                self._stop("cold")
            elif not self._stopping:
                self._stop("warm")

    def _stop(self, how: str) -> None:
        """Warm: running jobs finish within the grace period. Cold: they are handed back now."""
        _log.info("worker.stopping how=%s grace_ms=%d", how, self._options.grace_ms)
        self._stopping = how
        now = time.monotonic()
        self._kill_at = now if how == "cold" else now + self._options.grace_ms / 1000
        self._warden.stop_all()

    def _follow_zygote(self) -> None:
        if self._nursery.failure is not None:
            text, self._exit_code = self._nursery.failure
            _log.error("app.not_loadable error=%s", text)
            self._stopping = "failed"
            return
        if self._nursery.hello is not None and self._books is None and not self._stopping:
            self._begin(WorkerSettings.of(self._nursery.hello))
        elif not self._nursery.is_running and not self._stopping and not self._nursery.children:
            _log.warning("zygote.restarts")
            self._nursery.start()
        elif self._nursery.hello is not None and self._books is not None:
            self._fill()

    def _begin(self, settings: WorkerSettings) -> None:
        """A new incarnation of this worker: a new id, a new lease, new children."""
        worker = f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
        about = describe(self._options, settings, self._queues(settings))
        self._books = Books(settings, worker, about, self._wake)
        self._books.enrol([], lambda: self._start_keeper(settings, worker))
        self._fill()
        trim_heap()
        _log.info(
            "worker.ready worker=%s children=%d queues=%s redis=%s",
            worker,
            self._options.least_children,
            self._queues(settings),
            Endpoint(settings.url).safe_url,
        )

    def _start_keeper(self, settings: WorkerSettings, worker: str) -> None:
        def report(heartbeat: Heartbeat) -> None:
            self._heartbeats.put(heartbeat)
            self._wake()

        if self._keeper is None:
            self._keeper = LeaseKeeper(
                Endpoint(settings.url),
                settings.prefixes(),
                worker,
                settings.lease_ms,
                runs=self._runs,
                report=report,
                renewed=self._note_renewed,
            )
            self._keeper.start()

    def _note_renewed(self, sent_ns: int) -> None:
        """Children start nothing while the lease is in doubt; called by the keeper's thread."""
        for child in list(self._nursery.children.values()):
            child.row.renewed_ns = sent_ns

    def _runs(self, partition: int) -> list[tuple[bytes, int]]:
        """What runs in a partition, for the comparison; called by the lease keeper's thread."""
        if self._books is None:
            return []
        partitions = self._books.settings.partitions
        found = []
        for child in list(self._nursery.children.values()):
            for at, one in child.row.running():
                lane = child.row.lane(at)
                raw_id = lane.job_id
                steady = raw_id and lane.fence == one.fence
                if steady and partition_of(raw_id, partitions) == partition:
                    found.append((raw_id, one.fence))
        return found

    # --- children ---------------------------------------------------------------------------

    def _fill(self) -> None:
        if not self._stopping and self._books is not None and not self._books.struck:
            self._brood.fill(self._books, time.monotonic_ns())

    def _fork_registered(self) -> None:
        books = self._books
        queues = self._queues(books.settings) if books is not None else ""
        self._brood.fork_registered(books, queues, stopping=bool(self._stopping))

    def _bury(self, ended: Ended) -> None:
        books = self._books
        if books is None:
            return
        estate = estate_of(ended, books.worker, books.settings.result_ttl_ms)
        child = ended.child
        level = logging.INFO if child.verdict or estate.cause == "exit code 0" else logging.WARNING
        _log.log(
            level,
            "child.ended pid=%d cause=%s job=%s peak_rss_kib=%d",
            child.pid,
            estate.cause,
            estate.ran,
            ended.peak_rss_kib,
        )
        if not books.struck:
            books.release(estate)
        self._failed_starts = 0 if child.row.ready else self._failed_starts + 1
        if self._failed_starts >= _HOPELESS and not self._stopping:
            _log.error(
                "worker.hopeless starts=%d cause=%s remedy=%s",
                self._failed_starts,
                estate.cause,
                "read the traceback above: children die before they are ready",
            )
            self._exit_code = _EXIT_NOT_LOADABLE
            self._stop("cold")

    def _look_at_rows(self, now_ns: int) -> None:
        self._ticks += 1
        books = self._books
        if books is None:
            return
        if not self._stopping:
            self._give_up_without_redis()
        if self._stopping and time.monotonic() >= self._kill_at:
            self._warden.kill_all("cold")
        over = self._keeper is not None and self._keeper.has_run_out_here
        for child in self._warden.enforce_limits(now_ns, lease_is_over=over):
            books.give_back(child)
        if self._options.max_memory_per_child and self._ticks % _MEMORY_TICKS == 0:
            self._warden.recycle_larger_than(self._options.max_memory_per_child)

    def _give_up_without_redis(self) -> None:
        """A process that makes no progress says so, and at last exits for another to try."""
        health = self.health()
        if health.live or health.detail["running"]:
            return
        _log.error(
            "worker.gives_up without_redis_ms=%d remedy=%s",
            health.age_ms,
            "see that Redis answers at the URL above; restart the worker",
        )
        self._exit_code = _EXIT_NO_REDIS
        self._stop("cold")

    # --- what the lease keeper heard --------------------------------------------------------

    def _take_heartbeats(self) -> None:
        while not self._heartbeats.empty():
            heartbeat = self._heartbeats.get()
            renewal = heartbeat.renewal
            if self._books is None:
                return
            if renewal.word == "GONE" or self._books.struck:
                self._start_over()
                return
            if renewal.word == "UNKNOWN":
                _log.warning("worker.unknown worker=%s: registering again", self._books.worker)
                consumers = [child.consumer for child in self._nursery.children.values()]
                self._books.enrol(consumers)
                continue
            for raw_id, how in renewal.cancelled.items():
                self._warden.cancel(raw_id, how, renewal.holders.get(raw_id))
            for raw_id in renewal.lost:
                self._warden.stop_stale_run(raw_id)
            if heartbeat.compared:
                self._warden.find_strays(renewal.unlisted)

    def _start_over(self) -> None:
        """The lease is lost for certain: every run is void (R14)."""
        books, keeper = self._books, self._keeper
        _log.error(
            "worker.lease_lost worker=%s remedy=%s",
            books.worker if books else "",
            "its jobs run elsewhere now; look for a pause of this machine longer than the lease",
        )
        if books is not None:
            books.struck = True
        self._warden.kill_all("struck")
        if keeper is not None:
            keeper.stop()
        deadline = time.monotonic() + 10
        while any(child.pid for child in self._nursery.children.values()):
            for ended in self._nursery.poll(time.monotonic_ns()):
                self._bury(ended)
            if time.monotonic() > deadline:
                break
            time.sleep(0.005)
        self._nursery.children.clear()
        if books is not None:
            books.close()
        while not self._heartbeats.empty():
            self._heartbeats.get()
        self._books = self._keeper = None

    # --- the end ----------------------------------------------------------------------------

    def _is_over(self) -> bool:
        if not self._stopping:
            return False
        if self._stopping == "failed":
            return True
        if any(child.pid for child in self._nursery.children.values()):
            return False
        return self._books is None or self._books.are_done or self._is_pointless()

    def _is_pointless(self) -> bool:
        """Whether what is still to be written comes too late: the lease is over by our clock."""
        return self._keeper is None or self._keeper.has_run_out_here

    def _finish(self) -> int:
        if self._keeper is not None:
            self._keeper.stop()
        if self._books is not None:
            if not self._books.struck and not self._is_pointless():
                self._books.leave()
                deadline = time.monotonic() + 5
                while not self._books.are_done and time.monotonic() < deadline:
                    time.sleep(0.005)
            self._books.close()
        self._nursery.stop()
        _log.info("worker.stopped code=%d", self._exit_code)
        return self._exit_code

    def _queues(self, settings: WorkerSettings) -> str:
        return ",".join(self._options.queues) or settings.default_queue


def _host() -> str:
    """The host's name, without what separates the parts of our members."""
    return "".join(c if c.isalnum() or c in "-." else "-" for c in socket.gethostname())[:60]
