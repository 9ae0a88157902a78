"""Due jobs from the timeline to their queues."""

from __future__ import annotations

from typing import NamedTuple

from beatline.wire.connection import HeldConnection
from beatline.wire.scripts import script


class Promoted(NamedTuple):
    """
    What one call moved.

    Attributes:
        moved: Number of jobs that became ready.
        next_due_ms: Score of the timeline's head, or None where it is empty.
        now_us: The server's clock.
        schedules: (name, due ms) of schedules that are due, for `fire`.
    """

    moved: int
    next_due_ms: int | None
    now_us: int
    schedules: list[tuple[str, int]]


def promote(connection: HeldConnection, prefix: bytes, limit: int = 500) -> Promoted:
    """
    Make up to ``limit`` due jobs ready.

    *Retry-safe*: yes; each entry leaves the timeline once. *Atomicity*: ``promote.lua``.
    """
    moved, head, now_us, due = connection.run(script("promote"), prefix, limit)
    schedules = [
        (due[at].decode("utf-8", "replace"), int(float(due[at + 1])))
        for at in range(0, len(due), 2)
    ]
    return Promoted(int(moved), int(float(head)) if head else None, int(now_us), schedules)
