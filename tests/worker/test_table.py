from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatline.store.delivering import Settlement
from beatline_worker.lanes import FLAG_ISOLATED, INTERRUPT_CANCELLED, Running
from beatline_worker.table import NO_LIMIT, Row, Table


def _row() -> Row:
    row = Table(2, lanes=3).row(1)
    row.reset()
    return row


def test_row_when_reset_then_nothing_is_held_back_and_nothing_runs() -> None:
    row = _row()

    assert (row.running(), row.limit, row.stop, row.outbox()) == ([], NO_LIMIT, 0, [])


def test_row_when_a_job_begins_then_tells_id_fence_and_task() -> None:
    row = _row()
    lane = row.lane(1)

    lane.begin(5, 100, b"\x00id\xff")
    lane.describe(200, "tasks.büro", 10, 20, FLAG_ISOLATED)

    assert row.running() == [(1, Running(5, 5, 200, 10, 20, FLAG_ISOLATED))]
    assert (lane.job_id, lane.task) == (b"\x00id\xff", "tasks.büro")


def test_row_when_a_lane_is_cleared_then_its_last_fence_is_still_known() -> None:
    row = _row()
    for index, fence in enumerate((7, 9, 8)):
        row.lane(index).begin(fence, 100, b"id")

    row.lane(1).clear()

    assert [7, 8] == [one.fence for _, one in row.running()]
    assert 9 == row.last_begun


def test_row_when_reset_then_no_lane_tells_of_the_child_before() -> None:
    row = _row()
    row.lane(2).begin(7, 100, b"id")

    row.reset()

    assert (row.look(), row.last_begun) == ([], 0)
    assert row.lane(2).fence == 0


def test_lane_when_the_next_job_is_in_hand_then_nothing_of_the_one_before_is_told() -> None:
    row = _row()
    lane = row.lane(0)
    lane.begin(5, 100, b"0123456789abcdef")
    lane.describe(200, "before", 10, 20, FLAG_ISOLATED)
    lane.clear()

    lane.begin(6, 300, b"short")

    assert row.running() == [(0, Running(6, 6, 300, 0, 0, 0))]
    assert (lane.job_id, lane.task) == (b"short", "")
    lane.describe(400, "before", 0, 0)
    assert (lane.task, row.running()) == ("before", [(0, Running(6, 6, 400, 0, 0, 0))])


@pytest.mark.parametrize("name", ["limit", "stop", "cancels", "returns"])
def test_orders_when_the_supervisor_writes_then_they_are_new_each_time(name: str) -> None:
    row = _row()
    seen = [row.orders]

    for _ in range(3):
        setattr(row, name, 7)
        seen.append(row.orders)
    row.finished = 1

    assert len({*seen, row.orders}) == 4


def test_lane_when_asked_to_be_interrupted_then_tells_it_once() -> None:
    lane = _row().lane(0)

    lane.ask(5, INTERRUPT_CANCELLED)

    assert [lane.asked(), lane.asked()] == [(5, INTERRUPT_CANCELLED), (0, INTERRUPT_CANCELLED)]


def test_row_when_another_process_writes_then_its_parent_reads() -> None:
    table = Table(1)
    row = table.row(0)
    row.reset()

    pid = os.fork()
    if pid == 0:
        row.finished = 42
        row.put_in_outbox(Settlement(b"a", 1, "ack"))
        os._exit(0)
    os.waitpid(pid, 0)

    assert row.finished == 42
    assert row.outbox() == [Settlement(b"a", 1, "ack")]


@given(
    st.lists(
        st.builds(
            Settlement,
            id=st.binary(min_size=1, max_size=200),
            fence=st.integers(0, 2**53),
            outcome=st.sampled_from(["keep", "end", "retry"]),
            body=st.binary(max_size=2000),
            ttl_ms=st.integers(0, 2**53),
            delay_ms=st.integers(0, 2**53),
        )
        | st.builds(
            Settlement,
            id=st.binary(min_size=16, max_size=16) | st.binary(min_size=1, max_size=200),
            fence=st.integers(0, 2**53),
            outcome=st.just("ack"),
            state=st.just(""),
            body=st.just(b""),
            ttl_ms=st.just(86_400_000),
            delay_ms=st.just(0),
            detail=st.just(""),
        ),
        max_size=20,
    )
)
def test_outbox_when_filled_then_gives_the_same_back(settlements: list[Settlement]) -> None:
    row = _row()

    fitted = [one for one in settlements if row.put_in_outbox(one)]

    assert fitted == row.outbox()
    assert fitted == settlements


def test_outbox_when_an_entry_does_not_fit_then_refuses_it_and_keeps_the_rest() -> None:
    row = _row()
    small = Settlement(b"a", 1, "ack")

    assert row.put_in_outbox(small)
    assert not row.put_in_outbox(Settlement(b"b", 2, "end", body=bytes(70_000)))

    assert row.outbox() == [small]


def test_outboxes_when_one_is_emptied_then_the_other_one_keeps_what_it_has() -> None:
    row = _row()
    first, second = Settlement(b"a", 1, "ack"), Settlement(b"b", 2, "ack")
    row.put_in_outbox(first)
    row.put_in_outbox(second, second=True)

    both = row.outbox()
    row.outbox_length = 0

    assert ([first, second], [second]) == (both, row.outbox())


def test_cancelled_fences_when_noted_then_the_last_ones_are_told() -> None:
    row = _row()

    for fence in range(1, 41):
        row.note_cancelled(fence)

    assert set(row.cancelled_fences()) == set(range(9, 41))
