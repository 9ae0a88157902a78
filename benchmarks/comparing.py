"""
Runs cells for contenders in interleaved rounds, and keeps every single value.

All contenders have their turn before anybody has a second one, so that a slow minute of the
machine hits all alike; a calibration stands beside each value.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.cells import Cell, Lab, NotOffered
from benchmarks.machine import Calibration, calibrate
from benchmarks.roster import Contender
from benchmarks.sessions import Failed


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

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare(
    lab: Lab, cells: list[Cell], contenders: list[Contender], rounds: int
) -> list[Measured]:
    """Measure every cell with every contender so many times."""
    found = []
    for cell in cells:
        print(f"\n{cell.title} ({cell.unit}, {cell.better} is better)", flush=True)
        for turn in range(rounds):
            for contender in contenders:
                measured = _measure(lab, cell, contender, turn)
                found.append(measured)
                print(_line(measured), flush=True)
    return found


def _measure(lab: Lab, cell: Cell, contender: Contender, turn: int) -> Measured:
    lab.server.empty()
    calibration = calibrate(lab.server.client)
    value, details, note = None, {}, ""
    try:
        outcome = cell.run(lab, contender)
        value, details = outcome.value, outcome.details
    except NotOffered as reason:
        note = f"not offered: {reason}"
    except Failed as failure:
        note = f"failed: {failure}"
    loop_ms = max(calibration.loop_ms, calibrate(lab.server.client).loop_ms)
    return Measured(cell.name, contender.name, contender.form, turn, value, details,
                    calibration, loop_ms, contender.acks, note)  # fmt: skip


def _line(measured: Measured) -> str:
    label = f"{measured.name} ({measured.form})"
    value = "-" if measured.value is None else f"{measured.value:,.2f}"
    extras = "  ".join(f"{key}={_short(one)}" for key, one in measured.details.items())
    note = measured.note.splitlines()[0][:120] if measured.note else ""
    head = f"  {measured.round + 1}  {label:<22}{value:>12}  loop={measured.loop_ms:.1f}ms"
    return f"{head}  {extras}{note}"


def _short(value: Any) -> str:
    return f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,.0f}"
