"""
Calls that several coroutines share: what goes in one, and who is told of which part.

Pure but for asyncio's futures. A `SharedCall` is filled while another call is under way, so that
jobs that are sent at once travel together; each caller is told what became of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from beatline.store.enqueuing import LARGEST_CALL

#: (id, due, record) of one job.
Posting = tuple[bytes, str, bytes]

#: Positions of jobs whose ids were taken.
Refused = tuple[int, ...]

#: Partition, and whether the ids are the callers' own.
CallKind = tuple[int, bool]

#: Most bytes of records in one call: sending them must fit well into a reply's timeout.
_CALL_BYTES: Final = 1 << 20
#: How long others may join a call that waits for its turn, seconds: who joins shares its deadline.
_JOIN_S: Final = 0.1


class SharedCall:
    """
    One numbered call with the jobs of several callers.

    Args:
        kind: What its jobs have in common.
        begun: When its first job came, on the loop's clock: its time counts from then.
        made: ``time.monotonic()`` when it was made.

    Attributes:
        jobs: What goes.
        packed: Its bytes, once it has a number; they never change afterwards.
    """

    __slots__ = ("_callers", "_size", "begun", "jobs", "kind", "made", "packed")

    def __init__(self, kind: CallKind, begun: float, made: float) -> None:
        self.kind = kind
        self.begun = begun
        self.made = made
        self.jobs: list[Posting] = []
        self.packed: bytes | None = None
        self._callers: list[tuple[asyncio.Future[Refused], int, int]] = []
        self._size = 0

    def again(self, begun: float) -> SharedCall:
        """The same call, for somebody who repeats it; nobody is told yet."""
        call = SharedCall(self.kind, begun, self.made)
        call.jobs, call.packed = self.jobs, self.packed
        return call

    def takes(self, jobs: Sequence[Posting], size: int, now: float) -> bool:
        """Whether these jobs may still join."""
        return (
            len(self.jobs) + len(jobs) <= LARGEST_CALL
            and self._size + size <= _CALL_BYTES
            and now - self.begun <= _JOIN_S
        )

    def add(self, jobs: Sequence[Posting], size: int, future: asyncio.Future[Refused]) -> None:
        """Take jobs in; the future is told which of them, by position, were refused."""
        first = len(self.jobs)
        self.jobs += jobs
        self._size += size
        self._callers.append((future, first, first + len(jobs)))

    def await_all(self, future: asyncio.Future[Refused]) -> None:
        """Tell a future of all jobs."""
        self._callers.append((future, 0, len(self.jobs)))

    def leave_out_cancelled(self) -> None:
        """Drop the jobs of callers who have stopped waiting; only before the call is packed."""
        if not any(future.done() for future, _, _ in self._callers):
            return
        callers, jobs = self._callers, self.jobs
        self._callers, self.jobs = [], []
        for future, first, end in callers:
            if not future.done():
                self.add(jobs[first:end], 0, future)

    def waiting(self) -> list[tuple[asyncio.Future[Refused], int, int]]:
        """Who still waits: future, position of the first job, and of the one after the last."""
        return [caller for caller in self._callers if not caller[0].done()]

    def tell(self, refused: Refused) -> None:
        """Tell everybody that the call was carried out."""
        for future, first, end in self._callers:
            if future.done():
                continue
            if refused:
                future.set_result(tuple(at - first for at in refused if first <= at < end))
            else:
                future.set_result(())
