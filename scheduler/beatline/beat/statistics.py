"""What beat has done and how late it was, counted for metrics and ``sched status``."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

#: Latenesses kept for the percentiles.
KEPT: Final = 1_000


class Statistics:
    """
    Counters since the start, and the latest latenesses.

    Written by beat's thread alone; reading from another one is safe and may be a moment behind.
    """

    def __init__(self) -> None:
        self._counters: Counter[str] = Counter()
        self._lateness_us: deque[int] = deque(maxlen=KEPT)

    def count(self, what: str, by: int = 1) -> None:
        """Count something."""
        self._counters[what] += by

    def note_lateness(self, lateness_us: int) -> None:
        """Note how long after its planned instant an occurrence was fired, µs."""
        self._lateness_us.append(lateness_us)

    @property
    def counters(self) -> Mapping[str, int]:
        """
        What was counted since the start.

        ``rounds, promoted, fired, skipped, missed, stale, reclaimed, workers_gone, withdrawn,
        absences, outages, set_aside, refused, alerts``.
        """
        return dict(self._counters)

    def lateness_ms(self, fraction: float) -> float | None:
        """
        A percentile of the lateness of the latest fires, ms; None before the first.

        Args:
            fraction: 0.5 for the median, 0.99 for the 99th percentile.
        """
        latest = sorted(self._lateness_us)
        if not latest:
            return None
        return latest[min(int(len(latest) * fraction), len(latest) - 1)] / 1_000
