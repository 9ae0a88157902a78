"""
Days on which a schedule does not fire.

Exclusions are whole local days: of an occurrence counts the date of its fire time, before jitter,
in the schedule's zone. A named calendar arrives here resolved to its dates; reading files is the
task of others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from beatline.errors import InvalidTrigger
from beatline.triggers.placing import date_of_day, day_of
from beatline.triggers.reading import read_date
from beatline.triggers.weekdays import WEEKDAY_NAMES, weekday_number

#: 1 January 1970 was a Thursday, number 3 of ``date.weekday()``.
_EPOCH_WEEKDAY = 3
_EACH_WEEKDAY = frozenset(range(7))
#: Most dates and ranges that one schedule may exclude.
_MAX_SPANS = 20_000
_REMEDY = (
    'write dates ("2026-12-25"), ranges ("2026-12-24..2027-01-02"), weekdays ("sat"), '
    "or {calendar: name, dates: [...]}"
)


class Exclusions:
    """
    The excluded days of a schedule.

    Args:
        entries: Each a date, a range ``"a..b"`` or ``{"from": a, "to": b}`` (both ends
            excluded), a weekday's name, or ``{"calendar": name, "dates": [date or range, …]}``.

    Raises:
        InvalidTrigger: An entry is none of these, or nothing is left to fire on.
    """

    def __init__(self, entries: Sequence[Any] = ()) -> None:
        self._weekdays: set[int] = set()
        #: (first day, last day, calendar or None), days since 1970.
        self._spans: list[tuple[int, int, str | None]] = []
        #: What was written, in the form of specs.
        self._plain: list[Any] = []
        if isinstance(entries, str | Mapping | date):
            entries = [entries]
        for entry in entries:
            self._add(entry)
        if self._weekdays == _EACH_WEEKDAY:
            raise InvalidTrigger(
                "exclude names all seven weekdays, so nothing is left to fire on",
                remedy='leave out a weekday, or declare the schedule with "paused: true"',
            )
        if len(self._spans) > _MAX_SPANS:
            raise InvalidTrigger(
                f"exclude names {len(self._spans)} dates and ranges",
                remedy=f"at most {_MAX_SPANS} are kept; join neighbouring dates to ranges",
            )
        self._merged = _merged(self._spans)
        self._firsts = [first for first, _ in self._merged]

    def __bool__(self) -> bool:
        return bool(self._plain)

    def spec(self) -> list[Any]:
        """The entries as plain JSON types."""
        return list(self._plain)

    def next_allowed_day(self, day: int) -> int:
        """The first day at or after a day that is not excluded, both in days since 1970."""
        while True:
            at = bisect_right(self._firsts, day) - 1
            if at >= 0 and day <= self._merged[at][1]:
                day = self._merged[at][1] + 1
            elif (day + _EPOCH_WEEKDAY) % 7 in self._weekdays:
                day += 1
            else:
                return day

    def reason(self, day: int) -> str | None:
        """
        Why a day is excluded, such as ``holidays (2026-12-25)``.

        Args:
            day: Days since 1970.

        Returns:
            None where the day is not excluded.
        """
        for first, last, calendar in self._spans:
            if first <= day <= last:
                return f"{calendar or 'exclude'} ({_span_text(first, last)})"
        weekday = (day + _EPOCH_WEEKDAY) % 7
        return f"exclude ({WEEKDAY_NAMES[weekday]})" if weekday in self._weekdays else None

    def _add(self, entry: Any) -> None:
        if isinstance(entry, Mapping) and "calendar" in entry:
            self._add_calendar(entry)
            return
        weekday = weekday_number(entry) if isinstance(entry, str) else None
        if weekday is not None:
            self._weekdays.add(weekday)
            self._plain.append(WEEKDAY_NAMES[weekday])
        else:
            first, last = _read_span(entry)
            self._spans.append((first, last, None))
            self._plain.append(_span_text(first, last))

    def _add_calendar(self, entry: Mapping[str, Any]) -> None:
        dates = entry.get("dates")
        if set(entry) != {"calendar", "dates"} or not isinstance(dates, Sequence):
            raise InvalidTrigger(f"exclude {dict(entry)!r} is not a calendar", remedy=_REMEDY)
        spans = [_read_span(day) for day in dates]
        name = str(entry["calendar"])
        self._spans += [(first, last, name) for first, last in spans]
        self._plain.append({"calendar": name, "dates": [_span_text(*span) for span in spans]})


def _read_span(entry: Any) -> tuple[int, int]:
    if isinstance(entry, Mapping):
        if set(entry) != {"from", "to"}:
            raise InvalidTrigger(f"exclude {dict(entry)!r} is no range", remedy=_REMEDY)
        first, last = entry["from"], entry["to"]
    elif isinstance(entry, str) and ".." in entry:
        first, _, last = entry.partition("..")
    else:
        first = last = entry
    try:
        span = day_of(read_date(first, "exclude")), day_of(read_date(last, "exclude"))
    except InvalidTrigger:
        raise InvalidTrigger(
            f"exclude {entry!r} is neither a date nor a weekday", remedy=_REMEDY
        ) from None
    if span[0] > span[1]:
        raise InvalidTrigger(
            f"exclude {entry!r} ends before it begins", remedy="write the earlier date first"
        )
    return span


def _merged(spans: Sequence[tuple[int, int, str | None]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last, _ in sorted(spans, key=lambda span: span[:2]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _span_text(first: int, last: int) -> str:
    text = date_of_day(first).isoformat()
    return text if first == last else f"{text}..{date_of_day(last).isoformat()}"
