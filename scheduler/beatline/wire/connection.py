"""
Connections to Redis that are held, packed by hiredis, and never replay a write.

redis-py does what it does best: URLs, TLS, ACL, the handshake. Its retries are switched off
everywhere, because it sends an EVALSHA again after a lost reply; what may be repeated is
decided by our own numbered calls. A `HeldConnection` belongs to one thread of one process: a
packed command on it costs a third of ``execute_command``.

What happens when Redis is gone: connecting raises `NotSent` within the connect timeout; a
reply that does not come raises `redis.TimeoutError` or `redis.ConnectionError`, and the caller
decides. The next call connects anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from beatline.errors import InvalidSetting, NotSent
from beatline.wire.scripts import Script

#: One argument of a command.
Argument = bytes | str | int | float

#: Errors after which the connection's state is not known.
LOST = (RedisConnectionError, RedisTimeoutError, OSError)

#: What redis-py says of itself to the server. Where it is not told its version, it reads the
#: package's metadata for each connection: 2.3 ms, and 2 MB that a child no longer shares.
_CLIENT: Final = DriverInfo(lib_version=redis.__version__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    Where a Redis is, and how long we are ready to wait for it.

    Attributes:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        connect_timeout_ms: Longest wait for a connection.
        reply_timeout_ms: Longest wait for one reply.
    """

    url: str
    connect_timeout_ms: int = 2_000
    reply_timeout_ms: int = 3_000

    def pool(self) -> ConnectionPool:
        """
        A redis-py pool on this endpoint that neither retries nor waits for ever.

        Raises:
            InvalidSetting: The URL is not one that redis-py reads.
        """
        try:
            return ConnectionPool.from_url(
                self.url,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=self.reply_timeout_ms / 1000,
                socket_connect_timeout=self.connect_timeout_ms / 1000,
                protocol=2,
                driver_info=_CLIENT,
            )
        except ValueError as error:
            raise InvalidSetting(
                f"Redis URL {self.safe_url!r}: {error}",
                remedy="write redis://host:port/0, rediss://… or unix:///path/to.sock",
            ) from error

    def client(self) -> redis.Redis:
        """A redis-py client for everything that is not on a hot path."""
        return redis.Redis(connection_pool=self.pool())

    @property
    def safe_url(self) -> str:
        """The URL without its passwords, for messages and logs."""
        place, mark, options = self.url.partition("?")
        options = re.sub(r"(?i)\b(\w*password)=[^&]*", r"\1=***", options)
        scheme, found, rest = place.partition("://")
        login, at, where = rest.rpartition("@")
        if found and at:
            user, colon, _ = login.partition(":")
            place = f"{scheme}://{user}{':***' if colon else ''}@{where}"
        return f"{place}{mark}{options}"


@cache
def _recipe(endpoint: Endpoint) -> tuple[Callable[..., Any], dict[str, Any]]:
    """
    redis-py's class of connection for an endpoint, and what it is made with.

    Kept, because reading the URL again for each connection costs a forked child half a megabyte
    of what it shares with its siblings.
    """
    pool = endpoint.pool()
    return pool.connection_class, pool.connection_kwargs


class HeldConnection:
    """
    One connection, held by one thread: packed commands out, replies in.

    Not thread-safe. A process that forked opens its own at the next call.

    Attributes:
        generation: Rises each time a connection is opened.
        linger_s: For how long a `Line` looks for a reply before it sleeps; other kinds sleep at
            once.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.generation = 0
        self.linger_s = 0.0
        self._connection: Any = None
        self._pid = 0

    def connect(self) -> None:
        """
        Open the connection if there is none.

        Raises:
            NotSent: No server accepts connections there, or it refuses the login.
        """
        if self._connection is not None and self._pid == os.getpid():
            return
        # A forked child must not shut down its parent's socket: it only forgets it.
        kind, settings = _recipe(self.endpoint)
        connection: Any = kind(**settings)
        try:
            connection.connect()
        except (RedisError, OSError) as error:
            connection.disconnect()
            raise NotSent(
                f"cannot connect to Redis at {self.endpoint.safe_url}: {error}",
                remedy="start it, or name another one with --redis or BEATLINE_REDIS_URL",
            ) from error
        self._connection = connection
        self._pid = os.getpid()
        self.generation += 1

    def close(self) -> None:
        """Close the connection, if there is one; the next call opens another."""
        connection, self._connection = self._connection, None
        if connection is not None and self._pid == os.getpid():
            connection.disconnect()

    def fileno(self) -> int:
        """The socket's descriptor, to wait on."""
        self.connect()
        descriptor: int = self._connection._sock.fileno()
        return descriptor

    def send(self, packed: bytes) -> None:
        """Send a packed command; connects where necessary."""
        self.connect()
        try:
            self._connection.send_packed_command([packed], check_health=False)
        except BaseException:
            self.close()
            raise

    def receive(self, timeout_ms: int | None = None) -> Any:
        """
        The next reply; errors of the server are raised as redis-py's exceptions.

        Args:
            timeout_ms: Longest wait; None takes the endpoint's.
        """
        seconds = (timeout_ms or self.endpoint.reply_timeout_ms) / 1000
        try:
            return self._connection.read_response(disable_decoding=True, timeout=seconds)
        except ResponseError:
            raise
        except BaseException:
            self.close()
            raise

    def call(self, *arguments: Argument, timeout_ms: int | None = None) -> Any:
        """Send one command and return its reply."""
        self.send(pack(*arguments))
        return self.receive(timeout_ms)

    def run(
        self,
        script: Script,
        prefix: bytes,
        *arguments: Argument,
        timeout_ms: int | None = None,
    ) -> Any:
        """
        Run a script on a partition; one that the server does not have is loaded first.

        Args:
            script: Which transition.
            prefix: The partition's key prefix, such as ``b"{sched:0}:"``.
            arguments: ARGV from the second on; the first, the time, is the server's own.
            timeout_ms: Longest wait for the reply; None takes the endpoint's.
        """
        packed = pack_script(script, prefix, arguments)
        self.send(packed)
        try:
            return self.receive(timeout_ms)
        except NoScriptError:
            # NOSCRIPT proves that nothing was run.
            self.call("SCRIPT", "LOAD", script.source)
            self.send(packed)
            return self.receive(timeout_ms)

    def run_many(
        self, script: Script, prefix: bytes, calls: Sequence[Sequence[Argument]]
    ) -> list[Any]:
        """
        Run one script with many sets of arguments in one round trip.

        Returns:
            One reply per call, in order; a server's error stands in its call's place.
        """
        if not calls:
            return []
        self.send(b"".join(pack_script(script, prefix, call) for call in calls))
        replies: list[Any] = [self._receive_or_error() for _ in calls]
        for index, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                try:
                    replies[index] = self.run(script, prefix, *calls[index])
                except ResponseError as error:
                    replies[index] = error
        return replies

    def _receive_or_error(self) -> Any:
        try:
            return self.receive()
        except ResponseError as error:
            return error


def pack(*arguments: Argument) -> bytes:
    """The bytes of one command."""
    # hiredis' stub takes a tuple of one argument only.
    packed: bytes = hiredis.pack_command(arguments)  # type: ignore[arg-type]
    return packed


def pack_script(
    script: Script, prefix: bytes, arguments: Sequence[Argument], now_us: int = 0
) -> bytes:
    """The bytes of one EVALSHA; ``now_us`` other than 0 is for tests that drive the clock."""
    return pack("EVALSHA", script.sha, 1, prefix, script.clock(now_us), *arguments)
