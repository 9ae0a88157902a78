"""Beats in threads of the test's process, against a real Redis and the real clock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from beatline.beat.beat import Beat
from beatline.job import read_job
from beatline.keys import prefix
from beatline.ledger import Occurrence, read_history
from beatline.schedule import Schedule
from beatline.settings import Settings
from beatline.store.schedule_reading import read_ledger
from beatline.wire.connection import Endpoint, HeldConnection
from tests.servers import eventually

PREFIX = prefix("sched", 0)


class RunningBeat:
    """
    A beat in a thread.

    Args:
        url: Of its Redis.
        schedules: What it declares.
        settings: Of the app.
        reply_timeout_ms: Its longest wait for a reply.
        how: Further arguments of `Beat`.
    """

    def __init__(
        self,
        url: str,
        schedules: Sequence[Schedule] = (),
        *,
        settings: Settings | None = None,
        reply_timeout_ms: int = 3_000,
        **how: Any,
    ) -> None:
        endpoint = Endpoint(url, connect_timeout_ms=500, reply_timeout_ms=reply_timeout_ms)
        self.beat = Beat(settings or Settings(), endpoint, schedules, **how)
        self.exit_code: int | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="beat")

    def _run(self) -> None:
        try:
            self.exit_code = self.beat.run_until(threading.Event())
        except BaseException as error:  # noqa: BLE001 - the test's thread raises it
            self.error = error

    def __enter__(self) -> RunningBeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, timeout: float = 10.0) -> int | None:
        """Wait for its end; the exit code."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "beat has not ended"
        if self.error is not None:
            raise self.error
        return self.exit_code

    def stop(self) -> int | None:
        """Tell it to stop, and wait."""
        self.beat.stop()
        return self.wait()

    def wait_until_leading(self) -> RunningBeat:
        """Wait until it leads all partitions."""
        partitions = len(self.beat._rounds)
        eventually(lambda: len(self.beat.health.leads) == partitions, what="leadership")
        return self


class Books:
    """What a test looks at in Redis, on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.connection = HeldConnection(Endpoint(url))

    def fired(self) -> Counter[tuple[str, int]]:
        """(Schedule, fire time) -> number of jobs."""
        flat = self.connection.call("HGETALL", PREFIX + b"jobs")
        jobs = [read_job(raw, record) for raw, record in zip(flat[::2], flat[1::2], strict=True)]
        return Counter((job.schedule or "", job.nominal_ms or 0) for job in jobs)

    def history(self, name: str) -> list[Occurrence]:
        """What became of a schedule's occurrences."""
        return read_history(read_ledger(self.connection, PREFIX, name), latest=10_000)

    def schedules(self) -> int:
        """How many schedules there are."""
        return int(self.connection.call("HLEN", PREFIX + b"schedules"))

    def blocked_clients(self) -> int:
        """How many connections wait in a blocking command."""
        facts: bytes = self.connection.call("INFO", "clients")
        return int(facts.split(b"blocked_clients:")[1].split()[0])
