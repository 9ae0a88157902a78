"""
A child of one lane: takes, runs and settles, one job after the other.

A child is forked from the zygote after the app was loaded. It dies with its parent, leads its
own process group so that a job's subprocesses go with it, and ignores the terminal's signals:
its supervisor says when to stop, by the row that both share.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from beatline.app import App
from beatline.store.delivering import Consumer, Delivery, Settlement
from beatline_worker.batching import BatchSize
from beatline_worker.consumer import ConsumerLoop, Desynchronised
from beatline_worker.courier import Courier
from beatline_worker.executor import Executor, Run
from beatline_worker.interruptions import interruption
from beatline_worker.lease_keeper import awake_or_not_ns
from beatline_worker.options import EXIT_DESYNCHRONISED, ChildOptions
from beatline_worker.table import NO_LIMIT, Row

_log = logging.getLogger("beatline.worker.child")

#: A batch that has run so long is settled before it goes on, ms: what is not settled runs again
#: where the whole machine dies.
SETTLE_AFTER_MS: Final = 5.0
#: Pause between two looks whether the lease has been renewed, seconds.
_RENEWAL_LOOK_S: Final = 0.02
#: prctl option: the signal that a process gets when its parent dies.
_PR_SET_PDEATHSIG: Final = 1


class Child:
    """
    The loop of one child.

    Args:
        app: The loaded app.
        row: This child's row of the shared table.
        options: Names and limits.
    """

    def __init__(self, app: App, row: Row, options: ChildOptions) -> None:
        self._row = row
        self._lane = row.lane(0)
        self._options = options
        self._wakeup_fd = _open_wakeup()
        endpoint = app.endpoint()
        consumer = Consumer(options.worker, options.consumer, options.queues)
        self._executor = Executor(
            app,
            options.worker,
            time_limit_ms=options.time_limit_ms,
            soft_time_limit_ms=options.soft_time_limit_ms,
            courier=Courier(
                endpoint,
                consumer,
                namespace=app.settings.namespace,
                partitions=app.settings.partitions,
            ),
        )
        self._loop = ConsumerLoop(
            endpoint,
            consumer,
            namespace=app.settings.namespace,
            partitions=app.settings.partitions,
            wakeup_fd=self._wakeup_fd,
            should_stop=lambda: bool(row.stop),
            on_round=self._note_round,
            lease_ms=app.settings.lease_ms,
        )
        self._returns = 0
        self._longest_unrenewed_ns = app.settings.lease_ms * 1_000_000 * 2 // 3
        self._batch = BatchSize(options.largest_batch)
        self._in_body: Run | None = None
        self._finished: list[Settlement] = []
        self._hooks: list[Callable[[], Any]] = list(app.child_start_hooks)

    def run(self) -> int:
        """Work until told to stop; the exit code."""
        signal.signal(signal.SIGUSR1, self._interrupt)
        for hook in self._hooks:
            hook()
        self._row.ready = 1
        try:
            self._work()
        except Desynchronised as error:
            _log.error("child.desynchronised error=%s", error)
            return EXIT_DESYNCHRONISED
        finally:
            self._loop.close()
        return 0

    def _work(self) -> None:
        resync = False
        while not self._is_done():
            if self._is_unrenewed():
                self._settle_finished()
                time.sleep(_RENEWAL_LOOK_S)
                resync = True
                continue
            deliveries = self._exchange(self._batch.next(), resync=resync)
            resync = False
            if not deliveries:
                deliveries = self._when_empty()
            if deliveries:
                self._row.known = max(self._row.known, deliveries[-1].fence)
                resync = self._run_batch(deliveries)
        self._settle_finished()

    def _when_empty(self) -> list[Delivery]:
        self._batch.shrink()
        if self._row.stop:
            return []
        if self._loop.has_turns and not self._loop.next_turn():
            return []
        deliveries = self._loop.wait()
        if self._loop.was_woken:
            self._drain_wakeup()
        return deliveries

    def _exchange(self, limit: int, *, resync: bool = False) -> list[Delivery]:
        if self._row.limit != NO_LIMIT:
            self._await_limit_lifted()
            resync = True
        # Read after the limit: what is given back from here on makes this batch out of date.
        self._returns = self._row.returns
        deliveries = self._loop.exchange(self._finished, limit, resync=resync)
        self._clear_finished()
        return deliveries

    def _settle_finished(self) -> None:
        if self._finished:
            self._loop.flush(self._finished)
            self._clear_finished()

    def _clear_finished(self) -> None:
        self._row.outbox_length = 0
        self._finished.clear()

    def _await_limit_lifted(self) -> None:
        """The supervisor is giving back what lies beyond the limit; it lifts it right after."""
        while self._row.limit != NO_LIMIT and not self._row.stop:
            time.sleep(0.001)

    def _run_batch(self, deliveries: list[Delivery]) -> bool:
        """Run a batch; True where jobs were left out and the server must say what is still held."""
        row = self._row
        begun = time.monotonic()
        for index, delivery in enumerate(deliveries):
            self._lane.begin(delivery.fence, time.monotonic_ns(), delivery.id)
            # The order matters: first say what runs, then look how far we may go (R5).
            if delivery.fence > row.limit or row.stop or self._is_out_of_date():
                self._lane.clear()
                return True
            self._note_finished(self._run_one(delivery))
            more = index + 1 < len(deliveries)
            if more and (time.monotonic() - begun) * 1000 > SETTLE_AFTER_MS:
                self._settle_finished()
                begun = time.monotonic()
        return False

    def _is_out_of_date(self) -> bool:
        """Whether jobs of this batch may not be ours any more, or may soon not be."""
        is_given_back = self._row.returns != self._returns
        return is_given_back or self._loop.is_doubtful or self._is_unrenewed()

    def _is_unrenewed(self) -> bool:
        """
        Whether the supervisor has not renewed the lease for two thirds of it.

        It may be stopped, or cut off. What would be started now may run elsewhere before it ends;
        what has ended is settled while there is time.
        """
        return bool(awake_or_not_ns() - self._row.renewed_ns > self._longest_unrenewed_ns)

    def _note_finished(self, settlement: Settlement) -> None:
        row = self._row
        # First the outbox: a child that is killed in between has its job settled, not run again.
        fits = row.put_in_outbox(settlement)
        self._lane.clear()
        row.finished += 1
        self._finished.append(settlement)
        if not fits:
            self._settle_finished()

    def _run_one(self, delivery: Delivery) -> Settlement:
        # The fence is the server's time at the take: the job did not start before it.
        now_ms = max(self._loop.server_now_ms(), delivery.fence // 1000)
        run = self._executor.prepare(delivery, now_ms)
        if isinstance(run, Settlement):
            return run
        row = self._row
        if row.cancels and delivery.fence in row.cancelled_fences():
            return self._executor.cancelled(run, now_ms)
        started = time.monotonic_ns()
        self._lane.describe(started, run.job.task, run.soft_ms, run.hard_ms, run.flags)
        self._in_body = run
        settlement = self._executor.run(run, now_ms)
        self._in_body = None
        self._batch.note(run.job.task, (time.monotonic_ns() - started) / 1e6)
        return settlement

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        """SIGUSR1: raise inside the body that the supervisor meant, or only end a wait."""
        run = self._in_body
        fence, kind = self._lane.asked()
        if run is None or fence != run.delivery.fence:
            return
        reason = interruption(kind, run)
        if not self._executor.keeper.interrupt(reason):
            raise reason

    def _is_done(self) -> bool:
        most = self._options.max_tasks_per_child
        return bool(self._row.stop) or (most > 0 and self._row.finished >= most)

    def _note_round(self) -> None:
        self._row.round_ns = time.monotonic_ns()

    def _drain_wakeup(self) -> None:
        try:
            while os.read(self._wakeup_fd, 512):
                pass
        except BlockingIOError:
            pass


def enter_child(parent: int) -> None:
    """
    Make a freshly forked process a child: it dies with its parent, leads its group, and hears no
    terminal.

    Args:
        parent: Pid of the process that forked it.
    """
    die_with_parent(parent)
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    gc.enable()


def die_with_parent(parent: int) -> None:
    """
    Have the kernel kill this process when its parent dies; at once if that has happened already.

    Where there is no such facility the process watches a pipe instead (see `zygote`).
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _open_wakeup() -> int:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading
