"""Due jobs from the timeline to their queues."""

from __future__ import annotations

from typing import Final, NamedTuple

from beatline.wire.connection import HeldConnection
from beatline.wire.scripts import script

#: Later than every instant, ms: what a float holds exactly.
_FURTHEST: Final = 2.0**53


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
    next_due_ms: float | None
    now_us: int
    schedules: list[tuple[str, int]]


def promote(connection: HeldConnection, prefix: bytes, limit: int = 500) -> Promoted:
    """
    Make up to ``limit`` due jobs ready.

    *Retry-safe*: yes; each entry leaves the timeline once. *Atomicity*: ``promote.lua``.
    """
    moved, head, now_us, due = connection.run(script("promote"), prefix, limit)
    # Names that are not UTF-8 keep their bytes as surrogates, so that they can be taken off.
    schedules = [
        (due[at].decode("utf-8", "surrogateescape"), int(instant_of(due[at + 1])))
        for at in range(0, len(due), 2)
    ]
    return Promoted(int(moved), instant_of(head) if head else None, int(now_us), schedules)


def instant_of(score: bytes) -> float:
    """The instant of a score, ms; garbage may have put infinite ones there."""
    return max(-_FURTHEST, min(float(score), _FURTHEST))
