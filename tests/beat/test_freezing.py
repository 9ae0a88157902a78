"""The freezer: what beat knows is out of the garbage collector's sight."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from beatline.beat.freezing import Freezer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_freezer_when_it_begins_then_what_is_there_is_frozen(clock: Clock) -> None:
    Freezer(True, clock).begin()

    assert gc.get_freeze_count() > 10_000


def test_freezer_when_a_set_was_declared_then_what_grows_is_frozen_in_steps(clock: Clock) -> None:
    freezer, counts = Freezer(True, clock), []
    freezer.note_declared()
    known: list[list[list[int]]] = []

    for clock.now in (1.0, 2.0, 3.0, 5.0, 10.0, 29.0, 30.0, 60.0):
        known.append([[1]])
        before = gc.get_freeze_count()
        freezer.run()
        counts.append(gc.get_freeze_count() > before)

    assert [False, True, False, True, True, False, True, False] == counts


def test_freezer_when_others_live_in_the_process_then_it_leaves_the_collector_alone(
    clock: Clock,
) -> None:
    freezer = Freezer(False, clock)

    freezer.begin()
    freezer.note_declared()
    clock.now = 60.0
    freezer.run()

    assert 0 == gc.get_freeze_count()
