"""The command lines of companions, from what their parent was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from beatline.cli.wanted import Wanted
from beatline.units import duration_text

#: Options of the worker that are passed on, with what says nothing.
_DURATIONS: Final = ("grace", "time_limit", "soft_time_limit", "give_up")
_TEXTS: Final = (
    "concurrency",
    "children",
    "queues",
    "pool",
    "name",
    "max_tasks_per_child",
    "max_memory_per_child",
    "health",
    "health_file",
)


def beat_arguments(wanted: Wanted, paths: Sequence[str], *, watch: bool = False) -> list[str]:
    """What follows ``sched`` for a beat."""
    files = [f"--schedules={path}" for path in paths]
    return ["beat", *_place(wanted), *files, *(["--watch"] if watch else [])]


def worker_arguments(wanted: Wanted, limits: Mapping[str, Any]) -> list[str]:
    """What follows ``sched`` for a worker; ``limits`` are options by parameter name."""
    words = ["worker", *_place(wanted)]
    for name in _DURATIONS:
        if limits.get(name) is not None:  # 0 says something: no grace, never give up
            words.append(f"--{name.replace('_', '-')}={duration_text(limits[name])}")
    for name in _TEXTS:
        if limits.get(name):
            words.append(f"--{name.replace('_', '-')}={limits[name]}")
    if limits.get("autoscale"):
        words.append("--autoscale={},{}".format(*limits["autoscale"]))
    return words


def _place(wanted: Wanted) -> list[str]:
    words = []
    if wanted.app:
        words.append(f"--app={wanted.app}")
    if wanted.log_level:
        words.append(f"--loglevel={wanted.log_level}")
    # Redis and namespace go through the environment: a URL may hold a password, and command
    # lines are seen by everybody on the machine.
    return words
