"""
The job that runs here and now, as its task sees it.

``current_job()`` and ``self.request`` are the same value. It is held in a context variable, so
that each thread and each coroutine of a worker sees its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from beatline.job import Job
from beatline.units import moment_of

if TYPE_CHECKING:
    pass


class Courier(Protocol):
    """Who carries what a running job tells of itself to Redis."""

    def progress(
        self, raw_id: bytes, fence: int, current: float, total: float | None, message: str
    ) -> None:
        """Tell how far the job is."""

    def keep_checkpoint(self, raw_id: bytes, fence: int, value: Any) -> None:
        """Keep a value for the job's next delivery."""

    def note_unsure(self, raw_id: bytes, fence: int) -> None:
        """Note that the job must not run twice."""

    def checkpoint(self, raw_id: bytes) -> Any:
        """What an earlier delivery kept, or None."""


class JobRequest(msgspec.Struct, frozen=True):
    """
    One delivery of a job.

    Attributes:
        job: The job's record.
        retries: Attempts that have failed before: 0 in the first.
        delivery: Number of this delivery, from 1 on. It counts the deaths of a process that the
            job was charged with, plus one; deploys and failed attempts do not count.
        fence: The fencing token: it only ever rises. Write it beside what the task stores, and
            refuse writes with a lower one, and no stale run can overwrite a newer one.
        worker: Id of the worker.
        hostname: Machine that it runs on.
        courier: Carries progress and checkpoints; None where there is no Redis to tell.
        began: ``time.monotonic()`` when the run began, seconds.
        is_eager: It runs in the process that sent it.
        called_directly: It is a plain function call, and no job at all.
    """

    job: Job
    retries: int = 0
    delivery: int = 1
    fence: int = 0
    worker: str = ""
    hostname: str = ""
    courier: Courier | None = None
    began: float = msgspec.field(default_factory=time.monotonic)
    is_eager: bool = False
    called_directly: bool = False

    @property
    def id(self) -> str:
        """The job's id as text; empty in a plain call."""
        return self.job.text

    @property
    def raw_id(self) -> bytes:
        """The job's id as Redis has it."""
        return self.job.id

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.job.task

    @property
    def args(self) -> list[Any]:
        """Positional arguments."""
        return self.job.args

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments."""
        return self.job.kwargs

    @property
    def queue(self) -> str:
        """Queue in which the job waited."""
        return self.job.queue

    @property
    def priority(self) -> int:
        """0 (lowest) to 9 (highest)."""
        return self.job.priority

    @property
    def headers(self) -> dict[str, Any]:
        """What the caller gave as ``headers``."""
        headers: dict[str, Any] = self.job.options.get("headers") or {}
        return headers

    @property
    def tags(self) -> tuple[str, ...]:
        """What the caller gave as ``tags``."""
        return tuple(self.job.options.get("tags") or ())

    @property
    def schedule(self) -> str | None:
        """Name of the schedule that made the job, or None."""
        return self.job.schedule

    @property
    def caught_up(self) -> bool:
        """Whether the job makes up for a fire time that had been missed."""
        return bool(self.job.options.get("caught_up"))

    @property
    def backfill(self) -> str | None:
        """Name of the backfill's run that made the job, or None."""
        run = self.job.options.get("backfill")
        return run if isinstance(run, str) else None

    @property
    def eta(self) -> datetime | None:
        """The earliest instant that the caller asked for."""
        return self._moment("eta")

    @property
    def expires(self) -> datetime | None:
        """The instant after which the job would not have started any more."""
        return self._moment("expires")

    @property
    def scheduled_for(self) -> datetime | None:
        """The fire time of a schedule's job, else the ``eta``; in UTC."""
        if self.job.nominal_ms is not None:
            return moment_of(self.job.nominal_ms)
        return self.eta

    @property
    def checkpoint(self) -> Any:
        """
        What an earlier delivery or attempt of this job kept with ``self.checkpoint()``, or None.

        Read from Redis at each access.
        """
        return self.courier.checkpoint(self.raw_id) if self.courier is not None else None

    @property
    def server_now_ms(self) -> int:
        """
        The server's clock, UTC ms, as far as it is known here: never ahead of it by itself.

        The fencing token is the server's time in µs at the moment of the take.
        """
        return self.fence // 1000 + int((time.monotonic() - self.began) * 1000)

    def _moment(self, option: str) -> datetime | None:
        ms = self.job.options.get(option)
        return moment_of(ms) if isinstance(ms, int) else None


#: The request that runs in this thread or coroutine.
_current: ContextVar[JobRequest | None] = ContextVar("beatline_current_job", default=None)


def current_job() -> JobRequest | None:
    """The job that runs here, or None outside of one."""
    return _current.get()


#: For whoever runs a job's body: `enter` makes a request the current one; `leave`, told what
#: `enter` has returned, makes it again the one that was so before.
enter, leave = _current.set, _current.reset


@contextmanager
def enter_job(request: JobRequest) -> Iterator[JobRequest]:
    """A context in which ``current_job()`` is this request."""
    token = enter(request)
    try:
        yield request
    finally:
        leave(token)


def direct_call(task: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> JobRequest:
    """What ``self.request`` is in a plain call of a task."""
    job = Job(b"", task, list(args), kwargs, queue="", priority=0)
    return JobRequest(job, called_directly=True)
