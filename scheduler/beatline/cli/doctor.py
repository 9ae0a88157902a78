"""``sched doctor``: is this Redis fit for jobs, and is what lies in it sound?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from beatline.cli.output import print_json
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted

if TYPE_CHECKING:
    from beatline.cli.examination import Finding

_SIGNS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "bad": ("BAD ", "red")}


@click.command(
    epilog="""\b
Examples:
  sched doctor
  sched doctor --check-invariants     reads all records: seconds for a million jobs

\b
Exit code 1 where something is bad or doubtful; each finding comes with its remedy."""
)
@click.option("--check-invariants", is_flag=True, help="Look whether what lies in Redis is sound.")
@json_option
@place_options
@click.pass_obj
def command(wanted: Wanted, check_invariants: bool, as_json: bool) -> int:
    """Examine version, persistence, memory policy, replication, clocks and time zones."""
    from beatline.cli.examination import examine, examine_invariants
    from beatline.cli.reach import connection_to, open_app

    app = open_app(wanted)
    with connection_to(app) as connection:
        findings = examine(connection, app.settings)
        if check_invariants:
            findings += examine_invariants(connection, app.settings)
        where = connection.endpoint.safe_url
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        click.echo(f"Redis at {where}\n")
        for finding in findings:
            _print(finding)
    return 0 if all(finding.level == "ok" for finding in findings) else 1


def _print(finding: Finding) -> None:
    sign, colour = _SIGNS[finding.level]
    click.echo(f"{click.style(sign, fg=colour)}  {finding.what}: {finding.found}")
    if finding.remedy:
        click.echo(f"      remedy: {finding.remedy}")
