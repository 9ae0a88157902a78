"""
Cron where clocks change, as explicit tables.

Each row was worked out by hand from the rules of docs/schedules.md and Debian's ``cron.c``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from beatline.triggers import Cron, zone


def fires(expression: str, where: str, around: str, hours: int = 36) -> list[str]:
    """Fire times in UTC within some hours of a moment in UTC, as ``dd HH:MM``."""
    trigger = Cron(expression, timezone=where)
    middle = datetime.fromisoformat(f"{around}+00:00")
    found = []
    moment = trigger.next_after(middle - timedelta(hours=hours))
    while moment is not None and moment <= middle + timedelta(hours=hours):
        found.append(f"{moment:%d %H:%M}")
        moment = trigger.next_after(moment)
    return found


@pytest.mark.parametrize(
    ("where", "around", "expression", "expected"),
    [
        # Berlin, 29 March 2026: 02:00 leaps to 03:00 at 01:00 UTC.
        ("Europe/Berlin", "2026-03-29T01:00", "30 1 * * *", "28 00:30, 29 00:30, 29 23:30"),
        ("Europe/Berlin", "2026-03-29T01:00", "0 2 * * *", "28 01:00, 29 01:00, 30 00:00"),
        ("Europe/Berlin", "2026-03-29T01:00", "30 2 * * *", "28 01:30, 29 01:00, 30 00:30"),
        ("Europe/Berlin", "2026-03-29T01:00", "59 2 * * *", "28 01:59, 29 01:00, 30 00:59"),
        ("Europe/Berlin", "2026-03-29T01:00", "0 3 * * *", "28 02:00, 29 01:00, 30 01:00"),
        # Several skipped times of one schedule make one run, also beside a normal one.
        (
            "Europe/Berlin",
            "2026-03-29T01:00",
            "0,15,45 2 * * *",
            "28 01:00, 28 01:15, 28 01:45, 29 01:00, 30 00:00, 30 00:15, 30 00:45",
        ),
        (
            "Europe/Berlin",
            "2026-03-29T01:00",
            "0 1-4 29 3 *",
            "29 00:00, 29 01:00, 29 02:00",
        ),
        # The skipped wall time's own date counts, not that of the gap's end.
        ("Europe/Berlin", "2026-03-29T01:00", "30 2 29 3 0", "29 01:00"),
        ("Europe/Berlin", "2026-03-29T01:00", "30 2 30 * *", "30 00:30"),
        # Wildcard jobs follow real time: nothing fires in the gap or for it.
        (
            "Europe/Berlin",
            "2026-03-29T01:00",
            "*/20 2 * * *",
            "28 01:00, 28 01:20, 28 01:40, 30 00:00, 30 00:20, 30 00:40",
        ),
        # Written out, the same minutes are a fixed-time job.
        ("Europe/Berlin", "2026-03-29T01:00", "0-59/20 2 29 * *", "29 01:00"),
        # Berlin, 25 October 2026: 03:00 is set back to 02:00 at 01:00 UTC.
        ("Europe/Berlin", "2026-10-25T01:00", "30 2 * * *", "24 00:30, 25 00:30, 26 01:30"),
        ("Europe/Berlin", "2026-10-25T01:00", "0 3 * * *", "24 01:00, 25 02:00, 26 02:00"),
        ("Europe/Berlin", "2026-10-25T01:00", "0 2,3 25 * *", "25 00:00, 25 02:00"),
        (
            "Europe/Berlin",
            "2026-10-25T01:00",
            "*/30 2 25 * *",
            "25 00:00, 25 00:30, 25 01:00, 25 01:30",
        ),
        ("Europe/Berlin", "2026-10-25T01:00", "0-59/30 2 25 * *", "25 00:00, 25 00:30"),
        # New York, 8 March and 1 November 2026.
        ("America/New_York", "2026-03-08T07:00", "30 2 * * *", "07 07:30, 08 07:00, 09 06:30"),
        ("America/New_York", "2026-11-01T06:00", "30 1 * * *", "31 05:30, 01 05:30, 02 06:30"),
        # Lord Howe: 30 minutes. 4 October 2026: 02:00 leaps to 02:30 at 15:30 UTC on the 3rd.
        ("Australia/Lord_Howe", "2026-10-03T15:30", "15 2 * * *", "02 15:45, 03 15:30, 04 15:15"),
        ("Australia/Lord_Howe", "2026-10-03T15:30", "45 2 * * *", "02 16:15, 03 15:45, 04 15:45"),
        # 5 April 2026: 02:00 is set back to 01:30 at 15:00 UTC on the 4th.
        ("Australia/Lord_Howe", "2026-04-04T15:00", "45 1 * * *", "03 14:45, 04 14:45, 05 15:15"),
        # Apia: 30 December 2011 does not exist. Leaps of three hours or more are not made up.
        ("Pacific/Apia", "2011-12-30T10:00", "0 12 * * *", "29 22:00, 30 22:00, 31 22:00"),
        ("Pacific/Apia", "2011-12-30T10:00", "0 12 30 12 *", ""),
        ("Pacific/Apia", "2011-12-30T10:00", "0 0 * * *", "29 10:00, 30 10:00, 31 10:00"),
        # Sao Paulo, 4 November 2018: midnight leaps to 01:00 at 03:00 UTC.
        ("America/Sao_Paulo", "2018-11-04T03:00", "0 0 * * *", "03 03:00, 04 03:00, 05 02:00"),
        ("America/Sao_Paulo", "2018-11-04T03:00", "30 0 4 11 *", "04 03:00"),
        ("America/Sao_Paulo", "2018-11-04T03:00", "30 23 * * *", "03 02:30, 04 02:30, 05 01:30"),
        # 18 February 2018: midnight is set back to 23:00 on the 17th, at 02:00 UTC.
        ("America/Sao_Paulo", "2018-02-18T02:00", "30 23 * * *", "17 01:30, 18 01:30, 19 02:30"),
        ("America/Sao_Paulo", "2018-02-18T02:00", "0 0 * * *", "17 02:00, 18 03:00, 19 03:00"),
        # Casablanca leaves its one hour for Ramadan: 15 February and 22 March 2026, at 02:00 UTC.
        ("Africa/Casablanca", "2026-02-15T02:00", "30 2 * * *", "14 01:30, 15 01:30, 16 02:30"),
        ("Africa/Casablanca", "2026-03-22T02:00", "30 2 * * *", "21 02:30, 22 02:00, 23 01:30"),
        # Troll: two hours. 29 March 2026: 01:00 leaps to 03:00 at 01:00 UTC.
        ("Antarctica/Troll", "2026-03-29T01:00", "30 2 * * *", "28 02:30, 29 01:00, 30 00:30"),
        ("Antarctica/Troll", "2026-03-29T01:00", "15 1,2 29 * *", "29 01:00"),
        ("Antarctica/Troll", "2026-10-25T01:00", "30 1,2 25 * *", "24 23:30, 25 00:30"),
        # Caracas, 1 May 2016: half an hour ahead for good, without daylight saving time.
        ("America/Caracas", "2016-05-01T07:00", "45 2 * * *", "30 07:15, 01 07:00, 02 06:45"),
        # Pyongyang, 15 August 2015: half an hour back at midnight (15:00 UTC on the 14th).
        ("Asia/Pyongyang", "2015-08-14T15:00", "45 23 * * *", "13 14:45, 14 14:45, 15 15:15"),
        # Kathmandu, 1 January 1986: fifteen minutes ahead at midnight (18:30 UTC).
        ("Asia/Kathmandu", "1985-12-31T18:30", "10 0 * * *", "30 18:40, 31 18:30, 01 18:25"),
        # Casey leapt three hours ahead on 4 October 2020 at 00:01 (16:01 UTC on the 3rd): too far
        # to be made up for. On 14 March 2021 at 00:00 it went back three hours (13:00 UTC on the
        # 13th), which still counts as a repetition.
        ("Antarctica/Casey", "2020-10-03T16:01", "0 1 * * *", "02 17:00, 04 14:00"),
        ("Antarctica/Casey", "2020-10-03T16:01", "5 3 * * *", "02 19:05, 03 16:05, 04 16:05"),
        ("Antarctica/Casey", "2021-03-13T13:00", "30 22 * * *", "12 11:30, 13 11:30, 14 14:30"),
        # Vostok went back seven hours on 1 February 1994: the clock starts over, times repeat.
        (
            "Antarctica/Vostok",
            "1994-01-31T17:00",
            "0 20 * * *",
            "30 13:00, 31 13:00, 31 20:00, 01 20:00",
        ),
    ],
)
def test_fires_when_clocks_change_then_these(
    where: str, around: str, expression: str, expected: str
) -> None:
    assert [text for text in expected.split(", ") if text] == fires(expression, where, around)


@pytest.mark.parametrize(
    ("where", "around", "expression", "expected"),
    [
        ("Europe/Berlin", "2026-03-29T01:00", "30 */2 * * *", "28 23:30, 29 02:30"),
        (
            "Europe/Berlin",
            "2026-03-29T01:00",
            "30 * * * *",
            "28 23:30, 29 00:30, 29 01:30, 29 02:30",
        ),
        (
            "America/New_York",
            "2026-11-01T06:00",
            "30 * * * *",
            "01 04:30, 01 05:30, 01 06:30, 01 07:30",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-04T15:00",
            "45 */1 * * *",
            "04 13:45, 04 14:45, 04 15:15, 04 16:15",
        ),
        (
            "Antarctica/Troll",
            "2026-10-25T01:00",
            "30 */1 * * *",
            "24 23:30, 25 00:30, 25 01:30, 25 02:30",
        ),
        ("Antarctica/Troll", "2026-10-25T01:00", "30 1,*/1 * * *", "24 23:30, 25 00:30"),
    ],
)
def test_wildcards_when_clocks_change_then_real_time_counts(
    where: str, around: str, expression: str, expected: str
) -> None:
    assert expected.split(", ") == fires(expression, where, around, hours=2)


def test_next_when_asked_inside_the_second_pass_then_not_repeated() -> None:
    trigger = Cron("30 2 * * *", timezone="Europe/Berlin")
    second_pass = datetime.fromisoformat("2026-10-25T01:10+00:00")

    assert datetime.fromisoformat("2026-10-26T01:30+00:00") == trigger.next_after(second_pass)


def test_next_when_asked_at_the_gaps_end_then_the_next_day() -> None:
    trigger = Cron("30 2 * * *", timezone="Europe/Berlin")
    gap_end = datetime.fromisoformat("2026-03-29T01:00+00:00")

    before = trigger.next_after(gap_end - timedelta(milliseconds=1))
    after = trigger.next_after(gap_end)

    assert gap_end == before
    assert datetime.fromisoformat("2026-03-30T00:30+00:00") == after


def test_seconds_when_skipped_then_one_run_at_the_gaps_end() -> None:
    trigger = Cron("30 2 29 3 *", second="*/10", timezone="Europe/Berlin")
    found = trigger.next_after(datetime.fromisoformat("2026-03-28T00:00+00:00"))
    assert found is not None

    then = trigger.next_after(found)

    assert datetime.fromisoformat("2026-03-29T01:00+00:00") == found
    assert then is not None
    assert 2027 == then.year


@pytest.mark.parametrize(
    ("expression", "fire", "expected"),
    [
        ("30 2 * * *", "2026-03-29T01:00", "02:30 does not exist on this day: fires at 03:00"),
        ("0 3 * * *", "2026-03-29T01:00", ""),
        ("30 2 * * *", "2026-10-25T00:30", "02:30 comes twice on this day: fires in the first"),
        ("30 * * * *", "2026-10-25T00:30", "02:30 comes twice on this day: this is the first pass"),
        ("30 * * * *", "2026-10-25T01:30", "02:30 comes twice on this day: this is the second"),
        ("30 2 * * *", "2026-06-01T00:30", ""),
    ],
)
def test_dst_remark_when_clocks_change_then_says_so(
    expression: str, fire: str, expected: str
) -> None:
    trigger = Cron(expression, timezone="Europe/Berlin")
    fire_ms = int(datetime.fromisoformat(f"{fire}+00:00").timestamp() * 1000)

    assert fire_ms == trigger.next_ms(fire_ms - 1)
    assert trigger.dst_remark(fire_ms).startswith(expected)
    assert bool(expected) == bool(trigger.dst_remark(fire_ms))


def test_zone_when_it_has_no_changes_then_no_remark() -> None:
    trigger = Cron("0 0 * * *", timezone="UTC")

    assert "" == trigger.dst_remark(0)
    assert 1 == len(zone("UTC").starts)
