"""
``app.jobs``: look at jobs, cancel them, move them, in all partitions.

Single jobs are seen and changed in one step, by script. Lists are read in pages while the system
goes on working: a job that moves meanwhile may be seen twice or not at all.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from beatline.answers import (
    AlreadyDone,
    AlreadyRunning,
    CancelAnswer,
    Cancelled,
    RescheduleAnswer,
    Rescheduled,
    Unknown,
)
from beatline.errors import InvalidSetting
from beatline.ids import id_from_text, partition_of
from beatline.listing import JobListing
from beatline.routing import app_zone
from beatline.settings import Duration
from beatline.states import JobState
from beatline.store import cancelling
from beatline.store.views import JobView
from beatline.units import duration_ms, instant_ms
from beatline.wire.connection import HeldConnection

if TYPE_CHECKING:
    from beatline.app import App

#: Jobs that a list shows unless asked for more.
LIST_LIMIT: Final = 100


_Views = list[JobView]


class Jobs:
    """
    The jobs of an app.

    Args:
        app: Whose jobs.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    # --- one job --------------------------------------------------------------------------------

    def get(self, job_id: str) -> JobView:
        """
        A job as Redis knows it now; its ``state`` is UNKNOWN where Redis knows none.

        Raises:
            InvalidTaskId: The text cannot be an id.
        """
        return self._app.result(job_id).view()

    def cancel(self, job_id: str, *, terminate: bool = False) -> CancelAnswer:
        """
        Remove a job before it starts, or have it stopped where it runs.

        Args:
            job_id: The job.
            terminate: Kill the process of a running job, instead of raising in its body.

        Returns:
            ``Cancelled`` (true) | ``AlreadyRunning`` | ``AlreadyDone`` | ``Unknown`` (false);
            true at the instant of the answer.

        *Atomicity*: ``cancel.lua``. *Retry-safe*: yes.
        """
        raw_id, prefix = self._place(job_id)
        ttl_ms = self._app.settings.result_ttl_ms
        calls = 0

        def ask(connection: HeldConnection) -> tuple[str, str]:
            nonlocal calls
            calls += 1
            return cancelling.cancel(connection, prefix, raw_id, ttl_ms, hard=terminate)

        word, detail = self._app.sender().ask(ask)
        # The first answer was lost, and the second finds what the first call did.
        if word == "CANCELLED" or (calls > 1 and (word, detail) == ("DONE", "CANCELLED")):
            return Cancelled(job_id)
        return _otherwise(job_id, word, detail)

    def reschedule(
        self, job_id: str, *, eta: datetime | None = None, countdown: Duration | None = None
    ) -> RescheduleAnswer:
        """
        Move a job that waits to another instant.

        Args:
            job_id: The job.
            eta: The instant; a naive one is in the app's time zone.
            countdown: Instead: so long from the server's now.

        Returns:
            ``Rescheduled`` (true) | ``AlreadyRunning`` | ``AlreadyDone`` | ``Unknown`` (false).

        *Atomicity*: ``reschedule.lua``. *Retry-safe*: yes.
        """
        if (eta is None) == (countdown is None):
            raise InvalidSetting("reschedule needs eta or countdown", remedy="give one of them")
        if eta is not None:
            return self._move(job_id, max(instant_ms(eta, app_zone(self._app.settings)), 1))
        assert countdown is not None
        delay_ms = duration_ms(countdown, "countdown")
        return self._move(job_id, self._app.sender().server_now_ms() + delay_ms)

    def run_now(self, job_id: str) -> RescheduleAnswer:
        """Have a job that waits run now; answers as `reschedule`."""
        return self._move(job_id, 0)

    # --- many jobs ------------------------------------------------------------------------------

    def list(
        self,
        *,
        state: JobState | str | None = None,
        queue: str | None = None,
        task: str | None = None,
        tag: str | None = None,
        due_from: datetime | None = None,
        due_until: datetime | None = None,
        limit: int = LIST_LIMIT,
    ) -> _Views:
        """
        Jobs as they are now, those that run first, then the ready, then what is due next.

        Args:
            state: Only these. Without it, all that have not ended well: finished jobs are
                looked for only where a final state is asked for, which walks through all keys.
            queue: Only of this queue; finished jobs keep no record of theirs.
            task: Only of this task; likewise.
            tag: Only those that were sent with this one of ``tags``; likewise.
            due_from, due_until: Only what waits for an instant in this span, ends included; naive
                ones are in the app's time zone.
            limit: At most so many.

        Raises:
            InvalidSetting: There is no such state.
        """
        zone = app_zone(self._app.settings)
        due_ms = tuple(None if at is None else instant_ms(at, zone) for at in (due_from, due_until))
        listing = JobListing(
            self._app, state=state, queue=queue, task=task, tag=tag, due_ms=(due_ms[0], due_ms[1])
        )
        return listing.first(limit)

    def dead(self, *, limit: int = LIST_LIMIT) -> _Views:
        """Dead letters, the newest first, with what is known of their ends in ``forensics``."""
        return self.list(state=JobState.DEAD, limit=limit)

    def _move(self, job_id: str, due_ms: int) -> RescheduleAnswer:
        raw_id, prefix = self._place(job_id)
        word, detail = self._app.sender().ask(
            lambda connection: cancelling.reschedule(connection, prefix, raw_id, due_ms)
        )
        return Rescheduled(job_id, due_ms) if word == "OK" else _otherwise(job_id, word, detail)

    def _place(self, job_id: str) -> tuple[bytes, bytes]:
        raw_id = id_from_text(job_id)
        prefixes = self._app.sender().prefixes
        return raw_id, prefixes[partition_of(raw_id, len(prefixes))]


def _otherwise(job_id: str, word: str, detail: str) -> AlreadyRunning | AlreadyDone | Unknown:
    if word == "RUNNING":
        return AlreadyRunning(job_id, detail)
    if word == "DONE":
        known = detail in JobState.__members__
        return AlreadyDone(job_id, JobState(detail) if known else JobState.UNKNOWN)
    return Unknown(job_id)
