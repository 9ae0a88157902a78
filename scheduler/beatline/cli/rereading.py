"""
Reads schedule files for beat: once at its start, and with ``--watch`` again when they change.

A thread of its own looks at the files twice a second. What happens when an edit is broken: each
problem is logged with its place, what was declared last stays, and the next edit is tried. When
files vanish: a named one that is gone is a problem; one that has left a folder takes its schedules
with it, as `sched schedules apply` would. When Redis is away: beat applies what was read last as
soon as it is back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from beatline.cli.exits import warn
from beatline.cli.reach import known_of
from beatline.declared import DeclaredSet
from beatline.errors import InvalidScheduleFile
from beatline_schedules import Declared, examine
from beatline_schedules.applying import declared_set
from beatline_schedules.file_changes import FileChanges

if TYPE_CHECKING:
    from beatline.app import App

_log = logging.getLogger("beatline.beat")

#: Time between two looks at the files, seconds; a change is taken up by the second that sees it.
_PAUSE_S: Final = 0.5
#: Problems of an edit that are logged one by one.
_MOST_TOLD: Final = 50


class ScheduleFiles:
    """
    Reads the schedule files of a beat.

    Args:
        app: The app whose tasks the files are checked against; None where none is known.
        paths: Files and folders.
    """

    def __init__(self, app: App | None, paths: Sequence[str]) -> None:
        self.paths = list(paths)
        self._app = app
        # Before the first reading: what changes meanwhile is a change.
        self.changes = FileChanges(self.paths)

    def load(self) -> DeclaredSet:
        """
        The declared set, for beat's start; remarks are told.

        Raises:
            InvalidScheduleFile: The files have problems.
        """
        declared = self.examine()
        if declared.problems:
            raise InvalidScheduleFile(declared.problems)
        for remark in declared.remarks:
            warn(str(remark))
        return declared_set(declared, self.paths)

    def examine(self) -> Declared:
        """What the files declare, with its problems."""
        if self._app is None:
            declared = examine(self.paths)
        else:
            declared = examine(self.paths, **known_of(self._app))
        self.changes.note_read(declared.calendars)
        return declared


class Rereader:
    """
    Reads again what has changed, in a thread, for as long as its ``with`` block runs.

    Args:
        files: What is read.
        declare: Takes each new set.
        pause_s: Time between two looks.
    """

    def __init__(
        self,
        files: ScheduleFiles,
        declare: Callable[[DeclaredSet], None],
        pause_s: float = _PAUSE_S,
    ) -> None:
        self._files = files
        self._declare = declare
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule-files", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._pause_s):
            try:
                if self._files.changes.has_changed():
                    self._reread()
            # Whatever the files hold, beat goes on, and the next edit is tried.
            except Exception:  # noqa: BLE001 - logged with its traceback
                self._files.changes.note_read()
                _log.exception("beat.schedules_not_read remedy=report this as a fault of Beatline")

    def _reread(self) -> None:
        declared = self._files.examine()
        if declared.problems:
            for problem in islice(declared.problems, _MOST_TOLD):
                _log.warning("beat.schedule_problem %s", problem)
            _log.warning(
                "beat.schedules_broken problems=%d remedy=%s",
                len(declared.problems),
                "what was declared last goes on; correct the files, they are read when they change",
            )
            return
        for remark in declared.remarks:
            _log.warning("beat.schedule_remark %s", remark)
        _log.info(
            "beat.schedules_changed files=%d schedules=%d",
            len(declared.files),
            len(declared.declarations),
        )
        self._declare(declared_set(declared, self._files.paths))
