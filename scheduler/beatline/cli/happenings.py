"""
What `sched up` shows: the next runs, the jobs that have just ended, and a few numbers.

A thread of its own listens to the ends of jobs and looks around about once a second, so that a
Redis that hangs never holds up the process that has to end the others. What a job was is told
from its schedule, or from having been seen while it waited or ran: a finished job keeps no
record of its call.

What happens when Redis is gone: the last picture stays, with the error in it, and the thread
tries again each second.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import RedisError

from beatline.errors import BeatlineError, UndecodableJob
from beatline.ids import id_text, is_ours, occurrence_id, partition_of, partition_of_name
from beatline.keys import prefix
from beatline.schedule import Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.settings import Settings
from beatline.store import reading
from beatline.store.scheduling import StoredSchedule
from beatline.store.views import JobView
from beatline.store.vitals import Vitals, read_vitals
from beatline.wire.connection import Endpoint, HeldConnection

#: Time between two looks, seconds; at least ten times what a look takes.
_LOOK_S: Final = 1.0
#: Ended jobs that are kept for a view that comes late.
_ENDED_KEPT: Final = 200
#: Calls of waiting jobs that are remembered until they end.
_CALLS_KEPT: Final = 2_000
#: Jobs in workers' hands whose calls are read at each look.
_HELD_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class NextRun:
    """
    A schedule and its next fire time.

    Attributes:
        name, task: The schedule, and what it calls.
        next_ms: Its next fire time; None where it has none.
        last_ms: Its last one.
        paused: Why it rests; empty where it does not.
        failures: Failures in a row.
    """

    name: str
    task: str
    next_ms: int | None
    last_ms: int | None
    paused: str
    failures: int


@dataclass(frozen=True, slots=True)
class EndedJob:
    """
    A job that has just ended.

    Attributes:
        id: The job.
        what: Its schedule's name, or its task's; empty where neither is known.
        state: How it ended.
        ended_ms: When, on the server's clock.
        run_ms: How long its last run took.
        late_ms: How long after its planned instant it started, for a schedule's job.
        detail: What it returned or raised, cut.
    """

    id: str
    what: str
    state: str
    ended_ms: int
    run_ms: int | None
    late_ms: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Picture:
    """
    All of it at one instant.

    Attributes:
        now_ms: The server's clock.
        next_runs: By next fire time.
        vitals: Of all partitions.
        trouble: Why it is not newer; empty where it is new.
    """

    now_ms: int
    next_runs: list[NextRun] = field(default_factory=list)
    vitals: list[Vitals] = field(default_factory=list)
    trouble: str = ""


class Happenings:
    """
    Watches a namespace.

    Args:
        endpoint: Where Redis is.
        settings: Namespace and partitions.
        notify: Called from the thread when there is something new.

    Attributes:
        picture: The latest one; None before the first.
    """

    def __init__(self, endpoint: Endpoint, settings: Settings, notify: Callable[[], None]) -> None:
        self.picture: Picture | None = None
        self._endpoint = endpoint
        self._settings = settings
        self._notify = notify
        self._connection = HeldConnection(endpoint)
        self._prefixes = [
            prefix(settings.namespace, number) for number in range(settings.partitions)
        ]
        self._calls: OrderedDict[bytes, str] = OrderedDict()
        self._schedules: dict[str, Schedule] = {}
        self._ended: deque[EndedJob] = deque(maxlen=_ENDED_KEPT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="happenings", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait a moment for it: it may hang on Redis."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2 * _LOOK_S)

    def note_call(self, raw_id: bytes, what: str) -> None:
        """Remember what a job is, for the line that tells its end."""
        self._calls[raw_id] = what
        while len(self._calls) > _CALLS_KEPT:
            self._calls.popitem(last=False)

    def take_ended(self) -> list[EndedJob]:
        """The jobs that have ended since the last call, in order."""
        taken = []
        while self._ended:
            taken.append(self._ended.popleft())
        return taken

    # --- the thread -------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                with self._endpoint.client() as client, client.pubsub() as ear:
                    ear.psubscribe(*(where + b"done:*" for where in self._prefixes))
                    self._listen(ear)
            except (RedisError, OSError, BeatlineError) as error:
                if self._stop.is_set():
                    return
                known = self.picture or Picture(int(time.time() * 1_000))
                self.picture = Picture(
                    known.now_ms, known.next_runs, known.vitals, f"Redis does not answer: {error}"
                )
                self._connection.close()
                self._notify()
                self._stop.wait(_LOOK_S)

    def _listen(self, ear: Any) -> None:
        look_at = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= look_at:
                self._look()
                look_at = now + max(_LOOK_S, 10 * (time.monotonic() - now))
                self._notify()
            message = ear.get_message(timeout=max(look_at - time.monotonic(), 0.01))
            ids = []
            while message is not None:
                if message["type"] == "pmessage":
                    ids.append(message["channel"].partition(b"done:")[2])
                message = ear.get_message(timeout=0)
            if ids:
                self._ended += self._told(ids)
                self._notify()

    def _look(self) -> None:
        settings = self._settings
        books = ScheduleBooks(self._connection, settings.namespace, settings.partitions)
        for where in self._prefixes:
            reading.await_ends(self._connection, where)
        stored = books.read_all().values()
        vitals = [read_vitals(self._connection, where) for where in self._prefixes]
        runs = [self._next_run(one) for one in stored]
        runs.sort(key=lambda run: (run.next_ms is None, run.next_ms or 0, run.name))
        self._remember_held()
        self.picture = Picture(vitals[0].now_ms, runs, vitals)

    def _next_run(self, stored: StoredSchedule) -> NextRun:
        try:
            schedule = stored.schedule()
            self._schedules[stored.name] = schedule
            task = schedule.task
        except UndecodableJob:
            task = "?"
        next_ms = None if stored.paused else stored.next_ms
        failures = stored.counters.get("failures", 0)
        return NextRun(stored.name, task, next_ms, stored.last_ms, stored.paused, failures)

    def _remember_held(self) -> None:
        """Calls of what runs now: when it has ended, nothing tells what it was."""
        for where in self._prefixes:
            held = []
            for raw_id in reading.held_ids(self._connection, where):
                if raw_id not in self._calls:
                    held.append(raw_id)
                if len(held) >= _HELD_SHOWN:
                    break
            for view in reading.look(self._connection, where, held):
                if view.job is not None:
                    self.note_call(view.raw_id, view.job.schedule or view.job.task)

    def _told(self, ids: Iterable[bytes]) -> list[EndedJob]:
        by_prefix: dict[bytes, list[bytes]] = {}
        for raw_id in ids:
            where = self._prefixes[partition_of(raw_id, len(self._prefixes))]
            by_prefix.setdefault(where, []).append(raw_id)
        views = [
            view
            for where, raw_ids in by_prefix.items()
            for view in reading.look(self._connection, where, raw_ids)
        ]
        return [self._ended_job(view) for view in views if view.state.is_final]

    def _ended_job(self, view: JobView) -> EndedJob:
        schedule, fire_ms = self._schedule_of(view.raw_id)
        what = schedule.name if schedule else self._calls.pop(view.raw_id, "") or view.task
        try:
            outcome = view.outcome
        except UndecodableJob:
            outcome = None
        run_ms = late_ms = None
        ended_ms, detail = int(time.time() * 1_000), ""
        if outcome is not None:
            if outcome.started_ms:
                ended_ms, run_ms = outcome.finished_ms, outcome.finished_ms - outcome.started_ms
                if schedule is not None:
                    late_ms = outcome.started_ms - schedule.timetable.due_ms(fire_ms)
            if outcome.error is not None:
                detail = f"{type(outcome.error).__name__}: {outcome.error}"
            elif outcome.value is not None:
                detail = repr(outcome.value)
        told = detail[:300]
        return EndedJob(
            id_text(view.raw_id), what, str(view.state), ended_ms, run_ms, late_ms, told
        )

    def _schedule_of(self, raw_id: bytes) -> tuple[Schedule | None, int]:
        """The schedule that made a job, and the fire time: an occurrence's id is computed."""
        if not is_ours(raw_id):
            return None, 0
        fire_ms = int.from_bytes(raw_id[:6])
        for name, schedule in self._schedules.items():
            partition = partition_of_name(name, len(self._prefixes))
            if occurrence_id(name, fire_ms, partition) == raw_id:
                return schedule, fire_ms
        return None, 0
