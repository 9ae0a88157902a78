"""
A trigger with its bounds: start, end, excluded days, and jitter.

The *nominal* instant of an occurrence is the trigger's own and stays its identity; it is *due* a
little later where there is jitter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from beatline.errors import InvalidTrigger
from beatline.triggers.exclusions import Exclusions
from beatline.triggers.placing import day_start_ms, local_day
from beatline.triggers.reading import moment_text
from beatline.triggers.stable_hash import stable_below
from beatline.triggers.trigger import Trigger
from beatline.triggers.zones import Zone
from beatline.units import duration_text

#: Excluded fire times in a row after which the timetable is taken to have ended. A run of
#: excluded days is one step, so that only a trigger whose every instant is excluded gets here:
#: "each Monday, but never on Mondays" gives up after 19 years.
_MAX_EXCLUDED = 1_000


class Timetable:
    """
    When a schedule fires.

    Args:
        trigger: What names the instants.
        name: The schedule's name, from which jitter is drawn.
        start_ms, end_ms: First and last instant that may fire, both included, UTC ms.
        jitter_ms: Each occurrence is due up to this much later, by a stable hash.
        exclude: Days without occurrences, in the trigger's zone.

    Raises:
        InvalidTrigger: The bounds leave nothing, or jitter is longer than the interval.
    """

    def __init__(
        self,
        trigger: Trigger,
        *,
        name: str = "",
        start_ms: int | None = None,
        end_ms: int | None = None,
        jitter_ms: int = 0,
        exclude: Exclusions | None = None,
    ) -> None:
        self.trigger = trigger
        self.name = name
        self.start_ms = start_ms
        self.end_ms = end_ms
        self.jitter_ms = jitter_ms
        self.exclude = exclude or Exclusions()
        if start_ms is not None and end_ms is not None and end_ms < start_ms:
            raise InvalidTrigger(
                f"end {moment_text(end_ms)} lies before start {moment_text(start_ms)}",
                remedy="exchange them, or leave one out",
            )
        floor_ms = trigger.interval_floor_ms() if jitter_ms else None
        if floor_ms is not None and jitter_ms > floor_ms:
            raise InvalidTrigger(
                f"jitter {duration_text(jitter_ms)} is longer than the shortest interval, "
                f"{duration_text(floor_ms)}",
                remedy=f"write at most {duration_text(floor_ms)}",
            )

    @property
    def timezone(self) -> str:
        """IANA name of the trigger's zone, whose days count for exclusions."""
        return self.trigger.timezone

    @property
    def zone(self) -> Zone:
        """The zone of ``timezone``."""
        return self.trigger.zone

    def next_nominal_ms(self, after_ms: int) -> int | None:
        """
        The first nominal instant strictly after an instant, both UTC milliseconds.

        Returns:
            None where nothing fires any more, also where a thousand fire times in a row fell on
            excluded days.
        """
        if self.start_ms is not None:
            after_ms = max(after_ms, self.start_ms - 1)
        if not self.exclude:
            return self._within_end(self.trigger.next_ms(after_ms))
        where = self.zone
        for _ in range(_MAX_EXCLUDED):
            nominal_ms = self._within_end(self.trigger.next_ms(after_ms))
            if nominal_ms is None:
                return None
            day = local_day(where, nominal_ms)
            allowed_day = self.exclude.next_allowed_day(day)
            if allowed_day == day:
                return nominal_ms
            after_ms = max(nominal_ms, day_start_ms(where, allowed_day) - 1)
        return None

    def between(self, first_ms: int, last_ms: int) -> Iterator[int]:
        """The nominal instants in the closed span, in order, UTC milliseconds."""
        nominal_ms = self.next_nominal_ms(first_ms - 1)
        while nominal_ms is not None and nominal_ms <= last_ms:
            yield nominal_ms
            nominal_ms = self.next_nominal_ms(nominal_ms)

    def due_ms(self, nominal_ms: int) -> int:
        """When the occurrence is to run, UTC ms: nominal plus a stable part of the jitter."""
        if not self.jitter_ms:
            return nominal_ms
        return nominal_ms + stable_below(self.jitter_ms, "jitter", self.name, nominal_ms)

    def count_between(self, first_ms: int, last_ms: int) -> int | None:
        """How many nominal instants lie in the closed span, if arithmetic can tell; else None."""
        if self.exclude:
            return None
        if self.start_ms is not None:
            first_ms = max(first_ms, self.start_ms)
        if self.end_ms is not None:
            last_ms = min(last_ms, self.end_ms)
        return self.trigger.count_between(first_ms, last_ms)

    def exclusion_at(self, at_ms: int) -> str | None:
        """Why the day of an instant is excluded, for people; None where it is not."""
        return self.exclude.reason(local_day(self.zone, at_ms)) if self.exclude else None

    def remarks(self) -> list[str]:
        """What a person may have meant otherwise, one sentence each."""
        return self.trigger.remarks()

    def spec(self) -> dict[str, Any]:
        """All of it as plain JSON types, for `beatline.triggers.build_timetable`."""
        plain = self.trigger.spec()
        if self.start_ms is not None:
            plain["start"] = moment_text(self.start_ms)
        if self.end_ms is not None:
            plain["end"] = moment_text(self.end_ms)
        if self.jitter_ms:
            plain["jitter"] = duration_text(self.jitter_ms)
        if self.exclude:
            plain["exclude"] = self.exclude.spec()
        return plain

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Timetable)
            and self.name == other.name
            and self.trigger == other.trigger
            and self.spec() == other.spec()
        )

    def __hash__(self) -> int:
        return hash((self.name, self.trigger, self.start_ms, self.end_ms, self.jitter_ms))

    def __repr__(self) -> str:
        return f"Timetable({self.trigger!r}, name={self.name!r})"

    def _within_end(self, nominal_ms: int | None) -> int | None:
        if nominal_ms is None or (self.end_ms is not None and nominal_ms > self.end_ms):
            return None
        return nominal_ms
