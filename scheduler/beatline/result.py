"""
The result of a job, for whoever sent it or knows its id.

``get`` waits until it is told: the worker's settlement publishes on the job's own channel while
somebody waits. It subscribes first, then looks and says that it waits in one step, then waits, so
that an end between them is not missed.

What happens when Redis is gone: waiting goes on, and looks again as soon as there is a
connection; ``timeout`` bounds it. Whoever looks without waiting (``state``, ``ready`` …) gets
`NotSent` within ``call_timeout``.

What begins with ``a`` is the same for a coroutine; coroutines of one loop share its connections.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, NoReturn, Self, TypeVar

from beatline.answers import CancelAnswer
from beatline.errors import (
    BeatlineError,
    JobCancelled,
    JobDead,
    JobExpired,
    JobFailed,
    JobLost,
    ResultTimeout,
    UnknownJob,
)
from beatline.ids import id_from_text, id_text, partition_of
from beatline.notices import await_notice
from beatline.outcome import Outcome
from beatline.settings import Duration
from beatline.states import JobState
from beatline.store.reading import forget_result, look
from beatline.store.views import JobView, Progress
from beatline.units import duration_ms, duration_text

if TYPE_CHECKING:
    from beatline.app import App
    from beatline.wire.connection import HeldConnection

R_co = TypeVar("R_co", covariant=True)


class AsyncResult(Generic[R_co]):
    """
    A job's result.

    Args:
        id: The job, as text.
        app: The app that the job belongs to.

    Attributes:
        is_duplicate: The ``task_id`` was taken: this is the job that has it, and none was made.

    Raises:
        InvalidTaskId: The text cannot be an id.
    """

    __slots__ = ("_app", "_ignores_result", "_outcome", "_raw_id", "is_duplicate")

    def __init__(self, id: str, app: App) -> None:  # noqa: A002 - Celery's name
        self._app = app
        self._raw_id = id_from_text(id)
        self._ignores_result = False
        self._outcome: Outcome | None = None
        self.is_duplicate = False

    @classmethod
    def of(cls, app: App, raw_id: bytes, ignores_result: bool = False) -> Self:
        """The result of a job whose id is known as Redis has it."""
        result = cls.__new__(cls)
        result._app = app
        result._raw_id = raw_id
        result._ignores_result = ignores_result
        result._outcome = None
        result.is_duplicate = False
        return result

    @property
    def id(self) -> str:
        """The job, as text."""
        return id_text(self._raw_id)

    # --- waiting --------------------------------------------------------------------------------

    def get(self, timeout: Duration | None = None, *, propagate: bool = True) -> R_co:
        """
        Wait for the job's end; what the task returned.

        A job that this process sent with ``ignore_result`` leaves nothing: None, at once.

        Args:
            timeout: Longest wait; None waits without limit, 0 only looks.
            propagate: Raise what the task raised; False returns the exception instead.

        Raises:
            ResultTimeout: The job did not end in time.
            Exception: What the task raised, with the worker's traceback as a note; `JobFailed`
                where its class is not known here.
            JobCancelled: The job was cancelled; `JobExpired`, `JobLost`, `JobDead` likewise.
            UnknownJob: No job of this id is known; it never waits for one.
        """
        if self._ignores_result:
            return None  # type: ignore[return-value]  # as in Celery
        return self._told(self._outcome or self._wait(_limit_s(timeout)), propagate)

    def wait(self, timeout: Duration | None = None, *, propagate: bool = True) -> R_co:
        """As `get`."""
        return self.get(timeout, propagate=propagate)

    async def aget(self, timeout: Duration | None = None, *, propagate: bool = True) -> R_co:
        """As `get`, for a coroutine."""
        if self._ignores_result:
            return None  # type: ignore[return-value]  # as in Celery
        return self._told(self._outcome or await self._await_end(_limit_s(timeout)), propagate)

    def _told(self, outcome: Outcome, propagate: bool) -> R_co:
        failure = self._failure_of(outcome)
        if failure is None:
            value: R_co = outcome.value
            return value
        if propagate:
            raise failure.with_traceback(None)
        return failure  # type: ignore[return-value]  # asked for by propagate=False

    def _wait(self, limit_s: float | None) -> Outcome:
        begun = time.monotonic()
        channel = self._channel(self._app.sender().prefixes)
        found = await_notice(self._app, channel, self._look_for_end, limit_s)
        return found if found is not None else self._not_ended(begun)

    async def _await_end(self, limit_s: float | None) -> Outcome:
        async def look_for_end(left_s: float | None, awaits_end: bool) -> Outcome | None:
            return self._end_in(await self._aview(left_s, awaits_end))

        begun = time.monotonic()
        client = await self._app.loops.get()
        channel = self._channel(client.sender.prefixes)
        found = await client.notices.await_notice(channel, look_for_end, limit_s)
        return found if found is not None else self._not_ended(begun)

    def _not_ended(self, begun: float) -> NoReturn:
        waited = duration_text(int((time.monotonic() - begun) * 1000))
        raise ResultTimeout(
            f"job {self.id} has not ended after {waited}",
            remedy="wait longer, or see `sched jobs show` what it does",
        )

    def _look_for_end(self, limit_s: float | None, awaits_end: bool) -> Outcome | None:
        return self._end_in(self._view(limit_s, awaits_end))

    def _end_in(self, view: JobView) -> Outcome | None:
        if view.state is JobState.UNKNOWN:
            raise UnknownJob(
                f"no job {self.id} is known in namespace {self._app.settings.namespace!r}",
                remedy="it never existed, its result was forgotten or not kept (ignore_result)",
            )
        return self._note(view)

    def _note(self, view: JobView) -> Outcome | None:
        """The outcome behind a look, kept for the next time."""
        outcome = view.outcome
        if outcome is None:
            return None
        if outcome.error is not None and outcome.traceback:
            outcome.error.add_note(f"Traceback of the worker:\n{outcome.traceback}")
        self._outcome = outcome
        return outcome

    # --- looking --------------------------------------------------------------------------------

    def view(self, limit_s: float | None = None) -> JobView:
        """
        All that Redis knows of the job now.

        Args:
            limit_s: Longest wait for a server that does not answer, at least half a second and
                at most ``call_timeout``.
        """
        return self._view(limit_s)

    async def aview(self, limit_s: float | None = None) -> JobView:
        """As `view`, for a coroutine."""
        return await self._aview(limit_s)

    def _view(self, limit_s: float | None, awaits_end: bool = False) -> JobView:
        sender = self._app.sender()
        question = self._question(sender.prefixes, awaits_end)
        (view,) = sender.ask(question, self._look_s(limit_s))
        return view

    async def _aview(self, limit_s: float | None, awaits_end: bool = False) -> JobView:
        sender = (await self._app.loops.get()).sender
        question = self._question(sender.prefixes, awaits_end)
        (view,) = await sender.ask(question, self._look_s(limit_s))
        return view

    def _question(
        self, prefixes: list[bytes], awaits_end: bool
    ) -> Callable[[HeldConnection], list[JobView]]:
        prefix, ids = self._prefix(prefixes), [self._raw_id]
        return lambda connection: look(connection, prefix, ids, awaits_end=awaits_end)

    def _look_s(self, limit_s: float | None) -> float:
        longest_s = self._app.settings.call_timeout_ms / 1000
        return longest_s if limit_s is None else min(max(limit_s, 0.5), longest_s)

    @property
    def state(self) -> JobState:
        """Where the job is now; UNKNOWN for an id that Redis does not know."""
        return self._outcome.state if self._outcome is not None else self.view().state

    async def astate(self) -> JobState:
        """As `state`, for a coroutine."""
        return self._outcome.state if self._outcome is not None else (await self.aview()).state

    @property
    def status(self) -> JobState:
        """As `state`: Celery's other name for it."""
        return self.state

    def ready(self) -> bool:
        """Whether the job has ended."""
        return self.state.is_final

    async def aready(self) -> bool:
        """As `ready`, for a coroutine."""
        return (await self.astate()).is_final

    def successful(self) -> bool:
        """Whether the task returned."""
        return self.state is JobState.SUCCESS

    def failed(self) -> bool:
        """Whether the task raised, ran past its time limit, or ran out of retries."""
        return self.state is JobState.FAILURE

    @property
    def result(self) -> R_co | BaseException | None:
        """What the task returned, or the exception of its end; None while it has not ended."""
        return self._end_of(self._outcome or self._note(self.view()))

    async def aresult(self) -> R_co | BaseException | None:
        """As `result`, for a coroutine."""
        return self._end_of(self._outcome or self._note(await self.aview()))

    def _end_of(self, outcome: Outcome | None) -> R_co | BaseException | None:
        if outcome is None:
            return None
        value: R_co = outcome.value
        return self._failure_of(outcome) or value

    @property
    def info(self) -> R_co | BaseException | None:
        """As `result`: Celery's other name for it."""
        return self.result

    @property
    def progress(self) -> Progress | None:
        """How far the running job says it is; None where it has told nothing, or has ended."""
        return self.view().progress

    @property
    def traceback(self) -> str | None:
        """The worker's traceback of a failed job, else None."""
        outcome = self._outcome or self._note(self.view())
        return outcome.traceback or None if outcome is not None else None

    # --- acting ---------------------------------------------------------------------------------

    def cancel(self, *, terminate: bool = False) -> CancelAnswer:
        """
        Remove the job before it starts, or have it stopped where it runs.

        Args:
            terminate: Kill the process of a running job, instead of raising in its body.

        Returns:
            ``Cancelled`` (true) | ``AlreadyRunning`` | ``AlreadyDone`` | ``Unknown`` (false).
        """
        return self._app.jobs.cancel(self.id, terminate=terminate)

    async def acancel(self, *, terminate: bool = False) -> CancelAnswer:
        """As `cancel`, for a coroutine; a thread makes the call."""
        return await asyncio.to_thread(self._app.jobs.cancel, self.id, terminate=terminate)

    def revoke(self, *, terminate: bool = False) -> CancelAnswer:
        """As `cancel`: Celery's name for it."""
        return self.cancel(terminate=terminate)

    def forget(self) -> None:
        """
        Remove the kept result; the job is UNKNOWN afterwards.

        A ``task_id`` of your own is free again. A job that has not ended is left as it is.
        """
        sender = self._app.sender()
        prefix = self._prefix(sender.prefixes)
        sender.ask(lambda connection: forget_result(connection, prefix, self._raw_id))
        self._outcome = None

    async def aforget(self) -> None:
        """As `forget`, for a coroutine."""
        sender = (await self._app.loops.get()).sender
        prefix = self._prefix(sender.prefixes)
        await sender.ask(lambda connection: forget_result(connection, prefix, self._raw_id))
        self._outcome = None

    def _failure_of(self, outcome: Outcome) -> BaseException | None:
        if outcome.state is JobState.SUCCESS:
            return None
        if outcome.state is JobState.FAILURE:
            return outcome.error or JobFailed(
                f"job {self.id} failed, and nothing more was kept of it",
                traceback=outcome.traceback,
            )
        kind, ending, remedy = _ENDINGS[outcome.state]
        reason = str((outcome.forensics or {}).get("reason", ""))
        told = f"{ending}: {reason}" if reason else ending
        return kind(f"job {self.id} {told}", remedy=remedy)

    def _prefix(self, prefixes: list[bytes]) -> bytes:
        return prefixes[partition_of(self._raw_id, len(prefixes))]

    def _channel(self, prefixes: list[bytes]) -> bytes:
        return self._prefix(prefixes) + b"done:" + self._raw_id

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AsyncResult):
            return NotImplemented
        return self._raw_id == other._raw_id and self._app is other._app

    def __hash__(self) -> int:
        return hash(self._raw_id)

    def __repr__(self) -> str:
        return f"<AsyncResult {self.id}>"

    def __str__(self) -> str:
        return self.id


#: Final state without a value -> error, what happened, remedy.
_ENDINGS: Final[dict[JobState, tuple[type[BeatlineError], str, str]]] = {
    JobState.CANCELLED: (JobCancelled, "was cancelled", ""),
    JobState.EXPIRED: (JobExpired, "had not started when it expired", "see `expires`"),
    JobState.LOST: (
        JobLost,
        "may have run: its worker vanished, and it must not run twice",
        "see what it has done, and send it again if need be",
    ),
    JobState.DEAD: (JobDead, "is a dead letter", "see `sched dead show`, then revive or drop it"),
}


def _limit_s(timeout: Duration | None) -> float | None:
    return None if timeout is None else duration_ms(timeout, "timeout") / 1000
