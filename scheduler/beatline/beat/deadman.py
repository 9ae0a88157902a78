"""
The deadman's switch: a schedule that has not succeeded for too long raises an alert.

Once a second, by the leader, and whatever number of schedules there is: one call looks at the
deadlines that have passed. Deadlines are instants of the watch, so that time in which no beat
watched raises nothing: after an outage each schedule has what was left of its time.

What happens when Redis is gone: nothing is raised until it is back. When two beats look: an alert
is raised once. When no beat is up: nobody looks, and ``sched status`` says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from beatline.beat.statistics import Statistics
from beatline.store.expecting import raise_alerts
from beatline.wire.connection import HeldConnection

_log = logging.getLogger("beatline.beat.deadman")

#: Shortest time between two looks, ms.
PAUSE_MS: Final = 900


class Deadman:
    """
    Raises the alerts of one partition.

    Args:
        connection: Beat's working connection.
        prefix: The partition's key prefix.
        statistics: Counts the alerts.
        monotonic: The process's own clock, seconds.
    """

    def __init__(
        self,
        connection: HeldConnection,
        prefix: bytes,
        *,
        statistics: Statistics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._statistics = statistics
        self._monotonic = monotonic
        self._looked_at = float("-inf")

    def run(self) -> None:
        """Raise what is due, if it is time to look."""
        now = self._monotonic()
        if (now - self._looked_at) * 1_000 < PAUSE_MS:
            return
        raised, recovered = raise_alerts(self._connection, self._prefix)
        self._looked_at = now
        for name in raised:
            _log.warning(
                "beat.alert schedule=%s reason=%s remedy=%s",
                name,
                "no success within expect_within",
                f"`sched why {name}` and `sched schedules history {name}` tell what it did",
            )
        if raised:
            self._statistics.count("alerts", len(raised))
        for name in recovered:
            _log.info("beat.alert_over schedule=%s reason=%s", name, "it has succeeded")
