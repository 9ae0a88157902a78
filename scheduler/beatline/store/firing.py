"""
Occurrences into jobs: a schedule advances and its jobs come into being in one step.

``fire.lua`` compares the revision and the next fire time that the plan was made from with the
stored ones, so that of two beats only one is answered ``OK``. A lost reply reads as ``STALE`` the
next time, never as a second job. One call may advance several schedules, each for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from redis.exceptions import ResponseError

from beatline.store.promoting import instant_of
from beatline.wire.connection import Argument, HeldConnection, pack_script
from beatline.wire.scripts import script

#: Most steps in one call: each job costs the server some 20 µs, and others wait meanwhile.
LARGEST_FIRE: Final = 100
#: Most schedules in one call: what a call costs besides is shared, and the first job waits for the
#: last.
LARGEST_CALL: Final = 16


class JobStep(msgspec.Struct, frozen=True):
    """One job to be made: its nominal fire time, id and record, and whether it is caught up."""

    nominal_ms: int
    id: bytes
    record: bytes
    is_caught_up: bool = False

    def arguments(self) -> tuple[Argument, ...]:
        """What ``fire.lua`` reads."""
        mark = b"caught_up" if self.is_caught_up else b""
        return (b"fire", self.nominal_ms, self.id, self.record, mark)


class MissedStep(msgspec.Struct, frozen=True):
    """Fire times from first to last that make no job, how many they are, and why."""

    first_ms: int
    last_ms: int
    reason: str
    occurrences: int = 1

    def arguments(self) -> tuple[Argument, ...]:
        """What ``fire.lua`` reads."""
        return (b"missed", self.first_ms, self.last_ms, self.reason, self.occurrences)


class Advance(msgspec.Struct, frozen=True):
    """
    One schedule's part in a call of ``fire.lua``.

    Attributes:
        schedule: Name.
        revision: The stored one that the plan was made from, as it was read.
        expected: The stored next fire time that the plan was made from, as it was read.
        next_ms: Next nominal fire time afterwards, or None where there is none.
        due_ms: When that one is due; its nominal instant plus jitter.
        overlap: The overlap policy.
        steps: Jobs and missed fire times, oldest first, at most `LARGEST_FIRE`.
    """

    schedule: str
    revision: bytes
    expected: bytes
    next_ms: int | None
    due_ms: int | None
    overlap: str
    steps: Sequence[JobStep | MissedStep]

    def arguments(self) -> list[Argument]:
        """What ``fire.lua`` reads."""
        arguments: list[Argument] = [
            self.schedule.encode("utf-8", "surrogateescape"),
            self.revision,
            self.expected,
            b"" if self.next_ms is None else self.next_ms,
            b"" if self.due_ms is None else self.due_ms,
            self.overlap,
            len(self.steps),
        ]
        for step in self.steps:
            arguments += step.arguments()
        return arguments


class Fired(msgspec.Struct, frozen=True):
    """
    What became of one `Advance`.

    Attributes:
        word: ``OK``; ``STALE`` (somebody else advanced or changed it), ``PAUSED``, ``ABSENT``,
            ``EARLY``: nothing was changed.
        jobs: Number of jobs made.
        skipped: Number of occurrences that found an earlier job in the way.
    """

    word: str
    jobs: int = 0
    skipped: int = 0


class Answer(msgspec.Struct, frozen=True):
    """
    What one call of ``fire.lua`` did.

    Attributes:
        fired: One for each advance, in order.
        now_us: The server's clock.
        head_ms: When the timeline's head is due afterwards, or None where it is empty.
    """

    fired: list[Fired]
    now_us: int
    head_ms: float | None


def pack_fire(prefix: bytes, advances: Iterable[Advance], now_us: int = 0) -> bytes:
    """One call, packed; ``now_us`` other than 0 is for tests that drive the clock."""
    arguments: list[Argument] = []
    for advance in advances:
        arguments += advance.arguments()
    return pack_script(script("fire"), prefix, arguments, now_us)


def receive_fire(connection: HeldConnection) -> Answer | ResponseError:
    """
    The answer to one call that was sent; a server's error stands in its place.

    A ``NoScriptError`` is left to the caller, who may have more calls on their way; see
    `load_fire`. After any other error each of the call's advances was made or was not.

    *Retry-safe*: yes. *Atomicity*: ``fire.lua``.
    """
    try:
        return read_answer(connection.receive())
    except ResponseError as error:
        return error


def load_fire(connection: HeldConnection) -> None:
    """Give the server the script again, after it has answered that it does not have it."""
    connection.call("SCRIPT", "LOAD", script("fire").source)


def fire(connection: HeldConnection, prefix: bytes, advance: Advance) -> Fired:
    """
    Advance one schedule, and make its jobs.

    *Retry-safe*: yes; what was done already is answered ``STALE``. *Atomicity*: ``fire.lua``.
    """
    reply = connection.run(script("fire"), prefix, *advance.arguments())
    return read_answer(reply).fired[0]


def read_answer(reply: Any) -> Answer:
    """The answer behind a reply."""
    now_us, head, *fired = reply
    return Answer(
        [
            Fired("OK", one[1], one[2]) if one[0] == b"OK" else Fired(one[0].decode())
            for one in fired
        ],
        int(now_us),
        instant_of(head) if head else None,
    )


def trigger(
    connection: HeldConnection, prefix: bytes, schedule: str, overlap: str, step: JobStep
) -> tuple[str, bytes]:
    """
    Make a job of a schedule outside its grid.

    Returns:
        (``OK``, b"") | (``REPEATED``, b"") | (``ABSENT``, b"") | (``SKIPPED``, id of the job that
        was in the way).

    *Retry-safe*: yes, while the job lives or its result does. *Atomicity*: ``trigger.lua``.
    """
    name = schedule.encode("utf-8", "surrogateescape")
    arguments = (name, overlap, step.nominal_ms, step.id, step.record)
    word, other = connection.run(script("trigger"), prefix, *arguments)
    return word.decode(), other
