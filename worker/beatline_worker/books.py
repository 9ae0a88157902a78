"""
The supervisor's entries in Redis: registrations, releases, give-backs, in every partition.

Each method queues a chore; the chores' thread repeats it until Redis has answered.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from beatline.keys import prefix
from beatline.store.leasing import give_back, last_fence, leave, register, release
from beatline.version import __version__
from beatline.wire.connection import Endpoint, HeldConnection
from beatline_worker.chores import Chores
from beatline_worker.nursery import ChildState
from beatline_worker.obituary import Estate
from beatline_worker.options import WorkerOptions
from beatline_worker.table import NO_LIMIT

_log = logging.getLogger("beatline.worker.books")

#: How long a child gets to see a new limit before what lies beyond is given back, seconds (R5).
_LIMIT_SEEN_S = 0.010


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the zygote's hello says of the app."""

    url: str
    namespace: str
    partitions: int
    lease_ms: int
    max_deliveries: int
    result_ttl_ms: int
    default_queue: str
    tasks: tuple[str, ...]

    @classmethod
    def of(cls, hello: Mapping[str, Any]) -> WorkerSettings:
        """From the message."""
        return cls(**{**hello, "tasks": tuple(hello["tasks"])})

    def prefixes(self) -> list[bytes]:
        """Key prefixes of all partitions."""
        return [prefix(self.namespace, partition) for partition in range(self.partitions)]


class Books:
    """
    One worker's entries.

    Args:
        settings: Of the app.
        worker: Id of the worker.
        about: What ``worker:<id>`` says.
        on_change: Called after each chore, from the chores' thread.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        worker: str,
        about: Mapping[str, str],
        on_change: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.worker = worker
        self._about = dict(about)
        self._prefixes = settings.prefixes()
        self._chores = Chores(Endpoint(settings.url), on_change)
        self.struck = False

    @property
    def are_done(self) -> bool:
        """Whether all that was queued has been written."""
        return self._chores.are_done

    def enrol(self, consumers: list[str], then: Callable[[], None] | None = None) -> None:
        """Register the worker and these consumers; ``then`` runs where that succeeded."""

        def chore(connection: HeldConnection) -> None:
            for key_prefix in self._prefixes:
                known = register(
                    connection,
                    key_prefix,
                    self.worker,
                    self.settings.lease_ms,
                    self._about,
                    consumers,
                )
                if not known:
                    self.struck = True
                    return
            if then is not None:
                then()

        self._chores.do("register", chore)

    def release(self, estate: Estate) -> None:
        """Settle and return what a dead child held."""

        def chore(connection: HeldConnection) -> None:
            returned = 0
            for partition, key_prefix in enumerate(self._prefixes):
                mine = estate.of_partition(partition, self.settings.partitions)
                returned += release(
                    connection,
                    key_prefix,
                    self.worker,
                    estate.consumer,
                    charged_fences=estate.charged_fences,
                    forensics=estate.forensics,
                    max_deliveries=self.settings.max_deliveries,
                    result_ttl_ms=self.settings.result_ttl_ms,
                    settlements=mine,
                )
            _log.info(
                "child.released consumer=%s jobs=%d settled=%d charged=%d job=%s",
                estate.consumer,
                returned,
                len(estate.settlements),
                len(estate.charged_fences),
                estate.ran if estate.charged_fences else "",
            )

        self._chores.do("release", chore)

    def give_back(self, child: ChildState) -> None:
        """Return what a living child holds beyond the last job that it began (R5)."""
        child.gives_back = True
        child.gave_back_ns = time.monotonic_ns()
        row = child.row
        row.limit = max(row.last_begun, 1)

        def chore(connection: HeldConnection) -> None:
            time.sleep(_LIMIT_SEEN_S)
            beyond = max(row.limit, row.last_begun)
            # What reaches the child from here on it leaves alone, and asks for again. It must not
            # go back: this call, or a lost one before it, may arrive after that.
            known = row.known
            asking = bool(row.asking)
            returned = 0
            for key_prefix in self._prefixes:
                # What it has asked for and not read carries no token beyond the last one drawn.
                drawn = last_fence(connection, key_prefix) if asking else 0
                returned += give_back(
                    connection,
                    key_prefix,
                    self.worker,
                    child.consumer,
                    beyond,
                    self.settings.result_ttl_ms,
                    up_to_fence=max(known, drawn),
                )
            row.known = min(row.known, beyond)
            # Before the limit is lifted: the child still has what was given back in its batch.
            row.returns += 1
            row.limit = NO_LIMIT
            child.gives_back = False
            _log.info("child.gave_back consumer=%s jobs=%d", child.consumer, returned)

        self._chores.do("give back", chore)

    def leave(self) -> None:
        """Take the worker off the books."""

        def chore(connection: HeldConnection) -> None:
            for key_prefix in self._prefixes:
                held = leave(connection, key_prefix, self.worker)
                if held:
                    _log.warning("worker.leaves_jobs_behind jobs=%d", held)

        self._chores.do("leave", chore)

    def close(self) -> None:
        """End the chores' thread."""
        self._chores.stop()


def describe(options: WorkerOptions, settings: WorkerSettings, queues: str) -> dict[str, str]:
    """What ``worker:<id>`` says: for people, and for whoever has to reclaim its jobs."""
    return {
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "name": options.name,
        "queues": queues,
        "pool": options.pool,
        "concurrency": str(options.most_children * options.lanes),
        "lease_ms": str(settings.lease_ms),
        "max_deliveries": str(settings.max_deliveries),
        "started_ms": str(int(time.time() * 1000)),
        "version": __version__,
        "tasks": json.dumps(settings.tasks),
    }
