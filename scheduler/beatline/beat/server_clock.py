"""
The server's clock, known between two calls.

Only Redis's clock decides what is due (G9); beat needs to know it to sleep until the next instant.
Each reply that carries the server's time gives an estimate that is never ahead of the truth: the
server read its clock before the reply arrived. The best of them, the one with the fastest way
back, is kept as long as no later exchange contradicts it.

What happens when the server's clock jumps back: the next exchange contradicts the estimate, which
is dropped. When ours jumps: nothing, only the monotonic clock is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class ServerClock:
    """
    An estimate of the server's clock, at most one reply's way behind it.

    Args:
        monotonic: The process's own clock, seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset_us: int | None = None

    def mark_us(self) -> int:
        """The process's own clock, to be passed to `observe` as the sending time."""
        return int(self._monotonic() * 1_000_000)

    def observe(self, server_us: int, sent_us: int) -> None:
        """
        Learn from a reply that has arrived at this moment.

        Args:
            server_us: The server's clock as the reply tells it.
            sent_us: What `mark_us` said before the request was sent.
        """
        lowest_us = server_us - self.mark_us()
        highest_us = server_us - sent_us
        known_us = self._offset_us
        if known_us is None or lowest_us > known_us or highest_us < known_us:
            self._offset_us = lowest_us

    @property
    def is_known(self) -> bool:
        """Whether any reply has told the server's time."""
        return self._offset_us is not None

    def now_us(self) -> int:
        """The server's clock, never ahead of it; 0 before the first reply."""
        if self._offset_us is None:
            return 0
        return int(self._monotonic() * 1_000_000) + self._offset_us
