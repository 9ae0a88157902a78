"""Failing sequences behind the rules of readiness: one entry each (R17), poison alone (R4)."""

from __future__ import annotations

from beatline.job import FLAG_IGNORE_RESULT, FLAG_SCHEDULE
from beatline.store.cancelling import cancel
from beatline.store.firing import JobStep, trigger
from tests.store.scenes import put_schedule
from tests.store.support import TTL_MS, Partition, make_id, make_record

A, B = make_id(1), make_id(2)


def test_trigger_when_repeated_after_a_cancel_then_its_old_entry_goes(
    partition: Partition,
) -> None:
    """R17. The entry that a cancelled job leaves in its list must not stand for its second life."""
    put_schedule(partition, partition.clock.now_ms + 1, name="s")
    flags = FLAG_SCHEDULE | FLAG_IGNORE_RESULT
    step = JobStep(5, A, make_record("q", 4, flags, "s", 5))
    for _ in range(2):
        trigger(partition.connection, partition.prefix, "s", "allow", step)
        cancel(partition.connection, partition.prefix, A, TTL_MS, hard=False)
    partition.register("w", "c")

    taken = partition.taker().take()

    state = partition.dump()
    assert taken == []
    assert not state.keys() & {"ready:q:4", "tombs", "quarantine"}


def test_hand_over_when_a_charged_job_meets_a_consumer_that_runs_others_then_it_waits(
    partition: Partition,
) -> None:
    """R4. Consumers that run several jobs wait while they hold some; poison must come alone."""
    partition.register("w", "c", "d")
    partition.enqueue(A)
    busy = partition.taker(consumer="c")
    busy.settle()
    partition.client.hset(partition.key("deliveries"), B, 1)
    busy.settle(limit=1, holding=1, idle_with_jobs=True)

    partition.enqueue(B)
    taken = partition.taker(consumer="d").take()

    state = partition.dump()
    assert taken == [B]
    assert {holder.partition(b":")[0] for holder in state["held:w"].values()} == {b"c", b"d"}
    assert state["idle:q"] == {b"w|c|1|q"}


def test_hand_over_when_a_charged_job_meets_busy_and_free_consumers_then_a_free_one_has_it(
    partition: Partition,
) -> None:
    """R4. Among those who wait, only one that holds nothing may be handed it."""
    partition.register("w", "c", "d")
    partition.enqueue(A)
    busy = partition.taker(consumer="c")
    busy.settle()
    partition.client.hset(partition.key("deliveries"), B, 1)
    busy.settle(limit=1, holding=1, idle_with_jobs=True)
    partition.taker(consumer="d").settle()

    partition.enqueue(B)

    state = partition.dump()
    assert state["held:w"][B].startswith(b"d:")
    assert state["idle:q"] == {b"w|c|1|q"}
    assert state["consumers:w"][b"d"].endswith(b"|" + B)
