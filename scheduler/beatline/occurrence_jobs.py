"""
The jobs of a schedule's occurrences: ids and records.

The id is a function of schedule and fire time; the record is what a client would have written for
the same call. What does not change from one occurrence to the next is encoded once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from beatline.ids import occurrence_id
from beatline.job import (
    FIRE_TIME,
    FLAG_BACKFILL,
    FLAG_IGNORE_RESULT,
    FLAG_SCHEDULE,
    FLAG_SKIP_UNSURE,
    record_body,
    record_head,
)
from beatline.options import TaskOptions
from beatline.schedule import Schedule
from beatline.settings import DEFAULT_PRIORITY, Settings
from beatline.store.firing import JobStep

#: Options of a schedule that go into its jobs as they are, under the name without the unit.
_PASSED_ON = (
    "time_limit_ms",
    "soft_time_limit_ms",
    "max_retries",
    "retry_backoff_ms",
    "retry_backoff_max_ms",
    "headers",
)


class RegisteredTask(Protocol):
    """What beat needs to know of a registered task."""

    @property
    def options(self) -> TaskOptions:
        """How it was declared."""
        ...


class OccurrenceJobs:
    """
    Makes the jobs of one schedule.

    Args:
        schedule: The schedule.
        partition: Its partition.
        settings: The app's.
        task: The schedule's task where the app is known; its queue, priority and so on apply
            where the schedule says nothing.
        run: Name of a backfill's run. Its jobs have ids of their own, say that they are caught
            up, and never expire: they are late on purpose.

    Raises:
        UnserializableArgument: The schedule's arguments cannot travel.
        ValueError: Name, queue or priority do not fit into a record.
    """

    def __init__(
        self,
        schedule: Schedule,
        partition: int,
        settings: Settings,
        task: RegisteredTask | None = None,
        run: str = "",
    ) -> None:
        options = task.options if task is not None else None
        self._name = schedule.name
        self._partition = partition
        self._run = run
        self._queue = schedule.queue or (options and options.queue) or settings.default_queue
        self._priority = _first(
            schedule.priority, options.priority if options else None, DEFAULT_PRIORITY
        )
        self._flags = _flags(schedule, options) | (FLAG_BACKFILL if run else 0)
        expires_ms = schedule.options.get("expires_ms", options and options.expires_ms)
        self._expires_ms = None if run else expires_ms
        self._call = (schedule.task, schedule.args, schedule.kwargs)
        self._options = _job_options(schedule.options)
        self._bodies = {
            is_caught_up: self._body(is_caught_up, None) for is_caught_up in (False, True)
        }
        head = record_head(self._queue, self._priority, self._flags, self._name, 0)
        self._head = head.removesuffix(FIRE_TIME % 0)

    def step(self, nominal_ms: int, now_ms: int, *, is_caught_up: bool) -> JobStep:
        """
        The job of one occurrence.

        Args:
            nominal_ms: Its fire time.
            now_ms: The server's clock; ``expires`` counts from here.
            is_caught_up: Whether it is fired later than planned.
        """
        if self._expires_ms is None:
            body = self._bodies[is_caught_up]
        else:
            body = self._body(is_caught_up, max(now_ms, nominal_ms) + self._expires_ms)
        raw_id = occurrence_id(self._name, nominal_ms, self._partition, self._run)
        record = b"%b%b%b" % (self._head, FIRE_TIME % nominal_ms, body)
        return JobStep(nominal_ms, raw_id, record, is_caught_up)

    def _body(self, is_caught_up: bool, expires_ms: int | None) -> bytes:
        options = dict(self._options)
        if is_caught_up:
            options["caught_up"] = True
        if self._run:
            options["backfill"] = self._run
        if expires_ms is not None:
            options["expires"] = expires_ms
        return record_body(*self._call, options or None)


def _flags(schedule: Schedule, options: TaskOptions | None) -> int:
    flags = FLAG_SCHEDULE
    ignores = schedule.options.get("ignore_result")
    if ignores if ignores is not None else options is not None and options.ignore_result:
        flags |= FLAG_IGNORE_RESULT
    if options is not None and options.on_unsure == "skip":
        flags |= FLAG_SKIP_UNSURE
    return flags


def _job_options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removesuffix("_ms"): options[name]
        for name in _PASSED_ON
        if options.get(name) is not None
    }


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
