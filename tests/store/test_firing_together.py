"""Several schedules in one call of ``fire.lua``: each as if it were alone."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from beatline.job import FLAG_SCHEDULE
from beatline.store.firing import Advance, Answer, Fired, JobStep, MissedStep, read_answer
from tests.store.support import START_US, Partition, make_id, make_record

START_MS = START_US // 1000
MINUTE_MS = 60_000
OVERLAPS = ("allow", "skip", "buffer_one", "buffer_all", "cancel_running")


def put(partition: Partition, name: str, next_ms: int = START_MS) -> None:
    """Declare a schedule."""
    partition.run("put_schedule", name, "d", "t", "code", next_ms, next_ms, "", "", "2026a")


def occurrence(name: str, number: int, nominal_ms: int, queue: str = "q") -> JobStep:
    """One job to be made."""
    record = make_record(queue, 4, FLAG_SCHEDULE, name, nominal_ms)
    return JobStep(nominal_ms, make_id(number), record)


def planned(
    partition: Partition, name: str, overlap: str, *steps: JobStep | MissedStep, after: int = 1
) -> Advance:
    """A schedule's advance, from what is stored."""
    found: Any = partition.client.hmget(partition.key(f"sched:{name}"), "rev", "next")
    revision, expected = (value or b"" for value in found)
    next_ms = START_MS + after * MINUTE_MS
    return Advance(name, revision, expected, next_ms, next_ms, overlap, steps)


def set_scene(partition: Partition) -> list[Advance]:
    """Schedules of all kinds, and what is to become of them now."""
    numbers = iter(range(1, 100))
    advances: list[Advance] = []
    for overlap in OVERLAPS:
        put(partition, overlap)
        put(partition, f"{overlap} twice")
        first = occurrence(overlap, next(numbers), START_MS, queue=f"q-{overlap[:4]}")
        advances.append(planned(partition, overlap, overlap, first))
        both = [
            occurrence(f"{overlap} twice", next(numbers), START_MS - at_ms)
            for at_ms in (MINUTE_MS, 0)
        ]
        advances.append(planned(partition, f"{overlap} twice", overlap, *both))
    for name in ("missed", "garbage", "same id", "last", "paused"):
        put(partition, name)
    partition.client.hset(partition.key("sched:paused"), "paused", "by a person")
    put(partition, "early", START_MS + MINUTE_MS)
    put(partition, "stale")
    partition.client.zadd(partition.key("timeline"), {"spaused": 1, "sabsent": 1, "searly": 1})
    span = MissedStep(START_MS - 9, START_MS - 1, "no beat", 4)
    alone = occurrence("missed", next(numbers), START_MS)
    garbage = JobStep(START_MS, make_id(next(numbers)), b"garbage")
    again = occurrence("same id", 1, START_MS)
    last = planned(partition, "last", "skip", occurrence("last", next(numbers), START_MS))
    stale = planned(partition, "stale", "skip", occurrence("stale", next(numbers), START_MS))
    return [
        *advances,
        planned(partition, "missed", "skip", span, alone),
        planned(partition, "garbage", "skip", garbage),
        planned(partition, "same id", "skip", again),
        replace(last, next_ms=None, due_ms=None),
        replace(stale, revision=b"7"),
        *(
            planned(partition, name, "skip", occurrence(name, next(numbers), START_MS))
            for name in ("paused", "early", "absent")
        ),
        replace(
            planned(partition, "allow", "allow", occurrence("allow", next(numbers), START_MS)),
            expected=b"%d" % (START_MS + MINUTE_MS),
        ),
    ]


def carry_out(partition: Partition, *calls: list[Advance]) -> Answer:
    """Make calls at the partition's instant; what became of each advance, and the last answer."""
    fired: list[Fired] = []
    for call in calls:
        arguments = [argument for advance in call for argument in advance.arguments()]
        answer = read_answer(partition.run("fire", *arguments))
        fired += answer.fired
    return replace(answer, fired=fired)


def test_fire_when_schedules_share_a_call_then_each_is_as_alone(partition: Partition) -> None:
    advances = set_scene(partition)
    alone = carry_out(partition, *([advance] for advance in advances)).fired
    state = partition.dump()
    partition.client.flushall()

    together = carry_out(partition, set_scene(partition)).fired

    assert alone == together
    assert state == partition.dump()
    assert {"OK", "STALE", "PAUSED", "EARLY", "ABSENT"} == {fired.word for fired in together}
    assert 0 < sum(fired.skipped for fired in together) < sum(fired.jobs for fired in together)


def test_fire_when_answered_then_tells_the_clock_and_the_head(partition: Partition) -> None:
    put(partition, "s")
    advance = planned(partition, "s", "skip", occurrence("s", 1, START_MS), after=3)

    answer = carry_out(partition, [advance])

    assert (partition.clock.now_us, START_MS + 3 * MINUTE_MS) == (answer.now_us, answer.head_ms)


def test_fire_when_the_timeline_becomes_empty_then_tells_no_head(partition: Partition) -> None:
    put(partition, "s")
    advance = planned(partition, "s", "skip", occurrence("s", 1, START_MS))

    answer = carry_out(partition, [replace(advance, next_ms=None, due_ms=None)])

    assert answer.head_ms is None


def test_ledger_when_it_grows_long_then_it_is_trimmed_by_a_tenth(partition: Partition) -> None:
    put(partition, "s")
    key = partition.key("ledger:s")
    partition.client.rpush(key, *(f"old {number}" for number in range(660)))

    carry_out(partition, [planned(partition, "s", "skip", occurrence("s", 1, START_MS))])

    assert 600 == partition.client.llen(key)
    assert b"old 61" == partition.client.lindex(key, 0)
