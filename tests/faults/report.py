"""The table that the fault suite ends with: one row per scenario, printed and kept as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: Environment variable: where the rows go as JSON.
WHERE = "BEATLINE_FAULTS_REPORT"


@dataclass(slots=True)
class Row:
    """
    One scenario.

    Attributes:
        scenario: Its name.
        seed: What its chances were drawn from.
        jobs: Targets: acknowledged jobs and occurrences of schedules.
        lost: Targets without a completed run.
        doubled: Targets with more than one, or with overlapping bodies.
        recovery_s: Worst time until work flowed again; None where nothing stood still.
        limit_s: What that time must stay below.
        remarks: What else is to be said.
        outcome: ``held``, ``broken``, ``not run``.
        took_s: How long the scenario took.
    """

    scenario: str
    seed: int = 0
    jobs: int = 0
    lost: int = 0
    doubled: int = 0
    recovery_s: float | None = None
    limit_s: float | None = None
    remarks: list[str] = field(default_factory=list)
    outcome: str = "broken"
    took_s: float = 0.0


_HEAD = ("scenario", "jobs", "lost", "doubled", "worst recovery", "outcome", "remarks")


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as lines of a Markdown table."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(_HEAD) - 1)]

    def joined(line: Sequence[str]) -> str:
        padded = [text.ljust(width) for text, width in zip(line, widths, strict=False)]
        return "| " + " | ".join([*padded, line[-1]]) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in (*widths, len("remarks"))) + "|"
    return [joined(cells[0]), rule, *(joined(line) for line in cells[1:])]


def keep(rows: Sequence[Row], mode: str, seed: int) -> Path | None:
    """Write the rows where `WHERE` says; None where it says nothing."""
    where = os.environ.get(WHERE)
    if not where:
        return None
    path = Path(where)
    document = {"mode": mode, "seed": seed, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path


def _cells(row: Row) -> tuple[str, ...]:
    if row.outcome == "not run":
        return (row.scenario, "", "", "", "", row.outcome, "; ".join(row.remarks))
    recovery = "" if row.recovery_s is None else f"{row.recovery_s:.2f} s"
    if recovery and row.limit_s is not None:
        recovery += f" (≤ {row.limit_s:g} s)"
    return (
        row.scenario,
        f"{row.jobs:,}",
        str(row.lost),
        str(row.doubled),
        recovery,
        row.outcome,
        "; ".join(row.remarks),
    )
