"""``sched jobs``: list, show and cancel jobs."""

from __future__ import annotations

import click

from beatline.cli.exits import tell
from beatline.cli.groups import SubcommandGroup
from beatline.cli.output import count_text, print_json, state_text
from beatline.cli.wanted import Wanted, json_option, place_options

_STATES = [
    "scheduled", "queued", "running", "retrying",
    "success", "failure", "cancelled", "expired", "lost", "dead",
]  # fmt: skip


@click.group(cls=SubcommandGroup)
def command() -> None:
    """List, show and cancel jobs."""


@command.command(
    "list",
    epilog="""\b
Examples:
  sched jobs list                          what runs, waits, is scheduled or dead
  sched jobs list --state running
  sched jobs list --state failure          looks through all keys for finished jobs
  sched jobs list --task mail.send --json""",
)
@click.option(
    "--state",
    type=click.Choice(_STATES, case_sensitive=False),
    default=None,
    help="Only jobs in this state.",
)
@click.option("--queue", metavar="NAME", default=None, help="Only jobs of this queue.")
@click.option("--task", metavar="NAME", default=None, help="Only jobs of this task.")
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many."
)
@json_option
@place_options
@click.pass_obj
def list_(
    wanted: Wanted,
    state: str | None,
    queue: str | None,
    task: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """List jobs: those that run first, then the ready, then what is due next."""
    from beatline.cli.job_views import job_json, print_jobs
    from beatline.cli.reach import open_app

    app = open_app(wanted)
    views = app.jobs.list(state=state, queue=queue, task=task, limit=limit + 1)
    is_cut, views = len(views) > limit, views[:limit]
    if as_json:
        print_json([job_json(view) for view in views])
        return 0
    print_jobs(views)
    more = f"; more than {limit} there are: raise --limit" if is_cut else ""
    click.echo(f"\n{count_text(len(views), 'job')}{more}")
    return 0


@command.command(
    epilog="""\b
Example:
  sched jobs show 019612f8-5c3a-7000-8f00-0123456789ab"""
)
@click.argument("id", metavar="ID")
@json_option
@place_options
@click.pass_obj
def show(wanted: Wanted, id: str, as_json: bool) -> int:  # noqa: A002 - as it is typed
    """Show all that is known of a job: where it is, its call, its result or traceback."""
    from beatline.cli.job_views import job_json, print_job
    from beatline.cli.reach import open_app

    app = open_app(wanted)
    view = app.jobs.get(id)
    if as_json:
        print_json(job_json(view))
    elif str(view.state) == "UNKNOWN":
        tell(
            f"no job {id} in namespace {app.settings.namespace}",
            "it never existed, or its result was not kept or has run out",
        )
    else:
        print_job(view)
    return 1 if str(view.state) == "UNKNOWN" else 0


@command.command(
    epilog="""\b
Examples:
  sched jobs cancel 019612f8-5c3a-7000-8f00-0123456789ab
  sched jobs cancel --terminate ID...      kill the process of those that run

\b
Exit code 0 where all were removed before their start, 1 where one was not."""
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--terminate", is_flag=True, help="Kill the process of a running job.")
@json_option
@place_options
@click.pass_obj
def cancel(wanted: Wanted, ids: tuple[str, ...], terminate: bool, as_json: bool) -> int:
    """Remove jobs before they start; those that run are stopped by their worker."""
    from beatline.answers import AlreadyDone, AlreadyRunning, Cancelled
    from beatline.cli.reach import open_app

    app = open_app(wanted)
    answers = [(id, app.jobs.cancel(id, terminate=terminate)) for id in ids]  # noqa: A001
    told = []
    for id, answer in answers:  # noqa: A001
        match answer:
            case Cancelled():
                told.append({"id": id, "answer": "cancelled"})
                line = f"{state_text('CANCELLED')} before it started"
            case AlreadyRunning(worker=worker):
                told.append({"id": id, "answer": "running", "worker": worker})
                line = f"{state_text('RUNNING')} on {worker}, which is told to stop it"
            case AlreadyDone(state=state):
                told.append({"id": id, "answer": "done", "state": str(state)})
                line = f"over already: {state_text(state)}"
            case _:
                told.append({"id": id, "answer": "unknown"})
                line = "no such job"
        if not as_json:
            click.echo(f"{id}  {line}")
    if as_json:
        print_json(told)
    return 0 if all(answer for _, answer in answers) else 1
