"""Spans without a beat: pure."""

from __future__ import annotations

from beatline.testing.outages import Outages


def test_outages_when_spans_overlap_then_they_are_one() -> None:
    outages = Outages()
    for span in ((50, 60), (10, 20), (15, 30), (30, 40)):
        outages.add(*span)

    assert [5, 40, 40, 40, 40, 45, 60, 60] == [
        outages.seen_ms(due_ms) for due_ms in (5, 10, 29, 30, 39, 45, 50, 59)
    ]


def test_outages_when_one_is_over_then_the_planner_is_told_since_when() -> None:
    outages = Outages()
    outages.add(10, 20)
    outages.add(50, 60)

    assert [None, 10, 10, None, 50, None] == [
        outages.absences(now_ms).since_ms(due_ms)
        for now_ms, due_ms in ((15, 12), (20, 12), (30, 20), (30, 21), (60, 55), (70, 65))
    ]


def test_outages_when_they_are_asked_for_then_the_first_that_is_not_over_is_told() -> None:
    outages = Outages()
    outages.add(10, 20)

    assert (10, 20) == outages.first_from(20)
    assert outages.first_from(21) is None
