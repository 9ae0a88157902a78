"""Failing sequences behind the rules of readiness: what lies in lists lies there once (R17)."""

from __future__ import annotations

from beatline.job import FLAG_IGNORE_RESULT, FLAG_SCHEDULE
from beatline.store.cancelling import cancel
from beatline.store.firing import JobStep, trigger
from tests.store.scenes import put_schedule
from tests.store.support import TTL_MS, Partition, make_id, make_record

A = make_id(1)


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
