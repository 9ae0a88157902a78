"""Expected against real fire times, as a person reads it: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Final

from beatline.ledger import Fate, Occurrence
from beatline.units import moment_of

#: Fire times that are shown around a difference.
_AROUND: Final = 2
#: Most lines of a difference: what a person reads.
_MOST_LINES: Final = 60


def moment_text(at_ms: int, zone: tzinfo) -> str:
    """``Sun 2026-03-29 03:00:00 CEST (01:00:00Z)``."""
    local = moment_of(at_ms).astimezone(zone)
    text = f"{local:%a %Y-%m-%d %H:%M:%S}"
    if at_ms % 1_000:
        text += f".{at_ms % 1_000:03d}"
    if local.utcoffset():
        return f"{text} {local.tzname()} ({moment_of(at_ms):%H:%M:%S}Z)"
    return f"{text} {local.tzname()}"


def difference(
    name: str, expected: Iterable[int], occurrences: Sequence[Occurrence], zone: tzinfo
) -> str:
    """
    What differs between the fire times that were expected and those that made jobs.

    Args:
        name: The schedule.
        expected: Nominal fire times, UTC ms.
        occurrences: What became of all of them in the same span.
        zone: The schedule's zone.

    Returns:
        Text for a failed assertion; empty where nothing differs.
    """
    wanted = set(expected)
    fired = {one.nominal_ms for one in occurrences if one.enqueued_ms is not None}
    if wanted == fired:
        return ""
    rows: list[tuple[str, str]] = []
    for at_ms in sorted(wanted | fired):
        mark = "=" if at_ms in wanted and at_ms in fired else "-" if at_ms in wanted else "+"
        why = f"  {fate_text(at_ms, occurrences)}" if mark == "-" else ""
        rows.append((mark, f"{moment_text(at_ms, zone)}{why}"))
    head = (
        f"schedule {name!r} fired at other times than expected: {len(wanted - fired)} missing (-),"
        f" {len(fired - wanted)} unexpected (+), {len(wanted & fired)} as expected (=)"
    )
    return "\n".join([head, *_shown(rows)])


def fate_text(at_ms: int, occurrences: Sequence[Occurrence]) -> str:
    """What became of an instant that made no job."""
    for one in occurrences:
        last_ms = one.nominal_ms if one.last_ms is None else one.last_ms
        if not one.nominal_ms <= at_ms <= last_ms:
            continue
        if one.fate is Fate.SKIPPED:
            other = one.in_the_way or (one.backfill and one.backfill.in_the_way)
            return f"skipped: job {other} was in the way"
        if one.fate is Fate.MISSED:
            return f"missed: {one.reason}"
    return "no fire time of it"


def occurrence_text(one: Occurrence, zone: tzinfo) -> str:
    """An occurrence that was skipped or missed, on one line."""
    if one.fate is Fate.MISSED and one.count > 1 and one.last_ms is not None:
        last = moment_text(one.last_ms, zone)
        times = f"{moment_text(one.nominal_ms, zone)} to {last}, {one.count} times"
        return f"{times}: missed: {one.reason}"
    return f"{moment_text(one.nominal_ms, zone)}: {fate_text(one.nominal_ms, [one])}"


def fire_time(one: Occurrence, zone: tzinfo) -> datetime:
    """The fire time of an occurrence in a zone."""
    return moment_of(one.nominal_ms).astimezone(zone)


def cut(lines: Sequence[str], most: int) -> list[str]:
    """The lines; of many the first and the last ones."""
    if len(lines) <= most:
        return list(lines)
    half = most // 2
    return [*lines[:half], f"  … {len(lines) - 2 * half} more", *lines[-half:]]


def _shown(rows: Sequence[tuple[str, str]]) -> list[str]:
    """The differing rows with those around them; others are counted."""
    near = {
        place
        for at, (mark, _) in enumerate(rows)
        if mark != "="
        for place in range(at - _AROUND, at + _AROUND + 1)
    }
    lines: list[str] = []
    hidden = 0
    for at, (mark, text) in enumerate(rows):
        if at not in near or len(lines) >= _MOST_LINES:
            hidden += 1
            continue
        if hidden:
            lines.append(f"  … {hidden} more")
            hidden = 0
        lines.append(f"  {mark} {text}")
    if hidden:
        lines.append(f"  … {hidden} more")
    return lines
