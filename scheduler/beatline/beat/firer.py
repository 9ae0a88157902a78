"""
The firer: due occurrences become jobs, each exactly once, and schedules advance.

A plan is made from what beat knows of a schedule, and carried out by ``fire.lua`` only if that
still holds; otherwise the answer is ``STALE`` and the schedule is read again. Several schedules
share a call, and the next chunk is planned while Redis works on the one before.

What happens when two beats fire: one is answered ``STALE`` and learns what the other did. When a
reply is lost: the next round reads the schedule, which has advanced or has not. When a definition
cannot be read, or its plan cannot be made: that schedule is set aside, visibly, and the others go
on. When a call is refused: its schedules are tried alone, so that none suffers from another. When
Redis is out of memory: the schedule stays where it was and is tried again each second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from redis.exceptions import NoScriptError, ResponseError

from beatline.beat.fire_calls import Head, Part, Sent, in_calls
from beatline.beat.known_schedules import Known, KnownSchedules
from beatline.beat.planning import Absences, after_fire, plan_advances
from beatline.beat.server_clock import ServerClock
from beatline.beat.statistics import Statistics
from beatline.ids import id_text
from beatline.store.firing import (
    LARGEST_CALL,
    Advance,
    Fired,
    JobStep,
    MissedStep,
    load_fire,
    pack_fire,
    receive_fire,
)
from beatline.wire.connection import HeldConnection
from beatline.wire.refusals import REMEDIES, is_passing, refusal_code

_log = logging.getLogger("beatline.beat.firer")

#: Rest of a schedule whose fire was refused, seconds.
_REFUSED_PAUSE_S: Final = 1.0
#: Shortest time between two complaints about refused fires, seconds.
_COMPLAINT_PAUSE_S: Final = 10.0


class Firer:
    """
    Fires the due schedules of one partition.

    Args:
        connection: Beat's working connection.
        prefix: The partition's key prefix.
        known: What beat knows of the partition's schedules.
        absences: When no beat was up.
        clock: The server's clock.
        statistics: Counts fires and keeps their lateness.
        monotonic: The process's own clock, seconds.

    Attributes:
        head: The timeline's head after the last run; None where no answer told it.
    """

    def __init__(
        self,
        connection: HeldConnection,
        prefix: bytes,
        *,
        known: KnownSchedules,
        absences: Absences,
        clock: ServerClock,
        statistics: Statistics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._prefix = prefix
        self._known = known
        self._absences = absences
        self._clock = clock
        self._statistics = statistics
        self._monotonic = monotonic
        self._again: list[str] = []
        self._broken: dict[str, Exception] = {}
        self._resting: dict[str, float] = {}
        self._alone: set[str] = set()
        self.head: Head | None = None
        self._complain_at = float("-inf")
        self._changes = 0
        self._missed: list[tuple[str, MissedStep]] = []
        self._lacks_script = False

    @property
    def has_more(self) -> bool:
        """Whether there is something left for the next run that no promotion names."""
        return bool(self._again or self._broken)

    def run(self, due: Sequence[tuple[str, int]]) -> bool:
        """
        Fire schedules that are due; what was ``STALE`` is read again by the next run.

        Args:
            due: Names and the instants at which they became due, ms, as ``promote`` tells them.

        Returns:
            Whether anything changed: False where all of them were stale or refused.
        """
        changes = self._changes
        self.head = None
        self._mend()
        names = self._awake(due)
        unknown = [name for name in names if self._known.get(name) is None]
        if unknown:
            self._known.read(unknown)
        self._fire_all(names)
        self._tell_missed()
        return self._changes > changes

    def _mend(self) -> None:
        """What could not be done while replies were on their way."""
        if self._lacks_script:
            load_fire(self._connection)
            self._lacks_script = False
        broken, self._broken = self._broken, {}
        for name, error in broken.items():
            self._known.set_aside(name, error)
            self._changes += 1

    def _awake(self, due: Sequence[tuple[str, int]]) -> list[str]:
        """Those that are due or left over, but not those that were refused a moment ago."""
        if len(due) > 1:
            due = self._known.in_order(due)
        names = dict.fromkeys((*self._again, *(name for name, _ in due)))
        self._again.clear()
        if self._resting:
            now = self._monotonic()
            self._resting = {name: until for name, until in self._resting.items() if until > now}
        return [name for name in names if name not in self._resting]

    def _fire_all(self, names: Sequence[str]) -> None:
        in_flight = Sent([], 0)
        for first in range(0, len(names), LARGEST_CALL):
            sent = self._send(self._planned(names[first : first + LARGEST_CALL]))
            # Only now wait for the chunk before: Redis has worked on it while this one was made.
            self._receive(in_flight)
            in_flight = sent
        self._receive(in_flight)

    def _planned(self, names: Sequence[str]) -> list[Part]:
        now_ms = self._clock.now_us() // 1_000
        parts: list[Part] = []
        for name in names:
            known = self._known.get(name)
            if known is None:
                # Removed, paused or set aside: the script takes the name off the timeline.
                parts.append(Part(Advance(name, b"", b"", None, None, "skip", ()), None, False))
                continue
            try:
                advances, more = plan_advances(known, now_ms, self._absences)
            # A trigger or definition may fail in any way; it must not stop the others.
            except Exception as error:  # noqa: BLE001 - logged and shown by set_aside
                self._broken[name] = error
                continue
            parts += [Part(advance, known, more) for advance in advances]
        return parts

    def _send(self, parts: Sequence[Part]) -> Sent:
        calls = list(in_calls(parts, self._alone))
        sent_us = self._clock.mark_us()
        if calls:
            self._connection.send(
                b"".join(pack_fire(self._prefix, [part.advance for part in call]) for call in calls)
            )
        return Sent(calls, sent_us)

    def _receive(self, sent: Sent) -> None:
        answers = [receive_fire(self._connection) for _ in sent.calls]
        for parts, answer in zip(sent.calls, answers, strict=True):
            if isinstance(answer, ResponseError):
                self._refused([part.advance.schedule for part in parts], answer)
                continue
            self._clock.observe(answer.now_us, sent.sent_us)
            self.head = Head(answer.head_ms, answer.now_us)
            for part, fired in zip(parts, answer.fired, strict=True):
                self._judge(part, fired, answer.now_us)

    def _judge(self, part: Part, fired: Fired, now_us: int) -> None:
        name, known = part.advance.schedule, part.known
        self._alone.discard(name)
        if fired.word == "OK" and known is not None:
            self._note(part, known, fired, now_us)
            if part.has_more:
                self._again.append(name)
            return
        self._known.forget(name)
        if fired.word == "STALE":
            self._statistics.count("stale")
        else:
            self._changes += 1

    def _note(self, part: Part, known: Known, fired: Fired, now_us: int) -> None:
        advance = part.advance
        self._changes += 1
        due_ms = known.due_ms
        after_fire(known, advance, fired)
        self._known.expect(known)
        statistics = self._statistics
        statistics.count("fired", fired.jobs)
        if fired.skipped:
            statistics.count("skipped", fired.skipped)
        late_us = 0 if due_ms is None else now_us - due_ms * 1_000
        for step in advance.steps:
            if isinstance(step, JobStep):
                if not step.is_caught_up:
                    statistics.note_lateness(late_us)
            else:
                self._missed.append((advance.schedule, step))
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug(
                "beat.fired schedule=%s late_ms=%.1f jobs=%s skipped=%d",
                advance.schedule,
                late_us / 1_000,
                ",".join(id_text(step.id) for step in advance.steps if isinstance(step, JobStep)),
                fired.skipped,
            )

    def _tell_missed(self) -> None:
        if not self._missed:
            return
        count = sum(step.occurrences for _, step in self._missed)
        self._statistics.count("missed", count)
        _log.warning(
            "beat.missed occurrences=%d schedules=%s reasons=%s remedy=%s",
            count,
            _some({name for name, _ in self._missed}),
            _some({step.reason for _, step in self._missed}),
            "`sched schedules history` tells each; `backfill` makes up for them",
        )
        self._missed.clear()

    def _refused(self, names: Sequence[str], error: ResponseError) -> None:
        for name in names:
            self._known.forget(name)
        if isinstance(error, NoScriptError):
            self._lacks_script = True
            return
        if is_passing(error):
            raise error
        if len(names) > 1:
            self._alone.update(names)
            self._again += names
            return
        (name,) = names
        self._alone.discard(name)
        now = self._monotonic()
        self._resting[name] = now + _REFUSED_PAUSE_S
        self._statistics.count("refused")
        if now >= self._complain_at:
            self._complain_at = now + _COMPLAINT_PAUSE_S
            _log.error(
                "beat.fire_refused schedule=%s error=%s remedy=%s",
                name,
                error,
                REMEDIES.get(refusal_code(error) or "", "the schedule is tried again each second"),
            )


def _some(names: set[str]) -> str:
    """Up to five of the names, and how many more there are."""
    shown = ",".join(sorted(names)[:5])
    return shown if len(names) <= 5 else f"{shown},+{len(names) - 5}"
