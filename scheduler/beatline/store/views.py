"""What `beatline.store.reading` sees, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import msgspec

from beatline.errors import UndecodableJob
from beatline.ids import id_text
from beatline.job import Job, read_job
from beatline.outcome import Outcome, read_outcome
from beatline.states import JobState


class Progress(NamedTuple):
    """
    What a running job last told with ``self.progress``.

    Attributes:
        current, total: How much is done, and of how much; a total of None is not known.
        message: In the task's own words.
        at_ms: When it told, by its worker's clock, UTC ms.
    """

    current: float
    total: float | None
    message: str
    at_ms: int


@dataclass(frozen=True)
class JobView:
    """
    A job as Redis knew it in one instant.

    Attributes:
        raw_id: Its id, as Redis has it.
        state: Where it was.
        record: Its record's bytes; empty where there is none any more.
        stored: Its result's bytes; empty where there is none.
        due_ms: When it is due, for SCHEDULED and RETRYING.
        worker, consumer, fence: Who holds it, for RUNNING.
        deliveries: Deaths of its process that it was charged with.
        attempts: Attempts that have failed.
        cancelled: ``soft`` or ``hard`` where somebody cancelled the running job.
        forensics: JSON text of a dead letter; empty otherwise.
        told: What the job told of its progress, as bytes; see `progress`.
    """

    raw_id: bytes
    state: JobState
    record: bytes = field(default=b"", repr=False)
    stored: bytes = field(default=b"", repr=False)
    due_ms: int | None = None
    worker: str = ""
    consumer: str = ""
    fence: int = 0
    deliveries: int = 0
    attempts: int = 0
    cancelled: str = ""
    forensics: str = ""
    told: bytes = field(default=b"", repr=False)

    @property
    def id(self) -> str:
        """Its id, as text."""
        return id_text(self.raw_id)

    @cached_property
    def job(self) -> Job | None:
        """What the record says; None where there is none, or it cannot be read."""
        try:
            return read_job(self.raw_id, self.record) if self.record else None
        except UndecodableJob:
            return None

    @property
    def task(self) -> str:
        """Name of its task, from the record or the result; empty where neither tells."""
        if self.job is not None:
            return self.job.task
        try:
            return self.outcome.task if self.outcome is not None else ""
        except UndecodableJob:
            return ""

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that it was sent with; none where its record has gone."""
        given = self.job.options.get("tags") if self.job is not None else None
        return tuple(str(tag) for tag in given) if isinstance(given, list) else ()

    @cached_property
    def progress(self) -> Progress | None:
        """How far it says it is; None where it has told nothing."""
        try:
            return Progress(*msgspec.msgpack.decode(self.told)) if self.told else None
        except (msgspec.MsgspecError, TypeError, UnicodeDecodeError):
            return None

    @property
    def is_dead(self) -> bool:
        """Whether it is a dead letter, which waits for a person."""
        return self.state is JobState.DEAD

    @property
    def problem(self) -> str:
        """Why the record cannot be read; empty where it can."""
        try:
            if self.record:
                read_job(self.raw_id, self.record)
        except UndecodableJob as error:
            return str(error)
        return ""

    @cached_property
    def outcome(self) -> Outcome | None:
        """
        How it ended; None where it has not.

        Raises:
            UndecodableJob: The result is not one of ours.
        """
        if not self.state.is_final:
            return None
        return read_outcome(self.stored or f"{self.state}\n{self.forensics}".encode())


class TimelineEntry(NamedTuple):
    """
    One member of the timeline.

    Attributes:
        due_ms: When it is due.
        kind: ``job``, ``schedule``, or ``unknown`` for what is neither.
        id: The job; empty for others.
        queue, priority: Where the job goes.
        schedule: Name of the schedule.
    """

    due_ms: int
    kind: str
    id: bytes = b""
    queue: str = ""
    priority: int = 0
    schedule: str = ""


class QueueDepth(NamedTuple):
    """
    One queue of one partition.

    Attributes:
        name: Its name.
        is_paused: Its jobs are not handed out.
        priorities: Those that were ever used, the highest first.
        ready, scheduled, held: Numbers of jobs that may be taken, that wait for an instant, and
            that are in workers' hands.
    """

    name: str
    is_paused: bool = False
    priorities: tuple[int, ...] = ()
    ready: int = 0
    scheduled: int = 0
    held: int = 0

    @property
    def depth(self) -> int:
        """All of its jobs that have not ended."""
        return self.ready + self.scheduled + self.held


class WorkerView(NamedTuple):
    """
    One worker in one partition.

    Attributes:
        id: Its id.
        is_gone: Its lease ran out, and what it held is being taken back.
        lease_left_ms: What is left of its lease, on the watch's clock; None where it is gone.
        facts: What it said of itself: host, pid, queues and the like.
        consumers: Number of its children.
        held: Number of jobs in their hands.
    """

    id: str
    is_gone: bool
    lease_left_ms: int | None
    facts: dict[str, str]
    consumers: int
    held: int


class QuarantineEntry(NamedTuple):
    """
    Something that was set aside.

    Attributes:
        member: Its name: kind, when (µs), and where it was found; or ``key`` and a key's name.
        at_ms: When, UTC ms.
        reason: Why.
        blob: What it was.
    """

    member: bytes
    at_ms: int
    reason: str
    blob: bytes


class LeaderView(NamedTuple):
    """
    The beat that leads a partition.

    Attributes:
        beat: Its id.
        term: Rises with each change of leader.
        until_ms: End of its leadership unless renewed, on the server's clock.
        about: What it said of itself, JSON.
    """

    beat: str
    term: int
    until_ms: int
    about: str
