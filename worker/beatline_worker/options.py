"""What a worker is told: pool, queues, limits. Plain values, checked once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

from beatline.errors import InvalidSetting
from beatline.queue_turns import queue_weights

#: Pools of this version: who runs the jobs of one child.
POOLS: Final = ("prefork", "solo")
#: Most children of one worker.
MOST_CHILDREN: Final = 512
#: Exit code of a child that must be replaced at once: its numbers are not the server's.
EXIT_DESYNCHRONISED: Final = 70


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """
    How a worker runs.

    Attributes:
        app: ``module:app`` or ``path/file.py:app``.
        queues: Names, most preferred first, or ``name=weight`` each; empty takes the app's
            default queue.
        concurrency: Children; 1 for solo.
        pool: ``prefork`` or ``solo``.
        grace_ms: How long running jobs may go on after TERM.
        max_tasks_per_child: A child is replaced after so many jobs; 0 never.
        max_memory_per_child: A child is replaced after the job in which it grew beyond so many
            bytes of resident memory; 0 never.
        time_limit_ms, soft_time_limit_ms: For tasks that say none; 0 none.
        largest_batch: Most jobs that a child takes at once.
        log_level: ``debug``, ``info``, ``warning``, ``error``.
        health: Address of the HTTP endpoint for probes, such as ``:9000``; empty none.
        health_file: File for probes; empty none.
        give_up_ms: The worker exits with 3 after so long without Redis; 0 never.
        name: Shown by ``sched status``; empty takes host and pid.
    """

    app: str
    queues: tuple[str, ...] = ()
    concurrency: int = 0
    pool: str = "prefork"
    grace_ms: int = 30_000
    max_tasks_per_child: int = 0
    max_memory_per_child: int = 0
    time_limit_ms: int = 0
    soft_time_limit_ms: int = 0
    largest_batch: int = 64
    log_level: str = "info"
    health: str = ""
    health_file: str = ""
    give_up_ms: int = 300_000
    name: str = ""

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise InvalidSetting(
                f"pool {self.pool!r} is not one", remedy=f"choose {' or '.join(POOLS)}"
            )
        queue_weights(self.queues)
        if not 0 <= self.concurrency <= MOST_CHILDREN:
            raise InvalidSetting(
                f"concurrency {self.concurrency} is out of range",
                remedy=f"use 1 to {MOST_CHILDREN}",
            )

    @property
    def children(self) -> int:
        """Number of children."""
        if self.pool == "solo":
            return 1
        return self.concurrency or os.cpu_count() or 1

    def to_child(self) -> dict[str, Any]:
        """What a child needs to know, as JSON types."""
        return {
            "max_tasks_per_child": self.max_tasks_per_child,
            "time_limit_ms": self.time_limit_ms,
            "soft_time_limit_ms": self.soft_time_limit_ms,
            "largest_batch": self.largest_batch,
        }


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """What a child is told besides its row."""

    worker: str
    consumer: str
    queues: str
    max_tasks_per_child: int
    time_limit_ms: int
    soft_time_limit_ms: int
    largest_batch: int
