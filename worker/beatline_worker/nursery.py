"""
The nursery: the supervisor's side of the zygote, and who of its children lives.

It turns messages and process descriptors into events. A child is reported dead only when its
zygote has waited for it or, where the zygote is dead too, when the kernel says through a
pidfd that it has ended (R3).
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any, Final

from beatline_worker.messages import Channel
from beatline_worker.options import ChildOptions
from beatline_worker.table import Row, Table

_log = logging.getLogger("beatline.worker.nursery")

#: Zygotes in a row that a signal may end while they load an app that has been loaded before. Each
#: takes the time of a load, so a dozen is half a minute's trouble of the machine.
MOST_LOST_STARTS: Final = 12


@dataclass(slots=True)
class ChildState:
    """
    What the supervisor knows of one child.

    Attributes:
        slot: Number of its row.
        row: Its row of the shared table.
        consumer: Its id in Redis: one incarnation.
        pid: 0 until it has been forked.
        forked_ns: Monotonic time of the fork.
        verdict: Why we killed it or told it to stop: ``time_limit``, ``cancelled``, ``cold``,
            ``struck``, ``stray``, ``isolated``; empty where it ends by itself.
        verdict_fence: The delivery that the verdict is about.
        is_loner: It runs what must run alone, beside children with several lanes.
        interrupted: Fences of running jobs that were interrupted, and by what: INTERRUPT_*.
        doomed: Fences of running jobs whose end kills the child, if it does not come by itself:
            (monotonic ns, verdict).
        gives_back: Whether a give-back is under way.
        gave_back_ns: Monotonic time when the last one was decided on.
        helped: How many of its calls for a child that runs jobs alone have been heard.
    """

    slot: int
    row: Row
    consumer: str
    pid: int = 0
    pidfd: int = -1
    forked_ns: int = 0
    verdict: str = ""
    verdict_fence: int = 0
    is_loner: bool = False
    interrupted: dict[int, int] = field(default_factory=dict)
    doomed: dict[int, tuple[int, str]] = field(default_factory=dict)
    gives_back: bool = False
    gave_back_ns: int = 0
    helped: int = 0
    strays: dict[bytes, int] = field(default_factory=dict)

    @property
    def takes_jobs(self) -> bool:
        """Whether it goes on taking jobs."""
        return not (self.row.stop or self.row.retiring)

    def kill(self) -> None:
        """SIGKILL for the child and its process group; a child that is gone is no error."""
        if not self.pid:
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # Not yet its group's leader, or gone.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wake(self) -> None:
        """Let the child look at its row: it may be waiting for a job."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGUSR1)


@dataclass(frozen=True, slots=True)
class Ended:
    """A child's end: its wait status (None where only the kernel told) and peak memory."""

    child: ChildState
    status: int | None
    peak_rss_kib: int


class Nursery:
    """
    Starts a zygote and forks through it.

    Args:
        app: What ``-A`` says.
        table: The shared table.
        pool: Who runs the jobs of a child.
        log_level: For the children's logs.
    """

    def __init__(self, app: str, table: Table, pool: str, log_level: str) -> None:
        self._app = app
        self._table = table
        self._pool = pool
        self._log_level = log_level
        self._zygote: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self.children: dict[int, ChildState] = {}
        self.hello: dict[str, Any] | None = None
        self.failure: tuple[str, int] | None = None
        self._has_loaded = False
        self._lost_starts = 0

    def start(self) -> None:
        """Start a zygote; its `hello`, or its `failure`, comes with a later `poll`."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        table = self._table
        arguments = [theirs.fileno(), table.descriptor, table.rows, table.lanes, os.getpid()]
        self._zygote = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"beatline_worker.{'gevent_zygote' if self._pool == 'gevent' else 'zygote'}",
                *(str(argument) for argument in arguments),
                self._log_level,
                self._app,
            ],
            pass_fds=(theirs.fileno(), self._table.descriptor),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._channel = Channel(ours)

    def descriptors(self) -> list[int]:
        """What to wait on: messages, and the ends of children."""
        found = [child.pidfd for child in self.children.values() if child.pidfd >= 0]
        return found if self._channel is None else [self._channel.fileno(), *found]

    @property
    def is_running(self) -> bool:
        """Whether the zygote lives."""
        return self._channel is not None

    def fork(self, child: ChildState, options: ChildOptions) -> None:
        """Ask for a child on a row that has been reset."""
        self.children[child.slot] = child
        if self._channel is not None:
            fields = {name: getattr(options, name) for name in options.__slots__}
            self._channel.say(row=child.slot, options=fields)

    def poll(self, now_ns: int) -> list[Ended]:
        """Take in what has happened; the children that have ended."""
        ended: list[Ended] = []
        messages = self._channel.hear() if self._channel is not None else []
        if messages is None:
            return self._zygote_has_died()
        for message in messages:
            if "forked" in message:
                self._note_forked(message["forked"], message["pid"], now_ns)
            elif "exited" in message:
                child = self._by_pid(message["exited"])
                if child is not None:
                    ended.append(
                        self._bury(child, message["status"], message.get("peak_rss_kib", 0))
                    )
            elif "hello" in message:
                self.hello = message["hello"]
                self._has_loaded, self._lost_starts = True, 0
            elif "failed" in message:
                self.failure = (message["failed"], message["code"])
        if self._channel is None:
            ended += self._ends_told_by_kernel()
        return ended

    def stop(self) -> None:
        """Let the zygote go; all children have ended before."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._zygote is not None:
            try:
                self._zygote.wait(2)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()

    def _note_forked(self, slot: int, pid: int, now_ns: int) -> None:
        child = self.children.get(slot)
        if child is None:
            return
        child.pid, child.forked_ns = pid, now_ns
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                child.pidfd = os.pidfd_open(pid)

    def _by_pid(self, pid: int) -> ChildState | None:
        return next((child for child in self.children.values() if child.pid == pid), None)

    def _bury(self, child: ChildState, status: int | None, peak_rss_kib: int) -> Ended:
        del self.children[child.slot]
        if child.pidfd >= 0:
            os.close(child.pidfd)
            child.pidfd = -1
        return Ended(child, status, peak_rss_kib)

    def _zygote_has_died(self) -> list[Ended]:
        """All children are being killed by the kernel; each is buried when it has ended."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        code = self._zygote.wait() if self._zygote is not None else 0
        if self.hello is None and self.failure is None:
            self._lost_starts += 1
            # Whoever killed a zygote says nothing of an app that has been loaded before.
            is_lost = self._has_loaded and code < 0
            if not is_lost or self._lost_starts > MOST_LOST_STARTS:
                self.failure = (f"the process that loads {self._app} ended with {code}", 4)
        _log.error("zygote.died code=%s children=%d", code, len(self.children))
        self.hello = None
        return self._ends_told_by_kernel()

    def _ends_told_by_kernel(self) -> list[Ended]:
        ended: list[Ended] = []
        for child in list(self.children.values()):
            if child.pid == 0 or _has_ended(child):
                ended.append(self._bury(child, None, 0))
            else:
                child.kill()
        return ended


def _has_ended(child: ChildState) -> bool:
    if child.pidfd >= 0:
        poll = select.poll()
        poll.register(child.pidfd, select.POLLIN)
        return bool(poll.poll(0))
    try:
        os.kill(child.pid, 0)
    except ProcessLookupError:
        return True
    return False
