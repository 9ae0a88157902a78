"""
Kinds of values that keys of a schedule file take: how each is read, and what its JSON Schema is.

`beatline_schedules.keys` gives each key one of these, so that the validator and the schema that
editors complete from can't drift apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from beatline.errors import BeatlineError
from beatline.settings import check_queue
from beatline.triggers.zones import zone
from beatline.units import duration_text
from beatline_schedules.document import Mapping, Node
from beatline_schedules.problem import did_you_mean, shown
from beatline_schedules.reader import Reader

Schema = dict[str, Any]

#: A value that an environment variable gives, where the value itself is no text.
_VARIABLE: Final[Schema] = {"type": "string", "pattern": r"\$\{"}
_DURATION: Final[Schema] = {
    "type": ["string", "number"],
    "examples": ["90s", "5m", "1h30m"],
    "minimum": 0,
}
_MOMENT: Final[Schema] = {
    "type": "string",
    "examples": ["2026-12-01T09:00:00+01:00", "2026-12-01 09:00"],
}


@dataclass(frozen=True, slots=True)
class Kind:
    """
    What a key's value is.

    Attributes:
        read: Gets the reader, the value and what to call it; None after a problem.
        schema: The JSON Schema of the value.
    """

    read: Callable[[Reader, Node, str], Any]
    schema: Schema


def whole(low: int, high: int) -> Kind:
    """A whole number from ``low`` to ``high``."""
    number = {"type": "integer", "minimum": low, "maximum": high}
    return Kind(
        lambda reader, node, what: reader.integer(node, what, low, high),
        {"anyOf": [number, _VARIABLE]},
    )


def duration(low_ms: int = 1) -> Kind:
    """A duration in ms, from ``low_ms`` on."""
    return Kind(lambda reader, node, what: reader.duration_ms(node, what, low_ms=low_ms), _DURATION)


def word(choices: type[StrEnum]) -> Kind:
    """One member of an enum."""
    known = {"enum": [str(choice) for choice in choices]}
    return Kind(
        lambda reader, node, what: reader.choice(node, what, choices),
        {"anyOf": [known, _VARIABLE]},
    )


def _read_zone(reader: Reader, node: Node, what: str) -> str | None:
    return _checked(reader, node, what, lambda name: zone(name).name)


def _read_queue(reader: Reader, node: Node, what: str) -> str | None:
    return _checked(reader, node, what, lambda name: check_queue(name, what))


def _checked(reader: Reader, node: Node, what: str, check: Callable[[str], str]) -> str | None:
    text = reader.text(node, what)
    if text is None:
        return None
    try:
        return check(text)
    except BeatlineError as error:
        reader.report.problem(node, error.message, error.remedy)
        return None


def _read_second(reader: Reader, node: Node, what: str) -> str | None:
    if reader.is_number(node):
        second = reader.integer(node, what, 0, 59)
        return None if second is None else str(second)
    return reader.text(node, what)


def _read_interval(reader: Reader, node: Node, what: str) -> str | None:
    ms = reader.duration_ms(node, what, low_ms=1)
    return None if ms is None else duration_text(ms)


def _read_offset(reader: Reader, node: Node, what: str) -> str | None:
    if reader.is_word(node, "spread"):
        return "spread"
    ms = reader.duration_ms(node, what)
    return None if ms is None else duration_text(ms)


def _read_retry(reader: Reader, node: Node, what: str) -> dict[str, int] | None:
    """``{max: 5, backoff: 10s..10m}`` as job options."""
    mapping = reader.mapping(node, what, f"{what}: {{max: 5, backoff: 10s..10m}}")
    if mapping is None:
        return None
    values = read_keys(reader, mapping, what, RETRY_KEYS)
    if values is None:
        return None
    options = {"max_retries": values["max"]} if "max" in values else {}
    if "backoff" in values:
        options["retry_backoff_ms"], options["retry_backoff_max_ms"] = values["backoff"]
    return options


def _read_backoff(reader: Reader, node: Node, what: str) -> tuple[int, int] | None:
    """``10s`` (always that) or ``10s..10m`` (doubled from the first up to the second)."""
    span = reader.span(node)
    if span is None:
        fixed_ms = reader.duration_ms(node, what)
        return None if fixed_ms is None else (fixed_ms, fixed_ms)
    first_ms = reader.duration_ms(span[0], f"{what}'s beginning")
    last_ms = reader.duration_ms(span[1], f"{what}'s end")
    if first_ms is None or last_ms is None:
        return None
    if first_ms > last_ms:
        reader.report.problem(
            node,
            f"{what} runs from {duration_text(first_ms)} down to {duration_text(last_ms)}",
            "write the shorter one first",
        )
        return None
    return first_ms, last_ms


def _read_calendar(reader: Reader, node: Node, what: str) -> dict[str, Any] | None:
    mapping = reader.mapping(node, what, f'{what}: {{months: 1, day: -1, at: "02:30"}}')
    return None if mapping is None else read_keys(reader, mapping, what, CALENDAR_KEYS)


def read_keys(
    reader: Reader, mapping: Mapping, what: str, known: dict[str, Kind]
) -> dict[str, Any] | None:
    """
    The values of a mapping all of whose keys are known; None after a problem.

    Args:
        reader: Reads the values.
        mapping: The mapping.
        what: What it is, for messages.
        known: Its keys.
    """
    values: dict[str, Any] = {}
    sound = True
    for name, (key, node) in mapping.entries.items():
        if name not in known:
            remedy = did_you_mean(name, known) or f"known are {', '.join(known)}"
            reader.report.problem(key, f"unknown key {shown(name)} in {what}", remedy)
            sound = False
            continue
        value = known[name].read(reader, node, f"{what}.{name}")
        sound = sound and value is not None
        values[name] = value
    return values if sound else None


TEXT: Final = Kind(lambda reader, node, what: reader.text(node, what), {"type": "string"})
MOMENT: Final = Kind(lambda reader, node, what: reader.text(node, what, dates=True), _MOMENT)
FLAG: Final = Kind(
    lambda reader, node, what: reader.boolean(node, what),
    {"anyOf": [{"type": "boolean"}, _VARIABLE]},
)
ZONE: Final = Kind(_read_zone, {"type": "string", "examples": ["Europe/Berlin", "UTC"]})
QUEUE: Final = Kind(_read_queue, {"type": "string"})
SECOND: Final = Kind(_read_second, {"type": ["string", "integer"], "examples": ["*/10", 30]})
INTERVAL: Final = Kind(_read_interval, _DURATION)
OFFSET: Final = Kind(_read_offset, {**_DURATION, "examples": ["spread", "10s"]})
ARGUMENTS: Final = Kind(lambda reader, node, what: reader.arguments(node, what), {"type": "array"})
NAMED_ARGUMENTS: Final = Kind(
    lambda reader, node, what: reader.named_arguments(node, what), {"type": "object"}
)

RETRY_KEYS: Final = {
    "max": whole(0, 1_000_000),
    "backoff": Kind(_read_backoff, {"type": ["string", "number"], "examples": ["10s..10m", "30s"]}),
}
CALENDAR_KEYS: Final = {
    **dict.fromkeys(("years", "months", "weeks", "days"), whole(1, 10_000)),
    "day": whole(-31, 31),
    "weekday": TEXT,
    "at": TEXT,
    "day_policy": Kind(TEXT.read, {"enum": ["skip", "clamp"]}),
    "anchor": MOMENT,
}


def _object(known: dict[str, Kind]) -> Schema:
    return {
        "type": "object",
        "properties": {name: kind.schema for name, kind in known.items()},
        "additionalProperties": False,
    }


RETRY: Final = Kind(_read_retry, _object(RETRY_KEYS))
CALENDAR: Final = Kind(_read_calendar, _object(CALENDAR_KEYS))
