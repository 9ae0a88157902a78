"""
The courier: carries what a running job says to Redis, under the fence of its delivery.

Each thread that runs jobs has a connection for it, opened at the first word: the consumer's is
busy with numbered calls. Progress is for people: it is written at most ten times a second and
never fails a job. A checkpoint matters: it is written before the call returns, or the call raises.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

import msgspec
from redis.exceptions import ResponseError

from beatline.errors import LeaseLost, NotSent, Uncertain
from beatline.ids import id_text, partition_of
from beatline.keys import prefix
from beatline.payload import dumps, loads
from beatline.store.delivering import Consumer
from beatline.store.reporting import read_checkpoint, report
from beatline.wire.connection import LOST, Endpoint, HeldConnection
from beatline.wire.refusals import refusal_code

_log = logging.getLogger("beatline.worker.courier")

#: Shortest time between two writes of progress, seconds.
PROGRESS_EVERY_S: Final = 0.1
#: How long a checkpoint is tried, seconds.
CHECKPOINT_FOR_S: Final = 5.0

#: Deliveries whose last word is remembered.
_MOST_TOLD: Final = 4096

_encode = msgspec.msgpack.Encoder().encode


class Courier:
    """
    Reports for the jobs of one child.

    Args:
        endpoint: Where Redis is.
        consumer: Who the child is.
        namespace, partitions: Which keys.
    """

    def __init__(
        self, endpoint: Endpoint, consumer: Consumer, *, namespace: str, partitions: int
    ) -> None:
        self._endpoint = endpoint
        self._here = threading.local()
        self._consumer = consumer
        self._namespace = namespace
        self._partitions = partitions
        #: When each delivery told its progress last.
        self._told_at: dict[int, float] = {}

    @property
    def _connection(self) -> HeldConnection:
        connection: HeldConnection | None = getattr(self._here, "connection", None)
        if connection is None:
            connection = self._here.connection = HeldConnection(self._endpoint)
        return connection

    def progress(
        self, raw_id: bytes, fence: int, current: float, total: float | None, message: str
    ) -> None:
        """Tell how far a job is; dropped where it was told less than a tenth of a second ago."""
        now = time.monotonic()
        is_last = total is not None and current >= total
        if now - self._told_at.get(fence, 0.0) < PROGRESS_EVERY_S and not is_last:
            return
        if len(self._told_at) >= _MOST_TOLD:
            self._told_at.clear()
        self._told_at[fence] = now
        value = _encode([current, total, message, int(time.time() * 1000)])
        try:
            self._report(raw_id, fence, "progress", value)
        except (*LOST, NotSent, ResponseError) as error:
            if refusal_code(error) == "LEASELOST":
                raise self._lost(raw_id, error) from error
            self._connection.close()
            _log.info("progress.not_written job=%s error=%s", id_text(raw_id), error)

    def keep_checkpoint(self, raw_id: bytes, fence: int, value: Any) -> None:
        """
        Keep a value for the next delivery of this job.

        Raises:
            UnserializableArgument: It cannot travel.
            LeaseLost: Another delivery owns the job.
            Uncertain: Redis did not answer within five seconds.
        """
        self._insist(raw_id, fence, "checkpoints", dumps(value, "checkpoint"))

    def _insist(self, raw_id: bytes, fence: int, kind: Any, value: bytes) -> None:
        deadline = time.monotonic() + CHECKPOINT_FOR_S
        while True:
            try:
                self._report(raw_id, fence, kind, value)
                return
            except (*LOST, NotSent, ResponseError) as error:
                if refusal_code(error) == "LEASELOST":
                    raise self._lost(raw_id, error) from error
                self._connection.close()
                if time.monotonic() > deadline:
                    raise Uncertain(
                        f"the {kind} of job {id_text(raw_id)} may not be written: {error}",
                        remedy="let the exception end the attempt, so that it is made again",
                    ) from error
            time.sleep(0.1)

    def note_unsure(self, raw_id: bytes, fence: int) -> None:
        """
        Note that a job must not run twice, where its sender did not know that of its task.

        Raises:
            LeaseLost, Uncertain: As for `keep_checkpoint`; the body must not begin then.
        """
        self._insist(raw_id, fence, "unsure", b"1")

    def checkpoint(self, raw_id: bytes) -> Any:
        """What an earlier delivery kept, or None."""
        packed = read_checkpoint(self._connection, self._prefix(raw_id), raw_id)
        return None if packed is None else loads(packed)

    def _report(self, raw_id: bytes, fence: int, kind: Any, value: bytes) -> None:
        report(
            self._connection,
            self._prefix(raw_id),
            self._consumer,
            raw_id,
            fence,
            kind=kind,
            value=value,
        )

    def _prefix(self, raw_id: bytes) -> bytes:
        return prefix(self._namespace, partition_of(raw_id, self._partitions))

    def _lost(self, raw_id: bytes, error: BaseException) -> LeaseLost:
        return LeaseLost(
            f"job {id_text(raw_id)} is not ours any more: {error}",
            remedy="let this exception end the body",
        )
