"""
The policies as the rules tell them, instant by instant: slow, plain, and apart from the planner.

Each nominal instant from the stored next one on is looked at by itself. What the model needs of
the code under test is only the list of instants and when each is due.
"""

from __future__ import annotations

from collections.abc import Sequence

from beatline.planner import ScheduleState
from beatline.schedule import CatchUp, Schedule

FIRE, CAUGHT_UP = "fire", "caught_up"


def verdicts(
    schedule: Schedule,
    state: ScheduleState,
    now_ms: int,
    instants: Sequence[int],
    absent_since_ms: int | None = None,
) -> list[tuple[int, str]]:
    """(nominal instant, verdict) for each that is due, as if ``max_runs`` were unlimited."""
    due: list[tuple[int, int]] = []
    latest_due_ms = -1
    for nominal_ms in instants:
        # One that is due early waits for those before it.
        latest_due_ms = max(latest_due_ms, schedule.timetable.due_ms(nominal_ms))
        if latest_due_ms > now_ms:
            break
        due.append((nominal_ms, latest_due_ms))
    found: list[tuple[int, str]] = []
    for nominal_ms, due_ms in due:
        if nominal_ms < state.applied_ms:
            verdict = "before_applied"
        elif was_resting(state, nominal_ms):
            verdict = "paused"
        elif now_ms - due_ms <= schedule.grace_ms:
            verdict = FIRE
        elif schedule.catch_up is CatchUp.NONE:
            verdict = "cause"
        elif now_ms - due_ms > schedule.catch_up_window_ms:
            verdict = "outside_window"
        else:
            verdict = "late and inside"
        if verdict == "cause":
            absent = absent_since_ms is not None and due_ms >= absent_since_ms
            verdict = "no_beat" if absent else "late"
        found.append((nominal_ms, verdict))
    inside = [nominal_ms for nominal_ms, verdict in found if verdict == "late and inside"]
    due_of = dict(due)
    for position, (nominal_ms, first_verdict) in enumerate(found):
        if first_verdict != "late and inside":
            continue
        if schedule.catch_up is CatchUp.ALL:
            is_caught = nominal_ms in inside[: schedule.max_catch_up]
            verdict = CAUGHT_UP if is_caught else "over_maximum"
        elif nominal_ms == inside[-1]:
            verdict = CAUGHT_UP
        else:
            absent = absent_since_ms is not None and due_of[nominal_ms] >= absent_since_ms
            verdict = "no_beat" if absent else "late"
        found[position] = (nominal_ms, verdict)
    return found


def was_resting(state: ScheduleState, nominal_ms: int) -> bool:
    since_ms = 0 if state.paused_ms is None else state.paused_ms
    if state.paused:
        return nominal_ms >= since_ms
    return state.resumed_ms is not None and since_ms <= nominal_ms < state.resumed_ms
