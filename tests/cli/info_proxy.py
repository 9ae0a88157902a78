"""A proxy in front of a server that rewrites what INFO says of the version; all else passes."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers import RedisProcess

#: The first two numbers of the version; each is replaced by as many digits, as lengths are told
#: before the text.
_VERSION = re.compile(rb"(redis_version:)\d\.\d")


@contextmanager
def old_redis(server: RedisProcess, version: bytes = b"6.0") -> Iterator[str]:
    """The URL of a server that is like another one, but older."""
    listener = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = [listener]

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(str(server.socket))
                opened.extend((client, upstream))
                for source, target, rewrites in (
                    (client, upstream, False),
                    (upstream, client, True),
                ):
                    threading.Thread(
                        target=_pass_on, args=(source, target, version, rewrites), daemon=True
                    ).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    finally:
        for one in opened:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _pass_on(source: socket.socket, target: socket.socket, version: bytes, rewrites: bool) -> None:
    with suppress(OSError):
        # INFO names the version in its first line, which one read always holds.
        while piece := source.recv(65_536):
            if rewrites:
                piece = _VERSION.sub(rb"\g<1>" + version, piece)
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
