"""How long `next` may take: the goals, with room for a loaded machine (CPU time, mean of many)."""

from __future__ import annotations

import time

import pytest

from beatline.triggers import Cron

START_MS = 1_767_225_600_000
#: Instants of ten years from which the next fire time is asked for.
INSTANTS = [START_MS + number * 4_321_000_001 for number in range(73)]


def _mean_us(trigger: Cron) -> float:
    begun = time.process_time_ns()
    for instant in INSTANTS:
        assert trigger.next_ms(instant) is not None
    return (time.process_time_ns() - begun) / 1_000 / len(INSTANTS)


@pytest.mark.parametrize("where", ["UTC", "Europe/Berlin", "Australia/Lord_Howe"])
@pytest.mark.parametrize(
    "expression",
    ["*/5 * * * *", "30 2 * * *", "0 9 * * mon-fri", "0 0 1 * *", "0 12 L * *", "0 0 13 * 5"],
)
def test_next_when_the_expression_is_ordinary_then_takes_microseconds(
    expression: str, where: str
) -> None:
    assert _mean_us(Cron(expression, where)) < 3 * 150


def test_next_when_it_waits_for_a_leap_day_then_takes_less_than_two_milliseconds() -> None:
    assert _mean_us(Cron("0 0 29 2 *", "Europe/Berlin")) < 2_000


@pytest.mark.parametrize(
    "expression",
    ["0 0 29 2 */7", "0 0 29 2 mon#5", "0 0 */29 2 7", "0 0 L 2 */4", "59 23 31 12 */6"],
)
def test_next_when_a_day_comes_once_in_decades_then_takes_less_than_50_milliseconds(
    expression: str,
) -> None:
    assert _mean_us(Cron(expression, "Europe/Berlin")) < 50_000
