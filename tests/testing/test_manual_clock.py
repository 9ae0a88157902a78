"""One clock for all scripts, moved by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from beatline import App
from beatline.errors import InvalidSetting, WrongUse
from beatline.testing import ManualClock, PrivateServer, bound
from beatline.units import instant_ms
from beatline.wire.scripts import Script

START = datetime(2026, 3, 1, tzinfo=UTC)


def test_clock_when_it_is_on_then_scripts_are_told_its_time() -> None:
    clock = ManualClock(START)

    with clock:
        clock.advance("1h30m")
        inside = Script.injected_now_us

    assert START + timedelta(minutes=90) == clock.now
    assert int(clock.now.timestamp() * 1_000_000) == inside
    assert 0 == Script.injected_now_us


def test_clock_when_it_is_off_then_moving_it_tells_nobody() -> None:
    clock = ManualClock(START)

    clock.move_to(START + timedelta(days=1))

    assert 0 == Script.injected_now_us


def test_clock_when_it_is_to_go_back_then_it_refuses() -> None:
    clock = ManualClock(START)

    with pytest.raises(WrongUse, match="cannot go back to 2026-02-28T23:59:59\\+00:00"):
        clock.move_to(START - timedelta(seconds=1))


def test_clock_when_another_is_on_then_it_refuses() -> None:
    with ManualClock(START), pytest.raises(WrongUse, match="another manual clock is on"):
        ManualClock(START).__enter__()

    assert 0 == Script.injected_now_us


def test_clock_when_the_start_has_no_zone_then_it_refuses() -> None:
    with pytest.raises(InvalidSetting, match="has no time zone"):
        ManualClock(datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point


def test_clock_when_it_moves_then_followers_are_told() -> None:
    told: list[datetime] = []

    with ManualClock(START, followers=(told.append,)) as clock:
        clock.advance(5)

    assert [START, START + timedelta(seconds=5)] == told


def test_clock_when_a_client_counts_down_then_it_counts_from_the_clock(
    beatline_server: PrivateServer,
) -> None:
    app = App("shop")
    with (
        ManualClock(START) as clock,
        bound(app, beatline_server.url, clock=clock),
    ):
        clock.advance("1d")
        sent = app.send_task("t", countdown="2h")
        (job,) = app.jobs.list()

    assert sent.id == job.id
    assert instant_ms(START + timedelta(days=1, hours=2)) == job.due_ms
