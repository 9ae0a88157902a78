"""
What a child's row says must be done now: pure decisions, by values read from the table.

The supervisor asks for each child every few milliseconds. Soft limits interrupt the body, hard
limits kill the process, a job that overstays frees the jobs behind it, and a child that has
grown too large is replaced after its job.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from beatline_worker.nursery import ChildState
from beatline_worker.table import NO_LIMIT

#: A job that runs longer than this gives the jobs behind it back, ms.
OVERSTAY_MS: Final = 100.0


#: Verdicts of children that have been killed already.
KILLED: Final = frozenset({"time_limit", "cancelled", "cold", "struck", "stray", "isolated"})


class Action(StrEnum):
    """What to do with a child now."""

    #: Nothing.
    NONE = "none"
    #: Raise SoftTimeLimitExceeded in the body.
    INTERRUPT = "interrupt"
    #: Kill the child: its job ran past the hard limit.
    KILL = "kill"
    #: Kill the child: its job must not overlap with a redelivery, and the lease may be over.
    ISOLATE = "isolate"
    #: Give back what the child holds and has not started.
    GIVE_BACK = "give_back"


def due_action(child: ChildState, now_ns: int, *, lease_is_over: bool = False) -> Action:
    """
    The one thing that is due for a child.

    Args:
        child: Which.
        now_ns: Monotonic time.
        lease_is_over: Whether the worker's lease has run out by its own clock; that concerns
            only jobs of tasks with ``isolation="kill"`` (R14).
    """
    row = child.row
    fence = row.current
    if fence == 0 or child.verdict in KILLED:
        return Action.NONE
    ran_ms = (now_ns - row.started_ns) / 1e6
    hard_ms, soft_ms = row.hard_ms, row.soft_ms
    if fence != row.current:
        return Action.NONE  # the next job has begun while we read
    if lease_is_over and row.isolated:
        return Action.ISOLATE
    if hard_ms and ran_ms > hard_ms:
        return Action.KILL
    if soft_ms and ran_ms > soft_ms and child.interrupted != fence:
        return Action.INTERRUPT
    holds_more = row.known > fence and row.limit == NO_LIMIT and not child.gives_back
    if holds_more and (ran_ms > OVERSTAY_MS or row.stop):
        return Action.GIVE_BACK
    return Action.NONE


def resident_bytes(pid: int, page_bytes: int) -> int:
    """Resident memory of a process; 0 where it has gone or the system does not say."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * page_bytes
    except (OSError, IndexError, ValueError):
        return 0
