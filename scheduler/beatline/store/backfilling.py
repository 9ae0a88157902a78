"""
Past occurrences into jobs, batch by batch, each batch one step with the note of how far it is.

A backfill has a *run*: its name, under which ``backfills:<schedule>`` notes where it stands.
``backfill.lua`` compares that with where a batch begins, so that a batch whose reply was lost, or
which a second process sends too, is made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from redis.exceptions import ResponseError

from beatline.store.firing import JobStep
from beatline.wire.connection import Argument, HeldConnection
from beatline.wire.scripts import script

#: Most jobs of one batch: each costs the server some 20 µs, and others wait meanwhile.
LARGEST_BATCH: Final = 100


class Run(NamedTuple):
    """
    How far a backfill has come.

    Attributes:
        stands: The last fire time that was dealt with, as the bytes that are stored.
        made: Jobs that it made.
        skipped: Occurrences that made none, because a job was in the way.
        is_done: Whether it has reached its end.
        begun_ms, last_ms: When it was begun, and worked at last.
        note: What its beginner noted.
    """

    stands: bytes = b""
    made: int = 0
    skipped: int = 0
    is_done: bool = False
    begun_ms: int | None = None
    last_ms: int | None = None
    note: str = ""

    @property
    def stands_ms(self) -> int | None:
        """The last fire time that was dealt with; None before the first batch."""
        return int(self.stands) if self.stands else None


class Batch(NamedTuple):
    """
    One call of ``backfill.lua``.

    Attributes:
        schedule: Name.
        revision: The stored one that the jobs were made from.
        run: Name of the run.
        stands: Where the run stands, as it was read.
        overlap: The backfill's overlap policy.
        reaches_ms: Where it stands afterwards.
        is_last: Whether that is its end.
        note: What a new run notes.
        steps: The jobs, oldest first, at most `LARGEST_BATCH`.
    """

    schedule: str
    revision: bytes
    run: str
    stands: bytes
    overlap: str
    reaches_ms: int
    is_last: bool
    note: str
    steps: Sequence[JobStep]

    def arguments(self) -> list[Argument]:
        """What ``backfill.lua`` reads."""
        arguments: list[Argument] = [
            self.schedule.encode("utf-8", "surrogateescape"),
            self.revision,
            self.run,
            self.stands,
            self.overlap,
            self.reaches_ms,
            b"1" if self.is_last else b"",
            self.note,
        ]
        for step in self.steps:
            arguments += (step.nominal_ms, step.id, step.record)
        return arguments


def backfill(connection: HeldConnection, prefix: bytes, batch: Batch) -> tuple[str, Run]:
    """
    Make one batch of jobs.

    Returns:
        A word and how far the run is: ``OK``; ``FULL``: as many wait for their turn as may, so
        that only some of the steps were done, or none; and where nothing was done, ``STALE`` (the
        run stands elsewhere), ``DONE``, ``CHANGED`` (another revision), ``ABSENT``.

    *Retry-safe*: yes; what was done already is answered ``STALE``. *Atomicity*: ``backfill.lua``.
    """
    word, entry = connection.run(script("backfill"), prefix, *batch.arguments())
    return word.decode(), read_run(entry)


def find_run(connection: HeldConnection, prefix: bytes, schedule: str, run: str) -> Run:
    """How far a run is; one that has not begun stands nowhere."""
    key = prefix + b"backfills:" + schedule.encode("utf-8", "surrogateescape")
    return read_run(_unless_wrong_type(connection, b"", "HGET", key, run) or b"")


def read_backfilled(
    connection: HeldConnection, prefix: bytes, schedule: str, events: int = 2_000
) -> list[bytes]:
    """The last events of a schedule's backfills, oldest first; `beatline.ledger` reads them."""
    key = prefix + b"backfilled:" + schedule.encode("utf-8", "surrogateescape")
    found: list[bytes] = _unless_wrong_type(connection, [], "LRANGE", key, -events, -1)
    return found


def read_run(entry: bytes) -> Run:
    """The run behind what is stored of it; what cannot be read has not begun."""
    fields = entry.split(b" ", 6)
    if len(fields) < 7 or not all(field.isdigit() for field in fields[:6]):
        return Run()
    stands, made, skipped, done, begun, last, note = fields
    return Run(
        stands,
        int(made),
        int(skipped),
        done == b"1",
        int(begun),
        int(last),
        note.decode("utf-8", "replace"),
    )


def _unless_wrong_type(connection: HeldConnection, otherwise: Any, *command: Argument) -> Any:
    """A command's reply, or something else where garbage lies under our key's name."""
    try:
        return connection.call(*command)
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):
            return otherwise
        raise
