"""
A second telling of the protocol, in plain Python: where each job is, what each call must answer.

Written from the promises and the rules (docs/guarantees.md), not from the scripts. Each
``expect_…`` function of the modules beside this one gets a call, the server's answer and what was
seen in Redis afterwards; it says whether the answer may be, and moves the model's jobs. What the
rules leave open (which idle consumer gets a job, in how many calls a vanished worker is emptied)
is taken from what was seen, after a look at whether it is one of the allowed choices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from beatline.job import (
    FLAG_BACKFILL,
    FLAG_IGNORE_RESULT,
    FLAG_OWN_ID,
    FLAG_SCHEDULE,
    FLAG_SKIP_UNSURE,
)
from tests.model.seen import Holding, Seen

#: Deaths after which a job is buried, where its worker says nothing else.
MAX_DELIVERIES = 3
#: Steps of the watch are not longer, ms (R12).
LONGEST_STEP_MS = 2_000
#: Where an occurrence waits for its turn: the year 9999.
TURN_MS = 253_370_764_800_000
#: Ends that a schedule counts as failures.
FAILURES = ("FAILURE", "DEAD", "LOST")

Place = tuple[str, int]


@dataclass
class ModelJob:
    """One job that has not ended, or is a dead letter."""

    id: bytes
    queue: str
    priority: int
    flags: int
    record: bytes
    schedule: str | None = None
    nominal_ms: int = 0
    charges: int = 0
    attempts: int = 0
    cancelled: str = ""
    unknown_since_ms: int | None = None
    notes: dict[str, bytes] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """The list where it waits."""
        return self.queue, self.priority

    @property
    def member(self) -> bytes:
        """What stands for it on the timeline: kind, priority, id, queue."""
        kind = b"u%d%c" % (self.priority, len(self.id))
        if not self.flags & FLAG_OWN_ID:
            kind = b"j%d" % self.priority
        return kind + self.id + self.queue.encode()

    @property
    def is_plain(self) -> bool:
        """Whether its success may be told in short: it has an id of ours and no schedule."""
        return not self.flags & (FLAG_OWN_ID | FLAG_SCHEDULE)

    @property
    def keeps_result(self) -> bool:
        """Whether its result is kept."""
        return not self.flags & FLAG_IGNORE_RESULT

    @property
    def must_not_run_twice(self) -> bool:
        """Whether a death of its process makes it LOST."""
        return bool(self.flags & FLAG_SKIP_UNSURE) or "unsure" in self.notes


@dataclass
class ModelConsumer:
    """A child on the books: the number of its last call (None: any may come), and its idleness."""

    last: int | None = None
    connection: int = 0
    queues: str = ""
    waits: bool = False
    #: When a job was last put on its wake list.
    offered_ms: int = 0


@dataclass
class ModelWorker:
    """A worker on the books, living or being emptied."""

    name: str
    lease_ms: int
    deadline_ms: int
    about: dict[str, str] = field(default_factory=dict)
    consumers: dict[str, ModelConsumer] = field(default_factory=dict)
    gone_ms: int | None = None
    #: Since when every tick has found its lease over.
    over_since_ms: int | None = None


@dataclass
class ModelSchedule:
    """A schedule's stored state."""

    revision: bytes
    definition: str
    trigger: str
    source: str
    zones: str
    next_ms: int | None
    paused: str = ""
    decided_ms: int | None = None
    within_ms: int | None = None
    failures: int = 0
    pause_after: int | None = None
    counters: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: What became of each fire time.
    decisions: dict[int, str] = field(default_factory=dict)


class World:
    """Everything that one partition holds."""

    def __init__(self) -> None:
        self.now_us = 0
        self.jobs: dict[bytes, ModelJob] = {}
        self.ready: dict[Place, list[bytes]] = defaultdict(list)
        self.tombs: dict[bytes, Place] = {}
        self.timeline: dict[bytes, int] = {}
        self.held: dict[bytes, Holding] = {}
        self.unopened: set[bytes] = set()
        self.dead: dict[bytes, int] = {}
        self.results: dict[bytes, tuple[str, bytes]] = {}
        self.resting_queues: set[str] = set()
        self.workers: dict[str, ModelWorker] = {}
        self.watch: tuple[int, int, int] | None = None
        self.fence = 0
        self.schedules: dict[str, ModelSchedule] = {}
        self.scheduled: dict[str, int] = {}
        self.open: dict[str, set[bytes]] = defaultdict(set)
        self.buffered: dict[str, list[bytes]] = defaultdict(list)
        #: W at which an alert is due; alerts that stand; schedules that succeeded after one.
        self.expected: dict[str, int] = {}
        self.alerts: set[str] = set()
        self.recovered: list[str] = []
        #: Backfills: where a run stands, jobs made and skipped, whether it is over.
        self.runs: dict[tuple[str, str], tuple[int | None, int, int, bool]] = {}
        self.senders: dict[str, tuple[int, tuple[int, ...]]] = {}
        self.leader: tuple[str, int, int] = ("", 0, 0)
        self.nudged = False

    @property
    def now_ms(self) -> int:
        """The clock, ms."""
        return self.now_us // 1000

    # --- who lives ------------------------------------------------------------------------------

    @property
    def watched_ms(self) -> int:
        """W: the time that beats have observed."""
        return self.watch[1] if self.watch else 0

    def is_alive(self, name: str) -> bool:
        """Whether a worker's lease has not passed in W (R14)."""
        worker = self.workers.get(name)
        if worker is None or worker.gone_ms is not None:
            return False
        return worker.deadline_ms >= self.watched_ms

    def holdings(self, worker: str, consumer: str | None = None) -> list[tuple[bytes, Holding]]:
        """What a worker, or one of its consumers, holds, by rising token."""
        mine = [
            (raw_id, one)
            for raw_id, one in self.held.items()
            if one.worker == worker and consumer in (None, one.consumer)
        ]
        return sorted(mine, key=lambda pair: pair[1].fence)

    def idle_hands(self, queue: str) -> list[tuple[str, str]]:
        """Who may be handed a job of a queue: registered, waiting for it, its worker alive."""
        return [
            (worker.name, name)
            for worker in self.workers.values()
            for name, one in worker.consumers.items()
            if one.waits and queue in one.queues.split(",") and self.is_alive(worker.name)
        ]

    # --- tokens ---------------------------------------------------------------------------------

    def draw(self, fence: int) -> None:
        """A token was drawn: they only rise, whatever the clock does (R11)."""
        assert fence > self.fence, f"token {fence} after {self.fence}"
        assert fence >= self.now_us, f"token {fence} behind the clock {self.now_us}"
        self.fence = fence

    # --- places ---------------------------------------------------------------------------------

    def _free_for(self, job: ModelJob, hands: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Who may be handed a job: one that is to be run alone needs somebody who holds nothing."""
        if not job.charges:
            return list(hands)
        busy = {(one.worker, one.consumer) for one in self.held.values()}
        return [pair for pair in hands if pair not in busy]

    def make_ready(self, place: Place, ids: Sequence[bytes], seen: Seen, *, front: bool) -> None:
        """The one way into readiness (R16): idle hands while nobody waits before, or the list."""
        queue, rest = place[0], list(ids)
        others_wait = any(row for (name, _), row in self.ready.items() if name == queue)
        while rest and not others_wait and queue not in self.resting_queues:
            hands = self._free_for(self.jobs[rest[0]], self.idle_hands(queue))
            if not hands:
                break
            self._hand_over(rest.pop(0), hands, seen)
        row = self.ready[place]
        self.ready[place] = rest + row if front else row + rest

    def _hand_over(self, raw_id: bytes, hands: Sequence[tuple[str, str]], seen: Seen) -> None:
        holding = seen.held.get(raw_id)
        assert holding is not None, f"{raw_id!r} was not handed over, though {hands} wait"
        assert (holding.worker, holding.consumer) in hands, f"{raw_id!r} was given to {holding}"
        self.draw(holding.fence)
        self.held[raw_id] = holding
        self.unopened.add(raw_id)
        consumer = self.workers[holding.worker].consumers[holding.consumer]
        consumer.waits, consumer.offered_ms = False, self.now_ms

    def clear_tomb(self, raw_id: bytes) -> None:
        """A stale entry goes before its id comes back to a list (R17)."""
        place = self.tombs.pop(raw_id, None)
        if place is not None:
            self.ready[place].remove(raw_id)

    def put_on_timeline(self, raw_id: bytes, due_ms: int) -> None:
        """A job waits for its instant; beat is told of a new first one."""
        self._nudge(due_ms)
        self.timeline[raw_id] = due_ms

    def put_schedule_on_timeline(self, name: str, due_ms: int) -> None:
        """A schedule waits for its next fire time."""
        self._nudge(due_ms)
        self.scheduled[name] = due_ms

    def _nudge(self, due_ms: int) -> None:
        instants = [*self.timeline.values(), *self.scheduled.values()]
        self.nudged |= not instants or due_ms < min(instants)

    def return_to_front(
        self, entries: Iterable[tuple[bytes, Holding]], charged: set[int], limit: int, seen: Seen
    ) -> None:
        """Held jobs go back to the front of their queues, by their tokens; cancelled ones end."""
        groups: dict[Place, list[bytes]] = {}
        for raw_id, holding in sorted(entries, key=lambda pair: pair[1].fence):
            self._let_go(raw_id)
            job = self.jobs[raw_id]
            if job.cancelled:
                self.finish(job, "CANCELLED")
            elif holding.fence not in charged or self._survives(job, limit):
                groups.setdefault(job.place, []).append(raw_id)
        for place, ids in groups.items():
            self.make_ready(place, ids, seen, front=True)

    def _let_go(self, raw_id: bytes) -> None:
        del self.held[raw_id]
        self.unopened.discard(raw_id)

    def _survives(self, job: ModelJob, limit: int) -> bool:
        if job.must_not_run_twice:
            self.finish(job, "LOST")
            return False
        job.charges += 1
        if job.charges >= limit:
            self.bury(job)
            return False
        return True

    # --- ends -----------------------------------------------------------------------------------

    def finish(self, job: ModelJob, state: str, body: bytes = b"") -> None:
        """A job ends: record and marks go; a caller's own id leaves a marker in any case (R8)."""
        del self.jobs[job.id]
        if not job.flags & FLAG_IGNORE_RESULT:
            self.results[job.id] = (state, body)
        elif job.flags & FLAG_OWN_ID:
            self.results[job.id] = (state, b"")
        self._close(job, state)

    def bury(self, job: ModelJob, body: bytes = b"") -> None:
        """A job becomes a dead letter: its record stays."""
        self.dead[job.id] = self.now_ms
        job.cancelled, job.unknown_since_ms = "", None
        self.results[job.id] = ("DEAD", body)
        self._close(job, "DEAD")

    def _close(self, job: ModelJob, state: str) -> None:
        """R22: what ends, leaves `open`, and for buffers the next one gets ready."""
        name = job.schedule
        if name is None:
            return
        self.open[name].discard(job.id)
        if job.id in self.buffered[name]:
            self.buffered[name].remove(job.id)
        self.take_turn(name)
        schedule = self.schedules.get(name)
        if schedule is None or job.flags & FLAG_BACKFILL:
            return
        schedule.counters[f"ended:{state}"] += 1
        if state == "SUCCESS":
            schedule.failures = 0
            self._note_success(name, schedule)
        elif state in FAILURES:
            schedule.failures += 1
            most = schedule.pause_after or schedule.failures + 1
            if schedule.failures >= most and not schedule.paused:
                schedule.paused = f"after {schedule.failures} failures in a row"
                self.scheduled.pop(name, None)

    def _note_success(self, name: str, schedule: ModelSchedule) -> None:
        """What has to succeed within a time has done so, and has to do it again."""
        if schedule.within_ms is None:
            return
        was_late = name in self.alerts
        if was_late:
            self.alerts.discard(name)
            self.recovered.append(name)
        if schedule.next_ms is None:
            self.expected.pop(name, None)
        elif was_late or name in self.expected:
            self.expected[name] = self.watched_ms + schedule.within_ms

    def expect_success(self, name: str, *, begins: bool) -> None:
        """A time begins in which a schedule has to succeed, unless it rests on purpose."""
        schedule = self.schedules[name]
        rests = bool(schedule.paused) and not schedule.paused.endswith("failures in a row")
        if schedule.within_ms is None or rests:
            self.expected.pop(name, None)
            self.alerts.discard(name)
            return
        is_known = name in self.expected or name in self.alerts
        if schedule.next_ms is None or (is_known and not begins):
            return
        ahead_ms = schedule.next_ms - self.now_ms
        ahead_ms = ahead_ms if ahead_ms > schedule.within_ms else 0
        self.alerts.discard(name)
        self.expected[name] = self.watched_ms + ahead_ms + schedule.within_ms

    def take_turn(self, name: str) -> None:
        """Where only those that wait have not ended, the first of them goes on."""
        waiting = self.buffered[name]
        if waiting and len(self.open[name]) <= len(waiting):
            self.put_on_timeline(waiting.pop(0), self.now_ms)

    def cancel(self, job: ModelJob, how: str) -> str | None:
        """A waiting job ends; a running one is flagged: the worker that runs it, or None."""
        holding = self.held.get(job.id)
        if holding is not None:
            job.cancelled = "hard" if "hard" in (how, job.cancelled) else how
            return holding.worker
        if self.timeline.pop(job.id, None) is None:
            self.tombs[job.id] = job.place
        self.finish(job, "CANCELLED")
        return None

    # --- states ---------------------------------------------------------------------------------

    def state_of(self, raw_id: bytes) -> str:
        """A state is the place where the id lives (G14)."""
        if raw_id in self.dead:
            return "DEAD"
        if raw_id in self.jobs:
            if raw_id in self.held:
                return "RUNNING"
            if raw_id in self.timeline:
                return "RETRYING" if self.jobs[raw_id].attempts else "SCHEDULED"
            return "QUEUED"
        return self.results[raw_id][0] if raw_id in self.results else "UNKNOWN"
