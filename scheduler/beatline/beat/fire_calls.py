"""
Which schedules share a call of ``fire.lua``.

A call costs the server 10 µs besides what it does, so several schedules share one: 16, because the
first of their jobs is seen only when the last has been made. A schedule whose call was refused is
tried alone, so that none suffers from another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from beatline.beat.known_schedules import Known
from beatline.store.firing import LARGEST_CALL, LARGEST_FIRE, Advance


class Part(msgspec.Struct, frozen=True):
    """
    One schedule's part in a call.

    Attributes:
        advance: What the script is told.
        known: What it was planned from; None where the schedule only leaves the timeline.
        has_more: Whether the schedule is to be planned again at once afterwards.
    """

    advance: Advance
    known: Known | None
    has_more: bool


class Sent(msgspec.Struct, frozen=True):
    """Calls on their way, and when they were sent by the process's own clock, µs."""

    calls: list[list[Part]]
    sent_us: int


class Head(msgspec.Struct, frozen=True):
    """
    The timeline's head, as an answer told it.

    Attributes:
        due_ms: When it is due, or None where the timeline is empty.
        now_us: The server's clock at that moment.
    """

    due_ms: float | None
    now_us: int

    @property
    def is_due(self) -> bool:
        """Whether it was due at that moment."""
        return self.due_ms is not None and self.due_ms * 1_000 <= self.now_us


def in_calls(parts: Iterable[Part], alone: Collection[str] = ()) -> Iterator[list[Part]]:
    """
    Portions of one call each, of bounded size.

    Args:
        parts: In the order in which they are to be carried out.
        alone: Names of schedules that share a call with no other.
    """
    call: list[Part] = []
    steps = 0
    for part in parts:
        advance = part.advance
        is_alone = advance.schedule in alone
        is_full = len(call) >= LARGEST_CALL or steps + len(advance.steps) > LARGEST_FIRE
        if call and (is_alone or is_full):
            yield call
            call, steps = [], 0
        call.append(part)
        steps += len(advance.steps)
        if is_alone:
            yield call
            call, steps = [], 0
    if call:
        yield call
