"""
Real processes of Beatline for the tests: started, watched, stopped, killed.

Each runs the command that a user would run, with its output in a file, and dies with the test
process. Jobs write what they do into a journal outside Redis (`Journal`), which is what tests
compare with what should have run.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers import eventually

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_test() -> None:
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Command:
    """
    One running ``sched`` command.

    Args:
        arguments: After ``sched``.
        log: Where its output goes.
        env: Environment on top of ours.
        cwd: Working directory.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, *, env: Mapping[str, str], cwd: Path
    ) -> None:
        self.arguments = list(arguments)
        self.log = log
        self._output = log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "beatline.cli", *arguments],
            stdout=self._output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
            preexec_fn=_die_with_test,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id of the command."""
        return self.process.pid

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def wait_for_line(self, text: str, timeout: float = 15.0) -> None:
        """Wait until its output holds ``text``; fails early where the command has ended."""

        def said() -> bool:
            if text in self.output:
                return True
            assert self.process.poll() is None, (
                f"ended with {self.process.returncode}: {self.output}"
            )
            return False

        try:
            eventually(said, timeout, what=f"{text!r} of sched {' '.join(self.arguments)}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def signal(self, number: int) -> None:
        """Send a signal to the command itself."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, timeout: float = 20.0) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(timeout)

    def terminate(self, timeout: float = 20.0) -> int:
        """TERM, and wait for the end."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def family(self) -> list[int]:
        """Pids of the command and all that descend from it, parents first."""
        return [self.pid, *descendants(self.pid)]

    def kill_family(self) -> None:
        """kill -9 for the command and all its descendants at once, as a power cut would."""
        family = self.family()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        for pid in {*family, *self.family()}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def close(self) -> None:
        """End it, however it is."""
        if self.process.poll() is None:
            self.kill_family()
        self._output.close()


def descendants(pid: int) -> list[int]:
    """Pids of all that descend from a process, by /proc."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal: what happened to which job, when (monotonic ns), in which process."""

    what: str
    key: str
    at_ns: int
    pid: int


class Journal:
    """
    Where jobs write what they do, outside Redis; appends of one line are atomic.

    Args:
        path: The file; jobs find it by the environment variable ``JOURNAL``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def entries(self, what: str | None = None) -> list[Entry]:
        """All entries, or those of one kind, in the order in which they were written."""
        found = []
        for line in self.path.read_text().splitlines():
            kind, key, at_ns, pid = line.rsplit(" ", 3)
            if what in (None, kind):
                found.append(Entry(kind, key, int(at_ns), int(pid)))
        return found

    def keys(self, what: str) -> list[str]:
        """The keys of one kind of entry, in order."""
        return [entry.key for entry in self.entries(what)]

    def count(self, what: str, key: str | None = None) -> int:
        """How many entries of a kind there are, of one key or of all."""
        return sum(1 for found in self.keys(what) if key in (None, found))

    def wait_for(self, what: str, count: int = 1, timeout: float = 15.0) -> list[Entry]:
        """Wait until there are at least so many entries of a kind."""
        eventually(
            lambda: len(self.entries(what)) >= count, timeout, what=f"{count} × {what} in journal"
        )
        return self.entries(what)


def write_journal(what: str, key: str) -> None:
    """For jobs: append one entry to the journal named by ``JOURNAL``."""
    line = f"{what} {key} {time.monotonic_ns()} {os.getpid()}\n".encode()
    descriptor = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


@contextmanager
def commands(folder: Path, env: Mapping[str, str]) -> Iterator[Callable[..., Command]]:
    """
    Starts ``sched`` commands that end with the block.

    Args:
        folder: Holds their logs.
        env: Environment for all of them.
    """
    with ExitStack() as stack:
        count = 0

        def start(*arguments: str, extra_env: Mapping[str, str] | None = None) -> Command:
            nonlocal count
            count += 1
            command = Command(
                arguments,
                folder / f"{count}-{arguments[0]}.log",
                env={**env, **(extra_env or {})},
                cwd=Path(__file__).parent.parent,
            )
            stack.callback(command.close)
            return command

        yield start
