"""``sched queues``: how much waits where."""

from __future__ import annotations

import click

from beatline.cli.output import print_json, print_table
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted


@click.command(
    epilog="""\b
Examples:
  sched queues
  sched queues --json | jq '.[] | select(.ready > 1000)'"""
)
@json_option
@place_options
@click.pass_obj
def command(wanted: Wanted, as_json: bool) -> int:
    """Show the queues: how many jobs are ready, scheduled and held, and which are paused."""
    from beatline.cli.reach import open_app

    depths = open_app(wanted).queues.depths()
    if as_json:
        print_json(
            [
                {
                    "name": queue.name,
                    "ready": queue.ready,
                    "scheduled": queue.scheduled,
                    "held": queue.held,
                    "paused": queue.is_paused,
                }
                for queue in depths
            ]
        )
        return 0
    print_table(
        ["QUEUE", "READY", "SCHEDULED", "HELD", "STATE"],
        [
            [
                queue.name,
                f"{queue.ready:,}",
                f"{queue.scheduled:,}",
                f"{queue.held:,}",
                "paused" if queue.is_paused else "open",
            ]
            for queue in depths
        ],
        right=(1, 2, 3),
    )
    return 0
