"""
Runs cells for contenders in interleaved rounds, and keeps every single value.

All contenders have their turn before anybody has a second one, so that a slow minute of the
machine hits all alike; a calibration stands beside each value.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from benchmarks.cells import Lab, NotOffered
from benchmarks.machine import Calibration, calibrate
from benchmarks.plan import Step
from benchmarks.sessions import Failed


class Journal(Protocol):
    """Where values are written as they come."""

    def has(self, step: Step) -> bool:
        """Whether a value of this step is there."""
        ...

    def add(self, measured: Measured) -> None:
        """Write one down."""
        ...


@dataclass(frozen=True)
class Measured:
    """
    One value of one cell, contender and round.

    Attributes:
        cell, name, form, round: Which.
        value: None where it is not offered or has failed; ``note`` says why.
        details: What else the cell saw.
        calibration: The machine's speed right before.
        loop_ms: The slower of the calibration loops before and after.
        acks: Whether the contender acknowledges.
        note: Why there is no value.
        server: Version, persistence and socket type of the server.
        took_s: How long all of it took, start and end of processes included.
        is_floor: Whether this is no contender but what is possible.
    """

    cell: str
    name: str
    form: str
    round: int
    value: float | None
    details: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    loop_ms: float = 0.0
    acks: bool = True
    note: str = ""
    server: str = ""
    took_s: float = 0.0
    is_floor: bool = False

    @property
    def has_failed(self) -> bool:
        """Whether it should have a value and has none."""
        return self.note.startswith("failed")

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare(
    lab: Lab, steps: Sequence[Step], journal: Journal, *, budget_s: float = math.inf
) -> bool:
    """
    Measure one step after the other, and write each value down at once.

    A step whose value the journal has already is passed over.

    Args:
        budget_s: No step is begun that is expected to end later than this.

    Returns:
        Whether all steps were measured.
    """
    title, begun = "", time.monotonic()
    for step in steps:
        if journal.has(step):
            continue
        if time.monotonic() - begun + step.expected_s > budget_s:
            return False
        if step.cell.title != title:
            title = step.cell.title
            print(f"\n{title} ({step.cell.unit}, {step.cell.better} is better)", flush=True)
        measured = _measure(lab, step)
        journal.add(measured)
        print(_line(measured), flush=True)
    return True


def _measure(lab: Lab, step: Step) -> Measured:
    begun, contender = time.monotonic(), step.contender
    lab.server.empty()
    calibration = calibrate(lab.server.client)
    value, details, note = None, {}, ""
    try:
        outcome = step.cell.run(lab, contender)
        value, details = outcome.value, outcome.details
    except NotOffered as reason:
        note = f"not offered: {reason}"
    except Failed as failure:
        note = f"failed: {failure}"
    loop_ms = max(calibration.loop_ms, calibrate(lab.server.client).loop_ms)
    return Measured(
        step.cell.name, contender.name, contender.form, step.round, value, details, calibration,
        loop_ms, contender.acks, note, lab.server.described,
        round(time.monotonic() - begun, 2), contender.is_floor,
    )  # fmt: skip


def _line(measured: Measured) -> str:
    label = f"{measured.name} ({measured.form})"
    value = "-" if measured.value is None else f"{measured.value:,.2f}"
    extras = "  ".join(f"{key}={_short(one)}" for key, one in measured.details.items())
    note = measured.note.splitlines()[0][:120] if measured.note else ""
    head = f"  {measured.round + 1}  {label:<22}{value:>12}  loop={measured.loop_ms:.1f}ms"
    return f"{head}  {extras}{note}"


def _short(value: Any) -> str:
    return f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,.0f}"
