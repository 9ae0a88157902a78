"""``sched schedules``: check, preview, plan, apply and list what fires when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import click

from beatline.cli.exits import tell, warn
from beatline.cli.groups import SubcommandGroup
from beatline.cli.output import (
    alert_json,
    count_text,
    instant_json,
    instant_text,
    left_text,
    one_line,
    passed_text,
    print_json,
    print_table,
)
from beatline.cli.place_options import json_option, place_options
from beatline.cli.schedule_acts import ACTS
from beatline.cli.schedules_import import import_
from beatline.cli.schedules_preview import preview
from beatline.cli.wanted import Wanted
from beatline.units import duration_text

if TYPE_CHECKING:
    from beatline.schedule import Schedule
    from beatline.store.expecting import Alert
    from beatline.store.scheduling import StoredSchedule
    from beatline_schedules import Declared, Problem

#: What is due for longer and not fired is late, ms: the grace that schedules have by default.
_LATE_MS: Final = 5_000


@click.group(cls=SubcommandGroup)
def command() -> None:
    """Check, preview, plan, apply and list schedules: what fires when, and why not."""


command.add_command(import_)
command.add_command(preview)


def _examined(wanted: Wanted, paths: Iterable[str]) -> Declared:
    from beatline_schedules import examine

    if not wanted.app:
        return examine(paths)
    from beatline.cli.reach import known_of, open_app

    return examine(paths, **known_of(open_app(wanted)))


def loaded(wanted: Wanted, paths: Iterable[str]) -> Declared:
    """The declarations of files without problems; remarks are told."""
    from beatline.errors import InvalidScheduleFile

    declared = _examined(wanted, paths)
    if declared.problems:
        raise InvalidScheduleFile(declared.problems)
    for remark in declared.remarks:
        warn(str(remark))
    return declared


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "remedy": problem.remedy,
    }


@command.command(
    epilog="""\b
Examples:
  sched schedules check schedules                  all YAML files of a folder
  sched schedules check -A shop.py:app a.yaml      task names and arguments too

\b
Exit code 1 where there are problems. No Redis is needed."""
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@json_option
@place_options
@click.pass_obj
def check(wanted: Wanted, paths: tuple[str, ...], as_json: bool) -> int:
    """Tell everything that is wrong in schedule files, each with its place and a remedy."""
    declared = _examined(wanted, paths)
    if as_json:
        print_json(
            {
                "files": [str(file) for file in declared.files],
                "schedules": [schedule.name for schedule in declared.schedules],
                "problems": [_problem_json(problem) for problem in declared.problems],
                "remarks": [_problem_json(remark) for remark in declared.remarks],
            }
        )
        return 1 if declared.problems else 0
    for problem in declared.problems:
        click.echo(str(problem))
    for remark in declared.remarks:
        click.echo(f"{remark} {click.style('(remark)', fg='yellow')}")
    files = count_text(len(declared.files), "file")
    if declared.problems:
        tell(f"{count_text(len(declared.problems), 'problem')} in {files}")
        return 1
    click.echo(f"{count_text(len(declared.schedules), 'schedule')} in {files}: no problems")
    return 0


def live_schedules(wanted: Wanted) -> list[Schedule]:
    """What is live, for previews."""
    from beatline.cli.reach import books_of, open_app

    with books_of(open_app(wanted)) as books:
        return [stored.schedule() for stored in books.read_all().values()]


@command.command(
    "list",
    epilog="""\b
Example:
  sched schedules list --json | jq '.[].next'""",
)
@json_option
@place_options
@click.pass_obj
def list_(wanted: Wanted, as_json: bool) -> int:
    """List what is live in Redis: next and last fire time, as `systemctl list-timers` does."""
    from beatline.cli.reach import books_of, open_app

    with books_of(open_app(wanted)) as books:
        live = sorted(
            books.read_all().values(),
            key=lambda stored: (stored.next_ms is None, stored.next_ms or 0, stored.name),
        )
        alerts = {alert.schedule: alert for alert in books.alerts()}
        now_ms = books.now_ms()
    if as_json:
        print_json([_stored_json(one, now_ms, alerts.get(one.name)) for one in live])
        return 0
    print_table(
        ["NEXT", "LEFT", "LAST", "PASSED", "NAME", "TASK", "STATE"],
        [
            [
                instant_text(None if stored.paused else stored.next_ms),
                left_text(_due_ms(stored), now_ms),
                instant_text(stored.last_ms),
                passed_text(stored.last_ms, now_ms),
                stored.name,
                _task_of(stored),
                _state_text(stored, now_ms, alerts.get(stored.name)),
            ]
            for stored in live
        ],
    )
    click.echo(f"\n{count_text(len(live), 'schedule')}")
    return 0


def _task_of(stored: StoredSchedule) -> str:
    from beatline.errors import UndecodableJob

    try:
        return stored.schedule().task
    except UndecodableJob:
        return "?"


def _due_ms(stored: StoredSchedule) -> int | None:
    """When the next occurrence is due, jitter included; None where it rests or is over."""
    if stored.paused or stored.next_ms is None:
        return None
    return stored.next_ms if stored.due_ms is None else stored.due_ms


def _late_ms(stored: StoredSchedule, now_ms: int) -> int | None:
    """For how long it is due and not fired; None where a beat would still be in time."""
    due_ms = _due_ms(stored)
    return None if due_ms is None or due_ms >= now_ms - _LATE_MS else now_ms - due_ms


def _state_text(stored: StoredSchedule, now_ms: int, alert: Alert | None) -> str:
    troubles = []
    if _late_ms(stored, now_ms) is not None:
        troubles.append("late: is a beat up?")
    if alert is not None:
        troubles.append(f"no success within {duration_text(alert.within_ms)}")
    if failures := stored.counters.get("failures", 0):
        troubles.append(f"failed {failures}x in a row")
    told = click.style("; ".join(troubles), fg="red") if troubles else ""
    if stored.paused:
        rests = click.style(f"paused: {one_line(stored.paused, 60)}", fg="yellow")
        return f"{rests}; {told}" if alert is not None else rests
    return told or ("over" if stored.next_ms is None else "active")


def _stored_json(stored: StoredSchedule, now_ms: int, alert: Alert | None) -> dict[str, Any]:
    return {
        "name": stored.name,
        "task": _task_of(stored),
        "next": instant_json(stored.next_ms),
        "last": instant_json(stored.last_ms),
        "due": instant_json(_due_ms(stored)),
        "late_ms": _late_ms(stored, now_ms),
        "alert": None if alert is None else alert_json(alert),
        "paused": stored.paused,
        "source": stored.source,
        "counters": stored.counters,
    }


take_over_option = click.option(
    "--take-over",
    is_flag=True,
    help="Also change schedules that code or other files declare; they are these files' then.",
)


@command.command(
    epilog="""\b
Example:
  sched schedules plan schedules     what `apply` would do; changes nothing"""
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@take_over_option
@json_option
@place_options
@click.pass_obj
def plan(wanted: Wanted, paths: tuple[str, ...], take_over: bool, as_json: bool) -> int:
    """Show the difference between files and what is live."""
    from beatline.cli.applying import show_plan
    from beatline.cli.reach import books_of, open_app

    declared = loaded(wanted, paths)
    with books_of(open_app(wanted)) as books:
        return show_plan(declared, paths, books, as_json=as_json, takes_over=take_over)


@command.command(
    epilog="""\b
Examples:
  sched schedules apply schedules            a folder is in charge of its files: what is
                                             declared there no more is removed
  sched schedules apply -A shop.py:app s/    refuse unknown tasks and wrong arguments
  sched schedules apply --take-over a.yaml   also what code, or another file, declares

\b
All or nothing: a file with a problem, or one schedule that another source declares,
and nothing is changed. Exit code 1 then."""
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@take_over_option
@json_option
@place_options
@click.pass_obj
def apply(wanted: Wanted, paths: tuple[str, ...], take_over: bool, as_json: bool) -> int:
    """Make what is live as the files declare it, as a whole or not at all."""
    from beatline.cli.applying import apply_declared
    from beatline.cli.reach import books_of, open_app

    declared = loaded(wanted, paths)
    with books_of(open_app(wanted)) as books:
        return apply_declared(declared, paths, books, as_json=as_json, takes_over=take_over)


@command.command()
def schema() -> int:
    """Print the JSON Schema of schedule files, for editors."""
    from beatline_schedules import json_schema

    print_json(json_schema())
    return 0


for act in ACTS:
    command.add_command(act)
