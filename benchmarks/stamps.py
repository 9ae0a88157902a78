"""
Start times of jobs, written by the jobs themselves without a system call per job.

Each process that runs jobs maps a file of its own and appends 16 bytes per job: the
number that it was called with, and when it started (wall clock, ns). Writing one costs about
0.3 µs, the same for every contender. This module is imported by peers too, in their
environments, and needs the standard library only.
"""

from __future__ import annotations

import itertools
import mmap
import os
import struct
import sys
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

#: Folder in which the processes of one cell leave their files.
FOLDER_VARIABLE = "BENCH_STAMPS"

#: Most stamps of one process; the file is sparse.
CAPACITY = 2_000_000

_RECORD = struct.Struct("<qq")


class Stamp(NamedTuple):
    """One start of a job: when (UTC ns), and with which number."""

    at_ns: int
    number: int


_opening = threading.Lock()


def _first_mark(number: int) -> None:
    """Map this process's file, then mark."""
    with _opening:
        if _mark is _first_mark:
            _open_file()
    _mark(number)


def _open_file() -> None:
    folder = Path(os.environ[FOLDER_VARIABLE])
    with open(folder / f"{os.getpid()}.stamps", "a+b") as file:
        file.truncate(CAPACITY * _RECORD.size)
        target = mmap.mmap(file.fileno(), 0)
    pack_into, now, size = _RECORD.pack_into, time.time_ns, _RECORD.size
    turn = itertools.count()

    def mark_here(number: int) -> None:
        # The order of `next` makes this safe for threads, too.
        # The instant is written last: a reader that sees it sees the number too.
        pack_into(target, size * next(turn), number, now())

    global _mark  # noqa: PLW0603 - one file per process is this module's point
    _mark = mark_here


_mark: Callable[[int], None] = _first_mark


def mark(number: int) -> None:
    """Note that a job starts now; the first call of a process makes its file."""
    _mark(number)


def _forget() -> None:
    global _mark, _opening
    _mark, _opening = _first_mark, threading.Lock()


os.register_at_fork(after_in_child=_forget)


class StampReader:
    """
    Reads what jobs have written, while they write.

    Args:
        folder: Where; emptied by `clear`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, int] = {}
        #: Number and instant in turns. Unpacking what is only counted would take a tenth of a core
        #: from the quickest contender, and nothing from the slowest.
        self._numbers = array("q")

    def clear(self) -> None:
        """Remove all stamps; no process that writes may live."""
        for path in self.folder.glob("*.stamps"):
            path.unlink()
        self._read.clear()
        self._numbers = array("q")

    def skip(self) -> None:
        """Forget what has been written so far; the writers may live on."""
        self.count()
        self._numbers = array("q")

    def read(self) -> list[Stamp]:
        """All stamps so far, in no particular order between processes."""
        self.count()
        return list(map(Stamp, self._numbers[1::2], self._numbers[0::2]))

    def count(self) -> int:
        """How many jobs have started."""
        for path in self.folder.glob("*.stamps"):
            position = self._read.get(path, 0)
            with open(path, "rb") as file:
                position = self._read_on(file.fileno(), position)
            self._read[path] = position
        return len(self._numbers) // 2

    def _read_on(self, descriptor: int, position: int) -> int:
        while True:
            chunk = os.pread(descriptor, 4096 * _RECORD.size, position)
            numbers = array("q", chunk[: len(chunk) - len(chunk) % _RECORD.size])
            if sys.byteorder == "big":
                numbers.byteswap()
            # Up to the first gap: of two threads the second may have written before the first.
            instants = numbers[1::2]
            written = instants.index(0) if 0 in instants else len(instants)
            self._numbers += numbers[: 2 * written]
            position += written * _RECORD.size
            if written < 4096:
                return position
