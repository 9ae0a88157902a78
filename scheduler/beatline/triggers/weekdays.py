"""Names of weekdays, Monday first as in `datetime.date.weekday`."""

from __future__ import annotations

from beatline.errors import InvalidTrigger

#: Short names, in the order of ``date.weekday()``.
WEEKDAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def weekday_number(name: str) -> int | None:
    """0 for ``mon`` or ``Monday`` to 6 for ``sun`` or ``Sunday``; None for other words."""
    word = name.strip().lower()
    for names in (WEEKDAY_NAMES, _LONG_NAMES):
        if word in names:
            return names.index(word)
    return None


def read_weekday(value: object, key: str) -> int:
    """
    The number of a weekday's name.

    Raises:
        InvalidTrigger: It is not one.
    """
    number = weekday_number(value) if isinstance(value, str) else None
    if number is None:
        raise InvalidTrigger(
            f"{key} {value!r} is not a weekday", remedy=f"write one of {', '.join(WEEKDAY_NAMES)}"
        )
    return number
