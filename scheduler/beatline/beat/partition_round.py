"""
One partition's round: the order in which beat's roles act.

Tick and reclaim come first, whatever else there is to do (R12); then leadership; the leader then
promotes, fires, sweeps and raises alerts. Which role does what stands in its own module; this one
knows only the order, and when the next round is due.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from beatline.beat.back_off import BackOff
from beatline.beat.leadership import STANDBY_PAUSE_MS
from beatline.beat.promoter import Due
from beatline.beat.roles import Roles
from beatline.store.schedule_reading import last_absence
from beatline.wire.connection import HeldConnection

#: Longest time between two rounds of a leader, µs: the watch has to be ticked once a second.
LONGEST_US: Final = 950_000
#: Shortest sleep, µs: what falls due within it shares the round that follows. A beat that fires 780
#: schedules a second at 780 instants would wake for each, and spend twice the time.
SHORTEST_US: Final = 1_000
#: Longest time for promoting and firing before tick and election have their turn, seconds.
LONGEST_ACT_S: Final = 0.25
#: How often the same schedules are tried without any effect before beat pauses: once because
#: another beat was faster, once because it was so again.
_MOST_IN_VAIN: Final = 3
#: Most schedules that are fired before due jobs are promoted: jobs wait 2 ms for them.
_MOST_EXPECTED: Final = 32
#: Most that are fired between two promotions.
_MOST_AT_ONCE: Final = 256
#: With so much time before anything is due, definitions are read ahead, seconds.
_SPARE_S: Final = 0.03


class PartitionRound:
    """
    Runs the roles of one partition in their order.

    Args:
        connection: Beat's working connection.
        prefix: The partition's key prefix.
        roles: Who acts.
        monotonic: The process's own clock, seconds.
    """

    def __init__(
        self,
        connection: HeldConnection,
        prefix: bytes,
        roles: Roles,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.prefix = prefix
        self._monotonic = monotonic
        self.roles = roles
        self._connection = connection
        self._started_at = monotonic()
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
        seconds = self._act()
        roles.sweeper.run()
        roles.deadman.run()
        return 0.0 if roles.watcher.is_behind else seconds

    def _act(self) -> float:
        """Promote and fire what is due; seconds until something is due again."""
        promoter, firer, known = self.roles.promoter, self.roles.firer, self.roles.known
        until = self._monotonic() + LONGEST_ACT_S
        # One round trip instead of two: most of what is due is known without asking.
        expected = known.due_by(self.roles.clock.now_us() // 1_000, _MOST_EXPECTED)
        due = self._fire(expected)[1] if expected else promoter.run()
        in_vain = 0
        while due.schedules or firer.has_more:
            # In the order in which they are due as far as that is known, not in that of names.
            expected = known.due_by(self.roles.clock.now_us() // 1_000, _MOST_AT_ONCE)
            has_fired, due = self._fire(expected or due.schedules)
            in_vain = 0 if has_fired or due.moved else in_vain + 1
            if in_vain >= _MOST_IN_VAIN:
                # What is due cannot be fired now. To ask again at once would go on for ever.
                return self._stuck.next_s()
            if self._monotonic() >= until:
                return 0.0
        self._stuck.reset()
        seconds = 0.0 if due.is_behind else self._until(due.next_due_ms)
        if seconds > _SPARE_S and known.read_ahead():
            return 0.0
        return seconds

    def _fire(self, schedules: Sequence[tuple[str, int]]) -> tuple[bool, Due]:
        """Fire; whether that changed anything, and what is due now: the answers tell if nothing."""
        has_fired = self.roles.firer.run(schedules)
        head = self.roles.firer.head
        if head is None or head.is_due:
            return has_fired, self.roles.promoter.run()
        return has_fired, Due(0, head.due_ms, [], is_behind=False)

    def _stand(self) -> None:
        """Take part in the election; a new leader starts from what is stored."""
        roles = self.roles
        was_leader = roles.leadership.is_leader
        now_us = roles.leadership.run()
        if now_us is not None:
            uptime_ms = (self._monotonic() - self._started_at) * 1_000
            roles.absences.note_up(int(now_us / 1_000 - uptime_ms))
        if roles.leadership.is_leader and not was_leader:
            roles.known.start_over()
            gap = last_absence(self._connection, self.prefix)
            if gap is not None:
                roles.absences.note_gap(*gap)

    def _until(self, due_ms: float | None) -> float:
        if due_ms is None:
            return LONGEST_US / 1_000_000
        left_us = due_ms * 1_000 - self.roles.clock.now_us()
        if left_us <= 0:
            return 0.0
        return max(SHORTEST_US, min(left_us, LONGEST_US)) / 1_000_000

    def lose(self) -> None:
        """Redis could not be used: what was known of leadership holds no more."""
        self.roles.leadership.lose()
