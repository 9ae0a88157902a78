"""
The short table of README from kept comparisons: ``python -m benchmarks.summary FILE.json ...``.

One row per cell: ours, the best of the others that acknowledge, and Celery in its better form, with
the calibration loop beside ours and beside the best other's. Rows that we lose are marked. Later
files add to earlier ones; of one cell and contender the calmer values count.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cells import Cell
from benchmarks.comparing import Measured
from benchmarks.journal import measured_in, read
from benchmarks.own_cells import CELLS
from benchmarks.report import OURS, Row, number_text, ratio_text, rows_of


def short_table(found: Sequence[Measured]) -> str:
    """A Markdown table, one row per cell."""
    lines = [
        "| work | Beatline | best other with acks | we are better by | Celery | by | loop, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in CELLS:
        rows = rows_of(cell, found)
        ours = next((row for row in rows if row.name == OURS), None)
        if ours is not None:
            lines.append(
                _line(cell, ours, [row for row in rows if row.name != OURS and not row.is_floor])
            )
    return "\n".join(lines)


def _line(cell: Cell, ours: Row, others: Sequence[Row]) -> str:
    best = next((row for row in others if row.acks), None)
    celery = next((row for row in others if row.name == "Celery"), None)
    title = f"{cell.title} [{cell.unit}]"
    if any(_is_ahead(cell, row, ours) for row in others):
        ahead = ", ".join(_named(row) for row in others if _is_ahead(cell, row, ours))
        title += f"; **lost** to {ahead}"
    told = [
        title,
        number_text(ours.middle),
        "" if best is None else _named(best),
        "" if best is None else ratio_text(cell, ours.middle, best.middle),
        "" if celery is None else number_text(celery.middle),
        "" if celery is None else ratio_text(cell, ours.middle, celery.middle),
        f"{ours.loop_ms:.0f}" + ("" if best is None else f" / {best.loop_ms:.0f}"),
    ]
    return f"| {' | '.join(told)} |"


def _is_ahead(cell: Cell, row: Row, ours: Row) -> bool:
    return row.middle > ours.middle if cell.better == "more" else row.middle < ours.middle


def _named(row: Row) -> str:
    return f"{row.label} {number_text(row.middle)}"


def _about(record: dict[str, Any]) -> str:
    machine = record["machine"]
    facts = [
        record["made"][:10],
        record["server"],
        f"{machine['cores']} cores of {machine['processor']}",
        f"Python {machine['python']}",
        f"scale {record['scale']}",
        *(f"{name} {version}" for name, version in record["versions"].items()),
    ]
    return ", ".join(facts)


def main() -> int:
    """Print the table, and what it was measured on."""
    found: list[Measured] = []
    for name in sys.argv[1:]:
        record = read(Path(name))
        found += measured_in(record)
        print(f"{Path(name).name}: {_about(record)}")
    print("\n" + short_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
