"""The deadman's switch: no success within expect_within raises one alert, and nothing else does."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from beatline import App
from beatline.beat.partition_round import PartitionRound
from beatline.keys import prefix
from beatline.schedules_api import Schedules
from beatline.store.expecting import Alert, count_expected, raise_alerts, read_alerts
from beatline.store.invariants import check
from beatline.wire.connection import Endpoint, HeldConnection
from tests.beat.stage import HOUR_MS, MINUTE_MS, MONDAY_MS, SECOND_MS, Stage, every
from tests.beat.test_overlap import Hands


@pytest.fixture
def schedules(stage: Stage, redis_url: str) -> Iterator[Schedules]:
    """``app.schedules`` on the stage's clock."""
    app = App("tests", redis=redis_url)
    yield Schedules(app)
    app.close()


@pytest.fixture
def beat(stage: Stage) -> PartitionRound:
    """A beat that watches."""
    beat = stage.beat()
    stage.settle(beat)
    return beat


def _late(stage: Stage) -> list[str]:
    return [alert.schedule for alert in read_alerts(stage.connection, stage.prefix)]


def _run_one(stage: Stage, hands: Hands, state: str = "SUCCESS") -> None:
    held = hands.take()
    assert held is not None
    hands.end(held, state)


def test_alert_when_there_is_no_success_in_time_then_raised_once(
    schedules: Schedules, stage: Stage, beat: PartitionRound, caplog: pytest.LogCaptureFixture
) -> None:
    schedules.put("tick", "noop", every="20s", expect_within="30s")
    caplog.set_level(logging.INFO, "beatline.beat.deadman")

    stage.play(beat, 29 * SECOND_MS)
    before = _late(stage)
    stage.play(beat, 30 * SECOND_MS)

    (alert,) = schedules.alerts()
    assert [] == before
    assert ("tick", 30_000, None) == (alert.schedule, alert.within_ms, alert.last_success)
    assert 30_000 <= alert.raised_ms - MONDAY_MS <= 32_000
    assert [("beat.alert", "tick")] == [
        (record.message.split()[0], record.message.split()[1].partition("=")[2])
        for record in caplog.records
    ]
    assert 0 == count_expected(stage.connection, stage.prefix)
    assert [] == check(stage.connection, stage.prefix)


def test_alert_when_a_job_succeeds_then_over_and_expected_anew(
    schedules: Schedules, stage: Stage, beat: PartitionRound, caplog: pytest.LogCaptureFixture
) -> None:
    schedules.put("tick", "noop", every="20s", expect_within="30s", overlap="allow")
    hands = Hands(stage)
    stage.play(beat, 40 * SECOND_MS)
    caplog.clear()
    caplog.set_level(logging.INFO, "beatline.beat.deadman")

    _run_one(stage, hands, "FAILURE")
    failed = _late(stage)
    _run_one(stage, hands)
    succeeded = _late(stage)
    stage.play(beat, 29 * SECOND_MS)
    in_time = _late(stage)
    stage.play(beat, 3 * SECOND_MS)

    assert (["tick"], [], []) == (failed, succeeded, in_time)
    (alert,) = schedules.alerts()
    assert MONDAY_MS + 40 * SECOND_MS == alert.last_success_ms
    said = [record.message.split()[0] for record in caplog.records]
    assert ["beat.alert_over", "beat.alert"] == said


def test_alert_when_jobs_succeed_in_time_then_never(
    schedules: Schedules, stage: Stage, beat: PartitionRound
) -> None:
    schedules.put("tick", "noop", every="20s", expect_within="30s")
    hands = Hands(stage)

    late = []
    for _ in range(6):
        stage.play(beat, 20 * SECOND_MS)
        _run_one(stage, hands)
        late += _late(stage)

    assert [] == late


def test_alert_when_no_beat_watched_then_that_time_does_not_count(
    schedules: Schedules, stage: Stage, beat: PartitionRound
) -> None:
    schedules.put("tick", "noop", every="20s", expect_within="30s")
    stage.play(beat, 20 * SECOND_MS)
    stage.pass_ms(5 * HOUR_MS)

    again = stage.beat("another")
    stage.play(again, 5 * SECOND_MS)
    back = _late(stage)
    stage.play(again, 10 * SECOND_MS)

    assert [] == back
    assert ["tick"] == _late(stage)


def test_alert_when_the_first_fire_time_lies_far_ahead_then_counts_from_there(
    schedules: Schedules, stage: Stage, beat: PartitionRound
) -> None:
    schedules.put("tick", "noop", at="2026-01-05T00:01:00Z", expect_within="30s")

    stage.play(beat, 85 * SECOND_MS)
    before = _late(stage)
    stage.play(beat, 7 * SECOND_MS)

    assert [] == before
    assert ["tick"] == _late(stage)


def test_alert_when_all_is_over_and_it_succeeded_then_never(
    schedules: Schedules, stage: Stage, beat: PartitionRound
) -> None:
    schedules.put("once", "noop", at="2026-01-05T00:00:10Z", expect_within="30s")
    hands = Hands(stage)
    stage.play(beat, 10 * SECOND_MS)
    _run_one(stage, hands)

    schedules.put("once", "noop", at="2026-01-05T00:00:10Z", expect_within="30s")
    stage.play(beat, MINUTE_MS)

    assert [] == _late(stage)
    assert 0 == count_expected(stage.connection, stage.prefix)


def test_alert_when_put_to_rest_then_over_and_begins_anew_with_resume(
    schedules: Schedules, stage: Stage, beat: PartitionRound
) -> None:
    schedules.put("tick", "noop", every="20s", expect_within="30s")
    schedules.put("declared", "noop", every="20s", expect_within="30s", paused=True)
    stage.play(beat, 40 * SECOND_MS)
    raised = _late(stage)

    schedules.pause("tick")
    at_rest = _late(stage)
    stage.play(beat, MINUTE_MS)
    later = _late(stage)
    schedules.resume("tick")
    schedules.put("declared", "noop", every="20s", expect_within="30s")
    stage.play(beat, 29 * SECOND_MS)
    resumed = _late(stage)
    stage.play(beat, 3 * SECOND_MS)

    assert (["tick"], [], [], []) == (raised, at_rest, later, resumed)
    assert ["declared", "tick"] == _late(stage)


def test_alert_when_paused_after_failures_then_raised_all_the_same(
    schedules: Schedules, stage: Stage, beat: PartitionRound
) -> None:
    schedules.put("tick", "noop", every="10s", expect_within="30s", pause_after_failures=1)
    hands = Hands(stage)
    stage.play(beat, 10 * SECOND_MS)
    _run_one(stage, hands, "FAILURE")
    assert "after 1 failures in a row" == stage.stored("tick").paused

    stage.play(beat, 25 * SECOND_MS)

    assert ["tick"] == _late(stage)


@pytest.mark.parametrize(
    ("change", "late"),
    [
        ({}, ["tick"]),
        ({"args": [1]}, ["tick"]),
        ({"expect_within": "40s"}, []),
        ({"expect_within": None}, []),
        ({"every": "15s"}, []),
    ],
)
def test_alert_when_declared_again_then_only_what_concerns_it_begins_anew(
    schedules: Schedules,
    stage: Stage,
    beat: PartitionRound,
    change: dict[str, Any],
    late: list[str],
) -> None:
    options: Any = {"every": "20s", "expect_within": "30s"}
    schedules.put("tick", "noop", **options)
    stage.play(beat, 20 * SECOND_MS)

    schedules.put("tick", "noop", **{**options, **change})
    stage.play(beat, 15 * SECOND_MS)

    assert late == _late(stage)


def test_alert_when_declared_again_while_it_stands_then_stands_on(
    schedules: Schedules, stage: Stage, beat: PartitionRound
) -> None:
    schedules.put("tick", "noop", every="20s", expect_within="30s")
    stage.play(beat, 35 * SECOND_MS)

    schedules.put("tick", "noop", every="20s", expect_within="30s", args=[1])
    same = _late(stage)
    schedules.put("tick", "noop", every="20s", expect_within="60s", args=[1])

    assert ["tick"] == same
    assert [] == _late(stage)


def test_alert_when_removed_then_gone(
    schedules: Schedules, stage: Stage, beat: PartitionRound
) -> None:
    schedules.put("tick", "noop", every="20s", expect_within="30s")
    schedules.put("tock", "noop", every="20s", expect_within="30s")
    stage.play(beat, 20 * SECOND_MS)
    schedules.remove("tock")
    stage.play(beat, 15 * SECOND_MS)
    raised = _late(stage)

    schedules.remove("tick")

    assert ["tick"] == raised
    assert [] == _late(stage)
    assert 0 == count_expected(stage.connection, stage.prefix)


def test_alert_when_only_a_backfill_succeeded_then_raised_but_a_trigger_counts(
    schedules: Schedules, stage: Stage, beat: PartitionRound
) -> None:
    for name in ("filled", "triggered"):
        schedules.put(name, "noop", every="10m", expect_within="30s")
    hands = Hands(stage)
    schedules.backfill("filled", "2026-01-04T00:00Z", "2026-01-04T00:00Z")
    schedules.trigger("triggered")
    stage.play(beat, 10 * MINUTE_MS + 20 * SECOND_MS, step_ms=1_900)
    for _ in range(2):
        _run_one(stage, hands)

    stage.play(beat, 15 * SECOND_MS)

    assert ["filled"] == _late(stage)


def test_alert_when_declared_as_a_set_then_raised_too(stage: Stage, beat: PartitionRound) -> None:
    declared = [
        every("tick", "20s", expect_within_ms=30_000, source="file:a.yaml"),
        every("tock", "20s", source="file:a.yaml"),
    ]
    stage.declare(*declared)
    stage.play(beat, 20 * SECOND_MS)
    stage.declare(*declared)

    stage.play(beat, 15 * SECOND_MS)

    assert ["tick"] == _late(stage)


def test_alerts_when_many_wait_then_a_look_costs_the_same(stage: Stage) -> None:
    waiting = {f"s{number}": MONDAY_MS + number for number in range(10_000)}
    flat = [item for name, at_ms in waiting.items() for item in (at_ms, name)]
    stage.connection.call("ZADD", stage.prefix + b"expected", *flat)
    before = _commands(stage)

    found = raise_alerts(stage.connection, stage.prefix)

    assert ([], []) == found
    assert _commands(stage) - before <= 6


def test_alerts_when_many_are_due_then_raised_in_steps(stage: Stage) -> None:
    stage.declare(*[every(f"s{number:03}", expect_within_ms=1_000) for number in range(150)])
    stage.connection.call("HSET", stage.prefix + b"watch", "w", 20_000)

    first, _ = raise_alerts(stage.connection, stage.prefix)
    second, _ = raise_alerts(stage.connection, stage.prefix)
    third, _ = raise_alerts(stage.connection, stage.prefix)

    assert (100, 50, 0) == (len(first), len(second), len(third))
    assert Alert("s000", MONDAY_MS, 1_000, None) == read_alerts(stage.connection, stage.prefix)[0]


def test_alerts_when_there_are_many_partitions_then_all_are_told(redis_url: str) -> None:
    app = App("tests", redis=redis_url, partitions=4)
    names = [f"tick-{number}" for number in range(8)]
    for name in names:
        app.schedules.put(name, "noop", every="1h", expect_within="1s")
    connection = HeldConnection(Endpoint(redis_url))
    for number in range(4):
        where = prefix("sched", number)
        connection.call("HSET", where + b"watch", "w", 2 * HOUR_MS)
        raise_alerts(connection, where)

    alerts = app.schedules.alerts()

    assert names == sorted(alert.schedule for alert in alerts)
    connection.close()
    app.close()


def _commands(stage: Stage) -> int:
    facts: bytes = stage.connection.call("INFO", "commandstats")
    return sum(int(calls) for calls in re.findall(rb":calls=(\d+),", facts))
