"""Promotion: due jobs leave the timeline for their queues, in order and once."""

from __future__ import annotations

import pytest

from beatline.job import FLAG_OWN_ID
from beatline.store.promoting import promote
from tests.store.support import Partition, make_id, make_record

A, B, C = (make_id(n) for n in range(1, 4))


def test_promote_when_due_then_the_job_is_queued(partition: Partition) -> None:
    partition.enqueue(A, due="+1000")
    partition.enqueue(B, due="+2000")
    partition.clock.advance(1000)

    answer = promote(partition.connection, partition.prefix)

    due_ms = partition.clock.now_ms + 1000
    assert (answer.moved, answer.next_due_ms, answer.schedules) == (1, due_ms, [])
    assert answer.now_us == partition.clock.now_us
    state = partition.dump()
    assert state["ready:q:4"] == [A]
    assert state["timeline"] == {b"j4" + B + b"q": due_ms}


def test_promote_when_a_microsecond_early_then_nothing_moves(partition: Partition) -> None:
    partition.enqueue(A, due="+1000")
    partition.clock.advance(999.999)

    answer = promote(partition.connection, partition.prefix)

    assert answer.moved == 0


def test_promote_when_due_between_milliseconds_then_it_moves_to_the_microsecond(
    partition: Partition,
) -> None:
    due_ms = partition.clock.now_ms + 1000
    partition.enqueue(A, due=f"{due_ms}.503")
    partition.enqueue(B, due=f"{due_ms}.504", number=2)

    partition.clock.advance(1000.502)
    early = promote(partition.connection, partition.prefix)
    partition.clock.advance(0.001)
    on_time = promote(partition.connection, partition.prefix)

    heads = [round((one.next_due_ms or 0) - due_ms, 3) for one in (early, on_time)]
    assert ([0, 1], [0.503, 0.504]) == ([early.moved, on_time.moved], heads)
    assert partition.dump()["ready:q:4"] == [A]


def test_enqueue_when_the_instant_between_milliseconds_has_passed_then_it_is_ready(
    partition: Partition,
) -> None:
    now_ms = partition.clock.now_ms
    partition.clock.advance(0.5)

    partition.enqueue(A, due=f"{now_ms}.500")
    partition.enqueue(B, due=f"{now_ms}.501", number=2)

    state = partition.dump()
    assert ([A], [b"j4" + B + b"q"]) == (state["ready:q:4"], list(state["timeline"]))


def test_promote_when_many_are_due_then_they_become_ready_in_order_of_their_instants(
    partition: Partition,
) -> None:
    for n in (3, 1, 2):
        partition.enqueue(make_id(n), due=f"+{n}")
    partition.clock.advance(10)

    promote(partition.connection, partition.prefix)

    assert partition.dump()["ready:q:4"] == [A, B, C]


def test_promote_when_more_are_due_than_the_limit_then_the_rest_stays(partition: Partition) -> None:
    ids = [make_id(n) for n in range(30)]
    partition.enqueue(*ids, due="+1")
    partition.clock.advance(1)

    counts = [promote(partition.connection, partition.prefix, 12).moved for _ in range(4)]

    assert counts == [12, 12, 6, 0]
    assert partition.client.lrange(partition.key("ready:q:4"), 0, -1) == ids


def test_promote_when_queues_and_priorities_differ_then_each_job_goes_to_its_own(
    partition: Partition,
) -> None:
    partition.enqueue(A, due="+1", record=make_record("p", 9))
    partition.enqueue(b"own", due="+1", record=make_record("q", 0, flags=FLAG_OWN_ID))
    partition.clock.advance(1)

    promote(partition.connection, partition.prefix)

    state = partition.dump()
    assert (state["ready:p:9"], state["ready:q:0"]) == ([A], [b"own"])


def test_promote_when_a_schedule_is_due_then_it_stays_and_is_named(partition: Partition) -> None:
    due_ms = partition.clock.now_ms
    partition.is_sound = False
    partition.client.zadd(partition.key("timeline"), {"snightly": due_ms})
    partition.enqueue(A, due="+1")
    partition.clock.advance(1)

    answer = promote(partition.connection, partition.prefix)

    assert answer.schedules == [("nightly", due_ms)]
    assert answer.moved == 1
    assert partition.dump()["timeline"] == {b"snightly": due_ms}


@pytest.mark.parametrize("garbage", [b"", b"s", b"x", b"j4short", b"u4\xc8short", b"jx" + A + b"q"])
def test_promote_when_a_member_is_garbage_then_it_is_set_aside(
    partition: Partition, garbage: bytes
) -> None:
    partition.client.zadd(partition.key("timeline"), {garbage: 0})
    partition.enqueue(A, due="+1")
    partition.clock.advance(1)

    promote(partition.connection, partition.prefix)

    state = partition.dump()
    assert state["ready:q:4"] == [A]
    assert "timeline" not in state
    assert list(state["quarantined"].values()) == [b"not a job and not a schedule\n" + garbage]
