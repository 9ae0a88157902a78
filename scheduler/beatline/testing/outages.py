"""Spans of time in which no beat is up: pure."""

from __future__ import annotations

from typing import NamedTuple

from beatline.beat.planning import Absences


class Outage(NamedTuple):
    """No beat is up from the first instant to before the second, UTC ms."""

    from_ms: int
    until_ms: int


class Outages:
    """Those of one test; spans that overlap are one."""

    def __init__(self) -> None:
        self._spans: list[Outage] = []

    def add(self, from_ms: int, until_ms: int) -> None:
        """No beat is up between the two."""
        spans = sorted([*self._spans, Outage(from_ms, until_ms)])
        joined: list[Outage] = []
        for span in spans:
            if joined and span.from_ms <= joined[-1].until_ms:
                last = joined.pop()
                joined.append(Outage(last.from_ms, max(last.until_ms, span.until_ms)))
            else:
                joined.append(span)
        self._spans = joined

    def seen_ms(self, due_ms: int) -> int:
        """When a beat sees what is due: then, or at the end of an outage."""
        for span in self._spans:
            if span.from_ms <= due_ms < span.until_ms:
                return span.until_ms
        return due_ms

    def first_from(self, now_ms: int) -> Outage | None:
        """The first one that is not over."""
        return next((span for span in self._spans if span.until_ms >= now_ms), None)

    def absences(self, now_ms: int) -> Absences:
        """What a beat knows that came up at the end of the last outage."""
        absences = Absences()
        for span in self._spans:
            if span.until_ms <= now_ms:
                absences = Absences()
                absences.note_up(span.until_ms)
                absences.note_gap(span.from_ms, span.until_ms)
        return absences
