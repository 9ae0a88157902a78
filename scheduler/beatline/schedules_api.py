"""
``app.schedules``: declare, look at, pause and remove schedules while everything runs.

Schedules that code declares belong to the source ``code``; those of files belong to their files.
Neither overwrites or removes the other's, unless told to take over. What is declared here is live
at once, and stays until it is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace
from redis.exceptions import ResponseError

from beatline.backfill import (
    MOST_JOBS,
    Backfilled,
    Backfiller,
    Order,
    Progress,
    plan_backfill,
)
from beatline.errors import BeatlineError, WrongUse
from beatline.explaining import Explanation, Known, Verdict, explain, explain_unknown
from beatline.ids import id_text, new_id, partition_of_name
from beatline.ledger import LATEST, Occurrence, read_history, read_rests
from beatline.occurrence_jobs import OccurrenceJobs
from beatline.schedule import Overlap, Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.schedule_making import CODE, ScheduleOptions, make_schedule
from beatline.schedule_view import ScheduleView, view_of
from beatline.store import scheduling
from beatline.store.backfilling import read_backfilled
from beatline.store.expecting import Alert
from beatline.store.firing import trigger
from beatline.store.schedule_reading import read_absences, read_ledger
from beatline.store.scheduling import Put, StoredSchedule

if TYPE_CHECKING:
    from typing import Unpack

    from beatline.app import App
    from beatline.result import AsyncResult
    from beatline.wire.connection import HeldConnection

T = TypeVar("T")
_Events = list[bytes]
_Views = list[ScheduleView]
_History = list[Occurrence]
_Alerts = list[Alert]


class Schedules:
    """
    The schedules of an app.

    Args:
        app: Whose schedules.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def put(
        self,
        name: str,
        task: Any,
        *,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        take_over: bool = False,
        **options: Unpack[ScheduleOptions],
    ) -> ScheduleView:
        """
        Declare a schedule, or change it.

        A changed one keeps its ledger, and its next fire time where the trigger does not change.

        Args:
            name: Unique within the namespace.
            task: A task, or the name of one.
            args, kwargs: What each job is called with.
            take_over: Also where a file declares this name.
            options: A trigger, and more; see `ScheduleOptions`.

        Raises:
            InvalidTrigger: There is no trigger, or it cannot be read.
            InvalidSetting: An option is unknown or does not fit.
            UnserializableArgument: An argument cannot travel.
            WrongUse: A file declares this name, and ``take_over`` was not given.
            NotSent: Redis cannot be reached, or refused.

        *Retry-safe*: yes. *Atomicity*: ``put_schedule.lua``.
        """
        task_name = task if isinstance(task, str) else getattr(task, "name", task)
        schedule = make_schedule(name, task_name, tuple(args), dict(kwargs or {}), options)
        scheduling.pack_definition(schedule)
        taken_over = (name,) if take_over else ()

        def declare(books: ScheduleBooks) -> tuple[Put, StoredSchedule | None]:
            answer = books.declare([schedule], taken_over=taken_over)[name]
            if isinstance(answer, ResponseError):
                raise answer
            return answer, books.read(name)

        answer, stored = self._ask(declare)
        _refuse_owned(name, answer)
        if stored is None:
            raise BeatlineError(f"schedule {name!r} was removed while it was declared")
        return view_of(stored)

    def get(self, name: str) -> ScheduleView | None:
        """The schedule of this name, or None."""
        stored = self._ask(lambda books: books.read(name))
        return None if stored is None else view_of(stored)

    def list(self) -> _Views:
        """All schedules, by name."""
        live = self._ask(lambda books: books.read_all())
        return [view_of(live[name]) for name in sorted(live)]

    def pause(self, name: str, reason: str = "") -> bool:
        """
        Put a schedule to rest, whoever declared it; False where there is none.

        It stays at rest until `resume`. *Retry-safe*: yes. *Atomicity*: ``pause_schedule.lua``.
        """
        return self._ask(
            lambda books: scheduling.pause(books.connection, books.prefix_of(name), name, reason)
        )

    def resume(self, name: str) -> bool:
        """
        Let a schedule go on; False where there is none.

        Fire times that passed while it rested are recorded as missed. *Retry-safe*: yes.
        """
        return self._ask(
            lambda books: scheduling.resume(books.connection, books.prefix_of(name), name)
        )

    def trigger(self, name: str) -> AsyncResult[Any] | None:
        """
        Run a schedule's task now, outside its grid and also while it rests.

        The job is recorded in the ledger, and the overlap policy holds for it.

        Returns:
            The job's result to be; None where the overlap policy skipped it: `why` and `history`
            name the job that was in the way.

        Raises:
            WrongUse: There is no such schedule, or it cannot be read.

        *Retry-safe*: no, each call makes a job. *Atomicity*: ``trigger.lua``.
        """
        schedule = self._readable(name)[0]
        jobs = self._jobs_of(schedule)
        raw_id = new_id(partition_of_name(name, self._app.settings.partitions))

        def fire(books: ScheduleBooks) -> str:
            now_ms = books.now_ms()
            step = replace(jobs.step(now_ms, now_ms, is_caught_up=False), id=raw_id)
            where = books.prefix_of(name)
            return trigger(books.connection, where, name, str(schedule.overlap), step)[0]

        word = self._ask(fire)
        if word == "ABSENT":
            raise WrongUse(f"schedule {name!r} was removed while it was triggered")
        return None if word == "SKIPPED" else self._app.result(id_text(raw_id))

    def backfill(
        self,
        name: str,
        start: str | datetime,
        end: str | datetime,
        *,
        overlap: Overlap | str = Overlap.BUFFER_ALL,
        run: str = "",
        including_fired: bool = False,
        queue: str | None = None,
        priority: int | None = None,
        most: int = MOST_JOBS,
        wait: bool = True,
        dry_run: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Backfilled:
        """
        Make the jobs of fire times that have passed, oldest first, also from before the schedule
        was declared, and while it rests.

        Fire times that have made a job are left out, as far as the ledger reaches back. What beat
        has not decided yet is left to beat. The same call again goes on where the one before was
        broken off, and makes each job once.

        Args:
            name: The schedule.
            start, end: First and last instant, both included; ISO 8601 or a datetime. Without an
                offset they are wall time in the schedule's zone; a date alone is all of its day.
            overlap: What happens to a fire time where an earlier job of the schedule has not
                ended. ``buffer_all`` runs one after the other, ``allow`` beside each other.
            run: Name of the run. By default it tells the span; under another name the same span
                is made once more.
            including_fired: Also fire times that have made a job before.
            queue, priority: Of the jobs; by default the schedule's.
            most: More fire times than this are refused.
            wait: With ``buffer_all`` at most 500 jobs wait for their turn; wait for room, instead
                of stopping there.
            dry_run: Change nothing, and tell what would be made.
            progress: Called after each batch of up to 100 jobs.

        Raises:
            InvalidTrigger: ``start`` or ``end`` cannot be read.
            InvalidSetting: Another option does not fit.
            WrongUse: There is no such schedule, it cannot be read or changes meanwhile, the span
                holds too much, or the run was begun for another one.

        *Retry-safe*: yes. *Atomicity*: ``backfill.lua`` for each batch of jobs.
        """
        order = Order(
            start, end, overlap, run, including_fired, queue, priority, most=most, wait=wait
        )
        stored = self._readable(name)[1]
        plan = self._ask(lambda books: plan_backfill(books, stored, order))
        if dry_run:
            return plan.result(plan.found, is_done=plan.found.is_done)
        return Backfiller(self._ask, order, self._jobs_of, progress or _untold).run(plan)

    def remove(self, name: str, *, take_over: bool = False) -> bool:
        """
        Remove a schedule and its ledger; jobs that it made run on. False where there is none.

        Args:
            name: Its name.
            take_over: Also where a file declares it.

        Raises:
            WrongUse: A file declares it, and ``take_over`` was not given.

        *Atomicity*: ``remove_schedule.lua``.
        """
        source = "" if take_over else CODE
        answer = self._ask(lambda books: books.remove(name, source))
        _refuse_owned(name, answer)
        return answer.word == "REMOVED"

    def history(self, name: str, latest: int = LATEST) -> _History:
        """
        What became of the latest occurrences, oldest fire time first.

        Args:
            name: The schedule.
            latest: At most so many.
        """

        def read(books: ScheduleBooks) -> tuple[_Events, StoredSchedule | None]:
            return _events_of(books, name), books.read(name)

        events, stored = self._ask(read)
        schedule = view_of(stored).schedule if stored is not None else None
        planned_of = schedule.timetable.due_ms if schedule is not None else None
        return read_history(events, latest=latest, planned_of=planned_of)

    def why(self, name: str, at: str | datetime | None = None) -> Explanation:
        """
        What became of an occurrence, or why there was none, in one sentence.

        Args:
            name: The schedule.
            at: Its fire time, ISO 8601 or a datetime; without an offset it is wall time in the
                schedule's zone. A time alone is the latest such time that has passed; None is the
                latest occurrence.

        Raises:
            InvalidTrigger: ``at`` cannot be read.
        """
        text = at.isoformat() if isinstance(at, datetime) else at

        def read(books: ScheduleBooks) -> tuple[StoredSchedule | None, Any]:
            stored, where = books.read(name), books.prefix_of(name)
            if stored is None:
                return None, list(books.read_all())
            events = _events_of(books, name)
            return stored, (events, read_absences(books.connection, where), books.now_ms())

        stored, found = self._ask(read)
        if stored is None:
            return explain_unknown(name, found)
        view = view_of(stored)
        if view.schedule is None:
            told = f"{name} cannot be read: {view.problem}"
            return Explanation(name, Verdict.UNKNOWN_SCHEDULE, told)
        events, absences, now_ms = found
        known = Known(
            view.schedule,
            read_history(events, planned_of=view.schedule.timetable.due_ms),
            absences,
            now_ms=now_ms,
            next_ms=stored.next_ms,
            paused=stored.paused,
            paused_at_ms=stored.paused_at_ms,
            applied_ms=stored.applied_ms,
            rests=read_rests(events),
            state_of=lambda job_id: self._app.jobs.get(job_id).state,
        )
        return explain(known, text)

    def alerts(self) -> _Alerts:
        """
        Schedules that have not succeeded within ``expect_within``, the oldest alert first.

        They are raised by beat, and end with the next success.
        """
        return self._ask(lambda books: books.alerts())

    def _readable(self, name: str) -> tuple[Schedule, StoredSchedule]:
        """A schedule that is there and can be read; else what is wrong is raised."""
        view = self.get(name)
        if view is None or view.schedule is None:
            names = [] if view else [one.name for one in self.list()]
            told = view.problem if view else explain_unknown(name, names).sentence
            raise WrongUse(told, remedy="`sched schedules list` shows what is live")
        return view.schedule, view.stored

    def _jobs_of(self, schedule: Schedule, run: str = "") -> OccurrenceJobs:
        settings, task = self._app.settings, self._app.tasks.get(schedule.task)
        partition = partition_of_name(schedule.name, settings.partitions)
        return OccurrenceJobs(schedule, partition, settings, task, run)

    def _ask(self, question: Callable[[ScheduleBooks], T]) -> T:
        settings = self._app.settings

        def ask(connection: HeldConnection) -> T:
            return question(ScheduleBooks(connection, settings.namespace, settings.partitions))

        return self._app.sender().ask(ask)


def _refuse_owned(name: str, answer: Put) -> None:
    if answer.word == "OWNED":
        raise WrongUse(
            f"schedule {name!r} is declared by {answer.owner}",
            remedy="change it there, or pass take_over=True",
        )


def _events_of(books: ScheduleBooks, name: str) -> _Events:
    """What the ledger tells of a schedule, and behind it what its backfills did."""
    where = books.prefix_of(name)
    events = read_ledger(books.connection, where, name)
    return events + read_backfilled(books.connection, where, name)


def _untold(_: Progress) -> None:
    """Nobody wants to know."""
