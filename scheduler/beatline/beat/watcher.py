"""
The watch: time counts against leases only while a beat observes it (G10, R12).

Every beat ticks, leader or not, at least once a second. The tick takes back what workers held
whose lease ran out under observation, a bounded number of jobs at a time.

What happens when Redis is gone or the process is paused: nobody ticks, and the next tick gives all
living workers a full lease to report. Two beats that tick advance the watch no faster than one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from beatline.beat.statistics import Statistics
from beatline.store.leasing import Reclaimed, reclaim
from beatline.wire.connection import HeldConnection

_log = logging.getLogger("beatline.beat.watcher")

#: Shortest time between two ticks, ms: beat sleeps at most a second, so that one falls due in it.
PAUSE_MS: Final = 450
#: Most jobs taken back by one call: 100 cost the server a millisecond.
_BATCH: Final = 100


class Watcher:
    """
    Ticks the watch of one partition, and reclaims.

    Args:
        connection: Beat's working connection.
        prefix: The partition's key prefix.
        max_deliveries: Charges that bury a job whose worker said none.
        result_ttl_ms: How long results of buried jobs are kept.
        statistics: Counts what was taken back.
        monotonic: The process's own clock, seconds.

    Attributes:
        is_behind: Whether a dead worker's jobs are still to be taken back.
        was_reset: Whether the last tick found a watch that had been set back: the data in Redis
            were flushed, or an older copy took over.
    """

    def __init__(
        self,
        connection: HeldConnection,
        prefix: bytes,
        *,
        max_deliveries: int,
        result_ttl_ms: int,
        statistics: Statistics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._max_deliveries = max_deliveries
        self._result_ttl_ms = result_ttl_ms
        self._statistics = statistics
        self._monotonic = monotonic
        self._ticked_at = float("-inf")
        self._watched_ms: int | None = None
        self.is_behind = False
        self.was_reset = False

    def run(self) -> None:
        """Tick, if it is time to."""
        now = self._monotonic()
        if not self.is_behind and (now - self._ticked_at) * 1_000 < PAUSE_MS:
            self.was_reset = False
            return
        found = reclaim(
            self._connection,
            self._prefix,
            limit=_BATCH,
            max_deliveries=self._max_deliveries,
            result_ttl_ms=self._result_ttl_ms,
        )
        # A watch only rises. One that does not has been set back, or the clock stood still.
        self.was_reset = self._watched_ms is not None and found.watched_ms <= self._watched_ms
        self._watched_ms = found.watched_ms
        self._ticked_at = now
        self._report(found)
        self.is_behind = found.pending > 0 and found.returned > 0

    def _report(self, found: Reclaimed) -> None:
        if found.absence_ms:
            _log.warning(
                "beat.unwatched ms=%d remedy=%s",
                found.absence_ms,
                "no beat was up or Redis was away; leases start anew, run a second beat",
            )
            self._statistics.count("absences")
        for worker in found.gone:
            _log.warning("beat.worker_gone worker=%s reason=%s", worker, "its lease ran out")
            self._statistics.count("workers_gone")
        if found.returned:
            _log.warning(
                "beat.reclaimed jobs=%d workers=%s", found.returned, ",".join(found.gone) or "-"
            )
            self._statistics.count("reclaimed", found.returned)
