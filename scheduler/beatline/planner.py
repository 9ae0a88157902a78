"""
What is to become of fire times that have come: the pure part of beat.

`plan` looks at a schedule, its stored state and the server's time, and answers with decisions in
the order of their nominal instants: fire this one, record those as missed. It reads no clock and
no Redis. Beat carries each decision out by one script that compares the stored next fire time
with the decision's first instant and stores ``next_ms``, so that two beats with the same plan
carry it out once.

What is not decided here: overlap. Whether an earlier job is in the way is known to the script.

The policies are those of docs/schedules.md. Work is bounded however long nobody looked: spans
are found by bisection, not by walking through them.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice, pairwise

import msgspec
from msgspec.structs import replace

from beatline.schedule import CatchUp, Schedule

#: Decisions that one plan holds at most; the rest comes with the next plan.
MAX_DECISIONS = 1_000
#: Missed instants that are counted one by one; beyond, the count says that it is not exact.
#: Intervals are counted by arithmetic and always exactly.
COUNT_LIMIT = 10_000
#: Later than every instant.
_NEVER_MS = 1 << 62


class MissedReason(StrEnum):
    """Why an occurrence was not fired."""

    #: No beat was up when it was due.
    NO_BEAT = "no_beat"
    #: A beat was up, but could not fire it in time: Redis was away, or the beat was overloaded.
    LATE = "late"
    #: The schedule was paused when it was due.
    PAUSED = "paused"
    #: It was late by more than the catch-up window.
    OUTSIDE_WINDOW = "outside_window"
    #: More occurrences were late than ``max_catch_up`` allows.
    OVER_MAXIMUM = "over_maximum"
    #: It lies before the schedule was applied in its present form.
    BEFORE_APPLIED = "before_applied"


class ScheduleState(msgspec.Struct, frozen=True):
    """
    What is stored of a schedule besides its definition. All instants are nominal, UTC ms.

    Attributes:
        next_ms: The first occurrence that is not decided yet; None where there is none. It is
            taken as it is, also where this beat's zone data would not name it: a beat with newer
            ones may have stored it.
        last_ms: The newest occurrence that was decided, whatever the decision; before next_ms.
        applied_ms: When the schedule was applied in its present form.
        runs: Jobs that it has made.
        paused: Whether it rests now.
        paused_ms: Since when it rests, or rested last; None where unknown, which is since ever.
        resumed_ms: Until when it rested; None where it never did, or still does.
    """

    next_ms: int | None
    last_ms: int | None = None
    applied_ms: int = 0
    runs: int = 0
    paused: bool = False
    paused_ms: int | None = None
    resumed_ms: int | None = None


class Fire(msgspec.Struct, frozen=True):
    """
    Make a job of this occurrence, as far as overlap allows.

    Attributes:
        nominal_ms: The occurrence's identity.
        due_ms: When it was to run: nominal plus jitter.
        caught_up: Whether it comes late and is caught up.
        next_ms, next_due_ms: The occurrence after this decision; None for the end.
    """

    nominal_ms: int
    due_ms: int
    caught_up: bool
    next_ms: int | None = None
    next_due_ms: int | None = None

    @property
    def first_ms(self) -> int:
        """The occurrence itself, by the name that `Missed` has for its first."""
        return self.nominal_ms


class Missed(msgspec.Struct, frozen=True):
    """
    Record all occurrences of a span as missed.

    Attributes:
        first_ms, last_ms: Its first and last occurrence, both included.
        count: How many there are.
        reason: Why.
        count_is_exact: False where counting was cut off; there are then at least so many.
        next_ms, next_due_ms: The occurrence after this decision; None for the end.
    """

    first_ms: int
    last_ms: int
    count: int
    reason: MissedReason
    count_is_exact: bool = True
    next_ms: int | None = None
    next_due_ms: int | None = None


Decision = Fire | Missed


class Plan(msgspec.Struct, frozen=True):
    """
    What to do now, and when to look again.

    Attributes:
        decisions: In the order of their instants; each begins with the ``next_ms`` of the one
            before.
        next_ms: The first occurrence that is left open; None where the schedule has ended.
        next_due_ms: When it is due.
        more: Whether to plan again at once, after carrying this out.
    """

    decisions: tuple[Decision, ...]
    next_ms: int | None
    next_due_ms: int | None
    more: bool = False


def first_next_ms(schedule: Schedule, applied_ms: int, last_ms: int | None = None) -> int | None:
    """
    The first occurrence of a schedule that is new or whose trigger has changed.

    Args:
        schedule: The schedule.
        applied_ms: When it was applied; it never fires for instants before.
        last_ms: Its newest decided occurrence, which survives changes.

    Returns:
        The nominal instant, strictly after both; None where there is none.
    """
    after_ms = applied_ms if last_ms is None else max(applied_ms, last_ms)
    return schedule.timetable.next_nominal_ms(after_ms)


def recomputed_next_ms(schedule: Schedule, state: ScheduleState) -> int | None:
    """
    The next occurrence under newer zone data: the first that is not decided yet.

    Occurrences that nobody has fired yet stay in it, so that they are caught up or recorded.
    """
    return first_next_ms(schedule, state.applied_ms, state.last_ms)


def plan(
    schedule: Schedule,
    state: ScheduleState,
    now_ms: int,
    *,
    beat_absent_since_ms: int | None = None,
) -> Plan:
    """
    Decide all occurrences that are due.

    Args:
        schedule: The schedule.
        state: What is stored of it.
        now_ms: The server's time.
        beat_absent_since_ms: Since when no beat was up until now; None where one was.

    Returns:
        The decisions, and the next occurrence to wait for. Where ``max_runs`` may be used up, the
        plan stops behind the fire that may use it up and says ``more``: whether it made a job is
        only known afterwards.
    """
    first_ms = state.next_ms
    if first_ms is None or (schedule.max_runs is not None and state.runs >= schedule.max_runs):
        return Plan((), None, None)
    due_ms = schedule.timetable.due_ms(first_ms)
    if due_ms > now_ms:
        return Plan((), first_ms, due_ms)
    if due_ms >= now_ms - schedule.grace_ms:
        single = _single(schedule, state, first_ms, now_ms)
        if single is not None:
            return single
    return _assembled(_Situation(schedule, state, now_ms, first_ms, beat_absent_since_ms))


def _single(schedule: Schedule, state: ScheduleState, first_ms: int, now_ms: int) -> Plan | None:
    """The plan where one occurrence is due and in time, which is almost always; else None."""
    if state.paused or state.resumed_ms is not None:
        return None
    if first_ms < state.applied_ms or schedule.max_runs is not None:
        return None
    due_ms = schedule.timetable.due_ms
    next_ms = schedule.timetable.next_nominal_ms(first_ms)
    next_due_ms = None if next_ms is None else due_ms(next_ms)
    if next_due_ms is not None and next_due_ms <= now_ms:
        return None
    fire = Fire(first_ms, due_ms(first_ms), False, next_ms, next_due_ms)
    return Plan((fire,), next_ms, next_due_ms)


class _Verdict(StrEnum):
    """What holds for a stretch of instants before the catch-up policy is applied."""

    ON_TIME = "on_time"
    CATCH_UP = "catch_up"


class _Situation:
    """
    The instants that are due, cut into stretches for which one verdict holds.

    Jitter may turn the order of two instants that lie close together. Occurrences are decided in
    the order of their nominal instants, so that one that is due early waits for those before it
    and counts as due when the last of them is. With that, each question about "due" asks for the
    first instant that is due at or after a limit.
    """

    def __init__(
        self,
        schedule: Schedule,
        state: ScheduleState,
        now_ms: int,
        first_ms: int,
        absent_since_ms: int | None,
    ) -> None:
        self.schedule, self.timetable = schedule, schedule.timetable
        self.runs_left = None if schedule.max_runs is None else schedule.max_runs - state.runs
        self.first_ms = first_ms
        self._state = state
        #: The first instant that is not due yet: the end of what is to be decided.
        self.end_ms = self._first_due_from(now_ms + 1)
        self._on_time_ms = self._first_due_from(now_ms - schedule.grace_ms)
        self._window_ms = self._first_due_from(now_ms - schedule.catch_up_window_ms)
        self._absent_ms = _NEVER_MS
        if absent_since_ms is not None:
            self._absent_ms = self._first_due_from(absent_since_ms)
        has_rested = state.paused or state.resumed_ms is not None
        self._paused_ms = (state.paused_ms or 0) if has_rested else _NEVER_MS
        self._resumed_ms = _NEVER_MS if state.paused else (state.resumed_ms or _NEVER_MS)

    def stretches(self) -> list[tuple[int, int, _Verdict | MissedReason]]:
        """(first instant, end, verdict) in order; the end is no part of the stretch."""
        found: list[tuple[int, int, _Verdict | MissedReason]] = []
        from_state = (self._state.applied_ms, self._paused_ms, self._resumed_ms)
        from_policy = (self._absent_ms, self._window_ms, self._on_time_ms)
        cuts = {cut for cut in from_state + from_policy if self.first_ms < cut < self.end_ms}
        edges = [self.first_ms, *sorted(cuts), self.end_ms]
        for begin_ms, end_ms in pairwise(edges):
            first_ms: int | None = begin_ms
            if begin_ms != self.first_ms:
                first_ms = self.timetable.next_nominal_ms(begin_ms - 1)
            if first_ms is None or first_ms >= end_ms:
                continue
            verdict = self._verdict(begin_ms)
            # Two stretches to catch up in may be late for two causes: they stay apart.
            if found and found[-1][2] == verdict and verdict != _Verdict.CATCH_UP:
                first_ms = found.pop()[0]
            found.append((first_ms, end_ms, verdict))
        return found

    def instants(self, first_ms: int, end_ms: int) -> Iterator[int]:
        """The instants from ``first_ms``, which is one, to before the end."""
        yield first_ms
        yield from self.timetable.between(first_ms + 1, end_ms - 1)

    def cause(self, at_ms: int) -> MissedReason:
        """Why an instant was not fired in time."""
        return MissedReason.NO_BEAT if at_ms >= self._absent_ms else MissedReason.LATE

    def newest_before(self, first_ms: int, end_ms: int) -> int:
        """The newest instant before ``end_ms``; ``first_ms`` is one. Found by bisection."""
        newest_ms, bound_ms = first_ms, end_ms
        # No instant lies between bound_ms and end_ms.
        while newest_ms < bound_ms:
            middle_ms = (newest_ms + bound_ms) // 2
            found_ms = self.timetable.next_nominal_ms(middle_ms)
            if found_ms is not None and found_ms < end_ms:
                newest_ms = found_ms
            else:
                bound_ms = middle_ms
        return newest_ms

    def missed(self, first_ms: int, end_ms: int, reason: MissedReason) -> Missed:
        """All instants from the first one to the end, as missed."""
        last_ms = self.newest_before(first_ms, end_ms)
        further = self.timetable.count_between(first_ms + 1, last_ms)
        if further is not None:
            return Missed(first_ms, last_ms, 1 + further, reason)
        instants = self.instants(first_ms, last_ms + 1)
        count = sum(1 for _ in islice(instants, COUNT_LIMIT + 1))
        is_exact = count <= COUNT_LIMIT
        return Missed(first_ms, last_ms, min(count, COUNT_LIMIT), reason, is_exact)

    def fire(self, nominal_ms: int, *, caught_up: bool) -> Fire:
        """One instant, as a job."""
        return Fire(nominal_ms, self.timetable.due_ms(nominal_ms), caught_up)

    def _verdict(self, begin_ms: int) -> _Verdict | MissedReason:
        if begin_ms < self._state.applied_ms:
            return MissedReason.BEFORE_APPLIED
        if self._paused_ms <= begin_ms < self._resumed_ms:
            return MissedReason.PAUSED
        if begin_ms >= self._on_time_ms:
            return _Verdict.ON_TIME
        if self.schedule.catch_up is CatchUp.NONE:
            return self.cause(begin_ms)
        if begin_ms < self._window_ms:
            return MissedReason.OUTSIDE_WINDOW
        return _Verdict.CATCH_UP

    def _first_due_from(self, limit_ms: int) -> int:
        """The first open instant that is due at or after a limit; `_NEVER_MS` for none."""
        if self.timetable.due_ms(self.first_ms) >= limit_ms:
            return self.first_ms
        earliest_ms = max(self.first_ms, limit_ms - self.timetable.jitter_ms - 1)
        nominal_ms = self.timetable.next_nominal_ms(earliest_ms)
        while nominal_ms is not None and self.timetable.due_ms(nominal_ms) < limit_ms:
            nominal_ms = self.timetable.next_nominal_ms(nominal_ms)
        return _NEVER_MS if nominal_ms is None else nominal_ms


def _decided(situation: _Situation) -> Iterator[Decision]:
    """The decisions in order, without what follows each."""
    stretches = situation.stretches()
    catching = [begin for begin, _, verdict in stretches if verdict is _Verdict.CATCH_UP]
    left = situation.schedule.max_catch_up
    for first_ms, end_ms, verdict in stretches:
        if isinstance(verdict, MissedReason):
            yield situation.missed(first_ms, end_ms, verdict)
        elif verdict is _Verdict.ON_TIME:
            for nominal_ms in situation.instants(first_ms, end_ms):
                yield situation.fire(nominal_ms, caught_up=False)
        elif situation.schedule.catch_up is CatchUp.LATEST:
            yield from _latest(situation, first_ms, end_ms, is_newest=first_ms == catching[-1])
        else:
            for nominal_ms in situation.instants(first_ms, end_ms):
                if left == 0:
                    yield situation.missed(nominal_ms, end_ms, MissedReason.OVER_MAXIMUM)
                    break
                left -= 1
                yield situation.fire(nominal_ms, caught_up=True)


def _latest(
    situation: _Situation, first_ms: int, end_ms: int, *, is_newest: bool
) -> Iterator[Decision]:
    """The newest instant of the newest stretch fires, all others of it are missed."""
    cause = situation.cause(first_ms)
    if not is_newest:
        yield situation.missed(first_ms, end_ms, cause)
        return
    newest_ms = situation.newest_before(first_ms, end_ms)
    if newest_ms > first_ms:
        yield situation.missed(first_ms, newest_ms, cause)
    yield situation.fire(newest_ms, caught_up=True)


def _assembled(situation: _Situation) -> Plan:
    """Cut the decisions where they must end, and tell each what follows it."""
    decisions: list[Decision] = []
    runs_left = situation.runs_left
    next_ms: int | None = None if situation.end_ms == _NEVER_MS else situation.end_ms
    more = False
    for decision in _decided(situation):
        if runs_left == 0 or len(decisions) == MAX_DECISIONS:
            next_ms, more = decision.first_ms, True
            break
        decisions.append(decision)
        if runs_left is not None and isinstance(decision, Fire):
            runs_left -= 1
            # Once the last job is made there is nothing to wait for any more.
            more = runs_left == 0
    next_due_ms = None if next_ms is None else situation.timetable.due_ms(next_ms)
    following = (next_ms, next_due_ms)
    linked: list[Decision] = []
    for decision in reversed(decisions):
        linked.append(replace(decision, next_ms=following[0], next_due_ms=following[1]))
        following = (decision.first_ms, situation.timetable.due_ms(decision.first_ms))
    return Plan(tuple(reversed(linked)), next_ms, next_due_ms, more)
