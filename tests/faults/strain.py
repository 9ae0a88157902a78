"""
How strained the machine is: the suite's bounds are promises of the product, not of the machine.

On a machine whose cores are wanted by others, everything takes longer, the product's part included.
So it does on one whose host gives it less than whole cores, which no load average shows. Bounds are
stretched by this factor, and the table says so.
"""

from __future__ import annotations

import os
import time

#: What the empty loop takes on the machine for which the bounds were set, ms: when it is calm.
_CALM_MS = 10.0
_ROUNDS = 300_000


def strain() -> float:
    """
    How much more than calm the machine is taken: at least 1.

    The larger of how many want a core for each that there is, in the last minute's mean, and how
    much longer than usual a loop takes that touches nothing.
    """
    wanted = os.getloadavg()[0] / (os.cpu_count() or 1)
    return max(wanted, min(_loop_ms() for _ in range(3)) / _CALM_MS, 1.0)


def _loop_ms() -> float:
    begun = time.perf_counter()
    for _ in range(_ROUNDS):
        pass
    return (time.perf_counter() - begun) * 1_000
