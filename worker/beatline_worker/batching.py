"""
How many jobs a child takes at once: pure arithmetic, no clock of its own.

A batch saves round trips, but a long job must not sit in front of short ones. So a batch is as
large as about 50 ms of work, measured per task by a moving average; a task that is not known
yet, or long, makes the next batch a single job.
"""

from __future__ import annotations

from typing import Final

#: Expected run time of a whole batch, ms.
TARGET_MS: Final = 50.0
#: A task that takes longer is slow, ms.
SLOW_MS: Final = 5.0
#: Most jobs in a batch; so many only where all of them together are done in `QUICK_MS`, else
#: `USUAL`: what one child holds another one cannot begin.
LARGEST: Final = 128
USUAL: Final = 64
QUICK_MS: Final = 5.0
#: Weight of the newest run in a task's average.
_WEIGHT: Final = 0.2


class BatchSize:
    """
    The size of the next batch.

    Args:
        largest: Upper bound; 1 switches batches off.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._average_ms: dict[str, float] = {}
        self._recent: set[str] = set()
        self._size = 1

    def note(self, task: str, run_ms: float) -> None:
        """Take a run of a task into account."""
        old = self._average_ms.get(task)
        if old is None or run_ms > 4 * old:
            # A first run, and a sudden change for the worse, count in full.
            self._average_ms[task] = run_ms
        else:
            self._average_ms[task] = old + _WEIGHT * (run_ms - old)
        self._recent.add(task)

    def may_take_long(self, task: str) -> bool:
        """Whether a run of a task may keep what finished before it waiting: it is new, or slow."""
        average_ms = self._average_ms.get(task)
        return average_ms is None or average_ms > SLOW_MS

    def next(self) -> int:
        """How many jobs to take now, from what has run since the last call."""
        if self._recent:
            slowest = max(self._average_ms[task] for task in self._recent)
            fits = int(TARGET_MS / slowest) if slowest > 0 else self._largest
            if fits > USUAL and slowest > 0:
                fits = max(USUAL, int(QUICK_MS / slowest))
            # At most double, so that one quick job does not open the gates.
            self._size = max(1, min(fits, 2 * self._size, self._largest))
            self._recent.clear()
        return self._size

    def shrink(self) -> None:
        """Start small again: the queue ran dry, and what comes next is not known."""
        self._size = max(1, self._size // 2)
