"""
Soft leadership of a partition: one beat acts, the others stand by.

It saves work and nothing else: two beats that both believe to lead do each other no harm, because
`fire` compares and sets. The leader renews with its rounds; a standby asks often enough to follow
within two seconds of the leader's death.

What happens when Redis is gone: `run` raises, and the leadership counts as lost. When the process
is paused: the leadership runs out, another beat leads, and this one stands by when it goes on.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from beatline.store.electing import elect, resign
from beatline.wire.connection import HeldConnection

_log = logging.getLogger("beatline.beat.leadership")

#: How long a leadership lasts, ms; with `STANDBY_PAUSE_MS` it makes a takeover in 2 s.
LENGTH_MS: Final = 1_500
#: Longest time between two elections of a standby, ms.
STANDBY_PAUSE_MS: Final = 400
#: Shortest time between two elections of the leader, ms.
_RENEWAL_PAUSE_MS: Final = 400


class Leadership:
    """
    The wish to lead one partition.

    Args:
        connection: Beat's working connection.
        prefix: The partition's key prefix.
        beat: Id of this beat.
        about: What others may want to know of it; ``sched status`` shows it.
        monotonic: The process's own clock, seconds.

    Attributes:
        is_leader: Whether this beat leads, as far as it knows.
        term: The present leadership's number.
        leader: Id of the beat that leads.
    """

    def __init__(
        self,
        connection: HeldConnection,
        prefix: bytes,
        beat: str,
        about: Mapping[str, str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._beat = beat
        self._about = json.dumps(dict(about), sort_keys=True)
        self._monotonic = monotonic
        self._asked_at = float("-inf")
        self.is_leader = False
        self.term = 0
        self.leader = ""

    def run(self) -> int | None:
        """
        Take or keep the leadership, if it is time to ask.

        Returns:
            The server's clock in µs, or None where it was not asked.
        """
        pause_ms = _RENEWAL_PAUSE_MS if self.is_leader else STANDBY_PAUSE_MS // 2
        asked_at = self._monotonic()
        if (asked_at - self._asked_at) * 1_000 < pause_ms:
            return None
        election = elect(self._connection, self._prefix, self._beat, LENGTH_MS, self._about)
        self._asked_at = asked_at
        if election.is_leader and not self.is_leader:
            _log.info("beat.leading beat=%s term=%d", self._beat, election.term)
        elif not election.is_leader and election.leader != self.leader:
            _log.info(
                "beat.standing_by beat=%s term=%d leader=%s",
                self._beat,
                election.term,
                election.leader,
            )
        self.is_leader, self.term = election.is_leader, election.term
        self.leader = election.leader
        return election.now_us

    def lose(self) -> None:
        """Count as standby until the next election: Redis could not be asked."""
        self.is_leader = False
        self.leader = ""
        self._asked_at = float("-inf")

    def resign(self) -> None:
        """Let another beat lead at once, and leave the list of beats."""
        self.is_leader = False
        resign(self._connection, self._prefix, self._beat)
