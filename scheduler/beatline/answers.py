"""
What cancelling and rescheduling answer: true at the instant in which the server said it.

Each answer is true (``bool``) if the call did what it was asked to do *before the job started*,
and false otherwise; what happened instead is in its type. ``match`` tells them apart::

    match app.jobs.cancel(job_id):
        case Cancelled(): ...
        case AlreadyRunning(worker=worker): ...
        case AlreadyDone(state=state): ...
        case Unknown(): ...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from beatline.states import JobState


@dataclass(frozen=True, slots=True)
class Cancelled:
    """
    The job was removed before it started. True.

    Attributes:
        id: The job.
    """

    id: str

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class Rescheduled:
    """
    The job waits for its new instant. True.

    Attributes:
        id: The job.
        due_ms: The instant, UTC ms; 0 where it runs now.
    """

    id: str
    due_ms: int

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class AlreadyRunning:
    """
    The job is in a worker's hands. False.

    A cancelled one is flagged: its worker is told within one heartbeat, and the job does not
    run again should that worker die.

    Attributes:
        id: The job.
        worker: Id of the worker.
    """

    id: str
    worker: str

    def __bool__(self) -> Literal[False]:
        return False


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """
    The job is over. False.

    Attributes:
        id: The job.
        state: Its final state.
    """

    id: str
    state: JobState

    def __bool__(self) -> Literal[False]:
        return False


@dataclass(frozen=True, slots=True)
class Unknown:
    """
    No job of this id is known: it never existed, or nothing was kept of its end. False.

    Attributes:
        id: What was asked for.
    """

    id: str

    def __bool__(self) -> Literal[False]:
        return False


#: What ``cancel`` answers.
CancelAnswer = Cancelled | AlreadyRunning | AlreadyDone | Unknown
#: What ``reschedule`` and ``run_now`` answer.
RescheduleAnswer = Rescheduled | AlreadyRunning | AlreadyDone | Unknown
