"""
A connection that an event loop holds: packed commands out, replies to whoever asked.

redis-py's asyncio client makes the connection: URL, TLS, login, handshake. Then its streams are
taken off the transport, and a hiredis reader is put in their place: a command costs a write, a
reply a callback. Replies come in the order of the requests; a caller that stops waiting, such as a
cancelled one, leaves its place in that order, so that nobody is given another's reply.

What happens when Redis is gone: whoever waits is told at once, or, where nothing says so, when
the oldest request has waited for the endpoint's timeout. A line is one connection; it is never
opened again. It belongs to one loop of one process.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import hiredis
from redis._parsers import BaseParser
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from beatline.errors import NotSent
from beatline.wire.connection import Argument, Endpoint, pack

#: Told a reply, or the exception that came in its place.
Heard = Callable[[Any], None]

Kind = TypeVar("Kind", bound="AsyncLine")


class AsyncLine(asyncio.Protocol):
    """
    One open connection of one event loop; made by `open_line`.

    Args:
        endpoint: Where it leads, and how long a reply may take.
        transport: What it is made of.
        keeper: What must live as long as the transport.
    """

    def __init__(self, endpoint: Endpoint, transport: asyncio.Transport, keeper: object) -> None:
        self._endpoint = endpoint
        self._transport = transport
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._reply_s = endpoint.reply_timeout_ms / 1000
        self._reader = hiredis.Reader()
        #: Who waits for a reply, and since when, in the order of the requests.
        self._awaited: deque[tuple[Heard, float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    @property
    def is_usable(self) -> bool:
        """Whether requests can be sent, as far as the loop has been told."""
        return not self._is_over and not self._transport.is_closing()

    def is_stale(self) -> bool:
        """Whether the server has closed the connection, asked past the loop; it costs a call."""
        if self._awaited or not self.is_usable:
            return not self.is_usable
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def request(self, packed: bytes, heard: Heard) -> None:
        """Send a packed command; ``heard`` is called once, with its reply or with an exception."""
        if self._is_over:
            heard(RedisConnectionError("the connection is closed"))
            return
        self._awaited.append((heard, self._loop.time()))
        self._transport.write(packed)
        if self._timer is None:
            self._timer = self._loop.call_later(self._reply_s, self._look_at_clock)

    async def exchange(self, packed: bytes, limit_s: float | None = None) -> Any:
        """
        Send a packed command and return its reply.

        Args:
            packed: The command.
            limit_s: Longest wait, where it is shorter than the endpoint's.

        Raises:
            ResponseError: The server refused.
            RedisConnectionError: The connection was lost; it is closed.
            RedisTimeoutError: The reply did not come in time; the connection is closed.
        """
        future: asyncio.Future[Any] = self._loop.create_future()

        def heard(reply: Any) -> None:
            if future.done():
                return
            if isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(reply)

        self.request(packed, heard)
        if limit_s is None or limit_s >= self._reply_s:
            return await future
        try:
            async with asyncio.timeout(limit_s):
                return await future
        except TimeoutError:
            error = RedisTimeoutError("no reply in time")
            self.lose(error)
            raise error from None

    async def call(self, *arguments: Argument, limit_s: float | None = None) -> Any:
        """Send one command and return its reply, as `exchange`."""
        return await self.exchange(pack(*arguments), limit_s)

    def close(self) -> None:
        """Close the connection; whoever waits is told that it was lost."""
        self.lose(RedisConnectionError("the connection was closed here"))

    def lose(self, error: Exception) -> None:
        """Give the connection up, and tell everybody who waits."""
        if self._is_over:
            return
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        awaited, self._awaited = self._awaited, deque()
        # A forked child shares our loop's selector: it must not touch what is registered there.
        if self._pid == os.getpid() and not self._loop.is_closed():
            self._transport.abort()
        for heard, _ in awaited:
            heard(error)

    # --- what the loop calls --------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Tell the replies in these bytes."""
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                if isinstance(reply, hiredis.ReplyError):
                    reply = _error_behind(reply)
                self.hear(reply)
        except hiredis.ProtocolError as error:
            self.lose(RedisConnectionError(f"this is no Redis: {error}"))

    def hear(self, reply: Any) -> None:
        """Tell one reply to whoever waits for it."""
        if self._awaited:
            heard, _ = self._awaited.popleft()
            heard(reply)
        else:
            self.lose(RedisConnectionError("a reply came that nobody has asked for"))

    def eof_received(self) -> None:
        """The server has closed its half: nothing more will be answered."""
        self.lose(RedisConnectionError("the server closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self.lose(RedisConnectionError(str(exc or "the connection is gone")))

    def _look_at_clock(self) -> None:
        """Give up where the oldest request has waited too long; one timer serves all requests."""
        self._timer = None
        if not self._awaited:
            return
        remaining_s = self._awaited[0][1] + self._reply_s - self._loop.time()
        if remaining_s <= 0:
            self.lose(RedisTimeoutError("no reply in time"))
        else:
            self._timer = self._loop.call_later(remaining_s, self._look_at_clock)


def _error_behind(reply: hiredis.ReplyError) -> Exception:
    """The exception that redis-py raises for a server's error."""
    parser: Any = BaseParser
    error: Exception = parser.parse_error(str(reply))
    return error


async def open_line(endpoint: Endpoint, limit_s: float, kind: type[Kind]) -> Kind:
    """
    Connect, within a time.

    Args:
        endpoint: Where to.
        limit_s: Longest wait.
        kind: `AsyncLine`, or a subclass.

    Raises:
        NotSent: No server accepts connections there, or it refuses the login.
        InvalidSetting: The URL is not one that redis-py reads.
    """
    endpoint.pool()  # Refuses a URL that is none.
    pool: Any = ConnectionPool.from_url(
        endpoint.url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=endpoint.reply_timeout_ms / 1000,
        socket_connect_timeout=endpoint.connect_timeout_ms / 1000,
        protocol=2,
    )
    connection = pool.make_connection()
    try:
        async with asyncio.timeout(limit_s):
            await connection.connect()
    except BaseException as error:
        await connection.disconnect(nowait=True)
        if not isinstance(error, (RedisError, OSError)):
            raise
        raise NotSent(
            f"cannot connect to Redis at {endpoint.safe_url}: {error or 'no answer in time'}",
            remedy="start it, or name another one with --redis or BEATLINE_REDIS_URL",
        ) from error
    # redis-py is done with it: without its streams it has nothing to close, or to warn of.
    writer, connection._reader, connection._writer = connection._writer, None, None
    line = kind(endpoint, writer.transport, writer)
    writer.transport.set_protocol(line)
    return line
