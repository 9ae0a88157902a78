"""Counters and percentiles that metrics read."""

from __future__ import annotations

from beatline.beat.statistics import KEPT, Statistics


def test_statistics_when_lateness_was_noted_then_gives_percentiles_of_the_latest() -> None:
    statistics = Statistics()
    for _ in range(50):
        statistics.note_lateness(9_000_000)

    for number in range(KEPT):
        statistics.note_lateness(number * 1_000)

    assert (500.0, 990.0) == (statistics.lateness_ms(0.5), statistics.lateness_ms(0.99))
    assert 999.0 == statistics.lateness_ms(1.0)


def test_statistics_when_nothing_was_fired_then_has_no_lateness() -> None:
    assert Statistics().lateness_ms(0.5) is None


def test_statistics_when_counted_then_tells_each_counter() -> None:
    statistics = Statistics()

    statistics.count("fired", 3)
    statistics.count("fired")

    assert {"fired": 4} == statistics.counters
