"""Every error that Beatline raises, in one tree.

::

    BeatlineError
    ├── WrongUse                      (exit code 2)
    │   ├── InvalidSetting
    │   ├── InvalidTaskId
    │   ├── InvalidTrigger
    │   ├── InvalidScheduleFile       carries all problems of a set of files
    │   ├── UnknownTask
    │   └── UnserializableArgument
    ├── AppNotLoadable                (exit code 4)
    ├── RedisUnavailable              (exit code 3)
    │   ├── NotSent                   the request certainly had no effect
    │   │   └── ServerRefused         the server said no: OOM, READONLY, LOADING, MISCONF …
    │   ├── Uncertain                 the reply was lost; ``repeat()`` is safe
    │   ├── NotDurable                written, but on fewer copies than asked
    │   └── UnfitServer               too old, or may evict keys
    ├── UndecodableJob
    ├── LeaseLost                     a newer delivery owns the job
    ├── NoResult
    │   ├── ResultTimeout             also a TimeoutError
    │   ├── UnknownJob
    │   ├── JobFailed                 the task raised something that cannot be rebuilt here
    │   ├── JobCancelled
    │   ├── JobExpired
    │   ├── JobLost
    │   └── JobDead
    └── Control flow of a task's body
        ├── Retry, Ignore, Reject
        ├── MaxRetriesExceeded
        ├── SoftTimeLimitExceeded
        └── TimeLimitExceeded

Each error says what happened, with which value, and what to do: ``remedy`` is a field, so that
the command line and the logs can set it apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class BeatlineError(Exception):
    """
    The root of all errors of Beatline.

    Args:
        message: What happened, with which value and where.
        remedy: What the reader can do about it; empty where nothing can be done.
    """

    #: Exit code of a command that ends with this error.
    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} – {self.remedy}" if self.remedy else self.message


class WrongUse(BeatlineError):
    """A call, option or file says something that Beatline cannot carry out."""

    exit_code = 2


class InvalidSetting(WrongUse, ValueError):
    """A setting has a value outside its range or of a wrong form."""


class InvalidTaskId(WrongUse, ValueError):
    """A caller's own ``task_id`` is empty, too long, or would be mistaken for one of ours."""


class InvalidTrigger(WrongUse, ValueError):
    """A trigger's expression is malformed, or names no instant at all."""


class UnknownTask(WrongUse, LookupError):
    """No task of this name is registered with the app."""


class UnserializableArgument(WrongUse, TypeError):
    """
    An argument cannot travel to a worker as it is.

    Args:
        path: Where the value lies, such as ``args[0]["user"].photo``.
    """

    def __init__(self, message: str, *, path: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.path = path


class InvalidScheduleFile(WrongUse):
    """
    One or more schedule files have problems; none of them was applied.

    Args:
        problems: All problems found, ready to print, each ``file:line:column: …``.
    """

    def __init__(self, problems: Sequence[Any]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


class AppNotLoadable(BeatlineError):
    """The module or file named by ``-A`` cannot be imported, or holds no ``App``."""

    exit_code = 4


class RedisUnavailable(BeatlineError):
    """Redis cannot be reached, does not answer, or cannot be used."""

    exit_code = 3


class NotSent(RedisUnavailable):
    """The request certainly had no effect; sending it again is safe."""


class ServerRefused(NotSent):
    """
    The server answered that it does not take the request now.

    Args:
        code: The first word of the server's answer, such as ``OOM`` or ``READONLY``.
    """

    def __init__(self, message: str, *, code: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class Uncertain(RedisUnavailable):
    """
    The reply was lost: the request may or may not have taken effect.

    Attributes:
        task_ids: The ids of the jobs concerned, as text.
        accepted_ids: Where many were sent at once, the ids of those that are enqueued for certain.
        repeat: Sends the same numbered call again. The server answers a call that it has
            already carried out without a second effect, so this makes at most one job.
    """

    def __init__(
        self,
        message: str,
        *,
        task_ids: Sequence[str] = (),
        accepted_ids: Sequence[str] = (),
        repeat: Callable[[], Any] | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.task_ids = list(task_ids)
        self.accepted_ids = list(accepted_ids)
        self.repeat = repeat

    @property
    def task_id(self) -> str | None:
        """The id of the one job concerned, or None where the call was for several."""
        return self.task_ids[0] if len(self.task_ids) == 1 else None


class NotDurable(RedisUnavailable):
    """The job is in Redis, but on fewer copies or disks than the call asked for."""


class UnfitServer(RedisUnavailable):
    """The server is too old for Beatline, or configured to throw keys away."""


class UndecodableJob(BeatlineError):
    """A record in Redis is not one of ours, or of a version that this process does not know."""


class LeaseLost(BeatlineError):
    """This delivery's fencing token is no longer the job's: another delivery owns it now."""


class NoResult(BeatlineError):
    """There is no result to return."""


class ResultTimeout(NoResult, TimeoutError):
    """The job did not end within the time that the caller was ready to wait."""


class UnknownJob(NoResult, LookupError):
    """No job of this id is known: it never existed, or its result has been forgotten."""


class JobFailed(NoResult):
    """
    The task raised an exception whose class is not known in this process.

    Args:
        traceback: The worker's traceback as text.
    """

    def __init__(self, message: str, *, traceback: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.traceback = traceback


class JobCancelled(NoResult):
    """The job was cancelled before it could finish."""


class JobExpired(NoResult):
    """The job had not started when its time to start ran out."""


class JobLost(NoResult):
    """The worker vanished and the task is declared not to be run twice (``on_unsure="skip"``)."""


class JobDead(NoResult):
    """The job took its process down too often and lies among the dead letters."""


class Retry(BeatlineError):
    """
    Raised by ``self.retry()``: the job runs again after ``delay_ms``.

    Args:
        delay_ms: Milliseconds until the next attempt.
        cause: The exception that led to the retry.
    """

    def __init__(self, delay_ms: int, cause: BaseException | None = None) -> None:
        super().__init__(f"retry in {delay_ms} ms")
        self.delay_ms = delay_ms
        self.cause = cause


class Ignore(BeatlineError):
    """Raised by a task body: end this job without recording a result."""


class Reject(BeatlineError):
    """Raised by a task body: give the job back (``requeue=True``) or bury it."""

    def __init__(self, reason: str = "", *, requeue: bool = False) -> None:
        super().__init__(reason or "rejected by the task")
        self.requeue = requeue


class MaxRetriesExceeded(BeatlineError):
    """A task asked for one retry more than ``max_retries`` allows."""


class SoftTimeLimitExceeded(BeatlineError):
    """Raised inside a task body when ``soft_time_limit`` has passed; it may be caught."""


class TimeLimitExceeded(BeatlineError):
    """The job ran past ``time_limit`` and its process was killed."""
