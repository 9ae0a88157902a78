"""``sched beat --watch``: edits go live, broken ones are told and change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.processes import Command
from tests.servers import RedisProcess, eventually

Sched = Callable[..., Command]


@pytest.fixture
def watching(sched: Sched, app_file: Path, redis_server: RedisProcess) -> Callable[..., Command]:
    """Starts a beat that watches the folder ``s``, with one file in it."""

    def start(*words: str) -> Command:
        _write(app_file.parent, "one: {task: add, every: 1h}")
        beat = sched(
            *("beat", "-A", "app.py:app", "--schedules", "s", "--watch", *words),
            BEATLINE_REDIS_URL=redis_server.url,
        )
        beat.wait_for_line("beat.declared added=1")
        return beat

    return start


def _write(folder: Path, *schedules: str) -> None:
    (folder / "s").mkdir(exist_ok=True)
    lines = "".join(f"\n  {one}" for one in schedules)
    (folder / "s" / "a.yaml").write_text(f"schedules:{lines or ' {}'}\n")


def _live(run_on: Run) -> list[str]:
    return sorted(one["name"] for one in json.loads(run_on("schedules", "list", "--json").out))


def test_beat_when_a_watched_file_is_edited_then_the_change_is_live_and_fires(
    watching: Callable[..., Command], run_on: Run, short_folder: Path
) -> None:
    beat = watching()

    _write(short_folder, "two: {task: add, every: 500ms, overlap: allow}")
    beat.wait_for_line("beat.schedules_changed files=1 schedules=1", 5)
    beat.wait_for_line("beat.declared added=1 changed=0 removed=1", 5)

    assert ["two"] == _live(run_on)
    eventually(lambda: "job" in run_on("jobs", "list").out.splitlines()[-1])
    assert "0 jobs" not in run_on("jobs", "list").out
    assert 0 == beat.terminate()


def test_beat_when_an_edit_is_broken_then_problems_are_told_and_the_last_good_set_stays(
    watching: Callable[..., Command], run_on: Run, short_folder: Path
) -> None:
    beat = watching()

    _write(short_folder, "two: {task: ad, every: 1h}", 'three: {task: add, cron: "61 * * * *"}')
    beat.wait_for_line("beat.schedules_broken problems=2", 5)
    live = _live(run_on)
    _write(short_folder, "two: {task: add, every: 1h}")
    beat.wait_for_line("beat.declared added=1 changed=0 removed=1", 5)

    assert 's/a.yaml:2:15: unknown task "ad" – did you mean "add"?' in beat.output
    assert "s/a.yaml:3:29: " in beat.output
    assert ["one"] == live
    assert ["two"] == _live(run_on)


def test_beat_when_a_file_joins_and_leaves_the_folder_then_its_schedules_come_and_go(
    watching: Callable[..., Command], run_on: Run, short_folder: Path
) -> None:
    beat = watching()

    (short_folder / "s" / "b.yaml").write_text("schedules: {more: {task: add, every: 1h}}\n")
    beat.wait_for_line("beat.schedules_changed files=2 schedules=2", 5)
    eventually(lambda: _live(run_on) == ["more", "one"])
    (short_folder / "s" / "b.yaml").unlink()
    beat.wait_for_line("beat.declared added=0 changed=0 removed=1", 5)

    assert ["one"] == _live(run_on)


def test_beat_when_all_files_leave_the_folder_then_nothing_is_removed(
    watching: Callable[..., Command], run_on: Run, short_folder: Path
) -> None:
    beat = watching()

    (short_folder / "s" / "a.yaml").unlink()
    beat.wait_for_line("beat.schedules_broken problems=1", 5)

    assert "the folder holds no *.yaml or *.yml file" in beat.output
    assert ["one"] == _live(run_on)


def test_up_when_a_watched_file_is_edited_then_the_change_is_live(
    sched: Sched, app_file: Path, run: Run, redis_server: RedisProcess
) -> None:
    _write(app_file.parent, "one: {task: add, every: 1h}")
    place = {"BEATLINE_REDIS_URL": redis_server.url}
    words = ("up", "-A", "app.py:app", "--schedules", "s", "--watch", "-c", "1", "--no-view")
    up = sched(*words, **place)
    up.wait_for_line("beat.declared added=1")

    _write(app_file.parent, "two: {task: add, every: 1h}")
    up.wait_for_line("beat.declared added=1 changed=0 removed=1", 5)

    assert 0 == up.terminate()


def test_watch_when_no_files_are_named_then_told_as_wrong_use(run_on: Run) -> None:
    told = run_on("beat", "--watch")

    assert 2 == told.code
    assert "--watch without schedule files – name them with --schedules" in told.err
