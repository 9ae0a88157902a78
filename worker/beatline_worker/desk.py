"""
The desk: what lies between the dispatcher of a child and the lanes that run its jobs.

The dispatcher, one thread, talks to Redis; lanes run bodies. Deliveries come over the desk in one
direction and settlements in the other. Everything that may be asked by several threads at once
is here, and nowhere else.

Before a body begins, its lane says so in the row and then looks whether it may (R5): a job that
was given back, or whose lease may be over, is dropped, and the dispatcher asks what is still ours.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from beatline.store.delivering import Delivery, Settlement
from beatline_worker.batching import BatchSize
from beatline_worker.executor import Executor, Run
from beatline_worker.lanes import Lane
from beatline_worker.table import Row

#: The lease must have been renewed within this part of it for a body to begin.
RENEWED_WITHIN: Final = 2 / 3


class Item(NamedTuple):
    """
    A delivery on its way to a lane.

    Attributes:
        delivery: The handing-over.
        returns: How often jobs had been given back when it was taken: it is out of date once the
            row says another number.
    """

    delivery: Delivery
    returns: int


class Begun(NamedTuple):
    """A job that has entered its lane: its run, and the server's time."""

    run: Run
    now_ms: int


class Desk:
    """
    One child's desk.

    Args:
        row: The child's row.
        executor: Turns deliveries into runs.
        batch: Learns how long tasks take.
        server_now_ms: The server's clock.
        is_doubtful: Whether what is held may not be ours any more.
        wakeup_fd: Written to where the dispatcher should look.
    """

    def __init__(
        self,
        row: Row,
        executor: Executor,
        batch: BatchSize,
        *,
        server_now_ms: Callable[[], int],
        is_doubtful: Callable[[], bool],
        wakeup_fd: int,
    ) -> None:
        self.row = row
        self.executor = executor
        self._batch = batch
        self._server_now_ms = server_now_ms
        self._is_doubtful = is_doubtful
        self._wakeup_fd = wakeup_fd
        self._lock = threading.Lock()
        #: What no lane has begun.
        self.pending: deque[Item] = deque()
        self._finished: list[Settlement] = []
        self._second_outbox = False
        self._dropped: deque[int] = deque()
        self._is_rung = False
        self.first_finished_at = 0.0
        self.is_urgent = False

    # --- for the lanes --------------------------------------------------------------------------

    def begin(self, lane: Lane, item: Item) -> Begun | None:
        """
        Enter a job into its lane; None where there is nothing to run.

        A job that expired, was cancelled or cannot be run is settled here.
        """
        row, delivery = self.row, item.delivery
        fence = delivery.fence
        lane.begin(fence, time.monotonic_ns(), delivery.id)
        # The order matters: first say what runs, then look how far we may go (R5).
        if fence > row.limit or row.stop or row.returns != item.returns or self._is_doubtful():
            lane.clear()
            self._dropped.append(fence)
            self.ring()
            return None
        # The fence is the server's time at the take: the job did not start before it.
        now_ms = max(self._server_now_ms(), fence // 1000)
        run = self.executor.prepare(delivery, now_ms)
        if isinstance(run, Settlement):
            self.finish(lane, run)
            return None
        if row.cancels and fence in row.cancelled_fences():
            self.finish(lane, self.executor.cancelled(run, now_ms))
            return None
        lane.describe(time.monotonic_ns(), run.job.task, run.soft_ms, run.hard_ms, run.ready.flags)
        return Begun(run, now_ms)

    def finish(
        self, lane: Lane, settlement: Settlement, task: str = "", run_ms: float = 0.0
    ) -> None:
        """Note how a job ended: its end lies in the outbox before its lane is free."""
        with self._lock:
            if not self.row.put_in_outbox(settlement, self._second_outbox):
                self.is_urgent = True
            lane.clear()
            self.row.finished += 1
            if not self._finished:
                self.first_finished_at = time.monotonic()
            self._finished.append(settlement)
            if task:
                self._batch.note(task, run_ms)

    def ring(self) -> None:
        """Let the dispatcher look, once."""
        if not self._is_rung:
            self._is_rung = True
            try:
                os.write(self._wakeup_fd, b"!")
            except BlockingIOError:
                return

    # --- for the dispatcher ---------------------------------------------------------------------

    def hear(self) -> None:
        """The dispatcher looks now: from here on it has to be rung for again."""
        self._is_rung = False

    @property
    def finished_count(self) -> int:
        """How many settlements wait."""
        return len(self._finished)

    def collect(self) -> list[Settlement]:
        """What has finished; it stays in its outbox until `settled`."""
        with self._lock:
            collected, self._finished = self._finished, []
            self._second_outbox = not self._second_outbox
            self.is_urgent = False
            return collected

    def settled(self) -> None:
        """What was collected last has been settled."""
        if self._second_outbox:
            self.row.outbox_length = 0
        else:
            self.row.second_outbox_length = 0

    def next_batch(self) -> int:
        """How many jobs a batch should have, by what has run lately."""
        with self._lock:
            return self._batch.next()

    def shrink_batch(self) -> None:
        """The queue ran dry: begin small again."""
        with self._lock:
            self._batch.shrink()

    def dropped(self) -> list[int]:
        """Fences of what lanes have refused since the last call."""
        found: list[int] = []
        while self._dropped:
            found.append(self._dropped.popleft())
        return found

    def withdraw(self) -> list[int]:
        """Take back what no lane has begun; its fences."""
        found: list[int] = []
        while True:
            try:
                found.append(self.pending.popleft().delivery.fence)
            except IndexError:
                return found
