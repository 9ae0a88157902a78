"""Where the embedded server keeps what: the names inside the folder, and the socket's place."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from beatline.errors import RedisUnavailable

#: The folder's name, in the working directory or one of its parents.
FOLDER_NAME = ".beatline"

#: The socket's name.
_SOCKET_NAME = "redis.sock"

#: Bytes that a unix socket's path may have: ``sun_path`` of unix(7) less its closing NUL.
SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103

#: Root of the runtime folders, for sockets whose path would be too long. /tmp itself: TMPDIR may
#: be long, and XDG_RUNTIME_DIR vanishes at the user's last logout while the server goes on.
_RUNTIME_ROOT = Path("/tmp")


@dataclass(frozen=True)
class Places:
    """
    The paths that belong to one folder; building it touches nothing.

    Args:
        folder: The data folder, absolute and without symbolic links.
    """

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> Places:
        """The places of a folder that may be written in any way."""
        return cls(folder.expanduser().resolve())

    @property
    def server_lock(self) -> Path:
        """Locked while the server, or the owner that started it, lives."""
        return self.folder / "server.lock"

    @property
    def owner_lock(self) -> Path:
        """Locked while an owner lives; holds the owner's process id."""
        return self.folder / "owner.lock"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    @property
    def socket_record(self) -> Path:
        """Holds the socket's path where that is not in the folder itself."""
        return self.folder / "socket.path"

    @property
    def runtime_folder(self) -> Path | None:
        """The private folder for the socket, or None where the data folder's path is short."""
        if len(os.fsencode(self.folder / _SOCKET_NAME)) <= SOCKET_PATH_BYTES:
            return None
        digest = hashlib.blake2b(os.fsencode(self.folder), digest_size=8).hexdigest()
        return _RUNTIME_ROOT / f"beatline-{os.geteuid()}-{digest}"

    @property
    def new_socket(self) -> Path:
        """Where a server that starts now puts its socket."""
        return (self.runtime_folder or self.folder) / _SOCKET_NAME

    def live_socket(self) -> Path:
        """Where the server that runs now has its socket: the record wins over the rule."""
        try:
            recorded = self.socket_record.read_text(encoding="utf-8").strip()
        except OSError:
            return self.folder / _SOCKET_NAME
        return Path(recorded) if recorded else self.new_socket

    def prepare(self) -> None:
        """
        Make the data folder, private to this user and out of sight of git.

        Raises:
            RedisUnavailable: Where it can't be made or belongs to another user.
        """
        _make_private(self.folder)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")

    def prepare_socket(self) -> Path:
        """
        Clear the socket's place and record it; only the holder of the server's lock may call it.

        Raises:
            RedisUnavailable: Where the runtime folder can't be made or belongs to another user.
        """
        socket = self.new_socket
        if self.runtime_folder is None:
            self.socket_record.unlink(missing_ok=True)
        else:
            _make_private(self.runtime_folder)
            fresh = self.socket_record.with_suffix(".new")
            fresh.write_text(f"{socket}\n", encoding="utf-8")
            fresh.replace(self.socket_record)
        socket.unlink(missing_ok=True)
        return socket

    def forget_socket(self) -> None:
        """Remove what is left of a server that has ended; only under the server's lock."""
        self.live_socket().unlink(missing_ok=True)
        self.socket_record.unlink(missing_ok=True)
        if self.runtime_folder is not None and self.runtime_folder.is_dir():
            self.runtime_folder.rmdir()


def _make_private(folder: Path) -> None:
    """
    Make a folder with mode 0700, or make sure that an existing one is such a folder of ours.

    The check follows no symbolic link: a name in /tmp is foreseeable, and somebody else may
    have taken it.
    """
    remedy = "choose a folder that this user may write, or set BEATLINE_REDIS_URL to a server"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise RedisUnavailable(f"{folder} is not a folder of this user", remedy=remedy)
        if stat.S_IMODE(found.st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise RedisUnavailable(
            f"cannot make the folder {folder}: {error.strerror}", remedy=remedy
        ) from error
