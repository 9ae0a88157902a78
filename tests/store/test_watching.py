"""The watch: a lease ages only while a beat observes it (G10, R12, R14, R15)."""

from __future__ import annotations

import pytest

from beatline.store.leasing import renew
from tests.store.support import LEASE_MS, Partition, changed, make_id

A, B = make_id(1), make_id(2)


def seconds(lease_ms: int = LEASE_MS) -> int:
    """Ticks, a second apart, until a lease drawn now has run out and a worker is struck."""
    return lease_ms // 1000 + 1


def test_tick_when_first_then_the_watch_begins_with_amnesty(partition: Partition) -> None:
    found = partition.tick()

    now = b"%d" % partition.clock.now_ms
    assert found.absence_ms == 0
    assert partition.dump() == {"watch": {b"t": now, b"w": b"2000", b"a": b"2000"}}


def test_tick_when_in_time_then_the_watch_advances_by_the_gap(partition: Partition) -> None:
    partition.tick()

    found = partition.tick(every_ms=1234)

    assert (found.watched_ms, found.absence_ms) == (3234, 0)


def test_tick_when_late_then_only_two_seconds_count(partition: Partition) -> None:
    partition.tick()
    began = partition.clock.now_ms

    found = partition.tick(every_ms=60_000)

    assert (found.watched_ms, found.absence_ms) == (4000, 60_000)
    state = partition.dump()
    assert state["watch"][b"a"] == b"4000"
    assert state["absences"] == [b"%d %d" % (began, began + 60_000)]


def test_tick_when_exactly_two_seconds_late_then_it_is_in_time(partition: Partition) -> None:
    partition.tick()

    found = partition.tick(every_ms=2000)

    assert (found.watched_ms, found.absence_ms) == (4000, 0)
    assert partition.dump()["watch"][b"a"] == b"2000"


def test_tick_when_the_clock_goes_back_then_the_watch_stands_and_all_get_a_lease(
    partition: Partition,
) -> None:
    partition.tick(5)

    found = partition.tick(every_ms=-3_600_000)

    assert found.watched_ms == 6000
    assert partition.dump()["watch"][b"a"] == b"6000"


def test_reclaim_when_a_worker_is_silent_for_a_lease_then_its_jobs_come_back(
    partition: Partition,
) -> None:
    partition.tick()
    partition.register("w", "c")
    partition.enqueue(A, B)
    partition.taker().settle()

    before = partition.tick(seconds() - 1)
    after = partition.tick()

    assert (before.gone, before.returned) == ([], 0)
    assert (after.gone, after.returned, after.pending) == (["w"], 2, 0)
    state = partition.dump()
    assert state["ready:q:4"] == [A, B]
    assert state["deliveries"] == {A: b"1", B: b"1"}
    assert not state.keys() & {"workers", "gone", "held:w", "worker:w", "consumers:w"}


def test_reclaim_when_a_worker_reports_then_it_keeps_its_jobs(partition: Partition) -> None:
    partition.tick()
    partition.register("w", "c")
    partition.enqueue(A)
    partition.taker().settle()

    for _ in range(5):
        found = partition.tick(seconds() - 1)
        renew(partition.connection, partition.prefix, "w", LEASE_MS)

        assert found.gone == []
    assert partition.dump()["held:w"].keys() == {A}


def test_reclaim_when_nobody_watched_then_the_living_get_a_full_lease(
    partition: Partition,
) -> None:
    partition.tick()
    partition.register("w", "c")
    partition.tick(seconds() - 2)

    partition.tick(every_ms=60_000)
    within = partition.tick(seconds() - 2)
    after = partition.tick()

    assert within.gone == []
    assert after.gone == ["w"]


def test_reclaim_when_the_watch_flaps_then_nobody_is_robbed(partition: Partition) -> None:
    partition.tick()
    partition.register("w", "c")

    found = [partition.tick(every_ms=5000) for _ in range(20)]

    assert all(not one.gone for one in found)


def test_reclaim_when_a_worker_holds_many_then_a_call_takes_back_so_many(
    partition: Partition,
) -> None:
    ids = [make_id(n) for n in range(250)]
    partition.tick()
    partition.register("w", "c")
    partition.enqueue(*ids)
    partition.taker().settle(limit=250)

    calls = [partition.tick(seconds()), partition.tick(every_ms=1), partition.tick(every_ms=1)]

    assert [(one.returned, one.pending) for one in calls] == [(100, 1), (100, 1), (50, 0)]
    assert partition.client.lrange(partition.key("ready:q:4"), 0, -1) == ids


def test_reclaim_when_it_takes_several_calls_then_offers_are_not_charged(
    partition: Partition,
) -> None:
    partition.tick()
    partition.register("w", "c", "d")
    partition.taker(consumer="d").settle()
    partition.enqueue(A)
    partition.clock.advance(1)
    ids = [make_id(n) for n in range(10, 160)]
    partition.enqueue(*ids)
    partition.taker().settle(limit=150)

    partition.tick(seconds())
    partition.tick(every_ms=1)

    state = partition.dump()
    assert sorted(state["ready:q:4"]) == sorted([A, *ids])
    assert A not in state["deliveries"]
    assert len(state["deliveries"]) == 150
    assert not state.keys() & {"wake:d:1", "offers", "idle:q", "gone", "held:w"}


def test_reclaim_when_a_worker_is_being_emptied_then_its_calls_are_refused(
    partition: Partition,
) -> None:
    partition.tick()
    partition.register("w", "c")
    partition.enqueue(*[make_id(n) for n in range(150)])
    held = partition.taker().settle(limit=150).deliveries

    partition.tick(seconds())
    before = partition.dump()

    assert before.keys() >= {"gone", "held:w"}
    assert renew(partition.connection, partition.prefix, "w", LEASE_MS).word == "GONE"
    assert not partition.register("w", "c")
    assert changed(before, partition.dump()) == {}
    assert held[0].id in before["held:w"]


@pytest.mark.parametrize("garbage", [b"nan", b"inf", b"-1", b"1e300", b"", b"x", b"9" * 40])
@pytest.mark.parametrize("field", ["t", "w", "a"])
def test_reclaim_when_the_watch_is_garbage_then_it_recovers_within_two_leases(
    partition: Partition, field: str, garbage: bytes
) -> None:
    partition.tick(100)
    partition.register("w", "c")
    partition.client.hset(partition.key("watch"), field, garbage)

    partition.register("v", "d")
    first = partition.tick(seconds() - 2)
    found = partition.tick(seconds() + 2)

    assert first.gone == []
    assert found.pending == 0
    assert "workers" not in partition.dump()


def test_reclaim_when_the_watch_was_lost_then_the_dead_are_found_all_the_same(
    partition: Partition,
) -> None:
    partition.tick(1000)
    partition.register("w", "c")
    partition.client.delete(partition.key("watch"))

    found = partition.tick(2 * seconds())

    assert found.watched_ms < 100_000
    assert "workers" not in partition.dump()


def test_reclaim_when_a_deadline_is_garbage_then_it_is_at_most_a_lease_away(
    partition: Partition,
) -> None:
    partition.tick()
    partition.client.zadd(partition.key("workers"), {"ghost": "inf", "other": 1e17})

    partition.tick(seconds() + 1)

    assert "workers" not in partition.dump()
    assert "gone" not in partition.dump()
