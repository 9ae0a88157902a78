"""Plans of schedules as commands show and carry them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import click

from beatline.cli.exits import tell
from beatline.cli.output import count_text, instant_json, instant_text, print_json
from beatline.declared import Applied, Change, DeclaredSet, Difference
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
    declared: Declared,
    paths: Iterable[str],
    books: ScheduleBooks,
    *,
    as_json: bool,
    takes_over: bool = False,
) -> int:
    """Show what applying would do; 1 where schedules of another source are in the way."""
    changes = _wanted_set(declared, paths, takes_over).plan(books).changes
    foreign = [one for one in changes if one.difference is Difference.FOREIGN]
    if as_json:
        print_json([_change_json(change) for change in changes])
    else:
        _print_changes(changes)
        _print_counts(changes, "would be")
        if foreign:
            tell(
                "`apply` would change nothing: schedules with ! belong to other sources",
                _moved((one.owner, _here(one)) for one in foreign)
                or "rename them, remove them there, or take them over with --take-over",
            )
    return 1 if foreign else 0


def apply_declared(
    declared: Declared,
    paths: Iterable[str],
    books: ScheduleBooks,
    *,
    as_json: bool,
    takes_over: bool = False,
) -> int:
    """Carry the plan out, all of it or nothing; 1 where a schedule was refused."""
    applied = _wanted_set(declared, paths, takes_over).apply(books)
    changes = applied.plan.changes
    if as_json:
        told = [_change_json(change) for change in changes]
        print_json({"changes": told, "refused": applied.refused})
    elif applied.refused:
        _tell_refused(applied)
    else:
        _print_changes([one for one in changes if one.difference is not Difference.UNTOUCHED])
        _print_counts(changes, "")
    return 1 if applied.refused else 0


def _wanted_set(declared: Declared, paths: Iterable[str], takes_over: bool) -> DeclaredSet:
    names = [schedule.name for schedule in declared.schedules] if takes_over else ()
    return declared_set(declared, paths, taken_over=names)


def _tell_refused(applied: Applied) -> None:
    """Each schedule that stood in the way, by whom it is declared, and where here."""
    here = {one.name: _here(one) for one in applied.plan.changes}
    for name, why in applied.refused.items():
        click.echo(f"! {name}: {why}, and here by {here.get(name, 'nobody')}", err=True)
    count = len(applied.refused)
    theirs = "a schedule belongs" if count == 1 else f"{count} schedules belong"
    tell(
        f"nothing was changed: {theirs} to another source",
        _moved(
            (why.partition(" by ")[2], here.get(name, "")) for name, why in applied.refused.items()
        )
        or "rename it, remove it there, or take it over with --take-over",
    )


def _rests(change: Change) -> bool:
    """Whether it is declared at rest."""
    return change.declared is not None and change.declared.paused


def _here(change: Change) -> str:
    return change.declared.source if change.declared else ""


def _moved(sources: Iterable[tuple[str, str]]) -> str:
    """What to do where the other source may be the same file, seen from another directory."""
    for there, here in sources:
        paths = [PurePosixPath(source.removeprefix("file:")) for source in (there, here)]
        if paths[0] != paths[1] and paths[0].name == paths[1].name:
            return (
                f"if {there} is the same file: sources are paths from the working directory; go "
                "there where it was applied before, or take it over with --take-over"
            )
    return ""


def _print_changes(changes: Sequence[Change]) -> None:
    for change in changes:
        sign, colour = _SIGNS[change.difference]
        click.echo(click.style(f"{sign} {change.name}{_detail(change)}", fg=colour))


def _detail(change: Change) -> str:
    if change.difference is Difference.ADD:
        return ": paused" if _rests(change) else f": next {instant_text(change.next_ms)}"
    if change.difference is Difference.FOREIGN:
        return f": declared by {change.owner}, and here by {_here(change)}"
    if change.difference is not Difference.CHANGE:
        return ""
    pause = "pause" if _rests(change) else "resume"
    told = [", ".join(pause if one == "paused" else one for one in change.fields)]
    if change.next_ms != change.old_next_ms:
        told.append(f"next {instant_text(change.old_next_ms)} -> {instant_text(change.next_ms)}")
    if change.owner:
        told.append(f"taken over from {change.owner}")
    return f": {'; '.join(filter(None, told)) or 'time zones'}"


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
        "paused": _rests(change),
        "old_next": instant_json(change.old_next_ms),
        "next": instant_json(change.next_ms),
        "owner": change.owner,
    }
