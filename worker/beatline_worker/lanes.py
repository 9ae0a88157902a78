"""
Lanes: where a child writes what it runs, a fixed place for each job at a time.

A lane tells which delivery runs in it, since when, under which limits, and which one was its last.
It is written before the body begins and cleared when its end lies in the outbox, so that whoever
reads it after the child's death knows what ran.
"""

from __future__ import annotations

import mmap
import struct
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
_FENCE, _LAST, _STARTED, _SOFT, _HARD, _FLAGS = range(6)
# fence that is to be interrupted, and by what: by the supervisor.
_INTERRUPT, _KIND = 6, 7
# length of the job's id; fence of the job that the name of the task belongs to: by the child.
_ID_LENGTH, _DESCRIBED = 8, 9
_ID_AT: Final = 80
_TASK_AT: Final = 280
#: Longest id or name of a task that is kept, bytes.
_LONGEST: Final = 200


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

    __slots__ = ("_at", "_id_bytes", "_id_length", "_is_limited", "_memory", "_numbers", "_task")

    def __init__(self, memory: mmap.mmap, at: int) -> None:
        self._memory = memory
        self._at = at
        # A view costs a third of what packing does, and each number is written at once, whole.
        self._numbers = memoryview(memory)[at : at + _ID_AT].cast("Q")
        #: What this child has written last: of two jobs of a task most is the same.
        self._id_length, self._id_bytes = -1, slice(0)
        self._is_limited = True
        self._task: str | None = None

    def begin(self, fence: int, started_ns: int, raw_id: bytes) -> None:
        """Say which job is in hand from now on; its fence is written last."""
        numbers = self._numbers
        if len(raw_id) != self._id_length:
            self._note_id_length(len(raw_id))
        self._memory[self._id_bytes] = raw_id
        numbers[_STARTED] = started_ns
        if self._is_limited:
            self._limit(0, 0, 0)
        numbers[_LAST] = fence
        numbers[_FENCE] = fence

    def describe(
        self, started_ns: int, task: str, soft_ms: int, hard_ms: int, flags: int = 0
    ) -> None:
        """Say what the job in hand is, and its time limits (0 none), as its body begins."""
        numbers = self._numbers
        if task != self._task:
            self._note_task(task)
        numbers[_STARTED] = started_ns
        if soft_ms or hard_ms or flags:
            self._limit(soft_ms, hard_ms, flags)
        numbers[_DESCRIBED] = numbers[_FENCE]

    def _note_id_length(self, length: int) -> None:
        self._numbers[_ID_LENGTH] = self._id_length = length
        self._id_bytes = slice(self._at + _ID_AT, self._at + _ID_AT + length)

    def _note_task(self, task: str) -> None:
        name, at = task.encode()[:_LONGEST], self._at + _TASK_AT
        self._memory[at : at + 1 + len(name)] = bytes((len(name),)) + name
        self._task = task

    def _limit(self, soft_ms: int, hard_ms: int, flags: int) -> None:
        numbers = self._numbers
        numbers[_SOFT], numbers[_HARD], numbers[_FLAGS] = soft_ms, hard_ms, flags
        self._is_limited = bool(soft_ms or hard_ms or flags)

    def clear(self) -> None:
        """Nothing runs here any more."""
        self._numbers[_FENCE] = 0

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
        return self._numbers[_FENCE]

    @property
    def job_id(self) -> bytes:
        """Id of the job that runs, or ran last."""
        start = self._at + _ID_AT
        return self._memory[start : start + self._numbers[_ID_LENGTH]]

    @property
    def task(self) -> str:
        """Task of the job that runs, or ran last; empty where it has not been described."""
        if self._numbers[_DESCRIBED] != self._numbers[_LAST]:
            return ""
        start = self._at + _TASK_AT
        name = self._memory[start + 1 : start + 1 + self._memory[start]]
        return name.decode("utf-8", "replace")


def look_at(lanes: bytes) -> list[Running]:
    """What lies in so many lanes."""
    return list(map(Running._make, _LANE.iter_unpack(lanes)))
