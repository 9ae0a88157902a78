"""Declared against live: what is added, changed, removed, and what is left alone."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from beatline.declared import DeclaredSet, Difference
from beatline.errors import UnserializableArgument
from beatline.schedule import CatchUp, Schedule
from beatline.store import scheduling
from beatline.store.scheduling import Put
from tests.beat.stage import HOUR_MS, MONDAY_MS, Stage, every


def _differences(stage: Stage, declared: DeclaredSet) -> dict[str, str]:
    return {change.name: str(change.difference) for change in declared.plan(stage.books).changes}


def test_plan_when_nothing_is_live_then_adds_with_next_fire_time(stage: Stage) -> None:
    declared = DeclaredSet.of([every("one")])

    plan = declared.plan(stage.books)

    (change,) = plan.changes
    assert (Difference.ADD, MONDAY_MS + 10_000, None) == (
        change.difference,
        change.next_ms,
        change.old_next_ms,
    )
    assert not plan.is_empty


def test_plan_when_live_as_declared_then_touches_nothing(stage: Stage) -> None:
    declared = DeclaredSet.of([every("one"), every("two", paused=True)])
    declared.apply(stage.books)

    plan = declared.plan(stage.books)

    assert plan.is_empty
    assert {"one": "untouched", "two": "untouched"} == _differences(stage, declared)


def test_plan_when_fields_differ_then_names_them_and_both_fire_times(stage: Stage) -> None:
    DeclaredSet.of([every("one", "10s", args=(1,))]).apply(stage.books)

    (change,) = DeclaredSet.of([every("one", "1m", args=(2,))]).plan(stage.books).changes

    assert (Difference.CHANGE, ("args", "trigger")) == (change.difference, change.fields)
    assert (MONDAY_MS + 10_000, MONDAY_MS + 60_000) == (change.old_next_ms, change.next_ms)


def test_apply_when_the_trigger_stays_then_keeps_the_next_fire_time_and_the_ledger(
    stage: Stage,
) -> None:
    stage.declare(every("one", "1h"))
    beat = stage.beat()
    stage.play(beat, HOUR_MS, HOUR_MS)
    stage.pass_ms(1_000)

    stage.declare(every("one", "1h", args=("new",), note="changed"))

    stored = stage.stored("one")
    assert MONDAY_MS + 2 * HOUR_MS == stored.next_ms
    assert [(3600.0, "fired")] == stage.fates("one")


def test_apply_when_the_trigger_changes_then_fires_nothing_from_before(stage: Stage) -> None:
    stage.declare(every("one", "1h"))
    stage.settle(stage.beat())
    stage.pass_ms(3 * HOUR_MS + 1_000)

    stage.declare(every("one", "30m", catch_up=CatchUp.ALL, catch_up_window_ms=9 * HOUR_MS))
    stage.play(stage.beat("later"), HOUR_MS // 2)

    assert [(12_600.0, "fired")] == stage.fates("one")


def test_apply_when_declared_no_more_then_removes_only_what_is_in_our_charge(
    stage: Stage,
) -> None:
    stage.declare(every("ours", source="file:a.yaml"), every("kept", source="file:a.yaml"))
    stage.declare(every("theirs", source="file:b.yaml"), every("codes", source="code"))

    stage.declare(every("kept", source="file:a.yaml"))

    assert ["codes", "kept", "theirs"] == sorted(stage.books.read_all())


def test_apply_when_a_file_of_the_folder_is_gone_then_removes_its_schedules(
    stage: Stage,
) -> None:
    stage.declare(every("old", source="file:schedules/old.yaml"))
    stage.declare(every("deep", source="file:schedules/deeper/x.yaml"))
    declared = DeclaredSet(
        (every("new", source="file:schedules/new.yaml"),), folders=("file:schedules/",)
    )

    applied = declared.apply(stage.books)

    assert ["deep", "new"] == sorted(stage.books.read_all())
    assert 1 == applied.count(Difference.REMOVE)


def test_apply_when_a_file_declares_nothing_any_more_then_removes_its_schedules(
    stage: Stage,
) -> None:
    stage.declare(every("old", source="file:a.yaml"))

    DeclaredSet((), files=frozenset({"file:a.yaml"})).apply(stage.books)

    assert {} == stage.books.read_all()


def test_apply_when_a_schedule_moves_between_our_files_then_changes_its_owner(
    stage: Stage,
) -> None:
    stage.declare(every("one", source="file:a.yaml"))
    declared = DeclaredSet(
        (every("one", source="file:b.yaml"),), files=frozenset({"file:a.yaml", "file:b.yaml"})
    )

    applied = declared.apply(stage.books)

    assert {} == applied.refused
    assert "file:b.yaml" == stage.stored("one").source
    assert "file:b.yaml" == stage.stored("one").schedule().source


def test_apply_when_another_source_owns_a_name_then_refuses_that_one(stage: Stage) -> None:
    stage.declare(every("one", "1h", source="code"))

    applied = DeclaredSet.of([every("one", source="file:a.yaml")]).apply(stage.books)

    assert {"one": "declared by code"} == applied.refused
    assert {b"sone": 3_600} == stage.timeline()


def test_apply_when_told_to_take_over_then_changes_the_owner(stage: Stage) -> None:
    stage.declare(every("one", "1h", source="code"))
    declared = DeclaredSet((every("one", source="file:a.yaml"),), taken_over=frozenset({"one"}))

    applied = declared.apply(stage.books)

    assert {} == applied.refused
    assert "file:a.yaml" == stage.stored("one").source


def test_apply_when_declared_paused_then_rests_until_declared_otherwise(stage: Stage) -> None:
    beat = stage.beat()
    stage.declare(every("one", paused=True))
    stage.play(beat, 20_500)
    resting = (stage.timeline(), stage.stored("one").schedule().paused)

    stage.declare(every("one"))
    stage.play(beat, 10_000)

    assert ({}, True) == resting
    assert [(10.0, "missed"), (30.0, "fired")] == stage.fates("one")
    assert ["paused", ""] == [entry.reason for entry in stage.history("one")]


def test_apply_when_paused_by_hand_then_stays_paused(stage: Stage) -> None:
    stage.declare(every("one"))
    scheduling.pause(stage.connection, stage.prefix, "one", "by me")

    stage.declare(every("one", args=(1,)))

    assert "by me" == stage.stored("one").paused
    assert {} == stage.timeline()


def test_apply_when_the_timeline_lost_a_schedule_then_puts_it_back(stage: Stage) -> None:
    stage.declare(every("one"))
    stage.connection.call("DEL", stage.prefix + b"timeline")

    stage.declare(every("one"))

    assert {b"sone": 10} == stage.timeline()


@pytest.mark.parametrize("field", ["def", "trigger", "next", "due", "decided", "tz", "paused"])
def test_apply_when_a_field_is_garbage_then_declares_it_anew(stage: Stage, field: str) -> None:
    stage.declare(every("one"))
    stage.connection.call("HSET", stage.prefix + b"sched:one", field, b"\xff\xfe {")

    stage.declare(every("one"))
    stage.settle(stage.beat())

    assert field == "paused" or {b"sone": 10} == stage.timeline()


def test_apply_when_an_argument_cannot_travel_then_says_where(stage: Stage) -> None:
    schedule = every("one", kwargs={"file": object()})

    with pytest.raises(UnserializableArgument) as caught:
        DeclaredSet.of([schedule]).apply(stage.books)

    assert "kwargs" in caught.value.path


def test_declare_when_another_beat_fired_meanwhile_then_starts_after_that(stage: Stage) -> None:
    stage.declare(every("one", "10s"))
    outdated = stage.books.read_all()
    stage.play(stage.beat(), 20_000)

    answers = stage.books.declare([every("one", "5s")], live=outdated)

    answer = answers["one"]
    assert isinstance(answer, Put)
    assert ("CHANGED", MONDAY_MS + 25_000) == (answer.word, answer.next_ms)


def test_declare_when_memory_is_full_then_tells_each_and_changes_nothing(stage: Stage) -> None:
    stage.connection.call("CONFIG", "SET", "maxmemory", "1")
    try:
        answers = stage.books.declare([every("one")])
    finally:
        stage.connection.call("CONFIG", "SET", "maxmemory", "0")

    assert isinstance(answers["one"], ResponseError)
    assert {} == stage.books.read_all()


def test_declare_when_there_are_thousands_then_reads_all_back(stage: Stage) -> None:
    schedules = [every(f"tick-{number}", args=(number,)) for number in range(2_345)]

    stage.books.declare(schedules)

    live = stage.books.read_all()
    assert 2_345 == len(live)
    restored: Schedule = live["tick-17"].schedule()
    assert ((17,), "code") == (restored.args, restored.source)
    assert ["absent"] == stage.books.missing(["tick-1", "absent", "tick-2"])
