"""``sched schedules backfill``: jobs for fire times that have passed, and how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from beatline.cli.exits import INTERRUPTED, tell, warn
from beatline.cli.output import count_text, instant_text, print_json, print_table
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted

if TYPE_CHECKING:
    from beatline.backfill import Backfilled, Progress

#: Overlap policies, as words; `beatline.schedule.Overlap` says what they mean.
_POLICIES: Final = ("buffer_all", "allow", "skip", "buffer_one", "cancel_running")
#: Fire times that ``--dry-run`` shows; of more the first and the last ones.
_MOST_SHOWN: Final = 40
#: Shortest time between two lines where there is no terminal, seconds.
_LINE_PAUSE_S: Final = 2.0


@click.command(
    epilog="""\b
Examples:
  sched schedules backfill nightly --from 2026-01-01 --to 2026-01-31 --dry-run
  sched schedules backfill nightly --from 2026-01-01 --to 2026-01-31
  sched schedules backfill probe --from 2026-01-05T02:00 --to 2026-01-05T04:30 --overlap allow
  sched schedules backfill nightly --from 2026-01-05 --to 2026-01-05 --all --run again

\b
The same command again goes on where one was broken off, and makes each job once.
Exit code 1 where --no-wait left some for later, 2 where there is no such schedule."""
)
@click.argument("name", metavar="NAME")
@click.option("--from", "start", metavar="TIME", required=True, help="First instant.")
@click.option(
    *("--to", "end"),
    metavar="TIME",
    required=True,
    help="Last instant, included; a date alone is all of its day.",
)
@click.option(
    "--overlap",
    type=click.Choice(_POLICIES),
    default="buffer_all",
    show_default=True,
    help="While an earlier job has not ended: wait for it, run beside it, or skip.",
)
@click.option("--all", "everything", is_flag=True, help="Also what has made a job before.")
@click.option("--run", default="", metavar="TEXT", help="Name of the run.  [default: the span]")
@click.option("--queue", default=None, help="Queue of the jobs.  [default: the schedule's]")
@click.option("--priority", type=click.IntRange(0, 9), default=None, help="Of the jobs.")
@click.option(
    "--most",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    help="Refuse a span with more fire times.",
)
@click.option("--no-wait", is_flag=True, help="Stop where 500 jobs wait for their turn.")
@click.option("--dry-run", is_flag=True, help="Tell what would be made, and change nothing.")
@json_option
@place_options
@click.pass_obj
def backfill(wanted: Wanted, /, name: str, as_json: bool, **options: Any) -> int:
    """Make the jobs of fire times that have passed without one, oldest first."""
    from beatline.cli.reach import open_app

    schedules = open_app(wanted).schedules
    is_dry = options["dry_run"]
    last: list[Progress] = []
    try:
        with _shown(name, is_silent=is_dry) as show:

            def note(progress: Progress) -> None:
                last[:] = [progress]
                show(progress)

            done = schedules.backfill(
                name,
                options["start"],
                options["end"],
                overlap=options["overlap"],
                run=options["run"],
                including_fired=options["everything"],
                queue=options["queue"],
                priority=options["priority"],
                most=options["most"],
                wait=not options["no_wait"],
                dry_run=is_dry,
                progress=note,
            )
    except KeyboardInterrupt:
        how_far = f" after {last[0].dealt:,} of {last[0].total:,} fire times" if last else ""
        tell(f"{name}: broken off{how_far}", "the same command goes on from there")
        return INTERRUPTED
    if as_json:
        print_json(_json(done, is_dry=is_dry))
    elif is_dry:
        _print_plan(done)
    else:
        _print_done(done)
    return 0 if is_dry or done.is_done else 1


@contextmanager
def _shown(name: str, *, is_silent: bool) -> Iterator[Callable[[Progress], None]]:
    """Shows how far it is on standard error: a bar on a terminal, else a line now and then."""
    if is_silent:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar(name) as show:
            yield show
    else:
        told_at = time.monotonic()

        def tell_line(progress: Progress) -> None:
            nonlocal told_at
            if time.monotonic() - told_at >= _LINE_PAUSE_S:
                told_at = time.monotonic()
                click.echo(f"{name}: {_how_far(progress)}", err=True)

        yield tell_line


@contextmanager
def _bar(name: str) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[how_far]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        row = bar.add_task(escape(name), total=None, how_far="reads the ledger")

        def show(progress: Progress) -> None:
            bar.update(
                row,
                total=progress.total or 1,
                completed=progress.dealt if progress.total else 1,
                how_far=_how_far(progress),
            )

        yield show


def _how_far(progress: Progress) -> str:
    text = f"{progress.dealt:,} of {count_text(progress.total, 'fire time')}"
    return f"{text}; so many wait for their turn" if progress.waits else text


def _print_plan(done: Backfilled) -> None:
    times = [int(at.timestamp() * 1_000) for at in done.fire_times]
    half = _MOST_SHOWN // 2
    first, last = (times, []) if len(times) <= _MOST_SHOWN else (times[:half], times[-half:])
    rows = [[instant_text(at_ms)] for at_ms in first]
    if last:
        rows += [[f"… {len(times) - 2 * half:,} more"], *([instant_text(at)] for at in last)]
    if rows:
        print_table(["FIRE TIME"], rows)
        click.echo()
    click.echo(f"{done.name}: {count_text(len(times), 'job')} would be made{_remarks(done)}")
    _warn_of_forgotten(done)


def _print_done(done: Backfilled) -> None:
    made = count_text(done.made, "job")
    if done.is_done and done.made + done.skipped and not done.fire_times:
        click.echo(
            f"{done.name}: nothing left to make: run {done.run} made its {made} before; "
            "--run TEXT begins another one"
        )
        return
    skipped = ""
    if done.skipped:
        skipped = f", {done.skipped:,} skipped: an earlier job had not ended (`sched why` names it)"
    click.echo(f"{done.name}: {made} made{skipped}{_remarks(done)}")
    if not done.is_done:
        tell("not all of it: 500 jobs wait for their turn", "the same command goes on from there")
    _warn_of_forgotten(done)


def _remarks(done: Backfilled) -> str:
    text = ""
    if done.left_out:
        text += f"; {count_text(done.left_out, 'fire time')} left out that made a job before"
    if done.undecided:
        text += f"; {count_text(done.undecided, 'fire time')} left to beat: not decided yet"
    return text


def _warn_of_forgotten(done: Backfilled) -> None:
    if done.forgotten:
        warn(
            f"{count_text(done.forgotten, 'fire time')} of these lie before the ledger's memory: "
            "they may have run before"
        )


def _json(done: Backfilled, *, is_dry: bool) -> dict[str, Any]:
    return {
        "schedule": done.name,
        "run": done.run,
        "dry_run": is_dry,
        "made": done.made,
        "skipped": done.skipped,
        "done": done.is_done,
        "fire_times": [at.isoformat(timespec="milliseconds") for at in done.fire_times],
        "left_out": done.left_out,
        "undecided": done.undecided,
        "forgotten": done.forgotten,
    }
