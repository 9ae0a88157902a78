"""
A child of one lane: takes, runs and settles, one job after the other.

A child is forked from the zygote after the app was loaded (see `birth`). Its supervisor says when
to stop, by the row that both share.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

from beatline.app import App
from beatline.store.delivering import Consumer, Delivery, Settlement
from beatline_worker.batching import BatchSize
from beatline_worker.consumer import ConsumerLoop, Desynchronised
from beatline_worker.courier import Courier
from beatline_worker.executor import INTERRUPTIONS, Executor, Run
from beatline_worker.interruptions import interruption
from beatline_worker.lease_keeper import awake_or_not_ns
from beatline_worker.options import EXIT_DESYNCHRONISED, ChildOptions
from beatline_worker.table import NO_LIMIT, Row

_log = logging.getLogger("beatline.worker.child")

#: A batch that has run so long is settled before it goes on, ns: what is not settled runs again
#: where the whole machine dies.
SETTLE_AFTER_NS: Final = 5_000_000
#: Pause between two looks whether the lease has been renewed, seconds.
_RENEWAL_LOOK_S: Final = 0.02
#: The next batch is asked for in the middle of one of so many jobs or more, if its first half took
#: no longer than so many ns: neither Redis nor this child waits for the other then.
_LARGE_BATCH: Final = 16
_QUICK_HALF_NS: Final = 2_000_000


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
        #: The row's orders when they were followed last, until when (`awake_or_not_ns`) that is
        #: enough, and what was cancelled by then.
        self._orders, self._sure_until_ns = -1, 0
        self._cancelled: Sequence[int] = ()
        self._in_body: Run | None = None
        self._finished: list[Settlement] = []
        self._is_second_outbox = False
        #: As `_returns`, when the next batch was asked for.
        self._asked_returns = 0
        #: The next call must ask for all that is held.
        self._resync = False
        #: Highest fence of the batch in hand.
        self._reached = 0
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
        while not self._is_done():
            if self._is_unrenewed():
                self._settle_finished()
                time.sleep(_RENEWAL_LOOK_S)
                self._resync = True
                continue
            deliveries = self._next_batch() or self._when_empty()
            if deliveries:
                self._reached = deliveries[-1].fence
                self._orders = -1
                self._row.known = max(self._row.known, self._reached)
                self._run_batch(deliveries)
        self._settle_finished()

    def _next_batch(self) -> list[Delivery]:
        """What was asked for, or else what there is now; empty where there is nothing."""
        if self._loop.is_asked:
            deliveries = self._answer()
            if deliveries and not self._resync:
                return deliveries
        return self._exchange(self._batch.next())

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

    def _exchange(self, limit: int) -> list[Delivery]:
        if self._row.limit != NO_LIMIT:
            self._await_limit_lifted()
            self._resync = True
        # Read after the limit: what is given back from here on makes this batch out of date.
        self._returns = self._row.returns
        deliveries = self._loop.exchange(self._finished, limit, resync=self._resync)
        self._resync = False
        self._clear_finished()
        return deliveries

    def _ask(self, holding: int) -> None:
        """Settle what has finished, and ask for the next batch while this one runs on."""
        row = self._row
        if row.limit != NO_LIMIT or self._options.max_tasks_per_child:
            return
        self._asked_returns = row.returns
        settlements, self._finished = self._finished, []
        # What finishes from here on lies in the other outbox, until this one has been settled.
        self._is_second_outbox = not self._is_second_outbox
        row.asking = 1
        self._loop.ask(settlements, self._batch.next(), holding=holding)

    def _answer(self) -> list[Delivery]:
        """What was asked for; after a lost reply the server tells what is in hand, too."""
        deliveries = self._loop.answer()
        self._returns = self._asked_returns
        if self._is_second_outbox:
            self._row.outbox_length = 0
        else:
            self._row.second_outbox_length = 0
        if deliveries:
            # Also what is not run now must be seen by who gives back (R5).
            self._row.known = max(self._row.known, deliveries[-1].fence)
        self._row.asking = 0
        return [one for one in deliveries if one.fence > self._reached]

    def _settle_finished(self) -> None:
        if self._loop.is_asked:
            # Its answer cannot be used now: it is asked for again.
            self._answer()
            self._resync = True
        if self._finished:
            self._loop.flush(self._finished)
            self._clear_finished()

    def _clear_finished(self) -> None:
        if self._is_second_outbox:
            self._row.second_outbox_length = 0
        else:
            self._row.outbox_length = 0
        self._finished.clear()

    def _await_limit_lifted(self) -> None:
        """The supervisor is giving back what lies beyond the limit; it lifts it right after."""
        while self._row.limit != NO_LIMIT and not self._row.stop:
            time.sleep(0.001)

    def _run_batch(self, deliveries: list[Delivery]) -> None:
        """Run a batch; where jobs are left out, the server must say what is still held."""
        row, lane = self._row, self._lane
        batch_ns = time.monotonic_ns()
        last = len(deliveries) - 1
        middle = last // 2 if last >= _LARGE_BATCH - 1 else -1
        for index, delivery in enumerate(deliveries):
            begun_ns = time.monotonic_ns()
            lane.begin(delivery.fence, begun_ns, delivery.id)
            # The order matters: first say what runs, then look how far we may go (R5).
            is_sure = row.orders == self._orders and awake_or_not_ns() < self._sure_until_ns
            if not is_sure and not self._may_begin(delivery.fence):
                lane.clear()
                self._resync = True
                return
            self._note_finished(self._run_one(delivery, begun_ns))
            if index == last:
                return
            ran_ns = time.monotonic_ns() - batch_ns
            if ran_ns > SETTLE_AFTER_NS:
                self._settle_finished()
                batch_ns = time.monotonic_ns()
            elif index == middle and ran_ns < _QUICK_HALF_NS:
                self._ask(last - index)

    def _may_begin(self, fence: int) -> bool:
        """Whether a job of this batch, and those after it until further orders, may begin."""
        row = self._row
        # Read first: what is ordered from here on is another number.
        orders, limit = row.orders, row.limit
        # A limit lets this job begin, and perhaps not the next one.
        self._orders = orders if limit == NO_LIMIT else -1
        self._cancelled = row.cancelled_fences() if row.cancels else ()
        unrenewed_ns = row.renewed_ns + self._longest_unrenewed_ns
        self._sure_until_ns = min(unrenewed_ns, self._loop.doubtful_from_ns)
        if fence > limit or row.stop or row.returns != self._returns:
            return False
        # Else this process or its supervisor may have been stopped, and the lease be over.
        return awake_or_not_ns() < self._sure_until_ns

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
        fits = row.put_in_outbox(settlement, self._is_second_outbox)
        self._lane.clear()
        row.finished += 1
        self._finished.append(settlement)
        if not fits:
            self._settle_finished()

    def _run_one(self, delivery: Delivery, begun_ns: int) -> Settlement:
        # The fence is the server's time at the take: the job did not start before it.
        now_ms = max(self._loop.server_ms_at(begun_ns), delivery.fence // 1000)
        run = self._executor.prepare(delivery, now_ms)
        if isinstance(run, Settlement):
            return run
        if self._cancelled and delivery.fence in self._cancelled:
            return self._executor.cancelled(run, now_ms)
        if self._finished and self._batch.may_take_long(run.job.task):
            # Nobody is to wait a minute for a result that is there.
            self._settle_finished()
        started = time.monotonic_ns()
        self._lane.describe(started, run.job.task, run.soft_ms, run.hard_ms, run.ready.flags)
        settlement = self._run_body(run, now_ms)
        self._batch.note(run.job.task, (time.monotonic_ns() - started) / 1e6)
        return settlement

    def _run_body(self, run: Run, now_ms: int) -> Settlement:
        settlement: Settlement | None = None
        try:
            self._in_body = run
            if self._lane.is_asked:
                # Since the lane says that this job runs.
                self._interrupt()
            settlement = self._executor.run(run, now_ms)
            self._in_body = None
        except INTERRUPTIONS as reason:
            # Before the body had begun, or as it ended.
            self._in_body = None
            return settlement or self._executor.interrupted(run, reason, now_ms)
        return settlement

    def _interrupt(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """SIGUSR1: raise inside the body that the supervisor meant, or only end a wait."""
        run = self._in_body
        if run is None:
            return
        fence, kind = self._lane.asked()
        if fence != run.delivery.fence:
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


def _open_wakeup() -> int:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading
