"""How long to wait between attempts: doubling, with jitter, so that processes spread out."""

from __future__ import annotations

import random
from typing import Final

#: First pause, seconds.
FIRST_S: Final = 0.05
#: Longest pause, seconds: work has to flow again within 10 s of an outage's end (G11).
LONGEST_S: Final = 2.0


class BackOff:
    """
    Pauses that double from one failure to the next, each drawn from the upper half of its length.

    Args:
        first_s: The first pause, seconds.
        longest_s: The longest pause, seconds.
    """

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._failures = 0

    @property
    def failures(self) -> int:
        """Failures since the last success."""
        return self._failures

    def next_s(self) -> float:
        """The pause after one more failure, seconds."""
        length_s = min(self._first_s * 2.0 ** min(self._failures, 30), self._longest_s)
        self._failures += 1
        return length_s * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked."""
        self._failures = 0
