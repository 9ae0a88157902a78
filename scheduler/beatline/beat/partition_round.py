"""
One partition's round: the order in which beat's roles act.

Tick and reclaim come first, whatever else there is to do (R12); then leadership; the leader then
promotes, fires and sweeps. Which role does what stands in its own module; this one knows only the
order, and when the next round is due.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from beatline.beat.back_off import BackOff
from beatline.beat.firer import Firer
from beatline.beat.known_schedules import KnownSchedules
from beatline.beat.leadership import STANDBY_PAUSE_MS, Leadership
from beatline.beat.planning import Absences
from beatline.beat.promoter import Promoter
from beatline.beat.server_clock import ServerClock
from beatline.beat.sweeper import Sweeper
from beatline.beat.watcher import Watcher
from beatline.store.scheduling import last_absence
from beatline.wire.connection import HeldConnection

#: Longest time between two rounds of a leader, µs: the watch has to be ticked once a second.
LONGEST_US: Final = 950_000


class Roles(NamedTuple):
    """The roles of one partition, and what they share."""

    watcher: Watcher
    leadership: Leadership
    promoter: Promoter
    firer: Firer
    sweeper: Sweeper
    known: KnownSchedules
    absences: Absences
    clock: ServerClock


class PartitionRound:
    """
    Runs the roles of one partition in their order.

    Args:
        connection: Beat's working connection.
        prefix: The partition's key prefix.
        roles: Who acts.
        started_at: When this process began to be a beat, by its monotonic clock, seconds.
    """

    def __init__(
        self, connection: HeldConnection, prefix: bytes, roles: Roles, started_at: float
    ) -> None:
        self.prefix = prefix
        self.roles = roles
        self._connection = connection
        self._started_at = started_at
        self._stuck = BackOff(first_s=0.01, longest_s=1.0)

    @property
    def is_leader(self) -> bool:
        """Whether this beat acts for the partition."""
        return self.roles.leadership.is_leader

    def run(self) -> float:
        """
        One round.

        Returns:
            Seconds until the next one is due; 0 where there is more to do.

        Raises:
            NotSent, redis.RedisError: Redis cannot be used at present.
        """
        roles = self.roles
        roles.watcher.run()
        self._stand()
        if not roles.leadership.is_leader:
            return 0.0 if roles.watcher.is_behind else STANDBY_PAUSE_MS / 1_000
        due = roles.promoter.run()
        has_fired = roles.firer.run(due.schedules) if due.schedules else False
        roles.sweeper.run()
        if roles.watcher.is_behind:
            return 0.0
        if due.schedules and not has_fired and not due.moved:
            # What is due cannot be fired now. Asking again at once would repeat itself for ever.
            return self._stuck.next_s()
        self._stuck.reset()
        if due.schedules or due.is_behind:
            # The head that promote named has been fired: look again.
            return 0.0
        return self._until(due.next_due_ms)

    def _stand(self) -> None:
        """Take part in the election; a new leader starts from what is stored."""
        roles = self.roles
        was_leader = roles.leadership.is_leader
        now_us = roles.leadership.run()
        if now_us is not None:
            uptime_ms = (time.monotonic() - self._started_at) * 1_000
            roles.absences.note_up(int(now_us / 1_000 - uptime_ms))
        if roles.leadership.is_leader and not was_leader:
            roles.known.forget_all()
            gap = last_absence(self._connection, self.prefix)
            if gap is not None:
                roles.absences.note_gap(*gap)

    def _until(self, due_ms: int | None) -> float:
        if due_ms is None:
            return LONGEST_US / 1_000_000
        left_us = due_ms * 1_000 - self.roles.clock.now_us()
        return max(0, min(left_us, LONGEST_US)) / 1_000_000

    def lose(self) -> None:
        """Redis could not be used: what was known of leadership holds no more."""
        self.roles.leadership.lose()
