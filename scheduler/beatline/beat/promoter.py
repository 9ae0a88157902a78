"""
Promotion: due jobs leave the timeline for their queues.

A round takes batches of 500, larger ones when it falls behind, and few of them, so that schedules
are fired and leases are looked after between them. What happens when two beats promote: each entry
leaves the timeline once. When a reply is lost: nothing, the next call goes on.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from beatline.beat.server_clock import ServerClock
from beatline.beat.statistics import Statistics
from beatline.store.promoting import promote
from beatline.wire.connection import HeldConnection

#: Entries per call: other clients of the server wait half a millisecond.
BATCH: Final = 500
#: Entries per call when the one before was full; more would be slower per job.
BATCH_BEHIND: Final = 1_000
#: Most calls before schedules are fired.
MOST_BATCHES: Final = 5


class Due(NamedTuple):
    """
    What a promotion found.

    Attributes:
        moved: Jobs that became ready.
        next_due_ms: When the timeline's head is due, or None where it is empty.
        schedules: Due schedules with the instants at which they became due, ms.
        is_behind: Whether more may be due than was looked at.
    """

    moved: int
    next_due_ms: float | None
    schedules: list[tuple[str, int]]
    is_behind: bool


class Promoter:
    """
    Promotes the due jobs of one partition.

    Args:
        connection: Beat's working connection.
        prefix: The partition's key prefix.
        clock: Learns the server's time.
        statistics: Counts what was promoted.
    """

    def __init__(
        self,
        connection: HeldConnection,
        prefix: bytes,
        *,
        clock: ServerClock,
        statistics: Statistics,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._clock = clock
        self._statistics = statistics

    def run(self) -> Due:
        """Promote until nothing is due, a schedule is, or `MOST_BATCHES` have been moved."""
        due = self._promote(BATCH)
        moved = due.moved
        for _ in range(MOST_BATCHES - 1):
            if due.schedules or not due.is_behind:
                break
            due = self._promote(BATCH_BEHIND)
            moved += due.moved
        return due._replace(moved=moved)

    def _promote(self, limit: int) -> Due:
        sent_us = self._clock.mark_us()
        promoted = promote(self._connection, self._prefix, limit)
        self._clock.observe(promoted.now_us, sent_us)
        if promoted.moved:
            self._statistics.count("promoted", promoted.moved)
        is_full = promoted.moved + len(promoted.schedules) >= limit
        return Due(promoted.moved, promoted.next_due_ms, promoted.schedules, is_full)
