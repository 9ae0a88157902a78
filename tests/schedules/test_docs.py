"""docs/schedules-yaml.md tells every key, and its example is right."""

from __future__ import annotations

import re
from pathlib import Path

from beatline_schedules.keys import FILE_KEYS, SCHEDULE_KEYS
from beatline_schedules.kinds import CALENDAR_KEYS, RETRY_KEYS
from beatline_schedules.neighbours import ALIASES
from tests.schedules.conftest import Examine

PAGE = Path(__file__).parents[2] / "docs" / "schedules-yaml.md"


def test_page_when_a_key_is_known_then_it_is_told() -> None:
    page = re.sub(r"```.*?```|`` ` ``", "", PAGE.read_text("utf-8"), flags=re.DOTALL)
    told = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", page))))

    missing = {*FILE_KEYS, *SCHEDULE_KEYS, *ALIASES, *CALENDAR_KEYS, *RETRY_KEYS} - told

    assert set() == missing


def test_page_when_its_example_is_read_then_it_has_no_problems(
    examine_text: Examine, tmp_path: Path
) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "outing.ics").write_text("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
    assert example is not None

    declared = examine_text(example[1])

    assert ([], []) == (declared.problems, declared.remarks)
    assert ["nightly-report", "heartbeat", "launch"] == [s.name for s in declared.schedules]
