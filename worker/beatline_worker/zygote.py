"""
The zygote: loads the app once, and forks children of it.

It stands between the supervisor, which must never run user code, and the children, which share
the memory of the imports. It is a fresh interpreter (so it has no threads at a fork but what
the app itself starts), reaps its children, and tells the supervisor how each one ended: a
child counts as dead only when it has been waited for.

Started as ``python -m beatline_worker.zygote <socket fd> <table fd> <rows> <lanes> …``; everything
else comes by message.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from beatline.app import App
from beatline.errors import BeatlineError, NotSent
from beatline.loading import load_app
from beatline.logs import set_up_logging
from beatline.trimming import trim_heap
from beatline.wire.connection import Endpoint
from beatline.wire.scripts import all_scripts
from beatline_worker.birth import die_with_parent, enter_child
from beatline_worker.child import Child
from beatline_worker.messages import Channel
from beatline_worker.options import DEFAULT_LANES, ChildOptions
from beatline_worker.table import Table
from beatline_worker.wide_child import WideChild

_log = logging.getLogger("beatline.worker.zygote")

#: How long a starting worker waits for a Redis, seconds.
WAIT_FOR_REDIS_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Calls:
    """
    The system calls of a zygote.

    Attributes:
        fork, select: As in `os` and `select`; where those are patched, the originals: a zygote
            runs no loop, and reaps its children itself.
        after_fork: Called in each child first.
    """

    fork: Callable[[], int] = os.fork
    select: Callable[..., Any] = select.select
    after_fork: Callable[[], Any] = int


class Zygote:
    """
    Forks children on request.

    Args:
        channel: To the supervisor.
        table: The shared table.
        calls: The system's.
    """

    def __init__(self, channel: Channel, table: Table, calls: Calls) -> None:
        self._calls = calls
        self._channel = channel
        self._table = table
        self._app: Any = None
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        os.set_blocking(reading, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wakeup_fd = reading

    def load(self, name: str) -> bool:
        """Load the app and tell the supervisor what it is; False where that failed."""
        try:
            self._app = load_app(name)
            settings = self._app.settings
            endpoint = _wait_for_redis(self._app)
        except BeatlineError as error:
            self._channel.say(failed=str(error), code=error.exit_code)
            return False
        if threading.active_count() > 1:
            names = ", ".join(thread.name for thread in threading.enumerate()[1:])
            _log.warning(
                "app.has_threads threads=%s remedy=%s",
                names,
                "start threads in @app.on_child_start: they do not survive a fork",
            )
        self._channel.say(
            hello={
                "url": endpoint.url,
                "namespace": settings.namespace,
                "partitions": settings.partitions,
                "lease_ms": settings.lease_ms,
                "max_deliveries": settings.max_deliveries,
                "result_ttl_ms": settings.result_ttl_ms,
                "default_queue": settings.default_queue,
                "tasks": sorted(self._app.tasks),
            }
        )
        # What exists now is shared by all children: the collector must not touch it. Scripts that
        # each child reads and composes by itself would cost it half a megabyte.
        all_scripts()
        gc.collect()
        gc.freeze()
        trim_heap()
        return True

    def serve(self) -> int:
        """Fork and reap until the supervisor closes its end; the exit code."""
        while True:
            channel = self._channel.fileno()
            readable, _, _ = self._calls.select([channel, self._wakeup_fd], [], [])
            if self._wakeup_fd in readable:
                self._drain_wakeup()
                self._reap()
            if channel in readable:
                messages = self._channel.hear()
                if messages is None:
                    return 0
                for message in messages:
                    self._fork(message)

    def _fork(self, order: dict[str, Any]) -> None:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = self._calls.fork()
        if pid:
            self._channel.say(forked=order["row"], pid=pid)
            return
        code = 1
        try:
            self._calls.after_fork()
            enter_child(parent)
            self._channel.close()
            row = self._table.row(order["row"])
            options = ChildOptions(**order["options"])
            kind = WideChild if options.pool in DEFAULT_LANES else Child
            code = kind(self._app, row, options).run()
        except BaseException:  # noqa: BLE001 - the last frame of a process: nothing may escape
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            # While it is not reaped its pid cannot name another group: its subprocesses go now.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(found.si_pid, signal.SIGKILL)
            pid, status, usage = os.wait4(found.si_pid, 0)
            self._channel.say(exited=pid, status=status, peak_rss_kib=usage.ru_maxrss)

    def _drain_wakeup(self) -> None:
        try:
            while os.read(self._wakeup_fd, 512):
                pass
        except BlockingIOError:
            pass


def _wait_for_redis(app: App) -> Endpoint:
    """
    Where the app's Redis is, once it answers and was found fit.

    An embedded server, or one that is being restarted, may come up a moment after us. The
    connection is closed again: nothing may be shared with the children.
    """
    deadline = time.monotonic() + WAIT_FOR_REDIS_S
    while True:
        try:
            endpoint = app.endpoint()
            app.sender()
        except NotSent:
            if time.monotonic() > deadline:
                raise
        else:
            app.close()
            return endpoint
        time.sleep(0.1)


def main(calls: Calls | None = None) -> int:
    """Run a zygote; the arguments are descriptors inherited from the supervisor."""
    socket_fd, table_fd, rows, lanes, parent = (int(argument) for argument in sys.argv[1:6])
    die_with_parent(parent)
    os.setpgid(0, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=socket_fd))
    set_up_logging(sys.argv[6])
    zygote = Zygote(channel, Table(rows, lanes, table_fd), calls or Calls())
    # Users' modules see the command's own argv, not ours.
    name, sys.argv = sys.argv[7], ["sched", "worker"]
    if not zygote.load(name):
        return 4
    return zygote.serve()


if __name__ == "__main__":
    sys.exit(main())
