"""
Threads, or greenlets, that run the jobs of one child: one per lane.

Under gevent the interpreter's threads are greenlets (see `gevent_zygote`): what is written here for
threads is true for them, but for the way they are interrupted.
"""

from __future__ import annotations

import queue
import threading
import time

from beatline_worker.bodies import ThreadBodies
from beatline_worker.desk import Desk, Item
from beatline_worker.lanes import Lane


class ThreadCrew:
    """
    One thread per lane; they are started when there is work for them.

    Args:
        desk: Where jobs come from.
        lanes: How many.
        bodies: What runs and interrupts bodies.
    """

    #: Jobs may wait here for a lane: taking them with others saves round trips.
    has_queue = True
    is_clogged = False

    def __init__(self, desk: Desk, lanes: int, bodies: ThreadBodies) -> None:
        self._desk = desk
        self._bodies = bodies
        self._most = lanes
        self._threads = 0
        #: One token for each item that was put on the desk.
        self._tokens: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def start(self, items: list[Item], in_hand: int) -> None:
        """Run these jobs; ``in_hand`` counts all that are here, these included."""
        while self._threads < min(self._most, in_hand):
            lane = self._desk.row.lane(self._threads)
            self._threads += 1
            threading.Thread(
                target=self._work, args=(lane,), name=f"lane-{self._threads}", daemon=True
            ).start()
        self._desk.pending.extend(items)
        for _ in items:
            self._tokens.put(True)

    def interrupt(self, fence: int, kind: int) -> bool:
        """Interrupt a body; False where it has not begun, or has ended."""
        return self._bodies.interrupt(fence, kind)

    def overdue(self) -> list[Item]:
        """Jobs that nobody can begin soon, although others have begun after them: never here."""
        return []

    def _work(self, lane: Lane) -> None:
        desk = self._desk
        while self._tokens.get():
            try:
                item = desk.pending.popleft()
            except IndexError:
                continue  # withdrawn
            self._run(lane, item)
            if not desk.pending or desk.finished_count == 1 or desk.is_urgent:
                desk.ring()

    def _run(self, lane: Lane, item: Item) -> None:
        begun = self._desk.begin(lane, item)
        if begun is None:
            return
        started = time.perf_counter()
        ended = self._bodies.run(begun)
        run_ms = (time.perf_counter() - started) * 1000
        self._desk.finish(lane, ended, begun.run.job.task, run_ms)
