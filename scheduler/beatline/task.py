"""
A task: a function that can be called here, or sent to a worker.

The object that ``@app.task`` returns is one and the same in the client and in the worker. On the
client it only sends. A subclass's own ``__init__`` (``base=``) is run once in each process that
runs the task's body, right before the first run: what it sets up, such as a connection or a
model, is there for every job of that process, and costs the client nothing.
"""

from __future__ import annotations

import functools
import inspect
import os
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from beatline.backoff import retry_delay_ms
from beatline.errors import InvalidSetting, MaxRetriesExceeded, Retry
from beatline.options import TaskOptions
from beatline.request import JobRequest, current_job, direct_call
from beatline.routing import app_zone
from beatline.sending import P, R, Sending
from beatline.settings import Duration
from beatline.signature import ArgumentCheck
from beatline.telling import Telling
from beatline.units import duration_ms, instant_ms

if TYPE_CHECKING:
    from beatline.app import App


class _Unset(Enum):
    """Stands for an argument that was left out, where None means something."""

    UNSET = "unset"


UNSET: Final = _Unset.UNSET


class _Birth:
    """Whether a task's ``__init__`` has run in one process."""

    __slots__ = ("is_over", "lock")

    def __init__(self) -> None:
        self.lock = RLock()
        self.is_over = False


class Task(Telling, Sending[P, R]):
    """
    A registered function; subclass it to give tasks a state of their own, or hooks.

    Attributes:
        max_retries: Attempts after the first; None without limit.
    """

    max_retries: int | None
    #: Whether the body is a coroutine function.
    is_async: bool

    _function: Callable[..., R]
    _is_bound: bool
    _has_init: bool
    _has_call: bool
    _births: dict[int, _Birth]
    _own_names: frozenset[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own_call = cls.__dict__.get("__call__")
        if own_call is not None:
            cls.__call__ = _ready_first(own_call)  # type: ignore[method-assign]  # wrapped

    # --- running --------------------------------------------------------------------------------

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The body: what was decorated. A subclass may put something around it."""
        if self._is_bound:
            return self._function(self, *args, **kwargs)
        return self._function(*args, **kwargs)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """A plain call: runs the body here and now, as if it were not a task."""
        return self.for_child().run(*args, **kwargs)

    def body(self) -> Callable[..., Any]:
        """
        What runs a job's body in this process, for whoever executes jobs.

        Of a coroutine function it returns the coroutine: the caller runs that to its end.
        """
        task = self.for_child()
        if self._has_call:
            return task.__call__
        is_plain = type(self).run is Task.run and "run" not in self.__dict__
        return self._function if is_plain and not self._is_bound else task.run

    def for_child(self) -> Self:
        """This task, ready to run here: a subclass's ``__init__`` has run in this process."""
        if not self._has_init:
            return self
        pid = os.getpid()
        birth = self._births.get(pid) or self._births.setdefault(pid, _Birth())
        if not birth.is_over:
            with birth.lock:
                if not birth.is_over:
                    # What a process that we were forked from has set up is not ours to use.
                    for name in self.__dict__.keys() - self._own_names:
                        del self.__dict__[name]
                    type(self).__init__(self)
                    birth.is_over = True
        return self

    @property
    def request(self) -> JobRequest:
        """The job that runs here; in a plain call a request with ``called_directly``."""
        job = current_job()
        if job is None or job.task != self.name:
            return direct_call(self.name, (), {})
        return job

    # --- inside the body ------------------------------------------------------------------------

    def retry(
        self,
        exc: BaseException | None = None,
        *,
        countdown: Duration | None = None,
        eta: datetime | None = None,
        max_retries: int | _Unset | None = UNSET,
    ) -> NoReturn:
        """
        End this attempt, and run the job again later. Always raises.

        Args:
            exc: Why; raised if there are no attempts left.
            countdown: Delay; by default the task's back-off, else ``default_retry_delay``.
            eta: Instead of ``countdown``: the instant; a naive one is in the app's time zone.
            max_retries: Instead of the task's.

        Raises:
            Retry: The job runs again.
            MaxRetriesExceeded: There are no attempts left, and no ``exc`` was given.
        """
        request = self.request
        if request.called_directly:
            raise exc or Retry(0)
        limit = max_retries
        if limit is UNSET:
            limit = request.job.options.get("max_retries", self.max_retries)
        if limit is not None and request.retries >= limit:
            if exc is not None:
                raise exc
            raise MaxRetriesExceeded(
                f"job {request.id} of {self.name} has used up its {limit} retries",
                remedy="raise max_retries, or pass exc= to retry() to raise that instead",
            )
        raise Retry(self._retry_delay_ms(request, countdown, eta), exc)

    def _retry_delay_ms(
        self, request: JobRequest, countdown: Duration | None, eta: datetime | None
    ) -> int:
        if countdown is not None and eta is not None:
            raise InvalidSetting("countdown and eta are both given", remedy="give one of them")
        if countdown is not None:
            return duration_ms(countdown, "countdown")
        if eta is not None:
            eta_ms = instant_ms(eta, app_zone(self.app.settings))
            return max(eta_ms - request.server_now_ms, 0)
        return retry_delay_ms(self.options, request.retries, random.Random())

    # --- hooks: for subclasses; a worker calls them around each run ------------------------------

    def before_start(self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Called before each run."""

    def on_success(
        self, retval: Any, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        """Called after a run that returned."""

    def on_retry(
        self,
        exc: BaseException,
        task_id: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        einfo: str,
    ) -> None:
        """Called after an attempt that failed and will be made again; ``einfo`` is a traceback."""

    def on_failure(
        self,
        exc: BaseException,
        task_id: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        einfo: str,
    ) -> None:
        """Called when a job has failed for good; ``einfo`` is the traceback as text."""

    def after_return(
        self,
        status: str,
        retval: Any,
        task_id: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        einfo: str,
    ) -> None:
        """Called after each run, with SUCCESS, RETRY or FAILURE."""

    def __repr__(self) -> str:
        return f"<Task {self.name}>"


def _ready_first(call: Callable[..., Any]) -> Callable[..., Any]:
    """A subclass's ``__call__``, before which its ``__init__`` has run in this process."""

    @functools.wraps(call)
    def ready_call(task: Task[..., Any], *args: Any, **kwargs: Any) -> Any:
        return call(task.for_child(), *args, **kwargs)

    return ready_call


def make_task(
    app: App,
    name: str,
    function: Callable[..., Any],
    *,
    kind: type[Task[..., Any]],
    is_bound: bool,
    options: TaskOptions,
) -> Task[..., Any]:
    """
    A task of a class, without its ``__init__`` being run.

    Args:
        app: Where it belongs.
        name: Its name.
        function: Its body.
        kind: `Task`, or a subclass of it.
        is_bound: The body's first parameter is the task.
        options: Its options.

    Raises:
        InvalidSetting: The class cannot be made without arguments.
    """
    task = object.__new__(kind)
    task._has_init = kind.__init__ is not object.__init__
    task._has_call = kind.__call__ is not Task.__call__
    if task._has_init:
        _check_init(kind, name)
    task.name, task.app, task.options, task.max_retries = name, app, options, options.max_retries
    task._function, task._is_bound = function, is_bound
    task._births, task._route = {}, (None, None)
    is_plain = kind.run is Task.run
    body = function if is_plain else kind.run
    task.is_async = inspect.iscoroutinefunction(kind.__call__ if task._has_call else body)
    task._check = ArgumentCheck(name, body, skips_first=is_bound or not is_plain)
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        if hasattr(function, attribute):
            setattr(task, attribute, getattr(function, attribute))
    task.__dict__["__wrapped__"] = function
    task._own_names = frozenset(task.__dict__) | {"_own_names"}
    return task


def _check_init(kind: type[Task[..., Any]], name: str) -> None:
    try:
        inspect.signature(kind.__init__).bind(None)
    except TypeError as error:
        raise InvalidSetting(
            f"task {name}: base={kind.__qualname__} cannot be made without arguments: {error}",
            remedy="give the parameters of its __init__ defaults",
        ) from None
