"""What commands print: JSON for programs, columns and instants for people."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from beatline.states import JobState
from beatline.units import moment_of

if TYPE_CHECKING:
    from beatline.store.expecting import Alert

#: Colours of states, where standard output is a terminal.
_COLOURS: Final[Mapping[str, str]] = {
    JobState.SUCCESS: "green",
    JobState.RUNNING: "cyan",
    JobState.FAILURE: "red",
    JobState.DEAD: "red",
    JobState.LOST: "red",
    JobState.RETRYING: "yellow",
    JobState.CANCELLED: "yellow",
    JobState.EXPIRED: "yellow",
}

#: Units of spans, largest first: seconds and the letters behind the number.
_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def print_json(value: Any) -> None:
    """Print a value as JSON; what JSON does not know is printed as text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def instant_json(ms: int | None) -> str | None:
    """The instant as ISO 8601 in UTC with milliseconds, or None."""
    return None if ms is None else moment_of(ms).isoformat(timespec="milliseconds")


def instant_text(ms: int | None) -> str:
    """The instant on this machine's wall clock, as ``systemctl list-timers`` writes it."""
    if ms is None:
        return "-"
    local: datetime = moment_of(ms).astimezone()
    return local.strftime("%a %Y-%m-%d %H:%M:%S %Z")


def span_text(ms: int) -> str:
    """How long, in at most two units: ``3d 4h``, ``2min 5s``, ``340ms``."""
    if ms < 0:
        return f"-{span_text(-ms)}"
    if ms < 1_000:
        return f"{ms}ms"
    if ms < 10_000:
        return f"{ms / 1_000:.1f}s".replace(".0s", "s")
    seconds = ms // 1_000
    for index, (length, letters) in enumerate(_SPANS):
        count, rest = divmod(seconds, length)
        if count:
            text = f"{count}{letters}"
            if index + 1 < len(_SPANS):
                smaller, smaller_letters = _SPANS[index + 1]
                if rest // smaller:
                    text += f" {rest // smaller}{smaller_letters}"
            return text
    return "0s"


def left_text(ms: int | None, now_ms: int) -> str:
    """How long until an instant, or how long it is overdue."""
    if ms is None:
        return "-"
    return f"{span_text(now_ms - ms)} overdue" if ms < now_ms else span_text(ms - now_ms)


def passed_text(ms: int | None, now_ms: int) -> str:
    """How long ago an instant was."""
    return "-" if ms is None else f"{span_text(max(now_ms - ms, 0))} ago"


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert, for programs."""
    return {
        "schedule": alert.schedule,
        "raised": instant_json(alert.raised_ms),
        "expect_within_ms": alert.within_ms,
        "last_success": instant_json(alert.last_success_ms),
    }


def count_text(count: int, what: str, plural: str = "") -> str:
    """``1 job``, ``2 jobs``."""
    return f"{count:,} {what if count == 1 else plural or f'{what}s'}"


def state_text(state: str) -> str:
    """A state in its colour."""
    colour = _COLOURS.get(state)
    return click.style(state, fg=colour) if colour else state


def one_line(text: str, width: int = 200) -> str:
    """The text without line breaks and control characters, cut where it is long."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> None:
    """
    Print columns, as wide as their widest cell; on a terminal the last one is cut to fit.

    Args:
        headings: One for each column.
        rows: Cells; they may be styled.
        right: Numbers of the columns that are set to the right.
    """
    table = [list(headings), *(list(row) for row in rows)]
    widths = [max(len(click.unstyle(row[at])) for row in table) for at in range(len(headings))]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for row in table:
        cells = [_padded(cell, widths[at], is_right=at in right) for at, cell in enumerate(row)]
        line = "  ".join(cells).rstrip()
        if room and len(click.unstyle(line)) > room:
            line = _cut(line, room)
        click.echo(line)


def _padded(cell: str, width: int, *, is_right: bool) -> str:
    padding = " " * (width - len(click.unstyle(cell)))
    return padding + cell if is_right else cell + padding


def _cut(line: str, room: int) -> str:
    plain = click.unstyle(line)
    # A styled cell is cut without its style: escapes must not be torn apart.
    return plain[: room - 1] + "…"
