"""Jobs into Redis: new -> QUEUED, RUNNING or SCHEDULED."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from beatline.wire.connection import Argument, HeldConnection, pack_script
from beatline.wire.scripts import script

#: Most jobs in one call: a longer one keeps other clients of the server waiting.
LARGEST_CALL = 1_000


@dataclass(frozen=True, slots=True)
class Enqueued:
    """
    The server's answer to one call.

    Attributes:
        refused: Positions (from 0) of jobs whose ``task_id`` is taken.
        repeated: The call had been carried out before.
        now_ms: The server's clock.
    """

    refused: tuple[int, ...]
    repeated: bool
    now_ms: int


def pack_enqueue(
    prefix: bytes, sender: bytes, number: int, jobs: Sequence[tuple[bytes, str, bytes]], check: bool
) -> bytes:
    """
    The packed call.

    Args:
        prefix: The partition's key prefix.
        sender: Random name of the connection's sender.
        number: Number of the call; it rises with each call of a sender.
        jobs: (id, due, record); due is ``"0"``, ``"+ms"`` from the server's now, or UTC ms.
        check: Whether ids are a caller's own and may be taken.
    """
    arguments: list[Argument] = [sender, number, b"1" if check else b"0"]
    for job in jobs:
        arguments += job
    return pack_script(script("enqueue"), prefix, arguments)


def read_enqueued(reply: Any) -> Enqueued:
    """The answer behind a reply."""
    word, refused, now_ms = reply
    return Enqueued(
        refused=tuple(int(position) - 1 for position in refused.split()),
        repeated=word == b"REPEATED",
        now_ms=int(now_ms),
    )


def enqueue(
    connection: HeldConnection,
    prefix: bytes,
    sender: bytes,
    number: int,
    jobs: Sequence[tuple[bytes, str, bytes]],
    check: bool = True,
) -> Enqueued:
    """
    Enqueue jobs of one partition: all of them or none.

    *Retry-safe*: yes, with the same sender and number. *Atomicity*: ``enqueue.lua``.
    """
    arguments: list[Argument] = [sender, number, b"1" if check else b"0"]
    for job in jobs:
        arguments += job
    return read_enqueued(connection.run(script("enqueue"), prefix, *arguments))
