from __future__ import annotations

from beatline_worker.batching import BatchSize


def test_batch_when_nothing_has_run_then_takes_one() -> None:
    assert BatchSize().next() == 1


def test_batch_when_jobs_are_quick_then_doubles_up_to_the_largest() -> None:
    batch = BatchSize(largest=16)

    sizes = []
    for _ in range(6):
        batch.note("quick", 0.01)
        sizes.append(batch.next())

    assert [2, 4, 8, 16, 16, 16] == sizes


def test_batch_when_a_job_is_long_then_takes_one() -> None:
    batch = BatchSize()
    for _ in range(6):
        batch.note("quick", 0.01)
        batch.next()

    batch.note("long", 80)

    assert batch.next() == 1


def test_batch_when_a_quick_task_turns_slow_then_believes_it_at_once() -> None:
    batch = BatchSize()
    for _ in range(6):
        batch.note("task", 0.01)
        batch.next()

    batch.note("task", 60)

    assert batch.next() == 1


def test_batch_when_runs_take_five_ms_then_stays_near_fifty_ms() -> None:
    batch = BatchSize()
    size = 1
    for _ in range(10):
        batch.note("task", 5)
        size = batch.next()

    assert size == 10


def test_batch_when_all_of_it_is_done_at_once_then_twice_as_large() -> None:
    sizes = {}
    for run_ms in (0.01, 0.05, 0.07, 0.5):
        batch = BatchSize()
        for _ in range(10):
            batch.note("task", run_ms)
            sizes[run_ms] = batch.next()

    assert {0.01: 128, 0.05: 100, 0.07: 71, 0.5: 64} == sizes


def test_batch_when_the_queue_ran_dry_then_starts_smaller() -> None:
    batch = BatchSize()
    for _ in range(4):
        batch.note("quick", 0.01)
        batch.next()

    batch.shrink()

    assert batch.next() == 8
