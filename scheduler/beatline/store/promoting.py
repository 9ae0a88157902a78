"""Due jobs from the timeline to their queues."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from beatline.wire.connection import HeldConnection, pack_script
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
    next_due_ms: int | None
    now_us: int
    schedules: list[tuple[str, int]]


def promote(connection: HeldConnection, prefix: bytes, limit: int = 500) -> Promoted:
    """
    Make up to ``limit`` due jobs ready.

    *Retry-safe*: yes; each entry leaves the timeline once. *Atomicity*: ``promote.lua``.
    """
    return read_promoted(connection.run(script("promote"), prefix, limit))


def pack_promote(prefix: bytes, limit: int) -> bytes:
    """The packed call, to be sent behind others; `read_promoted` reads its reply."""
    return pack_script(script("promote"), prefix, (limit,))


def read_promoted(reply: Any) -> Promoted:
    """
    The answer behind a reply.

    Names that are not UTF-8 keep their bytes as surrogates, so that they can be taken off.
    """
    moved, head, now_us, due = reply
    schedules = [
        (due[at].decode("utf-8", "surrogateescape"), _instant(due[at + 1]))
        for at in range(0, len(due), 2)
    ]
    return Promoted(int(moved), _instant(head) if head else None, int(now_us), schedules)


def _instant(score: bytes) -> int:
    """The instant of a score, ms; garbage may have put infinite ones there."""
    return int(max(-_FURTHEST, min(float(score), _FURTHEST)))
