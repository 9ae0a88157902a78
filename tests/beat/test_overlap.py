"""Overlap in all five forms, and the pause after failures: decided where jobs are made and end."""

from __future__ import annotations

import pytest

from beatline.ids import id_text
from beatline.keys import prefix
from beatline.schedule import Overlap
from beatline.store.cancelling import cancel, reschedule
from beatline.store.delivering import Call, Consumer, Delivery, Settlement, settle
from beatline.store.invariants import check
from beatline.store.leasing import register
from beatline.store.reading import look
from beatline.store.scheduling import resume
from tests.beat.stage import Stage, every

_DAY_MS = 86_400_000
_PREFIX = prefix("sched", 0)


class Hands:
    """A consumer that takes one job at a time, and ends it as it is told."""

    def __init__(self, stage: Stage) -> None:
        self._connection = stage.connection
        self._consumer = Consumer("w", "c", "default")
        self._number = 0
        register(stage.connection, _PREFIX, "w", _DAY_MS, {}, ["c"])

    def take(self) -> Delivery | None:
        """The next job, or None."""
        taken = self._call((), limit=1)
        return taken[0] if taken else None

    def end(self, held: Delivery, state: str = "SUCCESS") -> None:
        """End a job."""
        self._call([Settlement(held.id, held.fence, "end", state)], limit=0)

    def _call(self, settlements: list[Settlement] | tuple[()], limit: int) -> list[Delivery]:
        self._number += 1
        taken = settle(
            self._connection,
            Call(
                _PREFIX,
                self._consumer,
                self._number,
                settlements=settlements,
                limit=limit,
                go_idle=False,
            ),
        )
        return taken.deliveries


def _states(stage: Stage) -> list[str]:
    """The states of all jobs there are, by fire time."""
    ids = [job.id for job in stage.jobs()]
    return [str(view.state) for view in look(stage.connection, _PREFIX, ids)]


def _taken(hands: Hands) -> Delivery:
    held = hands.take()
    assert held is not None
    return held


@pytest.mark.parametrize(
    ("overlap", "fates", "states"),
    [
        (Overlap.SKIP, ["fired", "skipped", "skipped"], ["RUNNING"]),
        (Overlap.ALLOW, ["fired", "fired", "fired"], ["RUNNING", "QUEUED", "QUEUED"]),
        (Overlap.BUFFER_ONE, ["fired", "fired", "skipped"], ["RUNNING", "SCHEDULED"]),
        (Overlap.BUFFER_ALL, ["fired", "fired", "fired"], ["RUNNING", "SCHEDULED", "SCHEDULED"]),
        (Overlap.CANCEL_RUNNING, ["fired", "ended", "fired"], ["RUNNING", "QUEUED"]),
    ],
)
def test_fire_when_an_earlier_job_runs_then_as_the_policy_says(
    stage: Stage, overlap: Overlap, fates: list[str], states: list[str]
) -> None:
    stage.declare(every("tick", overlap=overlap))
    beat, hands = stage.beat(), Hands(stage)
    stage.play(beat, 10_000)
    _taken(hands)

    stage.play(beat, 20_000)

    assert fates == [fate for _, fate in stage.fates("tick")]
    assert states == _states(stage)
    assert [] == check(stage.connection, _PREFIX)


@pytest.mark.parametrize("overlap", [Overlap.BUFFER_ONE, Overlap.BUFFER_ALL])
def test_buffered_when_the_earlier_job_ends_then_each_runs_in_turn(
    stage: Stage, overlap: Overlap
) -> None:
    stage.declare(every("tick", overlap=overlap, max_runs=3))
    beat, hands = stage.beat(), Hands(stage)
    stage.play(beat, 30_000)
    ran = []

    for _ in range(4):
        held = hands.take()
        assert hands.take() is None
        if held is not None:
            ran.append(held.id)
            hands.end(held)
        stage.settle(beat)

    fired = [entry.job_id for entry in stage.history("tick") if entry.job_id]
    assert fired == [id_text(raw) for raw in ran]
    assert (2 if overlap is Overlap.BUFFER_ONE else 3) == len(ran)
    assert [] == stage.jobs()
    assert [] == check(stage.connection, _PREFIX)


def test_buffered_when_cancelled_then_the_one_behind_it_runs(stage: Stage) -> None:
    stage.declare(every("tick", overlap=Overlap.BUFFER_ALL, max_runs=3))
    beat, hands = stage.beat(), Hands(stage)
    stage.play(beat, 30_000)
    held = _taken(hands)
    _, second, third = stage.jobs()

    answer = cancel(stage.connection, _PREFIX, second.id, _DAY_MS, hard=False)
    hands.end(held)
    stage.settle(beat)

    assert ("CANCELLED", "") == answer
    assert third.id == _taken(hands).id
    assert [] == check(stage.connection, _PREFIX)


def test_buffered_when_told_to_run_now_then_does_not_wait(stage: Stage) -> None:
    stage.declare(every("tick", overlap=Overlap.BUFFER_ALL, max_runs=2))
    beat, hands = stage.beat(), Hands(stage)
    stage.play(beat, 20_000)
    held = _taken(hands)
    _, second = stage.jobs()

    reschedule(stage.connection, _PREFIX, second.id, 0)

    assert second.id == _taken(hands).id
    hands.end(held)
    assert [] == check(stage.connection, _PREFIX)


def test_buffered_when_the_job_in_the_way_was_lost_then_the_next_fire_sends_it_on(
    stage: Stage,
) -> None:
    stage.declare(every("tick", overlap=Overlap.BUFFER_ALL, max_runs=3))
    beat, hands = stage.beat(), Hands(stage)
    stage.play(beat, 10_000)
    held = _taken(hands)
    stage.play(beat, 10_000)
    second = stage.jobs()[1]
    stage.end_jobs([held.id])
    stage.connection.call("DEL", _PREFIX + b"held:w")

    stage.play(beat, 10_000)

    assert second.id == _taken(hands).id
    assert [] == check(stage.connection, _PREFIX)


def test_buffered_when_the_schedule_is_removed_then_still_runs(stage: Stage) -> None:
    stage.declare(every("tick", overlap=Overlap.BUFFER_ONE, max_runs=2))
    beat, hands = stage.beat(), Hands(stage)
    stage.play(beat, 20_000)
    held = _taken(hands)
    stage.books.remove("tick")

    hands.end(held)
    stage.settle(beat)

    assert hands.take() is not None


def test_cancel_running_when_the_earlier_job_waits_then_it_never_starts(stage: Stage) -> None:
    stage.declare(every("tick", overlap=Overlap.CANCEL_RUNNING, max_runs=2))
    beat, hands = stage.beat(), Hands(stage)

    stage.play(beat, 20_000)

    (newest,) = stage.jobs()
    assert newest.id == _taken(hands).id
    assert ["CANCELLED", "None"] == [str(entry.outcome) for entry in stage.history("tick")]
    assert [] == check(stage.connection, _PREFIX)


def test_cancel_running_when_the_earlier_job_runs_then_it_is_flagged(stage: Stage) -> None:
    stage.declare(every("tick", overlap=Overlap.CANCEL_RUNNING, max_runs=2))
    beat, hands = stage.beat(), Hands(stage)
    stage.play(beat, 10_000)
    held = _taken(hands)

    stage.play(beat, 10_000)

    flagged = stage.connection.call("HGETALL", _PREFIX + b"cancelled")
    assert [held.id, b"soft"] == flagged
    assert _taken(hands).id != held.id


def test_failures_when_as_many_in_a_row_as_declared_then_paused(stage: Stage) -> None:
    stage.declare(every("tick", pause_after_failures=2))
    beat, hands = stage.beat(), Hands(stage)

    for state in ("FAILURE", "SUCCESS", "FAILURE", "FAILURE"):
        stage.play(beat, 10_000)
        assert "" == stage.stored("tick").paused
        hands.end(_taken(hands), state)

    assert "after 2 failures in a row" == stage.stored("tick").paused
    assert [] == check(stage.connection, _PREFIX)


def test_failures_when_resumed_then_counted_anew(stage: Stage) -> None:
    stage.declare(every("tick", pause_after_failures=1))
    beat, hands = stage.beat(), Hands(stage)
    stage.play(beat, 10_000)
    hands.end(_taken(hands), "FAILURE")

    resume(stage.connection, _PREFIX, "tick")

    assert ("", 0) == (stage.stored("tick").paused, stage.stored("tick").counters["failures"])
