"""What the tests of schedule files share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beatline_schedules import Declared, examine

Examine = Callable[..., Declared]


@pytest.fixture
def examine_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Examine the text or bytes of one file, called ``s.yaml`` unless told otherwise."""
    monkeypatch.chdir(tmp_path)

    def run(content: str | bytes, name: str = "s.yaml", **known: Any) -> Declared:
        raw = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(raw)
        return examine([name], **{"environ": {}, **known})

    return run


def unmarked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without the marks ⟪, and the lines and columns where they stood."""
    places = []
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        parts = line.split("⟪")
        lines.append("".join(parts))
        column = 1
        for part in parts[:-1]:
            column += len(part)
            places.append((number, column))
    return "\n".join(lines), places
