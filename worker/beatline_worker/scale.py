"""
How many children a worker has, between a least and a most: pure arithmetic on how busy they are.

Nobody asks Redis how much waits: where more than `GROW_AT` of the children have been busy for a
second, one more is started, and another one with each further half second. One that has had
nothing to do for half a minute goes, if those who stay would not be too busy then.
"""

from __future__ import annotations

from typing import Final

#: Busier than this part of all children: one more.
GROW_AT: Final = 0.6
#: Not busier than this part of the children that would stay: one less.
SHRINK_AT: Final = 0.5
#: Time over which business is averaged, ms.
OVER_MS: Final = 1_000.0
#: Pause between two additions, ms.
GROW_EVERY_MS: Final = 500.0
#: How long there must have been too many before one goes, ms.
SHRINK_AFTER_MS: Final = 30_000.0


class Scale:
    """
    The wanted number of children.

    Args:
        least, most: Its bounds.
    """

    def __init__(self, least: int, most: int) -> None:
        self._most = most
        self._least = least
        self._busy = 0.0
        self._looked_at_ms: float | None = None
        self._grown_at_ms = 0.0
        self._spare_since_ms: float | None = None
        self.wanted = least

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to decide."""
        return self._least == self._most

    def note(self, busy: float, now_ms: float) -> int:
        """
        Take a look at the children into account; the wanted number.

        Args:
            busy: How many are busy now; one with several lanes counts in part.
            now_ms: Monotonic time.
        """
        if self._looked_at_ms is not None:
            part = min((now_ms - self._looked_at_ms) / OVER_MS, 1.0)
            self._busy += part * (busy - self._busy)
        self._looked_at_ms = now_ms
        is_spare = self._busy <= SHRINK_AT * (self.wanted - 1) and self.wanted > self._least
        if not is_spare:
            self._spare_since_ms = None
        elif self._spare_since_ms is None:
            self._spare_since_ms = now_ms
        elif now_ms - self._spare_since_ms > SHRINK_AFTER_MS:
            self.wanted -= 1
            self._spare_since_ms = now_ms
        if (
            self._busy > GROW_AT * self.wanted
            and self.wanted < self._most
            and now_ms - self._grown_at_ms > GROW_EVERY_MS
        ):
            self.wanted += 1
            self._grown_at_ms = now_ms
        return self.wanted
