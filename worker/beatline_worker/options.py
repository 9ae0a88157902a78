"""What a worker is told: pool, queues, limits. Plain values, checked once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

from beatline.errors import InvalidSetting
from beatline.queue_turns import queue_weights
from beatline_worker.batching import LARGEST

#: Who runs the jobs of one child: its only thread, or one of several lanes.
POOLS: Final = ("prefork", "solo", "threads", "asyncio", "gevent")
#: Lanes of a child where nobody says how many.
DEFAULT_LANES: Final = {"threads": 16, "asyncio": 1_000, "gevent": 100}
#: Most children of one worker.
MOST_CHILDREN: Final = 512
#: Most jobs at the same time in one child.
MOST_LANES: Final = 10_000
#: Children that run single jobs alone, beside those with several lanes.
MOST_LONERS: Final = 4
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
        concurrency: Jobs at the same time: for ``prefork`` the number of children, for
            ``threads``, ``asyncio`` and ``gevent`` that of the lanes of each child.
        pool: One of `POOLS`.
        children: Children of a pool whose children have several lanes; 0 takes one.
        autoscale: Fewest and most children; None a fixed number.
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
    children: int = 0
    autoscale: tuple[int, int] | None = None
    grace_ms: int = 30_000
    max_tasks_per_child: int = 0
    max_memory_per_child: int = 0
    time_limit_ms: int = 0
    soft_time_limit_ms: int = 0
    largest_batch: int = LARGEST
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
        most = MOST_LANES if self.has_lanes else MOST_CHILDREN
        _check_range("concurrency", self.concurrency, most)
        _check_range("children", self.children, MOST_CHILDREN)
        if self.children and not self.has_lanes:
            raise InvalidSetting(
                f"the {self.pool} pool runs one job in each child: children says nothing new",
                remedy="give the number of children as concurrency (-c)",
            )
        if self.pool == "gevent" and find_spec("gevent") is None:
            raise InvalidSetting(
                "the gevent pool needs gevent, which is not installed",
                remedy='pip install "beatline[gevent]"',
            )
        self._check_autoscale()

    def _check_autoscale(self) -> None:
        if self.autoscale is None:
            return
        least, most = self.autoscale
        if self.pool == "solo" or not 1 <= least <= most <= MOST_CHILDREN:
            raise InvalidSetting(
                f"autoscale {least},{most} does not fit the {self.pool} pool",
                remedy=f"use MIN,MAX from 1 to {MOST_CHILDREN}, with any pool but solo",
            )

    @property
    def has_lanes(self) -> bool:
        """Whether a child runs several jobs at the same time."""
        return self.pool in DEFAULT_LANES

    @property
    def lanes(self) -> int:
        """Jobs at the same time in one child."""
        return self.concurrency or DEFAULT_LANES[self.pool] if self.has_lanes else 1

    @property
    def least_children(self) -> int:
        """Number of children, or the fewest."""
        if self.autoscale is not None:
            return self.autoscale[0]
        if self.pool == "solo":
            return 1
        if self.has_lanes:
            return self.children or 1
        return self.concurrency or os.cpu_count() or 1

    @property
    def most_children(self) -> int:
        """Number of children, or the most."""
        return self.autoscale[1] if self.autoscale is not None else self.least_children

    @property
    def rows(self) -> int:
        """
        Rows of the shared table.

        A child with several lanes that takes no more may run on for long: another one takes its
        place meanwhile.
        """
        return 2 * self.most_children + MOST_LONERS if self.has_lanes else self.most_children

    def to_child(self) -> dict[str, Any]:
        """What a child needs to know, as JSON types."""
        return {
            "pool": self.pool,
            "max_tasks_per_child": self.max_tasks_per_child,
            "time_limit_ms": self.time_limit_ms,
            "soft_time_limit_ms": self.soft_time_limit_ms,
            "largest_batch": self.largest_batch,
        }


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """
    What a child is told besides its row.

    Attributes:
        lanes: Jobs at the same time.
        is_loner: It runs what must run alone, and ends when there is no more.
    """

    worker: str
    consumer: str
    queues: str
    pool: str
    lanes: int
    is_loner: bool
    max_tasks_per_child: int
    time_limit_ms: int
    soft_time_limit_ms: int
    largest_batch: int


def _check_range(name: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise InvalidSetting(f"{name} {value} is out of range", remedy=f"use 1 to {most}")
