"""
Schedules in Redis: declared, changed, paused, removed, and read.

``sched:<name>`` holds a schedule's definition and its state; ``schedules`` names them all. The
definition is `Schedule.definition` as msgpack, so that arguments keep their types; the trigger's
spec lies beside it as JSON, because a change that leaves the trigger alone keeps the next fire
time. Each change is one script; `beatline.store.schedule_reading` reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from redis.exceptions import ResponseError

from beatline.errors import BeatlineError, UndecodableJob
from beatline.payload import dumps, loads
from beatline.planner import ScheduleState
from beatline.schedule import Schedule
from beatline.wire.connection import Argument, HeldConnection
from beatline.wire.scripts import script

#: Schedules read or written in one round trip.
PAGE: Final = 500
#: What the pause reason of a schedule begins with whose definition no beat could read.
UNREADABLE: Final = "unreadable"
#: The pause reason of a schedule that is declared at rest.
DECLARED: Final = "declared"


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """
    A schedule as it lies in Redis.

    Attributes:
        name: Its name.
        revision: Drawn anew with each change, as the bytes that are stored.
        definition: Its definition, packed.
        trigger: The trigger's spec, as JSON.
        source: Who declared it.
        tzdata: Version of the zones that its next fire time was computed with.
        next_text: The next nominal fire time as the bytes that are stored; empty for none.
        next_ms, due_ms: The same as a number, and when it is due; None for none.
        last_ms: The latest fire time that was fired or skipped, or None.
        decided_ms: The latest fire time that was fired, skipped or recorded as missed, or None.
        paused: Why it rests; empty where it does not.
        paused_at_ms, resumed_at_ms: When it was last put to rest, and when it went on.
        applied_ms: When its definition was last changed.
        counters: ``fired``, ``skipped``, ``missed``, ``failures`` in a row, ``last_success`` (ms),
            and ``ended:<state>``.
    """

    name: str
    revision: bytes
    definition: bytes
    trigger: bytes = b""
    source: str = ""
    tzdata: str = ""
    next_text: bytes = b""
    next_ms: int | None = None
    due_ms: int | None = None
    last_ms: int | None = None
    decided_ms: int | None = None
    paused: str = ""
    paused_at_ms: int | None = None
    resumed_at_ms: int | None = None
    applied_ms: int | None = None
    counters: dict[str, int] = field(default_factory=dict)

    def schedule(self) -> Schedule:
        """
        The schedule behind the definition.

        Raises:
            UndecodableJob: The definition is not one that this version reads.
        """
        return unpack_definition(
            self.name, self.definition, self.source, is_paused=self.paused == DECLARED
        )

    def state(self) -> ScheduleState:
        """
        The state as the planner knows it.

        A rest that ended before the next fire time is left out: it decides nothing any more.
        """
        resumed_ms = self.resumed_at_ms
        if resumed_ms is not None and (
            self.paused
            or (self.next_ms is not None and self.next_ms >= resumed_ms)
            or (self.paused_at_ms is not None and self.paused_at_ms > resumed_ms)
        ):
            resumed_ms = None
        return ScheduleState(
            next_ms=self.next_ms,
            last_ms=self.decided_ms,
            applied_ms=self.applied_ms or 0,
            runs=self.counters.get("fired", 0),
            paused=bool(self.paused),
            paused_ms=self.paused_at_ms,
            resumed_ms=resumed_ms,
        )

    @property
    def is_set_aside(self) -> bool:
        """Whether it rests because no beat could read it."""
        return self.paused.startswith(UNREADABLE)


class Put(NamedTuple):
    """
    What became of a declaration.

    Attributes:
        word: ``CREATED``, ``CHANGED``, ``SAME``; ``OWNED`` (by another source: nothing was
            done); ``PASSED`` (the next fire time lies not after the last one: compute anew).
        revision: The schedule's revision.
        next_ms: Its next nominal fire time, or None.
        owner: The other source, for ``OWNED``.
        decided_ms: The last fire time that was decided, for ``PASSED``.
    """

    word: str
    revision: bytes = b""
    next_ms: int | None = None
    owner: str = ""
    decided_ms: int | None = None


class Declaration(NamedTuple):
    """
    One call of ``put_schedule.lua``.

    Attributes:
        schedule: What is declared.
        next_ms: Its next nominal fire time if it is new or its trigger changes; None for none.
        due_ms: When that one is due.
        tzdata: Version of the zones that it was computed with.
        is_taking_over: Whether another source's schedule of this name is taken over.
    """

    schedule: Schedule
    next_ms: int | None
    due_ms: int | None
    tzdata: str
    is_taking_over: bool = False

    def arguments(self) -> list[Argument]:
        """What ``put_schedule.lua`` reads."""
        schedule = self.schedule
        return [
            schedule.name,
            pack_definition(schedule),
            trigger_text(schedule),
            schedule.source,
            b"" if self.next_ms is None else self.next_ms,
            b"" if self.due_ms is None else self.due_ms,
            b"1" if schedule.paused else b"",
            b"take" if self.is_taking_over else b"",
            self.tzdata,
            b"" if schedule.pause_after_failures is None else schedule.pause_after_failures,
            b"" if schedule.expect_within_ms is None else schedule.expect_within_ms,
        ]


def pack_definition(schedule: Schedule) -> bytes:
    """
    The definition as bytes, without source and pause, which are stored beside it.

    So a schedule that moves to another file, or is put to rest, keeps its definition.

    Raises:
        UnserializableArgument: An argument cannot travel; the error's ``path`` says which.
    """
    definition = schedule.definition()
    definition.pop("source", None)
    definition.pop("paused", None)
    return dumps(definition, f"schedule {schedule.name!r}")


def unpack_definition(
    name: str, packed: bytes, source: str = "code", *, is_paused: bool = False
) -> Schedule:
    """
    The schedule behind the bytes.

    Raises:
        UndecodableJob: They are not a definition that this version reads.
    """
    try:
        definition: Any = loads(packed)
        schedule = Schedule.of({**definition, "source": source, "paused": is_paused})
    except UndecodableJob:
        raise
    except (BeatlineError, LookupError, TypeError, ValueError, AttributeError) as error:
        told = error.message if isinstance(error, BeatlineError) else repr(error)
        remedy = error.remedy if isinstance(error, BeatlineError) else ""
        raise UndecodableJob(
            f"schedule {name!r} has a definition that cannot be read: {told}",
            remedy=remedy or "declare it again, or upgrade this process",
        ) from error
    if schedule.name != name:
        raise UndecodableJob(f"schedule {name!r} has the definition of {schedule.name!r}")
    return schedule


def trigger_text(schedule: Schedule) -> bytes:
    """The trigger's spec as JSON: equal for equal triggers."""
    spec = schedule.timetable.spec()
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), default=str).encode()


def put(connection: HeldConnection, prefix: bytes, declaration: Declaration) -> Put:
    """
    Declare a schedule, or change it.

    *Retry-safe*: yes; a repeat is answered ``SAME``. *Atomicity*: ``put_schedule.lua``.
    """
    return read_put(connection.run(script("put_schedule"), prefix, *declaration.arguments()))


def put_many(
    connection: HeldConnection, prefix: bytes, declarations: Sequence[Declaration]
) -> list[Put | ResponseError]:
    """Declare many schedules, `PAGE` to a round trip; a server's error stands in its place."""
    answers: list[Put | ResponseError] = []
    for first in range(0, len(declarations), PAGE):
        calls = [one.arguments() for one in declarations[first : first + PAGE]]
        for reply in connection.run_many(script("put_schedule"), prefix, calls):
            answers.append(reply if isinstance(reply, ResponseError) else read_put(reply))
    return answers


def read_put(reply: Any) -> Put:
    """The answer behind a reply."""
    word = reply[0].decode()
    if word == "OWNED":
        return Put(word, owner=_text(reply[1]))
    if word == "PASSED":
        return Put(word, decided_ms=_number(reply[1]))
    return Put(word, reply[1], _number(reply[2]))


def remove(connection: HeldConnection, prefix: bytes, name: str, source: str = "") -> Put:
    """
    Remove a schedule and its ledger; jobs that it made run on.

    Args:
        connection: Any.
        prefix: The prefix of the schedule's partition.
        name: Its name.
        source: Only if this source declared it; empty for any.

    Returns:
        ``REMOVED``, ``ABSENT`` or ``OWNED`` with the owner.

    *Retry-safe*: yes. *Atomicity*: ``remove_schedule.lua``.
    """
    reply = connection.run(script("remove_schedule"), prefix, name, source)
    word = reply[0].decode()
    return Put(word, owner=_text(reply[1]) if len(reply) > 1 else "")


def pause(connection: HeldConnection, prefix: bytes, name: str, reason: str = "") -> bool:
    """Put a schedule to rest; False where there is none. *Retry-safe*: yes."""
    return _answered_ok(connection.run(script("pause_schedule"), prefix, name, "pause", reason))


def resume(connection: HeldConnection, prefix: bytes, name: str) -> bool:
    """
    Let a schedule go on; False where there is none.

    Fire times that passed while it rested are recorded as missed. *Retry-safe*: yes.
    """
    return _answered_ok(connection.run(script("pause_schedule"), prefix, name, "resume", ""))


def set_aside(connection: HeldConnection, prefix: bytes, name: str, reason: str) -> bool:
    """
    Take a schedule that cannot be read off the timeline, where a person sees it.

    It is paused for the reason ``unreadable: …`` and noted in the quarantine. Declaring it again
    lets it go on. *Retry-safe*: yes.
    """
    why = f"{UNREADABLE}: {reason}"[:500]
    return _answered_ok(connection.run(script("pause_schedule"), prefix, name, "set_aside", why))


def mend_nudges(connection: HeldConnection, prefix: bytes) -> None:
    """Set aside what lies under the name of beat's nudges and is no list. *Retry-safe*: yes."""
    connection.run(script("mend_nudges"), prefix)


def _number(text: bytes) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _answered_ok(reply: Any) -> bool:
    return bool(reply[0] == b"OK")
