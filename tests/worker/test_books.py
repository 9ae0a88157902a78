"""The supervisor's entries in Redis, and what the memory that it shares with a child decides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beatline import App
from beatline.keys import prefix
from beatline.store.delivering import Call, Consumer, Delivery, settle
from beatline.wire.connection import Endpoint, HeldConnection
from beatline_worker.books import Books, WorkerSettings
from beatline_worker.nursery import ChildState
from beatline_worker.table import NO_LIMIT, Table
from tests.servers import eventually

PREFIX = prefix("sched", 0)


@pytest.fixture
def books(redis_url: str) -> Iterator[Books]:
    """The entries of a worker ``w`` with one child ``c``."""
    settings = WorkerSettings(
        url=redis_url,
        namespace="sched",
        partitions=1,
        lease_ms=15_000,
        max_deliveries=3,
        result_ttl_ms=60_000,
        default_queue="default",
        tasks=("noop",),
    )
    made = Books(settings, "w", {}, lambda: None)
    made.enrol(["c"])
    eventually(lambda: made.are_done)
    yield made
    made.close()


@pytest.fixture
def child() -> ChildState:
    """A child that has a row."""
    row = Table(1).row(0)
    row.reset()
    return ChildState(0, row, "c")


def test_give_back_when_a_take_crosses_it_then_what_was_taken_stays(
    books: Books, child: ChildState, app: App, redis_url: str
) -> None:
    first, second, third = hold_three(app, redis_url)
    child.row.lane(0).begin(first.fence, 1, first.id)
    # The third is on its way to the child: its row does not tell of it yet.
    child.row.known = second.fence

    books.give_back(child)
    eventually(lambda: books.are_done)

    assert {first.id, third.id} == held(redis_url)
    assert (1, NO_LIMIT) == (child.row.returns, child.row.limit)


def test_give_back_when_the_child_has_asked_for_more_then_what_it_has_not_read_goes_too(
    books: Books, child: ChildState, app: App, redis_url: str
) -> None:
    first, _, _ = hold_three(app, redis_url)
    child.row.lane(0).begin(first.fence, 1, first.id)
    child.row.known = first.fence
    child.row.asking = 1

    books.give_back(child)
    eventually(lambda: books.are_done)

    assert {first.id} == held(redis_url)
    assert (1, NO_LIMIT) == (child.row.returns, child.row.limit)


@pytest.mark.parametrize("fence", ["nothing", "list", "word"])
def test_give_back_when_the_last_token_cannot_be_read_then_only_what_is_known_goes(
    books: Books, child: ChildState, app: App, redis_url: str, fence: str
) -> None:
    first, second, third = hold_three(app, redis_url)
    child.row.lane(0).begin(first.fence, 1, first.id)
    child.row.known = second.fence
    child.row.asking = 1
    connection = HeldConnection(Endpoint(redis_url))
    connection.call("DEL", PREFIX + b"fence")
    if fence == "list":
        connection.call("RPUSH", PREFIX + b"fence", "x")
    elif fence == "word":
        connection.call("SET", PREFIX + b"fence", "x")
    connection.close()

    books.give_back(child)
    eventually(lambda: books.are_done)

    assert {first.id, third.id} == held(redis_url)


def hold_three(app: App, redis_url: str) -> list[Delivery]:
    """Three jobs in the child's hands."""
    for _ in range(3):
        app.send_task("noop", ignore_result=True)
    connection = HeldConnection(Endpoint(redis_url))
    taken = settle(connection, Call(PREFIX, Consumer("w", "c", "default"), 1, limit=3))
    connection.close()
    return taken.deliveries


def held(redis_url: str) -> set[bytes]:
    """Ids that the worker holds."""
    connection = HeldConnection(Endpoint(redis_url))
    found: set[bytes] = set(connection.call("HKEYS", PREFIX + b"held:w"))
    connection.close()
    return found
