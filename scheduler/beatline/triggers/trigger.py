"""
What every trigger promises.

A trigger is a pure function: the next instant after a given one. It knows no clock and keeps no
position; asked twice, in any order and on any machine, it answers the same. Instants are integer
UTC milliseconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import Any

from beatline.errors import InvalidSetting
from beatline.triggers.zones import Zone, zone
from beatline.units import moment_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Trigger(ABC):
    """
    A pure function "next instant after t".

    Two triggers are equal if their specs are.

    Attributes:
        timezone: IANA name of the zone in which its wall times, and the dates that a timetable
            excludes, are meant.
    """

    timezone: str = "UTC"

    @abstractmethod
    def next_ms(self, after_ms: int) -> int | None:
        """
        The first fire time strictly after an instant.

        Args:
            after_ms: UTC milliseconds.

        Returns:
            UTC milliseconds, or None where the trigger never fires again.
        """

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """The trigger as plain JSON types, for `beatline.triggers.build_trigger`."""

    def next_after(self, moment: datetime) -> datetime | None:
        """
        The first fire time strictly after a moment, as an aware UTC datetime.

        Raises:
            InvalidSetting: The moment has no time zone.
        """
        if moment.tzinfo is None:
            raise InvalidSetting(
                f"datetime {moment.isoformat()} has no time zone",
                remedy="pass an aware datetime, such as datetime.now(timezone.utc)",
            )
        next_ms = self.next_ms((moment - _EPOCH) // _MS)
        return None if next_ms is None else moment_of(next_ms)

    def interval_floor_ms(self) -> int | None:
        """A duration that two fire times are never closer than, ms; None where unknown."""
        return None

    def count_between(self, first_ms: int, last_ms: int) -> int | None:
        """How many fire times lie in the closed span, where arithmetic can tell; else None."""
        return None

    def remarks(self) -> list[str]:
        """What a person may have meant otherwise, one sentence each."""
        return []

    def dst_remark(self, fire_ms: int) -> str:
        """What a change of the clocks does to a fire time, for people; empty for nothing."""
        return ""

    @property
    def zone(self) -> Zone:
        """The zone of ``timezone``."""
        return zone(self.timezone)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.spec() == self.spec()

    def __hash__(self) -> int:
        return hash(repr(sorted(self.spec().items(), key=str)))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.spec().items())
        return f"{type(self).__name__}({arguments})"
