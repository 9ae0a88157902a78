"""The embedded server of this place, started or adopted by a command that owns it."""

from __future__ import annotations

from pathlib import Path

from beatline.cli.bell import Bell
from beatline.cli.ensemble import Stage
from beatline.embedded import EmbeddedServer, data_folder


def start_server(stage: Stage, bell: Bell) -> EmbeddedServer:
    """
    Own the nearest data folder, or a new one here, and start or adopt its server.

    Args:
        stage: Is told what happens.
        bell: A signal ends the wait for a server that loads much data.

    Raises:
        RedisUnavailable: Another owner has the folder, or the server does not come up.
        KeyboardInterrupt: A signal came meanwhile.
    """

    def tell_share(share: float) -> None:
        if bell.asked:
            raise KeyboardInterrupt
        stage.tell(f"the embedded server loads its data: {share:.0%}")

    folder = data_folder() or Path.cwd() / ".beatline"
    server = EmbeddedServer(folder, on_loading=tell_share)
    server.start()
    how = "adopted (it ran already)" if server.was_adopted else "started"
    stage.tell(f"embedded server {how}: folder={server.folder} pid={server.pid or '?'}")
    return server
