"""
The connection that senders and beats hold: quick, and one that knows when it is dead before use.

A server that restarts, or a proxy that tires of us, closes a connection that rests. A request
sent on it is lost without a trace, and nobody can say whether it arrived; looking first makes
that rare.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from typing import Any

import hiredis
from redis._parsers import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from beatline.wire.connection import LOST, Endpoint, HeldConnection

#: From the text of a refusal to redis-py's exception; it has no types.
_parse_error: Any = BaseParser.parse_error
#: Most bytes that are read from a socket at once.
_READ_BYTES = 65_536


class Line(HeldConnection):
    """
    A held connection for calls whose replies are awaited at once, with the endpoint's timeouts.

    All replies are read here, without redis-py's detours around the socket: they cost 4 µs of
    the 20 that an exchange takes (measured in turn with them, 60 rounds of 300 calls).
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._reader = hiredis.Reader()
        #: The connection that the reader belongs to: a new one begins without leftovers.
        self._reader_of: Any = None

    def is_stale(self) -> bool:
        """Whether there is a connection that cannot be used: closed by the server, or unread."""
        connection = self._connection
        if connection is None or self._pid != os.getpid():
            return False
        if self._reader_of is connection and self._reader.has_data():
            return True
        try:
            return bool(connection.can_read(timeout=0))
        except LOST:
            return True

    def exchange(self, packed: bytes) -> Any:
        """
        Send a packed command and return its reply.

        Raises:
            ResponseError: The server refused.
            RedisConnectionError: The connection was lost; it is closed.
        """
        self.send(packed)
        return self.receive()

    def send(self, packed: bytes) -> None:
        """Send packed commands; connects where necessary."""
        connection = self._connection
        if connection is None or self._pid != os.getpid():
            self.connect()
            connection = self._connection
        if self._reader_of is not connection:
            self._reader, self._reader_of = hiredis.Reader(), connection
            _leave_timeouts_to_the_kernel(connection._sock, self.endpoint.reply_timeout_ms)
        try:
            connection._sock.sendall(packed)
        except OSError as error:
            raise self._lost(error) from error
        except BaseException:
            self.close()
            raise

    def receive(self, timeout_ms: int | None = None) -> Any:
        """
        The next reply; errors of the server are raised as redis-py's exceptions.

        Args:
            timeout_ms: No other than the endpoint's.
        """
        connection = self._connection
        if timeout_ms is not None or connection is None:
            raise RedisConnectionError("nothing was sent here, or with another deadline")
        reader = self._reader
        try:
            reply = reader.gets()
            while reply is False:
                received = self._lingered(connection._sock) if self.linger_s else None
                if received is None:
                    received = connection._sock.recv(_READ_BYTES)
                if not received:
                    raise RedisConnectionError("the server closed the connection")
                reader.feed(received)
                reply = reader.gets()
        except OSError as error:
            raise self._lost(error) from error
        except BaseException:
            # Whatever ended a call half-way: the next one must not find its leftovers.
            self.close()
            raise
        if isinstance(reply, hiredis.ReplyError):
            raise _parse_error(str(reply))
        return reply

    def _lingered(self, sock: Any) -> bytes | None:
        """What arrives within `linger_s`, awake; None where nothing does."""
        if type(sock) is not socket.socket or sys.platform != "linux":
            return None
        until = time.monotonic() + self.linger_s
        while time.monotonic() < until:
            try:
                return sock.recv(_READ_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                # Whoever has work goes first: Redis, to begin with.
                os.sched_yield()
        return None

    def _lost(self, error: OSError) -> Exception:
        self.close()
        if isinstance(error, TimeoutError | BlockingIOError):
            return RedisTimeoutError("no reply in time")
        return RedisConnectionError(str(error))


def _leave_timeouts_to_the_kernel(sock: Any, timeout_ms: int) -> None:
    """
    Bound each send and receive by socket options.

    Python's own timeouts ask ``poll`` before each system call, two more per exchange; a kernel's
    end as BlockingIOError. A TLS socket keeps Python's: it reads more than once for a reply.
    """
    if type(sock) is not socket.socket:
        return
    bound = struct.pack("@ll", timeout_ms // 1000, timeout_ms % 1000 * 1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bound)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bound)
    sock.settimeout(None)
