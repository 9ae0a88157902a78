"""Schedules through time: what fires, what is skipped and missed, on a real server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from beatline import App
from beatline.errors import InvalidScheduleFile, InvalidTrigger, WrongUse
from beatline.schedule import Schedule
from beatline.store.schedule_reading import last_absence
from beatline.testing import Fate, TimeMachine
from beatline.testing.fixtures import MakeTimeMachine
from beatline.triggers import build_timetable
from beatline.units import instant_ms
from tests.testing.conftest import Write

BERLIN = ZoneInfo("Europe/Berlin")


def test_machine_when_it_runs_over_a_change_of_the_clocks_then_fires_are_as_the_rules_say(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write('night: {task: t, cron: "30 2 * * *", timezone: Europe/Berlin}')
    clock = time_machine(schedules=[path], start="2026-03-28")

    clock.run_until("2026-03-31")

    clock.assert_fires("night", ["2026-03-28 02:30", "2026-03-29 03:00", "2026-03-30 02:30"])
    expected = [
        datetime(2026, 3, 28, 2, 30, tzinfo=BERLIN),
        datetime(2026, 3, 29, 3, 0, tzinfo=BERLIN),
        datetime(2026, 3, 30, 2, 30, tzinfo=BERLIN),
    ]
    assert expected == clock.fire_times("night")
    assert "2026-03-31T02:30:00+02:00" == str(clock.next_fire("night")).replace(" ", "T")


def test_machine_when_it_runs_then_its_end_is_included_and_its_start_is_not(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    clock = time_machine(schedules=[write("it: {task: t, every: 1h}")], start="2026-03-01")

    clock.run_until("2026-03-01 02:00")
    first = clock.fire_times("it")
    clock.advance("59m")
    second = clock.fire_times("it")
    clock.advance(60)

    assert [1, 2] == [moment.hour for moment in first]
    assert first == second
    assert [1, 2, 3] == [moment.hour for moment in clock.fire_times("it")]
    assert datetime(2026, 3, 1, 3, tzinfo=UTC) == clock.now


@pytest.mark.parametrize("jobs", ["over", "end"])
def test_machine_when_schedules_are_of_every_kind_then_they_fire_as_their_timetables_say(
    time_machine: MakeTimeMachine, write: Write, jobs: str
) -> None:
    path = write(
        """
        a: {task: t, cron: "*/20 * * * *", second: "5,50"}
        b: {task: t, every: 7m, offset: spread}
        c: {task: t, calendar: {days: 2, at: "02:30"}, timezone: America/New_York}
        d: {task: t, at: "2026-03-08T12:00:00Z"}
        e: {task: t, rrule: "FREQ=HOURLY;BYMINUTE=15,45"}
        f: {task: t, any: [{cron: "0 * * * *"}, {every: 45m}], exclude: [sat]}
        g: {task: t, every: 30m, jitter: 29m, overlap: allow}
        h: {task: t, cron: "0 * * * *", start: "2026-03-08T10:00:00Z", end: "2026-03-08T12:00:00Z"}
        """
    )
    clock = time_machine(schedules=[path], start="2026-03-07", jobs=jobs)

    clock.run_until("2026-03-08 18:00")

    from_ms = instant_ms(datetime(2026, 3, 7, tzinfo=UTC))
    for name in "abcdefgh":
        timetable = clock.schedules.get(name).schedule.timetable  # type: ignore[union-attr]
        nominal = timetable.between(from_ms + 1, instant_ms(clock.now))
        due = [at_ms for at_ms in nominal if timetable.due_ms(at_ms) <= instant_ms(clock.now)]
        fires = clock.fires(name)
        assert due == [one.nominal_ms for one in fires]
        assert all(one.enqueued_ms == one.planned_ms for one in fires if name != "g")
    clock.assert_all_fired()


def test_machine_when_it_is_split_into_many_runs_then_nothing_changes(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write('a: {task: t, cron: "*/7 * * * *"}\nb: {task: t, every: 13m, max_runs: 20}')
    whole = time_machine(schedules=[path], start="2026-03-01")
    whole.run_until("2026-03-02")
    expected = [whole.occurrences(name) for name in "ab"]
    whole.__exit__(None, None, None)

    parts = time_machine(schedules=[path], start="2026-03-01")
    for _ in range(24 * 4):
        parts.advance("15m")

    assert expected == [parts.occurrences(name) for name in "ab"]
    assert 20 == len(expected[1])
    assert parts.next_fire("b") is None


def test_machine_when_runs_are_limited_then_exactly_so_many_fire(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write("a: {task: t, every: 1m, max_runs: 700}\nb: {task: t, every: 2m}")
    clock = time_machine(schedules=[path], start="2026-03-01")

    clock.run_until("2026-03-02")

    clock.assert_count("a", 700)
    clock.assert_count("b", 720)


def test_machine_when_there_are_more_events_than_a_ledger_keeps_then_none_is_lost(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    clock = time_machine(schedules=[write("it: {task: t, every: 10s}")], start="2026-03-01")

    clock.advance("6h")

    clock.assert_count("it", 2160)
    assert 200 == len(clock.schedules.history("it"))


# --- overlap ------------------------------------------------------------------------------------


def test_machine_when_jobs_take_longer_than_the_interval_then_overlap_decides(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write(
        """
        skips: {task: t, every: 1h}
        allows: {task: t, every: 1h, overlap: allow}
        quick: {task: t, every: 1h}
        """
    )
    takes = {"skips": "90m", "allows": "90m"}
    clock = time_machine(schedules=[path], start="2026-03-01", takes=takes)

    clock.advance("6h")

    assert [1, 3, 5] == [moment.hour for moment in clock.fire_times("skips")]
    clock.assert_count("allows", 6)
    clock.assert_count("quick", 6)
    fates = [one.fate for one in clock.occurrences("skips")]
    assert [Fate.ENDED, Fate.SKIPPED, Fate.ENDED, Fate.SKIPPED, Fate.FIRED, Fate.SKIPPED] == fates
    first, second = clock.occurrences("skips")[:2]
    assert first.job_id == second.in_the_way
    assert 90 * 60_000 == first.run_ms


def test_machine_when_occurrences_wait_for_earlier_jobs_then_they_have_their_turn(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write(
        """
        one: {task: t, every: 1h, overlap: buffer_one}
        all: {task: t, every: 1h, overlap: buffer_all}
        cancels: {task: t, every: 1h, overlap: cancel_running}
        """
    )
    clock = time_machine(schedules=[path], start="2026-03-01", takes="150m")
    midnight_ms = instant_ms(clock.now)

    clock.advance("9h")

    def hours(name: str) -> list[tuple[float | None, str]]:
        return [
            (one.started_ms and (one.started_ms - midnight_ms) / 3_600_000, str(one.outcome))
            for one in clock.fires(name)
            if one.outcome
        ]

    in_turn = [(1.0, "SUCCESS"), (3.5, "SUCCESS"), (6.0, "SUCCESS")]
    assert (in_turn, in_turn) == (hours("one"), hours("all"))
    assert 4 == sum(one.fate is Fate.SKIPPED for one in clock.occurrences("one"))
    assert 9 == len(clock.fires("all"))
    assert [(float(hour), "CANCELLED") for hour in range(1, 9)] == hours("cancels")


def test_machine_when_a_job_ends_as_the_next_begins_then_it_is_not_in_the_way(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write("it: {task: t, every: 1h}")
    clock = time_machine(schedules=[path], start="2026-03-01", takes="1h")

    clock.advance("10h")

    clock.assert_count("it", 10)


def test_machine_when_durations_are_worked_out_then_fire_times_tell_them_apart(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    def takes(name: str, fire_time: datetime) -> timedelta:
        assert "it" == name
        return timedelta(minutes=90 if fire_time.hour == 2 else 1)

    path = write("it: {task: t, every: 1h}")
    clock = time_machine(schedules=[path], start="2026-03-01", takes=takes)

    clock.advance("5h")

    assert [1, 2, 4, 5] == [moment.hour for moment in clock.fire_times("it")]


def test_machine_when_jobs_wait_then_they_are_in_the_way_until_they_are_run(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    app = App("shop")
    app.task(name="t")(lambda: None)
    path = write("it: {task: t, every: 1h}")
    clock = time_machine(app=app, schedules=[path], start="2026-03-01", jobs="wait")

    clock.advance("2h")
    clock.run_jobs()
    clock.advance("2h")

    assert [1, 3] == [moment.hour for moment in clock.fire_times("it")]


# --- outages and pauses -------------------------------------------------------------------------


def test_machine_when_no_beat_is_up_then_catching_up_is_as_declared(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write(
        """
        latest: {task: t, every: 30m}
        none: {task: t, every: 30m, catch_up: none}
        all: {task: t, every: 30m, catch_up: all, catch_up_window: 75m, overlap: allow}
        """
    )
    clock = time_machine(schedules=[path], start="2026-03-01")
    clock.down("2026-03-01 01:10", "2026-03-01 03:10")

    clock.run_until("2026-03-01 04:00")

    clock.assert_fires("none", [f"2026-03-01 {at}" for at in ("00:30", "01:00", "03:30", "04:00")])
    clock.assert_fires(
        "latest", [f"2026-03-01 {at}" for at in ("00:30", "01:00", "03:00", "03:30", "04:00")]
    )
    clock.assert_fires(
        "all",
        [
            f"2026-03-01 {at}"
            for at in ("00:30", "01:00", "02:00", "02:30", "03:00", "03:30", "04:00")
        ],
    )
    caught_up = [one for one in clock.fires("latest") if one.is_caught_up]
    assert [10 * 60_000] == [one.lateness_ms for one in caught_up]
    missed = [one for one in clock.occurrences("none") if one.fate is Fate.MISSED]
    assert [("no_beat", 4)] == [(one.reason, one.count) for one in missed]
    with pytest.raises(AssertionError) as failure:
        clock.assert_all_fired("none", "latest")
    assert (
        "none: Sun 2026-03-01 01:30:00 UTC to Sun 2026-03-01 03:00:00 UTC, 4 times: missed: no_beat"
        in str(failure.value)
    )


def test_machine_when_an_outage_ends_then_the_watch_knows_of_it(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    clock = time_machine(schedules=[write("it: {task: t, every: 1d}")], start="2026-03-01")
    clock.down("2026-03-01 01:00", "2026-03-01 02:00")

    clock.run_until("2026-03-01 03:00")

    begin = instant_ms(datetime(2026, 3, 1, 1, tzinfo=UTC))
    absence = clock.app.sender().ask(
        lambda connection: last_absence(
            connection, f"{{{clock.app.settings.namespace}:0}}:".encode()
        )
    )
    assert (begin, begin + 3_600_000) == absence


def test_machine_when_an_outage_lies_in_the_past_then_it_refuses(
    time_machine: MakeTimeMachine,
) -> None:
    clock = time_machine(start="2026-03-01")

    with pytest.raises(WrongUse, match="does not lie in the future"):
        clock.down("2026-02-28", "2026-03-02")
    with pytest.raises(WrongUse, match="does not lie in the future"):
        clock.down("2026-03-03", "2026-03-02")


@pytest.mark.parametrize("jobs", ["over", "end"])
def test_machine_when_a_schedule_is_paused_then_it_rests_until_it_is_resumed(
    time_machine: MakeTimeMachine, write: Write, jobs: str
) -> None:
    path = write("it: {task: t, every: 1h}\nother: {task: t, every: 1h}")
    clock = time_machine(schedules=[path], start="2026-03-01", jobs=jobs)

    clock.advance("2h")
    clock.schedules.pause("it", "holiday")
    resting = clock.next_fire("it")
    clock.advance("150m")
    clock.schedules.resume("it")
    clock.advance("90m")

    assert resting is None
    assert [1, 2, 5, 6] == [moment.hour for moment in clock.fire_times("it")]
    missed = [one for one in clock.occurrences("it") if one.fate is Fate.MISSED]
    assert [("paused", 2)] == [(one.reason, one.count) for one in missed]
    clock.assert_count("other", 6)


# --- changes ------------------------------------------------------------------------------------


def test_machine_when_a_file_is_changed_and_applied_then_the_rest_runs_as_it_says(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write("it: {task: t, every: 1h}\ngone: {task: t, every: 1h}")
    clock = time_machine(schedules=[path], start="2026-03-01")
    clock.advance("2h")
    write("it: {task: t, every: 30m}\nnew: {task: t, every: 1h}")

    applied = clock.apply(path)
    clock.advance("1h")

    assert applied is not None
    assert {} == applied.refused
    assert [(1, 0), (2, 0), (2, 30), (3, 0)] == [
        (moment.hour, moment.minute) for moment in clock.fire_times("it")
    ]
    clock.assert_count("new", 1)
    with pytest.raises(WrongUse, match="there is no schedule 'gone' – there are: it, new"):
        clock.fires("gone")


def test_machine_when_code_declares_schedules_then_they_run_too(
    time_machine: MakeTimeMachine,
) -> None:
    made = Schedule("made", "t", build_timetable({"every": "1h"}, "made"))
    clock = time_machine(schedules=[made], start="2026-03-01")
    clock.advance("90m")

    clock.schedules.put("put", "t", every="30m")
    clock.advance("1h")

    assert [1, 2] == [moment.hour for moment in clock.fire_times("made")]
    assert [(2, 0), (2, 30)] == [(moment.hour, moment.minute) for moment in clock.fire_times("put")]


def test_machine_when_a_file_has_problems_then_it_does_not_start(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    app = App("shop")
    app.task(name="billing.close")(lambda: None)

    with pytest.raises(InvalidScheduleFile, match=r'did you mean "billing\.close"'):
        time_machine(app=app, schedules=[write("it: {task: billing.clos, every: 1h}")])


# --- around it ----------------------------------------------------------------------------------


def test_machine_when_it_is_over_then_the_server_holds_nothing_of_it(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    clock = time_machine(schedules=[write("it: {task: t, every: 1h}")], start="2026-03-01")
    namespace, url = clock.app.settings.namespace, clock.app.settings.redis
    clock.advance("1d")

    clock.__exit__(None, None, None)

    with TimeMachine(url=url) as other:
        keys = other.app.sender().ask(lambda connection: connection.call("KEYS", "*"))
    assert not [key for key in keys if namespace.encode() in key]
    with pytest.raises(WrongUse, match="is not on"):
        clock.advance(1)
    with pytest.raises(WrongUse, match="is not on"):
        clock.fires("it")


def test_machine_when_no_server_is_named_then_it_brings_its_own(write: Write) -> None:
    with TimeMachine(schedules=[write("it: {task: t, every: 1h}")], start="2026-03-01") as clock:
        clock.advance("1d")
        clock.assert_count("it", 24)


def test_machine_when_time_is_to_go_back_then_it_refuses(time_machine: MakeTimeMachine) -> None:
    clock = time_machine(start="2026-03-02")

    with pytest.raises(WrongUse, match="cannot go back to 2026-03-01"):
        clock.run_until("2026-03-01")


def test_machine_when_a_moment_has_no_zone_then_it_is_the_apps(
    time_machine: MakeTimeMachine,
) -> None:
    clock = time_machine(app=App("shop", timezone="Asia/Tokyo"), start="2026-03-01")
    named = clock.now
    clock.run_until(datetime(2026, 3, 1, tzinfo=UTC))

    assert datetime(2026, 2, 28, 15, tzinfo=UTC) == named
    assert datetime(2026, 3, 1, tzinfo=UTC) == clock.now
    with pytest.raises(InvalidTrigger, match="run_until"):
        clock.run_until("tomorrow")


def test_assertions_when_they_fail_then_they_tell_what_happened(
    time_machine: MakeTimeMachine, write: Write
) -> None:
    path = write("it: {task: t, every: 1h, timezone: Europe/Berlin}")
    clock = time_machine(schedules=[path], start="2026-03-01")
    clock.advance("3h")

    with pytest.raises(AssertionError) as wrong:
        clock.assert_fires("it", ["2026-03-01 02:00", "2026-03-01 02:30", "2026-03-01 03:00"])
    with pytest.raises(AssertionError) as count:
        clock.assert_count("it", 2)
    clock.assert_fires(
        "it", ["2026-03-01T03:00:00+01:00"], since="2026-03-01 02:30", until="2026-03-01 03:59"
    )

    assert (
        "1 missing (-), 1 unexpected (+), 2 as expected (=)\n"
        "  = Sun 2026-03-01 02:00:00 CET (01:00:00Z)\n"
        "  - Sun 2026-03-01 02:30:00 CET (01:30:00Z)  no fire time of it\n"
        "  = Sun 2026-03-01 03:00:00 CET (02:00:00Z)\n"
        "  + Sun 2026-03-01 04:00:00 CET (03:00:00Z)"
    ) in str(wrong.value)
    assert str(count.value).startswith("schedule 'it' fired 3 times, not 2:\n  Sun 2026-03-01 02")
