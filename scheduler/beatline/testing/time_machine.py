"""
The time machine: months of schedules in less than a second, on a real server.

A test says which schedules, when it begins, and until when to run; the planner decides as beat's
does, the scripts carry it out, and only the clock is the test's own. See docs/testing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from beatline.app import App, fit_check
from beatline.declared import Applied, DeclaredSet
from beatline.errors import WrongUse
from beatline.job import Job
from beatline.keys import prefix
from beatline.schedule import Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.schedules_api import Schedules
from beatline.settings import Duration
from beatline.testing.beat_driver import BeatDriver
from beatline.testing.binding import bound, fresh_namespace, remove_namespace
from beatline.testing.chronicle import Chronicle
from beatline.testing.findings import Findings, Moment
from beatline.testing.manual_clock import ManualClock
from beatline.testing.outages import Outages
from beatline.testing.private_server import PrivateServer
from beatline.testing.worker_driver import FinishedJob, WorkerDriver
from beatline.triggers import zone
from beatline.triggers.reading import read_moment_ms
from beatline.units import duration_ms, moment_of
from beatline.wire.connection import Endpoint, HeldConnection
from beatline.wire.scripts import script
from beatline_schedules import load_declarations
from beatline_schedules.applying import declared_set

#: How long jobs take: all of them, by the name of schedule or task, or worked out.
Takes = Duration | Mapping[str, Duration] | Callable[[str, datetime], Duration]
#: Scripts that are given to the server beforehand: their calls go out without waiting.
_SCRIPTS: Final = ("fire", "settle", "promote")


class Frozen(Protocol):
    """A frozen ``datetime.now()`` that can be moved, such as freezegun's."""

    def move_to(self, target_datetime: Any) -> Any:
        """Set it."""
        ...


class Jobs(StrEnum):
    """What becomes of the jobs that schedules make."""

    #: They stay in their queues, and count as over when the next occurrence comes.
    OVER = "over"
    #: They end in SUCCESS after ``takes``, without being run.
    END = "end"
    #: They are run in this process when they are due, and end after ``takes``.
    RUN = "run"
    #: They wait in their queues for `TimeMachine.run_jobs`, and are in the way until then.
    WAIT = "wait"


class TimeMachine(Findings):
    """
    Runs schedules through time; it is on inside ``with``.

    Args:
        app: Whose tasks and settings; None makes an empty one, which knows no tasks.
        schedules: Schedule files, folders of them, and `Schedule` objects.
        start: Where the clock begins; now by default (also a frozen one).
        url: A server to run on, in a namespace of its own that is removed afterwards; None starts
            a private one.
        timezone: Zone of moments without one; None takes the app's.
        jobs: What becomes of jobs, see `Jobs`; by default ``over``, and ``end`` with ``takes``.
        takes: How long jobs take.
        frozen: A frozen ``datetime.now()``, such as freezegun's, that follows the clock.
        environ: What ``${NAME}`` in files is looked up in; None takes the process's environment.

    Attributes:
        app: The app, bound to the server while the time machine is on.

    Raises:
        InvalidScheduleFile: The files have problems; on entering.
        RedisUnavailable: There is no server; on entering.
    """

    def __init__(
        self,
        app: App | None = None,
        *,
        schedules: Iterable[str | Path | Schedule] = (),
        start: Moment | None = None,
        url: str | None = None,
        timezone: str | None = None,
        jobs: Jobs | str | None = None,
        takes: Takes | None = None,
        frozen: Frozen | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.app = app if app is not None else App("time-machine")
        self._schedules = tuple(schedules)
        self._url = url
        self._zone = zone(timezone or self.app.settings.timezone)
        self._jobs = Jobs(jobs or (Jobs.END if takes is not None else Jobs.OVER))
        self._takes: Takes = 0 if takes is None else takes
        self._environ = environ
        begin = datetime.now(UTC) if start is None else moment_of(self._moment_ms(start, "start"))
        followers = () if frozen is None else (frozen.move_to,)
        self._clock = ManualClock(begin, followers=followers)
        super().__init__(self._clock)
        self._stack: ExitStack | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            url = self._url or stack.enter_context(PrivateServer()).url
            namespace = fresh_namespace()
            connection = HeldConnection(Endpoint(url))
            stack.callback(connection.close)
            stack.callback(remove_namespace, connection, namespace)
            stack.enter_context(bound(self.app, url, namespace=namespace, clock=self._clock))
            fit_check(connection.endpoint, self.app.settings)(connection)
            for name in _SCRIPTS:
                connection.call("SCRIPT", "LOAD", script(name).source)
            stack.enter_context(self._clock)
            self._set_up(connection, namespace)
            self.apply(*self._schedules)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.close()

    def _set_up(self, connection: HeldConnection, namespace: str) -> None:
        where = prefix(namespace, 0)
        books = self._books = ScheduleBooks(connection, namespace, 1)
        self._outages = Outages()
        self._chronicle = Chronicle(connection, where)
        self._beat = BeatDriver(
            connection,
            where,
            books=books,
            settings=self.app.settings,
            tasks=self.app.tasks,
            clock=self._clock,
            outages=self._outages,
            chronicle=self._chronicle,
            ignores_overlap=self._jobs is Jobs.OVER,
        )
        self._worker = WorkerDriver(
            self.app,
            connection,
            where,
            clock=self._clock,
            chronicle=self._chronicle,
            takes_ms=self._takes_ms,
            queues=lambda: self._beat.queues,
            runs=self._jobs is not Jobs.END,
        )
        self._worker.start()

    # --- time -----------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What time it is, an aware datetime in UTC."""
        return self._clock.now

    def run_until(self, moment: Moment) -> None:
        """
        Let everything happen that is due until a moment, that one included.

        Raises:
            WrongUse: It lies before now.
        """
        self._run_to(self._moment_ms(moment, "run_until"))

    def advance(self, duration: Duration) -> None:
        """Let time pass: seconds, "2h", or a timedelta."""
        self._run_to(self._clock.now_ms + duration_ms(duration))

    def down(self, from_: Moment, to: Moment) -> None:
        """
        Let no beat be up from one moment to another; workers go on.

        Raises:
            WrongUse: It begins before now, or ends before it begins.
        """
        from_ms, to_ms = self._moment_ms(from_, "from"), self._moment_ms(to, "to")
        if not self._clock.now_ms <= from_ms < to_ms:
            raise WrongUse(
                f"an outage from {moment_of(from_ms).isoformat()} to {moment_of(to_ms).isoformat()}"
                f" does not lie in the future of {self.now.isoformat()}",
                remedy="say what is to come, before running through it",
            )
        self._outages.add(from_ms, to_ms)

    def _run_to(self, until_ms: int) -> None:
        self._check_on()
        if until_ms < self._clock.now_ms:
            self._clock.move_to_ms(until_ms)  # refuses, and says why
        self._beat.refresh()
        self._step()  # what the test has sent, cancelled or declared since
        while (next_ms := self._next_ms()) is not None and next_ms <= until_ms:
            self._clock.move_to_ms(max(next_ms, self._clock.now_ms))
            self._step()
            if self._jobs is Jobs.OVER:
                self._beat.fire_ahead(min(until_ms, self._beat.quiet_until_ms()))
        self._clock.move_to_ms(until_ms)
        self._clock.tell_followers()

    def _next_ms(self) -> int | None:
        found = (self._beat.next_ms(), self._worker.next_ms())
        return min((at_ms for at_ms in found if at_ms is not None), default=None)

    def _step(self) -> None:
        """All that happens at one instant: what ends makes room before what begins."""
        self._worker.end_due()
        self._beat.look_for_jobs()
        self._beat.step()
        self._worker.end_cancelled()
        if self._jobs in (Jobs.END, Jobs.RUN):
            self._work()

    def _work(self) -> None:
        while self._worker.work():
            if self._jobs is not Jobs.END:
                # Bodies may have sent jobs, and changed schedules.
                self._beat.look_again()
            elif not self._beat.look_for_jobs():
                break
            self._beat.step()

    # --- schedules and jobs ---------------------------------------------------------------------

    @property
    def schedules(self) -> Schedules:
        """Put, pause, resume, remove schedules, as ``app.schedules`` does, at this clock's time."""
        return Schedules(self.app)

    def apply(self, *schedules: str | Path | Schedule) -> Applied | None:
        """
        Declare schedules as `sched schedules apply` does: changed files change what is live.

        Args:
            schedules: Files, folders, and `Schedule` objects.

        Raises:
            InvalidScheduleFile: The files have problems; nothing was changed.
            WrongUse: A schedule was refused.
        """
        paths = [one for one in schedules if not isinstance(one, Schedule)]
        made = [one for one in schedules if isinstance(one, Schedule)]
        applied: list[Applied] = []
        if paths:
            names = sorted(self.app.tasks) or None
            declared = load_declarations(paths, environ=self._environ, task_names=names)
            applied.append(declared_set(declared, paths).apply(self._books))
        if made:
            applied.append(DeclaredSet.of(made).apply(self._books))
        for one in applied:
            for name, why in one.refused.items():
                raise WrongUse(f"schedule {name!r} was refused: {why}")
        return applied[0] if applied else None

    def run_jobs(self) -> list[FinishedJob]:
        """
        Run all jobs that are ready, here and now, through the real settle script.

        Jobs that they send, and retries that are due, run too.

        Returns:
            What has ended, in this order.
        """
        self._check_on()
        if self._jobs is Jobs.END:
            raise WrongUse(
                "jobs end without being run here", remedy='make it TimeMachine(..., jobs="wait")'
            )
        before = len(self._worker.finished)
        self._beat.refresh()
        self._work()
        self._clock.tell_followers()
        return self._worker.finished[before:]

    @property
    def finished(self) -> list[FinishedJob]:
        """All jobs that have ended, in this order."""
        return list(self._worker.finished)

    def _takes_ms(self, job: Job) -> int:
        takes = self._takes
        if callable(takes):
            fire_ms = job.nominal_ms
            moment = self.now if fire_ms is None else moment_of(fire_ms)
            takes = takes(job.schedule or job.task, moment)
        elif isinstance(takes, Mapping):
            takes = takes.get(job.schedule or "", takes.get(job.task, 0))
        return duration_ms(takes, "takes")

    def _moment_ms(self, moment: Moment, what: str) -> int:
        return read_moment_ms(moment, what, self._zone)

    def _check_on(self) -> None:
        if self._stack is None:
            raise WrongUse("the time machine is not on", remedy="use it inside its `with` block")
