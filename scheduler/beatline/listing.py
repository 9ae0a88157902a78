"""
Finding jobs: where those of a state are, read page by page while the system goes on.

Nothing here runs as one step: a job that moves while it is looked for may be missed, but what is
shown of a job is what it was in one instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from beatline.errors import InvalidSetting
from beatline.settings import check_queue
from beatline.states import JobState
from beatline.store import reading
from beatline.store.views import JobView
from beatline.wire.connection import HeldConnection

if TYPE_CHECKING:
    from beatline.app import App

#: Reads the page of ids that begins at a position; None where nothing more is there.
_PageAt = Callable[[HeldConnection, int], Sequence[bytes] | None]


class JobListing:
    """
    The jobs of an app that have a state, a queue or a task.

    Args:
        app: Whose jobs.
        state: Only these; None takes all that somebody may still have to do with: not the
            finished ones, but dead letters.
        queue: Only of this queue.
        task: Only of this task.
        tag: Only with this tag.
        due_ms: Only what waits for an instant from the first to the second, both included, UTC
            ms; None is no bound.

    Raises:
        InvalidSetting: There is no such state, or it is no name of a queue.
    """

    def __init__(
        self,
        app: App,
        *,
        state: JobState | str | None = None,
        queue: str | None = None,
        task: str | None = None,
        tag: str | None = None,
        due_ms: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self._app = app
        self._tag = tag
        self._due_ms = due_ms
        self._state = read_state(state)
        self._queue = None if queue is None else check_queue(queue)
        self._task = task

    def first(self, limit: int) -> list[JobView]:
        """The first of them: running, then ready, then the next due, then dead letters."""
        return list(islice(self._views(), max(limit, 0)))

    def _views(self) -> Iterator[JobView]:
        seen: set[bytes] = set()
        prefixes = self._app.sender().prefixes
        for place in self._places():
            for prefix in prefixes:
                for ids in place(prefix):
                    looked = partial(reading.look, prefix=prefix, ids=ids)
                    for view in self._app.sender().ask(looked):
                        if view.raw_id not in seen and self._fits(view):
                            seen.add(view.raw_id)
                            yield view

    def _places(self) -> list[Callable[[bytes], Iterator[list[bytes]]]]:
        state = self._state
        if self._due_ms != (None, None):
            waits = state in (None, JobState.SCHEDULED, JobState.RETRYING)
            return [self._timed] if waits else []
        if state is None:
            return [self._held, self._ready, self._timed, self._dead]
        if state is JobState.RUNNING:
            return [self._held]
        if state is JobState.QUEUED:
            return [self._ready]
        if state in (JobState.SCHEDULED, JobState.RETRYING):
            return [self._timed]
        if state is JobState.DEAD:
            return [self._dead]
        return [self._finished] if state.is_final else []

    def _fits(self, view: JobView) -> bool:
        if self._state is not None:
            if view.state is not self._state:
                return False
        elif view.state is JobState.UNKNOWN or (view.state.is_final and not view.is_dead):
            return False
        if self._tag is not None and self._tag not in view.tags:
            return False
        if not self._is_due_within(view.due_ms):
            return False
        if self._queue is None and self._task is None:
            return True
        queue = view.job.queue if view.job is not None else None
        return self._queue in (None, queue) and self._task in (None, view.task)

    def _is_due_within(self, at_ms: int | None) -> bool:
        first_ms, last_ms = self._due_ms
        if first_ms is None and last_ms is None:
            return True
        return at_ms is not None and (first_ms or 0) <= at_ms <= (last_ms or at_ms)

    # --- where they are -------------------------------------------------------------------------

    def _held(self, prefix: bytes) -> Iterator[list[bytes]]:
        ids = self._app.sender().ask(lambda line: list(reading.held_ids(line, prefix)))
        return _portions(ids)

    def _ready(self, prefix: bytes) -> Iterator[list[bytes]]:
        queues = self._app.sender().ask(partial(reading.queues, prefix=prefix))
        for name, depth in queues.items():
            if self._queue in (None, name):
                for priority in depth.priorities:
                    yield from self._pages(partial(_ready_at, prefix, name, priority))

    def _timed(self, prefix: bytes) -> Iterator[list[bytes]]:
        return self._pages(partial(_timed_at, prefix, self._queue, self._due_ms))

    def _dead(self, prefix: bytes) -> Iterator[list[bytes]]:
        return self._pages(partial(_dead_at, prefix))

    def _finished(self, prefix: bytes) -> Iterator[list[bytes]]:
        cursor = b"0"
        while True:
            step = partial(reading.finished_page, prefix=prefix, cursor=cursor)
            cursor, ids = self._app.sender().ask(step)
            yield from _portions(ids)
            if cursor == b"0":
                return

    def _pages(self, page_at: _PageAt) -> Iterator[list[bytes]]:
        start = 0
        while (ids := self._app.sender().ask(lambda line: page_at(line, start))) is not None:  # noqa: B023 - asked at once
            yield [*ids]
            start += reading.LOOK_PAGE


def read_state(state: JobState | str | None) -> JobState | None:
    """
    The state of this name; None for None.

    Raises:
        InvalidSetting: There is none.
    """
    if state is None:
        return None
    try:
        return JobState(str(state).upper())
    except ValueError:
        known = ", ".join(JobState)
        raise InvalidSetting(f"state {state!r} does not exist", remedy=f"use {known}") from None


def _ready_at(
    prefix: bytes, queue: str, priority: int, line: HeldConnection, start: int
) -> Sequence[bytes] | None:
    count = reading.LOOK_PAGE
    return reading.ready_page(line, prefix, queue, priority, start=start, count=count) or None


def _timed_at(
    prefix: bytes,
    queue: str | None,
    due_ms: tuple[int | None, int | None],
    line: HeldConnection,
    start: int,
) -> Sequence[bytes] | None:
    first_ms, last_ms = due_ms
    if first_ms is not None:
        start += reading.count_due_before(line, prefix, first_ms)
    entries = reading.timeline_page(line, prefix, start, reading.LOOK_PAGE)
    if not entries or (last_ms is not None and entries[0].due_ms > last_ms):
        return None
    return [one.id for one in entries if one.kind == "job" and queue in (None, one.queue)]


def _dead_at(prefix: bytes, line: HeldConnection, start: int) -> Sequence[bytes] | None:
    return reading.dead_page(line, prefix, start, reading.LOOK_PAGE) or None


def _portions(ids: Sequence[bytes]) -> Iterator[list[bytes]]:
    for first in range(0, len(ids), reading.LOOK_PAGE):
        yield [*ids[first : first + reading.LOOK_PAGE]]
