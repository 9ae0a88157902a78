"""Figures as files: JSON with everything, and the lines as they were printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks import machine
from benchmarks.figures import Figure


def keep(path: Path, found: Sequence[Figure], server: str) -> None:
    """
    Write figures beside each other as ``.json`` and ``.txt``.

    Args:
        path: The JSON file.
        found: What was measured.
        server: Version and settings of the server.
    """
    record = {
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "server": server,
        "machine": machine.described(),
        "figures": [figure.record() for figure in found],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    lines = [f"{server}; {machine.described()}", *(figure.line() for figure in found)]
    path.with_suffix(".txt").write_text("\n".join(lines) + "\n")
