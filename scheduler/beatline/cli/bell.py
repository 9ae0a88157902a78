"""
Signals as events of a loop: noted when they arrive, taken when the loop comes round.

The loop of a parent process waits for pipes and for time; a signal ends that wait at once. What
a signal means is decided by the loop, never in the handler.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Final, Self

#: Signals that ask for an end.
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)


class Bell:
    """
    Notes signals while its context lasts; only in a process's main thread.

    Attributes:
        asked: The signals that asked for an end and were not taken yet, in order.
    """

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._before: dict[int, Any] = {}

    def take(self) -> list[int]:
        """The signals since the last call."""
        taken, self.asked = self.asked, []
        return taken

    def ring(self) -> None:
        """End the present wait, or the next one; from any thread."""
        with suppress(BlockingIOError):
            os.write(self._writing, b"!")

    def wait(self, descriptors: Sequence[int], seconds: float) -> list[int]:
        """Wait for a signal, a ring, or something to read; the descriptors that can be read."""
        poller = select.poll()
        for descriptor in (self._reading, *descriptors):
            poller.register(descriptor, select.POLLIN)
        found = [descriptor for descriptor, _ in poller.poll(max(seconds, 0.0) * 1_000)]
        if self._reading in found:
            found.remove(self._reading)
            with suppress(BlockingIOError):
                while os.read(self._reading, 4_096):
                    pass
        return found

    def __enter__(self) -> Self:
        for number in _ENDING:
            self._before[number] = signal.signal(number, self._note)
        # A child's end only has to end the wait.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _pass_over)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(-1)
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._reading)
        os.close(self._writing)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.asked.append(number)


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    return
