"""
From arguments to jobs in Redis: one at a time, or many in few round trips.

What happens when a reply is lost in the middle of many: the jobs of earlier round trips are
enqueued, the rest is not known to be, and the error says which is which; its ``repeat()`` goes
on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from beatline.crowd import Crowd
from beatline.errors import NotSent, Uncertain, WrongUse
from beatline.ids import id_text, new_id, partition_of
from beatline.result import AsyncResult
from beatline.routing import Durability, Route
from beatline.sender import Posting, Refused
from beatline.store.enqueuing import LARGEST_CALL

if TYPE_CHECKING:
    from beatline.app import App

T = TypeVar("T")

#: Most bytes of records in one call: sending them must fit well into a reply's timeout.
_CALL_BYTES: Final = 1 << 20


def call_arguments(
    args: Iterable[Any] | None, kwargs: Mapping[str, Any] | None
) -> tuple[Sequence[Any], dict[str, Any]]:
    """
    The arguments of one call, as they are sent.

    Raises:
        WrongUse: ``args`` is text or no sequence of arguments, ``kwargs`` is no mapping.
    """
    if args is None:
        args = ()
    elif not isinstance(args, (tuple, list)):
        # Asked late: nearly all are one, and abstract classes take ten times as long to ask.
        if isinstance(args, (str, bytes, Mapping)) or not isinstance(args, Iterable):
            raise WrongUse(
                f"the arguments of a call are {type(args).__name__} {args!r:.60}",
                remedy="pass a tuple or list of arguments, such as (42,)",
            )
        args = tuple(args)
    if kwargs is not None and not isinstance(kwargs, (dict, Mapping)):
        raise WrongUse(f"kwargs is {type(kwargs).__name__} {kwargs!r:.60}", remedy="pass a dict")
    return args, dict(kwargs or {})


def post(
    app: App, task: str, route: Route, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> AsyncResult[Any]:
    """Send one job; see `Task.delay` and `Task.apply_async` for what it raises."""
    record = route.record(task, args, kwargs)
    sender = app.sender()
    raw_id = route.task_id
    if raw_id is not None:
        partition = partition_of(raw_id, len(sender.prefixes))
    else:
        partition = sender.next_partition()
        raw_id = new_id(partition)
    result: AsyncResult[Any] = AsyncResult.of(app, raw_id, route.ignores_result)
    try:
        if route.is_plain:
            crowd = app.crowd
            if crowd.settings is not sender.settings or crowd.pid != sender.pid or crowd.is_over:
                crowd = app.crowd = Crowd(sender.settings)
            crowd.enqueue(sender, partition, raw_id, record)
            return result
        refused = sender.enqueue(
            partition,
            ((raw_id, route.due, record),),
            check=route.task_id is not None,
            durability=route.durability,
        )
    except Uncertain as error:
        raise _wrapped(error, lambda refused: _noted(result, refused)) from error.__cause__
    return _noted(result, refused)


def post_many(
    app: App,
    task: str,
    route: Route,
    all_args: Sequence[Sequence[Any]],
    kwargs: Mapping[str, Any],
) -> list[AsyncResult[Any]]:
    """Send many jobs; see `Task.apply_many` for what it raises."""
    records = [route.record(task, args, kwargs) for args in all_args]
    sender = app.sender()
    batches: list[Batch] = []
    for chunk in chunks(records, len(sender.prefixes)):
        partition = sender.next_partition()
        jobs = [(new_id(partition), route.due, record) for record in chunk]
        batches.append(Batch(partition, jobs))
    return _Delivery(app, batches, route).go_on(0)


@dataclass(frozen=True, slots=True)
class Batch:
    """
    The jobs of one round trip.

    Attributes:
        partition: Where they go.
        jobs: What goes.
    """

    partition: int
    jobs: list[Posting]


class _Delivery:
    """Many jobs on their way, and how far they got."""

    def __init__(self, app: App, batches: list[Batch], route: Route) -> None:
        self._app = app
        self._batches = batches
        self._route = route

    def go_on(self, start: int) -> list[AsyncResult[Any]]:
        """Send the batches from ``start`` on; the results of all."""
        for index in range(start, len(self._batches)):
            try:
                self._send(index)
            except Uncertain as error:
                again = error.repeat
                raise self._stopped(error, index, again) from error.__cause__
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

    def _send(self, index: int) -> None:
        batch = self._batches[index]
        # Copies hold all that was written before them: waiting for the last is enough.
        is_last = index == len(self._batches) - 1
        durability: Durability | None = self._route.durability if is_last else None
        self._app.sender().enqueue(batch.partition, batch.jobs, durability=durability)

    def _stopped(
        self, error: NotSent | Uncertain, index: int, again: Callable[[], Any] | None
    ) -> Uncertain:
        def resume() -> list[AsyncResult[Any]]:
            if again is None:
                return self.go_on(index)
            try:
                again()
            except Uncertain as lost:
                raise self._stopped(lost, index, lost.repeat) from lost.__cause__
            return self.go_on(index + 1)

        accepted, rest = self._ids(0, index), self._ids(index, len(self._batches))
        return Uncertain(
            f"{len(accepted)} of {len(accepted) + len(rest)} jobs are enqueued: {error.message}",
            task_ids=rest,
            accepted_ids=accepted,
            repeat=resume,
            remedy="call repeat() of this error: it goes on with the rest, and doubles none",
        )

    def _ids(self, start: int, end: int) -> list[str]:
        return [id_text(job[0]) for batch in self._batches[start:end] for job in batch.jobs]


def chunks(records: list[bytes], partitions: int) -> Iterator[list[bytes]]:
    """Records in portions that one call may carry, so that every partition gets some."""
    most = max(min(LARGEST_CALL, -(-len(records) // partitions)), 1)
    chunk: list[bytes] = []
    size = 0
    for record in records:
        if chunk and (len(chunk) == most or size + len(record) > _CALL_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += len(record)
    if chunk:
        yield chunk


def _noted(result: AsyncResult[Any], refused: Refused) -> AsyncResult[Any]:
    result.is_duplicate = bool(refused)
    return result


def _wrapped(error: Uncertain, finish: Callable[[Refused], T]) -> Uncertain:
    """The same error, whose ``repeat`` returns what the call would have returned."""
    again = error.repeat

    def repeat() -> T:
        assert again is not None
        try:
            return finish(again())
        except Uncertain as lost:
            raise _wrapped(lost, finish) from lost.__cause__

    error.repeat = repeat
    return error
