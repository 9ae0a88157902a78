"""
Thousands of random expressions against cronsim, which reads Debian's rules on its own.

Where the two differ, the minute-by-minute model decides: cronsim repeats fire times, and goes back
in time, around some changes of clocks, and makes up for days that a zone left out. Zones with
offsets of half hours are left out; there it may look for ever.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim

from beatline.errors import InvalidTrigger
from beatline.triggers import Cron, zone
from tests.triggers.cron_model import DAYS, MONTHS, CronModel, clock_between, zone_of_wheel
from tests.triggers.strategies import changes_of

ZONES = (
    *("UTC", "Europe/Berlin", "Europe/London", "Europe/Moscow", "America/New_York"),
    *("America/Sao_Paulo", "America/Santiago", "Africa/Cairo", "Africa/Casablanca"),
    *("Asia/Amman", "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland", "America/Havana"),
)
FIRES = 8


class Expressions:
    """
    Draws expressions of all forms that both read.

    Args:
        draw: Where the chances come from.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw

    def next(self) -> str:
        """One expression; many of them meet the hours in which clocks change."""
        draw = self._draw
        hours = ["*", "2", "1,2,3", "1-3", "*/2", "0-4", "0,23"]
        fields = [
            self._field(0, 59),
            self._field(0, 23) if draw.random() < 0.6 else draw.choice(hours),
            "*" if draw.random() < 0.6 else self._field(1, 31, extra=["L"]),
            "*" if draw.random() < 0.7 else self._field(1, 12, MONTHS),
            "*" if draw.random() < 0.6 else self._field(0, 7, DAYS, ["mon#1", "0#3", "sat#5"]),
        ]
        return " ".join(fields)

    def _field(
        self, low: int, high: int, names: Sequence[str] = (), extra: Sequence[str] = ()
    ) -> str:
        count = self._draw.choice([1, 1, 1, 2, 3])
        return ",".join(self._item(low, high, names, extra) for _ in range(count))

    def _item(self, low: int, high: int, names: Sequence[str], extra: Sequence[str]) -> str:
        draw, chance = self._draw, self._draw.random()
        if extra and chance < 0.08:
            return draw.choice(list(extra))
        if chance < 0.25:
            return "*"
        if chance < 0.4:
            return f"*/{draw.choice([1, 2, 3, 5, 7, 10, 15, 20])}"
        first, last = sorted(draw.sample(range(low, high + 1), 2))
        if chance < 0.7:
            return self._word(first, low, names)
        span = f"{self._word(first, low, names)}-{last}"
        return span if chance < 0.88 else f"{span}/{draw.choice([1, 2, 3, 5])}"

    def _word(self, value: int, low: int, names: Sequence[str]) -> str:
        if names and value - low < len(names) and self._draw.random() < 0.3:
            return names[value - low]
        return str(value)


def _ours(trigger: Cron, start: datetime) -> list[datetime]:
    found: list[datetime] = []
    moment: datetime | None = start
    for _ in range(FIRES):
        assert moment is not None
        moment = trigger.next_after(moment)
        assert moment is not None
        found.append(moment)
    return found


def _by_the_model(expression: str, where: str, start: datetime, until: datetime) -> list[datetime]:
    clock = clock_between(zone_of_wheel(where), start - timedelta(hours=30), until)
    return [moment for moment in CronModel(expression).fires(clock) if moment > start]


@pytest.mark.parametrize(
    ("seed", "cases"), [(1, 400), *[pytest.param(n, 5_000, marks=pytest.mark.slow) for n in (2, 3)]]
)
def test_cron_when_expressions_are_random_then_cronsim_or_the_model_agrees(
    seed: int, cases: int
) -> None:
    draw = random.Random(seed)
    expressions = Expressions(draw)
    differing = 0

    for _ in range(cases):
        expression, where = expressions.next(), draw.choice(ZONES)
        around = draw.choice(changes_of(zone(where)) or [datetime(2024, 2, 28, tzinfo=UTC)])
        start = around + timedelta(minutes=draw.randint(-1_500, 600))
        start = start.replace(second=0, microsecond=0)
        second_opinion = CronSim(expression, start.astimezone(zone_of_wheel(where)))
        expected = [moment.astimezone(UTC) for moment in islice(second_opinion, FIRES)]
        try:
            found = _ours(Cron(expression, timezone=where), start)
        except InvalidTrigger:
            assert [] == expected, expression
            continue
        if expected != found:
            differing += 1
            until = min(found[-1], start + timedelta(days=20))
            near = [moment for moment in found if moment <= until]
            assert _by_the_model(expression, where, start, until) == near, (expression, where)

    assert differing < cases / 20
