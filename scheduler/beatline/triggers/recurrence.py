"""The RFC 5545 trigger: python-dateutil iterates wall time, and we place what it names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock
from typing import Any

from dateutil.rrule import rrule

from beatline.errors import InvalidTrigger
from beatline.triggers.placing import (
    LAST_S,
    datetime_of_wall,
    dst_remark,
    next_placed_ms,
    wall_of,
)
from beatline.triggers.reading import read_wall_s
from beatline.triggers.rrule_text import (
    DAILY,
    HOURLY,
    MINUTELY,
    SECONDLY,
    WEEKLY,
    YEARLY,
    Recurrence,
    read_recurrence,
)
from beatline.triggers.trigger import Trigger
from beatline.triggers.zones import zone

#: Seconds per step of the frequencies that have steps of one length.
_STEP_S = {WEEKLY: 604_800, DAILY: 86_400, HOURLY: 3_600, MINUTELY: 60, SECONDLY: 1}
#: Instants that are skipped one by one before the iteration is set up anew, nearer.
_STRIDE = 200


class RRule(Trigger):
    """
    Fires as an RFC 5545 recurrence rule says, in wall time, placed like a fixed-time cron job.

    Args:
        text: ``FREQ=…``, or the lines ``DTSTART``, ``RRULE`` and ``EXDATE``.
        timezone: IANA name of the zone.
        start: Where the rule begins, if the text has no ``DTSTART``: it gives the time of day
            and the day, and steps are counted from it. Default: 1970-01-01 00:00.

    Raises:
        InvalidTrigger: The text cannot be read, or names no instant.
    """

    def __init__(
        self, text: str, timezone: str = "UTC", start: str | datetime | None = None
    ) -> None:
        self.timezone = timezone
        self._zone = zone(timezone)
        begin = None
        if start is not None:
            begin = datetime_of_wall(read_wall_s(start, "start", self._zone))
        self._rule = read_recurrence(text, begin, self._zone)
        self._lines = _lines(text, self._rule, has_start=begin is not None)
        try:
            self._walls = _WallTimes(self._rule)
            first_s = self._walls.at_or_after(wall_of(self._rule.start))
        except ValueError as error:
            raise InvalidTrigger(
                f"recurrence rule {text!r} contradicts itself: {error}",
                remedy="let BYHOUR, BYMINUTE and BYSECOND name values that INTERVAL reaches",
            ) from None
        if first_s is None:
            raise InvalidTrigger(
                f"recurrence rule {text!r} never fires",
                remedy="look at its UNTIL, EXDATE, BYMONTH and BYMONTHDAY",
            )

    def next_ms(self, after_ms: int) -> int | None:
        """The first fire time strictly after an instant, both UTC milliseconds."""
        return next_placed_ms(self._zone, after_ms, self._walls.at_or_after)

    def spec(self) -> dict[str, Any]:
        """``{"rrule": …}``, the start as a DTSTART line."""
        plain: dict[str, Any] = {"rrule": self._lines}
        if self.timezone != "UTC":
            plain["timezone"] = self.timezone
        return plain

    def interval_floor_ms(self) -> int | None:
        """The step of rules that step by hours, minutes or seconds, ms; None for all others."""
        frequency = self._rule.arguments["freq"]
        finer = {HOURLY: "byminute", MINUTELY: "bysecond"}.get(frequency)
        if frequency < HOURLY or (finer and len(self._rule.arguments.get(finer, ())) > 1):
            return None
        return int(_STEP_S[frequency]) * int(self._rule.arguments["interval"]) * 1000

    def dst_remark(self, fire_ms: int) -> str:
        """What a change of the clocks does to a fire time, for people; empty for nothing."""
        return dst_remark(self._zone, fire_ms, self._walls.at_or_after)


class _WallTimes:
    """
    The first wall time of a rule at or after a given one.

    dateutil can only iterate from a start. So the start is moved near to what is asked for, by
    whole steps, and the iteration is kept for the next question, which is mostly the next one.
    dateutil looks for a match up to the year 9999, so that rules without any are refused before.
    """

    def __init__(self, rule: Recurrence) -> None:
        self._rule = rule
        self._start_s = wall_of(rule.start)
        self._until_s = LAST_S if rule.until is None else wall_of(rule.until)
        self._lock = Lock()
        #: All wall times of a rule with COUNT.
        self._counted = None if rule.count is None else self._count_out(rule.count)
        self._iteration: Iterator[datetime] = iter(())
        #: (asked, found): no wall time of the rule lies in between.
        self._last_search: tuple[int, int] | None = None

    def at_or_after(self, wall_s: int) -> int | None:
        """The first wall time from that one on, in seconds since 1970; None for no more."""
        if self._counted is not None:
            return next((found for found in self._counted if found >= wall_s), None)
        with self._lock:
            if self._last_search is None or not self._can_continue(wall_s):
                self._iteration = self._iterate_from(wall_s)
                found = self._advance(wall_s)
            elif wall_s <= self._last_search[1]:
                return self._last_search[1]
            else:
                found = self._advance(wall_s, _STRIDE)
                if found is None:
                    self._iteration = self._iterate_from(wall_s)
                    found = self._advance(wall_s)
            self._last_search = None if found is None else (wall_s, found)
            return found

    def _can_continue(self, wall_s: int) -> bool:
        return self._last_search is not None and wall_s >= self._last_search[0]

    def _advance(self, wall_s: int, limit: int | None = None) -> int | None:
        for moment in islice(self._iteration, limit):
            found = wall_of(moment)
            if found > self._until_s:
                return None
            if found >= wall_s and found not in self._rule.excluded:
                return found
        return None

    def _iterate_from(self, wall_s: int) -> Iterator[datetime]:
        start = self._moved_start(max(wall_s, self._start_s))
        rule = rrule(dtstart=start, **self._rule.arguments)
        return (moment for moment in rule if moment >= self._rule.start)

    def _moved_start(self, wall_s: int) -> datetime:
        """A start at or before a wall time, a whole number of steps after the rule's own."""
        start = self._rule.start
        frequency, interval = self._rule.arguments["freq"], self._rule.arguments["interval"]
        if frequency in _STEP_S:
            step_s = _STEP_S[frequency] * interval
            steps = max((wall_s - self._start_s) // step_s - 1, 0)
            return start + timedelta(seconds=steps * step_s)
        target = datetime_of_wall(wall_s)
        months_apart = interval * (12 if frequency == YEARLY else 1)
        months = (target.year - start.year) * 12 + target.month - start.month
        # One step more, as the weeks of a year reach into its neighbours.
        steps = months // months_apart - 1
        if steps <= 0:
            return start
        year, month = divmod(start.year * 12 + start.month - 1 + steps * months_apart, 12)
        return datetime(year, month + 1, 1)  # noqa: DTZ001 - wall time has no zone

    def _count_out(self, count: int) -> tuple[int, ...]:
        rule = rrule(dtstart=self._rule.start, **self._rule.arguments)
        walls = (wall_of(moment) for moment in islice(rule, count))
        return tuple(wall for wall in walls if wall not in self._rule.excluded)


def _lines(text: str, rule: Recurrence, *, has_start: bool) -> str:
    lines = [line if ":" in line else f"RRULE:{line}" for line in text.upper().split()]
    lines = [line for line in lines if not line.startswith("DTSTART")]
    if has_start or "DTSTART" in text.upper():
        lines.insert(0, f"DTSTART:{rule.start:%Y%m%dT%H%M%S}")
    return "\n".join(lines)
