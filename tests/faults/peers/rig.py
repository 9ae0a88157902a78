"""One Redis, Celery's workers and a client around it, and the checker of the fault suite."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.environments import python_of
from tests.faults.checker import Circumstances, Verdict, check
from tests.faults.journal import WHERE, Journal
from tests.processes import descendants
from tests.servers import RedisProcess, eventually

ROOT = Path(__file__).parents[3]
APP = "tests.faults.peers.celery_app"


class Rig:
    """
    Celery for one scenario.

    Args:
        folder: Holds journal and logs.
        server: Its Redis.
    """

    def __init__(self, folder: Path, server: RedisProcess) -> None:
        self.folder = folder
        self.server = server
        self.journal = Journal(folder / "journal")
        self.workers: list[subprocess.Popen[bytes]] = []
        self.deaths: dict[int, int] = {}
        self._started = 0
        self._loads: list[subprocess.Popen[bytes]] = []

    def worker(self, url: str | None = None) -> subprocess.Popen[bytes]:
        """Start a worker with two processes, and wait until it says that it is ready."""
        self._started += 1
        name = f"worker{self._started}"
        options = ["-m", "celery", "-A", f"{APP}:app", "worker", "-c", "2", "-l", "INFO"]
        worker = self._spawn([*options, "-n", f"{name}@faults"], name, url)
        log = self.folder / f"{name}.log"
        eventually(lambda: " ready." in log.read_text(), 60, every=0.1, what=f"{name} to be ready")
        self.workers.append(worker)
        return worker

    def load(self, rate: float) -> None:
        """Start a client that sends until `settle`."""
        self._loads.append(self._spawn(["-m", APP, str(rate)], "load", None))
        self.await_completed(10)

    def send(self, task: str, *arguments: object) -> None:
        """Send one job, whose first argument is its key."""
        code = (
            f"from {APP} import app; from tests.faults.journal import write;"
            f"app.send_task({task!r}, {arguments!r}); write('acked', {arguments[0]!r})"
        )
        assert self._spawn(["-c", code], "send", None).wait(30) == 0

    def await_completed(self, count: int, timeout: float = 60.0) -> None:
        """Wait until so many more runs have been completed than now."""
        wanted = self.journal.count("end") + count
        eventually(
            lambda: self.journal.count("end") >= wanted, timeout, every=0.1, what=f"{count} runs"
        )

    def kill(self, pids: list[int]) -> None:
        """kill -9 for these processes at once."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.deaths[pid] = time.monotonic_ns()

    def kill_worker(self, worker: subprocess.Popen[bytes]) -> None:
        """kill -9 for a worker with all its processes."""
        self.workers.remove(worker)
        self.kill([worker.pid, *descendants(worker.pid)])
        worker.wait(10)

    def terminate(self, worker: subprocess.Popen[bytes]) -> None:
        """A warm stop."""
        self.workers.remove(worker)
        worker.terminate()
        worker.wait(60)

    def settle(self, timeout: float) -> Verdict:
        """Stop sending, give it time to finish, and compare."""
        for client in self._loads:
            client.terminate()
            client.wait(60)
        deadline = time.monotonic() + timeout
        while True:
            verdict = check(self.journal.events(), Circumstances(self.deaths))
            if not verdict.lost or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        # Whatever is redelivered late is redelivered within two timeouts.
        time.sleep(15)
        return check(self.journal.events(), Circumstances(self.deaths))

    def close(self) -> None:
        """End everything."""
        for one in (*self.workers, *self._loads):
            for pid in (one.pid, *descendants(one.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            one.wait()

    def _spawn(self, options: list[str], name: str, url: str | None) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [str(python_of("peers")), *options],
                env={
                    **os.environ,
                    "CELERY_FAULTS_URL": url or self.server.tcp_url,
                    "PYTHONPATH": str(ROOT),
                    WHERE: str(self.journal.path),
                },
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@contextmanager
def rig(folder: Path, server: RedisProcess) -> Iterator[Rig]:
    """A rig that ends with the block."""
    one = Rig(folder, server)
    try:
        yield one
    finally:
        one.close()
