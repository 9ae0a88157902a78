"""What ``sched beat`` runs: the files are read, Redis is awaited, and beat works until it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from types import FrameType

from beatline.beat.beat import Beat
from beatline.cli.reach import open_app, wait_for_redis
from beatline.cli.rereading import Rereader, ScheduleFiles
from beatline.cli.wanted import Wanted
from beatline.logs import set_up_logging


def run_beat(wanted: Wanted, paths: Sequence[str], *, watch: bool = False) -> int:
    """
    Run a beat until TERM or INT; the exit code.

    Args:
        wanted: App, Redis and namespace. With an app, its settings hold, and the files are
            checked against its tasks.
        paths: Schedule files and folders; none declares nothing.
        watch: Apply the files again when they change.

    Raises:
        InvalidScheduleFile: The files have problems; nothing was applied.
        NotSent: No Redis within ten seconds.
        UnfitServer: The server would lose jobs.
    """
    set_up_logging(wanted.log_level or "info")
    app = open_app(wanted)
    files = ScheduleFiles(app if wanted.app else None, paths)
    declared = files.load() if paths else ()
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
    if not watch:
        return beat.run_until(stop)
    with Rereader(files, beat.declare):
        return beat.run_until(stop)
