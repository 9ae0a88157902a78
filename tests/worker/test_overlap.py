"""
Overlap in its five forms, by real processes: a beat, a worker with free hands, jobs that last
longer than their schedule's interval. docs/schedules.md shows the same as an example each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from beatline import App
from beatline.ledger import Fate, Occurrence
from tests.processes import Command, Entry, Journal
from tests.servers import eventually

Start = Callable[..., Command]
Play = Callable[..., list[Occurrence]]

INTERVAL_MS = 400


@pytest.fixture
def play(worker: Start, sched: Start, journal: Journal, tmp_path: Path, app: App) -> Play:
    """Lets a schedule of jobs of 1 s (or more) fire every 400 ms, until so many have started."""

    def run(overlap: str, starts: int, seconds: float = 1) -> list[Occurrence]:
        file = tmp_path / "schedules.yaml"
        file.write_text(
            f"schedules: {{tick: {{task: nap, args: [tick, {seconds}], every: {INTERVAL_MS}ms, "
            f"overlap: {overlap}}}}}\n"
        )
        # A running job learns at a renewal that it is cancelled: a fifth of the lease.
        worker("-c", "4", extra_env={"BEATLINE_LEASE": "1s"})
        beat = sched("beat", "--schedules", str(file))
        journal.wait_for("start", starts)
        assert 0 == beat.terminate()
        return app.schedules.history("tick")

    return run


def _most_at_once(journal: Journal) -> int:
    """Most jobs that ran at the same time."""
    running = most = 0
    for entry in journal.entries():
        running += 1 if entry.what == "start" else -1
        most = max(most, running)
    return most


def _gaps_ms(journal: Journal) -> list[float]:
    """From the end of each job to the start of the next."""
    entries = journal.entries()
    pairs: list[tuple[Entry, Entry]] = list(zip(entries[1::2], entries[2::2], strict=False))
    return [(start.at_ns - end.at_ns) / 1e6 for end, start in pairs]


def _fates(history: list[Occurrence]) -> set[str]:
    return {str(entry.fate) for entry in history}


def test_overlap_skip_when_a_job_still_runs_then_its_occurrences_are_skipped_by_name(
    play: Play, journal: Journal
) -> None:
    history = play("skip", 3)

    skipped = [entry for entry in history if entry.fate is Fate.SKIPPED]
    made = {entry.job_id for entry in history if entry.fate is not Fate.SKIPPED}
    assert 1 == _most_at_once(journal)
    assert len(skipped) >= 4
    assert {entry.in_the_way for entry in skipped} <= made
    # It starts at a fire time again, never as soon as the earlier job has ended.
    assert min(_gaps_ms(journal)) > 20


def test_overlap_buffer_one_when_a_job_still_runs_then_one_waits_and_follows_at_once(
    play: Play, journal: Journal
) -> None:
    history = play("buffer_one", 3)

    assert 1 == _most_at_once(journal)
    assert "skipped" in _fates(history)
    assert max(_gaps_ms(journal)) < 200


def test_overlap_buffer_all_when_a_job_still_runs_then_all_wait_and_run_in_order(
    play: Play, journal: Journal
) -> None:
    history = play("buffer_all", 3)

    started = [entry.nominal_ms for entry in history if entry.started_ms is not None]
    planned = [entry.nominal_ms for entry in history]
    assert 1 == _most_at_once(journal)
    assert _fates(history) <= {"fired", "ended"}
    assert list(range(planned[0], planned[-1] + 1, INTERVAL_MS)) == planned
    assert planned[: len(started)] == started
    assert max(_gaps_ms(journal)) < 200


def test_overlap_cancel_running_when_a_job_still_runs_then_it_ends_and_the_new_one_runs(
    play: Play, journal: Journal, app: App
) -> None:
    history = play("cancel_running", 4, 3)

    *earlier, last = [entry for entry in history if entry.job_id]
    eventually(lambda: str(app.jobs.get(last.job_id or "").state) == "SUCCESS")
    states = [str(app.jobs.get(entry.job_id or "").state) for entry in earlier]
    assert {"CANCELLED"} == set(states)
    assert _fates(history) <= {"fired", "ended"}
    assert 1 == journal.count("end")


def test_overlap_allow_when_a_job_still_runs_then_the_next_runs_beside_it(
    play: Play, journal: Journal
) -> None:
    history = play("allow", 4)

    planned = [entry.nominal_ms for entry in history]
    assert _most_at_once(journal) >= 2
    assert _fates(history) <= {"fired", "ended"}
    assert list(range(planned[0], planned[-1] + 1, INTERVAL_MS)) == planned
