"""The interval trigger: a fixed grid that no restart, deploy or pause ever moves."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from beatline.errors import InvalidTrigger
from beatline.triggers.reading import moment_text, read_duration_ms, read_moment_ms
from beatline.triggers.stable_hash import stable_below
from beatline.triggers.trigger import Trigger
from beatline.triggers.zones import zone
from beatline.units import duration_text

#: Grids that are spread fall on multiples of so many ms, unless they are shorter than a second: the
#: few schedules that share an instant share beat's round, too (docs/decisions/0012-spreading.md).
SPREAD_STEP_MS: Final = 10
_SHORT_MS: Final = 1_000


class Every(Trigger):
    """
    Fires at ``anchor + offset + k * interval``, for every whole k.

    The grid is arithmetic on integers. APScheduler's IntervalTrigger computes it in floating
    point seconds and loses about one tick in sixteen where the interval is no whole number of
    seconds; for whole seconds the suite compares the two.

    Args:
        interval: ``"90s"``, a ``timedelta`` or a number of seconds; at least 1 ms.
        anchor: A point of the grid; an aware datetime, ISO 8601 text, or wall time in the zone.
            None is the Unix epoch.
        offset: How far the grid is shifted; ``"spread"`` shifts it by a stable hash of the
            schedule's name, so that many schedules of one interval don't fire together; to
            hundredths of a second, or milliseconds where the interval is below a second.
        timezone: IANA name of the zone, for an anchor without offset and for exclusions.
        name: The schedule's name; only ``"spread"`` needs it.

    Raises:
        InvalidTrigger: A value cannot be read, or the interval is nothing.
    """

    def __init__(
        self,
        interval: str | float | timedelta,
        *,
        anchor: str | date | None = None,
        offset: str | float | timedelta = 0,
        timezone: str = "UTC",
        name: str | None = None,
    ) -> None:
        self.timezone = timezone
        self.interval_ms = read_duration_ms(interval, "every")
        if self.interval_ms == 0:
            raise InvalidTrigger(
                f"every {interval!r} is no interval", remedy='the shortest interval is "1ms"'
            )
        self.anchor_ms = 0 if anchor is None else read_moment_ms(anchor, "anchor", zone(timezone))
        self.is_spread = offset == "spread"
        if self.is_spread:
            if not name:
                raise InvalidTrigger(
                    'offset "spread" is drawn from the schedule\'s name, and there is none',
                    remedy='give it: Every("10s", offset="spread", name="probe")',
                )
            step_ms = SPREAD_STEP_MS if self.interval_ms >= _SHORT_MS else 1
            self.offset_ms = stable_below(self.interval_ms // step_ms, "every", name) * step_ms
        else:
            self.offset_ms = read_duration_ms(offset, "offset")
        self._phase_ms = (self.anchor_ms + self.offset_ms) % self.interval_ms
        zone(timezone)

    def next_ms(self, after_ms: int) -> int | None:
        """The first point of the grid strictly after an instant, both UTC milliseconds."""
        interval_ms = self.interval_ms
        return after_ms + interval_ms - (after_ms - self._phase_ms) % interval_ms

    def spec(self) -> dict[str, Any]:
        """``{"every": …}`` with ``anchor``, ``offset`` and ``timezone`` where given."""
        plain: dict[str, Any] = {"every": duration_text(self.interval_ms)}
        if self.anchor_ms:
            plain["anchor"] = moment_text(self.anchor_ms)
        if self.is_spread:
            plain["offset"] = "spread"
        elif self.offset_ms:
            plain["offset"] = duration_text(self.offset_ms)
        if self.timezone != "UTC":
            plain["timezone"] = self.timezone
        return plain

    def interval_floor_ms(self) -> int:
        """The interval itself, ms."""
        return self.interval_ms

    def count_between(self, first_ms: int, last_ms: int) -> int:
        """How many points of the grid lie in the closed span."""
        before_first = (first_ms - 1 - self._phase_ms) // self.interval_ms
        return max((last_ms - self._phase_ms) // self.interval_ms - before_first, 0)
