"""
Beat's work without a beat: schedules are fired and jobs promoted at the instants of a manual clock.

The decisions are beat's own (`beatline.planner` by way of `beatline.beat.planning`), and so are the
scripts that carry them out; what is missing is the waiting. Where nothing can come between two
fires, many of them are sent ahead of their answers, each with its own instant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from msgspec.structs import replace
from redis.exceptions import ResponseError

from beatline.beat.known_schedules import Known
from beatline.beat.planning import Absences, after_fire, plan_advances
from beatline.errors import BeatlineError
from beatline.job import read_job
from beatline.occurrence_jobs import OccurrenceJobs, RegisteredTask
from beatline.schedule import Overlap, Schedule
from beatline.schedule_books import ScheduleBooks
from beatline.settings import Settings
from beatline.store.firing import Advance, Fired, JobStep, pack_fire, receive_fire
from beatline.store.leasing import reclaim
from beatline.store.promoting import promote
from beatline.store.scheduling import StoredSchedule
from beatline.testing.chronicle import MOST_UNREAD, Chronicle
from beatline.testing.manual_clock import ManualClock
from beatline.testing.outages import Outages
from beatline.wire.connection import HeldConnection

#: Fires that are on their way at once. With those of one chunk unread and one sent, no ledger
#: may lose an event.
CHUNK: Final = MOST_UNREAD // 2
#: Rounds at one instant: a schedule that changes under our hands is read again so often.
_MOST_ROUNDS: Final = 100
#: Later than every instant.
_NEVER_MS: Final = 1 << 62
#: Jobs that are promoted at once.
_BATCH: Final = 1_000


class _Packed(NamedTuple):
    """A fire on its way: the call, the jobs that it makes, and its bytes."""

    advance: Advance
    jobs: int
    packed: bytes


class BeatDriver:
    """
    Fires the schedules of one partition, and promotes its jobs.

    Args:
        connection: Of this thread.
        prefix: The partition's key prefix.
        books: The schedules.
        settings: The app's.
        tasks: Its tasks by name.
        clock: What time it is.
        outages: When no beat is up.
        chronicle: Is told of each event in a ledger.
        ignores_overlap: Each job counts as over before the next occurrence.
    """

    def __init__(
        self,
        connection: HeldConnection,
        prefix: bytes,
        *,
        books: ScheduleBooks,
        settings: Settings,
        tasks: Mapping[str, RegisteredTask],
        clock: ManualClock,
        outages: Outages,
        chronicle: Chronicle,
        ignores_overlap: bool,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._books = books
        self._settings = settings
        self._tasks = tasks
        self._clock = clock
        self._outages = outages
        self._chronicle = chronicle
        self._ignores_overlap = ignores_overlap
        self._known: dict[str, Known] = {}
        self._revisions: dict[bytes, bytes] = {}
        self._resting: set[str] = set()
        self._has_buffers = False
        self._queue_of: dict[str, str] = {}
        #: The queues that there are, and those that schedules name.
        self.queues: set[str] = set()
        self._due: list[tuple[int, str]] = []
        self._job_due_ms: int | None = None
        self._told_until_ms = clock.now_ms

    # --- what there is --------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read all that is live."""
        self._revisions = self._read_revisions()
        self._known = {}
        self._resting = set()
        for name, stored in self._books.read_all().items():
            if stored.paused:
                self._resting.add(name)
                continue
            self._known[name] = self._learnt(stored)
        self._due = [
            (known.due_ms, name) for name, known in self._known.items() if known.due_ms is not None
        ]
        heapify(self._due)
        self._read_rest()

    def look_for_jobs(self) -> bool:
        """See whether jobs that ended have given others their turn; whether that is possible."""
        if self._has_buffers:
            self._job_due_ms = self._read_job_due_ms()
        return self._has_buffers

    def look_again(self) -> None:
        """See what jobs have changed that were run: schedules, and jobs that are due later."""
        if self._read_revisions() != self._revisions or any(
            stored is None or not stored.paused
            for stored in (self._books.read(name) for name in self._resting)
        ):
            self.refresh()
        else:
            self._read_rest()

    def next_ms(self) -> int | None:
        """When there is something to do next; None where nothing is due any more."""
        found = [
            self._outages.seen_ms(due_ms)
            for due_ms in (self._schedule_due_ms(), self._job_due_ms)
            if due_ms is not None
        ]
        outage = self._outages.first_from(self._told_until_ms + 1)
        if outage is not None:
            found.append(outage.until_ms)
        return min(found, default=None)

    def quiet_until_ms(self) -> int:
        """Until when nothing but fires is due: the next outage, or the next job that is due."""
        outage = self._outages.first_from(self._told_until_ms + 1)
        bounds = [self._job_due_ms, outage.from_ms if outage is not None else None]
        return min((at_ms for at_ms in bounds if at_ms is not None), default=_NEVER_MS) - 1

    # --- firing ---------------------------------------------------------------------------------

    def step(self) -> None:
        """Do all that is due now."""
        now_ms = self._clock.now_ms
        self._tell_outages(now_ms)
        names = list(self._take_due(now_ms))
        for _ in range(_MOST_ROUNDS):
            if not names:
                break
            names = self._fire(names, now_ms)
        else:
            raise BeatlineError(f"schedules {names} are changed as fast as they are fired")
        while self._job_due_ms is not None and self._job_due_ms <= now_ms:
            promote(self._connection, self._prefix, _BATCH)
            self._job_due_ms = self._read_job_due_ms()

    def fire_ahead(self, until_ms: int) -> None:
        """
        Fire all that is due until an instant, at the instants at which it is, without waiting.

        Nothing may come between them: jobs that end, or somebody who changes schedules.

        Args:
            until_ms: The last instant, not behind `quiet_until_ms`.
        """
        sent: list[tuple[Advance, int]] = []
        while True:
            chunk = self._packed_chunk(until_ms, {advance.schedule for advance, _ in sent})
            # Only now wait for the chunk before: Redis has worked on it while this one was made.
            self._receive(sent)
            if not chunk and not sent:
                return
            if chunk:
                self._connection.send(b"".join(one.packed for one in chunk))
            sent = [(advance, jobs) for advance, jobs, _ in chunk]

    def _packed_chunk(self, until_ms: int, open_names: set[str]) -> list[_Packed]:
        """The next fires; ``open_names`` are schedules whose last ones are not answered yet."""
        chunk: list[_Packed] = []
        absences = self._outages.absences(self._clock.now_ms)
        while self._due and self._due[0][0] <= until_ms and len(chunk) < CHUNK:
            due_ms, name = self._due[0]
            known = self._known[name]
            most = known.schedule.max_runs
            if most is not None and name in open_names and known.runs >= most:
                break  # whether there is a next one is known when these have been answered
            heappop(self._due)
            now_ms = max(due_ms, self._clock.now_ms)
            self._clock.move_to_ms(now_ms)
            advances, _ = self._planned(known, now_ms, absences)
            for advance in advances:
                jobs = sum(isinstance(step, JobStep) for step in advance.steps)
                after_fire(known, advance, Fired("OK", jobs))
                open_names.add(name)
                packed = pack_fire(self._prefix, [advance], now_ms * 1_000)
                chunk.append(_Packed(advance, jobs, packed))
            if known.due_ms is not None:
                heappush(self._due, (known.due_ms, name))
        return chunk

    def _receive(self, sent: Sequence[tuple[Advance, int]]) -> None:
        for (advance, jobs), reply in zip(sent, self._answers(len(sent)), strict=True):
            if reply.word != "OK":
                raise BeatlineError(
                    f"schedule {advance.schedule!r} was changed by somebody else while its fire"
                    f" times were run through: {reply.word}",
                    remedy="change schedules between two calls of the time machine",
                )
            self._known[advance.schedule].runs += reply.jobs - jobs
            self._chronicle.note(advance.schedule, len(advance.steps))

    def _fire(self, names: Sequence[str], now_ms: int) -> list[str]:
        """Fire schedules; the names of those to be looked at again at once."""
        absences = self._outages.absences(now_ms)
        again: dict[str, None] = {}
        advances: list[Advance] = []
        for name in names:
            planned, has_more = self._planned(self._known[name], now_ms, absences)
            advances += planned
            if has_more:
                again[name] = None
        if advances:
            packed = [pack_fire(self._prefix, [advance]) for advance in advances]
            self._connection.send(b"".join(packed))
        stale: dict[str, None] = {}
        for advance, reply in zip(advances, self._answers(len(advances)), strict=True):
            if reply.word != "OK":
                stale[advance.schedule] = None
                continue
            after_fire(self._known[advance.schedule], advance, reply)
            self._chronicle.note(advance.schedule, len(advance.steps))
        if stale:
            self.refresh()
        for name in names:
            known = self._known.get(name)
            if known is not None and known.due_ms is not None and name not in stale:
                heappush(self._due, (known.due_ms, name))
        waiting = [name for name in again if name in self._known and name not in stale]
        return list(dict.fromkeys([*waiting, *self._take_due(now_ms)]))

    def _answers(self, count: int) -> list[Fired]:
        """What became of so many calls of one advance each."""
        answers = [receive_fire(self._connection) for _ in range(count)]
        fired: list[Fired] = []
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
            fired += answer.fired
        return fired

    def _planned(self, known: Known, now_ms: int, absences: Absences) -> tuple[list[Advance], bool]:
        advances, has_more = plan_advances(known, now_ms, absences)
        if self._ignores_overlap:
            # A job that is over before the next occurrence is in nobody's way.
            advances = [replace(advance, overlap=Overlap.ALLOW) for advance in advances]
        return advances, has_more

    # --- small parts ----------------------------------------------------------------------------

    def planned_of(self, name: str) -> Callable[[int], int] | None:
        """Gives the instant at which a fire time is due; None where the schedule is not live."""
        known = self._known.get(name)
        return known.schedule.timetable.due_ms if known is not None else None

    def schedule(self, name: str) -> Schedule | None:
        """The definition of a live schedule; None where there is none of this name."""
        known = self._known.get(name)
        if known is not None:
            return known.schedule
        stored = self._books.read(name)
        return stored.schedule() if stored is not None else None

    def _learnt(self, stored: StoredSchedule) -> Known:
        schedule = stored.schedule()
        jobs = OccurrenceJobs(schedule, 0, self._settings, self._tasks.get(schedule.task))
        step = jobs.step(0, 0, is_caught_up=False)
        self._queue_of[stored.name] = read_job(step.id, step.record).queue
        return Known(stored, schedule, jobs)

    def _schedule_due_ms(self) -> int | None:
        while self._due:
            due_ms, name = self._due[0]
            known = self._known.get(name)
            if known is not None and known.due_ms == due_ms:
                return due_ms
            heappop(self._due)
        return None

    def _take_due(self, now_ms: int) -> Iterator[str]:
        """The names of the schedules that are due, each once; they leave the heap."""
        taken: set[str] = set()
        while (due_ms := self._schedule_due_ms()) is not None:
            if due_ms > now_ms:
                return
            _, name = heappop(self._due)
            if name not in taken:
                taken.add(name)
                yield name

    def _tell_outages(self, now_ms: int) -> None:
        """Let the watch know of the outages that have ended, as a beat's first tick does."""
        while (outage := self._outages.first_from(self._told_until_ms + 1)) is not None:
            if outage.until_ms > now_ms:
                return
            self._told_until_ms = outage.until_ms
            self._connection.call("HSET", self._prefix + b"watch", "t", outage.from_ms)
            reclaim(
                self._connection,
                self._prefix,
                limit=0,
                max_deliveries=self._settings.max_deliveries,
                result_ttl_ms=self._settings.result_ttl_ms,
            )

    def _read_rest(self) -> None:
        policies = {known.schedule.overlap for known in self._known.values()}
        self._has_buffers = bool(policies & {Overlap.BUFFER_ONE, Overlap.BUFFER_ALL})
        self._job_due_ms = self._read_job_due_ms()
        queues = self._connection.call("HKEYS", self._prefix + b"queues")
        self.queues = {self._queue_of[name] for name in self._known}
        self.queues |= {queue.decode("utf-8", "replace") for queue in queues}

    def _read_revisions(self) -> dict[bytes, bytes]:
        flat = self._connection.call("HGETALL", self._prefix + b"schedules")
        return dict(zip(flat[::2], flat[1::2], strict=True))

    def _read_job_due_ms(self) -> int | None:
        """When the next job is due. Schedules lie among them: at most so many come before it."""
        limit = len(self._revisions) + 1
        found = self._connection.call(
            "ZRANGE", self._prefix + b"timeline", 0, limit - 1, "WITHSCORES"
        )
        for member, score in zip(found[::2], found[1::2], strict=True):
            if not member.startswith(b"s"):
                return math.ceil(float(score))
        return None
