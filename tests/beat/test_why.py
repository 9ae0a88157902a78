"""Why: each sentence, from what real scripts have written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from beatline import App
from beatline.errors import InvalidTrigger
from beatline.explaining import Verdict
from beatline.ids import id_text
from beatline.schedules_api import Schedules
from tests.beat.stage import HOUR_MS, MINUTE_MS, MONDAY_MS, Stage
from tests.beat.test_overlap import Hands

#: 2026-03-29 00:00 UTC, the Sunday of Berlin's spring change, from Monday the 5th of January.
_SPRING_MS = 1_774_742_400_000


@pytest.fixture
def schedules(stage: Stage, redis_url: str) -> Iterator[Schedules]:
    """``app.schedules`` on the stage's clock."""
    app = App("tests", redis=redis_url)
    yield Schedules(app)
    app.close()


def _end(stage: Stage, **ended: Any) -> None:
    """Write the end of the only job, as the scripts do."""
    (job,) = stage.jobs()
    event = f"ended {job.nominal_ms} {ended['at_ms']} SUCCESS w1 {ended['started_ms']}"
    stage.connection.call("RPUSH", stage.prefix + b"ledger:tick", event)


def test_why_when_the_job_has_ended_then_how_late_and_how_long(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h")
    stage.play(stage.beat(), HOUR_MS, step_ms=HOUR_MS)
    fire_ms = MONDAY_MS + HOUR_MS
    _end(stage, started_ms=fire_ms + 3, at_ms=fire_ms + 893)

    told = schedules.why("tick", "2026-01-05T01:00")

    (job,) = stage.jobs()
    assert (Verdict.FIRED, fire_ms) == (told.verdict, told.fire_ms)
    assert (
        "tick 2026-01-05 01:00:00 UTC: fired and ran 3 ms late; "
        f"job {id_text(job.id)} ended in SUCCESS after 890 ms on w1; "
        "next is 2026-01-05 02:00:00 UTC"
    ) == told.sentence


def test_why_when_the_job_waits_then_where_it_is(schedules: Schedules, stage: Stage) -> None:
    schedules.put("tick", "noop", every="1h")
    stage.play(stage.beat(), HOUR_MS, step_ms=HOUR_MS)

    told = schedules.why("tick", "01:00")

    assert "fired 0 ms late; job " in told.sentence
    assert " waits in its queue; next is" in told.sentence


def test_why_when_skipped_then_the_job_that_was_in_the_way(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h", overlap="skip")
    stage.play(stage.beat(), 2 * HOUR_MS, step_ms=MINUTE_MS)
    (job,) = stage.jobs()
    _end(stage, started_ms=MONDAY_MS + HOUR_MS, at_ms=MONDAY_MS + 2 * HOUR_MS + MINUTE_MS)

    told = schedules.why("tick", "2026-01-05T02:00:00Z")

    assert Verdict.SKIPPED is told.verdict
    assert (
        f"skipped, because job {id_text(job.id)} of 2026-01-05 01:00:00 UTC was still running, "
        "and ran until 2026-01-05 02:01:00 UTC"
    ) in told.sentence


def test_why_when_no_beat_was_up_then_from_when_to_when(schedules: Schedules, stage: Stage) -> None:
    schedules.put("tick", "noop", every="1h", catch_up="none")
    stage.settle(stage.beat())
    stage.pass_ms(2 * HOUR_MS + 5 * MINUTE_MS)
    stage.play(stage.beat(), 5_000)

    told = schedules.why("tick", "02:00")

    assert Verdict.MISSED is told.verdict
    assert (
        "tick 2026-01-05 02:00:00 UTC: missed: no beat was up from 2026-01-05 00:00:00 UTC "
        "to 2026-01-05 02:05:00 UTC; one of 2 fire times from 2026-01-05 01:00:00 UTC "
        "to 2026-01-05 02:00:00 UTC; next is 2026-01-05 03:00:00 UTC"
    ) == told.sentence


def test_why_when_paused_then_since_when_and_why(schedules: Schedules, stage: Stage) -> None:
    schedules.put("tick", "noop", every="1h")
    schedules.pause("tick", "the warehouse moves")
    stage.pass_ms(HOUR_MS)

    told = schedules.why("tick", "01:00")

    assert Verdict.WAITS is told.verdict
    assert (
        "tick 2026-01-05 01:00:00 UTC: does not fire: the schedule is paused "
        "since 2026-01-05 00:00:00 UTC: the warehouse moves"
    ) == told.sentence


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("", "paused by hand from {span}"),
        ("the warehouse moves", "paused from {span}: the warehouse moves"),
        ("after 2 failures in a row", "paused from {span}, after 2 failures in a row"),
    ],
)
def test_why_when_it_was_paused_then_missed_for_that(
    schedules: Schedules, stage: Stage, reason: str, expected: str
) -> None:
    schedules.put("tick", "noop", every="1h")
    schedules.pause("tick", reason)
    stage.pass_ms(HOUR_MS + MINUTE_MS)
    schedules.resume("tick")
    stage.play(stage.beat(), HOUR_MS, step_ms=MINUTE_MS)

    told = schedules.why("tick", "01:00")

    paused = expected.format(span="2026-01-05 00:00:00 UTC to 2026-01-05 01:01:00 UTC")
    assert f"01:00:00 UTC: missed: the schedule was {paused}; next is" in told.sentence


def test_why_when_declared_at_rest_then_says_so(schedules: Schedules) -> None:
    schedules.put("tick", "noop", every="1h", paused=True)

    told = schedules.why("tick")

    assert (
        "tick has not fired yet: the schedule is declared as paused since 2026-01-05 00:00:00 UTC"
    ) == told.sentence


def test_why_when_the_job_in_the_way_has_not_ended_then_what_it_does(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h", overlap="skip")
    stage.play(stage.beat(), 2 * HOUR_MS, step_ms=HOUR_MS)
    (job,) = stage.jobs()

    waiting = schedules.why("tick", "02:00")
    Hands(stage).take()
    running = schedules.why("tick", "02:00")

    skipped = f"skipped, because job {id_text(job.id)} of 2026-01-05 01:00:00 UTC had not ended; it"
    assert f"{skipped} still waits in its queue; next is" in waiting.sentence
    assert f"{skipped} still runs; next is" in running.sentence


def test_why_when_the_next_is_overdue_then_asks_for_a_beat(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h")
    stage.play(stage.beat(), HOUR_MS, step_ms=HOUR_MS)
    stage.pass_ms(HOUR_MS + 8_000)

    told = schedules.why("tick", "01:00")

    assert told.sentence.endswith(
        "; 2026-01-05 02:00:00 UTC is due for 8 s and not fired: is a beat up?"
    )


def test_why_when_it_never_fires_then_since_when(schedules: Schedules) -> None:
    schedules.put("once", "noop", at="2020-01-01T00:00Z")

    told = schedules.why("once")

    assert (
        "once has not fired, and never will: it names no fire time after it was declared, "
        "2026-01-05 00:00:00 UTC"
    ) == told.sentence


def test_why_when_it_lies_far_ahead_then_the_length_has_two_units(schedules: Schedules) -> None:
    schedules.put("tick", "noop", every="1h", offset="59s")

    told = schedules.why("tick", "2026-02-05T03:00:59Z")

    assert "2026-02-05 03:00:59 UTC: is planned, in 31d3h; next is" in told.sentence


@pytest.mark.parametrize(
    ("options", "at", "expected"),
    [
        ({"every": "1h", "start": "2026-02-01"}, "2026-01-06T01:00", "the schedule starts at "),
        ({"every": "1h", "end": "2026-01-07"}, "2026-01-09T01:00", "the schedule ended at "),
        (
            {"cron": "0 9 * * *", "exclude": [{"calendar": "holidays", "dates": ["2026-01-06"]}]},
            "2026-01-06T09:00",
            "excluded: holidays (2026-01-06)",
        ),
        ({"cron": "0 9 * * *"}, "2026-01-06T10:00", "the trigger does not name this time"),
        (
            {"cron": "*/20 * * * *", "timezone": "Europe/Berlin", "exclude": ["mon"]},
            "2026-03-29T02:10",
            "02:10 does not exist on this day in Europe/Berlin, the clocks go on to 03:00",
        ),
        (
            {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
            "2026-10-25T02:30+01:00",
            "this hour comes twice on this day, and it fires in the first pass only",
        ),
    ],
)
def test_why_when_nothing_is_planned_then_the_reason(
    schedules: Schedules, stage: Stage, options: dict[str, Any], at: str, expected: str
) -> None:
    schedules.put("tick", "noop", **options)

    told = schedules.why("tick", at)

    assert expected in told.sentence


def test_why_when_a_gap_moved_it_then_told_with_its_fate(
    schedules: Schedules, stage: Stage
) -> None:
    stage.set_clock(_SPRING_MS)
    schedules.put("tick", "noop", cron="30 2 * * *", timezone="Europe/Berlin")
    stage.play(stage.beat(), 2 * HOUR_MS, step_ms=MINUTE_MS)

    told = schedules.why("tick", "2026-03-29T02:30")

    assert Verdict.FIRED is told.verdict
    assert "tick 2026-03-29 03:00:00 CEST: fired 0 ms late" in told.sentence
    assert "(02:30 does not exist on this day in Europe/Berlin, the clocks go on to 03:00)" in (
        told.sentence
    )


def test_why_when_it_lies_ahead_then_how_long(schedules: Schedules) -> None:
    schedules.put("tick", "noop", every="1h")

    told = schedules.why("tick", "2026-01-05T03:00")

    assert Verdict.WAITS is told.verdict
    assert "tick 2026-01-05 03:00:00 UTC: is planned, in 3h; next is" in told.sentence


def test_why_when_due_and_no_beat_is_up_then_asks_for_one(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h")
    stage.pass_ms(HOUR_MS + 90_000)

    told = schedules.why("tick", "01:00")

    assert "tick 2026-01-05 01:00:00 UTC: due for 1m30s and not fired: is a beat up?" == (
        told.sentence
    )


def test_why_when_it_was_not_declared_then_then_says_since_when(schedules: Schedules) -> None:
    schedules.put("tick", "noop", every="1h")

    told = schedules.why("tick", "2026-01-04T22:00")

    assert Verdict.NOT_PLANNED is told.verdict
    assert "declared as it is only since 2026-01-05 00:00:00 UTC" in told.sentence


def test_why_when_no_time_is_given_then_the_latest(schedules: Schedules, stage: Stage) -> None:
    schedules.put("tick", "noop", every="1h")
    before = schedules.why("tick")
    stage.play(stage.beat(), HOUR_MS, step_ms=HOUR_MS)

    after = schedules.why("tick")

    assert "tick has not fired yet; its next fire time is 2026-01-05 01:00:00 UTC" == (
        before.sentence
    )
    assert after.sentence.startswith("tick 2026-01-05 01:00:00 UTC: fired 0 ms late; job ")


def test_why_when_there_is_no_such_schedule_then_the_nearest_name(schedules: Schedules) -> None:
    schedules.put("nightly-report", "noop", every="1h")

    told = schedules.why("nightly-reprot")

    assert Verdict.UNKNOWN_SCHEDULE is told.verdict
    assert 'there is no schedule "nightly-reprot" – did you mean "nightly-report"?' == told.sentence


def test_why_when_the_moment_cannot_be_read_then_refused(schedules: Schedules) -> None:
    schedules.put("tick", "noop", every="1h")

    with pytest.raises(InvalidTrigger, match="at 'yesterday'"):
        schedules.why("tick", "yesterday")
