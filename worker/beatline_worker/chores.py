"""
Chores: the supervisor's own writes, done one after the other by one thread.

The supervisor's main thread watches children and limits and must never wait for Redis. What has
to be written (register, release, give back) is queued here and repeated until it is answered;
each of these writes may be repeated without a second effect.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable

from redis.exceptions import ResponseError

from beatline.errors import NotSent
from beatline.wire.connection import LOST, Endpoint, HeldConnection

_log = logging.getLogger("beatline.worker.chores")

#: One chore: it gets the connection, and is called again where the connection was lost.
Chore = Callable[[HeldConnection], None]


class Chores:
    """
    A thread that does chores in order.

    Args:
        endpoint: Where Redis is.
        on_done: Called after each chore, from this thread.
    """

    def __init__(self, endpoint: Endpoint, on_done: Callable[[], None]) -> None:
        self._connection = HeldConnection(endpoint)
        self._queue: queue.SimpleQueue[tuple[str, Chore] | None] = queue.SimpleQueue()
        self._on_done = on_done
        self._pending = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="chores", daemon=True)
        self._thread.start()

    def do(self, label: str, chore: Chore) -> None:
        """Queue a chore; ``label`` names it in the log."""
        with self._lock:
            self._pending += 1
        self._queue.put((label, chore))

    @property
    def are_done(self) -> bool:
        """Whether nothing is queued or under way."""
        with self._lock:
            return self._pending == 0

    def stop(self) -> None:
        """End the thread; what is still queued is left undone and said so."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join(5)

    def _work(self) -> None:
        while (entry := self._queue.get()) is not None:
            label, chore = entry
            self._insist(label, chore)
            with self._lock:
                self._pending -= 1
            self._on_done()
        self._connection.close()

    def _insist(self, label: str, chore: Chore) -> None:
        pause_s = 0.02
        while True:
            try:
                chore(self._connection)
                return
            except (*LOST, NotSent, ResponseError) as error:
                _log.warning("chore.repeats chore=%s error=%s", label, error)
                self._connection.close()
            if self._stopping.is_set():
                _log.error("chore.abandoned chore=%s", label)
                return
            time.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, 1.0)
