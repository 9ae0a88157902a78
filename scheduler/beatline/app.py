"""
The app: tasks, settings, and the way to Redis, in one object that users make at import.

Making it connects to nothing. The first call that needs Redis finds it (the URL given, else the
embedded server of the nearest ``.beatline`` folder), makes sure that the server is fit, and
claims the namespace.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from beatline.async_posting import async_post, async_route
from beatline.crowd import Crowd
from beatline.embedded import embedded_url
from beatline.errors import InvalidSetting, NotSent, WrongUse
from beatline.jobs import Jobs
from beatline.loop_client import LoopClients
from beatline.naming import check_name, is_same_function, task_name, where_defined
from beatline.notices import Subscription
from beatline.options import OPTION_NAMES, TaskDeclaration, TaskOptions, task_options
from beatline.posting import call_arguments, post
from beatline.queues import Queues
from beatline.result import AsyncResult
from beatline.routing import Route, SendOptions, route_for
from beatline.sender import Sender
from beatline.settings import Duration, Settings, settings_from
from beatline.task import Task, make_task
from beatline.wire.connection import Endpoint, HeldConnection
from beatline.wire.fitness import check_server, claim_namespace

if TYPE_CHECKING:
    from typing import Unpack

    from beatline.schedules_api import Schedules

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("beatline.app")


class App:
    """
    A set of tasks, and where their jobs are kept.

    Args:
        name: What the app is called, in logs and error texts.
        redis: ``redis://``, ``rediss://`` or ``unix://`` URL; None takes the embedded server.
        namespace: First part of every key: apps with different ones do not see each other.
        lease: How long a silent worker keeps its jobs.
        max_deliveries: Deaths of its process that a job may cause before it is buried.
        partitions: Number of partitions, fixed for a namespace once it has been used.
        result_ttl: How long results are kept.
        timezone: Meaning of naive datetimes.
        default_queue: Queue of tasks that name none.
        unknown_task_ttl: How long a job waits for a worker that knows its task.
        socket_timeout: Longest wait for one reply of Redis.
        call_timeout: Longest that a call takes before it raises.

    Each can be overruled by an environment variable ``BEATLINE_<NAME>``; the URL's is
    ``BEATLINE_REDIS_URL``.

    Attributes:
        name: As given.
        settings: All settings, checked.
        tasks: Name -> task.
        child_start_hooks: What runs in each of a worker's children before its first job.
        jobs: Look at, cancel and move jobs.
        loops: Connections of event loops.
        crowd: Threads that send at once.
        queues: How long the queues are.

    Raises:
        InvalidSetting: A setting, or its environment variable, has no fitting value.
    """

    def __init__(
        self,
        name: str,
        redis: str | None = None,
        *,
        namespace: str = "sched",
        lease: Duration = "15s",
        max_deliveries: int = 3,
        partitions: int = 1,
        result_ttl: Duration = timedelta(days=1),
        timezone: str = "UTC",
        default_queue: str = "default",
        unknown_task_ttl: Duration = "10m",
        socket_timeout: Duration = "3s",
        call_timeout: Duration = "4.5s",
    ) -> None:
        if not isinstance(name, str) or not name or "://" in name:
            raise InvalidSetting(
                f"App name {name!r} is not one",
                remedy='write App("shop", redis="redis://localhost:6379/0")',
            )
        self.name = name
        self.settings: Settings = settings_from(
            {
                "redis": redis,
                "namespace": namespace,
                "lease": lease,
                "max_deliveries": max_deliveries,
                "partitions": partitions,
                "result_ttl": result_ttl,
                "timezone": timezone,
                "default_queue": default_queue,
                "unknown_task_ttl": unknown_task_ttl,
                "socket_timeout": socket_timeout,
                "call_timeout": call_timeout,
            }
        )
        self.tasks: dict[str, Task[..., Any]] = {}
        self.child_start_hooks: list[Callable[[], Any]] = []
        self.jobs = Jobs(self)
        self.queues = Queues(self)
        self.loops = LoopClients(self)
        self.crowd = Crowd(self.settings)
        self._threads = threading.local()
        self._fit: Settings | None = None

    # --- settings and connections ---------------------------------------------------------------

    def configure(self, redis: str | None = None, **settings: Any) -> None:
        """
        Overrule settings; for command lines, whose options come before the environment.

        Raises:
            InvalidSetting: As for `App`.
        """
        given = {name: value for name, value in settings.items() if value is not None}
        checked = settings_from({**given, "redis": redis}, environ={})
        changed: dict[str, Any] = {} if redis is None else {"redis": redis}
        for name in given:
            field = name if hasattr(checked, name) else f"{name}_ms"
            changed[field] = getattr(checked, field)
        self.settings = replace(self.settings, **changed)

    def endpoint(self) -> Endpoint:
        """
        Where Redis is: the URL of the settings, else that of the embedded server.

        Raises:
            NotSent: There is neither.
        """
        url = self.settings.redis or embedded_url()
        if url is None:
            raise NotSent(
                f"app {self.name!r}: no Redis is named, and no embedded server runs in .beatline"
                f" of {os.getcwd()} or its parents",
                remedy="start `sched up`, or the server alone with `sched up --only server`,"
                " or set BEATLINE_REDIS_URL",
            )
        return Endpoint(url, reply_timeout_ms=self.settings.socket_timeout_ms)

    def sender(self) -> Sender:
        """This thread's way to Redis; made, and the server looked at, when first asked for."""
        sender: Sender | None = getattr(self._threads, "sender", None)
        if sender is not None and sender.settings is self.settings and sender.pid == os.getpid():
            return sender
        sender = Sender(self.endpoint(), self.settings, self.sender)
        self._look_at_server(sender)
        self._threads.sender = sender
        return sender

    def fit_endpoint(self) -> Endpoint:
        """
        Where Redis is, once the server has been looked at; for whoever connects in another way.

        Raises:
            NotSent: No server is named, or none accepts connections.
        """
        endpoint = self.endpoint()
        if self._fit is not self.settings:
            sender = Sender(endpoint, self.settings, self.sender)
            with closing(sender):
                self._look_at_server(sender)
        return endpoint

    def _look_at_server(self, sender: Sender) -> None:
        """Once for these settings: refuse a server that is not fit."""
        settings = self.settings
        if self._fit is settings:
            return
        sender.open()
        for warning in sender.ask(fit_check(sender.endpoint, settings)):
            _log.warning("app.server %s", warning)
        self._fit = settings

    def subscription(self) -> Subscription:
        """This thread's ear on Redis; it connects when it is first used."""
        endpoint = self.sender().endpoint
        subscription: Subscription | None = getattr(self._threads, "subscription", None)
        if subscription is None or subscription.endpoint != endpoint:
            subscription = self._threads.subscription = Subscription(endpoint)
        return subscription

    def close(self) -> None:
        """Close this thread's connections to Redis; the next call opens others."""
        for name in ("sender", "subscription"):
            held: Sender | Subscription | None = getattr(self._threads, name, None)
            if held is not None:
                held.close()
            setattr(self._threads, name, None)

    async def aclose(self) -> None:
        """Close the running loop's connections; ``asyncio.run`` does so by itself at its end."""
        self.loops.close()

    # --- tasks ----------------------------------------------------------------------------------

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...

    @overload
    def task(
        self, /, *, bind: Literal[True], **options: Unpack[TaskDeclaration]
    ) -> Callable[[Callable[Concatenate[Any, P], R]], Task[P, R]]: ...

    @overload
    def task(
        self, /, *, bind: Literal[False] = False, **options: Unpack[TaskDeclaration]
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        bind: bool = False,
        **options: Unpack[TaskDeclaration],
    ) -> Any:
        """
        Register a function as a task: ``@app.task`` or ``@app.task(queue="mail", …)``.

        Args:
            function: The body.
            bind: Pass the task itself as first argument, for ``self.retry`` and ``self.request``.
            options: See `TaskDeclaration` for all of them.

        Raises:
            InvalidSetting: An option is unknown or its value does not fit; or another function
                has the name already.
        """
        if function is not None:
            if not callable(function):
                raise WrongUse(
                    f"@app.task was given {function!r}", remedy="name options: @app.task(name=…)"
                )
            return self._register(function, bind=bind, options=options)
        # Wrong options are told where they are written, before the function is even seen.
        task_options(_plain_options(options), f"@app.task of app {self.name!r}")
        return lambda body: self._register(body, bind=bind, options=options)

    def on_child_start(self, hook: Callable[[], R]) -> Callable[[], R]:
        """
        Have a function run in each child of a worker before its first job.

        It may open connections or load models. Where it raises, the worker does not start.
        """
        self.child_start_hooks.append(hook)
        return hook

    def send_task(
        self,
        name: str,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> AsyncResult[Any]:
        """
        Send a job of a task that need not be registered here; see `Task.apply_async`.

        Options of a task that is registered here apply.
        """
        sent_args, sent_kwargs = call_arguments(args, kwargs)
        known = self.tasks.get(check_name(name))
        declared = known.options if known is not None else TaskOptions()
        return post(self, name, self.route(declared, options), sent_args, sent_kwargs)

    async def asend_task(
        self,
        name: str,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> AsyncResult[Any]:
        """As `send_task`, for a coroutine."""
        sent_args, sent_kwargs = call_arguments(args, kwargs)
        known = self.tasks.get(check_name(name))
        declared = known.options if known is not None else TaskOptions()
        route = await async_route(self, declared, options)
        return await async_post(self, name, route, sent_args, sent_kwargs)

    @cached_property
    def schedules(self) -> Schedules:
        """Declare, look at, pause and remove schedules; see `beatline.schedules_api`."""
        # Imported late: triggers cost 0.1 s, and most processes of an app have no use for them.
        from beatline.schedules_api import Schedules

        return Schedules(self)

    def result(self, job_id: str) -> AsyncResult[Any]:
        """The result of the job of this id."""
        return AsyncResult(job_id, self)

    def route(self, task: TaskOptions, given: Mapping[str, Any]) -> Route:
        """Where and when the jobs of one call go; see `beatline.routing`."""
        return route_for(given, task, self.settings, lambda: self.sender().server_now_ms())

    def _register(
        self, function: Callable[..., Any], *, bind: bool, options: Mapping[str, Any]
    ) -> Task[..., Any]:
        name = check_name(options.get("name") or task_name(function))
        if not isinstance(bind, bool):
            raise InvalidSetting(f"task {name}: bind {bind!r} is not a bool", remedy="use True")
        kind = _task_class(options.get("base"), name)
        declared = {**_class_options(kind), **_plain_options(options)}
        task = make_task(
            self,
            name,
            function,
            kind=kind,
            is_bound=bind,
            options=task_options(declared, f"task {name}"),
        )
        self._refuse_duplicate(name, function)
        self.tasks[name] = task
        return task

    def _refuse_duplicate(self, name: str, function: Callable[..., Any]) -> None:
        known = self.tasks.get(name)
        if known is None:
            return
        other = known.__dict__["__wrapped__"]
        if not is_same_function(other, function):
            raise InvalidSetting(
                f"task {name} at {where_defined(function)} has the name of the one at"
                f" {where_defined(other)}",
                remedy="rename one of them, or give it a name: @app.task(name=…)",
            )

    def __repr__(self) -> str:
        return f"<App {self.name}>"


def fit_check(endpoint: Endpoint, settings: Settings) -> Callable[[HeldConnection], list[str]]:
    """
    The question whether a server is fit for an app; its answer are warnings.

    Raises:
        UnfitServer: Too old, or it may throw jobs away.
        InvalidSetting: The namespace has another number of partitions.
    """

    def check(_: HeldConnection) -> list[str]:
        with endpoint.client() as client:
            warnings = check_server(client)
            claim_namespace(client, settings.namespace, settings.partitions)
        return warnings

    return check


def _plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """What belongs into `TaskOptions`."""
    return {name: value for name, value in options.items() if name not in ("name", "base")}


def _class_options(kind: type[Task[..., Any]]) -> dict[str, Any]:
    """Options that a subclass of `Task` gives as class attributes, as Celery's tasks may."""
    return {
        name: getattr(kind, name)
        for name in OPTION_NAMES
        if hasattr(kind, name) and not hasattr(Task, name)
    }


def _task_class(kind: object, name: str) -> type[Task[..., Any]]:
    if kind is None:
        return Task
    if not isinstance(kind, type) or not issubclass(kind, Task):
        raise InvalidSetting(
            f"task {name}: base {kind!r} is no subclass of beatline.Task",
            remedy="write `class Mine(Task): …` and pass base=Mine",
        )
    return kind
