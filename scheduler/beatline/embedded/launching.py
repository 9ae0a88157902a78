"""Which servers will do, and how one is started on a folder."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from beatline.embedded.places import Places
from beatline.errors import UnfitServer

#: The oldest versions that Beatline works with.
_OLDEST = {"Redis": (6, 2), "Valkey": (7, 2)}
_VERSION = re.compile(r"(\w+) server v=(\d+)\.(\d+)")

#: Since Redis 7 the append-only file is a folder of this name; 6.2 would not see it.
_AOF_FOLDER = "appendonlydir"

#: Bytes of log above which a start begins a new one; one old one is kept.
_LOG_BYTES = 1 << 20

#: Seconds that a program may take to tell its version; a server takes 5 ms.
_VERSION_TIMEOUT_S = 10.0


def check_fit(binary: Path, places: Places) -> None:
    """
    Make sure that this server can work on this folder.

    Raises:
        UnfitServer: For a program that is no Redis or Valkey, a version that is too old, and a
            folder that this version would read as an empty one.
    """
    remedy = 'unset BEATLINE_SERVER and pip install "beatline[embedded]", or name a newer server'
    name, version = _version_of(binary)
    oldest = _OLDEST.get(name)
    if oldest is None:
        raise UnfitServer(f"{binary} is neither a Redis nor a Valkey server", remedy=remedy)
    if version < oldest:
        raise UnfitServer(
            f"{binary} is {name} {version[0]}.{version[1]}; "
            f"Beatline needs {oldest[0]}.{oldest[1]} or newer",
            remedy=remedy,
        )
    if version < (7, 0) and (places.folder / _AOF_FOLDER).exists():
        raise UnfitServer(
            f"{binary} is {name} {version[0]}.{version[1]} and cannot read {places.folder}, "
            "which a newer server wrote: it would start empty",
            remedy=remedy,
        )


def launch(
    binary: Path, places: Places, lock_descriptor: int
) -> tuple[subprocess.Popen[bytes], int]:
    """
    Start the server on the folder; it is not ready yet when this returns.

    Only the holder of the server's lock may call it. The server runs in a session of its own,
    so that a terminal's Ctrl-C does not reach it, and inherits the lock's descriptor.

    Args:
        binary: The server, checked by ``check_fit``.
        places: The folder's places, prepared.
        lock_descriptor: The descriptor of the server's lock.

    Returns:
        The server's process, and the size of the log before its first word.

    Raises:
        RedisUnavailable: Where there is no room for the socket.
    """
    socket = places.prepare_socket()
    _turn_log(places.log)
    with places.log.open("ab") as log:
        log_bytes = log.tell()
        child = subprocess.Popen(
            _command(binary, places.folder, socket),
            cwd=places.folder,
            # A locale that is not installed stops Valkey at its start.
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            umask=0o077,
            start_new_session=True,
            pass_fds=(lock_descriptor,),
        )
        return child, log_bytes


def last_words(log: Path, since_bytes: int) -> str:
    """The last lines that the server wrote after ``since_bytes`` of its log, on one line."""
    try:
        with log.open("rb") as written:
            written.seek(since_bytes)
            rows = written.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return " | ".join(row.strip() for row in rows[-4:] if row.strip())


def _command(binary: Path, folder: Path, socket: Path) -> list[str]:
    """All options exist in Redis 6.2 and in every later Redis and Valkey."""
    return [
        str(binary),
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--protected-mode", "yes", "--daemonize", "no"),
        *("--dir", str(folder), "--save", ""),
        *("--appendonly", "yes", "--appendfsync", "everysec"),
        *("--maxmemory", "0", "--maxmemory-policy", "noeviction"),
        *("--loglevel", "notice", "--logfile", ""),
    ]


def _version_of(binary: Path) -> tuple[str, tuple[int, int]]:
    try:
        told = subprocess.run(
            [str(binary), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnfitServer(
            f"{binary} cannot be run: {error}",
            remedy="name a redis-server or valkey-server made for this machine",
        ) from error
    found = _VERSION.search(told)
    return (found[1], (int(found[2]), int(found[3]))) if found else ("", (0, 0))


def _turn_log(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
