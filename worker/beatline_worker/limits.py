"""
What a child's row says must be done now: pure decisions, by values read from the table.

The supervisor asks for each child every few milliseconds. Soft limits interrupt the body, hard
limits kill the process, a job that overstays frees the jobs behind it, and a child that has
grown too large is replaced after its job.

In a child with several lanes a death takes others along. So a body there that is over its hard
limit is interrupted first, and has `LAST_WORDS_MS` to end before its process is killed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from beatline_worker.lanes import FLAG_ISOLATED, INTERRUPT_HARD_LIMIT, Running
from beatline_worker.nursery import ChildState
from beatline_worker.table import NO_LIMIT

#: Where nothing has begun for so long, what waits behind is given back, ms.
OVERSTAY_MS: Final = 100.0
#: Pause between two give-backs of what a child may have been sent and has not read, ms.
UNREAD_PAUSE_MS: Final = 1_000.0
#: How long an interrupted body may take to end before its child is killed, ms.
LAST_WORDS_MS: Final = 1_000.0

#: Verdicts of children that have been killed already.
KILLED: Final = frozenset({"time_limit", "cancelled", "cold", "struck", "stray", "isolated"})


class Action(StrEnum):
    """What to do with a child now."""

    #: Nothing.
    NONE = "none"
    #: Raise SoftTimeLimitExceeded in the body.
    INTERRUPT = "interrupt"
    #: Raise TimeLimitExceeded in the body: its neighbours should live.
    END = "end"
    #: Kill the child: its job ran past the hard limit.
    KILL = "kill"
    #: Kill the child: its job did not end when it was told to.
    DOOM = "doom"
    #: Kill the child: its job must not overlap with a redelivery, and the lease may be over.
    ISOLATE = "isolate"
    #: Give back what the child holds and has not started.
    GIVE_BACK = "give_back"


class Due(NamedTuple):
    """One thing to do: with which lane of the child, or, for GIVE_BACK, with the child."""

    action: Action
    lane: int = 0
    fence: int = 0


def due_actions(child: ChildState, now_ns: int, *, lease_is_over: bool = False) -> list[Due]:
    """
    What is due for a child.

    Args:
        child: Which.
        now_ns: Monotonic time.
        lease_is_over: Whether the worker's lease has run out by its own clock; that concerns
            only jobs of tasks with ``isolation="kill"`` (R14).
    """
    if child.verdict in KILLED:
        return []
    seen = child.row.look()
    is_anything_noted = bool(lease_is_over or child.interrupted or child.doomed)
    found = []
    runs = False
    for lane, one in enumerate(seen):
        # Where a lane's two fences differ, the next job has begun while we read.
        if not one.fence or one.fence != one.last:
            continue
        runs = True
        if one.soft_ms or one.hard_ms or is_anything_noted:
            action = _due_action(child, one, now_ns, lease_is_over=lease_is_over)
            if action is not Action.NONE:
                found.append(Due(action, lane, one.fence))
    if runs and _holds_back(child, seen, now_ns):
        found.append(Due(Action.GIVE_BACK))
    if child.interrupted or child.doomed:
        _forget_ended(child, {one.fence for one in seen})
    return found


def _due_action(child: ChildState, one: Running, now_ns: int, *, lease_is_over: bool) -> Action:
    ran_ms = (now_ns - one.started_ns) / 1e6
    if lease_is_over and one.flags & FLAG_ISOLATED:
        return Action.ISOLATE
    asked = child.interrupted.get(one.fence)
    if one.hard_ms and ran_ms > one.hard_ms:
        if child.row.lanes == 1 or ran_ms > one.hard_ms + LAST_WORDS_MS:
            return Action.KILL
        return Action.NONE if asked == INTERRUPT_HARD_LIMIT else Action.END
    doom = child.doomed.get(one.fence)
    if doom is not None and now_ns > doom[0]:
        return Action.DOOM
    if one.soft_ms and ran_ms > one.soft_ms and asked is None:
        return Action.INTERRUPT
    return Action.NONE


def _holds_back(child: ChildState, seen: list[Running], now_ns: int) -> bool:
    """Whether jobs lie in the child's hands that it does not come to."""
    row = child.row
    if child.gives_back or row.limit != NO_LIMIT:
        return False
    known = row.known
    if any(one.last >= known for one in seen):
        # It knows of nothing more; but what it has asked for may lie unread before it.
        since_ns = now_ns - child.gave_back_ns
        if not row.asking or since_ns < UNREAD_PAUSE_MS * 1_000_000:
            return False
    latest_ns = max(row.known_ns, *(one.started_ns for one in seen))
    quiet_ms = (now_ns - latest_ns) / 1e6
    return quiet_ms > OVERSTAY_MS or bool(row.stop)


def _forget_ended(child: ChildState, fences: set[int]) -> None:
    for known in (child.interrupted, child.doomed):
        for fence in [fence for fence in known if fence not in fences]:
            del known[fence]


def resident_bytes(pid: int, page_bytes: int) -> int:
    """Resident memory of a process; 0 where it has gone or the system does not say."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * page_bytes
    except (OSError, IndexError, ValueError):
        return 0
