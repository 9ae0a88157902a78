"""
Beat's sleep: until an instant to the microsecond, or until somebody has something sooner.

Scripts that put a new head on the timeline push a nudge to ``wake:beat``. The leader of a
partition listens there with a BLPOP that stays out over many rounds, on a connection of its own,
and sleeps in ``select`` on that socket: a nudge, the bell of `Sleeper.ring` and the end of the
time all end the sleep at once. Standby beats don't listen, so they take no nudge away.

What happens when Redis is gone: the listening connection breaks, which ends the sleep, and
`hear` raises. Where it is silent (no FIN, no RST), the BLPOP's own deadline tells.
"""

from __future__ import annotations

import ctypes
import select
import socket
import sys
import time
from contextlib import suppress
from typing import Any, Final

import hiredis
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from beatline.store.scheduling import mend_nudges
from beatline.wire.connection import Endpoint, HeldConnection

#: hiredis's own stub knows commands of one word only.
_pack: Any = hiredis.pack_command
#: prctl option: by how much sleeps may be too long, ns.
_PR_SET_TIMERSLACK: Final = 29


class NudgeLine:
    """
    One partition's ``wake:beat``, listened to.

    Args:
        endpoint: Where Redis is.
        prefix: The partition's key prefix.
        wait_ms: How long one BLPOP stays out, ms; a black hole is noticed after this and the
            endpoint's deadline for a reply.

    Attributes:
        descriptor: The socket's, for ``select``, while a BLPOP is out.
    """

    def __init__(self, endpoint: Endpoint, prefix: bytes, wait_ms: int = 5_000) -> None:
        self._connection = HeldConnection(endpoint)
        self._prefix = prefix
        self._is_broken = False
        self._wait_ms = wait_ms
        self._patience_s = (wait_ms + endpoint.reply_timeout_ms) / 1_000
        self._listening_since: float | None = None
        self.descriptor = -1

    @property
    def is_listening(self) -> bool:
        """Whether a BLPOP is out."""
        return self._listening_since is not None

    def listen(self) -> None:
        """
        Send the BLPOP, if none is out.

        Raises:
            NotSent: Redis cannot be reached.
            redis.ConnectionError: The connection broke.
        """
        if self._listening_since is not None:
            return
        if self._is_broken:
            mend_nudges(self._connection, self._prefix)
            self._is_broken = False
        key = self._prefix + b"wake:beat"
        self._connection.send(_pack(("BLPOP", key, f"{self._wait_ms / 1_000:g}")))
        self.descriptor = self._connection.fileno()
        self._listening_since = time.monotonic()

    def check(self) -> None:
        """
        Raise where the BLPOP should have been answered long ago.

        Raises:
            redis.TimeoutError: The connection is a black hole; it is closed.
        """
        since = self._listening_since
        if since is not None and time.monotonic() - since > self._patience_s:
            self.close()
            raise RedisTimeoutError("no answer to BLPOP within its deadline")

    def hear(self) -> bool:
        """
        Read the answer that has arrived; whether it is a nudge.

        Raises:
            redis.RedisError: The connection broke, or the server refused.
        """
        self._listening_since = None
        try:
            return self._connection.receive() is not None
        except ResponseError as error:
            self.close()
            if str(error).startswith("WRONGTYPE"):
                # Garbage under our name: it is set aside before the next BLPOP.
                self._is_broken = True
                return False
            raise

    def close(self) -> None:
        """Stop listening."""
        self._listening_since = None
        self._connection.close()


def sharpen_timers() -> None:
    """
    Have the kernel end this thread's sleeps when they are over.

    It may let them last 50 µs longer, so that it wakes up for several at once (PR_SET_TIMERSLACK
    in prctl(2)). Elsewhere than on Linux nothing is done.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


class Sleeper:
    """The one place where beat waits. `ring` may be called from any thread or signal handler."""

    def __init__(self) -> None:
        self._bell, self._clapper = socket.socketpair()
        self._bell.setblocking(False)
        self._clapper.setblocking(False)
        self._bell_fd = self._bell.fileno()

    def ring(self) -> None:
        """End the present sleep, or the next one, at once."""
        with suppress(OSError):
            self._clapper.send(b"!")

    def sleep(self, lines: list[NudgeLine], seconds: float) -> None:
        """
        Wait for a nudge, the bell, or the end of the time.

        Args:
            lines: Partitions to listen for.
            seconds: Longest wait; nothing is waited for from 0 on downwards.

        Raises:
            redis.RedisError, NotSent: A listening connection is of no use any more.
        """
        for line in lines:
            line.listen()
        heard = _readable([self._bell_fd, *(line.descriptor for line in lines)], max(seconds, 0.0))
        if self._bell_fd in heard:
            with suppress(BlockingIOError):
                self._bell.recv(4096)
        for line in lines:
            if line.descriptor in heard:
                line.hear()
                line.listen()
            else:
                line.check()

    def close(self) -> None:
        """Give the bell back; the sleeper is of no use afterwards."""
        self._bell.close()
        self._clapper.close()


def _readable(descriptors: list[int], seconds: float) -> list[int]:
    """Those of the descriptors that can be read within the time."""
    try:
        # select(2) alone takes microseconds; poll and epoll round up to milliseconds.
        return select.select(descriptors, (), (), seconds)[0]
    except ValueError:
        # A descriptor above select's limit of 1,023: a process with very many files.
        poller = select.poll()
        for descriptor in descriptors:
            poller.register(descriptor, select.POLLIN)
        return [found for found, _ in poller.poll(seconds * 1_000)]
