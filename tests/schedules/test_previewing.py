"""A preview shows fire times in order, with local times, remarks and herds."""

from __future__ import annotations

from datetime import UTC, datetime

from beatline_schedules import preview
from tests.schedules.conftest import Examine

HOUR_MS = 3_600_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_preview_when_a_count_is_given_then_so_many_of_each_in_order(
    examine_text: Examine,
) -> None:
    schedules = examine_text(
        "schedules: {a: {task: t, every: 40s}, b: {task: t, every: 60s}, c: {task: t, every: 1w}}"
    ).schedules

    shown = preview(schedules, from_ms=0, count=2)

    assert [("a", 0), ("b", 0), ("c", 0), ("a", 40_000), ("b", 60_000), ("c", 604_800_000)] == [
        (row.name, row.nominal_ms) for row in shown.rows
    ]
    assert not shown.is_cut


def test_preview_when_an_end_is_given_then_rows_and_load_stop_there(examine_text: Examine) -> None:
    schedules = examine_text(
        "schedules: {a: {task: t, every: 20m}, b: {task: t, every: 1h}, "
        "late: {task: t, at: 2030-01-01}, rest: {task: t, every: 1s, paused: true}}"
    ).schedules

    shown = preview(schedules, from_ms=0, to_ms=2 * HOUR_MS - 1)

    assert 8 == len(shown.rows)
    assert [(0, 4, 2, 0), (HOUR_MS, 4, 2, HOUR_MS)] == [
        (hour.start_ms, hour.fires, hour.peak, hour.peak_ms) for hour in shown.load
    ]
    assert ["rest"] == shown.paused
    assert ["late"] == shown.silent


def test_preview_when_clocks_change_then_local_time_and_remark_tell(examine_text: Examine) -> None:
    schedules = examine_text(
        "schedules: {a: {task: t, cron: 30 2 * * *, timezone: Europe/Berlin}}"
    ).schedules

    spring = preview(schedules, from_ms=ms("2026-03-28T12:00"), count=2).rows
    autumn = preview(schedules, from_ms=ms("2026-10-24T12:00"), count=2).rows

    assert "2026-03-29T03:00:00+02:00" == spring[0].local.isoformat()
    assert spring[0].remark
    assert "" == spring[1].remark
    assert "2026-10-25T02:30:00+02:00" == autumn[0].local.isoformat()
    assert autumn[0].remark
    assert "2026-10-26T02:30:00+01:00" == autumn[1].local.isoformat()


def test_preview_when_there_is_jitter_then_the_load_counts_when_jobs_are_due(
    examine_text: Examine,
) -> None:
    schedules = examine_text("schedules: {a: {task: t, every: 1h, jitter: 30m}}").schedules

    row = preview(schedules, from_ms=0, count=1).rows[0]

    assert 0 == row.nominal_ms
    assert 0 < row.due_ms < HOUR_MS // 2


def test_preview_when_a_schedule_ends_after_some_runs_then_no_more_are_shown(
    examine_text: Examine,
) -> None:
    schedules = examine_text("schedules: {a: {task: t, every: 1s, max_runs: 3}}").schedules

    assert 3 == len(preview(schedules, from_ms=0).rows)


def test_preview_when_there_is_too_much_then_the_earliest_are_kept(examine_text: Examine) -> None:
    schedules = examine_text(
        "schedules: {a: {task: t, every: 1s}, b: {task: t, every: 1ms}}"
    ).schedules

    shown = preview(schedules, from_ms=0, to_ms=HOUR_MS, limit=1000)

    assert shown.is_cut
    assert 1000 == len(shown.rows)
    assert 998 == shown.rows[-1].nominal_ms


def test_preview_when_nothing_is_given_then_empty() -> None:
    assert ([], []) == (preview([], from_ms=0).rows, preview([], from_ms=0).load)
