"""
Lanes: where a child writes what it runs, a fixed place for each job at a time.

A lane tells which delivery runs in it, since when, under which limits, and which one was its last.
It is written before the body begins and cleared when its end lies in the outbox, so that whoever
reads it after the child's death knows what ran.
"""

from __future__ import annotations

import mmap
import struct
from functools import lru_cache
from typing import Final, NamedTuple

#: Bytes of a lane.
LANE_BYTES: Final = 512

#: The job must not outlive the lease.
FLAG_ISOLATED: Final = 1
#: Nobody may run the job again once its body has begun.
FLAG_UNSURE: Final = 2

#: What the supervisor asks the body in a lane to be interrupted by.
INTERRUPT_SOFT_LIMIT: Final = 1
INTERRUPT_CANCELLED: Final = 2
INTERRUPT_HARD_LIMIT: Final = 3
INTERRUPT_LOST: Final = 4

# fence, last fence, monotonic start in ns, soft limit and hard limit in ms, flags: by the child.
_LANE = struct.Struct(f"@6Q{LANE_BYTES - 48}x")
_START = struct.Struct("@5Q")
_LAST_AT: Final = 8
# fence that is to be interrupted, and by what: by the supervisor.
_INTERRUPT: Final = 48 // 8
_KIND: Final = 56 // 8
_ID_AT: Final = 64
_TASK_AT: Final = 272
#: Longest id or name of a task that is kept, bytes.
_LONGEST: Final = 200
_BYTES: Final = tuple(bytes((number,)) for number in range(256))


@lru_cache(maxsize=1_000)
def _written(task: str) -> bytes:
    """A task's name as it stands in a lane: its length, and as much of it as fits."""
    name = task.encode()[:_LONGEST]
    return _BYTES[len(name)] + name


class Running(NamedTuple):
    """
    What the supervisor reads of a lane.

    Attributes:
        fence: Of the job that runs; 0 none.
        last: Of the job that began last.
        started_ns: Monotonic start of that job.
        soft_ms, hard_ms: Its limits; 0 none.
        flags: FLAG_*.
    """

    fence: int
    last: int
    started_ns: int
    soft_ms: int
    hard_ms: int
    flags: int


class Lane:
    """One lane of a child's row."""

    __slots__ = ("_at", "_memory", "_numbers")

    def __init__(self, memory: mmap.mmap, at: int) -> None:
        self._memory = memory
        self._at = at
        self._numbers = memoryview(memory)[at : at + _ID_AT].cast("Q")

    def begin(self, fence: int, started_ns: int, raw_id: bytes) -> None:
        """Say which job is in hand from now on; its fence is written last."""
        memory, at = self._memory, self._at
        length = len(raw_id)
        memory[at + _ID_AT : at + _ID_AT + 1 + length] = _BYTES[length] + raw_id
        memory[at + _TASK_AT] = 0
        _START.pack_into(memory, at + _LAST_AT, fence, started_ns, 0, 0, 0)
        self._numbers[0] = fence

    def describe(
        self, started_ns: int, task: str, soft_ms: int, hard_ms: int, flags: int = 0
    ) -> None:
        """Say what the job in hand is, and its time limits (0 none), as its body begins."""
        memory, at = self._memory, self._at
        name = _written(task)
        memory[at + _TASK_AT : at + _TASK_AT + len(name)] = name
        fence = self._numbers[0]
        _START.pack_into(memory, at + _LAST_AT, fence, started_ns, soft_ms, hard_ms, flags)

    def clear(self) -> None:
        """Nothing runs here any more."""
        self._numbers[0] = 0

    def ask(self, fence: int, kind: int) -> None:
        """The supervisor: interrupt this delivery by ``kind``, INTERRUPT_*."""
        self._numbers[_KIND] = kind
        self._numbers[_INTERRUPT] = fence

    @property
    def is_asked(self) -> bool:
        """The child: whether there is something new in `asked`."""
        return self._numbers[_INTERRUPT] != 0

    def asked(self) -> tuple[int, int]:
        """The child: (fence, kind) of the interruption that was asked for last, once."""
        fence, kind = self._numbers[_INTERRUPT], self._numbers[_KIND]
        if fence:
            self._numbers[_INTERRUPT] = 0
        return fence, kind

    @property
    def fence(self) -> int:
        """Fence of the job that runs; 0 none."""
        return self._numbers[0]

    @property
    def job_id(self) -> bytes:
        """Id of the job that runs, or ran last."""
        return self._text(_ID_AT)

    @property
    def task(self) -> str:
        """Task of the job that runs, or ran last."""
        return self._text(_TASK_AT).decode("utf-8", "replace")

    def _text(self, at: int) -> bytes:
        at += self._at
        return bytes(self._memory[at + 1 : at + 1 + self._memory[at]])


def look_at(lanes: bytes) -> list[Running]:
    """What lies in so many lanes."""
    return list(map(Running._make, _LANE.iter_unpack(lanes)))
