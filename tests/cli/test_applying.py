"""``sched schedules plan`` and ``apply``: what is changed, what is refused, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run


def _write(folder: Path, name: str, *schedules: str) -> str:
    lines = "".join(f"\n  {one}: {{task: add, every: 1h}}" for one in schedules)
    (folder / name).write_text(f"schedules:{lines or ' {}'}\n")
    return name


def _sources(run_on: Run) -> dict[str, str]:
    told = run_on("schedules", "list", "--json")
    return {one["name"]: one["source"] for one in json.loads(told.out)}


def test_apply_when_another_file_declares_a_name_then_nothing_is_changed_and_told_who_and_how(
    run_on: Run, short_folder: Path
) -> None:
    run_on("schedules", "apply", _write(short_folder, "theirs.yaml", "nightly"))

    told = run_on("schedules", "apply", _write(short_folder, "ours.yaml", "nightly", "other"))

    assert 1 == told.code
    assert (
        "! nightly: declared by file:theirs.yaml, and here by file:ours.yaml\n"
        "error: nothing was changed: a schedule belongs to another source\n"
        "remedy: rename it, remove it there, or take it over with --take-over\n"
    ) == told.err
    assert {"nightly": "file:theirs.yaml"} == _sources(run_on)


def test_plan_when_schedules_are_put_to_rest_or_let_go_on_then_told_apart(
    run_on: Run, short_folder: Path
) -> None:
    text = "schedules: {{a: {{task: add, every: 1h, paused: {}}}, b: {{task: add, every: 1h}}}}"
    (short_folder / "s.yaml").write_text(text.format("true"))

    new = run_on("schedules", "plan", "s.yaml").out.splitlines()
    run_on("schedules", "apply", "s.yaml")
    (short_folder / "s.yaml").write_text(text.format("false"))
    resumed = run_on("schedules", "apply", "s.yaml").out.splitlines()
    (short_folder / "s.yaml").write_text(text.format("true"))
    paused = run_on("schedules", "plan", "s.yaml", "--json")

    assert "+ a: paused" == new[0]
    assert new[1].startswith("+ b: next ")
    assert resumed[0].startswith("~ a: resume")
    assert (["paused"], True) == (
        json.loads(paused.out)[0]["fields"],
        json.loads(paused.out)[0]["paused"],
    )


def test_apply_when_the_same_file_from_another_directory_then_told_where_to_go(
    run_on: Run, short_folder: Path
) -> None:
    (short_folder / "deep").mkdir()
    file = _write(short_folder / "deep", "s.yaml", "nightly")
    run_on("schedules", "apply", f"deep/{file}")

    planned = run_on("schedules", "plan", file, folder=short_folder / "deep")
    told = run_on("schedules", "apply", file, folder=short_folder / "deep")

    assert (1, 1) == (planned.code, told.code)
    assert "! nightly: declared by file:deep/s.yaml, and here by file:s.yaml" in planned.out
    remedy = (
        "remedy: if file:deep/s.yaml is the same file: sources are paths from the working "
        "directory; go there where it was applied before, or take it over with --take-over"
    )
    assert [remedy, remedy] == [one.err.splitlines()[-1] for one in (planned, told)]


def test_apply_when_taking_over_then_the_schedules_are_the_files_own(
    run_on: Run, short_folder: Path
) -> None:
    run_on("schedules", "apply", _write(short_folder, "theirs.yaml", "nightly", "theirs"))
    ours = _write(short_folder, "ours.yaml", "nightly", "other")
    planned = run_on("schedules", "plan", "--take-over", ours)

    told = run_on("schedules", "apply", "--take-over", ours)

    assert (0, 0) == (planned.code, told.code), told.err
    assert "~ nightly: taken over from file:theirs.yaml" in told.out
    assert {
        "nightly": "file:ours.yaml",
        "other": "file:ours.yaml",
        "theirs": "file:theirs.yaml",
    } == _sources(run_on)


def test_plan_when_another_source_is_in_the_way_then_told_before_anything_is_tried(
    run_on: Run, short_folder: Path
) -> None:
    run_on("schedules", "apply", _write(short_folder, "theirs.yaml", "nightly"))

    told = run_on("schedules", "plan", _write(short_folder, "ours.yaml", "nightly"))

    assert 1 == told.code
    assert "! nightly: declared by file:theirs.yaml" in told.out
    assert "take them over with --take-over" in told.err


def test_apply_when_code_declares_a_name_then_the_file_does_not_overwrite_it(
    run_on: Run, short_folder: Path, app_file: Path
) -> None:
    put = app_file.with_name("put.py")
    put.write_text(
        app_file.read_text() + '\napp.schedules.put("nightly", "add", every="1h")\n',
        encoding="utf-8",
    )
    run_on("call", "-A", "put.py:app", "add")
    ours = _write(short_folder, "ours.yaml", "nightly")

    told = run_on("schedules", "apply", ours)
    taken = run_on("schedules", "apply", "--take-over", ours)
    back = run_on("call", "-A", "put.py:app", "add")

    assert "! nightly: declared by code, and here by file:ours.yaml" in told.err
    assert 0 == taken.code
    assert "schedule 'nightly' is declared by file:ours.yaml" in back.err
    assert {"nightly": "file:ours.yaml"} == _sources(run_on)


def test_files_when_a_queue_is_nearly_one_of_the_apps_then_a_remark_tells_and_nothing_stops(
    run_on: Run, short_folder: Path, app_file: Path
) -> None:
    (short_folder / "s.yaml").write_text(
        "schedules: {a: {task: add, every: 1h, queue: defualt}, b: {task: add, every: 1h}}\n"
    )

    checked = run_on("schedules", "check", "-A", "app.py:app", "s.yaml")
    applied = run_on("schedules", "apply", "-A", "app.py:app", "s.yaml")

    remark = 's.yaml:1:46: queue "defualt" is not in use so far – did you mean "default"?'
    assert (0, 0) == (checked.code, applied.code)
    assert remark in checked.out
    assert f"warning: {remark}" in applied.err


def test_apply_when_arguments_do_not_fit_the_task_then_nothing_is_changed(
    run_on: Run, short_folder: Path, app_file: Path
) -> None:
    (short_folder / "s.yaml").write_text(
        "schedules:\n"
        "  fine: {task: add, every: 1h}\n"
        "  more: {task: add, every: 1h, args: [1, 2, 3]}\n"
        "  name: {task: nap, every: 1h, kwargs: {second: 1}}\n"
    )

    told = run_on("schedules", "apply", "-A", "app.py:app", "s.yaml")

    assert 2 == told.code
    assert "3:45: " in told.err
    assert 'task "nap" takes no argument "second" – did you mean "seconds"?' in told.err
    assert 'task "nap" needs the argument "seconds"' in told.err
    assert {} == _sources(run_on)
