"""
The job as a value, and its record in Redis.

A record is written once and never moved. Its head is what scripts read; its body is a msgpack
array that only Python reads:

====== ======================================================================
bytes  meaning
====== ======================================================================
1      version of the record, 1
1      priority, an ASCII digit
1      flags: 1 no result, 2 of a schedule, 4 skip when unsure, 8 caller's own id,
       16 of a backfill
1 + n  length of the queue's name, and the name
1 + n  of a schedule only: length of the schedule's name, and the name
14     of a schedule only: nominal fire time in ms, ASCII digits
rest   msgpack ``[task, args, kwargs]`` or ``[task, args, kwargs, options]``
====== ======================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from beatline.errors import UndecodableJob
from beatline.ids import id_text
from beatline.payload import decode, ext_hook, plain_call

#: How a nominal fire time, UTC ms, ends the head of a schedule's record.
FIRE_TIME: Final = b"%014d"
#: Version of the records that this process writes, and of those that it reads.
RECORD_VERSION: Final = 1

FLAG_IGNORE_RESULT: Final = 1
FLAG_SCHEDULE: Final = 2
FLAG_SKIP_UNSURE: Final = 4
FLAG_OWN_ID: Final = 8
FLAG_BACKFILL: Final = 16


class Body(msgspec.Struct, array_like=True, frozen=True):
    """The msgpack part of a record."""

    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any] = {}


_encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Body, ext_hook=ext_hook)


class Job(msgspec.Struct, frozen=True):
    """
    One call of a task, as a worker sees it.

    Attributes:
        id: 16 bytes of ours, or a caller's own text.
        task: Name of the task.
        args, kwargs: What it is called with.
        queue, priority: Where it waits.
        ignore_result: Nothing is kept of its end.
        skip_unsure: Not run again where nobody knows whether it ran.
        schedule: Name of the schedule that made it, or None.
        nominal_ms: Its fire time, UTC ms, or None.
        options: ``eta`` (ms), ``expires`` (ms), ``headers``, ``tags``, ``caught_up``, ``backfill``
            (its run), and overrides of the task's own ``time_limit``, ``soft_time_limit``,
            ``max_retries``, ``retry_backoff``.
    """

    id: bytes
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    queue: str
    priority: int
    ignore_result: bool = False
    skip_unsure: bool = False
    schedule: str | None = None
    nominal_ms: int | None = None
    options: dict[str, Any] = {}

    @property
    def text(self) -> str:
        """The id as the API shows it."""
        return id_text(self.id)


@lru_cache(maxsize=1024)
def record_head(
    queue: str, priority: int, flags: int, schedule: str | None = None, nominal_ms: int = 0
) -> bytes:
    """The part of a record that scripts read."""
    name = queue.encode()
    head = bytes((RECORD_VERSION, 48 + priority, flags, len(name))) + name
    if flags & FLAG_SCHEDULE and schedule is not None:
        label = schedule.encode()
        head += bytes((len(label),)) + label + FIRE_TIME % nominal_ms
    return head


def record_body(
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: dict[str, Any] | None = None,
) -> bytes:
    """
    The part of a record that Python reads.

    Raises:
        UnserializableArgument: A value cannot travel; the error's ``path`` says where it lies.
    """
    sent_args, sent_kwargs = plain_call(args, kwargs)
    if options:
        return _encode((task, sent_args, sent_kwargs, options))
    return _encode((task, sent_args, sent_kwargs))


def read_job(raw_id: bytes, record: bytes) -> Job:
    """
    The job behind a record.

    Raises:
        UndecodableJob: The bytes are not a record, or one of a newer version.
    """
    if len(record) < 5:
        raise UndecodableJob(f"job {id_text(raw_id)}: a record of {len(record)} bytes")
    version, at = record[0], 4 + record[3]
    if version != RECORD_VERSION:
        raise UndecodableJob(
            f"job {id_text(raw_id)}: record version {version}, this process reads {RECORD_VERSION}",
            remedy="upgrade this worker, or drop the job with `sched dead drop`",
        )
    schedule: str | None = None
    nominal_ms: int | None = None
    try:
        head = _read_head(record[:at])
        if head.is_of_schedule:
            size = record[at]
            schedule = record[at + 1 : at + 1 + size].decode()
            nominal_ms = int(record[at + 1 + size : at + 15 + size])
            at += 15 + size
        body = decode(_decoder, record[at:])
    except (UndecodableJob, ValueError, IndexError) as error:
        raise UndecodableJob(f"job {id_text(raw_id)}: {error}") from error
    return Job(
        raw_id,
        body.task,
        body.args,
        body.kwargs,
        head.queue,
        head.priority,
        head.ignore_result,
        head.skip_unsure,
        schedule,
        nominal_ms,
        body.options,
    )


class _Head(NamedTuple):
    """What all records of one queue and kind begin with."""

    queue: str
    priority: int
    ignore_result: bool
    skip_unsure: bool
    is_of_schedule: bool


@lru_cache(maxsize=1024)
def _read_head(head: bytes) -> _Head:
    flags = head[2]
    return _Head(
        head[4:].decode(),
        head[1] - 48,
        bool(flags & FLAG_IGNORE_RESULT),
        bool(flags & FLAG_SKIP_UNSURE),
        bool(flags & FLAG_SCHEDULE),
    )
