"""The watch: dead workers lose their jobs, and time that nobody watched does not count."""

from __future__ import annotations

import logging

import pytest

from beatline.ids import new_id
from beatline.job import record_body, record_head
from beatline.store.delivering import Call, Consumer, settle
from beatline.store.enqueuing import enqueue
from beatline.store.leasing import register, renew
from tests.beat.stage import Stage

LEASE_MS = 5_000


def _hold_a_job(stage: Stage) -> bytes:
    """A worker that takes one job, and what it took."""
    raw = new_id()
    record = record_head("default", 4, 0) + record_body("noop", (), {})
    enqueue(stage.connection, stage.prefix, b"sender", 1, [(raw, "0", record)], check=False)
    register(stage.connection, stage.prefix, "worker", LEASE_MS, {"host": "here"}, ["child"])
    taken = settle(
        stage.connection, Call(stage.prefix, Consumer("worker", "child", "default"), 1, limit=1)
    )
    assert [raw] == [delivery.id for delivery in taken.deliveries]
    return raw


def test_watcher_when_a_worker_is_silent_for_its_lease_then_takes_its_jobs_back(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    beat = stage.beat()
    stage.play(beat, LEASE_MS + 5_000)
    raw = _hold_a_job(stage)

    stage.play(beat, LEASE_MS - 500)
    before = stage.ready()
    with caplog.at_level(logging.WARNING, "beatline.beat.watcher"):
        stage.play(beat, 1_500)

    assert [] == before
    assert [raw] == stage.ready()
    assert "beat.worker_gone worker=worker" in caplog.text
    assert "beat.reclaimed jobs=1" in caplog.text


def test_watcher_when_a_worker_renews_then_takes_nothing(stage: Stage) -> None:
    beat = stage.beat()
    stage.play(beat, LEASE_MS + 5_000)
    _hold_a_job(stage)

    for _ in range(10):
        stage.play(beat, LEASE_MS - 1_000)
        renew(stage.connection, stage.prefix, "worker", LEASE_MS)

    assert [] == stage.ready()


def test_watcher_when_nobody_watched_then_workers_get_a_full_lease_to_report(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    beat = stage.beat()
    stage.play(beat, LEASE_MS + 5_000)
    raw = _hold_a_job(stage)

    stage.pass_ms(3_600_000)
    stage.play(beat, LEASE_MS - 1_000)
    before = stage.ready()
    stage.play(beat, LEASE_MS + 2_000)

    assert [] == before
    assert [raw] == stage.ready()
    assert "beat.unwatched ms=3600000" in caplog.text


def test_watcher_when_standing_by_then_ticks_and_reclaims_all_the_same(stage: Stage) -> None:
    leader, standby = stage.beat("leader"), stage.beat("standby")
    stage.play(leader, LEASE_MS + 5_000)
    raw = _hold_a_job(stage)
    standby.run()

    for _ in range(2 * LEASE_MS // 500):
        stage.pass_ms(500)
        leader.roles.leadership.run()
        standby.run()

    assert not standby.is_leader
    assert [raw] == stage.ready()


def test_watcher_when_the_clock_jumps_back_then_takes_nothing(stage: Stage) -> None:
    beat = stage.beat()
    stage.play(beat, LEASE_MS + 5_000)
    _hold_a_job(stage)

    stage.set_clock(stage.now_ms - 3_600_000)
    beat = stage.beat("after")
    stage.play(beat, LEASE_MS - 1_000)

    assert [] == stage.ready()


def test_watcher_when_redis_was_flushed_then_says_so(stage: Stage) -> None:
    beat = stage.beat()
    stage.play(beat, 5_000)
    ordinary = beat.roles.watcher.was_reset

    stage.connection.call("FLUSHALL")
    stage.pass_ms(1_000)
    beat.run()

    assert not ordinary
    assert beat.roles.watcher.was_reset
