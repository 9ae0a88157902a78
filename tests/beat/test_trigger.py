"""Triggered by hand: a job outside the grid, in the ledger, under the overlap policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beatline import App
from beatline.errors import WrongUse
from beatline.schedules_api import Schedules
from beatline.store.invariants import check
from tests.beat.stage import MONDAY_MS, Stage


@pytest.fixture
def schedules(stage: Stage, redis_url: str) -> Iterator[Schedules]:
    """``app.schedules`` on the stage's clock."""
    app = App("tests", redis=redis_url)
    yield Schedules(app)
    app.close()


def test_trigger_when_asked_then_a_job_and_what_is_planned_stays(
    schedules: Schedules, stage: Stage
) -> None:
    before = schedules.put("tick", "noop", every="1h", args=[7])
    stage.pass_ms(1_234)

    made = schedules.trigger("tick")

    (job,) = stage.jobs()
    (entry,) = stage.history("tick")
    assert made is not None
    assert (made.id, [7]) == (entry.job_id, job.args)
    assert (MONDAY_MS + 1_234, 0) == (entry.nominal_ms, entry.lateness_ms)
    after = schedules.get("tick")
    assert after is not None
    assert (before.next_fire, before.last_fire) == (after.next_fire, after.last_fire)
    assert [] == check(stage.connection, stage.prefix)


def test_trigger_when_an_earlier_job_waits_then_the_policy_decides(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h", overlap="skip")
    schedules.trigger("tick")
    stage.pass_ms(1)

    second = schedules.trigger("tick")
    schedules.put("tick", "noop", every="1h", overlap="buffer_one")
    stage.pass_ms(1)
    third = schedules.trigger("tick")

    assert second is None
    assert third is not None
    assert ["fired", "skipped", "fired"] == [fate for _, fate in stage.fates("tick")]
    assert 1 == len(stage.ready())
    assert [] == check(stage.connection, stage.prefix)


def test_trigger_when_paused_then_still_runs(schedules: Schedules, stage: Stage) -> None:
    schedules.put("tick", "noop", every="1h", paused=True)

    schedules.trigger("tick")

    assert 1 == len(stage.ready())


def test_trigger_when_there_is_no_such_schedule_then_the_nearest_name(
    schedules: Schedules,
) -> None:
    schedules.put("tick", "noop", every="1h")

    with pytest.raises(WrongUse, match='did you mean "tick"'):
        schedules.trigger("tikc")
