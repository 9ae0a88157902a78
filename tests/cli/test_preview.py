"""``sched schedules preview``: spans, what DST does, and herds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

FILE = """\
defaults: {timezone: Europe/Berlin}
schedules:
  night: {task: t, cron: "30 2 * * *"}
  hourly: {task: t, every: 1h}
  herd: {task: t, every: 1h}
  resting: {task: t, every: 1h, paused: true}
  past: {task: t, at: "2020-01-01T00:00:00"}
"""


@pytest.fixture
def file(short_folder: Path) -> str:
    (short_folder / "s.yaml").write_text(FILE)
    return "s.yaml"


def test_preview_when_a_span_is_given_then_all_of_it_is_told_with_what_dst_does(
    run: Run, file: str
) -> None:
    words = ("--from", "2026-03-29T00:30:00", "--to", "2026-03-29T02:00:00")

    told = run("schedules", "preview", file, *words)

    rows = [line.split() for line in told.out.splitlines()[1:6]]
    assert ["herd", "hourly", "night"] == sorted(row[5] for row in rows[:3])
    assert {"2026-03-29T01:00:00.000+00:00"} == {row[4] for row in rows[:3]}
    assert 5 == len(rows)
    assert "02:30 does not exist on this day: fires at 03:00" in told.out
    assert "resting: paused\npast: does not fire then\n" in told.out


def test_preview_when_load_is_asked_for_then_hours_and_herds_of_a_day_are_counted(
    run: Run, file: str
) -> None:
    told = run("schedules", "preview", file, "--load", "--from", "2026-03-28T00:00:00")

    lines = told.out.splitlines()
    assert ["Sat", "2026-03-28", "00:00", "2", "2", "00:00:00"] == lines[1].split()[:6]
    assert ["Sat", "2026-03-28", "01:00", "3", "2", "01:00:00", "#" * 40] == lines[2].split()
    assert 24 == sum("2026-03-28" in line for line in lines)
    assert "49 jobs; at most 2 in one second, first at Sat 00:00:00" in told.out


def test_preview_when_json_is_asked_for_then_rows_and_load_are_in_it(run: Run, file: str) -> None:
    words = ("--from", "2026-03-28T01:00:00", "--to", "2026-03-28T01:59:59", "--json")

    told = json.loads(run("schedules", "preview", file, *words).out)

    assert 3 == len(told["fire_times"])
    assert [3] == [hour["jobs"] for hour in told["load"]]
    assert (["resting"], ["past"], False) == (told["paused"], told["silent"], told["is_cut"])


def test_preview_when_moments_are_written_as_elsewhere_then_read_alike(
    run: Run, short_folder: Path
) -> None:
    (short_folder / "six.yaml").write_text("schedules: {six: {task: add, every: 6h}}\n")

    short = run(
        "schedules", "preview", "six.yaml", "--from", "2026-03-28T06:00", "--to", "2026-03-28"
    )
    offset = run("schedules", "preview", "six.yaml", "-n1", "--from", "2026-03-28T01:00:00+02:00")
    wrong = run("schedules", "preview", "six.yaml", "--from", "28.3.2026")

    assert [f"2026-03-28T{hour}:00:00.000+00:00" for hour in ("06", "12", "18")] == [
        word for word in short.out.split() if word.endswith("+00:00")
    ]
    assert "2026-03-28T00:00:00.000+00:00" in offset.out
    assert (2, True) == (wrong.code, "--from '28.3.2026' is not a moment" in wrong.err)


def test_preview_when_its_end_lies_before_its_start_then_told(run: Run, file: str) -> None:
    told = run("schedules", "preview", file, "--from", "2026-03-28", "--to", "2026-03-27")

    assert 2 == told.code
    assert "--to lies before --from" in told.err
