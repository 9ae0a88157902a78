"""What schedules will do: their next fire times, and how many come together."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from beatline.schedule import Schedule
from beatline.units import moment_of

#: Fire times of each schedule that are shown where nothing else is asked for.
DEFAULT_COUNT: Final = 10
#: Fire times in all that one preview works out; the earliest are kept.
MAX_ROWS: Final = 100_000
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Row:
    """
    One fire time.

    Attributes:
        name: The schedule.
        nominal_ms: The fire time, UTC ms: the occurrence's identity.
        due_ms: When the job is made, UTC ms: later than nominal where there is jitter.
        local: The fire time in the schedule's zone.
        remark: What a change of the clocks does to it; empty for nothing.
    """

    name: str
    nominal_ms: int
    due_ms: int
    local: datetime
    remark: str


@dataclass(frozen=True, slots=True)
class HourLoad:
    """
    How much comes in one hour.

    Attributes:
        start_ms: The hour's beginning, UTC ms.
        fires: Jobs made in it.
        peak: Most jobs made within one second of it.
        peak_ms: That second, UTC ms.
    """

    start_ms: int
    fires: int
    peak: int
    peak_ms: int


@dataclass(frozen=True, slots=True)
class Preview:
    """
    The fire times of a set of schedules.

    Attributes:
        rows: In the order of time.
        load: The hours in which something is due, in the order of time.
        paused: Names of schedules that are declared at rest, and not in the rows.
        silent: Names of schedules without a fire time in the span.
        is_cut: Whether there were more than fit; the rows end early then.
    """

    rows: list[Row]
    load: list[HourLoad]
    paused: list[str]
    silent: list[str]
    is_cut: bool


def preview(
    schedules: Iterable[Schedule],
    *,
    from_ms: int,
    to_ms: int | None = None,
    count: int | None = None,
    limit: int = MAX_ROWS,
) -> Preview:
    """
    The fire times of schedules from one instant on.

    Args:
        schedules: Any number of schedules.
        from_ms: First instant that counts, UTC ms.
        to_ms: Last instant that counts, UTC ms; None is no end.
        count: At most so many of each schedule; None is `DEFAULT_COUNT` without an end, and
            no bound with one.
        limit: At most so many in all.
    """
    if count is None and to_ms is None:
        count = DEFAULT_COUNT
    listed = list(schedules)
    paused = [schedule.name for schedule in listed if schedule.paused]
    awake = [schedule for schedule in listed if not schedule.paused]
    left = [_least(schedule.max_runs, count, limit) for schedule in awake]

    def following(index: int, after_ms: int) -> tuple[int, int] | None:
        if left[index] == 0:
            return None
        next_ms = awake[index].timetable.next_nominal_ms(after_ms)
        is_inside = next_ms is not None and (to_ms is None or next_ms <= to_ms)
        return (next_ms, index) if next_ms is not None and is_inside else None

    first = [following(index, from_ms - 1) for index in range(len(awake))]
    silent = [awake[index].name for index, entry in enumerate(first) if entry is None]
    queue = [entry for entry in first if entry is not None]
    heapq.heapify(queue)
    rows: list[Row] = []
    while queue and len(rows) < limit:
        nominal_ms, index = heapq.heappop(queue)
        left[index] -= 1
        rows.append(_row(awake[index], nominal_ms))
        entry = following(index, nominal_ms)
        if entry is not None:
            heapq.heappush(queue, entry)
    return Preview(rows, _load(rows), paused, silent, is_cut=bool(queue))


def _least(*bounds: int | None) -> int:
    return min(bound for bound in bounds if bound is not None)


def _row(schedule: Schedule, nominal_ms: int) -> Row:
    timetable = schedule.timetable
    return Row(
        name=schedule.name,
        nominal_ms=nominal_ms,
        due_ms=timetable.due_ms(nominal_ms),
        local=moment_of(nominal_ms).astimezone(timetable.zone.tzinfo),
        remark=timetable.trigger.dst_remark(nominal_ms),
    )


def _load(rows: list[Row]) -> list[HourLoad]:
    by_second = Counter(row.due_ms // 1000 for row in rows)
    hours: dict[int, HourLoad] = {}
    for second in sorted(by_second):
        fires, at_ms = by_second[second], second * 1000
        start_ms = at_ms - at_ms % _HOUR_MS
        hour = hours.get(start_ms, HourLoad(start_ms, 0, 0, at_ms))
        peak, peak_ms = max((hour.peak, -hour.peak_ms), (fires, -at_ms))
        hours[start_ms] = HourLoad(start_ms, hour.fires + fires, peak, -peak_ms)
    return list(hours.values())
