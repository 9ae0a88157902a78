"""
Looking: what is where, without changing anything.

``look`` sees a job in one instant, by script. Everything else reads in pages outside of scripts,
so that a long queue keeps nobody waiting; what moves meanwhile may be seen twice or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from typing import Any, Final

from redis.exceptions import ResponseError

from beatline.states import JobState
from beatline.store.views import (
    JobView,
    LeaderView,
    QuarantineEntry,
    QueueDepth,
    TimelineEntry,
    WorkerView,
)
from beatline.wire.connection import Argument, HeldConnection
from beatline.wire.scripts import script

#: Most ids in one call of `look`: it runs as a script, while nobody else is served.
LOOK_PAGE: Final = 200
#: Beyond any instant that we write, ms.
_FARTHEST_MS: Final = 1e15
#: Entries in one page of anything else.
PAGE: Final = 500
#: How long ends are published after somebody said to wait for one, ms: longer than the longest
#: wait without a look (`beatline.notices`).
AWAITED_MS: Final = 15_000


def look(
    connection: HeldConnection, prefix: bytes, ids: Sequence[bytes], *, awaits_end: bool = False
) -> list[JobView]:
    """
    Where each of these jobs is: the state of one instant per page of 200.

    Args:
        connection: Any.
        prefix: The partition's key prefix; all ids belong to it.
        ids: Ids as Redis has them.
        awaits_end: As `await_ends`, for what has not ended in this instant.

    *Retry-safe*: yes, it changes nothing. *Atomicity*: ``look.lua``.
    """
    awaited_ms = AWAITED_MS if awaits_end else 0
    views: list[JobView] = []
    for first in range(0, len(ids), LOOK_PAGE):
        page = ids[first : first + LOOK_PAGE]
        rows = connection.run(script("look"), prefix, awaited_ms, *page)
        views += [_view(raw_id, row) for raw_id, row in zip(page, rows, strict=True)]
    return views


def await_ends(connection: HeldConnection, prefix: bytes) -> None:
    """
    Have the ends of a partition's jobs published, on ``done:<id>``, for the next `AWAITED_MS`.

    It cannot be relied on: Redis may be full, or this user may not write. Who waits looks now and
    then in any case.
    """
    connection.run(script("look"), prefix, AWAITED_MS)


def _view(raw_id: bytes, row: Sequence[bytes]) -> JobView:
    state, record, stored, due, worker, entry, charged, failed, cancelled, forensics, told = row
    consumer, _, fence = _text(entry).rpartition(":")
    return JobView(
        raw_id,
        _state(state),
        record,
        stored,
        _ms(due) if due else None,
        _text(worker),
        consumer,
        _number(fence),
        _number(_text(charged)),
        _number(_text(failed)),
        _text(cancelled),
        _text(forensics),
        told,
    )


def _state(word: bytes) -> JobState:
    # A result key that somebody else has written begins with any word.
    try:
        return JobState(word.decode("ascii"))
    except ValueError:
        return JobState.UNKNOWN


def forget_result(connection: HeldConnection, prefix: bytes, raw_id: bytes) -> bool:
    """Remove a kept result; whether there was one. *Retry-safe*: yes."""
    return bool(connection.call("DEL", prefix + b"result:" + raw_id))


def timeline_page(
    connection: HeldConnection, prefix: bytes, start: int = 0, count: int = PAGE
) -> list[TimelineEntry]:
    """What is due next: ``count`` entries from the ``start``-th on, the earliest first."""
    key = prefix + b"timeline"
    flat = _listed(connection, "ZRANGE", key, start, start + count - 1, "WITHSCORES")
    return [read_member(flat[at], flat[at + 1]) for at in range(0, len(flat), 2)]


def count_due_before(connection: HeldConnection, prefix: bytes, at_ms: int) -> int:
    """How many entries of the timeline are due before an instant."""
    return _counted(connection, "ZCOUNT", prefix + b"timeline", "-inf", f"({at_ms}")


def read_member(member: bytes, score: bytes) -> TimelineEntry:
    """The entry behind a member of the timeline and its score."""
    due_ms, kind = _ms(score), member[:1]
    if kind == b"s" and len(member) > 1:
        return TimelineEntry(due_ms, "schedule", schedule=_text(member[1:]))
    size = 16 if kind == b"j" else member[2] if kind == b"u" and len(member) > 3 else 0
    at = 2 if kind == b"j" else 3
    raw_id, queue, priority = member[at : at + size], member[at + size :], member[1:2]
    if not size or not queue or not priority.isdigit():
        return TimelineEntry(due_ms, "unknown")
    return TimelineEntry(due_ms, "job", raw_id, _text(queue), int(priority))


def ready_page(
    connection: HeldConnection,
    prefix: bytes,
    queue: str,
    priority: int,
    *,
    start: int = 0,
    count: int = PAGE,
) -> list[bytes]:
    """Ids of ready jobs of one queue and priority, the next to be taken first."""
    key = prefix + f"ready:{queue}:{priority}".encode()
    return _listed(connection, "LRANGE", key, start, start + count - 1)


def queues(connection: HeldConnection, prefix: bytes) -> dict[str, QueueDepth]:
    """The queues that were ever used here, with their priorities and pauses, and no numbers."""
    flat = _listed(connection, "HGETALL", prefix + b"queues")
    found: dict[str, QueueDepth] = {}
    for at in range(0, len(flat), 2):
        name, entry = _text(flat[at]), _text(flat[at + 1])
        priorities = tuple(int(digit) for digit in entry[1:] if digit.isdigit())
        found[name] = QueueDepth(name, entry.startswith("P"), priorities)
    return found


def queue_depths(connection: HeldConnection, prefix: bytes) -> list[QueueDepth]:
    """
    How many jobs of each queue are ready, scheduled and held, by name.

    Reads the whole timeline in pages: about 2 µs for each entry.
    """
    ready: dict[str, int] = {}
    scheduled: dict[str, int] = {}
    held: dict[str, int] = {}
    known = queues(connection, prefix)
    for name, depth in known.items():
        keys = [prefix + f"ready:{name}:{priority}".encode() for priority in depth.priorities]
        ready[name] = sum(_counted(connection, "LLEN", key) for key in keys)
    # What was cancelled while it was ready leaves its entry in the list until that is reached.
    for place in _listed(connection, "HVALS", prefix + b"tombs"):
        name = _text(place).rpartition(":")[0]
        ready[name] = max(ready.get(name, 0) - 1, 0)
    for entry in timeline(connection, prefix):
        if entry.kind == "job":
            scheduled[entry.queue] = scheduled.get(entry.queue, 0) + 1
    for record in _records(connection, prefix, held_ids(connection, prefix)):
        name = queue_of(record)
        held[name] = held.get(name, 0) + 1
    names = sorted({*known, *scheduled, *held} - {""})
    return [
        known.get(name, QueueDepth(name))._replace(
            ready=ready.get(name, 0), scheduled=scheduled.get(name, 0), held=held.get(name, 0)
        )
        for name in names
    ]


def live_count(connection: HeldConnection, prefix: bytes) -> int:
    """How many jobs have not ended: each has a record, and so has each dead letter."""
    records = _counted(connection, "HLEN", prefix + b"jobs")
    return max(records - _counted(connection, "ZCARD", prefix + b"dead"), 0)


def timeline(connection: HeldConnection, prefix: bytes) -> Iterator[TimelineEntry]:
    """All of the timeline, the earliest first, page by page."""
    start = 0
    while page := timeline_page(connection, prefix, start):
        yield from page
        start += len(page)


def _records(connection: HeldConnection, prefix: bytes, ids: Iterator[bytes]) -> Iterator[bytes]:
    while page := list(islice(ids, PAGE)):
        found = _listed(connection, "HMGET", prefix + b"jobs", *page)
        yield from (record for record in found if record)


def queue_of(record: bytes) -> str:
    """The queue that a record names; empty where it is not a record."""
    return _text(record[4 : 4 + record[3]]) if len(record) > 4 else ""


def held_ids(connection: HeldConnection, prefix: bytes) -> Iterator[bytes]:
    """Ids of jobs in workers' hands."""
    for worker in holders(connection, prefix):
        yield from scan_hash(connection, prefix + b"held:" + worker)


def holders(connection: HeldConnection, prefix: bytes) -> list[bytes]:
    """Workers that may hold jobs: the living, and those being emptied."""
    living = _listed(connection, "ZRANGE", prefix + b"workers", 0, -1)
    return [*living, *_listed(connection, "ZRANGE", prefix + b"gone", 0, -1)]


def dead_page(
    connection: HeldConnection, prefix: bytes, start: int = 0, count: int = PAGE
) -> list[bytes]:
    """Ids of dead letters, the newest first."""
    return _listed(connection, "ZREVRANGE", prefix + b"dead", start, start + count - 1)


def workers(connection: HeldConnection, prefix: bytes) -> list[WorkerView]:
    """The workers on the books, and those that vanished and are being emptied."""
    watch = _texts(_listed(connection, "HGETALL", prefix + b"watch"))
    watched_ms = _number(watch.get("w", ""))
    found: list[WorkerView] = []
    for key, is_gone in ((b"workers", False), (b"gone", True)):
        flat = _listed(connection, "ZRANGE", prefix + key, 0, -1, "WITHSCORES")
        for at in range(0, len(flat), 2):
            name, deadline_ms = flat[at], _ms(flat[at + 1])
            found.append(
                WorkerView(
                    _text(name),
                    is_gone,
                    None if is_gone else deadline_ms - watched_ms,
                    _texts(_listed(connection, "HGETALL", prefix + b"worker:" + name)),
                    _counted(connection, "HLEN", prefix + b"consumers:" + name),
                    _counted(connection, "HLEN", prefix + b"held:" + name),
                )
            )
    return found


def quarantine_page(
    connection: HeldConnection, prefix: bytes, start: int = 0, count: int = PAGE
) -> list[QuarantineEntry]:
    """What was set aside, the newest first."""
    stop = start + count - 1
    flat = _listed(connection, "ZREVRANGE", prefix + b"quarantine", start, stop, "WITHSCORES")
    members = flat[::2]
    if not members:
        return []
    # Where the reasons are lost, what was set aside is shown all the same.
    stored = _listed(connection, "HMGET", prefix + b"quarantined", *members)
    entries: list[QuarantineEntry] = []
    for member, score, kept in zip_longest(members, flat[1::2], stored):
        reason, _, blob = (kept or b"").partition(b"\n")
        entries.append(QuarantineEntry(member, _ms(score), _text(reason), blob))
    return entries


def counters(connection: HeldConnection, prefix: bytes) -> dict[str, int]:
    """What bounds have dropped, and the like."""
    flat = _texts(_listed(connection, "HGETALL", prefix + b"counters"))
    return {name: _number(value) for name, value in flat.items()}


def leader(connection: HeldConnection, prefix: bytes) -> LeaderView | None:
    """The beat that leads this partition, or led it last; None where none ever has."""
    facts = _texts(_listed(connection, "HGETALL", prefix + b"leader"))
    if "beat" not in facts:
        return None
    return LeaderView(
        facts["beat"],
        _number(facts.get("term", "")),
        _number(facts.get("until", "")),
        facts.get("about", ""),
    )


def beats(connection: HeldConnection, prefix: bytes) -> dict[str, int]:
    """Beats of the last minute, leading or not -> their last round, UTC ms."""
    flat = _listed(connection, "ZRANGE", prefix + b"beats", 0, -1, "WITHSCORES")
    return {_text(flat[at]): _ms(flat[at + 1]) for at in range(0, len(flat), 2)}


def server_now_ms(connection: HeldConnection) -> int:
    """The server's clock, UTC ms."""
    seconds, micros = connection.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


def finished_page(
    connection: HeldConnection, prefix: bytes, cursor: bytes
) -> tuple[bytes, list[bytes]]:
    """
    Ids of jobs whose end was kept, in no order; one step of a walk through all keys.

    Args:
        connection: Any.
        prefix: The partition's key prefix.
        cursor: ``b"0"`` at first, then what the last step returned; ``b"0"`` again is the end.
    """
    start = prefix + b"result:"
    special = b"*?[]\\^-"
    escaped = b"".join(b"\\" + bytes([c]) if c in special else bytes([c]) for c in start)
    cursor, keys = connection.call("SCAN", cursor, "MATCH", escaped + b"*", "COUNT", PAGE)
    return cursor, [key[len(start) :] for key in keys]


def scan_hash(connection: HeldConnection, key: bytes) -> Iterator[bytes]:
    """Fields of a hash, page by page, each at least once."""
    cursor: Any = 0
    while True:
        cursor, flat = _listed(connection, "HSCAN", key, cursor, "COUNT", PAGE) or (b"0", [])
        yield from flat[::2]
        if cursor == b"0":
            return


def _listed(connection: HeldConnection, *command: Argument) -> list[Any]:
    """
    The reply of a reading command; empty where the key is of a wrong type.

    Such a key is none of ours; the next script that meets it sets it aside.
    """
    try:
        reply: list[Any] = connection.call(*command)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        return []
    return reply


def _counted(connection: HeldConnection, *command: Argument) -> int:
    """As `_listed`, for commands that count: 0 where the key is of a wrong type."""
    counted: Any = _listed(connection, *command)
    return int(counted or 0)


def _ms(score: bytes) -> int:
    """A score of ours in whole ms, rounded up; a foreign one may be infinite."""
    value = float(score)
    return math.ceil(min(max(value, -_FARTHEST_MS), _FARTHEST_MS))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _texts(flat: Sequence[bytes]) -> dict[str, str]:
    return {_text(flat[at]): _text(flat[at + 1]) for at in range(0, len(flat), 2)}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
