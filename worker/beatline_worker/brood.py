"""
The brood: how many children a worker has, and which ones; each is registered before it is forked.

A child with several lanes that takes no more (it has run its number of jobs, or has grown too
large) may run on for long: another one takes its place at once. And a job that was charged with a
death has to run alone (R4): where children with several lanes have others in their hands, a
*loner*, a child of one lane, is started for it.
"""

from __future__ import annotations

import logging
import queue
import secrets
from functools import partial
from typing import Final

from beatline_worker.books import Books
from beatline_worker.lease_keeper import awake_or_not_ns
from beatline_worker.nursery import ChildState, Nursery
from beatline_worker.options import MOST_LONERS, ChildOptions, WorkerOptions
from beatline_worker.scale import Scale
from beatline_worker.table import Table

_log = logging.getLogger("beatline.worker.brood")

#: Pause between the starts of two loners, ns.
_LONER_EVERY_NS: Final = 150_000_000


class Brood:
    """
    The children of one worker.

    Args:
        options: What the worker is told.
        table: The shared table.
        nursery: Forks and buries.
    """

    def __init__(self, options: WorkerOptions, table: Table, nursery: Nursery) -> None:
        self._options = options
        self._table = table
        self._nursery = nursery
        self._scale = Scale(options.least_children, options.most_children)
        self._ready: queue.SimpleQueue[ChildState] = queue.SimpleQueue()
        self._loner_at_ns = 0

    def fill(self, books: Books, now_ns: int) -> None:
        """As many children as are wanted, and loners for what must run alone."""
        children = self._nursery.children.values()
        regular = [child for child in children if not child.is_loner and child.takes_jobs]
        self._follow_scale(regular, now_ns)
        for _ in range(self._scale.wanted - len(regular)):
            if not self._add(books, is_loner=False):
                return
        calls = [child for child in children if child.row.wants_help > child.helped]
        if not calls or now_ns - self._loner_at_ns < _LONER_EVERY_NS:
            return
        for child in calls:
            child.helped = child.row.wants_help
        if sum(child.is_loner for child in children) < MOST_LONERS:
            self._loner_at_ns = now_ns
            self._add(books, is_loner=True)

    def fork_registered(self, books: Books | None, queues: str, *, stopping: bool) -> None:
        """Fork the children that Redis knows by now."""
        while not self._ready.empty():
            child = self._ready.get()
            if books is None or stopping or self._nursery.children.get(child.slot) is not child:
                self._nursery.children.pop(child.slot, None)
                continue
            self._nursery.fork(
                child,
                ChildOptions(
                    worker=books.worker,
                    consumer=child.consumer,
                    queues=queues,
                    lanes=1 if child.is_loner else self._options.lanes,
                    is_loner=child.is_loner,
                    **self._options.to_child(),
                ),
            )

    def _add(self, books: Books, *, is_loner: bool) -> bool:
        """A child for a free row: registered first, then forked. False where no row is free."""
        taken = self._nursery.children
        kept = 0 if is_loner or not self._options.has_lanes else MOST_LONERS
        free = [slot for slot in range(self._table.rows) if slot not in taken]
        if len(free) <= kept:
            return False
        row = self._table.row(free[0])
        row.reset()
        # To be registered renews the lease, too.
        row.renewed_ns = awake_or_not_ns()
        child = ChildState(free[0], row, secrets.token_hex(8), is_loner=is_loner)
        taken[child.slot] = child
        books.enrol([child.consumer], partial(self._ready.put, child))
        return True

    def _follow_scale(self, regular: list[ChildState], now_ns: int) -> None:
        scale = self._scale
        if scale.is_fixed:
            return
        lanes = self._options.lanes
        busy = sum(min(len(child.row.running()) / lanes, 1.0) for child in regular)
        before = scale.wanted
        wanted = scale.note(busy, now_ns / 1e6)
        if wanted != before:
            _log.info("worker.scaled children=%d before=%d", wanted, before)
        if len(regular) > wanted:
            idle = [child for child in regular if child.pid and not child.row.running()]
            for child in idle[: len(regular) - wanted]:
                child.row.stop = 1
                child.wake()
