"""
The ledger: what became of each occurrence of a schedule, told from its events.

Scripts append events to ``ledger:<name>``, a bounded list, oldest first. An event is a word, the
nominal fire time and the instant of the event in UTC milliseconds, and what the word needs:

============== ================================================================
``fired``      job id (16 bytes), ``caught_up`` or nothing
``skipped``    id of the job that was in the way
``missed``     last fire time of the span, number of fire times, reason
``ended``      state, worker, started ms; the last two only where a worker told
``rested``     reason; the schedule was paused from the first instant to the second
``backfilled`` job id (16 bytes), name of the backfill's run
``filled``     job id (16 bytes), and as ``ended``
``unfilled``   last fire time of the span, number of fire times, id (16 bytes) of
               the job that was in the way of the first, name of the run
============== ================================================================

The last three lie in a list of their own, ``backfilled:<name>``: a long backfill pushes nothing out
that tells of fire times as they came.

This module reads events and merges those of one occurrence. It knows no Redis; the events come
from `beatline.store.schedule_reading.read_ledger` and `beatline.store.backfilling.read_backfilled`.
What cannot be read is left out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from beatline.ids import id_text
from beatline.states import JobState

#: Occurrences that `history` tells unless asked for more or fewer.
LATEST: Final = 200
#: Bytes of the id of a job that a schedule made.
_ID_BYTES: Final = 16


class Fate(StrEnum):
    """What became of an occurrence."""

    #: It made a job, which has not ended as far as the ledger knows.
    FIRED = "fired"
    #: It made a job, and the job has ended.
    ENDED = "ended"
    #: It made no job, because an earlier one was in the way.
    SKIPPED = "skipped"
    #: It made no job, because nobody could fire it in time or the schedule was paused.
    MISSED = "missed"
    #: Nothing is known of it but that a backfill made a job of it. What a backfill skipped, and
    #: nothing else is known of, is `SKIPPED`.
    BACKFILLED = "backfilled"


@dataclass(frozen=True, slots=True)
class Backfill:
    """
    What a backfill did with an occurrence: made a job of it, or skipped it.

    Attributes:
        job_id: The job, as the API shows it; empty where it was skipped.
        run: Name of the backfill's run; empty where the ledger does not tell any more.
        enqueued_ms: When the job was made, or None.
        started_ms: When its last run began, where a worker told it.
        finished_ms: When it ended.
        outcome: The state in which it ended.
        worker: Id of the worker that ran it last.
        in_the_way: The job that stood in the way, where it was skipped.
        skipped_ms: When it was.
    """

    job_id: str
    run: str = ""
    enqueued_ms: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    outcome: JobState | None = None
    worker: str = ""
    in_the_way: str | None = None
    skipped_ms: int | None = None

    @property
    def run_ms(self) -> int | None:
        """How long the job's last run took, where known."""
        return _length_ms(self.started_ms, self.finished_ms)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """
    One entry of the ledger; a run of missed fire times is one entry, and so is one of fire times
    that a backfill skipped.

    A fire time of such a run that a backfill made a job of has an entry of its own as well, also
    the first one.

    Attributes:
        nominal_ms: The fire time: its identity.
        planned_ms: The instant at which it was due: the fire time plus jitter.
        fate: What became of it.
        enqueued_ms: When its job was made, or None.
        started_ms: When its job's last run began, where a worker told it.
        finished_ms: When its job ended.
        outcome: The state in which the job ended.
        job_id: The job, as the API shows it.
        is_caught_up: Fired later than planned, by the catch-up policy.
        in_the_way: The job that stood in the way, for skipped ones.
        reason: Why it was missed.
        last_ms: Last fire time of a span of missed or skipped ones.
        count: Number of fire times in the span; 1 for everything else.
        worker: Id of the worker that ran the job last.
        backfill: What the latest backfill that made a job did, or else the latest; or None.
        backfilled: Of a span: how many of its fire times a backfill made a job of.
    """

    nominal_ms: int
    planned_ms: int
    fate: Fate
    enqueued_ms: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    outcome: JobState | None = None
    job_id: str | None = None
    is_caught_up: bool = False
    in_the_way: str | None = None
    reason: str = ""
    last_ms: int | None = None
    count: int = 1
    worker: str = ""
    backfill: Backfill | None = None
    backfilled: int = 0

    @property
    def is_span(self) -> bool:
        """Whether it stands for several fire times."""
        return self.last_ms is not None and self.last_ms > self.nominal_ms

    @property
    def lateness_ms(self) -> int | None:
        """Start minus plan; enqueue minus plan while no start is known; None without a job."""
        begun = self.started_ms if self.started_ms is not None else self.enqueued_ms
        return None if begun is None else begun - self.planned_ms

    @property
    def run_ms(self) -> int | None:
        """How long the job's last run took, where known."""
        return _length_ms(self.started_ms, self.finished_ms)


@dataclass(frozen=True, slots=True)
class Rest:
    """A stretch of time in which a schedule was paused, and is no more: from, until, and why."""

    from_ms: int
    until_ms: int
    reason: str


def read_rests(events: Iterable[bytes]) -> list[Rest]:
    """The pauses behind the events that have ended, oldest first."""
    rests = []
    for event in events:
        word, *instants, reason = [*event.split(b" ", 3), b"", b"", b""][:4]
        from_ms, until_ms = (_number(instant) for instant in instants)
        if word == b"rested" and from_ms is not None and until_ms is not None:
            rests.append(Rest(from_ms, until_ms, reason.decode("utf-8", "replace")))
    return rests


def read_history(
    events: Iterable[bytes],
    *,
    latest: int = LATEST,
    planned_of: Callable[[int], int] | None = None,
) -> list[Occurrence]:
    """
    The occurrences behind the events, oldest fire time first; a span before what lies in it.

    Args:
        events: As they lie in Redis, oldest first; those of backfills behind the others.
        latest: At most so many, the latest ones.
        planned_of: Gives the planned instant of a fire time; None where there is no jitter.
    """
    entries: _Entries = {}
    for event in events:
        _merge(entries, event, planned_of or _itself)
    ordered = [entries[key] for key in sorted(entries)]
    return _with_backfilled(ordered)[-latest:] if latest > 0 else []


#: Entries by fire time; a span stands beside the entry of its first fire time, and before it: one
#: of missed ones (0), one of skipped ones (1), then a fire time of its own (2).
_Entries = dict[tuple[int, int], Occurrence]
#: The words of spans, and where they stand.
_SPANS: Final = {b"missed": 0, b"unfilled": 1}


def _merge(entries: _Entries, event: bytes, planned_of: Callable[[int], int]) -> None:
    word, _, rest = event.partition(b" ")
    nominal_text, _, rest = rest.partition(b" ")
    at_text, _, tail = rest.partition(b" ")
    nominal_ms, at_ms = _number(nominal_text), _number(at_text)
    if nominal_ms is None or at_ms is None:
        return
    place = 2
    if word in _SPANS and (_number(tail.partition(b" ")[0]) or nominal_ms) > nominal_ms:
        place = _SPANS[word]
    entry = entries.get((nominal_ms, place))
    if entry is None:
        entry = Occurrence(nominal_ms, planned_of(nominal_ms), Fate.FIRED)
        if word in _OF_BACKFILLS:
            entry = replace(entry, fate=Fate.BACKFILLED)
    told = _told(word, entry, at_ms, tail)
    if told is not None:
        entries[nominal_ms, place] = told


def _told(word: bytes, entry: Occurrence, at_ms: int, tail: bytes) -> Occurrence | None:
    """The entry with what one event tells, or None where the event cannot be read."""
    if word == b"fired":
        if len(tail) < _ID_BYTES:
            return None
        return replace(
            entry,
            fate=Fate.ENDED if entry.outcome else Fate.FIRED,
            enqueued_ms=at_ms,
            job_id=id_text(tail[:_ID_BYTES]),
            is_caught_up=tail[_ID_BYTES:].strip() == b"caught_up",
        )
    if word == b"skipped":
        return replace(entry, fate=Fate.SKIPPED, in_the_way=id_text(tail))
    if word == b"missed":
        last_text, _, rest = tail.partition(b" ")
        count_text, _, reason = rest.partition(b" ")
        last_ms, count = _number(last_text), _number(count_text)
        return replace(
            entry,
            fate=Fate.MISSED,
            last_ms=entry.nominal_ms if last_ms is None else last_ms,
            count=count or 1,
            reason=reason.decode("utf-8", "replace"),
        )
    if word == b"ended":
        ended = _end(at_ms, tail)
        return replace(entry, fate=Fate.ENDED, **ended) if ended else None
    if word == b"unfilled":
        return _unfilled(entry, at_ms, tail)
    read = _READ_BACKFILL.get(word)
    if read is None or len(tail) < _ID_BYTES:
        return None
    backfill = read(entry.backfill, at_ms, id_text(tail[:_ID_BYTES]), tail[_ID_BYTES:].strip())
    if backfill is None:
        return None
    fate = Fate.BACKFILLED if _is_told_by_backfills(entry) else entry.fate
    return replace(entry, fate=fate, backfill=backfill)


def _unfilled(entry: Occurrence, at_ms: int, tail: bytes) -> Occurrence | None:
    last_text, _, rest = tail.partition(b" ")
    count_text, _, rest = rest.partition(b" ")
    last_ms, count = _number(last_text), _number(count_text)
    if len(rest) < _ID_BYTES or last_ms is None or not count:
        return None
    if entry.backfill is not None and entry.backfill.job_id:
        return entry  # a job that another backfill made says more
    in_the_way = id_text(rest[:_ID_BYTES])
    run = rest[_ID_BYTES:].strip().decode("utf-8", "replace")
    backfill = Backfill("", run, in_the_way=in_the_way, skipped_ms=at_ms)
    if not _is_told_by_backfills(entry):
        return replace(entry, backfill=backfill)
    return replace(entry, fate=Fate.SKIPPED, backfill=backfill, last_ms=last_ms, count=count)


def _is_told_by_backfills(entry: Occurrence) -> bool:
    """Whether nothing but backfills tells of it."""
    was_passed = entry.fate is Fate.SKIPPED and entry.in_the_way is None
    return was_passed or entry.fate is Fate.BACKFILLED


def _backfilled(_: Backfill | None, at_ms: int, job_id: str, tail: bytes) -> Backfill:
    return Backfill(job_id, tail.decode("utf-8", "replace"), enqueued_ms=at_ms)


def _filled(before: Backfill | None, at_ms: int, job_id: str, tail: bytes) -> Backfill | None:
    if before is not None and before.job_id not in ("", job_id):
        return None  # a later backfill has made another job of it
    ended = _end(at_ms, tail)
    known = before if before is not None and before.job_id else Backfill(job_id)
    return replace(known, **ended) if ended else None


_READ_BACKFILL: Final = {b"backfilled": _backfilled, b"filled": _filled}
#: Words of backfills.
_OF_BACKFILLS: Final = (*_READ_BACKFILL, b"unfilled")


def _end(at_ms: int, tail: bytes) -> dict[str, Any] | None:
    """How a job ended: fields of an `Occurrence` or a `Backfill`."""
    state_text, _, detail = tail.partition(b" ")
    try:
        outcome = JobState(state_text.decode("ascii"))
    except ValueError:
        return None
    worker, _, started_text = detail.rpartition(b" ")
    return {
        "finished_ms": at_ms,
        "outcome": outcome,
        "started_ms": _number(started_text) or None,
        "worker": worker.decode("utf-8", "replace"),
    }


def _with_backfilled(ordered: list[Occurrence]) -> list[Occurrence]:
    """The entries, with each span knowing how many of its fire times were backfilled."""
    filled = [one.nominal_ms for one in ordered if one.backfill and one.backfill.job_id]
    if not filled:
        return ordered
    return [
        replace(one, backfilled=_count_within(filled, one.nominal_ms, one.last_ms or 0))
        if one.is_span
        else one
        for one in ordered
    ]


def _count_within(instants: list[int], first_ms: int, last_ms: int) -> int:
    return bisect_right(instants, last_ms) - bisect_left(instants, first_ms)


def _itself(nominal_ms: int) -> int:
    return nominal_ms


def _length_ms(begun_ms: int | None, ended_ms: int | None) -> int | None:
    return None if begun_ms is None or ended_ms is None else ended_ms - begun_ms


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() and len(text) < 16 else None
