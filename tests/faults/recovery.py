"""How long it took after each fault until work flowed again, by the journal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.checker import Run
from tests.faults.journal import Event

#: Seconds that something took, and may take.
Taken = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Outage:
    """Something stood still from ``begin_ns`` to ``end_ns``, and may take ``limit_s`` more."""

    begin_ns: int
    end_ns: int
    limit_s: float


def after_kills(
    runs: Mapping[str, Sequence[Run]], deaths: Mapping[int, int], limits: Mapping[int, float]
) -> Iterator[Taken]:
    """From each kill until what the dead process ran has begun again elsewhere."""
    for of_key in runs.values():
        for run in of_key:
            died_ns = deaths.get(run.pid)
            if died_ns is None or run.ended_ns or run.failed_ns or run.seen_ns > died_ns:
                continue
            after = [other.started_ns for other in of_key if other.started_ns > died_ns]
            if after:
                yield (min(after) - died_ns) / 1e9, limits[run.pid]


def after_outages(
    runs: Mapping[str, Sequence[Run]], outages: Sequence[Outage], events: Sequence[Event]
) -> Iterator[Taken]:
    """
    From the end of each outage until a body has begun whose job was enqueued after that end.

    So the whole way works again: client, beat where there is a countdown (which is deducted), and
    worker. Where nobody enqueues, any body will do.
    """
    acked_ns = {event.key: event.at_ns for event in events if event.what == "acked"}
    waits_ns = {event.key: event.fence * 10**6 for event in events if event.what == "planned"}
    for outage in outages:
        began_ns = [
            of_key[0].started_ns - waits_ns.get(key, 0)
            for key, of_key in runs.items()
            if acked_ns.get(key, 0 if acked_ns else of_key[0].started_ns) > outage.end_ns
        ]
        # A call that waited for the outage's end had planned its countdown before.
        took_ns = max(min(began_ns, default=math.inf) - outage.end_ns, 0)
        yield took_ns / 1e9, outage.limit_s


def flows_again(events: Sequence[Event], outage: Outage) -> bool:
    """Whether a job has begun that was enqueued after an outage."""
    acked = {event.key for event in events if event.what == "acked" and event.at_ns > outage.end_ns}
    return any(event.what == "start" and event.key in acked for event in events)
