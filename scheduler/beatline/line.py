"""
The connection that a sender holds: one that knows when it is dead before it is used.

A server that restarts, or a proxy that tires of us, closes a connection that rests. A request
sent on it is lost without a trace, and nobody can say whether it arrived; looking first makes
that rare.
"""

from __future__ import annotations

import os
from typing import Any

from redis.exceptions import ResponseError

from beatline.wire.connection import LOST, HeldConnection


class Line(HeldConnection):
    """A held connection for calls whose replies are awaited at once."""

    def is_stale(self) -> bool:
        """Whether there is a connection that cannot be used: closed by the server, or unread."""
        if self._connection is None or self._pid != os.getpid():
            return False
        try:
            return bool(self._connection.can_read(timeout=0))
        except LOST:
            return True

    def receive(self, timeout_ms: int | None = None) -> Any:
        """
        The next reply; errors of the server are raised as redis-py's exceptions.

        Args:
            timeout_ms: Longest wait; None takes the endpoint's, which the socket has already: to
                set it anew costs two system calls.
        """
        if timeout_ms is not None:
            return super().receive(timeout_ms)
        try:
            return self._connection.read_response(disable_decoding=True)
        except ResponseError:
            raise
        except BaseException:
            self.close()
            raise
