"""Soft leadership: one acts, another follows within two seconds."""

from __future__ import annotations

import logging

import pytest

from beatline.beat.leadership import LENGTH_MS, STANDBY_PAUSE_MS
from tests.beat.stage import Stage


def test_leadership_when_two_ask_then_the_first_leads(stage: Stage) -> None:
    one, other = stage.beat("one"), stage.beat("other")

    one.run()
    other.run()

    assert (True, False) == (one.is_leader, other.is_leader)
    assert ("one", 1) == (other.roles.leadership.leader, other.roles.leadership.term)


def test_leadership_when_the_leader_dies_then_another_follows_within_two_seconds(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = stage.beat("one"), stage.beat("other")
    one.run()
    died_ms = stage.now_ms
    other.run()

    with caplog.at_level(logging.INFO, "beatline.beat"):
        while not other.is_leader:
            stage.pass_ms(STANDBY_PAUSE_MS)
            other.run()

    assert LENGTH_MS <= stage.now_ms - died_ms <= 2_000
    assert "beat.leading beat=other term=2" in caplog.text


def test_leadership_when_the_leader_goes_on_then_stays(stage: Stage) -> None:
    one, other = stage.beat("one"), stage.beat("other")

    for _ in range(20):
        one.run()
        other.run()
        stage.pass_ms(950)

    assert (True, 1) == (one.is_leader, one.roles.leadership.term)
    assert not other.is_leader


def test_leadership_when_resigned_then_another_leads_at_once(stage: Stage) -> None:
    one, other = stage.beat("one"), stage.beat("other")
    one.run()
    other.run()

    one.roles.leadership.resign()
    stage.pass_ms(STANDBY_PAUSE_MS)
    other.run()

    assert (False, True) == (one.is_leader, other.is_leader)


def test_leadership_when_paused_for_long_then_stands_by_and_fires_nothing(stage: Stage) -> None:
    one, other = stage.beat("one"), stage.beat("other")
    one.run()

    stage.pass_ms(10_000)
    other.run()
    one.run()

    assert (False, True) == (one.is_leader, other.is_leader)


def test_leadership_when_redis_lost_it_then_leads_again(stage: Stage) -> None:
    one = stage.beat("one")
    one.run()

    one.lose()
    before = one.is_leader
    one.run()

    assert not before
    assert one.is_leader
