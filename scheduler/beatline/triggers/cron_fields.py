"""
Reads the fields of a cron expression into sets of numbers.

What is read here is exactly what docs/schedules.md lists; everything else is refused with a
remedy. The numbers then need no cron dialect any more: the day fields go to croniter as plain
lists (`beatline.triggers.cron_days`), the time fields to `beatline.triggers.cron`.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from beatline.errors import InvalidTrigger
from beatline.triggers.stable_hash import stable_below

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_VALUE = r"[0-9]{1,4}|[A-Za-z]+"
_ITEM = re.compile(
    rf"(?P<star>\*)(?:/(?P<star_step>[0-9]{{1,9}}))?"
    rf"|(?P<first>{_VALUE})(?:-(?P<last>{_VALUE}))?(?:/(?P<step>[0-9]{{1,9}}))?"
)
_HASHED = re.compile(r"H(?:\(([0-9]{1,4})-([0-9]{1,4})\))?")
_NTH = re.compile(rf"({_VALUE})#([0-9]+)")

#: Expressions that have a name.
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class FieldKind:
    """
    What one field of the five (or ``second``) may hold.

    Attributes:
        name: Its name in errors.
        low, high: The numbers it may hold, both included.
        cycle: After how many numbers a wrapped range starts again at ``low``.
        names: Words for the numbers from ``low`` on.
        hashed_high: The highest number that ``H`` alone may become.
    """

    name: str
    low: int
    high: int
    cycle: int
    names: tuple[str, ...]
    hashed_high: int


SECOND = FieldKind("second", 0, 59, 60, (), 59)
MINUTE = FieldKind("minute", 0, 59, 60, (), 59)
HOUR = FieldKind("hour", 0, 23, 24, (), 23)
#: ``H`` stays below 29, so that it names a day in every month.
DAY_OF_MONTH = FieldKind("day-of-month", 1, 31, 31, (), 28)
MONTH = FieldKind("month", 1, 12, 12, _MONTHS, 12)
#: 0 and 7 are both Sunday, as in Debian's cron, where the field has eight numbers.
DAY_OF_WEEK = FieldKind("day-of-week", 0, 7, 7, _WEEKDAYS, 6)
FIVE_FIELDS = (MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)


@dataclass(frozen=True, slots=True)
class Field:
    """
    One field, read.

    Attributes:
        text: As written.
        values: The numbers it names; Sunday is always 0.
        begins_with_star: As Debian's cron asks: only the first character counts.
        last_day: Whether it holds ``L``.
        nth: The (weekday, k) pairs of ``mon#2``.
    """

    text: str
    values: frozenset[int]
    begins_with_star: bool
    last_day: bool = False
    nth: frozenset[tuple[int, int]] = frozenset()

    @property
    def is_restricted(self) -> bool:
        """Whether it leaves anything out, by its text: ``*`` and ``?`` don't, ``*/2`` does."""
        return self.text not in {"*", "?"}


def split_expression(expression: str) -> list[str]:
    """
    The five fields of an expression, aliases resolved.

    Raises:
        InvalidTrigger: There are more or fewer, or it is an unknown alias.
    """
    words = expression.split()
    if words and words[0].startswith("@"):
        return _resolved_alias(expression, words).split()
    if words and "=" in words[0]:
        raise InvalidTrigger(
            f"cron expression {expression!r} begins with an assignment",
            remedy="the zone has a key of its own: timezone: Europe/Berlin",
        )
    if len(words) in {6, 7}:
        raise InvalidTrigger(
            f"cron expression {expression!r} has {len(words)} fields instead of five",
            remedy="five are minute, hour, day of month, month, day of week; "
            'seconds have a key of their own: second: "*/10"',
        )
    if len(words) != 5:
        raise InvalidTrigger(
            f"cron expression {expression!r} has {len(words)} "
            f"{'field' if len(words) == 1 else 'fields'} instead of five",
            remedy='write minute, hour, day of month, month, day of week, such as "30 2 * * *"',
        )
    return words


def read_field(kind: FieldKind, text: str, name: str | None) -> Field:
    """
    Read one field.

    Args:
        kind: Which field it is.
        text: What stands there.
        name: The schedule's name, which ``H`` is drawn from.

    Raises:
        InvalidTrigger: The text is not one of the forms that docs/schedules.md lists.
    """
    if text == "?" and kind in (DAY_OF_MONTH, DAY_OF_WEEK):
        text = "*"
    values: set[int] = set()
    nth: set[tuple[int, int]] = set()
    last_day = False
    for item in text.split(","):
        ordinal = _NTH.fullmatch(item) if kind is DAY_OF_WEEK else None
        hashed = _HASHED.fullmatch(item)
        if item == "L" and kind is DAY_OF_MONTH:
            last_day = True
        elif ordinal:
            nth.add(_read_nth(kind, ordinal, item))
        elif hashed:
            values.add(_read_hashed(kind, hashed, name))
        else:
            values.update(_read_item(kind, item, text))
    if kind is DAY_OF_WEEK:
        values = {value % 7 for value in values}
    return Field(text, frozenset(values), text.startswith("*"), last_day, frozenset(nth))


def _resolved_alias(expression: str, words: list[str]) -> str:
    alias = words[0]
    if alias in ALIASES and len(words) == 1:
        return ALIASES[alias]
    if alias == "@reboot":
        raise InvalidTrigger(
            f"cron expression {expression!r} names no instant",
            remedy="enqueue the task when your program starts, or give it a time",
        )
    if alias == "@every":
        raise InvalidTrigger(
            f"cron expression {expression!r} needs one duration",
            remedy='write it like "@every 5m"',
        )
    close = difflib.get_close_matches(alias.lower(), [*ALIASES, "@every"], n=1)
    raise InvalidTrigger(
        f"unknown cron alias {expression!r}",
        remedy=f"did you mean {close[0]!r}?" if close else f"there are {', '.join(ALIASES)}",
    )


def _read_item(kind: FieldKind, item: str, text: str) -> range | list[int]:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise InvalidTrigger(
            f"{kind.name} field {text!r} of the cron expression is not valid at {item!r}",
            remedy=_item_remedy(kind, item),
        )
    step_text = found["star_step"] or found["step"]
    step = int(step_text) if step_text else 1
    if step == 0:
        raise InvalidTrigger(
            f"{kind.name} field {text!r} of the cron expression has a step of 0",
            remedy='a step is at least 1: "*/5" is every fifth',
        )
    if found["star"]:
        return range(kind.low, kind.high + 1, step)
    first = _number(kind, found["first"], text)
    if found["last"] is None:
        return range(first, kind.high + 1, step) if step_text else [first]
    last = _number(kind, found["last"], text)
    if first <= last:
        return range(first, last + 1, step)
    wrapped = range(first, last + kind.cycle + 1, step)
    return [(value - kind.low) % kind.cycle + kind.low for value in wrapped]


def _number(kind: FieldKind, word: str, text: str) -> int:
    if word.isdigit():
        number = int(word)
    elif word.lower() in kind.names:
        number = kind.low + kind.names.index(word.lower())
    else:
        raise InvalidTrigger(
            f"{kind.name} field {text!r} of the cron expression holds {word!r}",
            remedy=_item_remedy(kind, word),
        )
    if not kind.low <= number <= kind.high:
        raise InvalidTrigger(
            f"{kind.name} {number} in the cron expression is out of range",
            remedy=f"it goes from {kind.low} to {kind.high}",
        )
    return number


def _read_nth(kind: FieldKind, found: re.Match[str], item: str) -> tuple[int, int]:
    weekday, k = _number(kind, found[1], item) % 7, int(found[2])
    if not 1 <= k <= 5:
        raise InvalidTrigger(
            f"day-of-week {item!r} of the cron expression names no week of a month",
            remedy='the number after "#" goes from 1 to 5: "mon#2" is the second Monday',
        )
    return weekday, k


def _read_hashed(kind: FieldKind, found: re.Match[str], name: str | None) -> int:
    if not name:
        raise InvalidTrigger(
            f"{found[0]} in the {kind.name} field is drawn from the schedule's name, "
            "and there is none",
            remedy='give it: Cron("H 2 * * *", name="nightly")',
        )
    if found[1] is None:
        low, high = kind.low, kind.hashed_high
    else:
        low, high = _number(kind, found[1], found[0]), _number(kind, found[2], found[0])
    if low > high:
        raise InvalidTrigger(
            f"{found[0]} in the {kind.name} field runs backwards",
            remedy=f"write H({high}-{low})",
        )
    return low + stable_below(high - low + 1, "cron", kind.name, name)


def _item_remedy(kind: FieldKind, item: str) -> str:
    if item.startswith("H"):
        return 'write "H", or "H(0-29)" for a part of the range; "H" takes no step'
    if item in {"l", "h"}:
        return f'write it as a capital: "{item.upper()}"'
    if item.endswith(("L", "l")) or item.startswith("L-"):
        return 'only "L" alone, the last day of the month, is known'
    if item.upper().endswith("W"):
        return 'the nearest weekday ("W") is not known; "1-5" in the last field is Monday to Friday'
    if "#" in item:
        return 'only one weekday takes "#", in the last field: "mon#2" is the second Monday'
    if item == "?":
        return '"?" may stand alone in a day field; write "*"'
    close = difflib.get_close_matches(item.lower()[:3], kind.names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if kind.names:
        return f"write a number from {kind.low} to {kind.high} or one of {', '.join(kind.names)}"
    return f'write a number from {kind.low} to {kind.high}, "a-b", "*/n" or "a-b/n"'
