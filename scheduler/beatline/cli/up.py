"""``sched up``: embedded Redis, beat and worker together on this machine, with a live view."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import click

from beatline.cli.arguments import schedule_options, schedule_paths
from beatline.cli.place_options import place_options
from beatline.cli.wanted import Wanted


@click.command(
    epilog="""\b
Examples:
  sched up -A app.py:app --schedules schedules   server, beat and worker, live
  sched up -A app.py:app --schedules s --watch   apply changed files while it runs
  sched up -A app.py:app                         without schedules: ETA and queued jobs
  sched up --only server                         the embedded server alone
  sched up -A app.py:app --enqueue backup        send one job at the start

\b
The server's data lies in .beatline, in this folder or one of its parents, and stays
for the next start. With --redis, BEATLINE_REDIS_URL or App(redis=...) no server is
started. Ctrl-C ends worker, beat and server in order; a second one hands running
jobs back at once."""
)
@place_options
@schedule_options
@click.option("--only", type=click.Choice(["server"]), help="Run the embedded server alone.")
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(1, 512),
    default=None,
    metavar="N",
    help="Children of the worker.  [default: one per core]",
)
@click.option(
    "-Q",
    "--queues",
    metavar="NAMES",
    default="",
    help="Queues of the worker, in order, or NAME=WEIGHT each.  [default: the app's]",
)
@click.option(
    "--view/--no-view",
    default=None,
    help="Live view or plain lines.  [default: live on a terminal]",
)
@click.option(
    "--enqueue",
    metavar="TASK",
    multiple=True,
    help="Send a job of this task at the start; may be repeated.",
)
@click.pass_obj
def command(
    wanted: Wanted,
    /,
    *,
    schedules: tuple[str, ...],
    more_schedules: tuple[str, ...],
    watch: bool,
    only: str | None,
    concurrency: int | None,
    queues: str,
    view: bool | None,
    enqueue: tuple[str, ...],
) -> int:
    """Run all of Beatline here: the embedded server, one beat, and one worker."""
    paths = schedule_paths(schedules, more_schedules, watch=watch)
    wanted.pass_on()
    if only == "server":
        return _run_server(wanted)
    wanted.required_app()
    from beatline.cli.up_run import Up

    is_live = sys.stdout.isatty() if view is None else view
    limits = {"concurrency": concurrency, "queues": queues}
    return Up(wanted, paths, limits, list(enqueue), is_live=is_live, watch=watch).run()


def _run_server(wanted: Wanted) -> int:
    from beatline.cli.bell import Bell
    from beatline.cli.ensemble import Ensemble
    from beatline.cli.plain_stage import PlainStage
    from beatline.cli.server_start import start_server
    from beatline.logs import set_up_logging

    set_up_logging(wanted.log_level or "warning")
    # Standard output has the URL alone: URL=$(sched up --only server | head -n 1) &
    stage = PlainStage(sys.stderr)
    with Bell() as bell, ExitStack() as stack:
        server = start_server(stage, bell)
        stack.callback(server.stop)
        click.echo(server.url)
        stage.tell("clients in this folder and below find it by themselves; Ctrl-C ends it")
        return Ensemble([], stage, bell, server=server).run()
