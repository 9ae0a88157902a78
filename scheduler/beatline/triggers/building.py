"""
Builds triggers and timetables from their specs: dicts of plain JSON types, as YAML writes them.

A spec has exactly one of the keys ``cron``, ``every``, ``calendar``, ``at``, ``rrule``, ``any``
and ``foreign``, the keys that belong to it, and for a timetable ``start``, ``end``, ``jitter``
and ``exclude``. Unknown keys are refused.

The kinds that stand on a library of their own are imported when the first one is built.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from beatline.errors import InvalidTrigger
from beatline.triggers.any_of import AnyOf
from beatline.triggers.calendar_steps import Calendar
from beatline.triggers.every import Every
from beatline.triggers.exclusions import Exclusions
from beatline.triggers.reading import read_duration_ms, read_moment_ms
from beatline.triggers.timetable import Timetable
from beatline.triggers.trigger import Trigger
from beatline.triggers.zones import zone

if TYPE_CHECKING:
    from beatline.triggers.foreign import FireTimeSource

#: Keys that bound a trigger.
BOUND_KEYS = ("start", "end", "jitter", "exclude")
#: How deep ``any`` may lie in ``any``.
_MAX_DEPTH = 8


def build_timetable(spec: Mapping[str, Any], name: str) -> Timetable:
    """
    The timetable of a spec.

    Args:
        spec: A trigger's spec, with ``start``, ``end``, ``jitter`` and ``exclude`` where wanted.
            ``every`` needs a unit; other durations may be a number of seconds.
        name: The schedule's name, from which ``H``, ``spread`` and jitter are drawn.

    Raises:
        InvalidTrigger: A key is unknown, or a value cannot be read.
    """
    _check_mapping(spec)
    bounds = {key: spec[key] for key in BOUND_KEYS if spec.get(key) is not None}
    rest = {key: value for key, value in spec.items() if key not in BOUND_KEYS}
    if "rrule" in rest and "start" in bounds and "DTSTART" not in str(rest["rrule"]).upper():
        # RFC 5545 takes the time of day and the steps from the start.
        rest["start"] = bounds["start"]
    trigger = build_trigger(rest, name)
    start, end, jitter = (bounds.get(key) for key in ("start", "end", "jitter"))
    return Timetable(
        trigger,
        name=name,
        start_ms=None if start is None else read_moment_ms(start, "start", trigger.zone),
        end_ms=None if end is None else read_moment_ms(end, "end", trigger.zone, ends_day=True),
        jitter_ms=0 if jitter is None else read_duration_ms(jitter, "jitter"),
        exclude=Exclusions(bounds.get("exclude", ())),
    )


def build_trigger(spec: Mapping[str, Any], name: str | None = None) -> Trigger:
    """
    The trigger of a spec, without bounds.

    Args:
        spec: One of the forms that this module names.
        name: The schedule's name.

    Raises:
        InvalidTrigger: A key is unknown, or a value cannot be read.
    """
    return _build(spec, name, timezone="UTC", depth=0)


def spec_of_given(source: FireTimeSource) -> dict[str, Any]:
    """
    The spec of a trigger that a user made.

    Args:
        source: A trigger of ours, or any object with ``get_next_fire_time``.

    Raises:
        InvalidTrigger: The object is no trigger, or cannot be found again by name.
    """
    from beatline.triggers.foreign import adopt_trigger

    return adopt_trigger(source).spec()


def _build(spec: Mapping[str, Any], name: str | None, *, timezone: str, depth: int) -> Trigger:
    _check_mapping(spec)
    kinds = [key for key in spec if key in TRIGGER_KEYS]
    if len(kinds) != 1:
        raise InvalidTrigger(
            f"a trigger needs one of {', '.join(TRIGGER_KEYS)}, "
            f"and has {' and '.join(kinds) or 'none'}",
            remedy="join several with any: [...]" if kinds else _unknown_remedy(spec),
        )
    kind = kinds[0]
    allowed = _COMPANIONS.get(kind, ())
    for key in spec:
        if key not in (kind, "timezone", *allowed):
            raise InvalidTrigger(
                f"key {key!r} does not go with {kind}", remedy=_unknown_remedy({key: None}, allowed)
            )
    own_zone = spec.get("timezone") or timezone
    zone(own_zone)
    if kind == "any":
        return _build_any(spec["any"], name, own_zone, depth)
    options = {key: spec[key] for key in allowed if spec.get(key) is not None}
    return _BUILDERS[kind](spec[kind], own_zone, name, options)


def _check_mapping(spec: Any) -> None:
    if not isinstance(spec, Mapping):
        raise InvalidTrigger(
            f"trigger {spec!r} is no mapping",
            remedy='write it like {cron: "30 2 * * *"} or {every: 90s}',
        )


def _build_any(members: Any, name: str | None, timezone: str, depth: int) -> Trigger:
    if not isinstance(members, list | tuple) or depth >= _MAX_DEPTH:
        raise InvalidTrigger(
            "any needs a list of triggers" if depth < _MAX_DEPTH else "any is nested too deep",
            remedy='write it like any: [{cron: "0 9 * * *"}, {at: "2026-12-24T12:00"}]',
        )
    built = [_build(member, name, timezone=timezone, depth=depth + 1) for member in members]
    return AnyOf(built, timezone)


def _build_cron(value: Any, timezone: str, name: str | None, options: dict[str, Any]) -> Trigger:
    from beatline.triggers.cron import Cron

    return Cron(value, timezone=timezone, name=name, **options)


def _build_every(value: Any, timezone: str, name: str | None, options: dict[str, Any]) -> Trigger:
    if isinstance(value, int | float):
        # Seconds to one reader, milliseconds to the next: the error would be a thousandfold.
        raise InvalidTrigger(
            f"every {value!r} has no unit", remedy=f'write "{value}s", or "{value}ms"'
        )
    return Every(value, timezone=timezone, name=name, **options)


def _build_calendar(
    value: Any, timezone: str, _name: str | None, _options: dict[str, Any]
) -> Trigger:
    if not isinstance(value, Mapping):
        raise InvalidTrigger(
            f"calendar {value!r} is no mapping",
            remedy='write it like calendar: {months: 1, day: -1, at: "02:30"}',
        )
    for key in value:
        if key not in _CALENDAR_KEYS:
            raise InvalidTrigger(
                f"key {key!r} does not go with calendar",
                remedy=_unknown_remedy({key: None}, _CALENDAR_KEYS),
            )
    return Calendar(timezone=timezone, **value)


def _build_at(value: Any, timezone: str, _name: str | None, _options: dict[str, Any]) -> Trigger:
    from beatline.triggers.foreign import At

    return At(value, timezone=timezone)


def _build_rrule(value: Any, timezone: str, _name: str | None, options: dict[str, Any]) -> Trigger:
    from beatline.triggers.recurrence import RRule

    return RRule(value, timezone=timezone, **options)


def _build_foreign(
    value: Any, timezone: str, _name: str | None, _options: dict[str, Any]
) -> Trigger:
    from beatline.triggers.foreign import find_foreign

    return find_foreign(str(value), timezone)


def _unknown_remedy(spec: Mapping[str, Any], allowed: tuple[str, ...] = ()) -> str:
    known = allowed or TRIGGER_KEYS
    for key in spec:
        close = difflib.get_close_matches(str(key), known, n=1)
        if close:
            return f"did you mean {close[0]!r}?"
    return f"known here: {', '.join((*known, 'timezone'))}"


_CALENDAR_KEYS = (
    "years",
    "months",
    "weeks",
    "days",
    "day",
    "weekday",
    "at",
    "day_policy",
    "anchor",
)
#: Keys that go with a kind of trigger, besides ``timezone``.
_COMPANIONS = {"cron": ("second",), "every": ("anchor", "offset"), "rrule": ("start",)}
_BUILDERS: dict[str, Callable[[Any, str, str | None, dict[str, Any]], Trigger]] = {
    "cron": _build_cron,
    "every": _build_every,
    "calendar": _build_calendar,
    "at": _build_at,
    "rrule": _build_rrule,
    "foreign": _build_foreign,
}
#: The keys of which a spec has exactly one.
TRIGGER_KEYS = (*_BUILDERS, "any")
