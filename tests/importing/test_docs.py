"""docs/importing.md shows what is really written, and names every source."""

from __future__ import annotations

import re
from pathlib import Path

from beatline_schedules.importing import Source, render
from tests.importing.conftest import Import

PAGE = (Path(__file__).parents[2] / "docs" / "importing.md").read_text("utf-8")

CRONTAB = """PATH=/usr/local/bin:/usr/bin:/bin

15 2 * * * /usr/local/bin/backup.sh --full
"""


def test_page_when_its_example_is_imported_then_the_output_is_the_same(bring: Import) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None

    imported = bring("crontab", CRONTAB, title="crontab shop.cron", timezone="Europe/Berlin")

    assert example[1] == render(imported)


def test_page_when_a_source_is_known_then_it_has_an_example() -> None:
    assert all(f"--from {source} " in PAGE for source in Source)
