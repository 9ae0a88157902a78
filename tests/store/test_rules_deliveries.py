"""
Failing sequences behind the rules of delivery (docs/guarantees.md, "The rules").

Each test is one sequence that an earlier design got wrong: stale hands (R7), tokens that start
again (R11), a worker that calls while it is being emptied (R15), a cancel that a return undoes
(R18), and a state that forgets whoever is being emptied (R2).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.exceptions import ResponseError

from beatline.job import FLAG_OWN_ID, FLAG_SCHEDULE
from beatline.store.burying import revive
from beatline.store.cancelling import cancel
from beatline.store.delivering import Settlement
from beatline.store.leasing import give_back, release
from beatline.store.reporting import report
from tests.store.scenes import put_schedule
from tests.store.support import LEASE_MS, TTL_MS, Partition, Taker, changed, make_id, make_record

A, B, C = (make_id(n) for n in range(1, 4))
KEPT = make_record(flags=0)
OWN = b"order-1"


def die(partition: Partition, consumer: str, *, fence: int | None = None, most: int = 3) -> int:
    """A child's death is certain."""
    return release(
        partition.connection,
        partition.prefix,
        "w",
        consumer,
        charged_fences=() if fence is None else (fence,),
        forensics="{}",
        max_deliveries=most,
        result_ttl_ms=TTL_MS,
    )


def vanish(partition: Partition) -> None:
    """The worker ``w`` says nothing for a lease."""
    partition.tick(LEASE_MS // 1000 + 1)


# --- R2: held ----------------------------------------------------------------------------------


def test_look_when_the_holder_is_being_emptied_then_what_it_holds_still_runs(
    partition: Partition,
) -> None:
    partition.tick()
    partition.register("w", "c")
    partition.enqueue(A, B)
    partition.taker().settle()
    partition.tick(LEASE_MS // 1000 + 1, limit=1)

    states = [found[0] for found in partition.run("look", 0, A, B)]

    assert states == [b"RUNNING", b"QUEUED"]


# --- R7: each effect depends on the token -------------------------------------------------------


@pytest.mark.parametrize("outcome", ["ack", "keep", "end", "retry", "unknown", "return", "bury"])
def test_settle_when_the_token_is_old_then_no_outcome_has_an_effect(
    partition: Partition, outcome: str
) -> None:
    """The job went to another child: what the first one says of it changes nothing, anywhere."""
    put_schedule(partition, partition.clock.now_ms + 9, name="s")
    partition.register("w", "c", "d")
    record = make_record(flags=FLAG_SCHEDULE, schedule="s", nominal_ms=5)
    partition.run("trigger", "s", "allow", 5, A, record)
    old = partition.taker(consumer="c").settle().deliveries[0].fence
    die(partition, "c")
    partition.register("w", "c")
    partition.taker(consumer="d").settle()
    before = partition.dump()

    taker = partition.taker(consumer="c")
    one = Settlement(A, old, outcome, "SUCCESS", b"{}", 0, 0, "c 1")
    taken = taker.settle(settlements=[one], go_idle=False)

    assert taken.stale == [A]
    assert changed(before, partition.dump()).keys() == {"consumers:w"}


@pytest.mark.parametrize("kind", ["progress", "checkpoints", "unsure"])
def test_report_when_the_token_is_old_then_nothing_is_written(
    partition: Partition, kind: str
) -> None:
    partition.register("w", "c")
    partition.enqueue(A)
    taker = partition.taker()
    old = taker.settle().deliveries[0].fence
    taker.settle(settlements=[Settlement(A, old, "return")])
    before = partition.dump()

    with pytest.raises(ResponseError, match="LEASELOST"):
        report(
            *(partition.connection, partition.prefix, taker.consumer, A, old),
            kind=kind,  # type: ignore[arg-type]  # one of its literals
            value=b"1",
        )

    assert changed(before, partition.dump()) == {}


@pytest.mark.parametrize("outcome", ["ack", "keep", "end"])
@pytest.mark.parametrize("fault", ["old token", "lease over", "struck", "call left out"])
def test_settle_when_one_job_follows_another_then_the_short_way_is_as_strict(
    partition: Partition, fault: str, outcome: str
) -> None:
    """One job ended and the next taken is what children do most; it has a way of its own."""
    partition.tick()
    partition.register("w", "c")
    partition.enqueue(A, B, C)
    taker = partition.taker()
    fence = taker.settle(limit=1).deliveries[0].fence
    if fault == "old token":
        fence -= 1
    elif fault == "lease over":
        partition.client.zadd(partition.key("workers"), {"w": 0})
    elif fault == "struck":
        die(partition, "c")
    before = partition.dump()

    number = taker.number + (2 if fault == "call left out" else 1)
    one = Settlement(A, fence, outcome, "SUCCESS")
    refused = ""
    try:
        stale = taker.settle(limit=1, number=number, settlements=[one]).stale
    except ResponseError as error:
        refused, stale = str(error).partition(" ")[0], []

    words = {"old token": "", "call left out": "SKIPPED"}
    assert refused == words.get(fault, "LEASELOST")
    assert stale == ([A] if fault == "old token" else [])
    after = partition.dump()
    assert after["jobs"] == before["jobs"]
    assert f"result:{A!r}" not in after
    if refused:
        assert changed(before, after) == {}


def test_settle_when_the_short_way_is_repeated_then_it_ends_and_takes_nothing_anew(
    partition: Partition,
) -> None:
    partition.register("w", "c")
    partition.enqueue(A, B, C)
    taker = partition.taker()
    fence = taker.settle(limit=1).deliveries[0].fence
    second = taker.settle(acks=[(A, fence)], limit=1)

    again = taker.settle(acks=[(A, fence)], limit=1, number=taker.number)

    assert again.repeated
    assert again.deliveries == second.deliveries
    assert partition.dump()["ready:q:4"] == [C]


# --- R11: tokens only rise ----------------------------------------------------------------------


def _released(partition: Partition, taker: Taker, fence: int) -> None:
    die(partition, taker.consumer.id)


def _charged(partition: Partition, taker: Taker, fence: int) -> None:
    die(partition, taker.consumer.id, fence=fence)


def _given_back(partition: Partition, taker: Taker, fence: int) -> None:
    who = (taker.consumer.worker, taker.consumer.id)
    give_back(partition.connection, partition.prefix, *who, 0, TTL_MS)


def _retried(partition: Partition, taker: Taker, fence: int) -> None:
    taker.settle(settlements=[Settlement(OWN, fence, "retry")], limit=0, go_idle=False)
    partition.run("promote", 10)


def _revived(partition: Partition, taker: Taker, fence: int) -> None:
    taker.settle(settlements=[Settlement(OWN, fence, "bury")], limit=0, go_idle=False)
    revive(partition.connection, partition.prefix, [OWN])


def _used_again(partition: Partition, taker: Taker, fence: int) -> None:
    taker.settle(settlements=[Settlement(OWN, fence, "end")], limit=0, go_idle=False)
    partition.client.delete(partition.key(b"result:" + OWN))
    partition.enqueue(OWN, record=make_record(flags=FLAG_OWN_ID))


def _flushed(partition: Partition, taker: Taker, fence: int) -> None:
    """The last token is all that is left; and the clock goes back an hour."""
    kept = partition.client.get(partition.key("fence"))
    partition.client.flushdb()
    partition.client.set(partition.key("fence"), kept)  # type: ignore[arg-type]  # bytes
    partition.clock.advance(-3_600_000)
    partition.enqueue(OWN, record=make_record(flags=FLAG_OWN_ID))


@pytest.mark.parametrize(
    "again", [_released, _charged, _given_back, _retried, _revived, _used_again, _flushed]
)
def test_take_when_a_job_comes_again_then_its_token_is_higher(
    partition: Partition, again: Callable[[Partition, Taker, int], None]
) -> None:
    """Whatever brought the id back, an old delivery's token is never valid again."""
    partition.register("w", "c")
    partition.enqueue(OWN, record=make_record(flags=FLAG_OWN_ID))
    taker = partition.taker()
    first = taker.settle(go_idle=False).deliveries[0].fence

    again(partition, taker, first)
    partition.register("w", "d")
    second = partition.taker(consumer="d").settle().deliveries[0]

    assert second.id == OWN
    assert second.fence > first


# --- R15: reclaim -------------------------------------------------------------------------------


def test_settle_when_the_worker_is_being_emptied_then_it_can_end_and_take_nothing(
    partition: Partition,
) -> None:
    """Between two calls of reclaim, the presumed dead worker wakes up and settles."""
    partition.tick()
    partition.register("w", "c")
    partition.enqueue(A, B, C, record=KEPT)
    taker = partition.taker()
    held = taker.settle(limit=2).deliveries
    partition.tick(LEASE_MS // 1000 + 1, limit=1)
    before = partition.dump()

    with pytest.raises(ResponseError, match="LEASELOST"):
        taker.settle(settlements=[Settlement(A, held[0].fence, "end", "SUCCESS")])

    assert before.keys() >= {"gone", "held:w"}
    assert changed(before, partition.dump()) == {}


def test_reclaim_when_another_beat_began_then_any_beat_goes_on(partition: Partition) -> None:
    """What stands in `gone` is all that a beat needs: none has to live until the end."""
    partition.tick()
    partition.register("w", "c")
    partition.enqueue(A, B, C)
    partition.taker().settle()

    rounds = [partition.tick(LEASE_MS // 1000 + 1, limit=2), partition.tick(every_ms=5, limit=2)]

    assert [(one.returned, one.pending) for one in rounds] == [(2, 1), (1, 0)]
    state = partition.dump()
    assert state["ready:q:4"] == [A, B, C]
    assert not state.keys() & {"gone", "held:w", "worker:w"}


# --- R18: cancel sticks -------------------------------------------------------------------------


def _give_back_all(partition: Partition) -> None:
    give_back(partition.connection, partition.prefix, "w", "c", 0, TTL_MS)


def _withdraw(partition: Partition) -> None:
    partition.clock.advance(2_000)
    partition.run("withdraw", 1_000, TTL_MS, 10, 10**9)


def _kill(partition: Partition) -> None:
    fence = int(partition.dump()["held:w"][A].rpartition(b":")[2])
    die(partition, "c", fence=fence)


@pytest.mark.parametrize("way", [_give_back_all, _withdraw, _kill, vanish])
def test_job_when_cancelled_in_somebodys_hands_then_no_way_brings_it_back(
    partition: Partition, way: Callable[[Partition], None]
) -> None:
    partition.tick()
    partition.register("w", "c")
    partition.taker().settle()
    partition.enqueue(A, record=KEPT)
    if way is not _withdraw:
        partition.offered(opened=True)
    cancel(partition.connection, partition.prefix, A, TTL_MS, hard=False)

    way(partition)

    state = partition.dump()
    assert (partition.result_of(A) or b"").startswith(b"CANCELLED\n")
    assert not state.keys() & {"jobs", "ready:q:4", "deliveries", "cancelled", "held:w"}
