"""What a running job tells of itself, under its fence: progress and checkpoints."""

from __future__ import annotations

from typing import Literal

from beatline.store.delivering import Consumer
from beatline.wire.connection import HeldConnection
from beatline.wire.scripts import script


def report(
    connection: HeldConnection,
    prefix: bytes,
    consumer: Consumer,
    raw_id: bytes,
    fence: int,
    *,
    kind: Literal["progress", "checkpoints", "unsure"],
    value: bytes,
) -> None:
    """
    Write a job's progress or checkpoint, or that it must not run twice.

    Raises:
        redis.ResponseError: ``LEASELOST`` where another delivery owns the job.

    *Retry-safe*: yes. *Atomicity*: ``report.lua``.
    """
    connection.run(
        script("report"), prefix, consumer.worker, consumer.id, raw_id, fence, kind, value
    )


def read_checkpoint(connection: HeldConnection, prefix: bytes, raw_id: bytes) -> bytes | None:
    """What an earlier delivery of the job left behind."""
    found: bytes | None = connection.call("HGET", prefix + b"checkpoints", raw_id)
    return found
