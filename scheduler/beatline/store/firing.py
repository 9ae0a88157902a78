"""
Occurrences into jobs: a schedule advances and its jobs come into being in one step.

``fire.lua`` compares the revision and the next fire time that the plan was made from with the
stored ones, so that of two beats only one is answered ``OK``. A lost reply reads as ``STALE`` the
next time, never as a second job.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from redis.exceptions import ResponseError

from beatline.wire.connection import Argument, HeldConnection, pack_script
from beatline.wire.scripts import script

#: Most steps in one call: each job costs the server some 20 µs, and others wait meanwhile.
LARGEST_FIRE: Final = 100


class JobStep(NamedTuple):
    """One job to be made: its nominal fire time, id and record, and whether it is caught up."""

    nominal_ms: int
    id: bytes
    record: bytes
    is_caught_up: bool = False

    def arguments(self) -> tuple[Argument, ...]:
        """What ``fire.lua`` reads."""
        mark = b"caught_up" if self.is_caught_up else b""
        return (b"fire", self.nominal_ms, self.id, self.record, mark)


class MissedStep(NamedTuple):
    """Fire times from first to last that make no job, how many they are, and why."""

    first_ms: int
    last_ms: int
    reason: str
    occurrences: int = 1

    def arguments(self) -> tuple[Argument, ...]:
        """What ``fire.lua`` reads."""
        return (b"missed", self.first_ms, self.last_ms, self.reason, self.occurrences)


class Advance(NamedTuple):
    """
    One call of ``fire.lua``.

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
        ]
        for step in self.steps:
            arguments += step.arguments()
        return arguments


class Fired(NamedTuple):
    """
    The server's answer.

    Attributes:
        word: ``OK``; ``STALE`` (somebody else advanced or changed it), ``PAUSED``, ``ABSENT``,
            ``EARLY``: nothing was changed.
        jobs: Number of jobs made.
        skipped: Number of occurrences that found an earlier job in the way.
    """

    word: str
    jobs: int = 0
    skipped: int = 0


def send_advances(
    connection: HeldConnection, prefix: bytes, advances: Sequence[Advance], behind: bytes = b""
) -> None:
    """
    Send calls without waiting; `receive_advances` must follow with the same ones.

    Args:
        connection: Any.
        prefix: The partition's key prefix.
        advances: The calls.
        behind: Another packed command that goes out with them; its reply comes last.
    """
    firing = script("fire")
    packed = [pack_script(firing, prefix, one.arguments()) for one in advances]
    if packed or behind:
        connection.send(b"".join(packed) + behind)


def receive_advances(
    connection: HeldConnection, advances: Sequence[Advance]
) -> list[Fired | ResponseError]:
    """
    The answers to `send_advances`, in order; a server's error stands in its call's place.

    A ``NoScriptError`` is left to the caller, who may have more calls on their way; see
    `load_fire`.

    *Retry-safe*: yes. *Atomicity*: ``fire.lua``, each call for itself.
    """
    replies: list[Fired | ResponseError] = []
    for _ in advances:
        try:
            replies.append(read_fired(connection.receive()))
        except ResponseError as error:
            replies.append(error)
    return replies


def load_fire(connection: HeldConnection) -> None:
    """Give the server the script again, after it has answered that it does not have it."""
    connection.call("SCRIPT", "LOAD", script("fire").source)


def fire(connection: HeldConnection, prefix: bytes, advance: Advance) -> Fired:
    """
    Advance one schedule, and make its jobs.

    *Retry-safe*: yes; what was done already is answered ``STALE``. *Atomicity*: ``fire.lua``.
    """
    return read_fired(connection.run(script("fire"), prefix, *advance.arguments()))


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


def read_fired(reply: Any) -> Fired:
    """The answer behind a reply."""
    word = reply[0].decode()
    return Fired(word, int(reply[1]), int(reply[2])) if word == "OK" else Fired(word)
