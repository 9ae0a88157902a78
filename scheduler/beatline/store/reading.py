"""
Looking: what is where, without changing anything.

``look`` sees a job in one instant, by script. Everything else reads in pages outside of scripts,
so that a long queue keeps nobody waiting; what moves meanwhile may be seen twice or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from beatline.states import JobState
from beatline.store.views import (
    JobView,
    LeaderView,
    QuarantineEntry,
    QueueDepth,
    TimelineEntry,
    WorkerView,
)
from beatline.wire.connection import HeldConnection
from beatline.wire.scripts import script

#: Most ids in one call of `look`: it runs as a script, while nobody else is served.
LOOK_PAGE: Final = 200
#: Entries in one page of anything else.
PAGE: Final = 500


def look(connection: HeldConnection, prefix: bytes, ids: Sequence[bytes]) -> list[JobView]:
    """
    Where each of these jobs is: the state of one instant per page of 200.

    Args:
        connection: Any.
        prefix: The partition's key prefix; all ids belong to it.
        ids: Ids as Redis has them.

    *Retry-safe*: yes, it only reads. *Atomicity*: ``look.lua``.
    """
    views: list[JobView] = []
    for first in range(0, len(ids), LOOK_PAGE):
        page = ids[first : first + LOOK_PAGE]
        rows = connection.run(script("look"), prefix, *page)
        views += [_view(raw_id, row) for raw_id, row in zip(page, rows, strict=True)]
    return views


def _view(raw_id: bytes, row: Sequence[bytes]) -> JobView:
    state, record, stored, due, worker, entry, charged, failed, cancelled, forensics = row
    consumer, _, fence = _text(entry).rpartition(":")
    return JobView(
        raw_id,
        _state(state),
        record,
        stored,
        int(float(due)) if due else None,
        _text(worker),
        consumer,
        _number(fence),
        _number(_text(charged)),
        _number(_text(failed)),
        _text(cancelled),
        _text(forensics),
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
    flat = connection.call("ZRANGE", key, start, start + count - 1, "WITHSCORES")
    return [read_member(flat[at], flat[at + 1]) for at in range(0, len(flat), 2)]


def read_member(member: bytes, score: bytes) -> TimelineEntry:
    """The entry behind a member of the timeline and its score."""
    due_ms, kind = int(float(score)), member[:1]
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
    ids: list[bytes] = connection.call("LRANGE", key, start, start + count - 1)
    return ids


def queues(connection: HeldConnection, prefix: bytes) -> dict[str, QueueDepth]:
    """The queues that were ever used here, with their priorities and pauses, and no numbers."""
    flat = connection.call("HGETALL", prefix + b"queues")
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
        ready[name] = sum(int(connection.call("LLEN", key)) for key in keys)
    # What was cancelled while it was ready leaves its entry in the list until that is reached.
    for place in connection.call("HVALS", prefix + b"tombs"):
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
    records = int(connection.call("HLEN", prefix + b"jobs"))
    return max(records - int(connection.call("ZCARD", prefix + b"dead")), 0)


def timeline(connection: HeldConnection, prefix: bytes) -> Iterator[TimelineEntry]:
    """All of the timeline, the earliest first, page by page."""
    start = 0
    while page := timeline_page(connection, prefix, start):
        yield from page
        start += len(page)


def _records(connection: HeldConnection, prefix: bytes, ids: Iterator[bytes]) -> Iterator[bytes]:
    while page := list(islice(ids, PAGE)):
        found = connection.call("HMGET", prefix + b"jobs", *page)
        yield from (record for record in found if record)


def queue_of(record: bytes) -> str:
    """The queue that a record names; empty where it is not a record."""
    return _text(record[4 : 4 + record[3]]) if len(record) > 4 else ""


def held_ids(connection: HeldConnection, prefix: bytes) -> Iterator[bytes]:
    """Ids of jobs in workers' hands."""
    for worker in holders(connection, prefix):
        yield from scan_hash(connection, prefix + b"held:" + worker.encode())


def holders(connection: HeldConnection, prefix: bytes) -> list[str]:
    """Workers that may hold jobs: the living, and those being emptied."""
    living = connection.call("ZRANGE", prefix + b"workers", 0, -1)
    going = connection.call("ZRANGE", prefix + b"gone", 0, -1)
    return [_text(worker) for worker in [*living, *going]]


def dead_page(
    connection: HeldConnection, prefix: bytes, start: int = 0, count: int = PAGE
) -> list[bytes]:
    """Ids of dead letters, the newest first."""
    ids: list[bytes] = connection.call("ZREVRANGE", prefix + b"dead", start, start + count - 1)
    return ids


def workers(connection: HeldConnection, prefix: bytes) -> list[WorkerView]:
    """The workers on the books, and those that vanished and are being emptied."""
    watched_ms = _number(_text(connection.call("HGET", prefix + b"watch", "w") or b""))
    found: list[WorkerView] = []
    for key, is_gone in ((b"workers", False), (b"gone", True)):
        flat = connection.call("ZRANGE", prefix + key, 0, -1, "WITHSCORES")
        for at in range(0, len(flat), 2):
            name, deadline_ms = flat[at], int(float(flat[at + 1]))
            found.append(
                WorkerView(
                    _text(name),
                    is_gone,
                    None if is_gone else deadline_ms - watched_ms,
                    _texts(connection.call("HGETALL", prefix + b"worker:" + name)),
                    int(connection.call("HLEN", prefix + b"consumers:" + name)),
                    int(connection.call("HLEN", prefix + b"held:" + name)),
                )
            )
    return found


def quarantine_page(
    connection: HeldConnection, prefix: bytes, start: int = 0, count: int = PAGE
) -> list[QuarantineEntry]:
    """What was set aside, the newest first."""
    stop = start + count - 1
    flat = connection.call("ZREVRANGE", prefix + b"quarantine", start, stop, "WITHSCORES")
    members = flat[::2]
    if not members:
        return []
    stored = connection.call("HMGET", prefix + b"quarantined", *members)
    entries: list[QuarantineEntry] = []
    for member, score, kept in zip(members, flat[1::2], stored, strict=True):
        reason, _, blob = (kept or b"").partition(b"\n")
        entries.append(QuarantineEntry(member, int(float(score)), _text(reason), blob))
    return entries


def counters(connection: HeldConnection, prefix: bytes) -> dict[str, int]:
    """What bounds have dropped, and the like."""
    flat = _texts(connection.call("HGETALL", prefix + b"counters"))
    return {name: _number(value) for name, value in flat.items()}


def leader(connection: HeldConnection, prefix: bytes) -> LeaderView | None:
    """The beat that leads this partition, or led it last; None where none ever has."""
    facts = _texts(connection.call("HGETALL", prefix + b"leader"))
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
    flat = connection.call("ZRANGE", prefix + b"beats", 0, -1, "WITHSCORES")
    return {_text(flat[at]): int(float(flat[at + 1])) for at in range(0, len(flat), 2)}


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
        cursor, flat = connection.call("HSCAN", key, cursor, "COUNT", PAGE)
        yield from flat[::2]
        if cursor == b"0":
            return


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _texts(flat: Sequence[bytes]) -> dict[str, str]:
    return {_text(flat[at]): _text(flat[at + 1]) for at in range(0, len(flat), 2)}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
