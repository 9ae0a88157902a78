"""Backfill: past fire times become jobs once, in order, and the ledger tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from beatline import App
from beatline.backfill import Progress
from beatline.errors import InvalidSetting, InvalidTrigger, WrongUse
from beatline.explaining import Verdict
from beatline.ids import id_text, occurrence_id
from beatline.ledger import Fate
from beatline.schedules_api import Schedules
from beatline.store.backfilling import Batch, Run, backfill, find_run
from beatline.store.firing import JobStep
from beatline.store.invariants import check
from tests.beat.stage import HOUR_MS, MINUTE_MS, MONDAY_MS, Stage
from tests.beat.test_overlap import Hands

_DAY_MS = 24 * HOUR_MS
_DAY_BEFORE = ("2026-01-04T00:00Z", "2026-01-04T23:59Z")


@pytest.fixture
def schedules(stage: Stage, redis_url: str) -> Iterator[Schedules]:
    """``app.schedules`` on the stage's clock."""
    app = App("tests", redis=redis_url)
    yield Schedules(app)
    app.close()


def _hours(stage: Stage) -> list[float]:
    """The fire times of all jobs, hours from the stage's start."""
    return [((job.nominal_ms or 0) - MONDAY_MS) / HOUR_MS for job in stage.jobs()]


def _miss(schedules: Schedules, stage: Stage, hours: int, **options: Any) -> None:
    """An hourly schedule misses its first fire times, because no beat is up."""
    schedules.put("tick", "noop", every="1h", catch_up="none", **options)
    stage.settle(stage.beat())
    stage.pass_ms(hours * HOUR_MS + MINUTE_MS)
    stage.settle(stage.beat())


def test_backfill_when_fire_times_were_missed_then_each_makes_a_job(
    schedules: Schedules, stage: Stage
) -> None:
    _miss(schedules, stage, 3, args=[7])
    before = schedules.get("tick")

    done = schedules.backfill("tick", "2026-01-05T02:00Z", "2026-01-05T03:00Z")

    assert [2, 3] == _hours(stage)
    assert (2, 0, True) == (done.made, done.skipped, done.is_done)
    run = "2026-01-05T02:00:00Z..2026-01-05T03:00:00Z"
    assert run == done.run
    (first, _) = stage.jobs()
    assert occurrence_id("tick", MONDAY_MS + 2 * HOUR_MS, 0, run) == first.id
    assert ([7], {"caught_up": True, "backfill": run}) == (first.args, first.options)
    after = schedules.get("tick")
    assert before is not None
    assert after is not None
    assert (before.next_fire, before.last_fire) == (after.next_fire, after.last_fire)
    assert {"missed": 3, "backfilled": 2} == after.stored.counters
    assert [] == check(stage.connection, stage.prefix)


def test_backfill_when_missed_then_history_and_why_tell_both(
    schedules: Schedules, stage: Stage
) -> None:
    _miss(schedules, stage, 3)
    hands = Hands(stage)

    schedules.backfill("tick", "2026-01-05T01:00Z", "2026-01-05T02:00Z")
    held = hands.take()
    assert held is not None
    running = schedules.why("tick", "01:00")
    hands.end(held)
    told = schedules.why("tick", "01:00")

    span, first, second = schedules.history("tick")
    assert (Fate.MISSED, 3, 2) == (span.fate, span.count, span.backfilled)
    assert [Fate.BACKFILLED] * 2 == [first.fate, second.fate]
    assert first.nominal_ms == span.nominal_ms
    assert first.backfill is not None
    assert id_text(held.id) == first.backfill.job_id
    missed = (
        "tick 2026-01-05 01:00:00 UTC: missed: no beat was up from 2026-01-05 00:00:00 UTC to "
        "2026-01-05 03:01:00 UTC; one of 3 fire times from 2026-01-05 01:00:00 UTC to "
        "2026-01-05 03:00:00 UTC; then backfilled by job "
    )
    assert f"{missed}{id_text(held.id)}, which runs; next is" in running.sentence
    assert Verdict.BACKFILLED is told.verdict
    assert (
        f"{missed}{id_text(held.id)}, which ended in SUCCESS at 2026-01-05 03:01:00 UTC; "
        "next is 2026-01-05 04:00:00 UTC"
    ) == told.sentence
    assert "which waits for its turn; next" in schedules.why("tick", "02:00").sentence


def test_backfill_when_the_span_lies_before_the_schedule_then_fires_all_the_same(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", cron="0 */8 * * *", timezone="Europe/Berlin")

    done = schedules.backfill("tick", "2026-01-04", "2026-01-04", overlap="allow")

    assert [-25, -17, -9] == _hours(stage)
    assert 3 == done.made
    told = schedules.why("tick", "2026-01-04T08:00")
    assert (Verdict.BACKFILLED, True) == (
        told.verdict,
        told.sentence.startswith("tick 2026-01-04 08:00:00 CET: backfilled by job "),
    )


def test_backfill_when_some_have_fired_then_left_out_unless_asked_for(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h", overlap="allow")
    stage.play(stage.beat(), 2 * HOUR_MS, step_ms=HOUR_MS)
    span = ("2026-01-04T23:00Z", "2026-01-05T02:00Z")

    done = schedules.backfill("tick", *span, overlap="allow")
    everything = schedules.backfill("tick", *span, overlap="allow", including_fired=True)

    assert (2, 2) == (done.made, done.left_out)
    assert (4, 0) == (everything.made, everything.left_out)
    assert sorted([1, 2, -1, 0, -1, 0, 1, 2]) == _hours(stage)
    told = schedules.why("tick", "01:00")
    assert Verdict.FIRED is told.verdict
    assert "waits in its queue; then backfilled by job" in told.sentence


def test_backfill_when_beat_has_not_decided_then_left_to_beat(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h", catch_up="all", catch_up_window="1d")
    stage.pass_ms(2 * HOUR_MS + MINUTE_MS)

    done = schedules.backfill("tick", "2026-01-05T00:00Z", "2026-01-05T09:00Z")

    assert (1, 2) == (done.made, done.undecided)
    assert [0] == _hours(stage)


def test_backfill_when_the_schedule_rests_then_makes_what_has_passed(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h")
    schedules.pause("tick")
    stage.pass_ms(2 * HOUR_MS + MINUTE_MS)

    schedules.backfill("tick", "2026-01-05T01:00Z", "2026-01-06T00:00Z", overlap="allow")
    resting = schedules.why("tick", "01:00")
    schedules.resume("tick")
    stage.play(stage.beat(), MINUTE_MS)

    assert [1, 2] == _hours(stage)
    assert "tick 2026-01-05 01:00:00 UTC: backfilled by job" in resting.sentence
    assert (
        "missed: the schedule was paused by hand from 2026-01-05 00"
        in schedules.why("tick").sentence
    )
    assert "then backfilled by job" in schedules.why("tick", "02:00").sentence


def test_backfill_when_buffered_then_one_after_the_other_in_order(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h")
    hands, beat = Hands(stage), stage.beat()

    schedules.backfill("tick", "2026-01-04T20:00Z", "2026-01-04T22:00Z")

    ran = []
    while held := hands.take():
        assert hands.take() is None
        ran.append(next(job.nominal_ms for job in stage.jobs() if job.id == held.id))
        hands.end(held)
        stage.settle(beat)
    assert [MONDAY_MS - back * HOUR_MS for back in (4, 3, 2)] == ran


@pytest.mark.parametrize(
    ("overlap", "made", "ready"),
    [("allow", 3, 3), ("skip", 1, 1), ("buffer_one", 2, 1), ("cancel_running", 3, 1)],
)
def test_backfill_when_given_a_policy_then_it_holds_among_its_jobs(
    schedules: Schedules, stage: Stage, overlap: str, made: int, ready: int
) -> None:
    schedules.put("tick", "noop", every="1h")

    done = schedules.backfill("tick", "2026-01-04T20:00Z", "2026-01-04T22:00Z", overlap=overlap)

    assert (made, 3 - made) == (done.made, done.skipped)
    waiting = [job for job in stage.jobs() if job.id in stage.ready()]
    assert ready == len(waiting)
    assert [] == check(stage.connection, stage.prefix)


def test_backfill_when_its_policy_skips_then_the_ledger_names_the_job_in_the_way(
    schedules: Schedules, stage: Stage
) -> None:
    _miss(schedules, stage, 4)
    hands = Hands(stage)
    schedules.trigger("tick")
    held = hands.take()
    assert held is not None

    done = schedules.backfill("tick", "2026-01-04T22:00Z", "2026-01-05T03:00Z", overlap="skip")
    before = schedules.why("tick", "2026-01-04T23:00Z")
    within = schedules.why("tick", "02:00")
    hands.end(held)
    schedules.backfill("tick", "2026-01-05T02:00Z", "2026-01-05T02:00Z", overlap="skip")

    assert (0, 6) == (done.made, done.skipped)
    at = "2026-01-05 04:01:00 UTC"
    job = f"job {id_text(held.id)} of {at} had not ended"
    assert (
        Verdict.SKIPPED,
        f"tick 2026-01-04 23:00:00 UTC: skipped by a backfill at {at}, because {job}; it still "
        "runs; next is 2026-01-05 05:00:00 UTC",
    ) == (before.verdict, before.sentence)
    assert Verdict.MISSED is within.verdict
    assert "one of 4 fire times" in within.sentence
    assert f"; then skipped by a backfill at {at}, because {job}" in within.sentence
    assert "; then backfilled by job" in schedules.why("tick", "02:00").sentence
    assert [(Fate.SKIPPED, 6), (Fate.MISSED, 4), (Fate.BACKFILLED, 1), (Fate.ENDED, 1)] == [
        (one.fate, one.count) for one in schedules.history("tick")
    ]


def test_backfill_when_one_job_may_wait_then_the_ledger_tells_both_kinds(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h", paused=True)
    span = ("2026-01-04T20:00Z", "2026-01-04T23:00Z")

    done = schedules.backfill("tick", *span, overlap="buffer_one")

    first, second, rest = schedules.history("tick")
    assert (2, 2, 2) == (done.made, done.skipped, rest.count)
    assert rest.backfill is not None
    assert first.backfill is not None
    assert second.backfill is not None
    made = {first.backfill.job_id, second.backfill.job_id}
    assert rest.backfill.in_the_way in made
    told = schedules.why("tick", "2026-01-04T23:00Z").sentence
    assert f"because job {rest.backfill.in_the_way} of 2026-01-04 2" in told
    # What was skipped can be made by another run.
    again = schedules.backfill("tick", *span, overlap="allow", run="again")
    assert (2, 2) == (again.made, again.left_out)


def test_backfill_when_too_many_would_wait_then_goes_on_as_they_end(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1m")
    span = ("2026-01-04T00:00Z", "2026-01-04T10:00Z")
    hands, beat = Hands(stage), stage.beat()
    seen: list[Progress] = []

    first = schedules.backfill("tick", *span, wait=False, progress=seen.append)
    for _ in range(200):
        held = hands.take()
        assert held is not None
        hands.end(held)
        stage.settle(beat)
    second = schedules.backfill("tick", *span, wait=False)

    assert (501, False) == (first.made, first.is_done)
    assert (601, True) == (second.made, second.is_done)
    assert [Progress(0, 601), Progress(100, 601)] == seen[:2]
    assert Progress(501, 601, waits=True) == seen[-1]
    assert 401 == len(stage.jobs())


def test_backfill_when_the_job_in_the_way_was_lost_then_the_next_is_sent_on(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1m", paused=True)
    span = ("2026-01-04T00:00Z", "2026-01-04T10:00Z")
    schedules.backfill("tick", *span, wait=False)
    (running,) = stage.ready()
    stage.connection.call("DEL", stage.prefix + b"ready:default:4")
    stage.end_jobs([running])

    beat = stage.beat()
    for _ in range(200):
        # Each call looks at a hundred of the 501 jobs.
        again = schedules.backfill("tick", *span, wait=False)
        stage.settle(beat)
        if stage.ready():
            break

    assert (501, False) == (again.made, again.is_done)
    second = occurrence_id("tick", MONDAY_MS - _DAY_MS + MINUTE_MS, 0, again.run)
    assert [second] == stage.ready()


class _BrokenOffError(Exception):
    """Somebody has pressed Ctrl-C."""


def test_backfill_when_broken_off_then_the_same_call_goes_on_without_doubling(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1m")

    def break_off(progress: Progress) -> None:
        if progress.dealt == 200:
            raise _BrokenOffError

    with pytest.raises(_BrokenOffError):
        schedules.backfill("tick", *_DAY_BEFORE, overlap="allow", progress=break_off)
    stage.end_jobs()
    made_before = len(stage.jobs())
    planned = schedules.backfill("tick", *_DAY_BEFORE, overlap="allow", dry_run=True)
    done = schedules.backfill("tick", *_DAY_BEFORE, overlap="allow")

    assert (0, 1240) == (made_before, len(planned.fire_times))
    assert (1440, 0, True) == (done.made, done.skipped, done.is_done)
    assert 1240 == len(stage.jobs())


def test_backfill_when_two_carry_out_the_same_run_then_each_job_is_made_once(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1m")
    others: list[int] = []

    def meanwhile(progress: Progress) -> None:
        if progress.dealt == 300:
            others.append(schedules.backfill("tick", *_DAY_BEFORE, overlap="allow").made)

    done = schedules.backfill("tick", *_DAY_BEFORE, overlap="allow", progress=meanwhile)

    assert ([1440], 1440, True) == (others, done.made, done.is_done)
    assert 1440 == len(stage.jobs()) == len(set(_hours(stage)))


def test_backfill_when_a_batch_comes_twice_then_the_second_changes_nothing(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h")
    stored = stage.stored("tick")
    made = schedules.backfill("tick", "2026-01-04T20:00Z", "2026-01-04T20:00Z")
    (job,) = stage.jobs()
    (record,) = stage.connection.call("HMGET", stage.prefix + b"jobs", job.id)
    step = JobStep(job.nominal_ms or 0, b"x" * 16, record)
    batch = Batch(
        "tick", stored.revision, "other", b"", "allow", step.nominal_ms, False, "note", [step]
    )

    replies = [backfill(stage.connection, stage.prefix, batch) for _ in range(2)]

    run = Run(b"%d" % step.nominal_ms, 1, 0, False, MONDAY_MS, MONDAY_MS, "note")
    assert [("OK", run), ("STALE", run)] == replies
    assert (1, 2) == (made.made, len(stage.jobs()))


def test_backfill_when_done_then_once_more_only_under_another_name(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h")
    schedules.backfill("tick", *_DAY_BEFORE, overlap="allow")

    again = schedules.backfill("tick", *_DAY_BEFORE, overlap="allow")
    named = schedules.backfill("tick", *_DAY_BEFORE, overlap="allow", run="more")
    forced = schedules.backfill(
        "tick", *_DAY_BEFORE, overlap="allow", run="forced", including_fired=True
    )

    assert (24, True, ()) == (again.made, again.is_done, again.fire_times)
    assert (0, 24) == (named.made, named.left_out)
    assert 24 == forced.made
    assert 48 == len(stage.jobs())


def test_backfill_when_only_planned_then_changes_nothing(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="6h")

    planned = schedules.backfill("tick", *_DAY_BEFORE, dry_run=True)

    assert [0, 6, 12, 18] == [at.hour for at in planned.fire_times]
    assert datetime(2026, 1, 4, tzinfo=UTC) == planned.fire_times[0]
    assert (0, False) == (planned.made, planned.is_done)
    assert [] == stage.jobs()
    assert Run() == find_run(stage.connection, stage.prefix, "tick", planned.run)


def test_backfill_when_its_jobs_fail_or_succeed_then_the_schedule_does_not_count_them(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h", overlap="allow", pause_after_failures=2)
    stage.play(stage.beat(), HOUR_MS, step_ms=HOUR_MS)
    hands = Hands(stage)
    regular = hands.take()
    assert regular is not None
    hands.end(regular, "FAILURE")

    schedules.backfill("tick", *_DAY_BEFORE, overlap="allow")
    for state in ("FAILURE", "FAILURE", "SUCCESS"):
        held = hands.take()
        assert held is not None
        hands.end(held, state)

    stored = stage.stored("tick")
    assert "" == stored.paused
    assert {"fired": 1, "failures": 1, "ended:FAILURE": 1, "backfilled": 24} == stored.counters
    outcomes = [one.backfill.outcome for one in schedules.history("tick") if one.backfill]
    assert ["FAILURE", "FAILURE", "SUCCESS"] == outcomes[:3]


def test_backfill_when_given_queue_and_priority_then_its_jobs_go_there_and_never_expire(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h", queue="quick", expires="1m")

    schedules.backfill("tick", *_DAY_BEFORE, overlap="allow", queue="slow", priority=0)

    assert 24 == len(stage.ready("slow", 0))
    assert {False} == {"expires" in job.options for job in stage.jobs()}


def test_backfill_when_removed_meanwhile_then_told_how_far_it_was(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1m")

    def remove(progress: Progress) -> None:
        if progress.dealt == 100:
            schedules.remove("tick")

    with pytest.raises(WrongUse, match="was removed while it was backfilled"):
        schedules.backfill("tick", *_DAY_BEFORE, overlap="allow", progress=remove)

    assert 100 == len(stage.jobs())
    assert 0 == stage.connection.call("EXISTS", stage.prefix + b"backfills:tick")


def test_backfill_when_changed_meanwhile_then_the_same_call_goes_on_with_the_new(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1m", args=["old"])

    def change(progress: Progress) -> None:
        if progress.dealt == 100:
            schedules.put("tick", "noop", every="1m", args=["new"])

    with pytest.raises(WrongUse, match="was changed while it was backfilled, after 100 jobs"):
        schedules.backfill("tick", *_DAY_BEFORE, overlap="allow", progress=change)
    schedules.backfill("tick", *_DAY_BEFORE, overlap="allow")

    args = [job.args[0] for job in stage.jobs()]
    assert (100, 1340) == (args.count("old"), args.count("new"))


def test_backfill_when_the_ledger_has_forgotten_then_says_of_how_many(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="1h", overlap="allow")
    key = stage.prefix + b"ledger:tick"
    events = [b"skipped %d 1 x" % (MONDAY_MS - _DAY_MS + at) for at in range(600)]
    stage.connection.call("RPUSH", key, *events)

    planned = schedules.backfill("tick", "2026-01-03T22:00Z", "2026-01-04T02:00Z", dry_run=True)

    assert (5, 2) == (len(planned.fire_times), planned.forgotten)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"start": "2026-01-05", "end": "2026-01-04"}, WrongUse, "before it starts"),
        ({"start": "yesterday"}, InvalidTrigger, "start 'yesterday'"),
        ({"most": 23}, WrongUse, "more than 23 fire times of schedule 'tick'"),
        ({"overlap": "sometimes"}, InvalidSetting, "overlap 'sometimes'"),
        ({"run": "x" * 101}, InvalidSetting, "is no name"),
        ({"priority": 11}, InvalidSetting, "priority 11"),
    ],
)
def test_backfill_when_it_cannot_be_carried_out_then_refused(
    schedules: Schedules, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    schedules.put("tick", "noop", every="1h")
    span = {"start": "2026-01-04", "end": "2026-01-04"}

    with pytest.raises(error, match=told):
        schedules.backfill("tick", **{**span, **options})


def test_backfill_when_the_run_was_for_another_span_then_refused(schedules: Schedules) -> None:
    schedules.put("tick", "noop", every="1h")
    schedules.backfill("tick", *_DAY_BEFORE, run="fix")

    with pytest.raises(WrongUse, match="run 'fix' was begun for another span, 2026-01-04T00:00"):
        schedules.backfill("tick", "2026-01-03", "2026-01-03", run="fix")


def test_backfill_when_there_is_no_such_schedule_then_the_nearest_name(
    schedules: Schedules,
) -> None:
    schedules.put("tick", "noop", every="1h")

    with pytest.raises(WrongUse, match='did you mean "tick"'):
        schedules.backfill("tikc", *_DAY_BEFORE)


def test_backfill_when_there_were_a_hundred_runs_then_the_oldest_is_forgotten(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.put("tick", "noop", every="6h")
    for number in range(101):
        stage.pass_ms(1)
        schedules.backfill(
            "tick", *_DAY_BEFORE, overlap="allow", run=f"run {number}", including_fired=True
        )

    names = stage.connection.call("HKEYS", stage.prefix + b"backfills:tick")
    assert 100 == len(names)
    assert {b"run 0"} == {b"run %d" % number for number in range(101)} - set(names)


def test_backfill_when_there_are_many_partitions_then_each_schedule_finds_its_own(
    redis_url: str,
) -> None:
    app = App("tests", redis=redis_url, partitions=4)
    names = [f"tick-{number}" for number in range(8)]
    for name in names:
        app.schedules.put(name, "noop", every="6h", paused=True)

    made = [
        app.schedules.backfill(name, *_DAY_BEFORE, overlap="allow", wait=False) for name in names
    ]
    again = [app.schedules.backfill(name, *_DAY_BEFORE).fire_times for name in names]

    assert [4] * 8 == [done.made for done in made]
    assert [()] * 8 == again
    entries = [app.schedules.history(name) for name in names]
    jobs = {one.backfill.job_id for history in entries for one in history if one.backfill}
    assert 32 == len(jobs)
    assert {"QUEUED"} == {str(app.jobs.get(job).state) for job in jobs}
    app.close()
