"""A beat that is down for two hours while the clocks change: fires, ledger and reasons."""

from __future__ import annotations

import pytest

from beatline.testing import Fate, TimeMachine
from beatline.testing.fixtures import MakeTimeMachine
from beatline.units import moment_of
from tests.testing.conftest import Write

#: The schedules of Berlin; each is asked after what it does in the two hours and around them.
SCHEDULES = """
night: {task: t, cron: "30 2 * * *", timezone: Europe/Berlin}
patient: {task: t, cron: "30 2 * * *", timezone: Europe/Berlin, catch_up_window: 3h}
each: {task: t, cron: "15,45 2,3 * * *", timezone: Europe/Berlin, catch_up: all,
       catch_up_window: 3h, overlap: allow}
real: {task: t, cron: "*/30 * * * *", timezone: Europe/Berlin}
never: {task: t, cron: "*/30 2 * * *", timezone: Europe/Berlin, catch_up: none}
grid: {task: t, every: 30m, timezone: Europe/Berlin, catch_up: all, catch_up_window: 3h,
       overlap: allow}
"""


def _fired(clock: TimeMachine, name: str) -> list[str]:
    """Fire times of the day in UTC, with a ``+`` for those that were caught up."""
    return [
        f"{moment_of(fire.nominal_ms):%H:%M}{'+' * fire.is_caught_up}" for fire in clock.fires(name)
    ]


def _missed(clock: TimeMachine, name: str) -> list[tuple[int, str]]:
    """(Count, reason) of what is recorded as missed."""
    entries = [one for one in clock.occurrences(name) if one.fate is Fate.MISSED]
    return [(one.count, one.reason) for one in entries]


@pytest.fixture
def spring(time_machine: MakeTimeMachine, write: Write) -> TimeMachine:
    """Berlin, 29 March 2026: 02:00 leaps to 03:00 at 01:00 UTC. No beat from 00:10 to 02:10."""
    clock = time_machine(schedules=[write(SCHEDULES)], start="2026-03-28T23:50Z")
    clock.down("2026-03-29T00:10Z", "2026-03-29T02:10Z")
    clock.run_until("2026-03-29T03:00Z")
    return clock


@pytest.fixture
def autumn(time_machine: MakeTimeMachine, write: Write) -> TimeMachine:
    """Berlin, 25 October 2026: 03:00 is 02:00 again at 01:00 UTC. No beat from 00:10 to 02:10."""
    clock = time_machine(schedules=[write(SCHEDULES)], start="2026-10-24T23:50Z")
    clock.down("2026-10-25T00:10Z", "2026-10-25T02:10Z")
    clock.run_until("2026-10-25T03:00Z")
    return clock


@pytest.mark.parametrize(
    ("name", "fired", "missed"),
    [
        # 02:30 does not exist; its run at 03:00 (01:00 UTC) is 70 minutes late: outside the window.
        ("night", "", [(1, "outside_window")]),
        ("patient", "01:00+", []),
        # 02:15 and 02:45 make one run, at 03:00; then 03:15 and 03:45, in order.
        ("each", "01:00+ 01:15+ 01:45+", []),
        ("real", "00:00 02:00+ 02:30 03:00", [(2, "outside_window"), (1, "no_beat")]),
        ("never", "", []),
        ("grid", "00:00 00:30+ 01:00+ 01:30+ 02:00+ 02:30 03:00", []),
    ],
)
def test_beat_when_it_was_down_while_an_hour_was_leapt_over_then_each_is_decided_once(
    spring: TimeMachine, name: str, fired: str, missed: list[tuple[int, str]]
) -> None:
    assert (fired.split(), missed) == (_fired(spring, name), _missed(spring, name))


@pytest.mark.parametrize(
    ("name", "fired", "missed"),
    [
        # The first pass of 02:30 is 00:30 UTC, 100 minutes late. There is no second one.
        ("night", "", [(1, "outside_window")]),
        ("patient", "00:30+", []),
        # 02:15 and 02:45 in the first pass (00:15, 00:45 UTC); 03:15 and 03:45 are 02:15, 02:45.
        ("each", "00:15+ 00:45+ 02:15 02:45", []),
        # Both passes of the repeated hour count.
        ("real", "00:00 02:00+ 02:30 03:00", [(2, "outside_window"), (1, "no_beat")]),
        ("never", "00:00", [(3, "no_beat")]),
        ("grid", "00:00 00:30+ 01:00+ 01:30+ 02:00+ 02:30 03:00", []),
    ],
)
def test_beat_when_it_was_down_while_an_hour_came_twice_then_each_is_decided_once(
    autumn: TimeMachine, name: str, fired: str, missed: list[tuple[int, str]]
) -> None:
    assert (fired.split(), missed) == (_fired(autumn, name), _missed(autumn, name))


def test_beat_when_it_was_down_over_a_change_then_the_ledger_tells_how_late_it_was(
    autumn: TimeMachine,
) -> None:
    (fire,) = autumn.fires("patient")

    assert 100 * 60_000 == fire.lateness_ms
