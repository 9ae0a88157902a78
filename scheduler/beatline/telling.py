"""What a running job tells of itself: how far it is, and what its next delivery needs to know."""

from __future__ import annotations

from typing import Any

from beatline.request import current_job


class Telling:
    """The part of a task that its body uses to tell; in a plain call it tells nobody."""

    def progress(self, current: float, total: float | None = None, message: str = "") -> None:
        """
        Tell how far the job is; shown by ``sched jobs show`` and `AsyncResult.progress`.

        Written at most ten times a second; a Redis that is away does not fail the job.

        Raises:
            LeaseLost: Another delivery owns the job: let the exception end the body.
        """
        job = current_job()
        if job is not None and job.courier is not None:
            job.courier.progress(job.raw_id, job.fence, current, total, message)

    def checkpoint(self, value: Any) -> None:
        """
        Keep a value for the next delivery or attempt of this job: ``self.request.checkpoint``.

        It is in Redis when the call returns, and forgotten when the job ends.

        Raises:
            UnserializableArgument: The value cannot travel.
            LeaseLost: Another delivery owns the job: let the exception end the body.
            Uncertain: Redis did not answer within five seconds.
        """
        job = current_job()
        if job is not None and job.courier is not None:
            job.courier.keep_checkpoint(job.raw_id, job.fence, value)
