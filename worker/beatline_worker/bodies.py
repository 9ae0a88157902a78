"""
Bodies in threads: run, and interrupted from another thread.

A thread is interrupted by an exception that the interpreter raises in it as soon as it runs Python
code again: not inside a call of C code such as ``time.sleep``. It may arrive when the body has just
ended; so nothing of ours happens in the thread before it is certain that none is under way.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

from beatline.errors import BeatlineError
from beatline.store.delivering import Settlement
from beatline_worker.coroutines import LoopKeeper
from beatline_worker.desk import Begun
from beatline_worker.executor import INTERRUPTIONS, Executor
from beatline_worker.interruptions import bare, interruption
from beatline_worker.lanes import INTERRUPT_HARD_LIMIT


class Body:
    """A body that runs: in which thread, on which loop if it is a coroutine."""

    __slots__ = ("begun", "is_over_limit", "keeper", "thread")

    def __init__(self, begun: Begun, thread: Any, keeper: LoopKeeper) -> None:
        self.begun = begun
        self.thread = thread
        self.keeper = keeper
        self.is_over_limit: BeatlineError | None = None


class ThreadBodies:
    """
    The bodies that run in the threads of one child.

    Args:
        executor: Runs them.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lock = threading.Lock()
        self._bodies: dict[int, Body] = {}

    def run(self, begun: Begun) -> Settlement:
        """Run a body in this thread; how it ended."""
        fence = begun.run.delivery.fence
        body = Body(begun, self._this_thread(), self._executor.keeper)
        ended: Settlement | None = None
        self._bodies[fence] = body
        while True:
            try:
                if ended is None:
                    ended = self._executor.run(begun.run, begun.now_ms)
                self._seal(fence, body)
                break
            except INTERRUPTIONS as late:
                if ended is None:
                    ended = self._executor.interrupted(begun.run, late, begun.now_ms)
        if body.is_over_limit is not None and ended.outcome != "return":
            # Whatever the body made of it: it ran past its hard limit.
            ended = self._executor.interrupted(begun.run, body.is_over_limit, begun.now_ms)
        return ended

    def interrupt(self, fence: int, kind: int) -> bool:
        """Interrupt a body; False where it does not run here (any more)."""
        with self._lock:
            body = self._bodies.get(fence)
            if body is None:
                return False
            reason = interruption(kind, body.begun.run)
            if kind == INTERRUPT_HARD_LIMIT:
                body.is_over_limit = reason
            if not body.keeper.interrupt(reason):
                self._raise_in(body, reason)
            return True

    def _seal(self, fence: int, body: Body) -> None:
        """From here on nothing is raised in this thread for the body."""
        with self._lock:
            self._bodies.pop(fence, None)
        _raise_in_thread(body.thread, None)

    def _this_thread(self) -> Any:
        return threading.get_ident()

    def _raise_in(self, body: Body, reason: BeatlineError) -> None:
        _raise_in_thread(body.thread, bare(reason))


class GreenletBodies(ThreadBodies):
    """
    The same for greenlets: they are interrupted where they wait.

    Args:
        executor: Runs them.
    """

    def _this_thread(self) -> Any:
        import gevent

        return gevent.getcurrent()

    def _seal(self, fence: int, body: Body) -> None:
        self._bodies.pop(fence, None)

    def _raise_in(self, body: Body, reason: BeatlineError) -> None:
        import gevent

        fence = body.begun.run.delivery.fence

        def throw() -> None:
            # Called by the hub: the greenlet waits somewhere, in the body or after it.
            if self._bodies.get(fence) is body:
                body.thread.throw(reason)

        gevent.get_hub().loop.run_callback_threadsafe(throw)


def _raise_in_thread(ident: int, kind: type[BaseException] | None) -> None:
    """Have an exception raised in a thread; None takes back one that is still to be raised."""
    exception = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), exception)
