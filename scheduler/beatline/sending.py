"""
The sending half of a task: one job or many, from a thread or from an event loop.

What begins with ``a`` is the same for a coroutine, with the same promises: jobs that coroutines of
one loop send at once share a call to Redis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from beatline.async_posting import async_post, async_post_many, async_route
from beatline.errors import InvalidSetting
from beatline.options import TaskOptions
from beatline.posting import call_arguments, post, post_many
from beatline.routing import Route, SendOptions
from beatline.settings import Settings
from beatline.signature import ArgumentCheck

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


class Sending(Generic[P, R]):
    """
    The part of a task that sends.

    Attributes:
        name: Under which workers find it.
        app: Where it is registered.
        options: What was declared, checked.
    """

    name: str
    app: App
    options: TaskOptions

    _check: ArgumentCheck
    _route: tuple[Settings | None, Route | None]

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

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """
        As `delay`, for a coroutine.

        A cancelled call leaves its job out if it has not gone yet; it may be enqueued otherwise.

        Raises:
            Uncertain: As for `delay`; here ``repeat()`` is awaited.
        """
        self._check.call(args, kwargs)
        if self.options.expires_ms is None:
            route = self.plain_route()
        else:
            route = await async_route(self.app, self.options, {})
        return await async_post(self.app, self.name, route, args, kwargs)

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

    async def aapply_async(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> AsyncResult[R]:
        """As `apply_async`, for a coroutine; with ``durability`` a thread makes the call."""
        sent_args, sent_kwargs = call_arguments(args, kwargs)
        self._check.call(sent_args, sent_kwargs)
        route = await async_route(self.app, self.options, options)
        return await async_post(self.app, self.name, route, sent_args, sent_kwargs)

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
        all_args, sent_kwargs = self._all_arguments(calls, kwargs, options)
        route = self.app.route(self.options, options)
        return post_many(self.app, self.name, route, all_args, sent_kwargs)

    async def aapply_many(
        self,
        calls: Iterable[Iterable[Any]],
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> list[AsyncResult[R]]:
        """As `apply_many`, for a coroutine; ``repeat()`` of its errors is awaited."""
        all_args, sent_kwargs = self._all_arguments(calls, kwargs, options)
        route = await async_route(self.app, self.options, options)
        return await async_post_many(self.app, self.name, route, all_args, sent_kwargs)

    def plain_route(self) -> Route:
        """Where jobs go that are sent without options."""
        settings, route = self._route
        if route is not None and settings is self.app.settings:
            return route
        route = self.app.route(self.options, {})
        # An expiry counts from each call's own now.
        self._route = (self.app.settings, None if self.options.expires_ms is not None else route)
        return route

    def _all_arguments(
        self,
        calls: Iterable[Iterable[Any]],
        kwargs: Mapping[str, Any] | None,
        options: Mapping[str, Any],
    ) -> tuple[list[Sequence[Any]], dict[str, Any]]:
        if options.get("task_id") is not None:
            raise InvalidSetting(
                "apply_many: task_id would be the id of several jobs",
                remedy="send them one by one with apply_async",
            )
        sent_kwargs = call_arguments(None, kwargs)[1]
        all_args: list[Sequence[Any]] = []
        for call in calls:
            # These need no second look, and most calls are one.
            args = call if isinstance(call, (tuple, list)) else call_arguments(call, None)[0]
            self._check.call(args, sent_kwargs)
            all_args.append(args)
        return all_args, sent_kwargs
