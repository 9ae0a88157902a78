"""
From arguments to jobs in Redis, from an event loop: one at a time, or many in few round trips.

The asynchronous twin of `beatline.posting`, with the same promises. A call with ``durability``
waits for a disk or another machine: it is made by a thread, as the synchronous one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from beatline.async_calls import Posting, Refused
from beatline.errors import NotSent, Uncertain
from beatline.ids import id_text, new_id, partition_of
from beatline.options import TaskOptions
from beatline.posting import Batch, chunks, post, post_many
from beatline.result import AsyncResult
from beatline.routing import Route, route_for

if TYPE_CHECKING:
    from beatline.app import App

T = TypeVar("T")


async def async_route(app: App, task: TaskOptions, given: Mapping[str, Any]) -> Route:
    """Where and when the jobs of one call go; see `beatline.routing`."""
    now_ms = 0
    if given.get("countdown") is not None or given.get("expires", task.expires_ms) is not None:
        now_ms = await (await app.loops.get()).sender.server_now_ms()
    return route_for(given, task, app.settings, lambda: now_ms)


async def async_post(
    app: App, task: str, route: Route, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> AsyncResult[Any]:
    """Send one job; see `Task.adelay` and `Task.aapply_async` for what it raises."""
    if route.durability not in (None, "memory"):
        return await _in_thread(lambda: post(app, task, route, args, kwargs))
    record = route.record(task, args, kwargs)
    sender = (app.loops.current() or await app.loops.get()).sender
    raw_id = route.task_id
    if raw_id is None:
        partition = sender.partition
        raw_id = new_id(partition)
        kind = (partition, False)
    else:
        kind = (partition_of(raw_id, len(sender.prefixes)), True)
    result: AsyncResult[Any] = AsyncResult.of(app, raw_id, route.ignores_result)
    try:
        refused = await sender.enqueue(kind, ((raw_id, route.due, record),), len(record))
    except Uncertain as error:
        raise _wrapped(error, lambda refused: _noted(result, refused)) from error.__cause__
    if refused:
        result.is_duplicate = True
    return result


async def async_post_many(
    app: App,
    task: str,
    route: Route,
    all_args: Sequence[Sequence[Any]],
    kwargs: Mapping[str, Any],
) -> list[AsyncResult[Any]]:
    """Send many jobs; see `Task.aapply_many` for what it raises."""
    if route.durability not in (None, "memory"):
        return await _in_thread(lambda: post_many(app, task, route, all_args, kwargs))
    records = [route.record(task, args, kwargs) for args in all_args]
    sender = (app.loops.current() or await app.loops.get()).sender
    batches: list[Batch] = []
    for number, chunk in enumerate(chunks(records, len(sender.prefixes))):
        partition = (sender.partition + number) % len(sender.prefixes)
        jobs: list[Posting] = [(new_id(partition), route.due, record) for record in chunk]
        batches.append(Batch(partition, jobs))
    return await _Delivery(app, batches, route).go_on(0)


class _Delivery:
    """Many jobs on their way, and how far they got."""

    def __init__(self, app: App, batches: list[Batch], route: Route) -> None:
        self._app = app
        self._batches = batches
        self._route = route

    async def go_on(self, start: int) -> list[AsyncResult[Any]]:
        """Send the batches from ``start`` on; the results of all."""
        sender = (await self._app.loops.get()).sender
        for index in range(start, len(self._batches)):
            batch = self._batches[index]
            size = sum(len(job[2]) for job in batch.jobs)
            try:
                await sender.enqueue((batch.partition, False), batch.jobs, size)
            except Uncertain as error:
                raise self._stopped(error, index, error.repeat) from error.__cause__
            except NotSent as error:
                if index == 0:
                    raise
                raise self._stopped(error, index, None) from error
        ignores = self._route.ignores_result
        return [
            AsyncResult.of(self._app, job[0], ignores)
            for batch in self._batches
            for job in batch.jobs
        ]

    def _stopped(
        self,
        error: NotSent | Uncertain,
        index: int,
        again: Callable[[], Awaitable[Any]] | None,
    ) -> Uncertain:
        async def resume() -> list[AsyncResult[Any]]:
            if again is None:
                return await self.go_on(index)
            try:
                await again()
            except Uncertain as lost:
                raise self._stopped(lost, index, lost.repeat) from lost.__cause__
            return await self.go_on(index + 1)

        accepted, rest = self._ids(0, index), self._ids(index, len(self._batches))
        return Uncertain(
            f"{len(accepted)} of {len(accepted) + len(rest)} jobs are enqueued: {error.message}",
            task_ids=rest,
            accepted_ids=accepted,
            repeat=resume,
            remedy="await repeat() of this error: it goes on with the rest, and doubles none",
        )

    def _ids(self, start: int, end: int) -> list[str]:
        return [id_text(job[0]) for batch in self._batches[start:end] for job in batch.jobs]


async def _in_thread(send: Callable[[], T]) -> T:
    """Make a synchronous call in a thread; its error's ``repeat`` is awaited all the same."""
    try:
        return await asyncio.to_thread(send)
    except Uncertain as error:
        again = error.repeat
        if again is not None:
            error.repeat = lambda: _in_thread(again)
        raise


def _noted(result: AsyncResult[Any], refused: Refused) -> AsyncResult[Any]:
    result.is_duplicate = bool(refused)
    return result


def _wrapped(error: Uncertain, finish: Callable[[Refused], T]) -> Uncertain:
    """The same error, whose ``repeat`` returns what the call would have returned."""
    again = error.repeat

    async def repeat() -> T:
        assert again is not None
        try:
            return finish(await again())
        except Uncertain as lost:
            raise _wrapped(lost, finish) from lost.__cause__

    error.repeat = repeat
    return error
