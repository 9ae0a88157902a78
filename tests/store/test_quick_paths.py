"""
The usual calls of enqueue and settle take a short way through their scripts.

Whatever the short way does must be what the whole transition does: both are run from the same
state, and their replies and what they leave are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import ResponseError

from beatline.job import FLAG_IGNORE_RESULT, FLAG_OWN_ID, FLAG_SCHEDULE
from beatline.wire.scripts import Script, script
from tests.store.support import START_US, TTL_MS, Partition, make_id, make_record

A, B, C = make_id(1), make_id(2), make_id(3)
RECORD = make_record()
KEPT = make_record(flags=0)
OF_SCHEDULE = make_record(
    flags=FLAG_SCHEDULE | FLAG_IGNORE_RESULT, schedule="nightly", nominal_ms=START_US // 1000
)

Change = Callable[[Partition], Any]


def whole(name: str, function: str) -> Script:
    """The script without its short way."""
    start = "\nlocal call, try, P"
    source = script(name).source
    assert source.count(start) == 1
    return Script(
        f"whole {name}", source.replace(start, f"\ndo return rarely().{function}() end{start}")
    )


WHOLE = {
    "enqueue": whole("enqueue", "enqueue_all"),
    "settle": whole("settle", "settle_and_take"),
}


def set_key(name: str, value: Any) -> Change:
    return lambda at: (at.client.delete(at.key(name)), at.client.set(at.key(name), value))


def set_field(name: str, field: Any, value: Any) -> Change:
    return lambda at: at.client.hset(at.key(name), field, value)


def drop(name: str) -> Change:
    return lambda at: at.client.delete(at.key(name))


def compare(
    partition: Partition, name: str, arrange: Change, change: Change, arguments: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Reply and state after the short way and after the whole; asserts that they are the same."""
    outcomes = []
    for called in (script(name), WHOLE[name]):
        partition.client.flushall()
        partition.clock.now_us = START_US
        arrange(partition)
        change(partition)
        partition.clock.advance(1)
        try:
            reply = partition.connection.run(called, partition.prefix, *arguments)
        except ResponseError as error:
            reply = str(error)
        outcomes.append((reply, partition.dump()))
    short, long = outcomes
    assert long == short
    return short


def nothing(_partition: Partition) -> None:
    """Leave it as it is."""


def one_waits(partition: Partition) -> None:
    partition.enqueue(A, number=4)


ENQUEUE = (b"sender", 5, "0", B, "0", RECORD)


@pytest.mark.parametrize(
    ("change", "arguments"),
    {
        "usual": (nothing, ENQUEUE),
        "kept": (nothing, (*ENQUEUE[:5], KEPT)),
        "repeated": (nothing, (b"sender", 4, *ENQUEUE[2:])),
        "overtaken": (nothing, (b"sender", 3, *ENQUEUE[2:])),
        "another sender": (nothing, (b"other", 1, *ENQUEUE[2:])),
        "later": (nothing, (*ENQUEUE[:4], "+5000", RECORD)),
        "checked": (nothing, (b"sender", 5, "1", *ENQUEUE[3:])),
        "own id": (nothing, (*ENQUEUE[:3], b"order-1", "0", make_record(flags=FLAG_OWN_ID))),
        "no record": (nothing, (*ENQUEUE[:5], b"\x01")),
        "of a schedule": (nothing, (*ENQUEUE[:5], OF_SCHEDULE)),
        "another queue": (nothing, (*ENQUEUE[:5], make_record(queue="r"))),
        "another priority": (nothing, (*ENQUEUE[:5], make_record(priority=9))),
        "no list": (drop("ready:q:4"), ENQUEUE),
        "list of another type": (set_key("ready:q:4", "x"), ENQUEUE),
        "jobs of another type": (set_key("jobs", "x"), ENQUEUE),
        "book of another type": (set_key("senders:497222", "x"), ENQUEUE),
        "garbage in the book": (set_field("senders:497222", b"sender", "x"), ENQUEUE),
        "absurd number": (set_field("senders:497222", b"sender", "9" * 20 + ":"), ENQUEUE),
        "paused": (set_field("queues", b"q", "P4"), ENQUEUE),
        "idle consumer": (lambda at: (at.register(), at.taker(queues="r").take()), ENQUEUE),
    }.values(),
)  # fmt: skip
def test_enqueue_when_it_takes_the_short_way_then_it_does_what_the_whole_does(
    partition: Partition, change: Change, arguments: tuple[Any, ...]
) -> None:
    partition.is_sound = False  # Some changes are garbage.

    compare(partition, "enqueue", one_waits, change, arguments)


def one_idles(partition: Partition) -> None:
    """Nothing waits, and one consumer is idle."""
    partition.tick()
    partition.register()
    partition.enqueue(A, number=4)
    taker = partition.taker()
    fence = taker.settle().deliveries[0].fence
    assert taker.settle(acks=[(A, fence)]).is_idle


@pytest.mark.parametrize(
    ("change", "arguments"),
    {
        "usual": (nothing, ENQUEUE),
        "kept": (nothing, (*ENQUEUE[:5], KEPT)),
        "repeated": (nothing, (b"sender", 4, *ENQUEUE[2:])),
        "nobody is idle": (drop("idle:q"), ENQUEUE),
        "nobody is registered": (drop("workers"), ENQUEUE),
        "another queue": (nothing, (*ENQUEUE[:5], make_record(queue="r"))),
        "another priority": (nothing, (*ENQUEUE[:5], make_record(priority=9))),
        "two priorities": (set_field("queues", b"q", "-94"), ENQUEUE),
        "another one waits": (
            lambda at: (
                at.client.hset(at.key("queues"), "q", "-94"),
                at.client.rpush(at.key("ready:q:9"), C),
            ),
            ENQUEUE,
        ),
        "paused": (set_field("queues", b"q", "P4"), ENQUEUE),
        "idle in two queues": (
            lambda at: at.taker(queues="q,r").settle(number=3),
            ENQUEUE,
        ),
        "struck": (drop("consumers:w"), ENQUEUE),
        "lease over": (set_field("watch", b"w", "99999999"), ENQUEUE),
        "clock went back": (lambda at: at.clock.advance(-60_000), ENQUEUE),
        "charged before": (set_field("deliveries", B, "1"), ENQUEUE),
        "others failed": (set_field("attempts", C, "1"), ENQUEUE),
        "garbage fence": (set_key("fence", "x"), ENQUEUE),
        "garbage is idle": (
            lambda at: (at.client.delete(at.key("idle:q")), at.client.sadd(at.key("idle:q"), "x")),
            ENQUEUE,
        ),
        "garbage in the watch": (set_field("watch", b"w", "x"), ENQUEUE),
        "idle of another type": (set_key("idle:q", "x"), ENQUEUE),
        "queues of another type": (set_key("queues", "x"), ENQUEUE),
        "watch of another type": (set_key("watch", "x"), ENQUEUE),
        "workers of another type": (set_key("workers", "x"), ENQUEUE),
        "books of another type": (set_key("consumers:w", "x"), ENQUEUE),
        "fence of another type": (
            lambda at: (at.client.delete(at.key("fence")), at.client.rpush(at.key("fence"), 1)),
            ENQUEUE,
        ),
        "list of another type": (set_key("ready:q:4", "x"), ENQUEUE),
    }.values(),
)  # fmt: skip
def test_enqueue_when_it_hands_over_in_short_then_it_does_what_the_whole_does(
    partition: Partition, change: Change, arguments: tuple[Any, ...]
) -> None:
    partition.is_sound = False  # Some changes are garbage.

    compare(partition, "enqueue", one_idles, change, arguments)


@pytest.mark.parametrize("name", ["held:w", "wake:c:1", "offers"])
def test_enqueue_when_it_cannot_hand_over_in_short_then_it_is_handed_over_all_the_same(
    partition: Partition, name: str
) -> None:
    one_idles(partition)
    set_key(name, "x")(partition)
    partition.is_sound = False

    partition.run("enqueue", *ENQUEUE)

    left = partition.dump()
    assert left["wake:c:1"][0].endswith(b" 0 0 16\n" + B + RECORD)
    assert left["held:w"][B].split(b":")[1] == left["wake:c:1"][0].split()[0]
    assert any(key.startswith(f"aside:{name}") for key in left)


@pytest.mark.parametrize("scene", [one_waits, one_idles])
def test_enqueue_when_usual_then_no_part_is_made(partition: Partition, scene: Change) -> None:
    usual = Script("usual", script("enqueue").source.replace("return rarely()", "error('long')"))
    scene(partition)

    reply = partition.connection.run(usual, partition.prefix, *ENQUEUE)

    assert [b"OK", b"", partition.clock.now_ms] == reply


def one_runs(partition: Partition) -> None:
    """A runs, B and C wait."""
    partition.tick()
    partition.register()
    for at, raw_id in enumerate((A, B, C)):
        partition.enqueue(raw_id, record=KEPT if raw_id == A else RECORD, number=at + 1)
    assert [A] == partition.taker().take(1)


def call(
    number: int = 2,
    *,
    flags: str = "i",
    limit: int = 1,
    connection: int = 1,
    queues: str = "q",
    fence: int = START_US + 1_000_000,
) -> tuple[Any, ...]:
    return ("w", "c", number, flags, limit, connection, 0, queues, 1, 0, 0, A, fence)


def end(state: str = "SUCCESS", ttl_ms: Any = TTL_MS, outcome: str = "end") -> tuple[Any, ...]:
    at = START_US + 1_000_000
    return (*call()[:8], 0, 0, 0, A, at, outcome, state, b"body", ttl_ms, 0, "")


def keep(ttl_ms: Any = TTL_MS, fence: int = START_US + 1_000_000) -> tuple[Any, ...]:
    return (*call()[:8], 0, 1, ttl_ms, A, fence, b"SUCCESS\nbody")


def ready(*ids: bytes, record: bytes = RECORD) -> Change:
    """Other jobs at the front of the list."""

    def change(at: Partition) -> None:
        at.client.delete(at.key("ready:q:4"))
        at.enqueue(*ids, record=record, number=9, check=False)

    return change


@pytest.mark.parametrize(
    ("change", "arguments"),
    {
        "ack": (nothing, call()),
        "keep": (nothing, keep()),
        "keep under an old fence": (nothing, keep(fence=START_US)),
        "keep for an absurd time": (nothing, keep(ttl_ms="9" * 15)),
        "keep for no time": (nothing, keep(ttl_ms=0)),
        "keep, unreadable": (set_field("jobs", A, b"x"), keep()),
        "keep, gone": (lambda at: at.client.hdel(at.key("jobs"), A), keep()),
        "keep, cancelled": (set_field("cancelled", A, "soft"), keep()),
        "end": (nothing, end()),
        "failure": (nothing, end("FAILURE")),
        "no result wanted": (set_field("jobs", A, RECORD), end()),
        "of a schedule": (set_field("jobs", A, OF_SCHEDULE), end()),
        "unreadable": (set_field("jobs", A, b"x"), end()),
        "gone": (lambda at: at.client.hdel(at.key("jobs"), A), end()),
        "retry": (nothing, end("FAILURE", outcome="retry")),
        "return": (nothing, end(outcome="return")),
        "absurd ttl": (nothing, end(ttl_ms="9" * 15)),
        "old fence": (nothing, call(fence=START_US)),
        "repeated": (nothing, call(1)),
        "left out": (nothing, call(3)),
        "older connection": (nothing, call(connection=0)),
        "newer connection": (nothing, call(connection=2)),
        "tell all": (nothing, call(flags="si")),
        "several": (nothing, call(limit=2)),
        "none": (nothing, call(limit=0)),
        "two queues": (nothing, call(queues="q,r")),
        "another queue": (nothing, call(queues="r")),
        "empty": (drop("ready:q:4"), call()),
        "paused": (set_field("queues", b"q", "P4"), call()),
        "two priorities": (set_field("queues", b"q", "-94"), call()),
        "garbage in queues": (set_field("queues", b"q", "x4"), call()),
        "charged": (set_field("deliveries", B, "1"), call()),
        "cancelled": (set_field("cancelled", A, "soft"), call()),
        "cancelled end": (set_field("cancelled", A, "soft"), end()),
        "next of a schedule": (ready(make_id(7), record=OF_SCHEDULE), call()),
        "next with its own id": (ready(b"o" * 16, record=make_record(flags=FLAG_OWN_ID)), call()),
        "next without a record": (lambda at: at.client.hdel(at.key("jobs"), B), call()),
        "next is garbage": (lambda at: at.client.lpush(at.key("ready:q:4"), "x"), call()),
        "next is unreadable": (set_field("jobs", B, b"x"), call()),
        "clock went back": (lambda at: at.clock.advance(-60_000), call()),
        "garbage fence": (set_key("fence", "x"), call()),
        "fence of another type": (
            lambda at: (at.client.delete(at.key("fence")), at.client.rpush(at.key("fence"), 1)),
            call(),
        ),
        "list of another type": (set_key("ready:q:4", "x"), call()),
        "jobs of another type": (set_key("jobs", "x"), call()),
        "held of another type": (set_key("held:w", "x"), call()),
        "books of another type": (set_key("consumers:w", "x"), call()),
        "queues of another type": (set_key("queues", "x"), call()),
        "watch of another type": (set_key("watch", "x"), call()),
        "workers of another type": (set_key("workers", "x"), call()),
        "garbage in held": (set_field("held:w", A, "x"), call()),
        "garbage in the books": (set_field("consumers:w", b"c", "x"), call()),
        "garbage in the watch": (set_field("watch", b"w", "x"), call()),
        "lease over": (set_field("watch", b"w", "99999999"), call()),
        "not registered": (drop("workers"), call()),
        "struck": (drop("consumers:w"), call()),
    }.values(),
)  # fmt: skip
def test_settle_when_it_takes_the_short_way_then_it_does_what_the_whole_does(
    partition: Partition, change: Change, arguments: tuple[Any, ...]
) -> None:
    partition.is_sound = False  # Some changes are garbage.

    compare(partition, "settle", one_runs, change, arguments)


@pytest.mark.parametrize("arguments", [call(), keep()])
def test_settle_when_usual_then_no_part_is_made(
    partition: Partition, arguments: tuple[Any, ...]
) -> None:
    usual = Script("usual", script("settle").source.replace("return rarely()", "error('long')"))
    one_runs(partition)

    reply = partition.connection.run(usual, partition.prefix, *arguments)

    assert (b"OK", [], [B], [RECORD]) == (reply[0], reply[2], reply[3], reply[5])
