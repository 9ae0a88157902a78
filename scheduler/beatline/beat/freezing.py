"""
Keeps what beat knows out of full garbage collections.

A full collection looks at every object. Ten thousand schedules, as declared and as known, are a
million of them, and beat would stand still for 100 ms, again and again (`benchmarks.timetable`).
They live as long as the process or until they are replaced, and hold no cycles, so the collector
has no work with them: they are frozen, first what was declared, then what is read while the first
rounds go by. Counting references still frees what is replaced.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Final

from beatline.trimming import trim_heap

#: When to freeze after a set was declared, seconds: while definitions are read, and when all have
#: been read that were to be.
_AFTER_S: Final = (2.0, 5.0, 10.0, 30.0)


class Freezer:
    """
    Freezes what has grown since a set was declared.

    Args:
        is_on: Whether nothing else lives in this process.
        monotonic: The process's own clock, seconds.
    """

    def __init__(self, is_on: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._is_on = is_on
        self._monotonic = monotonic
        self._freeze_at: list[float] = []

    def begin(self) -> None:
        """What was loaded and declared so far stays; what reading it left behind goes."""
        if self._is_on:
            gc.collect()
            gc.freeze()
            trim_heap()

    def note_declared(self) -> None:
        """A set was put in place: what is known of schedules grows from now on."""
        if self._is_on:
            now = self._monotonic()
            self._freeze_at = [now + after_s for after_s in _AFTER_S]

    def run(self) -> None:
        """Freeze, if it is time to."""
        if self._freeze_at and self._monotonic() >= self._freeze_at[0]:
            self._freeze_at.pop(0)
            gc.freeze()
