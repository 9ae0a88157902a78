"""How long it took after each fault until work flowed again, by the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.checker import Run

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


def after_outages(runs: Mapping[str, Sequence[Run]], outages: Sequence[Outage]) -> Iterator[Taken]:
    """From the end of each outage until any body has begun."""
    starts = sorted(run.started_ns for of_key in runs.values() for run in of_key)
    for outage in outages:
        after = next((at for at in starts if at > outage.end_ns), None)
        took_s = float("inf") if after is None else (after - outage.end_ns) / 1e9
        yield took_s, outage.limit_s
