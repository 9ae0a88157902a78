"""``sched schedules preview``: the next fire times, and the hours in which many come together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from beatline.cli.exits import warn
from beatline.cli.output import instant_json, print_json, print_table, span_text
from beatline.cli.place_options import json_option, place_options
from beatline.cli.wanted import Wanted

if TYPE_CHECKING:
    from beatline_schedules import HourLoad, Preview, Row

#: Fire times of each schedule where neither -n nor --to says otherwise.
_COUNT: Final = 5
#: Span of --load where --to does not say otherwise, ms.
_DAY_MS: Final = 86_400_000
#: Characters of the longest bar.
_BAR: Final = 40


@click.command(
    epilog="""\b
Examples:
  sched schedules preview schedules/*.yaml               the next 5 of each
  sched schedules preview a.yaml --from 2026-10-24 --to 2026-10-25   over a change of the clocks
  sched schedules preview schedules --load               the next 24 hours, hour by hour
  sched schedules preview                                what is live in Redis"""
)
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1, 10_000),
    default=None,
    help=f"Fire times of each schedule.  [default: {_COUNT}; with --to or --load all]",
)
@click.option(
    "--from",
    "start",
    metavar="TIME",
    default=None,
    help="Begin at this instant; UTC without an offset.  [default: now]",
)
@click.option(
    "--to",
    "end",
    metavar="TIME",
    default=None,
    help="Last instant, included; UTC without an offset, a date alone is all of its day.",
)
@click.option(
    "--load", "shows_load", is_flag=True, help="Show how many come in each hour, and at once."
)
@json_option
@place_options
@click.pass_obj
def preview(
    wanted: Wanted,
    /,
    *,
    paths: tuple[str, ...],
    count: int | None,
    start: str | None,
    end: str | None,
    shows_load: bool,
    as_json: bool,
) -> int:
    """Show the next fire times, in the schedule's zone and in UTC, with what DST does to them."""
    from beatline.cli.schedules import live_schedules, loaded
    from beatline_schedules import preview as work_out

    schedules = loaded(wanted, paths).schedules if paths else live_schedules(wanted)
    from_ms = int(time.time() * 1_000) if start is None else _instant_ms(start, "--from")
    to_ms = from_ms + _DAY_MS - 1 if shows_load else None
    if end is not None:
        to_ms = _instant_ms(end, "--to", ends_day=True)
    if to_ms is not None and to_ms < from_ms:
        raise click.UsageError("--to lies before --from", click.get_current_context())
    if count is None and to_ms is None:
        count = _COUNT
    found = work_out(schedules, from_ms=from_ms, to_ms=to_ms, count=count)
    if as_json:
        print_json(_preview_json(found))
        return 0
    if shows_load:
        _print_load(found.load)
    else:
        _print_rows(found.rows)
    if found.is_cut:
        warn(f"there are more than {len(found.rows):,}; only the earliest are told")
    for name in found.paused:
        click.echo(f"{name}: paused")
    for name in found.silent:
        click.echo(f"{name}: {'never fires again' if to_ms is None else 'does not fire then'}")
    return 0


def _instant_ms(text: str, name: str, *, ends_day: bool = False) -> int:
    from beatline.triggers.reading import read_moment_ms
    from beatline.triggers.zones import zone

    return read_moment_ms(text, name, zone("UTC"), ends_day=ends_day)


def _print_rows(rows: Iterable[Row]) -> None:
    print_table(
        ["LOCAL", "UTC", "NAME", "REMARK"],
        [
            [
                row.local.strftime("%a %Y-%m-%d %H:%M:%S %Z"),
                instant_json(row.nominal_ms) or "",
                row.name,
                " ".join(filter(None, (_jitter_text(row.due_ms - row.nominal_ms), row.remark))),
            ]
            for row in rows
        ],
    )


def _jitter_text(jitter_ms: int) -> str:
    return f"+{span_text(jitter_ms)} jitter" if jitter_ms else ""


def _print_load(load: Sequence[HourLoad]) -> None:
    """One line an hour; a herd is what comes within one second."""
    most = max((hour.fires for hour in load), default=1)
    print_table(
        ["HOUR (UTC)", "JOBS", "AT ONCE", "AT", ""],
        [
            [
                datetime.fromtimestamp(hour.start_ms / 1_000, UTC).strftime("%a %Y-%m-%d %H:00"),
                f"{hour.fires:,}",
                f"{hour.peak:,}",
                datetime.fromtimestamp(hour.peak_ms / 1_000, UTC).strftime("%H:%M:%S"),
                "#" * max(1, round(_BAR * hour.fires / most)),
            ]
            for hour in load
        ],
    )
    if load:
        herd = max(load, key=lambda hour: hour.peak)
        total = sum(hour.fires for hour in load)
        at = datetime.fromtimestamp(herd.peak_ms / 1_000, UTC)
        click.echo(
            f"\n{total:,} jobs; at most {herd.peak:,} in one second, first at {at:%a %H:%M:%S}"
        )


def _preview_json(found: Preview) -> dict[str, Any]:
    return {
        "fire_times": [
            {
                "schedule": row.name,
                "fire_time": instant_json(row.nominal_ms),
                "due": instant_json(row.due_ms),
                "local": row.local.isoformat(),
                "remark": row.remark,
            }
            for row in found.rows
        ],
        "load": [
            {
                "hour": instant_json(hour.start_ms),
                "jobs": hour.fires,
                "at_once": hour.peak,
                "at": instant_json(hour.peak_ms),
            }
            for hour in found.load
        ],
        "paused": found.paused,
        "silent": found.silent,
        "is_cut": found.is_cut,
    }
