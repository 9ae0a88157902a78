"""
Backfill: jobs for fire times that have passed, made on purpose.

What is to be made is planned from the timetable and the ledger, and then made in batches, oldest
first, each by one script that also notes how far the *run* has come. So a run may be broken off at
any instant and begun again, by anybody: it goes on where it stands, and makes each job once.

What beat has not decided yet is left to beat. `beatline.schedules_api` is what users call.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from beatline.errors import InvalidSetting, WrongUse
from beatline.ledger import Fate, Occurrence, read_history
from beatline.occurrence_jobs import OccurrenceJobs
from beatline.schedule import Overlap, Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.settings import check_priority, check_queue
from beatline.store.backfilling import (
    LARGEST_BATCH,
    Batch,
    Run,
    backfill,
    find_run,
    read_backfilled,
)
from beatline.store.schedule_reading import read_ledger
from beatline.store.scheduling import StoredSchedule
from beatline.triggers.reading import moment_text, read_moment_ms
from beatline.units import moment_of

#: Most jobs of one backfill, unless more are asked for: a slip in a date is easily made.
MOST_JOBS: Final = 10_000
#: Events of a ledger that is full: what came before has been forgotten.
_FULL_LEDGER: Final = 600
#: Longest name of a run, bytes of UTF-8: it travels in each of its jobs' records.
_MAX_RUN_BYTES: Final = 100
#: Pause before a run looks again whether fewer of its jobs wait, seconds.
_ROOM_PAUSE_S: Final = 0.5
#: Later than every fire time.
_NEVER_MS: Final = 1 << 62

#: Gives a question the books of the namespace, and answers with what it found.
Ask = Callable[[Callable[[ScheduleBooks], Any]], Any]


class Progress(NamedTuple):
    """
    How far a backfill is.

    Attributes:
        dealt: Fire times that have been dealt with.
        total: Fire times that there are to deal with, those of an earlier attempt included.
        waits: Whether it waits, because so many of its jobs have not had their turn.
    """

    dealt: int
    total: int
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Backfilled:
    """
    What a backfill has done, or would do.

    Attributes:
        name: The schedule.
        run: Name of the run: whoever names it again goes on with it.
        made: Jobs that it has made, those of earlier attempts included.
        skipped: Fire times that made none, because its overlap policy says so.
        is_done: Whether it has dealt with all of them.
        fire_times: What was to be made by this call, aware UTC, oldest first.
        left_out: Fire times of the span that have made a job before.
        undecided: Fire times of the span that are left to beat.
        forgotten: Fire times among those to be made that lie before the ledger's memory: whether
            they have made a job before is not known.
    """

    name: str
    run: str
    made: int
    skipped: int
    is_done: bool
    fire_times: tuple[datetime, ...] = ()
    left_out: int = 0
    undecided: int = 0
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """
    What is asked for.

    Attributes:
        start, end: First and last instant, both included; ISO 8601 or datetimes. Without an
            offset they are wall time in the schedule's zone; a date alone is all of its day.
        overlap: What happens where an earlier job of the schedule has not ended.
        run: Name of the run; empty names it by its span.
        including_fired: Also fire times that have made a job before.
        queue, priority: Of the jobs; None takes the schedule's.
        most: More jobs than this are refused.
        wait: Wait for room where too many jobs wait for their turn, instead of stopping there.
    """

    start: str | datetime
    end: str | datetime
    overlap: Overlap | str = Overlap.BUFFER_ALL
    run: str = ""
    including_fired: bool = False
    queue: str | None = None
    priority: int | None = None
    most: int = MOST_JOBS
    wait: bool = True

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "overlap", Overlap(self.overlap))
        except ValueError:
            raise InvalidSetting(
                f"overlap {self.overlap!r} is not one of its values",
                remedy=", ".join(repr(str(one)) for one in Overlap),
            ) from None
        if self.queue is not None:
            check_queue(self.queue, "queue")
        if self.priority is not None:
            check_priority(self.priority)

    def span(self, schedule: Schedule) -> tuple[int, int]:
        """
        First and last instant, UTC ms.

        Raises:
            InvalidTrigger: One of them cannot be read.
            WrongUse: The last lies before the first.
        """
        zone = schedule.timetable.zone
        first_ms = max(read_moment_ms(self.start, "start", zone), 0)
        last_ms = read_moment_ms(self.end, "end", zone, ends_day=True)
        if last_ms < first_ms:
            raise WrongUse(
                f"the span ends at {moment_text(last_ms)}, before it starts at "
                f"{moment_text(first_ms)}",
                remedy="exchange start and end",
            )
        return first_ms, last_ms

    def run_name(self, span: tuple[int, int]) -> str:
        """The run's name: the given one, or one that tells the span."""
        if not self.run:
            everything = " with all that fired" if self.including_fired else ""
            return f"{_span_text(span)}{everything}"
        if not self.run.isprintable() or len(self.run.encode()) > _MAX_RUN_BYTES:
            raise InvalidSetting(
                f"run {self.run!r} is no name",
                remedy=f"use up to {_MAX_RUN_BYTES} bytes of printable text",
            )
        return self.run


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is to be made.

    Attributes:
        stored, schedule: The schedule as it was read, with the order's queue and priority.
        span: First and last instant, UTC ms.
        run: The run's name.
        found: How far the run was.
        fire_times: What is to be made, UTC ms, oldest first.
        left_out, undecided, forgotten: As in `Backfilled`.
    """

    stored: StoredSchedule
    schedule: Schedule
    span: tuple[int, int]
    run: str
    found: Run
    fire_times: tuple[int, ...]
    left_out: int
    undecided: int
    forgotten: int

    def result(self, run: Run, *, is_done: bool) -> Backfilled:
        """What has become of it."""
        return Backfilled(
            self.schedule.name,
            self.run,
            run.made,
            run.skipped,
            is_done,
            tuple(moment_of(at_ms) for at_ms in self.fire_times),
            self.left_out,
            self.undecided,
            self.forgotten,
        )


def plan_backfill(books: ScheduleBooks, stored: StoredSchedule, order: Order) -> Plan:
    """
    What a backfill would make: reads, and changes nothing.

    Raises:
        InvalidTrigger: Start or end cannot be read.
        WrongUse: The span is empty or holds too much, or the run was begun for another one.
        UndecodableJob: The schedule's definition cannot be read.
    """
    schedule = stored.schedule()
    span = order.span(schedule)
    run = order.run_name(span)
    where = books.prefix_of(stored.name)
    found = find_run(books.connection, where, stored.name, run)
    if found.note and found.note != _span_text(span):
        raise WrongUse(
            f"run {run!r} was begun for another span, {found.note}",
            remedy="give that one, or another name to the run",
        )
    events = read_ledger(books.connection, where, stored.name)
    history = read_history(
        [*events, *read_backfilled(books.connection, where, stored.name)], latest=_NEVER_MS
    )
    passed, undecided = _passed(schedule, stored, span, books.now_ms(), order.most)
    taken = (
        set()
        if order.including_fired
        else {one.nominal_ms for one in history if _has_job(one, run)}
    )
    wanted = tuple(at_ms for at_ms in passed if at_ms not in taken)
    remaining = tuple(at_ms for at_ms in wanted if at_ms > (found.stands_ms or 0))
    forgets = len(events) >= _FULL_LEDGER
    known = [
        one.nominal_ms
        for one in history
        if one.fate is not Fate.BACKFILLED and (one.fate is not Fate.SKIPPED or one.in_the_way)
    ]
    return Plan(
        stored,
        replace(
            schedule,
            queue=order.queue or schedule.queue,
            priority=schedule.priority if order.priority is None else order.priority,
        ),
        span,
        run,
        found,
        () if found.is_done else remaining,
        len(passed) - len(wanted),
        undecided,
        bisect_left(remaining, known[0]) if forgets and known else 0,
    )


class Backfiller:
    """
    Makes the jobs of a plan.

    Args:
        ask: Asks Redis; asks again where a reply was lost.
        order: What was asked for.
        jobs_of: Makes the jobs of a schedule under a run's name.
        progress: Told after each batch.
        pause: Waits for so many seconds.
    """

    def __init__(
        self,
        ask: Ask,
        order: Order,
        jobs_of: Callable[[Schedule, str], OccurrenceJobs],
        progress: Callable[[Progress], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ask = ask
        self._order = order
        self._jobs_of = jobs_of
        self._progress = progress
        self._pause = pause

    def run(self, plan: Plan) -> Backfilled:
        """
        Make what is planned, oldest first.

        Raises:
            WrongUse: The schedule was removed or changed meanwhile.
        """
        jobs = self._jobs_of(plan.schedule, plan.run)
        pending, run = plan.fire_times, plan.found
        dealt = run.made + run.skipped
        total = dealt + len(pending)
        self._progress(Progress(dealt, total))
        while pending:
            part = pending[:LARGEST_BATCH]
            is_last = len(part) == len(pending)
            word, run = self._ask(_sending(plan, jobs, run, part, is_last, self._order.overlap))
            if word in ("ABSENT", "CHANGED"):
                what = "removed" if word == "ABSENT" else "changed"
                raise WrongUse(
                    f"schedule {plan.schedule.name!r} was {what} while it was backfilled, after "
                    f"{run.made} jobs",
                    remedy="the same call goes on, with the schedule as it is then",
                )
            pending = () if run.is_done else _after(pending, run.stands_ms)
            waits = word == "FULL"
            self._progress(Progress(total - len(pending), total, waits))
            if waits:
                if not self._order.wait:
                    return plan.result(run, is_done=False)
                self._pause(_ROOM_PAUSE_S)
        return plan.result(run, is_done=True)


def _sending(
    plan: Plan,
    jobs: OccurrenceJobs,
    run: Run,
    part: tuple[int, ...],
    is_last: bool,
    overlap: str,
) -> Callable[[ScheduleBooks], tuple[str, Run]]:
    """The question that makes one batch."""

    def send(books: ScheduleBooks) -> tuple[str, Run]:
        batch = Batch(
            schedule=plan.schedule.name,
            revision=plan.stored.revision,
            run=plan.run,
            stands=run.stands,
            overlap=overlap,
            reaches_ms=part[-1],
            is_last=is_last,
            note=_span_text(plan.span),
            steps=[jobs.step(at_ms, at_ms, is_caught_up=True) for at_ms in part],
        )
        return backfill(books.connection, books.prefix_of(plan.schedule.name), batch)

    return send


def _after(pending: tuple[int, ...], stands_ms: int | None) -> tuple[int, ...]:
    if stands_ms is None:
        return pending
    return pending[bisect_left(pending, stands_ms + 1) :]


def _passed(
    schedule: Schedule, stored: StoredSchedule, span: tuple[int, int], now_ms: int, most: int
) -> tuple[list[int], int]:
    """
    The fire times of a span that have passed and are decided, and how many are left to beat.

    A schedule that rests decides nothing: when it goes on, what has passed is recorded as missed.
    """
    due_ms = schedule.timetable.due_ms
    open_ms = _NEVER_MS if stored.paused or stored.next_ms is None else stored.next_ms
    instants = list(islice(schedule.timetable.between(*span), most + 1))
    if len(instants) > most:
        raise WrongUse(
            f"the span holds more than {most:,} fire times of schedule {schedule.name!r}",
            remedy="choose a shorter one, or allow more of them: --most, most=",
        )
    decided = [at_ms for at_ms in instants if at_ms < open_ms and due_ms(at_ms) <= now_ms]
    undecided = sum(1 for at_ms in instants if at_ms >= open_ms and due_ms(at_ms) <= now_ms)
    return decided, undecided


def _has_job(entry: Occurrence, run: str) -> bool:
    """Whether an occurrence has made a job that is none of this run's, as the ledger knows it."""
    backfill = entry.backfill
    was_backfilled = backfill is not None and backfill.job_id != "" and backfill.run != run
    return was_backfilled or entry.fate in (Fate.FIRED, Fate.ENDED)


def _span_text(span: tuple[int, int]) -> str:
    return f"{moment_text(span[0])}..{moment_text(span[1])}"
