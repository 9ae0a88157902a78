from __future__ import annotations

from beatline_worker.limits import Action, due_action
from beatline_worker.nursery import ChildState
from beatline_worker.table import Table

MS = 1_000_000


def _child(*, fence: int = 5, known: int = 5, soft_ms: int = 0, hard_ms: int = 0) -> ChildState:
    row = Table(1).row(0)
    row.reset()
    row.known = known
    row.begin(fence, 0, b"id")
    row.describe(1, "task", soft_ms, hard_ms)
    return ChildState(0, row, "consumer", pid=1)


def test_due_action_when_nothing_runs_then_none() -> None:
    child = _child(hard_ms=10)
    child.row.current = 0

    assert due_action(child, 50 * MS) is Action.NONE


def test_due_action_when_within_limits_then_none() -> None:
    assert due_action(_child(soft_ms=100, hard_ms=200), 50 * MS) is Action.NONE


def test_due_action_when_over_the_soft_limit_then_interrupts_once() -> None:
    child = _child(soft_ms=100, hard_ms=500)

    first = due_action(child, 150 * MS)
    child.interrupted = 5
    second = due_action(child, 200 * MS)

    assert (first, second) == (Action.INTERRUPT, Action.NONE)


def test_due_action_when_over_the_hard_limit_then_kills() -> None:
    assert due_action(_child(hard_ms=100), 150 * MS) is Action.KILL


def test_due_action_when_killed_already_then_none() -> None:
    child = _child(hard_ms=100)
    child.verdict = "time_limit"

    assert due_action(child, 150 * MS) is Action.NONE


def test_due_action_when_a_job_overstays_with_others_behind_it_then_gives_back() -> None:
    assert due_action(_child(fence=5, known=9), 150 * MS) is Action.GIVE_BACK


def test_due_action_when_a_job_overstays_alone_then_none() -> None:
    assert due_action(_child(fence=5, known=5), 150 * MS) is Action.NONE


def test_due_action_when_stopping_then_gives_back_at_once() -> None:
    child = _child(fence=5, known=9)
    child.row.stop = 1

    assert due_action(child, 2) is Action.GIVE_BACK


def test_due_action_when_the_lease_is_over_then_only_isolated_jobs_are_killed() -> None:
    plain, isolated = _child(), _child()
    isolated.row.isolated = 1

    actions = [due_action(child, 10, lease_is_over=True) for child in (plain, isolated)]

    assert actions == [Action.NONE, Action.ISOLATE]
