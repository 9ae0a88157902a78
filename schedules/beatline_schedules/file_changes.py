"""
Says when schedule files have changed.

Files are looked at, never read: path, inode, size and times of each. A change counts when two looks
in a row agree, so that a file that is being written, or one that an editor is about to put in
another's place, is not taken for its final self: a file that is cut off in the middle may well be
right YAML, and declare fewer schedules.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from beatline_schedules.files import find_files

#: What shows that a file is another one than before; None where there is none.
Look = dict[Path, tuple[int, int, int, int] | None]


class FileChanges:
    """
    Knows the files that schedules were read from, as they were then.

    Args:
        paths: Files and folders, as for `beatline_schedules.load`. A folder's files may come and
            go.
    """

    def __init__(self, paths: Iterable[Path | str]) -> None:
        self._paths = list(paths)
        self._calendars: list[Path] = []
        self._read = self._last = self._look()

    def note_read(self, calendars: Iterable[Path] = ()) -> None:
        """
        The files are read as they were at the last look.

        Args:
            calendars: Further files that they name. They are looked at from now on.
        """
        before, self._calendars = self._calendars, list(dict.fromkeys(calendars))
        for path in set(before).difference(self._calendars):
            self._last.pop(path, None)
        for path in self._calendars:
            if path not in self._last:
                self._last[path] = _identity(path)
        self._read = self._last

    def has_changed(self) -> bool:
        """Look; whether the files differ from those that were read, and are at rest by now."""
        look = self._look()
        is_at_rest = look == self._last
        self._last = look
        return is_at_rest and look != self._read

    def _look(self) -> Look:
        files = [*find_files(self._paths)[0], *self._calendars]
        return {path: _identity(path) for path in files}


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
