"""What ``sched beat`` runs: the files are read, Redis is awaited, and beat works until it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from types import FrameType

from beatline.app import App
from beatline.beat.beat import Beat
from beatline.cli.exits import warn
from beatline.cli.reach import open_app, signatures_of, wait_for_redis
from beatline.cli.wanted import Wanted
from beatline.declared import DeclaredSet
from beatline.logs import set_up_logging
from beatline_schedules import load_declarations
from beatline_schedules.applying import declared_set


def run_beat(wanted: Wanted, paths: Sequence[str]) -> int:
    """
    Run a beat until TERM or INT; the exit code.

    Args:
        wanted: App, Redis and namespace. With an app, its settings hold, and the files are
            checked against its tasks.
        paths: Schedule files and folders; none declares nothing.

    Raises:
        InvalidScheduleFile: The files have problems; nothing was applied.
        NotSent: No Redis within ten seconds.
        UnfitServer: The server would lose jobs.
    """
    set_up_logging(wanted.log_level or "info")
    app = open_app(wanted)
    declared = _declared(app if wanted.app else None, paths) if paths else ()
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
    return beat.run_until(stop)


def _declared(app: App | None, paths: Sequence[str]) -> DeclaredSet:
    if app is None:
        found = load_declarations(paths)
    else:
        found = load_declarations(
            paths, task_names=sorted(app.tasks), signatures=signatures_of(app)
        )
    for remark in found.remarks:
        warn(str(remark))
    return declared_set(found, paths)
