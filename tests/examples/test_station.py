"""The weather station of ``examples/``: each task does its work on this machine."""

from __future__ import annotations

import importlib
import os
import re
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import ModuleType

import pytest

from beatline_schedules import load
from tests.processes import Command
from tests.servers import RedisProcess, eventually

ROOT = Path(__file__).parents[2]


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example's module, with its data in the test's folder."""
    monkeypatch.setenv("STATION_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    for name in ("app", "drawing"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("app")
    for name in ("app", "drawing"):
        sys.modules.pop(name, None)


@pytest.fixture
def worker(tmp_path: Path, redis_server: RedisProcess) -> Iterator[Callable[..., Command]]:
    """Starts commands on the example, at the top of the repository."""
    env = {"BEATLINE_REDIS_URL": redis_server.url, "STATION_DATA": str(tmp_path)}
    with ExitStack() as stack:

        def start(*words: str) -> Command:
            command = Command(
                [words[0], "-A", "examples/app.py:app", *words[1:]],
                tmp_path / f"{len(list(tmp_path.glob('*.log')))}.log",
                env=env,
                cwd=ROOT,
            )
            stack.callback(command.close)
            return command

        yield start


def test_probe_when_run_then_keeps_a_sample_between_0_and_1(station: ModuleType) -> None:
    sample = station.probe()

    with closing(sqlite3.connect(station.DATA / "station.db")) as db:
        rows = db.execute("SELECT memory, disk FROM samples").fetchall()
    assert 1 == len(rows)
    assert all(0 <= share <= 1 for share in rows[0])
    assert {"load1", "memory", "disk"} == sample.keys()


def test_report_when_there_are_samples_then_aggregates_and_draws(station: ModuleType) -> None:
    station.probe()

    told = station.report()

    svg = ET.fromstring((station.DATA / "report.svg").read_text())
    lines = svg.findall("{http://www.w3.org/2000/svg}polyline")
    assert (1, 1) == (told["minutes"], told["samples"])
    assert 3 == len(lines)
    assert all(line.attrib["points"] for line in lines)


def test_report_when_there_are_no_samples_then_draws_an_empty_plot(station: ModuleType) -> None:
    station.DATA.mkdir()

    told = station.report()

    assert 0 == told["samples"]
    assert ET.fromstring((station.DATA / "report.svg").read_text()) is not None


def test_backup_when_repeated_then_sound_copies_and_only_the_newest(
    station: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    station.probe()
    for minute in range(4):
        moment = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
        monkeypatch.setattr(station, "planned_instant", lambda at=moment: at)

        station.backup(keep=2)

    names = sorted(path.name for path in (station.DATA / "backups").iterdir())
    assert ["station-20260101T000200Z.db", "station-20260101T000300Z.db"] == names
    with closing(sqlite3.connect(station.DATA / "backups" / names[-1])) as db:
        assert (1,) == db.execute("SELECT count(*) FROM samples").fetchone()


def test_schedules_when_checked_against_the_app_then_sound(station: ModuleType) -> None:
    schedules = load([ROOT / "schedules"], task_names=set(station.app.tasks))

    assert {"probe", "report", "backup"} == {schedule.name for schedule in schedules}


def test_reminder_when_sent_by_the_script_then_written_at_its_eta(
    worker: Callable[..., Command], redis_server: RedisProcess, tmp_path: Path
) -> None:
    worker("worker", "-c", "1", "--beat").wait_for_line("worker.ready")

    subprocess.run(
        [sys.executable, "examples/remind.py", "--in", "1", "tea"],
        cwd=ROOT,
        env={**os.environ, "BEATLINE_REDIS_URL": redis_server.url},
        check=True,
    )

    log = tmp_path / "reminders.log"
    eventually(log.exists, 15, what="the reminder")
    late_ms = re.fullmatch(r"\S+ \+(\d+)ms tea\n", log.read_text())
    assert late_ms is not None
    assert int(late_ms[1]) < 5_000


@pytest.mark.slow
def test_long_job_when_two_workers_wait_then_runs_exactly_once(
    worker: Callable[..., Command], redis_server: RedisProcess, tmp_path: Path
) -> None:
    """90 s under a lease of 5 s: were the lease not renewed, the other worker would take it."""
    worker("beat")
    for _ in range(2):
        worker("worker", "-c", "1").wait_for_line("worker.ready")

    told = subprocess.run(
        [
            *(sys.executable, "-m", "beatline.cli", "call", "-A", "examples/app.py:app"),
            *("long_job", "--wait", "--timeout", "150s"),
        ],
        cwd=ROOT,
        env={**os.environ, "BEATLINE_REDIS_URL": redis_server.url},
        capture_output=True,
        text=True,
    )

    assert 0 == told.returncode, told.stderr
    lines = (tmp_path / "long_job.log").read_text().splitlines()
    assert ["start", "end"] == [line.split()[0] for line in lines]
    assert lines[0].split()[2:] == lines[1].split()[2:]
    assert "delivery=1" in lines[0]
