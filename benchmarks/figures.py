"""A figure beside its goal: what ``main_job`` prints and keeps."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from benchmarks.machine import Calibration

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value is held against, such as ``>= 8000``."""

    comparison: str
    limit: float

    def is_met_by(self, value: float) -> bool:
        """Whether a value meets it."""
        return _COMPARISONS[self.comparison](value, self.limit)

    def __str__(self) -> str:
        return f"{self.comparison} {self.limit:,.10g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One measured value.

    Attributes:
        name: What was measured.
        value: The median of the rounds, or the only one.
        unit: Of the value.
        goal: What it is held against, if anything.
        details: Everything else worth keeping: rounds, percentiles, counts.
        calibration: The machine's speed beside it.
    """

    name: str
    value: float
    unit: str
    goal: Goal | None = None
    details: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return None if self.goal is None else self.goal.is_met_by(self.value)

    def line(self) -> str:
        """One line for people."""
        verdict = {True: "met", False: "MISSED", None: ""}[self.is_met]
        goal = str(self.goal) if self.goal else ""
        extras = "  ".join(f"{key}={_short(value)}" for key, value in self.details.items())
        value = f"{_short(self.value):>12} {self.unit:<7}"
        return f"{self.name:<46}{value}{goal:>12}  {verdict:<7}{extras}"

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **asdict(self),
            "goal": str(self.goal) if self.goal else None,
            "is_met": self.is_met,
        }


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if isinstance(value, list):
        return "[" + ", ".join(_short(one) for one in value) + "]"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
