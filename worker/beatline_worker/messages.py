"""What supervisor and zygote say to each other: one JSON object per line on a socket pair."""

from __future__ import annotations

import json
import socket
from typing import Any


class Channel:
    """
    One end of the conversation.

    Args:
        end: A connected stream socket.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._rest = b""

    def fileno(self) -> int:
        """The socket's descriptor, to wait on."""
        return self._end.fileno()

    def say(self, **message: Any) -> None:
        """Send one message; a closed other end is not an error here: `hear` tells it."""
        try:
            self._end.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return

    def hear(self) -> list[dict[str, Any]] | None:
        """All messages that have arrived; None where the other end is closed."""
        try:
            received = self._end.recv(1 << 20)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if not received:
            return None
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close this end."""
        self._end.close()
