"""
A worker's work without a worker: jobs are taken, run or only ended, and settled by the real script.

One consumer holds everything: there are as many workers as are needed. A body runs in this
process, at once, however long the clock says that it takes; its settlement waits for that end.
Time limits do not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from typing import Any, Final

from msgspec.structs import replace

from beatline.app import App
from beatline.errors import BeatlineError, UndecodableJob
from beatline.ids import id_text
from beatline.job import Job, read_job
from beatline.result import AsyncResult
from beatline.states import JobState
from beatline.store.delivering import Call, Consumer, Delivery, Settlement, settle
from beatline.store.leasing import register, renew
from beatline.testing.chronicle import Chronicle
from beatline.testing.manual_clock import ManualClock
from beatline.units import moment_of
from beatline.wire.connection import HeldConnection
from beatline_worker.executor import Executor, Run

#: Who the ledger says ran the jobs.
WORKER: Final = "time-machine"
#: The longest lease there is, ms: nobody watches while the clock stands still.
_LEASE_MS: Final = 86_400_000
#: Jobs that are taken at once.
_BATCH: Final = 1_000
#: Jobs that may run at one instant: jobs that send jobs that send jobs have no end.
_MOST_AT_ONCE: Final = 100_000


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """
    A job that has been run here, or that has ended without being run.

    Attributes:
        id: As the API shows it.
        task: Name of its task; empty where the record cannot be read.
        args, kwargs: What it was called with.
        schedule: The schedule that made it, or None.
        fire_time: The fire time that it is of, aware UTC, or None.
        started, ended: When, by the test's clock.
        state: ``SUCCESS``, ``FAILURE`` and so on; ``RETRYING`` where it will run again.
        result: For its value, or to raise what it raised.
    """

    id: str
    task: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    schedule: str | None
    fire_time: datetime | None
    started: datetime
    ended: datetime
    state: str
    result: AsyncResult[Any]


@dataclass(frozen=True, slots=True)
class _Held:
    """A delivery that was taken, and how it will end."""

    settlement: Settlement
    job: Job | None
    started_ms: int


#: Gives how long a job takes, ms.
TakesMs = Callable[[Job], int]


class WorkerDriver:
    """
    Takes and ends the jobs of one partition.

    Args:
        app: Whose jobs.
        connection: Of this thread.
        prefix: The partition's key prefix.
        clock: What time it is.
        chronicle: Is told of each event in a ledger.
        takes_ms: How long a job takes.
        queues: Names the queues that there may be.
        runs: Whether the bodies of jobs are run; else jobs end in SUCCESS.
    """

    def __init__(
        self,
        app: App,
        connection: HeldConnection,
        prefix: bytes,
        *,
        clock: ManualClock,
        chronicle: Chronicle,
        takes_ms: TakesMs,
        queues: Callable[[], Iterable[str]],
        runs: bool,
    ) -> None:
        self._app = app
        self._connection = connection
        self._prefix = prefix
        self._clock = clock
        self._chronicle = chronicle
        self._takes_ms = takes_ms
        self._queues = queues
        self._runs = runs
        self._executor = Executor(app, WORKER)
        self._number = 0
        self._held: dict[tuple[bytes, int], _Held] = {}
        self._ends: list[tuple[int, int, bytes]] = []
        #: All jobs that have ended here, in this order.
        self.finished: list[FinishedJob] = []

    def start(self) -> None:
        """Enter the books of the partition."""
        about = {"queues": "", "hostname": WORKER}
        register(self._connection, self._prefix, WORKER, _LEASE_MS, about, [WORKER])

    def next_ms(self) -> int | None:
        """When the next job ends; None where none runs."""
        return self._ends[0][0] if self._ends else None

    def end_due(self) -> None:
        """End the jobs whose time is over."""
        if self._has_due_end():
            self._exchange(list(self._take_ending()), 0)

    def end_cancelled(self) -> None:
        """End the jobs that somebody has cancelled while they ran."""
        if not self._held:
            return
        renewal = renew(self._connection, self._prefix, WORKER, _LEASE_MS)
        cancelled = [
            held for held in self._held.values() if held.settlement.id in renewal.cancelled
        ]
        for held in cancelled:
            del self._held[held.settlement.id, held.settlement.fence]
        ended = str(JobState.CANCELLED)
        ending = [
            _Held(_ending(held.settlement, ended, held.started_ms), held.job, held.started_ms)
            for held in cancelled
        ]
        if ending:
            self._exchange(ending, 0)

    def work(self) -> int:
        """Take all that is ready, and begin it; end what takes no time. The number of jobs."""
        begun = 0
        while True:
            ending = list(self._take_ending())
            deliveries = self._exchange(ending, _BATCH)
            for delivery in deliveries:
                self._begin(delivery)
            begun += len(deliveries)
            if not deliveries and not self._has_due_end():
                return begun
            if begun > _MOST_AT_ONCE:
                raise BeatlineError(
                    f"more than {_MOST_AT_ONCE:,} jobs became ready at"
                    f" {self._clock.now.isoformat()}",
                    remedy="see which task sends or retries itself without a countdown",
                )

    def _begin(self, delivery: Delivery) -> None:
        now_ms = self._clock.now_ms
        job = _job_of(delivery)
        if self._runs:
            settlement = self._run(delivery, now_ms)
        else:
            state = JobState.EXPIRED if _is_late(job, now_ms) else JobState.SUCCESS
            settlement = _ending(Settlement(delivery.id, delivery.fence, "end"), str(state), now_ms)
        has_run = settlement.outcome == "end" and settlement.state != JobState.EXPIRED
        ends_ms = now_ms + (self._takes_ms(job) if job is not None and has_run else 0)
        self._held[delivery.id, delivery.fence] = _Held(settlement, job, now_ms)
        heappush(self._ends, (ends_ms, delivery.fence, delivery.id))

    def _run(self, delivery: Delivery, now_ms: int) -> Settlement:
        self._clock.tell_followers()
        prepared = self._executor.prepare(delivery, now_ms)
        return self._executor.run(prepared, now_ms) if isinstance(prepared, Run) else prepared

    def _has_due_end(self) -> bool:
        return bool(self._ends) and self._ends[0][0] <= self._clock.now_ms

    def _take_ending(self) -> Iterator[_Held]:
        while self._has_due_end():
            _, fence, raw_id = heappop(self._ends)
            held = self._held.pop((raw_id, fence), None)
            if held is not None:
                yield held

    def _exchange(self, ending: list[_Held], limit: int) -> list[Delivery]:
        """End jobs, and take the next ones in the same call."""
        self._number += 1
        taken = settle(
            self._connection,
            Call(
                self._prefix,
                Consumer(WORKER, WORKER, ",".join(sorted(self._queues()))),
                self._number,
                settlements=[held.settlement for held in ending],
                limit=limit,
                holding=len(self._held),
                go_idle=False,
            ),
        )
        for held in ending:
            if held.settlement.id not in taken.stale:
                self._note(held)
        return taken.deliveries

    def _note(self, held: _Held) -> None:
        settlement, job = held.settlement, held.job
        if job is not None and job.schedule is not None:
            self._chronicle.note(job.schedule)
        state = settlement.state or _STATES.get(settlement.outcome, settlement.outcome)
        fire_ms = job.nominal_ms if job is not None else None
        text = id_text(settlement.id)
        self.finished.append(
            FinishedJob(
                id=text,
                task=job.task if job is not None else "",
                args=tuple(job.args) if job is not None else (),
                kwargs=dict(job.kwargs) if job is not None else {},
                schedule=job.schedule if job is not None else None,
                fire_time=None if fire_ms is None else moment_of(fire_ms),
                started=moment_of(held.started_ms),
                ended=self._clock.now,
                state=state,
                result=self._app.result(text),
            )
        )


#: What a job is after a settlement that does not name its state.
_STATES: Final = {
    "retry": str(JobState.RETRYING),
    "unknown": str(JobState.RETRYING),
    "return": str(JobState.QUEUED),
    "bury": str(JobState.DEAD),
    "ack": str(JobState.SUCCESS),
}


def _job_of(delivery: Delivery) -> Job | None:
    try:
        return read_job(delivery.id, delivery.record)
    except UndecodableJob:
        return None


def _is_late(job: Job | None, now_ms: int) -> bool:
    expires_ms = job.options.get("expires") if job is not None else None
    return isinstance(expires_ms, int) and now_ms > expires_ms


def _ending(settlement: Settlement, state: str, started_ms: int) -> Settlement:
    return replace(
        settlement, outcome="end", state=state, body=b"", detail=f"{WORKER} {started_ms}"
    )
