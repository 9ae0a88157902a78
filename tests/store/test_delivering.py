"""Settle and take: one call ends deliveries and begins the next (R1, R6, R7, R11, R18, R20)."""

from __future__ import annotations

import json

import pytest
from redis.exceptions import ResponseError

from beatline.job import FLAG_OWN_ID
from beatline.store.delivering import Settlement
from tests.store.support import (
    LEASE_MS,
    START_US,
    TTL_MS,
    Partition,
    make_id,
    make_record,
)

A, B, C, D = (make_id(n) for n in range(1, 5))
RECORD = make_record()
#: From `START_US` to a microsecond whose takes are aged.
AGED_AFTER_US = 16


@pytest.fixture(autouse=True)
def _registered(partition: Partition) -> None:
    partition.register("w", "c", "d")


def test_take_when_jobs_are_ready_then_they_are_held_under_rising_fences(
    partition: Partition,
) -> None:
    partition.enqueue(A, B, C)
    before = partition.dump()

    taken = partition.taker().settle(limit=2)

    assert [(one.id, one.record, one.fence) for one in taken.deliveries] == [
        (A, RECORD, START_US),
        (B, RECORD, START_US + 1),
    ]
    assert not taken.is_idle
    assert partition.dump() == before | {
        "ready:q:4": [C],
        "held:w": {A: b"c:%d" % START_US, B: b"c:%d" % (START_US + 1)},
        "fence": b"%d" % (START_US + 1),
        "consumers:w": {b"c": b"1|1||", b"d": b"*|0||"},
    }


def test_take_when_nothing_is_ready_then_the_consumer_is_idle(partition: Partition) -> None:
    taken = partition.taker(queues="q,p").settle()

    assert taken.is_idle
    assert taken.deliveries == []
    state = partition.dump()
    assert state["idle:q"] == state["idle:p"] == {b"w|c|1|q,p"}
    assert state["consumers:w"][b"c"] == b"1|1|q,p|"


def test_take_when_the_limit_is_zero_then_the_consumer_is_not_idle(partition: Partition) -> None:
    partition.enqueue(A)

    taken = partition.taker().settle(limit=0)

    assert not taken.is_idle
    assert "idle:q" not in partition.dump()


def test_take_when_priorities_differ_then_the_highest_comes_first(partition: Partition) -> None:
    partition.enqueue(A, record=make_record(priority=0))
    partition.enqueue(B, record=make_record(priority=9))
    partition.enqueue(C, record=make_record(priority=4))

    assert partition.taker().take() == [B, C, A]


def test_take_when_it_is_aged_then_it_begins_with_another_priority(partition: Partition) -> None:
    partition.enqueue(A, record=make_record(priority=9))
    partition.enqueue(B, record=make_record(priority=4))
    partition.enqueue(C, record=make_record(priority=0))
    # The clock's lot of this microsecond is an aged take, as one in sixteen is.
    partition.clock.now_us = START_US + AGED_AFTER_US

    assert partition.taker().take() == [B, C, A]


def test_take_when_all_priorities_are_full_then_each_comes_first_sometimes(
    partition: Partition,
) -> None:
    taker, came_first = partition.taker(), dict.fromkeys(range(10), 0)
    priority_of = {make_id(10 + priority): priority for priority in came_first}
    for raw_id, priority in priority_of.items():
        partition.enqueue(raw_id, record=make_record(priority=priority))

    for _ in range(1_000):
        partition.clock.advance(1.037)
        taken = taker.settle(limit=1).deliveries[0]
        taker.settle(acks=[(taken.id, taken.fence)], limit=0)
        came_first[priority_of[taken.id]] += 1
        partition.enqueue(taken.id, record=make_record(priority=priority_of[taken.id]))

    assert all(came_first.values())
    assert 0.90 < came_first[9] / 1_000 < 0.97


def test_take_when_several_queues_have_jobs_then_their_order_counts(partition: Partition) -> None:
    partition.enqueue(A, record=make_record("p"))
    partition.enqueue(B, record=make_record("q"))

    assert partition.taker(queues="q,p").take() == [B, A]


def test_take_when_the_queue_is_paused_then_nothing_is_taken(partition: Partition) -> None:
    partition.enqueue(A)
    partition.client.hset(partition.key("queues"), "q", "P4")

    assert partition.taker().take() == []


def test_take_when_the_clock_went_back_then_fences_rise_all_the_same(partition: Partition) -> None:
    partition.enqueue(A, B)
    first = partition.taker().settle(limit=1).deliveries[0]
    partition.clock.advance(-3_600_000)

    second = partition.taker(consumer="d").settle(limit=1).deliveries[0]

    assert second.fence == first.fence + 1


def test_ack_when_the_fence_is_right_then_the_job_is_gone(partition: Partition) -> None:
    before = partition.dump()
    partition.enqueue(A)
    taker = partition.taker()
    held = taker.settle().deliveries[0]

    answer = taker.settle(acks=[(A, held.fence)], go_idle=False)

    assert answer.stale == []
    after = partition.dump()
    assert after.keys() - before.keys() == {"fence", "queues", "senders:497222"}


def test_ack_when_the_fence_is_old_then_nothing_changes(partition: Partition) -> None:
    partition.enqueue(A)
    taker = partition.taker()
    held = taker.settle().deliveries[0]

    answer = taker.settle(acks=[(A, held.fence - 1)], limit=0, holding=1)

    assert answer.stale == [A]
    assert partition.dump()["held:w"] == {A: b"c:%d" % held.fence}
    assert partition.client.hexists(partition.key("jobs"), A)


def test_ack_when_another_consumer_holds_the_job_then_it_is_stale(partition: Partition) -> None:
    partition.enqueue(A)
    held = partition.taker().settle().deliveries[0]

    answer = partition.taker(consumer="d").settle(acks=[(A, held.fence)])

    assert answer.stale == [A]
    assert partition.client.hexists(partition.key("jobs"), A)


def test_end_when_a_result_is_kept_then_it_expires_and_waiters_are_told(
    partition: Partition,
) -> None:
    partition.enqueue(A, record=make_record(flags=0))
    taker = partition.taker()
    held = taker.settle().deliveries[0]
    partition.run("look", 15_000, A)
    with partition.client.pubsub() as listener:  # type: ignore[no-untyped-call]  # redis-py
        listener.subscribe(partition.key(b"done:" + A))
        assert listener.get_message(timeout=1)["type"] == "subscribe"

        taker.settle(settlements=[Settlement(A, held.fence, "end", "SUCCESS", b"body", 5000)])

        assert listener.get_message(timeout=1)["data"] == b"SUCCESS"
    key = partition.key(b"result:" + A)
    assert partition.client.get(key) == b"SUCCESS\nbody"
    assert 0 < partition.client.pttl(key) <= 5000
    assert "jobs" not in partition.dump()


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("outcome", ["keep", "end"])
def test_end_when_somebody_has_said_to_wait_then_it_is_told_for_a_while(
    partition: Partition, limit: int, outcome: str
) -> None:
    ids = [make_id(number) for number in range(4)]
    partition.enqueue(*ids, record=make_record(flags=0))
    taker = partition.taker()
    told: list[bytes] = []
    with partition.client.pubsub() as listener:  # type: ignore[no-untyped-call]  # redis-py
        listener.psubscribe(partition.key(b"done:*"))
        assert listener.get_message(timeout=1)["type"] == "psubscribe"
        held = taker.settle(limit=1).deliveries
        for awaited_ms in (0, 15_000, None):
            if awaited_ms is None:
                assert 0 < partition.client.pttl(partition.key("awaited")) <= 15_000
                partition.client.delete(partition.key("awaited"))
            else:
                partition.run("look", awaited_ms)
            ending = [Settlement(one.id, one.fence, outcome, "SUCCESS", b"body") for one in held]
            held = taker.settle(settlements=ending, limit=limit).deliveries[:1]
        while message := listener.get_message(timeout=0.1):
            told.append(message["channel"].removeprefix(partition.key(b"done:")))

    assert [ids[1]] == told


def test_end_when_the_fence_is_old_then_no_result_is_written(partition: Partition) -> None:
    partition.enqueue(A, record=make_record(flags=0))
    taker = partition.taker()
    held = taker.settle().deliveries[0]

    answer = taker.settle(
        settlements=[
            Settlement(A, held.fence - 1, "end", "SUCCESS", b"stale"),
            Settlement(A, held.fence, "end", "SUCCESS", b"right"),
            Settlement(A, held.fence, "end", "FAILURE", b"twice"),
        ],
        limit=0,
    )

    assert answer.stale == [A, A]
    assert partition.result_of(A) == b"SUCCESS\nright"


@pytest.mark.parametrize("ttl_ms", [0, -5, 10**30])
def test_end_when_the_ttl_is_out_of_range_then_the_transition_is_whole(
    partition: Partition, ttl_ms: int
) -> None:
    partition.enqueue(A, B, record=make_record(flags=0))
    taker = partition.taker()
    first, second = taker.settle().deliveries

    taker.settle(
        settlements=[
            Settlement(A, first.fence, "end", "SUCCESS", b"", ttl_ms),
            Settlement(B, second.fence, "end", "SUCCESS", b""),
        ]
    )

    state = partition.dump()
    assert "held:w" not in state
    assert "jobs" not in state


def test_end_when_publishing_is_not_allowed_then_the_transition_is_whole(
    partition: Partition,
) -> None:
    partition.client.acl_setuser(
        "shy", enabled=True, nopass=True, keys=["*"], categories=["+@all"], reset_channels=True
    )
    partition.enqueue(A, record=make_record(flags=0))
    taker = partition.taker()
    held = taker.settle().deliveries[0]
    partition.connection.call("AUTH", "shy", "any")

    taker.settle(settlements=[Settlement(A, held.fence, "end", "SUCCESS", b"body")], limit=0)

    assert partition.result_of(A) == b"SUCCESS\nbody"
    assert partition.dump()["consumers:w"][b"c"].startswith(b"2|")


def test_retry_when_an_attempt_failed_then_the_job_waits_on_the_timeline(
    partition: Partition,
) -> None:
    partition.enqueue(A)
    taker = partition.taker()
    held = taker.settle().deliveries[0]

    taker.settle(settlements=[Settlement(A, held.fence, "retry", delay_ms=2000)])

    state = partition.dump()
    assert state["timeline"] == {b"j4" + A + b"q": partition.clock.now_ms + 2000}
    assert state["attempts"] == {A: b"1"}
    assert state["jobs"] == {A: RECORD}
    assert "held:w" not in state


@pytest.mark.parametrize("outcome", ["retry", "unknown", "return"])
def test_settle_when_the_job_was_cancelled_then_it_does_not_come_back(
    partition: Partition, outcome: str
) -> None:
    partition.enqueue(A, record=make_record(flags=0))
    taker = partition.taker()
    held = taker.settle().deliveries[0]
    partition.run("cancel", A, TTL_MS, "soft")

    taker.settle(settlements=[Settlement(A, held.fence, outcome)], limit=0)

    state = partition.dump()
    assert state[f"result:{A.decode('utf-8', 'backslashreplace')}"] == b"CANCELLED\n"
    assert not state.keys() & {"jobs", "cancelled", "timeline", "ready:q:4", "held:w"}


def test_return_when_a_job_was_not_started_then_it_is_first_again(partition: Partition) -> None:
    partition.enqueue(A, B)
    taker = partition.taker()
    held = taker.settle(limit=1).deliveries[0]

    taker.settle(settlements=[Settlement(A, held.fence, "return")], limit=0)

    assert partition.dump()["ready:q:4"] == [A, B]
    assert "deliveries" not in partition.dump()


def test_bury_when_a_job_is_undecodable_then_it_is_a_dead_letter(partition: Partition) -> None:
    partition.enqueue(A)
    taker = partition.taker()
    held = taker.settle().deliveries[0]

    taker.settle(settlements=[Settlement(A, held.fence, "bury", body=b"why", ttl_ms=5000)])

    state = partition.dump()
    assert state["dead"] == {A: partition.clock.now_ms}
    assert state["forensics"] == {A: b"why"}
    assert partition.result_of(A) == b"DEAD\nwhy"
    assert state["jobs"] == {A: RECORD}


def unknown(partition: Partition, waited_ms: int, **about: str) -> None:
    """A job comes back as of an unknown task, twice, ``waited_ms`` apart."""
    partition.enqueue(A)
    if about:
        partition.register("other", "e", **about)
    taker = partition.taker()
    body = json.dumps({"reason": "unknown task", "task": "app.noop"}).encode()
    for wait in (waited_ms, 0):
        held = taker.settle(tell_all=True).deliveries[0]
        one = Settlement(A, held.fence, "unknown", body=body, ttl_ms=600_000, delay_ms=0)
        taker.settle(settlements=[one], limit=0)
        partition.run("promote", 10)
        partition.clock.advance(wait)


def test_unknown_task_when_it_came_a_short_time_ago_then_it_waits(partition: Partition) -> None:
    unknown(partition, 600_000)

    assert "dead" not in partition.dump()


def test_unknown_task_when_no_worker_knows_it_for_long_then_it_is_buried(
    partition: Partition,
) -> None:
    unknown(partition, 600_001, tasks='["app.other"]', queues="q")

    assert partition.dump()["dead"].keys() == {A}
    assert partition.client.pttl(partition.key(b"result:" + A)) > 600_000


def test_unknown_task_when_a_worker_knows_it_then_it_goes_on_waiting(partition: Partition) -> None:
    unknown(partition, 600_001, tasks='["app.noop"]', queues="p,q")

    assert "dead" not in partition.dump()


def test_unknown_task_when_who_knows_it_has_other_queues_then_it_is_buried(
    partition: Partition,
) -> None:
    unknown(partition, 600_001, tasks='["app.noop"]', queues="p")

    assert partition.dump()["dead"].keys() == {A}


# --- R1: incarnations --------------------------------------------------------------------------


def test_take_when_the_consumer_was_struck_then_it_is_refused(partition: Partition) -> None:
    partition.enqueue(A)
    partition.run("release", "w", "c", "", "", 3, TTL_MS, 0, 0, 0)
    before = partition.dump()

    with pytest.raises(ResponseError, match="LEASELOST consumer c"):
        partition.taker().take()

    assert partition.dump() == before


def test_take_when_the_worker_is_unknown_then_it_is_refused(partition: Partition) -> None:
    with pytest.raises(ResponseError, match="LEASELOST worker x"):
        partition.taker("x").take()


def test_take_when_the_lease_has_run_out_then_it_is_refused_but_not_lost(
    partition: Partition,
) -> None:
    partition.enqueue(A)
    partition.tick()
    partition.client.hset(partition.key("watch"), "w", LEASE_MS + 1)

    with pytest.raises(ResponseError, match="LEASELOST worker w"):
        partition.taker().take()

    partition.run("renew", "w", LEASE_MS, "")
    assert partition.taker().take() == [A]


# --- R6: numbered calls ------------------------------------------------------------------------


def test_take_when_its_reply_was_lost_then_the_repeat_tells_what_is_held(
    partition: Partition,
) -> None:
    partition.enqueue(A, B, C)
    taker = partition.taker()
    first = taker.settle(limit=2)

    again = taker.settle(limit=2, number=1)

    assert again.repeated
    assert again.deliveries == first.deliveries
    assert partition.dump()["ready:q:4"] == [C]


def test_settle_when_its_reply_was_lost_then_the_repeat_settles_nothing_anew(
    partition: Partition,
) -> None:
    partition.enqueue(A, B)
    taker = partition.taker()
    held = taker.settle(limit=1).deliveries[0]
    partition.register("w2", "e")
    one = Settlement(A, held.fence, "retry", delay_ms=0)
    taker.settle(settlements=[one], limit=1)
    partition.run("promote", 10)

    again = taker.settle(settlements=[one], limit=1, number=2)

    assert again.repeated
    assert [delivery.id for delivery in again.deliveries] == [B]
    assert partition.dump()["attempts"] == {A: b"1"}


def test_settle_when_the_original_arrives_after_the_repeat_then_it_is_refused(
    partition: Partition,
) -> None:
    partition.enqueue(A)
    taker = partition.taker()
    partition.connection.close()
    taker.settle(limit=1)
    assert partition.connection.generation == 2
    before = partition.dump()

    with pytest.raises(ResponseError, match="SKIPPED connection 1 is older than 2"):
        partition.run("settle", "w", "c", 1, "", 5, 1, 0, "q", 0, 0, 0)

    assert partition.dump() == before


def test_settle_when_a_number_was_left_out_then_it_is_refused(partition: Partition) -> None:
    taker = partition.taker()
    taker.settle()

    with pytest.raises(ResponseError, match="SKIPPED call 9007199254740991 after 1"):
        taker.settle(number=9007199254740991)


def test_settle_when_registered_anew_then_any_number_is_taken_first(partition: Partition) -> None:
    taker = partition.taker()

    taker.settle(number=41)
    taker.settle(number=42)

    with pytest.raises(ResponseError, match="SKIPPED call 41 after 42"):
        taker.settle(number=41)


def test_take_when_the_repeat_finds_nothing_held_then_it_takes_before_it_is_idle(
    partition: Partition,
) -> None:
    taker = partition.taker()
    taker.settle()
    partition.client.hset(partition.key("queues"), "q", "P")
    partition.enqueue(A)
    partition.client.hset(partition.key("queues"), "q", "-4")

    again = taker.settle(number=1)

    assert [delivery.id for delivery in again.deliveries] == [A]
    assert "idle:q" not in partition.dump()


def test_settle_when_all_is_asked_for_then_only_what_this_consumer_holds_is_told(
    partition: Partition,
) -> None:
    partition.enqueue(A, B, C)
    partition.taker(consumer="d").settle(limit=1)
    taker = partition.taker()
    first = taker.settle(limit=2)

    told = taker.settle(limit=0, tell_all=True, holding=2)

    assert told.deliveries == first.deliveries


def test_settle_when_a_consumer_holds_thousands_then_all_are_told(partition: Partition) -> None:
    taker = partition.taker()
    for at in range(0, 9000, 1000):
        partition.enqueue(*[make_id(n) for n in range(at, at + 1000)])
        taker.settle(limit=1000, holding=at)
    partition.client.hset(partition.key("attempts"), make_id(8999), 2)

    told = taker.settle(limit=0, tell_all=True)

    assert [delivery.id for delivery in told.deliveries] == [make_id(n) for n in range(9000)]
    assert told.deliveries[-1].attempts == 2


def test_take_when_the_limit_is_absurd_then_it_is_capped(partition: Partition) -> None:
    for at in range(0, 4000, 1000):
        partition.enqueue(*[make_id(n) for n in range(at, at + 1000)])

    assert len(partition.taker().take(limit=10_000)) == 3000


# --- stale entries -----------------------------------------------------------------------------


def test_take_when_entries_are_stale_then_the_batch_is_filled_beyond_them(
    partition: Partition,
) -> None:
    ids = [make_id(n) for n in range(50)]
    partition.enqueue(*ids)
    for raw_id in ids[:40]:
        partition.run("cancel", raw_id, TTL_MS, "soft")

    taken = partition.taker().take(limit=4)

    assert taken == ids[40:44]
    assert "tombs" not in partition.dump()


def test_take_when_very_many_entries_are_stale_then_it_is_not_idle_before_all_were_seen(
    partition: Partition,
) -> None:
    partition.client.rpush(partition.key("ready:q:4"), *[b"garbage %d" % n for n in range(5000)])
    partition.client.hset(partition.key("queues"), "q", "-4")
    partition.enqueue(A)
    taker = partition.taker()

    rounds = 0
    found = taker.settle(limit=1)
    while not found.deliveries:
        assert not found.is_idle
        rounds += 1
        assert rounds < 20
        partition.clock.advance(1)
        found = taker.settle(limit=1)

    assert [delivery.id for delivery in found.deliveries] == [A]
    assert partition.client.zcard(partition.key("quarantine")) == 5000


def test_take_when_the_register_of_queues_was_lost_then_no_list_is_forgotten(
    partition: Partition,
) -> None:
    partition.enqueue(A, record=make_record(priority=9))
    partition.enqueue(B, record=make_record(priority=0))
    partition.client.delete(partition.key("queues"))
    partition.enqueue(C)

    assert partition.taker().take() == [A, C, B]
    assert partition.dump()["queues"] == {b"q": b"-940"}


def test_take_when_an_own_id_is_used_then_it_travels_whole(partition: Partition) -> None:
    raw_id = "bestellung-ü|:\n".encode()
    partition.enqueue(raw_id, record=make_record(flags=FLAG_OWN_ID))
    taker = partition.taker()

    held = taker.settle().deliveries[0]
    taker.settle(settlements=[Settlement(raw_id, held.fence, "retry", delay_ms=0)], limit=0)
    partition.run("promote", 10)

    assert taker.take() == [raw_id]
