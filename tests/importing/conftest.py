"""What the tests of importers share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beatline.schedule import Schedule
from beatline_schedules import examine
from beatline_schedules.importing import Entry, Imported, import_schedules, render

RoundTrip = Callable[[Imported], dict[str, Schedule]]
Import = Callable[..., Imported]


@pytest.fixture
def round_trip(tmp_path: Path) -> RoundTrip:
    """Writes what was imported to a file and reads it back; the file must have no problems."""

    def run(imported: Imported) -> dict[str, Schedule]:
        path = tmp_path / "imported.yaml"
        path.write_text(render(imported), encoding="utf-8")
        declared = examine([path], environ={})
        assert [] == [str(problem) for problem in declared.problems]
        schedules = {schedule.name: schedule for schedule in declared.schedules}
        assert [entry.name for entry in imported.entries] == list(schedules)
        return schedules

    return run


@pytest.fixture
def bring(round_trip: RoundTrip) -> Import:
    """Imports, and makes sure that the output passes the check."""

    def run(source: str, given: Any, **options: Any) -> Imported:
        imported = import_schedules(source, given, **options)
        round_trip(imported)
        return imported

    return run


def by_name(imported: Imported) -> dict[str, Entry]:
    return {entry.name: entry for entry in imported.entries}


def only(imported: Imported) -> Entry:
    """The one entry, with nothing left out."""
    assert [] == [(one.name, one.reason) for one in imported.left_out]
    (entry,) = imported.entries
    return entry
