"""
The lease keeper: one thread of the supervisor that tells Redis "this worker lives".

One command per heartbeat keeps everything that the worker's children hold. The reply says
whether the worker was struck (GONE), is not known (UNKNOWN, after a FLUSHALL), what was
cancelled, and, after each reconnect and every third time, what differs between the server's
books and ours (R13).

What happens when Redis is gone: each attempt ends within a fifth of the lease, and the next one
begins at once on a new connection. When a renewal fails nothing is killed: only an *answer* can
tell that the lease is lost (R14). When the process is paused, the first answer after it tells.
"""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from redis.exceptions import ResponseError

from beatline.errors import NotSent
from beatline.store.leasing import Renewal, renew
from beatline.wire.connection import LOST, Endpoint, HeldConnection

_log = logging.getLogger("beatline.worker.lease")

#: Longest pause between two heartbeats, ms: cancellations reach a worker within one.
LONGEST_BEAT_MS = 2_000
#: Pause before the heartbeat that follows a registration, seconds.
QUICK_BEAT_S = 0.1
#: Every so many heartbeats the lists are compared.
COMPARE_EVERY = 3


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The answer of one partition."""

    partition: int
    renewal: Renewal
    compared: bool


class LeaseKeeper:
    """
    Renews a worker's lease in all partitions.

    Args:
        endpoint: Where Redis is.
        prefixes: Key prefixes, one per partition.
        worker: Id of the worker.
        lease_ms: Length of the lease.
        runs: (id, fence) of what runs, for a partition; called from this thread.
        report: Takes each answer; called from this thread, must not block.
        renewed: Told after each renewal when it was sent (`awake_or_not_ns`); from this thread.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        prefixes: Sequence[bytes],
        worker: str,
        lease_ms: int,
        *,
        runs: Callable[[int], list[tuple[bytes, int]]],
        report: Callable[[Heartbeat], None],
        renewed: Callable[[int], None],
    ) -> None:
        self._connection = HeldConnection(
            replace(endpoint, connect_timeout_ms=lease_ms // 5, reply_timeout_ms=lease_ms // 5)
        )
        self._prefixes = list(prefixes)
        self._worker = worker
        self._lease_ms = lease_ms
        self._runs = runs
        self._report = report
        self._renewed = renewed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)
        self._beats = 0
        self._generation = 0
        #: When the last renewal that was answered was sent; it runs on while the machine sleeps.
        self._renewed_ns = awake_or_not_ns()

    @property
    def age_ms(self) -> int:
        """How long ago the last renewal that was answered was sent."""
        return (awake_or_not_ns() - self._renewed_ns) // 1_000_000

    @property
    def has_run_out_here(self) -> bool:
        """Whether the lease may be over by our own clock: a whole one since the last renewal."""
        return self.age_ms > self._lease_ms

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the lease runs on until its end or `leave`."""
        self._stop.set()
        self._thread.join(self._lease_ms / 1000)

    def _keep(self) -> None:
        beat_s = min(self._lease_ms / 3, LONGEST_BEAT_MS) / 1000
        pause_s = 0.0
        while not self._stop.wait(pause_s):
            try:
                pause_s = beat_s if self._beat() else QUICK_BEAT_S
            except (*LOST, NotSent, ResponseError) as error:
                _log.warning("lease.not_renewed worker=%s error=%s", self._worker, error)
                self._connection.close()
                pause_s = random.uniform(0.05, 0.3)
        self._connection.close()

    def _beat(self) -> bool:
        """Renew everywhere; False where the server did not know us."""
        self._connection.connect()
        sent_ns = awake_or_not_ns()
        compare = self._connection.generation != self._generation or not (
            self._beats % COMPARE_EVERY
        )
        known = True
        for partition, key_prefix in enumerate(self._prefixes):
            held = self._runs(partition) if compare else None
            renewal = renew(self._connection, key_prefix, self._worker, self._lease_ms, held)
            self._report(Heartbeat(partition, renewal, compare))
            known = known and renewal.word == "OK"
        # A worker that had to register anew compares at once: its runs may be somebody else's.
        self._generation = self._connection.generation if known else 0
        self._renewed_ns = sent_ns
        if known:
            self._renewed(sent_ns)
        self._beats += 1
        return known


def awake_or_not_ns() -> int:
    """A monotonic clock that counts the time in which the machine was suspended."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()
