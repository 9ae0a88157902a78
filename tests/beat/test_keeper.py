"""The keeper: what is declared is live at the start, and again after a FLUSHALL."""

from __future__ import annotations

import logging

import pytest

from beatline.beat.keeper import DeclarationKeeper
from beatline.declared import DeclaredSet
from beatline.schedule import Schedule
from beatline.store import scheduling
from tests.beat.stage import MONDAY_MS, Stage, every


def _keeper(stage: Stage, *schedules: Schedule) -> DeclarationKeeper:
    return DeclarationKeeper(stage.books, DeclaredSet.of(schedules), stage.monotonic)


def _names(stage: Stage) -> list[str]:
    return sorted(stage.books.read_all())


def test_keeper_when_started_then_applies_what_is_declared(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = _keeper(stage, every("one"), every("two", "1h"))

    with caplog.at_level(logging.INFO, "beatline.beat.keeper"):
        has_run = keeper.run()

    assert has_run
    assert {b"sone": 10, b"stwo": 3_600} == stage.timeline()
    assert "beat.declared added=2 changed=0 removed=0 untouched=0" in caplog.text


def test_keeper_when_nothing_happened_then_does_nothing(stage: Stage) -> None:
    keeper = _keeper(stage, every("one"))
    keeper.run()
    stage.books.remove("one")

    has_run = keeper.run()

    assert not has_run
    assert [] == _names(stage)


def test_keeper_when_redis_was_flushed_then_puts_declarations_back(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = _keeper(stage, every("one"), every("two"))
    keeper.run()
    stage.connection.call("FLUSHALL")
    stage.pass_ms(15_000)

    keeper.note_reset()
    keeper.run()

    assert {b"sone": 20, b"stwo": 20} == stage.timeline()
    assert "beat.schedules_lost missing=2" in caplog.text


def test_keeper_when_asked_to_look_and_nothing_is_lost_then_changes_nothing(stage: Stage) -> None:
    keeper = _keeper(stage, every("one"))
    keeper.run()
    revision = stage.stored("one").revision

    keeper.note_reset()
    keeper.run()

    assert revision == stage.stored("one").revision


def test_keeper_when_the_set_is_replaced_then_adds_changes_and_removes(stage: Stage) -> None:
    keeper = _keeper(stage, every("gone"), every("stays"), every("changes", "10s"))
    keeper.run()
    stays = stage.stored("stays").revision

    keeper.replace(DeclaredSet.of([every("new"), every("stays"), every("changes", "30s")]))
    keeper.run()

    assert {b"schanges": 30, b"snew": 10, b"sstays": 10} == stage.timeline()
    assert stays == stage.stored("stays").revision


def test_keeper_when_another_source_owns_a_name_then_changes_nothing_and_says_so(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.declare(every("mine", "1h", source="file:theirs.yaml"))
    keeper = _keeper(stage, every("mine"), every("other"))

    keeper.run()

    assert {b"smine": 3_600} == stage.timeline()
    assert "beat.declarations_refused refused=1 declared=2" in caplog.text
    assert "beat.declaration_refused schedule=mine reason=declared by file:theirs.yaml" in (
        caplog.text
    )


def test_keeper_when_the_other_source_lets_go_then_applies_the_set_after_a_while(
    stage: Stage,
) -> None:
    stage.declare(every("mine", "1h", source="file:theirs.yaml"))
    keeper = _keeper(stage, every("mine"), every("other"))
    keeper.run()
    stage.books.remove("mine")
    stage.pass_ms(29_000)
    early = keeper.run()
    stage.pass_ms(1_000)

    keeper.run()

    assert not early
    assert {b"smine": 40, b"sother": 40} == stage.timeline()


def test_keeper_when_memory_is_full_then_tries_again_after_a_pause(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = _keeper(stage, every("one"))
    stage.connection.call("CONFIG", "SET", "maxmemory", "1")
    try:
        keeper.run()
    finally:
        stage.connection.call("CONFIG", "SET", "maxmemory", "0")
    refused = (_names(stage), keeper.run())
    stage.pass_ms(5_000)

    keeper.run()

    assert ([], False) == refused
    assert ["one"] == _names(stage)
    assert "beat.declarations_failed count=1" in caplog.text


def test_keeper_when_next_fire_times_come_from_older_zones_then_computes_them_anew(
    stage: Stage,
) -> None:
    stage.declare(every("old"), every("new"))
    key = stage.prefix + b"sched:old"
    stage.connection.call("HSET", key, "tz", "2001a", "next", MONDAY_MS + 15_000)
    stage.connection.call("HSET", key, "due", MONDAY_MS + 15_000)
    revision = stage.stored("new").revision
    keeper = DeclarationKeeper(stage.books, None)

    keeper.run()

    assert {b"snew": 10, b"sold": 10} == stage.timeline()
    assert "2001a" != stage.stored("old").tzdata
    assert revision == stage.stored("new").revision


def test_keeper_when_an_older_beat_could_not_read_a_schedule_then_lets_it_go_on(
    stage: Stage,
) -> None:
    stage.declare(every("one"))
    scheduling.set_aside(stage.connection, stage.prefix, "one", "no such trigger")
    aside = stage.timeline()
    keeper = DeclarationKeeper(stage.books, None)

    keeper.run()

    assert {} == aside
    assert {b"sone": 10} == stage.timeline()
    assert "" == stage.stored("one").paused
