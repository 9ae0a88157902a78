"""
A TCP proxy in front of a Redis that misbehaves on demand: loses replies, resets, falls silent.

It runs in threads of the test's own process. What it is told takes effect at once, also for
connections that are already open.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType

from tests.servers import RedisProcess, free_port

#: linger on, for 0 seconds: close() sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """
    Passes bytes on between clients and one server, until told otherwise.

    Args:
        server: Listens on TCP (``tcp=True``).

    Attributes:
        port: Where clients connect.
        requests: Chunks of bytes that clients have sent, in order.
    """

    def __init__(self, server: RedisProcess) -> None:
        self.port = free_port()
        self.requests: list[bytes] = []
        self._target = ("127.0.0.1", server.port)
        self._listener: socket.socket | None = None
        self._pairs: set[_Pair] = set()
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._to_lose = 0
        self._lost_after = b""
        self._is_silent_after = False
        self._is_closed = False
        self._replacements: list[tuple[bytes, bytes]] = []

    @property
    def url(self) -> str:
        """The URL under which clients reach the server through this proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Proxy:
        self.listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_closed = True
        self.refuse()
        self.reset()
        self._flowing.set()

    # --- faults ---------------------------------------------------------------------------------

    def lose_replies(self, count: int = 1, *, to: bytes = b"", silently: bool = False) -> None:
        """
        Lose the next replies: the server has done what was asked, and the client never hears.

        Args:
            count: How many.
            to: Only replies to requests that hold these bytes, such as ``b"EVALSHA"``.
            silently: Say nothing instead of resetting the connection.
        """
        with self._lock:
            self._to_lose, self._lost_after, self._is_silent_after = count, to, silently

    def black_hole(self) -> None:
        """Pass nothing on any more; connections stay open, and new ones are accepted."""
        self._flowing.clear()

    def flow(self) -> None:
        """End a black hole: what was held back is passed on."""
        self._flowing.set()

    def reset(self) -> None:
        """Reset all open connections."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()

    def refuse(self) -> None:
        """Accept no new connections."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # A thread that waits in accept() keeps the port open unless it is shut down.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def listen(self) -> None:
        """Accept connections (again)."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listener = listener
        _start(lambda: self._accept(listener))

    def replace_in_replies(self, old: bytes, new: bytes) -> None:
        """Replace bytes in replies by as many others, so that their lengths stay true."""
        assert len(old) == len(new)
        self._replacements.append((old, new))

    # --- passing on -----------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            pair = _Pair(client, server)
            with self._lock:
                self._pairs.add(pair)
            _start(partial(self._pump, pair, pair.client, pair.server, self._ask))
            _start(partial(self._pump, pair, pair.server, pair.client, self._answer))

    def _pump(
        self,
        pair: _Pair,
        source: socket.socket,
        sink: socket.socket,
        passes: Callable[[_Pair, bytes], bytes],
    ) -> None:
        try:
            while chunk := source.recv(1 << 20):
                self._flowing.wait()
                if self._is_closed:
                    break
                sink.sendall(passes(pair, chunk))
        except OSError:
            pass
        pair.close()
        with self._lock:
            self._pairs.discard(pair)

    def _ask(self, pair: _Pair, chunk: bytes) -> bytes:
        pair.asked += chunk
        self.requests.append(chunk)
        return chunk

    def _answer(self, pair: _Pair, chunk: bytes) -> bytes:
        with self._lock:
            is_lost = self._to_lose > 0 and self._lost_after in pair.asked
            self._to_lose -= is_lost
            pair.asked = b""
        if is_lost:
            if not self._is_silent_after:
                pair.reset()
            return b""
        for old, new in self._replacements:
            chunk = chunk.replace(old, new)
        return chunk


class _Pair:
    """The two sockets of one client's connection."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        #: What the client has sent since the last answer.
        self.asked = b""

    def reset(self) -> None:
        with suppress(OSError):
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # A thread that waits in recv() keeps the socket open. Shutting down its reading half
        # wakes the thread and tells the client nothing, so that close() sends the RST.
        self._close(self.client, socket.SHUT_RD)
        self._close(self.server, socket.SHUT_RDWR)

    def close(self) -> None:
        self._close(self.client, socket.SHUT_RDWR)
        self._close(self.server, socket.SHUT_RDWR)

    def _close(self, end: socket.socket, how: int) -> None:
        with suppress(OSError):
            end.shutdown(how)
        end.close()


def _start(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()
