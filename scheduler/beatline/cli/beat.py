"""``sched beat``: fire schedules, promote due jobs, take back what dead workers held."""

from __future__ import annotations

import click

from beatline.cli.arguments import schedule_options, schedule_paths
from beatline.cli.lifeline import lifeline_option
from beatline.cli.place_options import place_options
from beatline.cli.service import Service
from beatline.cli.wanted import Wanted


@click.command(
    epilog="""\b
Examples:
  sched beat --schedules schedules/*.yaml           fire what these files declare
  sched beat -A shop.py:app --schedules schedules   and check them against the app
  sched beat --schedules schedules --watch          and apply them again when they change
  sched beat                                        ETA jobs, retries, and dead workers

\b
Run two or more: one leads, the others take over within two seconds. A beat applies
its files when it starts; a file with problems changes nothing. A beat that finds no
Redis waits for 10 s and then ends with exit code 3."""
)
@place_options
@schedule_options
@lifeline_option
@click.pass_obj
def command(
    wanted: Wanted,
    schedules: tuple[str, ...],
    more_schedules: tuple[str, ...],
    watch: bool,
    lifeline: bool,
) -> Service:
    """Fire schedules and due jobs. Any number of beats may run; each occurrence fires once."""
    paths = schedule_paths(schedules, more_schedules, watch=watch)
    options = {"paths": paths, "watch": watch, "lifeline": lifeline}
    return Service("beat_run", wanted, options)
