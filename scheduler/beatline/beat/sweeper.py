"""
The sweep: offers that nobody opened go back to their queues, dead letters stay within bounds.

Small steps once a second, by the leader. What happens when two sweep: each step is atomic, so the
second one finds nothing to do. When nobody sweeps: unopened offers wait, nothing is lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from beatline.beat.statistics import Statistics
from beatline.store.burying import withdraw
from beatline.wire.connection import HeldConnection

_log = logging.getLogger("beatline.beat.sweeper")

#: Shortest time between two sweeps, ms: below the age at which an offer goes back.
PAUSE_MS: Final = 900


class Sweeper:
    """
    Sweeps one partition.

    Args:
        connection: Beat's working connection.
        prefix: The partition's key prefix.
        result_ttl_ms: How long results are kept of jobs that end here.
        statistics: Counts what was swept.
        monotonic: The process's own clock, seconds.
    """

    def __init__(
        self,
        connection: HeldConnection,
        prefix: bytes,
        *,
        result_ttl_ms: int,
        statistics: Statistics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._result_ttl_ms = result_ttl_ms
        self._statistics = statistics
        self._monotonic = monotonic
        self._swept_at = float("-inf")

    def run(self) -> None:
        """Sweep, if it is time to."""
        now = self._monotonic()
        if (now - self._swept_at) * 1_000 < PAUSE_MS:
            return
        withdrawn, dropped = withdraw(self._connection, self._prefix, self._result_ttl_ms)
        self._swept_at = now
        if withdrawn:
            _log.warning("beat.withdrawn jobs=%d reason=%s", withdrawn, "offered and not opened")
            self._statistics.count("withdrawn", withdrawn)
        if dropped:
            _log.warning("beat.dead_letters_dropped jobs=%d reason=%s", dropped, "bounds reached")
