"""``sched schedules import``: schedules of other schedulers as a schedule file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from beatline.cli.output import count_text, print_json
from beatline.cli.place_options import json_option
from beatline.errors import WrongUse

if TYPE_CHECKING:
    from beatline_schedules.importing import Imported

#: As `beatline_schedules.importing.Source` has them; named here to keep start-up short.
_SOURCES: Final = ("crontab", "celery", "redbeat", "k8s", "apscheduler")
#: Most bytes of a file that is imported.
_MAX_BYTES: Final = 16 << 20


@click.command(
    "import",
    epilog="""\b
Examples:
  crontab -l | sched schedules import --from crontab - --timezone Europe/Berlin
  sched schedules import --from crontab /etc/cron.d/backup -o schedules/backup.yaml
  sched schedules import --from celery shop.celery:app
  sched schedules import --from redbeat redis://localhost:6379/1
  kubectl get cronjobs -o yaml | sched schedules import --from k8s -
  sched schedules import --from apscheduler shop.jobs:scheduler

\b
Where the meaning differs, a comment above the schedule says so. What has no counterpart is
told at the end, and the exit code is 1. The file passes `sched schedules check`.""",
)
@click.option(
    "--from",
    "source",
    required=True,
    type=click.Choice(_SOURCES),
    help="What is imported from.",
)
@click.argument("place", metavar="FILE|MODULE|URL")
@click.option("-o", "--output", metavar="FILE", help="Write there instead of standard output.")
@click.option(
    "--task",
    default="shell.run",
    show_default=True,
    help="crontab, k8s: task that gets each command line as its argument.",
)
@click.option("--timezone", default="", help="Zone of times where the source does not say one.")
@click.option(
    "--user-column/--no-user-column",
    default=None,
    help="crontab: whether a user stands before each command.  [default: below /etc]",
)
@click.option(
    "--prefix", default="redbeat:", show_default=True, help="redbeat: what its keys begin with."
)
@json_option
def import_(
    *,
    source: str,
    place: str,
    output: str | None,
    task: str,
    timezone: str,
    user_column: bool | None,
    prefix: str,
    as_json: bool,
) -> int:
    """Write schedules of cron, Celery, Kubernetes or APScheduler as YAML, with remarks."""
    from beatline_schedules.importing import import_schedules, render

    title, given = _given(source, place, prefix)
    if user_column is None:
        user_column = source == "crontab" and place.startswith(("/etc/cron.d/", "/etc/crontab"))
    imported = import_schedules(
        source,
        given,
        title=title,
        task=task,
        timezone=timezone,
        has_user_column=user_column,
        prefix=prefix,
    )
    text = render(imported)
    if output:
        _write(Path(output), text)
    if as_json:
        print_json(_as_json(imported, text))
    elif not output:
        click.echo(text, nl=False)
    _tell(imported, output)
    return 1 if imported.left_out else 0


def _given(source: str, place: str, prefix: str) -> tuple[str, Any]:
    """What the source is called, and what is read from it."""
    if source in ("celery", "apscheduler"):
        return "", place
    if source == "redbeat":
        from beatline.wire.connection import Endpoint
        from beatline_schedules.importing.redbeat_keys import read_definitions

        endpoint = Endpoint(place)
        with endpoint.client() as client:
            return f"redbeat in {endpoint.safe_url}", read_definitions(client, prefix)
    what = "crontab" if source == "crontab" else "Kubernetes manifest"
    return f"{what} {'from standard input' if place == '-' else place}", _text(place)


def _text(place: str) -> str:
    if place == "-":
        content = sys.stdin.buffer.read(_MAX_BYTES + 1)
    else:
        try:
            with Path(place).open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise WrongUse(
                f"{place} cannot be read: {error.strerror}", remedy="name a file, or - for input"
            ) from error
    if len(content) > _MAX_BYTES:
        raise WrongUse(f"{place} is larger than 16 MiB", remedy="import it in parts")
    return content.decode("utf-8", "replace")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise WrongUse(
            f"{path} is there already", remedy="name another file, or remove that one first"
        ) from None
    except OSError as error:
        raise WrongUse(
            f"{path} cannot be written: {error.strerror}", remedy="name another file"
        ) from error


def _tell(imported: Imported, output: str | None) -> None:
    remarks = sum(len(entry.remarks) for entry in imported.entries) + len(imported.remarks)
    told = [count_text(len(imported.entries), "schedule"), count_text(remarks, "remark")]
    if imported.left_out:
        told.append(f"{len(imported.left_out)} not imported, see the end of the file")
    click.echo(f"{', '.join(told)}{f' -> {output}' if output else ''}", err=True)


def _as_json(imported: Imported, text: str) -> dict[str, Any]:
    return {
        "title": imported.title,
        "remarks": list(imported.remarks),
        "defaults": imported.defaults,
        "schedules": {
            entry.name: {
                "fields": entry.fields,
                "origin": entry.origin,
                "remarks": list(entry.remarks),
            }
            for entry in imported.entries
        },
        "left_out": [{"name": one.name, "reason": one.reason} for one in imported.left_out],
        "yaml": text,
    }
