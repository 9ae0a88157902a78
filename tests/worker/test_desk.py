"""The desk between dispatcher and lanes: what begins, what is refused, what a death leaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beatline import App
from beatline.job import record_body, record_head
from beatline.store.delivering import Delivery, Settlement
from beatline_worker.batching import BatchSize
from beatline_worker.desk import Desk, Item
from beatline_worker.executor import Executor
from beatline_worker.table import Row, Table
from beatline_worker.wakeups import open_pipe

RECORD = record_head("q", 4, 1, None, 0) + record_body("noop", [], {})


def delivery(fence: int) -> Delivery:
    """A job of a task that is registered here."""
    return Delivery(fence.to_bytes(16), RECORD, fence)


@pytest.fixture
def row() -> Row:
    """A row with two lanes."""
    made = Table(1, lanes=2).row(0)
    made.reset()
    return made


@pytest.fixture
def desk(row: Row) -> Desk:
    """The desk of a child that may begin all that it has."""
    app = App("tests", redis="redis://127.0.0.1:1")

    @app.task(name="noop", ignore_result=True)
    def noop() -> None: ...

    return Desk(
        row,
        Executor(app, "w"),
        BatchSize(),
        server_now_ms=lambda: 1,
        is_doubtful=lambda: False,
        wakeup_fd=open_pipe()[1],
    )


def test_begin_when_nothing_is_against_it_then_the_lane_tells_of_the_job(
    desk: Desk, row: Row
) -> None:
    begun = desk.begin(row.lane(1), Item(delivery(7), 0))

    assert begun is not None
    assert ("noop", [(1, 7)]) == (row.lane(1).task, [(at, one.fence) for at, one in row.running()])


def give_back_beyond(row: Row) -> None:
    """The supervisor is about to give back what lies beyond a fence."""
    row.limit = 5


def give_back(row: Row) -> None:
    """Jobs were given back after this one had been taken."""
    row.returns += 1


def stop(row: Row) -> None:
    """The child is to finish what it runs."""
    row.stop = 1


@pytest.mark.parametrize("change", [give_back_beyond, give_back, stop])
def test_begin_when_the_job_may_not_be_ours_then_it_is_dropped(
    desk: Desk, row: Row, change: Callable[[Row], None]
) -> None:
    change(row)

    begun = desk.begin(row.lane(0), Item(delivery(7), 0))

    assert (None, [], [7]) == (begun, row.running(), desk.dropped())
    assert 7 == row.last_begun


def test_begin_when_the_job_was_cancelled_before_then_it_ends_there(desk: Desk, row: Row) -> None:
    row.note_cancelled(7)

    begun = desk.begin(row.lane(0), Item(delivery(7), 0))

    assert (None, ["CANCELLED"]) == (begun, [one.state for one in desk.collect()])


def test_finish_when_others_are_being_settled_then_a_death_leaves_both(
    desk: Desk, row: Row
) -> None:
    first, second = (Settlement(bytes([n]), n, "ack") for n in (1, 2))
    desk.finish(row.lane(0), first)

    collected = desk.collect()
    desk.finish(row.lane(1), second)
    left_by_a_death = row.outbox()
    desk.settled()

    assert ([first], [first, second]) == (collected, left_by_a_death)
    assert [second] == row.outbox()


def test_withdraw_when_jobs_wait_then_none_is_left_for_a_lane(desk: Desk) -> None:
    desk.pending.extend(Item(delivery(fence), 0) for fence in (3, 4))

    assert ([3, 4], 0) == (desk.withdraw(), len(desk.pending))
