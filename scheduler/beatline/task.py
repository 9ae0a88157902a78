"""
A task: a function that can be called here, or sent to a worker.

The object that ``@app.task`` returns is one and the same in the client and in the worker. On the
client it only sends. A subclass's own ``__init__`` (``base=``) is run once in each process that
runs the task's body, right before the first run: what it sets up, such as a connection or a
model, is there for every job of that process, and costs the client nothing.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, ParamSpec, Self, TypeVar

from beatline.backoff import retry_delay_ms
from beatline.errors import InvalidSetting, MaxRetriesExceeded, Retry
from beatline.options import TaskOptions
from beatline.posting import call_arguments, post, post_many
from beatline.request import JobRequest, current_job, direct_call
from beatline.routing import Route, SendOptions, app_zone
from beatline.settings import Duration, Settings
from beatline.signature import ArgumentCheck
from beatline.telling import Telling
from beatline.units import duration_ms, instant_ms

if TYPE_CHECKING:
    from typing import Unpack

    from typing_extensions import ParamSpec as DefaultParamSpec
    from typing_extensions import TypeVar as DefaultTypeVar

    from beatline.app import App
    from beatline.result import AsyncResult

    P = DefaultParamSpec("P", default=...)
    R = DefaultTypeVar("R", default=Any)
else:
    P = ParamSpec("P")
    R = TypeVar("R")


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


class Task(Telling, Generic[P, R]):
    """
    A registered function; subclass it to give tasks a state of their own, or hooks.

    Attributes:
        name: Under which workers find it.
        app: Where it is registered.
        options: What was declared, checked.
        max_retries: Attempts after the first; None without limit.
    """

    name: str
    app: App
    options: TaskOptions
    max_retries: int | None

    _function: Callable[..., R]
    _is_bound: bool
    _has_init: bool
    _has_call: bool
    _check: ArgumentCheck
    _births: dict[int, _Birth]
    _own_names: frozenset[str]
    _route: tuple[Settings | None, Route | None]

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

    def call_body(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> R:
        """
        Run the body of a job; for whoever executes jobs.

        A coroutine function is run to its end in an event loop of its own.
        """
        task: Any = self.for_child()
        value = task(*args, **kwargs) if self._has_call else task.run(*args, **kwargs)
        if inspect.iscoroutine(value):
            value = asyncio.run(value)
        returned: R = value
        return returned

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

    # --- sending --------------------------------------------------------------------------------

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """
        Send a job with these arguments.

        Returns:
            Its result, which can be waited for.

        Raises:
            TypeError: The arguments do not fit the function.
            UnserializableArgument: One of them cannot travel; ``path`` says which.
            NotSent: Redis cannot be reached, or refused; nothing was sent.
            Uncertain: The reply was lost. ``repeat()`` of the error makes at most one job.

        *Atomicity*: ``enqueue.lua``.
        """
        self._check.call(args, kwargs)
        return post(self.app, self.name, self.plain_route(), args, kwargs)

    def apply_async(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> AsyncResult[R]:
        """
        Send a job, with options for this call; see `SendOptions` for them.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            options: ``countdown``, ``eta``, ``expires``, ``queue``, ``priority``, ``task_id``,
                ``headers``, ``ignore_result``, ``time_limit``, ``soft_time_limit``,
                ``durability``.

        Returns:
            Its result. With a ``task_id`` that is taken, the result of the job that has it;
            ``is_duplicate`` is true then.

        Raises:
            InvalidSetting: An option is unknown, or its value does not fit.
            NotDurable: The job is in Redis, but not on as many copies as ``durability`` asks.
            BeatlineError: And as `delay`.
        """
        sent_args, sent_kwargs = call_arguments(args, kwargs)
        self._check.call(sent_args, sent_kwargs)
        route = self.app.route(self.options, options)
        return post(self.app, self.name, route, sent_args, sent_kwargs)

    def apply_many(
        self,
        calls: Iterable[Iterable[Any]],
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> list[AsyncResult[R]]:
        """
        Send many jobs, up to 1000 in each round trip.

        Arguments are looked at before anything is sent: one that cannot travel sends nothing.

        Args:
            calls: Positional arguments of each job.
            kwargs: Keyword arguments of all of them.
            options: As for `apply_async`, without ``task_id``.

        Returns:
            Their results, in the same order.

        Raises:
            NotSent: None of them was sent.
            Uncertain: Some were not, or perhaps not: ``accepted_ids`` are enqueued, ``task_ids``
                are not known to be. ``repeat()`` sends those, and returns all results.
        """
        if options.get("task_id") is not None:
            raise InvalidSetting(
                "apply_many: task_id would be the id of several jobs",
                remedy="send them one by one with apply_async",
            )
        all_args, sent_kwargs = [], call_arguments(None, kwargs)[1]
        for call in calls:
            args = call_arguments(call, None)[0]
            self._check.call(args, sent_kwargs)
            all_args.append(args)
        route = self.app.route(self.options, options)
        return post_many(self.app, self.name, route, all_args, sent_kwargs)

    def plain_route(self) -> Route:
        """Where jobs go that are sent without options."""
        settings, route = self._route
        if route is not None and settings is self.app.settings:
            return route
        route = self.app.route(self.options, {})
        # An expiry counts from each call's own now.
        self._route = (self.app.settings, None if self.options.expires_ms is not None else route)
        return route

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
