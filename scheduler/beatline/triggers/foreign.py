"""
The border to APScheduler: its DateTrigger behind `At`, and triggers that users bring along.

This is the only module that imports APScheduler. What is taken from it is what is sound: its
DateTrigger, its IntervalTrigger where the grid is exact (turned into `Every`), and its interface
``get_next_fire_time(previous_fire_time, now)`` as a plug-in point. Its CronTrigger and
CalendarIntervalTrigger lose a day after clocks leap forward, so our own take their place.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Protocol, cast, runtime_checkable

from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from beatline.errors import InvalidTrigger
from beatline.triggers.every import Every
from beatline.triggers.placing import FIRST_S, LAST_S
from beatline.triggers.reading import moment_text, read_moment_ms
from beatline.triggers.trigger import Trigger
from beatline.triggers.zones import zone
from beatline.units import instant_ms, moment_of

_LOG = logging.getLogger("beatline.triggers")
#: How often a foreign trigger may answer with an instant that has passed before it is taken to
#: have ended. APScheduler's own need two answers; one that counts up from far back needs many.
_MAX_ANSWERS = 1_000


class At(Trigger):
    """
    Fires once.

    Args:
        moment: An aware datetime, ISO 8601 text, or wall time in the zone: a skipped one is the
            gap's end, a repeated one the first pass.
        timezone: IANA name of the zone.

    Raises:
        InvalidTrigger: It is not a moment, or one that the zone's clocks leapt over for good.
    """

    def __init__(self, moment: str | datetime, timezone: str = "UTC") -> None:
        self.timezone = timezone
        self.at_ms = read_moment_ms(moment, "at", zone(timezone))
        self._trigger: Any = DateTrigger(moment_of(self.at_ms), timezone=UTC)

    def next_ms(self, after_ms: int) -> int | None:
        """The moment, if it lies strictly after an instant; both UTC milliseconds."""
        # The trigger answers with its one moment, whatever has passed; the comparison is ours.
        at_ms = instant_ms(self._trigger.get_next_fire_time(None, None))
        return at_ms if at_ms > after_ms else None

    def spec(self) -> dict[str, Any]:
        """``{"at": …}`` in UTC, with ``timezone`` where given."""
        plain: dict[str, Any] = {"at": moment_text(self.at_ms)}
        if self.timezone != "UTC":
            plain["timezone"] = self.timezone
        return plain

    def count_between(self, first_ms: int, last_ms: int) -> int:
        """1 or 0."""
        return int(first_ms <= self.at_ms <= last_ms)


@runtime_checkable
class FireTimeSource(Protocol):
    """What a user's trigger must offer: APScheduler's interface, version 3."""

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """The next fire time at or after ``now``; None for never."""
        ...


class ForeignTrigger(Trigger):
    """
    A user's own trigger, guarded: it cannot raise through, go backwards or keep us in a loop.

    The guard can't make it pure. A trigger that draws random numbers or reads the clock names
    other instants on each beat; give it a jitter by the schedule's ``jitter`` instead.

    Args:
        source: Any object with ``get_next_fire_time(previous_fire_time, now)``.
        reference: ``"module:attribute"`` under which beat finds the object again. Beat looks only
            in modules that its app (``-A``) has imported; nothing is imported for its sake.
        timezone: IANA name of the zone, for exclusions.

    Attributes:
        fault: What the source last did wrong, for people; None while it behaves.

    Raises:
        InvalidTrigger: The object has no such method.
    """

    def __init__(
        self, source: FireTimeSource, reference: str | None = None, timezone: str = "UTC"
    ) -> None:
        if not isinstance(source, FireTimeSource):
            raise InvalidTrigger(
                f"{source!r} is not a trigger",
                remedy="it needs a method get_next_fire_time(previous_fire_time, now)",
            )
        zone(timezone)
        self.source = source
        self.reference = reference
        self.timezone = timezone
        self.fault: str | None = None

    def next_ms(self, after_ms: int) -> int | None:
        """
        The source's first fire time strictly after an instant, both UTC milliseconds.

        Returns:
            None also where the source raised, answered nonsense, or kept naming the past; the
            reason is logged and kept in ``fault``.
        """
        previous: datetime | None = None
        if after_ms >= LAST_S * 1000:
            return None
        now = moment_of(max(after_ms + 1, FIRST_S * 1000))
        for _ in range(_MAX_ANSWERS):
            try:
                answer = self.source.get_next_fire_time(previous, now)
            except Exception as error:  # noqa: BLE001 - a user's fault must not stop beat
                return self._failed(f"raised {type(error).__name__}: {error}")
            if answer is None:
                return None
            if not isinstance(answer, datetime) or answer.tzinfo is None:
                return self._failed(f"answered {answer!r}, which is no aware datetime")
            fire_ms = instant_ms(answer)
            if fire_ms > after_ms:
                return fire_ms
            if previous is not None and answer <= previous:
                return self._failed(f"went from {previous} back to {answer}")
            previous = answer
        return self._failed(f"named {_MAX_ANSWERS} instants that had passed")

    def spec(self) -> dict[str, Any]:
        """
        ``{"foreign": "module:attribute"}``.

        Raises:
            InvalidTrigger: It was made without a reference.
        """
        if self.reference is None:
            raise InvalidTrigger(
                f"trigger {self.source!r} cannot be stored, as beat would not find it again",
                remedy="keep it at the top of a module of your app and name it: "
                'ForeignTrigger(my_trigger, "myapp.triggers:my_trigger")',
            )
        plain: dict[str, Any] = {"foreign": self.reference}
        if self.timezone != "UTC":
            plain["timezone"] = self.timezone
        return plain

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ForeignTrigger)
            and other.source is self.source
            and other.timezone == self.timezone
        )

    def __hash__(self) -> int:
        return hash((id(self.source), self.timezone))

    def __repr__(self) -> str:
        return f"ForeignTrigger({self.source!r}, reference={self.reference!r})"

    def _failed(self, fault: str) -> int | None:
        if fault != self.fault:
            _LOG.warning(
                "trigger.failed source=%r fault=%r remedy=%r",
                self.source,
                fault,
                "mend its get_next_fire_time; the schedule rests until then",
            )
        self.fault = fault
        return None


def adopt_trigger(source: FireTimeSource, reference: str | None = None) -> Trigger:
    """
    The best trigger of ours for a user's own.

    APScheduler's DateTrigger and IntervalTrigger become `At` and `Every`, which can be stored;
    an IntervalTrigger's grid stands on its start date. Everything else becomes a
    `ForeignTrigger`.

    Args:
        source: Any object with ``get_next_fire_time``, or a trigger of ours, which is returned.
        reference: As for `ForeignTrigger`.

    Raises:
        InvalidTrigger: The object is no trigger.
    """
    if isinstance(source, Trigger):
        return source
    known = cast("Any", source)
    if type(source) is DateTrigger:
        return At(known.run_date)
    if type(source) is IntervalTrigger and not known.jitter and known.end_date is None:
        return Every(known.interval, anchor=known.start_date)
    return ForeignTrigger(source, reference)


def find_foreign(reference: str, timezone: str = "UTC") -> ForeignTrigger:
    """
    The foreign trigger of that reference, looked for in modules that are loaded already.

    A definition from Redis must not be able to import code, so nothing is imported here.

    Raises:
        InvalidTrigger: The module is not loaded, or holds no such trigger.
    """
    module_name, _, path = reference.partition(":")
    found: Any = sys.modules.get(module_name)
    if found is None:
        raise InvalidTrigger(
            f"trigger {reference!r} lies in a module that is not loaded",
            remedy="name the app that imports it, with -A",
        )
    for attribute in path.split("."):
        found = getattr(found, attribute, None)
    if not isinstance(found, FireTimeSource):
        raise InvalidTrigger(
            f"{reference!r} is not a trigger",
            remedy="it needs a method get_next_fire_time(previous_fire_time, now)",
        )
    return ForeignTrigger(found, reference, timezone)
