"""
The states of a job, and the transitions between them.

A state is the place where the id lives, not a field that somebody could forget to write.
`TRANSITIONS` is the table that docs/state-machine.md draws and the heads of ``lua/*.lua``
repeat; a test compares the three.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class JobState(StrEnum):
    """Where a job is in its life."""

    #: On the timeline, waiting for its ETA.
    SCHEDULED = "SCHEDULED"
    #: In a ready queue.
    QUEUED = "QUEUED"
    #: In the hands of a worker's child (held), started or about to be.
    RUNNING = "RUNNING"
    #: On the timeline again after an attempt that failed.
    RETRYING = "RETRYING"
    #: The task returned.
    SUCCESS = "SUCCESS"
    #: The task raised, ran past its time limit, or ran out of retries.
    FAILURE = "FAILURE"
    #: Cancelled by somebody.
    CANCELLED = "CANCELLED"
    #: Not started before its expiry.
    EXPIRED = "EXPIRED"
    #: Its worker vanished, and the task asks not to be run twice.
    LOST = "LOST"
    #: A dead letter: buried after too many deaths of its process, or undecodable.
    DEAD = "DEAD"
    #: No such id.
    UNKNOWN = "UNKNOWN"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to a job in this state by itself."""
        return self in FINAL


#: States in which a job has ended.
FINAL: Final = frozenset(
    {
        JobState.SUCCESS,
        JobState.FAILURE,
        JobState.CANCELLED,
        JobState.EXPIRED,
        JobState.LOST,
        JobState.DEAD,
    }
)


class Transition(NamedTuple):
    """One script: the states it starts from and those it may lead to."""

    script: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]


#: One row for each script that moves a job; "new" is a job that did not exist.
TRANSITIONS: Final = (
    Transition("enqueue", ("new",), ("QUEUED", "RUNNING", "SCHEDULED")),
    Transition("promote", ("SCHEDULED", "RETRYING"), ("QUEUED", "RUNNING")),
    # Under `overlap: cancel_running` these end what waits of the same schedule.
    Transition(
        "fire",
        ("new", "SCHEDULED", "RETRYING", "QUEUED"),
        ("QUEUED", "RUNNING", "SCHEDULED", "CANCELLED"),
    ),
    Transition(
        "trigger",
        ("new", "SCHEDULED", "RETRYING", "QUEUED"),
        ("QUEUED", "RUNNING", "SCHEDULED", "CANCELLED"),
    ),
    Transition(
        "backfill",
        ("new", "SCHEDULED", "RETRYING", "QUEUED"),
        ("QUEUED", "RUNNING", "SCHEDULED", "CANCELLED"),
    ),
    Transition(
        "settle",
        ("RUNNING", "QUEUED"),
        (
            *("SUCCESS", "FAILURE", "CANCELLED", "EXPIRED", "DEAD"),
            *("RETRYING", "SCHEDULED", "QUEUED", "RUNNING"),
        ),
    ),
    Transition(
        "release",
        ("RUNNING",),
        (
            *("SUCCESS", "FAILURE", "CANCELLED", "EXPIRED", "LOST", "DEAD"),
            *("RETRYING", "SCHEDULED", "QUEUED", "RUNNING"),
        ),
    ),
    Transition("give_back", ("RUNNING",), ("QUEUED", "RUNNING", "CANCELLED")),
    Transition("reclaim", ("RUNNING",), ("QUEUED", "RUNNING", "CANCELLED", "LOST", "DEAD")),
    Transition("withdraw", ("RUNNING",), ("QUEUED", "RUNNING", "CANCELLED")),
    Transition("cancel", ("SCHEDULED", "RETRYING", "QUEUED", "RUNNING"), ("CANCELLED", "RUNNING")),
    Transition(
        "reschedule",
        ("SCHEDULED", "RETRYING", "QUEUED"),
        ("SCHEDULED", "RETRYING", "QUEUED", "RUNNING"),
    ),
    Transition("renew", ("RUNNING",), ("RUNNING", "QUEUED", "CANCELLED")),
    Transition("report", ("RUNNING",), ("RUNNING",)),
    Transition("revive", ("DEAD",), ("QUEUED", "RUNNING")),
)
