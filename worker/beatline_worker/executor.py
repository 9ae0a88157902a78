"""
One job: from its record to its settlement.

The executor decodes the record, finds the task, builds the request, calls the body and decides
what its end means. It talks to nobody: what it returns is settled by the consumer. Whatever the
body raises ends in a settlement; nothing that a job does may end the child's loop.
"""

from __future__ import annotations

import json
import logging
import random
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from types import CoroutineType
from typing import Any, Final

import msgspec

from beatline.app import App
from beatline.backoff import retry_delay_ms
from beatline.errors import (
    Ignore,
    JobCancelled,
    LeaseLost,
    Reject,
    Retry,
    SoftTimeLimitExceeded,
    TimeLimitExceeded,
    Uncertain,
    UndecodableJob,
    UnserializableArgument,
)
from beatline.ids import id_text, is_ours
from beatline.job import Job, read_job
from beatline.outcome import failure_body, success_body
from beatline.request import Courier, JobRequest, enter, leave
from beatline.states import JobState
from beatline.store.delivering import Delivery, Settlement
from beatline.task import Task
from beatline_worker.coroutines import LoopKeeper
from beatline_worker.ready_tasks import ReadyTask, ReadyTasks

_log = logging.getLogger("beatline.worker.job")

#: Delay before a job of a task that this worker does not know is offered again, ms.
UNKNOWN_TASK_DELAY_MS: Final = 1_000
#: What may be raised in a body from outside.
INTERRUPTIONS: Final = (SoftTimeLimitExceeded, TimeLimitExceeded, JobCancelled, LeaseLost)
#: Longest traceback that is kept, characters: the end says where it happened.
_LONGEST_TRACEBACK: Final = 20_000


class Run(msgspec.Struct, frozen=True):
    """
    What the pool needs to run a job's body and to limit it.

    Attributes:
        job, delivery: The job and its handing-over.
        ready: The task, as this child runs it.
        request: What the body sees as ``current_job()``.
        soft_ms, hard_ms: Time limits; 0 none.
    """

    job: Job
    delivery: Delivery
    ready: ReadyTask
    request: JobRequest
    soft_ms: int
    hard_ms: int

    @property
    def task(self) -> Task[Any, Any]:
        """This child's instance of the task."""
        return self.ready.task


class Executor:
    """
    Turns deliveries into settlements.

    Args:
        app: The loaded app.
        worker: Id of the worker, for results and the ledger.
        time_limit_ms, soft_time_limit_ms: For tasks that say none.
        courier: Carries what jobs tell of themselves.
        one_loop_at_a_time: Several threads of ours are greenlets of one, in which only one event
            loop can run.
    """

    def __init__(
        self,
        app: App,
        worker: str,
        *,
        time_limit_ms: int = 0,
        soft_time_limit_ms: int = 0,
        courier: Courier | None = None,
        one_loop_at_a_time: bool = False,
    ) -> None:
        self._loop_turn = threading.Lock() if one_loop_at_a_time else nullcontext()
        self._app = app
        self._worker = worker
        self._tasks = ReadyTasks(app, soft_ms=soft_time_limit_ms, hard_ms=time_limit_ms)
        self._ttl_ms = app.settings.result_ttl_ms
        self._hostname = socket.gethostname()
        self._courier = courier
        self._random = random.Random()
        self._here = threading.local()

    def prepare(self, delivery: Delivery, now_ms: int) -> Run | Settlement:
        """
        The run of a delivery, or its settlement where there is nothing to run.

        Args:
            delivery: What was taken.
            now_ms: The server's clock, to tell what has expired.
        """
        try:
            job = read_job(delivery.id, delivery.record)
        except UndecodableJob as error:
            _log.error("job.undecodable job=%s error=%s", id_text(delivery.id), error)
            return self._bury(delivery, "undecodable", str(error))
        ready = self._tasks.find(job.task)
        if ready is None:
            return self._unknown(delivery, job)
        request = JobRequest(
            job,
            delivery.attempts,
            delivery.deliveries + 1,
            delivery.fence,
            self._worker,
            self._hostname,
            self._courier,
        )
        options = job.options
        if not options and ready.refusal is None:
            return Run(job, delivery, ready, request, ready.soft_ms, ready.hard_ms)
        expires = options.get("expires")
        first = delivery.attempts == 0 and delivery.deliveries == 0
        if isinstance(expires, int) and first and now_ms > expires:
            return self._end(delivery, job, JobState.EXPIRED, b"", now_ms)
        run = Run(
            job,
            delivery,
            ready,
            request,
            options.get("soft_time_limit") or ready.soft_ms,
            options.get("time_limit") or ready.hard_ms,
        )
        return run if ready.refusal is None else self._failed(run, ready.refusal, now_ms)

    def run(self, run: Run, started_ms: int) -> Settlement:
        """Call the body, and say how it ended. ``started_ms`` is on the server's clock."""
        ready, job, request = run.ready, run.job, run.request
        if ready.is_unsure and not job.skip_unsure:
            refused = self.note_unsure(run)
            if refused is not None:
                return refused
        try:
            try:
                token = enter(request)
                try:
                    if "before_start" in ready.hooks:
                        ready.task.before_start(request.id, job.args, job.kwargs)
                    value = ready.body(*job.args, **job.kwargs)
                    if isinstance(value, CoroutineType):
                        with self._loop_turn:
                            value = self.keeper.run(value)
                finally:
                    leave(token)
            # A job may raise anything, SystemExit and KeyboardInterrupt included; all of it is the
            # job's end, never the child's.
            except BaseException as error:  # noqa: BLE001
                return self._failed(run, error, started_ms)
            return self._succeeded(run, value, started_ms)
        except INTERRUPTIONS as late:
            # The interruption arrived as the body had ended, before its end was written down.
            return self._failed(run, late, started_ms)

    def note_unsure(self, run: Run) -> Settlement | None:
        """
        Note that a job must not run twice, before its body begins.

        Only where it was sent by name, by a client that does not know the task. The settlement
        where that failed: the body must not begin then.
        """
        try:
            if self._courier is not None:
                self._courier.note_unsure(run.delivery.id, run.delivery.fence)
        except (LeaseLost, Uncertain) as error:
            _log.warning("job.not_begun job=%s error=%s", run.job.text, error)
            return Settlement(run.delivery.id, run.delivery.fence, "return")
        return None

    async def run_here(self, run: Run, started_ms: int) -> Settlement:
        """As `run`, for a coroutine in the loop that runs this one; it notes nothing before."""
        ready, job, request = run.ready, run.job, run.request
        try:
            token = enter(request)
            try:
                if "before_start" in ready.hooks:
                    ready.task.before_start(request.id, job.args, job.kwargs)
                value = await ready.body(*job.args, **job.kwargs)
            finally:
                leave(token)
        # As above; a loop's cancellation too is the job's end.
        except BaseException as error:  # noqa: BLE001
            return self._failed(run, error, started_ms)
        return self._succeeded(run, value, started_ms)

    def interrupted(self, run: Run, reason: BaseException, started_ms: int) -> Settlement:
        """The settlement of a job whose interruption arrived too late, or was swallowed."""
        return self._failed(run, reason, started_ms)

    @property
    def keeper(self) -> LoopKeeper:
        """The event loop that is kept for coroutines in this thread."""
        keeper: LoopKeeper | None = getattr(self._here, "keeper", None)
        if keeper is None:
            keeper = self._here.keeper = LoopKeeper()
        return keeper

    def cancelled(self, run: Run, now_ms: int) -> Settlement:
        """The settlement of a job that was cancelled before its body began."""
        return self._end(run.delivery, run.job, JobState.CANCELLED, b"", now_ms)

    def _succeeded(self, run: Run, value: Any, started_ms: int) -> Settlement:
        job, delivery, hooks = run.job, run.delivery, run.ready.hooks
        if hooks:
            if "on_success" in hooks:
                self._hook(run.task.on_success, value, run.request.id, job.args, job.kwargs)
            if "after_return" in hooks:
                self._after_return(run, "SUCCESS", value, "")
        is_plain = job.schedule is None and is_ours(job.id)
        if job.ignore_result and is_plain:
            return Settlement(delivery.id, delivery.fence, "ack")
        body = b""
        if not job.ignore_result:
            try:
                body = success_body(
                    value,
                    started_ms=started_ms,
                    finished_ms=started_ms + _elapsed_ms(run),
                    worker=self._worker,
                    retries=delivery.attempts,
                    task=job.task,
                )
            except UnserializableArgument as error:
                return self._failed(run, error, started_ms)
            if is_plain:
                return Settlement(
                    delivery.id, delivery.fence, "keep", "SUCCESS", body, self._ttl_ms
                )
        return self._end(delivery, job, JobState.SUCCESS, body, started_ms)

    def _failed(self, run: Run, error: BaseException, started_ms: int) -> Settlement:
        job, delivery = run.job, run.delivery
        if isinstance(error, Ignore):
            return self._end(delivery, job, JobState.SUCCESS, b"", started_ms)
        if isinstance(error, Reject):
            if error.requeue:
                return Settlement(delivery.id, delivery.fence, "return")
            return self._bury(delivery, "rejected by the task", str(error))
        if isinstance(error, JobCancelled):
            return self._end(delivery, job, JobState.CANCELLED, b"", started_ms)
        if isinstance(error, LeaseLost):
            return Settlement(delivery.id, delivery.fence, "return")
        text = "".join(traceback.format_exception(error))[-_LONGEST_TRACEBACK:]
        over = isinstance(error, TimeLimitExceeded)
        delay_ms = None if over else self._retry_delay_ms(run, error)
        if delay_ms is not None:
            _log.info("job.retrying job=%s task=%s delay_ms=%d", job.text, job.task, delay_ms)
            self._hook(run.task.on_retry, error, run.request.id, job.args, job.kwargs, text)
            self._after_return(run, "RETRY", error, text)
            return Settlement(delivery.id, delivery.fence, "retry", delay_ms=delay_ms)
        if isinstance(error, Retry) and error.cause is not None:
            error = error.cause
        _log.warning("job.failed job=%s task=%s error=%r", job.text, job.task, error)
        _log.debug("job.traceback job=%s\n%s", job.text, text)
        self._hook(run.task.on_failure, error, run.request.id, job.args, job.kwargs, text)
        self._after_return(run, "FAILURE", error, text)
        body = failure_body(
            error,
            text,
            started_ms=started_ms,
            finished_ms=started_ms + _elapsed_ms(run),
            worker=self._worker,
            retries=delivery.attempts,
            task=job.task,
        )
        return self._end(delivery, job, JobState.FAILURE, body, started_ms)

    def _retry_delay_ms(self, run: Run, error: BaseException) -> int | None:
        options = run.task.options
        if isinstance(error, Retry):
            return error.delay_ms
        limit = run.job.options.get("max_retries", options.max_retries)
        if not options.autoretry_for or isinstance(error, tuple(options.dont_autoretry_for)):
            return self._declared_retry_ms(run, error)
        if not isinstance(error, tuple(options.autoretry_for)):
            return None
        if limit is not None and run.delivery.attempts >= limit:
            return None
        return retry_delay_ms(options, run.delivery.attempts, self._random)

    def _declared_retry_ms(self, run: Run, error: BaseException) -> int | None:
        """A schedule's own ``retry:`` applies to every exception, whatever the task declares."""
        options = run.job.options
        first_ms = options.get("retry_backoff")
        limit = options.get("max_retries", run.task.options.max_retries)
        if first_ms is None or not isinstance(error, Exception):
            return None
        if limit is not None and run.delivery.attempts >= limit:
            return None
        most_ms = options.get("retry_backoff_max", 600_000)
        return int(min(first_ms * 2**run.delivery.attempts, most_ms))

    def _end(
        self, delivery: Delivery, job: Job, state: JobState, body: bytes, started_ms: int
    ) -> Settlement:
        detail = f"{self._worker} {started_ms}" if job.schedule else ""
        return Settlement(
            delivery.id,
            delivery.fence,
            "end",
            state=str(state),
            body=body,
            ttl_ms=self._ttl_ms,
            detail=detail,
        )

    def _unknown(self, delivery: Delivery, job: Job) -> Settlement:
        _log.warning(
            "job.unknown_task job=%s task=%s remedy=%s",
            job.text,
            job.task,
            "start a worker whose app registers this task",
        )
        return Settlement(
            delivery.id,
            delivery.fence,
            "unknown",
            body=_forensics("unknown task", task=job.task, worker=self._worker),
            ttl_ms=self._app.settings.unknown_task_ttl_ms,
            delay_ms=UNKNOWN_TASK_DELAY_MS,
        )

    def _bury(self, delivery: Delivery, reason: str, detail: str) -> Settlement:
        return Settlement(
            delivery.id,
            delivery.fence,
            "bury",
            body=_forensics(reason, detail=detail, worker=self._worker),
            ttl_ms=self._ttl_ms,
        )

    def _after_return(self, run: Run, status: str, value: Any, text: str) -> None:
        job = run.job
        self._hook(run.task.after_return, status, value, job.text, job.args, job.kwargs, text)

    def _hook(self, hook: Callable[..., Any], *arguments: Any) -> None:
        try:
            hook(*arguments)
        # A user's hook must not turn a finished job into an unfinished one.
        except Exception:  # noqa: BLE001
            _log.exception("job.hook_failed hook=%s", getattr(hook, "__qualname__", hook))


def _elapsed_ms(run: Run) -> int:
    return int((time.monotonic() - run.request.began) * 1000)


def _forensics(reason: str, **facts: str) -> bytes:
    return json.dumps({"reason": reason, **facts}, ensure_ascii=False).encode()
