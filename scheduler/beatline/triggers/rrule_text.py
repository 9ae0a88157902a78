"""
Reads RFC 5545 recurrence text into the keyword arguments of python-dateutil's ``rrule``.

dateutil's own reader takes an interval of 0 (and then never returns), hours and minutes out of
range, and a week that starts wherever ``calendar.setfirstweekday`` was last told to. So the text
is read here, and everything that dateutil would only guess is made explicit.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dateutil.rrule import weekday as nth_weekday

from beatline.errors import InvalidTrigger
from beatline.triggers.placing import datetime_of_wall, wall_of
from beatline.triggers.zones import Zone

#: In the order of dateutil's own constants, YEARLY is 0.
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY = range(7)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NTH_WEEKDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_MOMENT = re.compile(r"[0-9]{8}(?:T[0-9]{6}Z?)?")
#: Parts that hold a list of numbers: (dateutil's keyword, lowest, highest, negative ones too).
_LISTS = {
    "BYSECOND": ("bysecond", 0, 59, False),
    "BYMINUTE": ("byminute", 0, 59, False),
    "BYHOUR": ("byhour", 0, 23, False),
    "BYMONTHDAY": ("bymonthday", 1, 31, True),
    "BYYEARDAY": ("byyearday", 1, 366, True),
    "BYWEEKNO": ("byweekno", 1, 53, True),
    "BYMONTH": ("bymonth", 1, 12, False),
    "BYSETPOS": ("bysetpos", 1, 366, True),
}
_SINGLES = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY")
#: Parts that leave out whole days.
_DAY_FILTERS = ("bymonth", "bymonthday", "byyearday", "byweekno", "byweekday")
#: Highest COUNT; its instants are worked out when the trigger is built.
_MAX_COUNT = 10_000
_MAX_INTERVAL = 100_000
#: Longest text, characters.
_MAX_LENGTH = 10_000
#: Where a rule without DTSTART begins.
_DEFAULT_START = datetime(1970, 1, 1)  # noqa: DTZ001 - wall time has no zone


@dataclass(frozen=True, slots=True)
class Recurrence:
    """
    A recurrence rule, read.

    Attributes:
        arguments: For ``dateutil.rrule.rrule``; every part that dateutil would take from the
            start is explicit, so that the start may be moved.
        start: DTSTART, in wall time.
        count: COUNT, which is not among the arguments.
        until: UNTIL in wall time, not among the arguments either.
        excluded: The wall times of EXDATE.
    """

    arguments: dict[str, Any]
    start: datetime
    count: int | None
    until: datetime | None
    excluded: frozenset[int]


def read_recurrence(text: str, start: datetime | None, zone: Zone) -> Recurrence:
    """
    Read ``FREQ=…``, or the lines ``DTSTART``, ``RRULE`` and ``EXDATE``.

    Args:
        text: The rule.
        start: Where it begins, in wall time, if the text does not say.
        zone: The zone; moments that end in ``Z`` are converted.

    Raises:
        InvalidTrigger: The text holds anything else.
    """
    if not isinstance(text, str) or len(text) > _MAX_LENGTH:
        raise InvalidTrigger(
            "the recurrence rule is not text, or too long",
            remedy=f'write it like "FREQ=WEEKLY;BYDAY=MO,TH", at most {_MAX_LENGTH} characters',
        )
    rules: list[str] = []
    excluded: set[int] = set()
    for line in text.split():
        name, value = _split_line(line, zone)
        if name == "RRULE":
            rules.append(value)
        elif name == "DTSTART":
            start = _read_moment(value, "DTSTART", zone)
        else:
            excluded.update(wall_of(_read_moment(day, name, zone)) for day in value.split(","))
    if len(rules) != 1:
        raise InvalidTrigger(
            f"the recurrence has {len(rules)} rules instead of one",
            remedy="join several with any: [{rrule: …}, {rrule: …}]",
        )
    parts = _split_rule(rules[0])
    if "COUNT" in parts and start is None:
        raise InvalidTrigger(
            f"recurrence rule {rules[0]!r} counts from a start, and there is none",
            remedy="add start:, or a DTSTART line, or write UNTIL instead of COUNT",
        )
    return _recurrence(rules[0], parts, start or _DEFAULT_START, frozenset(excluded), zone)


def _split_line(line: str, zone: Zone) -> tuple[str, str]:
    head, colon, value = line.partition(":")
    if not colon:
        return "RRULE", line.upper()
    name, *parameters = head.upper().split(";")
    if name not in {"RRULE", "DTSTART", "EXDATE"}:
        raise InvalidTrigger(
            f"recurrence line {line!r} is not known",
            remedy="RRULE, DTSTART and EXDATE are; join further moments with any: [{at: …}]",
        )
    for parameter in parameters:
        if parameter == f"TZID={zone.name.upper()}" or parameter.startswith("VALUE=DATE"):
            continue
        raise InvalidTrigger(
            f"recurrence line {line!r} has {parameter!r}",
            remedy=f"the schedule's timezone holds, here {zone.name!r}",
        )
    return name, value.upper()


def _split_rule(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or name in parts or (name not in _LISTS and name not in _SINGLES):
            what = "is there twice" if name in parts else "is not known"
            raise InvalidTrigger(
                f"{part!r} of recurrence rule {rule!r} {what}",
                remedy='write it like "FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9"',
            )
        parts[name] = value
    if parts.get("FREQ") not in FREQUENCIES:
        raise InvalidTrigger(
            f"recurrence rule {rule!r} has no frequency that is known",
            remedy=f"FREQ is one of {', '.join(FREQUENCIES)}",
        )
    return parts


def _recurrence(
    rule: str, parts: dict[str, str], start: datetime, excluded: frozenset[int], zone: Zone
) -> Recurrence:
    frequency = FREQUENCIES.index(parts["FREQ"])
    arguments: dict[str, Any] = {
        "freq": frequency,
        "interval": _number(parts.get("INTERVAL", "1"), "INTERVAL", 1, _MAX_INTERVAL),
        "wkst": _WEEKDAYS.index(_word(parts.get("WKST", "MO"), "WKST")),
    }
    for name, (keyword, low, high, signed) in _LISTS.items():
        if name in parts:
            arguments[keyword] = [
                _number(word, name, low, high, signed=signed) for word in parts[name].split(",")
            ]
    if "BYDAY" in parts:
        arguments["byweekday"] = [_weekday(word, frequency) for word in parts["BYDAY"].split(",")]
    _check_parts(rule, arguments, frequency)
    _make_explicit(arguments, frequency, start)
    filters_days = any(keyword in arguments for keyword in _DAY_FILTERS)
    if frequency == SECONDLY and filters_days:
        raise InvalidTrigger(
            f"recurrence rule {rule!r} goes through days second by second",
            remedy='write it as cron: "* * * * mon" with second: "*"',
        )
    if frequency > DAILY and filters_days:
        _step_by_days(rule, arguments, frequency, start)
    _check_days(rule, arguments, start)
    count = _number(parts["COUNT"], "COUNT", 1, _MAX_COUNT) if "COUNT" in parts else None
    until = _read_moment(parts["UNTIL"], "UNTIL", zone) if "UNTIL" in parts else None
    if count is not None and until is not None:
        raise InvalidTrigger(
            f"recurrence rule {rule!r} has both COUNT and UNTIL", remedy="leave out one"
        )
    return Recurrence(arguments, start, count, until, excluded)


def _check_parts(rule: str, arguments: dict[str, Any], frequency: int) -> None:
    """RFC 5545, section 3.3.10: which parts do not go together."""
    forbidden = {
        "byweekno": frequency != YEARLY,
        "byyearday": frequency in (MONTHLY, WEEKLY, DAILY),
        "bymonthday": frequency == WEEKLY,
    }
    for keyword, is_forbidden in forbidden.items():
        if is_forbidden and keyword in arguments:
            raise InvalidTrigger(
                f"recurrence rule {rule!r} has {keyword.upper()}, "
                f"which RFC 5545 does not allow with {FREQUENCIES[frequency]}",
                remedy="leave it out, or take FREQ=YEARLY",
            )


def _check_days(rule: str, arguments: dict[str, Any], start: datetime) -> None:
    """Refuse days that no calendar has: dateutil would look for them up to the year 9999."""
    frequency, interval = arguments["freq"], arguments["interval"]
    months, days = arguments.get("bymonth"), arguments.get("bymonthday")
    if months and days:
        longest = max(29 if month == 2 else monthrange(2001, month)[1] for month in months)
        if min(abs(day) for day in days) > longest:
            raise InvalidTrigger(
                f"recurrence rule {rule!r} never fires: no month of it has that day",
                remedy="BYMONTHDAY=-1 is the last day of any month",
            )
        if frequency == DAILY and interval == 1 and "bysetpos" not in arguments:
            # The same days, found year by year.
            arguments["freq"] = YEARLY
    weekdays = {day.weekday for day in arguments.get("byweekday", ())}
    if frequency == DAILY and interval % 7 == 0 and weekdays and start.weekday() not in weekdays:
        raise InvalidTrigger(
            f"recurrence rule {rule!r} never fires: its steps are whole weeks from a "
            f"{_WEEKDAYS[start.weekday()]}",
            remedy="take FREQ=WEEKLY, or another start",
        )


def _make_explicit(arguments: dict[str, Any], frequency: int, start: datetime) -> None:
    """Put down what RFC 5545 takes from the start: time of day and, without filters, day."""
    if frequency < HOURLY:
        arguments.setdefault("byhour", [start.hour])
    if frequency < MINUTELY:
        arguments.setdefault("byminute", [start.minute])
    if frequency < SECONDLY:
        arguments.setdefault("bysecond", [start.second])
    if any(keyword in arguments for keyword in _DAY_FILTERS[1:]):
        return
    if frequency == YEARLY:
        arguments.setdefault("bymonth", [start.month])
    if frequency in (YEARLY, MONTHLY):
        arguments["bymonthday"] = [start.day]
    if frequency == WEEKLY:
        arguments["byweekday"] = [nth_weekday(start.weekday())]


def _step_by_days(rule: str, arguments: dict[str, Any], frequency: int, start: datetime) -> None:
    """Turn "each minute of these days" into "these days, at these times": it is found sooner."""
    if arguments["interval"] != 1 or "bysetpos" in arguments:
        raise InvalidTrigger(
            f"recurrence rule {rule!r} has steps of hours or minutes that leave out days",
            remedy="write FREQ=DAILY with BYHOUR and BYMINUTE, or cron",
        )
    arguments["freq"] = DAILY
    arguments.setdefault("byhour", list(range(24)))
    arguments.setdefault("byminute", list(range(60)) if frequency == MINUTELY else [start.minute])


def _number(word: str, name: str, low: int, high: int, *, signed: bool = False) -> int:
    pattern = r"[+-]?[0-9]{1,6}" if signed else r"[0-9]{1,6}"
    if not re.fullmatch(pattern, word) or not low <= abs(int(word)) <= high:
        raise InvalidTrigger(
            f"{name}={word} in the recurrence rule is out of range",
            remedy=f"it goes from {low} to {high}" + (", also from the end: -1" if signed else ""),
        )
    return int(word)


def _word(word: str, name: str) -> str:
    if word not in _WEEKDAYS:
        raise InvalidTrigger(
            f"{name}={word} in the recurrence rule is no weekday",
            remedy=f"write one of {', '.join(_WEEKDAYS)}",
        )
    return word


def _weekday(word: str, frequency: int) -> Any:
    found = _NTH_WEEKDAY.fullmatch(word)
    number = int(found[1]) if found and found[1] else None
    if found is None or number == 0 or (number is not None and frequency > MONTHLY):
        raise InvalidTrigger(
            f"BYDAY={word} in the recurrence rule is not valid",
            remedy="write MO to SU; 2MO and -1FR go with FREQ=MONTHLY and YEARLY",
        )
    return nth_weekday(_WEEKDAYS.index(found[2]), number)


def _read_moment(text: str, name: str, zone: Zone) -> datetime:
    if _MOMENT.fullmatch(text):
        try:
            # A date stands for its midnight, as in dateutil.
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            if moment.tzinfo is None:
                return moment
            utc_s = wall_of(moment.astimezone(UTC))
            return datetime_of_wall(zone.wall_s(utc_s))
    raise InvalidTrigger(
        f"{name}:{text} in the recurrence rule is not a moment",
        remedy="write it like 20261201T090000, or 20261201T080000Z in UTC",
    )
