"""``sched worker``: run jobs; ``--beat`` keeps a beat beside it."""

from __future__ import annotations

from typing import Any

import click

from beatline.cli.arguments import MEMORY, PERIOD, SPAN, schedule_options, schedule_paths
from beatline.cli.lifeline import lifeline_option
from beatline.cli.place_options import place_options
from beatline.cli.service import Service
from beatline.cli.wanted import Wanted


@click.command(
    epilog="""\b
Examples:
  sched worker -A shop.py:app                     one child per core, default queue
  sched worker -A shop.tasks:app -Q mail,default  two queues, mail first, always
  sched worker -A shop.tasks:app -Q mail=3,low=1  mail first in 3 takes of 4
  sched worker -A shop.py:app -c 8 --grace 2m     deploys wait up to two minutes
  sched worker -A shop.py:app -P asyncio -c 2000  2,000 coroutines on one loop
  sched worker -A shop.py:app --autoscale 1,8     one child to eight, by load
  sched worker -A shop.py:app --beat --schedules schedules

\b
TERM and Ctrl-C let running jobs finish within the grace period and hand the rest
back, uncounted; QUIT, or a second Ctrl-C, hands all of it back now. A worker that
finds no Redis waits for 10 s and then ends with exit code 3."""
)
@place_options
@click.option(
    "-c",
    "--concurrency",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=None,
    help="Jobs at a time: prefork's children, else lanes of a child.  [default: by pool]",
)
@click.option(
    "--children",
    metavar="N",
    type=click.IntRange(1, 512),
    default=None,
    help="Children of the threads, asyncio and gevent pools.  [default: 1]",
)
@click.option(
    "--autoscale",
    metavar="MIN,MAX",
    type=SPAN,
    default=None,
    help="Start and end children as work comes and goes.",
)
@click.option(
    "-Q",
    "--queues",
    metavar="NAMES",
    default="",
    help="Queues with commas: a strict order, or NAME=WEIGHT each.  [default: the app's]",
)
@click.option(
    "-P",
    "--pool",
    type=click.Choice(["prefork", "solo", "threads", "asyncio", "gevent"]),
    default="prefork",
    show_default=True,
    help="What runs the jobs of a child: its only thread, or one of several lanes.",
)
@click.option("-n", "--name", metavar="NAME", default="", help="Shown by `sched status`.")
@click.option(
    "--grace",
    type=PERIOD,
    default="30s",
    show_default=True,
    metavar="DURATION",
    help="How long running jobs may go on after TERM.",
)
@click.option(
    "--time-limit",
    type=PERIOD,
    default="0s",
    metavar="DURATION",
    help="Kill a job that runs longer; tasks with limits of their own keep them.",
)
@click.option(
    "--soft-time-limit",
    type=PERIOD,
    default="0s",
    metavar="DURATION",
    help="Raise SoftTimeLimitExceeded in a job that runs longer.",
)
@click.option(
    "--max-tasks-per-child",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Replace a child after so many jobs.",
)
@click.option(
    "--max-memory-per-child",
    type=MEMORY,
    default="0",
    metavar="SIZE",
    help='Replace a child that has grown beyond it, such as "200MB".',
)
@click.option(
    "--health",
    metavar="ADDRESS",
    default="",
    help="Serve /live and /ready for probes, such as :9000.",
)
@click.option(
    "--health-file", metavar="FILE", default="", help="Write the same to a file, as JSON."
)
@click.option(
    "--give-up",
    type=PERIOD,
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="End with exit code 3 after so long without Redis; 0s never.",
)
@click.option("-B", "--beat", "with_beat", is_flag=True, help="Run a beat beside this worker.")
@schedule_options
@lifeline_option
@click.pass_obj
def command(
    wanted: Wanted,
    /,
    *,
    with_beat: bool,
    schedules: tuple[str, ...],
    more_schedules: tuple[str, ...],
    watch: bool,
    lifeline: bool,
    **limits: Any,
) -> Service:
    """Run the jobs of an app: a supervisor that keeps the lease, and children that work."""
    wanted.required_app()
    paths = schedule_paths(schedules, more_schedules, watch=watch)
    if paths and not with_beat:
        raise click.UsageError(
            "--schedules needs --beat: a worker alone fires nothing", click.get_current_context()
        )
    files = {"paths": paths, "watch": watch} if with_beat else None
    return Service("worker_run", wanted, {"limits": limits, "lifeline": lifeline, "beat": files})
