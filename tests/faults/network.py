"""
A network between some processes and Redis, which breaks connections in the ways of networks.

`tests/proxy.py` loses single replies at chosen points; this one treats all that goes through it
alike. It is a TCP proxy and runs in threads of the test process. What happens to a connection stays
with it: one that went into a black hole never comes back, as after a firewall forgot it, while new
ones get through as soon as the hole is closed.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

#: host and port, or the path of a unix socket.
Target = tuple[str, int] | str


class Connection:
    """One client's connection and the server's side of it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        #: Nothing gets through any more, in either direction, and nobody is told.
        self.is_dead = False
        #: Requests get through, replies do not.
        self.is_mute = False
        #: Replies that were swallowed.
        self.swallowed = 0

    def reset(self) -> None:
        """RST to both ends."""
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.shutdown(socket.SHUT_RD)
                side.close()

    def close(self) -> None:
        """End both ends in order."""
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


class Network:
    """
    Carries bytes between some processes and Redis.

    Args:
        target: Where Redis is.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        #: Seconds by which each piece of each direction is held up.
        self.delay_s = 0.0
        self._is_hole = self._is_mute = False
        self._connections: list[Connection] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def black_hole(self) -> None:
        """From now on nothing gets through and nobody is told: no FIN, no RST."""
        with self._lock:
            self._is_hole = True
            for connection in self._connections:
                connection.is_dead = True

    def mute(self) -> None:
        """From now on requests get through and replies do not."""
        with self._lock:
            self._is_mute = True
            for connection in self._connections:
                connection.is_mute = True

    def reset(self) -> None:
        """Reset all connections; new ones get through."""
        with self._lock:
            broken, self._connections = self._connections, []
        for connection in broken:
            connection.reset()

    def restore(self) -> None:
        """New connections get through; those that were muted are reset, dead ones stay dead."""
        with self._lock:
            self._is_hole = self._is_mute = False
            self.delay_s = 0.0
            muted = [one for one in self._connections if one.is_mute]
            self._connections = [one for one in self._connections if not one.is_mute]
        for connection in muted:
            connection.reset()

    def close(self) -> None:
        """End everything."""
        # A thread that waits in accept() keeps the port open unless it is shut down.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            ended, self._connections = self._connections, []
        for connection in ended:
            connection.close()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = _connected(self.target)
            except OSError:
                client.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(client, server)
            with self._lock:
                connection.is_dead, connection.is_mute = self._is_hole, self._is_mute
                self._connections.append(connection)
            for is_reply in (False, True):
                threading.Thread(
                    target=self._pump, args=(connection, is_reply), daemon=True
                ).start()

    def _pump(self, connection: Connection, is_reply: bool) -> None:
        source, sink = connection.client, connection.server
        if is_reply:
            source, sink = sink, source
        try:
            while piece := source.recv(1 << 16):
                if self.delay_s:
                    time.sleep(self.delay_s)
                if connection.is_dead:
                    continue
                if is_reply and connection.is_mute:
                    connection.swallowed += 1
                    continue
                sink.sendall(piece)
        except OSError:
            pass
        if connection.is_dead:
            # The other end has not been told: it goes on waiting.
            return
        connection.close()


def _connected(target: Target) -> socket.socket:
    if isinstance(target, str):
        server = socket.socket(socket.AF_UNIX)
        server.connect(target)
        return server
    server = socket.create_connection(target, timeout=5)
    server.settimeout(None)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server
