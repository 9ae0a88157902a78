"""The stage of `sched up` on a terminal: next runs and last results, redrawn as they change."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from beatline.cli.happenings import EndedJob, Happenings, NextRun, Picture
from beatline.cli.output import count_text, one_line, span_text
from beatline.states import JobState
from beatline.units import moment_of

#: Rows of the two tables at most; fewer on a low terminal.
_MOST_ROWS: Final = 15
#: Lines of the view that are no rows of a table.
_FRAME_ROWS: Final = 9

_STYLES: Final = {
    JobState.SUCCESS: "green",
    JobState.FAILURE: "red",
    JobState.DEAD: "red",
    JobState.LOST: "red",
}


class LiveStage:
    """
    Draws the view at the foot of the terminal; everything else scrolls above it.

    Args:
        title: What is run, and where.
        happenings: What is shown.
    """

    def __init__(self, title: Callable[[], str], happenings: Happenings) -> None:
        self._title = title
        self._happenings = happenings
        self._console = Console(highlight=False)
        self._ended: deque[EndedJob] = deque(maxlen=_MOST_ROWS)
        self._live = Live(
            console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    def tell(self, line: str, *, is_trouble: bool = False) -> None:
        """A line above the view."""
        self._console.print(Text(f"up: {line}", style="yellow" if is_trouble else "dim"))

    def pass_on(self, name: str, line: str) -> None:
        """A companion's line above the view."""
        self._console.print(Text(f"{name}: ", style="dim").append(Text.from_ansi(line)))

    def refresh(self) -> None:
        """Draw the view anew."""
        self._ended.extend(self._happenings.take_ended())
        self._live.update(self._view(), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def _view(self) -> RenderableType:
        picture = self._happenings.picture
        parts: list[RenderableType] = [Text(self._title(), style="bold")]
        if picture is None:
            return Group(*parts, Text("starting …", style="dim"))
        parts.append(Text(_numbers(picture)))
        if picture.trouble:
            parts.append(Text(one_line(picture.trouble), style="red"))
        room = max(self._console.height - _FRAME_ROWS, 4)
        shown_runs = min(len(picture.next_runs), max(room // 2, 2), _MOST_ROWS)
        shown_ended = min(len(self._ended), max(room - shown_runs, 2), _MOST_ROWS)
        if picture.next_runs:
            parts.append(_runs_table(picture, shown_runs))
        parts.append(_ended_table(list(self._ended)[len(self._ended) - shown_ended :]))
        parts.append(Text("Ctrl-C ends all and keeps the data", style="dim"))
        return Group(*parts)


def _numbers(picture: Picture) -> str:
    vitals = picture.vitals
    ready = sum(queue.ready for one in vitals for queue in one.queues)
    words = [
        count_text(sum(len(one.beats) for one in vitals), "beat"),
        count_text(sum(len(one.workers) for one in vitals), "worker"),
        f"{ready:,} queued",
        f"{sum(one.held for one in vitals):,} running",
    ]
    dead = sum(one.dead for one in vitals)
    aside = sum(one.quarantined for one in vitals)
    words += [f"{dead:,} dead"] if dead else []
    words += [f"{aside:,} quarantined"] if aside else []
    return " · ".join(words)


def _runs_table(picture: Picture, rows: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    for heading in ("NEXT", "LEFT", "SCHEDULE", "TASK", "STATE"):
        table.add_column(heading, no_wrap=True, header_style="dim", justify="left")
    for run in picture.next_runs[:rows]:
        next_at = "-" if run.next_ms is None else _clock(run.next_ms)
        left = "-" if run.next_ms is None else span_text(max(run.next_ms - picture.now_ms, 0))
        table.add_row(next_at, left, run.name, run.task, _run_state(run))
    hidden = len(picture.next_runs) - rows
    if hidden > 0:
        table.add_row("", "", f"… and {hidden:,} more", "", "")
    return table


def _run_state(run: NextRun) -> Text:
    if run.paused:
        return Text(f"paused: {run.paused}", style="yellow")
    if run.failures:
        return Text(f"failed {run.failures}x in a row", style="red")
    return Text("over" if run.next_ms is None else "")


def _ended_table(ended: list[EndedJob]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("ENDED", "STATE", "JOB", "RAN", "LATE"):
        table.add_column(heading, no_wrap=True, header_style="dim")
    table.add_column("RESULT", no_wrap=True, header_style="dim", overflow="ellipsis", ratio=1)
    for job in ended:
        table.add_row(
            _clock(job.ended_ms),
            Text(job.state, style=_STYLES.get(JobState(job.state), "yellow")),
            job.what or job.id,
            "-" if job.run_ms is None else span_text(job.run_ms),
            "-" if job.late_ms is None else span_text(job.late_ms),
            Text(one_line(job.detail)),
        )
    if not ended:
        table.add_row("none yet", "", "", "", "", "")
    return table


def _clock(ms: int) -> str:
    return moment_of(ms).astimezone().strftime("%H:%M:%S")
