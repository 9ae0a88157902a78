"""Schedule files: what counts as a change, and when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beatline_schedules.file_changes import FileChanges


def _looks(changes: FileChanges, count: int = 3) -> list[bool]:
    """What looks in a row say, the first at once after a change."""
    found = []
    for _ in range(count):
        found.append(changes.has_changed())
        if found[-1]:
            changes.note_read()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text("schedules: {}\n")
    return tmp_path


def test_files_when_nothing_happens_then_no_change(folder: Path) -> None:
    changes = FileChanges([folder])
    changes.note_read()

    assert [False, False, False] == _looks(changes)


def test_files_when_a_file_is_written_then_changed_once_it_is_at_rest(folder: Path) -> None:
    changes = FileChanges([folder / "a.yaml"])
    changes.note_read()
    (folder / "a.yaml").write_text("schedules: {b: {}}\n")

    assert [False, True, False] == _looks(changes)


def test_files_when_a_file_is_still_being_written_then_waits(folder: Path) -> None:
    changes = FileChanges([folder])
    changes.note_read()
    found = []

    for size in range(3):
        (folder / "a.yaml").write_text("x" * (100 + size))
        found.append(changes.has_changed())

    assert [False, False, False] == found
    assert [True, False, False] == _looks(changes)


def test_files_when_another_file_takes_its_place_then_changed(folder: Path) -> None:
    changes = FileChanges([folder])
    changes.note_read()
    before = (folder / "a.yaml").stat()
    (folder / "new").write_text("schedules: []\n")
    os.utime(folder / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / "new").replace(folder / "a.yaml")

    assert [False, True, False] == _looks(changes)


@pytest.mark.parametrize("act", ["add", "remove"])
def test_files_when_a_folders_files_come_and_go_then_changed(folder: Path, act: str) -> None:
    (folder / "b.yaml").write_text("")
    changes = FileChanges([folder])
    changes.note_read()
    (folder / "c.yaml").write_text("") if act == "add" else (folder / "b.yaml").unlink()

    assert [False, True, False] == _looks(changes)


def test_files_when_a_named_file_vanishes_for_a_moment_then_no_change(folder: Path) -> None:
    changes = FileChanges([folder / "a.yaml"])
    changes.note_read()
    (folder / "a.yaml").rename(folder / "away")
    first = changes.has_changed()
    (folder / "away").rename(folder / "a.yaml")
    os.utime(folder / "a.yaml", ns=(1, 1))

    assert not first
    assert [False, True, False] == _looks(changes)


def test_files_when_it_changed_while_it_was_read_then_changed_again(folder: Path) -> None:
    changes = FileChanges([folder])
    (folder / "a.yaml").write_text("schedules: {while: {}}\n")
    changes.note_read()

    assert [False, True, False] == _looks(changes)


def test_files_when_a_calendar_changes_then_changed(folder: Path) -> None:
    calendar = folder / "holidays.ics"
    calendar.write_text("BEGIN")
    changes = FileChanges([folder])
    changes.note_read([calendar])
    calendar.write_text("BEGIN:VCALENDAR")

    assert [False, True] == [changes.has_changed(), changes.has_changed()]


def test_files_when_a_calendar_is_named_no_more_then_its_changes_are_none(folder: Path) -> None:
    calendar = folder / "holidays.ics"
    changes = FileChanges([folder])
    changes.note_read([calendar])
    changes.note_read([])
    calendar.write_text("BEGIN:VCALENDAR")

    assert [False, False, False] == _looks(changes)
