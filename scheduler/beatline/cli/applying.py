"""Plans of schedules as commands show and carry them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import click

from beatline.cli.exits import tell
from beatline.cli.output import count_text, instant_json, instant_text, print_json
from beatline.declared import Change, Difference
from beatline.schedule_books import ScheduleBooks
from beatline_schedules import Declared
from beatline_schedules.applying import declared_set

_SIGNS: Final = {
    Difference.ADD: ("+", "green"),
    Difference.CHANGE: ("~", "yellow"),
    Difference.REMOVE: ("-", "red"),
    Difference.FOREIGN: ("!", "red"),
    Difference.UNTOUCHED: ("=", None),
}


def show_plan(
    declared: Declared, paths: Iterable[str], books: ScheduleBooks, *, as_json: bool
) -> int:
    """Show what applying would do; 1 where schedules of another source are in the way."""
    changes = declared_set(declared, paths).plan(books).changes
    foreign = [one for one in changes if one.difference is Difference.FOREIGN]
    if as_json:
        print_json([_change_json(change) for change in changes])
    else:
        _print_changes(changes)
        _print_counts(changes, "would be")
    return 1 if foreign else 0


def apply_declared(
    declared: Declared, paths: Iterable[str], books: ScheduleBooks, *, as_json: bool
) -> int:
    """Carry the plan out; 1 where a schedule was refused."""
    applied = declared_set(declared, paths).apply(books)
    changes = applied.plan.changes
    if as_json:
        told = [_change_json(change) for change in changes]
        print_json({"changes": told, "refused": applied.refused})
    else:
        _print_changes([one for one in changes if one.difference is not Difference.UNTOUCHED])
        done = [one for one in changes if one.name not in applied.refused]
        _print_counts(done, "")
        for name, why in applied.refused.items():
            tell(f"schedule {name} was not applied: {why}", "rename one of the two")
    return 1 if applied.refused else 0


def _print_changes(changes: Sequence[Change]) -> None:
    for change in changes:
        sign, colour = _SIGNS[change.difference]
        click.echo(click.style(f"{sign} {change.name}{_detail(change)}", fg=colour))


def _detail(change: Change) -> str:
    if change.difference is Difference.ADD:
        return f": next {instant_text(change.next_ms)}"
    if change.difference is Difference.FOREIGN:
        return f": declared by {change.owner}"
    if change.difference is not Difference.CHANGE:
        return ""
    moved = ""
    if change.next_ms != change.old_next_ms:
        moved = f"; next {instant_text(change.old_next_ms)} -> {instant_text(change.next_ms)}"
    taken = f"; taken over from {change.owner}" if change.owner else ""
    return f": {', '.join(change.fields) or 'time zones'}{moved}{taken}"


def _print_counts(changes: Sequence[Change], verb: str) -> None:
    counts = [
        f"{sum(one.difference is kind for one in changes)} {word}"
        for kind, word in (
            (Difference.ADD, "added"),
            (Difference.CHANGE, "changed"),
            (Difference.REMOVE, "removed"),
            (Difference.UNTOUCHED, "untouched"),
        )
    ]
    total = count_text(len(changes), "schedule")
    click.echo(f"{total}: {verb + ' ' if verb else ''}{', '.join(counts)}")


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "name": change.name,
        "difference": str(change.difference),
        "fields": list(change.fields),
        "old_next": instant_json(change.old_next_ms),
        "next": instant_json(change.next_ms),
        "owner": change.owner,
    }
