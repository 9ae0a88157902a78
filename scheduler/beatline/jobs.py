"""
``app.jobs``: look at jobs, cancel them, move them, in all partitions.

Single jobs are seen and changed in one step, by script. Lists are read in pages while the system
goes on working: a job that moves meanwhile may be seen twice or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

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
from beatline.routing import app_zone
from beatline.settings import Duration, check_queue
from beatline.states import JobState
from beatline.store import cancelling, reading
from beatline.store.views import JobView, TimelineEntry
from beatline.units import duration_ms, instant_ms
from beatline.wire.connection import HeldConnection

if TYPE_CHECKING:
    from beatline.app import App

T = TypeVar("T")

#: Jobs that a list shows unless asked for more.
LIST_LIMIT: Final = 100

_Views = list[JobView]
_Pages = Iterator[list[bytes]]


class Jobs:
    """
    The jobs of an app.

    Args:
        app: Whose jobs.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    # --- one job --------------------------------------------------------------------------------

    def get(self, id: str) -> JobView:  # noqa: A002 - as everywhere
        """
        A job as Redis knows it now; its ``state`` is UNKNOWN where Redis knows none.

        Raises:
            InvalidTaskId: The text cannot be an id.
        """
        return self._app.result(id).view()

    def cancel(self, id: str, *, terminate: bool = False) -> CancelAnswer:  # noqa: A002
        """
        Remove a job before it starts, or have it stopped where it runs.

        Args:
            id: The job.
            terminate: Kill the process of a running job, instead of raising in its body.

        Returns:
            ``Cancelled`` (true) | ``AlreadyRunning`` | ``AlreadyDone`` | ``Unknown`` (false);
            true at the instant of the answer.

        *Atomicity*: ``cancel.lua``. *Retry-safe*: yes.
        """
        raw_id, prefix = self._place(id)
        ttl_ms = self._app.settings.result_ttl_ms
        calls = 0

        def ask(connection: HeldConnection) -> tuple[str, str]:
            nonlocal calls
            calls += 1
            return cancelling.cancel(connection, prefix, raw_id, ttl_ms, hard=terminate)

        word, detail = self._app.sender().ask(ask)
        # The first answer was lost, and the second finds what the first call did.
        if word == "CANCELLED" or (calls > 1 and (word, detail) == ("DONE", "CANCELLED")):
            return Cancelled(id)
        return _otherwise(id, word, detail)

    def reschedule(
        self, id: str, *, eta: datetime | None = None, countdown: Duration | None = None  # noqa: A002
    ) -> RescheduleAnswer:
        """
        Move a job that waits to another instant.

        Args:
            id: The job.
            eta: The instant; a naive one is in the app's time zone.
            countdown: Instead: so long from the server's now.

        Returns:
            ``Rescheduled`` (true) | ``AlreadyRunning`` | ``AlreadyDone`` | ``Unknown`` (false).

        *Atomicity*: ``reschedule.lua``. *Retry-safe*: yes.
        """
        if (eta is None) == (countdown is None):
            raise InvalidSetting("reschedule needs eta or countdown", remedy="give one of them")
        if eta is not None:
            return self._move(id, max(instant_ms(eta, app_zone(self._app.settings)), 1))
        assert countdown is not None
        delay_ms = duration_ms(countdown, "countdown")
        return self._move(id, self._app.sender().server_now_ms() + delay_ms)

    def run_now(self, id: str) -> RescheduleAnswer:  # noqa: A002
        """Have a job that waits run now; answers as `reschedule`."""
        return self._move(id, 0)

    # --- many jobs ------------------------------------------------------------------------------

    def list(
        self,
        *,
        state: JobState | str | None = None,
        queue: str | None = None,
        task: str | None = None,
        limit: int = LIST_LIMIT,
    ) -> _Views:
        """
        Jobs as they are now, those that run first, then the ready, then what is due next.

        Args:
            state: Only these. Without it, all that have not ended well: finished jobs are
                looked for only where a final state is asked for, which walks through all keys.
            queue: Only of this queue; finished jobs keep no record of theirs.
            task: Only of this task; likewise.
            limit: At most so many.

        Raises:
            InvalidSetting: There is no such state.
        """
        wanted = _state(state)
        if queue is not None:
            check_queue(queue)
        return [*islice(self._found(wanted, queue, task), max(limit, 0))]

    def dead(self, *, limit: int = LIST_LIMIT) -> _Views:
        """Dead letters, the newest first, with what is known of their ends in ``forensics``."""
        return self.list(state=JobState.DEAD, limit=limit)

    def _found(
        self, state: JobState | None, queue: str | None, task: str | None
    ) -> Iterator[JobView]:
        seen: set[bytes] = set()
        for source in _sources(state):
            for prefix in self._app.sender().prefixes:
                for page in source(self._app, prefix, queue):
                    for view in self._looked(prefix, page):
                        if view.raw_id not in seen and _fits(view, state, queue, task):
                            seen.add(view.raw_id)
                            yield view

    def _looked(self, prefix: bytes, ids: Iterable[bytes]) -> _Views:
        found = [*ids]
        return self._app.sender().ask(lambda line: reading.look(line, prefix, found))

    def _move(self, id: str, due_ms: int) -> RescheduleAnswer:  # noqa: A002
        raw_id, prefix = self._place(id)
        word, detail = self._app.sender().ask(
            lambda connection: cancelling.reschedule(connection, prefix, raw_id, due_ms)
        )
        return Rescheduled(id, due_ms) if word == "OK" else _otherwise(id, word, detail)

    def _place(self, id: str) -> tuple[bytes, bytes]:  # noqa: A002
        raw_id = id_from_text(id)
        prefixes = self._app.sender().prefixes
        return raw_id, prefixes[partition_of(raw_id, len(prefixes))]


def _otherwise(id: str, word: str, detail: str) -> AlreadyRunning | AlreadyDone | Unknown:  # noqa: A002
    if word == "RUNNING":
        return AlreadyRunning(id, detail)
    if word == "DONE":
        known = detail in JobState.__members__
        return AlreadyDone(id, JobState(detail) if known else JobState.UNKNOWN)
    return Unknown(id)


def _state(state: JobState | str | None) -> JobState | None:
    if state is None:
        return None
    try:
        return JobState(str(state).upper())
    except ValueError:
        known = ", ".join(JobState)
        raise InvalidSetting(f"state {state!r} does not exist", remedy=f"use {known}") from None


def _fits(view: JobView, state: JobState | None, queue: str | None, task: str | None) -> bool:
    if state is None and (view.state is JobState.UNKNOWN or _is_over(view.state)):
        return False
    if state is not None and view.state is not state:
        return False
    if queue is None and task is None:
        return True
    job = view.job
    if job is None:
        return False
    return (queue is None or job.queue == queue) and (task is None or job.task == task)


def _is_over(state: JobState) -> bool:
    """Whether nobody has to do anything about it any more; a dead letter waits for a person."""
    return state.is_final and state is not JobState.DEAD


# --- where jobs of a state are ---------------------------------------------------------------


def _sources(state: JobState | None) -> list[Callable[[App, bytes, str | None], _Pages]]:
    """Where to look for jobs of a state; a job may have moved on when it is looked at."""
    if state is None:
        return [_held, _ready, _timed, _dead]
    if state is JobState.RUNNING:
        return [_held]
    if state is JobState.QUEUED:
        return [_ready]
    if state in (JobState.SCHEDULED, JobState.RETRYING):
        return [_timed]
    if state is JobState.DEAD:
        return [_dead]
    return [_finished] if state.is_final else []


def _held(app: App, prefix: bytes, queue: str | None) -> _Pages:
    yield from _batched(app.sender().ask(lambda line: [*reading.held_ids(line, prefix)]))


def _ready(app: App, prefix: bytes, queue: str | None) -> _Pages:
    for name, depth in app.sender().ask(lambda line: reading.queues(line, prefix)).items():
        for priority in depth.priorities if queue in (None, name) else ():
            yield from _pages(
                app,
                lambda line, start, n=name, p=priority: reading.ready_page(
                    line, prefix, n, p, start=start, count=reading.LOOK_PAGE
                ),
            )


def _timed(app: App, prefix: bytes, queue: str | None) -> _Pages:
    def page(line: HeldConnection, start: int) -> list[TimelineEntry]:
        return reading.timeline_page(line, prefix, start, reading.LOOK_PAGE)

    for entries in _pages(app, page):
        yield [
            entry.id
            for entry in entries
            if entry.kind == "job" and queue in (None, entry.queue)
        ]


def _dead(app: App, prefix: bytes, queue: str | None) -> _Pages:
    return _pages(
        app, lambda line, start: reading.dead_page(line, prefix, start, reading.LOOK_PAGE)
    )


def _finished(app: App, prefix: bytes, queue: str | None) -> _Pages:
    cursor = b"0"
    while True:
        cursor, ids = app.sender().ask(
            lambda line, at=cursor: reading.finished_page(line, prefix, at)
        )
        yield from _batched(ids)
        if cursor == b"0":
            return


def _pages(app: App, page: Callable[[HeldConnection, int], list[T]]) -> Iterator[list[T]]:
    """Pages by position, until one is empty."""
    start = 0
    while found := app.sender().ask(lambda line: page(line, start)):
        yield found
        start += len(found)


def _batched(ids: list[bytes]) -> _Pages:
    for first in range(0, len(ids), reading.LOOK_PAGE):
        yield ids[first : first + reading.LOOK_PAGE]
