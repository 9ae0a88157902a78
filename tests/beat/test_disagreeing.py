"""Beats that disagree about the files, and edits while schedules fire."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from beatline.beat.keeper import DeclarationKeeper
from beatline.beat.partition_round import PartitionRound
from beatline.declared import DeclaredSet
from beatline.job import Job, read_job
from beatline.schedule import Schedule
from beatline.store.scheduling import StoredSchedule
from tests.beat.running import PREFIX, Books, RunningBeat
from tests.beat.stage import MONDAY_MS, SECOND_MS, Stage, every
from tests.processes import Command
from tests.servers import eventually

# --- beats that disagree ------------------------------------------------------------------------


def _beat(
    stage: Stage, name: str, *schedules: Schedule
) -> tuple[DeclarationKeeper, PartitionRound]:
    keeper = DeclarationKeeper(stage.books, DeclaredSet.of(schedules), stage.monotonic)
    return keeper, stage.beat(name)


def test_beats_when_they_disagree_then_the_set_that_was_applied_last_holds_for_both(
    stage: Stage,
) -> None:
    old_keeper, old_beat = _beat(
        stage, "old", every("tick", "10s", args=("old",)), every("gone", "10s")
    )
    old_keeper.run()
    stage.play(old_beat, 10_000)
    new_keeper, new_beat = _beat(
        stage, "new", every("tick", "15s", args=("new",)), every("joined", "30s")
    )
    new_keeper.run()
    revision = stage.stored("tick").revision

    for _ in range(100):
        for keeper, beat in ((old_keeper, old_beat), (new_keeper, new_beat)):
            keeper.run()
            stage.settle(beat)
        stage.pass_ms(500)

    fired = [((job.nominal_ms or 0) - MONDAY_MS, job.schedule, job.args) for job in stage.jobs()]
    assert [
        (10 * SECOND_MS, "tick", ["old"]),
        (15 * SECOND_MS, "tick", ["new"]),
        (30 * SECOND_MS, "tick", ["new"]),
        (45 * SECOND_MS, "tick", ["new"]),
    ] == [one for one in fired if one[1] == "tick"]
    assert [10 * SECOND_MS] == [at for at, name, _ in fired if name == "gone"]
    assert [30 * SECOND_MS] == [at for at, name, _ in fired if name == "joined"]
    assert revision == stage.stored("tick").revision


def test_beats_when_redis_lost_all_and_they_disagree_then_neither_undoes_the_other_for_ever(
    stage: Stage,
) -> None:
    old, _ = _beat(stage, "old", every("tick", "10s"), every("gone", "10s"))
    new, _ = _beat(stage, "new", every("tick", "15s"))
    for keeper in (old, new):
        keeper.run()
    stage.connection.call("FLUSHALL")
    for keeper in (old, new):
        keeper.note_reset()
        keeper.run()
    revision = stage.stored("tick").revision

    for _ in range(5):
        for keeper in (old, new):
            keeper.note_reset()
            keeper.run()

    # Each puts its own back where it is missing, and lets stand what it finds.
    assert ["gone", "tick"] == sorted(stage.books.read_all())
    assert revision == stage.stored("tick").revision


def test_beats_when_their_files_differ_and_the_leader_dies_then_each_instant_fires_once(
    redis_url: str, tmp_path: Path
) -> None:
    books = Books(redis_url)
    for name, word in (("a", "old"), ("b", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "s.yaml").write_text(
            f"schedules: {{tick: {{task: noop, every: 250ms, overlap: allow, args: [{word}]}}}}\n"
        )
    with ExitStack() as stack:
        first = _in_folder(stack, tmp_path / "a", redis_url)
        eventually(lambda: len(books.fired()) >= 4)
        second = _in_folder(stack, tmp_path / "b", redis_url)
        second.wait_for_line("beat.declared added=0 changed=1")
        count = len(books.fired())
        eventually(lambda: len(books.fired()) >= count + 4)
        first.kill_family()
        second.wait_for_line("beat.leading")
        count = len(books.fired())
        eventually(lambda: len(books.fired()) >= count + 4)

    fired = books.fired()
    instants = sorted(at for _, at in fired)
    words = [args for _, args in sorted(_arguments(books))]
    assert {1} == set(fired.values())
    assert list(range(instants[0], instants[-1] + 1, 250)) == instants
    # Never back to what was declared before.
    assert ["old", "new"] == [word for word, _ in itertools.groupby(words)]


def _in_folder(stack: ExitStack, folder: Path, url: str) -> Command:
    """A beat on ``s.yaml``, a path that is the same in all folders."""
    words = ("beat", "--schedules", "s.yaml")
    beat = Command(words, folder / "log", env={"BEATLINE_REDIS_URL": url}, cwd=folder)
    stack.callback(beat.close)
    return beat


def _arguments(books: Books) -> list[tuple[int, Any]]:
    """(Fire time, first argument) of each job."""
    return [(job.nominal_ms or 0, job.args[0]) for job in _jobs(books)]


def _jobs(books: Books) -> list[Job]:
    flat = books.connection.call("HGETALL", PREFIX + b"jobs")
    return [read_job(raw, record) for raw, record in zip(flat[::2], flat[1::2], strict=True)]


# --- edits while a fire is under way ------------------------------------------------------------


def _planned(stage: Stage, *schedules: Schedule) -> PartitionRound:
    """A beat that knows its schedules, at an instant at which they are due."""
    stage.declare(*schedules)
    beat = stage.beat()
    stage.settle(beat)
    beat.roles.known.read([schedule.name for schedule in schedules])
    stage.pass_ms(10_000)
    return beat


def _edit_under_way(stage: Stage, beat: PartitionRound, *schedules: Schedule) -> None:
    """Let the fire of what is due arrive after an edit that its plan knew nothing of."""
    stage.declare(*schedules)
    beat.roles.firer.run([(schedule.name, stage.now_ms) for schedule in schedules])
    assert 1 == beat.roles.firer._statistics.counters["stale"]
    assert [] == stage.jobs()


def test_fire_when_arguments_are_edited_under_way_then_fires_once_with_the_new_ones(
    stage: Stage,
) -> None:
    beat = _planned(stage, every("tick", args=("old",)))

    _edit_under_way(stage, beat, every("tick", args=("new",)))
    stage.settle(beat)

    assert [(MONDAY_MS + 10_000, ["new"])] == [(job.nominal_ms, job.args) for job in stage.jobs()]
    assert [(10.0, "fired")] == stage.fates("tick")


def test_fire_when_the_trigger_is_edited_under_way_then_only_later_instants_fire(
    stage: Stage,
) -> None:
    beat = _planned(stage, every("tick", "10s"))

    _edit_under_way(stage, beat, every("tick", "7s"))
    stage.play(beat, 5_000)

    assert [(11.0, "fired")] == stage.fates("tick")


def test_fire_when_it_is_removed_under_way_then_nothing_is_made_and_nothing_remains(
    stage: Stage,
) -> None:
    beat = _planned(stage, every("tick"))
    stage.books.remove("tick")

    beat.roles.firer.run([("tick", stage.now_ms)])
    stage.settle(beat)

    assert ([], {}) == (stage.jobs(), stage.timeline())
    assert 0 == stage.connection.call("EXISTS", stage.prefix + b"ledger:tick")


def test_fire_when_it_is_removed_and_declared_again_under_way_then_starts_anew(
    stage: Stage,
) -> None:
    beat = _planned(stage, every("tick", args=("old",)))
    stage.books.remove("tick")

    _edit_under_way(stage, beat, every("tick", args=("new",)))
    stage.play(beat, 10_000)

    assert [(MONDAY_MS + 20_000, ["new"])] == [(job.nominal_ms, job.args) for job in stage.jobs()]


def test_beat_when_it_fires_and_is_edited_all_the_time_then_no_instant_is_lost_or_doubled(
    redis_url: str, beats: Callable[..., RunningBeat]
) -> None:
    books = Books(redis_url)
    running = beats(redis_url, every("tick", "50ms", args=(0,)))
    eventually(lambda: len(books.fired()) >= 3)

    for number in range(1, 150):
        running.beat.declare([every("tick", "50ms", args=(number,))])
        time.sleep(0.013)
    count = len(books.fired())
    eventually(lambda: len(books.fired()) >= count + 3)

    fired = books.fired()
    missed = [entry for entry in books.history("tick") if entry.fate == "missed"]
    instants = sorted([at for _, at in fired] + [entry.nominal_ms for entry in missed])
    numbers = [number for _, number in sorted(_arguments(books))]
    assert {1} == set(fired.values())
    assert list(range(instants[0], instants[-1] + 1, 50)) == instants
    # What was due already when it was changed does not fire any more, and says why.
    assert {"before_applied"} >= {entry.reason for entry in missed}
    assert sorted(numbers) == numbers
    assert len(set(numbers)) > 10


def test_stored_when_edited_then_revisions_only_rise(stage: Stage) -> None:
    def declared(number: int) -> StoredSchedule:
        stage.declare(every("tick", args=(number,)))
        if number % 3 == 0:
            stage.books.remove("tick")
            stage.declare(every("tick", args=(number,)))
        return stage.stored("tick")

    revisions = [int(declared(number).revision) for number in range(10)]

    assert sorted(set(revisions)) == revisions
