"""``sched schedules``: history, pause, resume, trigger and so on, for one live schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from beatline.cli.backfill import backfill
from beatline.cli.exits import tell
from beatline.cli.output import (
    instant_json,
    instant_text,
    one_line,
    print_json,
    print_table,
    span_text,
    state_text,
)
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted

if TYPE_CHECKING:
    from beatline.ledger import Backfill, Occurrence
    from beatline.schedules_api import Schedules


def occurrence_json(entry: Occurrence) -> dict[str, Any]:
    """An entry of the ledger, for programs."""
    return {
        "fire_time": instant_json(entry.nominal_ms),
        "planned": instant_json(entry.planned_ms),
        "fate": str(entry.fate),
        "enqueued": instant_json(entry.enqueued_ms),
        "started": instant_json(entry.started_ms),
        "finished": instant_json(entry.finished_ms),
        "outcome": None if entry.outcome is None else str(entry.outcome),
        "job": entry.job_id,
        "lateness_ms": entry.lateness_ms,
        "run_ms": entry.run_ms,
        "caught_up": entry.is_caught_up,
        "in_the_way": entry.in_the_way,
        "reason": entry.reason,
        "last_fire_time": instant_json(entry.last_ms),
        "count": entry.count,
        "worker": entry.worker,
        "backfilled": entry.backfilled,
        "backfill": _backfill_json(entry.backfill) if entry.backfill else None,
    }


def _backfill_json(backfill: Backfill) -> dict[str, Any]:
    return {
        "job": backfill.job_id or None,
        "run": backfill.run,
        "enqueued": instant_json(backfill.enqueued_ms),
        "started": instant_json(backfill.started_ms),
        "finished": instant_json(backfill.finished_ms),
        "outcome": None if backfill.outcome is None else str(backfill.outcome),
        "run_ms": backfill.run_ms,
        "worker": backfill.worker,
        "in_the_way": backfill.in_the_way,
        "skipped": instant_json(backfill.skipped_ms),
    }


def tell_unknown(schedules: Schedules, name: str) -> int:
    """Say that there is no such schedule, with the nearest name; the exit code."""
    from beatline.explaining import explain_unknown

    tell(explain_unknown(name, [view.name for view in schedules.list()]).sentence)
    return 1


def _schedules(wanted: Wanted) -> Schedules:
    from beatline.cli.reach import open_app

    return open_app(wanted).schedules


@click.command(
    epilog="""\b
Examples:
  sched schedules history nightly-report          its latest 20 occurrences
  sched schedules history nightly-report -n 200 --json"""
)
@click.argument("name", metavar="NAME")
@click.option(
    *("-n", "--count"),
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="The latest so many.",
)
@json_option
@place_options
@click.pass_obj
def history(wanted: Wanted, name: str, count: int, as_json: bool) -> int:
    """Show what became of a schedule's occurrences: the ledger, oldest first."""
    schedules = _schedules(wanted)
    entries = schedules.history(name, count)
    if not entries and schedules.get(name) is None:
        return tell_unknown(schedules, name)
    if as_json:
        print_json([occurrence_json(entry) for entry in entries])
        return 0
    print_table(
        ["FIRE TIME", "FATE", "LATE", "RAN", "DETAIL"],
        [
            [
                instant_text(entry.nominal_ms),
                _fate(entry),
                "" if entry.lateness_ms is None else span_text(entry.lateness_ms),
                _ran(entry),
                _detail(entry),
            ]
            for entry in entries
        ],
    )
    return 0


def _fate(entry: Occurrence) -> str:
    """The state in which its job ended, also that of a backfill where it made none else."""
    outcome = entry.outcome
    if str(entry.fate) == "backfilled" and entry.backfill is not None:
        outcome = entry.backfill.outcome
    return state_text(str(outcome)) if outcome else str(entry.fate)


def _ran(entry: Occurrence) -> str:
    run_ms = entry.run_ms
    if run_ms is None and entry.backfill is not None:
        run_ms = entry.backfill.run_ms
    return "" if run_ms is None else span_text(run_ms)


def _detail(entry: Occurrence) -> str:
    parts = []
    if entry.count > 1:
        filled = f", {entry.backfilled:,} backfilled" if entry.backfilled else ""
        parts.append(f"{entry.count:,} fire times, until {instant_text(entry.last_ms)}{filled}")
    if entry.reason:
        parts.append(one_line(entry.reason.replace("_", " "), 60))
    if entry.in_the_way:
        parts.append(f"job {entry.in_the_way} was in the way")
    if entry.job_id:
        parts.append(entry.job_id + (", caught up" if entry.is_caught_up else ""))
    if entry.backfill and entry.backfill.in_the_way:
        what = "them" if entry.count > 1 and str(entry.fate) == "skipped" else "it"
        parts.append(f"a backfill skipped {what}: job {entry.backfill.in_the_way} was in the way")
    elif entry.backfill:
        # Where it made no other job, the column before tells how this one ended.
        is_told = str(entry.fate) == "backfilled" or entry.backfill.outcome is None
        outcome = "" if is_told else f", {entry.backfill.outcome}"
        parts.append(f"backfilled: {entry.backfill.job_id}{outcome}")
    return "; ".join(parts)


@click.command(
    epilog="""\b
Examples:
  sched schedules pause nightly-report
  sched schedules pause nightly-report --reason "the warehouse moves"

\b
Exit code 1 where there is no such schedule."""
)
@click.argument("name", metavar="NAME")
@click.option("--reason", default="", metavar="TEXT", help="Why; `list` and `why` show it.")
@place_options
@click.pass_obj
def pause(wanted: Wanted, name: str, reason: str) -> int:
    """Put a schedule to rest until it is resumed; its jobs run on."""
    schedules = _schedules(wanted)
    if not schedules.pause(name, reason):
        return tell_unknown(schedules, name)
    click.echo(f"{name}: paused")
    return 0


@click.command(
    epilog="""\b
Example:
  sched schedules resume nightly-report

\b
Exit code 1 where there is no such schedule."""
)
@click.argument("name", metavar="NAME")
@place_options
@click.pass_obj
def resume(wanted: Wanted, name: str) -> int:
    """Let a schedule go on; what passed meanwhile is recorded as missed."""
    schedules = _schedules(wanted)
    if not schedules.resume(name):
        return tell_unknown(schedules, name)
    view = schedules.get(name)
    next_ms = view.stored.next_ms if view is not None else None
    click.echo(f"{name}: goes on; next is {instant_text(next_ms)}")
    return 0


@click.command(
    epilog="""\b
Examples:
  sched schedules remove old-report
  sched schedules remove old-report --take-over     also where a file declares it

\b
Exit code 1 where there is no such schedule, 2 where a file declares it."""
)
@click.argument("name", metavar="NAME")
@click.option("--take-over", is_flag=True, help="Also where a file declares it.")
@place_options
@click.pass_obj
def remove(wanted: Wanted, name: str, take_over: bool) -> int:
    """Remove a schedule and its ledger; jobs that it made run on."""
    schedules = _schedules(wanted)
    if not schedules.remove(name, take_over=take_over):
        return tell_unknown(schedules, name)
    click.echo(f"{name}: removed")
    return 0


@click.command(
    epilog="""\b
Example:
  sched schedules trigger nightly-report      one job now, whatever is planned

\b
Exit code 1 where the overlap policy skipped it, 2 where there is no such schedule."""
)
@click.argument("name", metavar="NAME")
@json_option
@place_options
@click.pass_obj
def trigger(wanted: Wanted, name: str, as_json: bool) -> int:
    """Run a schedule's task now, outside its grid, under its overlap policy."""
    made = _schedules(wanted).trigger(name)
    if as_json:
        print_json({"schedule": name, "job": made.id if made else None})
    elif made is None:
        tell(f"{name}: skipped: an earlier job has not ended", f"sched why {name} names it")
    else:
        click.echo(made.id)
    return 0 if made else 1


#: What ``sched schedules`` does to one live schedule.
ACTS: Final[tuple[click.Command, ...]] = (history, pause, resume, trigger, backfill, remove)
