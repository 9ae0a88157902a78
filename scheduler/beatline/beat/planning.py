"""
From the planner's decisions to the calls that carry them out.

The planner is pure and knows neither ids nor records; ``fire.lua`` takes a bounded number of steps
at once. In between, this module also knows when no beat was up, which is what the planner is told
about instants that passed meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from beatline.beat.known_schedules import Known
from beatline.planner import Decision, Fire, Plan, plan
from beatline.store.firing import LARGEST_FIRE, Advance, Fired, JobStep, MissedStep


class Absences:
    """
    The last stretch of time in which no beat was up.

    A gap in the watch that begins before this process did was nobody's; in a later one this beat
    was up, and Redis was away.
    """

    def __init__(self) -> None:
        self._up_since_ms: int | None = None
        self._from_ms = 0
        self._until_ms = 0

    def note_up(self, now_ms: int) -> None:
        """This beat is up, at the latest since now."""
        if self._up_since_ms is None or now_ms < self._up_since_ms:
            self._up_since_ms = now_ms

    def note_gap(self, from_ms: int, until_ms: int) -> None:
        """The watch was not ticked for this long."""
        if self._up_since_ms is not None and from_ms < self._up_since_ms:
            self._from_ms, self._until_ms = from_ms, until_ms

    def since_ms(self, due_ms: int | None) -> int | None:
        """Since when no beat was up, for a schedule that became due then; None where one was."""
        if due_ms is None or due_ms > self._until_ms:
            return None
        return self._from_ms


def plan_advances(known: Known, now_ms: int, absences: Absences) -> tuple[list[Advance], bool]:
    """
    The calls that bring a schedule up to date.

    Args:
        known: What is known of it.
        now_ms: The server's clock.
        absences: When no beat was up.

    Returns:
        Calls to be made in this order, and whether to plan again at once afterwards.
    """
    planned = plan(
        known.schedule,
        known.state(),
        now_ms,
        beat_absent_since_ms=absences.since_ms(known.due_ms),
    )
    return _advances(known, planned, now_ms), planned.more


def after_fire(known: Known, advance: Advance, fired: Fired) -> None:
    """Note what an accepted call has changed."""
    decided_ms = None
    if advance.steps:
        last = advance.steps[-1]
        decided_ms = last.nominal_ms if isinstance(last, JobStep) else last.last_ms
    known.advance(advance.next_ms, advance.due_ms, decided_ms, fired.jobs)


def _advances(known: Known, planned: Plan, now_ms: int) -> list[Advance]:
    expected = known.next_text
    if not planned.decisions:
        return [_advance(known, expected, (), planned.next_ms, planned.next_due_ms, now_ms)]
    advances: list[Advance] = []
    remaining = iter(planned.decisions)
    while part := tuple(islice(remaining, LARGEST_FIRE)):
        last = part[-1]
        advances.append(_advance(known, expected, part, last.next_ms, last.next_due_ms, now_ms))
        expected = b"" if last.next_ms is None else b"%d" % last.next_ms
    return advances


def _advance(
    known: Known,
    expected: bytes,
    decisions: Sequence[Decision],
    next_ms: int | None,
    due_ms: int | None,
    now_ms: int,
) -> Advance:
    return Advance(
        schedule=known.stored.name,
        revision=known.stored.revision,
        expected=expected,
        next_ms=next_ms,
        due_ms=due_ms,
        overlap=known.schedule.overlap,
        steps=[_step(known, decision, now_ms) for decision in decisions],
    )


def _step(known: Known, decision: Decision, now_ms: int) -> JobStep | MissedStep:
    if isinstance(decision, Fire):
        return known.jobs.step(decision.nominal_ms, now_ms, is_caught_up=decision.caught_up)
    reason = str(decision.reason)
    if not decision.count_is_exact:
        reason += " (at least so many)"
    return MissedStep(decision.first_ms, decision.last_ms, reason, decision.count)
