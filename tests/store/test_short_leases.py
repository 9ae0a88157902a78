"""Leases that are short beside a step of the watch."""

from __future__ import annotations

from beatline.store.cancelling import cancel
from beatline.store.leasing import renew
from tests.store.support import TTL_MS, Partition, make_id

SHORT_MS = 1_500


def _renew(partition: Partition) -> str:
    return renew(partition.connection, partition.prefix, "w", SHORT_MS).word


def _with_short_lease(partition: Partition) -> None:
    partition.tick(every_ms=1)
    partition.tick(20, every_ms=500)
    partition.register("w", "c", lease_ms=str(SHORT_MS))
    assert _renew(partition) == "OK"


def test_reclaim_when_one_long_step_ends_a_short_lease_then_the_worker_may_still_report(
    partition: Partition,
) -> None:
    _with_short_lease(partition)

    found = partition.tick(every_ms=1_900)
    answer = _renew(partition)
    later = partition.tick(2, every_ms=100)

    assert found.gone == []
    assert answer == "OK"
    assert later.gone == []


def test_reclaim_when_a_short_lease_stays_over_then_the_worker_is_gone(
    partition: Partition,
) -> None:
    _with_short_lease(partition)

    partition.tick(every_ms=1_900)
    early = partition.tick(every_ms=200)
    late = partition.tick(every_ms=200)

    assert early.gone == []
    assert late.gone == ["w"]


def test_reclaim_when_the_worker_reported_since_then_its_next_silence_counts_anew(
    partition: Partition,
) -> None:
    _with_short_lease(partition)
    partition.tick(every_ms=1_900)
    _renew(partition)
    partition.tick(every_ms=1_000)

    found = partition.tick(every_ms=1_900)

    assert found.gone == []


def test_renew_when_a_held_job_was_cancelled_then_tells_who_holds_it(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(make_id(1))
    taken = partition.taker().settle()
    cancel(partition.connection, partition.prefix, make_id(1), TTL_MS, hard=False)

    renewal = renew(partition.connection, partition.prefix, "w", 15_000)

    assert renewal.cancelled == {make_id(1): "soft"}
    assert renewal.holders == {make_id(1): ("c", taken.deliveries[0].fence)}
