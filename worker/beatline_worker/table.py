"""
The shared table: one row per child, written by the child, read by its supervisor, and back.

It lives in anonymous memory that both map, so it outlives the child that wrote it. Each number
has one writer. What a child has finished but not yet settled lies in its row's *outbox*: when
the child is killed, the supervisor settles it, and nothing runs twice that had finished.

Tokens order everything: a child runs its jobs by rising fence, so "beyond this fence" names
what it has not started.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import tempfile
from collections.abc import Sequence
from typing import Final

import msgspec

from beatline.store.delivering import Settlement

#: Bytes of a row; the outbox takes what the fields leave.
ROW_BYTES: Final = 64 * 1024
#: A fence beyond all fences: nothing is held back.
NO_LIMIT: Final = (1 << 63) - 1

_OUTBOX_AT: Final = 1024
_NUMBERS: Final = {
    # written by the child
    "current": 0,  # fence of the job that runs; 0 none
    "started_ns": 8,  # monotonic start of that job
    "known": 16,  # highest fence that has reached the child
    "soft_ms": 24,  # soft limit of that job; 0 none
    "hard_ms": 32,  # hard limit of that job; 0 none
    "finished": 40,  # jobs finished by this child
    "round_ns": 48,  # monotonic time of its last successful call to Redis
    "outbox": 56,  # bytes used in the outbox
    "ready": 64,  # 1 once the child takes jobs
    "isolated": 72,  # 1: the running job must not outlive the lease
    # written by the supervisor
    "limit": 128,  # the child starts nothing beyond this fence
    "stop": 136,  # 1: finish the current job, then exit
    "interrupt": 144,  # fence of the job that is to be interrupted
    "interrupt_kind": 152,  # INTERRUPT_*
    "cancels": 160,  # number of entries in the ring of cancelled fences
    "returns": 168,  # how often jobs were given back that the child had not started
    "renewed_ns": 176,  # when the last renewal of the lease that was answered was sent
}
_CANCEL_RING_AT: Final = 256
_CANCEL_RING: Final = 32
_ID_AT: Final = 600
_TASK_AT: Final = 804

INTERRUPT_SOFT_LIMIT: Final = 1
INTERRUPT_CANCELLED: Final = 2

_U64 = struct.Struct("<Q")
#: started_ns, known, soft_ms, hard_ms lie side by side.
_FOUR = struct.Struct("<4Q")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[bytes, int, str, str, bytes, int, int, str]).decode


def _number(at: int) -> property:
    def read(row: Row) -> int:
        value: int = _U64.unpack_from(row.memory, row.base + at)[0]
        return value

    def write(row: Row, value: int) -> None:
        _U64.pack_into(row.memory, row.base + at, value)

    return property(read, write)


class Row:
    """One child's row. Numbers read as 0 until they are written."""

    __slots__ = ("base", "memory")

    def __init__(self, memory: mmap.mmap, index: int) -> None:
        self.memory = memory
        self.base = index * ROW_BYTES

    current = _number(_NUMBERS["current"])
    started_ns = _number(_NUMBERS["started_ns"])
    known = _number(_NUMBERS["known"])
    soft_ms = _number(_NUMBERS["soft_ms"])
    hard_ms = _number(_NUMBERS["hard_ms"])
    finished = _number(_NUMBERS["finished"])
    round_ns = _number(_NUMBERS["round_ns"])
    outbox_length = _number(_NUMBERS["outbox"])
    ready = _number(_NUMBERS["ready"])
    isolated = _number(_NUMBERS["isolated"])
    limit = _number(_NUMBERS["limit"])
    stop = _number(_NUMBERS["stop"])
    interrupt = _number(_NUMBERS["interrupt"])
    interrupt_kind = _number(_NUMBERS["interrupt_kind"])
    cancels = _number(_NUMBERS["cancels"])
    returns = _number(_NUMBERS["returns"])
    renewed_ns = _number(_NUMBERS["renewed_ns"])

    def reset(self) -> None:
        """Empty the row for a new child."""
        self.memory[self.base : self.base + _OUTBOX_AT] = bytes(_OUTBOX_AT)
        self.limit = NO_LIMIT

    def begin(self, fence: int, started_ns: int, raw_id: bytes) -> None:
        """Say which job is in hand from now on; its fence is written last."""
        at = self.base + _ID_AT
        self.memory[at : at + 1 + len(raw_id)] = bytes((len(raw_id),)) + raw_id
        _FOUR.pack_into(self.memory, self.base + 8, started_ns, self.known, 0, 0)
        self.memory[self.base + _TASK_AT] = 0
        self.current = fence

    def describe(self, started_ns: int, task: str, soft_ms: int, hard_ms: int) -> None:
        """Say what the job in hand is, and its time limits (0 none), as its body begins."""
        name = task.encode()[:200]
        at = self.base + _TASK_AT
        self.memory[at : at + 1 + len(name)] = bytes((len(name),)) + name
        _FOUR.pack_into(self.memory, self.base + 8, started_ns, self.known, soft_ms, hard_ms)

    @property
    def job_id(self) -> bytes:
        """Id of the job that runs, or ran last."""
        return self._text(_ID_AT)

    @property
    def task(self) -> str:
        """Task of the job that runs, or ran last."""
        return self._text(_TASK_AT).decode("utf-8", "replace")

    def _text(self, at: int) -> bytes:
        at += self.base
        return bytes(self.memory[at + 1 : at + 1 + self.memory[at]])

    def put_in_outbox(self, settlement: Settlement) -> bool:
        """Note a finished job; False where it does not fit and must be settled at once."""
        entry = _encode(settlement)
        at = self.outbox_length
        end = at + 4 + len(entry)
        if end > ROW_BYTES - _OUTBOX_AT:
            return False
        start = self.base + _OUTBOX_AT + at
        self.memory[start : start + 4 + len(entry)] = len(entry).to_bytes(4, "little") + entry
        self.outbox_length = end
        return True

    def outbox(self) -> list[Settlement]:
        """What the child has finished and not yet settled."""
        found: list[Settlement] = []
        at, end = 0, min(self.outbox_length, ROW_BYTES - _OUTBOX_AT)
        while at + 4 <= end:
            start = self.base + _OUTBOX_AT + at
            size = int.from_bytes(self.memory[start : start + 4], "little")
            if size == 0 or at + 4 + size > end:
                break
            found.append(Settlement(*_decode(self.memory[start + 4 : start + 4 + size])))
            at += 4 + size
        return found

    def note_cancelled(self, fence: int) -> None:
        """Tell the child not to start a job that it holds."""
        slot = self.cancels % _CANCEL_RING
        _U64.pack_into(self.memory, self.base + _CANCEL_RING_AT + 8 * slot, fence)
        self.cancels += 1

    def cancelled_fences(self) -> Sequence[int]:
        """The fences that `note_cancelled` named last."""
        count = min(self.cancels, _CANCEL_RING)
        return struct.unpack_from(f"<{count}Q", self.memory, self.base + _CANCEL_RING_AT)


class Table:
    """
    All rows of a worker.

    Args:
        rows: Number of children at most.
        descriptor: Of memory that another process made; None makes it.
    """

    def __init__(self, rows: int, descriptor: int | None = None) -> None:
        size = rows * ROW_BYTES
        if descriptor is None:
            descriptor = _anonymous_file(size)
        self.descriptor = descriptor
        self.memory = mmap.mmap(descriptor, size)

    def row(self, index: int) -> Row:
        """The row of a child."""
        return Row(self.memory, index)


def _anonymous_file(size: int) -> int:
    if sys.platform == "linux":
        descriptor = os.memfd_create("beatline-table", os.MFD_CLOEXEC)
    else:
        with tempfile.NamedTemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
