"""Promotion in bounded batches, larger ones when behind."""

from __future__ import annotations

from beatline.beat.promoter import BATCH, BATCH_BEHIND, MOST_BATCHES
from beatline.ids import new_id
from beatline.job import record_body, record_head
from beatline.store.enqueuing import enqueue
from tests.beat.stage import MONDAY_MS, Stage, every

_RECORD = record_head("default", 4, 0) + record_body("noop", (), {})


def _schedule_jobs(stage: Stage, count: int, due_ms: int) -> None:
    for number, first in enumerate(range(0, count, 1_000)):
        jobs = [(new_id(), str(due_ms), _RECORD) for _ in range(min(1_000, count - first))]
        sender = b"%d-%d" % (due_ms, number)
        enqueue(stage.connection, stage.prefix, sender, 1, jobs, check=False)


def test_promoter_when_jobs_are_due_then_all_become_ready(stage: Stage) -> None:
    _schedule_jobs(stage, 700, MONDAY_MS + 1_000)
    beat = stage.beat()

    stage.play(beat, 999, 333)
    before = len(stage.ready())
    stage.play(beat, 1)

    assert (0, 700) == (before, len(stage.ready()))


def test_promoter_when_far_behind_then_a_round_is_bounded(stage: Stage) -> None:
    most = BATCH + (MOST_BATCHES - 1) * BATCH_BEHIND
    _schedule_jobs(stage, most + 1_500, MONDAY_MS + 500)
    beat = stage.beat()
    stage.pass_ms(1_000)

    first_pause = beat.run()
    after_one = len(stage.ready())
    beat.run()

    assert (0.0, most, most + 1_500) == (first_pause, after_one, len(stage.ready()))


def test_promoter_when_a_schedule_is_due_among_jobs_then_it_is_fired_in_the_same_round(
    stage: Stage,
) -> None:
    stage.declare(every("tick"))
    _schedule_jobs(stage, 600, MONDAY_MS + 10_000)
    beat = stage.beat()
    stage.settle(beat)
    stage.pass_ms(10_000)

    beat.run()
    in_first_round = stage.fates("tick")
    stage.settle(beat)

    assert [(10.0, "fired")] == in_first_round
    assert 601 == len(stage.ready())


def test_promoter_when_asked_when_next_then_names_the_head(stage: Stage) -> None:
    _schedule_jobs(stage, 1, MONDAY_MS + 300)
    beat = stage.beat()

    pause_s = beat.run()

    assert 0.3 == pause_s
