"""Hand-off: a ready job goes straight into idle hands, as an offer (R1, R6, R10, R16)."""

from __future__ import annotations

import pytest

from beatline.store.burying import OFFER_AGE_MS, withdraw
from tests.store.support import LEASE_MS, START_US, TTL_MS, Partition, make_id, make_record

A, B, C = (make_id(n) for n in range(1, 4))
RECORD = make_record()


@pytest.fixture(autouse=True)
def _registered(partition: Partition) -> None:
    partition.register("w", "c", "d")


def sweep(partition: Partition, after_ms: float = OFFER_AGE_MS + 1) -> tuple[int, int]:
    """Beat sweeps, some time later."""
    partition.clock.advance(after_ms)
    return withdraw(partition.connection, partition.prefix, TTL_MS)


def test_enqueue_when_a_consumer_is_idle_then_the_job_is_in_its_hands(partition: Partition) -> None:
    partition.taker(queues="q,p").settle()
    before = partition.dump()

    partition.enqueue(A, number=1)

    now_ms = partition.clock.now_ms
    assert partition.dump() == {
        "jobs": {A: RECORD},
        "held:w": {A: b"c:%d" % START_US},
        "wake:c:1": [b"%d 0 0 16\n" % START_US + A + RECORD],
        "offers": {b"w|c:1": now_ms},
        "fence": b"%d" % START_US,
        "queues": {b"q": b"-4", b"p": b"-"},
        "senders:497222": {b"sender": b"1:"},
        "workers": before["workers"],
        "worker:w": before["worker:w"],
        "consumers:w": before["consumers:w"],
    }


def test_enqueue_when_a_consumer_with_jobs_is_idle_then_it_gets_another(
    partition: Partition,
) -> None:
    partition.enqueue(A)
    taker = partition.taker()
    taker.settle(limit=1)

    plain = taker.settle(holding=1)
    wide = taker.settle(holding=1, idle_with_jobs=True)
    partition.enqueue(B)

    assert (False, True) == (plain.is_idle, wide.is_idle)
    assert partition.offered().id == B
    assert partition.dump()["held:w"].keys() == {A, B}


def test_settle_when_an_idle_consumer_with_jobs_ends_one_then_it_is_idle_again(
    partition: Partition,
) -> None:
    partition.enqueue(A, B)
    taker = partition.taker()
    first, second = taker.settle(limit=2).deliveries
    taker.settle(holding=2, idle_with_jobs=True)

    answer = taker.settle(acks=[(A, first.fence)], holding=1, idle_with_jobs=True)

    assert ([], True) == (answer.deliveries, answer.is_idle)
    assert partition.dump()["held:w"] == {B: b"c:%d" % second.fence}
    assert partition.dump()["idle:q"] == {b"w|c|1|q"}


def test_offer_when_read_then_it_is_the_delivery(partition: Partition) -> None:
    partition.client.hset(partition.key("attempts"), A, 2)
    partition.taker().settle()
    partition.enqueue(A)

    offer = partition.offered()

    assert (offer.id, offer.record, offer.fence) == (A, RECORD, START_US)
    assert (offer.deliveries, offer.attempts) == (0, 2)


def test_enqueue_when_more_jobs_come_than_are_idle_then_the_rest_waits_in_order(
    partition: Partition,
) -> None:
    partition.taker().settle()
    partition.taker(consumer="d").settle()

    partition.enqueue(A, B, C)

    state = partition.dump()
    assert state["held:w"].keys() == {A, B}
    assert state["ready:q:4"] == [C]
    assert "idle:q" not in state


def test_enqueue_when_others_wait_already_then_nobody_is_preferred(partition: Partition) -> None:
    partition.taker().settle()
    partition.client.hset(partition.key("queues"), "q", "P4")
    partition.enqueue(A)
    partition.client.hset(partition.key("queues"), "q", "-49")

    partition.enqueue(B)
    partition.enqueue(C, record=make_record(priority=9))

    assert partition.dump()["ready:q:4"] == [A, B]
    assert partition.dump()["ready:q:9"] == [C]


def test_enqueue_when_the_queue_is_paused_then_idle_hands_stay_empty(partition: Partition) -> None:
    partition.taker().settle()
    partition.client.hset(partition.key("queues"), "q", "P4")

    partition.enqueue(A)

    assert partition.dump()["ready:q:4"] == [A]


def test_promote_when_a_consumer_is_idle_then_the_job_is_in_its_hands(partition: Partition) -> None:
    partition.enqueue(A, due="+1000")
    partition.taker().settle()
    partition.clock.advance(1000)

    partition.run("promote", 10)

    assert partition.dump()["held:w"].keys() == {A}


def test_hand_over_when_several_queues_were_waited_for_then_none_offers_again(
    partition: Partition,
) -> None:
    partition.taker(queues="q,p").settle()

    partition.enqueue(A, record=make_record("p"))
    partition.enqueue(B, record=make_record("q"))

    state = partition.dump()
    assert state["held:w"].keys() == {A}
    assert state["ready:q:4"] == [B]


@pytest.mark.parametrize("garbage", [b"", b"x", b"w|gone|1|q", b"v|c|1|q", b"||1|q", b"\xff|\0"])
def test_hand_over_when_an_idle_member_is_garbage_then_the_next_is_taken(
    partition: Partition, garbage: bytes
) -> None:
    partition.client.sadd(partition.key("idle:q"), garbage)

    partition.enqueue(A)

    assert partition.dump()["ready:q:4"] == [A]
    assert "idle:q" not in partition.dump()


def test_hand_over_when_the_workers_lease_has_lapsed_then_the_job_waits(
    partition: Partition,
) -> None:
    partition.taker().settle()
    partition.client.hset(partition.key("watch"), "w", LEASE_MS + 1)

    partition.enqueue(A)

    assert partition.dump()["ready:q:4"] == [A]


def test_settle_when_the_offer_was_opened_then_it_is_settled_like_any_other(
    partition: Partition,
) -> None:
    taker = partition.taker()
    taker.settle()
    partition.enqueue(A)
    offer = partition.offered(opened=True)

    answer = taker.settle(acks=[(A, offer.fence)])

    assert answer.stale == []
    assert answer.is_idle
    assert not partition.dump().keys() & {"offers", "held:w", "jobs"}


def test_settle_when_all_is_asked_for_then_an_unopened_offer_is_told(partition: Partition) -> None:
    taker = partition.taker()
    taker.settle()
    partition.enqueue(A)

    told = taker.settle(tell_all=True)

    assert [one.id for one in told.deliveries] == [A]
    assert not partition.dump().keys() & {"offers", "wake:c:1", "idle:q"}


def test_settle_when_an_offer_lies_unopened_then_it_comes_with_the_reply(
    partition: Partition,
) -> None:
    taker = partition.taker()
    taker.settle()
    partition.enqueue(A, B)

    told = taker.settle(limit=2)

    assert [one.id for one in told.deliveries] == [A, B]
    assert not partition.dump().keys() & {"offers", "wake:c:1"}


def test_settle_when_the_connection_is_new_then_the_old_one_is_offered_nothing(
    partition: Partition,
) -> None:
    taker = partition.taker()
    taker.settle()
    partition.connection.close()
    taker.settle(tell_all=True)

    partition.enqueue(A)

    state = partition.dump()
    assert state["wake:c:2"]
    assert "wake:c:1" not in state


def test_withdraw_when_an_offer_was_not_opened_then_it_is_first_again_uncounted(
    partition: Partition,
) -> None:
    partition.taker().settle()
    partition.enqueue(A)
    partition.enqueue(B)

    assert sweep(partition) == (1, 0)
    state = partition.dump()
    assert state["ready:q:4"] == [A, B]
    assert not state.keys() & {"offers", "wake:c:1", "held:w", "deliveries"}


def test_withdraw_when_the_offer_is_young_then_it_stays(partition: Partition) -> None:
    partition.taker().settle()
    partition.enqueue(A)

    assert sweep(partition, OFFER_AGE_MS - 1) == (0, 0)
    assert partition.dump()["held:w"].keys() == {A}


def test_withdraw_when_the_offer_was_opened_then_the_job_runs_on(partition: Partition) -> None:
    partition.taker().settle()
    partition.enqueue(A)
    partition.client.lpop(partition.key("wake:c:1"))

    assert sweep(partition) == (0, 0)
    assert partition.dump()["held:w"].keys() == {A}
    assert "offers" not in partition.dump()


def test_withdraw_when_the_clock_went_back_then_offers_do_not_wait_for_it(
    partition: Partition,
) -> None:
    partition.taker().settle()
    partition.enqueue(A)

    assert sweep(partition, -3_600_000) == (1, 0)
    assert partition.dump()["ready:q:4"] == [A]


def test_withdraw_when_another_consumer_is_idle_then_it_gets_the_job(partition: Partition) -> None:
    partition.taker().settle()
    partition.enqueue(A)
    partition.taker(consumer="d").settle()

    sweep(partition)

    assert partition.dump()["held:w"][A].startswith(b"d:")


@pytest.mark.parametrize("garbage", [b"", b"w", b"w|", b"|c:1", b"w|c", b"w|c:x", b"\xff\0|\0:1"])
def test_withdraw_when_an_offer_is_garbage_then_it_goes_and_the_others_are_seen_to(
    partition: Partition, garbage: bytes
) -> None:
    partition.client.zadd(partition.key("offers"), {garbage: 0})
    partition.taker().settle()
    partition.enqueue(A)

    assert sweep(partition) == (1, 0)
    assert "offers" not in partition.dump()


@pytest.mark.parametrize("garbage", [b"", b"x", b"1 2", b"1 0 0 999\nab", b"1 0 0 1\n", b"\n\n"])
def test_wake_list_when_it_holds_garbage_then_it_is_dropped(
    partition: Partition, garbage: bytes
) -> None:
    taker = partition.taker()
    taker.settle()
    partition.client.rpush(partition.key("wake:c:1"), garbage)
    partition.client.zadd(partition.key("offers"), {"w|c:1": 0})

    told = taker.settle()

    assert told.deliveries == []
    assert told.is_idle
    assert "wake:c:1" not in partition.dump()
