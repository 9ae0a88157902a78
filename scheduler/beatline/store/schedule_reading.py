"""
Schedules as they lie in Redis: names, definitions and state, ledgers, page by page.

Plain commands, many of them in one round trip; what changes meanwhile may be seen before or after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import hiredis
from redis.exceptions import ResponseError

from beatline.store.scheduling import PAGE, StoredSchedule
from beatline.wire.connection import Argument, HeldConnection
from beatline.wire.scripts import Script

#: hiredis's own stub knows commands of one word only.
_pack: Any = hiredis.pack_command


def names(connection: HeldConnection, prefix: bytes) -> Iterator[list[str]]:
    """The names of all schedules of a partition, page by page; a name may come twice."""
    cursor = b"0"
    while True:
        step = (prefix + b"schedules", cursor, "COUNT", PAGE)
        cursor, found = _unless_wrong_type(connection, (b"0", []), "HSCAN", *step)
        if found:
            yield [name.decode("utf-8", "surrogateescape") for name in found[::2]]
        if cursor == b"0":
            return


def missing(connection: HeldConnection, prefix: bytes, wanted: Sequence[str]) -> list[str]:
    """Those of the names under which there is no schedule."""
    absent: list[str] = []
    for first in range(0, len(wanted), PAGE):
        page = wanted[first : first + PAGE]
        call: list[Argument] = ["HMGET", prefix + b"schedules", *page]
        found = _unless_wrong_type(connection, [None] * len(page), *call)
        absent += [name for name, value in zip(page, found, strict=True) if value is None]
    return absent


def read_many(
    connection: HeldConnection, prefix: bytes, wanted: Sequence[str]
) -> list[StoredSchedule | None]:
    """
    The schedules of these names, in order; None where there is none that can be read.

    What cannot be read as a schedule's state counts as none; `fire` sets it aside.
    """
    found: list[StoredSchedule | None] = []
    for first in range(0, len(wanted), PAGE):
        page = wanted[first : first + PAGE]
        keys = [prefix + b"sched:" + name.encode("utf-8", "surrogateescape") for name in page]
        connection.send(b"".join(_pack(("HGETALL", key)) for key in keys))
        replies: list[Any] = []
        for _ in keys:
            try:
                replies.append(connection.receive())
            except ResponseError as error:
                if not str(error).startswith("WRONGTYPE"):
                    replies.append(error)
                else:
                    replies.append([])
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        found += [_stored(name, reply) for name, reply in zip(page, replies, strict=True)]
    return found


def read_ledger(
    connection: HeldConnection, prefix: bytes, name: str, events: int = 600
) -> list[bytes]:
    """The last events of a schedule's ledger, oldest first; `beatline.ledger` reads them."""
    key = prefix + b"ledger:" + name.encode()
    events_read: list[bytes] = _unless_wrong_type(connection, [], "LRANGE", key, -events, -1)
    return events_read


def last_absence(connection: HeldConnection, prefix: bytes) -> tuple[int, int] | None:
    """The last stretch of time in which no beat ticked the watch, from and until ms, or None."""
    return next(iter(read_absences(connection, prefix, 1)), None)


def read_absences(
    connection: HeldConnection, prefix: bytes, latest: int = 100
) -> list[tuple[int, int]]:
    """The last stretches of time in which no beat ticked the watch, from and until ms."""
    found: list[tuple[int, int]] = []
    key = prefix + b"absences"
    for entry in _unless_wrong_type(connection, [], "LRANGE", key, -latest, -1):
        begin, _, end = entry.partition(b" ")
        from_ms, until_ms = _number(begin), _number(end)
        if from_ms is not None and until_ms is not None:
            found.append((from_ms, until_ms))
    return found


def server_time_us(connection: HeldConnection) -> int:
    """The server's clock, as scripts see it."""
    if Script.injected_now_us:
        return Script.injected_now_us
    seconds, rest = connection.call("TIME")
    return int(seconds) * 1_000_000 + int(rest)


def _unless_wrong_type(connection: HeldConnection, otherwise: Any, *command: Argument) -> Any:
    """A command's reply, or something else where garbage lies under our key's name."""
    try:
        return connection.call(*command)
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):
            return otherwise
        raise


#: Fields of ``sched:<name>`` that are no counters.
_STATE: Final = frozenset(
    {
        b"rev",
        b"def",
        b"trigger",
        b"source",
        b"tz",
        b"next",
        b"due",
        b"last",
        b"decided",
        b"paused",
        b"paused_at",
        b"resumed_at",
        b"applied",
        b"pause_after",
        b"expect",
        b"triggered_at",
    }
)


def _stored(name: str, reply: Any) -> StoredSchedule | None:
    fields: dict[bytes, bytes] = dict(zip(reply[::2], reply[1::2], strict=True))
    revision = fields.get(b"rev")
    if revision is None:
        return None
    counters = {
        _text(field): number
        for field, value in fields.items()
        if field not in _STATE and (number := _number(value)) is not None
    }
    next_text = fields.get(b"next", b"")
    return StoredSchedule(
        name=name,
        revision=revision,
        definition=fields.get(b"def", b""),
        trigger=fields.get(b"trigger", b""),
        source=_text(fields.get(b"source", b"")),
        tzdata=_text(fields.get(b"tz", b"")),
        next_text=next_text,
        next_ms=_number(next_text),
        due_ms=_number(fields.get(b"due", b"")),
        last_ms=_number(fields.get(b"last", b"")),
        decided_ms=_number(fields.get(b"decided", b"")),
        paused=_text(fields.get(b"paused", b"")),
        paused_at_ms=_number(fields.get(b"paused_at", b"")),
        resumed_at_ms=_number(fields.get(b"resumed_at", b"")),
        applied_ms=_number(fields.get(b"applied", b"")),
        counters=counters,
    )


def _number(text: bytes) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
