"""
Schedules that have to succeed within a time, and the alerts of those that have not.

Deadlines lie in ``expected`` by the watch's clock, which stands still while no beat watches. They
are set where a schedule is declared, paused or resumed and where one of its jobs succeeds;
`raise_alerts` looks at those alone whose deadline has passed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from redis.exceptions import ResponseError

from beatline.units import moment_of
from beatline.wire.connection import Argument, HeldConnection
from beatline.wire.scripts import script

#: Most alerts that one call raises.
LARGEST_ALARM: Final = 100


class Alert(NamedTuple):
    """
    A schedule that has not succeeded within its time.

    Attributes:
        schedule: Its name.
        raised_ms: When that was noticed.
        within_ms: The time that it has, ``expect_within``.
        last_success_ms: When one of its jobs succeeded last; None for never.
    """

    schedule: str
    raised_ms: int
    within_ms: int
    last_success_ms: int | None

    @property
    def raised(self) -> datetime:
        """When it was noticed, aware UTC."""
        return moment_of(self.raised_ms)

    @property
    def last_success(self) -> datetime | None:
        """When one of its jobs succeeded last, aware UTC; None for never."""
        return None if self.last_success_ms is None else moment_of(self.last_success_ms)


def raise_alerts(
    connection: HeldConnection, prefix: bytes, limit: int = LARGEST_ALARM
) -> tuple[list[str], list[str]]:
    """
    Raise the alerts that are due.

    Returns:
        Names of schedules whose alert was raised by this call, and of those that have succeeded
        after an alert since the call before.

    *Retry-safe*: yes; an alert is raised once. *Atomicity*: ``raise_alerts.lua``.
    """
    raised, recovered = connection.run(script("raise_alerts"), prefix, limit)
    return [_text(name) for name in raised], [_text(name) for name in recovered]


def read_alerts(connection: HeldConnection, prefix: bytes) -> list[Alert]:
    """The alerts that stand, oldest first; what cannot be read is left out."""
    flat = _unless_wrong_type(connection, [], "HGETALL", prefix + b"alerts")
    found = [
        Alert(_text(name), int(numbers[0]), int(numbers[1]), int(numbers[2]) or None)
        for name, entry in zip(flat[::2], flat[1::2], strict=True)
        if len(numbers := entry.split()) == 3 and all(number.isdigit() for number in numbers)
    ]
    return sorted(found, key=lambda alert: (alert.raised_ms, alert.schedule))


def count_expected(connection: HeldConnection, prefix: bytes) -> int:
    """How many schedules have a deadline."""
    return int(_unless_wrong_type(connection, 0, "ZCARD", prefix + b"expected"))


def _unless_wrong_type(connection: HeldConnection, otherwise: Any, *command: Argument) -> Any:
    """A command's reply, or something else where garbage lies under our key's name."""
    try:
        return connection.call(*command)
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):
            return otherwise
        raise


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
