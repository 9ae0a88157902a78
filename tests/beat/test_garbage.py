"""Garbage under every name of ours: beat goes on, and nothing of it is lost."""

from __future__ import annotations

import pytest

from beatline.keys import KEYS
from beatline.schedule import Overlap
from tests.beat.stage import HOUR_MS, MONDAY_MS, Stage, every

#: A name for each pattern that this schedule's life touches.
_NAMES = [
    key.pattern.replace("sched:*", "sched:tick")
    .replace("open:*", "open:tick")
    .replace("ledger:*", "ledger:tick")
    .replace("ready:*", "ready:default:4")
    .replace("idle:*", "idle:default")
    .replace("*", "x")
    for key in KEYS
    if not key.pattern.startswith("aside")
]


def _put_garbage(stage: Stage, key: bytes) -> None:
    """Something of another type under the name."""
    is_text = stage.connection.call("TYPE", key) == b"string"
    stage.connection.call("DEL", key)
    if is_text or key.endswith(b"fence"):
        stage.connection.call("SADD", key, b"gar\xffbage")
    else:
        stage.connection.call("SET", key, b"gar\xffbage")


@pytest.mark.parametrize("name", _NAMES)
def test_beat_when_a_key_is_of_a_wrong_type_then_goes_on(stage: Stage, name: str) -> None:
    stage.declare(every("tick"), every("other"))
    beat = stage.beat()
    stage.play(beat, 15_000)

    _put_garbage(stage, stage.prefix + name.encode())
    stage.play(beat, 10_000)
    stage.declare(every("tick"), every("other"))
    stage.play(stage.beat("another"), 30_000)

    fired = {(job.schedule, job.nominal_ms) for job in stage.jobs()}
    # The schedule itself may have to be declared anew; all that lies after that is fired.
    assert {
        (schedule, MONDAY_MS + second * 1_000)
        for schedule in ("tick", "other")
        for second in (30, 40, 50)
    } <= fired


def test_beat_when_garbage_is_on_the_timeline_then_sets_it_aside_and_goes_on(
    stage: Stage,
) -> None:
    stage.declare(every("tick"))
    beat = stage.beat()
    stage.settle(beat)
    for member in (
        b"",
        b"s",
        b"x",
        b"sghost",
        b"s\xff\x00",
        b"j4short",
        b"u4\xffabc",
        b"\x00" * 40,
    ):
        stage.connection.call("ZADD", stage.prefix + b"timeline", MONDAY_MS - HOUR_MS, member)
    stage.connection.call("ZADD", stage.prefix + b"timeline", "-inf", "sminus", "+inf", "splus")
    stage.connection.call("ZADD", stage.prefix + b"timeline", "0.5", "shalf")

    stage.play(beat, 20_000)

    assert [(10.0, "fired"), (20.0, "fired")] == stage.fates("tick")
    left = stage.connection.call("ZRANGE", stage.prefix + b"timeline", 0, -1)
    assert [b"stick", b"splus"] == left


def test_beat_when_garbage_stands_for_an_earlier_job_then_it_is_not_in_the_way(
    stage: Stage,
) -> None:
    stage.declare(every("tick", overlap=Overlap.SKIP))
    beat = stage.beat()
    stage.connection.call("HSET", stage.prefix + b"jobs", b"garbage", b"\x01garbage")
    stage.connection.call("SADD", stage.prefix + b"open:tick", b"garbage")

    stage.play(beat, 10_000)

    assert [(10.0, "fired")] == stage.fates("tick")
