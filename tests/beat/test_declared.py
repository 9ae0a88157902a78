"""Declared against live: what is added, changed, removed, and what is left alone."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from beatline import schedule_books
from beatline.declared import DeclaredSet, Difference
from beatline.errors import UnserializableArgument
from beatline.schedule import CatchUp, Schedule
from beatline.settings import Settings
from beatline.store import scheduling
from beatline.store.applying import Refusal, Removal
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


def test_apply_when_another_source_owns_a_name_then_refuses_the_whole_set(stage: Stage) -> None:
    stage.declare(every("one", "1h", source="code"), every("old", "1h", source="file:a.yaml"))
    declared = DeclaredSet.of([every(name, source="file:a.yaml") for name in ("one", "two")])

    applied = declared.apply(stage.books)

    assert {"one": "declared by code"} == applied.refused
    assert 0 == applied.count(Difference.ADD) + applied.count(Difference.REMOVE)
    assert {b"sone": 3_600, b"sold": 3_600} == stage.timeline()


def test_apply_when_a_name_is_taken_after_the_plan_was_made_then_refuses_the_whole_set(
    stage: Stage,
) -> None:
    theirs = every("b", "1h", source="code")
    ours = [every(name, source="file:a.yaml") for name in ("a", "b", "c")]
    stage.declare(theirs)

    refusals = stage.books.apply(ours, [], live={})

    assert [Refusal("b", owner="code")] == refusals
    assert {"b": "code"} == {name: one.source for name, one in stage.books.read_all().items()}


def test_apply_when_a_removed_schedule_has_another_owner_by_now_then_changes_nothing(
    stage: Stage,
) -> None:
    stage.declare(every("gone", "1h", source="code"))

    refusals = stage.books.apply([every("new")], [Removal("gone", "file:a.yaml")], live={})

    assert [Refusal("gone", owner="code")] == refusals
    assert ["gone"] == list(stage.books.read_all())


def test_apply_when_the_set_spans_partitions_then_one_refusal_leaves_all_as_they_were(
    redis_url: str,
) -> None:
    stage = Stage(redis_url, Settings(partitions=3))
    try:
        stage.books.declare([every("tick-7", "1h", source="file:theirs.yaml")])
        declared = DeclaredSet.of([every(f"tick-{number}") for number in range(20)])

        refused = declared.apply(stage.books).refused
        before = list(stage.books.read_all())
        stage.books.remove("tick-7")
        applied = declared.apply(stage.books)
        after = stage.books.read_all()
    finally:
        stage.close()

    assert ({"tick-7": "declared by file:theirs.yaml"}, ["tick-7"]) == (refused, before)
    assert ({}, 20, 20) == (applied.refused, applied.count(Difference.ADD), len(after))


def test_apply_when_the_set_is_larger_than_one_call_then_one_refusal_leaves_all_as_they_were(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_books, "WHOLE_SET", 3)
    stage.declare(every("tick-9", "1h", source="file:theirs.yaml"))
    declared = DeclaredSet.of([every(f"tick-{number}") for number in range(10)])

    refused = declared.apply(stage.books).refused
    before = list(stage.books.read_all())
    stage.books.remove("tick-9")
    declared.apply(stage.books)

    assert ({"tick-9": "declared by file:theirs.yaml"}, ["tick-9"]) == (refused, before)
    assert 10 == len(stage.books.read_all())


def test_apply_when_it_fires_meanwhile_then_the_whole_set_starts_after_that(stage: Stage) -> None:
    stage.declare(every("one", "10s"), every("two", "1h"))
    outdated = stage.books.read_all()
    stage.play(stage.beat(), 20_000)

    refusals = stage.books.apply([every("one", "5s"), every("two", "30m")], [], live=outdated)

    assert [] == refusals
    assert {b"sone": 25, b"stwo": 1_800} == stage.timeline()


def test_apply_when_untouched_ones_were_changed_meanwhile_then_the_set_holds_as_a_whole(
    stage: Stage,
) -> None:
    ours = [every("one", "10s"), every("two", "1h")]
    stage.declare(*ours)
    live = stage.books.read_all()
    stage.declare(every("one", "20s"), every("two", "2h"))

    stage.books.apply([], [], untouched=ours, live=live)

    assert {b"sone": 10, b"stwo": 3_600} == stage.timeline()


def test_apply_when_memory_is_full_then_changes_nothing_of_the_set(stage: Stage) -> None:
    stage.declare(every("old", "1h"), every("changes", "1h"))
    stage.connection.call("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(ResponseError):
            stage.declare(every("changes", "2h"), every("new"))
    finally:
        stage.connection.call("CONFIG", "SET", "maxmemory", "0")

    assert {b"sold": 3_600, b"schanges": 3_600} == stage.timeline()


def test_apply_when_it_removes_only_then_works_when_memory_is_full(stage: Stage) -> None:
    stage.declare(every("old", source="file:a.yaml"))
    stage.connection.call("CONFIG", "SET", "maxmemory", "1")
    try:
        DeclaredSet((), files=frozenset({"file:a.yaml"})).apply(stage.books)
    finally:
        stage.connection.call("CONFIG", "SET", "maxmemory", "0")

    assert {} == stage.books.read_all()


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
