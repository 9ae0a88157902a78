"""Whether things happened when they were planned, by the journal's clock."""

from __future__ import annotations

import time

from tests.faults.system import System


def assert_on_time(one: System, within_s: float) -> None:
    """Each occurrence of a schedule began at most so long after its fire time, and not before."""
    # Who is interrupted between the two readings finds less than there is.
    offset_s = max(time.time() - time.monotonic() for _ in range(20))
    late_s: dict[str, float] = {}
    for event in one.journal.of("start"):
        if "@" in event.key:
            planned_s = int(event.key.rpartition("@")[2]) / 1000
            late_s.setdefault(event.key, event.at_ns / 1e9 + offset_s - planned_s)
    latest = max(late_s, key=lambda key: late_s[key])
    one.row.remarks.append(f"latest occurrence {late_s[latest] * 1000:.0f} ms")
    assert late_s[latest] < within_s * one.strain, (latest, late_s[latest])
    # Wall clock and monotonic clock are read one after the other.
    assert min(late_s.values()) > -0.005


def assert_countdowns_kept(one: System, within_s: float) -> None:
    """Each job with a countdown began at most so long after its instant, and not before."""
    begun: dict[str, int] = {}
    for event in one.journal.of("start"):
        begun.setdefault(event.key, event.at_ns)
    late_s = {
        event.key: (begun[event.key] - event.at_ns) / 1e9 - event.fence / 1000
        for event in one.journal.of("planned")
        if event.key in begun
    }
    assert late_s
    latest = max(late_s, key=lambda key: late_s[key])
    one.row.remarks.append(f"latest countdown {late_s[latest] * 1000:.0f} ms")
    assert late_s[latest] < within_s * one.strain, (latest, late_s[latest])
    # The server counts in ms of the wall clock, whose rate is adjusted.
    assert min(late_s.values()) > -0.002, min(late_s.items(), key=lambda pair: pair[1])
