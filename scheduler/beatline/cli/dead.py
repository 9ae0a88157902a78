"""``sched dead``: the dead letters, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from beatline.cli.exits import tell
from beatline.cli.groups import SubcommandGroup
from beatline.cli.output import count_text, one_line, print_json, print_table
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted

if TYPE_CHECKING:
    from beatline.app import App
    from beatline.wire.connection import HeldConnection

#: Jobs that one script call revives or drops.
_BATCH = 100


@click.group(cls=SubcommandGroup)
def command() -> None:
    """Dead letters: jobs that took their process down too often, or were rejected."""


@command.command(
    "list",
    epilog="""\b
Example:
  sched dead list --json | jq -r '.[].id'""",
)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="At most so many, the newest first.",
)
@json_option
@place_options
@click.pass_obj
def list_(wanted: Wanted, limit: int, as_json: bool) -> int:
    """List dead letters, the newest first, with the reason."""
    from beatline.cli.job_views import call_text, job_json
    from beatline.cli.reach import open_app

    views = open_app(wanted).jobs.dead(limit=limit)
    if as_json:
        print_json([job_json(view) for view in views])
        return 0
    print_table(
        ["ID", "DEATHS", "REASON", "CALL"],
        [
            [
                view.id,
                str(view.deliveries),
                one_line(_reason(view.forensics), 50),
                one_line(call_text(view.job)) if view.job else view.problem or "-",
            ]
            for view in views
        ],
        right=(1,),
    )
    click.echo(f"\n{count_text(len(views), 'dead letter')}")
    return 0


def _reason(forensics: str) -> str:
    import json

    try:
        told = json.loads(forensics)
    except ValueError:
        return forensics or "?"
    if not isinstance(told, dict):
        return str(told)
    return str(told.get("reason") or told.get("cause") or "?")


@command.command(
    epilog="""\b
Example:
  sched dead show 019612f8-5c3a-7000-8f00-0123456789ab"""
)
@click.argument("id", metavar="ID")
@json_option
@place_options
@click.pass_obj
def show(wanted: Wanted, id: str, as_json: bool) -> int:  # noqa: A002 - as it is typed
    """Show a dead letter: its call, and signal, exit code, host and memory of its end."""
    from beatline.cli.job_views import job_json, print_job
    from beatline.cli.reach import open_app

    view = open_app(wanted).jobs.get(id)
    if str(view.state) != "DEAD":
        tell(f"job {id} is no dead letter, it is {view.state}", "see sched dead list")
        return 1
    if as_json:
        print_json(job_json(view))
    else:
        print_job(view)
    return 0


@command.command(
    epilog="""\b
Examples:
  sched dead revive ID...      back into their queues, charges cleared
  sched dead revive --all"""
)
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--all", "takes_all", is_flag=True, help="All dead letters.")
@json_option
@place_options
@click.pass_obj
def revive(wanted: Wanted, ids: tuple[str, ...], takes_all: bool, as_json: bool) -> int:
    """Put dead letters back into their queues, as if they had never failed."""
    from beatline.store.burying import revive as revive_in

    return _change(wanted, ids, revive_in, "revived", takes_all=takes_all, as_json=as_json)


@command.command(
    epilog="""\b
Examples:
  sched dead drop ID...
  sched dead drop --all        there is no way back"""
)
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--all", "takes_all", is_flag=True, help="All dead letters.")
@json_option
@place_options
@click.pass_obj
def drop(wanted: Wanted, ids: tuple[str, ...], takes_all: bool, as_json: bool) -> int:
    """Remove dead letters for good."""
    from beatline.store.burying import drop as drop_in

    return _change(wanted, ids, drop_in, "dropped", takes_all=takes_all, as_json=as_json)


def _change(
    wanted: Wanted,
    ids: Sequence[str],
    change: Callable[[HeldConnection, bytes, Sequence[bytes]], list[bytes]],
    done: str,
    *,
    takes_all: bool,
    as_json: bool,
) -> int:
    from beatline.cli.reach import connection_to, open_app
    from beatline.ids import id_text

    if takes_all == bool(ids):
        raise click.UsageError("name ids, or say --all", click.get_current_context())
    app = open_app(wanted)
    changed: list[str] = []
    with connection_to(app) as connection:
        for where, raw_ids in _by_partition(app, connection, ids).items():
            for first in range(0, len(raw_ids), _BATCH):
                page = raw_ids[first : first + _BATCH]
                changed += [id_text(raw) for raw in change(connection, where, page)]
    missed = [id for id in ids if id not in set(changed)]  # noqa: A001 - as it is typed
    if as_json:
        print_json({done: changed, "not_dead": missed})
    else:
        click.echo(f"{count_text(len(changed), 'job')} {done}")
        for id in missed:  # noqa: A001
            tell(f"job {id} is no dead letter", "see sched dead list")
    return 1 if missed else 0


def _by_partition(
    app: App, connection: HeldConnection, ids: Sequence[str]
) -> dict[bytes, list[bytes]]:
    """The ids as Redis has them, by key prefix; all dead letters where none is named."""
    from beatline.ids import id_from_text, partition_of
    from beatline.keys import prefix
    from beatline.store.reading import dead_page

    partitions = app.settings.partitions
    prefixes = [prefix(app.settings.namespace, number) for number in range(partitions)]
    found: dict[bytes, list[bytes]] = {where: [] for where in prefixes}
    for text in ids:
        raw_id = id_from_text(text)
        found[prefixes[partition_of(raw_id, partitions)]].append(raw_id)
    if not ids:
        for where in prefixes:
            while page := dead_page(connection, where, len(found[where])):
                found[where] += page
    return found
