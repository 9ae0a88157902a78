"""A pair of hands that takes and settles jobs through the store, as a worker would."""

from __future__ import annotations

import uuid
from typing import Any

from beatline import App, AsyncResult
from beatline.job import Job, read_job
from beatline.keys import prefix
from beatline.outcome import failure_body, success_body
from beatline.store.delivering import Call, Consumer, Delivery, Settlement, Taken, settle
from beatline.store.leasing import register
from beatline.wire.connection import HeldConnection


class Hands:
    """
    One registered consumer in one partition of an app's namespace.

    Args:
        app: Whose jobs it takes.
        partition: Where.
        queues: Names separated by commas.
    """

    def __init__(self, app: App, partition: int = 0, queues: str = "default") -> None:
        self._connection = HeldConnection(app.endpoint())
        self._prefix = prefix(app.settings.namespace, partition)
        self._consumer = Consumer(f"w-{uuid.uuid4().hex}", uuid.uuid4().hex, queues)
        self._number = 0
        worker, consumer = self._consumer.worker, self._consumer.id
        about = {"host": "here", "pid": "1", "lease_ms": "15000"}
        assert register(self._connection, self._prefix, worker, 15_000, about, [consumer])

    @property
    def worker(self) -> str:
        """Id of the worker that these hands belong to."""
        return self._consumer.worker

    def take(self, limit: int = 1) -> list[Delivery]:
        """Ready jobs, recorded as held."""
        return self._exchange((), limit).deliveries

    def take_job(self) -> tuple[Delivery, Job]:
        """The next ready job, decoded."""
        (delivery,) = self.take()
        return delivery, read_job(delivery.id, delivery.record)

    def succeed(self, delivery: Delivery, value: Any = None) -> None:
        """End a job as if its task had returned."""
        body = success_body(value, started_ms=1, finished_ms=2, worker=self.worker, retries=0)
        self._end(delivery, "SUCCESS", body)

    def fail(self, delivery: Delivery, error: BaseException, traceback: str = "") -> None:
        """End a job as if its task had raised."""
        body = failure_body(
            error, traceback, started_ms=1, finished_ms=2, worker=self.worker, retries=0
        )
        self._end(delivery, "FAILURE", body)

    def end(self, delivery: Delivery, state: str, body: bytes = b"") -> None:
        """End a job in a state of its own."""
        self._end(delivery, state, body)

    def bury(self, delivery: Delivery, forensics: str = '{"reason": "killed too often"}') -> None:
        """Make a job a dead letter."""
        self._settle(Settlement(delivery.id, delivery.fence, "bury", body=forensics.encode()))

    def retry(self, delivery: Delivery, delay_ms: int = 60_000) -> None:
        """Put a job back on the timeline after a failed attempt."""
        self._settle(Settlement(delivery.id, delivery.fence, "retry", delay_ms=delay_ms))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _end(self, delivery: Delivery, state: str, body: bytes) -> None:
        self._settle(Settlement(delivery.id, delivery.fence, "end", state=state, body=body))

    def _settle(self, settlement: Settlement) -> None:
        taken = self._exchange((settlement,), 0)
        assert not taken.stale

    def _exchange(self, settlements: tuple[Settlement, ...], limit: int) -> Taken:
        self._number += 1
        return settle(
            self._connection,
            Call(
                self._prefix,
                self._consumer,
                self._number,
                settlements=settlements,
                limit=limit,
                go_idle=False,
            ),
        )


def finish(app: App, result: AsyncResult[Any], value: Any = None) -> None:
    """Take the one ready job of the default queue, which is this one, and let it succeed."""
    hands = Hands(app)
    delivery, job = hands.take_job()
    assert result.id == job.text
    hands.succeed(delivery, value)
    hands.close()
