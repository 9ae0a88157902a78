"""Cron fields from sets of numbers, as a person would write them."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Final

from beatline.errors import InvalidTrigger
from beatline.triggers.cron_fields import DAY_OF_MONTH, DAY_OF_WEEK, FieldKind, read_field

#: Weekdays by number, 0 is Sunday, and the order in which weeks are read.
WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEK: Final = (1, 2, 3, 4, 5, 6, 0)
#: Shortest progression that is written with a step.
_PROGRESSION: Final = 3


def field_text(kind: FieldKind, values: Collection[int], written: object = None) -> str:
    """
    A field that names these numbers.

    Args:
        kind: Which field it is.
        values: The numbers; Sunday is 0.
        written: How somebody has written them, in whatever dialect; kept where it says the same
            here.

    Raises:
        InvalidTrigger: There are none.
    """
    wanted = frozenset(values)
    if not wanted:
        raise InvalidTrigger(f"{kind.name} names no value")
    # A day field that names all days in other words would count as restricted.
    if kind in (DAY_OF_MONTH, DAY_OF_WEEK) and wanted == full_range(kind):
        return "*"
    if isinstance(written, str) and _says(kind, written.strip(), wanted):
        return written.strip()
    if wanted == full_range(kind):
        return "*"
    if kind is DAY_OF_WEEK:
        return _weekday_text(wanted)
    ordered = sorted(wanted)
    step = _step(ordered)
    if step is not None and len(ordered) >= _PROGRESSION:
        if ordered[0] == kind.low and ordered[-1] + step > kind.high:
            return f"*/{step}"
        if step > 1:
            return f"{ordered[0]}-{ordered[-1]}/{step}"
    return ",".join(_run_text(str(first), str(last)) for first, last in _runs(ordered))


def full_range(kind: FieldKind) -> frozenset[int]:
    """All numbers of a field; Sunday is 0 alone."""
    high = 6 if kind is DAY_OF_WEEK else kind.high
    return frozenset(range(kind.low, high + 1))


def _says(kind: FieldKind, text: str, wanted: frozenset[int]) -> bool:
    if not text or "H" in text:
        return False
    try:
        field = read_field(kind, text, None)
    except InvalidTrigger:
        return False
    return field.values == wanted and not field.last_day and not field.nth


def _weekday_text(wanted: frozenset[int]) -> str:
    places = [place for place, day in enumerate(_WEEK) if day in wanted]
    names = [WEEKDAYS[day] for day in _WEEK]
    return ",".join(_run_text(names[first], names[last]) for first, last in _runs(places))


def _step(ordered: list[int]) -> int | None:
    steps = {later - earlier for earlier, later in pairwise(ordered)}
    return steps.pop() if len(steps) == 1 else None


def _runs(ordered: list[int]) -> list[tuple[int, int]]:
    """First and last number of each run; two neighbours are two runs."""
    runs: list[tuple[int, int]] = []
    for number in ordered:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    parted: list[tuple[int, int]] = []
    for first, last in runs:
        parted += [(first, first), (last, last)] if last == first + 1 else [(first, last)]
    return parted


def _run_text(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"
