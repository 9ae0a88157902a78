"""
Coroutines that run the jobs of one child: an event loop in a thread of its own.

Tasks that are coroutine functions run on the loop, as many at the same time as there are lanes.
Other tasks would stop the loop: they run in a few threads beside it, and wait for one of them
without having begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from beatline.errors import BeatlineError
from beatline.store.delivering import Settlement
from beatline_worker.bodies import ThreadBodies
from beatline_worker.coroutines import Driven
from beatline_worker.desk import Begun, Desk, Item
from beatline_worker.interruptions import interruption
from beatline_worker.lanes import INTERRUPT_HARD_LIMIT, Lane

#: Threads for tasks that are no coroutine functions.
MOST_THREADS: Final = 32
#: How long such a task may wait for a thread before it goes back, seconds.
OVERDUE_S: Final = 0.1


class CoroutineCrew:
    """
    An event loop, and threads beside it.

    Args:
        desk: Where jobs come from.
        lanes: How many jobs run at the same time.
        bodies: What runs and interrupts bodies in threads.
    """

    #: All jobs begin at once: none is taken to wait here.
    has_queue = False

    def __init__(self, desk: Desk, lanes: int, bodies: ThreadBodies) -> None:
        self._desk = desk
        self._bodies = bodies
        self._executor = desk.executor
        #: The lane that was free last comes first: few lanes are used, and looked at, at all.
        self._free = list(range(lanes - 1, -1, -1))
        self._lanes: dict[int, Lane] = {}
        self._driven: dict[int, Driven] = {}
        self._begun: dict[int, Begun] = {}
        self._over_limit: dict[int, BeatlineError] = {}
        self._turn_is_noted = False
        self._threads = min(lanes, MOST_THREADS)
        self._pool = ThreadPoolExecutor(self._threads, "sync")
        self._busy_threads = 0
        self._waiting: deque[tuple[float, Item]] = deque()
        started: queue.SimpleQueue[asyncio.AbstractEventLoop] = queue.SimpleQueue()
        threading.Thread(target=_run_loop, args=(started,), name="loop", daemon=True).start()
        self._loop = started.get()

    @property
    def is_clogged(self) -> bool:
        """Whether tasks wait for a thread."""
        return bool(self._waiting)

    def start(self, items: list[Item], in_hand: int) -> None:
        """Run these jobs."""
        self._desk.pending.extend(items)
        self._loop.call_soon_threadsafe(self._start_pending)

    def interrupt(self, fence: int, kind: int) -> bool:
        """Interrupt a body; False where it has not begun, or has ended."""
        if self._bodies.interrupt(fence, kind):
            return True
        begun = self._begun.get(fence)
        if begun is None or not begun.run.task.is_async:
            return False
        self._loop.call_soon_threadsafe(self._interrupt_here, fence, kind)
        return True

    def overdue(self) -> list[Item]:
        """Jobs that have waited for a thread for too long; they are the caller's now."""
        found: list[Item] = []
        limit = time.monotonic() - OVERDUE_S
        while self._waiting:
            try:
                since, item = self._waiting.popleft()
            except IndexError:
                break
            if since > limit:
                self._waiting.appendleft((since, item))
                break
            found.append(item)
        return found

    # --- in the loop's thread -------------------------------------------------------------------

    def _start_pending(self) -> None:
        """All that is on the desk: a task each, which begins its job with its first step."""
        pending = self._desk.pending
        while pending:
            try:
                item = pending.popleft()
            except IndexError:
                return  # withdrawn
            self._start(item)

    def _start(self, item: Item) -> None:
        driven = Driven(self._run(item))
        self._driven[item.delivery.fence] = driven
        driven.task = asyncio.Task(driven, loop=self._loop)

    async def _run(self, item: Item) -> None:
        desk, fence = self._desk, item.delivery.fence
        if not self._free:
            self._waiting.append((time.monotonic(), item))
            self._driven.pop(fence, None)
            return
        number = self._free.pop()
        lane = self._lanes.get(number)
        if lane is None:
            lane = self._lanes[number] = desk.row.lane(number)
        try:
            begun = desk.begin(lane, item)
            if begun is None:
                return
            if not begun.run.task.is_async and self._busy_threads == self._threads:
                # It has not begun after all.
                lane.clear()
                self._waiting.append((time.monotonic(), item))
                return
            self._begun[fence] = begun
            ended = await self._run_body(begun)
            over = self._over_limit.pop(fence, None)
            if over is not None and ended.outcome != "return":
                # Whatever the body made of it: it ran past its hard limit.
                ended = self._executor.interrupted(begun.run, over, begun.now_ms)
            desk.finish(lane, ended)
        finally:
            self._free.append(number)
            self._driven.pop(fence, None)
            self._begun.pop(fence, None)
            self._note_turn()

    async def _run_body(self, begun: Begun) -> Settlement:
        run, executor = begun.run, self._executor
        if not run.task.is_async:
            return await self._run_in_thread(begun)
        if run.ready.is_unsure and not run.job.skip_unsure:
            refused = await asyncio.to_thread(executor.note_unsure, run)
            if refused is not None:
                return refused
        return await executor.run_here(run, begun.now_ms)

    async def _run_in_thread(self, begun: Begun) -> Settlement:
        self._busy_threads += 1
        try:
            return await self._loop.run_in_executor(self._pool, self._bodies.run, begun)
        finally:
            self._busy_threads -= 1
            with contextlib.suppress(IndexError):
                self._start(self._waiting.popleft()[1])

    def _interrupt_here(self, fence: int, kind: int) -> None:
        driven, begun = self._driven.get(fence), self._begun.get(fence)
        if driven is None or begun is None:
            return
        reason = interruption(kind, begun.run)
        if kind == INTERRUPT_HARD_LIMIT:
            self._over_limit[fence] = reason
        driven.interrupt(reason)

    def _note_turn(self) -> None:
        """One bell for all that ends in a turn of the loop."""
        if not self._turn_is_noted:
            self._turn_is_noted = True
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._turn_is_noted = False
        self._desk.ring()


def _run_loop(started: queue.SimpleQueue[asyncio.AbstractEventLoop]) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    started.put(loop)
    loop.run_forever()
