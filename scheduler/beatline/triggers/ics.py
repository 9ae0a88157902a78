"""
Reads the days of an iCalendar file (RFC 5545), for exclusions.

Only what says *when* is read: an event covers the local days between its start and its end. Text,
attendees and alarms are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from beatline.errors import InvalidTrigger
from beatline.triggers.placing import date_of_day, datetime_of_wall, day_of, wall_of
from beatline.triggers.recurrence import RRule
from beatline.triggers.zones import Zone, zone, zone_names

#: Longest file, characters.
_MAX_LENGTH = 4 << 20
#: Most days that one recurring event may add.
_MAX_REPEATS = 2_000
#: Recurring events without an end are followed to the end of this year.
_LAST_REPEAT_YEAR = 2100
_MOMENT = re.compile(r"[0-9]{8}(?:T[0-9]{6}Z?)?")
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,7})S)?)?",
    re.ASCII,
)


def dates_of_ics(text: str, timezone: str = "UTC") -> list[str]:
    """
    The days that the events of a calendar cover, as entries for `Exclusions`.

    Args:
        text: The file's content.
        timezone: IANA name of the zone whose days count; moments elsewhere are converted.

    Returns:
        ``"2026-12-25"`` and ``"2026-12-24..2026-12-26"``, in order, without duplicates.

    Raises:
        InvalidTrigger: The text is not a calendar, or an event in it cannot be read.
    """
    if len(text) > _MAX_LENGTH or "BEGIN:VCALENDAR" not in text:
        raise InvalidTrigger(
            "the text is not an iCalendar file",
            remedy='it begins with "BEGIN:VCALENDAR" and has at most 4 MiB',
        )
    local = zone(timezone)
    spans: set[tuple[int, int]] = set()
    for event in _events(text):
        if event.get("STATUS", ("", ""))[1].upper() != "CANCELLED":
            spans.update(_spans(event, local))
    return [
        date_of_day(first).isoformat()
        if first == last
        else f"{date_of_day(first).isoformat()}..{date_of_day(last).isoformat()}"
        for first, last in sorted(spans)
    ]


#: An event's properties: name to (parameters, value). EXDATE may come several times; its values
#: are joined.
_Event = dict[str, tuple[str, str]]


def _events(text: str) -> Iterator[_Event]:
    """The VEVENTs; what lies in components inside them (alarms) is passed over."""
    event: _Event | None = None
    nested = 0
    for line in re.sub(r"\r?\n[ \t]", "", text).splitlines():
        head, colon, value = line.partition(":")
        name = head.partition(";")[0].upper()
        if not colon:
            continue
        if name == "BEGIN" and event is not None:
            nested += 1
        elif name == "BEGIN" and value.strip().upper() == "VEVENT":
            event = {}
        elif name == "END" and nested:
            nested -= 1
        elif name == "END" and event is not None:
            yield event
            event = None
        elif event is not None and not nested:
            if name == "EXDATE" and name in event:
                value = f"{event[name][1]},{value}"
            # Names of zones are the only parameter whose case counts.
            event[name] = (head.partition(";")[2], value.strip())


def _spans(event: _Event, local: Zone) -> Iterator[tuple[int, int]]:
    if "DTSTART" not in event:
        raise InvalidTrigger(
            "an event of the calendar has no DTSTART", remedy="export the calendar again"
        )
    start = _local_moment(*event["DTSTART"], local)
    length = _length(event, start, local)
    # An event that ends at midnight does not touch the day that begins there.
    last_shift = max(length - timedelta(seconds=1), timedelta())
    for begin in [start, *_repeats(event, start, local)]:
        yield day_of(begin.date()), day_of((begin + last_shift).date())


def _length(event: _Event, start: datetime, local: Zone) -> timedelta:
    if "DTEND" in event:
        return max(_local_moment(*event["DTEND"], local) - start, timedelta())
    if "DURATION" in event:
        found = _DURATION.fullmatch(event["DURATION"][1].upper())
        if found is None:
            raise InvalidTrigger(
                f"DURATION:{event['DURATION'][1]} of the calendar cannot be read",
                remedy="it is written like P1D or PT2H30M",
            )
        return timedelta(**{unit: int(n) for unit, n in found.groupdict().items() if n})
    is_date = "T" not in event["DTSTART"][1]
    return timedelta(days=1) if is_date else timedelta()


def _repeats(event: _Event, start: datetime, local: Zone) -> Iterator[datetime]:
    if "RRULE" not in event:
        return
    rule = RRule(event["RRULE"][1], start=start.isoformat())
    excluded = set()
    if "EXDATE" in event:
        parameters, values = event["EXDATE"]
        excluded = {_local_moment(parameters, value, local) for value in values.split(",")}
    after_ms = wall_of(start) * 1000 - 1
    for _ in range(_MAX_REPEATS):
        next_ms = rule.next_ms(after_ms)
        if next_ms is None:
            return
        after_ms = next_ms
        moment = datetime_of_wall(next_ms // 1000)
        if moment.year > _LAST_REPEAT_YEAR:
            return
        if moment not in excluded:
            yield moment


def _local_moment(parameters: str, value: str, local: Zone) -> datetime:
    """A DTSTART, DTEND or EXDATE value as wall time in the local zone."""
    if not _MOMENT.fullmatch(value):
        raise InvalidTrigger(
            f"{value!r} of the calendar is no moment",
            remedy="it is written like 20261225 or 20261225T090000Z",
        )
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidTrigger(
            f"{value!r} of the calendar names no day", remedy="export the calendar again"
        ) from None
    named = re.search(r"TZID=\"?([^;\":]+)", parameters, re.IGNORECASE)
    if moment.tzinfo is None and (named is None or named[1] not in zone_names()):
        # A floating moment, or a zone of the calendar's own making: taken as local.
        return moment
    if moment.tzinfo is None and named is not None:
        moment = moment.replace(tzinfo=zone(named[1]).tzinfo)
    return datetime_of_wall(local.wall_s(wall_of(moment.astimezone(UTC))))
