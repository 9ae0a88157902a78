"""Intervals as the file format writes them."""

from __future__ import annotations

from datetime import timedelta
from math import isfinite

from beatline.units import duration_ms, duration_text
from beatline_schedules.importing.entry import Unsupported


def interval_text(value: float | timedelta, what: str) -> str:
    """
    A duration of at least a millisecond: ``1m30s``.

    Args:
        value: Seconds, or a timedelta.
        what: What it is, for the reason why it was left out.

    Raises:
        Unsupported: It is shorter, or no duration.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not isfinite(seconds) or seconds < 0.001:
        raise Unsupported(f"{what} of {seconds:g} s is too short")
    return duration_text(duration_ms(seconds))
