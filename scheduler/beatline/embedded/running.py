"""A server process that runs: one that this process started, or one that it found alive."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from beatline.embedded.locking import FileLock
from beatline.embedded.probing import ask, connect

#: Seconds between two looks at an adopted server; each look costs 10 µs.
_LOOK_S = 0.05


class StartedServer:
    """
    A child of this process.

    Args:
        child: The server's process.
    """

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._child.poll() is not None

    @property
    def returncode(self) -> int | None:
        """How it ended; negative for a signal."""
        return self._child.poll()

    def ask_to_end(self) -> None:
        """SIGTERM: the server syncs its append-only file and ends."""
        self._child.terminate()

    def wait_ended(self, timeout_s: float | None) -> bool:
        """Wait for its end, None without limit. Returns whether it has ended."""
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True


class AdoptedServer:
    """
    A server whose owner has gone.

    It may live in another process namespace (a container that shares the folder), so it is
    never addressed by its process id: the lock tells its end, and the socket takes the request.

    Args:
        lock: The server's lock, held by that server and not by us.
        socket: Tells the server's socket.
    """

    #: How it ends cannot be known: it is no child of this process.
    returncode: int | None = None

    def __init__(self, lock: FileLock, socket: Callable[[], Path]) -> None:
        self._lock = lock
        self._socket = socket

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._lock.is_free()

    def ask_to_end(self) -> None:
        """SHUTDOWN: the server syncs its append-only file and ends."""
        try:
            with connect(self._socket()) as line:
                ask(line, "SHUTDOWN")
        except OSError:
            return  # gone already, or too busy to answer: the wait for its end tells

    def wait_ended(self, timeout_s: float | None) -> bool:
        """Wait for its end, None without limit. Returns whether it has ended."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.has_ended:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_S)
        return True


#: What the owner of a folder has in its hands.
RunningServer = StartedServer | AdoptedServer
