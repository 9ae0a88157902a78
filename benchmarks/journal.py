"""
The file of a comparison: each value is in it as soon as it has been measured.

A run that is cut off keeps what it had; ``--resume`` goes on behind it. What has failed is tried
again, and with ``--calmer`` also what was measured while the machine was slow.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.comparing import Measured
from benchmarks.machine import Calibration
from benchmarks.plan import Step
from benchmarks.report import CALM


def measured_in(record: dict[str, Any]) -> list[Measured]:
    """What a kept comparison has measured."""
    found = []
    for one in record["measured"]:
        speed = one.get("calibration")
        loop_ms = one.get("loop_ms") or speed["loop_ms"]
        calibration = Calibration(**speed) if speed else None
        found.append(Measured(**{**one, "calibration": calibration, "loop_ms": loop_ms}))
    return found


class Journal:
    """
    Values as they come.

    Args:
        path: The JSON file; None keeps nothing.
        facts: Machine, server, versions, settings.
        earlier: Values of the run that this one goes on with.
        again_busy: Measure again what was measured while the machine was slow; of the two values
            the calmer one is kept.
    """

    def __init__(
        self, path: Path | None, facts: dict[str, Any], earlier: Iterable[Measured] = (),
        *, again_busy: bool = False,
    ) -> None:  # fmt: skip
        self.facts = facts
        self._path = path
        self._found: dict[tuple[str, str, str, int], Measured] = {}
        for one in earlier:
            self._found[_key(one)] = one
        quickest = min((one.loop_ms for one in self._found.values()), default=0.0)
        self._slowest_ms = CALM * quickest if again_busy else math.inf

    @property
    def found(self) -> list[Measured]:
        """All values so far."""
        return list(self._found.values())

    @property
    def done(self) -> dict[tuple[str, str, str, int], float]:
        """What need not be measured again, and how long it took."""
        return {
            key: one.took_s
            for key, one in self._found.items()
            if not one.has_failed and one.loop_ms <= self._slowest_ms
        }

    def has(self, step: Step) -> bool:
        """Whether a value of this step is there."""
        return step.key in self.done

    def add(self, measured: Measured) -> None:
        """Write one down, and the file anew."""
        before = self._found.get(_key(measured))
        if before is None or before.value is None or _is_calmer(measured, before):
            self._found[_key(measured)] = measured
        if self._path is not None:
            self._path.parent.mkdir(exist_ok=True, parents=True)
            made = datetime.now().astimezone().isoformat(timespec="seconds")
            measures = [one.record() for one in self._found.values()]
            record = {"made": made, **self.facts, "measured": measures}
            # Renamed into place: a run that is killed here leaves the file before it.
            fresh = self._path.with_suffix(".part")
            fresh.write_text(json.dumps(record, indent=1, default=str) + "\n")
            os.replace(fresh, self._path)


def read(path: Path) -> dict[str, Any]:
    """A kept comparison."""
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def _is_calmer(one: Measured, before: Measured) -> bool:
    return one.value is not None and one.loop_ms <= before.loop_ms


def _key(measured: Measured) -> tuple[str, str, str, int]:
    return measured.cell, measured.name, measured.form, measured.round
