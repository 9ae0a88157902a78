"""
Questions that were written for a held connection, asked by a coroutine.

A function that asks one thing after another and waits in between cannot run in an event loop. So
it is run up to its first request, which is sent in its place; when the reply is there it is run
again from its beginning, with that reply at hand, up to its next request; and so on. A question
must therefore do nothing but ask, and ask the same each time. Most ask once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from beatline.wire.connection import Argument, Endpoint, HeldConnection, pack, pack_script
from beatline.wire.scripts import Script

T = TypeVar("T")


class ReplyMissingError(Exception):
    """
    A question waits for a reply.

    Args:
        packed: The request.
        source: Of a script: what the server has to load if it lacks it.
    """

    def __init__(self, packed: bytes, source: str = "") -> None:
        super().__init__()
        self.packed = packed
        self.source = source


class Rehearsal(HeldConnection):
    """A connection that only knows the replies that were given so far."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._replies: list[Any] = []
        self._at = 0

    def answer(self, question: Callable[[HeldConnection], T]) -> T:
        """
        Run a question from its beginning.

        Raises:
            ReplyMissingError: It needs one more reply.
        """
        self._at = 0
        return question(self)

    def add(self, reply: Any) -> None:
        """The reply that it waits for."""
        self._replies.append(reply)

    def connect(self) -> None:
        """There is nothing to open."""

    def call(self, *arguments: Argument, timeout_ms: int | None = None) -> Any:
        """The reply to a command."""
        return self._next(lambda: ReplyMissingError(pack(*arguments)))

    def run(
        self,
        script: Script,
        prefix: bytes,
        *arguments: Argument,
        timeout_ms: int | None = None,
    ) -> Any:
        """The reply to a script."""
        return self._next(
            lambda: ReplyMissingError(pack_script(script, prefix, arguments), script.source)
        )

    def _next(self, missing: Callable[[], ReplyMissingError]) -> Any:
        if self._at == len(self._replies):
            raise missing()
        reply = self._replies[self._at]
        self._at += 1
        return reply
