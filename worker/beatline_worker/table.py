"""
The shared table: one row per child, written by the child, read by its supervisor, and back.

It lives in anonymous memory that both map, so it outlives the child that wrote it. Each number
has one writer. A row has *lanes*, one for each job that the child may run at the same time. What
a child has finished but not yet settled lies in its row's *outbox*: when the child is killed,
the supervisor settles it, and nothing runs twice that had finished.

Tokens order everything: a lane runs its jobs by rising fence, so "beyond the last fence that
began in any lane" names what a child has not started.
"""

from __future__ import annotations

import itertools
import mmap
import os
import struct
import sys
import tempfile
from collections.abc import Sequence
from typing import Final

import msgspec

from beatline.store.delivering import Settlement
from beatline_worker.lanes import LANE_BYTES, Lane, Running, look_at

#: A fence beyond all fences: nothing is held back.
NO_LIMIT: Final = (1 << 63) - 1

#: Bytes before the lanes.
_LANES_AT: Final = 1024
#: Bytes of an outbox: at least so many, and so many per lane; pages that nobody wrote cost nothing.
_OUTBOX_BYTES: Final = 63 * 1024
_OUTBOX_PER_LANE: Final = 512
_NUMBERS: Final = {
    # written by the child
    "lanes_used": 0,  # lanes that have been used so far: the supervisor looks at no others
    "known": 16,  # highest fence that has reached the child
    "wants_help": 24,  # how often a job was met that must run alone, and the child was not free
    "retiring": 32,  # 1: the child takes nothing more, whatever it still runs
    "finished": 40,  # jobs finished by this child
    "round_ns": 48,  # monotonic time of its last successful call to Redis
    "outbox": 56,  # bytes used in the first outbox
    "ready": 64,  # 1 once the child takes jobs
    "outbox_2": 72,  # bytes used in the second outbox
    "known_ns": 80,  # monotonic time when jobs reached a child with several lanes last
    "asking": 88,  # 1 while jobs may come that the child has asked for and not yet received
    # written by the supervisor
    "limit": 128,  # the child starts nothing beyond this fence
    "stop": 136,  # 1: finish what runs, then exit
    "cancels": 160,  # number of entries in the ring of cancelled fences
    "returns": 168,  # how often jobs were given back that the child had not started
    "renewed_ns": 176,  # when the last renewal of the lease that was answered was sent
    "orders": 184,  # another number whenever one of limit, stop, cancels and returns has changed
}
_CANCEL_RING_AT: Final = 256
_CANCEL_RING: Final = 32

_OUTBOX: Final = _NUMBERS["outbox"] // 8
_OUTBOX_2: Final = _NUMBERS["outbox_2"] // 8
# An entry is its length, and a settlement in msgpack; or, for an ack of a job with an id of ours:
# its length, a byte that no msgpack array begins with, fence and id.
_ACK = struct.Struct("<IBQ16s")
_ACK_MARK: Final = 0
_ACK_ID_BYTES: Final = 16

_U64 = struct.Struct("@Q")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Settlement).decode


def _number(name: str) -> property:
    at = _NUMBERS[name] // 8

    def read(row: Row) -> int:
        return row.numbers[at]

    def write(row: Row, value: int) -> None:
        row.numbers[at] = value

    return property(read, write)


#: Unique also where two threads of the supervisor write at the same time.
_next_order = itertools.count(1).__next__


def _order(name: str) -> property:
    """A number that a child must see before it begins its next job."""
    at, orders_at = _NUMBERS[name] // 8, _NUMBERS["orders"] // 8

    def read(row: Row) -> int:
        return row.numbers[at]

    def write(row: Row, value: int) -> None:
        row.numbers[at] = value
        row.numbers[orders_at] = _next_order()

    return property(read, write)


class Row:
    """
    One child's row. Numbers read as 0 until they are written.

    Attributes:
        lanes: How many jobs the child runs at the same time, at most.
    """

    __slots__ = ("_outbox_at", "_outbox_bytes", "base", "lanes", "memory", "numbers")

    def __init__(self, memory: mmap.mmap, index: int, lanes: int) -> None:
        self.memory = memory
        self.lanes = lanes
        self.base = index * row_bytes(lanes)
        # A view costs a third of what packing and unpacking does, several times for each job.
        self.numbers = memoryview(memory)[self.base : self.base + _LANES_AT].cast("Q")
        self._outbox_bytes = _outbox_bytes(lanes)
        self._outbox_at = self.base + _LANES_AT + lanes * LANE_BYTES

    lanes_used = _number("lanes_used")
    known = _number("known")
    known_ns = _number("known_ns")
    asking = _number("asking")
    wants_help = _number("wants_help")
    retiring = _number("retiring")
    finished = _number("finished")
    round_ns = _number("round_ns")
    outbox_length = _number("outbox")
    second_outbox_length = _number("outbox_2")
    ready = _number("ready")
    limit = _order("limit")
    stop = _order("stop")
    cancels = _order("cancels")
    returns = _order("returns")
    renewed_ns = _number("renewed_ns")
    orders = _number("orders")

    def reset(self) -> None:
        """Empty the row for a new child."""
        used = _LANES_AT + self.lanes_used * LANE_BYTES
        self.memory[self.base : self.base + used] = bytes(used)
        self.limit = NO_LIMIT

    # --- lanes ----------------------------------------------------------------------------------

    def lane(self, index: int) -> Lane:
        """One lane, counted as used from now on."""
        if index >= self.lanes_used:
            self.lanes_used = index + 1
        return Lane(self.memory, self.base + _LANES_AT + index * LANE_BYTES)

    def look(self) -> list[Running]:
        """What each used lane ran last; its fence is 0 where nothing runs there now."""
        start = self.base + _LANES_AT
        lanes = self.memory[start : start + self.lanes_used * LANE_BYTES]
        return look_at(lanes)

    def running(self) -> list[tuple[int, Running]]:
        """What runs, with the number of its lane."""
        return [(at, one) for at, one in enumerate(self.look()) if one.fence]

    @property
    def last_begun(self) -> int:
        """The highest fence that has begun."""
        return max((one.last for one in self.look()), default=0)

    # --- outbox ---------------------------------------------------------------------------------

    def put_in_outbox(self, settlement: Settlement, second: bool = False) -> bool:
        """
        Note a finished job; False where it does not fit and must be settled at once.

        Args:
            settlement: How it ended.
            second: Which of the two outboxes: while one is being settled the other one is filled.
        """
        numbers, slot = self.numbers, _OUTBOX_2 if second else _OUTBOX
        at = numbers[slot]
        start = self._outbox_at + at + (self._outbox_bytes if second else 0)
        if settlement.outcome == "ack" and len(settlement.id) == _ACK_ID_BYTES:
            end = at + _ACK.size
            if end > self._outbox_bytes:
                return False
            fence, raw_id = settlement.fence, settlement.id
            _ACK.pack_into(self.memory, start, _ACK.size - 4, _ACK_MARK, fence, raw_id)
        else:
            entry = _encode(settlement)
            end = at + 4 + len(entry)
            if end > self._outbox_bytes:
                return False
            self.memory[start : start + 4 + len(entry)] = len(entry).to_bytes(4, "little") + entry
        numbers[slot] = end
        return True

    def outbox(self) -> list[Settlement]:
        """What the child has finished and not yet settled."""
        first = self._read_outbox(self._outbox_at, self.outbox_length)
        second_at = self._outbox_at + self._outbox_bytes
        return first + self._read_outbox(second_at, self.second_outbox_length)

    def _read_outbox(self, outbox_at: int, length: int) -> list[Settlement]:
        found: list[Settlement] = []
        at, end = 0, min(length, self._outbox_bytes)
        while at + 4 <= end:
            start = outbox_at + at
            size = int.from_bytes(self.memory[start : start + 4], "little")
            if size == 0 or at + 4 + size > end:
                break
            found.append(_read_entry(self.memory[start : start + 4 + size]))
            at += 4 + size
        return found

    # --- cancellations --------------------------------------------------------------------------

    def note_cancelled(self, fence: int) -> None:
        """Tell the child not to start a job that it holds."""
        slot = self.cancels % _CANCEL_RING
        _U64.pack_into(self.memory, self.base + _CANCEL_RING_AT + 8 * slot, fence)
        self.cancels += 1

    def cancelled_fences(self) -> Sequence[int]:
        """The fences that `note_cancelled` named last."""
        count = min(self.cancels, _CANCEL_RING)
        return struct.unpack_from(f"@{count}Q", self.memory, self.base + _CANCEL_RING_AT)


class Table:
    """
    All rows of a worker.

    Args:
        rows: Number of children at most.
        lanes: Of each.
        descriptor: Of memory that another process made; None makes it.
    """

    def __init__(self, rows: int, lanes: int = 1, descriptor: int | None = None) -> None:
        size = rows * row_bytes(lanes)
        if descriptor is None:
            descriptor = _anonymous_file(size)
        self.descriptor = descriptor
        self.rows = rows
        self.lanes = lanes
        self.memory = mmap.mmap(descriptor, size)

    def row(self, index: int) -> Row:
        """The row of a child."""
        return Row(self.memory, index, self.lanes)


def _read_entry(entry: bytes) -> Settlement:
    if entry[4] != _ACK_MARK:
        return _decode(entry[4:])
    _, _, fence, raw_id = _ACK.unpack(entry)
    return Settlement(raw_id, fence, "ack")


def row_bytes(lanes: int) -> int:
    """Size of a row with so many lanes."""
    size = _LANES_AT + lanes * LANE_BYTES + 2 * _outbox_bytes(lanes)
    return (size + 4095) // 4096 * 4096


def _outbox_bytes(lanes: int) -> int:
    return max(_OUTBOX_BYTES, lanes * _OUTBOX_PER_LANE)


def _anonymous_file(size: int) -> int:
    if sys.platform == "linux":
        descriptor = os.memfd_create("beatline-table", os.MFD_CLOEXEC)
    else:
        with tempfile.NamedTemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
