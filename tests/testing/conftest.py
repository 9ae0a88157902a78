"""The fixtures under test, on a server that the whole folder shares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from beatline.testing.fixtures import (  # noqa: F401 - fixtures
    beatline_app,
    beatline_server,
    time_machine,
)

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes schedules below ``schedules:`` into one file, and gives its path."""

    def run(schedules: str) -> Path:
        path = tmp_path / "schedules.yaml"
        indented = "\n".join(f"  {line}" for line in dedent(schedules).strip().splitlines())
        path.write_text(f"schedules:\n{indented}\n", encoding="utf-8")
        return path

    return run
