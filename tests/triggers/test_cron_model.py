"""
Cron against the minute-by-minute model of its rules, and against cronsim where that is sound.

The quick part samples; ``make test-slow`` goes through every change of clocks in every zone.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from beatline.errors import InvalidTrigger
from beatline.triggers import Cron, zone
from beatline.triggers.placing import next_placed_ms
from beatline.triggers.zone_file import ZoneFile
from beatline.triggers.zones import Zone
from tests.triggers.cron_model import CronModel, clock_between, zone_of_wheel
from tests.triggers.strategies import (
    EXPRESSIONS,
    FIRST,
    LAST,
    PLAIN_FIELDS,
    changes_of,
    moment_of,
    zones_with_changes,
)

LEAD = timedelta(hours=7)
#: Expressions that meet a change of clocks wherever it falls.
MEETING = (
    "*/15 * * * *",
    "7,37 * * * *",
    "0-59/10 0-23 * * *",
    "45 0,2,4,6,8,10,12,14,16,18,20,22 * * *",
    "*,5 23-4 * * *",
    "0 0 * * *",
)


def fires(trigger: Cron, after: datetime, until: datetime) -> list[datetime]:
    found = []
    moment = trigger.next_after(after)
    while moment is not None and moment <= until:
        found.append(moment)
        moment = trigger.next_after(moment)
    return found


def built(expression: str, where: str) -> Cron | None:
    """The trigger; None where the rules refuse the expression, as no day ever matches it."""
    try:
        return Cron(expression, timezone=where)
    except InvalidTrigger as error:
        if "never fires" not in error.message:
            raise
        model = CronModel(expression)
        days = (datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(28 * 366))
        assert not any(d.month in model.months and model.matches_day(d) for d in days)
        return None


def assert_agrees(expression: str, where: str, around: datetime, after_minutes: int) -> None:
    trigger = built(expression, where)
    if trigger is None:
        return
    clock = clock_between(zone_of_wheel(where), around - LEAD, around + LEAD)
    after = clock[0][0] + timedelta(minutes=after_minutes)

    expected = [moment for moment in CronModel(expression).fires(clock) if moment > after]

    assert expected == fires(trigger, after, clock[-1][0]), (expression, where, after)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), expression=EXPRESSIONS)
def test_cron_when_clocks_change_then_agrees_with_the_model(
    data: st.DataObject, expression: str
) -> None:
    where = data.draw(st.sampled_from(zones_with_changes()))
    around = data.draw(st.sampled_from(changes_of(zone(where))))
    after_minutes = data.draw(st.integers(min_value=0, max_value=14 * 60))

    assert_agrees(expression, where, around, after_minutes)


@settings(max_examples=60, deadline=None)
@given(
    expression=EXPRESSIONS,
    where=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]),
    around=st.datetimes(
        FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC)
    ),
)
@example("0 0 29 2 *", "UTC", datetime(2096, 2, 29, tzinfo=UTC))
def test_cron_when_at_any_time_then_agrees_with_the_model(
    expression: str, where: str, around: datetime
) -> None:
    assert_agrees(expression, where, around.replace(second=0, microsecond=0), 0)


def test_cron_when_each_zone_changes_then_agrees_with_the_model() -> None:
    draw = random.Random(20260329)

    for where in zones_with_changes():
        around = draw.choice(changes_of(zone(where)))
        for expression in draw.sample(MEETING, 2):
            assert_agrees(expression, where, around, draw.randrange(0, 14 * 60))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(16))
def test_cron_when_every_change_of_every_zone_then_agrees_with_the_model(part: int) -> None:
    names = zones_with_changes()[part::16]

    for where in names:
        clocks = zone_of_wheel(where)
        triggers = [(CronModel(text), Cron(text, timezone=where)) for text in MEETING]
        for around in changes_of(zone(where)):
            clock = clock_between(clocks, around - LEAD, around + LEAD)
            for model, trigger in triggers:
                expected = [moment for moment in model.fires(clock) if moment > clock[0][0]]
                assert expected == fires(trigger, clock[0][0], clock[-1][0]), (where, around)


class MinutesOfDay(CronModel):
    """A job at certain minutes of each day, for clocks that no real zone has."""

    def __init__(self, minutes: frozenset[int], *, wildcard: bool) -> None:
        self.minutes_of_day = sorted(minutes)
        self.wildcard = wildcard

    def matches(self, wall: datetime) -> bool:
        return wall.hour * 60 + wall.minute in self.minutes_of_day

    def next_wall(self, from_s: int) -> int:
        day, time_s = divmod(from_s, 86_400)
        later = [minute * 60 for minute in self.minutes_of_day if minute * 60 >= time_s]
        if later:
            return day * 86_400 + later[0]
        return (day + 1) * 86_400 + self.minutes_of_day[0] * 60


#: Leaps in minutes: around the limit of three hours, and such as no real zone has.
LEAPS = st.sampled_from([15, 30, 60, 120, 179, 180, 181, 240, 420, 1440])
CHANGES = st.lists(
    st.tuples(st.integers(min_value=1, max_value=600), LEAPS, st.booleans()),
    min_size=1,
    max_size=4,
)


@settings(max_examples=80, deadline=None)
@given(
    changes=CHANGES,
    minutes=st.frozensets(st.integers(min_value=0, max_value=1439), min_size=1, max_size=6)
    | st.just(frozenset(range(0, 1440, 10))),
    wildcard=st.booleans(),
    after_minute=st.integers(min_value=0, max_value=2_000),
)
@example([(600, 60, False), (30, 60, True)], frozenset(range(0, 1440, 10)), False, 0)
@example([(600, 120, False), (30, 120, False)], frozenset(range(0, 1440, 10)), False, 0)
@example([(600, 180, False)], frozenset(range(0, 1440, 10)), False, 0)
@example([(600, 181, False)], frozenset(range(0, 1440, 10)), False, 0)
@example([(600, 179, True)], frozenset([700]), False, 0)
@example([(600, 180, True)], frozenset([700]), False, 0)
def test_placing_when_clocks_change_wildly_then_agrees_with_the_model(
    changes: list[tuple[int, int, bool]],
    minutes: frozenset[int],
    wildcard: bool,
    after_minute: int,
) -> None:
    at_s = offset_s = 0
    file_changes = []
    for gap_minutes, leap_minutes, forward in changes:
        at_s += gap_minutes * 60
        offset_s += leap_minutes * 60 if forward else -leap_minutes * 60
        file_changes.append((at_s, offset_s))
    where = Zone("Test/Wild", ZoneFile(0, tuple(file_changes), at_s, None))
    model = MinutesOfDay(minutes, wildcard=wildcard)
    clock = [
        (moment_of(minute * 60), moment_of(where.wall_s(minute * 60))) for minute in range(3_500)
    ]

    expected = [moment for moment in model.fires(clock) if moment > moment_of(after_minute * 60)]
    found = []
    fire_ms = next_placed_ms(where, after_minute * 60_000, model.next_wall, is_wildcard=wildcard)
    while fire_ms is not None and fire_ms < 3_500 * 60_000:
        found.append(moment_of(fire_ms // 1000))
        fire_ms = next_placed_ms(where, fire_ms, model.next_wall, is_wildcard=wildcard)

    assert expected == found


@settings(max_examples=150, deadline=None)
@given(
    parts=st.tuples(*[st.sampled_from(PLAIN_FIELDS)] * 5),
    where=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney"]),
    start=st.datetimes(
        datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
        datetime(2037, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
)
def test_cron_when_cronsim_is_sound_then_agrees_with_it(
    parts: tuple[str, ...], where: str, start: datetime
) -> None:
    expression = " ".join(parts)
    second_opinion = CronSim(expression, start.astimezone(zone_of_wheel(where)))

    expected = [next(second_opinion).astimezone(UTC) for _ in range(20)]

    trigger = Cron(expression, timezone=where)
    found: list[datetime] = []
    moment: datetime | None = start
    for _ in range(20):
        assert moment is not None
        moment = trigger.next_after(moment)
        assert moment is not None
        found.append(moment)
    assert expected == found
