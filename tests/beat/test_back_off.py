"""Pauses grow, spread, and stay below ten seconds."""

from __future__ import annotations

from beatline.beat.back_off import LONGEST_S, BackOff


def test_back_off_when_failures_go_on_then_pauses_double_up_to_the_longest() -> None:
    back_off = BackOff(first_s=0.1, longest_s=1.0)

    pauses = [back_off.next_s() for _ in range(40)]

    for number, pause in enumerate(pauses):
        length = min(0.1 * 2**number, 1.0)
        assert length / 2 <= pause <= length
    assert 40 == back_off.failures


def test_back_off_when_it_worked_then_begins_anew() -> None:
    back_off = BackOff(first_s=0.1, longest_s=1.0)
    for _ in range(9):
        back_off.next_s()

    back_off.reset()

    assert back_off.next_s() <= 0.1
    assert LONGEST_S < 10
