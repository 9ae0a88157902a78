"""
Hearing of jobs' ends in an event loop: one connection listens for all coroutines that wait.

As in `beatline.notices` a notice is only a hint to look: one that is lost delays an answer by a
few seconds at most, and never falsifies it.

What happens when Redis is gone: the wait goes on, with a new connection as soon as there is one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from redis.exceptions import ResponseError

from beatline.errors import NotSent, ServerRefused
from beatline.notices import LOOK_EVERY_S
from beatline.wire.async_line import AsyncLine, open_line
from beatline.wire.connection import LOST, Endpoint, pack
from beatline.wire.refusals import PASSING, REMEDIES, refusal_code

T = TypeVar("T")

_log = logging.getLogger("beatline.async_notices")

#: Pauses between attempts to reach Redis, seconds.
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0


class _Channel:
    """Who waits for notices on one channel of one connection."""

    __slots__ = ("ears", "is_heard")

    def __init__(self, is_heard: asyncio.Future[None]) -> None:
        #: Done once no later notice is missed.
        self.is_heard = is_heard
        self.ears: set[asyncio.Event] = set()


class ListeningLine(AsyncLine):
    """A connection that listens to channels."""

    def __init__(self, endpoint: Endpoint, transport: asyncio.Transport, keeper: object) -> None:
        super().__init__(endpoint, transport, keeper)
        self._channels: dict[bytes, _Channel] = {}

    def join(self, name: bytes, ear: asyncio.Event) -> asyncio.Future[None]:
        """Have an event set with each notice; the future is done once none is missed."""
        channel = self._channels.get(name)
        if channel is None:
            heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            channel = self._channels[name] = _Channel(heard)
            self.request(pack("SUBSCRIBE", name), lambda reply: _confirm(heard, reply))
        channel.ears.add(ear)
        return channel.is_heard

    def leave(self, name: bytes, ear: asyncio.Event) -> None:
        """Hear no more of it; the last one out ends the subscription."""
        channel = self._channels.get(name)
        if channel is None:
            return
        channel.ears.discard(ear)
        if not channel.ears:
            del self._channels[name]
            if self.is_usable:
                self.request(pack("UNSUBSCRIBE", name), lambda reply: None)

    def hear(self, reply: Any) -> None:
        """A notice, or the reply to whoever joined or left."""
        if isinstance(reply, list) and reply[0] == b"message":
            channel = self._channels.get(reply[1])
            for ear in channel.ears if channel is not None else ():
                ear.set()
        else:
            super().hear(reply)

    def lose(self, error: Exception) -> None:
        """Give up, and wake all who listen, so that they listen elsewhere."""
        super().lose(error)
        for channel in self._channels.values():
            for ear in channel.ears:
                ear.set()


def _confirm(heard: asyncio.Future[None], reply: Any) -> None:
    if heard.done():
        return
    if isinstance(reply, Exception):
        heard.set_exception(reply)
        heard.exception()  # Seen, also where nobody waits for it any more.
    else:
        heard.set_result(None)


class AsyncNotices:
    """
    One event loop's ear on Redis.

    Args:
        endpoint: Where Redis is.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._line: ListeningLine | None = None
        self._connecting = asyncio.Lock()

    def close(self) -> None:
        """Close the connection; who waits opens another."""
        if self._line is not None:
            self._line.close()

    async def await_notice(
        self,
        channel: bytes,
        look: Callable[[float | None, bool], Awaitable[T | None]],
        limit_s: float | None,
    ) -> T | None:
        """
        Look, and look again with each notice on a channel, until there is something to see.

        Args:
            channel: Where the notice comes.
            look: What is waited for, or None while it is not there; is given the seconds left,
                and whether a notice is waited for from then on.
            limit_s: Longest wait; None without limit.

        Returns:
            What ``look`` found; None when the time is over.

        Raises:
            NotSent: The first look did not succeed; later it is only waited longer.
        """
        deadline = float("inf") if limit_s is None else self._loop.time() + limit_s
        found = await look(limit_s, False)
        pause_s, is_warned = 0.0, False
        while found is None and self._left(deadline) > 0:
            try:
                return await self._listen(channel, look, deadline)
            except (NotSent, ResponseError, *LOST) as error:
                code = refusal_code(error)
                if code is not None and code not in PASSING:
                    raise ServerRefused(
                        f"Redis refused to tell of the end of a job: {error}",
                        code=code,
                        remedy=REMEDIES.get(code, "see the server's log"),
                    ) from error
                if pause_s and not is_warned:
                    is_warned = True
                    _log.warning("async_notices.waits_for_redis error=%s", error)
            await asyncio.sleep(min(pause_s, self._left(deadline)))
            pause_s = min(2 * pause_s or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        return found

    async def _listen(
        self,
        channel: bytes,
        look: Callable[[float | None, bool], Awaitable[T | None]],
        deadline: float,
    ) -> T | None:
        line = await self._usable_line()
        ear = asyncio.Event()
        is_heard = line.join(channel, ear)
        try:
            # The order matters: an end after this line is told, one before it is seen. (Others
            # may wait for the same confirmation, so one that is cancelled must leave it alone.)
            await asyncio.shield(is_heard)
            found = await look(self._left(deadline), True)
            while found is None and self._left(deadline) > 0:
                if not line.is_usable:
                    raise OSError("the connection that listened was lost")
                await _wait_for(ear, min(LOOK_EVERY_S, self._left(deadline)))
                ear.clear()
                found = await look(self._left(deadline), True)
            return found
        finally:
            line.leave(channel, ear)

    async def _usable_line(self) -> ListeningLine:
        async with self._connecting:
            line = self._line
            if line is None or not line.is_usable:
                limit_s = self._endpoint.connect_timeout_ms / 1000
                line = self._line = await open_line(self._endpoint, limit_s, ListeningLine)
            return line

    def _left(self, deadline: float) -> float:
        return max(deadline - self._loop.time(), 0.0)


async def _wait_for(ear: asyncio.Event, limit_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await ear.wait()
