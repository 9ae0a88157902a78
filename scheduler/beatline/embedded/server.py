"""
The owner of an embedded server: starts or adopts it, waits for it, notices its end, stops it.

What happens when

- two owners want one folder: the second is refused; the owner's lock decides.
- the owner dies (``kill -9``): the server goes on and keeps its lock, which it inherited. The
  next owner finds lock and socket alive and adopts it.
- the server dies: the owner sees it (``has_ended``, ``wait_ended``) and may ``start`` again. The
  append-only file has what had been answered; only a crash of the machine costs up to a second.
- both die: the locks end with them, and the next owner clears the socket and starts anew.
- the server does not end when asked: it is left alone, with a warning, and adopted later.

The owner's process must not fork children without exec that outlive it: they would share its
lock, and the folder would seem owned.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from beatline.embedded.launching import check_fit, last_words, launch
from beatline.embedded.locate import server_binary, socket_url
from beatline.embedded.locking import FileLock
from beatline.embedded.places import Places
from beatline.embedded.readiness import NoAnswer, await_ready
from beatline.embedded.running import AdoptedServer, RunningServer, StartedServer
from beatline.errors import RedisUnavailable

log = logging.getLogger(__name__)

#: Seconds that a server may take to end; it has at most a second of writes to sync.
_STOP_S = 10.0


class EmbeddedServer:
    """
    The server of one data folder, owned by this process while the context lasts.

    Args:
        folder: The data folder (``.beatline``); made where it is missing.
        binary: The server to start; ``server_binary()`` decides where none is given.
        on_loading: Called about ten times a second with the share of the data loaded so far,
            from 0 to 1, while a server with much data starts.
    """

    def __init__(
        self,
        folder: Path,
        *,
        binary: Path | None = None,
        on_loading: Callable[[float], None] | None = None,
    ) -> None:
        self._places = Places.of(folder)
        self._binary = binary
        self._on_loading = on_loading
        self._owner = FileLock(self._places.owner_lock)
        self._lock = FileLock(self._places.server_lock)
        self._running: RunningServer | None = None
        self._pid = 0

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return self._places.folder

    @property
    def socket(self) -> Path:
        """The server's socket."""
        return self._places.live_socket()

    @property
    def url(self) -> str:
        """The server's URL, ``unix:///…``."""
        return socket_url(self.socket)

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self._places.log

    @property
    def pid(self) -> int | None:
        """The server's process id, as this process sees it; None where it does not."""
        return self._pid or None

    @property
    def was_adopted(self) -> bool:
        """Whether the server ran already, without an owner, when this one came."""
        return isinstance(self._running, AdoptedServer)

    @property
    def has_ended(self) -> bool:
        """Whether no server runs (any more); costs microseconds."""
        return self._running is None or self._running.has_ended

    @property
    def returncode(self) -> int | None:
        """How the server ended; None while it runs, and where it was adopted."""
        return self._running.returncode if self._running else None

    def start(self) -> None:
        """
        Own the folder, and start its server or adopt the one that lives; wait until it answers.

        Called again after the server's end, it starts a new one on the same data.

        Raises:
            RedisUnavailable: When another owner has the folder, or the server does not come up;
                the text has the server's last words.
            UnfitServer: When the server's version will not do.
        """
        if self._owner.is_held and not self.has_ended:
            return
        self._places.prepare()
        self._take_ownership()
        try:
            while not self._brought_up():
                log.info("embedded.ended_before_adoption folder=%s", self.folder)
        except BaseException:
            if self._lock.is_held:
                self.stop()
            else:
                self._owner.release()  # what was to be adopted is left as it was found
            raise
        how = "adopted" if self.was_adopted else "started"
        log.info("embedded.%s folder=%s socket=%s pid=%s", how, self.folder, self.socket, self.pid)

    def stop(self, timeout_s: float = _STOP_S) -> bool:
        """
        Ask the server to write its data and end, wait for it, and let the folder go.

        A server that does not end in time is left running, with a warning in the log; it keeps
        the folder locked, and the next owner adopts it.

        Args:
            timeout_s: Seconds to wait.

        Returns:
            Whether the server has ended.
        """
        if self._owner.is_held and self._running is not None and not self._running.has_ended:
            self._running.ask_to_end()
        ended = self.wait_ended(timeout_s)
        if not ended:
            log.warning(
                "embedded.still_running folder=%s pid=%s waited_s=%g – the server did not end; "
                "it keeps its data, and the next start adopts it",
                *(self.folder, self.pid, timeout_s),
            )
        elif self._owner.is_held and self._lock.acquire():
            self._places.forget_socket()
        self._lock.release()
        self._owner.release()
        return ended

    def wait_ended(self, timeout_s: float | None = None) -> bool:
        """
        Wait until the server ends, for whatever reason.

        Args:
            timeout_s: Seconds to wait at most; None without limit.

        Returns:
            Whether it has ended.
        """
        return self._running is None or self._running.wait_ended(timeout_s)

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

    def _take_ownership(self) -> None:
        if not self._owner.acquire():
            pid = self._owner.read_pid()
            raise RedisUnavailable(
                f"{self.folder} is in use by {f'process {pid}' if pid else 'another process'}, "
                "which runs the embedded server there",
                remedy='end that "sched up" first, or work with its server: sched worker, '
                "sched call and the others find it from this folder",
            )
        self._owner.write_pid(os.getpid())

    def _brought_up(self) -> bool:
        """Launch a server, or adopt one: False where that one ended meanwhile."""
        log_bytes = None
        if self._lock.acquire():
            self._running, log_bytes = self._launched()
        elif self._running is None or self._running.has_ended:
            self._running = AdoptedServer(self._lock, self._places.live_socket)
        try:
            pid = await_ready(self._running, self._places.live_socket, self._on_loading)
        except NoAnswer:
            raise self._silent() from None
        if pid is None and log_bytes is not None:
            raise self._failed(self._running.returncode, log_bytes)
        self._pid = pid or 0
        return pid is not None

    def _launched(self) -> tuple[StartedServer, int]:
        """A server just launched, and the size of the log before its first word."""
        self._binary = self._binary or server_binary()
        check_fit(self._binary, self._places)
        child, log_bytes = launch(self._binary, self._places, self._lock.descriptor)
        self._lock.write_pid(child.pid)
        return StartedServer(child), log_bytes

    def _silent(self) -> RedisUnavailable:
        holder = self._lock.read_pid()
        return RedisUnavailable(
            f"the embedded server of {self.folder} (process {holder}) lives but does not answer",
            remedy=f"if it is stopped, kill -CONT {holder}; else see {self.log_file}, "
            f"and kill {holder} (its data is kept)",
        )

    def _failed(self, code: int | None, log_bytes: int) -> RedisUnavailable:
        words = last_words(self.log_file, log_bytes)
        return RedisUnavailable(
            f"{self._binary} ended with {code} before it was ready: {words or 'it said nothing'}",
            remedy=f"see {self.log_file}; where the data was written by a newer server, "
            "BEATLINE_SERVER names that one",
        )
