"""
The embedded Redis: a real server in ``./.beatline/``, so that nothing has to be set up first.

``locate`` finds the folder, the server's binary and the URL of a server that runs; ``server``
starts, adopts and stops one. Why it is built this way: ``docs/decisions/0003-embedded-server.md``.
"""

from beatline.embedded.locate import data_folder, embedded_url, server_binary
from beatline.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "data_folder", "embedded_url", "server_binary"]
