"""
Which contender is measured in which cell, in which rounds, and how long all of it takes.

Ours, and the better form of each peer, are measured in every round. What costs minutes and decides
nothing is measured once: the default forms where the better form is the one that we are held
against, and the cells whose length is fixed (``Cell.peer_rounds``). The report says of each row
how many rounds it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cells import Cell
from benchmarks.roster import Contender

#: Default forms that a goal names, or that readers know best: how many rounds they have.
YARDSTICKS = {
    ("drain", "Celery", "default"): 100,
    ("drain-stored", "Celery", "default"): 1,
    ("idle", "Celery", "default"): 1,
    # Solo workers run what is due between their other work: prefork may be the better form here.
    ("eta", "Celery", "default"): 1,
    ("burst", "Celery", "default"): 1,
}


@dataclass(frozen=True)
class Step:
    """One value to be measured."""

    cell: Cell
    contender: Contender
    round: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells it from all others."""
        return self.cell.name, self.contender.name, self.contender.form, self.round

    @property
    def expected_s(self) -> float:
        """How long it takes on two quiet cores, roughly."""
        seconds = self.cell.seconds
        is_ours = self.contender.environment == "ours"
        typical = seconds.get("ours" if is_ours else "peer", seconds["peer"])
        return seconds.get(self.contender.label, seconds.get(self.contender.name, typical))


def plan(
    cells: Sequence[Cell], contenders: Sequence[Contender], rounds: int, *, is_even: bool = False
) -> list[Step]:
    """
    All steps in their order: cell by cell, and within a cell everybody before anybody's second.

    Args:
        cells: Which.
        contenders: Who.
        rounds: How often at most.
        is_even: Measure everybody in every round, and both forms.
    """
    return [
        Step(cell, contender, turn)
        for cell in cells
        for turn in range(rounds)
        for contender in contenders
        if turn < rounds_of(cell, contender, rounds, is_even=is_even)
    ]


def rounds_of(cell: Cell, contender: Contender, rounds: int, *, is_even: bool = False) -> int:
    """How many rounds this contender has in this cell; 0 if it takes no part."""
    if contender.cells is not None and cell.name not in contender.cells:
        return 0
    if cell.names and contender.name not in cell.names:
        return 0
    if contender.environment == "ours":
        return min(rounds, cell.own_rounds or rounds)
    if yardstick := YARDSTICKS.get((cell.name, contender.name, contender.form)):
        return min(rounds, yardstick)
    most = rounds if is_even else min(rounds, cell.peer_rounds or rounds)
    if contender.form != "default" or is_even:
        return most
    is_told_apart = cell.default_form == "timing" and contender.times_apart
    return min(1, most) if cell.default_form == "once" or is_told_apart else 0


def table(steps: Sequence[Step], done: Mapping[tuple[str, str, str, int], float]) -> str:
    """
    One line per cell: how many values, how long they take, and what is left of it.

    Args:
        steps: The plan.
        done: Steps that have been measured, and how long each took.
    """
    lines = [f"{'cell':<16}{'values':>7}{'expected':>10}{'done':>6}{'took':>8}  who, and rounds"]
    total = left = 0.0
    for cell in dict.fromkeys(step.cell.name for step in steps):
        own = [step for step in steps if step.cell.name == cell]
        expected = sum(step.expected_s for step in own)
        took = [done[step.key] for step in own if step.key in done]
        rest = sum(step.expected_s for step in own if step.key not in done)
        total, left = total + expected, left + rest
        lines.append(
            f"{cell:<16}{len(own):>7}{expected:>8.0f} s{len(took):>6}{sum(took):>6.0f} s  "
            f"{_who(own)}"
        )
    lines.append(
        f"{'all':<16}{len(steps):>7}{total:>8.0f} s = {total / 60:.0f} min; "
        f"left {left / 60:.0f} min"
    )
    return "\n".join(lines)


def _who(steps: Sequence[Step]) -> str:
    rounds: dict[str, int] = {}
    for step in steps:
        is_only_form = step.contender.environment == "ours" or step.contender.form == "tuned"
        label = step.contender.name if is_only_form else step.contender.label
        rounds[label] = rounds.get(label, 0) + 1
    by_rounds: dict[int, list[str]] = {}
    for label, count in rounds.items():
        by_rounds.setdefault(count, []).append(label)
    return "; ".join(f"{count}x {', '.join(labels)}" for count, labels in by_rounds.items())
