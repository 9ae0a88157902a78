"""``sched jobs``: list, show, move and cancel jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from beatline.cli.exits import tell
from beatline.cli.groups import SubcommandGroup
from beatline.cli.output import count_text, instant_json, print_json, state_text
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted

if TYPE_CHECKING:
    from beatline import App
    from beatline.answers import RescheduleAnswer

_STATES = [
    "scheduled", "queued", "running", "retrying",
    "success", "failure", "cancelled", "expired", "lost", "dead",
]  # fmt: skip


@click.group(cls=SubcommandGroup)
def command() -> None:
    """List, show, move and cancel jobs."""


@command.command(
    "list",
    epilog="""\b
Examples:
  sched jobs list                          what runs, waits, is scheduled or dead
  sched jobs list --state running
  sched jobs list --state failure          looks through all keys for finished jobs
  sched jobs list --task mail.send --json
  sched jobs list --tag eu --from 2026-12-24 --to 2026-12-26""",
)
@click.option(
    "--state",
    type=click.Choice(_STATES, case_sensitive=False),
    default=None,
    help="Only jobs in this state.",
)
@click.option("--queue", metavar="NAME", default=None, help="Only jobs of this queue.")
@click.option("--task", metavar="NAME", default=None, help="Only jobs of this task.")
@click.option("--tag", metavar="TEXT", default=None, help="Only jobs that were sent with this tag.")
@click.option(
    *("--from", "start"), metavar="TIME", default=None, help="Only what waits until then or later."
)
@click.option(
    *("--to", "end"),
    metavar="TIME",
    default=None,
    help="Only what is due by then; a date alone is all of its day.",
)
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many."
)
@json_option
@place_options
@click.pass_obj
def list_(
    wanted: Wanted,
    /,
    start: str | None,
    end: str | None,
    limit: int,
    as_json: bool,
    **only: str | None,
) -> int:
    """List jobs: those that run first, then the ready, then what is due next."""
    from beatline.cli.job_views import job_json, print_jobs
    from beatline.cli.reach import open_app

    app = open_app(wanted)
    views = app.jobs.list(
        **only,
        due_from=None if start is None else _moment(app, start, "--from"),
        due_until=None if end is None else _moment(app, end, "--to", ends_day=True),
        limit=limit + 1,
    )
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
  sched jobs reschedule 019612f8-5c3a-7000-8f00-0123456789ab --in 2h
  sched jobs reschedule ID... --at 2026-12-01T09:00
  sched jobs reschedule ID... --now

\b
Exit code 0 where all were moved, 1 where one runs, is over or unknown."""
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--at", metavar="TIME", default=None, help="Then; wall time in the app's zone.")
@click.option("--in", "delay", metavar="DURATION", default=None, help="So long from now.")
@click.option("--now", "is_now", is_flag=True, help="Run now.")
@json_option
@place_options
@click.pass_obj
def reschedule(
    wanted: Wanted, /, ids: tuple[str, ...], at: str | None, as_json: bool, **when: Any
) -> int:
    """Move jobs that wait to another instant; those that run are left alone."""
    from beatline.cli.reach import open_app

    if [at is not None, when["delay"] is not None, when["is_now"]].count(True) != 1:
        raise click.UsageError("give one of --at, --in and --now")
    app = open_app(wanted)
    eta = None if at is None else _moment(app, at, "--at")
    answers = [
        app.jobs.run_now(id)
        if when["is_now"]
        else app.jobs.reschedule(id, eta=eta, countdown=when["delay"])
        for id in ids  # noqa: A001
    ]
    told = [_moved(answer) for answer in answers]
    if as_json:
        print_json(told)
    for one in () if as_json else told:
        click.echo(f"{one['id']}  {_moved_text(one)}")
    return 0 if all(answers) else 1


def _moment(app: App, text: str, name: str, *, ends_day: bool = False) -> datetime:
    """A moment as typed; without an offset it is wall time in the app's zone."""
    from beatline.triggers.reading import read_moment_ms
    from beatline.triggers.zones import zone
    from beatline.units import moment_of

    return moment_of(read_moment_ms(text, name, zone(app.settings.timezone), ends_day=ends_day))


def _moved(answer: RescheduleAnswer) -> dict[str, Any]:
    from beatline.answers import AlreadyDone, AlreadyRunning, Rescheduled

    match answer:
        case Rescheduled(due_ms=due_ms):
            due = instant_json(due_ms) if due_ms else None
            return {"id": answer.id, "answer": "rescheduled", "due": due}
        case AlreadyRunning(worker=worker):
            return {"id": answer.id, "answer": "running", "worker": worker}
        case AlreadyDone(state=state):
            return {"id": answer.id, "answer": "done", "state": str(state)}
    return {"id": answer.id, "answer": "unknown"}


def _moved_text(told: dict[str, Any]) -> str:
    match told["answer"]:
        case "rescheduled":
            return f"is due at {told['due']}" if told["due"] else "runs now"
        case "running":
            return f"{state_text('RUNNING')} on {told['worker']}: too late to move it"
        case "done":
            return f"over already: {state_text(told['state'])}"
    return "no such job"


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
