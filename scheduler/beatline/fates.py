"""
The fate of an occurrence in words: the part of `beatline.explaining` that reads the ledger.

Pure; instants are written by a function that the caller gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from beatline.ledger import Backfill, Fate, Occurrence, Rest
from beatline.planner import MissedReason
from beatline.states import JobState
from beatline.units import duration_text

#: Why an occurrence was missed, where no more is known.
_REASONS: Final = {
    MissedReason.NO_BEAT: "no beat was up",
    MissedReason.LATE: "a beat was up and could not fire it in time: Redis was away, or beat was "
    "overloaded",
    MissedReason.PAUSED: "the schedule was paused",
    MissedReason.OUTSIDE_WINDOW: "it was later than catch_up_window allows",
    MissedReason.OVER_MAXIMUM: "more occurrences were late than max_catch_up allows",
    MissedReason.BEFORE_APPLIED: "it lay before the schedule was declared as it is",
}
#: Reasons behind which an absence of all beats may stand.
_ABSENT: Final = (MissedReason.NO_BEAT, MissedReason.OUTSIDE_WINDOW, MissedReason.OVER_MAXIMUM)
#: What a job that has not ended is doing.
_DOING: Final = {
    JobState.QUEUED: "waits in its queue",
    JobState.SCHEDULED: "waits for its turn",
    JobState.RUNNING: "runs",
    JobState.RETRYING: "waits for its next attempt",
}
#: The reason of a pause by ``pause_after_failures``.
_FAILURES: Final = re.compile(r"after \d+ failures in a row")
_VANISHED: Final = "has gone without telling how it ended"


def fate_sentence(
    entry: Occurrence,
    history: Sequence[Occurrence],
    *,
    when: Callable[[int], str],
    absences: Sequence[tuple[int, int]],
    rests: Sequence[Rest],
    state_of: Callable[[str], JobState],
) -> str:
    """
    What became of an occurrence, without its name and time.

    Args:
        entry: Its entry in the ledger.
        history: The whole ledger, which also knows the jobs that were in the way.
        when: Writes an instant.
        absences: Spans in which no beat was up, ms.
        rests: Pauses of the schedule that have ended.
        state_of: Where a job is now.
    """
    backfill = ""
    if entry.backfill is not None:
        backfill = _backfilled(entry.backfill, history, when, state_of)
        if entry.fate is Fate.BACKFILLED or (entry.fate is Fate.SKIPPED and not entry.in_the_way):
            return backfill
        backfill = f"; then {backfill}"
    if entry.fate is Fate.SKIPPED:
        because = _because(entry.in_the_way or "", entry.planned_ms, history, when, state_of)
        return f"skipped, because {because}{backfill}"
    if entry.fate is Fate.MISSED:
        return _missed(entry, when, absences, rests) + backfill
    return _fired(entry, state_of) + backfill


def late_text(length_ms: int) -> str:
    """A length of time for people, to two units: ``3 ms``, ``2m5s``, ``125d7h``."""
    if length_ms < 1_000:
        return f"{length_ms} ms"
    if length_ms < 10_000:
        return f"{length_ms / 1_000:.1f} s".replace(".0 s", " s")
    return "".join(re.findall(r"\d+[a-z]+", duration_text(length_ms // 1_000 * 1_000))[:2])


def rest_text(reason: str, span: str) -> str:
    """
    How a schedule was put to rest.

    Args:
        reason: As it is stored.
        span: Since when, or from when to when, with a blank before it.
    """
    if reason == "by hand":
        return f"paused {reason}{span}"
    if reason == "declared":
        return f"declared as paused{span}"
    if _FAILURES.fullmatch(reason):
        return f"paused{span}, {reason}"
    return f"paused{span}: {reason}"


def _fired(entry: Occurrence, state_of: Callable[[str], JobState]) -> str:
    late = late_text(max(entry.lateness_ms or 0, 0))
    caught_up = ", caught up" if entry.is_caught_up else ""
    if entry.fate is Fate.ENDED:
        outcome = str(entry.outcome)
        if entry.started_ms is not None:
            took = f" after {late_text(entry.run_ms or 0)}"
            on = f" on {entry.worker}" if entry.worker else ""
            return (
                f"fired and ran {late} late{caught_up}; job {entry.job_id} ended in {outcome}"
                f"{took}{on}"
            )
        if entry.enqueued_ms is None:
            return f"fired{caught_up}; its job ended in {outcome}"
        return f"fired {late} late{caught_up}; job {entry.job_id} ended in {outcome}"
    doing = _DOING.get(state_of(entry.job_id or ""), _VANISHED)
    return f"fired {late} late{caught_up}; job {entry.job_id} {doing}"


def _backfilled(
    backfill: Backfill,
    history: Sequence[Occurrence],
    when: Callable[[int], str],
    state_of: Callable[[str], JobState],
) -> str:
    if backfill.in_the_way is not None:
        at_ms = backfill.skipped_ms or 0
        because = _because(backfill.in_the_way, at_ms, history, when, state_of)
        return f"skipped by a backfill at {when(at_ms)}, because {because}"
    told = f"backfilled by job {backfill.job_id}, which "
    if backfill.outcome is None:
        return told + _DOING.get(state_of(backfill.job_id), _VANISHED)
    if backfill.started_ms is None:
        return f"{told}ended in {backfill.outcome} at {when(backfill.finished_ms or 0)}"
    on = f" on {backfill.worker}" if backfill.worker else ""
    took = late_text(backfill.run_ms or 0)
    return (
        f"{told}ran at {when(backfill.started_ms)} and ended in {backfill.outcome} after {took}{on}"
    )


def _because(
    job_id: str,
    at_ms: int,
    history: Sequence[Occurrence],
    when: Callable[[int], str],
    state_of: Callable[[str], JobState],
) -> str:
    """What the job in the way was doing, and until when."""
    nominal_ms, other = _find(job_id, history)
    job = f"job {job_id}"
    doing = ""
    if other is None or other.finished_ms is None:
        doing = _DOING.get(state_of(job_id), "")
        doing = f"; it still {doing}" if doing else ""
    if other is None:
        return f"{job} had not ended{doing}"
    job += f" of {when(nominal_ms)}"
    if other.started_ms is not None and other.started_ms <= at_ms:
        ended = f", and ran until {when(other.finished_ms)}" if other.finished_ms else ""
        return f"{job} was still running{ended}"
    ended = f"; it ended at {when(other.finished_ms)}" if other.finished_ms else doing
    return f"{job} had not ended{ended}"


def _find(job_id: str, history: Sequence[Occurrence]) -> tuple[int, Occurrence | Backfill | None]:
    """The fire time of a job, and what the ledger tells of it."""
    for one in history:
        if one.job_id is not None and one.job_id == job_id:
            return one.nominal_ms, one
        if one.backfill is not None and one.backfill.job_id == job_id:
            return one.nominal_ms, one.backfill
    return 0, None


def _missed(
    entry: Occurrence,
    when: Callable[[int], str],
    absences: Sequence[tuple[int, int]],
    rests: Sequence[Rest],
) -> str:
    word, _, more = entry.reason.partition(" ")
    try:
        reason = MissedReason(word)
    except ValueError:
        text = entry.reason or "the ledger does not tell why"
    else:
        text = _REASONS[reason]
        absent = _absence(entry, absences) if reason in _ABSENT else None
        if absent is not None:
            span = f"no beat was up from {when(absent[0])} to {when(absent[1])}"
            text = span if reason is MissedReason.NO_BEAT else f"{span}, and {text}"
        rest = _rest(entry, rests) if reason is MissedReason.PAUSED else None
        if rest is not None:
            span = f" from {when(rest.from_ms)} to {when(rest.until_ms)}"
            text = f"the schedule was {rest_text(rest.reason, span)}"
    told = f"missed: {text}"
    if entry.count > 1:
        many = f"at least {entry.count}" if more else str(entry.count)
        until = when(entry.last_ms or entry.nominal_ms)
        told += f"; one of {many} fire times from {when(entry.nominal_ms)} to {until}"
    return told


def _rest(entry: Occurrence, rests: Sequence[Rest]) -> Rest | None:
    """The last pause in which the occurrence was due."""
    holding = [one for one in rests if one.from_ms <= entry.planned_ms <= one.until_ms]
    return holding[-1] if holding else None


def _absence(entry: Occurrence, absences: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The absence in which the occurrence was due, or else the last that touches its span."""
    last_ms = max(entry.planned_ms, entry.last_ms or 0)
    touching = [one for one in absences if one[0] <= last_ms and entry.planned_ms <= one[1]]
    holding = [one for one in touching if one[0] <= entry.planned_ms]
    return (holding or touching)[-1] if touching else None
