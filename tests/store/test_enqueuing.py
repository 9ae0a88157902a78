"""Jobs into Redis: queued, scheduled, refused, and never twice (R8, R9, R17)."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from beatline.job import FLAG_OWN_ID
from tests.store.support import TTL_MS, Partition, make_id, make_record

A, B, C = make_id(1), make_id(2), make_id(3)
RECORD = make_record()
OWN = make_record(flags=FLAG_OWN_ID)


def test_enqueue_when_due_now_then_the_job_is_queued(partition: Partition) -> None:
    answer = partition.enqueue(A, B, number=7)

    assert (answer.refused, answer.repeated, answer.now_ms) == ((), False, partition.clock.now_ms)
    assert partition.dump() == {
        "jobs": {A: RECORD, B: RECORD},
        "ready:q:4": [A, B],
        "queues": {b"q": b"-4"},
        "senders:497222": {b"sender": b"7:"},
    }


def test_enqueue_when_others_wait_already_then_the_job_stands_behind_them(
    partition: Partition,
) -> None:
    partition.enqueue(A, number=7)

    answer = partition.enqueue(B, number=8)
    repeated = partition.enqueue(B, number=8)

    assert (answer.repeated, answer.now_ms) == (False, partition.clock.now_ms)
    assert repeated.repeated
    assert partition.dump() == {
        "jobs": {A: RECORD, B: RECORD},
        "ready:q:4": [A, B],
        "queues": {b"q": b"-4"},
        "senders:497222": {b"sender": b"8:"},
    }


@pytest.mark.parametrize("key", ["jobs", "ready:q:4", "senders:497222"])
def test_enqueue_when_a_key_has_another_type_then_the_job_is_queued_all_the_same(
    partition: Partition, key: str
) -> None:
    partition.enqueue(A, number=7)
    partition.client.delete(partition.key(key))
    partition.client.set(partition.key(key), "garbage")
    partition.is_sound = False  # What lay under the key is gone.

    partition.enqueue(B, number=8)

    assert partition.client.hget(partition.key("jobs"), B) == RECORD
    assert B in partition.client.lrange(partition.key("ready:q:4"), 0, -1)
    assert partition.client.hget(partition.key("senders:497222"), b"sender") == b"8:"


def test_enqueue_when_due_later_then_the_job_is_scheduled_and_beat_is_woken(
    partition: Partition,
) -> None:
    due_ms = partition.clock.now_ms + 5000

    partition.enqueue(A, due="+5000", number=1)

    assert partition.dump() == {
        "jobs": {A: RECORD},
        "timeline": {b"j4" + A + b"q": due_ms},
        "wake:beat": [b"1"],
        "senders:497222": {b"sender": b"1:"},
    }


def test_enqueue_when_not_the_head_then_beat_sleeps_on(partition: Partition) -> None:
    partition.enqueue(A, due="+5000")
    partition.client.delete(partition.key("wake:beat"))

    partition.enqueue(B, due="+6000")

    assert partition.client.exists(partition.key("wake:beat")) == 0


def test_enqueue_when_due_in_the_past_then_the_job_is_queued(partition: Partition) -> None:
    partition.enqueue(A, due=str(partition.clock.now_ms - 1))

    assert partition.client.lrange(partition.key("ready:q:4"), 0, -1) == [A]


def test_enqueue_when_priorities_differ_then_each_has_its_list(partition: Partition) -> None:
    partition.enqueue(A, record=make_record(priority=0))
    partition.enqueue(B, record=make_record(priority=9))

    assert partition.dump()["queues"] == {b"q": b"-90"}


def test_enqueue_when_a_thousand_jobs_come_in_one_call_then_all_are_queued_in_order(
    partition: Partition,
) -> None:
    ids = [make_id(n) for n in range(1000)]

    partition.enqueue(*ids)

    assert partition.client.lrange(partition.key("ready:q:4"), 0, -1) == ids
    assert partition.client.hlen(partition.key("jobs")) == 1000


def test_enqueue_when_the_call_is_repeated_then_nothing_is_added(partition: Partition) -> None:
    partition.enqueue(A, number=1)
    before = partition.dump()

    answer = partition.enqueue(A, number=1)

    assert answer.repeated
    assert partition.dump() == before


def test_enqueue_when_repeated_then_its_refusals_are_told_again(partition: Partition) -> None:
    own = make_record(flags=FLAG_OWN_ID)
    partition.enqueue(b"a", record=own, number=1)
    partition.enqueue(b"b", b"a", record=own, number=2)

    answer = partition.enqueue(b"b", b"a", record=own, number=2)

    assert (answer.repeated, answer.refused) == (True, (1,))


def test_enqueue_when_the_original_arrives_after_a_later_call_then_it_is_not_carried_out(
    partition: Partition,
) -> None:
    partition.enqueue(A, number=2)

    answer = partition.enqueue(B, number=1)

    assert answer.repeated
    assert partition.client.hkeys(partition.key("jobs")) == [A]


def test_enqueue_when_repeated_then_it_writes_for_wait_to_wait_for(partition: Partition) -> None:
    partition.enqueue(A, number=1)
    before = partition.client.info("replication")["master_repl_offset"]
    dirty = partition.client.info("persistence")["rdb_changes_since_last_save"]

    partition.enqueue(A, number=1)

    after = partition.client.info("persistence")["rdb_changes_since_last_save"]
    assert after > dirty, before


def test_enqueue_when_anything_was_sent_then_the_senders_book_expires(
    partition: Partition,
) -> None:
    partition.enqueue(A, number=1)
    partition.clock.advance(3_600_000)
    partition.enqueue(A, number=1)

    books = partition.client.keys(partition.key("senders:*"))

    assert len(books) == 2
    assert all(3600 < partition.client.ttl(book) <= 7200 for book in books)


@pytest.mark.parametrize("hours", [1, -1])
def test_enqueue_when_repeated_in_another_hour_then_nothing_is_added(
    partition: Partition, hours: int
) -> None:
    partition.enqueue(A, number=1)
    partition.clock.advance(hours * 3_600_000)

    assert partition.enqueue(B, number=1).repeated


def test_enqueue_when_an_own_id_lives_then_it_is_refused(partition: Partition) -> None:
    partition.enqueue(b"a", record=OWN)

    answer = partition.enqueue(b"b", b"a", record=OWN)

    assert answer.refused == (1,)
    assert partition.client.lrange(partition.key("ready:q:4"), 0, -1) == [b"a", b"b"]


def test_enqueue_when_an_own_id_comes_twice_in_a_call_then_the_second_is_refused(
    partition: Partition,
) -> None:
    answer = partition.enqueue(b"a", b"a", record=OWN)

    assert answer.refused == (1,)
    assert partition.client.lrange(partition.key("ready:q:4"), 0, -1) == [b"a"]


@pytest.mark.parametrize("flags", [FLAG_OWN_ID, FLAG_OWN_ID | 1])
def test_enqueue_when_an_own_id_has_ended_then_its_marker_refuses_it_for_an_hour(
    partition: Partition, flags: int
) -> None:
    record = make_record(flags=flags)
    partition.enqueue(b"a", record=record)

    partition.run("cancel", b"a", 1000, "soft")

    assert partition.enqueue(b"a", record=record).refused == (0,)
    assert partition.client.pttl(partition.key("result:a")) > 3_590_000


def test_enqueue_when_the_marker_of_an_own_id_is_garbage_then_it_is_set_aside(
    partition: Partition,
) -> None:
    partition.client.rpush(partition.key("result:a"), "garbage")

    answer = partition.enqueue(b"a", record=OWN)

    assert answer.refused == ()
    assert partition.client.zcard(partition.key("quarantine")) == 1


def test_enqueue_when_the_id_was_cancelled_while_queued_then_its_old_entry_goes(
    partition: Partition,
) -> None:
    partition.enqueue(b"a", b"b", record=OWN)
    partition.run("cancel", b"a", TTL_MS, "soft")
    partition.client.delete(partition.key("result:a"))

    partition.enqueue(b"a", record=OWN)

    assert partition.client.lrange(partition.key("ready:q:4"), 0, -1) == [b"b", b"a"]
    assert "tombs" not in partition.dump()


@pytest.mark.parametrize(
    ("raw_id", "record"),
    [
        (A, b""),
        (A, b"\x02" + RECORD[1:]),
        (A, b"\x01x" + RECORD[2:]),
        (A, RECORD[:3] + b"\xff" + RECORD[4:]),
        (A[:15], RECORD),
        (b"x" * 201, OWN),
        (b"", OWN),
    ],
)
def test_enqueue_when_a_record_is_unreadable_then_the_whole_call_is_refused(
    partition: Partition, raw_id: bytes, record: bytes
) -> None:
    with pytest.raises(ResponseError, match="BADRECORD job 2"):
        partition.run("enqueue", "s", 1, "1", B, "0", RECORD, raw_id, "0", record)

    assert partition.dump() == {}


def test_enqueue_when_a_call_is_huge_then_it_is_refused_whole(partition: Partition) -> None:
    jobs = [argument for n in range(10_001) for argument in (make_id(n), "0", RECORD)]

    with pytest.raises(ResponseError, match="TOOLARGE"):
        partition.run("enqueue", "s", 1, "0", *jobs)

    assert partition.dump() == {}
