"""
How a partition is, on one page: for ``sched status``, the live view of ``sched up``, and metrics.

Composed of what `beatline.store.reading` reads, in a bounded number of round trips whatever lies
on the timeline. A key of a wrong type counts as empty: a look at a sick system must not fall ill
of it; the scripts set such keys aside where they meet them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from redis.exceptions import ResponseError

from beatline.store import expecting, reading
from beatline.store.expecting import Alert
from beatline.store.views import LeaderView, QuarantineEntry, QueueDepth, WorkerView
from beatline.wire.connection import HeldConnection

T = TypeVar("T")

#: Entries of the quarantine that are read; the newest ones.
QUARANTINE_SHOWN: Final = 20
#: Absences of all beats that are read; the latest ones.
ABSENCES_SHOWN: Final = 5
#: What is due for longer than this counts as overdue, ms: beat promotes within a second.
OVERDUE_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Vitals:
    """
    One partition.

    Attributes:
        now_ms: The server's clock.
        ticked_ms: When a beat last ticked the watch; None for never.
        leader: The beat that leads, or led last; None where none ever has.
        beats: Beats of the last minute -> their last round, on the server's clock.
        absences: Spans without any beat, the latest last.
        workers: All workers, those being emptied last.
        queues: All queues that were ever used, with ready jobs only.
        scheduled: Entries of the timeline: ETA jobs, retries and schedules.
        overdue: Those that are due for more than `OVERDUE_MS`.
        live: Jobs that have not ended.
        schedules: Live schedules.
        expected: Those that have to succeed within a time and are in it.
        alerts: Those that have not, oldest alert first.
        dead, quarantined: How many.
        aside: The newest entries of the quarantine.
        counters: What bounds have dropped.
    """

    now_ms: int
    ticked_ms: int | None
    leader: LeaderView | None
    beats: dict[str, int]
    absences: list[tuple[int, int]]
    workers: list[WorkerView]
    queues: list[QueueDepth]
    scheduled: int
    overdue: int
    live: int
    schedules: int
    dead: int
    quarantined: int
    aside: list[QuarantineEntry]
    counters: dict[str, int] = field(default_factory=dict)
    expected: int = 0
    alerts: list[Alert] = field(default_factory=list)

    @property
    def tick_age_ms(self) -> int | None:
        """How long ago a beat ticked; None for never."""
        return None if self.ticked_ms is None else max(self.now_ms - self.ticked_ms, 0)

    @property
    def leading(self) -> str:
        """Id of the beat that leads now; empty where none does."""
        leads = self.leader is not None and self.leader.until_ms > self.now_ms
        return self.leader.beat if leads and self.leader else ""

    @property
    def held(self) -> int:
        """Jobs in workers' hands."""
        return sum(worker.held for worker in self.workers)


def read_vitals(connection: HeldConnection, prefix: bytes) -> Vitals:
    """
    How a partition is now.

    Args:
        connection: Any.
        prefix: The partition's key prefix.
    """

    def count(command: str, key: bytes, *more: str | int) -> int:
        return _sound(lambda: int(connection.call(command, prefix + key, *more)), 0)

    now_ms = reading.server_now_ms(connection)
    ticked = _sound(lambda: connection.call("HGET", prefix + b"watch", "t"), None)
    absences: list[bytes] = _sound(
        lambda: connection.call("LRANGE", prefix + b"absences", -ABSENCES_SHOWN, -1), []
    )
    return Vitals(
        now_ms=now_ms,
        ticked_ms=int(ticked) if ticked and ticked.isdigit() else None,
        leader=_sound(lambda: reading.leader(connection, prefix), None),
        beats=_sound(lambda: reading.beats(connection, prefix), {}),
        absences=_spans(absences),
        workers=_sound(lambda: reading.workers(connection, prefix), []),
        queues=_sound(lambda: _ready_depths(connection, prefix), []),
        scheduled=count("ZCARD", b"timeline"),
        overdue=count("ZCOUNT", b"timeline", "-inf", now_ms - OVERDUE_MS),
        live=_sound(lambda: reading.live_count(connection, prefix), 0),
        schedules=count("HLEN", b"schedules"),
        dead=count("ZCARD", b"dead"),
        quarantined=count("ZCARD", b"quarantine"),
        aside=_sound(lambda: reading.quarantine_page(connection, prefix, 0, QUARANTINE_SHOWN), []),
        counters=_sound(lambda: reading.counters(connection, prefix), {}),
        expected=expecting.count_expected(connection, prefix),
        alerts=expecting.read_alerts(connection, prefix),
    )


def server_settings(connection: HeldConnection, names: Sequence[str]) -> dict[str, str]:
    """The server's settings of these names; those that it does not tell are left out."""
    found: dict[str, str] = {}
    for name in names:
        try:
            reply: Any = connection.call("CONFIG", "GET", name)
        except ResponseError:
            continue  # managed servers refuse CONFIG
        if reply:
            found[name] = reply[1].decode("utf-8", "replace")
    return found


def _ready_depths(connection: HeldConnection, prefix: bytes) -> list[QueueDepth]:
    """Queues with their ready jobs: unlike `reading.queue_depths`, without walking the timeline."""
    found = []
    for name, queue in sorted(reading.queues(connection, prefix).items()):
        keys = [prefix + f"ready:{name}:{priority}".encode() for priority in queue.priorities]
        found.append(queue._replace(ready=sum(_length(connection, key) for key in keys)))
    return found


def _length(connection: HeldConnection, key: bytes) -> int:
    return _sound(lambda: int(connection.call("LLEN", key)), 0)


def _sound(read: Callable[[], T], otherwise: T) -> T:
    """What was read, or something else where a key is not of our type."""
    try:
        return read()
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        return otherwise


def _spans(events: Sequence[bytes]) -> list[tuple[int, int]]:
    spans = []
    for event in events:
        first, _, last = event.partition(b" ")
        if first.isdigit() and last.isdigit():
            spans.append((int(first), int(last)))
    return spans
