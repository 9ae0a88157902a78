"""
Why: one sentence about what became of an occurrence, or why there is none.

What is asked is a name and a moment; what is known is the schedule, its ledger, and when no beat
was up. `explain` puts them together. It is pure: `beatline.schedules_api` reads what it needs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from beatline.fates import fate_sentence, late_text, rest_text
from beatline.ledger import Fate, Occurrence, Rest
from beatline.schedule import Schedule
from beatline.states import JobState
from beatline.triggers.placing import wall_of
from beatline.triggers.reading import read_moment_ms, read_time_s
from beatline.triggers.zones import Zone
from beatline.units import moment_of

#: Text of a moment without a date, and of one without seconds.
_TIME_ONLY: Final = re.compile(r"\d\d:\d\d(:\d\d)?")
_DAY_ONLY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_TO_THE_MINUTE: Final = re.compile(r"(.*[T ])?\d\d:\d\d([+-]\d\d:?\d\d|Z)?")
_DAY_MS: Final = 86_400_000
#: A fire time that is due for longer has been forgotten by beat, or no beat is up, ms.
_OVERDUE_MS: Final = 5_000


class Verdict(StrEnum):
    """What became of the occurrence that was asked for."""

    #: It made a job, in time or late.
    FIRED = "fired"
    #: An earlier job was in the way.
    SKIPPED = "skipped"
    #: Nobody fired it in time, or the schedule was paused.
    MISSED = "missed"
    #: It had made no job, or is not known to have, until a backfill made one.
    BACKFILLED = "backfilled"
    #: It lies ahead, or is due and not decided yet.
    WAITS = "waits"
    #: The schedule names no fire time then.
    NOT_PLANNED = "not_planned"
    #: The ledger does not tell.
    NOT_RECORDED = "not_recorded"
    #: There is no such schedule, or it cannot be read.
    UNKNOWN_SCHEDULE = "unknown_schedule"


_VERDICTS: Final = {
    Fate.FIRED: Verdict.FIRED,
    Fate.ENDED: Verdict.FIRED,
    Fate.SKIPPED: Verdict.SKIPPED,
    Fate.MISSED: Verdict.MISSED,
    Fate.BACKFILLED: Verdict.BACKFILLED,
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    The answer.

    Attributes:
        name: The schedule that was asked for.
        verdict: What became of the occurrence, for programs.
        sentence: The same for people, with the reason.
        fire_ms: The fire time that is meant, or None.
        next_ms: The schedule's next fire time, or None.
        occurrence: What the ledger holds of it, or None.
    """

    name: str
    verdict: Verdict
    sentence: str
    fire_ms: int | None = None
    next_ms: int | None = None
    occurrence: Occurrence | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """
    What is known of a schedule.

    Attributes:
        schedule: Its definition.
        history: Its ledger, oldest first.
        absences: Spans in which no beat was up, ms.
        now_ms: The server's clock.
        next_ms: The next fire time that is not decided, or None.
        paused: Why it rests; empty where it does not.
        paused_at_ms: Since when.
        applied_ms: Since when the definition holds.
        rests: Pauses that have ended.
        state_of: Where a job is now.
    """

    schedule: Schedule
    history: Sequence[Occurrence]
    absences: Sequence[tuple[int, int]]
    now_ms: int
    next_ms: int | None
    paused: str = ""
    paused_at_ms: int | None = None
    applied_ms: int | None = None
    rests: Sequence[Rest] = ()
    state_of: Callable[[str], JobState] = lambda _: JobState.UNKNOWN

    def when(self, at_ms: int) -> str:
        """An instant on the schedule's wall clock."""
        local = moment_of(at_ms).astimezone(self.schedule.timetable.zone.tzinfo)
        return local.strftime("%Y-%m-%d %H:%M:%S %Z")


def explain_unknown(name: str, names: Iterable[str]) -> Explanation:
    """The answer where there is no such schedule."""
    known = sorted(names)
    nearest = difflib.get_close_matches(name, known, n=1)
    if nearest:
        hint = f' – did you mean "{nearest[0]}"?'
    elif known:
        hint = "; `sched schedules list` names those that there are"
    else:
        hint = ": no schedule is live; `sched schedules apply` makes some so"
    return Explanation(name, Verdict.UNKNOWN_SCHEDULE, f'there is no schedule "{name}"{hint}')


def explain(known: Known, at: str | None = None) -> Explanation:
    """
    What became of an occurrence.

    Args:
        known: What is known of its schedule.
        at: The moment, ISO 8601; without an offset it is wall time in the schedule's zone. A time
            alone is the latest such time that has passed, a date alone that day's first. None asks
            for the latest occurrence.

    Raises:
        InvalidTrigger: The moment cannot be read.
    """
    if at is None:
        return _latest(known)
    zone = known.schedule.timetable.zone
    text = _with_date(known, at.strip())
    from_ms = read_moment_ms(text, "at", zone)
    until_ms = from_ms + _span_ms(text)
    gap = _gap(zone, text, from_ms)
    entry = _entry_within(known, from_ms, until_ms)
    if entry is not None:
        return _told(known, entry, entry.nominal_ms, gap)
    planned_ms = known.schedule.timetable.next_nominal_ms(from_ms - 1)
    if planned_ms is not None and planned_ms < until_ms:
        return _planned(known, planned_ms, gap)
    # A missed span names its ends only, and the schedule may have been another then.
    entry = _span_over(known, from_ms) if _is_before_applied(known, from_ms) else None
    if entry is not None:
        return _told(known, entry, from_ms, gap)
    reason = gap or _why_not_planned(known, from_ms, until_ms)
    return _answer(known, Verdict.NOT_PLANNED, f"{known.when(from_ms)}: not planned: {reason}")


def _latest(known: Known) -> Explanation:
    if known.history:
        entry = max(known.history, key=_last_ms)
        return _told(known, entry, _last_ms(entry), "")
    if known.next_ms is None:
        since = f", {known.when(known.applied_ms)}" if known.applied_ms is not None else ""
        never = f"has not fired, and never will: it names no fire time after it was declared{since}"
        return _answer(known, Verdict.NOT_PLANNED, never)
    if known.paused:
        return _answer(known, Verdict.WAITS, f"has not fired yet: {_rest(known)}", known.next_ms)
    first = f"has not fired yet; its next fire time is {known.when(known.next_ms)}"
    return _answer(known, Verdict.WAITS, first, known.next_ms)


def _told(known: Known, entry: Occurrence, fire_ms: int, gap: str) -> Explanation:
    """What the ledger says, with what the change of the clocks did to the fire time."""
    is_of_backfill = entry.fate is Fate.BACKFILLED or _is_passed(entry)
    span = _span_over(known, fire_ms) if is_of_backfill else None
    if span is not None:
        entry = replace(span, backfill=entry.backfill)
    elif entry.fate is Fate.MISSED and entry.backfill is None:
        passed = _passed_over(known, fire_ms)
        entry = replace(entry, backfill=passed.backfill if passed else None)
    sentence = fate_sentence(
        entry,
        known.history,
        when=known.when,
        absences=known.absences,
        rests=known.rests,
        state_of=known.state_of,
    )
    remark = gap or known.schedule.timetable.trigger.dst_remark(fire_ms)
    told = f"{known.when(fire_ms)}: {sentence}" + (f" ({remark})" if remark else "")
    verdict = _VERDICTS[entry.fate]
    made_job = entry.backfill is not None and entry.backfill.job_id
    if made_job and verdict is not Verdict.FIRED:
        verdict = Verdict.BACKFILLED
    return _answer(known, verdict, told, fire_ms, entry)


def _planned(known: Known, fire_ms: int, gap: str) -> Explanation:
    """A fire time of the schedule that has no entry of its own."""
    entry = _span_over(known, fire_ms) or _passed_over(known, fire_ms)
    if entry is not None:
        return _told(known, entry, fire_ms, gap)
    remark = gap or known.schedule.timetable.trigger.dst_remark(fire_ms)
    about = known.when(fire_ms) + (f" ({remark})" if remark else "")
    due_ms = known.schedule.timetable.due_ms(fire_ms)
    is_open = known.next_ms is not None and fire_ms >= known.next_ms
    if known.paused and is_open:
        return _answer(known, Verdict.WAITS, f"{about}: does not fire: {_rest(known)}", fire_ms)
    if is_open and due_ms > known.now_ms:
        left = late_text(due_ms - known.now_ms)
        return _answer(known, Verdict.WAITS, f"{about}: is planned, in {left}", fire_ms)
    if is_open:
        text = f"due for {late_text(known.now_ms - due_ms)} and not fired: is a beat up?"
        return _answer(known, Verdict.WAITS, f"{about}: {text}", fire_ms)
    if fire_ms > known.now_ms:
        reason = "the schedule has ended"
        if known.schedule.max_runs is not None:
            reason += f": it runs {known.schedule.max_runs} times at most"
        return _answer(known, Verdict.NOT_PLANNED, f"{about}: not planned: {reason}")
    if _is_before_applied(known, fire_ms):
        since = known.when(known.applied_ms or 0)
        reason = f"not planned: the schedule is declared as it is only since {since}"
        return _answer(known, Verdict.NOT_PLANNED, f"{about}: {reason}", fire_ms)
    kept = f"from {known.when(known.history[0].nominal_ms)} on" if known.history else "nothing"
    reason = f"was planned, but the ledger does not tell what became of it: it holds {kept}"
    return _answer(known, Verdict.NOT_RECORDED, f"{about}: {reason}", fire_ms)


def _why_not_planned(known: Known, from_ms: int, until_ms: int) -> str:
    timetable = known.schedule.timetable
    if timetable.start_ms is not None and until_ms <= timetable.start_ms:
        return f"the schedule starts at {known.when(timetable.start_ms)}"
    if timetable.end_ms is not None and from_ms > timetable.end_ms:
        return f"the schedule ended at {known.when(timetable.end_ms)}"
    named_ms = timetable.trigger.next_ms(from_ms - 1)
    if named_ms is not None and named_ms < until_ms:
        return f"excluded: {timetable.exclusion_at(named_ms) or 'by its day'}"
    repeated_ms = _first_pass_ms(timetable.zone, from_ms)
    if repeated_ms is not None and timetable.next_nominal_ms(repeated_ms - 1) == repeated_ms:
        return "this hour comes twice on this day, and it fires in the first pass only"
    excluded = timetable.exclusion_at(from_ms)
    return f"excluded: {excluded}" if excluded else "the trigger does not name this time"


def _first_pass_ms(zone: Zone, at_ms: int) -> int | None:
    """The first pass of an instant that lies in the second pass of a repeated hour."""
    index = zone.index(at_ms // 1000)
    back_s = zone.offsets[index - 1] - zone.offsets[index] if index else 0
    if back_s <= 0 or at_ms // 1000 - zone.starts[index] >= back_s:
        return None
    return at_ms - back_s * 1000


def _gap(zone: Zone, text: str, at_ms: int) -> str:
    """Tells that a wall time does not exist; empty where it does, or has an offset."""
    if _DAY_ONLY.fullmatch(text) or re.search(r"([+-]\d\d:?\d\d|Z)$", text[10:]):
        return ""
    wanted = moment_of(read_moment_ms(f"{text}Z", "at", zone))
    if zone.wall_s(at_ms // 1000) == wall_of(wanted):
        return ""
    landed = moment_of(at_ms).astimezone(zone.tzinfo)
    return (
        f"{wanted:%H:%M} does not exist on this day in {zone.name}, "
        f"the clocks go on to {landed:%H:%M}"
    )


def _with_date(known: Known, text: str) -> str:
    if not _TIME_ONLY.fullmatch(text):
        return text
    read_time_s(text, "at")
    local = moment_of(known.now_ms).astimezone(known.schedule.timetable.zone.tzinfo)
    if text > f"{local:%H:%M:%S}":
        local -= timedelta(days=1)
    return f"{local:%Y-%m-%d}T{text}"


def _span_ms(text: str) -> int:
    """How long the moment is that a text names: a day, a minute, or a second."""
    if _DAY_ONLY.fullmatch(text):
        return _DAY_MS
    return 60_000 if _TO_THE_MINUTE.fullmatch(text) else 1_000


def _entry_within(known: Known, from_ms: int, until_ms: int) -> Occurrence | None:
    """The first entry of a moment; a fire time's own before a span that begins with it."""
    within = (one for one in known.history if from_ms <= one.nominal_ms < until_ms)
    return min(within, key=lambda one: (one.nominal_ms, one.is_span), default=None)


def _span_over(known: Known, at_ms: int) -> Occurrence | None:
    return next(
        (
            one
            for one in known.history
            if one.fate is Fate.MISSED and one.nominal_ms <= at_ms <= (one.last_ms or 0)
        ),
        None,
    )


def _passed_over(known: Known, at_ms: int) -> Occurrence | None:
    """The latest span of fire times that a backfill skipped."""
    over = [
        one
        for one in known.history
        if _is_passed(one) and one.nominal_ms <= at_ms <= (one.last_ms or 0)
    ]
    return max(over, key=_passed_ms, default=None)


def _is_passed(entry: Occurrence) -> bool:
    return entry.fate is Fate.SKIPPED and entry.in_the_way is None


def _passed_ms(entry: Occurrence) -> int:
    return (entry.backfill and entry.backfill.skipped_ms) or 0


def _last_ms(entry: Occurrence) -> int:
    return entry.nominal_ms if entry.last_ms is None else entry.last_ms


def _is_before_applied(known: Known, at_ms: int) -> bool:
    return known.applied_ms is not None and at_ms <= known.applied_ms


def _rest(known: Known) -> str:
    since = f" since {known.when(known.paused_at_ms)}" if known.paused_at_ms is not None else ""
    return f"the schedule is {rest_text(known.paused, since)}"


def _next(known: Known, next_ms: int) -> str:
    late_ms = known.now_ms - known.schedule.timetable.due_ms(next_ms)
    if late_ms <= _OVERDUE_MS:
        return f"next is {known.when(next_ms)}"
    return f"{known.when(next_ms)} is due for {late_text(late_ms)} and not fired: is a beat up?"


def _answer(
    known: Known,
    verdict: Verdict,
    told: str,
    fire_ms: int | None = None,
    entry: Occurrence | None = None,
) -> Explanation:
    following = ""
    if known.next_ms is not None and not known.paused and known.next_ms != fire_ms:
        following = f"; {_next(known, known.next_ms)}"
    elif known.paused and verdict is not Verdict.WAITS:
        following = f"; {_rest(known)}"
    return Explanation(
        known.schedule.name,
        verdict,
        f"{known.schedule.name} {told}{following}",
        fire_ms,
        known.next_ms,
        entry,
    )
