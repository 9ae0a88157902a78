"""
Coroutines of jobs: driven so that they can be interrupted, on loops that are kept.

An event loop interrupts a coroutine by `asyncio.CancelledError`. What a job's body has to see is
the reason, such as `SoftTimeLimitExceeded`, which it may catch. So a body is driven through
`Driven`, which puts the reason in place of the cancellation at the point where the body waits. A
body that never waits is not reached: only its process can be killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any


class Driven(Coroutine[Any, Any, Any]):
    """
    A coroutine that is interrupted by exceptions of our choice.

    Args:
        coroutine: What is driven.
    """

    __slots__ = ("_coroutine", "_reason", "task")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._reason: BaseException | None = None
        #: The task that runs it, once there is one.
        self.task: asyncio.Task[Any] | None = None

    def interrupt(self, reason: BaseException) -> None:
        """Raise ``reason`` where the coroutine waits; called in its loop's thread."""
        task = self.task
        if task is not None and not task.done():
            self._reason = reason
            task.cancel()

    def send(self, value: Any) -> Any:
        """One step."""
        return self._coroutine.send(value)

    def __next__(self) -> Any:
        return self._coroutine.send(None)

    def throw(
        self,
        kind: Any,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
    ) -> Any:
        """One step that begins with an exception; our reason stands in for a cancellation."""
        error = value if isinstance(value, BaseException) else kind
        reason = self._reason
        if reason is not None and _is_cancellation(error):
            self._reason = None
            if self.task is not None:
                self.task.uncancel()
            error = reason
        return self._coroutine.throw(error)

    def close(self) -> None:
        """End it where it is."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()


def _is_cancellation(error: Any) -> bool:
    return isinstance(error, asyncio.CancelledError) or error is asyncio.CancelledError


class LoopKeeper:
    """
    One event loop, for coroutines that run one after the other in one thread.

    It is made for the first of them and kept: connections that belong to a loop live on from job
    to job, and so do tasks that a body leaves behind; they go on while the next body runs.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._driven: Driven | None = None

    @property
    def is_running(self) -> bool:
        """Whether a coroutine runs here now."""
        return self._driven is not None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end; what it returns or raises."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
        driven = Driven(coroutine)
        driven.task = loop.create_task(driven)
        self._driven = driven
        try:
            return loop.run_until_complete(driven.task)
        finally:
            self._driven = None

    def interrupt(self, reason: BaseException) -> bool:
        """From any thread, or a signal's handler: False where nothing runs here."""
        driven, loop = self._driven, self._loop
        if driven is None or loop is None:
            return False
        loop.call_soon_threadsafe(driven.interrupt, reason)
        return True
