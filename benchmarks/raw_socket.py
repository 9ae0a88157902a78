"""A socket and a hiredis reader: the least that speaks with Redis from Python."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import hiredis
from redis.exceptions import NoScriptError

from beatline.wire.connection import Endpoint, HeldConnection


class RawSocket:
    """
    One connection without anything around it.

    Args:
        url: ``redis://`` or ``unix://``.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(parts.path)
        else:
            self._socket = socket.create_connection((parts.hostname or "", parts.port or 6379))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()

    def send(self, packed: bytes) -> None:
        """Send a packed command."""
        self._socket.sendall(packed)

    def receive(self) -> Any:
        """
        The next reply.

        Raises:
            hiredis.HiredisError: The server said no.
        """
        while True:
            reply = self._reader.gets()
            if reply is not False:
                if isinstance(reply, Exception):
                    raise reply
                return reply
            self._reader.feed(self._socket.recv(65536))

    def exchange(self, packed: bytes) -> Any:
        """Send a packed command, and return its reply."""
        self.send(packed)
        return self.receive()


class RawConnection(HeldConnection):
    """A `HeldConnection` without redis-py: the store's own calls at the least cost."""

    def __init__(self, url: str) -> None:
        super().__init__(Endpoint(url))
        self._raw: RawSocket | None = None

    def connect(self) -> None:
        """Open the socket if there is none."""
        if self._raw is None:
            self._raw = RawSocket(self.endpoint.url)
            self.generation += 1

    def send(self, packed: bytes) -> None:
        """Send a packed command."""
        self.connect()
        assert self._raw is not None
        self._raw.send(packed)

    def receive(self, timeout_ms: int | None = None) -> Any:
        """The next reply, without a deadline; an unknown script is told as redis-py tells it."""
        assert self._raw is not None
        try:
            return self._raw.receive()
        except hiredis.ReplyError as error:
            if str(error).startswith("NOSCRIPT"):
                raise NoScriptError(str(error)) from None
            raise
