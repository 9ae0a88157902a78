"""The stages of an ensemble where there is no terminal: one line per event, in UTC."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from beatline.cli.happenings import EndedJob, Happenings, NextRun


class PlainStage:
    """
    Writes events as lines; companions write for themselves.

    Args:
        stream: Where to; standard output by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def tell(self, line: str, *, is_trouble: bool = False) -> None:
        """One line with the time in front."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        level = "WARNING" if is_trouble else "INFO   "
        print(f"{now} {level} up {line}", file=self._stream, flush=True)

    def pass_on(self, name: str, line: str) -> None:
        """A companion's line, as it came."""
        print(line, file=sys.stderr, flush=True)

    def refresh(self) -> None:
        """Nothing changes on paper."""


class ReportingStage(PlainStage):
    """Also tells the next runs at the start, and each job that ends."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._happenings: Happenings | None = None
        self._told_next: set[str] = set()
        self._trouble = ""

    def follow(self, happenings: Happenings) -> None:
        """Tell what happens from now on."""
        self._happenings = happenings

    def refresh(self) -> None:
        """A line for each job that has ended, and for each schedule that is new."""
        happenings = self._happenings
        if happenings is None:
            return
        picture = happenings.picture
        for run in picture.next_runs if picture is not None else ():
            if run.name not in self._told_next:
                self._told_next.add(run.name)
                self.tell(_run_line(run))
        for job in happenings.take_ended():
            self.tell(_ended_line(job), is_trouble=job.state != "SUCCESS")
        trouble = picture.trouble if picture is not None else ""
        if trouble and not self._trouble:
            self.tell(trouble, is_trouble=True)
        self._trouble = trouble


def _run_line(run: NextRun) -> str:
    from beatline.cli.output import instant_json

    when = f"paused={run.paused!r}" if run.paused else f"next={instant_json(run.next_ms) or '-'}"
    return f"schedule {run.name} task={run.task} {when}"


def _ended_line(job: EndedJob) -> str:
    from beatline.cli.output import one_line

    words = [f"job {job.state} {job.what or '-'}"]
    words += [f"run_ms={job.run_ms}"] if job.run_ms is not None else []
    words += [f"late_ms={job.late_ms}"] if job.late_ms is not None else []
    words += [f"job={job.id}", one_line(job.detail, 120)]
    return " ".join(words).rstrip()
