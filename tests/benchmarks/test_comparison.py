"""What a comparison measures how often, what it keeps, and how its goals are judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.comparing import Measured
from benchmarks.journal import Journal, measured_in, read
from benchmarks.own_cells import CELLS
from benchmarks.plan import Step, plan, rounds_of
from benchmarks.roster import CONTENDERS, Contender, chosen
from benchmarks.verdicts import judge

DRAIN = next(cell for cell in CELLS if cell.name == "drain")


def contender(name: str, form: str) -> Contender:
    return next(one for one in CONTENDERS if (one.name, one.form) == (name, form))


def measured(
    name: str, value: float | None, turn: int = 0, *, loop_ms: float = 10, note: str = ""
) -> Measured:
    return Measured("drain", name, "tuned", turn, value, {}, None, loop_ms, True, note)


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [("Beatline", "default", 3), ("Bare loop", "floor", 3), ("BullMQ", "tuned", 3),
     ("Celery", "default", 3), ("BullMQ", "default", 1), ("APScheduler", "tuned", 0)],
)  # fmt: skip
def test_rounds_of_the_drain_when_planned_then_follow_the_form(
    name: str, form: str, expected: int
) -> None:
    rounds = rounds_of(DRAIN, contender(name, form), 3)

    assert expected == rounds


def test_plan_when_made_then_everybody_comes_before_anybodys_second_turn() -> None:
    steps = plan([DRAIN], chosen(["bullmq"], "tuned"), 2)

    assert [0] * 3 + [1] * 3 == [step.round for step in steps]


def test_plan_of_three_rounds_when_summed_up_then_fits_into_an_hour() -> None:
    steps = plan(CELLS, chosen(None, None), 3)

    assert sum(step.expected_s for step in steps) < 55 * 60


def test_journal_when_read_again_then_only_failures_are_left_to_do(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    journal = Journal(path, {"scale": 1})
    journal.add(measured("BullMQ", 5_000.0))
    journal.add(measured("SAQ", None, note="failed: it ended"))

    resumed = Journal(path, {}, measured_in(read(path)))

    assert resumed.has(Step(DRAIN, contender("BullMQ", "tuned"), 0))
    assert not resumed.has(Step(DRAIN, contender("SAQ", "tuned"), 0))


def test_journal_when_busy_moments_are_repeated_then_keeps_the_calmer_value() -> None:
    earlier = [measured("BullMQ", 5_000.0, loop_ms=10), measured("SAQ", 100.0, loop_ms=20)]
    journal = Journal(None, {}, earlier, again_busy=True)
    is_left = not journal.has(Step(DRAIN, contender("SAQ", "tuned"), 0))

    journal.add(measured("SAQ", 50.0, loop_ms=30))
    journal.add(measured("SAQ", 1_400.0, loop_ms=11))

    assert is_left
    assert [5_000.0, 1_400.0] == [one.value for one in journal.found]


def test_ratio_to_the_fastest_peer_when_rounds_differ_then_is_taken_round_by_round() -> None:
    found = [
        measured("Beatline", 40_000.0, 0), measured("BullMQ", 4_000.0, 0),
        measured("Beatline", 60_000.0, 1), measured("BullMQ", 5_000.0, 1),
        measured("SAQ", 1_000.0, 0),
    ]  # fmt: skip

    verdict = next(one for one in judge(found) if "fastest peer" in one.promise.what)

    assert (11.0, 12.0) == (verdict.middle, verdict.best)
    assert verdict.is_even


def test_ratio_when_the_machine_was_slower_for_the_peer_then_is_marked() -> None:
    found = [measured("Beatline", 40_000.0), measured("BullMQ", 4_000.0, loop_ms=20)]

    verdict = next(one for one in judge(found) if "fastest peer" in one.promise.what)

    assert not verdict.is_even
