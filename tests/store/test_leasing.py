"""Leases: who is on the books, what comes back from the dead (R1, R2, R4, R5, R13)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from redis.exceptions import ResponseError

from beatline.job import FLAG_SKIP_UNSURE
from beatline.store.delivering import Settlement
from beatline.store.leasing import Renewal, give_back, leave, release, renew
from tests.store.support import LEASE_MS, TTL_MS, Partition, changed, make_id, make_record

A, B, C, D = (make_id(n) for n in range(1, 5))
RECORD = make_record()


def let_go(
    partition: Partition, consumer: str = "c", charged: int | None = None, **how: Any
) -> int:
    """The supervisor says that a child of worker ``w`` has died."""
    return release(
        partition.connection,
        partition.prefix,
        "w",
        consumer,
        charged_fences=() if charged is None else (charged,),
        forensics='{"cause": "SIGKILL"}',
        max_deliveries=how.pop("max_deliveries", 3),
        result_ttl_ms=TTL_MS,
        **how,
    )


def heartbeat(partition: Partition, worker: str = "w", **how: Any) -> Renewal:
    """The worker's lease keeper reports."""
    return renew(partition.connection, partition.prefix, worker, LEASE_MS, **how)


# --- register ----------------------------------------------------------------------------------


def test_register_when_new_then_the_worker_has_a_lease_and_consumers(partition: Partition) -> None:
    assert partition.register("w", "c", "d", host="h", pid="7")

    now = b"%d" % partition.clock.now_ms
    assert partition.dump() == {
        "workers": {b"w": LEASE_MS},
        "consumers:w": {b"c": b"*|0||", b"d": b"*|0||"},
        "worker:w": {
            b"host": b"h",
            b"pid": b"7",
            b"renewed": now,
            b"lease_ms": b"15000",
            b"registered": b"2",
        },
    }


def test_register_when_repeated_then_numbers_of_calls_stay(partition: Partition) -> None:
    partition.register("w", "c")
    partition.taker().settle(number=7)

    partition.register("w", "c", "d")

    assert partition.dump()["consumers:w"] == {b"c": b"7|1|q|", b"d": b"*|0||"}


def test_register_when_being_reclaimed_then_refused(partition: Partition) -> None:
    partition.client.zadd(partition.key("gone"), {"w": 1})

    assert not partition.register("w", "c")
    assert partition.dump().keys() == {"gone"}


# --- renew -------------------------------------------------------------------------------------


def test_renew_when_on_the_books_then_one_entry_moves(partition: Partition) -> None:
    partition.register("w", "c")
    partition.tick(3)
    before = partition.dump()

    answer = heartbeat(partition)

    assert (answer.word, answer.now_us) == ("OK", partition.clock.now_us)
    assert changed(before, partition.dump()).keys() == {"workers", "worker:w"}
    assert partition.dump()["workers"] == {b"w": 4000 + LEASE_MS}


def test_renew_when_unknown_then_told_so(partition: Partition) -> None:
    assert heartbeat(partition).word == "UNKNOWN"
    assert partition.dump() == {}


def test_renew_when_struck_then_told_so(partition: Partition) -> None:
    partition.client.zadd(partition.key("gone"), {"w": 1})

    assert heartbeat(partition).word == "GONE"
    assert partition.dump().keys() == {"gone"}


@pytest.mark.parametrize("damage", ["all", "one"])
def test_renew_when_the_register_of_consumers_is_lost_then_told_to_register(
    partition: Partition, damage: str
) -> None:
    partition.register("w", "c", "d")
    partition.enqueue(A)
    partition.taker().settle(limit=0)
    if damage == "all":
        partition.client.delete(partition.key("consumers:w"))
    else:
        partition.client.hdel(partition.key("consumers:w"), "c")

    assert heartbeat(partition).word == "UNKNOWN"

    partition.register("w", "c", "d")
    assert heartbeat(partition).word == "OK"
    assert partition.taker().take() == [A]


def test_renew_when_a_child_was_released_then_nothing_is_missing(partition: Partition) -> None:
    partition.register("w", "c", "d")

    let_go(partition, "c")

    assert heartbeat(partition).word == "OK"


def test_renew_when_a_held_job_is_cancelled_then_told_how(partition: Partition) -> None:
    partition.register("w", "c")
    partition.register("other", "e")
    partition.enqueue(A, B, C)
    partition.taker().settle(limit=2)
    partition.taker("other", "e").settle()
    for raw_id, how in ((A, "soft"), (B, "hard"), (C, "soft")):
        partition.run("cancel", raw_id, TTL_MS, how)

    assert heartbeat(partition).cancelled == {A: "soft", B: "hard"}


def test_renew_when_a_flag_belongs_to_no_job_then_it_goes(partition: Partition) -> None:
    partition.register("w", "c")
    partition.client.hset(partition.key("cancelled"), "nobody", "soft")

    assert heartbeat(partition).cancelled == {}
    assert "cancelled" not in partition.dump()


def test_renew_when_lists_differ_then_both_sides_are_told(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B, C)
    first, second, third = partition.taker().settle().deliveries
    listed = [(A, first.fence), (B, second.fence - 9), (D, 5)]

    answer = heartbeat(partition, held=listed)

    assert answer.lost == [B]
    assert answer.unlisted == {C: ("c", third.fence)}


def test_renew_when_a_run_was_flushed_then_it_may_finish(partition: Partition) -> None:
    partition.register("w", "c")

    assert heartbeat(partition, held=[(A, 5)]).lost == []


@pytest.mark.parametrize("garbage", [b"", b"c", b"c:", b"c:x", b"\xff\x00", b":::-1"])
def test_renew_when_an_entry_of_held_is_garbage_then_its_job_is_queued_again(
    partition: Partition, garbage: bytes
) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    held = partition.taker().settle().deliveries[0]
    partition.client.hset(partition.key("held:w"), A, garbage)

    answer = heartbeat(partition, held=[(A, held.fence)])

    assert answer.lost == [A]
    state = partition.dump()
    assert state["ready:q:4"] == [A]
    assert "held:w" not in state
    assert "deliveries" not in state


def test_renew_when_control_messages_were_heard_then_they_are_told_once(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.client.rpush(partition.key("control:w"), "stop 1", "stop 2")

    first = heartbeat(partition)
    lost = heartbeat(partition)
    heard = heartbeat(partition, heard=first.control[:1], held=[])
    again = heartbeat(partition, heard=first.control[:1])

    assert first.control == lost.control == [b"stop 1", b"stop 2"]
    assert heard.control == again.control == [b"stop 2"]


# --- release -----------------------------------------------------------------------------------


def test_release_when_a_child_died_then_its_jobs_are_first_again_and_it_is_struck(
    partition: Partition,
) -> None:
    partition.register("w", "c", "d")
    partition.enqueue(A, B, C)
    taker = partition.taker()
    taker.settle(limit=2)
    before = partition.dump()

    assert let_go(partition) == 2

    assert changed(before, partition.dump()) == {
        "ready:q:4": [A, B, C],
        "held:w": None,
        "consumers:w": {b"d": b"*|0||"},
        "worker:w": before["worker:w"] | {b"registered": b"1"},
    }
    with pytest.raises(ResponseError, match="LEASELOST"):
        taker.take()


def test_release_when_repeated_then_nothing_more_happens(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    fence = partition.taker().settle().deliveries[0].fence
    let_go(partition, charged=fence)
    before = partition.dump()

    assert let_go(partition, charged=fence) == 0
    assert partition.dump() == before


def test_release_when_a_job_ran_then_it_alone_is_charged(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B)
    first, _ = partition.taker().settle().deliveries

    let_go(partition, charged=first.fence)

    state = partition.dump()
    assert state["deliveries"] == {A: b"1"}
    assert state["ready:q:4"] == [A, B]


def test_release_when_several_ran_then_each_of_them_is_charged(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B, C)
    first, _, third = partition.taker().settle().deliveries

    release(
        partition.connection,
        partition.prefix,
        "w",
        "c",
        charged_fences=(first.fence, third.fence),
        forensics="{}",
        max_deliveries=3,
        result_ttl_ms=TTL_MS,
    )

    state = partition.dump()
    assert state["deliveries"] == {A: b"1", C: b"1"}
    assert state["ready:q:4"] == [A, B, C]


def test_release_when_charged_to_the_limit_then_the_job_is_buried(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B)
    first, _ = partition.taker().settle().deliveries

    let_go(partition, charged=first.fence, max_deliveries=1)

    state = partition.dump()
    assert state["dead"] == {A: partition.clock.now_ms}
    assert state["forensics"] == {A: b'{"cause": "SIGKILL"}'}
    assert state["ready:q:4"] == [B]


def test_release_when_the_count_of_charges_is_garbage_then_it_starts_anew(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B)
    partition.client.hset(partition.key("deliveries"), mapping={A: "garbage", B: "2"})
    fence = partition.taker().settle().deliveries[0].fence

    let_go(partition, charged=fence)

    assert partition.dump()["deliveries"] == {A: b"1", B: b"2"}


def test_release_when_the_job_must_not_run_twice_then_it_is_lost(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B, record=make_record(flags=FLAG_SKIP_UNSURE))
    first, _ = partition.taker().settle().deliveries

    let_go(partition, charged=first.fence)

    state = partition.dump()
    key = f"result:{A.decode('utf-8', 'backslashreplace')}"
    assert state[key] == b'LOST\n{"cause": "SIGKILL"}'
    assert state["jobs"].keys() == {B}
    assert state["ready:q:4"] == [B]


def test_release_when_the_child_had_finished_jobs_then_they_end(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    partition.enqueue(B, record=make_record(flags=0))
    partition.enqueue(C)
    partition.enqueue(D, record=make_record(flags=0))
    first, second, third, fourth = partition.taker().settle().deliveries

    returned = let_go(
        partition,
        charged=third.fence,
        settlements=[
            Settlement(B, second.fence, "end", "SUCCESS", b"body"),
            Settlement(A, first.fence, "ack"),
            Settlement(D, fourth.fence, "keep", "SUCCESS", b"kept"),
        ],
    )

    assert returned == 1
    state = partition.dump()
    assert state["jobs"].keys() == {C}
    assert partition.result_of(B) == b"SUCCESS\nbody"
    assert partition.result_of(D) == b"SUCCESS\nkept"


def test_release_when_an_offer_lies_unopened_then_it_is_not_charged(partition: Partition) -> None:
    partition.register("w", "c")
    partition.taker().settle()
    partition.enqueue(A)
    fence = int(partition.dump()["held:w"][A].rpartition(b":")[2])

    let_go(partition, charged=fence)

    state = partition.dump()
    assert state["ready:q:4"] == [A]
    assert not state.keys() & {"deliveries", "wake:c:1", "offers", "idle:q", "held:w"}


def test_release_when_idle_then_it_leaves_every_idle_set(partition: Partition) -> None:
    partition.register("w", "c")
    partition.taker(queues="q,p").settle()

    let_go(partition)

    assert not partition.dump().keys() & {"idle:q", "idle:p", "consumers:w"}


def test_release_when_the_lease_has_lapsed_then_nothing_of_the_consumer_stays(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.taker().settle()
    partition.enqueue(A)
    partition.tick()
    partition.client.hset(partition.key("watch"), "w", LEASE_MS + 1)

    assert let_go(partition) == 1
    assert not partition.dump().keys() & {"idle:q", "wake:c:1", "offers", "held:w", "consumers:w"}


def test_release_when_the_register_is_lost_then_jobs_come_back_all_the_same(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    partition.taker().settle()
    partition.client.delete(partition.key("consumers:w"))

    assert let_go(partition) == 1
    assert partition.dump()["ready:q:4"] == [A]


def test_release_when_the_worker_is_being_reclaimed_then_it_is_left_to_reclaim(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    partition.taker().settle()
    partition.client.zrem(partition.key("workers"), "w")
    partition.client.zadd(partition.key("gone"), {"w": 1})
    before = partition.dump()

    assert let_go(partition) == 0
    assert partition.dump() == before


def test_release_when_cancelled_then_the_job_ends_instead_of_coming_back(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A, record=make_record(flags=0))
    fence = partition.taker().settle().deliveries[0].fence
    partition.run("cancel", A, TTL_MS, "soft")

    let_go(partition, charged=fence)

    assert partition.result_of(A) == b"CANCELLED\n"
    assert not partition.dump().keys() & {"jobs", "cancelled", "deliveries", "ready:q:4"}


def test_release_when_a_child_held_thousands_then_their_order_stays(partition: Partition) -> None:
    partition.register("w", "c")
    ids = [make_id(n) for n in range(1200)]
    partition.enqueue(*ids[:600])
    partition.enqueue(*ids[600:])
    partition.taker().settle(limit=1200)

    let_go(partition)

    assert partition.client.lrange(partition.key("ready:q:4"), 0, -1) == ids


# --- R4: charged alone -------------------------------------------------------------------------


def charge(partition: Partition, raw_id: bytes) -> None:
    """A job is queued that was charged with a death before."""
    partition.enqueue(raw_id)
    partition.client.hset(partition.key("deliveries"), raw_id, 1)


def test_take_when_a_charged_job_is_first_then_it_comes_alone(partition: Partition) -> None:
    partition.register("w", "c")
    charge(partition, A)
    partition.enqueue(B)

    taken = partition.taker().settle()

    assert [(one.id, one.deliveries) for one in taken.deliveries] == [(A, 1)]
    assert partition.dump()["ready:q:4"] == [B]


def test_take_when_a_charged_job_is_in_the_middle_then_the_batch_ends_before_it(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    charge(partition, B)
    partition.enqueue(C)

    assert partition.taker().take() == [A]
    assert partition.dump()["ready:q:4"] == [B, C]


def test_take_when_something_is_held_then_a_charged_job_waits_and_nobody_is_idle(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    charge(partition, A)
    partition.enqueue(B)

    taken = partition.taker().settle(holding=1)

    assert taken.deliveries == []
    assert not taken.is_idle
    assert partition.dump()["ready:q:4"] == [A, B]


def test_take_when_a_charged_job_is_held_then_it_gets_no_neighbours(partition: Partition) -> None:
    partition.register("w", "c")
    charge(partition, A)
    partition.enqueue(B)
    taker = partition.taker()
    held = taker.settle().deliveries[0]

    beside = taker.settle(holding=1)
    after = taker.settle(acks=[(A, held.fence)])

    assert beside.deliveries == []
    assert not beside.is_idle
    assert [one.id for one in after.deliveries] == [B]


def test_take_when_a_charged_job_was_handed_over_then_it_gets_no_neighbours(
    partition: Partition,
) -> None:
    partition.register("w", "c", "d")
    charge(partition, A)
    other = partition.taker(consumer="d")
    held = other.settle().deliveries[0]
    taker = partition.taker()
    taker.settle()
    let_go(partition, "d", charged=held.fence)
    partition.enqueue(B, C)

    opened = partition.offered(opened=True)
    beside = taker.settle(holding=1)

    assert opened.id == A
    assert beside.deliveries == []
    assert partition.dump()["deliveries"] == {A: b"2"}


# --- R5: give-back -----------------------------------------------------------------------------


def test_give_back_when_a_job_overstays_then_its_neighbours_are_first_again(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B, C, D)
    taken = partition.taker().settle(limit=3).deliveries

    returned = give_back(partition.connection, partition.prefix, "w", "c", taken[0].fence, TTL_MS)

    assert returned == 2
    state = partition.dump()
    assert state["ready:q:4"] == [B, C, D]
    assert state["held:w"].keys() == {A}
    assert "deliveries" not in state


def test_give_back_when_it_arrives_late_then_later_takes_stay(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B, C)
    taker = partition.taker()
    first, second = taker.settle(limit=2).deliveries

    def call() -> int:
        where = partition.connection, partition.prefix, "w", "c", first.fence, TTL_MS
        return give_back(*where, up_to_fence=second.fence)

    call()
    taker.settle(acks=[(A, first.fence)], limit=2)
    before = partition.dump()

    assert call() == 0
    assert partition.dump() == before
    assert before["held:w"].keys() == {B, C}


def test_give_back_when_something_lies_unopened_then_it_is_not_opened_any_more(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.taker().settle()
    partition.enqueue(A)

    returned = give_back(partition.connection, partition.prefix, "w", "c", 1, TTL_MS)

    assert returned == 1
    state = partition.dump()
    assert state["ready:q:4"] == [A]
    assert not state.keys() & {"wake:c:1", "offers", "held:w"}


# --- leave -------------------------------------------------------------------------------------


def test_leave_when_nothing_is_held_then_nothing_of_the_worker_stays(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.client.rpush(partition.key("control:w"), "stop")
    partition.taker().settle()

    assert leave(partition.connection, partition.prefix, "w") == 0
    assert partition.dump() == {"queues": {b"q": b"-"}}


def test_leave_when_something_is_held_then_the_lease_runs_on(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B)
    partition.taker().settle()
    before = partition.dump()

    assert leave(partition.connection, partition.prefix, "w") == 2
    assert partition.dump() == before


# --- forensics ---------------------------------------------------------------------------------


def test_reclaim_when_a_worker_vanished_then_forensics_say_who(partition: Partition) -> None:
    partition.register("w", "c", host="h\xff", pid="7", max_deliveries="1")
    partition.enqueue(A)
    partition.taker().settle()
    renewed = partition.clock.now_ms

    partition.tick(40)

    facts = json.loads(partition.dump()["forensics"][A])
    assert facts.pop("at_ms").isdigit()
    assert facts == {
        "reason": "worker vanished",
        "worker": "w",
        "host": "hÿ",
        "pid": "7",
        "last_renewal_ms": str(renewed),
    }
