"""Cancel, reschedule and look: one step each, and a true answer (G8, G14, R17, R18)."""

from __future__ import annotations

import pytest

from beatline.job import FLAG_OWN_ID
from beatline.store.cancelling import cancel, reschedule
from beatline.store.delivering import Settlement
from tests.store.support import TTL_MS, Partition, changed, make_id, make_record

A, B, C = (make_id(n) for n in range(1, 4))
KEPT = make_record(flags=0)


def stop(partition: Partition, raw_id: bytes, *, hard: bool = False) -> tuple[str, str]:
    """Somebody cancels a job."""
    return cancel(partition.connection, partition.prefix, raw_id, TTL_MS, hard=hard)


def move(partition: Partition, raw_id: bytes, after_ms: int = 0) -> tuple[str, str]:
    """Somebody moves a job; at once where no time is given."""
    due_ms = partition.clock.now_ms + after_ms if after_ms else 0
    return reschedule(partition.connection, partition.prefix, raw_id, due_ms)


def bury(partition: Partition, raw_id: bytes) -> None:
    """A job becomes a dead letter."""
    partition.register("w", "undertaker")
    partition.enqueue(raw_id)
    taker = partition.taker(consumer="undertaker")
    fence = taker.settle().deliveries[0].fence
    taker.settle(settlements=[Settlement(raw_id, fence, "bury", body=b"why")], go_idle=False)


def test_cancel_when_scheduled_then_the_job_is_gone(partition: Partition) -> None:
    partition.enqueue(A, due="+5000", record=KEPT)

    assert stop(partition, A) == ("CANCELLED", "")
    assert partition.result_of(A) == b"CANCELLED\n"
    assert not partition.dump().keys() & {"timeline", "jobs", "tombs"}


def test_cancel_when_queued_then_its_entry_is_noted_as_stale(partition: Partition) -> None:
    partition.enqueue(A, B, record=KEPT)

    assert stop(partition, A) == ("CANCELLED", "")
    state = partition.dump()
    assert state["tombs"] == {A: b"q:4"}
    assert state["jobs"].keys() == {B}
    partition.register("w", "c")
    assert partition.taker().take() == [B]
    assert "tombs" not in partition.dump()


def test_cancel_when_retrying_then_nothing_of_the_job_stays(partition: Partition) -> None:
    partition.enqueue(A, due="+5000")
    partition.client.hset(partition.key("attempts"), A, 1)

    assert stop(partition, A) == ("CANCELLED", "")
    assert not partition.dump().keys() & {"timeline", "jobs", "attempts"}


def test_cancel_when_running_then_it_is_flagged_and_goes_on(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    partition.taker().settle()
    before = partition.dump()

    assert stop(partition, A) == ("RUNNING", "w")
    assert changed(before, partition.dump()) == {"cancelled": {A: b"soft"}}


def test_cancel_when_a_kill_was_asked_for_then_a_softer_wish_does_not_overrule_it(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    partition.taker().settle()
    stop(partition, A, hard=True)

    stop(partition, A)

    assert partition.dump()["cancelled"] == {A: b"hard"}


def test_cancel_when_the_worker_is_being_emptied_then_the_job_still_runs(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    partition.taker().settle()
    partition.client.zrem(partition.key("workers"), "w")
    partition.client.zadd(partition.key("gone"), {"w": 1})

    assert stop(partition, A) == ("RUNNING", "w")


def test_cancel_when_ended_then_told_how(partition: Partition) -> None:
    partition.enqueue(A, record=KEPT)
    stop(partition, A)
    before = partition.dump()

    assert stop(partition, A) == ("DONE", "CANCELLED")
    assert partition.dump() == before


def test_cancel_when_unknown_then_told_so(partition: Partition) -> None:
    assert stop(partition, A) == ("UNKNOWN", "")
    assert partition.dump() == {}


def test_cancel_when_dead_then_the_dead_letter_stays(partition: Partition) -> None:
    bury(partition, A)
    before = partition.dump()

    assert stop(partition, A) == ("DONE", "DEAD")
    assert partition.dump() == before


def test_cancel_when_the_record_is_garbage_then_it_is_set_aside(partition: Partition) -> None:
    partition.client.hset(partition.key("jobs"), A, "garbage")

    assert stop(partition, A) == ("DONE", "DEAD")
    (kept,) = partition.dump()["quarantined"].values()
    assert kept == b"the record cannot be read\ngarbage"
    assert "jobs" not in partition.dump()


def test_reschedule_when_scheduled_then_it_is_due_at_the_new_instant(partition: Partition) -> None:
    partition.enqueue(A, due="+5000")

    assert move(partition, A, 9000) == ("OK", "")
    due_ms = partition.clock.now_ms + 9000
    assert partition.dump()["timeline"] == {b"j4" + A + b"q": due_ms}


def test_reschedule_when_it_becomes_the_head_then_beat_is_woken(partition: Partition) -> None:
    partition.enqueue(A, due="+5000")
    partition.enqueue(B, due="+6000")
    partition.client.delete(partition.key("wake:beat"))

    move(partition, B, 1000)

    assert partition.client.llen(partition.key("wake:beat")) == 1


def test_run_now_when_scheduled_then_it_is_queued(partition: Partition) -> None:
    partition.enqueue(A, due="+5000")

    assert move(partition, A) == ("OK", "")
    assert partition.dump()["ready:q:4"] == [A]
    assert "timeline" not in partition.dump()


def test_run_now_when_queued_then_it_keeps_its_place(partition: Partition) -> None:
    partition.enqueue(A, B)
    before = partition.dump()

    assert move(partition, A) == ("OK", "")
    assert partition.dump() == before


def test_reschedule_when_queued_then_it_is_not_taken_before(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B)

    move(partition, A, 5000)

    assert partition.taker().take() == [B]
    assert partition.dump()["timeline"].keys() == {b"j4" + A + b"q"}
    assert "tombs" not in partition.dump()


@pytest.mark.parametrize("how", ["run_now", "promote"])
def test_reschedule_when_queued_and_back_then_it_lies_there_once_at_the_end(
    partition: Partition, how: str
) -> None:
    partition.enqueue(A, B)
    move(partition, A, 5000)

    if how == "run_now":
        move(partition, A)
    else:
        partition.clock.advance(5000)
        partition.run("promote", 10)

    state = partition.dump()
    assert state["ready:q:4"] == [B, A]
    assert not state.keys() & {"timeline", "tombs"}


def test_reschedule_when_running_then_left_alone(partition: Partition) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    partition.taker().settle()
    before = partition.dump()

    assert move(partition, A, 5000) == ("RUNNING", "w")
    assert partition.dump() == before


def test_reschedule_when_over_then_told_how(partition: Partition) -> None:
    partition.enqueue(A, record=KEPT)
    stop(partition, A)

    assert move(partition, A) == ("DONE", "CANCELLED")
    assert move(partition, B) == ("UNKNOWN", "")


def test_cancel_when_rescheduled_while_queued_then_the_stale_entry_is_dropped(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B)
    move(partition, A, 5000)

    stop(partition, A)

    assert partition.taker().take() == [B]
    assert not partition.dump().keys() & {"tombs", "timeline"}


def test_own_id_when_cancelled_in_one_queue_and_sent_to_another_then_it_runs_once(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(b"a", record=make_record("q", flags=FLAG_OWN_ID))
    stop(partition, b"a")
    partition.client.delete(partition.key("result:a"))
    partition.enqueue(b"a", record=make_record("p", flags=FLAG_OWN_ID))

    assert partition.taker(queues="q,p").take() == [b"a"]
    assert partition.taker(queues="q,p").settle(number=2, holding=1).deliveries == []


def test_look_when_asked_then_each_state_is_the_place_where_the_id_lives(
    partition: Partition,
) -> None:
    ids = {name: make_id(n) for n, name in enumerate(["S", "R", "Q", "H", "D", "E", "U"])}
    bury(partition, ids["D"])
    partition.register("w", "c")
    partition.enqueue(ids["H"])
    held = partition.taker().settle().deliveries[0]
    partition.enqueue(ids["S"], due="+5000")
    partition.enqueue(ids["R"], due="+6000")
    partition.enqueue(ids["Q"])
    partition.enqueue(ids["E"], record=KEPT)
    stop(partition, ids["E"])
    stop(partition, ids["H"])
    partition.client.hset(partition.key("attempts"), ids["R"], 2)
    partition.client.hset(partition.key("deliveries"), ids["Q"], 1)
    before = partition.dump()

    rows = dict(zip(ids, partition.run("look", 0, *ids.values()), strict=True))

    now_ms, record = partition.clock.now_ms, make_record()
    entry = b"c:%d" % held.fence
    assert rows == {
        "S": [
            b"SCHEDULED",
            record,
            b"",
            b"%d" % (now_ms + 5000),
            b"",
            b"",
            b"",
            b"",
            b"",
            b"",
            b"",
        ],
        "R": [
            b"RETRYING",
            record,
            b"",
            b"%d" % (now_ms + 6000),
            b"",
            b"",
            b"",
            b"2",
            b"",
            b"",
            b"",
        ],
        "Q": [b"QUEUED", record, b"", b"", b"", b"", b"1", b"", b"", b"", b""],
        "H": [b"RUNNING", record, b"", b"", b"w", entry, b"", b"", b"soft", b"", b""],
        "D": [b"DEAD", record, b"DEAD\nwhy", b"", b"", b"", b"", b"", b"", b"why", b""],
        "E": [b"CANCELLED", b"", b"CANCELLED\n", b"", b"", b"", b"", b"", b"", b"", b""],
        "U": [b"UNKNOWN", b"", b"", b"", b"", b"", b"", b"", b"", b"", b""],
    }
    assert partition.dump() == before


def test_look_when_every_key_is_of_a_wrong_type_then_nothing_is_changed(
    partition: Partition,
) -> None:
    names = ["jobs", "dead", "timeline", "workers", "gone", "attempts", "deliveries", "cancelled"]
    for name in [*names, "forensics"]:
        partition.client.set(partition.key(name), "garbage")
    partition.client.rpush(partition.key(b"result:" + A), "garbage")
    before = partition.dump()

    partition.is_sound = False
    (row,) = partition.run("look", 0, A)

    assert row[0] == b"UNKNOWN"
    assert partition.dump() == before
