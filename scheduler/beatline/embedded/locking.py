"""Locks on files that end with the last process that holds them, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLock:
    """
    An exclusive flock(2) on a file.

    The lock belongs to the open file description: a child that inherits the descriptor holds
    it too, and it ends when the last of them has closed it or died. A process that forks
    without exec shares it with its child in the same way.

    Args:
        path: The file; made where it is missing, and never removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    @property
    def descriptor(self) -> int:
        """The descriptor to pass on; only while the lock is held."""
        if self._descriptor is None:
            raise RuntimeError(f"{self.path} is not locked")
        return self._descriptor

    def acquire(self) -> bool:
        """Take the lock if it is free; never waits. Returns whether it is held now."""
        while self._descriptor is None:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            if self._is_current(descriptor):
                self._descriptor = descriptor
            else:
                # Somebody removed the folder between open and flock: lock the file that is there.
                os.close(descriptor)
        return True

    def is_free(self) -> bool:
        """Whether nobody holds the lock; asks by taking it for a moment."""
        asking = FileLock(self.path)
        try:
            return asking.acquire()
        except FileNotFoundError:
            return True
        finally:
            asking.release()

    def release(self) -> None:
        """Close our descriptor; the lock goes on where a child has inherited it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def write_pid(self, pid: int) -> None:
        """Note a process id in the locked file, for those who find it locked."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{pid}\n".encode(), 0)

    def read_pid(self) -> int | None:
        """The process id noted in the file, by whoever holds the lock."""
        try:
            return int(self.path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False
