"""
The ensemble: what `sched up` and `sched worker --beat` keep running beside each other.

An embedded server where one is needed, and companions in the order in which they start. What
ends is started again with growing pauses, and this is said. The end goes backwards: worker,
beat, server, so that nothing that runs misses what it needs.

What happens when

- a companion dies: it is started again after 0.5 s, then 1 s, 2 s … up to 30 s. One that says
  that it was used wrongly, or cannot load the app, ends the ensemble with its exit code.
- the embedded server dies: it is started again on its data; the companions reconnect.
- this process is killed: the companions notice by their lifeline and end warm; the server goes
  on, and the next owner adopts it.
- Ctrl-C, TERM: a warm end. Once more: running jobs are handed back. A third time: kill.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from beatline.cli.bell import Bell
from beatline.cli.companion import (
    FIRST_PAUSE_S,
    HOPELESS,
    LONGEST_PAUSE_S,
    Companion,
    How,
    told_end,
)
from beatline.embedded import EmbeddedServer
from beatline.errors import BeatlineError

_log = logging.getLogger("beatline.cli.ensemble")

#: How often companions and server are looked at without any event, seconds.
_LOOK_S: Final = 0.5
#: A signal that comes so soon after another one is the same wish, seconds: timeout(1) and shells
#: send it to the process and to its group.
_SAME_WISH_S: Final = 1.0
_WORKER_ENDS: Final = {
    How.WARM: "ends when what runs has finished; Ctrl-C again hands it back",
    How.COLD: "ends now, and hands back what runs",
    How.KILL: "is killed",
}
#: What a cold end may take before the companion is killed, seconds.
_COLD_S: Final = 15.0


class Stage(Protocol):
    """Where an ensemble is seen: a live view, or lines of text."""

    def tell(self, line: str, *, is_trouble: bool = False) -> None:
        """Say something that the ensemble did or noticed."""
        ...

    def pass_on(self, name: str, line: str) -> None:
        """Show a line that a companion wrote; only where output is captured."""
        ...

    def refresh(self) -> None:
        """Show what has changed since the last call."""
        ...


class Ensemble:
    """
    Runs a server and companions until told to stop.

    Args:
        companions: In the order in which they start.
        stage: Where it is shown.
        bell: Signals, and the wake-ups of the stage's own threads.
        server: The embedded server, started; None where there is none of ours.
        before_server_ends: Called when all companions have ended: nobody needs Redis any more.
        grace_s: How long a warm end of a companion may take before it is killed.
    """

    def __init__(
        self,
        companions: Sequence[Companion],
        stage: Stage,
        bell: Bell,
        *,
        server: EmbeddedServer | None = None,
        before_server_ends: Callable[[], None] = lambda: None,
        grace_s: float = 40.0,
    ) -> None:
        self._companions = list(companions)
        self._stage = stage
        self._bell = bell
        self._server = server
        self._before_server_ends = before_server_ends
        self._grace_s = grace_s
        self._server_pause_s = FIRST_PAUSE_S
        self._server_start_at: float | None = None
        self._exit_code: int | None = None
        self._asked_at = 0.0

    def run(self, once_started: Callable[[], None] = lambda: None) -> int:
        """
        Start the companions, keep them, end them; the exit code.

        Args:
            once_started: Called when all have been started.
        """
        try:
            for companion in self._companions:
                companion.start(time.monotonic())
            once_started()
            while self._exit_code is None and not self._bell.asked:
                self._look(time.monotonic())
                self._stage.refresh()
                self._wait(_LOOK_S)
        finally:
            self._end()
        return self._exit_code or 0

    def end_with(self, code: int) -> None:
        """Stop with this exit code at the next look."""
        self._exit_code = code
        self._bell.ring()

    def _wait(self, seconds: float) -> None:
        outputs = {one.output: one for one in self._companions if one.output is not None}
        for descriptor in self._bell.wait(list(outputs), seconds):
            companion = outputs[descriptor]
            lines = companion.read_lines()
            for line in lines:
                self._stage.pass_on(companion.name, line)
            if not lines and not companion.is_running:
                # The pipe has ended: readable for ever, with nothing in it.
                self._bell.wait([], 0.05)

    def _look(self, now: float) -> None:
        self._look_at_server(now)
        for companion in self._companions:
            if companion.start_again(now):
                self._stage.tell(f"{companion.name} starts again")
            if companion.is_running:
                continue
            last_lines = companion.read_lines()
            code = companion.take_end(now)
            for line in last_lines:
                self._stage.pass_on(companion.name, line)
            if code is not None:
                self._take_note(companion, code)

    def _take_note(self, companion: Companion, code: int) -> None:
        if code in HOPELESS:
            self._exit_code = code
            return
        pause = f"{companion.pause_s:g} s"
        what = f"{companion.name} {told_end(code)} and starts again in {pause}"
        self._stage.tell(what, is_trouble=True)

    def _look_at_server(self, now: float) -> None:
        server = self._server
        if server is None or not server.has_ended:
            return
        if self._server_start_at is None:
            self._server_start_at = now + self._server_pause_s
            self._stage.tell(
                f"the embedded server ended (see {server.log_file}) and starts again in"
                f" {self._server_pause_s:g} s; what it had answered is on disk",
                is_trouble=True,
            )
        elif now >= self._server_start_at:
            self._server_start_at = None
            self._server_pause_s = min(2 * self._server_pause_s, LONGEST_PAUSE_S)
            try:
                server.start()
            except BeatlineError as error:
                self._stage.tell(str(error), is_trouble=True)
            else:
                self._stage.tell(f"the embedded server runs again: {server.url}")

    # --- the end ----------------------------------------------------------------------------

    def _end(self) -> None:
        how = How.COLD if signal.SIGQUIT in self._bell.take() else How.WARM
        self._asked_at = time.monotonic()
        for companion in reversed(self._companions):
            if companion.is_running:
                self._tell_end(companion, how)
            how = self._end_companion(companion, how)
        self._before_server_ends()
        if self._server is not None:
            self._stage.tell("the embedded server ends; its data stays")
            self._server.stop()
        self._stage.refresh()

    def _end_companion(self, companion: Companion, how: How) -> How:
        """Let one companion end; returns how the next one is to be asked."""
        companion.ask_to_end(how)
        deadline = time.monotonic() + (self._grace_s if how == How.WARM else _COLD_S)
        while companion.is_running:
            asked = self._asked_again()
            if asked:
                how = self._escalated(companion, how, asked)
                deadline = time.monotonic() + _COLD_S
            elif time.monotonic() > deadline:
                self._stage.tell(f"{companion.name} did not end in time", is_trouble=True)
                companion.ask_to_end(How.KILL)
                deadline = time.monotonic() + _COLD_S
            self._wait(0.2)
            self._stage.refresh()
        for line in companion.read_lines():
            self._stage.pass_on(companion.name, line)
        return how

    def _asked_again(self) -> list[int]:
        asked = self._bell.take()
        now = time.monotonic()
        if not asked or (now - self._asked_at < _SAME_WISH_S and signal.SIGQUIT not in asked):
            return []
        self._asked_at = now
        return asked

    def _escalated(self, companion: Companion, how: How, asked: list[int]) -> How:
        how = How.COLD if how == How.WARM or signal.SIGQUIT in asked else How.KILL
        self._tell_end(companion, how)
        companion.ask_to_end(how)
        return how

    def _tell_end(self, companion: Companion, how: How) -> None:
        is_worker = companion.name == "worker"
        self._stage.tell(f"{companion.name} {_WORKER_ENDS[how] if is_worker else 'ends'}")
