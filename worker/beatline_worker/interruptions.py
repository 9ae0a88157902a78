"""What is raised in a body that is to be interrupted, by what the supervisor asked for."""

from __future__ import annotations

from beatline.errors import (
    BeatlineError,
    JobCancelled,
    LeaseLost,
    SoftTimeLimitExceeded,
    TimeLimitExceeded,
)
from beatline_worker.executor import Run
from beatline_worker.lanes import (
    INTERRUPT_CANCELLED,
    INTERRUPT_HARD_LIMIT,
    INTERRUPT_SOFT_LIMIT,
)


def interruption(kind: int, run: Run) -> BeatlineError:
    """
    The exception for a run.

    Args:
        kind: INTERRUPT_*.
        run: Whose body is interrupted.
    """
    job = run.job.text
    if kind == INTERRUPT_SOFT_LIMIT:
        return SoftTimeLimitExceeded(f"job {job} ran longer than {run.soft_ms} ms")
    if kind == INTERRUPT_HARD_LIMIT:
        return TimeLimitExceeded(f"job {job} ran longer than its time limit of {run.hard_ms} ms")
    if kind == INTERRUPT_CANCELLED:
        return JobCancelled(f"job {job} was cancelled")
    return LeaseLost(
        f"job {job} is not ours any more: another delivery owns it",
        remedy="let this exception end the body",
    )


def bare(reason: BeatlineError) -> type[BeatlineError]:
    """
    A class of the same name whose instances carry this reason's message.

    A thread is interrupted by a class alone: its instance is made where it is raised.
    """
    kind = type(reason)

    class Bare(kind):  # type: ignore[misc, valid-type]  # a class that is known at run time only
        def __init__(self) -> None:
            super().__init__(reason.message, remedy=reason.remedy)

    Bare.__name__, Bare.__qualname__, Bare.__module__ = (
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
    )
    return Bare
