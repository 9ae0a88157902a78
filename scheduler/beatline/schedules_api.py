"""
``app.schedules``: declare, look at, pause and remove schedules while everything runs.

Schedules that code declares belong to the source ``code``; those of files belong to their files.
Neither overwrites or removes the other's, unless told to take over. What is declared here is live
at once, and stays until it is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from redis.exceptions import ResponseError

from beatline.errors import BeatlineError, WrongUse
from beatline.explaining import Explanation, Known, Verdict, explain, explain_unknown
from beatline.ids import id_text, new_id, partition_of_name
from beatline.ledger import LATEST, Occurrence, read_history
from beatline.occurrence_jobs import OccurrenceJobs
from beatline.schedule import Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.schedule_making import CODE, ScheduleOptions, make_schedule
from beatline.store import scheduling
from beatline.store.firing import trigger
from beatline.store.schedule_reading import read_absences, read_ledger
from beatline.store.scheduling import Put, StoredSchedule
from beatline.units import moment_of

if TYPE_CHECKING:
    from typing import Unpack

    from beatline.app import App
    from beatline.result import AsyncResult
    from beatline.wire.connection import HeldConnection

T = TypeVar("T")
_Events = list[bytes]
_Views = list["ScheduleView"]
_History = list[Occurrence]


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """
    A schedule as it is live.

    Attributes:
        name: Its name.
        schedule: Its definition, or None where this version cannot read it.
        stored: What is stored of it: next and last fire time, pause, counters.
        problem: Why it cannot be read; empty where it can.
    """

    name: str
    schedule: Schedule | None
    stored: StoredSchedule
    problem: str = ""

    @property
    def task(self) -> str:
        """Name of the task; empty where the definition cannot be read."""
        return self.schedule.task if self.schedule else ""

    @property
    def source(self) -> str:
        """Who declared it."""
        return self.stored.source

    @property
    def paused(self) -> str:
        """Why it rests; empty where it does not."""
        return self.stored.paused

    @property
    def next_fire(self) -> datetime | None:
        """The next fire time, aware UTC; None where there is none or it rests."""
        next_ms = self.stored.next_ms
        return None if next_ms is None or self.stored.paused else moment_of(next_ms)

    @property
    def last_fire(self) -> datetime | None:
        """The last fire time that was fired or skipped, aware UTC; None before the first."""
        return None if self.stored.last_ms is None else moment_of(self.stored.last_ms)


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
        return _view(stored)

    def get(self, name: str) -> ScheduleView | None:
        """The schedule of this name, or None."""
        stored = self._ask(lambda books: books.read(name))
        return None if stored is None else _view(stored)

    def list(self) -> _Views:
        """All schedules, by name."""
        live = self._ask(lambda books: books.read_all())
        return [_view(live[name]) for name in sorted(live)]

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
        view = self.get(name)
        if view is None or view.schedule is None:
            names = [] if view else [one.name for one in self.list()]
            told = view.problem if view else explain_unknown(name, names).sentence
            raise WrongUse(told, remedy="`sched schedules list` shows what is live")
        schedule, settings = view.schedule, self._app.settings
        partition = partition_of_name(name, settings.partitions)
        task = self._app.tasks.get(schedule.task)
        jobs = OccurrenceJobs(schedule, partition, settings, task)
        raw_id = new_id(partition)

        def fire(books: ScheduleBooks) -> str:
            now_ms = books.now_ms()
            step = jobs.step(now_ms, now_ms, is_caught_up=False)._replace(id=raw_id)
            where = books.prefix_of(name)
            return trigger(books.connection, where, name, str(schedule.overlap), step)[0]

        word = self._ask(fire)
        if word == "ABSENT":
            raise WrongUse(f"schedule {name!r} was removed while it was triggered")
        return None if word == "SKIPPED" else self._app.result(id_text(raw_id))

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
            where = books.prefix_of(name)
            return read_ledger(books.connection, where, name), books.read(name)

        events, stored = self._ask(read)
        schedule = _view(stored).schedule if stored is not None else None
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
            events = read_ledger(books.connection, where, name)
            return stored, (events, read_absences(books.connection, where), books.now_ms())

        stored, found = self._ask(read)
        if stored is None:
            return explain_unknown(name, found)
        view = _view(stored)
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
            state_of=lambda job_id: self._app.jobs.get(job_id).state,
        )
        return explain(known, text)

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


def _view(stored: StoredSchedule) -> ScheduleView:
    try:
        return ScheduleView(stored.name, stored.schedule(), stored)
    except BeatlineError as error:
        return ScheduleView(stored.name, None, stored, str(error))
