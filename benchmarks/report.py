"""From measured values to a table with ratios, JSON, and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.cells import Cell
from benchmarks.comparing import Measured
from benchmarks.own_cells import CELLS
from benchmarks.plot import Bar, bar_charts
from benchmarks.statistics_of import median

OURS = "Beatline"

#: Values count whose calibration loops took at most so many times the run's quickest.
CALM = 1.3


@dataclass(frozen=True)
class Row:
    """One contender in one cell: over all rounds."""

    name: str
    form: str
    acks: bool
    middle: float
    best: float
    rounds: int
    calm: int
    loop_ms: float
    columns: tuple[float | None, ...]
    is_floor: bool = False
    server: str = ""

    @property
    def label(self) -> str:
        """Name and form."""
        return self.name if self.name == OURS or self.is_floor else f"{self.name} ({self.form})"


def rows_of(cell: Cell, found: Sequence[Measured]) -> list[Row]:
    """
    The rows of a cell, the best median first.

    Values of moments when the machine was slow are left out where calmer ones exist.
    """
    quickest = min((one.loop_ms for one in found), default=0.0)
    groups: dict[tuple[str, str], list[Measured]] = {}
    for measured in found:
        if measured.cell == cell.name and measured.value is not None:
            groups.setdefault((measured.name, measured.form), []).append(measured)
    rows = []
    for (name, form), group in groups.items():
        calm = [one for one in group if one.loop_ms <= CALM * quickest]
        values = [one.value for one in calm or group if one.value is not None]
        best = max(values) if cell.better == "more" else min(values)
        shown = calm or group
        rows.append(
            Row(
                name,
                form,
                group[0].acks,
                median(values),
                best,
                rounds=len(group),
                calm=len(calm),
                loop_ms=median([one.loop_ms for one in shown]),
                columns=tuple(_detail(shown, key) for key, _ in cell.columns),
                is_floor=group[0].is_floor,
                server=group[0].server,
            )
        )
    return sorted(rows, key=lambda row: row.middle, reverse=cell.better == "more")


def _detail(group: Sequence[Measured], key: str) -> float | None:
    """The median of a detail, or None where nobody has it."""
    values = [one.details[key] for one in group if key in one.details]
    return median(values) if values else None


def table(found: Sequence[Measured]) -> str:
    """
    A Markdown table per cell.

    "Loop" is the calibration loop beside the values that count. The ratio says how many times
    better we are than each row, by medians; below 1 we lose.
    """
    parts = []
    for cell in CELLS:
        rows = rows_of(cell, found)
        if not rows:
            continue
        own = next((row for row in rows if row.name == OURS), None)
        ours = None if own is None else own.middle
        lines = [
            f"### {cell.title}",
            "",
            f"| | median, {cell.unit} | best | Beatline is better by | "
            + "".join(f"{title} | " for _, title in cell.columns)
            + "loop, ms | calm | server |",
            "|---|---|---|---|---|---|" + "---|" * (len(cell.columns) + 1),
        ]
        for row in rows:
            ratio = ratio_text(cell, ours, row.middle)
            mark = "" if row.acks else " ¹"
            mark += "" if is_alike(row, own) else " ²"
            values = f"{number_text(row.middle)} | {number_text(row.best)}"
            calm = f"{row.calm} of {row.rounds}"
            more = "".join(
                f"{'' if value is None else number_text(value)} | " for value in row.columns
            )
            lines.append(
                f"| {row.label}{mark} | {values} | {ratio} | {more}{row.loop_ms:.1f} | {calm} | "
                f"{row.server} |"
            )
        absent = sorted({_absence(one) for one in found if one.cell == cell.name and one.note})
        lines += ["", *absent] if absent else []
        parts.append("\n".join(lines))
    notes = [
        "¹ No acknowledgement: what a dying worker held is lost.",
        "² Measured at another speed of the machine than ours: the calibration loops beside the "
        f"two differ by more than {CALM} times.",
    ]
    return "\n\n".join([*parts, *notes])


def is_alike(row: Row, own: Row | None) -> bool:
    """Whether a row was measured at the same speed of the machine as ours."""
    if own is None:
        return True
    return max(row.loop_ms, own.loop_ms) <= CALM * min(row.loop_ms, own.loop_ms)


def losses(found: Sequence[Measured]) -> list[str]:
    """One line for each row in which somebody is better than we are."""
    lines = []
    for cell in CELLS:
        rows = rows_of(cell, found)
        ours = next((row.middle for row in rows if row.name == OURS), None)
        for row in rows:
            if ours is None or row.name == OURS or row.is_floor:
                continue
            better = row.middle > ours if cell.better == "more" else row.middle < ours
            if better:
                lines.append(
                    f"- {cell.title}: {row.label} {number_text(row.middle)} {cell.unit}, "
                    f"we {number_text(ours)}"
                )
    return lines


def plot(found: Sequence[Measured], caption: str) -> str:
    """An SVG image of all cells, the better form of each contender."""
    charts = []
    for cell in CELLS:
        bars, seen = [], set()
        for row in rows_of(cell, found):
            if row.name not in seen:
                seen.add(row.name)
                bars.append(Bar(row.label, row.middle, row.name == OURS))
        if bars:
            charts.append((cell.title, f"{cell.unit}, {cell.better} is better", bars))
    return bar_charts(charts, caption)


def keep(path: Path, found: Sequence[Measured], facts: dict[str, Any], goals: str) -> None:
    """Write Markdown and SVG beside the JSON file."""
    told = "\n".join(losses(found)) or "Nowhere in these cells."
    path.with_suffix(".md").write_text(
        f"## Goals\n\n{goals}\n\n## Where we lose\n\n{told}\n\n## All rows\n\n{table(found)}\n"
    )
    machine, made = facts["machine"], datetime.now().astimezone().isoformat(timespec="seconds")
    caption = f"{machine['cores']} cores of {machine['processor']}; {facts['server']}; {made[:10]}"
    path.with_suffix(".svg").write_text(plot(found, caption))


def ratio_text(cell: Cell, ours: float | None, theirs: float) -> str:
    """How many times better we are; empty where that cannot be said."""
    if not ours or not theirs:
        return ""
    ratio = ours / theirs if cell.better == "more" else theirs / ours
    return f"{ratio:,.2f}" if ratio < 10 else f"{ratio:,.0f}"


def _absence(measured: Measured) -> str:
    note = measured.note.splitlines()[0][:200]
    return f"{measured.name} ({measured.form}): {note}"


def number_text(value: float) -> str:
    """A value as tables show it."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
