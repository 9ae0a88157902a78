"""
The embedded Redis: a real server in ``./.beatline/``, so that nothing has to be set up first.

``locate`` finds the folder, the server's binary and the URL of a server that runs; ``server``
starts, adopts and stops one, and is imported when it is first asked for: each client looks for a
server, and hardly any starts one. Why it is built this way:
``docs/decisions/0003-embedded-server.md``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from beatline.embedded.locate import data_folder, embedded_url, server_binary

if TYPE_CHECKING:
    from beatline.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "data_folder", "embedded_url", "server_binary"]


def __getattr__(name: str) -> Any:
    if name != "EmbeddedServer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("beatline.embedded.server").EmbeddedServer
