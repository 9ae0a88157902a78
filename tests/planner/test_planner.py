"""The planner: tables for each policy, and properties against the model of the rules."""

from __future__ import annotations

from itertools import islice
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from beatline.planner import (
    COUNT_LIMIT,
    MAX_DECISIONS,
    Decision,
    Fire,
    Missed,
    MissedReason,
    Plan,
    ScheduleState,
    first_next_ms,
    plan,
    recomputed_next_ms,
)
from beatline.schedule import CatchUp, Schedule
from beatline.triggers import build_timetable
from tests.planner.policy_model import CAUGHT_UP, FIRE, verdicts

#: A round instant in 2026, on every grid of these tests.
T0 = 1_767_225_600_000
S = 1_000
HOUR = 3_600 * S


def schedule(trigger: dict[str, Any] | None = None, **policies: Any) -> Schedule:
    timetable = build_timetable(trigger or {"every": "10s"}, "probe")
    return Schedule(name="probe", task="ops.probe", timetable=timetable, **policies)


def told(decisions: tuple[Decision, ...]) -> list[str]:
    """Decisions in seconds after `T0`, short enough for tables."""
    lines = []
    for decision in decisions:
        if isinstance(decision, Fire):
            late = " caught up" if decision.caught_up else ""
            lines.append(f"fire {(decision.nominal_ms - T0) // S}{late}")
        else:
            first, last = (decision.first_ms - T0) // S, (decision.last_ms - T0) // S
            lines.append(f"missed {first}-{last} ({decision.count}) {decision.reason}")
    return lines


def test_plan_when_nothing_is_due_then_waits() -> None:
    found = plan(schedule(), ScheduleState(next_ms=T0 + 10 * S), T0 + 9_999)

    assert Plan((), T0 + 10 * S, T0 + 10 * S) == found


def test_plan_when_one_is_due_then_fires_it() -> None:
    found = plan(schedule(), ScheduleState(next_ms=T0), T0 + 3)

    fire = Fire(T0, T0, False, next_ms=T0 + 10 * S, next_due_ms=T0 + 10 * S)
    assert Plan((fire,), T0 + 10 * S, T0 + 10 * S) == found


def test_plan_when_the_schedule_has_ended_then_nothing() -> None:
    assert Plan((), None, None) == plan(schedule(), ScheduleState(next_ms=None), T0)


def test_plan_when_the_last_one_fires_then_ended() -> None:
    once = schedule({"at": "2026-01-01T00:00:00Z"})

    found = plan(once, ScheduleState(next_ms=T0), T0)

    assert ["fire 0"] == told(found.decisions)
    assert found.next_ms is None
    assert found.next_due_ms is None
    assert not found.more


@pytest.mark.parametrize(
    ("policies", "late_s", "expected"),
    [
        # Within grace (5 s by default) an occurrence is on time.
        ({}, 5, ["fire 0"]),
        ({"grace_ms": 15 * S}, 12, ["fire 0", "fire 10"]),
        ({"grace_ms": 0}, 0, ["fire 0"]),
        # latest: the newest late one fires once, and each one still within grace.
        ({}, 6, ["fire 0 caught up"]),
        ({}, 12, ["fire 0 caught up", "fire 10"]),
        ({}, 18, ["missed 0-0 (1) late", "fire 10 caught up"]),
        ({}, 47, ["missed 0-30 (4) late", "fire 40 caught up"]),
        ({}, 52, ["missed 0-30 (4) late", "fire 40 caught up", "fire 50"]),
        # latest, outside the window.
        (
            {"catch_up_window_ms": 20 * S},
            45,
            ["missed 0-20 (3) outside_window", "fire 30 caught up", "fire 40"],
        ),
        ({"catch_up_window_ms": 3 * S, "grace_ms": 1 * S}, 27, ["missed 0-20 (3) outside_window"]),
        # none.
        ({"catch_up": CatchUp.NONE}, 5, ["fire 0"]),
        ({"catch_up": CatchUp.NONE}, 32, ["missed 0-20 (3) late", "fire 30"]),
        ({"catch_up": CatchUp.NONE}, 37, ["missed 0-30 (4) late"]),
        # all.
        (
            {"catch_up": CatchUp.ALL},
            27,
            ["fire 0 caught up", "fire 10 caught up", "fire 20 caught up"],
        ),
        ({"catch_up": CatchUp.ALL}, 23, ["fire 0 caught up", "fire 10 caught up", "fire 20"]),
        (
            {"catch_up": CatchUp.ALL, "max_catch_up": 2},
            57,
            ["fire 0 caught up", "fire 10 caught up", "missed 20-50 (4) over_maximum"],
        ),
        (
            {"catch_up": CatchUp.ALL, "catch_up_window_ms": 30 * S, "max_catch_up": 2},
            92,
            ["missed 0-60 (7) outside_window", "fire 70 caught up", "fire 80 caught up", "fire 90"],
        ),
        (
            {"catch_up": CatchUp.ALL, "max_catch_up": 0},
            13,
            ["missed 0-0 (1) over_maximum", "fire 10"],
        ),
    ],
)
def test_plan_when_late_then_by_its_policy(
    policies: dict[str, Any], late_s: int, expected: list[str]
) -> None:
    found = plan(schedule(**policies), ScheduleState(next_ms=T0), T0 + late_s * S)

    assert expected == told(found.decisions)


def test_plan_when_no_beat_was_up_then_says_so() -> None:
    never = schedule(catch_up=CatchUp.NONE)

    found = plan(never, ScheduleState(next_ms=T0), T0 + 57 * S, beat_absent_since_ms=T0 + 20 * S)

    assert ["missed 0-10 (2) late", "missed 20-50 (4) no_beat"] == told(found.decisions)


def test_plan_when_paused_then_all_are_missed() -> None:
    state = ScheduleState(next_ms=T0, paused=True, paused_ms=T0 + 15 * S)

    found = plan(schedule(catch_up=CatchUp.ALL), state, T0 + 41 * S)

    assert [
        "fire 0 caught up",
        "fire 10 caught up",
        "missed 20-40 (3) paused",
    ] == told(found.decisions)
    assert T0 + 50 * S == found.next_ms


def test_plan_when_paused_since_ever_then_nothing_fires() -> None:
    state = ScheduleState(next_ms=T0, paused=True)

    found = plan(schedule(catch_up=CatchUp.ALL), state, T0 + 21 * S)

    assert ["missed 0-20 (3) paused"] == told(found.decisions)


@pytest.mark.parametrize("policy", list(CatchUp))
def test_plan_when_resumed_then_what_fell_into_the_pause_is_not_caught_up(policy: CatchUp) -> None:
    state = ScheduleState(next_ms=T0, paused_ms=T0 - 5 * S, resumed_ms=T0 + 35 * S)

    found = plan(schedule(catch_up=policy), state, T0 + 43 * S)

    assert ["missed 0-30 (4) paused", "fire 40"] == told(found.decisions)


def test_plan_when_applied_later_then_earlier_instants_never_fire() -> None:
    state = ScheduleState(next_ms=T0, applied_ms=T0 + 15 * S)

    found = plan(schedule(catch_up=CatchUp.ALL), state, T0 + 31 * S)

    assert [
        "missed 0-10 (2) before_applied",
        "fire 20 caught up",
        "fire 30",
    ] == told(found.decisions)


def test_plan_when_max_runs_may_be_used_up_then_stops_and_asks_again() -> None:
    few = schedule(catch_up=CatchUp.ALL, max_runs=5)

    first = plan(few, ScheduleState(next_ms=T0, runs=3), T0 + 57 * S)
    used_up = plan(few, ScheduleState(next_ms=first.next_ms, runs=5), T0 + 57 * S)
    skipped = plan(few, ScheduleState(next_ms=first.next_ms, runs=4), T0 + 57 * S)

    assert ["fire 0 caught up", "fire 10 caught up"] == told(first.decisions)
    assert first.more
    assert T0 + 20 * S == first.next_ms
    assert Plan((), None, None) == used_up
    assert ["fire 20 caught up"] == told(skipped.decisions)


def test_plan_when_the_last_run_is_on_time_then_asks_again() -> None:
    found = plan(schedule(max_runs=1), ScheduleState(next_ms=T0), T0)

    assert ["fire 0"] == told(found.decisions)
    assert found.more
    assert T0 + 10 * S == found.next_ms


def test_plan_when_very_many_are_on_time_then_in_portions() -> None:
    dense = schedule({"every": "1s"}, grace_ms=HOUR)

    first = plan(dense, ScheduleState(next_ms=T0), T0 + 1_500 * S)
    second = plan(dense, ScheduleState(next_ms=first.next_ms), T0 + 1_500 * S)

    assert MAX_DECISIONS == len(first.decisions)
    assert first.more
    assert T0 + MAX_DECISIONS * S == first.next_ms
    assert 501 == len(second.decisions)
    assert not second.more


def test_plan_when_the_stored_next_is_unknown_to_the_trigger_then_fired_all_the_same() -> None:
    # A beat with newer zone data stored it.
    odd_ms = T0 + 3_333

    found = plan(schedule(), ScheduleState(next_ms=odd_ms), odd_ms + 2 * S)
    late = plan(schedule(catch_up=CatchUp.NONE), ScheduleState(next_ms=odd_ms), T0 + 28 * S)

    assert odd_ms == found.decisions[0].first_ms
    assert T0 + 10 * S == found.next_ms
    assert [(odd_ms, 3)] == [
        (decision.first_ms, decision.count)
        for decision in late.decisions
        if isinstance(decision, Missed)
    ]


def test_plan_when_an_interval_was_down_for_a_year_then_counted_exactly_and_at_once() -> None:
    dense = schedule({"every": "1s"})
    year_ms = 365 * 24 * HOUR
    begin = perf_counter()

    found = plan(dense, ScheduleState(next_ms=T0), T0 + year_ms + 6 * S)

    missed = [decision for decision in found.decisions if isinstance(decision, Missed)]
    fires = [decision for decision in found.decisions if isinstance(decision, Fire)]
    assert year_ms // S == sum(decision.count for decision in missed)
    assert all(decision.count_is_exact for decision in missed)
    assert 7 == len(fires)
    assert 0.2 > perf_counter() - begin


def test_plan_when_a_cron_was_down_for_a_year_then_the_count_is_cut_off_honestly() -> None:
    dense = schedule({"cron": "* * * * *"}, catch_up=CatchUp.NONE)
    year_ms = 365 * 24 * HOUR

    found = plan(dense, ScheduleState(next_ms=T0), T0 + year_ms + 30 * S)

    (missed,) = found.decisions
    assert isinstance(missed, Missed)
    assert COUNT_LIMIT == missed.count
    assert not missed.count_is_exact
    assert (T0, T0 + year_ms) == (missed.first_ms, missed.last_ms)
    assert T0 + year_ms + 60 * S == found.next_ms


def test_plan_when_clocks_leapt_while_beat_was_down_then_by_the_rules() -> None:
    # Down from 00:30 to 02:30 UTC on 29 March 2026: 02:30 in Berlin ran at the gap's end.
    nightly = schedule(
        {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}, catch_up_window_ms=3 * HOUR
    )
    gap_end_ms = 1_774_746_000_000

    found = plan(
        nightly,
        ScheduleState(next_ms=gap_end_ms),
        gap_end_ms + 90 * 60 * S,
        beat_absent_since_ms=gap_end_ms - 30 * 60 * S,
    )

    (fire,) = found.decisions
    assert isinstance(fire, Fire)
    assert (gap_end_ms, True) == (fire.nominal_ms, fire.caught_up)
    assert gap_end_ms + 23 * HOUR + 30 * 60 * S == found.next_ms


@pytest.mark.parametrize(
    ("applied_ms", "last_ms", "expected_ms"),
    [
        (T0, None, T0 + 10 * S),
        (T0 + 1, None, T0 + 10 * S),
        (T0, T0 + 10 * S, T0 + 20 * S),
        (T0 + 25 * S, T0 + 10 * S, T0 + 30 * S),
    ],
)
def test_first_next_when_new_then_after_applied_and_after_the_last(
    applied_ms: int, last_ms: int | None, expected_ms: int
) -> None:
    assert expected_ms == first_next_ms(schedule(), applied_ms, last_ms)


def test_recomputed_next_when_some_are_open_then_they_stay_open() -> None:
    state = ScheduleState(next_ms=T0 + 12_345, last_ms=T0, applied_ms=T0 - HOUR)

    assert T0 + 10 * S == recomputed_next_ms(schedule(), state)


TRIGGERS = st.sampled_from(
    [
        {"every": "10s"},
        {"every": "7s", "offset": "3s"},
        {"every": "1m", "jitter": "50s"},
        {"every": "10s", "jitter": "10s"},
        {"cron": "*/2 * * * *"},
        {"cron": "*/3 * * * *", "second": "0,20", "jitter": "15s"},
        {"any": [{"every": "35s"}, {"every": "1m", "offset": "5s"}], "jitter": "30s"},
        {"every": "20s", "end": "2026-01-01T00:07:00Z"},
        {"every": "1m", "exclude": ["2025-12-31"]},
        {"at": "2026-01-01T00:01:00Z"},
    ]
)
INSTANTS = st.integers(min_value=T0 - 300 * S, max_value=T0 + 900 * S)


@settings(max_examples=400, deadline=None)
@given(
    trigger=TRIGGERS,
    begin_ms=INSTANTS,
    now_ms=INSTANTS,
    applied_ms=st.just(0) | INSTANTS,
    policy=st.sampled_from(CatchUp),
    grace_ms=st.integers(min_value=0, max_value=60 * S),
    window_ms=st.integers(min_value=0, max_value=600 * S),
    max_catch_up=st.integers(min_value=0, max_value=6),
    paused=st.booleans(),
    paused_ms=st.none() | INSTANTS,
    resumed_ms=st.none() | INSTANTS,
    absent_ms=st.none() | INSTANTS,
)
def test_plan_when_anything_then_each_instant_is_decided_once_and_by_the_rules(
    trigger: dict[str, Any],
    begin_ms: int,
    now_ms: int,
    applied_ms: int,
    policy: CatchUp,
    grace_ms: int,
    window_ms: int,
    max_catch_up: int,
    paused: bool,
    paused_ms: int | None,
    resumed_ms: int | None,
    absent_ms: int | None,
) -> None:
    given_schedule = schedule(
        trigger,
        catch_up=policy,
        grace_ms=grace_ms,
        catch_up_window_ms=window_ms,
        max_catch_up=max_catch_up,
    )
    timetable = given_schedule.timetable
    state = ScheduleState(
        next_ms=timetable.next_nominal_ms(begin_ms),
        applied_ms=applied_ms,
        paused=paused,
        paused_ms=paused_ms,
        resumed_ms=resumed_ms,
    )
    instants = list(timetable.between(begin_ms + 1, now_ms + 200 * S))

    found = plan(given_schedule, state, now_ms, beat_absent_since_ms=absent_ms)

    expected = verdicts(given_schedule, state, now_ms, instants, absent_ms)
    assert expected == spread_out(found, timetable_instants=instants)
    assert_linked(found, state.next_ms)
    left_open = instants[len(expected) :]
    assert (left_open[0] if left_open else found.next_ms) == found.next_ms
    if found.next_ms is not None:
        assert timetable.due_ms(found.next_ms) == found.next_due_ms


def spread_out(found: Plan, timetable_instants: list[int]) -> list[tuple[int, str]]:
    verdict_of: list[tuple[int, str]] = []
    for decision in found.decisions:
        if isinstance(decision, Fire):
            verdict_of.append((decision.nominal_ms, CAUGHT_UP if decision.caught_up else FIRE))
            continue
        inside = [
            at_ms for at_ms in timetable_instants if decision.first_ms <= at_ms <= decision.last_ms
        ]
        assert decision.count_is_exact
        assert len(inside) == decision.count
        assert inside[0] == decision.first_ms
        assert inside[-1] == decision.last_ms
        verdict_of += [(at_ms, str(decision.reason)) for at_ms in inside]
    return verdict_of


def assert_linked(found: Plan, next_ms: int | None) -> None:
    for decision in found.decisions:
        assert next_ms == decision.first_ms
        next_ms = decision.next_ms
    assert found.next_ms == next_ms


@settings(max_examples=100, deadline=None)
@given(
    trigger=TRIGGERS,
    policy=st.sampled_from(CatchUp),
    nows=st.lists(INSTANTS, min_size=1, max_size=6).map(sorted),
    carried_out=st.lists(st.integers(min_value=0, max_value=5), min_size=6, max_size=6),
    max_runs=st.none() | st.integers(min_value=1, max_value=8),
)
def test_plan_when_carried_out_in_parts_then_no_instant_twice_and_none_lost(
    trigger: dict[str, Any],
    policy: CatchUp,
    nows: list[int],
    carried_out: list[int],
    max_runs: int | None,
) -> None:
    given_schedule = schedule(trigger, catch_up=policy, max_runs=max_runs)
    timetable = given_schedule.timetable
    state = ScheduleState(next_ms=first_next_ms(given_schedule, T0 - 300 * S))
    decided: list[int] = []

    for now_ms, portion in zip(nows, carried_out, strict=False):
        # A beat carries out some of its plan and dies.
        for decision in islice(plan(given_schedule, state, now_ms).decisions, portion):
            decided += timetable.between(decision.first_ms, last_of(decision))
            runs = state.runs + isinstance(decision, Fire)
            state = replace(state, next_ms=decision.next_ms, runs=runs)

    assert sorted(set(decided)) == decided
    assert list(islice(timetable.between(T0 - 300 * S + 1, nows[-1]), len(decided))) == decided
    assert max_runs is None or state.runs <= max_runs


def last_of(decision: Decision) -> int:
    return decision.nominal_ms if isinstance(decision, Fire) else decision.last_ms


def test_reasons_when_listed_then_each_can_be_given() -> None:
    assert {
        "no_beat",
        "late",
        "paused",
        "outside_window",
        "over_maximum",
        "before_applied",
    } == set(MissedReason)


def test_plan_when_one_is_due_then_cheap() -> None:
    one = schedule()
    state = ScheduleState(next_ms=T0)
    best_s = 1.0

    for _ in range(5):
        begin = perf_counter()
        for _ in range(200):
            plan(one, state, T0 + 1)
        best_s = min(best_s, (perf_counter() - begin) / 200)

    # Measured: 4 µs. Beat makes some hundred plans a second.
    assert 100 > best_s * 1e6
