"""From YAML files to what is live: which schedules a set of files is in charge of."""

from __future__ import annotations

from pathlib import Path

import pytest

from beatline.declared import DeclaredSet
from beatline_schedules import load_declarations
from beatline_schedules.applying import declared_set
from tests.beat.stage import Stage


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, names in files.items():
        lines = "".join(f"\n  {one}: {{task: noop, every: 10s}}" for one in names.split())
        (folder / f"{name}.yaml").write_text(f"schedules:{lines or ' {}'}\n")


def _declared(*paths: Path | str) -> DeclaredSet:
    return declared_set(load_declarations(paths), paths)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of schedules below the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schedules").mkdir()
    return Path("schedules")


def _live(stage: Stage) -> dict[str, str]:
    return {name: stored.source for name, stored in sorted(stage.books.read_all().items())}


def test_apply_when_a_folder_is_applied_then_sources_are_relative_paths(
    stage: Stage, folder: Path
) -> None:
    _write(folder, a="one two", b="three")

    _declared(folder).apply(stage.books)

    assert {
        "one": "file:schedules/a.yaml",
        "three": "file:schedules/b.yaml",
        "two": "file:schedules/a.yaml",
    } == _live(stage)


def test_apply_when_a_file_left_the_folder_then_its_schedules_go(
    stage: Stage, folder: Path
) -> None:
    _write(folder, a="one", b="two")
    _declared(folder).apply(stage.books)
    (folder / "a.yaml").rename(folder / "c.yaml")
    (folder / "b.yaml").unlink()

    applied = _declared(folder).apply(stage.books)

    assert {"one": "file:schedules/c.yaml"} == _live(stage)
    assert {} == applied.refused


def test_apply_when_one_file_of_two_is_applied_then_the_others_schedules_stay(
    stage: Stage, folder: Path
) -> None:
    _write(folder, a="one two", b="three")
    _declared(folder).apply(stage.books)
    _write(folder, a="two", b="")

    _declared(folder / "a.yaml").apply(stage.books)

    assert ["three", "two"] == list(_live(stage))


def test_apply_when_a_file_declares_an_empty_set_then_its_schedules_go(
    stage: Stage, folder: Path
) -> None:
    _write(folder, a="one")
    _declared(folder / "a.yaml").apply(stage.books)
    _write(folder, a="")

    _declared(folder / "a.yaml").apply(stage.books)

    assert {} == _live(stage)


def test_apply_when_the_working_directory_is_the_folder_then_works_too(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(folder, a="one", b="two")
    monkeypatch.chdir(folder)
    _declared(".").apply(stage.books)
    Path("b.yaml").unlink()

    _declared(".").apply(stage.books)

    assert {"one": "file:a.yaml"} == _live(stage)


def test_plan_when_another_file_owns_a_name_then_tells_and_leaves_it(
    stage: Stage, folder: Path, tmp_path: Path
) -> None:
    _write(folder, a="one")
    _write(tmp_path / "elsewhere", b="one")
    _declared(folder).apply(stage.books)

    applied = _declared("elsewhere").apply(stage.books)

    assert {"one": "declared by file:schedules/a.yaml"} == applied.refused
    assert {"one": "file:schedules/a.yaml"} == _live(stage)
