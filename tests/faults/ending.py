"""The end of a scenario's processes: in order, and with nobody left behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.processes import Command, descendants


def end_in_order(commands: Sequence[Command]) -> list[str]:
    """TERM for commands; what is wrong with how they end, and whom they leave behind."""
    problems = []
    for command in commands:
        name = f"sched {' '.join(command.arguments)}"
        if command.process.poll() is not None:
            problems.append(f"{name} had ended by itself: {command.output[-1500:]}")
            continue
        family = descendants(command.pid)
        code = command.terminate(40)
        if code != 0:
            problems.append(f"{name} ended with {code}: {command.output[-1500:]}")
        orphans = [pid for pid in family if lives(pid)]
        if orphans:
            problems.append(f"{name} left {orphans} behind")
        before, raised, rest = command.output.partition("Traceback")
        if raised:
            problems.append(f"{name} raised: {before[-1000:]}{raised}{rest[:3000]}")
    return problems


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
