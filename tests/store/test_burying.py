"""Dead letters: buried, revived, dropped, and kept within bounds (G6, R22, R28)."""

from __future__ import annotations

import pytest

from beatline.job import FLAG_OWN_ID, FLAG_SCHEDULE
from beatline.store.burying import drop, revive
from beatline.store.delivering import Settlement
from tests.store.support import TTL_MS, Partition, make_id, make_record

A, B, C = (make_id(n) for n in range(1, 4))
DAY_MS = 86_400_000


def bury(partition: Partition, *ids: bytes, record: bytes | None = None) -> None:
    """Jobs become dead letters, after a charge and a failed attempt each."""
    undertaker = f"undertaker{partition.clock.now_us}"
    partition.register("w", undertaker)
    taker = partition.taker(consumer=undertaker)
    for raw_id in ids:
        partition.enqueue(raw_id, record=record)
        for mark in ("deliveries", "attempts"):
            partition.client.hset(partition.key(mark), raw_id, 2)
        fence = taker.settle(go_idle=False).deliveries[0].fence
        grave = Settlement(raw_id, fence, "bury", body=b'{"cause": "SIGKILL"}')
        taker.settle(settlements=[grave], go_idle=False)


def test_revive_when_dead_then_queued_with_charges_cleared(partition: Partition) -> None:
    bury(partition, A)

    assert revive(partition.connection, partition.prefix, [A, B]) == [A]
    state = partition.dump()
    assert state["ready:q:4"] == [A]
    assert state["jobs"].keys() == {A}
    assert not state.keys() & {"dead", "forensics", "deliveries", "attempts"}
    assert partition.result_of(A) is None


def test_revive_when_repeated_then_the_job_is_queued_once(partition: Partition) -> None:
    bury(partition, A)
    revive(partition.connection, partition.prefix, [A])

    assert revive(partition.connection, partition.prefix, [A]) == []
    assert partition.dump()["ready:q:4"] == [A]


def test_revive_when_of_a_schedule_then_it_is_open_again(partition: Partition) -> None:
    record = make_record(flags=FLAG_SCHEDULE, schedule="nightly", nominal_ms=5)
    bury_scheduled(partition, record)

    revive(partition.connection, partition.prefix, [A])

    assert partition.dump()["open:nightly"] == {A}


def bury_scheduled(partition: Partition, record: bytes) -> None:
    """A job of a schedule, noted as open by its fire, becomes a dead letter."""
    partition.client.sadd(partition.key("open:nightly"), A)
    bury(partition, A, record=record)
    assert "open:nightly" not in partition.dump()


def test_revive_when_a_consumer_is_idle_then_the_job_is_in_its_hands(partition: Partition) -> None:
    bury(partition, A)
    partition.register("w", "c")
    partition.taker().settle()

    revive(partition.connection, partition.prefix, [A])

    assert partition.dump()["held:w"].keys() == {A}


def test_revive_when_the_record_is_garbage_then_it_is_set_aside(partition: Partition) -> None:
    bury(partition, A)
    partition.client.hset(partition.key("jobs"), A, "garbage")

    assert revive(partition.connection, partition.prefix, [A]) == [A]
    state = partition.dump()
    assert list(state["quarantined"].values()) == [b"the record cannot be read\ngarbage"]
    assert not state.keys() & {"jobs", "dead"}


def test_drop_when_dead_then_nothing_but_the_result_stays(partition: Partition) -> None:
    bury(partition, A)

    assert drop(partition.connection, partition.prefix, [A]) == [A]
    state = partition.dump()
    assert not state.keys() & {"jobs", "dead", "forensics", "deliveries", "attempts", "ready:q:4"}
    assert partition.result_of(A) == b'DEAD\n{"cause": "SIGKILL"}'


def test_drop_when_the_id_was_a_callers_own_then_it_is_not_free_at_once(
    partition: Partition,
) -> None:
    own = make_record(flags=FLAG_OWN_ID)
    bury(partition, b"a", record=own)

    drop(partition.connection, partition.prefix, [b"a"])

    assert partition.enqueue(b"a", record=own).refused == (0,)


def sweep(partition: Partition, most: int, age_ms: int) -> list[int]:
    """Beat sweeps with bounds of its own."""
    counts: list[int] = partition.run("withdraw", 1000, TTL_MS, most, age_ms)
    return counts


def test_sweep_when_dead_letters_are_too_many_then_the_oldest_go(partition: Partition) -> None:
    bury(partition, A)
    partition.clock.advance(1000)
    bury(partition, B)
    partition.clock.advance(1000)
    bury(partition, C)

    assert sweep(partition, 2, 180 * DAY_MS) == [0, 1]
    state = partition.dump()
    assert state["dead"].keys() == state["jobs"].keys() == state["forensics"].keys() == {B, C}
    assert state["deliveries"].keys() == state["attempts"].keys() == {B, C}
    assert state["counters"] == {b"dead_dropped": b"1"}


def test_sweep_when_dead_letters_are_too_old_then_they_go(partition: Partition) -> None:
    bury(partition, A)
    partition.clock.advance(180 * DAY_MS + 1)
    bury(partition, B)

    assert sweep(partition, 100, 180 * DAY_MS) == [0, 1]
    assert partition.dump()["dead"].keys() == {B}


def test_sweep_when_very_many_are_too_old_then_a_hundred_go_at_a_time(
    partition: Partition,
) -> None:
    partition.client.zadd(partition.key("dead"), {f"d{n}": n for n in range(250)})

    dropped = [sweep(partition, 100_000, DAY_MS)[1] for _ in range(4)]

    assert dropped == [100, 100, 50, 0]


@pytest.mark.parametrize("bound", ["number", "age"])
def test_sweep_when_the_quarantine_is_over_its_bounds_then_the_oldest_goes_with_its_bytes(
    partition: Partition, bound: str
) -> None:
    partition.client.hset(partition.key("jobs"), A, "garbage")
    partition.run("cancel", A, TTL_MS, "soft")
    partition.clock.advance(2 * DAY_MS)
    partition.client.set(partition.key("dead"), "garbage")
    partition.run("cancel", B, TTL_MS, "soft")
    partition.enqueue(B)
    partition.run("cancel", B, TTL_MS, "soft")
    assert partition.client.zcard(partition.key("quarantine")) == 2

    sweep(partition, *((1, 180 * DAY_MS) if bound == "number" else (100, DAY_MS)))

    state = partition.dump()
    assert len(state["quarantine"]) == 1
    assert "quarantined" not in state
    assert state["counters"] == {b"quarantine_dropped": b"1"}


def test_sweep_when_a_key_that_was_set_aside_is_too_old_then_it_goes(partition: Partition) -> None:
    partition.client.set(partition.key("dead"), "garbage")
    partition.enqueue(A)
    partition.run("cancel", A, TTL_MS, "soft")
    assert any(key.startswith("aside:") for key in partition.dump())
    partition.clock.advance(2 * DAY_MS)

    sweep(partition, 100, DAY_MS)

    assert not any(key.startswith("aside:") for key in partition.dump())
