"""The firer: each occurrence becomes one job, or one recorded skip or miss."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import astuple

from beatline.beat.planning import plan_advances
from beatline.ids import occurrence_id
from beatline.options import TaskOptions
from beatline.payload import dumps
from beatline.schedule import CatchUp, Overlap
from beatline.store import scheduling
from beatline.store.firing import Advance
from beatline.wire.connection import Argument
from tests.beat.stage import HOUR_MS, MINUTE_MS, MONDAY_MS, Stage, every


def test_firer_when_an_occurrence_is_due_then_makes_its_job(stage: Stage) -> None:
    stage.declare(every("tick", args=(1, "two"), kwargs={"three": 3}))
    beat = stage.beat()

    stage.play(beat, 10_000)

    (job,) = stage.jobs()
    assert occurrence_id("tick", MONDAY_MS + 10_000, 0) == job.id
    assert ("noop", [1, "two"], {"three": 3}) == (job.task, job.args, job.kwargs)
    assert ("tick", MONDAY_MS + 10_000) == (job.schedule, job.nominal_ms)
    assert ("default", 4, False) == (job.queue, job.priority, job.ignore_result)
    assert {} == job.options
    assert [job.id] == stage.ready()
    assert {b"stick": 20} == stage.timeline()


def test_firer_when_several_are_due_at_once_then_the_most_frequent_goes_first(
    stage: Stage,
) -> None:
    periods = {"a": "6s", "b": "3s", "c": "2s", "d": "1s"}
    stage.declare(*(every(name, period) for name, period in periods.items()))
    beat = stage.beat()

    stage.play(beat, 12_000)

    schedule_of = {job.id: job.schedule for job in stage.jobs()}
    assert ["d", "c", "b", "a"] == [schedule_of[raw_id] for raw_id in stage.ready()[-4:]]


def test_firer_when_very_many_are_due_at_once_then_the_most_frequent_go_first(
    stage: Stage,
) -> None:
    rare = [every(f"a-{number}", "2s") for number in range(1_000)]
    stage.declare(*rare, *(every(f"z-{number}", "1s") for number in range(40)))
    beat = stage.beat()
    stage.play(beat, 3_500)
    seen = len(stage.ready())

    stage.play(beat, 500)

    schedule_of = {job.id: job.schedule or "" for job in stage.jobs()}
    fired = [schedule_of[raw_id][0] for raw_id in stage.ready()[seen:]]
    assert ["z"] * 40 + ["a"] * 1_000 == fired


def test_firer_when_nothing_is_due_yet_then_makes_nothing(stage: Stage) -> None:
    stage.declare(every("tick"))
    beat = stage.beat()

    stage.play(beat, 9_999)

    assert [] == stage.jobs()
    assert {b"stick": 10} == stage.timeline()


def test_firer_when_schedule_has_options_then_jobs_carry_them(stage: Stage) -> None:
    stage.declare(
        every(
            "tick",
            queue="reports",
            priority=7,
            options={
                "expires_ms": 60_000,
                "time_limit_ms": 5_000,
                "soft_time_limit_ms": 4_000,
                "max_retries": 2,
                "retry_backoff_ms": 100,
                "retry_backoff_max_ms": 900,
                "headers": {"from": "test"},
                "ignore_result": True,
            },
        )
    )
    beat = stage.beat()

    stage.play(beat, 10_000)

    (job,) = stage.jobs()
    assert ("reports", 7, True) == (job.queue, job.priority, job.ignore_result)
    assert {
        "expires": MONDAY_MS + 70_000,
        "time_limit": 5_000,
        "soft_time_limit": 4_000,
        "max_retries": 2,
        "retry_backoff": 100,
        "retry_backoff_max": 900,
        "headers": {"from": "test"},
    } == job.options


def test_firer_when_the_app_is_known_then_its_tasks_options_fill_the_gaps(stage: Stage) -> None:
    options = TaskOptions(
        queue="slow", priority=2, ignore_result=True, expires_ms=5_000, on_unsure="skip"
    )
    stage.declare(every("tick"), every("own", queue="fast", priority=9))
    beat = stage.beat(tasks={"noop": SimpleNamespace(options=options)})

    stage.play(beat, 10_000)

    own, tick = sorted(stage.jobs(), key=lambda job: job.schedule or "")
    assert ("fast", 9) == (own.queue, own.priority)
    assert ("slow", 2, True, True) == (
        tick.queue,
        tick.priority,
        tick.ignore_result,
        tick.skip_unsure,
    )
    assert {"expires": MONDAY_MS + 15_000} == tick.options


def test_firer_when_an_earlier_job_runs_then_overlap_skip_records_it(stage: Stage) -> None:
    stage.declare(every("tick", overlap=Overlap.SKIP))
    beat = stage.beat()

    stage.play(beat, 20_000)

    first, second = stage.history("tick")
    assert [(10.0, "fired"), (20.0, "skipped")] == stage.fates("tick")
    assert first.job_id == second.in_the_way
    assert 1 == len(stage.jobs())


def test_firer_when_the_earlier_job_is_over_then_overlap_skip_fires(stage: Stage) -> None:
    stage.declare(every("tick", overlap=Overlap.SKIP))
    beat = stage.beat()
    stage.play(beat, 10_000)

    stage.end_jobs()
    stage.play(beat, 10_000)

    assert [(10.0, "fired"), (20.0, "fired")] == stage.fates("tick")


def test_firer_when_an_earlier_job_runs_then_overlap_allow_fires(stage: Stage) -> None:
    stage.declare(every("tick", overlap=Overlap.ALLOW))
    beat = stage.beat()

    stage.play(beat, 20_000)

    assert [(10.0, "fired"), (20.0, "fired")] == stage.fates("tick")
    assert 2 == len(stage.jobs())


def test_firer_when_another_beat_was_faster_then_reads_again_and_fires_no_second(
    stage: Stage,
) -> None:
    stage.declare(every("tick"))
    one, other = stage.beat("one"), stage.beat("other")
    stage.settle(one)
    one.roles.known.read(["tick"])
    stage.pass_ms(10_000)
    stage.settle(other)

    one.roles.firer.run([("tick", MONDAY_MS + 10_000)])

    assert 1 == one.roles.firer._statistics.counters["stale"]
    assert [(10.0, "fired")] == stage.fates("tick")
    stage.pass_ms(10_000)
    assert one.roles.firer.run([("tick", MONDAY_MS + 20_000)])
    assert [(10.0, "fired"), (20.0, "fired")] == stage.fates("tick")


def test_firer_when_the_definition_changed_then_fires_the_new_one(stage: Stage) -> None:
    stage.declare(every("tick", args=("old",)))
    beat = stage.beat()
    stage.play(beat, 10_000)

    stage.declare(every("tick", args=("new",)))
    stage.play(beat, 10_000)

    assert [["old"], ["new"]] == [job.args for job in stage.jobs()]


def test_firer_when_paused_then_records_missed_after_resuming(stage: Stage) -> None:
    stage.declare(every("tick"))
    beat = stage.beat()
    stage.play(beat, 10_000)

    scheduling.pause(stage.connection, stage.prefix, "tick", "holiday")
    stage.play(beat, 25_000)
    scheduling.resume(stage.connection, stage.prefix, "tick")
    stage.play(beat, 5_000)

    entries = stage.history("tick")
    assert [(10.0, "fired"), (20.0, "missed"), (40.0, "fired")] == stage.fates("tick")
    assert ("paused", 2, MONDAY_MS + 30_000) == (
        entries[1].reason,
        entries[1].count,
        entries[1].last_ms,
    )


def test_firer_when_paused_between_plan_and_fire_then_makes_nothing(stage: Stage) -> None:
    stage.declare(every("tick"))
    beat = stage.beat()
    stage.settle(beat)
    beat.roles.known.read(["tick"])
    stage.pass_ms(10_000)

    scheduling.pause(stage.connection, stage.prefix, "tick")
    stage.connection.call("ZADD", stage.prefix + b"timeline", MONDAY_MS, "stick")
    stage.settle(beat)

    assert [] == stage.jobs()
    assert {} == stage.timeline()


def test_firer_when_no_beat_was_up_then_catch_up_latest_fires_the_newest_once(
    stage: Stage,
) -> None:
    stage.declare(every("tick", "10m", catch_up=CatchUp.LATEST))
    stage.play(stage.beat("first"), 10 * MINUTE_MS, MINUTE_MS // 2)

    stage.pass_ms(25 * MINUTE_MS)
    stage.play(stage.beat("second"), MINUTE_MS, MINUTE_MS)

    entries = stage.history("tick")
    assert [(600.0, "fired"), (1200.0, "missed"), (1800.0, "fired")] == stage.fates("tick")
    assert ("no_beat", 1) == (entries[1].reason, entries[1].count)
    assert entries[2].is_caught_up
    assert [None, True] == [job.options.get("caught_up") for job in stage.jobs()]


def test_firer_when_no_beat_was_up_then_catch_up_none_records_all(stage: Stage) -> None:
    stage.declare(every("tick", "10m", catch_up=CatchUp.NONE))
    stage.play(stage.beat("first"), MINUTE_MS, MINUTE_MS)

    stage.pass_ms(25 * MINUTE_MS)
    stage.play(stage.beat("second"), MINUTE_MS, MINUTE_MS)

    (entry,) = stage.history("tick")
    assert ("missed", "no_beat", 2) == (str(entry.fate), entry.reason, entry.count)
    assert [] == stage.jobs()
    assert {b"stick": 1800} == stage.timeline()


def test_firer_when_many_are_caught_up_then_fires_in_calls_of_bounded_length(
    stage: Stage,
) -> None:
    stage.declare(
        every(
            "tick",
            "10s",
            catch_up=CatchUp.ALL,
            catch_up_window_ms=HOUR_MS,
            max_catch_up=250,
        )
    )
    stage.settle(stage.beat("first"))

    stage.pass_ms(HOUR_MS)
    beat = stage.beat("second")
    stage.settle(beat)

    entries = stage.history("tick")
    fired = [entry for entry in entries if entry.fate == "fired"]
    missed = [entry for entry in entries if entry.fate == "missed"]
    # 250 that are caught up, and the one that is on time; the others are over the maximum.
    assert (251, 109) == (len(fired), sum(entry.count for entry in missed))
    assert sorted(job.nominal_ms or 0 for job in stage.jobs()) == [e.nominal_ms for e in fired]
    assert {b"stick": 3610} == stage.timeline()


def test_firer_when_max_runs_are_used_up_then_the_schedule_ends_at_once(stage: Stage) -> None:
    stage.declare(every("tick", max_runs=2))
    beat = stage.beat()

    stage.play(beat, 20_000)

    assert [(10.0, "fired"), (20.0, "fired")] == stage.fates("tick")
    assert {} == stage.timeline()
    assert stage.stored("tick").next_ms is None


def test_firer_when_jitter_is_given_then_fires_late_under_the_nominal_instant(
    stage: Stage,
) -> None:
    schedule = every("tick", "1m", jitter="30s")
    due_ms = schedule.timetable.due_ms(MONDAY_MS + MINUTE_MS)
    stage.declare(schedule)
    beat = stage.beat()

    stage.play(beat, due_ms - MONDAY_MS - 1)
    before = stage.jobs()
    stage.play(beat, 1)

    assert MONDAY_MS + MINUTE_MS < due_ms < MONDAY_MS + 90_000
    assert [] == before
    assert [MONDAY_MS + MINUTE_MS] == [job.nominal_ms for job in stage.jobs()]


def test_firer_when_a_definition_cannot_be_read_then_sets_it_aside_and_fires_the_others(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.declare(every("bad"), every("good"))
    stage.connection.call("HSET", stage.prefix + b"sched:bad", "def", b"\xc1garbage")
    beat = stage.beat()

    with caplog.at_level(logging.ERROR, "beatline.beat"):
        stage.play(beat, 20_000)

    assert [(10.0, "fired"), (20.0, "fired")] == stage.fates("good")
    assert stage.stored("bad").is_set_aside
    assert {b"sgood": 30} == stage.timeline()
    noted = stage.connection.call("ZRANGE", stage.prefix + b"quarantine", 0, -1)
    assert [b"bad"] == [entry.split()[-1] for entry in noted]
    assert 1 == caplog.text.count("beat.schedule_set_aside schedule=bad")


def test_firer_when_a_definition_is_of_a_newer_version_then_sets_it_aside(stage: Stage) -> None:
    stage.declare(every("bad"))
    newer = {"name": "bad", "task": "noop", "trigger": {"moon_phase": "full"}}
    stage.connection.call("HSET", stage.prefix + b"sched:bad", "def", dumps(newer))

    stage.play(stage.beat(), 10_000)

    assert stage.stored("bad").is_set_aside


def test_firer_when_set_aside_and_declared_again_then_fires(stage: Stage) -> None:
    stage.declare(every("bad"))
    stage.connection.call("HSET", stage.prefix + b"sched:bad", "def", b"garbage")
    beat = stage.beat()
    stage.play(beat, 10_000)

    stage.declare(every("bad"))
    stage.play(beat, 10_000)

    assert [(20.0, "fired")] == stage.fates("bad")


@pytest.mark.parametrize("field", ["next", "due", "rev", "fired", "last", "decided"])
def test_firer_when_a_field_is_garbage_then_neither_loops_nor_stops_the_others(
    stage: Stage, field: str
) -> None:
    stage.declare(every("bad"), every("good"))
    stage.connection.call("HSET", stage.prefix + b"sched:bad", field, "x y z")

    stage.play(stage.beat(), 20_000)

    assert [(10.0, "fired"), (20.0, "fired")] == stage.fates("good")


def test_firer_when_a_schedule_has_vanished_then_its_name_leaves_the_timeline(
    stage: Stage,
) -> None:
    stage.connection.call("ZADD", stage.prefix + b"timeline", MONDAY_MS, "sghost")
    stage.connection.call("ZADD", stage.prefix + b"timeline", MONDAY_MS, b"s\xff\xfe")
    stage.connection.call("SET", stage.prefix + b"sched:wrong", "type")
    stage.connection.call("ZADD", stage.prefix + b"timeline", MONDAY_MS, "swrong")

    stage.settle(stage.beat())

    assert {} == stage.timeline()


def test_firer_when_timeline_and_schedule_disagree_then_the_schedule_is_right(
    stage: Stage,
) -> None:
    stage.declare(every("tick"))
    stage.connection.call("ZADD", stage.prefix + b"timeline", MONDAY_MS, "stick")

    stage.settle(stage.beat())

    assert [] == stage.jobs()
    assert {b"stick": 10} == stage.timeline()


def test_firer_when_memory_is_full_then_keeps_the_schedule_and_fires_later(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.declare(every("tick"))
    beat = stage.beat()
    stage.settle(beat)
    stage.pass_ms(10_000)
    stage.connection.call("CONFIG", "SET", "maxmemory", "1")
    try:
        beat.run()
        stage.pass_ms(500)
        pause_s = beat.run()
    finally:
        stage.connection.call("CONFIG", "SET", "maxmemory", "0")
    refused = stage.jobs()

    stage.play(beat, 1_500)

    assert [] == refused
    assert 0 < pause_s <= 1
    assert [(10.0, "fired")] == stage.fates("tick")
    assert 1 == caplog.text.count("beat.fire_refused schedule=tick")


def test_firer_when_scripts_were_flushed_then_fires_all_the_same(stage: Stage) -> None:
    stage.declare(*(every(f"tick-{number}") for number in range(100)))
    beat = stage.beat()
    stage.settle(beat)
    stage.pass_ms(10_000)

    stage.connection.call("SCRIPT", "FLUSH")
    stage.settle(beat)

    assert 100 == len(stage.jobs())


def test_firer_when_many_are_due_at_once_then_fires_each_once(stage: Stage) -> None:
    stage.declare(*(every(f"tick-{number}") for number in range(1_200)))
    beat = stage.beat()

    stage.play(beat, 20_000, 10_000)

    jobs = stage.jobs()
    assert 2_400 == len(jobs)
    assert 2_400 == len({(job.schedule, job.nominal_ms) for job in jobs})


def test_firer_when_there_is_time_then_definitions_are_read_ahead(stage: Stage) -> None:
    stage.declare(*(every(f"tick-{number}", "1h") for number in range(100)))
    stage.declare(every("bad", "1h", source="file:x"))
    stage.connection.call("HSET", stage.prefix + b"sched:bad", "def", b"garbage")
    beat = stage.beat()

    stage.settle(beat)

    known = [beat.roles.known.get(f"tick-{number}") for number in range(100)]
    assert None not in known
    assert stage.stored("bad").is_set_aside


class _Unsound(Advance, frozen=True):
    """A part of a call that the script cannot carry out."""

    def arguments(self) -> list[Argument]:
        """Without a number of steps."""
        return [*super().arguments()[:6], b"many"]


def test_firer_when_one_of_a_call_is_refused_then_the_others_fire(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def spoilt(*arguments: Any) -> tuple[list[Advance], bool]:
        advances, more = plan_advances(*arguments)
        if arguments[0].stored.name == "tick-3":
            advances = [_Unsound(*astuple(advance)) for advance in advances]
        return advances, more

    monkeypatch.setattr("beatline.beat.firer.plan_advances", spoilt)
    stage.declare(*(every(f"tick-{number}") for number in range(20)))
    beat = stage.beat()

    stage.play(beat, 10_000)

    fired = {number for number in range(20) if stage.fates(f"tick-{number}")}
    assert set(range(20)) - {3} == fired
    refusals = [line for line in caplog.messages if "beat.fire_refused" in line]
    assert ["tick-3"] == [line.split("schedule=")[1].split()[0] for line in refusals]
    assert {f"stick-{number}".encode() for number in range(20)} == set(stage.timeline())
