"""What ``sched beat`` runs: the files are read, Redis is awaited, and beat works until it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

from beatline.beat.beat import Beat
from beatline.cli.lifeline import follow_parent
from beatline.cli.reach import open_app, wait_for_redis
from beatline.cli.wanted import Wanted
from beatline.logs import set_up_logging

if TYPE_CHECKING:
    from beatline.app import App
    from beatline.cli.rereading import ScheduleFiles


def serve(
    wanted: Wanted, paths: Sequence[str], *, watch: bool = False, lifeline: bool = False
) -> int:
    """
    Run a beat until TERM or INT; the exit code.

    Args:
        wanted: App, Redis and namespace. With an app, its settings hold, and the files are
            checked against its tasks.
        paths: Schedule files and folders; none declares nothing.
        watch: Apply the files again when they change.
        lifeline: End when standard input does.

    Raises:
        InvalidScheduleFile: The files have problems; nothing was applied.
        NotSent: No Redis within ten seconds.
        UnfitServer: The server would lose jobs.
    """
    if lifeline:
        follow_parent()
    set_up_logging(wanted.log_level or "info")
    app = open_app(wanted)
    files = _files(app if wanted.app else None, paths) if paths else None
    declared = files.load() if files else ()
    stop = threading.Event()
    beat: Beat | None = None

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        if beat is None:
            raise KeyboardInterrupt  # while it waits for Redis
        beat.stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, end)
    try:
        endpoint = wait_for_redis(app)
    except KeyboardInterrupt:
        return 0
    beat = Beat(app if wanted.app else app.settings, endpoint, declared, owns_process=True)
    if files is None or not watch:
        return beat.run_until(stop)
    from beatline.cli.rereading import Rereader

    with Rereader(files, beat.declare):
        return beat.run_until(stop)


def _files(app: App | None, paths: Sequence[str]) -> ScheduleFiles:
    # What reads YAML takes 2 MB, which a beat without files has no use for.
    from beatline.cli.rereading import ScheduleFiles

    return ScheduleFiles(app, paths)
