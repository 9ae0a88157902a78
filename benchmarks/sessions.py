"""
Processes of contenders: each started as the leader of a session, so that all of it can be
measured and ended by its leader's id.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.machine import Cost, cost_of, scheduled_s, session_pids
from benchmarks.private_redis import die_with_parent

#: The repository's top: contenders run here, so that ``benchmarks`` can be imported.
ROOT = Path(__file__).resolve().parents[1]

#: This checkout's own code comes first, whatever is installed.
PYTHONPATH = os.pathsep.join(str(ROOT / part) for part in (".", "scheduler", "worker", "schedules"))


class Failed(Exception):  # noqa: N818 - says what happened to a contender
    """A contender's process ended early, or did not do its work in time."""


class Session:
    """
    Running processes of one contender; ended when the ``with`` block ends.

    Args:
        commands: One or more command lines, each a session of its own.
        environment: Added to ours.
        log: Where their output goes.
        patience_s: How long they may take to end before they are killed. Nothing that they do
            then is measured, and some take as many seconds as they are given.
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        environment: Mapping[str, str],
        log: Path,
        patience_s: float = 3.0,
    ) -> None:
        self._log = log
        self._patience_s = patience_s
        self._file = open(log, "ab")  # noqa: SIM115 - closed by stop
        self._processes = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": PYTHONPATH, **environment},
                stdin=subprocess.DEVNULL,
                stdout=self._file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - no threads run here
            )
            for command in commands
        ]

    @property
    def leaders(self) -> list[int]:
        """The process ids of the commands."""
        return [process.pid for process in self._processes]

    def cost(self) -> Cost:
        """CPU and memory of all their processes."""
        return cost_of(self.leaders)

    def scheduled_s(self) -> float:
        """CPU that their living threads have used, to the ns; for times of little work."""
        return scheduled_s(self.leaders)

    def wait_until(self, is_done: Callable[[], bool], limit_s: float, every_s: float) -> bool:
        """
        Wait for something that these processes bring about.

        Returns:
            Whether it came within the limit.

        Raises:
            Failed: One of the processes has ended.
        """
        deadline = time.monotonic() + limit_s
        while not is_done():
            for process in self._processes:
                if process.poll() is not None:
                    raise Failed(f"ended with {process.returncode}; last words:\n{self.tail()}")
            if time.monotonic() > deadline:
                return False
            time.sleep(every_s)
        return True

    def tail(self, length: int = 1500) -> str:
        """The end of what they printed."""
        self._file.flush()
        return self._log.read_text(errors="replace")[-length:]

    def stop(self) -> None:
        """TERM, and KILL for whatever of the sessions is left after a while."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + self._patience_s
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
        for leader in self.leaders:
            for pid in session_pids(leader):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for process in self._processes:
            process.wait()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
