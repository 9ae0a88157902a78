"""A few words with a server over its unix socket, without a client library."""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path

#: Bytes per read; the longest answer asked for here, INFO persistence, has about 1500.
_READ_BYTES = 65_536


def accepts(path: Path, timeout_s: float = 1.0) -> bool:
    """
    Whether somebody listens on this socket.

    A server that is paused or loads its data listens; a socket that a dead one left does not.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(timeout_s)
        try:
            line.connect(str(path))
        except (BlockingIOError, TimeoutError):
            return True  # the queue of those who wait to be accepted is full
        except OSError:
            return False
        return True


def ask(line: socket.socket, command: str) -> str:
    """
    Send one command without arguments that need quoting, and return the answer's text.

    Args:
        line: A connection with a timeout.
        command: Such as ``PING`` or ``INFO persistence``.

    Returns:
        The line after ``+``; the whole line with its ``-`` for an error; a bulk answer's text.

    Raises:
        OSError: When no whole answer comes in time.
    """
    line.sendall(command.encode() + b"\r\n")
    received = _more(line)
    while b"\r\n" not in received:
        received += _more(line)
    head, _, rest = received.partition(b"\r\n")
    if head.startswith(b"$"):
        while len(rest) < int(head[1:]):
            rest += _more(line)
        return rest[: int(head[1:])].decode(errors="replace")
    return head.decode(errors="replace").removeprefix("+")


def connect(path: Path, timeout_s: float = 1.0) -> socket.socket:
    """
    A connection to the server.

    Raises:
        OSError: Where nobody listens.
    """
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(timeout_s)
        line.connect(str(path))
    except BaseException:
        line.close()
        raise
    return line


def loaded_share(persistence: str) -> float:
    """How much of its data a loading server has read, from 0 to 1, out of INFO persistence."""
    rows = (row.partition(":") for row in persistence.splitlines())
    fields = {name: value for name, _, value in rows}
    if fields.get("loading") == "0":
        return 1.0
    return min(float(fields.get("loading_loaded_perc", "0")) / 100, 1.0)


def listener_pid(line: socket.socket) -> int:
    """
    The process that listens at the other end, as this process would call it; 0 if unknown.

    The kernel answers, so a server in another process namespace is 0 and never a wrong number.
    """
    if sys.platform != "linux":
        return 0
    answer = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", answer)[0]
    return pid


def _more(line: socket.socket) -> bytes:
    received = line.recv(_READ_BYTES)
    if not received:
        raise ConnectionError("the server closed the connection")
    return received
