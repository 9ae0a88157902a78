"""``sched why``: what became of one occurrence of a schedule, in one sentence."""

from __future__ import annotations

import click

from beatline.cli.exits import tell
from beatline.cli.output import instant_json, print_json
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted


@click.command(
    epilog="""\b
Examples:
  sched why nightly-report                         its latest occurrence
  sched why nightly-report --at 02:30              the last 02:30 of its zone
  sched why nightly-report --at 2026-03-29T02:30   wall time of its zone
  sched why nightly-report --at 2026-03-29         that day's first
  sched why nightly-report --at 2026-03-29T00:30Z --json

\b
Exit code 1 where there is no such schedule."""
)
@click.argument("name", metavar="NAME")
@click.option(
    "--at",
    metavar="TIME",
    default=None,
    help="The fire time; without an offset it is wall time in the schedule's zone.",
)
@json_option
@place_options
@click.pass_obj
def command(wanted: Wanted, name: str, at: str | None, as_json: bool) -> int:
    """Tell what became of an occurrence: fired, skipped, missed or never planned, and why."""
    from beatline.cli.reach import open_app
    from beatline.cli.schedule_acts import occurrence_json
    from beatline.explaining import Verdict

    told = open_app(wanted).schedules.why(name, at)
    is_unknown = told.verdict is Verdict.UNKNOWN_SCHEDULE
    if as_json:
        print_json(
            {
                "schedule": told.name,
                "verdict": str(told.verdict),
                "sentence": told.sentence,
                "fire_time": instant_json(told.fire_ms),
                "next": instant_json(told.next_ms),
                "occurrence": occurrence_json(told.occurrence) if told.occurrence else None,
            }
        )
    elif is_unknown:
        tell(told.sentence)
    else:
        click.echo(told.sentence)
    return 1 if is_unknown else 0
