"""
How strained the machine is: the suite's bounds are promises of the product, not of the machine.

On a machine whose cores are wanted by others, everything takes longer, the product's part included.
Bounds are stretched by this factor, and the table says so.
"""

from __future__ import annotations

import os


def strain() -> float:
    """How many want a core for each that there is, in the last minute's mean; at least 1."""
    return max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0)
