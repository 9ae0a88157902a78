"""
What a figure depends on besides the code: the machine, its speed now, and what processes cost.

The machine's speed changes from minute to minute where its cores are shared with others. So a
calibration stands beside each cell: a Python loop that touches nothing, and PINGs to the same
server. Cells are comparable where their calibrations are alike.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    The machine's speed beside one cell.

    Attributes:
        loop_ms: 300,000 rounds of an empty-handed Python loop; best of three.
        ping_us: One PING by redis-py; mean of 500, best of three.
        load: Runnable processes, mean of the last minute (ours included).
    """

    loop_ms: float
    ping_us: float
    load: float


def calibrate(client: redis.Redis) -> Calibration:
    """Measure the machine's speed now; takes about 0.3 s."""
    loop_s = min(_timed_loop() for _ in range(3))
    ping_s = min(_timed_pings(client) for _ in range(3))
    return Calibration(round(loop_s * 1000, 2), round(ping_s * 1e6, 1), os.getloadavg()[0])


def _timed_loop() -> float:
    begun = time.perf_counter()
    total = 0
    for number in range(300_000):
        total += number & 7
    return time.perf_counter() - begun


def _timed_pings(client: redis.Redis) -> float:
    begun = time.perf_counter()
    for _ in range(500):
        client.ping()
    return (time.perf_counter() - begun) / 500


def described() -> dict[str, Any]:
    """Processor, cores, memory, system and Python, for reports."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in _lines("/proc/cpuinfo")
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory_kb = next((int(line.split()[1]) for line in _lines("/proc/meminfo")), 0)
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory_kb / 2**20, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def caption(server: str) -> str:
    """One line for the foot of a plot: what, where and when."""
    about = described()
    return f"{about['cores']} cores of {about['processor']}; {server}; {time.strftime('%Y-%m-%d')}"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds used so far and memory (PSS, MB) held now by a set of processes."""

    cpu_s: float
    pss_mb: float
    processes: int


def session_pids(leader: int) -> list[int]:
    """All living processes of the session that this process leads."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        fields = _stat_fields(int(entry.name))
        # Behind the name: state, ppid, pgrp, session.
        if fields and int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def cost_of(leaders: list[int]) -> Cost:
    """What the sessions of these leaders cost, their ended and awaited children included."""
    cpu_ticks, pss_kb, count = 0, 0, 0
    for leader in leaders:
        for pid in session_pids(leader):
            fields = _stat_fields(pid)
            if not fields:
                continue
            # utime, stime, and those of awaited children: fields 14 to 17 of proc(5).
            cpu_ticks += sum(int(fields[at]) for at in range(11, 15))
            pss_kb += _pss_kb(pid)
            count += 1
    return Cost(cpu_ticks / _TICKS_PER_S, round(pss_kb / 1024, 1), count)


def scheduled_s(leaders: list[int]) -> float:
    """CPU seconds of all living threads of these sessions, as the scheduler counts them (ns)."""
    total_ns = 0
    for leader in leaders:
        for pid in session_pids(leader):
            for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    total_ns += int(path.read_text().split()[0])
                except (FileNotFoundError, ProcessLookupError):
                    continue
    return total_ns / 1e9


def _stat_fields(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def _pss_kb(pid: int) -> int:
    try:
        for line in _lines(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    return 0


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
