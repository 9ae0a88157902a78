from __future__ import annotations

from beatline_worker.lanes import FLAG_ISOLATED, INTERRUPT_HARD_LIMIT, INTERRUPT_SOFT_LIMIT
from beatline_worker.limits import Action, due_actions
from beatline_worker.nursery import ChildState
from beatline_worker.table import Table

MS = 1_000_000


def _child(
    *, known: int = 5, soft_ms: int = 0, hard_ms: int = 0, flags: int = 0, lanes: int = 1
) -> ChildState:
    row = Table(1, lanes).row(0)
    row.reset()
    row.known = known
    row.lane(0).begin(5, 0, b"id")
    row.lane(0).describe(1, "task", soft_ms, hard_ms, flags)
    return ChildState(0, row, "consumer", pid=1)


def _actions(child: ChildState, now_ns: int, *, lease_is_over: bool = False) -> list[Action]:
    return [due.action for due in due_actions(child, now_ns, lease_is_over=lease_is_over)]


def test_due_actions_when_nothing_runs_then_none() -> None:
    child = _child(hard_ms=10)
    child.row.lane(0).clear()

    assert _actions(child, 50 * MS) == []


def test_due_actions_when_within_limits_then_none() -> None:
    assert _actions(_child(soft_ms=100, hard_ms=200), 50 * MS) == []


def test_due_actions_when_over_the_soft_limit_then_interrupts_once() -> None:
    child = _child(soft_ms=100, hard_ms=500)

    first = _actions(child, 150 * MS)
    child.interrupted[5] = INTERRUPT_SOFT_LIMIT
    second = _actions(child, 200 * MS)

    assert (first, second) == ([Action.INTERRUPT], [])


def test_due_actions_when_over_the_hard_limit_then_kills() -> None:
    assert _actions(_child(hard_ms=100), 150 * MS) == [Action.KILL]


def test_due_actions_when_others_run_beside_it_then_it_may_end_before_all_are_killed() -> None:
    child = _child(hard_ms=100, lanes=2)

    first = _actions(child, 150 * MS)
    child.interrupted[5] = INTERRUPT_HARD_LIMIT
    later = [_actions(child, ms * MS) for ms in (900, 1_150)]

    assert (first, later) == ([Action.END], [[], [Action.KILL]])


def test_due_actions_when_a_cancelled_body_does_not_end_then_its_child_is_doomed() -> None:
    child = _child(lanes=2)
    child.doomed[5] = (90 * MS, "cancelled")

    assert [[], [Action.DOOM]] == [_actions(child, 80 * MS), _actions(child, 95 * MS)]


def test_due_actions_when_a_job_has_ended_then_what_was_noted_of_it_is_forgotten() -> None:
    child = _child(lanes=2)
    child.interrupted[4], child.doomed[4] = INTERRUPT_SOFT_LIMIT, (0, "cancelled")

    _actions(child, 1)

    assert ({}, {}) == (child.interrupted, child.doomed)


def test_due_actions_when_killed_already_then_none() -> None:
    child = _child(hard_ms=100)
    child.verdict = "time_limit"

    assert _actions(child, 150 * MS) == []


def test_due_actions_when_a_job_overstays_with_others_behind_it_then_gives_back() -> None:
    assert _actions(_child(known=9), 150 * MS) == [Action.GIVE_BACK]


def test_due_actions_when_a_job_overstays_alone_then_none() -> None:
    assert _actions(_child(known=5), 150 * MS) == []


def test_due_actions_when_what_was_asked_for_may_lie_unread_then_gives_back_each_second() -> None:
    child = _child(known=5)
    child.row.asking = 1
    child.gave_back_ns = -2_000 * MS

    first = _actions(child, 150 * MS)
    child.gave_back_ns = 150 * MS

    assert ([Action.GIVE_BACK], []) == (first, _actions(child, 1_100 * MS))
    assert [Action.GIVE_BACK] == _actions(child, 1_200 * MS)


def test_due_actions_when_jobs_have_only_just_come_then_they_are_not_given_back() -> None:
    child = _child(known=9, lanes=2)
    child.row.known_ns = 120 * MS

    assert _actions(child, 150 * MS) == []


def test_due_actions_when_stopping_then_gives_back_at_once() -> None:
    child = _child(known=9)
    child.row.stop = 1

    assert _actions(child, 2) == [Action.GIVE_BACK]


def test_due_actions_when_the_lease_is_over_then_only_isolated_jobs_are_killed() -> None:
    plain, isolated = _child(), _child(flags=FLAG_ISOLATED)

    actions = [_actions(child, 10, lease_is_over=True) for child in (plain, isolated)]

    assert actions == [[], [Action.ISOLATE]]
